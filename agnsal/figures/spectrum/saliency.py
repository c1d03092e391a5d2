"""A spectrum coloured by its attribution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.figures.flux import flux_error, flux_limits, mark_beyond
from agnsal.figures.labels import is_upper, mark_lines
from agnsal.figures.quantities import attribution_label, axis_of, error_label, flux_label, output_label, powers_apart
from agnsal.figures.records import expect, rows
from agnsal.figures.style import SPECTRUM_GREY, hatch_bins, ink, keep_inside, new_axes
from agnsal.figures.text import label_below, plain, plain_lines, title_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

    from agnsal.figures.records import AttributionRecord, Floats
    from agnsal.spectra.sample import SpectralSample

#: Red is negative and blue positive, as published; both ends can be told apart by the colour-blind.
COLORMAP = "RdBu"
_STYLES = ("clear", "published")
_LINE_POINTS = 2.6
_STRIP_HEIGHT = 0.07  # of the axes
_PERCENTILE = 99.0  # of the absolute values, where colours end


def plot_saliency(
    attribution: AttributionRecord,
    i: int = 0,
    *,
    sample: SpectralSample | None = None,
    ax: Axes | None = None,
    style: Literal["clear", "published"] = "clear",
    lines: Iterable[str] | None = None,
    colorbar: bool = True,
    limit: float | None = None,
    title: str | None = None,
) -> Axes:
    """Draw one spectrum, coloured by its attribution: red where more flux lowers the output, blue where it raises it.

    Parameters
    ----------
    attribution : Attribution
        From any method.
    i : int
        Which of its spectra.
    sample : SpectralSample, optional
        The spectra that were explained, in the same order: a band shows the standard error of the flux.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    style : {"clear", "published"}
        ``"clear"`` colours the line and a strip below it, with white at zero. ``"published"`` is the look of Peruzzi
        et al. (2021): one translucent disc per pixel, and colour limits at the least and the largest value, so that
        white is not zero.
    lines : iterable of str, optional
        Lines to mark; by default the common ones, an empty list for none.
    colorbar : bool
        Whether to add a colour bar beside the axes.
    limit : float, optional
        Colours end at minus and plus this value; by default at the 99th percentile of the absolute values, so that a
        few bins do not bleach the others. Arrows on the colour bar say that there are values beyond. Clear style only.
    title : str, optional
        By default the object and what is explained; an empty text for none.

    Returns
    -------
    Axes
        The colour bar stands on axes of its own. Bins that were not observed are hatched and have no colour. Where
        the `uncertainty` is known, a line over the strip shows where the attribution exceeds twice its error. A few
        bins that stand far out, a cosmic ray, may leave the axes, and a triangle tells where.

    Raises
    ------
    AgnsalError
        If there is no such spectrum or style, nothing of it was observed, the limit is not positive, or the sample is
        not the one that was explained.

    Examples
    --------
    >>> import agnsal, numpy as np
    >>> from agnsal.figures import plot_saliency
    >>> labels = np.repeat(["type 1", "type 2"], 30)
    >>> flux = np.random.default_rng(0).normal(size=(60, 1000)) + (labels == "type 1")[:, None]
    >>> sample = agnsal.SpectralSample(flux, agnsal.PERUZZI2021_GRID)
    >>> model = agnsal.ProbabilisticSVC(kernel="linear").fit(flux, labels)
    >>> ax = plot_saliency(agnsal.saliency(model, sample[:1]))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('Rest wavelength [Å]', 'Relative flux')
    """
    if style not in _STYLES:
        raise AgnsalError(f"style must be one of {', '.join(map(repr, _STYLES))}, got {style!r}.")
    if limit is not None and not (np.isfinite(limit) and limit > 0):
        raise AgnsalError(f"limit must be positive, got {limit!r}.")
    expect(attribution, "attribution", "an Attribution, as agnsal.saliency gives", "observed_values", "inputs", "grid")
    number = int(rows(i, len(attribution), [0])[0])
    one, error = attribution[number], flux_error(sample, attribution, number)
    values, flux, bad = one.observed_values[0], one.inputs[0], None if one.mask is None else one.mask[0]
    if bad is not None and bad.all():
        raise AgnsalError(f"nothing of {plain(one.ids[0])} was observed, so there is no attribution to draw.")
    center, edges, label = axis_of(one.grid, values.size)
    ax = new_axes(ax, (7.1, 3.2))
    ax.set_xlim(edges[0], edges[-1])
    if style == "published":
        drawn: ScalarMappable = _discs(ax, center, flux, values)
    else:
        drawn = _colored_line(ax, edges, flux, values, limit)
        _sure_bins(ax, edges, values, one.standard_error)
    if error is not None:
        band = ax.fill_between(center, flux - error, flux + error, color=ink(ax), alpha=0.2, linewidth=0, zorder=1.8)
        band.set_label("standard error of the flux")
    hatch_bins(ax, edges, bad)
    sure = one.standard_error is not None and style == "clear"
    label_below(
        ax,
        "" if is_upper(ax) else label,
        "" if error is None else "band: standard error of the flux",
        f"line over the strip: exceeds twice its {error_label(one)}" if sure else "",
    )
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.set_ylabel(flux_label(one.flux_unit))
    pad = mark_lines(ax, one.grid, lines)
    title_above(ax, f"{plain(one.ids[0])}: {_explained(one)}" if title is None else plain_lines(title), pad)
    if colorbar:
        end = np.inf if style == "published" else symmetric_limit(values, limit, percentile=_PERCENTILE)
        beyond = "both" if np.nanmax(np.abs(values)) > end else "neither"
        bar = ax.figure.colorbar(drawn, ax=ax, pad=0.015, aspect=30, extend=beyond)
        bar.locator = MaxNLocator(5, symmetric=style != "published")
        power = powers_apart(bar.ax.yaxis, max(map(abs, drawn.get_clim())))
        bar.set_label(attribution_label(one, one.target[0], power), fontsize="small")
        keep_inside(ax, bar.ax)
        if bar.solids is not None:
            bar.solids.set_alpha(1.0)  # the discs are translucent, their scale is not
    return ax


def symmetric_limit(values: NDArray[np.float64], limit: float | None = None, *, percentile: float = 100.0) -> float:
    """Where a colour scale about zero ends.

    Parameters
    ----------
    values : ndarray
        What is coloured.
    limit : float, optional
        Wins over the values.
    percentile : float
        Of the absolute values; where that is 0 because nearly all are, the largest counts.

    Returns
    -------
    float
        Positive, also where all values are zero.
    """
    if limit is not None:
        return float(limit)
    size = np.abs(values[np.isfinite(values)])
    if not size.size:
        return 1.0
    return float(np.percentile(size, percentile, method="higher")) or float(size.max()) or 1.0


def _colored_line(ax: Axes, edges: Floats, flux: Floats, values: Floats, limit: float | None) -> ScalarMappable:
    """The spectrum as a line that changes colour from bin to bin, over a strip with the same colours."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import Normalize
    from scipy.ndimage import uniform_filter1d

    end = symmetric_limit(values, limit, percentile=_PERCENTILE)
    norm = Normalize(-end, end)
    center = 0.5 * (edges[1:] + edges[:-1])
    # half a bin to either side: each bin has its own colour, and neighbours meet
    joints = np.concatenate([[flux[0]], 0.5 * (flux[1:] + flux[:-1]), [flux[-1]]])
    segments = np.stack(
        [
            np.column_stack([edges[:-1], joints[:-1]]),
            np.column_stack([center, flux]),
            np.column_stack([edges[1:], joints[1:]]),
        ],
        axis=1,
    )
    line = LineCollection(
        list(segments),
        array=values,
        cmap=COLORMAP,
        norm=norm,
        capstyle="round",
        joinstyle="round",
        zorder=2,
    )
    ax.add_collection(line, autolim=False)
    seen = np.isfinite(values)
    ax.plot(center, np.where(seen, flux, np.nan), color=ink(ax), alpha=0.8, linewidth=0.5, zorder=3)
    show_flux(ax, np.where(seen, flux, np.nan))
    mark_beyond(ax, center, np.where(seen, flux, np.nan), ink(ax))
    # thinner on the flanks of a line, where a bin would be a block; noise from bin to bin is no flank
    along, up = np.diff(ax.transData.transform(np.column_stack([edges, joints])), axis=0).T
    up = np.abs(uniform_filter1d(up, 5))
    line.set_linewidth(_LINE_POINTS * np.clip(np.abs(along) / np.hypot(along, up), 0.4, 1.0))
    strip = ax.pcolormesh(
        edges,
        [0.0, _STRIP_HEIGHT],
        values[None, :],
        cmap=COLORMAP,
        norm=norm,
        transform=ax.get_xaxis_transform(),
        rasterized=True,
        zorder=1,
    )
    strip.set_in_layout(False)
    ax.axhline(0, color="0.85", linewidth=0.6, zorder=0)
    ax.plot([0, 1], [_STRIP_HEIGHT] * 2, color="0.35", linewidth=0.5, transform=ax.transAxes, zorder=2)
    return line


