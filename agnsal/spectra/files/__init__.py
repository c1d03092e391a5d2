"""From survey files to spectra."""
