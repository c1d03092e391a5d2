"""Surveys of the Anglo-Australian Telescope as Data Central serves them, and the spectra that GAMA has collected.

They are measured in air, and none but GAMA's own is flux calibrated: those fluxes are counts.
"""

from __future__ import annotations

from collections.abc import Callable

import astropy.units as u
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images.axes import spectral_axis
from agnsal.spectra.files.images.planes import is_image, part_of
from agnsal.spectra.files.layout import Layout, Request, call
from agnsal.spectra.files.meaning.roles import UNCERTAINTIES, Role, understand
from agnsal.spectra.files.meaning.uncertainties import inverse_variance
from agnsal.spectra.files.meaning.units import FLAM17, flux_unit
from agnsal.spectra.files.record import FileSpectrum, clean, names_of_rest

#: How the SURVEY card of spectra collected by GAMA reads, and what specutils calls its loader for each.
GAMA_COLLECTIONS = {
    "2QZ": "GAMA-2QZ",
    "2SLAQ-QSO": "GAMA-2SLAQ-QSO",
    "MGC": "GAMA-MGC",
    "WiggleZ": "GAMA-WiggleZ",
    "2dFGRS": "GAMA-2dFGRS",
}
_ANGSTROM = {"wavelength": "Angstrom"}


def read_twodfgrs(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """Every observation of a 2dFGRS object: rows of counts per second, variance, sky."""
    records = []
    used = [hdu for hdu in hdulist if str(hdu.header.get("IMAGE", "")).strip() == "SPECTRUM"]
    for hdu in used:
        header, rows = hdu.header, hdu.data
        if rows is None or rows.ndim != 2 or len(rows) < 2:
            raise AgnsalError("a spectrum of 2dFGRS was expected to be an image: rows of flux, variance, sky.")
        wavelength = spectral_axis(header, rows.shape[1], units=_ANGSTROM).wavelength
        record = FileSpectrum(wavelength, rows[0], u.ct / u.s, ivar=inverse_variance(rows[1], "variance"), medium="air")
        record.meta.update(header=header, survey="2dFGRS")
        record.describe(header)
        record.describe(hdulist[0].header)
        record.ignored = (*(("sky",) if len(rows) > 2 else ()), *names_of_rest(hdulist, *used))
        records.append(record)
    if not records:
        raise AgnsalError("it holds a sky chart and no spectrum.")
    return records


def read_gama(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """The flux-calibrated spectrum of GAMA itself, or the spectrum of another survey that GAMA has collected."""
    header, data = hdulist[0].header, hdulist[0].data
    label = gama_label(header) or "GAMA"
    if label in ("GAMA-MGC", "GAMA-2dFGRS"):
        return read_rows(hdulist, label)
    if label != "GAMA":
        return read_extensions(hdulist, label, u.ct)
    if data is None or data.ndim != 2 or len(data) < 2:
        raise AgnsalError("HDU 0 was expected to be the image of a GAMA file: rows of flux, error, counts, sky.")
    wavelength = spectral_axis(header, data.shape[1], units=_ANGSTROM).wavelength
    record = FileSpectrum(wavelength, data[0], FLAM17, ivar=inverse_variance(data[1], "error"), medium="air")
    record.meta.update(header=header, survey="GAMA")
    record.ignored = (
        *(clean(header.get(f"ROW{row}", f"row {row}")) for row in range(3, len(data) + 1)),
        *names_of_rest(hdulist, hdulist[0]),
    )
    record.describe(header)
    return [record]


def gama_label(header: fits.Header) -> str | None:
    """What specutils calls the layout of a file of GAMA, or None."""
    if "GAMANAME" not in header:
        return None
    survey, origin = str(header.get("SURVEY", "")), str(header.get("ORIGIN", ""))
    for name, label in GAMA_COLLECTIONS.items():
        if name in survey:
            return label
    if "Liverpool JMU" in origin:
        return "GAMA-LT"
    return "GAMA" if "GAMA" in origin else None


def read_extensions(
    hdulist: fits.HDUList, label: str, unit: u.UnitBase | None, error: Role = "variance"
) -> list[FileSpectrum]:
    """A spectrum in the first image and its errors in another: called so, or the second where none has a name.

    `unit` is that of the flux where the header says none.
    """
    flux = hdulist[0]
    if flux.data is None or flux.data.size != max(flux.data.shape):
        raise AgnsalError(f"the {label} layout was expected to begin with the image of one spectrum.")
    images = [hdu for hdu in hdulist[1:] if is_image(hdu)]
    named = [(hdu, role) for hdu in images for role in UNCERTAINTIES if part_of(hdu).role == role]
    if not named and images and not any(hdu.name for hdu in images):
        named = [(images[0], error)]
    errors, role = named[0] if named else (None, error)
    if errors is not None and errors.data.size != flux.data.size:
        raise AgnsalError(f"its errors have {errors.data.size} pixels and its flux {flux.data.size}; they must agree.")
    ivar = None if errors is None else inverse_variance(errors.data.ravel(), role)
    ignored = names_of_rest(hdulist, flux, *(() if errors is None else (errors,)))
    return [_record(flux.header, flux.data.ravel(), ivar, label, ignored, unit)]


def read_rows(hdulist: fits.HDUList, label: str) -> list[FileSpectrum]:
    """A spectrum and its errors in rows of one image, which cards ROW1, ... or ARRAY1, ... name."""
    header, data = hdulist[0].header, hdulist[0].data
    if data is None or data.ndim != 2:
        raise AgnsalError(f"the {label} layout was expected to be an image with a row for each quantity.")
    names = [clean(header.get(f"ROW{row}", header.get(f"ARRAY{row}", ""))) for row in range(1, len(data) + 1)]
    roles = [understand(name).role for name in names]
    if roles.count("flux") != 1:
        raise AgnsalError(f"the {label} layout was expected to have one row of flux; its rows are {', '.join(names)}.")
    kind = next((role for role in UNCERTAINTIES if role in roles), None)
    ivar = None if kind is None else inverse_variance(data[roles.index(kind)], kind)
    beside = [name or f"row {row}" for row, name in enumerate(names, 1) if roles[row - 1] not in ("flux", kind)]
    ignored = (*beside, *names_of_rest(hdulist, hdulist[0]))
    return [_record(header, data[roles.index("flux")], ivar, label, ignored, u.ct)]


def _record(
    header: fits.Header,
    flux: NDArray,
    ivar: NDArray | None,
    label: str,
    ignored: tuple[str, ...],
    unit: u.UnitBase | None,
) -> FileSpectrum:
    """A spectrum in air, in the unit of its header, else in `unit`; refused where there is none."""
    written = header.get("BUNIT")
    known = flux_unit(written) or (None if str(written or "").strip() else unit)
    if known is None:
        problem = f"its flux has no unit that is understood (BUNIT = {written!r})"
        raise AgnsalError(f"{problem}. {call(None, units={'flux': 'counts/Angstrom'})}")
    if label == "GAMA-LT":  # whose cards have no number of their axis
        header = header.copy()
        header.update({f"{key}1": header[key] for key in ("CRVAL", "CDELT", "CRPIX") if key in header})
    wavelength = spectral_axis(header, flux.size, units=_ANGSTROM).wavelength
    record = FileSpectrum(wavelength, flux, known, ivar=ivar, medium="air")
    record.meta.update(header=header, survey=label)
    record.describe(header)
    record.ignored = ignored
    return record


def read_twoslaq(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """A galaxy of 2SLAQ: a cube whose planes are the spectrum and the sky, in counts per second."""
    header, data = hdulist[0].header, hdulist[0].data
    if data is None or data.ndim != 3 or len(data) < 2:
        raise AgnsalError("a file of 2SLAQ-LRG was expected to be a cube of spectrum and sky.")
    wavelength = spectral_axis(header, data.shape[2], units=_ANGSTROM).wavelength
    record = FileSpectrum(wavelength, data[0, 0], u.ct / u.s, medium="air")
    record.meta.update(header=header, survey="2SLAQ-LRG")
    record.describe(header)
    record.ignored = ("sky", *names_of_rest(hdulist, hdulist[0]))
    return [record]


def _has(key: str, word: str) -> Callable[[fits.HDUList], bool]:
    """Whether a card of the primary header speaks of a word."""
    return lambda hdulist: word.lower() in str(hdulist[0].header.get(key, "")).lower()


def _survey(label: str, key: str, word: str, unit: u.UnitBase | None = None, error: Role = "variance") -> Layout:
    """A survey known by a word in a card of its primary header, with its errors in an extension."""

    def read(hdulist: fits.HDUList, request: Request) -> list[FileSpectrum]:
        return read_extensions(hdulist, label, request.flux_unit() or unit, error)

    return Layout(label, _has(key, word), read, f"{key} = {word}")


LAYOUTS = (
    _survey("OzDES", "REFERENC", "ozdes"),
    _survey("WiggleZ", "REFCODE", "2018MNRAS.474.4151D"),
    _survey("GALAH", "ORIGIN", "GALAH", u.ct, "error"),
    Layout(
        "2SLAQ-LRG",
        _has("MSTITLE", "2dF-SDSS LRG/QSO survey"),
        lambda hdulist, _: read_twoslaq(hdulist),
        "MSTITLE = 2dF-SDSS LRG/QSO survey",
    ),
    Layout(
        "GAMA",
        lambda hdulist: gama_label(hdulist[0].header),
        lambda hdulist, _: read_gama(hdulist),
        "GAMANAME, and GAMA or Liverpool JMU as ORIGIN, or a SURVEY that GAMA has collected",
        tested="real",
        marks=lambda hdulist: "GAMANAME" in hdulist[0].header,
        medium="air",
    ),
    Layout(
        "2dFGRS",
        lambda hdulist: str(hdulist[0].header.get("IMAGE", "")).strip() in ("SKYCHART", "SPECTRUM"),
        lambda hdulist, _: read_twodfgrs(hdulist),
        "IMAGE = SKYCHART or SPECTRUM",
    ),
)
