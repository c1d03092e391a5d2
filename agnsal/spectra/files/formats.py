"""Which survey wrote a file? Recognised by what it holds, never by its name or folder.

Asking specutils costs 15 ms a file, for it opens the file once for each of its formats; here every question is asked
of one open file. Its loaders are then called by name.
"""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files import containers, desi, fibers, images, sdss, surveys, tables
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, clean, from_specutils
from agnsal.spectra.files.text import read_text

_TEXT_FORMATS = ("ASCII", "ECSV", "IPAC")
_FITS_NAMES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz")
_GENERIC = ("wcs1d-fits", "tabular-fits", "iraf", *_TEXT_FORMATS)  # which the readers here have refused already
#: Names of specutils loaders whose files the reader of another name takes as well.
_SAME_AS = {
    "6dFGS-combined": "6dFGS-split",
    "DESI spectra": "DESI coadd",
    "GAMA-LT": "GAMA",
    **dict.fromkeys(surveys.GAMA_COLLECTIONS.values(), "GAMA"),
}


@dataclass(frozen=True)
class FitsFormat:
    """A layout of FITS files: the name of its specutils loader, how it is told apart, and how it is read."""

    name: str
    matches: Callable[[fits.HDUList], Any]
    read: Callable[[fits.HDUList, int], list[FileSpectrum]]


