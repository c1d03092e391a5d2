"""The support vector machine with exact, differentiable probabilities."""
