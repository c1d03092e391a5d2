"""How strong one line would have to be for another class to be the most probable one."""

from __future__ import annotations

from collections.abc import Mapping
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


def lines_on(grid: WavelengthGrid) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """The named lines on a grid with their parts, without windows that hold many."""
    return {line: parts for line, parts in line_masks(grid).items() if LINES[line].kind != "window"}


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

    The nearest is bracketed by steps of a twentieth and halved from there, all lines at once; between two steps a class
    could only come and go again.

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

    def predicted(bare: NDArray[np.float64], factor: NDArray[np.float64]) -> NDArray[np.intp]:
        return machine.predict_log_proba(bare + factor[:, None] * (sample.flux - bare)).argmax(axis=1)

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
        now = machine.predict_log_proba(sample.flux).argmax()
        for _ in range(_HALVINGS):
            middle = 0.5 * (same + changed)
            other = predicted(rows, middle) != now
            same, changed = np.where(other, same, middle), np.where(other, middle, changed)
        becomes = machine.classes_[predicted(rows, changed)].astype(str)
        for name, factor, label in zip(names, changed, becomes, strict=True):
            table.add_row((*name.rsplit(" ", 1), factor, label))
    table["factor"].info.format = ".2f"
    return table[np.argsort(np.abs(table["factor"] - 1.0), kind="stable")]
