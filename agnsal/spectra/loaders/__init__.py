"""One module per family of survey files; each turns an open file into `FileSpectrum` records."""
