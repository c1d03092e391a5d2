"""Figures of methods beside a known truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from agnsal.errors import AgnsalError
from agnsal.figures.quantities import axis_of
from agnsal.figures.records import PiecewiseScoresRecord, SpectralScoresRecord, expect
from agnsal.figures.spectrum.saliency import COLORMAP
from agnsal.figures.style import new_axes
from agnsal.figures.text import label_below, legend_above, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SCORES = "what the score of a benchmark gives"


def plot_scores(
    scores: PiecewiseScoresRecord | SpectralScoresRecord,
    *,
    truths: Sequence[str] | None = None,
    statistic: str = "pearson",
    ax: Axes | None = None,
) -> Axes:
    """Draw a box plot of the correlation of every method's maps with the truth, spectrum by spectrum.

    Parameters
    ----------
    scores : BenchmarkScores or SpectralScores
        Of `PiecewiseLinearBenchmark.score` or `SpectralBenchmark.score`.
    truths : sequence of str, optional
        Of BenchmarkScores: names in ``scores.truths``, by default contribution and, for gradients, slope. Of
        SpectralScores: names of metrics, by default "pearson" and "profile".
    statistic : {"pearson", "spearman"}
        Which correlation, for BenchmarkScores.
    ax : Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    Axes
        Boxes from the first to the third quartile, whiskers from 5 to 95 %.

    Raises
    ------
    AgnsalError
        If they are no scores.
    """
    expect(scores, "scores", _SCORES, "maps")
    spectral = isinstance(scores, SpectralScoresRecord)
    truths = (("pearson", "profile") if spectral else ("contribution", "slope")) if truths is None else tuple(truths)
    names = list(scores.maps)
    ax = new_axes(ax, (5.6, 1.2 + 0.3 * len(names)))
    colors = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
    for number, truth in enumerate(truths):
        values, places = [], []
        for place, name in enumerate(names):
            if isinstance(scores, SpectralScoresRecord):
                found = scores.metrics[name][truth]
            elif truth in scores.judged[name]:
                found = scores.correlation(name, truth, statistic)
            else:
                continue
            values.append(found[np.isfinite(found)])
            places.append(place + 0.36 * (number - (len(truths) - 1) / 2) / max(len(truths) - 1, 1))
        box = ax.boxplot(
            values,
            positions=places,
            widths=0.3,
            orientation="horizontal",
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            manage_ticks=False,
            medianprops={"color": "black"},
            boxprops={"facecolor": colors[number], "alpha": 0.75, "linewidth": 0.6},
            whiskerprops={"linewidth": 0.7},
            capprops={"linewidth": 0.7},
        )
        label = {"pearson": "causal flux", "profile": "mean causal profile"}.get(truth, truth) if spectral else truth
        if box["boxes"]:
            box["boxes"][0].set_label(label)
    ax.axvline(0, color="0.6", linewidth=0.6)
    ax.set_yticks(range(len(names)), [plain(name, 40) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(-1, 1)
    ax.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
    whiskers = "boxes: quartiles of the spectra, whiskers: 5th to 95th percentile"
    label_below(ax, "Correlation with the truth", whiskers)
    legend_above(ax, len(truths))
    return ax


def plot_truth_and_maps(
    scores: PiecewiseScoresRecord | SpectralScoresRecord,
    i: int = 0,
    *,
    methods: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the truth of one spectrum and the map of every method below it, each on its own scale.

    Parameters
    ----------
    scores : BenchmarkScores or SpectralScores
        Of a benchmark.
    i : int
        Which spectrum.
    methods : sequence of str, optional
        Names in ``scores.maps``; by default all.
    ax : Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    AgnsalError
        If there is no such spectrum or method.
    """
    expect(scores, "scores", _SCORES, "maps")
    if isinstance(scores, SpectralScoresRecord):
        truth, grid = scores.truth, scores.grid
    else:
        truth, grid = scores.truths["contribution"], None
    if not -len(truth) <= i < len(truth):
        raise AgnsalError(f"there are {len(truth)} spectra, numbered 0 to {len(truth) - 1}; asked for {i}.")
    names = list(scores.maps) if methods is None else list(methods)
    unknown = [name for name in names if name not in scores.maps]
    if unknown:
        raise AgnsalError(f"there is no {unknown[0]!r} here; there are {', '.join(scores.maps)}.")
    rows = {"truth": truth[i], **{name: scores.maps[name][i] for name in names}}
    image = np.stack([row / max(np.abs(row).max(), 1e-300) for row in rows.values()])
    _, edges, label = axis_of(grid, image.shape[1])
    ax = new_axes(ax, (6.4, 0.8 + 0.26 * len(rows)))
    mesh = ax.pcolormesh(edges, np.arange(len(rows) + 1) - 0.5, image, cmap=COLORMAP, vmin=-1, vmax=1, rasterized=True)
    ax.axhline(0.5, color="black", linewidth=1.2)
    for line in np.arange(1, len(rows)) + 0.5:
        ax.axhline(line, color="white", linewidth=0.8)
    ax.set_yticks(range(len(rows)), [plain(name, 40) for name in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(label)
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.01, ticks=[-1, 0, 1])
    bar.set_label("Attribution / maximum")
    return ax
