"""What would have to change in a spectrum, and by how much, for the classifier to call it something else?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import autograd.numpy as anp
import numpy as np
from astropy.table import QTable
from autograd import make_vjp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from agnsal.attribution.answer.line_sums import LineTable
from agnsal.attribution.counterfactual.edits import Edit
from agnsal.attribution.counterfactual.multiples import multiple_needed
from agnsal.attribution.counterfactual.quantities import spectral_edits
from agnsal.attribution.counterfactual.search import ROUNDING, nearest_crossing
from agnsal.attribution.question.question import Question, ask
from agnsal.display import Displayed, Table, factor_text, printable
from agnsal.errors import AgnsalError, one_of
from agnsal.seeds import Seed
from agnsal.spectra.editing.filling import noise_level
from agnsal.spectra.lines import line_key
from agnsal.spectra.origin import check_alike
from agnsal.spectra.sample import SpectralSample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Spectra from which the scatter of a population can be told.
_POPULATION = 10

#: Spectra shown when a result is printed, and quantities of each.
_SHOWN, _QUANTITIES = 8, 2

#: A quantity that grows more is said by its values, not by a factor.
_LARGEST_FACTOR = 20.0

#: A quantity is turned if at least this share of what it does falls on observed bins.
_OBSERVED = 0.5

#: The flux may fall below zero, or below what it is there, by as many errors.
_BELOW = 3.0


class KnowsFamiliar(Protocol):
    """What says how usual a spectrum is, as a fitted `agnsal.Familiarity` does."""

    def p_value(self, sample: SpectralSample) -> NDArray[np.float64]:
        """How usual each spectrum is, shape (n,)."""
        ...


@dataclass(frozen=True, eq=False)
class Counterfactuals(Displayed):
    """Spectra edited until the class changes, from `agnsal.counterfactual`.

    Attributes
    ----------
    edits : QTable
        A row for each spectrum and quantity: ``object_id``, ``quantity``, ``before``, ``after``, ``factor`` (after over
        before), ``size`` (the change in units of the scale), ``unit``, ``scale`` (what counts as one) and ``observed``
        (share of what the quantity does that falls on observed bins; below one half it was left as it is).
    before, spectra : SpectralSample
        As they were, and edited. Where no edit within the bounds changes the class, edited as far as it helps.
    target : ndarray, shape (n,)
        The class that was to be reached.
    flipped : ndarray of bool, shape (n,)
        Whether the model gives the edited spectrum that class.
    size : ndarray, shape (n,)
        Length of the edit, all quantities together in units of their scales; NaN where none was found.
    path : ndarray, shape (n, n_steps)
        Probability of the target on the way from a spectrum to its edit (the output, if there are no probabilities).
    familiarity : ndarray, shape (n,), or None
        p-value of the edited spectra.
    scale : str
        What quantities are measured by.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(40, 40, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample)
    >>> result = agnsal.counterfactual(model, sample[40:42], "type 1", "broad Hbeta flux", population=sample)
    >>> result.flipped.tolist()
    [True, True]
    >>> result.edits.colnames[:4]
    ['object_id', 'quantity', 'before', 'after']
    """

    #: What says whether it can be trusted; `agnsal.check` is about maps.
    judged_by: ClassVar[str] = (
        ".flipped is what the model says of the edited spectra, .familiarity how usual they are, .needed_by(refits) "
        "how much of the edit machines need that were trained on other draws"
    )
    edits: QTable
    before: SpectralSample
    spectra: SpectralSample
    target: NDArray[Any]
    flipped: NDArray[np.bool_]
    size: NDArray[np.float64]
    path: NDArray[np.float64]
    familiarity: NDArray[np.float64] | None
    scale: str

    def __len__(self) -> int:
        return len(self.flipped)

    def __repr__(self) -> str:
        already, asked = self.already, len(self) - int(self.already.sum())
        said = f"{int((self.flipped & ~already).sum())} of {asked} spectra can be made another class"
        if already.any():
            name = set(map(str, self.target[already]))
            what = f"{name.pop()} already" if len(name) == 1 else "what they are to become already"
            said += f"; {int(already.sum())} {'is' if already.sum() == 1 else 'are'} {what}"
        return f"<Counterfactuals: {said}>"

    @property
    def already(self) -> NDArray[np.bool_]:
        """Which spectra the model calls the target as they are, shape (n,)."""
        return self.flipped & (self.size == 0)

    def unseen(self, i: int) -> list[str]:
        """The quantities of a spectrum that were left as they are, because most of what they do was not observed."""
        one = self.edits[self.edits["object_id"] == self.before.ids[i]]
        return [str(row["quantity"]) for row in one if row["observed"] < _OBSERVED]

    def of(self, i: int) -> QTable:
        """The edit of one spectrum: its rows of `edits`, largest first."""
        one = self.edits[self.edits["object_id"] == self.before.ids[i]]
        return one[np.argsort(-np.abs(np.asarray(one["size"])), kind="stable")]

    def words(self, i: int, most: int = _QUANTITIES) -> str:
        """The largest parts of an edit in words, such as ``"broad Hbeta flux x 2.3"``."""
        said = []
        for row in self.of(i)[:most]:
            before, after, factor = (float(row[name]) for name in ("before", "after", "factor"))
            if abs(float(row["size"])) < 1e-6:
                continue
            if abs(after) < ROUNDING * abs(before):  # nothing is left of it
                after = factor = 0.0
            as_factor = np.isfinite(factor) and 0 < factor <= _LARGEST_FACTOR
            change = f"x {factor_text(factor)}" if as_factor else f"{before:.3g} to {after:.3g} {row['unit']}".strip()
            said.append(f"{row['quantity']} {change}")
        return ", ".join(said) or ("nothing, it is already" if self.already[i] else "nothing")

    def needed_by(self, models: Iterable[Any]) -> NDArray[np.float64]:
        """How much of each edit other models need to call the spectrum the target: would another training set, too?

        Parameters
        ----------
        models : iterable
            Fitted classifiers that know the targets, for instance `TrainedClassifier.refits`.

        Returns
        -------
        ndarray, shape (n_models, n)
            Least multiple of the change of flux: at most 1 for the model itself, 0 where a model calls the spectrum the
            target as it is, infinite where four times the edit do not do.

        Raises
        ------
        AgnsalError
            If a model does not know a target.

        Examples
        --------
        >>> import agnsal
        >>> sample = agnsal.simulate_agn(40, 40, 0, seed=1).normalize()
        >>> models = [agnsal.ProbabilisticSVC("linear", random_state=0).fit(sample[k::2]) for k in (0, 1)]
        >>> result = agnsal.counterfactual(models[0], sample[40:41], "type 1", "broad Hbeta flux", population=sample)
        >>> own, other = result.needed_by(models)[:, 0]
        >>> float(own.round(2)), bool(0.5 < other < 2)
        (1.0, True)
        """
        edit = self.spectra.flux - self.before.flux
        return np.array([multiple_needed(model, self.before.flux, edit, self.target) for model in models])

    def _display(self) -> Table:
        rows: list[list[object]] = []
        for i in range(min(len(self), _SHOWN)):
            what = self.words(i) if self.flipped[i] else "no edit within the bounds"
            unseen = self.unseen(i)
            if unseen:
                what += f" (not observed: {', '.join(unseen)})"
            rows.append([self.before.ids[i], self.target[i], what, float(self.size[i])])
        if len(self) > _SHOWN:
            rows.append([f"... {len(self) - _SHOWN} more", "", "", ""])
        return Table(repr(self)[1:-1], rows, ["object_id", "to be", "by", f"size ({self.scale})"])

    def plot(self, i: int = 0, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw one spectrum before and after; see `agnsal.figures.plot_counterfactual`.

        Parameters
        ----------
        i : int
            Number of the spectrum.
        ax : Axes, optional
            Where to draw.
        **options
            Passed on.

        Returns
        -------
        Axes
        """
        from agnsal.figures import plot_counterfactual

        return plot_counterfactual(self, i, ax=ax, **options)


