"""From specutils spectra to the rows of a `SpectralSample`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence, Sized
from pathlib import Path
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.display import printable
from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.spectra.files.meaning.units import FLAM17
from agnsal.spectra.grid import WavelengthGrid, edges_from_centers
from agnsal.spectra.pixels import bad_pixels, checked_redshift
from agnsal.spectra.plain import PlainSpectrum
from agnsal.spectra.resampling import Resampled, interpolate, resample

_METHODS = ("flux_conserving", "linear")
_META_COLUMNS = ("source", "survey")


class _Row(NamedTuple):
    """A spectrum in `FLAM17` or relative flux, and its name."""

    name: str
    spectrum: PlainSpectrum


class Collected(NamedTuple):
    """Spectra on one grid, as the constructor of a `SpectralSample` takes them."""

    flux: NDArray[np.float64]
    ivar: NDArray[np.float64] | None
    mask: NDArray[np.bool_]
    unit: u.UnitBase
    table: QTable
    rows: NDArray[np.intp]  # of the spectra that were kept
    left_out: dict[int, str]  # the others, with their causes


def collect(
    spectra: Sequence[Any],
    grid: WavelengthGrid,
    *,
    redshift: Any,
    labels: Any,
    ids: Any,
    min_coverage: float,
    method: str,
    frame: str,
    on_error: str,
) -> Collected:
    """Do the work of `SpectralSample.from_spectra`, which documents it.

    With ``on_error="note"`` what is left out is noted, without a warning, and nothing may be left.
    """
    _check_options(grid, min_coverage, method, frame, on_error)
    if hasattr(spectra, "spectral_axis"):
        spectra = [spectra]
    if not isinstance(spectra, Sized) or hasattr(spectra, "toarray"):
        raise AgnsalError(f"a list of specutils.Spectrum was expected, got a {type(spectra).__name__}.")
    if len(spectra) == 0:
        raise AgnsalError("there are no spectra to collect.")
    counts = [_n_rows(spectrum) for spectrum in spectra]
    count = sum(counts)
    names = _per_spectrum(ids, count, "ids")
    classes = _per_spectrum(labels, count, "labels")
    shifts = _per_spectrum(redshift, count, "redshift", scalar=True)

    moves = grid.frame == "rest" and frame == "observed"
    shape = (count, len(grid))
    flux, ivar, mask = np.empty(shape), np.full(shape, np.nan), np.empty(shape, dtype=bool)
    kept: list[_Kept] = []
    refused: dict[int, str] = {}
    first = 0
    for place, (spectrum, n_rows) in enumerate(zip(spectra, counts, strict=True)):
        known = None if names is None else [str(name) for name in names[first : first + n_rows]]
        for number, row in enumerate(_rows(spectrum, place, known), first):
            try:
                if isinstance(row, AgnsalError):
                    raise row
                z = _checked_redshift(row, None if shifts is None else shifts[number], needed=moves)
                put = _on_grid(row, z, 1.0 + z if moves else 1.0, grid, min_coverage, method)
            except AgnsalError as error:
                if on_error == "raise":
                    raise
                refused[number] = printable(error)
                continue
            k = len(kept)
            flux[k], mask[k] = put.flux, put.mask
            if put.ivar is not None:
                ivar[k] = put.ivar
            meta = tuple(str(row.spectrum.meta.get(column) or "") for column in _META_COLUMNS)
            kept.append(_Kept(number, row.name, z, row.spectrum.unit == FLAM17, put.ivar is not None, meta))
        first += n_rows
    causes = "\n".join(refused.values())
    if refused and on_error == "skip":
        warnings.warn(f"{len(refused)} of {count} spectra left out:\n{causes}", AgnsalWarning, stacklevel=3)
    if not kept and on_error == "skip":
        raise AgnsalError(f"none of the {count} spectra could be used:\n{causes}")

    n = len(kept)
    calibrated = _all_calibrated(kept)
    return Collected(
        flux=flux[:n],
        ivar=ivar[:n] if any(row.has_errors for row in kept) else None,
        mask=mask[:n],
        unit=FLAM17 if calibrated else u.dimensionless_unscaled,
        table=_table(kept, mask[:n], None if classes is None else classes[[row.number for row in kept]]),
        rows=np.array([row.number for row in kept], dtype=np.intp),
        left_out=refused,
    )


class _Kept(NamedTuple):
    """What is remembered of a spectrum beside its row of the matrices."""

    number: int
    name: str
    redshift: float
    calibrated: bool
    has_errors: bool
    meta: tuple[str, ...]


def _n_rows(spectrum: Any) -> int:
    """Spectra in one object; what is no spectrum counts as one, and is refused in its turn."""
    shape = np.shape(getattr(getattr(spectrum, "flux", None), "value", 0.0))
    return shape[0] if len(shape) == 2 else 1


def _check_options(grid: WavelengthGrid, min_coverage: float, method: str, frame: str, on_error: str) -> None:
    if method not in _METHODS:
        raise AgnsalError(f"method must be one of {_METHODS}, got {method!r}.")
    if on_error not in ("raise", "skip", "note"):
        raise AgnsalError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")
    if frame not in ("observed", "rest"):
        raise AgnsalError(f"frame must be 'observed' or 'rest', got {frame!r}.")
    if frame == "rest" and grid.frame == "observed":
        raise AgnsalError("spectra in the rest frame cannot be put on a grid of the observed frame.")
    if not 0 <= min_coverage <= 1:
        raise AgnsalError(f"min_coverage is a fraction between 0 and 1, got {min_coverage}.")
    if grid.medium != "vacuum":
        raise AgnsalError("spectra are collected in vacuum wavelengths; make the grid with medium='vacuum'.")


def _rows(spectrum: Any, place: int, names: list[str] | None) -> list[_Row | AgnsalError]:
    """Each row of a spectrum, or why it cannot be used, by the name that was given."""
    name = names[0] if names else f"spectrum {place}"
    try:
        if not names:
            name = str(spectrum.meta.get("object_id") or Path(str(spectrum.meta.get("source") or name)).name)
        found = [spectrum] if isinstance(spectrum, PlainSpectrum) else PlainSpectrum.rows_of(spectrum)
        rows = [row.in_flam() for row in found]
    except AgnsalError as error:
        wrong = AgnsalError(f"{name}: {error}")
        wrong.__cause__ = error
        return [wrong]
    except (AttributeError, TypeError, ValueError) as error:
        wrong = AgnsalError(f"{name}: a specutils.Spectrum was expected, got {type(spectrum).__name__} ({error}).")
        wrong.__cause__ = error
        return [wrong]
    called = names or ([name] if len(rows) == 1 else [f"{name} row {row}" for row in range(len(rows))])
    return [_Row(*both) for both in zip(called, rows, strict=True)]


def _checked_redshift(row: _Row, given: Any, *, needed: bool) -> float:
    z = row.spectrum.redshift if given is None else given
    if not needed and (z is None or np.isnan(z)):
        return np.nan
    advice = "give it (redshift=, or a column redshift), or frame='rest' if the spectrum is in the rest frame already"
    if z is None:
        raise AgnsalError(f"{row.name}: its redshift is not known (specutils says 0 then); {advice}.")
    try:
        return checked_redshift(z, advice)
    except AgnsalError as error:
        raise AgnsalError(f"{row.name}: {error}") from error


def _on_grid(
    row: _Row, redshift: float, stretch: float, grid: WavelengthGrid, min_coverage: float, method: str
) -> Resampled:
    """One spectrum on the grid: flux, inverse variance, mask."""
    wavelength, bad = row.spectrum.wavelength, bad_pixels(row.spectrum.flux, row.spectrum.ivar, row.spectrum.mask)
    if bad.all():
        raise AgnsalError(f"{row.name}: no good pixel; every flux is masked, not finite or without weight.")
    if not row.spectrum.flux[~bad].any():
        raise AgnsalError(f"{row.name}: the flux is zero in every good pixel.")
    try:
        edges, center, flux, ivar, bad = _with_gaps(row.spectrum, bad)
    except AgnsalError as error:
        raise AgnsalError(f"{row.name}: {error}") from error
    if method == "linear":
        put = interpolate(center / stretch, flux, grid.centers.value, ivar=ivar, mask=bad)
    else:
        put = resample(edges / stretch, flux, grid.edges.value, ivar=ivar, mask=bad)
    good = 1.0 - put.mask.mean()
    if good < min_coverage or put.mask.all():
        raise AgnsalError(
            f"{row.name}: only {100 * good:.0f} % of the grid ({grid.centers.value[0]:.0f} to "
            f"{grid.centers.value[-1]:.0f} A) has good pixels, {100 * min_coverage:.0f} % are asked for; "
            f"the spectrum covers {wavelength[0] / stretch:.0f} to {wavelength[-1] / stretch:.0f} A there "
            f"({'no redshift' if np.isnan(redshift) else f'redshift {redshift:.6g}'}). "
            "Lower min_coverage, or use another grid."
        )
    return put


def _with_gaps(spectrum: PlainSpectrum, bad: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray | None, NDArray]:
    """Edges, centres, flux, ivar and mask, with a bad pixel put into every gap so that a gap stays one."""
    wavelength, flux, ivar = spectrum.wavelength, spectrum.flux, spectrum.ivar
    edges = edges_from_centers(wavelength)
    step = np.diff(wavelength)
    if step.size < 3:
        return edges, wavelength, flux, ivar, bad
    usual = np.minimum(np.concatenate([step[1:2], step[:-1]]), np.concatenate([step[1:], step[-2:-1]]))
    gap = np.flatnonzero(step > 1.6 * usual)
    if gap.size == 0:
        return edges, wavelength, flux, ivar, bad
    left, right = wavelength[gap] + 0.5 * usual[gap], wavelength[gap + 1] - 0.5 * usual[gap]
    edges = np.delete(edges, gap + 1)
    edges = np.sort(np.concatenate([edges, left, right]))
    ivar = None if ivar is None else np.insert(ivar, gap + 1, 0.0)
    center = np.insert(wavelength, gap + 1, 0.5 * (left + right))
    return edges, center, np.insert(flux, gap + 1, 0.0), ivar, np.insert(bad, gap + 1, True)


def _per_spectrum(values: Any, count: int, what: str, *, scalar: bool = False) -> NDArray | None:
    """One value per spectrum, or a clear error."""
    if values is None:
        return None
    if isinstance(values, u.Quantity):
        values = values.to_value(u.dimensionless_unscaled)
    if isinstance(values, np.ma.MaskedArray) and values.mask.any():
        raise AgnsalError(f"{what} has {int(values.mask.sum())} masked values; fill them or leave these spectra out.")
    array = np.asarray(values)
    if scalar and array.ndim == 0:
        array = np.broadcast_to(array, (count,))
    if array.shape != (count,):
        came = f"{array.size}" if array.ndim == 1 else f"shape {array.shape}"
        raise AgnsalError(f"{what}: {came} given for {count} spectra; one for each is needed, in the same order.")
    return array


def _all_calibrated(rows: list[_Kept]) -> bool:
    """Whether every spectrum is in calibrated flux; a warning where some are and some are not."""
    lacking = [row.name for row in rows if not row.calibrated]
    if lacking and len(lacking) < len(rows):
        names = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
        warnings.warn(
            f"no calibrated flux in {names}: the whole sample is in relative flux; normalise it. "
            "Collect them apart to keep it for the others.",
            AgnsalWarning,
            stacklevel=4,
        )
    return not lacking


def _table(rows: list[_Kept], mask: NDArray[np.bool_], labels: NDArray | None) -> QTable:
    table = QTable()
    table["object_id"] = [row.name for row in rows]
    table["redshift"] = np.array([row.redshift for row in rows], dtype=np.float64)
    if labels is not None:
        table["label"] = labels
    table["good_fraction"] = 1.0 - mask.mean(axis=1)
    for place, column in enumerate(_META_COLUMNS):
        values = [row.meta[place] for row in rows]
        if any(values):
            table[column] = values
    return table