def show_flux(ax: Axes, *spectra: Floats, above: float = 0.06) -> None:
    """Set the vertical limits so that spectra stand over the strip.

    Parameters
    ----------
    ax : Axes
        Of `plot_saliency`.
    *spectra : ndarray, shape (n_bins,)
        NaN where there is nothing to show.
    above : float
        Room above them, as a share of their range.
    """
    low, high = flux_limits(*spectra)
    room = (high - low) or abs(high) or 1.0
    ax.set_ylim(low - (0.06 + 1.15 * _STRIP_HEIGHT) * room, high + above * room)


def _sure_bins(ax: Axes, edges: Floats, values: Floats, error: Floats | None) -> None:
    """A line over the strip where the attribution exceeds twice its error."""
    if error is None:
        return
    sure = np.abs(values) > 2 * error[0]
    ax.hlines(
        np.full(int(sure.sum()), _STRIP_HEIGHT + 0.015),
        edges[:-1][sure],
        edges[1:][sure],
        color=ink(ax),
        linewidth=1.5,
        transform=ax.get_xaxis_transform(),
        zorder=2,
    ).set_in_layout(False)


def _discs(ax: Axes, center: Floats, flux: Floats, values: Floats) -> ScalarMappable:
    """One translucent disc per pixel on a thin grey spectrum; colour limits at the data's own."""
    seen = np.isfinite(values)
    ax.plot(center, np.where(seen, flux, np.nan), color=SPECTRUM_GREY, linewidth=0.6, zorder=1)
    return ax.scatter(center[seen], flux[seen], c=values[seen], cmap=COLORMAP, s=16, alpha=0.6, linewidths=0, zorder=2)


def _explained(one: AttributionRecord) -> str:
    """What is explained and its value, for one spectrum."""
    words = {"probability": "probability of ", "log_odds": "log-odds of "}.get(one.output)
    what = output_label(one, one.target[0]) if words is None else words + plain(one.target[0])
    return f"{what} = {float(one.explained[0]):.3f}"
