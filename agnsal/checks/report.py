"""One call that asks everything of a map, and says in words what came out."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.local.paths import integrated_gradients
from agnsal.checks.faithfulness import (
    RemovalCurves,
    Trial,
    completeness,
    infidelity,
    make_trial,
    removal_curves,
)
from agnsal.checks.familiarity import Familiarity
from agnsal.checks.nuisances.confounds import check_confounds
from agnsal.checks.sanity import explainer_of, randomized, refitted, similarity
from agnsal.checks.scoring import row_correlation, summary
from agnsal.checks.stability import max_sensitivity, noise_stability, refit_stability
from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError, AgnsalWarning, same_option
from agnsal.models.model import KINDS
from agnsal.models.refitting import fresh_copy
from agnsal.models.validation import flux_of
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.origin import check_alike
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What must be reached to pass and, below that, not to fail; whether more is better.
LIMITS = {
    "deletion and insertion": (0.7, 0.5, True),
    "infidelity": (0.7, 0.5, True),
    "completeness": (0.05, 0.2, False),
    "reproduction": (0.99, 0.8, True),
    "randomised model": (0.5, 0.8, False),
    "randomised labels": (0.5, 0.8, False),
    "familiarity": (0.1, 0.5, False),
    "agreement": (0.5, 0.2, True),
    "sensitivity": (0.5, 1.0, False),
    "flux noise": (0.8, 0.5, True),
    "refits": (0.7, 0.4, True),
}
#: What may be said of a map as a whole.
VERDICTS = ("faithful to the model", "faithful with care", "not faithful to the model")
#: The check of the sample, which says nothing of the map and stands beside its verdict.
CONFOUNDS = "confounds"
#: A map that fails one of these is not an explanation of this model.
DECISIVE = ("deletion and insertion", "infidelity", "reproduction")
#: Over fewer regions than this a rank correlation says nothing.
FEW_REGIONS = 10
_UNSIGNED = "a variance does not say what removing flux would do"
_WORDS = {
    "deletion and insertion": "removing first what the map calls important does {mean:.0%} of what the best order does",
    "infidelity": "what the map says of removing parts correlates with what happens at r = {mean:.2f}",
    "completeness": "the values miss {mean:.1%} of the difference they should sum to",
    "reproduction": "the stated method, asked again, gives a map that correlates at r = {mean:.2f}",
    "randomised model": "with the weights shuffled the map stays alike at {mean:.2f} beyond the spectrum itself",
    "randomised labels": "trained on shuffled labels the map stays alike at {mean:.2f} beyond the spectrum itself",
    "familiarity": "{mean:.0%} of the spectra are unlike the training set",
    "agreement": "with occlusion and integrated gradients of the same windows the map agrees at r = {mean:.2f}",
    "sensitivity": "a step of 1 % of the spectrum in a random direction changes the map by up to {mean:.0%}",
    "flux noise": "observed again with the same errors the map would correlate at r = {mean:.2f}",
    "refits": "trained on resampled spectra the map would correlate at r = {mean:.2f}",
}


@dataclass(frozen=True)
class Finding:
    """Outcome of one check.

    Attributes
    ----------
    name : str
        Which check.
    verdict : str
        ``"pass"``, ``"care"``, ``"fail"`` or ``"not done"``.
    words : str
        What was found, or why it was not done.
    mean, low, high : float
        Mean over the spectra and its 95 % confidence interval.
    """

    name: str
    verdict: str
    words: str
    mean: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True, eq=False)
class Report(Displayed):
    """Everything that was asked of a map.

    Attributes
    ----------
    method, output : str
        What was checked.
    n : int
        Number of spectra that were used.
    n_maps : int
        Number of maps that were given, of which these were chosen evenly.
    findings : tuple of Finding
        One for each check.
    curves : RemovalCurves
        Deletion and insertion, for the figure.
    random_state : int
        Seed of what was drawn; given to `check` again it gives the same report.
    """

    method: str
    output: str
    n: int
    n_maps: int
    findings: tuple[Finding, ...]
    curves: RemovalCurves
    random_state: int

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise AgnsalError(f"there is no check {name!r}; there are {', '.join(one.name for one in self.findings)}.")

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`: whether the map says what the *model* does, not whether the model is right."""
        verdicts = {finding.name: finding.verdict for finding in self.findings if finding.name != CONFOUNDS}
        if any(verdicts.get(name) == "fail" for name in DECISIVE):
            return VERDICTS[2]
        return VERDICTS[1 if {"fail", "care"} & set(verdicts.values()) else 0]

    @property
    def passed(self) -> bool:
        """Whether the map explains this model: no decisive check failed."""
        return self.verdict != VERDICTS[2]

    def _display(self) -> Table:
        what = f"{self.method.replace('_', ' ')} of the {self.output.replace('_', '-')}"
        rows = [(one.verdict, one.name, one.words) for one in self.findings]
        whole = f"{self.n} of {self.n_maps}" if self.n < self.n_maps else f"{self.n}"
        beside = "" if self[CONFOUNDS].verdict != "care" else ", of a confounded sample"
        return Table(f"{what}, {whole} spectra: {self.verdict}{beside}", rows)

    def __repr__(self) -> str:
        return f"<Report: {self.method} of the {self.output}, {self.verdict}>"

    def table(self) -> QTable:
        """One row a check.

        Returns
        -------
        QTable
            ``check``, ``verdict``, ``mean``, ``low``, ``high``, ``words``.
        """
        table = QTable()
        table["check"] = [one.name for one in self.findings]
        table["verdict"] = [one.verdict for one in self.findings]
        for column in ("mean", "low", "high"):
            table[column] = [getattr(one, column) for one in self.findings]
        table["words"] = [one.words for one in self.findings]
        table.meta.update(method=self.method, output=self.output, n=self.n, n_maps=self.n_maps, verdict=self.verdict)
        return table

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the deletion and insertion curves; see `agnsal.figures.plot_removal`.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes
        """
        from agnsal.figures import plot_removal

        return plot_removal(self, ax=ax)


def check(
    attribution: Attribution,
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    *,
    training: SpectralSample | tuple[ArrayLike, ArrayLike] | None = None,
    fill: Any = None,
    regions: Any = None,
    noise: ArrayLike | None = None,
    n_refits: int = 5,
    max_spectra: int = 40,
    random_state: Seed = None,
    window: Any = None,
) -> Report:
    """Can this map be trusted?

    Asks whether the model does what the map says (deletion and insertion, infidelity, completeness), whether the
    stated method gives this map at all, whether the map notices when the model has forgotten what it learnt (weights
    shuffled, refitted to shuffled labels), and whether it would survive another observation and another training set.
    A map that passes explains the *model*; whether the model is right about the sky is another question.

    Parameters
    ----------
    attribution : Attribution
        Any result, of any method.
    model : object
        The model it explains, as fitted.
    sample_or_X : SpectralSample or array_like, shape (n, n_features)
        The spectra it explains, in that order.
    training : SpectralSample with labels, or (X, y), optional
        The training set, for the checks that fit the model again.
    fill, regions : object, optional
        What takes the place of removed flux, and what is removed together; see
        `agnsal.checks.faithfulness.make_trial`.
    noise : array_like, optional
        Flux errors, where the sample does not know them.
    n_refits : int
        Refits to resampled training sets.
    max_spectra : int
        Only this many spectra are checked, evenly spaced.
    random_state : int, RandomState, Generator or None
        Seeds everything that draws. What was used is in `Report.random_state`: with it a verdict is repeated to the
        last digit, without it one that is near a border may come out otherwise.
    window : object
        Another name for `regions`.

    Returns
    -------
    Report

    Raises
    ------
    AgnsalError
        If the map is of other spectra, of none, or of what is no output of a classifier. What is no map is refused with
        what says whether it can be trusted.

    Examples
    --------
    >>> import agnsal
    >>> X = np.random.default_rng(0).normal(size=(80, 20))
    >>> model = agnsal.ProbabilisticSVC(random_state=0).fit(X, np.where(X[:, 1] - X[:, 7] > 0, "up", "down"))
    >>> print(check(agnsal.saliency(model, X, output="log_odds"), model, X, random_state=0).verdict)
    faithful to the model
    """
    spectra = _spectra_of(attribution, sample_or_X, training)
    seed = seed_of(random_state)
    chosen = np.unique(np.linspace(0, len(attribution) - 1, min(max_spectra, len(attribution))).round().astype(int))
    n_maps, attribution, part = len(attribution), attribution[chosen], spectra[chosen]
    trial = make_trial(attribution, model, part, fill=fill, regions=same_option("regions", regions, "window", window))
    curves = removal_curves(trial)
    signed = attribution.answers != "variance"
    findings = [
        _judged("deletion and insertion", curves.share if signed else None, _UNSIGNED),
        _judged("infidelity", infidelity(trial, random_state=seed)[0] if signed else None, _UNSIGNED),
        _judged("completeness", completeness(attribution, trial), "this method does not promise to add up"),
        _judged("agreement", _agreement(trial, curves.alone, model) if signed else None, _UNSIGNED),
    ]
    findings += [_familiarity(training, part), _confounds(training)]
    explain = explainer_of(attribution, trial.question.target)
    names = ("reproduction", "randomised model", "randomised labels", "sensitivity", "flux noise", "refits")
    if explain is None:
        why = f"this {attribution.method!r} map does not know how it was made, so it cannot be asked again"
        findings += [Finding(name, "not done", why) for name in names]
        return Report(attribution.method, attribution.output, len(attribution), n_maps, tuple(findings), curves, seed)
    values = attribution.values
    findings.append(_judged("reproduction", row_correlation(values, explain(model, part))))

    regions = Regions.of(attribution.regions, values.shape[1])
    few = attribution.regions is not None and len(regions) < FEW_REGIONS
    shared = None
    if attribution.answers not in ("gradient", "variance"):
        shared = regions.sums(np.abs(trial.question.X - trial.fill))

    def alike(other: Any) -> NDArray[np.float64] | None:
        """How alike the map of another model is, region by region."""
        return None if few else similarity(regions.sums(values), regions.sums(explain(other, part)), shared)

    too_few = f"fewer than {FEW_REGIONS} regions look alike by chance"
    forgotten = list(randomized(model, seed).values())
    flat = "the shuffled model is flat here" if forgotten else "this kind of model has no weights to shuffle"
    findings.append(
        _judged("randomised model", alike(forgotten[-1]) if forgotten else None, too_few if few and forgotten else flat)
    )
    known, why = _training(training), "give the training set: training=..."
    if known is not None:
        try:
            fresh_copy(model)
        except AgnsalError as error:
            known, why = None, str(error)
    if known is None:
        findings.append(Finding("randomised labels", "not done", why))
    else:
        shuffled = refitted(model, *known, "shuffled labels", seed)
        findings.append(_judged("randomised labels", alike(shuffled), too_few if few else ""))
    findings.append(_judged("sensitivity", max_sensitivity(explain, model, part, values, random_state=seed)))
    has_errors = noise is not None or (isinstance(part, SpectralSample) and part.ivar is not None)
    observed = (
        noise_stability(explain, model, part, values, noise=_rows(noise, chosen), random_state=seed)
        if has_errors
        else None
    )
    findings.append(_judged("flux noise", observed, "the flux errors are not known: noise=..."))
    again = None
    if known is not None and n_refits > 0:
        again = refit_stability(explain, model, part, values, known, n_refits=n_refits, random_state=seed)
    findings.append(_judged("refits", again, why))
    return Report(attribution.method, attribution.output, len(attribution), n_maps, tuple(findings), curves, seed)


def _spectra_of(attribution: Any, sample_or_X: Any, training: Any) -> Any:
    """The spectra that a map explains; what is no map of a model's output is refused with what judges it."""
    if not isinstance(attribution, Attribution):
        how = getattr(attribution, "judged_by", "maps are what saliency, shapley and their like return")
        raise AgnsalError(f"check asks of a map, an Attribution, and got {type(attribution).__name__}: {how}.")
    if attribution.output not in KINDS:
        raise AgnsalError(
            f"the map explains the {attribution.output}, which no classifier gives, so that none can be asked; its "
            "values sum to .explained."
        )
    spectra = sample_or_X if isinstance(sample_or_X, SpectralSample) else flux_of(sample_or_X)
    if len(spectra) != len(attribution):
        raise AgnsalError(f"the map explains {len(attribution)} spectra, {len(spectra)} were given.")
    if isinstance(spectra, SpectralSample) and isinstance(training, SpectralSample):
        check_alike(spectra, training, "the explained spectra are such that their")
    return spectra


