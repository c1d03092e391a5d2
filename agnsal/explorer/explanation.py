"""Why does the classifier call this spectrum type 1: what its own lines add, how sure that is, what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.answer.line_sums import ELSEWHERE
from agnsal.attribution.counterfactual.counterfactual import Counterfactuals, counterfactual
from agnsal.attribution.examples.influence import training_influence
from agnsal.attribution.local.gradients import saliency
from agnsal.attribution.shapley.shapley import shapley
from agnsal.checks.scoring import row_correlation
from agnsal.display import Displayed, Table, printable
from agnsal.errors import AgnsalError
from agnsal.explorer.classifier import TrainedClassifier, default_classifier
from agnsal.models.machine.coupling import class_pairs
from agnsal.models.machine.svc import ProbabilisticSVC
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.editing.filling import noise_level
from agnsal.spectra.editing.line_removal import PARTS, line_ablations
from agnsal.spectra.editing.reference import class_mean
from agnsal.spectra.lines import LINES, line_masks, with_labels
from agnsal.spectra.origin import check_alike
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample

#: What the name of the fourth class means.
GALAXY = " (without an active nucleus)"
#: How the sentence begins that must be read first.
CARE = "This spectrum is unlike the training sample"
#: How far a line may be turned when asking what would change the class: removed, to so many times its strength.
STRONGEST = 4.0
#: Steps up to there, and how often the step in which the class changes is halved: to ten digits.
_STEPS, _HALVINGS = 80, 32
#: As far from the others as this share of the training spectra: the class is not to be believed; to be doubted.
STRANGER, DOUBTFUL = 0.01, 0.05
#: Training spectra of which the scatter of a quantity is taken.
POPULATION = 40


@dataclass(frozen=True, eq=False)
class SpectrumExplanation(Displayed):
    """One spectrum, explained; made by `explain_spectrum`.

    Attributes
    ----------
    sample : SpectralSample
        The spectrum, a sample of one.
    classifier : TrainedClassifier
        What classified it.
    probabilities : QTable
        A row per class: ``class``, ``probability``, ``error_flux`` (from the flux errors; NaN where there are none),
        ``error_refits`` (from refits of the machine).
    predicted, rival : str
        The most probable class and the runner-up; what is explained is the log-odds of this pair.
    log_odds : float
        Of the pair, at the spectrum.
    log_odds_rival : float
        Of the pair, at the mean spectrum of the rival class; the shares sum to the difference.
    lines : QTable
        A row per part of a line, and one for all other bins: ``region``, ``start``, ``stop``, ``bad_fraction``,
        ``share`` of the difference (exact Shapley values; NaN where nothing was observed), ``error_flux``,
        ``error_refits``, ``experiment``: how the log-odds fall when just this region is given the flux of the mean
        rival, and ``without``: when the line is cut off at its continuum (NaN for regions that are no line).
    changes : QTable
        What would change the class: ``line``, ``part``, ``factor`` its strength above the continuum would have to be
        multiplied with (0: without the line), to ten digits, ``becomes``; nearest to 1 first.
    agreement : float
        Rank correlation of ``share`` and ``experiment`` over the regions.
    distance, p_value : float
        From the training sample (`Familiarity`).
    shares : Attribution
        The shares by bin.
    gradient : Attribution
        Of the log-odds of the predicted class: a property of the classifier, nearly the same for every spectrum where
        the machine is linear.
    filled : QTable or None
        Where bins were not observed: the probabilities when they are filled otherwise, with the mean of each class.
    """

    sample: SpectralSample
    classifier: TrainedClassifier
    probabilities: QTable
    predicted: str
    rival: str
    log_odds: float
    log_odds_rival: float
    lines: QTable
    changes: QTable
    agreement: float
    distance: float
    p_value: float
    shares: Attribution
    gradient: Attribution
    filled: QTable | None

    @property
    def stranger(self) -> bool:
        """Whether the spectrum is unlike anything the classifier was trained on."""
        return self.p_value <= STRANGER

    @property
    def observed(self) -> float:
        """Share of the grid that was observed."""
        return 1.0 - float(self.sample.mask[0].mean())

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What a reader must know, most important first, as plain sentences."""
        return tuple(with_labels(sentence) for sentence in _sentences(self))

    @cached_property
    def unlike(self) -> QTable:
        """Lines that make it unlike the training sample, by their ``share`` of the squared distance."""
        why = self.classifier.familiarity.explain(self.sample)
        sums = why.by_line()
        total = np.sum([np.nan_to_num(np.asarray(sums[part])) for part in ("core", "wings", "continuum")], axis=0)
        table = QTable({"line": np.asarray(sums["line"]), "share": total / why.explained[0]})
        table["share"].info.format = ".2f"
        return table[np.argsort(-total, kind="stable")][:6]

    @cached_property
    def decided(self) -> QTable | None:
        """Training spectra that speak most for the predicted class or against it, in its log-odds over a mean rival.

        And, where it is known, ``left_out``: how its log-odds would change if the machine were trained without it.

        None for a machine that is no sum over its training spectra.
        """
        try:
            influence = training_influence(
                self.classifier.machine,
                self.sample,
                self.predicted,
                "log_odds",
                baseline=class_mean(self.classifier.training, self.rival),
                training=self.classifier.training,
            )
        except AgnsalError:
            return None
        table = influence.most(0, 6)
        try:
            table["left_out"] = influence.leave_one_out()[0, np.asarray(table["row"])]
        except AgnsalError:  # not fitted with a bound C
            return table
        table["left_out"].info.format = ".2g"
        return table

    @cached_property
    def least_change(self) -> Counterfactuals | None:
        """The least change in named quantities that would make it the next class, and how usual it then is.

        None where the grid lacks what the quantities are measured by, or the training sample is too small to compare
        with.
        """
        training, familiarity = self.classifier.training, self.classifier.familiarity
        try:
            return counterfactual(
                self.classifier.machine,
                self.sample,
                self.rival,
                population=training[:: max(1, len(training) // POPULATION)],
                familiarity=familiarity,
                n_starts=0,
                random_state=0,
            )
        except AgnsalError:
            return None

    def __repr__(self) -> str:
        return f"<SpectrumExplanation: {printable(self.sample.ids[0])}, {self.predicted} and not {self.rival}>"

    def _display(self) -> Table:
        return Table(printable(f"{self.sample.ids[0]}: {self.predicted}"), [[sentence] for sentence in self.sentences])


def explain_spectrum(
    sample: SpectralSample,
    classifier: TrainedClassifier | None = None,
    *,
    i: int = 0,
    n_draws: int = 64,
    random_state: Seed = None,
) -> SpectrumExplanation:
    """Say what in one spectrum made the classifier decide as it did.

    The question is why this class and not the next best one. What is shared out is the difference of the log-odds of
    that pair between the spectrum and the mean spectrum of the rival class, by exact Shapley values, so that the
    answer is about this object's lines; bins that were not observed are left as they are in both and get nothing.
    Beside each share stands the experiment that it predicts.

    Parameters
    ----------
    sample : SpectralSample
        On the grid of the classifier and normalised as its training sample.
    classifier : TrainedClassifier, optional
        By default `default_classifier`.
    i : int
        Which spectrum of the sample.
    n_draws : int
        Draws of the flux errors.
    random_state : int, RandomState, Generator or None
        Seeds them.

    Returns
    -------
    SpectrumExplanation

    Raises
    ------
    AgnsalError
        If there is no such spectrum, it is on another grid than the training sample or normalised otherwise, or nothing
        of it was observed.

    See Also
    --------
    write_spectrum_page : the same as a page to read.

    Examples
    --------
    >>> import agnsal
    >>> training = agnsal.simulate_agn(60, 80, 0, seed=0).normalize()
    >>> machine = agnsal.ProbabilisticSVC(kernel="linear", C=0.07, random_state=0)
    >>> classifier = agnsal.TrainedClassifier.train(training, machine, n_refits=2, embed=False, random_state=0)
    >>> mine = agnsal.simulate_agn(1, 0, 0, seed=5).normalize()
    >>> explanation = agnsal.explain_spectrum(mine, classifier, random_state=0)
    >>> explanation.predicted, explanation.rival
    ('type 1', 'type 2')
    >>> total = explanation.log_odds - explanation.log_odds_rival
    >>> bool(abs(np.nansum(explanation.lines["share"]) - total) < 1e-8)
    True
    """
    if not isinstance(sample, SpectralSample):
        raise AgnsalError(f"a SpectralSample is needed, got {type(sample).__name__}.")
    if not -len(sample) <= i < len(sample):
        raise AgnsalError(f"there are {len(sample)} spectra, numbered 0 to {len(sample) - 1}; asked for {i}.")
    classifier = default_classifier() if classifier is None else classifier
    if not isinstance(classifier, TrainedClassifier):
        raise AgnsalError(
            f"a TrainedClassifier is needed, got {type(classifier).__name__}; "
            "agnsal.TrainedClassifier.train(sample, machine) makes one of a machine and its training sample."
        )
    mine = sample[[i]]
    if mine.grid != classifier.training.grid:
        raise AgnsalError(
            f"the spectrum is on {mine.grid!r}, the classifier was trained on {classifier.training.grid!r}."
        )
    check_alike(classifier.training, mine, "the classifier was trained on spectra whose")
    if mine.mask.all():
        raise AgnsalError(f"{mine.ids[0]}: no bin of the grid was observed; there is nothing to explain.")
    machine = classifier.machine
    noisy = _draws(mine, n_draws, seed_of(random_state))
    probability = machine.predict_proba(mine.flux)[0]
    predicted, rival = (str(machine.classes_[k]) for k in np.argsort(-probability, kind="stable")[:2])

    def odds(X: NDArray[np.float64], of: ProbabilisticSVC = machine) -> NDArray[np.float64]:
        return _pair_log_odds(of, X, predicted, rival)

    baseline = np.where(mine.mask[0], mine.flux[0], class_mean(classifier.training, rival))
    regions = line_regions(mine)
    shares = _shares(machine, mine, predicted, rival, baseline)
    lines = _lines_table(mine, regions, shares.values[0])
    lines["error_flux"] = _scatter(
        regions, [_shares(machine, noisy, predicted, rival, baseline).values] if noisy else []
    )
    again = [_shares(refit, mine, predicted, rival, baseline).values for refit in classifier.refits]
    lines["error_refits"] = _scatter(regions, again)
    swapped = np.where(regions.masks, baseline, mine.flux[0])
    lines["experiment"] = odds(mine.flux)[0] - odds(swapped)
    without = _without(mine)
    lines["without"] = [
        odds(mine.flux)[0] - odds(without[name])[0] if name in without else np.nan for name in regions.names
    ]
    for name in ("share", "error_flux", "error_refits", "experiment", "without"):
        lines[name] = np.where(lines["bad_fraction"] == 1.0, np.nan, lines[name])
        lines[name].info.format = ".3g"
    distance, p_value = (
        float(answer[0]) for answer in (classifier.familiarity.distance(mine), classifier.familiarity.p_value(mine))
    )
    return SpectrumExplanation(
        sample=mine,
        classifier=classifier,
        probabilities=_probability_table(classifier, mine, noisy),
        predicted=predicted,
        rival=rival,
        log_odds=float(odds(mine.flux)[0]),
        log_odds_rival=float(odds(baseline[None])[0]),
        lines=lines,
        changes=_changes(machine, mine, without),
        agreement=_rank_correlation(lines["share"], lines["experiment"]),
        distance=distance,
        p_value=p_value,
        shares=shares,
        gradient=saliency(machine, mine, predicted, "log_odds"),
        filled=_filled_otherwise(classifier, mine),
    )


def line_regions(sample: SpectralSample) -> Regions:
    """The parts of the named lines on a grid, and all other bins as one region.

    Parameters
    ----------
    sample : SpectralSample
        On the grid.

    Returns
    -------
    Regions
        A partition: ``"Hbeta core"``, ``"Hbeta wings"``, ..., ``"elsewhere"``.
    """
    masks, taken = {}, np.zeros(len(sample.grid), dtype=bool)
    for name, parts in _lines_on(sample).items():
        for part in ("core", "wings"):
            own = parts[part] & ~taken
            if own.any():
                masks[f"{name} {part}"] = own
                taken |= own
    if not masks:
        raise AgnsalError(f"no common line lies on {sample.grid!r}.")
    return Regions.from_masks(masks, grid=sample.grid).with_rest(ELSEWHERE)


def _pair_log_odds(
    machine: ProbabilisticSVC, X: NDArray[np.float64], towards: str, against: str
) -> NDArray[np.float64]:
    """Log-odds of one class against another by their own sigmoid, shape (n,)."""
    labels = machine.classes_.astype(str).tolist()
    a, b = labels.index(towards), labels.index(against)
    first, second = class_pairs(len(labels))
    number = int(np.flatnonzero((first == min(a, b)) & (second == max(a, b)))[0])
    odds = machine.pairwise_log_odds(X)[:, number]
    return odds if a < b else -odds


def _shares(
    machine: ProbabilisticSVC, mine: SpectralSample, predicted: str, rival: str, baseline: NDArray[np.float64]
) -> Attribution:
    """Exact shares of the log-odds of the pair, bin by bin."""
    return shapley(
        machine, mine, (predicted, rival), "pairwise", baseline=baseline, pair_log_odds=True, method="quadrature"
    )


def _draws(mine: SpectralSample, n_draws: int, seed: int) -> SpectralSample | None:
    """The spectrum with noise of the size of its errors added, again and again; None without errors."""
    good = ~mine.mask[0]
    if mine.ivar is None or not (mine.ivar[0, good] > 0).any():
        return None
    sigma = np.where(good, noise_level(mine.flux, mine.ivar, mine.mask)[0], 0.0)
    noise = np.random.default_rng(seed).standard_normal((n_draws, len(mine.grid)))
    return mine[[0] * n_draws].with_flux(mine.flux + sigma * noise)


def _probability_table(classifier: TrainedClassifier, mine: SpectralSample, noisy: SpectralSample | None) -> QTable:
    machine = classifier.machine
    table = QTable({"class": machine.classes_.astype(str), "probability": machine.predict_proba(mine.flux)[0]})
    unknown = np.full(len(table), np.nan)
    table["error_flux"] = unknown if noisy is None else machine.predict_proba(noisy.flux).std(axis=0, ddof=1)
    again = [refit.predict_proba(mine.flux)[0] for refit in classifier.refits]
    table["error_refits"] = np.std(again, axis=0, ddof=1) if len(again) > 1 else unknown
    for name in table.colnames[1:]:
        table[name].info.format = ".2g" if "error" in name else ".4g"
    return table


def _lines_table(mine: SpectralSample, regions: Regions, shares: NDArray[np.float64]) -> QTable:
    edges = mine.grid.edges
    bins = [np.flatnonzero(mask) for mask in regions.masks]
    table = QTable({"region": list(regions.names)})
    table["start"] = u.Quantity([edges[each[0]] for each in bins])
    table["stop"] = u.Quantity([edges[each[-1] + 1] for each in bins])
    table["bad_fraction"] = regions.means(mine.mask.astype(np.float64))[0]
    table["share"] = regions.sums(shares[None])[0]
    for name, shown in (("start", ".0f"), ("stop", ".0f"), ("bad_fraction", ".2f")):
        table[name].info.format = shown
    return table


def _scatter(regions: Regions, values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Standard deviation of the sums over regions, over all rows given."""
    sums = regions.sums(np.concatenate(values)) if values else np.empty((0, len(regions)))
    return sums.std(axis=0, ddof=1) if len(sums) > 1 else np.full(len(regions), np.nan)


def _lines_on(sample: SpectralSample) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """The named lines on the grid, without windows that hold many."""
    return {line: parts for line, parts in line_masks(sample.grid).items() if LINES[line].kind != "window"}


def _without(mine: SpectralSample) -> dict[str, NDArray[np.float64]]:
    """The spectrum with each line, or its core or its wings, cut off at its continuum, where it was observed."""
    found = {}
    for line, part in product(_lines_on(mine), PARTS):
        try:
            ablation = line_ablations(mine, [line], part, "continuum")[line]
        except AgnsalError:  # no such part
            continue
        if ablation.observed[0]:
            flux = mine.flux.copy()
            flux[:, ablation.removed] = ablation.filled
            found[f"{line} {part}"] = np.where(mine.mask, mine.flux, flux)
    return found


def _changes(machine: ProbabilisticSVC, mine: SpectralSample, without: Mapping[str, NDArray[np.float64]]) -> QTable:
    """Factors on the strength of one line at which another class becomes the most probable one.

    The nearest is bracketed by steps of a twentieth and halved from there, all lines at once; between two steps a class
    could only come and go again.
    """

    def predicted(bare: NDArray[np.float64], factor: NDArray[np.float64]) -> NDArray[np.intp]:
        return machine.predict_log_proba(bare + factor[:, None] * (mine.flux - bare)).argmax(axis=1)

    steps = np.linspace(0.0, STRONGEST, _STEPS + 1)
    names, inside, beyond, bare = [], [], [], []
    for name, cut in without.items():
        called = predicted(cut, steps)
        other = np.flatnonzero(called != predicted(cut, np.ones(1))[0])
        if other.size:
            nearest = int(other[np.abs(steps[other] - 1.0).argmin()])
            names.append(name)
            bare.append(cut[0])
            beyond.append(steps[nearest])
            inside.append(steps[nearest + (1 if steps[nearest] < 1.0 else -1)])
    table = QTable(names=["line", "part", "factor", "becomes"], dtype=["U20", "U5", "f8", "U40"])
    if names:
        rows, same, changed = np.array(bare), np.array(inside), np.array(beyond)
        now = machine.predict_log_proba(mine.flux).argmax()
        for _ in range(_HALVINGS):
            middle = 0.5 * (same + changed)
            other = predicted(rows, middle) != now
            same, changed = np.where(other, same, middle), np.where(other, middle, changed)
        becomes = machine.classes_[predicted(rows, changed)].astype(str)
        for name, factor, label in zip(names, changed, becomes, strict=True):
            table.add_row((*name.rsplit(" ", 1), factor, label))
    table["factor"].info.format = ".2f"
    return table[np.argsort(np.abs(table["factor"] - 1.0), kind="stable")]


def _filled_otherwise(classifier: TrainedClassifier, mine: SpectralSample) -> QTable | None:
    """Probabilities with the unobserved bins filled with the mean of each class instead of bridged."""
    bad = mine.mask[0]
    if not bad.any():
        return None
    machine = classifier.machine
    filled = [np.where(bad, class_mean(classifier.training, label), mine.flux[0]) for label in machine.classes_]
    table = QTable({"filled_with": ["straight lines", *(f"mean {label}" for label in machine.classes_)]})
    values = machine.predict_proba(np.vstack([mine.flux, *filled]))
    for label, column in zip(machine.classes_.astype(str), values.T, strict=True):
        table[label] = column
        table[label].info.format = ".4f"
    return table


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < 3:
        return float("nan")
    return float(row_correlation(first[None, known], second[None, known], "spearman")[0])


def _sentences(one: SpectrumExplanation) -> Iterator[str]:
    rows = {str(row["class"]): row for row in one.probabilities}
    own, next_one = rows[one.predicted], rows[one.rival]
    if one.stranger:
        yield (
            f"{CARE} (p = {one.p_value:.2g}, distance {one.distance:.1f}, most of it by {_strangest(one)}): do not "
            "believe the class. Everything below says how the classifier came to its answer, not what the object is."
        )
    errors = [
        f"{value:.2g} from {source}"
        for value, source in ((own["error_flux"], "the flux errors"), (own["error_refits"], "refits of the classifier"))
        if np.isfinite(value)
    ]
    meaning = GALAXY if one.predicted == "galaxy" else ""
    yield (
        f"Classified as {one.predicted}{meaning}, {_probability(own['probability'])}"
        + (f" (standard error {', '.join(errors)})" if errors else "")
        + f"; next {one.rival}, {_probability(next_one['probability'])}."
    )
    described = f" ({one.classifier.description})" if one.classifier.description else ""
    yield (
        f"The classifier{described} knows {', '.join(rows)} and nothing else: "
        + ("" if "galaxy" in rows else "a galaxy without an active nucleus, ")
        + "a composite or a star gets one of these names too."
    )
    if not one.stranger and one.p_value <= DOUBTFUL:
        yield (
            f"Hardly like the training sample: only {one.p_value:.1%} of it is as far from the rest (distance "
            f"{one.distance:.1f}, most of it by {_strangest(one)}). Doubt the class unless something else tells that "
            "it is one of these."
        )
    elif not one.stranger:
        yield f"Not unlike the training sample (p = {one.p_value:.2g}, distance {one.distance:.1f})."
    if one.filled is not None:
        yield from _of_the_unobserved(one, one.filled)
    if not np.isfinite(own["error_flux"]):
        yield "The file has no flux errors; the errors below are those of refits alone."
    known = [row for row in one.lines if np.isfinite(row["share"])]
    strongest = sorted(known, key=lambda row: -abs(float(row["share"])))[:4]
    parts = ", ".join(f"{row['region']} {float(row['share']):+.2g}" for row in strongest)
    yield (
        f"What sets it apart from a mean {one.rival} (log-odds {one.log_odds_rival:+.2g} to {one.log_odds:+.2g}): "
        f"{parts}. Replacing each region by that of the mean {one.rival} gives this ranking with a rank correlation "
        f"of {one.agreement:.2f}."
    )
    if len(one.changes):
        row = one.changes[0]
        part = {"all": "", "core": "the core of ", "wings": "the wings of "}[str(row["part"])]
        turned = "falls" if row["factor"] < 1 else "rises"
        turned = turned[:-1] if row["part"] == "wings" else turned
        yield (
            f"The class would turn to {row['becomes']} where {part}{row['line']} {turned} to {row['factor']:.2f} times "
            "the present strength."
        )
    else:
        yield f"No single line between none and {STRONGEST:g} times its strength would change the class."
    if one.least_change is not None:
        yield _of_the_least_change(one, one.least_change)
    if one.decided is not None and len(one.decided):
        named = [f"{row['training_id']} ({row['label']}, {row['influence']:+.3g})" for row in one.decided[:3]]
        without = ""
        if "left_out" in one.decided.colnames:
            without = f"; trained without the first the log-odds would change by {one.decided['left_out'][0]:+.2g}"
        yield f"The training spectra that speak loudest, for it or against: {', '.join(named)}{without}."


def _of_the_least_change(one: SpectrumExplanation, least: Counterfactuals) -> str:
    """What would make it the next class, in words."""
    unseen = f" (not observed, so left alone: {', '.join(least.unseen(0))})" if least.unseen(0) else ""
    if not least.flipped[0]:
        return f"No change of lines, continuum and host within physical bounds would make it {one.rival}{unseen}."
    usual = "then like" if least.familiarity is not None and least.familiarity[0] > STRANGER else "then unlike"
    return (
        f"The least change of lines, continuum and host together that would make it {one.rival}: {least.words(0, 3)}, "
        f"{least.size[0]:.2g} times the scatter of the training sample; it is {usual} the training sample{unseen}."
    )


def _strangest(one: SpectrumExplanation) -> str:
    """The lines that make up most of the distance from the training sample."""
    until = int(np.searchsorted(np.cumsum(one.unlike["share"]), 0.5)) + 1
    return ", ".join(map(str, one.unlike["line"][: min(until, 3)]))


def _of_the_unobserved(one: SpectrumExplanation, filled: QTable) -> Iterator[str]:
    """What the bins that were not observed may have done to the answer."""
    lost = [str(row["region"]) for row in one.lines if row["bad_fraction"] == 1.0 and row["region"] != ELSEWHERE]
    names = [name for name in filled.colnames if name != "filled_with"]
    winners = {names[int(np.argmax([row[name] for name in names]))] for row in filled}
    missing = f"{1 - one.observed:.1%} of the grid was not observed" + (
        f" (nothing of {', '.join(lost)})" if lost else ""
    )
    values = filled[one.predicted]
    if len(winners) > 1:
        yield (
            f"{missing}, and the class depends on it: with the means of the classes in place of straight lines there "
            f"P({one.predicted}) is {_between(values)}."
        )
    else:
        yield (
            f"{missing}; no credit is given there, and the class does not depend on it: P({one.predicted}) is "
            f"{_between(values)} with straight lines or the mean of any class."
        )


def _between(values: NDArray[np.float64]) -> str:
    """A range of probabilities, without more digits than it has."""
    low, high = float(np.min(values)), float(np.max(values))
    if low > 1 - 5e-5:
        return "above 0.9999"
    return "below 0.0001" if high < 5e-5 else f"{low:.4f} to {high:.4f}"


def _probability(value: float) -> str:
    if value > 1 - 5e-5:
        return "P > 0.9999"
    return "P < 0.0001" if value < 5e-5 else f"P = {value:.4f}"
