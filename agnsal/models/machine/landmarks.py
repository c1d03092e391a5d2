"""Machines of any number of spectra: a kernel seen through some of them, the landmarks, and trained in the primal.

Nystroem's features (Williams & Seeger 2001) are ``z(x) = K(x, L) K(L, L)^(-1/2)`` of landmarks L; a linear function of
them is a kernel expansion over the landmarks. It is trained with the squared hinge by Newton's method in the primal
(Keerthi & DeCoste 2005; Chapelle 2007), a block of rows at a time, so that memory holds the features of a block, and a
few numbers for each spectrum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq

from agnsal.models.machine.coupling import class_pairs
from agnsal.models.machine.kernels import Kernel
from agnsal.models.machine.training import Fold

#: Rows handled at once.
BLOCK = 8192
#: Directions of the landmarks' kernel matrix below this share of the largest are left out.
_LEAST = 1e-8
_MOST_STEPS, _TOLERANCE, _FOLD_TOLERANCE = 60, 1e-6, 1e-3


@dataclass(frozen=True)
class LandmarkFeatures:
    """Features in which a kernel is an inner product, and the way back to the landmarks.

    Attributes
    ----------
    kernel : Kernel
    landmarks : ndarray, shape (m, n_features)
        Spectra.
    whitening : ndarray, shape (m, q)
        Brings kernel values to the q features.
    """

    kernel: Kernel
    landmarks: NDArray[np.float64]
    whitening: NDArray[np.float64]

    @classmethod
    def of(cls, kernel: Kernel, landmarks: NDArray[np.float64]) -> LandmarkFeatures:
        """Whiten the kernel matrix of the landmarks; directions they hardly span are left out."""
        values, vectors = np.linalg.eigh(kernel(landmarks, landmarks))
        kept = values > _LEAST * values.max()
        return cls(kernel, landmarks, vectors[:, kept] / np.sqrt(values[kept]))

    def __call__(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features of spectra, shape (n, q)."""
        return self.kernel(X, self.landmarks) @ self.whitening

    @property
    def n_features(self) -> int:
        """Number of features, q."""
        return self.whitening.shape[1]


def fill_features(
    features: LandmarkFeatures | None, X: NDArray[np.float64], Z: NDArray[np.float64], start: int
) -> None:
    """Write the features of spectra into an array, from a row on; None for the spectra themselves."""
    for first in range(0, len(X), BLOCK):
        part = X[first : first + BLOCK]
        Z[start + first : start + first + len(part)] = part if features is None else features(part)


@contextmanager
def room_for(n: int, n_features: int, max_memory: float) -> Iterator[NDArray[np.float64]]:
    """Yield an array for the features of all spectra, in memory or, over `max_memory` MiB, in a temporary file."""
    if 8 * n * n_features <= max_memory * 2**20:
        yield np.empty((n, n_features))
        return
    with TemporaryFile() as file:
        yield np.memmap(file, dtype=np.float64, mode="w+", shape=(n, n_features))


