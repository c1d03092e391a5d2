"""Checks and measures of training data: units and masks that would be stripped, the variance."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.units import Quantity
from astropy.utils.masked import Masked
from numpy.typing import NDArray

from agnsal.errors import AgnsalError


def refuse_units_and_masks(X: Any, what: str = "X") -> None:
    """Raise if an input carries a unit or a mask that a plain array would lose.

    Parameters
    ----------
    X : object
        What a user handed over as a matrix of spectra.
    what : str
        Its name, for the error message.

    Raises
    ------
    AgnsalError
        For an astropy `Quantity`, an astropy `Masked` or a NumPy masked array.

    Examples
    --------
    >>> refuse_units_and_masks(np.zeros((2, 3)))
    >>> refuse_units_and_masks(np.ma.zeros((2, 3)))
    Traceback (most recent call last):
        ...
    agnsal.errors.AgnsalError: X is a masked array and its mask would be lost...
    """
    if isinstance(X, Masked | np.ma.MaskedArray):
        raise AgnsalError(
            f"{what} is a masked array and its mask would be lost; fill the bad pixels first "
            "(SpectralSample bridges them and keeps the mask) and pass a plain array."
        )
    if isinstance(X, Quantity):
        raise AgnsalError(
            f"{what} is a Quantity in {X.unit} and its unit would be lost; pass {what}.value, "
            "in the same unit for training and prediction."
        )


def weighted_variance(X: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Variance of all numbers of a matrix whose rows have weights; a weight counts like a repetition of the row.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        The matrix.
    weight : ndarray, shape (n,)
        Weights of its rows, not all zero.

    Returns
    -------
    float
        ``X.var()`` if the weights are equal.

    Examples
    --------
    >>> weighted_variance(np.array([[0.0, 2.0], [5.0, 7.0]]), np.array([1.0, 0.0]))
    1.0
    """
    mean = weight @ X.mean(axis=1) / weight.sum()
    # row by row, for a matrix of deviations would be as large as the data
    squares = [deviation @ deviation for deviation in (row - mean for row in X)]
    return float(weight @ np.array(squares) / (weight.sum() * X.shape[1]))