def load(file: str, format: str | None, bits: int) -> tuple[list[FileSpectrum], str]:  # noqa: A002
    """What a file holds, and the name of its format; any failure is an AgnsalError that tells the cause."""
    path = Path(file)
    if path.is_dir():
        raise AgnsalError("it is a folder; pass a folder alone to read what is in it.")
    if not path.exists():
        raise AgnsalError("there is no such file.")
    if path.stat().st_size == 0:
        raise AgnsalError("it is empty (0 bytes).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the FITS and unit readers, about headers nobody can mend
            return _load(path, format, bits)
    except AgnsalError:
        raise
    except Exception as error:  # whatever a foreign or damaged file makes a reader do
        cause = f"it is damaged or of another layout ({type(error).__name__}: {clean(error, 200)})."
        raise AgnsalError(_cut_off(path) or cause) from error


def _load(path: Path, format: str | None, bits: int) -> tuple[list[FileSpectrum], str]:  # noqa: A002
    known = None if format is None else by_name(format)
    if format is not None and known is None and format not in _TEXT_FORMATS:
        return read_with_specutils(path, format)
    with path.open("rb") as stream:
        start = stream.read(10)
    if start.startswith((containers.HDF5, containers.PARQUET)):
        return containers.read_container(path), "HDF5" if start.startswith(containers.HDF5) else "parquet"
    packed = start.startswith(b"\x1f\x8b")
    if packed:
        with gzip.open(path) as stream:
            start = stream.read(10)
    if not start.startswith((b"SIMPLE", b"BZh")):
        if known is not None or path.name.lower().endswith(_FITS_NAMES):
            raise AgnsalError(f"it is no FITS file, whatever its name says: its bytes begin with {start!r}.")
        content = path.read_bytes()
        return read_text(gzip.decompress(content) if packed else content), format or "text"
    if path.stat().st_size % 2880 and not packed and (cut := _cut_off(path)):
        raise AgnsalError(cut)
    with fits.open(path) as hdulist:
        layout = known or next((candidate for candidate in FITS_FORMATS if candidate.matches(hdulist)), None)
        if layout is not None:
            return layout.read(hdulist, bits), layout.name
    return read_with_specutils(path, None)


def _cut_off(path: Path) -> str | None:
    """The sentence that says how much of a FITS file is missing, or None where nothing is."""
    size = path.stat().st_size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(path) as hdulist:
                end = max(hdu.fileinfo()["datLoc"] + hdu.size for hdu in hdulist)
    except Exception:  # it cannot even be opened: the caller's message tells why
        return None
    if end > size and not path.name.endswith((".gz", ".bz2")):
        return f"it is cut off: {size} bytes are there, {end} were announced."
    return None


def by_name(name: str) -> FitsFormat | None:
    """The FITS format of that name, or None."""
    name = _SAME_AS.get(name, name)
    return next((candidate for candidate in FITS_FORMATS if candidate.name == name), None)


def read_with_specutils(path: Path, name: str | None) -> tuple[list[FileSpectrum], str]:
    """Through a specutils loader given by name, or by specutils' own identification where `name` is None."""
    from astropy.io import registry
    from specutils import Spectrum, SpectrumCollection, SpectrumList

    for kind in (Spectrum, SpectrumList, SpectrumCollection):
        chosen = name or _identified(kind, path)
        if chosen is None:
            continue
        try:
            records = list(from_specutils(kind.read(str(path), format=chosen)))
            if records or name is not None:
                return records, chosen
        except registry.IORegistryError:
            continue  # no loader of that name for this kind
    if name is None:
        raise UnknownLayout("it is a FITS file of no layout known here or to specutils; pass format= if you know it.")
    formats = {str(row) for kind in (Spectrum, SpectrumList) for row in registry.get_formats(kind, "Read")["Format"]}
    raise AgnsalError(f"format={name!r} is no loader of specutils; there are {', '.join(sorted(formats))}.")


def _identified(kind: Any, path: Path) -> str | None:
    """The first specutils format whose identifier says yes; identifiers that stumble over the file say no."""
    from astropy.io import registry

    try:
        with path.open("rb") as stream:
            found = registry.identify_format("read", kind, str(path), stream, [str(path)], {})
    except Exception:  # specutils' identifiers raise whatever the file makes them
        return None
    return next((name for name in found if name not in _GENERIC), None)


def _columns(hdulist: fits.HDUList) -> set[str]:
    """The column names of HDU 1 in lower case, empty where it is no table."""
    try:
        hdu = hdulist[1]  # len() would read every header of the file
    except IndexError:
        return set()
    if not isinstance(hdu, fits.BinTableHDU):
        return set()
    header = hdu.header
    return {str(header.get(f"TTYPE{number}", "")).strip().lower() for number in range(1, header["TFIELDS"] + 1)}


def _is_spec(hdulist: fits.HDUList) -> bool:
    return {"flux", "loglam", "ivar"} <= _columns(hdulist)


def _is_sdss5(hdulist: fits.HDUList) -> bool:
    header = hdulist[0].header
    versions = (str(header.get(key, "")).lstrip("v") for key in ("VERS2D", "RUN2D", "V_BOSS"))
    return any(version.startswith("6_") for version in versions) and _is_spec(hdulist)


def _is_spspec(hdulist: fits.HDUList) -> bool:
    header = hdulist[0].header
    return (
        header["NAXIS"] == 2
        and header["NAXIS2"] in (4, 5)
        and str(header.get("TELESCOP", "")).startswith("SDSS")
        and header.get("FIBERID", 0) > 0
    )


def _is_desi(hdulist: fits.HDUList) -> bool:
    return "FIBERMAP" in hdulist and any(hdu.name.endswith("_WAVELENGTH") for hdu in hdulist)


def _is_6df(header: fits.Header) -> bool:
    return all(key in header for key in ("OBSRA", "OBSDEC", "Z", "Z_HELIO", "QUALITY"))


def _is_6df_image(hdulist: fits.HDUList) -> bool:
    header = hdulist[0].header
    if len(hdulist) >= 8:
        return _is_6df(hdulist[5].header) and hdulist[5].header.get("NAXIS2") in (3, 4)
    return _is_6df(header) and header["NAXIS"] == 2 and header["NAXIS2"] in (3, 4)


def _is_6df_table(hdulist: fits.HDUList) -> bool:
    return (
        _is_6df(hdulist[0].header)
        and len(hdulist) == 2
        and {"wave", "flux"} <= {name.lower() for name in getattr(getattr(hdulist[1], "columns", None), "names", ())}
    )


def _is_2dfgrs(hdulist: fits.HDUList) -> bool:
    return str(hdulist[0].header.get("IMAGE", "")).strip() in ("SKYCHART", "SPECTRUM")


#: In the order they are tried: the most particular first.
FITS_FORMATS = (
    FitsFormat("SDSS-V spec", _is_sdss5, lambda h, bits: sdss.read_spec(h, "SDSS-V spec", bits)),
    FitsFormat("SDSS-III/IV spec", _is_spec, lambda h, bits: sdss.read_spec(h, "SDSS-III/IV spec", bits)),
    FitsFormat("SDSS-I/II spSpec", _is_spspec, sdss.read_spspec),
    FitsFormat("GAMA", lambda h: surveys.gama_label(h[0].header), lambda h, _: surveys.read_gama(h)),
    FitsFormat("2dFGRS", _is_2dfgrs, lambda h, _: surveys.read_twodfgrs(h)),
    FitsFormat("6dFGS-split", _is_6df_image, lambda h, _: surveys.read_sixdfgs_image(h)),
    FitsFormat("6dFGS-tabular", _is_6df_table, lambda h, _: surveys.read_sixdfgs_table(h)),
    FitsFormat("DESI coadd", _is_desi, lambda h, _: desi.read_desi(h)),
    FitsFormat("SDSS spPlate", fibers.plug_map, lambda h, _: fibers.read_plate(h)),
    FitsFormat("APOGEE apStar", fibers.is_apogee, lambda h, _: fibers.read_apogee(h)),
    FitsFormat("wcs1d-fits", images.image_hdu, lambda h, _: images.read_image(h)),
    FitsFormat("tabular-fits", tables.table_hdu, lambda h, _: tables.read_fits_table(h)),
)
