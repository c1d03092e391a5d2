"""The axes of the FITS standard (paper III): its algorithms, look-up tables, and velocities about a line."""

from __future__ import annotations

import astropy.constants as const
import astropy.units as u
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images.cards import linear, number, terms, writing
from agnsal.spectra.files.meaning.units import AxisUnit
from agnsal.spectra.files.meaning.wavelengths import in_angstrom
from agnsal.spectra.files.record import clean

Vector = NDArray[np.float64]
#: The types of axes that are light, and the unit of each by definition.
TYPES = {"WAVE": u.m, "AWAV": u.m, "FREQ": u.Hz, "ENER": u.J, "WAVN": 1 / u.m}
#: Those that are velocities, or redshifts, about a line: by optical, radio and relativistic convention.
VELOCITIES = {"VOPT": u.m / u.s, "VRAD": u.m / u.s, "VELO": u.m / u.s, "ZOPT": u.one, "BETA": u.one}
_C = const.c.to_value(u.m / u.s)


def algorithm(kind: str) -> str:
    """What follows the type of an axis: ``LOG``, ``TAB``, ``F2W``; empty where the axis is linear."""
    stem = kind.upper()[:4] in {*TYPES, *VELOCITIES}
    return kind.upper()[5:8] if stem and kind[4:5] == "-" else ""


def evaluated(
    header: fits.Header, size: int, axis: int, unit: u.UnitBase, hdulist: fits.HDUList | None = None
) -> Vector:
    """The values, in the basic unit of its type, of an axis that is not linear; `unit` is that of the header."""
    from astropy.wcs import WCS

    kind = str(header[f"CTYPE{axis}"]).strip().upper()
    base = (TYPES | VELOCITIES)[kind[:4]]
    if algorithm(kind) == "TAB":
        return _looked_up(header, size, axis, hdulist) * unit.to(base)
    first, reference, step = terms(header, axis)
    scale = unit.to(base)
    wcs = WCS(naxis=1)
    wcs.wcs.ctype, wcs.wcs.cunit = [kind], [base]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [first * scale], [reference], [step * scale]
    wcs.wcs.set_pv([(1, index, number(header, key)) for index in range(10) if (key := f"PV{axis}_{index}") in header])
    if kind[:4] in VELOCITIES:
        wcs.wcs.restwav = _rest_wavelength(header, axis)
    try:
        (values,) = wcs.all_pix2world(np.arange(size) + 1.0, 1)
    except Exception as error:  # wcslib has a class for each of its complaints
        raise AgnsalError(f"its axis CTYPE{axis} = {kind!r} cannot be evaluated ({clean(error, 100)}).") from error
    return np.asarray(values, dtype=np.float64)


def of_velocities(header: fits.Header, size: int, axis: int, hdulist: fits.HDUList | None = None) -> Vector:
    """Wavelengths in Angstrom, in vacuum, of an axis of velocities or redshifts about a line that the header states."""
    kind = str(header[f"CTYPE{axis}"]).strip().upper()
    base = VELOCITIES.get(kind[:4]) if kind[4:5] in ("", "-") else None
    after = algorithm(kind)
    if base is None or (after and after != "TAB" and after[1:2] != "2" and after != "LOG"):
        problem = f"its axis {axis} is a velocity or a redshift that the FITS standard does not define"
        raise AgnsalError(
            f"{problem} (CTYPE{axis} = {kind!r}). Write which: {writing(header, f'CTYPE{axis}', 'VOPT')} (c times "
            "redshift), 'VRAD', 'VELO' or 'ZOPT', and the wavelength of its line in metres, in vacuum, as RESTWAV."
        )
    written = str(header.get(f"CUNIT{axis}", "")).strip()
    try:
        unit = u.Unit(written) if written or base is u.one else None
    except ValueError:
        unit = None
    if unit is None or not unit.is_equivalent(base):
        problem = f"its axis {axis} of velocities has no unit that is understood (CUNIT{axis} = {clean(written, 30)!r})"
        raise AgnsalError(f"{problem}. Write it: {writing(header, f'CUNIT{axis}', 'km/s')}")
    rest = _rest_wavelength(header, axis)
    values = evaluated(header, size, axis, unit, hdulist) if after else linear(header, size, axis) * unit.to(base)
    ratio = values if base is u.one else values / _C
    with np.errstate(invalid="ignore", divide="ignore"):
        if kind[:4] in ("VOPT", "ZOPT"):
            factor = 1.0 + ratio
        elif kind[:4] == "VRAD":
            factor = 1.0 / (1.0 - ratio)
        else:
            factor = np.sqrt((1.0 + ratio) / (1.0 - ratio))
    return in_angstrom(rest * factor, AxisUnit(u.m))


def _rest_wavelength(header: fits.Header, axis: int) -> float:
    """The wavelength of the line in metres, by RESTWAV or RESTFRQ."""
    wavelength, frequency = (number(header, key, 0.0) for key in ("RESTWAV", "RESTFRQ"))
    frequency = frequency or number(header, "RESTFREQ", 0.0)
    if wavelength <= 0 and frequency <= 0:
        kind = clean(header[f"CTYPE{axis}"], 20)
        raise AgnsalError(
            f"its axis {axis} is a velocity or a redshift (CTYPE{axis} = {kind!r}), and the line it is about is not "
            "stated. Write its wavelength in metres, in vacuum; if it is Halpha: "
            f"{writing(header, 'RESTWAV', 6.56461e-07)}"
        )
    return wavelength if wavelength > 0 else _C / frequency


def _looked_up(header: fits.Header, size: int, axis: int, hdulist: fits.HDUList | None) -> Vector:
    """The values of an axis of type ``-TAB``: cells of a table, by the pixel or by an index of their own."""
    extension, column, index = (str(header.get(f"PS{axis}_{number}", "")).strip() for number in range(3))
    version = int(number(header, f"PV{axis}_1", 1))
    try:
        cells = None if hdulist is None else hdulist[extension, version].data
        cell, places = (None if cells is None or not name else cells[name][0] for name in (column, index))
    except (KeyError, IndexError, TypeError, ValueError):
        cell = places = None
    if cell is None:
        raise AgnsalError(
            f"its wavelengths are in a table (CTYPE{axis} = {clean(header[f'CTYPE{axis}'], 20)!r}), and the column "
            f"{column!r} of extension {extension!r}, which its cards name, is not there."
        )
    cell = np.asarray(cell, dtype=np.float64)
    places = None if places is None else np.asarray(places, dtype=np.float64)
    values = cell.ravel()
    if max(cell.shape, default=0) != cell.size or cell.size < 2 or (places is not None and places.size != cell.size):
        raise AgnsalError(f"the table of its wavelengths has cells of shape {cell.shape}; one axis was expected.")
    at = linear(header, size, axis)
    known = np.arange(values.size) + 1.0 if places is None else places.ravel()
    if (np.diff(known) <= 0).any():
        raise AgnsalError("the index of the table of its wavelengths does not ascend.")
    return np.interp(at, known, values, left=np.nan, right=np.nan)
