"""Spectra as FITS images: one-dimensional, stacks of spectra, and rows that are different quantities of one object.

An image is the flux if its extension says so (FLUX, SCI, DATA, ...) or if it is the only one; wavelengths, errors and
masks are found in extensions, or in rows of the same image, under any of their usual names. Wavelengths else come from
the header. Rows are taken as spectra of their own only where the file says that they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import astropy.units as u
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images import axes, iraf
from agnsal.spectra.files.images.planes import (
    Plane,
    check_rows_are_spectra,
    flux_planes,
    found_in,
    image_hdu,
    is_image,
    named_by_user,
    planes_of,
    planes_of_rows,
    turned,
)
from agnsal.spectra.files.layout import Layout, asked, errors_in, likely_flux, listed, refusal
from agnsal.spectra.files.meaning.roles import ROLES, UNCERTAINTIES
from agnsal.spectra.files.meaning.statements import moved_to_rest
from agnsal.spectra.files.meaning.uncertainties import from_magnitudes, inverse_variance
from agnsal.spectra.files.meaning.units import AxisUnit, axis_unit, flux_unit
from agnsal.spectra.files.meaning.wavelengths import in_angstrom
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, names_of_rest

_BESIDE = tuple(role for role in ROLES if role != "flux")


def read_image(
    hdulist: fits.HDUList,
    *,
    columns: Mapping[str, str | int] | None = None,
    units: Mapping[str, Any] | None = None,
    mask: Literal["bad", "good"] | None = None,
) -> list[FileSpectrum]:
    """The spectra in the images of a file, with their errors and masks where there are any.

    Parameters
    ----------
    columns, units, mask
        What the user says of the extensions, as for `agnsal.read_spectra`.
    """
    planes = named_by_user(planes_of(hdulist), dict(columns or {}))
    records: list[FileSpectrum] = []
    rest = names_of_rest(hdulist, *filter(is_image, hdulist))
    fluxes = flux_planes(planes)
    for flux in fluxes:
        others = [plane for plane in planes if plane.role in _BESIDE]
        if len(fluxes) > 1:
            others = [plane for plane in others if plane.version == flux.version]
        used = {id(plane) for plane in (*others, *fluxes)}
        spectra = _spectra(flux, others, dict(units or {}), mask, hdulist)
        for record in spectra:
            record.describe(hdulist[0].header)
            if flux.header is not hdulist[0].header:
                record.describe(flux.header)
            ignored = [plane.name for plane in planes if id(plane) not in used]
            record.ignored = (*ignored, *record.ignored, *rest)
        records += spectra
    return records


def _spectra(
    flux: Plane, others: list[Plane], units: dict[str, Any], mask: str | None, hdulist: fits.HDUList
) -> list[FileSpectrum]:
    """The spectra of one image of flux and what goes with it."""
    header, shape = flux.header, flux.data.shape
    given = [plane for plane in others if plane.role in ("wavelength", "log10_wavelength")]
    if len(given) > 1:
        raise _two("wavelengths", given)
    axis = _axis_of(given[0], shape) if given else axes.dispersion_axis(header, shape)
    flux, rows = planes_of_rows(flux, axis)
    inside = [] if rows is None else [row for row in rows if row.role in _BESIDE]
    given += [row for row in inside if row.role in ("wavelength", "log10_wavelength")]
    data = flux.data.reshape(-1, flux.data.shape[-1])
    lines, size = data.shape
    if lines > 1 and rows is None:
        check_rows_are_spectra(flux, data, others)
    if given:
        found = _given_axes(given[0], lines, size, axis, header, units)
    elif iraf.is_multispec(header):
        found = axes.multispec_axes(header, lines, size, units=units)
    else:
        found = [_stated_axis(flux, size, axis, units, hdulist)] * lines
    unit = _unit_of(flux, units)
    ivar = _inverse_variance([*others, *inside], data.shape, axis, unit, units)
    bad = _bad([*others, *inside], data.shape, axis, mask)
    mask_name = next((plane.name for plane in (*others, *inside) if plane.role == "mask" and not plane.part.good), None)
    ignored = [row.name for row in rows or () if row.role not in ROLES]
    records = []
    for number, (line, where) in enumerate(zip(data, found, strict=True)):
        there = np.isfinite(where.wavelength)
        values, weight = np.asarray(line)[there], None if ivar is None else ivar[number][there]
        if isinstance(unit, u.MagUnit):
            values, weight = from_magnitudes(values, weight, unit)
        record = FileSpectrum(
            wavelength=where.wavelength[there],
            flux=values,
            unit=u.Jy if isinstance(unit, u.MagUnit) else unit,
            ivar=weight,
            bad=None if bad is None else bad[number][there],
            medium=where.medium,
            rest=where.rest,
            redshift=where.redshift,
            doubt=None if given else axes.medium_in_doubt(header, axis),
            meta={"header": header} if lines == 1 else {"header": header, "row": number},
        )
        record.ignored = tuple(ignored)
        record.mask_name = mask_name
        records.append(record)
    return records


def _stated_axis(
    flux: Plane, size: int, axis: int, units: Mapping[str, Any], hdulist: fits.HDUList
) -> axes.SpectralAxis:
    """The axis of the header; where it has none, what else the file holds is listed."""
    try:
        return axes.spectral_axis(flux.header, size, axis, units=units, hdulist=hdulist)
    except UnknownLayout as error:
        found = found_in(planes_of(hdulist))
        raise UnknownLayout(f"{error} Found: {listed(found)}.", found) from None


def _axis_of(wavelength: Plane, shape: tuple[int, ...]) -> int:
    """The axis of an image of that shape that an extension of wavelengths belongs to."""
    if wavelength.data.shape == shape:
        return 1 if sum(length > 1 for length in shape) != 1 else len(shape) - int(np.argmax(shape))
    size = wavelength.data.size
    fitting = [axis for axis, length in enumerate(reversed(shape), 1) if length == size]
    if len(fitting) != 1:
        raise AgnsalError(
            f"its wavelengths ({wavelength.name}, shape {wavelength.data.shape}) do not fit its flux of shape {shape}."
        )
    return fitting[0]


def _given_axes(
    plane: Plane, lines: int, size: int, axis: int, header: fits.Header, units: Mapping[str, Any]
) -> list[axes.SpectralAxis]:
    """Wavelengths that the file lists, in an extension or a row."""
    values = np.asarray(turned(plane.data, axis) if plane.data.ndim > 1 else plane.data, dtype=np.float64)
    if values.size not in (size, lines * size):
        raise AgnsalError(f"its {plane.name} has shape {plane.data.shape}, and its flux {lines} rows of {size} pixels.")
    role = plane.role or "wavelength"
    said = units.get("wavelength", units.get("log10_wavelength"))
    own = plane.header.get("BUNIT") if plane.header is not header else None
    candidates = (axis_unit(text) if text else None for text in (said, own, header.get("CUNIT1")))
    unit = next((candidate for candidate in candidates if candidate is not None), None)
    if unit is None and "LAMOST" in str(header.get("TELESCOP", "")):
        unit = AxisUnit(u.AA)
    if unit is None:
        problem = f"its wavelengths ({plane.name}) have no unit that is understood"
        raise AgnsalError(asked(problem, found_in([plane]), units={role: "Angstrom"}))
    if unit.scale == "linear" and (role == "log10_wavelength" or "log10_wavelength" in units):
        unit = AxisUnit(unit.unit, "log10")
    medium = plane.part.medium or axes.medium_of(plane.header) or axes.medium_of(header)
    medium = medium or ("vacuum" if "LAMOST" in str(header.get("TELESCOP", "")) else None)
    rest, redshift = moved_to_rest(header)
    found = np.broadcast_to(in_angstrom(values, unit).reshape(-1, size), (lines, size))
    return [axes.SpectralAxis(row, medium, rest, redshift) for row in found]  # type: ignore[arg-type]


def _unit_of(flux: Plane, units: Mapping[str, Any]) -> u.UnitBase:
    """The unit of the flux: the user's, the header's; IRAF's flux without one is not calibrated."""
    written = flux.header.get("BUNIT")
    unit = flux_unit(units.get("flux", written if isinstance(written, str) else None))
    if unit is not None:
        return unit
    bare = not str(flux.header.get("BUNIT", "")).strip()
    custom = axes.iraf_calibrated(flux.header) or "WAT0_001" in flux.header or "DISPAXIS" in flux.header
    if bare and (custom or "LAMOST" in str(flux.header.get("TELESCOP", "")) or not flux.part.calibrated):
        return u.dimensionless_unscaled
    problem = f"its flux has no unit that is understood (BUNIT = {flux.header.get('BUNIT')!r})"
    raise AgnsalError(asked(problem, found_in([flux]), units={"flux": likely_flux(written, "erg/s/cm2/Angstrom")}))


