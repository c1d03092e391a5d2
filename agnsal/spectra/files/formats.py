"""Which survey wrote a file? Recognised by what it holds, never by its name or folder.

Asking specutils costs 15 ms a file, for it opens the file once for each of its formats; here every question is asked
of one open file. Its loaders are then called by name.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, BinaryIO

from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images import images
from agnsal.spectra.files.images.planes import image_hdu, is_image, part_of
from agnsal.spectra.files.layout import Layout, Request, call, listed
from agnsal.spectra.files.raw.bounds import check_claims, unpacked
from agnsal.spectra.files.raw.checksums import check_read
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, clean, from_specutils
from agnsal.spectra.files.surveys import astra, data_central, deep2, desi, fibers, frames, pypeit, sdss, sixdfgs
from agnsal.spectra.files.tables import containers, fits_tables
from agnsal.spectra.files.tables.text import read_text

_TEXT_FORMATS = ("ASCII", "ECSV", "IPAC")
_FITS_NAMES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz")
#: Loaders of specutils whose files the readers here have refused already.
_GENERIC = ("wcs1d-fits", "tabular-fits", "iraf", "MaNGA rss", "MaNGA cube", *_TEXT_FORMATS)
#: Names of specutils loaders whose files the reader of another name takes as well.
_SAME_AS = {
    "6dFGS-combined": "6dFGS-split",
    "iraf": "wcs1d-fits",
    "DESI spectra": "DESI coadd",
    "GAMA-LT": "GAMA",
    **dict.fromkeys(data_central.GAMA_COLLECTIONS.values(), "GAMA"),
}


def load(file: str, format: str | None, request: Request) -> tuple[list[FileSpectrum], str]:  # noqa: A002
    """What a file holds, and the name of its format; any failure is an AgnsalError that tells the cause."""
    path = Path(file)
    try:
        if path.is_dir():
            raise AgnsalError("it is a folder; pass a folder alone to read what is in it.")
        if not path.exists():
            raise AgnsalError("there is no such file.")
        if path.stat().st_size == 0:
            raise AgnsalError("it is empty (0 bytes).")
        check_claims(path)
    except OSError as error:
        raise AgnsalError(f"it cannot be opened ({error.strerror}).") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the FITS and unit readers, about headers nobody can mend
            return _load(path, format, request)
    except AgnsalError:
        raise
    except Exception as error:  # whatever a foreign or damaged file makes a reader do
        cause = f"it is damaged or of another layout ({type(error).__name__}: {clean(error, 200)})."
        raise AgnsalError(_cut_off(path) or cause) from error


def _load(path: Path, format: str | None, request: Request) -> tuple[list[FileSpectrum], str]:  # noqa: A002
    known = None if format is None else by_name(format)
    with path.open("rb") as stream:
        start = stream.read(10)
    content = unpacked(path, start)
    if format is not None and known is None and format not in _TEXT_FORMATS:
        return read_with_specutils(path, format)
    start = start if content is None else content[:10]
    if start.startswith((containers.HDF5, containers.PARQUET)):
        return _load_container(path, "HDF5" if start.startswith(containers.HDF5) else "parquet", request)
    if not start.startswith(b"SIMPLE"):
        if known is not None or path.name.lower().endswith(_FITS_NAMES):
            raise AgnsalError(f"it is no FITS file, whatever its name says: its bytes begin with {start!r}.")
        return read_text(path.read_bytes() if content is None else content, request), format or "text"
    if path.stat().st_size % 2880 and content is None and (cut := _cut_off(path)):
        raise AgnsalError(cut)
    opened: BinaryIO = path.open("rb") if content is None else io.BytesIO(content)
    with opened, fits.open(opened) as hdulist:
        records, name, refused = _load_fits(hdulist, known, request)
    if name:
        return records, name
    if refused is not None and request.columns:
        raise refused  # the user's word is for the readers here
    records, name = read_with_specutils(path, None, refused)
    return told(records, name, request), name


def _load_container(path: Path, name: str, request: Request) -> tuple[list[FileSpectrum], str]:
    """The spectra of a file of many, whose names are fixed."""
    beside = [f"units= of the {role}" for role in request.units if role != "flux"]
    given = [*(["columns="] if request.columns else []), *(["mask="] if request.mask is not None else []), *beside]
    if given:
        raise AgnsalError(
            f"{given[0]} was given, and of {name} files of spectra it is known by fixed names (spectrum_flux, "
            "spectrum_lambda; spectrum). Leave it out; what has other names is to be written under these."
        )
    records = containers.read_container(path, request.units)
    for record in records:
        record.known = True
    return records, name


def _load_fits(
    hdulist: fits.HDUList, known: Layout | None, request: Request
) -> tuple[list[FileSpectrum], str, UnknownLayout | None]:
    """The spectra of an open file and the name of its layout; else no name, and why the readers here refused it."""
    refused: UnknownLayout | None = None
    generic = bool(request.columns) and known is None  # the user names columns: no survey's reader knows better
    for layout in [known] if known else [each for each in LAYOUTS if each.generic or not generic]:
        if not (known or layout.matches(hdulist)):
            continue
        marked = (
            next((each for each in LAYOUTS if each.marks and each.marks(hdulist)), None) if layout.generic else None
        )
        if marked and not (known or generic):
            raise _lost(marked, hdulist)
        try:
            records = layout.read(hdulist, request)
        except UnknownLayout as error:
            if known or not layout.generic:
                raise
            refused = refused or error
            continue
        edited = check_read(hdulist)
        for record in records:
            record.edited = (*edited, *record.edited)
            if marked:
                record.medium = record.medium or marked.medium
        return (records if layout.generic else told(records, layout.name, request)), layout.name, None
    return [], "", refused or _nothing_known(hdulist)


def _nothing_known(hdulist: fits.HDUList) -> UnknownLayout:
    """The refusal of a file in which nothing says that it is a spectrum, with what there is."""
    pictures = [part_of(hdu) for hdu in hdulist if is_image(hdu)]
    tables = [(hdu.name or "table", fits_tables.parts_of(hdu)) for hdu in hdulist if fits_tables.is_table(hdu)]
    found = [*([("images", pictures)] if pictures else []), *tables]
    problem = "it is a FITS file of no layout known here or to specutils"
    return UnknownLayout(f"{problem}. Found: {listed(found)}. Pass format= if you know a loader of specutils.", found)


def _lost(layout: Layout, hdulist: fits.HDUList) -> AgnsalError:
    """The refusal of a file that a survey wrote and that is not in its layout, with the call that reads it."""
    columns, units = fits_tables.suggestion(hdulist)
    problem = f"it has the cards of {layout.name} ({layout.recognised}) and not its layout: a name in it is lost"
    if not columns:
        image = image_hdu(hdulist)
        columns = {"flux": image.name} if image is not None and sum(length > 1 for length in image.shape) == 1 else {}
    advice = call(columns, units=units, medium=layout.medium) if columns else "Fetch the file again."
    return AgnsalError(f"{problem}. {advice}")


def told(records: list[FileSpectrum], name: str, request: Request) -> list[FileSpectrum]:
    """The spectra of a survey with the user's unit of flux; what else the user says of them is refused."""
    said = {role for role in request.units if role != "flux"}
    if request.mask is not None or said or request.columns:
        given = "mask=" if request.mask is not None else "columns=" if request.columns else f"units= of the {min(said)}"
        raise AgnsalError(
            f"{given} was given, and of {name} files it is known. Leave it out; or read the file by columns=, without "
            "format=: then it is your word that counts."
        )
    unit = request.flux_unit()
    for record in records:
        record.known = True
        record.unit = record.unit if unit is None else unit
    return records


