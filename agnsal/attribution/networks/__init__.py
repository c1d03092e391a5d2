"""What the layers of a network say."""
