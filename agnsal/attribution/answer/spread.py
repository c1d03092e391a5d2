"""Standard errors of attributions and of sums of them, from draws or from independent errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def variance_of(spread: NDArray[np.float64], members: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Variance of each value, or of sums of values with their correlation kept.

    Parameters
    ----------
    spread : ndarray, shape (n_draws, n, n_features) or (n, n_features)
        Draws of the values, or standard errors of values that are independent of each other.
    members : ndarray, shape (n_sums, n_features), optional
        Weights of the values in each sum; by default each value by itself.

    Returns
    -------
    ndarray, shape (n, n_features) or (n, n_sums)

    Examples
    --------
    >>> draws = np.array([[[1.0, -1.0]], [[-1.0, 1.0]]])
    >>> variance_of(draws), variance_of(draws, np.ones((1, 2)))
    (array([[2., 2.]]), array([[0.]]))
    """
    if spread.ndim == 2:
        return spread**2 if members is None else spread**2 @ (members**2).T
    sums = spread if members is None else spread @ members.T
    return sums.var(axis=0, ddof=1)


def errors_of(
    uncertainty: Mapping[str, NDArray[np.float64]], members: NDArray[np.float64] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Standard errors by source, and all sources together under ``""``; the sources are independent.

    Parameters
    ----------
    uncertainty : dict of str to ndarray
        As `Attribution.uncertainty`.
    members : ndarray, shape (n_sums, n_features), optional
        See `variance_of`.

    Returns
    -------
    dict of str to ndarray

    Examples
    --------
    >>> errors_of({"flux": np.array([[3.0]]), "training": np.array([[4.0]])})[""]
    array([[5.]])
    """
    variances = {source: variance_of(spread, members) for source, spread in uncertainty.items()}
    together = np.sqrt(np.sum(list(variances.values()), axis=0))
    return {"": together, **{source: np.sqrt(variance) for source, variance in variances.items()}}
