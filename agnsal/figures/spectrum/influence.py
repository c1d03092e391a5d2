"""A spectrum over the training spectra that decided about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from agnsal.errors import AgnsalError
from agnsal.figures.labels import mark_lines
from agnsal.figures.quantities import axis_of, flux_label
from agnsal.figures.records import expect, rows
from agnsal.figures.sample.spectra import TEXT_WIDTH, levels_apart
from agnsal.figures.style import AGAINST, FOR, ink, new_axes
from agnsal.figures.text import plain, plain_lines, title_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import InfluenceRecord


def plot_training_influence(
    influence: InfluenceRecord,
    i: int = 0,
    *,
    ax: Axes | None = None,
    k: int = 2,
    lines: Iterable[str] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw a spectrum over its strongest supporters (blue) and opponents (red) among the training spectra.

    Parameters
    ----------
    influence : TrainingInfluence
        From `agnsal.training_influence`.
    i : int
        Which spectrum.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    k : int
        How many supporters, and how many opponents, at most.
    lines : iterable of str, optional
        Lines to mark; by default the common ones, an empty list for none.
    title : str, optional
        By default what was asked about the spectrum.

    Returns
    -------
    Axes
        From the bottom up: opponents, supporters (the strongest nearest to the spectrum), the spectrum itself. Beside
        each name what it adds to the output.

    Raises
    ------
    AgnsalError
        If the training spectra are not known.

    Examples
    --------
    >>> import agnsal
    >>> from agnsal.figures import plot_training_influence
    >>> sample = agnsal.simulate_agn(20, 20, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(random_state=0).fit(sample)
    >>> len(plot_training_influence(agnsal.training_influence(model, sample[:1]), lines=[]).lines)
    5
    """
    expect(influence, "influence", "a TrainingInfluence, as agnsal.training_influence gives", "training_flux", "most")
    number = int(rows(i, len(influence), [0])[0])
    if influence.training_flux is None:
        raise AgnsalError("the training spectra are not known; give them: training_influence(..., training=sample).")
    place = {row: column for column, row in enumerate(influence.rows.tolist())}
    flux, names, colors = [], [], []
    for side, color in (("against", AGAINST), ("for", FOR)):
        table = influence.most(number, k, side=side)[::-1]  # type: ignore[arg-type]
        for row in table:
            flux.append(influence.training_flux[place[int(row["row"])]])
            label = f", {plain(row['label'])}" if "label" in table.colnames else ""
            names.append(f"{plain(row['training_id'])}{label}: {row['influence']:+.2g}")
            colors.append(color)
    flux.append(influence.inputs[number])
    names.append(plain(influence.ids[number]))
    stack = np.array(flux)
    ax = new_axes(ax, (7.1, 1.6 + 0.9 * len(stack)))
    own = ink(ax)
    colors.append(own)
    center, edges, label = axis_of(influence.grid, stack.shape[1])
    levels = levels_apart(stack, ax)
    for level, spectrum, name, color in zip(levels[:-1], stack, names, colors, strict=True):
        shown = spectrum
        if color == own and influence.mask is not None:
            shown = np.where(influence.mask[number], np.nan, spectrum)
        ax.plot(center, shown + level, color=color, linewidth=0.8, drawstyle="steps-mid")
        top = spectrum[: max(1, int(TEXT_WIDTH * spectrum.size))].max() + level
        text = ax.text(edges[0], top, f"  {name}", color=color, va="bottom", fontsize="small", zorder=2.4)
        text.set_bbox({"facecolor": ax.get_facecolor(), "edgecolor": "none", "alpha": 0.8, "pad": 0.5})
    low, high = stack[0].min(), levels[-1]
    ax.set_ylim(low - 0.04 * (high - low), high)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel(label)
    ax.set_ylabel(f"{flux_label(influence.flux_unit)} + offset")
    if title is None:
        about = "" if influence.exact else " (last layer only, approximate)"
        asked = f"{influence.output.replace('_', '-')} of {plain(influence.target[number])}"
        title = f"What decided: {asked} = {influence.explained[number]:.2g}{about}"
    pad = mark_lines(ax, influence.grid, lines)
    title_above(ax, plain_lines(title), pad)
    return ax
