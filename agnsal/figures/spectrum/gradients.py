"""The gradient of every class over wavelength."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from agnsal.errors import AgnsalError
from agnsal.figures.labels import is_upper, mark_lines
from agnsal.figures.quantities import attribution_label, axis_of, error_label, powers_apart
from agnsal.figures.records import expect, rows
from agnsal.figures.spectrum.saliency import symmetric_limit
from agnsal.figures.style import class_color, class_places, hatch_bins, new_axes
from agnsal.figures.text import COMPACT, columns_that_fit, label_below, plain, plain_lines, title_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import AttributionRecord


def plot_class_gradients(
    gradients: Mapping[Any, AttributionRecord] | Sequence[AttributionRecord],
    i: int = 0,
    *,
    ax: Axes | None = None,
    lines: Iterable[str] | None = None,
    colors: Mapping[Any, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the attribution to every class of one spectrum as lines over wavelength.

    Gradients of probabilities sum to zero over the classes in every bin: of two classes one is drawn, for the other is
    its mirror image. A band shows the standard error where it is known; bins that were not observed are hatched.

    Parameters
    ----------
    gradients : mapping of class to Attribution, or sequence of Attribution
        Of the same spectra and the same output, one for each class.
    i : int
        Which of the spectra.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    lines : iterable of str, optional
        Lines to mark; by default the common ones, an empty list for none.
    colors : mapping, optional
        Colour of each class.
    title : str, optional
        By default the object; an empty text for none.

    Returns
    -------
    Axes

    Raises
    ------
    AgnsalError
        If there is nothing to draw, or the attributions are of different outputs or lengths.

    Examples
    --------
    >>> import agnsal, numpy as np
    >>> from agnsal.figures import plot_class_gradients
    >>> labels = np.repeat(["type 1", "type 2"], 30)
    >>> flux = np.random.default_rng(0).normal(size=(60, 1000)) + (labels == "type 1")[:, None]
    >>> sample = agnsal.SpectralSample(flux, agnsal.PERUZZI2021_GRID)
    >>> model = agnsal.ProbabilisticSVC(kernel="linear").fit(flux, labels)
    >>> ax = plot_class_gradients({c: agnsal.saliency(model, sample[:1], target=c) for c in model.classes_})
    >>> ax.get_ylabel()[:13]
    'Gradient of P'
    """
    wanted = "an Attribution for each class, in a list or a mapping by class"
    expect(gradients, "gradients", wanted, "__len__", "__iter__")
    for one in gradients.values() if isinstance(gradients, Mapping) else gradients:
        expect(one, "each of gradients", "an Attribution, as agnsal.saliency gives", "observed_values", "target")
    if isinstance(gradients, Mapping):
        of_class = dict(gradients)
    else:
        of_class = {one.target[int(rows(i, len(one), [0])[0])]: one for one in gradients}
    if len(of_class) < len(gradients):
        raise AgnsalError("two of the attributions are of the same class; give one for each, or a mapping by class.")
    if not of_class:
        raise AgnsalError("no attributions to draw; give one for each class.")
    if len({(one.output, one.method, one.unit, one.values.shape) for one in of_class.values()}) > 1:
        raise AgnsalError("the attributions differ in method, output, unit or shape; make them alike, one per class.")
    first = next(iter(of_class.values()))
    number = int(rows(i, len(first), [0])[0])
    center, edges, label = axis_of(first.grid, first.values.shape[1])
    ax = new_axes(ax, (7.1, 3.2))
    ax.set_xlim(edges[0], edges[-1])
    ax.axhline(0, color="0.5", linewidth=0.6, zorder=1)
    places = class_places(of_class)
    shown = _without_mirror(of_class, number)
    largest = 0.0
    for name, one in shown.items():
        color = class_color(places[str(name)]) if colors is None else colors[name]
        mirrored = [plain(other) for other in of_class if other not in shown]
        text = f"{plain(name)} ({mirrored[0]}: the same, other sign)" if mirrored else plain(name)
        values = one.observed_values[number]
        ax.plot(center, values, color=color, linewidth=0.8, label=text, zorder=2)
        if one.standard_error is not None:
            error = one.standard_error[number]
            ax.fill_between(center, values - error, values + error, color=color, alpha=0.2, linewidth=0, zorder=1.5)
        largest = max(largest, symmetric_limit(values))
    hatch_bins(ax, edges, None if first.mask is None else first.mask[number])
    ax.set_ylim(-1.35 * largest, 1.35 * largest)  # room for the legend, the same above and below
    known = [one for one in shown.values() if one.standard_error is not None]
    label_below(ax, "" if is_upper(ax) else label, f"bands: {error_label(known[0])}" if known else "")
    ax.set_ylabel(attribution_label(first, None, powers_apart(ax.yaxis, largest)))
    legend = ax.legend(
        **COMPACT,
        ncols=columns_that_fit(ax, ax.get_legend_handles_labels()[1], 3, inside=True),
        loc="lower left",
        borderaxespad=0.2,
    )
    for handle in legend.get_lines():
        handle.set_linewidth(2.0)
    pad = mark_lines(ax, first.grid, lines)
    title = plain(first.ids[number]) if title is None else plain_lines(title)
    title_above(ax, title, pad)
    return ax


def _without_mirror(of_class: Mapping[Any, AttributionRecord], number: int) -> dict[Any, AttributionRecord]:
    """Of two that differ in sign only, the first."""
    names = list(of_class)
    if len(names) == 2:
        one, other = (of_class[name].values[number] for name in names)
        if np.abs(one + other).max() <= 1e-6 * np.abs(one).max():
            return {names[0]: of_class[names[0]]}
    return dict(of_class)
