"""What the answer would be without a line: the experiment beside the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from agnsal.errors import AgnsalError
from agnsal.figures.quantities import powers_apart
from agnsal.figures.records import rows
from agnsal.figures.style import AGAINST, FOR, ink, new_axes
from agnsal.figures.text import label_below, plain
from agnsal.spectra.lines import LINES

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes

_NEEDED = ("object_id", "line", "change", "target")


def plot_line_ablation(table: QTable, i: int = 0, *, ax: Axes | None = None) -> Axes:
    """Draw by how much the output falls when each line is removed, for one spectrum.

    Parameters
    ----------
    table : QTable
        Of `agnsal.line_ablation`.
    i : int
        Which of its spectra.
    ax : Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    Axes
        Blue lines speak for the target, red ones against it, as in `plot_saliency`; a bar has the standard error where
        it is known. Lines that were not observed are hatched.

    Raises
    ------
    AgnsalError
        If the table is another, or there is no such spectrum.

    Examples
    --------
    >>> import agnsal
    >>> from agnsal.figures import plot_line_ablation
    >>> sample = agnsal.simulate_agn(20, 20, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample)
    >>> table = agnsal.line_ablation(model, sample[:2], "type 1", lines=["Hbeta", "[O III] 5007"])
    >>> [text.get_text() for text in plot_line_ablation(table, 1).get_yticklabels()]
    ['Hβ', '[O III] 5007']
    """
    lacking = [name for name in _NEEDED if name not in getattr(table, "colnames", ())]
    if lacking:
        raise AgnsalError(f"a table of agnsal.line_ablation is expected; columns {lacking} are missing.")
    n_lines = len(dict.fromkeys(np.asarray(table["line"]).astype(str).tolist()))
    if not n_lines or len(table) % n_lines:
        raise AgnsalError(f"{len(table)} rows are not whole spectra of {n_lines} lines; give the whole table.")
    number = int(rows(i, len(table) // n_lines, [0])[0])
    one = table[number * n_lines : (number + 1) * n_lines]
    names = [str(name) for name in one["line"]]
    order = np.argsort([LINES[name].wavelength if name in LINES else np.inf for name in names], kind="stable")
    one, names = one[order], [names[k] for k in order]
    change = np.asarray(one["change"], dtype=np.float64)
    known = np.isfinite(change)
    place = np.arange(n_lines)
    error = np.asarray(one["error"], dtype=np.float64)[known] if "error" in one.colnames else None
    ax = new_axes(ax, (3.6, 1.0 + 0.22 * n_lines))
    ax.barh(
        place[known],
        change[known],
        height=0.7,
        color=[FOR if value >= 0 else AGAINST for value in change[known]],
        xerr=error,
        error_kw={"linewidth": 0.7, "ecolor": ink(ax)},
    )
    for unseen in place[~known]:
        ax.axhspan(unseen - 0.35, unseen + 0.35, facecolor="none", edgecolor="0.6", hatch="xxxx", linewidth=0)
    ax.axvline(0, color=ink(ax), linewidth=0.6)
    ax.set_yticks(place, [LINES[name].label if name in LINES else plain(name) for name in names])
    ax.set_ylim(n_lines - 0.45, -0.55)  # the bluest line on top
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    output = {"probability": "probability", "log_odds": "log-odds"}.get(table.meta.get("output", ""), "output")
    largest = float(np.abs(change[known]).max()) if known.any() else 0.0
    target = plain(one["target"][0])
    label = f"Fall of {output}{powers_apart(ax.xaxis, largest)}\nof {target}\nwithout the line"
    label_below(ax, label, "" if error is None else "whiskers: standard error over draws of noise")
    return ax
