"""The map of spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import PathCollection
from numpy.typing import ArrayLike

from agnsal.errors import AgnsalError, real_numbers
from agnsal.figures.labels import PointLabels
from agnsal.figures.records import rows
from agnsal.figures.style import MARKERS, class_color, class_places, ink, new_axes
from agnsal.figures.text import plain, room_for_letters, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import EmbeddingRecord


def plot_embedding(
    embedding_or_coordinates: EmbeddingRecord | ArrayLike,
    labels: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    marked: ArrayLike | None = None,
    names: Sequence[Any] | None = None,
    colors: Mapping[Any, Any] | None = None,
) -> Axes:
    """Draw a map of spectra by class, with some of them marked and numbered.

    Called again with the same axes it adds to the map, for instance new spectra that were placed on it.

    Parameters
    ----------
    embedding_or_coordinates : SpectralEmbedding or array_like, shape (n, 2)
        The map.
    labels : array_like, shape (n,), optional
        Class of each spectrum.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    marked : array_like of int, optional
        Spectra to ring and number, from 1 in the order given.
    names : sequence, optional
        A name for each marked spectrum, for the legend.
    colors : mapping, optional
        Colour of each class.

    Returns
    -------
    Axes
        Without ticks, and stretched to fill: lengths on such a map have no unit.

    Raises
    ------
    AgnsalError
        If lengths do not agree, or a marked spectrum does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal.figures import plot_embedding
    >>> points = np.random.default_rng(0).normal(size=(50, 2))
    >>> ax = plot_embedding(points, np.repeat(["type 1", "type 2"], 25), marked=[3, 30])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['type 1 (25)', 'type 2 (25)']
    """
    points = real_numbers("the map", getattr(embedding_or_coordinates, "coordinates", embedding_or_coordinates))
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise AgnsalError(f"a map of shape (n, 2) is expected, got {points.shape}.")
    if not np.isfinite(points).all():
        raise AgnsalError("the map holds points that are not finite.")
    kinds = None if labels is None else np.asarray(labels).astype(str)
    if kinds is not None and kinds.shape != (len(points),):
        raise AgnsalError(f"{kinds.size} labels given for {len(points)} points; one for each is needed.")
    ax = new_axes(ax, (3.6, 3.9))
    size = float(np.clip(9000.0 / len(points), 3.0, 14.0))
    if kinds is None:
        ax.scatter(points[:, 0], points[:, 1], s=size, color="0.5", linewidths=0)
    else:
        places = class_places(np.unique(kinds))
        drawn, rarest_last = len(ax.collections), sorted(places, key=lambda name: -np.sum(kinds == name))
        for kind in sorted(places, key=lambda name: places[name]):
            inside = kinds == kind
            ax.scatter(
                points[inside, 0],
                points[inside, 1],
                s=size,
                marker=MARKERS[places[kind] % len(MARKERS)],
                color=class_color(places[kind]) if colors is None else colors[kind],
                alpha=0.7,
                linewidths=0,
                zorder=1.0 + 0.01 * (drawn + rarest_last.index(kind)),  # what is rare or comes later is on top
                label=f"{plain(kind)} ({inside.sum()})",
            )
    if marked is not None:
        _mark(ax, points, marked, names)
    _legend(ax, 0 if names is None else len(names))
    ax.set(xlabel="t-SNE 1", ylabel="t-SNE 2", xticks=[], yticks=[])
    ax.margins(0.08)
    return ax


def _mark(ax: Axes, points: np.ndarray, marked: ArrayLike, names: Sequence[Any] | None) -> None:
    """Ring and number some of the points, and put their names into the legend."""
    chosen = rows(marked, len(points), [])
    if names is not None and len(names) != len(chosen):
        raise AgnsalError(f"{len(names)} names given for {len(chosen)} marked spectra; one for each is needed.")
    ax.scatter(
        points[chosen, 0], points[chosen, 1], s=45, facecolors="none", edgecolors=ink(ax), linewidths=1.0, zorder=4
    )
    numbers = [str(number) for number in range(1, len(chosen) + 1)]
    ax.add_artist(PointLabels(points[chosen], numbers))
    for number, name in zip(numbers, [] if names is None else names, strict=False):
        # in mathematics a number is drawn as a marker
        ax.scatter([], [], marker=f"$\\mathbf{{{number}}}$", s=30, color=ink(ax), linewidths=0, label=plain(name))


def _legend(ax: Axes, n_names: int) -> None:
    """Put the legend above the axes, where it covers no point: the classes in one column, the names in another."""
    handles, texts = ax.get_legend_handles_labels()
    if not handles:
        return
    n_classes = len(handles) - n_names
    # widths in letters, of which an entry needs about four for its marker and the gap
    room = room_for_letters(ax, from_the_axes=True)
    texts = [text if width_of(text) + 4 <= room else f"{text[: int(0.7 * room) - 4]}..." for text in texts]
    classes, names = (max(map(width_of, part), default=0) + 4 for part in (texts[:n_classes], texts[n_classes:]))
    columns = 2 if n_names and classes + names <= room else 1
    if n_names == 0:
        columns = max(1, min(n_classes, room // classes))
    elif n_classes and columns == 2:
        rows_needed = max(n_classes, n_names)
        blank = ax.scatter([], [], alpha=0)
        entries = list(zip(handles, texts, strict=True))
        entries[n_classes:n_classes] = [(blank, "")] * (rows_needed - n_classes)
        entries += [(blank, "")] * (rows_needed - n_names)
        handles, texts = map(list, zip(*entries, strict=True))
    legend = ax.legend(
        handles,
        texts,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        frameon=False,
        fontsize="small",
        borderaxespad=0.2,
        handletextpad=0.2,
        columnspacing=1.0,
    )
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
        if isinstance(handle, PathCollection):
            handle.set_sizes([28.0])
            handle.set_alpha(1.0 if text.get_text() else 0.0)
