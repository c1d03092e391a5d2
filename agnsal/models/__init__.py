"""Floor 2: differentiable classifiers."""
