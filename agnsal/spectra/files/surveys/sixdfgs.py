"""The 6dF Galaxy Survey: images with both arms or their sum, and tables. In air, in counts."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images.axes import spectral_axis
from agnsal.spectra.files.layout import Layout
from agnsal.spectra.files.meaning.uncertainties import inverse_variance
from agnsal.spectra.files.meaning.units import flux_unit, wavelength_unit
from agnsal.spectra.files.record import FileSpectrum, names_of_rest
from agnsal.spectra.files.tables.fits_tables import is_table

_NO_DATA = -999.0  # of the table
_FIRST = 5  # the HDU where the arms begin, in a file that has pictures of the target before them


def read_image(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """The image variants: rows of counts, variance, sky, and (the fourth) observed wavelength.

    The wavelength row is believed, not the header: IRAF's `dopcor` has moved the axis of the header to the rest frame
    in some releases, whatever redshift was thought right then. Files with both arms and their sum give the sum.
    """
    hdu = hdulist[-1] if len(hdulist) > _FIRST else hdulist[0]
    header, rows = hdu.header, hdu.data
    if rows is None or rows.ndim != 2 or len(rows) < 3:
        raise AgnsalError("it was expected to be an image of 6dFGS: rows of counts, variance, sky.")
    if len(rows) > 3:
        wavelength = even_axis(np.array(rows[3], dtype=np.float64))
    else:
        axis = spectral_axis(header, rows.shape[1], units={"wavelength": "Angstrom"})
        wavelength = axis.wavelength * (1.0 + _doppler(header))
    unit = header.get("CUNIT1")
    if str(unit or "").strip() and wavelength_unit(unit) != u.AA:
        raise AgnsalError(f"the axis of a file of 6dFGS is in Angstrom; this one says {unit!r}.")
    record = FileSpectrum(wavelength, rows[0], u.ct, ivar=inverse_variance(rows[1], "variance"), medium="air")
    record.meta.update(header=header, survey="6dFGS", quality=header.get("QUALITY"))
    record.describe(header)
    record.ignored = ("sky", *names_of_rest(hdulist, hdu))
    return [record]


def read_table(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """The tabular variant: wavelength and counts per second, without errors; -999 where there is no datum."""
    header, hdu = hdulist[0].header, hdulist[1]
    names = {name.lower(): name for name in getattr(getattr(hdu, "columns", None), "names", ())}
    if not {"wave", "flux"} <= set(names):
        raise AgnsalError("it was expected to be a table of 6dFGS, with columns WAVE and FLUX.")
    units = [hdu.columns[names[name]].unit for name in ("wave", "flux")]
    flux, written = hdu.data[names["flux"]], flux_unit(units[1])
    if wavelength_unit(units[0]) != u.AA or written != u.ct / u.s:
        raise AgnsalError(f"a table of 6dFGS is in Angstrom and counts/s; this one says {units[0]!r} and {units[1]!r}.")
    record = FileSpectrum(even_axis(np.array(hdu.data[names["wave"]], float)), flux, u.ct / u.s, medium="air")
    record.bad = record.flux == _NO_DATA
    record.meta.update(header=header, survey="6dFGS", quality=header.get("QUALITY"))
    record.describe(header)
    record.ignored = (*(names[key] for key in names if key not in ("wave", "flux")), *names_of_rest(hdulist, hdu))
    return [record]


def even_axis(wavelength: Any) -> Any:
    """The even axis behind wavelengths written with few digits, or as they are where none fits within a tenth pixel."""
    number = np.arange(wavelength.size)
    if wavelength.size < 3 or not np.isfinite(wavelength).all():
        return wavelength
    step, start = np.polyfit(number, wavelength, 1)
    even = start + step * number
    return even if np.abs(even - wavelength).max() < 0.1 * abs(step) else wavelength


def _doppler(header: fits.Header) -> float:
    """The redshift by which IRAF's `dopcor` has divided the axis of the header."""
    try:
        return float(str(header.get("DOPCOR01", header.get("DOPCOR", "0"))).split()[0])
    except (IndexError, ValueError):
        return 0.0


def _has_cards(header: fits.Header) -> bool:
    return all(key in header for key in ("OBSRA", "OBSDEC", "Z", "Z_HELIO", "QUALITY"))


def _marks(hdulist: fits.HDUList) -> bool:
    """Whether the cards of the survey stand anywhere in a file."""
    return any(sum(key in hdu.header for key in ("OBSRA", "OBSDEC", "Z_HELIO", "QUALITY")) > 2 for hdu in hdulist)


def _is_image(hdulist: fits.HDUList) -> bool:
    header = hdulist[0].header
    if len(hdulist) > _FIRST + 2:
        return _has_cards(hdulist[_FIRST].header) and hdulist[_FIRST].header.get("NAXIS2") in (3, 4)
    return _has_cards(header) and header["NAXIS"] == 2 and header["NAXIS2"] in (3, 4)


def _is_table(hdulist: fits.HDUList) -> bool:
    if not _has_cards(hdulist[0].header) or len(hdulist) != 2 or not is_table(hdulist[1]):
        return False
    return {"wave", "flux"} <= {name.lower() for name in hdulist[1].columns.names}


LAYOUTS = (
    Layout(
        "6dFGS-split",
        _is_image,
        lambda hdulist, _: read_image(hdulist),
        "OBSRA, OBSDEC, Z_HELIO, QUALITY and an image of 3 or 4 rows",
        tested="real",
        marks=_marks,
        medium="air",
    ),
    Layout(
        "6dFGS-tabular",
        _is_table,
        lambda hdulist, _: read_table(hdulist),
        "the same cards and one table of WAVE and FLUX",
        tested="real",
        marks=_marks,
        medium="air",
    ),
)
