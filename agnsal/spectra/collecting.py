"""From specutils spectra to the rows of a `SpectralSample`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.spectra.files.record import FLAM17
from agnsal.spectra.grid import WavelengthGrid, edges_from_centers
from agnsal.spectra.resampling import interpolate, resample

_METHODS = ("flux_conserving", "linear")
_META_COLUMNS = ("source", "survey")


@dataclass
class _Row:
    """One spectrum as plain arrays, in Angstrom of its own frame, ascending."""

    name: str
    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]
    ivar: NDArray[np.float64] | None
    bad: NDArray[np.bool_]
    calibrated: bool
    redshift: float | None
    meta: Any


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
) -> dict[str, Any]:
    """Do the work of `SpectralSample.from_spectra`, which documents it; returns what the constructor takes."""
    _check_options(grid, min_coverage, method, frame, on_error)
    if hasattr(spectra, "spectral_axis"):
        spectra = [spectra]
    if len(spectra) == 0:
        raise AgnsalError("there are no spectra to collect.")
    count = sum(1 if spectrum.flux.ndim == 1 else spectrum.flux.shape[0] for spectrum in spectra)
    names = _per_spectrum(ids, count, "ids")
    classes = _per_spectrum(labels, count, "labels")
    shifts = _per_spectrum(redshift, count, "redshift", scalar=True)

    moves = grid.frame == "rest" and frame == "observed"
    rows: list[_Row] = []
    kept: list[int] = []
    refused: list[str] = []
    matrix: dict[str, list] = {"flux": [], "ivar": [], "mask": [], "redshift": []}
    for number, row in enumerate(_rows(spectra)):
        row.name = str(names[number]) if names is not None else row.name
        if shifts is not None:
            row.redshift = float(shifts[number])
        try:
            z = _checked_redshift(row, needed=moves)
            flux, ivar, mask = _on_grid(row, 1.0 + z if moves else 1.0, grid, min_coverage, method)
        except AgnsalError as error:
            if on_error == "raise":
                raise
            refused.append(str(error))
            continue
        kept.append(number)
        rows.append(row)
        for key, value in (("flux", flux), ("ivar", ivar), ("mask", mask), ("redshift", z)):
            matrix[key].append(value)
    if refused:
        warnings.warn(
            f"{len(refused)} of {count} spectra left out:\n" + "\n".join(refused), AgnsalWarning, stacklevel=3
        )
    if not rows:
        raise AgnsalError(f"none of the {count} spectra could be used:\n" + "\n".join(refused))

    calibrated = _all_or_none(
        rows, [row.calibrated for row in rows], "calibrated flux", "is in relative flux; normalise it"
    )
    errors = _all_or_none(rows, [value is not None for value in matrix["ivar"]], "flux errors", "has none")
    return {
        "flux": np.array(matrix["flux"]),
        "grid": grid,
        "ivar": np.array(matrix["ivar"]) if errors else None,
        "mask": np.array(matrix["mask"]),
        "unit": FLAM17 if calibrated else u.dimensionless_unscaled,
        "table": _table(rows, matrix, None if classes is None else classes[kept]),
    }


def _check_options(grid: WavelengthGrid, min_coverage: float, method: str, frame: str, on_error: str) -> None:
    if method not in _METHODS:
        raise AgnsalError(f"method must be one of {_METHODS}, got {method!r}.")
    if on_error not in ("raise", "skip"):
        raise AgnsalError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")
    if frame not in ("observed", "rest"):
        raise AgnsalError(f"frame must be 'observed' or 'rest', got {frame!r}.")
    if frame == "rest" and grid.frame == "observed":
        raise AgnsalError("spectra in the rest frame cannot be put on a grid of the observed frame.")
    if not 0 <= min_coverage <= 1:
        raise AgnsalError(f"min_coverage is a fraction between 0 and 1, got {min_coverage}.")
    if grid.medium != "vacuum":
        raise AgnsalError("spectra are collected in vacuum wavelengths; make the grid with medium='vacuum'.")


def _rows(spectra: Sequence[Any]) -> Iterator[_Row]:
    """Each spectrum, or each row of a spectrum with several, as plain arrays."""
    for number, spectrum in enumerate(spectra):
        name = str(
            spectrum.meta.get("object_id") or Path(str(spectrum.meta.get("source") or f"spectrum {number}")).name
        )
        try:
            wavelength = np.asarray(spectrum.spectral_axis.to_value(u.AA, u.spectral()), dtype=np.float64)
        except u.UnitConversionError as error:
            raise AgnsalError(
                f"{name}: its spectral axis is in {spectrum.spectral_axis.unit}, not a wavelength."
            ) from error
        factor, calibrated = _flux_factor(spectrum.flux.unit, wavelength, name)
        flux = np.atleast_2d(np.asarray(spectrum.flux.value, dtype=np.float64)) * factor
        bad = np.zeros(flux.shape, bool) if spectrum.mask is None else np.atleast_2d(np.asarray(spectrum.mask, bool))
        ivar = _inverse_variance(spectrum, name)
        ivar = None if ivar is None else np.atleast_2d(ivar) / factor**2
        # specutils says 0 where nobody gave a redshift
        redshift = np.broadcast_to(np.asarray(getattr(spectrum.redshift, "value", spectrum.redshift)), (len(flux),))
        if wavelength[0] > wavelength[-1]:
            wavelength, flux, bad = wavelength[::-1], flux[:, ::-1], bad[:, ::-1]
            ivar = None if ivar is None else ivar[:, ::-1]
        for i in range(len(flux)):
            yield _Row(
                name=name if len(flux) == 1 else f"{name} row {i}",
                wavelength=wavelength,
                flux=flux[i],
                ivar=None if ivar is None else ivar[i],
                bad=bad[i],
                calibrated=calibrated,
                redshift=float(redshift[i]) or None,
                meta=spectrum.meta,
            )


def _flux_factor(unit: u.UnitBase, wavelength: NDArray, name: str) -> tuple[float | NDArray, bool]:
    """What to multiply by to get `FLAM17` (F_nu differs per pixel), and whether the flux is calibrated at all."""
    if unit.is_equivalent(FLAM17, u.spectral_density(wavelength[0] * u.AA)):
        return (np.ones(wavelength.size) * unit).to_value(FLAM17, u.spectral_density(wavelength * u.AA)), True
    if unit.physical_type in ("dimensionless", "unknown") or unit.is_equivalent(u.ct) or unit.is_equivalent(u.ct / u.s):
        return 1.0, False
    raise AgnsalError(
        f"{name}: flux in {unit} is neither a flux density (F_lambda, F_nu) nor relative; convert it before collecting."
    )


def _inverse_variance(spectrum: Any, name: str) -> NDArray | None:
    """Inverse variance in the unit of the flux, whatever kind and unit the errors came in."""
    from astropy.nddata import InverseVariance

    if spectrum.uncertainty is None:
        return None
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            uncertainty = spectrum.uncertainty.represent_as(InverseVariance)
            return np.asarray(uncertainty.quantity.to_value(spectrum.flux.unit**-2), dtype=np.float64)
    except (TypeError, u.UnitConversionError) as error:
        raise AgnsalError(f"{name}: its errors are not understood ({error}); give an InverseVariance.") from error


def _checked_redshift(row: _Row, *, needed: bool) -> float:
    z = row.redshift
    if not needed:
        return np.nan if z is None else z
    advice = "give it with redshift=, or frame='rest' if the spectrum is in the rest frame already"
    if z is None:
        raise AgnsalError(f"{row.name}: its redshift is not known (or 0); {advice}.")
    if not np.isfinite(z) or z <= 0:
        raise AgnsalError(f"{row.name}: redshift {z} is not positive; {advice}.")
    if z > 20:
        raise AgnsalError(f"{row.name}: redshift {z} is too large to be one; is it a velocity in km/s?")
    return z


def _on_grid(
    row: _Row, stretch: float, grid: WavelengthGrid, min_coverage: float, method: str
) -> tuple[NDArray, NDArray | None, NDArray]:
    """One spectrum on the grid: flux, inverse variance, mask."""
    bad = row.bad | ~np.isfinite(row.flux)
    if row.ivar is not None:
        with np.errstate(invalid="ignore"):
            bad |= ~(np.isfinite(row.ivar) & (row.ivar > 0))
    if bad.all():
        raise AgnsalError(f"{row.name}: no good pixel; every flux is masked, not finite or without weight.")
    if not row.flux[~bad].any():
        raise AgnsalError(f"{row.name}: the flux is zero in every good pixel.")
    try:
        edges, center, flux, ivar, bad = _with_gaps(row, bad)
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
            f"the spectrum covers {row.wavelength[0] / stretch:.0f} to {row.wavelength[-1] / stretch:.0f} A there "
            f"({'no redshift' if row.redshift is None else f'redshift {row.redshift:.6g}'}). "
            "Lower min_coverage, or use another grid."
        )
    return put.flux, put.ivar, put.mask


def _with_gaps(row: _Row, bad: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray | None, NDArray]:
    """Edges, centres, flux, ivar and mask, with a bad pixel put into every gap so that a gap stays one."""
    edges = edges_from_centers(row.wavelength)
    step = np.diff(row.wavelength)
    if step.size < 3:
        return edges, row.wavelength, row.flux, row.ivar, bad
    usual = np.minimum(np.r_[step[1], step[:-1]], np.r_[step[1:], step[-2]])
    gap = np.flatnonzero(step > 1.6 * usual)
    if gap.size == 0:
        return edges, row.wavelength, row.flux, row.ivar, bad
    left, right = row.wavelength[gap] + 0.5 * usual[gap], row.wavelength[gap + 1] - 0.5 * usual[gap]
    edges = np.delete(edges, gap + 1)
    edges = np.sort(np.concatenate([edges, left, right]))
    ivar = None if row.ivar is None else np.insert(row.ivar, gap + 1, 0.0)
    center = np.insert(row.wavelength, gap + 1, 0.5 * (left + right))
    return edges, center, np.insert(row.flux, gap + 1, 0.0), ivar, np.insert(bad, gap + 1, True)


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


def _all_or_none(rows: list[_Row], have: list[bool], what: str, consequence: str) -> bool:
    """Whether every spectrum has it; a warning where some do and some do not."""
    if any(have) and not all(have):
        lacking = [row.name for row, has in zip(rows, have, strict=True) if not has]
        names = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
        warnings.warn(
            f"no {what} in {names}: the whole sample {consequence}. Collect them apart to keep it for the others.",
            AgnsalWarning,
            stacklevel=4,
        )
    return all(have)


def _table(rows: list[_Row], matrix: dict[str, list], labels: NDArray | None) -> QTable:
    table = QTable()
    table["object_id"] = [row.name for row in rows]
    table["redshift"] = np.array(matrix["redshift"], dtype=np.float64)
    if labels is not None:
        table["label"] = labels
    table["good_fraction"] = 1.0 - np.array(matrix["mask"]).mean(axis=1)
    for column in _META_COLUMNS:
        if any(row.meta.get(column) for row in rows):
            table[column] = [str(row.meta.get(column) or "") for row in rows]
    return table
