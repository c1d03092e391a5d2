"""Spectra as one-dimensional FITS images with their axis in the header: IRAF, Starlink, Gemini, specutils' wcs1d-fits.

What follows the FITS standard goes through specutils' ``wcs1d-fits`` loader. IRAF's headers do not: their axes are
log-linear with a DC-FLAG, or `multispec`, their unit stands in WAT1, and A means Angstrom, not ampere.
"""

from __future__ import annotations

import re
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.record import (
    FileSpectrum,
    UnknownLayout,
    flux_unit,
    from_specutils,
    inverse_variance,
    known_redshift,
    wavelength_unit,
)

_DATA_NAMES = ("FLUX", "SCI", "DATA", "PRIMARY")
_STANDARD = ("WAVE", "AWAV", "FREQ", "ENER", "WAVN")  # spectral types of the FITS standard, paper III
_IRAF = ("DC-FLAG", "WAT0_001", "WAT1_001", "DISPAXIS")


def image_hdu(hdulist: fits.HDUList) -> Any:
    """The HDU with the flux, or None where the file holds no image of a spectrum."""
    images = [hdu for hdu in hdulist if isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU)) and hdu.header["NAXIS"] > 0]
    named = [hdu for name in _DATA_NAMES for hdu in images if hdu.name == name]
    hdu = next(iter(named + images), None)
    if hdu is None:
        return None
    lengths = [length for length in hdu.shape if length > 1]
    return hdu if len(lengths) == 1 or (_is_iraf(hdu.header) and 0 < len(lengths) <= 3) else None


