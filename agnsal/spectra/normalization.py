"""By what every spectrum is divided before spectra are compared: a window, its median, its continuum."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import astropy.units as u
import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import WavelengthGrid, to_angstrom
from agnsal.spectra.lines import emission_lines, line_masks

#: What a spectrum can be divided by.
Divisor = Literal["window", "median", "continuum"]

#: Degree of the continuum in the logarithm of wavelength; times of clipping; scatters kept below and above, fewer above
#: because broad lines only add.
_DEGREE, _ROUNDS, _BELOW, _ABOVE = 3, 8, 3.0, 2.0
#: Good bins that a continuum is fitted to at least.
_LEAST_BINS = 20


class Normalization(NamedTuple):
    """By what every spectrum has been divided.

    Attributes
    ----------
    at : float or None
        The wavelength in Angstrom; None if not by a window.
    window : float or None
        Full width in Angstrom over which the median was taken; None for the nearest bin.
    by : str
        ``"window"``, ``"median"`` of all good bins, or ``"continuum"``.
    """

    at: float | None = None
    window: float | None = None
    by: Divisor = "window"

    def __str__(self) -> str:
        if self.by == "window":
            return f"at {self.at:g} Angstrom, " + (f"{self.window:g} wide" if self.window else "nearest bin")
        return "by the median of the good bins" if self.by == "median" else "by the continuum"

    def pack(self) -> dict[str, Any]:
        """JSON header."""
        return {"at": self.at, "window": self.window} if self.by == "window" else {"by": self.by}


#: What `SpectralSample.normalize` does unless told otherwise.
USUAL = Normalization(5100.0, 50.0)

#: What the header of a normalised sample, or of a machine that learnt from one, may hold.
NORMALIZATION_HEADER = ({"at": float, "window": (float, None)}, {"by": frozenset({"median", "continuum"})}, None)


def how_to_normalize(grid: WavelengthGrid, by: str, at: u.Quantity | None, window: u.Quantity | None) -> Normalization:
    """Check what a user wants to divide by.

    Parameters
    ----------
    grid : WavelengthGrid
        Of the spectra.
    by : {"window", "median", "continuum"}
        What to divide by.
    at, window : Quantity or None
        Centre and full width of the window; None for the nearest bin.

    Returns
    -------
    Normalization

    Raises
    ------
    AgnsalError
        If `by` is unknown, or the window is off the grid or has no unit.

    Examples
    --------
    >>> from agnsal import PERUZZI2021_GRID
    >>> how_to_normalize(PERUZZI2021_GRID, "window", 5100 * u.AA, None)
    Normalization(at=5100.0, window=None, by='window')
    """
    if by not in get_args(Divisor):
        raise AgnsalError(f"by must be one of {', '.join(map(repr, get_args(Divisor)))}, got {by!r}.")
    if by != "window":
        return Normalization(by=by)  # type: ignore[arg-type]
    position, edges = float(to_angstrom(at, "at")), grid.edges.value
    if not edges[0] <= position <= edges[-1]:
        raise AgnsalError(f"cannot normalise at {at}: the grid covers {edges[0]:.1f} to {edges[-1]:.1f} A.")
    return Normalization(position, None if window is None else float(to_angstrom(window, "window")))


def median_bins(grid: WavelengthGrid, how: Normalization) -> NDArray[np.bool_]:
    """Mark the bins whose median is taken: of the window at least the nearest one, shape (n_bins,)."""
    if how.at is None:
        return np.ones(len(grid), dtype=bool)
    distance = np.abs(grid.centers.value - how.at)
    if how.window is None:
        return np.arange(distance.size) == distance.argmin()
    return distance <= max(0.5 * how.window, distance.min())


def divisors(
    flux: NDArray[np.float64], mask: NDArray[np.bool_], grid: WavelengthGrid, how: Normalization
) -> tuple[NDArray[np.float64], dict[int, str]]:
    """Find by what to divide, from observed bins only.

    Parameters
    ----------
    flux : ndarray, shape (n, n_bins)
        Spectra.
    mask : ndarray of bool, shape (n, n_bins)
        Bins that were not observed.
    grid : WavelengthGrid
        Of both.
    how : Normalization
        What to divide by.

    Returns
    -------
    divisor : ndarray, shape (n, 1), or (n, n_bins) for a continuum
        NaN where there is none.
    refused : dict of int to str
        The rows that cannot be divided, and why.

    Examples
    --------
    >>> grid = WavelengthGrid.linear(5000 * u.AA, 5200 * u.AA, 4)
    >>> flux, mask = np.array([[1.0, 2.0, 3.0, 9.0]]), np.array([[False, False, False, True]])
    >>> divisors(flux, mask, grid, Normalization(by="median"))
    (array([[2.]]), {})
    """
    if how.by == "continuum":
        return _continua(flux, mask, grid)
    chosen = median_bins(grid, how)
    inside = np.where(mask[:, chosen], np.nan, flux[:, chosen])
    some = ~np.isnan(inside).all(axis=1)
    level = np.full((len(flux), 1), np.nan)
    level[some, 0] = np.nanmedian(inside[some], axis=1)
    where = "anywhere" if how.by == "median" else f"at {how.at:g} Angstrom"
    refused = {int(row): f"no good bin {where} to normalise by" for row in np.flatnonzero(~some)}
    refused |= {
        int(row): f"no positive flux {where} to normalise by" for row in np.flatnonzero(some & ~(level[:, 0] > 0))
    }
    return level, refused


def _continua(
    flux: NDArray[np.float64], mask: NDArray[np.bool_], grid: WavelengthGrid
) -> tuple[NDArray[np.float64], dict[int, str]]:
    """Smooth continua: a polynomial through the good bins outside the cores of emission lines, clipped."""
    position = np.log(grid.centers.value)
    basis = legvander(np.interp(position, position[[0, -1]], (-1.0, 1.0)), _DEGREE)
    cores = _in_lines(grid, "core")
    result, refused = np.full(flux.shape, np.nan), {}
    for row, bad in enumerate(mask):
        used = ~(bad | cores)
        if used.sum() < _LEAST_BINS:
            refused[row] = f"only {used.sum()} good bins outside the emission lines to fit a continuum to"
            continue
        for _ in range(_ROUNDS):
            fit = basis @ np.linalg.lstsq(basis[used], flux[row, used], rcond=None)[0]
            rest = flux[row] - fit
            scatter = 1.4826 * np.median(np.abs(rest[used]))
            kept = ~(bad | cores) & (rest >= -_BELOW * scatter) & (rest <= _ABOVE * scatter)
            if kept.sum() < _LEAST_BINS or (kept == used).all():
                break
            used = kept
        if (fit[~bad] <= 0).any():
            refused[row] = "the continuum is not positive everywhere"
        else:
            place = np.arange(bad.size)  # level beyond the observed bins, where a polynomial means nothing
            result[row] = np.interp(place, place[~bad], fit[~bad])
    return result, refused


def window_observed(mask: NDArray[np.bool_], grid: WavelengthGrid, how: Normalization) -> tuple[float, int]:
    """Find the window of the same width, outside emission lines where there is one, that most spectra were observed in.

    Parameters
    ----------
    mask : ndarray of bool, shape (n, n_bins)
        Bins that were not observed.
    grid : WavelengthGrid
        Of the mask.
    how : Normalization
        A window that some spectra lack.

    Returns
    -------
    at : float
        Its centre in Angstrom; of equally good ones that nearest to the window that was asked for.
    n : int
        How many spectra have at least half of its bins.

    Examples
    --------
    >>> grid = WavelengthGrid.linear(5000 * u.AA, 5300 * u.AA, 4)
    >>> window_observed(np.array([[False, False, True, True]]), grid, Normalization(5200.0))
    (5100.0, 1)
    """
    center = grid.centers.value
    covered = _in_lines(grid, "core", "wings")
    windows = np.array([median_bins(grid, how._replace(at=at)) for at in center], dtype=float)
    observed = ((~mask).astype(float) @ windows.T >= 0.5 * windows.sum(axis=1)).sum(axis=0)
    free = windows @ covered == 0
    score = np.lexsort((np.abs(center - how.at), ~free, -observed))[0]
    return float(center[score]), int(observed[score])


def _in_lines(grid: WavelengthGrid, *parts: str) -> NDArray[np.bool_]:
    """Bins of emission lines; none on a grid in air or the observed frame, where lines have no place."""
    inside = np.zeros(len(grid), dtype=bool)
    if grid.medium == "vacuum" and grid.frame == "rest":
        for line in line_masks(grid, emission_lines(grid)).values():
            for part in parts:
                inside |= line[part]
    return inside