class PrimalTrainer:
    """Train one-vs-one machines that are linear in some features.

    Parameters
    ----------
    Z : ndarray or memmap, shape (n, q)
        Features; read a block of rows at a time.
    codes : ndarray of int, shape (n,)
        Class of each row.
    weight : ndarray, shape (n,)
        What each row counts, class weights included.
    C : float
        Of the squared hinge, ``|w|^2 / 2 + C sum(weight max(0, 1 - y f)^2)``.
    """

    def __init__(self, Z: NDArray[np.floating], codes: NDArray[np.intp], weight: NDArray[np.float64], C: float) -> None:
        self.Z, self.codes, self.weight, self.C = Z, codes, weight, C
        self.n_classes = int(codes.max()) + 1

    def fit(
        self, left_out: NDArray[np.bool_] | None = None, start: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Weights and offset of every pair, shape (q + 1, n_pairs), trained without some rows.

        A pair with only one of its classes among the rows gets the constant +1 or -1, or 0.
        """
        first, second = class_pairs(self.n_classes)
        solved = np.zeros((self.Z.shape[1] + 1, first.size))
        for pair, (i, j) in enumerate(zip(first, second, strict=True)):
            weight = np.where((self.codes == i) | (self.codes == j), self.weight, 0.0)
            if left_out is not None:
                weight[left_out] = 0.0
            there = [bool(weight[self.codes == code].sum() > 0) for code in (i, j)]
            if all(there):
                sign = np.where(self.codes == i, 1.0, -1.0)
                tolerance = _TOLERANCE if left_out is None else _FOLD_TOLERANCE
                begin = None if start is None else start[:, pair]
                solved[:, pair] = self._newton(sign, weight, tolerance, begin)
            else:
                solved[-1, pair] = float(there[0]) - float(there[1])
        return solved

    def decide(self, solved: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Pair decision values of some rows."""
        parts = np.array_split(rows, max(1, -(-rows.size // BLOCK)))
        return np.concatenate([np.asarray(self.Z[part]) @ solved[:-1] + solved[-1] for part in parts])

    def fit_with_folds(
        self, folds: Sequence[Fold]
    ) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
        """Train on everything and, from there, without the test rows of every fold.

        Returns
        -------
        solved : ndarray, shape (q + 1, n_pairs)
        rows : ndarray of int
            Rows tested.
        values : ndarray, shape (n_tested, n_pairs)
            Their decision values from machines that did not see them.
        """
        solved, values = self.fit(), []
        for train, test in folds:
            left_out = np.ones(self.codes.size, dtype=bool)
            left_out[train] = False
            values.append(self.decide(self.fit(left_out, solved), test))
        return solved, np.concatenate([test for _, test in folds]), np.concatenate(values)

    def _blocks(self, weight: NDArray[np.float64]) -> list[NDArray[np.intp]]:
        """Rows that count, in blocks."""
        rows = np.flatnonzero(weight > 0)
        return np.array_split(rows, max(1, -(-rows.size // BLOCK)))

    def _newton(
        self, sign: NDArray[np.float64], weight: NDArray[np.float64], tolerance: float, start: NDArray | None
    ) -> NDArray[np.float64]:
        blocks, q = self._blocks(weight), self.Z.shape[1]
        rows = np.concatenate(blocks)
        y, cost = sign[rows], 2.0 * self.C * weight[rows]
        w = np.zeros(q + 1) if start is None else start.copy()
        ridge = np.append(np.ones(q), 0.0)  # the offset is not held back
        value, enough, active = (
            self._values(blocks, w),
            tolerance * self._pull(blocks, cost * y),
            np.zeros(0, dtype=bool),
        )
        length = 0.0
        for _ in range(_MOST_STEPS):
            slack = 1.0 - y * value
            before, active = active, slack > 0
            slope = np.where(active, -cost * slack * y, 0.0)
            gradient, curvature = ridge * w, np.diag(ridge)
            place = 0
            for part in blocks:
                inside = slice(place, place + part.size)
                place += part.size
                some = active[inside]
                if not some.any():
                    continue
                z = np.asarray(self.Z[part[some]], dtype=np.float64)
                factor, pull = cost[inside][some], slope[inside][some]
                gradient[:-1] += pull @ z
                gradient[-1] += pull.sum()
                curvature[:-1, -1] += factor @ z
                z *= np.sqrt(factor)[:, None]
                curvature[:-1, :-1] += z.T @ z  # of one matrix, which costs half of that of two
                curvature[-1, -1] += factor.sum()
            curvature[-1, :-1] = curvature[:-1, -1]
            if np.linalg.norm(gradient) <= enough or (abs(length - 1.0) < 1e-6 and np.array_equal(active, before)):
                break  # between the same hinges the function is one parabola, whose minimum a whole step reaches
            curvature[-1, -1] += 1e-10 * max(1.0, curvature[-1, -1])
            step = -cho_solve(cho_factor(curvature), gradient)
            change = self._values(blocks, step)
            length = _along(ridge, w, step, y, cost, value, change)
            w, value = w + length * step, value + length * change
        return w

    def _pull(self, blocks: list[NDArray[np.intp]], factor: NDArray[np.float64]) -> float:
        """The gradient of a machine that says nothing: what another gradient is small against."""
        parts = np.split(factor, np.cumsum([part.size for part in blocks])[:-1])
        total = sum(some @ np.asarray(self.Z[part]) for part, some in zip(blocks, parts, strict=True))
        return float(np.hypot(np.linalg.norm(total), factor.sum()))

    def _values(self, blocks: list[NDArray[np.intp]], w: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([np.asarray(self.Z[part]) @ w[:-1] + w[-1] for part in blocks])


def _along(
    ridge: NDArray, w: NDArray, step: NDArray, y: NDArray, cost: NDArray, value: NDArray, change: NDArray
) -> float:
    """How far to go along a step: the root of the slope of a convex, piecewise quadratic function."""

    def slope(length: float) -> float:
        slack = np.maximum(0.0, 1.0 - y * (value + length * change))
        return float((ridge * (w + length * step)) @ step - (cost * slack * y) @ change)

    if slope(0.0) >= 0:
        return 1.0  # at the minimum, but for rounding
    low, high = 0.0, 1.0
    while slope(high) < 0 and high < 1e6:
        low, high = high, 2 * high
    if slope(high) <= 0:
        return high
    # To the last digit: a rough root would carry rounding, which threads change, into the machine.
    return float(brentq(slope, low, high, xtol=1e-14, rtol=1e-12))


class Candidates:
    """Spectra drawn as landmarks, and what else one reading of all blocks tells.

    Every row draws a number, in the order of the rows, and those with the smallest are kept, at least one of each
    class. So what is kept does not depend on how the rows are cut into blocks. (A uniform draw: spectra chosen far from
    each other, as k-means++ does, are the noisy ones, and the machine is worse for it.)

    Parameters
    ----------
    n_landmarks : int
        How many.
    random_state : RandomState
        Draws the numbers.
    """

    def __init__(self, n_landmarks: int, random_state: np.random.RandomState) -> None:
        self._most, self._random = n_landmarks, random_state
        self._kept: dict[object, tuple[NDArray, NDArray, NDArray]] = {}
        self.labels: list[NDArray] = []
        self.weights: list[NDArray[np.float64]] = []
        self._sum: NDArray[np.float64] | None = None
        self._moments = np.zeros(3)  # of all values: weight, sum, sum of squares, about a first guess
        self._guess = 0.0

    def add(self, X: NDArray[np.float64], y: NDArray, weight: NDArray[np.float64]) -> None:
        """Look at a block."""
        start = self.n
        key = self._random.random_sample(len(X))
        if self._sum is None:
            self._sum, self._guess = np.zeros(X.shape[1]), float(X.mean())
        self._sum += weight @ X
        centred = X - self._guess
        self._moments += (weight.sum() * X.shape[1], (weight @ centred).sum(), (weight @ centred**2).sum())
        for label in np.unique(y):
            rows = np.flatnonzero((y == label) & (weight > 0))
            old_key, old_X, old_row = self._kept.get(label, (key[:0], X[:0], np.zeros(0, dtype=int)))
            if not rows.size:
                continue
            keys = np.concatenate([old_key, key[rows]])
            best = np.argsort(keys, kind="stable")[: self._most]
            numbers = np.concatenate([old_row, start + rows])
            self._kept[label] = (keys[best], np.concatenate([old_X, X[rows]])[best], numbers[best])
        self.labels.append(np.asarray(y))
        self.weights.append(weight)

    @property
    def n(self) -> int:
        """Rows seen."""
        return sum(len(labels) for labels in self.labels)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The weighted mean spectrum."""
        return np.asarray(self._sum / np.concatenate(self.weights).sum())

    @property
    def variance(self) -> float:
        """Of all values, weighted; as `gamma="scale"` needs it."""
        weight, first, second = self._moments
        return float(second / weight - (first / weight) ** 2)

    def chosen(self) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Landmarks and where they stand, in the order of the rows."""
        kept = list(self._kept.values())
        keys, X, rows = (np.concatenate([part[k] for part in kept]) for k in range(3))
        firsts = np.concatenate([np.arange(len(part[0])) == 0 for part in kept])  # one of each class
        best = np.lexsort((keys, ~firsts))[: max(self._most, len(kept))]
        best = best[np.argsort(rows[best])]
        return X[best], rows[best]