def read_image(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """The spectrum of the first image of a file, with its error where there is one."""
    hdu = image_hdu(hdulist)
    if hdu is None:
        raise UnknownLayout("it holds no image of one spectrum.")
    header = hdu.header
    unit = flux_unit(header.get("BUNIT"))
    bad: NDArray | None = None
    axis: Any = None
    if hdu.data.ndim > 1:
        rows, ivar = _bands(hdu)
    elif _is_standard(header):
        record = _through_specutils(hdulist, hdu, unit)
        rows, ivar, bad, axis = [record.flux], [record.ivar], record.bad, record.wavelength
    else:
        rows, ivar, bad = [hdu.data], [_error_extension(hdulist)], _mask_extension(hdulist)
    if axis is None:
        axis = iraf_axis(header, rows[0].size)
    if unit is None and not _is_iraf(header):
        raise AgnsalError(
            f"its flux has no unit that is understood (BUNIT = {header.get('BUNIT')!r}); write one into the header, "
            "for instance BUNIT = 'erg/s/cm2/Angstrom' or 'relative'."
        )
    records = []
    for number, (flux, weight) in enumerate(zip(rows, ivar, strict=True)):
        spectrum = FileSpectrum(
            wavelength=axis[min(number, len(axis) - 1)] if np.ndim(axis) == 2 else axis,
            flux=flux,
            unit=unit or u.dimensionless_unscaled,
            ivar=weight,
            bad=bad,
            medium=_medium(header),
            meta={"header": header} if len(rows) == 1 else {"header": header, "row": number},
        )
        spectrum.describe(hdulist[0].header)
        spectrum.describe(header)
        spectrum.rest, moved = moved_to_rest(header)
        spectrum.redshift = moved if spectrum.redshift is None else spectrum.redshift
        records.append(spectrum)
    return records


def _through_specutils(hdulist: fits.HDUList, hdu: Any, unit: u.UnitBase | None) -> FileSpectrum:
    """Flux, error and mask as specutils' loader finds them; units it would misread are put right in the header."""
    from specutils import Spectrum

    if unit is None:
        hdu.header.remove("BUNIT", ignore_missing=True)
    else:
        hdu.header["BUNIT"] = unit.to_string()
    if wavelength_unit(hdu.header.get("CUNIT1")) is None:
        raise AgnsalError(_NO_UNIT)
    index = next(i for i, other in enumerate(hdulist) if other is hdu)
    loaded = Spectrum.read(hdulist, format="wcs1d-fits", hdu=index, flux_unit=None if unit else "")
    return next(from_specutils(loaded))


def _error_extension(hdulist: fits.HDUList) -> NDArray[np.float64] | None:
    """Inverse variance from an extension of the flux, named as specutils' loader expects it."""
    for name, kind in (("STD", "std"), ("ERR", "std"), ("UNCERT", "std"), ("VAR", "var"), ("IVAR", "ivar")):
        if name in hdulist and hdulist[name].data is not None:
            return inverse_variance(hdulist[name].data, kind)
    return None


def _mask_extension(hdulist: fits.HDUList) -> NDArray[np.bool_] | None:
    """True where an extension with a mask or data quality says that a pixel is bad."""
    for name in ("MASK", "DQ", "QUALITY"):
        if name in hdulist and isinstance(hdulist[name], fits.ImageHDU) and hdulist[name].data is not None:
            return hdulist[name].data != 0
    return None


_NO_UNIT = (
    "its wavelength axis has no unit (CUNIT1, or units= in WAT1_001) and no mark of IRAF, "
    "so that Angstrom would be a guess; write the unit into the header, for instance CUNIT1 = 'Angstrom'."
)


def iraf_axis(header: fits.Header, size: int) -> NDArray[np.float64]:
    """Wavelengths in Angstrom, shape (size,) or (rows, size), as IRAF means its headers."""
    if str(header.get("CTYPE1", "")).startswith("MULTISPE"):
        return _multispec(header, size)
    step = next((header[key] for key in ("CD1_1", "CDELT1") if header.get(key)), None)
    if "CRVAL1" not in header or step is None:
        raise AgnsalError("its header has no wavelength axis: CRVAL1 and CDELT1 (or CD1_1) are needed.")
    axis = float(header["CRVAL1"]) + (np.arange(size) + 1.0 - float(header.get("CRPIX1", 1.0))) * float(step)
    if header.get("DC-FLAG") == 1 or (axis[-1] < 5.0 and axis[0] > 3.0):  # log10 of the wavelength
        axis = np.power(10.0, axis)
    return np.asarray(axis * _axis_factor(header), dtype=np.float64)


def _axis_factor(header: fits.Header) -> float:
    """Angstrom in a unit of the header's axis; IRAF's own default is Angstrom."""
    words = re.search(r"units=\"?([A-Za-z]+)", _joined(header, "WAT1"))
    for text in (header.get("CUNIT1"), words[1] if words else None):
        unit = wavelength_unit(text)
        if unit is not None and unit.is_equivalent(u.AA):
            return unit.to(u.AA)
    if not _is_iraf(header):
        raise AgnsalError(_NO_UNIT)
    return 1.0


def _multispec(header: fits.Header, size: int) -> NDArray[np.float64]:
    """The axes of IRAF's multispec format: linear and log-linear ones (others go through specutils)."""
    specs = re.findall(r"spec\d+\s*=\s*\"([^\"]*)\"", _joined(header, "WAT2"))
    axes = []
    for spec in specs:
        _, _, kind, first, step = (float(word) for word in spec.split()[:5])
        if kind not in (0, 1):
            raise AgnsalError(
                "its multispec axis is a fitted function; linearise it (IRAF dispcor) or pass format='iraf'."
            )
        axis = first + step * np.arange(size)
        axes.append(10.0**axis if kind == 1 else axis)
    if not axes:
        raise AgnsalError("its header announces multispec axes (CTYPE1) but describes none (WAT2).")
    return np.array(axes, dtype=np.float64) * _axis_factor(header)


def _bands(hdu: Any) -> tuple[list[NDArray], list[NDArray | None]]:
    """The spectra of an image of IRAF's `apall`: bands (spectrum, raw, sky, sigma) by apertures by pixels."""
    cube = hdu.data.reshape((-1, *hdu.data.shape[-2:]))
    names = [str(hdu.header.get(f"BANDID{i + 1}", "")).lower() for i in range(len(cube))]
    flux = next((i for i, name in enumerate(names) if name.startswith("spectrum")), 0)
    sigma = next((i for i, name in enumerate(names) if name.startswith("sigma")), None)
    if sigma is None:
        return list(cube[flux]), [None] * cube.shape[1]
    return list(cube[flux]), [inverse_variance(row, "std") for row in cube[sigma]]


def moved_to_rest(header: fits.Header) -> tuple[str | None, float | None]:
    """How a header says that its axis is in the rest frame already, and by which redshift it was moved."""
    words = str(header.get("DOPCOR01", header.get("DOPCOR", ""))).split()
    doppler = known_redshift(words[0]) if words else None
    if doppler is not None and abs(doppler) > 2e-3:  # smaller ones are heliocentric corrections
        return f"IRAF has divided its wavelengths by 1 + {doppler:g} (DOPCOR)", doppler
    first, redshift = header.get("COEFF0"), known_redshift(header.get("Z"))
    if isinstance(first, float) and redshift and redshift > 2e-3 and isinstance(header.get("CRVAL1"), float):
        moved = 10.0**first / header["CRVAL1"]
        if abs(moved - 1 - redshift) < 0.02 * redshift:
            return f"its axis begins at CRVAL1 = {header['CRVAL1']:.1f}, which is 10**COEFF0 / (1 + Z)", redshift
    return None, None


def _medium(header: fits.Header) -> str | None:
    kind = str(header.get("CTYPE1", ""))[:4]
    if kind in _STANDARD:
        return "air" if kind == "AWAV" else "vacuum"
    if "VACUUM" in header:
        return None  # FileSpectrum.describe reads it
    return "air" if _is_iraf(header) or "NOAO-IRAF" in str(header.get("ORIGIN", "")) else None


def _is_standard(header: fits.Header) -> bool:
    return str(header.get("CTYPE1", ""))[:4] in _STANDARD and "DC-FLAG" not in header


def _is_iraf(header: fits.Header) -> bool:
    return any(card in header for card in _IRAF)


def _joined(header: fits.Header, stem: str) -> str:
    """IRAF's long strings, cut into cards of 68 characters."""
    cards = sorted(key for key in header if key.startswith(f"{stem}_"))
    return "".join(str(header[key]).ljust(68) for key in cards)
