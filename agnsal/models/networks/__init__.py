"""Networks as one record of layers."""
