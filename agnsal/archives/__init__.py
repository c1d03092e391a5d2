"""Spectra and catalogues over HTTPS, with a manifest of what came."""
