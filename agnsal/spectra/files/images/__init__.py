"""Arrays with an axis in their header."""
