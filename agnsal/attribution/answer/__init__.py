"""What is answered: the one result type, its file, its errors."""
