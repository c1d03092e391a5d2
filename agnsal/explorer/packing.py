"""Arrays small enough for a page: rounded to what their errors allow, packed, written as text."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Flux is rounded to this fraction of the median error of its spectrum: coarser for so many that size counts.
_FINE, _COARSE, _MANY = 1 / 32, 1 / 16, 5000
_MOST = 32000  # steps an int16 counts, with room for the differences of neighbours
_EVERY = 8  # bins that share one error


@dataclass(frozen=True)
class Rounded:
    """Rows of numbers as whole steps of their own.

    Attributes
    ----------
    steps : ndarray of int16, shape (n, n_columns)
        Number of steps.
    scale : ndarray, shape (n,)
        What a step is.
    """

    steps: NDArray[np.int16]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64], step: NDArray[np.float64] | float = 0.0) -> Rounded:
        """Round each row to a step, or to what 16 bits hold where that is coarser.

        Parameters
        ----------
        values : ndarray, shape (n, n_columns)
            Finite.
        step : ndarray, shape (n,), or float
            As fine as is useful; 0 for as fine as 16 bits allow.

        Returns
        -------
        Rounded

        Examples
        --------
        >>> Rounded.of(np.array([[0.0, 0.26, 1.0]]), 0.5).values
        array([[0. , 0.5, 1. ]])
        """
        largest = np.abs(values).max(axis=1, initial=0.0)
        scale = np.maximum(largest / _MOST, step)
        scale[scale == 0] = 1.0
        return cls(np.round(values / scale[:, None]).astype(np.int16), scale)

    @property
    def values(self) -> NDArray[np.float64]:
        """The rounded numbers."""
        return self.steps * self.scale[:, None]

    def text(self) -> str:
        """Differences of neighbours, low bytes before high bytes, which are nearly all alike; packed."""
        differences = np.diff(self.steps, axis=1, prepend=np.int16(0))  # in 16 bits, which wrap around and back
        folded = ((differences << 1) ^ (differences >> 15)).view(np.uint16)
        return packed(np.stack([folded & 255, folded >> 8]).astype(np.uint8))


def rounded_flux(flux: NDArray[np.float64], ivar: NDArray[np.float64] | None) -> Rounded:
    """Flux rounded to a 32nd of the median error of its spectrum; of more than 5,000 spectra to a 16th of it."""
    if ivar is None:
        return Rounded.of(flux / 1.0, np.abs(flux).max(axis=1, initial=0.0) / 4000)
    known = np.where(ivar > 0, ivar, np.nan)
    weight = np.array([np.nanmedian(row) if np.isfinite(row).any() else np.inf for row in known])
    return Rounded.of(flux, (_FINE if len(flux) <= _MANY else _COARSE) / np.sqrt(weight))


def shared_errors(ivar: NDArray[np.float64]) -> Rounded:
    """The median error of every eight bins, 0 where there is none."""
    sigma = np.divide(
        1.0, np.sqrt(ivar, where=ivar > 0, out=np.ones_like(ivar)), where=ivar > 0, out=np.zeros_like(ivar)
    )
    width = -(-sigma.shape[1] // _EVERY) * _EVERY
    filled = np.pad(sigma, ((0, 0), (0, width - sigma.shape[1])), mode="edge")
    blocks = filled.reshape(len(sigma), -1, _EVERY)
    medians = np.median(blocks, axis=2)
    return Rounded.of(medians, medians.max(axis=1, initial=0.0) / 200)


def bits(mask: NDArray[np.bool_]) -> str:
    """A mask, a bit for each bin, packed."""
    return packed(np.packbits(mask, axis=1))


def packed(array: NDArray) -> str:
    """Bytes of an array by gzip, in base64; equal arrays make equal texts."""
    return base64.b64encode(gzip.compress(np.ascontiguousarray(array).tobytes(), 9, mtime=0)).decode("ascii")
