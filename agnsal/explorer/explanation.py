"""Why does the classifier call this spectrum type 1: what its own lines add, how sure that is, what would change it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.counterfactual.counterfactual import counterfactual
from agnsal.attribution.counterfactual.line_strength import STRONGEST, changing_factors, without_lines
from agnsal.attribution.counterfactual.result import Counterfactuals
from agnsal.attribution.examples.influence import training_influence
from agnsal.attribution.local.gradients import saliency
from agnsal.checks.scoring import row_correlation
from agnsal.display import Displayed, Table, printable
from agnsal.errors import AgnsalError
from agnsal.explorer import sentences as say
from agnsal.explorer.classifier import TrainedClassifier, default_classifier
from agnsal.explorer.shares import ClassPair, region_table
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.editing.filling import noise_level
from agnsal.spectra.editing.imputation import ProbabilisticPCA
from agnsal.spectra.editing.reference import class_mean
from agnsal.spectra.lines import with_labels
from agnsal.spectra.origin import check_alike
from agnsal.spectra.sample import SpectralSample

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
        rival, ``without``: when the line is cut off at its continuum, and ``line_alone``: when it is given what of the
        mean rival's line stands above its continuum (NaN for regions that are no line). ``called``: the region by
        name, or ``"continuum at Hepsilon wings"`` where the line alone does less than half of what the region does.
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
        Where bins were not observed: the probabilities when they are filled from what was observed (as everywhere
        here, if the classifier has an `imputation`), with straight lines, and with the mean of each class.
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
        return self.p_value <= say.STRANGER

    @property
    def observed(self) -> float:
        """Share of the grid that was observed."""
        return 1.0 - float(self.sample.mask[0].mean())

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What a reader must know, most important first, as plain sentences."""
        return tuple(with_labels(sentence) for sentence in self._said())

    def _said(self) -> Iterator[str]:
        familiar = (self.p_value, self.distance)
        if self.stranger:
            yield say.of_a_stranger(*familiar, self.unlike)
        drawn = self.classifier.imputation is not None and self.filled is not None
        yield say.of_the_class(self.probabilities, self.predicted, self.rival, drawn=drawn)
        yield say.of_the_classifier(self.classifier.description, [str(name) for name in self.probabilities["class"]])
        if not self.stranger and self.p_value <= say.DOUBTFUL:
            yield say.of_one_hardly_alike(*familiar, self.unlike)
        elif not self.stranger:
            yield say.of_one_alike(*familiar)
        if self.filled is not None:
            yield say.of_the_unobserved(self.lines, self.filled, self.predicted, self.observed)
        if np.isnan(self.probabilities["error_flux"]).any():
            yield "The file has no flux errors; the errors below are those of refits alone."
        yield say.of_the_shares(self.lines, self.rival, self.log_odds, self.log_odds_rival, self.agreement)
        yield say.of_one_line(self.changes, STRONGEST)
        if self.least_change is not None:
            yield say.of_the_least_change(self.least_change, self.rival, self.classifier.refits)
        if self.decided is not None and len(self.decided):
            yield say.of_the_training(self.decided)

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
    answer is about this object's lines; bins that were not observed are alike in both and get nothing. They are filled
    from what was observed of the spectrum (`TrainedClassifier.imputation`), and drawn anew for the errors. Beside each
    share stands the experiment that it predicts.

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
    machine, imputation = classifier.machine, classifier.imputation
    noisy = _draws(mine, n_draws, seed_of(random_state), imputation)
    mine = mine if imputation is None else imputation.impute(mine)
    probability = machine.predict_proba(mine.flux)[0]
    predicted, rival = (str(machine.classes_[k]) for k in np.argsort(-probability, kind="stable")[:2])

    pair = ClassPair(predicted, rival, np.where(mine.mask[0], mine.flux[0], class_mean(classifier.training, rival)))
    without = without_lines(mine)
    lines, shares = region_table(pair, machine, classifier.refits, mine, noisy, without)
    distance, p_value = (
        float(answer[0]) for answer in (classifier.familiarity.distance(mine), classifier.familiarity.p_value(mine))
    )
    return SpectrumExplanation(
        sample=mine,
        classifier=classifier,
        probabilities=_probability_table(classifier, mine, noisy),
        predicted=predicted,
        rival=rival,
        log_odds=float(pair.log_odds(machine, mine.flux)[0]),
        log_odds_rival=float(pair.log_odds(machine, pair.baseline[None])[0]),
        lines=lines,
        changes=changing_factors(machine, mine, without),
        agreement=_rank_correlation(lines["share"], lines["experiment"]),
        distance=distance,
        p_value=p_value,
        shares=shares,
        gradient=saliency(machine, mine, predicted, "log_odds"),
        filled=_filled_otherwise(classifier, mine),
    )


def _draws(mine: SpectralSample, n_draws: int, seed: int, imputation: ProbabilisticPCA | None) -> SpectralSample | None:
    """The spectrum with noise of the size of its errors, and its gaps filled, again and again; None without errors."""
    good = ~mine.mask[0]
    if mine.ivar is None or not (mine.ivar[0, good] > 0).any():
        return None
    sigma = np.where(good, noise_level(mine.flux, mine.ivar, mine.mask)[0], 0.0)
    rng = np.random.default_rng(seed)
    noisy = mine[[0] * n_draws].with_flux(mine.flux + sigma * rng.standard_normal((n_draws, len(mine.grid))))
    if imputation is None or good.all():
        return noisy
    return next(imputation.draws(noisy, 1, random_state=rng))


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


def _filled_otherwise(classifier: TrainedClassifier, mine: SpectralSample) -> QTable | None:
    """Probabilities with the unobserved bins as they are filled here, and with straight lines or means of classes."""
    bad = mine.mask[0]
    if not bad.any():
        return None
    machine = classifier.machine
    filled = {} if classifier.imputation is None else {"what was observed": mine.flux[0]}
    filled["straight lines"] = mine.with_mask(mine.mask).flux[0]
    filled |= {
        f"mean {label}": np.where(bad, class_mean(classifier.training, label), mine.flux[0])
        for label in machine.classes_
    }
    table = QTable({"filled_with": list(filled)})
    values = machine.predict_proba(np.vstack(list(filled.values())))
    for label, column in zip(machine.classes_.astype(str), values.T, strict=True):
        table[label] = column
        table[label].info.format = ".4f"
    return table


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < 3:
        return float("nan")
    return float(row_correlation(first[None, known], second[None, known], "spearman")[0])
