"""Sets of classes that hold the true one as often as is said: conformal prediction, by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from warnings import warn

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, binom
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from agnsal.attribution.local.gradients import saliency
from agnsal.display import Displayed, Table, printable
from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.models.black_box import as_function
from agnsal.models.validation import spectra_and_labels
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.sample import SpectralSample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.attribution.answer.attribution import Attribution
    from agnsal.checks.familiarity import Familiarity

#: Spectra of which Familiarity says that so few of the population are as odd are not of it.
_DOUBT = 0.01
#: More flagged spectra than chance would give once in this many samples are said aloud.
_BY_CHANCE = 0.05


@dataclass(frozen=True, eq=False)
class PredictionSets(Displayed):
    """For each spectrum the classes that cannot be excluded.

    Attributes
    ----------
    sets : ndarray of bool, shape (n, n_classes)
        Which classes each set holds.
    p_values : ndarray, shape (n, n_classes)
        How often calibration spectra of a class (of all, where not by class) look less like it than this spectrum.
    probabilities : ndarray, shape (n, n_classes)
        Of the classifier.
    classes_ : ndarray
        The classes.
    level : float
        The coverage that was asked for.
    by_class : bool
        Whether it holds for every class by itself.
    n_calibration : ndarray of int, shape (n_classes,)
        Calibration spectra of each class.
    guarantee : str
        What is guaranteed, in words.
    ids : ndarray of str, shape (n,)
        Names of the spectra.
    unfamiliar : ndarray of bool, shape (n,), or None
        Spectra unlike the training sample, of whose sets nothing is guaranteed; None if no `Familiarity` was given.
    """

    #: What says whether it can be trusted; `agnsal.check` is about maps.
    judged_by: ClassVar[str] = (
        ".coverage(labels) counts how often they hold the true class; .ambiguity(model, spectra) is a map to check"
    )
    sets: NDArray[np.bool_]
    p_values: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    classes_: NDArray[Any]
    level: float
    by_class: bool
    n_calibration: NDArray[np.intp]
    guarantee: str
    ids: NDArray[Any]
    unfamiliar: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.sets)

    def _display(self) -> Table:
        sizes = np.bincount(self.sets.sum(axis=1), minlength=len(self.classes_) + 1)
        rows: list[tuple[object, object]] = [(f"sets of {size}", int(n)) for size, n in enumerate(sizes) if n]
        counts = zip(self.classes_, self.n_calibration, strict=True)
        rows += [(f"calibration spectra of {name!s}", int(n)) for name, n in counts]
        for name in self.always:
            rows.append((f"{name!s} is in every set", "too few calibration spectra"))
        if self.unfamiliar is not None and self.unfamiliar.any():
            rows.append(("unlike the training sample, nothing is guaranteed", int(self.unfamiliar.sum())))
        return Table(f"{len(self)} prediction sets at {self.level:g}: {self.guarantee}", rows, ("", "number"))

    @property
    def always(self) -> list[Any]:
        """Classes that are in every set, because they have too few calibration spectra to be excluded at this level."""
        counts = self.n_calibration if self.by_class else np.full(len(self.classes_), self.n_calibration.sum())
        return [name for name, n in zip(self.classes_, counts, strict=True) if 1 / (n + 1) > 1 - self.level]

    def members(self, i: int) -> list[Any]:
        """The classes in a set, the most probable first."""
        order = np.argsort(-self.probabilities[i])
        return [self.classes_[k] for k in order if self.sets[i, k]]

    def to_table(self) -> QTable:
        """A row for each spectrum: its set in words, its size, p value and probability of every class.

        Returns
        -------
        QTable
        """
        table = QTable()
        table["object_id"] = self.ids
        table["set"] = [" or ".join(str(name) for name in self.members(i)) or "none" for i in range(len(self))]
        table["size"] = self.sets.sum(axis=1)
        for k, name in enumerate(self.classes_):
            table[f"p({name})"] = self.p_values[:, k]
            table[f"P({name})"] = self.probabilities[:, k]
        if self.unfamiliar is not None:
            table["unfamiliar"] = self.unfamiliar
        return table

    def coverage(self, y: ArrayLike) -> QTable:
        """How often the sets hold the true class, with its binomial error.

        Parameters
        ----------
        y : array, shape (n,)
            True classes.

        Returns
        -------
        QTable
            A row for each class and one for all: ``n``, ``coverage``, ``low`` and ``high`` (the exact 68 per cent
            interval of Clopper & Pearson), mean ``size`` of the sets and how many are ``empty``.
        """
        truth = np.asarray(y)
        if truth.shape != (len(self),):
            raise AgnsalError(f"{truth.size} labels given for {len(self)} sets; one for each is needed.")
        inside = (self.sets & (truth[:, None] == self.classes_)).any(axis=1)
        rows = []
        groups = [*((str(name), truth == name) for name in self.classes_), ("all", np.ones(len(self), bool))]
        for name, chosen in groups:
            n, k = int(chosen.sum()), int(inside[chosen].sum())
            if not n:
                continue
            low = beta.ppf(0.16, k, n - k + 1) if k else 0.0
            high = beta.ppf(0.84, k + 1, n - k) if k < n else 1.0
            sizes = self.sets[chosen].sum(axis=1)
            rows.append((name, n, k / n, low, high, float(sizes.mean()), int((sizes == 0).sum())))
        table = QTable(rows=rows, names=("class", "n", "coverage", "low", "high", "size", "empty"))
        for name, shown in (("coverage", ".3f"), ("low", ".3f"), ("high", ".3f"), ("size", ".2f")):
            table[name].info.format = shown
        return table

    def ambiguity(self, model: Any, spectra: SpectralSample | ArrayLike) -> Attribution:
        """Why two classes cannot be told apart: the gradient of the log-odds between the two likeliest members.

        Parameters
        ----------
        model : classifier
            The one the sets are of.
        spectra : SpectralSample or array, shape (n, n_features)
            The spectra the sets are of.

        Returns
        -------
        Attribution
            Of the spectra whose set has more than one class, in their order; blue speaks for the likelier.

        Raises
        ------
        AgnsalError
            If every set has one class, or there are other spectra than sets.
        """
        n = len(spectra) if isinstance(spectra, SpectralSample) else len(np.asarray(spectra))
        if n != len(self):
            raise AgnsalError(f"{n} spectra given for {len(self)} sets; one for each is needed.")
        rows = np.flatnonzero(self.sets.sum(axis=1) > 1)
        if not rows.size:
            raise AgnsalError("every set has one class at most: nothing is ambiguous.")
        pairs = np.array([self.members(int(i))[:2] for i in rows])
        chosen = spectra[rows] if isinstance(spectra, SpectralSample) else np.asarray(spectra)[rows]
        return saliency(model, chosen, target=pairs, output="pairwise")

    def plot(self, y: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
        """Draw how many spectra have which set; see `agnsal.figures.plot_prediction_sets`.

        Parameters
        ----------
        y : array, shape (n,), optional
            True classes.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes
        """
        from agnsal.figures import plot_prediction_sets

        return plot_prediction_sets(self, y, ax=ax)


def prediction_sets(
    model: Any,
    X: SpectralSample | ArrayLike,
    y: ArrayLike | None,
    spectra: SpectralSample | ArrayLike,
    level: float = 0.9,
    by_class: bool = True,
    *,
    cv: int | None = None,
    familiarity: Familiarity | None = None,
    random_state: Seed = None,
) -> PredictionSets:
    """Sets of classes that hold the true one with a stated frequency.

    Parameters
    ----------
    model : classifier
        Fitted, with probabilities.
    X : SpectralSample or array, shape (n_calibration, n_features)
        Calibration spectra: held out from training, or, with `cv`, the training sample itself.
    y : array, shape (n_calibration,), or None
        Their classes; None for the labels of the sample.
    spectra : SpectralSample or array, shape (n, n_features)
        What is classified.
    level : float
        Coverage asked for, between 0 and 1.
    by_class : bool
        Every class by itself (Mondrian), so that rare classes are covered too; else all together.
    cv : int, optional
        Calibrate on the training sample: copies of the model are fitted without each of this many parts, and say what
        they think of it. The guarantee is then weaker.
    familiarity : Familiarity, optional
        Fitted to the training sample: spectra it flags are not exchangeable with it. The result says which, and a
        warning that there are more of them than chance would give.
    random_state : int, RandomState, Generator or None
        Seeds the parts of `cv`.

    Returns
    -------
    PredictionSets

    Raises
    ------
    AgnsalError
        If a label is not a class of the model, the level is not between 0 and 1, there are no calibration spectra, or
        familiarity is asked of arrays.

    See Also
    --------
    Familiarity : whether a spectrum is one of the population at all.

    Notes
    -----
    A class is in the set if its p value exceeds ``1 - level``: ``p_k(x) = (1 + #{i of class k: s_i >= s_k(x)}) /
    (n_k + 1)`` with the score ``s_k(x) = 1 - P(k | x)`` (Vovk, Gammerman & Shafer 2005, class-conditional). If new
    members of a class are exchangeable with the calibration ones, its sets hold it with a probability of at least
    `level`, whatever the classifier. With `cv` scores come from other machines than the one that is asked, and the
    bound is ``2 level - 1`` (Barber et al. 2021), though coverage is usually close to `level`. Sets may be empty: then
    the spectrum is like no class.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(90, 90, 0, seed=0).normalize()
    >>> model = agnsal.ProbabilisticSVC("linear", C=0.07, random_state=0).fit(sample[::3])
    >>> sets = prediction_sets(model, sample[1::3], None, sample[2::3], level=0.9)
    >>> bool(sets.coverage(sample[2::3].labels)["coverage"].min() > 0.8)
    True
    """
    calibration = Calibration.of(model, X, y, level, by_class, cv=cv, random_state=random_state)
    asked = as_function(model, np.asarray(X.flux if isinstance(X, SpectralSample) else X, dtype=float))
    unfamiliar = None
    if familiarity is not None:
        unfamiliar = _unfamiliar(familiarity, spectra)
    ids = spectra.ids if isinstance(spectra, SpectralSample) else None
    return calibration.sets(_probabilities(asked, spectra), ids, unfamiliar)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What calibration spectra say of a classifier: all that prediction sets need beside probabilities.

    Attributes
    ----------
    classes_ : ndarray
        Of the model.
    scores : tuple of ndarray
        For each class ``1 - P(class)`` of its calibration spectra, sorted; the same of all where not by class.
    n_calibration : ndarray of int, shape (n_classes,)
        Calibration spectra of each class.
    level, by_class, cv
        See `prediction_sets`.
    """

    classes_: NDArray[Any]
    scores: tuple[NDArray[np.float64], ...]
    n_calibration: NDArray[np.intp]
    level: float
    by_class: bool
    cv: int | None

    @classmethod
    def of(
        cls,
        model: Any,
        X: SpectralSample | ArrayLike,
        y: ArrayLike | None = None,
        level: float = 0.9,
        by_class: bool = True,
        *,
        cv: int | None = None,
        random_state: Seed = None,
    ) -> Calibration:
        """Ask a model about calibration spectra; parameters and refusals are those of `prediction_sets`."""
        if not 0 < level < 1:
            raise AgnsalError(f"level must be between 0 and 1, got {level}.")
        _, labels = spectra_and_labels(X, y)
        asked = as_function(model, np.asarray(X.flux if isinstance(X, SpectralSample) else X, dtype=float))
        classes = np.asarray(asked.classes_)
        labels = np.asarray(labels)
        strange = sorted({str(label) for label in labels} - {str(name) for name in classes})
        if strange:
            named = ", ".join(map(repr, strange[:5]))
            raise AgnsalError(f"{named} are no classes of the model, which knows {classes.tolist()}.")
        if not labels.size:
            raise AgnsalError("there are no calibration spectra.")
        own = _probabilities(asked, X) if cv is None else _out_of_fold(model, X, labels, classes, cv, random_state)
        codes = np.searchsorted(np.sort(classes), labels)
        codes = np.argsort(classes)[codes]
        score = 1.0 - own[np.arange(labels.size), codes]
        scores = tuple(np.sort(score[codes == k] if by_class else score) for k in range(classes.size))
        return cls(classes, scores, np.bincount(codes, minlength=classes.size), float(level), by_class, cv)

    @property
    def guarantee(self) -> str:
        """What is guaranteed, in words."""
        of = f"at least {self.level:g} of new spectra {'of each class' if self.by_class else 'of all classes'}"
        if self.cv is not None:
            of = f"at least {max(0.0, 2 * self.level - 1):g} (usually about {self.level:g}) of new spectra"
        return f"the true class is in the set for {of}, if they are like the calibration spectra"

    def sets(
        self,
        probabilities: NDArray[np.float64],
        ids: NDArray[Any] | None = None,
        unfamiliar: NDArray[np.bool_] | None = None,
    ) -> PredictionSets:
        """Prediction sets of spectra with these probabilities, shape (n, n_classes)."""
        p_values = np.empty(probabilities.shape)
        for k, known in enumerate(self.scores):
            reached = known.size - np.searchsorted(known, 1.0 - probabilities[:, k], side="left")
            p_values[:, k] = (1 + reached) / (known.size + 1)
        return PredictionSets(
            sets=p_values > 1 - self.level + 1e-12,
            p_values=p_values,
            probabilities=probabilities,
            classes_=self.classes_,
            level=self.level,
            by_class=self.by_class,
            n_calibration=self.n_calibration,
            guarantee=self.guarantee,
            ids=np.array([printable(name) for name in (np.arange(len(p_values)).astype(str) if ids is None else ids)]),
            unfamiliar=unfamiliar,
        )


def _unfamiliar(familiarity: Familiarity, spectra: SpectralSample | ArrayLike) -> NDArray[np.bool_]:
    """Which spectra are unlike the training sample, with a warning if they are too many for chance."""
    if not isinstance(spectra, SpectralSample):
        raise AgnsalError(
            f"familiarity is a matter of lines: give the spectra as a SpectralSample, not {type(spectra).__name__}."
        )
    found = familiarity.flag(spectra, _DOUBT)
    n = int(found.sum())
    if n and binom.sf(n - 1, len(found), _DOUBT) < _BY_CHANCE:
        warn(
            f"{n} of {len(found)} spectra are unlike the training sample (p <= {_DOUBT:g}, where chance gives "
            f"{_DOUBT:.0%}): of their sets nothing is guaranteed, and little of the others, if what is asked is of "
            "another population than the calibration spectra. Calibrate on spectra of the kind that is asked.",
            AgnsalWarning,
            stacklevel=3,
        )
    return found


def _probabilities(model: Any, spectra: SpectralSample | ArrayLike) -> NDArray[np.float64]:
    return np.asarray(model.outputs(spectra, "probability"))


def _out_of_fold(
    model: Any,
    X: SpectralSample | ArrayLike,
    labels: NDArray[Any],
    classes: NDArray[Any],
    cv: int,
    random_state: Seed,
) -> NDArray[np.float64]:
    """What copies of the model, fitted without a part, say of that part."""
    held_out = "or calibrate on held-out spectra (without cv)"
    if not hasattr(model, "get_params"):
        raise AgnsalError(f"the model cannot be fitted again; give one that can, {held_out}.")
    names, counts = np.unique(labels, return_counts=True)
    missing = [str(name) for name in classes if name not in names]
    if missing:
        raise AgnsalError(
            f"with cv the training sample itself calibrates, and this one has no spectrum of {', '.join(missing)}; "
            f"give the one the model has learnt from, {held_out}."
        )
    fewest, rarest = int(counts.min()), str(names[counts.argmin()])
    if fewest == 1:
        raise AgnsalError(f"there is one spectrum of {rarest} only, so cv cannot hold it out; calibrate without cv.")
    if isinstance(cv, bool) or not isinstance(cv, int | np.integer) or not 2 <= cv <= fewest:
        raise AgnsalError(f"cv must be a whole number from 2 to {fewest}, the spectra of {rarest}, got {cv!r}.")
    data = X if isinstance(X, SpectralSample) else np.asarray(X, dtype=float)
    parts = StratifiedKFold(cv, shuffle=True, random_state=seed_of(random_state))
    found = np.empty((labels.size, classes.size))
    for train, test in parts.split(labels, labels):
        flux = data[train].flux if isinstance(data, SpectralSample) else data[train]
        tested = data[test].flux if isinstance(data, SpectralSample) else data[test]
        refit = clone(model).fit(flux, labels[train])
        columns = np.searchsorted(refit.classes_, classes, sorter=np.argsort(refit.classes_))
        found[test] = refit.predict_proba(tested)[:, np.argsort(refit.classes_)[columns]]
    return found
