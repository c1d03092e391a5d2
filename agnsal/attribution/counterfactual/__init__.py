"""The smallest change in named quantities that would change the class."""
