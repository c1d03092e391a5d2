"""Floor 1: from survey files to one matrix."""
