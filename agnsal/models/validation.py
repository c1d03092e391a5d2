"""Spectra as models take them: a finite matrix like that learnt from, with no unit or mask lost on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.units import Quantity
from astropy.utils.masked import Masked
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted, validate_data

from agnsal.errors import AgnsalError, real_numbers
from agnsal.spectra.sample import SpectralSample


def as_learnt(model: object, sample_or_X: Any) -> Any:
    """Take spectra as a model has learnt them.

    Parameters
    ----------
    model : object
        May have `learnt_from_`, an `Origin`, and `feature_names_in_`.
    sample_or_X : SpectralSample, DataFrame or array_like, shape (n, n_features)
        The spectra.

    Returns
    -------
    object
        The flux of a sample, a table with its columns in the order the model knows, or the array as it was.

    Raises
    ------
    AgnsalError
        If a sample is not like that learnt from, or a table has other columns.

    Examples
    --------
    >>> as_learnt(None, [[1.0, 2.0]])
    [[1.0, 2.0]]
    """
    if isinstance(sample_or_X, SpectralSample):
        origin = getattr(model, "learnt_from_", None)
        if origin is not None:
            origin.check(sample_or_X, "the model has learnt from spectra whose", flux_will_do=True)
        return sample_or_X.flux
    names, columns = getattr(model, "feature_names_in_", None), getattr(sample_or_X, "columns", None)
    if names is None or columns is None:
        return sample_or_X
    known, given = [str(name) for name in names], [str(name) for name in columns]
    if known == given:
        return sample_or_X
    if sorted(known) != sorted(given):
        strange = [name for name in given if name not in set(known)]
        missing = [name for name in known if name not in set(given)]
        raise AgnsalError(
            f"the columns are not those the model was fitted with: it does not know {strange[:5]} and misses "
            f"{missing[:5]}."
        )
    return sample_or_X[known]


def spectra_and_labels(sample_or_X: Any, y: Any) -> tuple[Any, Any]:
    """What to train on: the flux of a sample with its labels, if no others are given, or the arrays as they are.

    Parameters
    ----------
    sample_or_X : SpectralSample or array_like, shape (n, n_features)
        The spectra.
    y : array_like, shape (n,), or None
        Labels; None for those of the sample.

    Returns
    -------
    X, y : object

    Raises
    ------
    AgnsalError
        If the sample has no labels, some labels are masked, or an array comes with a unit or a mask.

    Examples
    --------
    >>> import agnsal
    >>> spectra_and_labels(agnsal.simulate_agn(1, 1, 0, seed=0), None)[1].tolist()
    ['type 1', 'type 2']
    """
    if isinstance(y, Masked | np.ma.MaskedArray) and np.any(y.mask):
        raise AgnsalError(f"{np.sum(y.mask)} of the labels in y are masked, so not known; leave those spectra out.")
    if not isinstance(sample_or_X, SpectralSample):
        refuse_units_and_masks(sample_or_X)
        return sample_or_X, y
    if y is None:
        y = sample_or_X.labels
        hidden = y is None or np.any(getattr(sample_or_X.table["label"], "mask", False))
        if y is None or hidden or (y.dtype.kind == "U" and (y == "").any()):  # a blank is no class
            raise AgnsalError("not every spectrum of the sample has a label; give y, or leave the others out.")
    return sample_or_X.flux, y


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
        If they are no finite real dense matrix, or come with a unit or a mask.

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
        matrix = real_numbers("X", sample_or_X)
    if matrix.ndim != 2:
        raise AgnsalError(f"spectra are expected as (n, n_features), got shape {matrix.shape}; one is x[None, :].")
    if not np.isfinite(matrix).all():
        rows = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        raise AgnsalError(f"spectra {rows[:5].tolist()} hold NaN or infinite flux; a SpectralSample bridges bad bins.")
    return matrix


class UnfittedError(AgnsalError, NotFittedError):
    """Something is asked before it was fitted: an error of ours, and the one scikit-learn expects."""


def require_fitted(estimator: BaseEstimator) -> None:
    """Raise `UnfittedError` if an estimator is not fitted yet.

    Parameters
    ----------
    estimator : BaseEstimator
        Anything that follows scikit-learn's rules.

    Raises
    ------
    UnfittedError
        See there.

    Examples
    --------
    >>> import agnsal
    >>> require_fitted(agnsal.PCABasis())
    Traceback (most recent call last):
        ...
    agnsal.models.validation.UnfittedError: this PCABasis is not fitted yet; call fit first.
    """
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise UnfittedError(f"this {type(estimator).__name__} is not fitted yet; call fit first.") from error


def matrix_of(
    estimator: BaseEstimator,
    sample_or_X: SpectralSample | ArrayLike,
    *,
    fitting: bool,
    min_samples: int = 1,
    min_features: int = 1,
) -> NDArray[np.float64]:
    """Flux for an estimator: what `flux_of` gives, with number and names of the features learnt or checked.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets `n_features_in_`, and `feature_names_in_` of a DataFrame, or is asked for them.
    sample_or_X : SpectralSample or array_like, shape (n, n_features)
        The spectra.
    fitting : bool
        Whether the features are learnt.
    min_samples, min_features : int
        Fewer are refused.

    Returns
    -------
    ndarray, shape (n, n_features)

    Raises
    ------
    AgnsalError
        If they are no such finite matrix, or come with a unit or a mask.
    TypeError
        If they are sparse, or not numbers, as scikit-learn does.

    Examples
    --------
    >>> import agnsal
    >>> estimator = agnsal.PCABasis()
    >>> matrix_of(estimator, [[1, 2]], fitting=True), estimator.n_features_in_
    (array([[1., 2.]]), 2)
    """
    X: Any = sample_or_X.flux if isinstance(sample_or_X, SpectralSample) else sample_or_X
    refuse_units_and_masks(X)
    try:
        return validate_data(
            estimator,
            X,
            reset=fitting,
            dtype=np.float64,
            ensure_min_samples=min_samples,
            ensure_min_features=min_features,
        )
    except ValueError as error:
        advice = " A SpectralSample bridges bad bins." if "NaN" in str(error) or "infinity" in str(error) else ""
        raise AgnsalError(f"{type(estimator).__name__} cannot take these spectra: {error}{advice}") from error


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
