"""What lines, regions and components add, as bars."""
