"""How flux stands on an axis: what range is shown, what lies beyond, how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.figures.records import AttributionRecord, Floats, expect

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.spectra.sample import SpectralSample


def flux_limits(*spectra: NDArray[np.float64]) -> tuple[float, float]:
    """Least and largest flux to show: those of the spectra, unless a few bins alone stand far out.

    A running median over five bins knows no cosmic ray, and takes a fifth from the narrowest line; what exceeds
    its range by more than half of that may leave the axes.

    Parameters
    ----------
    *spectra : ndarray, shape (n_bins,)
        Any number; NaN where there is nothing to show.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> flux = np.ones(100)
    >>> flux[20:40] = 3.0
    >>> flux[70] = 90.0
    >>> flux_limits(flux)
    (1.0, 4.0)
    """
    from scipy.ndimage import median_filter

    seen = [flux[np.isfinite(flux)] for flux in spectra if np.isfinite(flux).any()]
    whole, smooth = np.concatenate(seen), np.concatenate([median_filter(flux, 5, mode="nearest") for flux in seen])
    room = 0.5 * float(np.ptp(smooth)) or float(np.ptp(whole))
    return max(float(whole.min()), float(smooth.min()) - room), min(float(whole.max()), float(smooth.max()) + room)


def mark_beyond(ax: Axes, center: NDArray[np.float64], flux: NDArray[np.float64], color: Any) -> None:
    """Triangles on the edge of the axes where a spectrum leaves them.

    Parameters
    ----------
    ax : Axes
        With its vertical limits set.
    center, flux : ndarray, shape (n_bins,)
        The spectrum; NaN where there is nothing to show.
    color : color
        Of the triangles.
    """
    low, high = ax.get_ylim()
    for out, height, marker in ((flux > high, 1.0, "^"), (flux < low, 0.0, "v")):
        if out.any():
            starts = np.flatnonzero(out & ~np.concatenate([[False], out[:-1]]))
            ax.plot(
                center[starts],
                np.full(starts.size, height),
                marker,
                color=color,
                markersize=4,
                transform=ax.get_xaxis_transform(),
                clip_on=False,
                zorder=4,
            )


def flux_error(sample: SpectralSample | None, attribution: AttributionRecord, number: int) -> Floats | None:
    """Standard error of the flux of a spectrum that was explained.

    Parameters
    ----------
    sample : SpectralSample or None
        As the user gave it.
    attribution : Attribution
        Of these spectra.
    number : int
        Which of them.

    Returns
    -------
    ndarray, shape (n_bins,), or None
        NaN in bad bins; None where errors are not known.

    Raises
    ------
    AgnsalError
        If the sample is not the one that was explained.
    """
    if sample is None:
        return None
    expect(sample, "sample", "the SpectralSample that was explained", "ivar", "ids")
    if len(sample) != len(attribution) or not np.array_equal(sample.flux[number], attribution.inputs[number]):
        raise AgnsalError(
            f"sample must hold the {len(attribution)} spectra that were explained, in their order; got {sample!r}."
        )
    if sample.ivar is None:
        return None
    ivar = sample.ivar[number]
    error: Floats = np.full(ivar.shape, np.nan)
    error[ivar > 0] = ivar[ivar > 0] ** -0.5
    return error
