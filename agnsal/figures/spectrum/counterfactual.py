"""A spectrum, the same edited until its class changes, and the edit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from agnsal.figures.labels import mark_lines
from agnsal.figures.quantities import axis_of, flux_label
from agnsal.figures.records import expect, rows
from agnsal.figures.style import PALETTE, SPECTRUM_GREY, new_axes
from agnsal.figures.text import COMPACT, columns_that_fit, plain, plain_lines, title_above
from agnsal.spectra.lines import with_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import CounterfactualsRecord


def plot_counterfactual(
    result: CounterfactualsRecord,
    i: int = 0,
    *,
    ax: Axes | None = None,
    lines: Iterable[str] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw a spectrum (grey), the edited one (blue), and the edit below them.

    Parameters
    ----------
    result : Counterfactuals
        From `agnsal.counterfactual`.
    i : int
        Which spectrum.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    lines : iterable of str, optional
        Lines to mark; by default the common ones, an empty list for none.
    title : str, optional
        By default what was changed, and from which probability to which.

    Returns
    -------
    Axes

    Examples
    --------
    >>> import agnsal
    >>> from agnsal.figures import plot_counterfactual
    >>> sample = agnsal.simulate_agn(20, 20, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample)
    >>> result = agnsal.counterfactual(model, sample[20:21], "type 1", "broad Hbeta flux", population=sample)
    >>> [text.get_text() for text in plot_counterfactual(result).get_legend().get_texts()]
    ['as it is', 'edited', 'the edit']
    """
    expect(result, "result", "Counterfactuals, as agnsal.counterfactual gives", "before", "spectra", "path")
    number = int(rows(i, len(result), [0])[0])
    ax = new_axes(ax, (7.1, 3.8))
    flux, edited = result.before.flux[number], result.spectra.flux[number]
    seen = ~result.before.mask[number]
    center, edges, label = axis_of(result.before.grid, flux.size)
    edit = edited - flux
    low, high = float(min(flux.min(), edited.min())), float(np.percentile(np.maximum(flux, edited), 99.5))
    level = low - float(edit.max()) - 0.12 * (high - low)
    ax.plot(center, np.where(seen, flux, np.nan), color=SPECTRUM_GREY, linewidth=0.8, label="as it is")
    ax.plot(center, np.where(seen, edited, np.nan), color=PALETTE[0], linewidth=0.8, label="edited")
    ax.fill_between(center, level, level + edit, color=PALETTE[4], linewidth=0, alpha=0.8, label="the edit")
    ax.axhline(level, color="0.6", linewidth=0.6)
    ax.set_ylim(level + float(edit.min()) - 0.06 * (high - low), high + 0.25 * (high - low))
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel(label)
    ax.set_ylabel(flux_label(result.before.unit))
    columns = columns_that_fit(ax, ax.get_legend_handles_labels()[1], 3, inside=True)
    ax.legend(**COMPACT, loc="upper left", ncols=columns)
    pad = mark_lines(ax, result.before.grid, lines)
    if title is None:
        target = plain(result.target[number])
        start, end = result.path[number, 0], result.path[number, -1]
        verb = "would be" if result.flipped[number] else "stays within the bounds other than"
        what = with_labels(result.words(number, 3))
        title = f"{plain(result.before.ids[number])} {verb} {target} ({start:.2f} to {end:.2f}) with\n{what}"
    title_above(ax, plain_lines(title), pad)
    return ax
