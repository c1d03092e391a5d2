"""Features taken together: windows of wavelength and named lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import WavelengthGrid, to_angstrom
from agnsal.spectra.lines import find_line, line_masks

#: Name of the region of all bins that belong to no line asked for.
REST = "rest"


@dataclass(frozen=True, eq=False)
class Regions:
    """A partition of the features; every feature belongs to one region.

    Attributes
    ----------
    labels : ndarray of int, shape (n_features,)
        Number of the region of each feature, from 0.
    names : tuple of str
        Name of each region.
    """

    labels: NDArray[np.intp]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def sizes(self) -> NDArray[np.intp]:
        """How many features each region has, shape (n_regions,)."""
        return np.bincount(self.labels, minlength=len(self))

    @property
    def single(self) -> bool:
        """Whether every feature is a region of its own, in order."""
        return len(self) == self.labels.size and bool((self.labels == np.arange(self.labels.size)).all())

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum values over the features of each region.

        Parameters
        ----------
        values : ndarray, shape (n, n_features)
            One row for each spectrum.

        Returns
        -------
        ndarray, shape (n, n_regions)
        """
        if self.single:
            return values
        order = np.argsort(self.labels, kind="stable")
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        return np.add.reduceat(values[:, order], starts, axis=1)

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share the value of each region equally among its features, so that sums over regions give it back.

        Parameters
        ----------
        values : ndarray, shape (n, n_regions)
            One row for each spectrum.

        Returns
        -------
        ndarray, shape (n, n_features)
        """
        return (values / self.sizes)[:, self.labels]


def make_regions(regions: Any, n_features: int, grid: WavelengthGrid | None = None) -> Regions:
    """Read what a user may say about regions.

    Parameters
    ----------
    regions : None, int, Quantity, str, sequence of str, or array_like of int, shape (n_features,)
        Nothing: every feature by itself. A whole number: windows of that many features. A wavelength: windows of that
        width. Names of lines: the core and wings of each, and the rest as one. Else the label of each feature.
    n_features : int
        Number of features.
    grid : WavelengthGrid, optional
        Needed for widths and names.

    Returns
    -------
    Regions

    Raises
    ------
    AgnsalError
        If the labels do not fit, a width is not positive, a line is unknown, off the grid or inside another, or the
        grid is missing.

    Examples
    --------
    >>> make_regions(2, 5).labels
    array([0, 0, 1, 1, 2])
    >>> from agnsal import PERUZZI2021_GRID
    >>> make_regions(["Hbeta", "[O III] 5007"], 1000, PERUZZI2021_GRID).names
    ('Hbeta', '[O III] 5007', 'rest')
    """
    if regions is None:
        return Regions(np.arange(n_features), tuple(map(str, range(n_features))))
    if isinstance(regions, u.Quantity):
        return _of_width(regions, _needed(grid, "windows of a width in wavelength"))
    if isinstance(regions, int | np.integer) and not isinstance(regions, bool):
        if regions < 1:
            raise AgnsalError(f"a window must have at least one feature, got {regions}.")
        return _numbered(np.arange(n_features) // int(regions))
    if isinstance(regions, str) or all(isinstance(name, str) for name in regions):
        return _of_lines([regions] if isinstance(regions, str) else regions, _needed(grid, "named lines"))
    return _of_labels(regions, n_features)


def _needed(grid: WavelengthGrid | None, what: str) -> WavelengthGrid:
    if grid is None:
        raise AgnsalError(f"{what} need wavelengths: explain a SpectralSample, or give a label for each feature.")
    return grid


def _numbered(labels: NDArray) -> Regions:
    found, labels = np.unique(labels, return_inverse=True)
    return Regions(labels.astype(np.intp), tuple(map(str, found.tolist())))


def _of_width(width: u.Quantity, grid: WavelengthGrid) -> Regions:
    step = float(to_angstrom(width, "window"))
    if not (np.isfinite(step) and step > 0):
        raise AgnsalError(f"the width of a window must be positive, got {width}.")
    center, start = grid.centers.value, grid.edges.value[0]
    found, labels = np.unique(np.floor((center - start) / step).astype(int), return_inverse=True)
    return Regions(labels, tuple(f"{start + k * step:.1f}-{start + (k + 1) * step:.1f} A" for k in found))


def _of_lines(lines: Any, grid: WavelengthGrid) -> Regions:
    labels = np.full(len(grid), -1)
    names = list(dict.fromkeys(find_line(name).name for name in lines))
    for number, name in enumerate(names):
        masks = line_masks(grid, [name])[name]
        free = (masks["core"] | masks["wings"]) & (labels < 0)
        if not free.any():
            raise AgnsalError(
                f"all bins of {name} belong to the lines named before it; name it first, or leave it out."
            )
        labels[free] = number
    if (labels < 0).any():
        labels[labels < 0] = len(names)
        names.append(REST)
    return Regions(labels, tuple(names))


def _of_labels(labels: ArrayLike, n_features: int) -> Regions:
    labels = np.asarray(labels)
    if labels.shape != (n_features,):
        raise AgnsalError(
            f"regions are expected as one label for each of the {n_features} features, got shape {labels.shape}; "
            "or give names of lines, or a width such as 50 * u.AA."
        )
    if labels.dtype.kind not in "iub":
        raise AgnsalError(f"labels of regions must be whole numbers, got {labels.dtype}.")
    return _numbered(labels)
