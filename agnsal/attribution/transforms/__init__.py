"""Importance in a transformed space."""
