"""What lies on the disk: its size against what it claims, its sums, a few cells of a wide table."""