def counterfactual(
    model: Any,
    sample: SpectralSample,
    target: Any,
    edits: str | Sequence[str] | Sequence[Edit] | None = None,
    *,
    output: Literal["log_odds", "decision"] = "log_odds",
    margin: float = 0.0,
    scale: Literal["population", "noise"] = "population",
    population: SpectralSample | None = None,
    familiarity: KnowsFamiliar | None = None,
    n_starts: int = 2,
    n_steps: int = 21,
    random_state: Seed = None,
) -> Counterfactuals:
    """Find the smallest change in named quantities that makes the model call each spectrum something else.

    Half the sum of squared changes, each in units of its scale, is minimised subject to the output of the target being
    at least `margin`, and to bounds, by sequential quadratic programming on exact gradients from several starts: the
    spectrum itself, the edits of one quantity alone that do, and random ones. No flux of a line becomes negative,
    doublets are tied, and no observed bin falls below zero, or below what it is, by more than three times its error.
    Bins that were not observed stay as they are, and so do quantities most of which was not observed.

    Parameters
    ----------
    model : object
        Anything `as_differentiable` takes.
    sample : SpectralSample
        The spectra, prepared as the model has learnt them.
    target : label or array_like, shape (n,)
        The class each is to become.
    edits : str, sequence of str or of Edit, optional
        Which quantities may change: names from `agnsal.spectral_edits` ("broad Hβ flux" will do), or edits of your own;
        by default all of those that were observed. With one name it is one knob: how much broad Hbeta would make it
        type 1?
    output : {"log_odds", "decision"}
        Of the target, which has to reach the margin: the log-odds against all other classes together, or, for models
        without probabilities, the decision value (of two classes).
    margin : float
        What it has to reach. At 0 the log-odds are even.
    scale : {"population", "noise"}
        What counts as a change of one: the scatter of the quantity in the population (half the central 68 %), or the
        error with which the flux errors of the spectrum allow it to be measured. An Edit with a scale of its own has
        that.
    population : SpectralSample, optional
        For its scatter, for instance the training set; by default the sample, if it has at least 10 spectra.
    familiarity : Familiarity, optional
        Fitted to the training set: says whether the edited spectra are like any the model has seen.
    n_starts : int
        Random starts of each search.
    n_steps : int
        Points of the `path`.
    random_state : int, RandomState, Generator or None
        Seeds the starts.

    Returns
    -------
    Counterfactuals
        With `flipped` False where no edit within the bounds was found.

    Raises
    ------
    AgnsalError
        If a quantity is unknown, or was not observed in a spectrum, or there is no population to take a scatter from.

    See Also
    --------
    agnsal.spectral_edits : the quantities.
    agnsal.figures.plot_counterfactual : draws it.

    References
    ----------
    Wachter, Mittelstadt & Russell 2017, arXiv:1711.00399.

    Examples
    --------
    >>> import agnsal
    >>> training = agnsal.simulate_agn(40, 40, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(random_state=0).fit(training)
    >>> result = counterfactual(model, training[40:41], "type 1", population=training, random_state=0)
    >>> bool(result.flipped[0]), result.spectra.flux.shape
    (True, (1, 1000))
    """
    one_of("output", output, ("log_odds", "decision"))
    one_of("scale", scale, ("population", "noise"))
    if not isinstance(sample, SpectralSample):
        raise AgnsalError(f"a SpectralSample, which knows its wavelengths, is needed, got {type(sample).__name__}.")
    question = ask(model, sample, target, output)
    if output == "decision" and len(question.model.classes_) > 2:
        raise AgnsalError("decision values of more than two classes have no border at a number; ask for log_odds.")
    turned = _chosen(sample, edits)
    seen = _observed(turned, sample, named=edits is not None)
    scales = _scales(turned, sample, scale, population)
    floor = _floor(sample)
    starts = [np.concatenate([edit.present[i] for edit in turned]) for i in range(len(sample))]
    random = check_random_state(random_state)
    ends = np.empty((len(sample), starts[0].size))
    found = np.zeros(len(sample), dtype=bool)
    flux = sample.flux.copy()
    already = question.model.predict(sample.flux) == question.target
    for i, start in enumerate(starts):
        if already[i] and margin <= 0:
            ends[i], found[i] = start, True
            continue
        problem = _Problem(question, turned, i, start, scales[i], margin, floor[i])
        low, high = (np.concatenate([getattr(edit, side)[i] for edit in turned]) for side in ("lower", "upper"))
        low, high = (np.where(seen[i] < _OBSERVED, start, side) for side in (low, high))
        end = nearest_crossing(
            problem.values, problem.slope, (low - start) / scales[i], (high - start) / scales[i], random, n_starts,
            (problem.room, problem.room_slope),
        )  # fmt: skip
        ends[i], found[i] = np.clip(start + end.z * scales[i], low, high), end.found
        flux[i] = problem.edited(end.z)
    edited = sample.with_flux(flux)
    flipped = found & (question.model.predict(edited.flux) == question.target)
    sizes = (ends - np.array(starts)) / scales
    return Counterfactuals(
        edits=_table(sample, turned, np.array(starts), ends, scales, seen),
        before=sample,
        spectra=edited,
        target=question.target,
        flipped=flipped,
        size=np.where(found, np.linalg.norm(sizes, axis=1), np.nan),
        path=_path(question, turned, np.array(starts), ends, n_steps),
        familiarity=None if familiarity is None else familiarity.p_value(edited),
        scale=scale,
    )


