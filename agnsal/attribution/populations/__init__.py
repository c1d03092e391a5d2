"""Many spectra together."""
