"""A model fitted again to another draw of its training set: the bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.utils.validation import has_fit_parameter

from agnsal.errors import AgnsalError
from agnsal.models.validation import flux_of, spectra_and_labels
from agnsal.spectra.sample import SpectralSample


def fresh_copy(model: Any) -> Any:
    """An unfitted copy of an estimator.

    Parameters
    ----------
    model : estimator
        Of scikit-learn's kind.

    Returns
    -------
    estimator

    Raises
    ------
    AgnsalError
        If it cannot be fitted again: a network or a function is what it is.
    """
    try:
        return clone(model)
    except TypeError as error:
        raise AgnsalError(
            f"a {type(model).__name__} cannot be fitted again here; give an estimator with scikit-learn's fit for what "
            "needs refits."
        ) from error


def bootstrapped(
    model: Any, X: SpectralSample | ArrayLike, y: ArrayLike, random: np.random.Generator | np.random.RandomState
) -> Any:
    """Fit a clone to a bootstrap sample, drawn within each class for a classifier.

    A spectrum drawn several times gets a weight where the model takes weights, so that it is not in several folds.

    Parameters
    ----------
    model : estimator
        Anything scikit-learn can clone; need not be fitted.
    X : SpectralSample or array_like, shape (n, n_features)
        The training set.
    y : array_like, shape (n,)
        Its labels or values.
    random : Generator or RandomState
        Draws the rows.

    Returns
    -------
    estimator

    References
    ----------
    Efron 1979, Ann. Statist. 7, 1.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.arange(6.0)[:, None]
    >>> bootstrapped(LinearRegression(), X, 2 * X[:, 0], np.random.default_rng(0)).coef_.round(6)
    array([2.])
    """
    X, y = flux_of(X), np.asarray(spectra_and_labels(X, y)[1])
    if len(X) != len(y) or not len(y):
        raise AgnsalError(f"a bootstrap sample needs spectra with a label each; got {len(X)} spectra, {len(y)} labels.")
    strata = [np.flatnonzero(y == label) for label in np.unique(y)] if is_classifier(model) else [np.arange(len(y))]
    rows = np.concatenate([random.choice(members, size=len(members)) for members in strata])
    fresh = fresh_copy(model)
    if has_fit_parameter(fresh, "sample_weight"):
        times = np.bincount(rows, minlength=len(X))
        kept = times > 0
        return fresh.fit(X[kept], y[kept], sample_weight=times[kept].astype(np.float64))
    return fresh.fit(X[rows], y[rows])
