"""Attribution by removing flux and asking the model again: works for anything that predicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from agnsal.attribution.answer.attribution import Attribution, versions
from agnsal.attribution.answer.line_sums import LineTable
from agnsal.attribution.question.baselines import resolve_baseline
from agnsal.attribution.question.methods import declare
from agnsal.attribution.question.question import Question, ask, names_of
from agnsal.attribution.question.sampling import Moments
from agnsal.errors import AgnsalError, same_option
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.editing.filling import neighbours, noise_level, straight_line, stretches
from agnsal.spectra.editing.line_removal import Ablation, line_ablations, warn_of_unobserved
from agnsal.spectra.lines import LINES
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample


@declare("occlusion", answers="experiments", differentiable=False)
def occlusion(
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: str = "probability",
    *,
    regions: Any = None,
    fill: Any = "baseline",
    baseline: Any = None,
    n_draws: int = 16,
    random_state: Seed = None,
    window: Any = None,
) -> Attribution:
    """Fall of the output when one region after the other is replaced by something harmless.

    Without regions it is the fall for every single feature, ``f(x) - f(x with x_i = baseline_i)``.

    Parameters
    ----------
    model : object
        Anything `as_differentiable` takes, or any fitted estimator that predicts.
    sample_or_X, target, output
        As in `saliency`.
    regions : None, Regions, int, Quantity, str, sequence of str, or array_like of int, shape (n_features,)
        What is replaced together: every feature by itself; windows of so many features, or of that width; each of
        the named lines, core and wings, and the rest; or features with equal labels.
    fill : str, tuple or array_like
        What takes the place: ``"baseline"``; ``"continuum"``, straight lines from the levels beside the window;
        ``"noise"``, the same with noise of the size of the flux errors, or of the scatter of the spectrum where they
        are not known; or directly anything a baseline may be, as in ``"mean"``, ``("class mean", label)``.
    baseline
        For ``fill="baseline"``, as in `integrated_gradients`; None is the training mean.
    n_draws : int
        Draws of the noise.
    random_state : int, RandomState, Generator or None
        Seeds it.
    window : object
        Another name for `regions`.

    Returns
    -------
    Attribution
        Without unit. The fall for a region is shared equally among its features; the values do not sum to anything.
        `baseline` holds what took the place (without noise).

    Raises
    ------
    AgnsalError
        If the regions or the baseline do not fit.

    References
    ----------
    Zeiler & Fergus 2014, arXiv:1311.2901.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> X = np.random.default_rng(0).normal(size=(80, 4))
    >>> forest = RandomForestClassifier(random_state=0).fit(X, np.where(X[:, 2] > 0, "up", "down"))
    >>> int(np.abs(occlusion(forest, X, "up", baseline="zero").values).mean(axis=0).argmax())
    2
    """
    question = ask(model, sample_or_X, target, output, differentiable=False)
    X = question.X
    said = same_option("regions", regions, "window", window)
    regions = question.regions(said)
    noisy = isinstance(fill, str) and fill == "noise"
    if noisy or (isinstance(fill, str) and fill == "continuum"):
        replacement, name = _bridged(question, regions), str(fill)
    else:
        replacement, name = resolve_baseline(question, baseline if _is_baseline(fill) else fill)
    whole = np.broadcast_to(replacement, X.shape)

    def measure(noise: NDArray[np.float64] | float) -> NDArray[np.float64]:
        filled = whole + noise
        after = np.empty(len(X) * len(regions))
        for rows, numbers in question.blocks(len(regions)):
            changed = np.where(regions.labels == numbers[:, None], filled[rows], X[rows])
            after[rows * len(regions) + numbers] = question.explained(changed, rows)
        return question.value[:, None] - after.reshape(len(X), len(regions))

    seed = seed_of(random_state) if noisy or random_state is not None else None
    values, errors = _over_noise(measure, question, noisy, n_draws, seed, len(regions))
    return question.answer(
        regions.spread(values),
        method="occlusion",
        baseline=replacement,
        regions=None if said is None else regions,
        uncertainty=None if errors is None else {"sampling": regions.spread(errors)},
        options={"regions": said, "fill": fill, "baseline": baseline, "n_draws": n_draws, "random_state": seed},
        found={"baseline": name},
    )


def line_ablation(
    model: Any,
    sample: SpectralSample,
    target: Any = "predicted",
    output: str = "probability",
    *,
    lines: Any = None,
    part: str = "all",
    fill: Any = "continuum",
    n_draws: int = 16,
    random_state: Seed = None,
) -> LineTable:
    """Fall of the output when named lines are removed, one at a time: the causal check beside every map.

    Parameters
    ----------
    model : object
        Anything `as_differentiable` takes, or any fitted estimator that predicts.
    sample : SpectralSample
        In vacuum and rest frame.
    target, output
        As in `saliency`.
    lines : str or sequence of str, optional
        Names of lines or windows; by default the common lines on the grid.
    part : {"all", "core", "wings"}
        What of each line is removed.
    fill : str, tuple or array_like
        As in `remove_lines`.
    n_draws : int
        Draws of the noise for ``fill="noise"``.
    random_state : int, RandomState, Generator or None
        Seeds it.

    Returns
    -------
    QTable
        A row per spectrum and line: ``object_id``, ``target``, ``line``, ``wavelength`` (vacuum), ``part``,
        ``n_bins``, ``removed`` (the integral of the flux taken away, in Angstrom times its unit), ``before``,
        ``after`` and ``change`` = before - after, positive where the line spoke for the target; with noise the mean
        over its draws and the standard error, ``error``. ``meta`` says what was asked.

    Raises
    ------
    AgnsalError
        If a line is unknown, off the grid, or without bins in that part.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(20, 20, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    >>> table = line_ablation(model, sample[:2], "type 1", lines=["Hbeta", "[O III] 5007"], part="wings")
    >>> len(table), table.colnames[1:3]
    (4, ['line', 'change'])
    """
    question = ask(model, _sample(sample), target, output, differentiable=False)
    X = question.X
    noisy = isinstance(fill, str) and fill == "noise"
    ablations = line_ablations(sample, lines, part, "continuum" if noisy else fill)
    names = list(ablations)
    warn_of_unobserved(sample.ids, ablations, "their change is NaN")

    def measure(noise: NDArray[np.float64] | float) -> NDArray[np.float64]:
        after = np.empty((len(X), len(names)))
        for rows, numbers in question.blocks(len(names)):
            changed = X[rows]
            for number, ablation in enumerate(ablations.values()):
                _replace(changed, numbers == number, rows, ablation, noise)
            after[rows, numbers] = question.explained(changed, rows)
        return question.value[:, None] - after

    seed = seed_of(random_state) if noisy else None
    change, errors = _over_noise(measure, question, noisy, n_draws, seed, len(names))
    observed = np.stack([ablation.observed for ablation in ablations.values()], axis=1)
    change = np.where(observed, change, np.nan)
    width = sample.grid.widths
    table = LineTable()  # the answer first
    table["object_id"] = np.repeat(sample.ids, len(names))
    table["line"] = np.tile(names, len(X))
    table["change"] = change.ravel()
    if errors is not None:
        table["error"] = errors.ravel()
    table["target"] = np.repeat(names_of(question.target), len(names))
    table["before"] = np.repeat(question.value, len(names))
    table["after"] = table["before"] - change.ravel()
    integrals = [(X[:, a.removed] - a.filled) @ width[a.removed] for a in ablations.values()]
    table["removed"] = np.stack(integrals, axis=1).ravel() * sample.unit
    table["part"] = part
    table["n_bins"] = np.tile([int(ablation.removed.sum()) for ablation in ablations.values()], len(X))
    table["wavelength"] = np.tile([LINES[name].wavelength for name in names], len(X)) * sample.wavelength.unit
    table.round_for_readers()
    described = fill if isinstance(fill, str | tuple) else "given"
    table.meta.update(
        method="line_ablation",
        output=output,
        fill=described,
        random_state=seed,
        versions=versions(),
    )
    return table


def _replace(
    changed: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    rows: NDArray[np.intp],
    ablation: Ablation,
    noise: NDArray[np.float64] | float,
) -> None:
    """Put the filling of one line, with noise, into the inputs that are to be without it."""
    filled = ablation.filled[rows[chosen]]
    if isinstance(noise, np.ndarray):
        filled = filled + noise[rows[chosen]][:, ablation.removed]
    changed[np.ix_(chosen, ablation.removed)] = filled


def _over_noise(
    measure: Callable[[NDArray[np.float64] | float], NDArray[np.float64]],
    question: Question,
    noisy: bool,
    n_draws: int,
    seed: int | None,
    n_regions: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Measure once, or with several draws of noise; then with standard errors."""
    if not noisy:
        return measure(0.0), None
    if n_draws < 2:
        raise AgnsalError(f"n_draws must be at least 2, got {n_draws}.")
    X, sample = question.X, question.sample
    sigma = noise_level(X) if sample is None else noise_level(X, sample.ivar, sample.mask)
    random, moments = check_random_state(seed), Moments((len(X), n_regions))
    for _ in range(n_draws):
        draw = random.standard_normal(X.shape[1])  # the same for all spectra: a result does not depend on its company
        moments.add(np.arange(len(X)), measure(sigma * draw))
    return moments.mean, np.sqrt(moments.variance / n_draws)


def _is_baseline(fill: Any) -> bool:
    return isinstance(fill, str) and fill == "baseline"


def _bridged(question: Question, regions: Regions) -> NDArray[np.float64]:
    """Straight lines under every window, from the levels beside it."""
    X, sample = question.X, question.sample
    position = np.arange(float(X.shape[1])) if sample is None else sample.wavelength.value
    bad = None if sample is None else sample.mask
    filled = np.empty(X.shape)
    for number in range(len(regions)):
        for stretch in stretches(regions.labels == number):
            filled[:, stretch] = straight_line(X, position, stretch, neighbours(stretch), bad)
    return filled


def _sample(sample: Any) -> SpectralSample:
    if not isinstance(sample, SpectralSample):
        raise AgnsalError(
            f"line_ablation needs a SpectralSample, which knows its wavelengths, got {type(sample).__name__}."
        )
    return sample
