"""A spectrum in few numbers: strengths of lines and means of broad bins, where pixels are too many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.lines import LINES, line_masks
from agnsal.spectra.sample import SpectralSample


def line_windows(
    grid: WavelengthGrid, lines: Iterable[str] | None = None, parts: Iterable[str] = ("core", "wings")
) -> dict[str, NDArray[np.bool_]]:
    """Bins of each named line.

    Parameters
    ----------
    grid : WavelengthGrid
        In vacuum and rest frame.
    lines : iterable of str, optional
        Names; by default the common lines on the grid.
    parts : iterable of {"core", "wings", "continuum"}
        What of each line counts.

    Returns
    -------
    dict of str to ndarray of bool, shape (n_bins,)

    Examples
    --------
    >>> from agnsal import PERUZZI2021_GRID
    >>> int(line_windows(PERUZZI2021_GRID, ["Hbeta"])["Hbeta"].sum())
    103
    """
    parts = tuple(parts)
    return {name: np.any([masks[part] for part in parts], axis=0) for name, masks in line_masks(grid, lines).items()}


def bin_windows(grid: WavelengthGrid, n_bins: int = 30) -> dict[str, NDArray[np.bool_]]:
    """Divide a grid into broad bins of equally many pixels.

    Parameters
    ----------
    grid : WavelengthGrid
        Any grid.
    n_bins : int
        Number of broad bins.

    Returns
    -------
    dict of str to ndarray of bool, shape (n_bins of the grid,)
        Named by their range in Angstrom.

    Raises
    ------
    AgnsalError
        If there are more broad bins than pixels.

    Examples
    --------
    >>> from agnsal import PERUZZI2021_GRID
    >>> next(iter(bin_windows(PERUZZI2021_GRID, 10)))
    '3728-3882'
    """
    if not 1 <= n_bins <= len(grid):
        raise AgnsalError(f"n_bins must be between 1 and the {len(grid)} bins of the grid, got {n_bins}.")
    windows, edges = {}, grid.edges.value
    for members in np.array_split(np.arange(len(grid)), n_bins):
        mask = np.zeros(len(grid), dtype=bool)
        mask[members] = True
        windows[f"{edges[members[0]]:.0f}-{edges[members[-1] + 1]:.0f}"] = mask
    return windows


def window_means(
    X: SpectralSample | ArrayLike, windows: Mapping[str, NDArray[np.bool_]], *, standardize: bool = True
) -> NDArray[np.float64]:
    """Mean flux in each window.

    Parameters
    ----------
    X : SpectralSample or array_like, shape (n, n_bins)
        Spectra.
    windows : mapping of str to mask
        As `line_windows` and `bin_windows` make them.
    standardize : bool
        Give every feature mean 0 and standard deviation 1 over the spectra, so that effects can be compared.

    Returns
    -------
    ndarray, shape (n, n_windows)

    Examples
    --------
    >>> window_means(np.arange(6.0).reshape(2, 3), {"blue": np.array([True, True, False])}, standardize=False)
    array([[0.5],
           [3.5]])
    """
    flux = _flux(X)
    weights = np.stack([mask / mask.sum() for mask in windows.values()], axis=1)
    return _standardized(flux @ weights, tuple(windows)) if standardize else flux @ weights


def line_strengths(
    X: SpectralSample | ArrayLike,
    grid: WavelengthGrid | None = None,
    lines: Iterable[str] | None = None,
    *,
    standardize: bool = True,
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Strength of each line above its continuum, and the mean flux of each window without one.

    Parameters
    ----------
    X : SpectralSample or array_like, shape (n, n_bins)
        Spectra.
    grid : WavelengthGrid, optional
        Needed for an array.
    lines : iterable of str, optional
        Names of lines and windows; by default the common lines on the grid.
    standardize : bool
        See `window_means`.

    Returns
    -------
    strengths : ndarray, shape (n, n_lines)
        Mean over core and wings less the mean of the neighbouring continuum, where there are bins of that.
    names : tuple of str

    Raises
    ------
    AgnsalError
        If an array comes without a grid, or a line is unknown or off the grid.

    Examples
    --------
    >>> from agnsal import simulate_agn
    >>> strengths, names = line_strengths(simulate_agn(3, 3, 0, seed=0).normalize(), lines=["Hbeta"], standardize=False)
    >>> bool(strengths[:3].min() > strengths[3:].max()), names
    (True, ('Hbeta',))
    """
    grid = X.grid if isinstance(X, SpectralSample) else grid
    if grid is None:
        raise AgnsalError("lines of a plain array need its wavelengths: give grid=..., or a SpectralSample.")
    flux = _flux(X)
    masks = line_masks(grid, lines)
    columns = []
    for name, mask in masks.items():
        level = flux[:, mask["core"] | mask["wings"]].mean(axis=1)
        if mask["continuum"].any() and LINES[name].kind != "window":
            level = level - flux[:, mask["continuum"]].mean(axis=1)
        columns.append(level)
    strengths = np.stack(columns, axis=1)
    return (_standardized(strengths, tuple(masks)) if standardize else strengths), tuple(masks)


def _flux(X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
    return X.flux if isinstance(X, SpectralSample) else np.asarray(X, dtype=np.float64)


def _standardized(Z: NDArray, names: tuple[str, ...]) -> NDArray[np.float64]:
    spread = Z.std(axis=0)
    if (spread == 0).any():
        raise AgnsalError(f"{names[int((spread == 0).argmax())]} is the same in all spectra; leave it out.")
    return (Z - Z.mean(axis=0)) / spread
