"""What all figures share: colours, axes, and text that came from a file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.display import printable
from agnsal.errors import AgnsalError
from agnsal.spectra.grid import WavelengthGrid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from agnsal.figures.records import AttributionRecord

#: Okabe & Ito's colours, which the colour-blind tell apart (https://jfly.uni-koeln.de/color/).
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: Shapes, so that classes differ in print without colour too.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
#: The classes of the field keep their place in the palette, whichever of them are drawn.
_PLACES = {"type1": 0, "type2": 1, "intermediate": 2}

#: What speaks for an output and what speaks against it: towards the ends of the colours of maps, in no class's colour.
FOR, AGAINST = "#2166AC", "#B2182B"

SPECTRUM_GREY = "0.55"

#: Letters of the longest name that is shown whole.
LONGEST = 32
#: What is narrower than this share of the axis would be a dotted line, not a hatched stretch.
_HATCHED = 0.005
#: Letters on a line of a title.
_TITLE = 90


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


def plain(text: Any, longest: int = LONGEST) -> str:
    r"""Text from a file, so that matplotlib shows it as it is: no mathematics, no control characters, not too long.

    Parameters
    ----------
    text : object
        An id, a label, a file name.
    longest : int
        What is wider than this many letters (Chinese and its like count double) is cut, and ends in "...".

    Returns
    -------
    str

    Examples
    --------
    >>> print(plain("spec$_1$\n"))
    spec\$_1\$
    """
    shown = printable(text)
    if width_of(shown) > longest:
        while width_of(shown) > longest - 3:
            shown = shown[:-1]
        shown += "..."
    # matplotlib leaves names that begin with an underscore out of legends
    return (" " if shown.startswith("_") else "") + shown.replace("$", r"\$")


def width_of(text: str) -> int:
    """Width of a text in letters, of which one of Chinese and its like counts double.

    Parameters
    ----------
    text : str
        On one line.

    Returns
    -------
    int

    Examples
    --------
    >>> width_of("名 a")
    4
    """
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def plain_lines(text: str) -> str:
    r"""A title as a user gave it, folded where it is very long: no mathematics, no control characters.

    Parameters
    ----------
    text : str
        The title; line breaks stay.

    Returns
    -------
    str

    Examples
    --------
    >>> print(plain_lines("US$ 5\nand no more"))
    US\$ 5
    and no more
    """
    # a title more than twice as wide as its axes leaves a constrained layout no room
    folded = []
    for line in map(printable, text.split("\n")):
        folded += textwrap.wrap(line, _TITLE * len(line) // width_of(line)) if line else [""]
    return re.sub(r"(?<!\\)\$", r"\\$", "\n".join(folded))


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


def axis_of(grid: WavelengthGrid | None, n_features: int) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Centres, edges and label of the horizontal axis.

    Parameters
    ----------
    grid : WavelengthGrid or None
        Without one, features are counted.
    n_features : int
        Number of features.

    Returns
    -------
    centers : ndarray, shape (n_features,)
    edges : ndarray, shape (n_features + 1,)
    label : str
    """
    if grid is None:
        return np.arange(n_features, dtype=float), np.arange(n_features + 1, dtype=float) - 0.5, "Feature"
    air = " in air" if grid.medium == "air" else ""
    return grid.centers.value, grid.edges.value, f"{grid.frame.capitalize()} wavelength{air} [Å]"


def flux_label(unit: u.UnitBase) -> str:
    """Label of a flux axis.

    Parameters
    ----------
    unit : Unit
        Of the flux.

    Returns
    -------
    str

    Examples
    --------
    >>> flux_label(u.dimensionless_unscaled)
    'Relative flux'
    """
    return "Relative flux" if unit == u.dimensionless_unscaled else f"Flux density [{unit_text(unit)}]"


def output_label(attribution: AttributionRecord, target: Any | None) -> str:
    """Say which output is explained: "P(type 1)", "log-odds(type 1)", "prediction" of a regressor of one value.

    Parameters
    ----------
    attribution : Attribution
        What is drawn.
    target : object or None
        The class; None where several are drawn.

    Returns
    -------
    str
    """
    alone = attribution.output == "prediction" and "n_outputs" not in attribution.provenance
    of = "" if target is None or alone else f"({plain(target)})"
    return {"probability": "P", "log_odds": "log-odds"}.get(attribution.output, attribution.output) + of


def attribution_label(attribution: AttributionRecord, target: Any | None) -> str:
    """Say what the values of an attribution are, with their unit.

    Parameters
    ----------
    attribution : Attribution
        What is drawn.
    target : object or None
        The class; None where several are drawn.

    Returns
    -------
    str
    """
    what = output_label(attribution, target)
    name = plain(attribution.title)
    text = f"Gradient of {what}" if name == "gradient" else f"{name[:1].upper()}{name[1:]}, {what}"
    if attribution.unit == u.dimensionless_unscaled:
        return text
    return f"{text} [{unit_text(attribution.unit)}]"


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


