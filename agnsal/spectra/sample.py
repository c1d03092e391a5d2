"""Many spectra on one wavelength grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import (
    GRID_ARRAYS,
    GRID_HEADER,
    Frame,
    WavelengthGrid,
    pack_grid,
    to_angstrom,
    unpack_grid,
)
from agnsal.store import Array, Stored, pack_table, unpack_table


class SpectralSample(Stored):
    """Spectra on one wavelength grid: the matrix a classifier is trained on, with everything known about each row.

    Usually made by `from_spectra`, `simulate_agn` or `read`; the constructor takes arrays.

    Parameters
    ----------
    flux : array_like, shape (n, n_bins)
        Flux density in `unit`. Bad bins may hold anything: they are bridged linearly between their good neighbours.
    grid : WavelengthGrid
        The common grid.
    ivar : array_like, shape (n, n_bins), optional
        Inverse variance in ``unit**-2``; `None` where errors are unknown.
    mask : array_like of bool, shape (n, n_bins), optional
        True = bad. Bins with non-finite flux, or with an `ivar` that is not finite and positive, are bad in any case.
    unit : Unit or str
        Unit of the flux; dimensionless for relative flux.
    table : QTable, optional
        One row per spectrum: ``object_id``, ``redshift``, ``label`` and whatever else is known. Missing ids are made.
    truth : object, optional
        What a simulation knows about its spectra: anything that can be indexed as the sample is, with a method
        ``scaled(factor)`` for `normalize`, as `SimulationTruth` is.

    Attributes
    ----------
    flux, ivar, mask, grid, unit, table, truth
        As above; `flux` is finite everywhere, `ivar` is 0 in bad bins (or `None`).

    Raises
    ------
    AgnsalError
        If shapes do not agree, or a spectrum has no good bin.

    Examples
    --------
    >>> import astropy.units as u
    >>> grid = WavelengthGrid.linear(5000 * u.AA, 5200 * u.AA, 5)
    >>> sample = SpectralSample([[1.0, 2.0, np.nan, 4.0, 5.0]], grid)
    >>> sample.flux
    array([[1., 2., 3., 4., 5.]])
    >>> sample.mask[0]
    array([False, False,  True, False, False])
    """

    def __init__(
        self,
        flux: Any,
        grid: WavelengthGrid,
        *,
        ivar: Any = None,
        mask: Any = None,
        unit: u.UnitBase | str = u.dimensionless_unscaled,
        table: QTable | None = None,
        truth: Any = None,
    ) -> None:
        if isinstance(flux, u.Quantity):
            raise AgnsalError("flux came with a unit attached; pass flux.value and unit=flux.unit.")
        if isinstance(flux, np.ma.MaskedArray):
            raise AgnsalError("flux came as a masked array; pass flux.data and mask=flux.mask.")
        flux = np.array(flux, dtype=np.float64)
        if flux.ndim != 2 or flux.shape[1] != len(grid):
            raise AgnsalError(
                f"flux must have shape (n, {len(grid)}) as the grid has {len(grid)} bins, got {flux.shape}."
            )
        bad = ~np.isfinite(flux)
        if mask is not None:
            bad |= _same_shape(mask, flux, "mask", bool)
        if ivar is not None:
            ivar = _same_shape(ivar, flux, "ivar", np.float64)
            with np.errstate(invalid="ignore"):
                bad |= ~(np.isfinite(ivar) & (ivar > 0))
            ivar = np.where(bad, 0.0, ivar)
        self.table = _complete_table(table, len(flux))
        empty = bad.all(axis=1)
        if empty.any():
            raise AgnsalError(f"no good bin in {_name_some(self.ids[empty])}; leave these spectra out.")
        self.flux = bridge(flux, bad)
        self.ivar, self.mask, self.grid = ivar, bad, grid
        self.unit = u.Unit(unit)
        self.truth = truth

    @classmethod
    def from_spectra(
        cls,
        spectra: Sequence[Any],
        grid: WavelengthGrid,
        redshift: Any = None,
        labels: Any = None,
        ids: Any = None,
        *,
        min_coverage: float = 0.8,
        method: Literal["flux_conserving", "linear"] = "flux_conserving",
        frame: Frame = "observed",
        on_error: Literal["raise", "skip"] = "raise",
    ) -> SpectralSample:
        """Move spectra to the rest frame and put them on one grid.

        The redshift moves the wavelength axis only: flux density is not multiplied by (1 + z), which no shape of a
        spectrum depends on. Neighbouring bins of a resampled spectrum are correlated; `ivar` is the diagonal.

        Parameters
        ----------
        spectra : sequence of specutils.Spectrum
            In vacuum and in the observed frame, as `read_spectra` gives them (but see `frame`). A spectrum with
            several rows counts as several.
        grid : WavelengthGrid
            In vacuum. On a grid of the observed frame no redshift is applied.
        redshift : float or array_like, shape (n,), optional
            Wins over ``Spectrum.redshift``.
        labels, ids : sequence of str, shape (n,), optional
            Class labels; names of the objects (by default ``meta["object_id"]``).
        min_coverage : float
            Least fraction of good bins; a spectrum with fewer is refused by name.
        method : {"flux_conserving", "linear"}
            ``"linear"`` interpolates between pixels, as in Peruzzi et al. 2021; it does not conserve flux.
        frame : {"observed", "rest"}
            Frame of the spectra. With ``"rest"`` the axis stays and a redshift is only recorded.
        on_error : {"raise", "skip"}
            What to do with a spectrum that cannot be used: refuse all, or leave it out with a warning that names it.

        Returns
        -------
        SpectralSample
            In F_lambda, or in relative flux where the spectra have no calibrated unit.

        Raises
        ------
        AgnsalError
            If lengths disagree, a redshift is missing or impossible, units differ in kind, or coverage is too small.
        """
        from agnsal.spectra.collecting import collect

        return cls(
            **collect(
                spectra,
                grid,
                redshift=redshift,
                labels=labels,
                ids=ids,
                min_coverage=min_coverage,
                method=method,
                frame=frame,
                on_error=on_error,
            )
        )

    @property
    def wavelength(self) -> u.Quantity:
        """Bin centres in Angstrom, shape (n_bins,)."""
        return self.grid.centers

    @property
    def labels(self) -> NDArray | None:
        """Class labels, shape (n,), or None."""
        return np.asarray(self.table["label"]) if "label" in self.table.colnames else None

    @property
    def ids(self) -> NDArray:
        """Names of the objects, shape (n,)."""
        return np.asarray(self.table["object_id"])

    @property
    def redshift(self) -> NDArray | None:
        """Redshifts, shape (n,), or None."""
        if "redshift" not in self.table.colnames:
            return None
        return np.asarray(u.Quantity(self.table["redshift"]).value, dtype=np.float64)

    def __len__(self) -> int:
        return len(self.flux)

    def __repr__(self) -> str:
        labels = self.labels
        parts = []
        if labels is not None:
            names, counts = np.unique(labels, return_counts=True)
            parts = [f"{count} {name}" for name, count in zip(names, counts, strict=True)]
        kinds = f" ({', '.join(parts)})" if parts else ""
        unit = self.unit.to_string() or "relative flux"
        return f"<SpectralSample: {len(self)} spectra{kinds} on {self.grid!r}, {unit}>"

    def __getitem__(self, index: Any) -> SpectralSample:
        """Take some of the spectra: one number (a sample of one), a slice, an array of numbers or of booleans."""
        if isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"spectrum {index} of a sample of {len(self)}")
            index = [int(index)]
        rows = np.arange(len(self))[index]
        taken = object.__new__(SpectralSample)
        taken.flux, taken.mask = self.flux[rows], self.mask[rows]
        taken.ivar = None if self.ivar is None else self.ivar[rows]
        taken.grid, taken.unit, taken.table = self.grid, self.unit, self.table[rows]
        taken.truth = None if self.truth is None else self.truth[rows]
        return taken

    def normalize(self, at: u.Quantity = 5100 * u.AA, window: u.Quantity | None = 50 * u.AA) -> SpectralSample:
        """Divide every spectrum by its flux at one wavelength.

        Parameters
        ----------
        at : Quantity
            The wavelength.
        window : Quantity or None
            Full width over which the median of the good bins is taken; `None` takes the single nearest bin, as in
            Peruzzi et al. 2021.

        Returns
        -------
        SpectralSample
            A new one, dimensionless, with the divisors in ``table["normalization"]``.

        Raises
        ------
        AgnsalError
            If `at` is off the grid, or a spectrum has no good bin or no positive flux there.
        """
        center = self.grid.centers.value
        edges = self.grid.edges.value
        position = float(to_angstrom(at, "at"))
        if not edges[0] <= position <= edges[-1]:
            raise AgnsalError(f"cannot normalise at {at}: the grid covers {edges[0]:.1f} to {edges[-1]:.1f} A.")
        near = np.abs(center - position)
        if window is None:
            chosen = np.arange(center.size) == near.argmin()
            level = self.flux[:, chosen][:, 0]  # bridged where bad, as good a value as there is
        else:
            chosen = near <= max(0.5 * float(to_angstrom(window, "window")), near.min())
            inside = np.where(self.mask[:, chosen], np.nan, self.flux[:, chosen])
            level = np.full(len(self), np.nan)
            some = ~np.isnan(inside).all(axis=1)
            level[some] = np.nanmedian(inside[some], axis=1)
        unusable = ~(level > 0)
        if unusable.any():
            raise AgnsalError(
                f"no positive flux to normalise by at {at} in {_name_some(self.ids[unusable])}; "
                "leave these spectra out or normalise elsewhere."
            )
        done = self[:]
        done.flux = self.flux / level[:, None]
        done.ivar = None if self.ivar is None else self.ivar * level[:, None] ** 2
        done.unit = u.dimensionless_unscaled
        done.table["normalization"] = u.Quantity(level, self.unit)
        done.truth = None if self.truth is None else self.truth.scaled(1.0 / level)
        return done

    def to_spectrum(self, i: int | None = None) -> Any:
        """Give the spectra to specutils, jdaviz and the like.

        Parameters
        ----------
        i : int, optional
            One spectrum; by default all of them as rows of one object.

        Returns
        -------
        specutils.Spectrum
            With mask, inverse variance and redshift axis of the grid; ``meta`` carries the table.
        """
        from astropy.nddata import InverseVariance
        from specutils import Spectrum

        rows = slice(None) if i is None else range(len(self))[i]
        part = self[rows]
        one = i is not None
        return Spectrum(
            flux=u.Quantity(part.flux[0] if one else part.flux, self.unit),
            spectral_axis=self.grid.centers,
            uncertainty=None if part.ivar is None else InverseVariance(part.ivar[0] if one else part.ivar),
            mask=part.mask[0] if one else part.mask,
            meta={"table": part.table, "frame": self.grid.frame, "medium": self.grid.medium},
        )

    _arrays: ClassVar = {
        "flux": Array("real", "spectrum bin"),
        "mask": Array("flags", "spectrum bin"),
        "ivar": Array("real", "spectrum bin", optional=True),
        **GRID_ARRAYS,
        "column_*_mask": Array("flags", "spectrum ..."),
        "column_*": Array("cells", "spectrum ...", finite=False),
    }
    _header: ClassVar = {"unit": str, "grid": GRID_HEADER[0], "table": [{"name": str, "unit": str, "dtype": str}]}

    def _packed(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        columns, header = pack_table(self.table)
        edges, grid = pack_grid(self.grid)
        arrays = {"flux": self.flux, "mask": self.mask, **edges, **columns}
        if self.ivar is not None:
            arrays["ivar"] = self.ivar
        return arrays, {"unit": self.unit.to_string(), "grid": grid, "table": header}

    @classmethod
    def _unpacked(cls, arrays: dict[str, NDArray], header: dict[str, Any]) -> SpectralSample:
        grid = unpack_grid(arrays, header["grid"])
        if grid is None:
            raise AgnsalError("a sample has a grid")
        table = unpack_table(arrays, header["table"])
        return cls(arrays["flux"], grid, ivar=arrays.get("ivar"), mask=arrays["mask"], unit=header["unit"], table=table)


def bridge(flux: NDArray[np.float64], bad: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Replace bad bins by a straight line between the nearest good ones, and by the nearest at the ends.

    Parameters
    ----------
    flux : ndarray, shape (n, n_bins)
        May hold NaN where `bad`.
    bad : ndarray of bool, shape (n, n_bins)
        At least one good bin in each row.

    Returns
    -------
    ndarray, shape (n, n_bins)
        A new array, finite where the good bins are.

    Examples
    --------
    >>> bridge(np.array([[np.nan, 1.0, 9.0, 3.0]]), np.array([[True, False, True, False]]))
    array([[1., 1., 2., 3.]])
    """
    result = flux.copy()
    place = np.arange(flux.shape[1])
    for row in np.flatnonzero(bad.any(axis=1)):
        good = ~bad[row]
        result[row, bad[row]] = np.interp(place[bad[row]], place[good], flux[row, good])
    return result


def _same_shape(values: Any, flux: NDArray, what: str, dtype: Any) -> NDArray:
    values = np.array(values, dtype=dtype)
    if values.shape != flux.shape:
        raise AgnsalError(f"{what} has shape {values.shape}, the flux {flux.shape}; they must agree.")
    return values


def _complete_table(table: QTable | None, n: int) -> QTable:
    table = QTable() if table is None else QTable(table, copy=True)
    if len(table.colnames) and len(table) != n:
        raise AgnsalError(f"the table has {len(table)} rows for {n} spectra.")
    if "object_id" not in table.colnames:
        table.add_column([f"spectrum {i}" for i in range(n)], name="object_id", index=0)
    return table


def _name_some(ids: NDArray, most: int = 5) -> str:
    names = ", ".join(str(name) for name in ids[:most])
    return names if len(ids) <= most else f"{names} and {len(ids) - most} more"
