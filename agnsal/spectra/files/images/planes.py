"""What each image of a file, and each row of one, is: by its name, by its cards, or by the user's word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images import axes, iraf
from agnsal.spectra.files.images.cards import writing
from agnsal.spectra.files.layout import Found, listed, refusal
from agnsal.spectra.files.meaning.roles import UNCERTAINTIES, Part, understand
from agnsal.spectra.files.meaning.units import flux_unit
from agnsal.spectra.files.record import UnknownLayout

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
    return next((hdu for hdu in hdulist if is_image(hdu) and _may_be_flux(hdu)), None)


def is_image(hdu: Any) -> bool:
    """Whether an HDU is an image with pixels."""
    return (
        isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)) and bool(hdu.shape) and min(hdu.shape) > 0
    )


def _may_be_flux(hdu: Any) -> bool:
    """Whether an image has the shape of spectra and is not known to be something else."""
    if part_of(hdu).role not in ("flux", None):
        return False
    header = hdu.header
    if sum(length > 1 for length in hdu.shape) == 1:
        return True
    said = iraf.is_multispec(header) or any(key in header for key in ("DC-FLAG", "DISPAXIS", "COEFF0", "WAT1_001"))
    return said or any(axes.says_wavelength(header, axis) for axis in range(1, len(hdu.shape) + 1))


def part_of(hdu: Any) -> Part:
    """What an image extension is, by its name and by the cards of ESO and of NDData that say it."""
    part = understand(hdu.name, unit=hdu.header.get("BUNIT"), extension=True, shape=tuple(hdu.shape))
    role = _OF_NDDATA.get(str(hdu.header.get("UTYPE", ""))) or _OF_HDUCLAS3.get(str(hdu.header.get("HDUCLAS3", "")))
    return replace(part, role=role) if role else part


def planes_of(hdulist: fits.HDUList) -> list[Plane]:
    """Every image of a file; one without a name is called by its number."""
    planes = []
    for number, hdu in enumerate(hdulist):
        if is_image(hdu):
            part = part_of(hdu)
            part = part if part.name.strip() else replace(part, name=f"extension {number}")
            planes.append(Plane(part, hdu.data, hdu.header, hdu.ver))
    return planes


def named_by_user(planes: list[Plane], columns: dict[str, str | int]) -> list[Plane]:
    """The planes with the roles the user gives them by name; no other plane keeps such a role."""
    for role, name in columns.items():
        chosen = [plane for plane in planes if plane.name.lower() == str(name).lower()]
        if len(chosen) != 1:
            raise UnknownLayout(
                f"columns= names {name!r} as its {role}, which is no extension. Found: {listed(found_in(planes))}."
            )
        rivals = {role, *(UNCERTAINTIES if role in UNCERTAINTIES else ())}
        planes = [
            replace(plane, part=replace(plane.part, role=role if plane is chosen[0] else "other"))
            if plane is chosen[0] or plane.role in rivals
            else plane
            for plane in planes
        ]
    return planes


def flux_planes(planes: Sequence[Plane]) -> list[Plane]:
    """The image with the flux, or those that carry one name and different versions (EXTVER)."""
    found = [plane for plane in planes if plane.role == "flux"]
    if not found:
        unknown = [plane for plane in planes if plane.role is None]
        density = [plane for plane in unknown if flux_unit(plane.header.get("BUNIT")) is not None]
        found = density if len(density) == 1 else unknown if len(unknown) == 1 else []
    versions = {(plane.name, plane.version) for plane in found}
    if not found or len({name for name, _ in versions}) > 1 or len(versions) < len(found):
        meant = (found or list(planes))[-1].name
        problem = "which of its images is the flux, it does not say"
        raise refusal(problem, found_in(planes), {"flux": meant} if meant else None)
    return found


def found_in(planes: Sequence[Plane]) -> Found:
    """What a refusal lists of images."""
    return [("images", [plane.part for plane in planes])]


def turned(data: NDArray, axis: int) -> NDArray:
    """The image with its dispersion along the last axis."""
    return np.moveaxis(data, -axis, -1) if data.ndim >= axis else data


def planes_of_rows(flux: Plane, axis: int) -> tuple[Plane, list[Plane] | None]:
    """The flux, and the planes of one image where header or survey says that they are different quantities."""
    data = turned(flux.data, axis)
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
            f"its image has shape {flux.data.shape}, and what its planes are, it does not say. Write the cards, for "
            f"instance {writing(header, 'BANDID1', 'flux')}, 'BANDID2' = 'error', ...."
        )
    planes = [Plane(part, plane, header) for part, plane in zip(parts, data, strict=True)]
    fluxes = [plane for plane in planes if plane.role == "flux"]
    if len(fluxes) != 1:
        raise UnknownLayout(
            f"which of the rows of its image is the flux, it does not say. Found: {listed(found_in(planes))}. Write "
            f"'flux' into its card: {writing(header, 'ARRAY1', 'flux')}"
        )
    return replace(fluxes[0], header=header), planes


def _row_part(name: str) -> Part:
    """What a row of an image is, by what its card (ARRAY2, BANDID1, ...) calls it."""
    part = understand(re.split(r" - |,", name)[0])
    return replace(part, role="mask", good=True) if part.name.strip().lower() == "status" else part  # of UVES_popler


def check_rows_are_spectra(flux: Plane, data: NDArray, others: Sequence[Plane]) -> None:
    """Refuse rows of an image that may be different quantities of one object."""
    header = flux.header
    stated = iraf.is_multispec(header) or any(key in header for key in ("APNUM1", "DISPAXIS"))
    paired = any(plane.role in UNCERTAINTIES and plane.data.size == data.size for plane in others)
    rising = [number for number, row in enumerate(data) if row.size > 9 and row[0] > 0 and (np.diff(row) > 0).all()]
    if rising or not (stated or paired):
        why = f"row {rising[0]} rises like wavelengths" if rising else "no card names them (ARRAY1, BANDID1, APNUM1)"
        raise UnknownLayout(
            f"its image has {len(data)} rows, and whether they are spectra or different quantities of one object, it "
            f"does not say: {why}. Write the cards, for instance {writing(header, 'ARRAY1', 'flux')}, "
            "'ARRAY2' = 'error', ...; or 'APNUM1' = '1 1' if every row is a spectrum."
        )
