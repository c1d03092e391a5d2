"""Two epochs of one object and what made an output change between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from agnsal.errors import AgnsalError
from agnsal.figures.flux import mark_beyond
from agnsal.figures.quantities import axis_of, output_label
from agnsal.figures.records import expect, rows
from agnsal.figures.spectrum.saliency import plot_saliency, show_flux
from agnsal.figures.style import PALETTE, ink, new_axes
from agnsal.figures.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import AttributionRecord

#: Room above the spectra for the legend, as a share of their range.
_LEGEND = 0.22


def plot_change(
    change: AttributionRecord,
    i: int = 0,
    *,
    ax: Axes | None = None,
    epochs: tuple[str, str] = ("first epoch", "second epoch"),
    lines: Iterable[str] | None = None,
    colorbar: bool = True,
    title: str | None = None,
) -> Axes:
    """Draw the second epoch, coloured by what each bin adds to the change, over the first in green.

    Parameters
    ----------
    change : Attribution
        From `agnsal.explain_change`, or any method whose baseline is the first epoch.
    i : int
        Which object.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    epochs : tuple of str
        Names of the epochs for the legend.
    lines : iterable of str, optional
        Lines to mark; by default the common ones, an empty list for none.
    colorbar : bool
        Whether to add a colour bar beside the axes.
    title : str, optional
        By default the object and by how much the output changed.

    Returns
    -------
    Axes
        Bins that either epoch lacks are hatched. A few bins that stand far out, a cosmic ray, may leave the axes, and a
        triangle tells where.

    Raises
    ------
    AgnsalError
        If the attribution has no baseline.

    Examples
    --------
    >>> import agnsal
    >>> from agnsal.figures import plot_change
    >>> sample = agnsal.simulate_agn(30, 40, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    >>> ax = plot_change(agnsal.explain_change(model, sample[:1], sample[40:41], target="type 1"))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['first epoch', 'second epoch']
    """
    expect(change, "change", "an Attribution of agnsal.explain_change", "baseline", "observed_values")
    if change.baseline is None:
        raise AgnsalError(f"{change!r} has no baseline to be the first epoch; make it with agnsal.explain_change.")
    one = change[int(rows(i, len(change), [0])[0])]
    first = np.atleast_2d(np.asarray(one.baseline))[0]
    seen = np.isfinite(one.observed_values[0])
    if title is None:
        total = float(one.values.sum())
        title = f"{plain(one.ids[0])}: {output_label(one, one.target[0])} changed by {total:+.2f}"
    ax = plot_saliency(one, 0, ax=new_axes(ax, (7.1, 3.6)), lines=lines, colorbar=colorbar, title=title)
    if colorbar:
        ax.figure.axes[-1].set_ylabel("Share in the change")
    center = axis_of(one.grid, first.size)[0]
    after = ax.lines[0]
    first, second = np.where(seen, first, np.nan), np.where(seen, one.inputs[0], np.nan)
    (before,) = ax.plot(center, first, color=PALETTE[2], linewidth=0.9, zorder=1.5)
    for line in [line for line in ax.lines if line.get_marker() in ("^", "v")]:
        line.remove()
    show_flux(ax, first, second, above=_LEGEND)
    mark_beyond(ax, center, first, PALETTE[2])
    mark_beyond(ax, center, second, ink(ax))
    names = [plain(name) for name in epochs]
    ax.legend([before, after], names, frameon=False, fontsize="small", loc="upper left", ncols=2)
    return ax