def _agreement(trial: Trial, alone: NDArray[np.float64], model: Any) -> NDArray[np.float64]:
    """Mean correlation of a map with what two other methods say of the same windows and the same fill."""
    found = [row_correlation(trial.window_effects, alone)]
    question = trial.question
    with warnings.catch_warnings(), contextlib.suppress(AgnsalError):  # not every model has a gradient
        warnings.simplefilter("ignore", AgnsalWarning)
        other = integrated_gradients(model, question.X, question.target, question.output, baseline=trial.fill.copy())
        found.append(row_correlation(trial.window_effects, trial.regions.sums(other.values)))
    return np.mean(found, axis=0)


def _familiarity(training: Any, part: Any) -> Finding:
    """Share of the spectra that are flagged as unlike the training set."""
    if not isinstance(training, SpectralSample) or not isinstance(part, SpectralSample):
        return Finding("familiarity", "not done", "give the training set as a SpectralSample: training=...")
    try:
        return _judged("familiarity", Familiarity().fit(training).flag(part).astype(np.float64))
    except AgnsalError as error:
        return Finding("familiarity", "not done", str(error))


def _confounds(training: Any) -> Finding:
    """Whether redshift, signal-to-noise or coverage alone tells the classes of the training set."""
    if not isinstance(training, SpectralSample) or training.labels is None:
        return Finding(CONFOUNDS, "not done", "give the training set as a SpectralSample with labels: training=...")
    try:
        report = check_confounds(training, n_shuffles=1, random_state=0)
    except AgnsalError as error:
        return Finding(CONFOUNDS, "not done", str(error))
    worst = report.table[int(np.argmax(report.table["auc"]))]
    found = (float(worst[name]) for name in ("auc", "auc_low", "auc_high"))
    return Finding(CONFOUNDS, "care" if report.confounds else "pass", f"in the training set {worst['words']}", *found)


def _judged(name: str, values: NDArray[np.float64] | None, otherwise: str = "") -> Finding:
    """Compare the mean over the spectra with the limits of a check."""
    if values is None or not np.isfinite(values).any():
        return Finding(name, "not done", otherwise or "no spectrum gives an answer")
    found = summary(values)
    pass_at, fail_at, more = LIMITS[name]
    sign = 1 if more else -1
    verdict = "fail"
    if sign * found["mean"] >= sign * pass_at:
        verdict = "pass"
    elif sign * found["mean"] >= sign * fail_at:
        verdict = "care"
    return Finding(name, verdict, _WORDS[name].format(**found), found["mean"], found["low"], found["high"])


def _training(training: Any) -> tuple[NDArray[Any], NDArray[Any]] | None:
    if training is None:
        return None
    if isinstance(training, SpectralSample):
        if training.labels is None:
            raise AgnsalError("the training sample has no labels; pass (X, y).")
        return training.flux, np.asarray(training.labels)
    X, y = training
    return np.asarray(X, dtype=np.float64), np.asarray(y)


def _rows(noise: Any, chosen: NDArray[np.intp]) -> Any:
    return np.asarray(noise)[chosen] if noise is not None and np.ndim(noise) == 2 else noise
