"""Columns of numbers: FITS tables, text, containers of many spectra."""
