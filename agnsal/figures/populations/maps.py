"""Mean maps of groups of spectra."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from agnsal.errors import AgnsalError
from agnsal.figures.labels import is_upper, mark_lines
from agnsal.figures.quantities import attribution_label, axis_of, powers_apart
from agnsal.figures.records import expect
from agnsal.figures.style import class_color, class_places, hatch_bins, new_axes
from agnsal.figures.text import label_below, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import MeanMapsRecord


def plot_mean_maps(
    maps: MeanMapsRecord,
    groups: Iterable[str] | None = None,
    *,
    ax: Axes | None = None,
    lines: Iterable[str] | None = None,
) -> Axes:
    """Draw the mean map of each group over wavelength, with the scatter of its spectra as a band.

    Parameters
    ----------
    maps : MeanMaps
        From `agnsal.mean_maps`.
    groups : iterable of str, optional
        Which of them; by default all.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    lines : iterable of str, optional
        Lines to mark; by default the common ones, an empty list for none.

    Returns
    -------
    Axes

    Raises
    ------
    AgnsalError
        If there is no such group.

    Examples
    --------
    >>> import agnsal
    >>> from agnsal.figures import plot_mean_maps
    >>> sample = agnsal.simulate_agn(30, 40, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    >>> ax = plot_mean_maps(agnsal.mean_maps(agnsal.saliency(model, sample, "type 1"), sample.labels))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['type 1 (30)', 'type 2 (40)']
    """
    expect(maps, "maps", "MeanMaps, as agnsal.mean_maps gives", "groups", "scatter", "count")
    names = maps.groups.tolist()
    chosen = names if groups is None else [str(name) for name in groups]
    unknown = [name for name in chosen if name not in names]
    if unknown or not chosen:
        raise AgnsalError(f"there is no group {', '.join(unknown) or 'chosen'}; the groups are {', '.join(names)}.")
    one = maps.mean
    center, edges, label = axis_of(one.grid, one.values.shape[1])
    ax = new_axes(ax, (7.1, 3.4))
    places = class_places(names)
    for name in chosen:
        k = names.index(name)
        mean = np.where(maps.count[k] > 0, one.values[k], np.nan)
        color = class_color(places[name])
        spread = np.nan_to_num(maps.scatter[k])
        ax.fill_between(center, mean - spread, mean + spread, color=color, alpha=0.18, linewidth=0)
        ax.plot(center, mean, color=color, linewidth=0.9, label=f"{plain(name)} ({maps.count[k].max()})")
    ax.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    ax.set_xlim(edges[0], edges[-1])
    hatch_bins(ax, edges, (maps.count == 0).all(axis=0))
    label_below(ax, "" if is_upper(ax) else label, "bands: standard deviation of the spectra of a group")
    targets = np.unique(one.target)
    power = powers_apart(ax.yaxis, max(map(abs, ax.get_ylim())))
    text = attribution_label(one, targets[0] if targets.size == 1 else None, power)
    ax.set_ylabel(f"Mean {text[:1].lower()}{text[1:]}", fontsize="small")
    mark_lines(ax, one.grid, lines)
    ax.legend(frameon=False, fontsize="small", loc="best")
    return ax
