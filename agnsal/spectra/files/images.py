"""Spectra as FITS images: one-dimensional, stacks of spectra, and rows that are different quantities of one object.

An image is the flux if its extension says so (FLUX, SCI, DATA, ...) or if it is the only one; wavelengths, errors and
masks are found in extensions, or in rows of the same image, under any of their usual names. Wavelengths else come from
the header (`agnsal.spectra.files.axes`). Rows are taken as spectra of their own only where the file says that they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import astropy.units as u
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files import axes, iraf
from agnsal.spectra.files.layout import Layout
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, clean, inverse_variance
from agnsal.spectra.files.roles import UNCERTAINTIES, Part, understand
from agnsal.spectra.files.statements import moved_to_rest
from agnsal.spectra.files.units import AxisUnit, axis_unit, flux_unit, not_ampere
from agnsal.spectra.files.wavelengths import in_angstrom

_KINDS = {"ivar": ("ivar", -2), "variance": ("var", 2), "error": ("std", 1)}
_OF_NDDATA = {"StdDevUncertainty": "error", "VarianceUncertainty": "variance", "InverseVariance": "ivar"}
_OF_HDUCLAS3 = {"MSE": "variance", "RMSE": "error", "INVMSE": "ivar", "INVRMSE": None}
_CELESTIAL = re.compile(r"(?i)(RA-|DEC-|[GE]L(ON|AT)|RA$|DEC$)")
_LAMOST_ROWS = ("flux", "ivar", "wavelength", "mask", "other")  # of its spectra before data release 8


@dataclass(frozen=True)
class Plane:
    """An image or a row of one: what it is, its numbers, and the header that describes it."""

    part: Part
    data: NDArray
    header: fits.Header
    version: int = 1

    @property
    def role(self) -> str | None:
        """The role of the plane, as in `read_spectra`."""
        return self.part.role

    @property
    def name(self) -> str:
        """What the file calls it."""
        return self.part.name


def image_hdu(hdulist: fits.HDUList) -> Any:
    """The HDU that makes a file one of images of spectra, or None where it holds none."""
    return next((hdu for hdu in hdulist if _is_image(hdu) and _may_be_flux(hdu)), None)


def _is_image(hdu: Any) -> bool:
    return (
        isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)) and bool(hdu.shape) and min(hdu.shape) > 0
    )


def _may_be_flux(hdu: Any) -> bool:
    """Whether an image has the shape of spectra and is not known to be something else."""
    if _part(hdu).role not in ("flux", None):
        return False
    header = hdu.header
    if sum(length > 1 for length in hdu.shape) == 1:
        return True
    said = iraf.is_multispec(header) or any(key in header for key in ("DC-FLAG", "DISPAXIS", "COEFF0", "WAT1_001"))
    return said or any(axes.says_wavelength(header, axis) for axis in range(1, len(hdu.shape) + 1))


def _part(hdu: Any) -> Part:
    """What an image extension is, by its name and by the cards of ESO and of NDData that say it."""
    part = understand(hdu.name, unit=hdu.header.get("BUNIT"), extension=True, shape=tuple(hdu.shape))
    role = _OF_NDDATA.get(str(hdu.header.get("UTYPE", ""))) or _OF_HDUCLAS3.get(str(hdu.header.get("HDUCLAS3", "")))
    return replace(part, role=role) if role else part


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
    planes = [Plane(_part(hdu), hdu.data, hdu.header, hdu.ver) for hdu in hdulist if _is_image(hdu)]
    planes = _named_by_user(planes, dict(columns or {}))
    records: list[FileSpectrum] = []
    fluxes = _fluxes(planes)
    for flux in fluxes:
        others = [plane for plane in planes if plane.role in (*_KINDS, "wavelength", "log10_wavelength", "mask")]
        if len(fluxes) > 1:
            others = [plane for plane in others if plane.version == flux.version]
        used = {id(plane) for plane in (*others, *fluxes)}
        spectra = _spectra(flux, others, dict(units or {}), mask)
        for record in spectra:
            record.describe(hdulist[0].header)
            record.describe(flux.header)
            ignored = [plane.name for plane in planes if id(plane) not in used]
            record.ignored = (*ignored, *record.ignored)
        records += spectra
    return records


def _named_by_user(planes: list[Plane], columns: dict[str, str | int]) -> list[Plane]:
    """The planes with the roles the user gives them by name; no other plane keeps such a role."""
    for role, name in columns.items():
        chosen = [plane for plane in planes if plane.name.lower() == str(name).lower()]
        if len(chosen) != 1:
            raise UnknownLayout(
                f"columns= names {name!r} as its {role}, which is no extension. Found: {_listed(planes)}."
            )
        rivals = {role, *(UNCERTAINTIES if role in UNCERTAINTIES else ())}
        planes = [
            replace(plane, part=replace(plane.part, role=role if plane is chosen[0] else "other"))
            if plane is chosen[0] or plane.role in rivals
            else plane
            for plane in planes
        ]
    return planes


def _fluxes(planes: Sequence[Plane]) -> list[Plane]:
    """The image with the flux, or those that carry one name and different versions (EXTVER)."""
    found = [plane for plane in planes if plane.role == "flux"]
    if not found:
        unknown = [plane for plane in planes if plane.role is None]
        density = [plane for plane in unknown if flux_unit(plane.header.get("BUNIT")) is not None]
        found = density if len(density) == 1 else unknown if len(unknown) == 1 else []
    versions = {(plane.name, plane.version) for plane in found}
    if not found or len({name for name, _ in versions}) > 1 or len(versions) < len(found):
        raise UnknownLayout(
            f"which of its images is the flux, it does not say. Found: {_listed(planes)}. Name it: "
            f"read_spectra(path, columns={{'flux': {clean((found or list(planes))[-1].name, 40)!r}}})."
        )
    return found


def _listed(planes: Sequence[Plane]) -> str:
    return ", ".join(clean(plane.part, 60) for plane in planes[:14]) or "no image"


def _spectra(flux: Plane, others: list[Plane], units: dict[str, Any], mask: str | None) -> list[FileSpectrum]:
    """The spectra of one image of flux and what goes with it."""
    header, shape = flux.header, flux.data.shape
    given = [plane for plane in others if plane.role in ("wavelength", "log10_wavelength")]
    if len(given) > 1:
        raise UnknownLayout(f"two of its extensions are wavelengths ({_listed(given)}); name one with columns=.")
    axis = _axis_of(given[0], shape) if given else axes.dispersion_axis(header, shape)
    flux, rows = _rows(flux, axis)
    inside = [] if rows is None else [row for row in rows if row.role in (*_KINDS, "wavelength", "mask")]
    given += [row for row in inside if row.role == "wavelength"]
    data = flux.data.reshape(-1, flux.data.shape[-1])
    lines, size = data.shape
    if lines > 1 and rows is None:
        _must_be_spectra(flux, data, others)
    if given:
        found = _given_axes(given[0], lines, size, axis, header, units)
    elif iraf.is_multispec(header):
        found = axes.multispec_axes(header, lines, size, units=units)
    else:
        found = [axes.spectral_axis(header, size, axis, units=units)] * lines
    unit = _unit_of(flux, units)
    ivar = _inverse_variance([*others, *inside], data.shape, axis, unit, units)
    bad = _bad([*others, *inside], data.shape, axis, mask)
    ignored = [row.name for row in rows or () if row.role not in ("flux", *_KINDS, "wavelength", "mask")]
    records = []
    for number, (line, where) in enumerate(zip(data, found, strict=True)):
        there = np.isfinite(where.wavelength)
        record = FileSpectrum(
            wavelength=where.wavelength[there],
            flux=np.asarray(line)[there],
            unit=unit,
            ivar=None if ivar is None else ivar[number][there],
            bad=None if bad is None else bad[number][there],
            medium=where.medium,
            rest=where.rest,
            redshift=where.redshift,
            meta={"header": header} if lines == 1 else {"header": header, "row": number},
        )
        record.ignored = tuple(ignored)
        records.append(record)
    return records


def _turned(data: NDArray, axis: int) -> NDArray:
    """The image with its dispersion along the last axis."""
    return np.moveaxis(data, -axis, -1) if data.ndim >= axis else data


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


def _rows(flux: Plane, axis: int) -> tuple[Plane, list[Plane] | None]:
    """The flux, and the planes of one image where header or survey says that they are different quantities."""
    data = _turned(flux.data, axis)
    header = flux.header
    long = [length for length in data.shape[:-1] if length > 1]
    if len(long) == 0:
        return replace(flux, data=data.reshape(1, -1)), None
    if any(_CELESTIAL.match(str(header.get(f"CTYPE{i}", ""))) for i in range(1, data.ndim + 1)):
        raise AgnsalError(
            f"it is a cube of {' x '.join(map(str, long))} spaxels; extract the spectrum of an aperture first, for "
            "instance cube[:, y, x] or the sum over a mask, and write that."
        )
    data = data.reshape(*long, data.shape[-1])
    names = next(
        (
            found
            for stem in ("BANDID", "ARRAY", "ROW")
            if any(found := [header.get(f"{stem}{i + 1}") for i in range(long[0])])
        ),
        None,
    )
    if "LAMOST" in str(header.get("TELESCOP", "")) and data.shape[0] == len(_LAMOST_ROWS) and data.ndim == 2:
        parts = [Part(name=role, role=role) for role in _LAMOST_ROWS]
    elif names is not None:
        parts = [_row_part(str(name or f"row {number}")) for number, name in enumerate(names, 1)]
    elif data.ndim == 2:
        return replace(flux, data=data), None
    else:
        raise UnknownLayout(
            f"its image has shape {flux.data.shape}, and what its planes are, it does not say (BANDID cards do)."
        )
    planes = [Plane(part, plane, header) for part, plane in zip(parts, data, strict=True)]
    fluxes = [plane for plane in planes if plane.role == "flux"]
    if len(fluxes) != 1:
        raise UnknownLayout(f"which of the rows of its image is the flux, it does not say. Found: {_listed(planes)}.")
    return replace(fluxes[0], header=header), planes


def _row_part(name: str) -> Part:
    """What a row of an image is, by what its card (ARRAY2, BANDID1, ...) calls it."""
    part = understand(re.split(r" - |,", name)[0])
    return replace(part, role="mask", good=True) if part.name.strip().lower() == "status" else part  # of UVES_popler


def _must_be_spectra(flux: Plane, data: NDArray, others: Sequence[Plane]) -> None:
    """Refuse rows of an image that may be different quantities of one object."""
    header = flux.header
    stated = iraf.is_multispec(header) or any(key in header for key in ("APNUM1", "DISPAXIS"))
    paired = any(plane.role in _KINDS and plane.data.size == data.size for plane in others)
    rising = [number for number, row in enumerate(data) if row.size > 9 and row[0] > 0 and (np.diff(row) > 0).all()]
    if rising or not (stated or paired):
        why = f"row {rising[0]} rises like wavelengths" if rising else "no card names them (ARRAY1, BANDID1, APNUM1)"
        raise UnknownLayout(
            f"its image has {len(data)} rows, and whether they are spectra or different quantities of one object, it "
            f"does not say: {why}. Write the cards, for instance astropy.io.fits.setval(path, 'ARRAY1', value='flux'), "
            "'ARRAY2' = 'error', ...; or 'APNUM1' = '1 1' if every row is a spectrum."
        )


def _given_axes(
    plane: Plane, lines: int, size: int, axis: int, header: fits.Header, units: Mapping[str, Any]
) -> list[axes.SpectralAxis]:
    """Wavelengths that the file lists, in an extension or a row."""
    values = np.asarray(_turned(plane.data, axis) if plane.data.ndim > 1 else plane.data, dtype=np.float64)
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
        raise AgnsalError(
            f"its wavelengths ({plane.name}) have no unit that is understood. Pass it: units={{'{role}': 'Angstrom'}}."
        )
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
    raise AgnsalError(
        f"its flux has no unit that is understood (BUNIT = {flux.header.get('BUNIT')!r}). Pass it: "
        "read_spectra(path, units={'flux': 'erg/s/cm2/Angstrom'}), or 'relative'; or write BUNIT into the header."
    )


def _fitting(plane: Plane, shape: tuple[int, int], axis: int) -> NDArray:
    """The numbers of a plane in the shape of the flux."""
    data = _turned(plane.data, axis) if plane.data.ndim > 1 else plane.data
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
            raise UnknownLayout(f"two of its extensions are errors ({_listed(found)}); name one with columns=.")
        if found:
            kind, power = _KINDS[role]
            text = units.get(role, found[0].header.get("BUNIT") if found[0].data.ndim > 0 else None)
            same = units.get(role) is None and any(
                plane.header is found[0].header for plane in planes if plane is not found[0]
            )
            factor = 1.0 if same and found[0].part.unit == "" else _factor(found[0].name, text, unit, power, role)
            return inverse_variance(_fitting(found[0], shape, axis), kind) / factor
    return None


def _factor(name: str, text: Any, unit: u.UnitBase, power: int, role: str) -> float:
    """What inverse variances have to be divided by to be in the unit of the flux."""
    if text is None or not str(text).strip():
        return 1.0
    known = _power_unit(text)
    if known is None or not known.is_equivalent(unit**power):
        raise AgnsalError(
            f"its errors ({name}) are in {clean(text, 40)!r}, which does not fit the unit of its flux, {unit}. Pass "
            f"what they are in: units={{{role!r}: {(unit**power).to_string()!r}}}."
        )
    factor = float(known.to(unit**power))
    return 1.0 / factor if power == -2 else factor ** (2.0 / power)


def _power_unit(text: Any) -> u.UnitBase | None:
    """A unit of flux, or a power of one as headers write it: ``(erg/s/cm2/A)**2``."""
    if isinstance(text, u.UnitBase):
        return text
    inner = re.fullmatch(r"\s*\((.*)\)\s*(?:\*\*|\^)?\s*\(?([-+]?\d)\)?\s*", str(text))
    if inner and (unit := flux_unit(inner[1])) is not None:
        return unit ** int(inner[2])
    if (unit := flux_unit(text)) is not None:
        return unit
    try:
        return not_ampere(u.Unit(str(text)))
    except (ValueError, TypeError):
        return None


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
