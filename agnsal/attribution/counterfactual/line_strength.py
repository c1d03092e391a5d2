"""How strong one line would have to be for another class to be the most probable one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import product

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.models.machine.svc import ProbabilisticSVC
from agnsal.spectra.editing.line_removal import PARTS, line_ablations
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.lines import LINES, line_masks
from agnsal.spectra.sample import SpectralSample

#: How far a line may be turned: removed, to so many times its strength.
STRONGEST = 4.0
#: Steps up to there, and how often the step in which the class changes is halved: to ten digits.
_STEPS, _HALVINGS = 80, 32
#: Golden sections of two steps, until a minimum is known to a millionth.
_GOLDEN, _SECTIONS = 0.6180339887, 24


def lines_on(grid: WavelengthGrid) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """The named lines on a grid with their parts, without windows that hold many."""
    return {line: parts for line, parts in line_masks(grid).items() if LINES[line].kind != "window"}


def with_lines_of(sample: SpectralSample, others: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Spectra on their own continua, in the bins of each line with what stands above the continuum of others there.

    What an exchange of a region for that of another spectrum does and this does not, the continuum does.

    Parameters
    ----------
    sample : SpectralSample
        The spectra.
    others : ndarray, shape (n, n_bins)
        Another for each.

    Returns
    -------
    dict of str to ndarray, shape (n, n_bins)
        By line.
    """
    found, theirs = {}, sample.with_flux(others)
    for line in lines_on(sample.grid):
        own, other = (line_ablations(each, [line], "all", "continuum")[line] for each in (sample, theirs))
        found[line] = sample.flux.copy()
        found[line][:, own.removed] = own.filled + others[:, own.removed] - other.filled
    return found


def is_continuum(alone: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a region is to be called continuum: its line alone does less than half of what the region does.

    Parameters
    ----------
    alone, whole : ndarray
        What `with_lines_of` and what an exchange of the whole region takes from an output; NaN where not known.

    Returns
    -------
    ndarray of bool

    Examples
    --------
    >>> is_continuum(np.array([0.9, 0.1, 0.1, np.nan]), np.array([1.0, 1.0, -1.0, 1.0]))
    array([False,  True,  True, False])
    """
    return alone * np.sign(whole) < 0.5 * np.abs(whole)


def without_lines(sample: SpectralSample) -> dict[str, NDArray[np.float64]]:
    """Spectra with each line, or its core or its wings, cut off at its continuum, where it was observed.

    Parameters
    ----------
    sample : SpectralSample
        One spectrum.

    Returns
    -------
    dict of str to ndarray, shape (1, n_bins)
        By the name of the line and of its part, such as ``"Hbeta core"``.
    """
    found = {}
    for line, part in product(lines_on(sample.grid), PARTS):
        try:
            ablation = line_ablations(sample, [line], part, "continuum")[line]
        except AgnsalError:  # no such part
            continue
        if ablation.observed[0]:
            flux = sample.flux.copy()
            flux[:, ablation.removed] = ablation.filled
            found[f"{line} {part}"] = np.where(sample.mask, sample.flux, flux)
    return found


def changing_factors(
    machine: ProbabilisticSVC, sample: SpectralSample, without: Mapping[str, NDArray[np.float64]]
) -> QTable:
    """Factors on the strength of one line at which another class becomes the most probable one.

    The margin of the class, its log probability less that of the next, is followed in steps of a twentieth. Where it
    nearly vanishes between two steps its least value is sought, so that a class which comes and goes again within one
    is found; from the nearest change the border is then halved in, all lines at once.

    Parameters
    ----------
    machine : ProbabilisticSVC
        What classifies.
    sample : SpectralSample
        One spectrum.
    without : mapping of str to ndarray, shape (1, n_bins)
        From `without_lines`.

    Returns
    -------
    QTable
        ``line``, ``part``, ``factor`` its strength above the continuum would have to be multiplied with, ``becomes``;
        nearest to 1 first.
    """
    now = int(machine.predict_log_proba(sample.flux).argmax())

    def scores(bare: NDArray[np.float64], factor: NDArray[np.float64]) -> NDArray[np.float64]:
        return machine.predict_log_proba(bare + factor[:, None] * (sample.flux - bare))

    def margin(bare: NDArray[np.float64], factor: NDArray[np.float64]) -> NDArray[np.float64]:
        found = scores(bare, factor)
        return found[:, now] - np.delete(found, now, axis=1).max(axis=1)

    steps = np.linspace(0.0, STRONGEST, _STEPS + 1)
    names, inside, beyond, bare = [], [], [], []
    for name, cut in without.items():
        along = margin(cut, steps)
        changed = np.concatenate([steps[along < 0], _dips(partial(margin, cut), steps, along)])
        if changed.size:
            nearest = changed[np.abs(changed - 1.0).argmin()]
            names.append(name)
            bare.append(cut[0])
            beyond.append(nearest)
            inside.append(steps[steps < nearest][-1] if nearest > 1.0 else steps[steps > nearest][0])
    table = QTable(names=["line", "part", "factor", "becomes"], dtype=["U20", "U5", "f8", "U40"])
    if names:
        rows, same, other = np.array(bare), np.array(inside), np.array(beyond)
        for _ in range(_HALVINGS):
            middle = 0.5 * (same + other)
            gone = margin(rows, middle) < 0
            same, other = np.where(gone, same, middle), np.where(gone, middle, other)
        becomes = machine.classes_[scores(rows, other).argmax(axis=1)].astype(str)
        for name, factor, label in zip(names, other, becomes, strict=True):
            table.add_row((*name.rsplit(" ", 1), factor, label))
    table["factor"].info.format = ".3f"
    return table[np.argsort(np.abs(table["factor"] - 1.0), kind="stable")]


def _dips(
    margin: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    steps: NDArray[np.float64],
    along: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Where a margin that is positive at the steps falls below zero between them.

    Only minima are sought that are nearer to zero than to their neighbours: a parabola through three steps falls below
    the lowest by an eighth of the way to its neighbours, together.
    """
    before, after = np.append(np.inf, along[:-1]), np.append(along[1:], np.inf)
    rise = np.where(np.isfinite(before), before, after) + np.where(np.isfinite(after), after, before) - 2 * along
    lowest = np.flatnonzero((along >= 0) & (along <= before) & (along <= after) & (along < rise))
    low, high = steps[np.maximum(lowest - 1, 0)], steps[np.minimum(lowest + 1, steps.size - 1)]
    for _ in range(_SECTIONS if lowest.size else 0):
        first, second = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        left = margin(first) < margin(second)
        low, high = np.where(left, low, first), np.where(left, second, high)
    found = 0.5 * (low + high)
    return found[margin(found) < 0] if lowest.size else found
