"""Fitted scikit-learn transformers as functions autograd can trace."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.preprocessing import StandardScaler

from agnsal.models.registry import Step, register_step


def affine(offset: ArrayLike, scale: ArrayLike, n_features: int, training_mean: ArrayLike | None = None) -> Step:
    """The step ``(X - offset) * scale``, feature by feature.

    Parameters
    ----------
    offset, scale : float or array, shape (n_features,)
        Subtracted first, multiplied with then.
    n_features : int
        Width of the input.
    training_mean : array, shape (n_features,), optional
        Mean of the training data.

    Returns
    -------
    Step

    Examples
    --------
    >>> affine(1.0, 2.0, 1).forward(np.array([[4.0]]))
    array([[6.]])
    """
    offset, scale = np.asarray(offset, dtype=np.float64), np.asarray(scale, dtype=np.float64)
    mean = None if training_mean is None else np.asarray(training_mean, dtype=np.float64)
    return Step(
        lambda X: (X - offset) * scale,
        n_features,
        training_mean=mean,
        invert_mean=(lambda after: after / scale + offset) if (scale != 0).all() else None,
    )


@register_step(StandardScaler)
def standard_scaler(scaler: StandardScaler) -> Step:
    """Mean zero, variance one."""
    offset = scaler.mean_ if scaler.with_mean else 0.0
    scale = 1.0 / scaler.scale_ if scaler.with_std else 1.0
    return affine(offset, scale, scaler.n_features_in_, scaler.mean_)
