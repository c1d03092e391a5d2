"""Scores of maps over wavelength against a known cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.checks.scoring import row_correlation, summary
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.regions import Regions

#: What is measured for each spectrum, and what it says.
METRICS = {
    "pearson": "correlation with the causal flux over all bins",
    "profile": "correlation with the mean causal profile, the fair truth for gradients",
    "spearman": "rank correlation with the causal flux within the causal window",
    "mass": "share of |attribution| in the causal window",
    "precision_recall": "area under precision and recall of |attribution| finding the causal window",
    "pointing": "whether the named line with the largest |sum over core and wings| is the causal one",
    "wing_sign": "whether the sum over the line's wings has the sign of the cause",
}


@dataclass(frozen=True, eq=False)
class SpectralScores:
    """Maps of many methods beside the causal flux.

    Attributes
    ----------
    maps : dict of str to ndarray, shape (n, n_bins)
        The attribution of each method.
    truth : ndarray, shape (n, n_bins)
        Causal flux above its mean.
    metrics : dict of str to dict of str to ndarray, shape (n,)
        ``metrics[method][metric]`` for each spectrum, NaN where it has no answer; see `METRICS`.
    window : ndarray of bool, shape (n_bins,)
        Where the cause can be.
    grid : WavelengthGrid
        Wavelengths of the bins.
    facts : dict
        What else is worth knowing, for instance the accuracy of the model.
    """

    maps: Mapping[str, NDArray[np.float64]]
    truth: NDArray[np.float64]
    metrics: Mapping[str, Mapping[str, NDArray[np.float64]]]
    window: NDArray[np.bool_]
    grid: WavelengthGrid
    facts: Mapping[str, Any] = field(default_factory=dict)

    def table(self) -> QTable:
        """Make the leaderboard: a row for each method, best correlation first, controls among them.

        Returns
        -------
        QTable
            ``method`` and for each metric its mean and, as ``<metric>_error``, half the width of the 95 % confidence
            interval of the mean. `facts` and the value chance would give to ``mass`` in ``meta``.
        """
        rows: list[dict[str, Any]] = []
        for method, found in self.metrics.items():
            row: dict[str, Any] = {"method": method}
            for metric in METRICS:
                of = summary(found[metric])
                row |= {metric: of["mean"], f"{metric}_error": 0.5 * (of["high"] - of["low"])}
            rows.append(row)
        rows.sort(key=lambda row: -np.nan_to_num(row["pearson"], nan=-2.0))
        table = QTable(rows=rows)
        table.meta.update(self.facts, chance_mass=float(self.window.mean()))
        return table


def judge(
    maps: Mapping[str, NDArray[np.float64]],
    truth: NDArray[np.float64],
    profile: NDArray[np.float64],
    window: NDArray[np.bool_],
    grid: WavelengthGrid,
    line: str,
    facts: Mapping[str, Any] | None = None,
) -> SpectralScores:
    """Measure maps against a known cause.

    Parameters
    ----------
    maps : mapping of str to ndarray, shape (n, n_bins)
        Attributions by method.
    truth : ndarray, shape (n, n_bins)
        Causal flux above its mean.
    profile : ndarray, shape (n_bins,)
        Mean causal flux.
    window : ndarray of bool, shape (n_bins,)
        Where the cause can be.
    grid : WavelengthGrid
        Wavelengths of the bins.
    line : str
        Name of the causal line.
    facts : mapping, optional
        Kept with the result.

    Returns
    -------
    SpectralScores
    """
    lines = Regions.from_lines(grid, dict.fromkeys([*Regions.from_lines(grid, overlap=True), line]), overlap=True)
    wings = Regions.from_lines(grid, line, part="wings", overlap=True)[line]
    cause = truth[:, wings].sum(axis=1)
    metrics = {}
    for method, values in maps.items():
        size = np.abs(values)
        total = size.sum(axis=1)
        strength = np.abs(lines.sums(values))
        summed = values[:, wings].sum(axis=1)
        metrics[method] = {
            "pearson": row_correlation(values, truth),
            "profile": row_correlation(values, np.broadcast_to(profile, values.shape)),
            "spearman": row_correlation(values[:, window], truth[:, window], "spearman"),
            "mass": np.where(total > 0, size[:, window].sum(axis=1) / np.where(total > 0, total, 1.0), np.nan),
            "precision_recall": average_precision(size, window),
            "pointing": (strength.argmax(axis=1) == lines.names.index(line)).astype(float),
            "wing_sign": (np.sign(summed) == np.sign(cause)).astype(float),
        }
    return SpectralScores(dict(maps), truth, metrics, window, grid, dict(facts or {}))


def average_precision(scores: NDArray[np.float64], relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area under the curve of precision over recall, row by row.

    Parameters
    ----------
    scores : ndarray, shape (n, n_features)
        The higher, the sooner a feature is named.
    relevant : ndarray of bool, shape (n_features,)
        What is to be found.

    Returns
    -------
    ndarray, shape (n,)
        1 for a perfect order, the share of relevant features for a random one.

    Examples
    --------
    >>> average_precision(np.array([[3.0, 1.0, 2.0]]), np.array([True, False, True]))
    array([1.])
    """
    hits = relevant[np.argsort(-scores, axis=1, kind="stable")]
    precision = np.cumsum(hits, axis=1) / np.arange(1, scores.shape[1] + 1)
    return (precision * hits).sum(axis=1) / relevant.sum()
