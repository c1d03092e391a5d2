"""Whether an answer can be trusted."""
