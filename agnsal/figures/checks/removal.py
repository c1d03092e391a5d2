"""Figures of what was asked of a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agnsal.figures.records import expect
from agnsal.figures.style import new_axes
from agnsal.figures.text import label_below, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import ReportRecord


def plot_removal(report: ReportRecord, *, ax: Axes | None = None) -> Axes:
    """Draw the output of the model while more and more of the spectra is removed.

    The wider the two curves open, the better the map knows what the model looks at; for a map that knows nothing they
    lie on each other.

    Parameters
    ----------
    report : Report
        Of `agnsal.check`.
    ax : Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    AgnsalError
        If it is no report.
    """
    expect(report, "report", "a Report, as agnsal.check gives", "curves", "verdict")
    ax = new_axes(ax, (4.2, 3.2))
    curves = report.curves
    share = 100 * curves.removed
    for values, color, style, label in (
        (curves.insertion, "#0072B2", "-", "least important first"),
        (curves.deletion, "#D55E00", "--", "most important first"),
    ):
        mean, error = values.mean(axis=0), values.std(axis=0) / np.sqrt(len(values))
        ax.fill_between(share, mean - error, mean + error, color=color, alpha=0.2, linewidth=0)
        ax.plot(share, mean, style, color=color, label=label)
    ax.set_xlim(0, 100)
    label_below(ax, "Removed windows [%]", f"mean and standard error of {len(curves.deletion)} spectra")
    ax.set_ylabel({"probability": "Probability", "log_odds": "Log-odds"}.get(report.output, "Output"))
    ax.legend(frameon=False, fontsize="small")
    ax.set_title(f"{plain(report.method.replace('_', ' '))}: {report.verdict}", fontsize="medium")
    return ax
