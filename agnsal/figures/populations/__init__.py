"""Many spectra together: mean maps, rankings, quantities with a name."""
