"""More spectra than fit in memory: read in blocks, explained block by block, answers on disk."""
