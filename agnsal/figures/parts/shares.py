"""What each part of a spectrum adds to the answer, beside the experiment that checks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agnsal.errors import AgnsalError
from agnsal.figures.style import AGAINST, FOR, ink, new_axes
from agnsal.figures.text import label_below, plain
from agnsal.spectra.lines import LINES

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes

#: How regions are called where the continuum under the line counts, and not the line.
_CONTINUUM = "continuum at "


def plot_region_shares(
    table: QTable, *, ax: Axes | None = None, n: int | None = 12, label: str = "Share of the log-odds"
) -> Axes:
    """Draw bars of what each region adds, with both errors and the result of the experiment as a diamond.

    Parameters
    ----------
    table : QTable
        As `SpectrumExplanation.lines`: ``region``, ``share``, ``error_flux``, ``error_refits``, ``experiment``,
        ``bad_fraction``, and how regions are ``called`` if not by their names.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    n : int, optional
        How many regions, those with the largest shares; None for all. What is left out is summed in one bar.
    label : str
        Of the horizontal axis.

    Returns
    -------
    Axes
        What speaks for the class is blue, what speaks against it red; a thick bar is the error from the flux, a thin
        one that from refits. Regions without data have a hatched band and no bar.

    Raises
    ------
    AgnsalError
        If a column is missing.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from agnsal.figures import plot_region_shares
    >>> columns = ("share", "error_flux", "error_refits", "experiment", "bad_fraction")
    >>> table = QTable({"region": ["Hbeta core", "Hbeta wings"], **{name: [0.0, 0.5] for name in columns}})
    >>> [text.get_text() for text in plot_region_shares(table).get_yticklabels()]
    ['Hβ wings', 'Hβ core']
    """
    needed = ("region", "share", "error_flux", "error_refits", "experiment", "bad_fraction")
    lacking = [name for name in needed if name not in getattr(table, "colnames", ())]
    if lacking:
        raise AgnsalError(f"a table of shares by region is expected; columns {lacking} are missing.")
    share = np.asarray(table["share"], dtype=np.float64)
    order = np.argsort(-np.abs(np.nan_to_num(share)), kind="stable")
    shown = order if n is None else order[:n]
    left = np.setdiff1d(order, shown)
    called = table["called" if "called" in table.colnames else "region"]
    names = [_label(str(called[k])) for k in shown]
    place = np.arange(len(shown) + bool(left.size))
    ax = new_axes(ax, (4.4, 1.4 + 0.24 * len(place)))
    values = share[shown]
    colors = [FOR if value >= 0 else AGAINST for value in np.nan_to_num(values)]
    ax.barh(place[: len(shown)], np.nan_to_num(values), height=0.7, color=colors, zorder=2)
    errors = []
    for name, width, said in (("error_refits", 0.8, "refits (thin)"), ("error_flux", 2.2, "flux (thick)")):
        error = np.asarray(table[name], dtype=np.float64)[shown]
        known = np.isfinite(error) & np.isfinite(values)
        ax.errorbar(
            values[known],
            place[: len(shown)][known],
            xerr=error[known],
            fmt="none",
            ecolor=ink(ax),
            elinewidth=width,
            zorder=3,
        )
        errors += [said] * bool(known.any())
    experiment = np.asarray(table["experiment"], dtype=np.float64)[shown]
    ax.plot(
        experiment,
        place[: len(shown)],
        "D",
        color="white",
        markeredgecolor="black",
        markersize=4,
        zorder=4,
        linestyle="",
    )
    for y in place[: len(shown)][~np.isfinite(values)]:
        ax.axhspan(y - 0.4, y + 0.4, facecolor="none", edgecolor="0.7", hatch="////", linewidth=0)
    if left.size:
        ax.barh(place[-1], np.nansum(share[left]), height=0.7, color="0.8", zorder=2)
        names.append(f"{left.size} more, summed")
    ax.axvline(0, color=ink(ax), linewidth=0.6)
    ax.set_yticks(place, names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(place) - 0.4, -0.6)
    whiskers = f"standard errors: {', '.join(errors)}" if errors else ""
    label_below(ax, label, whiskers, "diamonds: replacing the region" if np.isfinite(experiment).any() else "")
    return ax


def _label(region: str) -> str:
    line, _, part = region.removeprefix(_CONTINUUM).rpartition(" ")
    if line not in LINES:
        return plain(region)
    return f"{_CONTINUUM * region.startswith(_CONTINUUM)}{LINES[line].label} {part}"
