"""Spectra as models take them: a finite matrix, with no unit or mask lost on the way; the variance of one."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.units import Quantity
from astropy.utils.masked import Masked
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.sample import SpectralSample


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


def flux_of(sample_or_X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
    """Take the flux of a sample, or check an array: a finite matrix, with nothing dropped in silence.

    Parameters
    ----------
    sample_or_X : SpectralSample or array_like, shape (n, n_features)
        The spectra.

    Returns
    -------
    ndarray, shape (n, n_features)

    Raises
    ------
    AgnsalError
        If they are no finite real matrix, or come with a unit or a mask.

    Examples
    --------
    >>> flux_of([[1, 2]])
    array([[1., 2.]])
    >>> flux_of([1.0, 2.0])
    Traceback (most recent call last):
        ...
    agnsal.errors.AgnsalError: spectra are expected as (n, n_features), got shape (2,); one is x[None, :].
    """
    if isinstance(sample_or_X, SpectralSample):
        matrix = sample_or_X.flux
    else:
        refuse_units_and_masks(sample_or_X)
        if np.iscomplexobj(sample_or_X):
            raise AgnsalError("the spectra are complex numbers; give their real part or their size.")
        try:
            matrix = np.asarray(sample_or_X, dtype=np.float64)
        except (TypeError, ValueError) as error:
            dense = " A sparse matrix is given as X.toarray()." if hasattr(sample_or_X, "toarray") else ""
            raise AgnsalError(f"the spectra are not an array of numbers: {error}.{dense}") from error
    if matrix.ndim != 2:
        raise AgnsalError(f"spectra are expected as (n, n_features), got shape {matrix.shape}; one is x[None, :].")
    if not np.isfinite(matrix).all():
        rows = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        raise AgnsalError(f"spectra {rows[:5].tolist()} hold NaN or infinite flux; a SpectralSample bridges bad bins.")
    return matrix


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
