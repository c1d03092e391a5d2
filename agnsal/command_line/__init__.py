"""The command ``agnsal``: thin calls of public functions, in the words of a shell."""