def powers_apart(axis: Axis, largest: float) -> str:
    """Take a power of ten from the ticks of an axis; what its label must say for it.

    Parameters
    ----------
    axis : Axis
        Of values that are linear.
    largest : float
        Largest absolute value shown.

    Returns
    -------
    str
        Such as ``" [$10^{-6}$]"``; empty where the ticks can do without.
    """
    power = int(np.floor(np.log10(largest))) if largest > 0 else 0
    if -3 < power < 4:
        return ""
    axis.set_major_formatter(lambda value, _: f"{value / 10.0**power:g}".replace("-", "\N{MINUS SIGN}"))
    return f" [$10^{{{power}}}$]"


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


def unit_text(unit: u.UnitBase) -> str:
    """Write a unit on one line as matplotlib draws it.

    Parameters
    ----------
    unit : Unit
        Any.

    Returns
    -------
    str
    """
    return str(unit.to_string("latex_inline"))


def rows(indices: int | ArrayLike | None, n: int, default: Sequence[int]) -> NDArray[np.intp]:
    """Row numbers from what a user gave.

    Parameters
    ----------
    indices : int, array_like of int or bool, or None
        Which rows.
    n : int
        How many there are.
    default : sequence of int
        What None means.

    Returns
    -------
    ndarray of int

    Raises
    ------
    AgnsalError
        If there is no such row.
    """
    chosen = np.atleast_1d(np.asarray(default if indices is None else indices))
    if chosen.dtype == bool and chosen.shape == (n,):
        return np.flatnonzero(chosen)
    if chosen.ndim != 1 or chosen.size == 0 or chosen.dtype.kind not in "iu":
        raise AgnsalError(f"row numbers between 0 and {n - 1} are expected, got {indices!r:.80}.")
    if chosen.min() < -n or chosen.max() >= n:
        raise AgnsalError(f"there are {n} spectra, numbered 0 to {n - 1}; asked for {indices!r:.80}.")
    return chosen % n


def first_of_each(labels: NDArray[np.generic] | None, n: int) -> list[int]:
    """Pick the first spectrum of each class, or the first three.

    Parameters
    ----------
    labels : ndarray or None
        Class of each spectrum.
    n : int
        Number of spectra.

    Returns
    -------
    list of int
    """
    if labels is None:
        return list(range(min(3, n)))
    return sorted(np.unique(np.asarray(labels).astype(str), return_index=True)[1].tolist())


def room_for_letters(ax: Axes, *, from_the_axes: bool = False) -> int:
    """How many small letters go across the figure.

    Parameters
    ----------
    ax : Axes
        On the figure.
    from_the_axes : bool
        Whether they start at the left of the axes.

    Returns
    -------
    int
    """
    from matplotlib import font_manager, rcParams

    letter = 0.55 * font_manager.font_scalings["small"] * rcParams["font.size"]
    start = ax.get_window_extent().x0 if from_the_axes else 0.0
    return int((ax.figure.bbox.width - start) * 72 / ax.figure.dpi / letter) - 2


def columns_that_fit(ax: Axes, texts: Sequence[str], most: int) -> int:
    """How many entries of a legend go beside each other on the figure.

    Parameters
    ----------
    ax : Axes
        On the figure.
    texts : sequence of str
        The entries.
    most : int
        No more than that.

    Returns
    -------
    int
    """
    widest = max(map(width_of, texts), default=0) + 4  # letters, for marker and gap
    return max(1, min(most, len(texts), room_for_letters(ax) // widest))


def title_above(ax: Axes, title: str, pad: float, *, fontsize: str = "medium") -> None:
    """Set a title at the left, folded where the axes are narrow.

    Parameters
    ----------
    ax : Axes
        To be named.
    title : str
        Plain text; an empty one for none.
    pad : float
        From the axes, in points: `mark_lines` gives what its names need.
    fontsize : str
        Of one line; what is folded is small.
    """
    if not title:
        return
    from matplotlib import rcParams

    width, size = ax.get_window_extent().width * 72 / ax.figure.dpi, float(rcParams["font.size"])
    fold = textwrap.TextWrapper(max(20, int(width / (0.5 * size))), break_long_words=False, break_on_hyphens=False)
    folded = [part for line in title.split("\n") for part in fold.wrap(line)]
    ax.set_title("\n".join(folded), loc="left", fontsize="small" if len(folded) > 1 else fontsize, pad=pad)


def legend_above(ax: Axes, n_columns: int = 3) -> None:
    """Put the legend over the axes, to the right: a narrow panel has no room beside it.

    Parameters
    ----------
    ax : Axes
        What it holds must have labels.
    n_columns : int
        Entries beside each other, at most.
    """
    ax.legend(
        frameon=False,
        fontsize="small",
        ncols=columns_that_fit(ax, ax.get_legend_handles_labels()[1], n_columns),
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.2,
        columnspacing=1.0,
        handlelength=1.4,
        handletextpad=0.4,
    )
