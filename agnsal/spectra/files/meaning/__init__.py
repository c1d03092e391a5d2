"""What names, units, cards and numbers mean."""
