"""Does the model do what the map says? Deletion, insertion and infidelity, with a fill that looks like a spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.question.baselines import resolve_baseline
from agnsal.attribution.question.question import Question, ask
from agnsal.checks.scoring import row_correlation
from agnsal.errors import AgnsalError
from agnsal.spectra.regions import Regions


@dataclass(frozen=True, eq=False)
class Trial:
    """A map, the model it claims to explain, and what to put where flux is removed.

    Attributes
    ----------
    question : Question
        The output that is explained.
    effects : ndarray, shape (n, n_features)
        What the map says removing each feature takes from the output.
    fill : ndarray, shape (n, n_features)
        Takes the place of what is removed.
    regions : Regions
        What is removed together.
    """

    question: Question
    effects: NDArray[np.float64]
    fill: NDArray[np.float64]
    regions: Regions

    @property
    def window_effects(self) -> NDArray[np.float64]:
        """`effects` summed over each window, shape (n, n_windows)."""
        return self.regions.sums(self.effects)

    def without(self, removed: NDArray[np.bool_], rows: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
        """Output once windows are removed.

        Parameters
        ----------
        removed : ndarray of bool, shape (m, n_windows)
            Which windows.
        rows : ndarray of int, shape (m,), optional
            Of which spectra.

        Returns
        -------
        ndarray, shape (m,)
        """
        rows = np.arange(len(self.fill)) if rows is None else rows
        X = np.where(removed[:, self.regions.labels], self.fill[rows], self.question.X[rows])
        return self.question.explained(X, rows)

    def windows_alone(self) -> NDArray[np.float64]:
        """What removing each window by itself does take from the output, shape (n, n_windows)."""
        n, m = len(self.fill), len(self.regions)
        after = np.empty(n * m)
        single = np.eye(m, dtype=bool)
        for rows, numbers in self.question.blocks(m):
            after[rows * m + numbers] = self.without(single[numbers], rows)
        return self.question.value[:, None] - after.reshape(n, m)


def make_trial(
    attribution: Attribution, model: Any, sample_or_X: Any, *, fill: Any = None, regions: Any = None
) -> Trial:
    """Check that a map belongs to spectra, and prepare to remove parts of them.

    Parameters
    ----------
    attribution : Attribution
        The map.
    model : object
        The model it explains.
    sample_or_X : SpectralSample or array_like, shape (n, n_features)
        The spectra it explains.
    fill : object, optional
        Anything a baseline may be, see `agnsal.integrated_gradients`. By default the baseline the map was made with:
        a map says what differs from that. For maps without one the continuum under the emission lines where the grid
        is known, so that what is left still looks like a spectrum; else the mean of the spectra.
    regions : object, optional
        What is removed together, see `agnsal.occlusion`; by default the regions the map was made in, else windows of
        a hundredth of the features.

    Returns
    -------
    Trial

    Raises
    ------
    AgnsalError
        If the map is of other spectra.
    """
    target = attribution.target
    if attribution.output == "pairwise":
        target = np.array([str(name).split(" over ") for name in target])
    question = ask(model, sample_or_X, target, attribution.output, differentiable=False)
    if attribution.values.shape != question.X.shape:
        raise AgnsalError(
            f"the map has shape {attribution.values.shape}, the spectra {question.X.shape}; maps on the axis of a "
            "transform cannot be checked, explain over wavelength."
        )
    if not np.allclose(attribution.inputs, question.X, rtol=1e-6, atol=1e-9):
        raise AgnsalError("the map explains other spectra than these; give the ones it was made from, in that order.")
    grid = None if question.sample is None else question.sample.grid
    if fill is None and attribution.baseline is not None:
        fill = attribution.baseline
    elif fill is None:
        fill = "mean" if grid is None or (grid.medium, grid.frame) != ("vacuum", "rest") else "continuum"
    filled, _ = resolve_baseline(question, fill)
    filled = np.broadcast_to(filled, question.X.shape)
    effects = attribution.values
    if attribution.answers == "gradient":
        effects = effects * (question.X - filled)
    d = question.X.shape[1]
    if regions is None:
        regions = attribution.regions
    if regions is None:
        regions = max(1, d // 100)
    regions = Regions.of(regions, d, grid)
    return Trial(question, effects, filled, regions)


@dataclass(frozen=True, eq=False)
class RemovalCurves:
    """Output while more and more of each spectrum is removed.

    Attributes
    ----------
    removed : ndarray, shape (n_steps + 1,)
        Share of the windows removed, from 0 to 1.
    deletion : ndarray, shape (n, n_steps + 1)
        What the map says supports the output most goes first. Read from the right it is insertion in reverse order.
    insertion : ndarray, shape (n, n_steps + 1)
        What it says supports the output least goes first, so that the most important stays longest.
    attainable : ndarray, shape (n,)
        Area between the two curves for the order in which windows matter by themselves.
    alone : ndarray, shape (n, n_windows)
        What removing each window by itself takes from the output.
    """

    removed: NDArray[np.float64]
    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]
    attainable: NDArray[np.float64]
    alone: NDArray[np.float64]

    @property
    def area(self) -> NDArray[np.float64]:
        """Area between the curves, shape (n,): 0 in the mean for an order that knows nothing, negative if misled."""
        return _area(self.removed, self.insertion - self.deletion)

    @property
    def share(self) -> NDArray[np.float64]:
        """`area` over `attainable`, shape (n,): near 1 for a map that knows what matters."""
        usable = self.attainable > 1e-12
        ratio = np.clip(self.area / np.where(usable, self.attainable, 1.0), -1.5, 1.5)
        return np.where(usable, ratio, np.nan)


def removal_curves(trial: Trial, n_steps: int = 20) -> RemovalCurves:
    """Remove windows in the order of the map, and in the order in which they matter by themselves.

    Parameters
    ----------
    trial : Trial
        See `make_trial`.
    n_steps : int
        Points on the curves.

    Returns
    -------
    RemovalCurves

    References
    ----------
    Samek et al. 2017, IEEE TNNLS 28, 2660; Petsiuk et al. 2018, arXiv:1806.07421.
    """
    m = len(trial.regions)
    counts = np.unique(np.round(np.linspace(0, m, min(n_steps, m) + 1)).astype(int))
    order = trial.window_effects
    deletion, insertion = _curve(trial, -order, counts), _curve(trial, order, counts)
    alone = trial.windows_alone()
    best = _curve(trial, alone, counts) - _curve(trial, -alone, counts)
    removed = counts / m
    return RemovalCurves(removed, deletion, insertion, _area(removed, best), alone)


def _curve(trial: Trial, order: NDArray, counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Output with the first `counts` windows removed, smallest of `order` first."""
    rank = np.argsort(np.argsort(order, axis=1, kind="stable"), axis=1)
    n, steps = len(order), len(counts)
    values = np.empty(n * steps)
    for rows, numbers in trial.question.blocks(steps):
        values[rows * steps + numbers] = trial.without(rank[rows] < counts[numbers, None], rows)
    return values.reshape(n, steps)


