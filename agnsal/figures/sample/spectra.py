"""Example spectra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError
from agnsal.figures.labels import mark_lines
from agnsal.figures.quantities import axis_of, flux_label
from agnsal.figures.records import expect, first_of_each, rows
from agnsal.figures.style import class_color, class_places, new_axes
from agnsal.figures.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.spectra.sample import SpectralSample


#: Share of the axis that a name may cover.
TEXT_WIDTH = 0.65


def plot_spectra(
    sample: SpectralSample,
    indices: int | ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    lines: Iterable[str] | None = None,
    offset: float | Literal["auto"] = "auto",
    colors: Mapping[Any, Any] | None = None,
) -> Axes:
    """Draw spectra above each other, each with its name, class and redshift.

    Parameters
    ----------
    sample : SpectralSample
        Usually normalised, so that the spectra compare.
    indices : int or array_like, optional
        Which spectra, from the bottom up; by default the first of each class.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    lines : iterable of str, optional
        Lines to mark; by default the common ones, an empty list for none.
    offset : float or "auto"
        Added to the flux from one spectrum to the next; by default just enough to keep them apart. 0 overlays them.
    colors : mapping, optional
        Colour of each class.

    Returns
    -------
    Axes

    Raises
    ------
    AgnsalError
        If there is no such spectrum.

    Examples
    --------
    >>> import agnsal, numpy as np
    >>> from agnsal.figures import plot_spectra
    >>> flux = np.ones((3, 1000)) + 0.1 * np.arange(1000) / 1000
    >>> ax = plot_spectra(agnsal.SpectralSample(flux, agnsal.PERUZZI2021_GRID))
    >>> ax.get_xlabel()
    'Rest wavelength [Å]'
    """
    expect(sample, "sample", "a SpectralSample", "flux", "grid", "mask", "ids")
    chosen = rows(indices, len(sample), first_of_each(sample.labels, len(sample)))
    if offset != "auto" and not np.isfinite(offset):
        raise AgnsalError(f"offset must be a number or 'auto', got {offset!r}.")
    ax = new_axes(ax, (7.1, 1.6 + 1.1 * len(chosen)))
    center, edges, label = axis_of(sample.grid, sample.flux.shape[1])
    labels = sample.labels
    places = {} if labels is None else class_places(labels)
    names = [_name(sample, i) for i in chosen]
    levels = levels_apart(sample.flux[chosen], ax) if offset == "auto" else offset * np.arange(len(chosen))
    for number, (i, name, level) in enumerate(zip(chosen, names, levels, strict=False)):
        color = class_color(places[str(labels[i])] if labels is not None else number)
        if colors is not None and labels is not None:
            color = colors.get(labels[i], color)
        flux, mask = sample.flux[i] + level, sample.mask[i]
        ax.plot(center, np.where(mask, np.nan, flux), color=color, linewidth=0.8, label=name, drawstyle="steps-mid")
        if mask.any():
            ax.plot(center, np.where(mask, flux, np.nan), color=color, linewidth=0.8, alpha=0.3)
        if offset == "auto":
            top = flux[: max(1, int(TEXT_WIDTH * flux.size))].max()
            text = ax.text(edges[0], top, f"  {name}", color=color, va="bottom", fontsize="small", zorder=2.4)
            text.set_bbox({"facecolor": ax.get_facecolor(), "edgecolor": "none", "alpha": 0.8, "pad": 0.5})
    if offset == "auto":
        low, high = sample.flux[chosen[0]].min(), levels[-1]
        ax.set_ylim(low - 0.04 * (high - low), high)
    else:
        ax.legend(frameon=False, fontsize="small")
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel(label)
    raised = offset != 0 and len(chosen) > 1
    ax.set_ylabel(f"{flux_label(sample.unit)}{' + offset' if raised else ''}")
    mark_lines(ax, sample.grid, lines)
    return ax


def levels_apart(flux: NDArray[np.float64], ax: Axes) -> NDArray[np.float64]:
    """Offset of each spectrum that clears the one below and its name; one more for the top of the axes.

    Parameters
    ----------
    flux : ndarray, shape (n, n_bins)
        From the bottom up.
    ax : Axes
        Where they will be drawn.

    Returns
    -------
    ndarray, shape (n + 1,)
    """
    from matplotlib import rcParams

    n, left = len(flux), max(1, int(TEXT_WIDTH * flux.shape[1]))
    size = rcParams["font.size"]
    labels_and_axis = 8.0 * size  # above and below the axes, in points
    height = ax.get_window_extent().height * 72.0 / ax.figure.dpi - labels_and_axis
    text, share = 0.0, min(1.4 * size / max(height, 4.0 * size), 0.6 / n)  # names leave room for the spectra
    levels = np.zeros(n + 1)
    for _ in range(20):  # the height of a text in units of flux depends on the range, and the range on it
        for k in range(n - 1):
            apart = (flux[k] - flux[k + 1]).max() + 0.3 * text
            named = flux[k, :left].max() + text - flux[k + 1, :left].min()
            levels[k + 1] = levels[k] + max(apart, named)
        levels[n] = levels[n - 1] + max(flux[-1].max() + 0.3 * text, flux[-1, :left].max() + text)
        text = share * (levels[n] - flux[0].min())
    return levels


def _name(sample: SpectralSample, i: int) -> str:
    """Object, class and redshift of a spectrum, as far as they are known."""
    parts = [plain(sample.ids[i])]
    if sample.labels is not None:
        parts.append(plain(sample.labels[i]))
    redshift = sample.redshift
    if redshift is not None and np.isfinite(redshift[i]):
        parts.append(f"z = {redshift[i]:.3f}")
    return ", ".join(parts)