class _Problem:
    """The output of one spectrum as a function of its quantities, in units of their scales."""

    def __init__(
        self,
        question: Question,
        edits: list[Edit],
        i: int,
        start: NDArray[np.float64],
        scales: NDArray[np.float64],
        margin: float,
        floor: NDArray[np.float64],
    ) -> None:
        self._function = question.model.function(question.output)
        self._weights, self._x, self._margin = question.weights[i], question.X[i], margin
        self._edits, self._i, self._start, self._scales = edits, i, start, scales
        self._floor, self._seen = floor, np.isfinite(floor)

    def edited(self, z: Any) -> Any:
        return self._x + self._seen * changed(self._edits, self._start + z * self._scales, self._i)

    def room(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the lowest bin is above its bound."""
        return np.array([(self.edited(z) - self._floor)[self._seen].min() for z in Z])

    def room_slope(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the bin that is nearest to its bound."""
        lowest = int(np.where(self._seen, self.edited(z) - self._floor, np.inf).argmin())
        pull_back, _ = make_vjp(self.edited)(z)
        return np.asarray(pull_back(np.eye(self._x.size)[lowest]))

    def _output(self, z: Any) -> Any:
        x = self.edited(z)
        return anp.sum(self._function(anp.reshape(x, (1, -1))) * self._weights) - self._margin

    def values(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        flux = np.array([self.edited(z) for z in Z])
        return np.asarray(self._function(flux) @ self._weights) - self._margin

    def slope(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        pull_back, _ = make_vjp(self._output)(z)
        return np.asarray(pull_back(1.0))


def changed(edits: Sequence[Edit], values: Any, i: int) -> Any:
    """What some edits together add to the flux of a spectrum.

    Parameters
    ----------
    edits : sequence of Edit
        In the order of the values.
    values : ndarray, shape (n_quantities,)
        Of all quantities.
    i : int
        Which spectrum.

    Returns
    -------
    ndarray, shape (n_bins,)
    """
    total: Any = 0.0
    first = 0
    for edit in edits:
        total = total + edit.change(values[first : first + len(edit.names)], i)
        first += len(edit.names)
    return total


def _chosen(sample: SpectralSample, edits: str | Sequence[str] | Sequence[Edit] | None) -> list[Edit]:
    """The edits meant."""
    if edits is not None and not isinstance(edits, str) and all(isinstance(each, Edit) for each in edits):
        own = [each for each in edits if isinstance(each, Edit)]
        for edit in own:
            if len(edit.present) != len(sample):
                raise AgnsalError(f"the edit {edit.names[0]!r} is of {len(edit.present)} spectra, not {len(sample)}.")
        if own:
            return own
    known = spectral_edits(sample)
    if edits is None:
        return known
    wanted = [edits] if isinstance(edits, str) else [str(each) for each in edits]
    named = {line_key(name): name for edit in known for name in edit.names}
    wanted = [named.get(line_key(name), name) for name in wanted]
    for name in wanted:
        one_of("edits", name, tuple(named.values()))
    return [part for part in (edit.restricted(wanted) for edit in known) if part is not None]


def _observed(turned: list[Edit], sample: SpectralSample, *, named: bool) -> NDArray[np.float64]:
    """How much of every quantity was observed, shape (n, n_quantities); too little of what was named is refused."""
    shares = [edit.observed(sample.mask) for edit in turned]
    for edit, share in zip(turned, shares, strict=True):
        lost = np.flatnonzero(share < _OBSERVED)
        if named and lost.size:
            which = ", ".join(map(printable, sample.ids[lost[:3]])) + (" ..." if lost.size > 3 else "")
            raise AgnsalError(
                f"{edit.names[0]!r} cannot be turned in {lost.size} of {len(sample)} spectra ({which}): of what it "
                f"changes only {share.min():.0%} was observed. Leave these spectra out, or let all quantities change "
                "that were observed (edits=None)."
            )
    return np.repeat(np.stack(shares, axis=1), [len(edit.names) for edit in turned], axis=1)


def _floor(sample: SpectralSample) -> NDArray[np.float64]:
    """Below what no bin may fall, shape (n, n_bins); minus infinity where nothing was observed."""
    below = np.minimum(sample.flux, 0.0) - _BELOW * noise_level(sample.flux, sample.ivar, sample.mask)
    return np.where(sample.mask, -np.inf, below)


def _scales(
    turned: list[Edit],
    sample: SpectralSample,
    scale: str,
    population: SpectralSample | None,
) -> NDArray[np.float64]:
    """What counts as one, of every quantity of every spectrum, shape (n, n_quantities)."""
    if all(edit.scale is not None for edit in turned):
        return np.concatenate([edit.scale for edit in turned if edit.scale is not None], axis=1)
    if scale == "noise":
        if sample.ivar is None or not sample.has_errors.all():
            raise AgnsalError('the flux errors are not known; take scale="population".')
        found = [edit.noise(sample.ivar) if edit.scale is None else edit.scale for edit in turned]
        return np.concatenate(found, axis=1)
    reference = sample if population is None else population
    check_alike(sample, reference, "the spectra to be edited are such that their")
    if len(reference) < _POPULATION:
        raise AgnsalError(
            f"the scatter of a population is what changes are measured by, and {len(reference)} spectra are too few; "
            'give population=, for instance the training set, or take scale="noise".'
        )
    scatter = {}
    for edit in spectral_edits(reference):
        low, high = np.percentile(edit.present, [16, 84], axis=0)
        usual = np.where(high > low, 0.5 * (high - low), edit.present.std(axis=0))
        scatter.update(dict(zip(edit.names, usual, strict=True)))
    scatter["continuum slope"] = _slope_scatter(reference)
    columns = []
    for edit in turned:
        if edit.scale is not None:
            columns.append(edit.scale)
            continue
        unknown = [name for name in edit.names if not scatter.get(name, 0) > 0]
        if unknown:
            raise AgnsalError(f"{unknown[0]!r} has no scatter in the population; give the Edit a scale of its own.")
        columns.append(np.broadcast_to([scatter[name] for name in edit.names], edit.present.shape))
    return np.concatenate(columns, axis=1)


def _slope_scatter(sample: SpectralSample) -> float:
    """Scatter of the power of wavelength that the spectra follow."""
    logarithm = np.log(sample.grid.centers.value)
    level = np.log(np.maximum(sample.continuum(), 1e-3 * np.abs(sample.flux).mean(axis=1, keepdims=True)))
    slopes = np.polynomial.polynomial.polyfit(logarithm - logarithm.mean(), level.T, 1)[1]
    low, high = np.percentile(slopes, [16, 84])
    return float(0.5 * (high - low))


def _table(
    sample: SpectralSample,
    turned: list[Edit],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    scales: NDArray[np.float64],
    seen: NDArray[np.float64],
) -> QTable:
    names = [name for edit in turned for name in edit.names]
    units = [unit.to_string() for edit in turned for unit in edit.units]
    n = len(sample)
    table = LineTable()
    table["object_id"] = np.repeat(sample.ids, len(names))
    table["quantity"] = np.tile(names, n)
    table["before"], table["after"] = starts.ravel(), ends.ravel()
    table["factor"] = np.divide(ends, starts, out=np.full(ends.shape, np.nan), where=starts != 0).ravel()
    table["size"] = ((ends - starts) / scales).ravel()
    table["unit"], table["scale"] = np.tile(units, n), scales.ravel()
    table["observed"] = seen.ravel()
    for name in ("before", "after", "factor", "scale", "size", "observed"):
        table[name].info.format = ".3g"
    return table


def _path(
    question: Question, turned: list[Edit], starts: NDArray[np.float64], ends: NDArray[np.float64], n_steps: int
) -> NDArray[np.float64]:
    """The probability of the target (or the output) along the straight line of the quantities."""
    output = "probability" if "probability" in question.model.kinds else question.output
    weights = question.model.weights(question.target, len(starts), output)
    mask = np.zeros(question.X.shape, dtype=bool) if question.sample is None else question.sample.mask
    path = np.empty((len(starts), n_steps))
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        on_the_way = np.array([changed(turned, start + t * (end - start), i) for t in np.linspace(0.0, 1.0, n_steps)])
        on_the_way = on_the_way * ~mask[i]
        path[i] = question.model.outputs(question.X[i] + on_the_way, output) @ weights[i]
    return path
