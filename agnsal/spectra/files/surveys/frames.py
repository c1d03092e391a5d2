"""Frames of many fibres: what 2dfdr reduces (AAOmega, 2dF, HERMES), and what the redshift program Marz takes.

An image with a row for each fibre, its variance, and a table that says which fibres are on a target. Wavelengths are
Angstrom in air unless VACUUM is true, decimal logarithms where LOGSCALE is (the rules of Marz).
"""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images.axes import spectral_axis
from agnsal.spectra.files.images.planes import is_image, part_of
from agnsal.spectra.files.layout import Layout, Request, asked
from agnsal.spectra.files.meaning.statements import stated_medium
from agnsal.spectra.files.meaning.uncertainties import inverse_variance
from agnsal.spectra.files.meaning.units import flux_unit
from agnsal.spectra.files.record import FileSpectrum, clean, names_of_rest
from agnsal.spectra.files.tables.fits_tables import is_table

_NO_TARGET = {"S", "SKY", "PARKED", "DEAD", "GUIDE", "FIDUCIAL", "UNUSED"}
_KINDS = ("TYPE", "FIBRE")  # the columns that say what a fibre is on
_SPECTROGRAPHS = ("AAOMEGA", "2DF", "HERMES", "SPIRAL")


def _flux(hdulist: fits.HDUList) -> Any:
    """The image of the fluxes: INTENSITY, else the first of two dimensions that may be one."""
    images = [hdu for hdu in hdulist if is_image(hdu) and len(hdu.shape) == 2]
    named = [hdu for hdu in images if hdu.name == "INTENSITY"]
    return next(iter(named or [hdu for hdu in images if part_of(hdu).role in ("flux", None)]), None)


def fiber_table(hdulist: fits.HDUList) -> Any:
    """The table of the fibres, a row for each row of the image; None for other files."""
    tables = [hdu for hdu in hdulist if hdu.name in ("FIBRES", "FIBERS", "DETAILS") and is_table(hdu)]
    flux = _flux(hdulist) if tables else None
    if flux is None:
        return None
    return next((hdu for hdu in tables if hdu.header["NAXIS2"] == flux.shape[0] and _kind(hdu)), None)


def _kind(table: Any) -> str | None:
    return next((name for name in _KINDS if name in table.columns.names), None)


def read_frame(hdulist: fits.HDUList, request: Request) -> list[FileSpectrum]:
    """Every fibre that is on a target."""
    table, image = fiber_table(hdulist), _flux(hdulist)
    if table is None:
        raise AgnsalError("it was expected to be a frame of fibres: an image, and a table FIBRES or DETAILS.")
    header, count = hdulist[0].header, image.shape[0]
    wavelength, used = _wavelengths(hdulist, image)
    errors = next((hdulist[name] for name in ("VARIANCE", "IVAR") if name in hdulist), None)
    ivar = None
    if errors is not None:
        if errors.shape != image.shape:
            raise AgnsalError(f"its {errors.name} has shape {errors.shape}, its flux {image.shape}; they must agree.")
        ivar = inverse_variance(errors.data, "variance" if errors.name == "VARIANCE" else "ivar")
    unit = request.flux_unit() or flux_unit(image.header.get("BUNIT"))
    if unit is None and any(name in str(header.get("INSTRUME", "")).upper() for name in _SPECTROGRAPHS):
        unit = u.ct
    if unit is None:
        problem = f"its flux has no unit that is understood (BUNIT = {image.header.get('BUNIT')!r})"
        raise AgnsalError(asked(problem, [("images", [part_of(image)])], units={"flux": "counts"}))
    cells = table.data
    kinds = [clean(value).upper() for value in cells[_kind(table)]]
    ignored = names_of_rest(hdulist, *(hdu for hdu in (table, image, errors, *used) if hdu is not None))
    letters = all(len(kind) <= 1 for kind in kinds)  # as 2dfdr writes them: P is a target
    on_target = [kind == "P" if letters else kind not in _NO_TARGET for kind in kinds]
    records = []
    for row in range(count):
        if not on_target[row]:
            continue
        record = FileSpectrum(
            wavelength[row if len(wavelength) > 1 else 0],
            image.data[row],
            unit,
            ivar=None if ivar is None else ivar[row],
            medium=stated_medium(header) or "air",
            meta={"header": header, "row": row, "object_type": kinds[row]},
            ignored=ignored,
        )
        if "NAME" in table.columns.names:
            record.meta["object_id"] = clean(cells["NAME"][row])
        for key in ("ra", "dec"):  # in radians
            if key.upper() in table.columns.names:
                record.meta[key] = float(np.degrees(cells[key.upper()][row]))
        records.append(record)
    if not records:
        raise AgnsalError("it holds no target, only sky and unused fibres.")
    return records


def _wavelengths(hdulist: fits.HDUList, image: Any) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Wavelengths in Angstrom, of all fibres or of each, and the extensions they come from."""
    logarithmic = str(hdulist[0].header.get("LOGSCALE", "")).strip().upper() in ("T", "TRUE", "1")
    if "WAVELENGTH" not in hdulist:
        units = {"log10_wavelength" if logarithmic else "wavelength": "Angstrom"}
        return np.atleast_2d(spectral_axis(image.header, image.shape[1], units=units).wavelength), ()
    listed = hdulist["WAVELENGTH"]
    values = np.atleast_2d(np.asarray(listed.data, dtype=np.float64))
    if values.shape not in ((1, image.shape[1]), image.shape):
        raise AgnsalError(f"its WAVELENGTH has shape {listed.shape}, its flux {image.shape}; they must agree.")
    return 10.0**values if logarithmic else values, (listed,)


def _marks(hdulist: fits.HDUList) -> bool:
    """Whether a file has rows of INTENSITY and their VARIANCE, or comes from one of the spectrographs of 2dfdr."""
    flux = _flux(hdulist)
    if flux is None or flux.shape[0] < 2:
        return False
    named = {hdu.name for hdu in hdulist} >= {"INTENSITY", "VARIANCE"}
    return named or any(name in str(hdulist[0].header.get("INSTRUME", "")).upper() for name in _SPECTROGRAPHS)


LAYOUTS = (
    Layout(
        "AAOmega and Marz",
        fiber_table,
        read_frame,
        "a table FIBRES or DETAILS with the type of the fibre of each row of an image",
        marks=_marks,
        medium="air",
    ),
)
