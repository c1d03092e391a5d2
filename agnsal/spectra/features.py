"""A spectrum in few numbers: strengths of lines and means of regions, where pixels are too many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample


def region_means(X: SpectralSample | ArrayLike, regions: Any, *, standardize: bool = True) -> NDArray[np.float64]:
    """Mean flux in each region.

    Parameters
    ----------
    X : SpectralSample or array_like, shape (n, n_bins)
        Spectra.
    regions : Regions, or what `Regions.of` reads
        For instance names of lines, a width, or ``Regions.from_number(30, sample.grid)``.
    standardize : bool
        Give every feature mean 0 and standard deviation 1 over the spectra, so that effects can be compared.

    Returns
    -------
    ndarray, shape (n, n_regions)

    Raises
    ------
    AgnsalError
        If the regions do not fit, or, to standardise, a mean is the same in all spectra.

    Examples
    --------
    >>> region_means(np.arange(6.0).reshape(2, 3), {"blue": [True, True, False]}, standardize=False)
    array([[0.5],
           [3.5]])
    """
    flux = _flux(X)
    grid = X.grid if isinstance(X, SpectralSample) else None
    regions = Regions.of(regions, flux.shape[1], grid, partition=False)
    means = regions.means(flux)
    return standardized(means, regions.names) if standardize else means


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
        See `region_means`.

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
    regions = Regions.from_lines(grid, lines, overlap=True)
    beside = Regions.from_lines(grid, lines, part="continuum", overlap=True)  # windows have none
    strengths = regions.means(flux) - np.where(beside.sizes > 0, beside.means(flux), 0.0)
    return (standardized(strengths, regions.names) if standardize else strengths), regions.names


def _flux(X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
    return X.flux if isinstance(X, SpectralSample) else np.asarray(X, dtype=np.float64)


def standardized(Z: NDArray, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Features with mean 0 and standard deviation 1 over the spectra; one that does not vary is refused by name."""
    spread = Z.std(axis=0)
    if (spread == 0).any():
        raise AgnsalError(f"{names[int((spread == 0).argmax())]} is the same in all spectra; leave it out.")
    return (Z - Z.mean(axis=0)) / spread
