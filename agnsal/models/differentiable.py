"""From a fitted estimator to a differentiable model."""

from __future__ import annotations

from typing import Any

from agnsal.models.adapters import estimators, transformers  # noqa: F401 (the door: they declare themselves)
from agnsal.models.adapters.registry import Step, convert_estimator, register_estimator, register_step
from agnsal.models.model import DifferentiableModel

__all__ = ["DifferentiableModel", "Step", "as_differentiable", "register_estimator", "register_step"]


def as_differentiable(estimator: Any) -> DifferentiableModel:
    """Make a differentiable model of a fitted classifier or regressor.

    Parameters
    ----------
    estimator : object
        A fitted `ProbabilisticSVC`, a fitted scikit-learn estimator that is mathematically differentiable, a
        `Pipeline` of such, a torch module, an object with a method ``as_differentiable()``, or a
        `DifferentiableModel` (returned as it is).

    Returns
    -------
    DifferentiableModel
        Its outputs equal those of the estimator.

    Raises
    ------
    AgnsalError
        If it is not fitted, or a step of it has no derivative: the message names the step.

    Notes
    -----
    A legacy ``SVC(probability=True)`` is coupled exactly, so its probabilities differ from its own `predict_proba`,
    where libsvm stops iterating early, by up to 0.005.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> import numpy as np
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
    >>> model = as_differentiable(LogisticRegression().fit(X, ["a", "a", "b", "b"]))
    >>> model.gradient(X[:1], "b").sum(axis=1) > 0
    array([ True])
    """
    return convert_estimator(estimator)
