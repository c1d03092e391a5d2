"""What would have to change in a spectrum, and by how much, for the classifier to call it something else?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import autograd.numpy as anp
import numpy as np
from astropy.table import QTable
from autograd import make_vjp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from agnsal.attribution.answer.line_sums import LineTable
from agnsal.attribution.counterfactual.edits import Edit
from agnsal.attribution.counterfactual.quantities import spectral_edits
from agnsal.attribution.counterfactual.result import OBSERVED, Counterfactuals
from agnsal.attribution.counterfactual.search import nearest_crossing
from agnsal.attribution.question.question import Question, ask
from agnsal.display import printable
from agnsal.errors import AgnsalError, one_of
from agnsal.seeds import Seed
from agnsal.spectra.editing.filling import noise_level
from agnsal.spectra.lines import line_key
from agnsal.spectra.origin import check_alike
from agnsal.spectra.sample import SpectralSample

if TYPE_CHECKING:
    pass

#: Spectra from which the scatter of a population can be told.
_POPULATION = 10

#: The flux may fall below zero, or below what it is there, by as many errors.
_BELOW = 3.0


class KnowsFamiliar(Protocol):
    """What says how usual a spectrum is, as a fitted `agnsal.Familiarity` does."""

    def p_value(self, sample: SpectralSample) -> NDArray[np.float64]:
        """How usual each spectrum is, shape (n,)."""
        ...


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
        low, high = (np.where(seen[i] < OBSERVED, start, side) for side in (low, high))
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
        lost = np.flatnonzero(share < OBSERVED)
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