def _fitting(plane: Plane, shape: tuple[int, int], axis: int) -> NDArray:
    """The numbers of a plane in the shape of the flux."""
    data = turned(plane.data, axis) if plane.data.ndim > 1 else plane.data
    if data.size == shape[0] * shape[1] and data.shape[-1] == shape[1]:
        return data.reshape(shape)
    raise AgnsalError(
        f"its {plane.name} has shape {plane.data.shape} and its flux {shape[0]} rows of {shape[1]} pixels; "
        "they must agree."
    )


def _inverse_variance(
    planes: Sequence[Plane], shape: tuple[int, int], axis: int, unit: u.UnitBase, units: Mapping[str, Any]
) -> NDArray[np.float64] | None:
    """Inverse variances in the unit of the flux, from whatever kind of error there is."""
    for role in UNCERTAINTIES:
        found = [plane for plane in planes if plane.role == role]
        if len(found) > 1:
            raise _two("errors", found)
        if found:
            factor = errors_in(role, found[0].part, units.get(role), unit, found_in(found))
            return inverse_variance(_fitting(found[0], shape, axis), role) * factor
    return None


def _two(what: str, planes: Sequence[Plane]) -> AgnsalError:
    """The refusal of images of which only one can be meant, with the call that names one."""
    role = planes[0].role or "error"
    return refusal(f"two of its images are {what}", found_in(planes), {role: planes[0].name})


def _bad(planes: Sequence[Plane], shape: tuple[int, int], axis: int, mask: str | None) -> NDArray[np.bool_] | None:
    """True where a mask or a quality says that a pixel is bad."""
    bad = None
    for plane in planes:
        if plane.role == "mask":
            values = _fitting(plane, shape, axis)
            good = mask == "good" or (mask is None and plane.part.good)
            bad = (values < 1 if good else values != 0) | (False if bad is None else bad)
    return bad


LAYOUTS = (
    Layout(
        "wcs1d-fits",
        image_hdu,
        lambda hdulist, request: read_image(hdulist, columns=request.columns, units=request.units, mask=request.mask),
        "images of spectra: by the names of extensions and rows, and by the axis of the header",
        tested="real",
        generic=True,
    ),
)
