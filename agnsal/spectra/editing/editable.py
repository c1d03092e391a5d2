"""What editing asks of the spectra it changes, so that a sample can offer the edits as methods of its own."""

from __future__ import annotations

from typing import Any, Protocol, Self

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.normalization import Normalization


class Editable(Protocol):
    """Spectra on a grid that can be made anew with other flux: a `SpectralSample`."""

    flux: NDArray[np.float64]
    mask: NDArray[np.bool_]
    ivar: Any
    grid: WavelengthGrid
    unit: u.UnitBase
    normalization: Normalization | None

    def __len__(self) -> int: ...

    @property
    def labels(self) -> NDArray | None:
        """Class labels, shape (n,), or None."""

    @property
    def ids(self) -> NDArray:
        """Names, shape (n,)."""

    @property
    def wavelength(self) -> u.Quantity:
        """Bin centres in Angstrom, shape (n_bins,)."""

    def with_flux(self, flux: Any) -> Self:
        """Make the same with other flux."""

    def mean(self) -> NDArray[np.float64]:
        """Mean spectrum."""

    def class_mean(self, label: Any) -> NDArray[np.float64]:
        """Mean spectrum of a class."""
