"""What scores on files are worth: repeated splits by object, and subsets matched in redshift."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure
from paper_data import SEED, split
from paper_machines import KERNELS, SCALINGS, STATED, TASKS, fit, scores
from sklearn.metrics import balanced_accuracy_score
from sklearn.tree import DecisionTreeClassifier

import agnsal

STRATA = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)  # redshifts between which classes are matched
MEASURES = ("F", "precision", "recall", "balanced accuracy")


def examined_by_splits(conventions: dict[str, agnsal.SpectralSample], n_splits: int) -> tuple[QTable, QTable]:
    """Scores of every convention of labels over repeated splits, and what redshift does to them."""
    scored, matched = [], []
    for convention, sample in conventions.items():
        for task, classes in TASKS.items():
            part = sample[np.isin(sample.labels, classes)]
            for scaling in SCALINGS:
                found = repeated(part, n_splits, lambda training, scaling=scaling: machine(training, scaling))
                scored.append({"labels": convention, "task": task, "features": scaling, **cells(found)})
            for subset, n, found in by_redshift(part, n_splits):
                matched.append({"labels": convention, "task": task, "spectra": subset, "N": n, **cells(found)})
    return QTable(rows=scored), QTable(rows=matched)


def by_redshift(sample: agnsal.SpectralSample, n_splits: int) -> list[tuple[str, int, np.ndarray]]:
    """Scores with all spectra, with those matched in redshift, with as many at random, and of redshift alone."""
    matched = [matched_rows(sample, seed) for seed in range(n_splits)]
    random = [as_many_at_random(sample, rows, seed) for seed, rows in enumerate(matched)]
    everything = [np.arange(len(sample))] * n_splits
    settings = (
        ("all", everything, machine),
        ("matched in redshift", matched, machine),
        ("as many at random", random, machine),
        ("all, redshift alone", everything, redshift_alone),
        ("matched, redshift alone", matched, redshift_alone),
    )
    return [(name, len(rows[0]), repeated(sample, n_splits, make, rows)) for name, rows, make in settings]


def repeated(
    sample: agnsal.SpectralSample, n_splits: int, make: Callable, subsets: list[np.ndarray] | None = None
) -> np.ndarray:
    """Score on the tested fifth of every split, (n_splits, n_measures)."""
    found = []
    for number in range(n_splits):
        some = sample if subsets is None else sample[subsets[number]]
        data = split(some, "", SEED + number)
        predicted = make(data.training)(data.explained)
        truth = data.explained.labels
        precision, recall, f, _ = scores(truth, predicted, "weighted")
        found.append((f, precision, recall, balanced_accuracy_score(truth, predicted)))
    return np.array(found)


def machine(training: agnsal.SpectralSample, scaling: str = SCALINGS[0]) -> Callable:
    """The linear machine of the paper."""
    with warnings.catch_warnings():  # of pairs that a few spectra cannot tell apart; the scores say so
        warnings.simplefilter("ignore", agnsal.AgnsalWarning)
        model = fit(training, KERNELS["linear"], scaling)
    return lambda sample: model.predict(sample.flux)


def redshift_alone(training: agnsal.SpectralSample) -> Callable:
    """A small tree that sees the redshift and no spectrum."""
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5, class_weight="balanced", random_state=SEED)
    tree.fit(training.redshift[:, None], training.labels)
    return lambda sample: tree.predict(sample.redshift[:, None])


def matched_rows(sample: agnsal.SpectralSample, seed: int) -> np.ndarray:
    """Rows with equally many spectra of every class between any two redshifts of `STRATA`."""
    rng = np.random.default_rng(seed)
    stratum = np.searchsorted(STRATA, sample.redshift)
    members = [
        [rng.permutation(np.flatnonzero((stratum == k) & (sample.labels == name))) for name in np.unique(sample.labels)]
        for k in range(len(STRATA) + 1)
    ]
    kept = [rows[: min(map(len, group))] for group in members for rows in group]
    return np.sort(np.concatenate(kept))


def as_many_at_random(sample: agnsal.SpectralSample, rows: np.ndarray, seed: int) -> np.ndarray:
    """As many rows of every class as there are among some."""
    rng = np.random.default_rng(seed)
    names, counts = np.unique(sample.labels[rows], return_counts=True)
    some = [
        rng.choice(np.flatnonzero(sample.labels == name), n, replace=False)
        for name, n in zip(names, counts, strict=True)
    ]
    return np.sort(np.concatenate(some))


def cells(found: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation over the splits: the error of what a single split finds."""
    columns: dict[str, float] = {}
    for name, values in zip(MEASURES, found.T, strict=True):
        columns |= {name: values.mean(), f"{name} error": values.std(ddof=1)}
    return columns


