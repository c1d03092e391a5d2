"""One spectrum, and what was found in it over wavelength."""
