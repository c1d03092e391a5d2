"""Spectra changed on purpose: references, fillings, removed lines, corrections."""