def _cut_off(path: Path) -> str | None:
    """The sentence that says how much of a FITS file is missing, or None where nothing is."""
    size = path.stat().st_size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with path.open("rb") as stream, fits.open(stream) as hdulist:
                end = max(hdu.fileinfo()["datLoc"] + hdu.size for hdu in hdulist)
    except Exception:  # it cannot even be opened: the caller's message tells why
        return None
    if end > size and not path.name.endswith((".gz", ".bz2")):
        return f"it is cut off: {size} bytes are there, {end} were announced."
    return None


def by_name(name: str) -> Layout | None:
    """The FITS format of that name, or None."""
    name = _SAME_AS.get(name, name)
    return next((candidate for candidate in LAYOUTS if candidate.name == name), None)


def read_with_specutils(
    path: Path, name: str | None, refused: UnknownLayout | None = None
) -> tuple[list[FileSpectrum], str]:
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
        except Exception:  # whatever a loader that was only guessed stumbles over
            if refused is None:
                raise
    if refused is not None:
        raise refused
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


#: In the order they are asked: surveys by their own signatures first, then what says what it holds.
LAYOUTS: tuple[Layout, ...] = (
    *sdss.LAYOUTS,
    *data_central.LAYOUTS,
    *sixdfgs.LAYOUTS,
    *frames.LAYOUTS,
    *desi.LAYOUTS,
    *deep2.LAYOUTS,
    *fibers.LAYOUTS,
    *astra.LAYOUTS,
    *pypeit.LAYOUTS,
    *images.LAYOUTS,
    *fits_tables.LAYOUTS,
)
