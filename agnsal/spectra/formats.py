"""Which survey wrote a file? Recognised by what it holds, never by its name or folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.loaders import sdss
from agnsal.spectra.loaders.record import FileSpectrum


@dataclass(frozen=True)
class FitsFormat:
    """A layout of FITS file: its name, how it is told apart, and how it is read."""

    name: str
    matches: Callable[[fits.HDUList], bool]
    read: Callable[[fits.HDUList, int], list[FileSpectrum]]


def _is_spec(hdulist: fits.HDUList) -> bool:
    columns = _columns(hdulist, 1)
    return {"flux", "loglam", "ivar"} <= columns


def _columns(hdulist: fits.HDUList, index: int) -> set[str]:
    """The column names of an HDU in lower case, empty where it is no table."""
    try:
        hdu = hdulist[index]
    except IndexError:
        return set()
    if not isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)):
        return set()
    return {str(hdu.header.get(f"TTYPE{i}", "")).strip().lower() for i in range(1, hdu.header.get("TFIELDS", 0) + 1)}


def _is_sdss5(hdulist: fits.HDUList) -> bool:
    version = str(hdulist[0].header.get("VERS2D", hdulist[0].header.get("RUN2D", "")))
    return _is_spec(hdulist) and version.lstrip("v").startswith("6") or hdulist[1].header.get("TTYPE3") == "IVAR"


FITS_FORMATS = (
    FitsFormat("SDSS-V spec", _is_sdss5, lambda h, bits: sdss.read_spec(h, "SDSS-V spec", bits)),
    FitsFormat("SDSS-III/IV spec", _is_spec, lambda h, bits: sdss.read_spec(h, "SDSS-III/IV spec", bits)),
)


def recognise(hdulist: fits.HDUList) -> FitsFormat:
    """The format of an open FITS file."""
    for candidate in FITS_FORMATS:
        if candidate.matches(hdulist):
            return candidate
    raise AgnsalError("it is a FITS file of no layout known here; pass format= with the name of a specutils loader.")
