"""Text on figures: what came from a file or a user, and the room there is for it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from agnsal.display import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Letters of the longest name that is shown whole.
LONGEST = 32
#: Letters on a line of a title.
_TITLE = 90
#: Width of a panel relative to that of its axes before names and labels have their place.
_CELL = 1.2


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


def columns_that_fit(ax: Axes, texts: Sequence[str], most: int, *, inside: bool = False) -> int:
    """How many entries of a legend go beside each other on the figure.

    Parameters
    ----------
    ax : Axes
        On the figure.
    texts : sequence of str
        The entries.
    most : int
        No more than that.
    inside : bool
        Whether the legend starts at the left of the axes.

    Returns
    -------
    int
    """
    widest = max(map(width_of, texts), default=0) + 4  # letters, for marker and gap
    return max(1, min(most, len(texts), room_for_letters(ax, from_the_axes=inside) // widest))


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
    folded = _folded(title.split("\n"), _letters_across(ax))
    ax.set_title("\n".join(folded), loc="left", fontsize="small" if len(folded) > 1 else fontsize, pad=pad)


def label_below(ax: Axes, label: str, *notes: str) -> None:
    """Name the horizontal axis, and say under its name what whiskers, bands and marks of the figure are.

    Parameters
    ----------
    ax : Axes
        To be named, with what its vertical axis names.
    label : str
        The quantity and its unit; plain text. What is mathematics is not folded.
    *notes : str
        Each on lines of its own; empty ones are left out.
    """
    from matplotlib.ticker import FixedLocator

    named = isinstance(ax.yaxis.get_major_locator(), FixedLocator)
    names = [line for name in ax.get_yticklabels() for line in name.get_text().split("\n")] if named else []
    beside, whole = max(map(width_of, names), default=0), int(_CELL * _letters_across(ax))
    room = whole if beside else int(0.9 * _letters_across(ax))
    first = [part for line in label.split("\n") for part in ([line] if "$" in line else _folded([line], room))]
    lines = [*first, *_folded(notes, room)]
    ax.set_xlabel("\n".join(lines))
    if max(map(width_of, lines), default=0) > whole - beside:  # there is room below the names, and none to the right
        ax.xaxis.label.set(x=1.0, horizontalalignment="right")


def _letters_across(ax: Axes) -> int:
    """How many letters go from one side of the axes to the other."""
    from matplotlib import rcParams

    return int(ax.get_window_extent().width * 72 / ax.figure.dpi / (0.5 * float(rcParams["font.size"])))


def _folded(texts: Iterable[str], letters: int) -> list[str]:
    """Lines of texts, no longer than that if their words allow."""
    fold = textwrap.TextWrapper(max(20, letters), break_long_words=False, break_on_hyphens=False)
    return [part for text in texts for part in fold.wrap(text)]


#: A legend whose entries are as wide as `columns_that_fit` counts.
COMPACT: dict[str, Any] = {
    "frameon": False,
    "fontsize": "small",
    "columnspacing": 1.0,
    "handlelength": 1.4,
    "handletextpad": 0.4,
}


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
        **COMPACT,
        ncols=columns_that_fit(ax, ax.get_legend_handles_labels()[1], n_columns),
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.2,
    )
