"""What all figures share: colours, markers, and axes to draw on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Okabe & Ito's colours, which the colour-blind tell apart (https://jfly.uni-koeln.de/color/).
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: Shapes, so that classes differ in print without colour too.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
#: The classes of the field keep their place in the palette, whichever of them are drawn.
_PLACES = {"type1": 0, "type2": 1, "intermediate": 2}

#: What speaks for an output and what speaks against it: towards the ends of the colours of maps, in no class's colour.
FOR, AGAINST = "#2166AC", "#B2182B"

SPECTRUM_GREY = "0.55"

#: What is narrower than this share of the axis would be a dotted line, not a hatched stretch.
_HATCHED = 0.005


def new_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Give back the axes, or new ones on a figure of `size` inches.

    Parameters
    ----------
    ax : Axes or None
        Where the user wants to draw.
    size : tuple of float
        Width and height of a new figure.

    Returns
    -------
    Axes
    """
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def class_places(labels: Iterable[Any]) -> dict[str, int]:
    """Give each class its place in the palette; type 1, type 2 and intermediate (or "type 1, real") have their own.

    Parameters
    ----------
    labels : iterable
        Classes, repeated or not.

    Returns
    -------
    dict of str to int

    Examples
    --------
    >>> class_places(["type 2", "blazar"])
    {'type 2': 1, 'blazar': 0}
    """
    names = list(dict.fromkeys(str(label) for label in labels))
    places: dict[str, int] = {}
    for name in names:
        place = _PLACES.get("".join(name.split(",")[0].casefold().replace("_", " ").split()))
        if place is not None and place not in places.values():
            places[name] = place
    free = (place for place in range(len(names) + len(_PLACES)) if place not in places.values())
    for name in sorted(set(names) - set(places)):
        places[name] = next(free)
    return {name: places[name] for name in names}


def class_color(place: int) -> str:
    """Colour at a place of the palette, which repeats.

    Parameters
    ----------
    place : int
        As `class_places` gives it.

    Returns
    -------
    str
    """
    return PALETTE[place % len(PALETTE)]


def ink(ax: Axes) -> Any:
    """Colour of what is drawn in black on white paper: that of the labels of the axes, whatever the style.

    Parameters
    ----------
    ax : Axes
        Where to draw.

    Returns
    -------
    color
    """
    return ax.xaxis.label.get_color()


def keep_inside(ax: Axes, bar: Axes) -> None:
    """Make the axes smaller where their labels, or those of the colour bar beside them, would leave the figure.

    Parameters
    ----------
    ax, bar : Axes
        Of a figure without layout engine; one that has an engine is left to it.
    """
    figure = ax.get_figure(root=True)
    if figure is None or figure.get_layout_engine() is not None:
        return
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    whole, labels, beside = figure.bbox, ax.get_tightbbox(renderer), bar.get_tightbbox(renderer)
    if labels is None or beside is None:
        return
    left, bottom = max(0.0, -labels.x0 / whole.width), max(0.0, -labels.y0 / whole.height)
    right = max(0.0, (beside.x1 - whole.x1) / whole.width)
    place, strip = ax.get_position(), bar.get_position()
    if left + right < 0.5 * place.width and bottom < 0.5 * place.height:
        ax.set_position((place.x0 + left, place.y0 + bottom, place.width - left - right, place.height - bottom))
        bar.set_position((strip.x0 - right, strip.y0 + bottom, strip.width, strip.height - bottom))


def hatch_bins(ax: Axes, edges: NDArray[np.float64], bad: NDArray[np.bool_] | None) -> None:
    """Shade and hatch the bins that were not observed, from top to bottom; a few bins alone are shaded.

    Parameters
    ----------
    ax : Axes
        With wavelength along it.
    edges : ndarray, shape (n_bins + 1,)
        Of the bins.
    bad : ndarray of bool, shape (n_bins,), or None
        Which.
    """
    if bad is None or not bad.any():
        return
    ends = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(int)))
    for low, high in zip(edges[ends[::2]], edges[ends[1::2]], strict=True):
        hatch = "////" if high - low > _HATCHED * (edges[-1] - edges[0]) else None
        ax.axvspan(low, high, facecolor=(0.5, 0.5, 0.5, 0.2), edgecolor="0.6", hatch=hatch, linewidth=0, zorder=0.4)


def share_limits(axes: Iterable[Axes]) -> None:
    """Give panels one scale: the horizontal limits of all become those that hold what every one shows.

    Parameters
    ----------
    axes : iterable of Axes
        For instance one of `plot_line_importance` for each class.
    """
    panels = list(axes)
    ends = np.array([ax.get_xlim() for ax in panels])
    for ax in panels:
        ax.set_xlim(ends.min(), ends.max())
