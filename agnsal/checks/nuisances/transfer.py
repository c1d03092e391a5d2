"""Does a classifier hold for spectra from elsewhere: another survey, real ones in place of simulated ones?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.local.gradients import saliency
from agnsal.checks.familiarity import Familiarity
from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError, instance_of
from agnsal.models.black_box import BlackBox, as_function
from agnsal.models.refitting import fresh_copy
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.features import line_strengths
from agnsal.spectra.sample import SpectralSample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FOLDS = 5
_LEAST_OF_CLASS = 5  # members from which a machine is trained on the others alone
_STRANGE = 0.01  # share of the training spectra that would be called unfamiliar
_LARGEST_WEIGHT = 99  # percentile at which weights are cut, or a few spectra decide


@dataclass(frozen=True, eq=False)
class TransferReport(Displayed):
    """How a classifier fares away from home, what has moved, and what would help.

    Attributes
    ----------
    classes : QTable
        A row a class and one for all: ``n`` other spectra (by their labels, else by the predicted class); ``home`` and
        ``away``, the share of it that is recognised among training spectra (out of fold) and the others (balanced
        accuracy for all; NaN without labels); ``score_home`` and ``score_away``, mean log-odds of the class, and
        ``unfamiliar``, the share of the others that is unlike the training sample at a level of 0.01.
    moved : QTable
        A row a class and line: ``shift``, how much the strength of the line differs from that of the training spectra
        of its class, in their standard deviations; ``effect``, what the departure of core, wings and continuum does to
        the log-odds of the class, to first order (NaN where the model has no gradient). Largest effect first.
    departure : Attribution or None
        The same bin by bin, a row a class: the mean over its spectra of the gradient times the departure from the mean
        training spectrum. None where the model has no gradient.
    apart : float
        Area under the curve of a linear classifier that tells the two samples apart by the strengths of their lines,
        out of fold: 0.5 if they are alike.
    remedies : QTable
        What training anew would give, judged on a half of the other objects by random: ``remedy``, ``n`` spectra
        added, ``accuracy`` (balanced) with ``error`` (standard deviation over the repeats; NaN without labels),
        ``changed``, the share of spectra that change their class, and ``effective``, the number of training spectra
        that the weights leave.
    """

    classes: QTable
    moved: QTable
    departure: Attribution | None
    apart: float
    remedies: QTable

    def _display(self) -> Table:
        rows: list[tuple[object, object]] = []
        for row in self.classes:
            known = np.isfinite(row["away"])
            seen = f"{row['away']:.2f} recognised, {row['home']:.2f} at home" if known else "no labels"
            drift = f"log-odds {row['score_away']:.2f}, {row['score_home']:.2f} at home"
            rows.append((f"{row['class']}, {row['n']}", f"{seen}; {drift}; {row['unfamiliar']:.0%} unfamiliar"))
        rows.append(("told apart by their lines", f"AUC {self.apart:.2f}"))
        for row in self.moved[:3]:
            words = f"{row['shift']:+.1f} standard deviations, log-odds {row['effect']:+.2f}"
            rows.append((f"{row['line']} of {row['class']}", words))
        for row in self.remedies:
            said = f"{row['accuracy']:.3f} ± {row['error']:.3f}; " if np.isfinite(row["accuracy"]) else ""
            rows.append((row["remedy"], f"{said}{row['changed']:.0%} change their class"))
        return Table("how the classifier fares on the other spectra", rows)

    def to_table(self) -> QTable:
        """The rows of `classes`.

        Returns
        -------
        QTable
        """
        return self.classes.copy()

    def plot(self, label: Any, ax: Axes | None = None) -> Axes:
        """Draw by line what the departure of a class does to its log-odds; see `agnsal.figures.plot_line_importance`.

        Parameters
        ----------
        label : label
            The class.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes

        Raises
        ------
        AgnsalError
            If there is no such class among the other spectra, or the model has no gradient.
        """
        from agnsal.figures import plot_line_importance

        if self.departure is None:
            raise AgnsalError("the model has no gradient: what moved is in `moved`, without its effect.")
        rows = np.flatnonzero(self.departure.target == label)
        if not rows.size:
            raise AgnsalError(f"no other spectrum is of class {label!r}; there are {self.departure.target.tolist()}.")
        ax = plot_line_importance(self.departure, i=int(rows[0]), ax=ax)
        ax.set_xlabel(f"Effect of the departure\non log-odds({label!s})")
        return ax


def check_transfer(
    model: Any,
    training: SpectralSample,
    other: SpectralSample,
    *,
    n_added: Sequence[int] = (20, 80),
    n_repeats: int = 3,
    random_state: Seed = None,
) -> TransferReport:
    """Measure how a classifier fares on spectra from elsewhere, what has moved, and what would help.

    Parameters
    ----------
    model : estimator
        A fitted classifier with probabilities, of scikit-learn's kind, so that it can be fitted again.
    training : SpectralSample
        What it has learnt, with labels.
    other : SpectralSample
        Spectra from elsewhere, prepared in the same way. With labels, accuracy is measured; without, the drift of the
        scores and the familiarity remain.
    n_added : sequence of int
        How many of the other spectra to add to the training sample as a remedy, where they have labels.
    n_repeats : int
        Random halves of the other objects to judge the remedies on.
    random_state : int, RandomState, Generator or None
        Seeds folds and halves.

    Returns
    -------
    TransferReport

    Raises
    ------
    AgnsalError
        If the samples are on different grids, the training sample has no labels, a label is no class of the model, or
        the model cannot be fitted again.

    See Also
    --------
    Familiarity : of single spectra.
    check_confounds : what tells the class besides the spectrum.

    Notes
    -----
    Folds and halves are by ``object_id``: no object is on two sides. Weights are the odds ``p / (1 - p)`` of being one
    of the others, by a logistic regression on the strengths of the lines (covariate shift: Shimodaira 2000, J. Stat.
    Plan. Inference 90, 227), cut at their 99th percentile; an estimator that takes no weights learns from spectra that
    are drawn by them. They help where the classes are the same at the same strengths; spectra with labels help where
    they are not. What is added has the weight of any other spectrum.

    Examples
    --------
    >>> import agnsal
    >>> training = agnsal.simulate_agn(60, 60, 0, seed=0).normalize()
    >>> model = agnsal.ProbabilisticSVC("linear", C=0.07, random_state=0).fit(training)
    >>> report = check_transfer(model, training, agnsal.simulate_agn(40, 40, 0, seed=1).normalize(), random_state=0)
    >>> bool(report.classes["away"][-1] > 0.9), bool(0.4 < report.apart < 0.65)
    (True, True)
    """
    for name, sample in (("training", training), ("other", other)):
        instance_of(name, sample, SpectralSample)
    if training.labels is None:
        raise AgnsalError("the training sample has no labels: what the model has learnt is not known.")
    if training.grid != other.grid:
        raise AgnsalError(f"the other spectra are on {other.grid!r}, the training sample on {training.grid!r}.")
    machine = as_function(model, other.flux)
    strange = set(map(str, [] if other.labels is None else other.labels)) - set(map(str, machine.classes_))
    if strange:
        known = ", ".join(map(str, machine.classes_))
        raise AgnsalError(
            f"{', '.join(sorted(strange))} are no classes of the model ({known}); leave these spectra out."
        )
    seed = seed_of(random_state)
    labels = machine.predict(other.flux) if other.labels is None else np.asarray(other.labels)
    departure = None if isinstance(machine, BlackBox) else _departure(model, training, other, labels)
    weights, apart = _weights(training, other, seed)
    return TransferReport(
        classes=_by_class(model, training, other, labels, seed),
        moved=_moved(training, other, labels, departure),
        departure=departure,
        apart=apart,
        remedies=_remedies(model, training, other, weights, n_added, n_repeats, seed),
    )


def _by_class(model: Any, training: SpectralSample, other: SpectralSample, labels: NDArray[Any], seed: int) -> QTable:
    """Recognised, scored and familiar: at home out of fold, and away."""
    truth = np.asarray(training.labels)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    copy = fresh_copy(model)
    home = cross_val_predict(copy, training.flux, truth, groups=training.ids, cv=folds, method="predict_proba")
    away = np.asarray(model.predict_proba(other.flux))
    classes = np.asarray(model.classes_)
    right = [classes[each.argmax(axis=1)] == known for each, known in ((home, truth), (away, labels))]
    unfamiliar = Familiarity().fit(training).flag(other, _STRANGE)
    rows = []
    for k, name in enumerate(classes):
        at_home, elsewhere = truth == name, labels == name
        if not elsewhere.any():
            continue
        scores = [float(_log_odds(each[some, k]).mean()) for each, some in ((home, at_home), (away, elsewhere))]
        shares = [float(each[some].mean()) for each, some in zip(right, (at_home, elsewhere), strict=True)]
        rows.append((str(name), int(elsewhere.sum()), *shares, *scores, float(unfamiliar[elsewhere].mean())))
    columns = np.array([row[2:] for row in rows])
    rows.append(("all", len(other), *columns[:, :4].mean(axis=0), float(unfamiliar.mean())))
    table = QTable(rows=rows, names=("class", "n", "home", "away", "score_home", "score_away", "unfamiliar"))
    if other.labels is None:
        table["away"] = np.nan
    return table


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(bounded / (1 - bounded)))


def _departure(model: Any, training: SpectralSample, other: SpectralSample, labels: NDArray[Any]) -> Attribution:
    """Gradient of the log-odds of its class times the departure from the mean training spectrum, a row a class."""
    names = np.unique(labels)
    truth = np.asarray(training.labels)
    maps = saliency(model, other, target=labels, output="log_odds")
    values, explained, means = [], [], []
    for name in names:
        some = labels == name
        away = other.flux[some] - training.flux[truth == name].mean(axis=0)
        values.append(np.where(other.mask[some], 0.0, maps.values[some] * away).mean(axis=0))
        explained.append(maps.explained[some].mean())
        means.append(other.flux[some].mean(axis=0))
    return Attribution(
        values=np.array(values),
        target=names,
        method="departure from the training sample",
        output="log_odds",
        explained=np.array(explained),
        inputs=np.array(means),
        ids=names.astype(str),
        grid=other.grid,
        flux_unit=other.unit,
    )


def _moved(
    training: SpectralSample, other: SpectralSample, labels: NDArray[Any], departure: Attribution | None
) -> QTable:
    """Shift and effect of every line in every class."""
    at_home, names = line_strengths(training, standardize=False)
    elsewhere = line_strengths(other, standardize=False)[0]
    truth = np.asarray(training.labels)
    effects = {}
    if departure is not None:
        for row in departure.by_line(names):
            parts = [row[part] for part in ("core", "wings", "continuum")]
            effects[row["target"], row["line"]] = float(np.nansum([getattr(part, "value", part) for part in parts]))
    rows = []
    for label in np.unique(labels):
        usual, moved = at_home[truth == label], elsewhere[labels == label]
        scale = usual.std(axis=0)
        shift = (moved.mean(axis=0) - usual.mean(axis=0)) / np.where(scale > 0, scale, np.nan)
        rows += [
            (str(label), name, s, effects.get((label, name), np.nan)) for name, s in zip(names, shift, strict=True)
        ]
    table = QTable(rows=rows, names=("class", "line", "shift", "effect"))
    by = "shift" if departure is None else "effect"
    return table[np.argsort(-np.abs(table[by]), kind="stable")]


def _weights(training: SpectralSample, other: SpectralSample, seed: int) -> tuple[NDArray[np.float64], float]:
    """How much more often each training spectrum would be met elsewhere; how well the two are told apart."""
    strengths = np.concatenate([line_strengths(each, standardize=False)[0] for each in (training, other)])
    where = np.repeat([0, 1], [len(training), len(other)])
    groups = [f"{side} {name}" for side, each in ((0, training), (1, other)) for name in each.ids]
    tells = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000))
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    p = cross_val_predict(tells, strengths, where, groups=groups, cv=folds, method="predict_proba")[:, 1]
    odds = p[where == 0] / np.maximum(1 - p[where == 0], 1e-12)
    odds = np.minimum(odds, np.percentile(odds, _LARGEST_WEIGHT))
    return odds / odds.mean(), float(roc_auc_score(where, p))


def _remedies(
    model: Any,
    training: SpectralSample,
    other: SpectralSample,
    weights: NDArray[np.float64],
    n_added: Sequence[int],
    n_repeats: int,
    seed: int,
) -> QTable:
    """Train anew with weights, with some of the others, and with these alone; judge on the other half of them."""
    rng = np.random.default_rng(seed)
    truth, labels = np.asarray(training.labels), None if other.labels is None else np.asarray(other.labels)
    weighted = _fitted(model, training.flux, truth, weights, rng)
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for pool, judged in GroupShuffleSplit(n_repeats, test_size=0.5, random_state=seed).split(
        other.flux, groups=other.ids
    ):
        flux, before = other.flux[judged], model.predict(other.flux[judged])
        tried = {"as it is": (0, before), "re-weighted": (0, weighted.predict(flux))}
        order = rng.permutation(pool)
        if labels is not None:
            for n in sorted({min(n, len(order)) for n in n_added}):
                X = np.concatenate([training.flux, other.flux[order[:n]]])
                y = np.concatenate([truth, labels[order[:n]]])
                tried[f"{n} added"] = (n, fresh_copy(model).fit(X, y).predict(flux))
            _, members = np.unique(labels[pool], return_counts=True)
            if len(members) == len(model.classes_) and members.min() >= _LEAST_OF_CLASS:
                alone = fresh_copy(model).fit(other.flux[pool], labels[pool])
                tried["half of the others alone"] = (len(pool), alone.predict(flux))
        for name, (n, after) in tried.items():
            accuracy = balanced_accuracy_score(labels[judged], after) if labels is not None else np.nan
            effective = float(weights.sum() ** 2 / (weights**2).sum()) if name == "re-weighted" else len(training) + n
            effective = n if name.endswith("alone") else effective
            found.setdefault(name, []).append((n, accuracy, float((after != before).mean()), effective))
    rows = []
    for name, each in found.items():
        n, accuracy, changed, effective = np.array(each).T
        error = accuracy.std(ddof=1) if len(each) > 1 else np.nan
        rows.append((name, round(n.mean()), accuracy.mean(), error, changed.mean(), effective.mean()))
    return QTable(rows=rows, names=("remedy", "n", "accuracy", "error", "changed", "effective"))


def _fitted(
    model: Any, X: NDArray[np.float64], y: NDArray[Any], weights: NDArray[np.float64], rng: np.random.Generator
) -> Any:
    """Fit a copy with weights; one that takes none learns from spectra that are drawn by them."""
    fresh = fresh_copy(model)
    if has_fit_parameter(fresh, "sample_weight"):
        return fresh.fit(X, y, sample_weight=weights)
    drawn = rng.choice(len(X), size=len(X), p=weights / weights.sum())
    return fresh.fit(X[drawn], y[drawn])
