"""Sums, means and variances over samples that come in blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def add_blocks(total: NDArray[np.float64], rows: NDArray[np.intp], values: NDArray[np.float64]) -> None:
    """Add rows to the spectra they belong to, in place.

    Parameters
    ----------
    total : ndarray, shape (n, ...)
        Sums so far.
    rows : ndarray of int, shape (m,)
        The spectrum of each row, in ascending order.
    values : ndarray, shape (m, ...)
        The rows.

    Examples
    --------
    >>> total = np.zeros(2)
    >>> add_blocks(total, np.array([0, 0, 1]), np.array([1.0, 2.0, 4.0]))
    >>> total
    array([3., 4.])
    """
    found, starts = np.unique(rows, return_index=True)
    total[found] += np.add.reduceat(values, starts, axis=0)


class Moments:
    """Mean and variance of the rows that belong to each spectrum, gathered block by block.

    The first row of a spectrum is subtracted before squares are taken, so that no digits are lost.

    Parameters
    ----------
    shape : (int, int)
        Number of spectra and of features.

    Examples
    --------
    >>> moments = Moments((1, 2))
    >>> moments.add(np.array([0, 0]), np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> moments.mean, moments.variance
    (array([[2., 5.]]), array([[2., 0.]]))
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._first = np.zeros(shape)
        self._sum = np.zeros(shape)
        self._squares = np.zeros(shape)
        self._count = np.zeros((shape[0], 1))

    def add(self, rows: NDArray[np.intp], values: NDArray[np.float64]) -> None:
        """Take in a block.

        Parameters
        ----------
        rows : ndarray of int, shape (m,)
            The spectrum of each row, in ascending order.
        values : ndarray, shape (m, n_features)
            The rows.
        """
        found, starts = np.unique(rows, return_index=True)
        new = self._count[found, 0] == 0
        self._first[found[new]] = values[starts[new]]
        values = values - self._first[rows]
        add_blocks(self._sum, rows, values)
        add_blocks(self._squares, rows, values * values)
        add_blocks(self._count, rows, np.ones((len(rows), 1)))

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean, shape (n, n_features)."""
        return self._first + self._sum / self._count

    @property
    def variance(self) -> NDArray[np.float64]:
        """Unbiased variance, shape (n, n_features)."""
        return np.maximum(self._squares - self._sum**2 / self._count, 0.0) / (self._count - 1)
