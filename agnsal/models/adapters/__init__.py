"""Fitted estimators of other packages as differentiable models."""
