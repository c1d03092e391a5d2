"""Several attributions of one spectrum, one below the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from agnsal.errors import AgnsalError
from agnsal.figures.flux import flux_limits
from agnsal.figures.labels import mark_lines
from agnsal.figures.quantities import axis_of
from agnsal.figures.records import expect, rows
from agnsal.figures.spectrum.saliency import COLORMAP, symmetric_limit
from agnsal.figures.style import hatch_bins, ink, new_axes
from agnsal.figures.text import plain, plain_lines, title_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import AttributionRecord

_SPECTRUM_ROWS = 3.0


def plot_comparison(
    attributions: Mapping[str, AttributionRecord] | Sequence[AttributionRecord],
    i: int = 0,
    *,
    ax: Axes | None = None,
    lines: Iterable[str] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw a spectrum over a coloured strip for each method; every strip has its own scale, symmetric about zero.

    Parameters
    ----------
    attributions : mapping of name to Attribution, or sequence of Attribution
        Of the same spectra; without names the methods' own are taken.
    i : int
        Which of the spectra.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    lines : iterable of str, optional
        Lines to mark; by default the common ones, an empty list for none.
    title : str, optional
        By default the object and the target.

    Returns
    -------
    Axes

    Raises
    ------
    AgnsalError
        If there are none, or they are not of the same spectra.

    Examples
    --------
    >>> import agnsal
    >>> from agnsal.figures import plot_comparison
    >>> sample = agnsal.simulate_agn(30, 40, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    >>> maps = [method(model, sample[:1]) for method in (agnsal.saliency, agnsal.input_x_gradient)]
    >>> [text.get_text() for text in plot_comparison(maps).get_yticklabels()]
    ['saliency', 'input x gradient']
    """
    expect(
        attributions, "attributions", "maps of the same spectra, in a list or a mapping by name", "__len__", "__iter__"
    )
    for each in attributions.values() if isinstance(attributions, Mapping) else attributions:
        expect(each, "each of attributions", "an Attribution, as agnsal.saliency gives", "observed_values", "inputs")
    if not isinstance(attributions, Mapping):
        attributions = {each.method.replace("_", " "): each for each in attributions}
    if not attributions:
        raise AgnsalError("there is no attribution to draw.")
    first = next(iter(attributions.values()))
    row = int(rows(i, len(first), [0])[0])
    for name, each in attributions.items():
        if each.values.shape != first.values.shape or not np.array_equal(each.inputs[row], first.inputs[row]):
            raise AgnsalError(f"{name}: {each!r} is not of the same spectra as {first!r}.")
    n = len(attributions)
    center, edges, label = axis_of(first.grid, first.values.shape[1])
    ax = new_axes(ax, (7.1, 1.6 + 0.32 * n))
    for place, each in enumerate(attributions.values()):
        seen = each.observed_values[row]
        end = symmetric_limit(seen)
        ax.pcolormesh(
            edges,
            [place + 0.06, place + 0.94],
            seen[None, :],
            cmap=COLORMAP,
            vmin=-end,
            vmax=end,
            rasterized=True,
        )
    seen = True if first.mask is None else ~first.mask[row]
    flux = np.where(seen, first.inputs[row], np.nan)
    low, high = flux_limits(flux)
    height = np.clip((flux - low) / ((high - low) or 1.0), 0.0, 1.0)  # a cosmic ray is cut off
    ax.plot(center, -0.15 - (_SPECTRUM_ROWS - 0.35) * height, color=ink(ax), alpha=0.8, linewidth=0.7)
    hatch_bins(ax, edges, None if first.mask is None else first.mask[row])
    ax.set_ylim(n, -_SPECTRUM_ROWS)
    ax.set_yticks(np.arange(n) + 0.5, [plain(name) for name in attributions], fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel(label)
    pad = mark_lines(ax, first.grid, lines)
    if title is not None:
        title = plain_lines(title)
    else:
        title = f"{plain(first.ids[row])}: towards {plain(first.target[row])}; blue speaks for it, red against"
    title_above(ax, title, pad)
    return ax
