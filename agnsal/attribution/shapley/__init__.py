"""Shapley values, exact where the machine allows it."""
