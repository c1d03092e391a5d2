"""Importance of lines over a whole sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.table import QTable

from agnsal.errors import AgnsalError
from agnsal.figures.style import MARKERS, PALETTE, new_axes
from agnsal.figures.text import label_below, legend_above, plain
from agnsal.spectra.lines import LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = {
    "effect": "effect size",
    "rate": "RATE",
    "permutation": "permutation",
    "attribution": "mean |attribution|",
}
#: Of what the errors are the standard deviation.
_ERRORS = {"effect": "the posterior", "permutation": "repeated permutations", "attribution": "the mean attribution"}


def plot_population_importance(table: QTable, *, ax: Axes | None = None) -> Axes:
    """Draw four rankings of the lines side by side, each relative to its largest.

    Parameters
    ----------
    table : QTable
        Of `agnsal.line_importance`.
    ax : Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    Axes
        The effect size keeps its sign: hollow markers for lines that speak against the class.

    Raises
    ------
    AgnsalError
        If the table is not one of line importance.
    """
    lacking = {"line", *_COLUMNS} - set(getattr(table, "colnames", ()))
    if lacking:
        raise AgnsalError(f"a table as line_importance gives is expected; columns {sorted(lacking)} are missing.")
    names = [str(name) for name in table["line"]]
    ax = new_axes(ax, (4.8, 1.4 + 0.36 * len(names)))
    place = np.arange(len(names), dtype=float)
    whiskers = []
    for number, (column, label) in enumerate(_COLUMNS.items()):
        values = np.asarray(table[column], dtype=np.float64)
        if not np.isfinite(values).any():
            continue
        largest = np.nanmax(np.abs(values))
        error = np.asarray(table[f"{column}_error"], float) if f"{column}_error" in table.colnames else None
        y = place + 0.18 * (number - 1.5)
        color = PALETTE[number]
        if error is not None and np.isfinite(error).all():
            ax.errorbar(np.abs(values) / largest, y, xerr=error / largest, fmt="none", ecolor=color, elinewidth=0.8)
            whiskers.append(_ERRORS[column])
        ax.plot(np.abs(values) / largest, y, MARKERS[number], color=color, markersize=4.5, label=label)
        against = values < 0
        ax.plot(
            np.abs(values[against]) / largest,
            y[against],
            MARKERS[number],
            color=color,
            markerfacecolor=ax.get_facecolor(),
            markersize=4.5,
        )
    if (np.asarray(table["effect"], dtype=np.float64) < 0).any():
        ax.plot(
            [],
            [],
            MARKERS[0],
            color=PALETTE[0],
            markerfacecolor=ax.get_facecolor(),
            markersize=4.5,
            label="against the class",
        )
    for edge in place[:-1] + 0.5:
        ax.axhline(edge, color="0.5", alpha=0.3, linewidth=0.6, zorder=0)
    ax.set_yticks(place, [LINES[name].label if name in LINES else plain(name) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(left=-0.03)
    ax.tick_params(axis="y", length=0)
    target = plain(table.meta.get("target", "the class"))
    note = f"whiskers: standard deviation of {', of '.join(whiskers)}" if whiskers else ""
    label_below(ax, f"Importance for {target}, relative to the largest", note)
    legend_above(ax)
    return ax
