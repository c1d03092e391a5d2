"""The hierarchy of a spectrum as a tree over its wavelengths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from agnsal.errors import AgnsalError
from agnsal.figures.labels import mark_lines
from agnsal.figures.quantities import axis_of
from agnsal.figures.records import expect
from agnsal.figures.spectrum.saliency import COLORMAP, symmetric_limit
from agnsal.figures.style import SPECTRUM_GREY, new_axes
from agnsal.figures.text import plain, plain_lines, title_above
from agnsal.spectra.grid import WavelengthGrid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import HierarchyRecord

_SPECTRUM_HEIGHT = 0.3  # of the height of the tree
_GAP = 0.05


def plot_hierarchy(
    hierarchy: HierarchyRecord,
    flux: ArrayLike | None = None,
    grid: WavelengthGrid | None = None,
    *,
    ax: Axes | None = None,
    lines: Iterable[str] | None = None,
    colorbar: bool = True,
    title: str | None = None,
) -> Axes:
    """Draw the components of every level over the spectrum, joined as in a dendrogram.

    Each bar is a component, from its first to its last wavelength, coloured by its contribution: blue speaks for the
    target, red against it. Levels go upwards; a line from the middle of a bar leads to the component it becomes part
    of.

    Parameters
    ----------
    hierarchy : Hierarchy
        From `agglomerate`.
    flux : array_like, shape (n_features,), optional
        The spectrum, drawn under the tree in a scale of its own.
    grid : WavelengthGrid, optional
        Its wavelengths; by default features are counted.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    lines : iterable of str, optional
        Lines to mark; by default the common ones on the grid, an empty list for none.
    colorbar : bool
        Whether to add a colour bar beside the axes.
    title : str, optional
        By default the target; an empty text for none.

    Returns
    -------
    Axes

    Raises
    ------
    AgnsalError
        If the spectrum or the grid does not fit the hierarchy.

    Examples
    --------
    >>> import agnsal
    >>> from agnsal.figures import plot_hierarchy
    >>> network = agnsal.Network.dense([[[1.0, 1.0, 0.0, -2.0]]], [[0.0]])
    >>> ax = plot_hierarchy(agnsal.agglomerate(network, [1.0, 3.0, 1.0, 1.0]), [1.0, 3.0, 1.0, 1.0])
    >>> ax.get_ylabel()
    'Level'
    """
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator

    expect(hierarchy, "hierarchy", "a Hierarchy, as agnsal.agglomerate gives", "units", "component_scores")
    n = hierarchy.units.size
    for what, size in (("spectrum", None if flux is None else np.size(flux)), ("grid", grid and len(grid))):
        if size not in (None, n):
            raise AgnsalError(f"the {what} has {size} bins, the hierarchy {n}; give the one it was made of.")
    center, edges, label = axis_of(grid, n)
    ax = new_axes(ax, (7.1, 4.2))
    members = [np.flatnonzero(hierarchy.units == unit) for unit in range(hierarchy.labels.shape[1])]
    left = np.array([edges[bins[0]] for bins in members])
    right = np.array([edges[bins[-1] + 1] for bins in members])
    bars, scores, middles = [], [], {}
    for level in range(1, hierarchy.n_levels):
        for number, score in hierarchy.component_scores[level].items():
            inside = np.flatnonzero(hierarchy.labels[level] == number)
            low, high = left[inside].min(), right[inside].max()
            bars.append([(low, level - 0.3), (high, level - 0.3), (high, level + 0.3), (low, level + 0.3)])
            scores.append(score)
            middles[level, number] = 0.5 * (low + high)
    branches = []
    for (level, number), middle in middles.items():
        if level + 1 < hierarchy.n_levels:
            unit = np.flatnonzero(hierarchy.labels[level] == number)[0]
            above = middles[level + 1, int(hierarchy.labels[level + 1][unit])]
            branches.append([(middle, level + 0.3), (middle, level + 0.5), (above, level + 0.5), (above, level + 0.7)])
    end = symmetric_limit(np.array(scores if scores else [0.0]))
    drawn = PolyCollection(bars, cmap=COLORMAP, norm=Normalize(-end, end), edgecolors="0.3", linewidths=0.3)
    drawn.set_array(np.array(scores))
    ax.add_collection(LineCollection(branches, colors="0.5", linewidths=0.5, zorder=0.8))
    ax.add_collection(drawn)
    ax.set_xlim(edges[0], edges[-1])
    bottom = 0.4
    if flux is not None:
        spectrum = np.asarray(flux, dtype=np.float64)
        height, spread = _SPECTRUM_HEIGHT * hierarchy.n_levels, float(np.ptp(spectrum))
        bottom -= _GAP * hierarchy.n_levels
        scaled = (spectrum - spectrum.min()) / (spread if spread > 0 else 1.0) - 1.0
        ax.plot(center, bottom + height * scaled, color=SPECTRUM_GREY, linewidth=0.8)
        bottom -= (1 + _GAP) * height
    ax.set_ylim(bottom, hierarchy.n_levels - 0.4)
    locator = MaxNLocator(nbins=8, integer=True)
    ticks = locator.tick_values(1, max(2, hierarchy.n_levels - 1))
    ax.set_yticks([tick for tick in ticks if 1 <= tick <= hierarchy.n_levels - 1])
    ax.set_xlabel(label)
    ax.set_ylabel("Level")
    pad = mark_lines(ax, grid, lines)
    title = f"Hierarchy of {plain(hierarchy.target)}" if title is None else plain_lines(title)
    title_above(ax, title, pad)
    if colorbar:
        ax.figure.colorbar(drawn, ax=ax, pad=0.015, aspect=30).set_label(f"Contribution to {plain(hierarchy.target)}")
    return ax
