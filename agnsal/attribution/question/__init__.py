"""What is asked: of which output, against which baseline."""
