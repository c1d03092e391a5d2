"""From the predictions of a model over a population to effects of features: the projection, and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError, one_of

PROJECTIONS = ("covariance", "pseudoinverse", "ridge")
_RIDGE_ALPHAS = np.logspace(-5, 5, 11)


def projector(
    Z: NDArray[np.float64], projection: str, *, center: bool = True, predictions: NDArray | None = None
) -> NDArray[np.float64]:
    """Make the matrix that takes predictions to effect sizes.

    Parameters
    ----------
    Z : ndarray, shape (n, p)
        Features.
    projection : {"covariance", "pseudoinverse", "ridge"}
        See `effect_sizes`.
    center : bool
        Subtract the mean of each feature.
    predictions : ndarray, shape (n,), optional
        Needed to choose the penalty of ``"ridge"``.

    Returns
    -------
    ndarray, shape (p, n)

    Raises
    ------
    AgnsalError
        If the projection is unknown.
    """
    one_of("projection", projection, PROJECTIONS)
    if projection == "covariance":  # centred in any case: that is what a covariance is
        return (Z - Z.mean(axis=0)).T / (len(Z) - 1)
    Z = Z - Z.mean(axis=0) if center else Z
    if projection == "pseudoinverse":
        return np.linalg.pinv(Z)
    from sklearn.linear_model import RidgeCV

    if predictions is None:
        raise AgnsalError("the penalty of a ridge projection is chosen from the predictions; give them.")
    penalty = RidgeCV(_RIDGE_ALPHAS, fit_intercept=False).fit(Z, predictions - predictions.mean()).alpha_
    return np.linalg.solve(Z.T @ Z + penalty * np.eye(Z.shape[1]), Z.T)


def population_outputs(model: Any, X: NDArray[np.float64], target: Any, output: str) -> NDArray[np.float64]:
    """Predictions of a model over a population: differentiable or not, a function, or ready-made.

    Parameters
    ----------
    model, target, output
        See `effect_sizes`.
    X : ndarray, shape (n, n_features)
        Spectra.

    Returns
    -------
    ndarray, shape (n,) for one output, or (n, n_classes)
    """
    if isinstance(model, np.ndarray | list | tuple):
        values, classes = np.asarray(model, dtype=np.float64), None
    else:
        values, classes = _evaluated(model, X, output)
    if len(values) != len(X):
        raise AgnsalError(f"there are {len(values)} predictions for {len(X)} spectra.")
    if values.ndim == 1 or values.shape[1] == 1:
        return values.ravel()
    if target is not None:
        labels = list(range(values.shape[1]) if classes is None else classes)
        if target not in labels:
            raise AgnsalError(f"target {target!r} is not a class of the model; its classes are {labels}.")
        return values[:, labels.index(target)]
    if values.shape[1] == 2 and classes is not None:
        total = values.sum(axis=1)
        if np.ptp(total) <= 1e-9 * max(np.ptp(values), np.finfo(float).tiny):  # the first only mirrors the second
            return values[:, 1]
    return values


def _evaluated(model: Any, X: NDArray, output: str) -> tuple[NDArray[np.float64], list | None]:
    """Outputs of a model and the classes of their columns, if it has several."""
    from agnsal.models.differentiable import as_differentiable

    try:
        smooth = as_differentiable(model)
    except AgnsalError:
        if not (callable(model) or hasattr(model, "predict")):
            raise
    else:
        return smooth.outputs(X, output), smooth.classes_.tolist()
    if output == "decision" and hasattr(model, "decision_function"):
        f = np.asarray(model.decision_function(X))
        return f, None if f.ndim == 1 else list(model.classes_)
    if hasattr(model, "predict_proba"):  # a forest, neighbours and the like
        p = np.asarray(model.predict_proba(X))
        if output != "probability":
            p = np.clip(p, 1e-6, 1 - 1e-6)
            p = np.log(p / (1 - p))
        return p, list(model.classes_)
    function: Callable[[NDArray], Any] = model.predict if hasattr(model, "predict") else model
    return np.asarray(function(X), dtype=np.float64), None


def feature_matrix(Z: Any, n: int) -> NDArray[np.float64]:
    """Check features: a finite matrix with a row for each prediction.

    Parameters
    ----------
    Z : array_like, shape (n, p)
        Features.
    n : int
        Number of predictions.

    Returns
    -------
    ndarray, shape (n, p)
    """
    Z = np.asarray(Z, dtype=np.float64)
    if Z.ndim != 2 or len(Z) != n or n < 2:
        raise AgnsalError(f"features are expected as (n, p) with n = {n} >= 2 predictions, got shape {Z.shape}.")
    if not np.isfinite(Z).all():
        raise AgnsalError("features hold NaN or infinite values; leave these spectra out.")
    return Z
