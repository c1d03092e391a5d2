"""A sample: its spectra, where they lie, what they are called."""
