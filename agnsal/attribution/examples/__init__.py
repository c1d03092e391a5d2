"""Which training spectra decided: the terms of a kernel machine, or of the last layer of a network."""
