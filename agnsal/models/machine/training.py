"""Training of one-vs-one machines whose folds and final fit share one kernel matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.svm import SVC, NuSVC
from threadpoolctl import ThreadpoolController

from agnsal.models.machine.coupling import class_pairs, fit_sigmoid, flattest_sigmoid
from agnsal.models.machine.kernels import Kernel, KernelExpansion

#: Folds are solved to this multiple of the tolerance: a sigmoid does not notice, and it saves half of the iterations.
FOLD_TOLERANCE = 30.0

#: Rows of the two trials from which the time of a long training is guessed.
TRIAL_ROWS = (500, 1000)

#: Rows and columns of the blocks in which threads fill a kernel matrix.
GRAM_BLOCK = 384

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class PairMachine:
    """All pair decision values of a one-vs-one machine: ``K(X, X[support]) @ coefficients + intercepts``.

    Parameters
    ----------
    support : ndarray of int, shape (n_support,)
        Rows of the training data.
    coefficients : ndarray, shape (n_support, n_pairs)
        Positive decision values favour the first class of the pair.
    intercepts : ndarray, shape (n_pairs,)
        Offsets.
    """

    support: NDArray[np.intp]
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]


def pair_coefficients(dual: NDArray, n_support: NDArray) -> NDArray[np.float64]:
    """Dual coefficients of every pair from libsvm's compact layout.

    Parameters
    ----------
    dual : ndarray, shape (n_classes - 1, n_support)
        libsvm's layout, support vectors ordered by class, positive values favouring the first class of a pair.
    n_support : ndarray of int, shape (n_classes,)
        Support vectors per class.

    Returns
    -------
    ndarray, shape (n_support, n_pairs)

    Examples
    --------
    >>> pair_coefficients(np.array([[1.0, -1.0]]), np.array([1, 1]))
    array([[ 1.],
           [-1.]])
    """
    ends = np.cumsum(n_support)
    rows = [slice(end - n, end) for end, n in zip(ends, n_support, strict=True)]
    first, second = class_pairs(len(n_support))
    coefficients = np.zeros((dual.shape[1], first.size))
    for pair, (i, j) in enumerate(zip(first, second, strict=True)):
        coefficients[rows[i], pair] = dual[j - 1, rows[i]]
        coefficients[rows[j], pair] = dual[i, rows[j]]
    return coefficients


def memory_plan(n: int, n_threads: int, max_memory: float, n_matrices: int = 1) -> tuple[bool, int]:
    """Whether kernel matrices fit in memory, and how many threads may then train at the same time.

    Parameters
    ----------
    n : int
        Rows of the training data.
    n_threads : int
        Threads wanted.
    max_memory : float
        MiB allowed.
    n_matrices : int
        Matrices of all rows that are held whatever the threads do.

    Returns
    -------
    fits : bool
        If not, libsvm has to evaluate kernel rows itself.
    n_threads : int
        Each holds the matrix of its fold, and libsvm's copy of that in float32.

    Examples
    --------
    >>> memory_plan(2000, 4, max_memory=1024)
    (True, 4)
    >>> memory_plan(8000, 4, max_memory=2048)
    (True, 2)
    >>> memory_plan(100_000, 4, max_memory=1024)
    (False, 4)
    """
    matrix = 8 * n**2 / 2**20
    room = int((max_memory / matrix - n_matrices) / 1.5)
    return room >= 1, min(n_threads, room) if room >= 1 else n_threads


def enough_memory(n: int) -> int:
    """MiB with which `memory_plan` fits, for a single machine at a time.

    Parameters
    ----------
    n : int
        Rows of the training data.

    Returns
    -------
    int

    Examples
    --------
    >>> memory_plan(20_000, 1, enough_memory(20_000))
    (True, 1)
    """
    return int(2.5 * 8 * n**2 / 2**20) + 1


@cache
def _blas() -> ThreadpoolController:
    """Find the linear algebra libraries once: looking for them takes as long as a small fit."""
    return ThreadpoolController()


def one_core_each(n_threads: int) -> AbstractContextManager:
    """Keep BLAS to one core while `n_threads` threads call it, so that cores are not oversubscribed."""
    return _blas().limit(limits=1) if n_threads > 1 else nullcontext()


def gram_matrix(kernel: Kernel, X: NDArray, n_threads: int = 1) -> NDArray[np.float64]:
    """Kernel matrix of a training set, in threads if wanted.

    Parameters
    ----------
    kernel : Kernel
        The kernel.
    X : ndarray, shape (n, n_features)
        Training data.
    n_threads : int
        More than one fill blocks of the upper triangle, each mirrored.

    Returns
    -------
    ndarray, shape (n, n)

    Examples
    --------
    >>> gram_matrix(Kernel("linear"), np.array([[1.0], [2.0]]), n_threads=2)
    array([[1., 2.],
           [2., 4.]])
    """
    if n_threads == 1:
        return kernel(X, X)
    K = np.empty((len(X), len(X)))
    parts = [slice(start, start + GRAM_BLOCK) for start in range(0, len(X), GRAM_BLOCK)]

    def fill(pair: tuple[slice, slice]) -> None:
        rows, columns = pair
        K[rows, columns] = kernel(X[rows], X[columns])
        if rows != columns:
            K[columns, rows] = K[rows, columns].T

    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(fill, combinations_with_replacement(parts, 2)))
    return K


class Sigmoids(NamedTuple):
    """Platt's `a` and `b` of every pair, and whether its out-of-fold values ran against the labels; (n_pairs,) each."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    against: NDArray[np.bool_]

    def named(self, classes: NDArray) -> list[str]:
        """Names of the pairs whose values ran against the labels."""
        first, second = class_pairs(classes.size)
        pairs = zip(classes[first], classes[second], self.against, strict=True)
        return [f"{one!s} / {other!s}" for one, other, against in pairs if against]


