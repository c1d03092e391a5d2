"""Pages that a reader opens: one spectrum explained."""
