"""Choice of kernel, C and gamma by cross-validation that shares distances and folds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from astropy.table import QTable
from joblib import cpu_count
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_X_y
from tqdm import tqdm

from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError, AgnsalWarning, one_of
from agnsal.models.machine.coupling import pair_log_odds
from agnsal.models.machine.kernels import Kernel, squared_distances
from agnsal.models.machine.log_odds import log_couple
from agnsal.models.machine.svc import ProbabilisticSVC
from agnsal.models.machine.training import FOLD_TOLERANCE, Fold, PairTrainer, memory_plan, one_core_each
from agnsal.models.validation import spectra_and_labels
from agnsal.seeds import Seed, seed_of

Scoring = Literal["log_loss", "balanced_accuracy", "macro_f1"]

#: Each score and the sign that makes larger better.
_SCORES = {"log_loss": -1.0, "balanced_accuracy": 1.0, "macro_f1": 1.0}


@dataclass(frozen=True)
class Tuning(Displayed):
    """What `tune` found.

    Attributes
    ----------
    table : QTable
        One row per grid point: kernel, C, gamma (NaN for the linear kernel), and mean and standard deviation over the
        folds of log loss, balanced accuracy and macro F1.
    best_parameters : dict
        Constructor arguments of the best point.
    best_index : int
        Its row.
    scoring : str
        What was best.
    machine : ProbabilisticSVC or None
        Fitted on all rows with the best parameters.
    """

    table: QTable
    best_parameters: dict[str, Any]
    best_index: int
    scoring: str
    machine: ProbabilisticSVC | None = field(default=None, repr=False)

    def _display(self) -> Table:
        """Show the ten best points."""
        columns = ["kernel", "C", "gamma", *_SCORES]
        order = np.argsort(-_SCORES[self.scoring] * np.asarray(self.table[self.scoring]), kind="stable")[:10]
        rows = [[self.table[column][k] for column in columns] for k in order]
        title = f"{len(self.table)} points, the best by {self.scoring.replace('_', ' ')} first"
        return Table(title, rows, [column.replace("_", " ") for column in columns])


def tune(
    X: Any,
    y: Any = None,
    *,
    kernels: str | Sequence[str] = ("linear", "rbf"),
    C: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
    gamma: Sequence[float | str] = ("scale",),
    degree: int = 3,
    coef0: float = 0.0,
    class_weight: dict[Any, float] | str | None = None,
    cv: Any = 5,
    groups: ArrayLike | None = None,
    scoring: Scoring = "log_loss",
    refit: bool = True,
    random_state: Seed = None,
    max_memory: float = 2048.0,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Tuning:
    """Compare kernels, C and gamma by cross-validated scores of the class probabilities.

    Distances between the spectra are computed once; every gamma has one kernel matrix, every fold one copy of its
    part of it, which all values of C share. A fold's sigmoids are fitted to the out-of-fold decision values of the
    other folds, so no machine is trained for them alone.

    Parameters
    ----------
    X : SpectralSample or array, shape (n, n_features)
        Spectra, scaled as the machine will see them.
    y : array, shape (n,), optional
        Class labels; by default those of the sample.
    kernels : str or sequence of {"linear", "rbf", "poly", "sigmoid"}
        Kernels to try.
    C : sequence of float
        Penalties to try.
    gamma : sequence of float, "scale" or "auto"
        Kernel coefficients to try; the linear kernel has none.
    degree, coef0, class_weight
        As in `ProbabilisticSVC`.
    cv : int, splitter or iterable of (train, test)
        Folds; a whole number means shuffled stratified folds.
    groups : array, shape (n,), optional
        Rows of a group (an object observed twice, a plate) stay in one fold.
    scoring : {"log_loss", "balanced_accuracy", "macro_f1"}
        What chooses the best point. The table has all three.
    refit : bool
        Fit a machine with the best parameters on all rows.
    random_state : int, RandomState, Generator or None
        Seeds the folds.
    max_memory : float
        MiB allowed for kernel matrices; beyond it libsvm evaluates kernel rows itself, more slowly.
    n_jobs : int, optional
        Threads, one fold each; None is one per core.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Tuning

    Raises
    ------
    AgnsalError
        For an empty grid, an unknown score or kernel, or a single class.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(30, 4)), rng.normal(size=(30, 4)) + 2])
    >>> found = tune(X, np.repeat(["type 1", "type 2"], 30), C=[0.01, 1.0], random_state=0)
    >>> len(found.table), found.machine.predict(X[:1])
    (4, array(['type 1'], dtype='<U6'))
    """
    given = X
    X, y = spectra_and_labels(X, y)
    X, y = check_X_y(X, y, dtype=np.float64, order="C")
    classes, codes = np.unique(y, return_inverse=True)
    if classes.size < 2:
        raise AgnsalError(f"y has one class only ({classes.tolist()}); nothing can be tuned.")
    one_of("scoring", scoring, _SCORES)
    names = [kernels] if isinstance(kernels, str) else list(kernels)
    seed = seed_of(random_state)
    options: dict[str, Any] = {
        "degree": degree,
        "coef0": coef0,
        "class_weight": class_weight,
        "random_state": seed,
    }
    grid = [(name, value) for name in names for value in (gamma if name != "linear" else [gamma[0]])]
    if not grid or not len(C):
        raise AgnsalError("the grid is empty: give at least one kernel, one C and one gamma.")
    folds = _folds(cv, X, codes, groups, seed)
    weights = dict(enumerate(compute_class_weight(class_weight, classes=classes, y=y)))
    n_threads = min(cpu_count() if n_jobs in (None, -1) else int(n_jobs), len(folds))

    rows: list[list[Any]] = []
    against: list[str] = []
    points: list[dict[str, Any]] = []
    fits, n_threads = memory_plan(len(X), n_threads, max_memory, n_matrices=2)
    matrices = _Matrices(X, fits)
    bar = tqdm(total=len(grid) * len(C), disable=not progress, desc="tuning", unit="point")
    with bar, one_core_each(n_threads):
        for name, value in grid:
            settings = ProbabilisticSVC(kernel=name, gamma=value, degree=degree, coef0=coef0)
            kernel = settings._resolve_kernel(X, np.ones(len(X)))
            trainer = PairTrainer(
                X,
                codes,
                kernel,
                matrices.of(kernel),
                weight=np.ones(len(X)),
                class_weight=weights,
                max_memory=max_memory / n_threads,
            )
            for penalty, decisions in zip(C, _decisions(trainer, folds, C, n_threads), strict=True):
                scores, named = _scores(trainer, folds, decisions, classes)
                against += [f"{pair} ({name}, C = {penalty:g})" for pair in named]
                rows.append([name, float(penalty), np.nan if name == "linear" else kernel.gamma, *scores])
                points.append({"kernel": name, "C": float(penalty), "gamma": value})
                bar.update()
    if against:
        shown = ", ".join(against[:4]) + (f" and {len(against) - 4} more" if len(against) > 4 else "")
        warnings.warn(
            f"at some points of the grid nothing shows that the machine separates a pair of classes: {shown}. Their "
            "decision values on other spectra run against the labels; such points score as if P were 1/2.",
            AgnsalWarning,
            stacklevel=2,
        )
    columns = [f"{score}{suffix}" for suffix in ("", "_std") for score in _SCORES]
    table = QTable(rows=rows, names=["kernel", "C", "gamma", *columns])
    best = int(np.argmax(_SCORES[scoring] * np.asarray(table[scoring])))
    parameters = points[best] | options
    machine = ProbabilisticSVC(**parameters, max_memory=max_memory).fit(given, y) if refit else None
    return Tuning(table, parameters, best, scoring, machine)


class _Matrices:
    """Kernel matrices of one training set, made from one matrix of distances and one of inner products."""

    def __init__(self, X: NDArray[Any], fits: bool) -> None:
        self.X, self.fits = X, fits
        self._distances: NDArray[Any] | None = None

    def of(self, kernel: Kernel) -> NDArray[Any] | None:
        if not self.fits:
            return None
        if kernel.name != "rbf":
            self._distances = None
            return kernel(self.X, self.X)
        if self._distances is None:
            self._distances = squared_distances(self.X, self.X)
        matrix = self._distances * -kernel.gamma
        return np.exp(matrix, out=matrix)


def _folds(cv: Any, X: NDArray[Any], codes: NDArray[Any], groups: Any, seed: int) -> list[Fold]:
    if isinstance(cv, int | np.integer):
        fewest = int(np.bincount(codes).min())
        if cv < 2 or fewest < 2:
            raise AgnsalError(f"tuning needs at least 2 folds and 2 members of each class, got {cv} and {fewest}.")
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        cv = kind(min(int(cv), fewest), shuffle=True, random_state=seed)
    return list(check_cv(cv, codes, classifier=True).split(X, codes, groups))


def _decisions(
    trainer: PairTrainer, folds: list[Fold], penalties: Sequence[float], n_threads: int
) -> Iterator[list[NDArray[Any]]]:
    """For each C the pair decision values of every test fold."""

    def one_fold(fold: Fold) -> list[NDArray[Any]]:
        train, test = fold
        block = trainer.block(train)
        return [trainer.decide(trainer.fit(train, FOLD_TOLERANCE, C=C, block=block), test) for C in penalties]

    if n_threads == 1:
        by_fold = [one_fold(fold) for fold in folds]
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            by_fold = list(pool.map(one_fold, folds))
    return (list(values) for values in zip(*by_fold, strict=True))


def _scores(
    trainer: PairTrainer, folds: list[Fold], decisions: list[NDArray[Any]], classes: NDArray[Any]
) -> tuple[list[float], list[str]]:
    """Mean and standard deviation over the folds of each score, sigmoids from the other folds.

    And the pairs of classes that are not separated in some fold.
    """
    labels = np.arange(trainer.n_classes)
    scores, against = [], []
    for number, (_, test) in enumerate(folds):
        others = [k for k in range(len(folds)) if k != number]
        rows = np.concatenate([folds[k][1] for k in others])
        sigmoids = trainer.sigmoids(rows, np.concatenate([decisions[k] for k in others]))
        against += [pair for pair in sigmoids.named(classes) if pair not in against]
        p = np.exp(log_couple(pair_log_odds(decisions[number], sigmoids.a, sigmoids.b)))
        truth, guess = trainer.codes[test], p.argmax(axis=1)
        present = np.unique(truth)
        scores.append(
            [
                log_loss(truth, p, labels=labels),
                float(np.mean([(guess[truth == code] == code).mean() for code in present])),
                f1_score(truth, guess, average="macro", labels=present, zero_division=0.0),
            ]
        )
    return [*np.mean(scores, axis=0).tolist(), *np.std(scores, axis=0).tolist()], against
