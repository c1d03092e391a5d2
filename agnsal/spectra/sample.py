"""Many spectra on one wavelength grid."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

import astropy.units as u
import numpy as np
from astropy.table import QTable, TableMergeError, vstack
from numpy.typing import ArrayLike, NDArray

from agnsal.display import Displayed, Table, printable
from agnsal.errors import AgnsalError, AgnsalWarning, real_numbers
from agnsal.spectra.grid import (
    GRID_ARRAYS,
    GRID_HEADER,
    Frame,
    WavelengthGrid,
    pack_grid,
    unpack_grid,
)
from agnsal.spectra.normalization import (
    NORMALIZATION_HEADER,
    Divisor,
    Normalization,
    divisors,
    how_to_normalize,
    window_observed,
)
from agnsal.spectra.pixels import bad_pixels
from agnsal.store import Array, Stored, pack_table, unpack_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SpectralSample(Displayed, Stored):
    """Spectra on one wavelength grid: the matrix a classifier is trained on, with everything known about each row.

    Usually made by `from_spectra`, `simulate_agn` or `read`; the constructor takes arrays.

    Parameters
    ----------
    flux : array_like, shape (n, n_bins)
        Flux density in `unit`. Bad bins may hold anything: they are bridged linearly between their good neighbours.
    grid : WavelengthGrid
        The common grid.
    ivar : array_like, shape (n, n_bins), optional
        Inverse variance in ``unit**-2``; `None` where errors are unknown. A spectrum whose errors are unknown among
        others has a row of NaN.
    mask : array_like of bool, shape (n, n_bins), optional
        True = bad. Bins with non-finite flux, or with an `ivar` that is not finite and positive, are bad in any case
        (but a row of NaN only says that the errors are unknown).
    unit : Unit or str
        Unit of the flux; dimensionless for relative flux.
    table : QTable, optional
        One row per spectrum: ``object_id``, ``redshift``, ``label`` and whatever else is known. Missing ids are made.
    truth : object, optional
        What a simulation knows about its spectra: anything that can be indexed as the sample is, with a method
        ``scaled(factor)``, of shape (n, 1) or (n, n_bins), for `normalize`, as `SimulationTruth` is.

    Attributes
    ----------
    flux, ivar, mask, grid, unit, table, truth
        As above; `flux` is finite everywhere, `ivar` is 0 in bad bins (or `None`, or NaN for a
        whole spectrum without errors).
    normalization : Normalization or None
        What `normalize` did.

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
        flux = real_numbers("flux", flux)
        if flux.ndim != 2 or flux.shape[1] != len(grid):
            raise AgnsalError(
                f"flux must have shape (n, {len(grid)}) as the grid has {len(grid)} bins, got {flux.shape}."
            )
        bad = ~np.isfinite(flux)
        if mask is not None:
            bad |= _same_shape(mask, flux, "mask", bool)
        if ivar is not None:
            ivar = _same_shape(ivar, flux, "ivar", np.float64)
            known = ~np.isnan(ivar).all(axis=1)
            bad |= bad_pixels(flux, ivar) & known[:, None]
            ivar = np.where(bad & known[:, None], 0.0, ivar)
        self.table = _complete_table(table, len(flux))
        empty = bad.all(axis=1)
        if empty.any():
            raise AgnsalError(f"no good bin in {_name_some(self.ids[empty])}; leave these spectra out.")
        self.flux = bridge(flux, bad)
        self.ivar, self.mask, self.grid = ivar, bad, grid
        self.unit = u.Unit(unit)
        self.truth = truth
        self.normalization: Normalization | None = None

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
        spectrum depends on. Neighbouring bins of a resampled spectrum are correlated; `ivar` is the diagonal. Beside
        the spectra it needs, for a moment, twice the memory of the sample.

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
            What to do with a spectrum that cannot be used, whatever is wrong with it: refuse all, or leave it out with
            a warning that names it.

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

        found = collect(
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
        return cls(found.flux, grid, ivar=found.ivar, mask=found.mask, unit=found.unit, table=found.table)

    @property
    def wavelength(self) -> u.Quantity:
        """Bin centres in Angstrom, shape (n_bins,)."""
        return self.grid.centers

    @property
    def labels(self) -> NDArray[Any] | None:
        """Class labels, shape (n,), or None."""
        return np.asarray(self.table["label"]) if "label" in self.table.colnames else None

    @property
    def ids(self) -> NDArray[Any]:
        """Names of the objects, shape (n,)."""
        return np.asarray(self.table["object_id"])

    @property
    def has_errors(self) -> NDArray[np.bool_]:
        """Whether the errors of each spectrum are known, shape (n,)."""
        return np.zeros(len(self), dtype=bool) if self.ivar is None else ~np.isnan(self.ivar).any(axis=1)

    @property
    def redshift(self) -> NDArray[Any] | None:
        """Redshifts, shape (n,), or None."""
        if "redshift" not in self.table.colnames:
            return None
        return np.asarray(u.Quantity(self.table["redshift"]).value, dtype=np.float64)

    def __len__(self) -> int:
        return len(self.flux)

    def __repr__(self) -> str:
        return f"<SpectralSample: {len(self)} spectra x {len(self.grid)} bins>"

    def _display(self) -> Table:
        first, last = self.grid.centers.value[[0, -1]]
        rows: list[list[object]] = [
            ["wavelengths", f"{first:.2f} to {last:.2f} Angstrom, {self.grid.frame} frame, {self.grid.medium}"],
            ["unit", self.unit.to_string() or "relative flux"],
        ]
        if self.normalization is not None:
            rows.append(["normalised", str(self.normalization)])
        if self.labels is not None:
            counts = list(zip(*np.unique(self.labels, return_counts=True), strict=True))
            told = [f"{count} {printable(name)}" for name, count in counts[:_CLASSES_SHOWN]]
            more = [f"and {len(counts) - _CLASSES_SHOWN} more"] if len(counts) > _CLASSES_SHOWN else []
            rows.append(["classes", ", ".join(told + more)])
        if self.redshift is not None and np.isfinite(self.redshift).any():
            rows.append(["redshifts", f"{np.nanmin(self.redshift):.4g} to {np.nanmax(self.redshift):.4g}"])
        rows.append(["bad bins", f"{100 * self.mask.mean():.3g} %" if len(self) else "none"])
        rows.append(["errors", f"known of {self.has_errors.sum()} spectra"])
        rows.append(["table", ", ".join(map(printable, self.table.colnames))])
        return Table(repr(self)[1:-1], rows)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise AgnsalError("a SpectralSample is more than an array; its matrix is sample.flux.")

    def __getitem__(self, index: Any) -> SpectralSample:
        """Take some of the spectra, and of the wavelengths.

        Rows are one number (a sample of one), a slice, an array of numbers or of booleans. After a comma an unbroken
        slice of bins may follow: ``sample[rows, 100:500]``. What a simulation knows is kept for whole spectra only.
        """
        index, bins = index if isinstance(index, tuple) and len(index) == 2 else (index, slice(None))
        if isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"spectrum {index} of a sample of {len(self)}")
            index = [int(index)]
        rows = np.arange(len(self))[index]
        grid = self.grid[bins]
        part = {name: None if getattr(self, name) is None else getattr(self, name)[rows][:, bins] for name in _MATRICES}
        truth = None if self.truth is None or grid is not self.grid else self.truth[rows]
        taken = self._changed(**part, grid=grid, table=self.table[rows], truth=truth)
        empty = taken.mask.all(axis=1)
        if empty.any():
            raise AgnsalError(f"no good bin there in {_name_some(taken.ids[empty])}; take other bins or spectra.")
        return taken

    def _changed(self, **parts: Any) -> SpectralSample:
        """A sample of its own with some parts changed, which hold to what the constructor sees to."""
        made = object.__new__(type(self))
        for name in (*_MATRICES, "grid", "unit", "table", "truth", "normalization"):
            part = parts[name] if name in parts else getattr(self, name)
            setattr(made, name, part.copy() if name in _MATRICES and name not in parts and part is not None else part)
        if "table" not in parts:
            made.table = self.table.copy()
        return made

    def with_flux(self, flux: Any) -> SpectralSample:
        """Make the sample anew with other flux and everything else as it is; what a simulation knew is dropped.

        Parameters
        ----------
        flux : array_like, shape (n, n_bins)
            Finite, in the unit of the sample; taken as it is in bad bins too.

        Returns
        -------
        SpectralSample

        Raises
        ------
        AgnsalError
            If it has another shape, is not finite, or carries a unit or a mask.

        Examples
        --------
        >>> import agnsal
        >>> sample = agnsal.simulate_agn(1, 1, 0, seed=1)
        >>> bool((sample.with_flux(2 * sample.flux).flux == 2 * sample.flux).all())
        True
        """
        if isinstance(flux, u.Quantity | np.ma.MaskedArray):
            raise AgnsalError("flux came with a unit or as a masked array; give plain numbers in the sample's unit.")
        flux = _same_shape(flux, self.flux, "the new flux", np.float64).copy()
        if not np.isfinite(flux).all():
            raise AgnsalError("the new flux is not finite everywhere; make a SpectralSample(flux, ...) to mask bins.")
        return self._changed(flux=flux, truth=None)

    def with_mask(self, mask: ArrayLike) -> SpectralSample:
        """Make the sample anew with more bad bins, and everything else as it is.

        Parameters
        ----------
        mask : array_like of bool, shape (n, n_bins) or (n_bins,)
            True = bad; what is bad already stays so.

        Returns
        -------
        SpectralSample
            All bad bins are bridged anew.

        Raises
        ------
        AgnsalError
            If it has another shape, or a spectrum has no good bin left.

        Examples
        --------
        >>> import agnsal
        >>> sample = agnsal.simulate_agn(1, 1, 0, seed=1).normalize()
        >>> blue = sample.with_mask(sample.wavelength > 4000 * u.AA)
        >>> bool(blue.mask.mean() > 0.7), blue.normalization == sample.normalization
        (True, True)
        """
        bad = self.mask | _same_shape(np.broadcast_to(mask, self.mask.shape), self.flux, "the mask", bool)
        empty = bad.all(axis=1)
        if empty.any():
            raise AgnsalError(f"no good bin would be left in {_name_some(self.ids[empty])}; leave these spectra out.")
        ivar = None if self.ivar is None else np.where(bad & self.has_errors[:, None], 0.0, self.ivar)
        return self._changed(flux=bridge(self.flux, bad), ivar=ivar, mask=bad)

    def plot(self, indices: Any = None, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw spectra above each other; see `agnsal.figures.plot_spectra`.

        Parameters
        ----------
        indices : int or array_like, optional
            Which spectra; by default the first of each class.
        ax : Axes, optional
            Where to draw.
        **options
            Passed on.

        Returns
        -------
        Axes
        """
        from agnsal.figures import plot_spectra

        return plot_spectra(self, indices, ax=ax, **options)

    def mean(self) -> NDArray[np.float64]:
        """Mean of the good bins, shape (n_bins,); where no spectrum has one, the mean of the bridged flux.

        Raises
        ------
        AgnsalError
            If the sample is empty.
        """
        if len(self) == 0:
            raise AgnsalError("there are no spectra to take the mean of.")
        weight = np.where(self.mask.all(axis=0), 1.0, ~self.mask)
        return (weight * self.flux).sum(axis=0) / weight.sum(axis=0)

    def class_mean(self, label: Any) -> NDArray[np.float64]:
        """Mean of one class, shape (n_bins,).

        Raises
        ------
        AgnsalError
            If there are no labels, or none is `label`.
        """
        if self.labels is None:
            raise AgnsalError("the sample has no labels to take the mean of a class; give the baseline as an array.")
        members = self.labels == label
        if not members.any():
            known = ", ".join(repr(str(name)) for name in np.unique(self.labels))
            raise AgnsalError(f"no spectrum is labelled {label!r}; the labels are {known}.")
        return self[members].mean()

    def continuum(self, lines: Any = None) -> NDArray[np.float64]:
        """Every spectrum without its emission lines, shape (n, n_bins); see `agnsal.continuum`."""
        from agnsal.spectra.editing.reference import continuum

        return continuum(self, lines)

    def remove_lines(self, lines: Any, **options: Any) -> SpectralSample:
        """Make the sample anew without some lines; see `agnsal.remove_lines`, which takes the same options."""
        from agnsal.spectra.editing.line_removal import remove_lines

        return remove_lines(self, lines, **options)

    def normalize(
        self,
        at: u.Quantity = 5100 * u.AA,
        window: u.Quantity | None = 50 * u.AA,
        *,
        by: Divisor = "window",
        on_error: Literal["raise", "skip"] = "raise",
    ) -> SpectralSample:
        """Divide every spectrum by its flux at one wavelength, its median or its continuum.

        Only observed bins count: a spectrum that was not observed where it is to be divided is refused.

        Parameters
        ----------
        at : Quantity
            The wavelength.
        window : Quantity or None
            Full width over which the median of the good bins is taken; `None` takes the single nearest bin, as in
            Peruzzi et al. 2021.
        by : {"window", "median", "continuum"}
            What to divide by: that window; the median of all good bins; or a smooth continuum, a cubic in the logarithm
            of wavelength through the good bins outside the cores of emission lines, clipped. The last two need no
            window common to all spectra; after division by the continuum its colour is no longer in the flux, and the
            level no longer depends on which wavelengths were observed.
        on_error : {"raise", "skip"}
            What to do about spectra that cannot be divided: raise, or leave them out with one warning that names them.

        Returns
        -------
        SpectralSample
            A new one, dimensionless, with the divisors (of a continuum their median over the good bins) in
            ``table["normalization"]``.

        Raises
        ------
        AgnsalError
            If `at` is off the grid, a spectrum has no good bin or no positive flux there (with the window that most
            spectra have), or none is left.

        Examples
        --------
        >>> from agnsal import simulate_agn
        >>> sample = simulate_agn(2, 2, 0, seed=0)
        >>> sample.normalize().normalization
        Normalization(at=5100.0, window=50.0, by='window')
        >>> bool(abs(np.median(sample.normalize(by="continuum").flux) - 1) < 0.1)
        True
        """
        if on_error not in ("raise", "skip"):
            raise AgnsalError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")
        how = how_to_normalize(self.grid, by, at, window)
        sample, refused = self.divided(how)
        if refused:
            rows = np.array(sorted(refused))
            if on_error == "raise" or not len(sample):
                causes = "; ".join(sorted(set(refused.values())))
                raise AgnsalError(f"{causes} in {_name_some(self.ids[rows])}; {self._normalize_elsewhere(how)}")
            told = "\n".join(f"{printable(self.ids[row])}: {refused[row]}" for row in rows)
            warnings.warn(f"{len(rows)} of {len(self)} spectra left out:\n{told}", AgnsalWarning, stacklevel=2)
        return sample

    def divided(self, how: Normalization) -> tuple[SpectralSample, dict[int, str]]:
        """Normalise the spectra that can be, and tell why the others cannot: what `normalize` and data sets do.

        Parameters
        ----------
        how : Normalization
            What to divide by.

        Returns
        -------
        sample : SpectralSample
            As `normalize` gives it, without those that cannot be divided; it may be empty.
        refused : dict of int to str
            The rows of these, with their causes.

        Examples
        --------
        >>> from agnsal import simulate_agn
        >>> from agnsal.spectra.normalization import Normalization
        >>> sample = simulate_agn(2, 2, 0, seed=0)
        >>> divided, refused = sample.divided(Normalization(by="median"))
        >>> len(divided), refused
        (4, {})
        """
        level, refused = divisors(self.flux, self.mask, self.grid, how)
        sample = self
        if refused:
            kept = np.setdiff1d(np.arange(len(self)), list(refused))
            sample, level = self[kept], level[kept]
        table = sample.table.copy()
        many = level.shape[1] > 1
        typical = np.nanmedian(np.where(sample.mask, np.nan, level), axis=1) if many else level[:, 0]
        table["normalization"] = u.Quantity(typical, self.unit)
        divided = sample._changed(
            flux=sample.flux / level,
            ivar=None if sample.ivar is None else sample.ivar * level**2,
            unit=u.dimensionless_unscaled,
            table=table,
            truth=None if sample.truth is None else sample.truth.scaled(1.0 / level),
            normalization=how,
        )
        return divided, refused

    def _normalize_elsewhere(self, how: Normalization) -> str:
        """Advice for spectra that cannot be divided as asked."""
        advice = 'on_error="skip" leaves these spectra out'
        if how.by != "window":
            return f"{advice}."
        place, n = window_observed(self.mask, self.grid, how)
        who = "all were" if n == len(self) else f"{n} of {len(self)} spectra were"
        return f'by="median" needs no window in common; at={place:.6g} * u.AA {who} observed; {advice}.'

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
        "ivar": Array("real", "spectrum bin", finite=False, optional=True),
        **GRID_ARRAYS,
        "column_*_mask": Array("flags", "spectrum ..."),
        "column_*": Array("cells", "spectrum ...", finite=False),
    }
    _header: ClassVar = {
        "unit": str,
        "grid": GRID_HEADER[0],
        "table": [{"name": str, "unit": str, "dtype": str}],
        "normalization": NORMALIZATION_HEADER,
    }

    def _packed(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        columns, header = pack_table(self.table)
        edges, grid = pack_grid(self.grid)
        arrays = {"flux": self.flux, "mask": self.mask, **edges, **columns}
        if self.ivar is not None:
            arrays["ivar"] = self.ivar
        done = None if self.normalization is None else self.normalization.pack()
        return arrays, {"unit": self.unit.to_string(), "grid": grid, "table": header, "normalization": done}

    @classmethod
    def _unpacked(cls, arrays: dict[str, NDArray[Any]], header: dict[str, Any]) -> SpectralSample:
        grid = unpack_grid(arrays, header["grid"])
        if grid is None:
            raise AgnsalError("a sample has a grid")
        table = unpack_table(arrays, header["table"])
        ivar = arrays.get("ivar", np.zeros((1, 1)))
        if (~np.isfinite(ivar).all(axis=1) & ~np.isnan(ivar).all(axis=1)).any():
            raise AgnsalError("the inverse variance of a spectrum is neither finite nor unknown as a whole")
        sample = cls(
            arrays["flux"], grid, ivar=arrays.get("ivar"), mask=arrays["mask"], unit=header["unit"], table=table
        )
        done = header["normalization"]
        return sample._changed(
            flux=arrays["flux"],  # bad bins as they were, not bridged anew
            normalization=None if done is None else Normalization(**done),
        )


#: Classes that the text of a sample names.
_CLASSES_SHOWN = 10

#: What there is one number of per spectrum and bin.
_MATRICES = ("flux", "mask", "ivar")


def concatenate(samples: Sequence[SpectralSample]) -> SpectralSample:
    """Put samples one under the other.

    Parameters
    ----------
    samples : sequence of SpectralSample
        On one grid, in one unit and normalised alike.

    Returns
    -------
    SpectralSample
        With the columns of all tables, masked where a sample has none; what simulations know is dropped.

    Raises
    ------
    AgnsalError
        If there is none, or they differ in grid, unit or normalisation.

    Examples
    --------
    >>> import agnsal
    >>> one, two = (agnsal.simulate_agn(1, 1, 0, seed=seed) for seed in (1, 2))
    >>> len(agnsal.concatenate([one, two]))
    4
    """
    samples = list(samples)
    if not samples or not all(isinstance(sample, SpectralSample) for sample in samples):
        raise AgnsalError("a list of at least one SpectralSample is needed.")
    first = samples[0]
    for sample in samples[1:]:
        for what in ("grid", "unit", "normalization"):
            if getattr(sample, what) != getattr(first, what):
                raise AgnsalError(
                    f"the samples differ in their {what}: {getattr(first, what)} and {getattr(sample, what)}."
                )
    part: dict[str, Any] = {
        name: np.concatenate([getattr(sample, name) for sample in samples]) for name in ("flux", "mask")
    }
    ivar = [np.full(sample.flux.shape, np.nan) if sample.ivar is None else sample.ivar for sample in samples]
    part["ivar"] = None if all(sample.ivar is None for sample in samples) else np.concatenate(ivar)
    try:
        table = vstack([sample.table for sample in samples], metadata_conflicts="silent")
    except (u.UnitsError, TableMergeError, TypeError, ValueError) as error:
        raise AgnsalError(
            f"the columns of the tables cannot be joined: {error}. Convert them, or remove what is not needed: "
            f"{_columns_that_differ(samples)}."
        ) from error
    return first._changed(**part, table=table, truth=None)


def _columns_that_differ(samples: Sequence[SpectralSample]) -> str:
    """Name the columns whose units or kinds are not the same everywhere, with the call that removes the first."""
    kinds: dict[str, set[tuple[str, str]]] = {}
    for sample in samples:
        for column in sample.table.itercols():
            kinds.setdefault(column.info.name, set()).add((str(column.info.unit), column.dtype.kind))
    names = [name for name, kind in kinds.items() if len(kind) > 1]
    return f"{', '.join(map(repr, names))} (del sample.table[{names[0]!r}])" if names else "see the tables"


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


def refilled(sample: SpectralSample, flux: NDArray[np.float64]) -> SpectralSample:
    """Make a sample anew with other flux, whose bad bins are bridged anew if they were bridged.

    Parameters
    ----------
    sample : SpectralSample
        The spectra.
    flux : ndarray, shape (n, n_bins)
        Their flux where it is good; elsewhere anything.

    Returns
    -------
    SpectralSample
        In spectra whose bad bins hold something else than bridges, what was imputed for instance, they keep it.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(1, 0, 0, seed=1)
    >>> hidden = sample.with_mask(np.arange(1000) < 2)
    >>> filled = hidden.with_flux(np.where(hidden.mask, 7.0, hidden.flux))
    >>> bool((refilled(filled, filled.flux + 1.0).flux[hidden.mask] == 7.0).all())
    True
    """
    own = np.isclose(bridge(sample.flux, sample.mask), sample.flux, rtol=1e-9, atol=0).all(axis=1, keepdims=True)
    return sample.with_flux(np.where(own | ~sample.mask, bridge(flux, sample.mask), sample.flux))


def _same_shape(values: Any, flux: NDArray[Any], what: str, dtype: Any) -> NDArray[Any]:
    values = np.asarray(values, dtype=bool) if dtype is bool else real_numbers(what, values)
    if values.shape != flux.shape:
        raise AgnsalError(f"{what} has shape {values.shape}, the flux {flux.shape}; they must agree.")
    return values


def _complete_table(table: QTable | None, n: int) -> QTable:
    table = QTable() if table is None else QTable(table, copy=True)
    if len(table.colnames) and len(table) != n:
        raise AgnsalError(f"the table has {len(table)} rows for {n} spectra.")
    if "object_id" not in table.colnames:
        table.add_column([f"spectrum {i}" for i in range(n)], name="object_id", index=0)
    for name in ("object_id", "label"):  # from a data frame text comes as objects
        if name in table.colnames and np.asarray(table[name]).dtype.hasobject:
            table[name] = np.asarray(table[name]).astype(str)
    return table


def _name_some(ids: NDArray[Any], most: int = 5) -> str:
    names = ", ".join(str(name) for name in ids[:most])
    return names if len(ids) <= most else f"{names} and {len(ids) - most} more"