def readable(table: QTable, measures: tuple[str, ...] = MEASURES) -> QTable:
    """Put every measure with its error into one cell, and what the paper states beside it."""
    rows = []
    for cells_of_row in table.iterrows():
        row = dict(zip(table.colnames, cells_of_row, strict=True))
        line = {name: value for name, value in row.items() if not name.startswith(MEASURES)}
        for name in measures:
            line[name] = f"{row[name]:.3f} ± {row[name + ' error']:.3f}"
            if "features" in row and name in ("F", "precision", "recall"):
                stated = STATED[row["task"]].get(name)
                line[f"{name}, paper"] = "–" if stated is None else f"{stated:.3f}"
        rows.append(line)
    return QTable(rows=rows)


def of_redshift(matched: QTable, n_splits: int) -> list[str]:
    """What matching in redshift changes beyond what fewer spectra do, in words."""
    words = []
    for convention in dict.fromkeys(matched["labels"]):
        for task in TASKS:
            some = matched[(matched["labels"] == convention) & (matched["task"] == task)]
            rows = {row["spectra"]: row for row in some}
            one, other = rows["matched in redshift"], rows["as many at random"]
            change = one["balanced accuracy"] - other["balanced accuracy"]
            error = np.hypot(one["balanced accuracy error"], other["balanced accuracy error"]) / np.sqrt(n_splits)
            words.append(
                f"`{convention}`, {task}: matching in redshift changes the balanced accuracy by {change:+.3f} ± "
                f"{error:.3f} (error of the mean over the splits); redshift alone reaches "
                f"{rows['all, redshift alone']['balanced accuracy']:.2f}, where chance is {1 / len(TASKS[task]):.2f}."
            )
    return words


def draw(scored: QTable, matched: QTable, size: tuple[float, float]) -> Figure:
    """Draw F of every setting beside what the paper states, and what redshift does to the balanced accuracy."""
    figure, axes = plt.subplots(1, 2, figsize=size, layout="constrained")
    panels = (
        (axes[0], scored, "features", "F", "weighted F, the tested fifth"),
        (axes[1], matched, "spectra", "balanced accuracy", "balanced accuracy, the tested fifth"),
    )
    for ax, table, column, measure, label in panels:
        settings = list(dict.fromkeys(zip(table["task"], table[column], strict=True)))
        conventions = list(dict.fromkeys(table["labels"]))
        for k, convention in enumerate(conventions):
            some = table[table["labels"] == convention]
            y = np.array([settings.index(key) for key in zip(some["task"], some[column], strict=True)])
            shift = 0.25 * (k - (len(conventions) - 1) / 2)
            ax.errorbar(
                some[measure], y + shift, xerr=some[f"{measure} error"], fmt="os"[k % 2], ms=3, label=convention
            )
        if table is scored:
            for number, (task, _) in enumerate(settings):
                paper, told = STATED[task]["F"], "the paper" if number == 0 else None
                ax.plot([paper, paper], [number - 0.4, number + 0.4], color="black", label=told)
        ax.set_yticks(range(len(settings)), [f"{task},\n{name}" for task, name in settings])
        ax.invert_yaxis()
        ax.set_xlabel(f"{label}\nwhiskers: standard deviation over the splits")
    axes[0].legend()
    return figure