class PairTrainer:
    """Fit one-vs-one machines on subsets of one training set.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Training data.
    codes : ndarray of int, shape (n,)
        Class of each row, from 0 to ``n_classes - 1``.
    kernel : Kernel
        The kernel.
    gram : ndarray, shape (n, n), optional
        Its matrix over the training data. Without it libsvm evaluates kernel rows itself, in a cache of
        `max_memory`, and decision values are evaluated in blocks.
    weight : ndarray, shape (n,)
        Weights of the rows; rows of weight zero are left out of training.
    class_weight : mapping of int to float
        Weights of the classes.
    C, nu, tol : float
        As in scikit-learn; a given `nu` asks for `NuSVC`.
    max_memory : float
        Memory in MiB for libsvm's cache.
    """

    def __init__(
        self,
        X: NDArray,
        codes: NDArray,
        kernel: Kernel,
        gram: NDArray | None,
        *,
        weight: NDArray,
        class_weight: Mapping[int, float],
        C: float = 1.0,
        nu: float | None = None,
        tol: float = 1e-3,
        max_memory: float = 1024.0,
    ) -> None:
        self.X, self.codes, self.kernel, self.gram, self.weight = X, codes, kernel, gram, weight
        self.n_classes = int(codes.max()) + 1
        self.class_weight, self.C, self.nu, self.tol, self.max_memory = class_weight, C, nu, tol, max_memory

    def block(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """What libsvm trains on: the kernel matrix of some rows, or the rows themselves where there is none."""
        rows = rows[self.weight[rows] > 0]
        data = self.X if self.gram is None else self.gram
        if np.array_equal(rows, np.arange(len(data))):
            return data
        # two takes, whose first copies whole rows, are more than twice as fast as one indexing by both
        return data[rows] if self.gram is None else data.take(rows, axis=0).take(rows, axis=1)

    def fit(
        self, rows: NDArray[np.intp], slack: float = 1.0, *, C: float | None = None, block: NDArray | None = None
    ) -> PairMachine:
        """Train on some rows to `slack` times the tolerance, with another `C` or a `block` made before if given.

        A pair with only one of its classes among them gets the constant +1, -1 or 0.
        """
        rows = rows[self.weight[rows] > 0]
        present = np.unique(self.codes[rows])
        first, second = class_pairs(self.n_classes)
        intercepts = np.isin(first, present) * 1.0 - np.isin(second, present) * 1.0
        if present.size < 2:
            return PairMachine(rows[:0], np.zeros((0, first.size)), intercepts)
        machine = self._machine(present, slack, self.C if C is None else C)
        with config_context(assume_finite=True):  # the data were checked before
            machine.fit(self.block(rows) if block is None else block, self.codes[rows], sample_weight=self.weight[rows])
        # scikit-learn turns the sign of two-class machines: positive for the second class
        sign = -1.0 if present.size == 2 else 1.0
        coefficients = np.zeros((machine.support_.size, first.size))
        of_present = np.flatnonzero(np.isin(first, present) & np.isin(second, present))
        coefficients[:, of_present] = pair_coefficients(sign * machine.dual_coef_, machine.n_support_)
        intercepts[of_present] = sign * machine.intercept_
        return PairMachine(rows[machine.support_], coefficients, intercepts)

    def _machine(self, present: NDArray, slack: float, C: float) -> SVC | NuSVC:
        kernel = "precomputed" if self.gram is not None else self.kernel.name
        options = {
            "kernel": kernel,
            "gamma": self.kernel.gamma,
            "coef0": self.kernel.coef0,
            "degree": int(self.kernel.degree),
            "class_weight": {int(code): self.class_weight[int(code)] for code in present},
            "decision_function_shape": "ovo",
            "tol": slack * self.tol,
            "cache_size": max(200.0, self.max_memory),
        }
        return SVC(C=C, **options) if self.nu is None else NuSVC(nu=self.nu, **options)

    def decide(self, machine: PairMachine, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Pair decision values of some rows, shape (rows.size, n_pairs)."""
        if self.gram is not None:
            return self.gram[np.ix_(rows, machine.support)] @ machine.coefficients + machine.intercepts
        support_vectors = self.X[machine.support]
        expansion = KernelExpansion(self.kernel, support_vectors, machine.coefficients, machine.intercepts)
        return expansion.in_blocks(self.X[rows])

    def fit_with_folds(
        self, folds: Sequence[Fold], n_threads: int = 1
    ) -> tuple[PairMachine, NDArray[np.intp], NDArray[np.float64]]:
        """Train on everything and on every fold.

        Parameters
        ----------
        folds : sequence of (train, test)
            Rows of the folds.
        n_threads : int
            Machines trained at the same time; libsvm releases the interpreter lock. Within a thread BLAS uses one
            core, so that cores are not oversubscribed.

        Returns
        -------
        machine : PairMachine
            Trained on all rows.
        rows : ndarray of int, shape (n_tested,)
            Rows tested.
        values : ndarray, shape (n_tested, n_pairs)
            Their pair decision values from machines that did not see them.
        """

        def test_fold(fold: Fold) -> NDArray[np.float64]:
            train, test = fold
            return self.decide(self.fit(train, FOLD_TOLERANCE), test)

        everything = np.arange(len(self.X))
        if n_threads == 1:
            machine, values = self.fit(everything), [test_fold(fold) for fold in folds]
        else:
            with one_core_each(n_threads), ThreadPoolExecutor(n_threads) as pool:
                final = pool.submit(self.fit, everything)  # first, for it takes longest
                values = list(pool.map(test_fold, folds))
                machine = final.result()
        return machine, np.concatenate([test for _, test in folds]), np.concatenate(values)

    def expected_seconds(self, folds: Sequence[Fold], n_threads: int = 1) -> float:
        """Guess how long `fit_with_folds` will take, from two trials on a few evenly spread rows.

        Parameters
        ----------
        folds : sequence of (train, test)
            Rows of the folds.
        n_threads : int
            Machines trained at the same time.

        Returns
        -------
        float
            Seconds, good to a factor of a few; 0 if there are hardly more rows than a trial has.
        """
        rows = np.flatnonzero(self.weight > 0)
        few, many = TRIAL_ROWS
        if rows.size < 2 * many:
            return 0.0
        seconds = []
        for size in TRIAL_ROWS:
            start = perf_counter()
            self.fit(rows[np.linspace(0, rows.size - 1, size).astype(np.intp)])
            seconds.append(perf_counter() - start)
        # libsvm takes a time between the square and the cube of the number of rows, and more than the square once the
        # rows leave the cache of the processor
        power = float(np.clip(np.log(seconds[1] / seconds[0]) / np.log(many / few), 2.2, 3.0))
        sizes = np.array([rows.size, *(len(train) for train, _ in folds)])
        machines = (sizes / many) ** power * seconds[1]
        return float(max(machines.sum() / n_threads, machines.max()))

    def sigmoids(self, rows: NDArray[np.intp], values: NDArray[np.float64]) -> Sigmoids:
        """Platt's sigmoid of every pair from out-of-fold decision values (see `pair_sigmoids`)."""
        code, factor = self.codes[rows], np.array([self.class_weight[c] for c in range(self.n_classes)])
        return pair_sigmoids(code, values, self.weight[rows] * factor[code], self.n_classes)


def pair_sigmoids(
    codes: NDArray[np.intp], values: NDArray[np.float64], weight: NDArray[np.float64], n_classes: int
) -> Sigmoids:
    """Platt's sigmoid of every pair from out-of-fold decision values.

    Where these run against the labels (with few spectra, a small C, or nothing to learn; the folds leave one class
    short, and the machine leans to the other) Platt's slope would turn every prediction of the pair over. The pair
    then gets the flattest sigmoid on the side of the machine.

    Parameters
    ----------
    codes : ndarray of int, shape (n_tested,)
        Class of each tested row.
    values : ndarray, shape (n_tested, n_pairs)
        Their decision values, from machines that did not see them.
    weight : ndarray, shape (n_tested,)
        What each row counts; class weights count like weights of rows, so that they move the probabilities as they
        move the margins.
    n_classes : int
        Number of classes.

    Returns
    -------
    Sigmoids
    """
    first, second = class_pairs(n_classes)
    fitted = []
    for pair, (i, j) in enumerate(zip(first, second, strict=True)):
        of_pair = (codes == i) | (codes == j)
        decision = values[of_pair, pair]
        a, b = fit_sigmoid(decision, codes[of_pair] == i, weight[of_pair])
        against = a >= 0
        fitted.append((*(flattest_sigmoid(decision) if against else (a, b)), against))
    columns = np.array(fitted).T
    return Sigmoids(columns[0], columns[1], columns[2].astype(bool))