def _area(removed: NDArray, difference: NDArray) -> NDArray[np.float64]:
    return np.trapezoid(difference, removed, axis=1)


def infidelity(
    trial: Trial, n_subsets: int = 48, random_state: Any = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare what the map says of removing random sets of windows with what happens.

    Parameters
    ----------
    trial : Trial
        See `make_trial`.
    n_subsets : int
        Sets of windows; between a tenth and a half of them are removed.
    random_state : int or Generator
        Seeds the sets; by default always the same, so that a check can be repeated.

    Returns
    -------
    correlation : ndarray, shape (n,)
        Between the predicted and the true fall of the output: 1 for a perfect map of any scale.
    infidelity : ndarray, shape (n,)
        Mean squared difference over the mean squared fall, after the best common factor for each spectrum.

    References
    ----------
    Yeh et al. 2019, arXiv:1901.09392 (infidelity); Bhatt et al. 2020, arXiv:2005.00631 (correlation).
    """
    rng = np.random.default_rng(random_state)
    m, n = len(trial.regions), len(trial.fill)
    shares = rng.uniform(0.1, 0.5, (n_subsets, 1))
    subsets = rng.random((n_subsets, m)) < shares
    after = np.empty(n * n_subsets)
    for rows, numbers in trial.question.blocks(n_subsets):
        after[rows * n_subsets + numbers] = trial.without(subsets[numbers], rows)
    fall = trial.question.value[:, None] - after.reshape(n, n_subsets)
    predicted = trial.window_effects @ subsets.T.astype(np.float64)
    norm = (predicted**2).sum(axis=1)
    factor = np.maximum((predicted * fall).sum(axis=1) / np.where(norm > 0, norm, 1.0), 0.0)
    size = (fall**2).sum(axis=1)
    missed = ((fall - factor[:, None] * predicted) ** 2).sum(axis=1)
    return row_correlation(predicted, fall), np.where(size > 0, missed / np.where(size > 0, size, 1.0), np.nan)


def completeness(attribution: Attribution, trial: Trial) -> NDArray[np.float64] | None:
    """Share of the difference to the baseline that the values do not add up to.

    Parameters
    ----------
    attribution : Attribution
        The map.
    trial : Trial
        Of that map.

    Returns
    -------
    ndarray, shape (n,), or None
        None for methods that promise no sum (gradients, occlusion), or without a baseline.

    Notes
    -----
    The residual that a map was made with is believed, but for a map against a background, which is kept with it: there
    the mean output of the background is evaluated anew.
    """
    background = attribution.options.get("background")
    if isinstance(background, np.ndarray) and background.shape[1:] == attribution.values.shape[1:]:
        return _missing(attribution, trial.question.value - _mean_output(trial.question, background))
    if attribution.residual is not None:
        total = attribution.values.sum(axis=1) + attribution.residual
        return np.abs(attribution.residual) / np.maximum(np.abs(total), 1e-12)
    if attribution.baseline is None or attribution.answers != "shares":
        return None
    start = np.ascontiguousarray(np.broadcast_to(attribution.baseline, trial.question.X.shape))
    return _missing(attribution, trial.question.value - trial.question.explained(start))


def _missing(attribution: Attribution, difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a difference that the values do not add up to."""
    return np.abs(difference - attribution.values.sum(axis=1)) / np.maximum(np.abs(difference), 1e-12)


def _mean_output(question: Question, background: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean output of a background for what each spectrum is explained for, shape (n,)."""
    _, first, again = np.unique(question.weights, axis=0, return_index=True, return_inverse=True)
    means = [question.explained(background, np.full(len(background), row)).mean() for row in first]
    return np.array(means)[again.ravel()]
