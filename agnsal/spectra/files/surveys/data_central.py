"""Surveys of the Anglo-Australian Telescope as Data Central serves them, and the spectra that GAMA has collected.

They are measured in air, and none but GAMA's own is flux calibrated: those fluxes are counts.
"""

from __future__ import annotations

from collections.abc import Callable

import astropy.units as u
from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images.axes import spectral_axis
from agnsal.spectra.files.layout import Layout
from agnsal.spectra.files.meaning.uncertainties import inverse_variance
from agnsal.spectra.files.meaning.units import FLAM17
from agnsal.spectra.files.record import FileSpectrum, clean, from_specutils, names_of_rest

#: How the SURVEY card of spectra collected by GAMA reads, and the specutils loader for each.
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
    if label != "GAMA":
        return read_by_purpose(hdulist, label)[:1]
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
    """The specutils loader of a file of GAMA, or None."""
    if "GAMANAME" not in header:
        return None
    survey, origin = str(header.get("SURVEY", "")), str(header.get("ORIGIN", ""))
    for name, label in GAMA_COLLECTIONS.items():
        if name in survey:
            return label
    if "Liverpool JMU" in origin:
        return "GAMA-LT"
    return "GAMA" if "GAMA" in origin else None


def read_by_purpose(hdulist: fits.HDUList, label: str) -> list[FileSpectrum]:
    """The reduced spectra that a loader of specutils finds: combined ones where there are some, never sky or errors.

    The axis is read anew: where a card of it is lacking, specutils takes a default.
    """
    from specutils import SpectrumList

    loaded = SpectrumList.read(hdulist, format=label)
    purposes = [str(spectrum.meta.get("purpose", "reduced")) for spectrum in loaded]
    wanted = next((purpose for purpose in ("combined", "reduced") if purpose in purposes), None)
    chosen = [spectrum for spectrum, purpose in zip(loaded, purposes, strict=True) if purpose == wanted]
    if not chosen:
        raise AgnsalError(
            f"the {label} layout was expected to hold a reduced spectrum; it has {', '.join(purposes) or 'none'}."
        )
    used = [hdu for hdu in hdulist if any(hdu.header == spectrum.meta["header"] for spectrum in chosen)]
    beside = [purpose for purpose in purposes if purpose != wanted]
    records = [record for spectrum in chosen for record in from_specutils(spectrum)]
    for record in records:
        if label != "GAMA-LT":  # whose cards have no number of their axis
            header = record.meta["header"]
            record.wavelength = spectral_axis(header, record.flux.size, units=_ANGSTROM).wavelength
        record.medium, record.meta["survey"] = "air", label
        record.ignored = (*beside, *names_of_rest(hdulist, *used))
    return records


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


def _has(key: str, *words: str) -> Callable[[fits.HDUList], bool]:
    """Whether a card of the primary header speaks of one of the words."""
    return lambda hdulist: any(word.lower() in str(hdulist[0].header.get(key, "")).lower() for word in words)


def _by_purpose(label: str, key: str, word: str) -> Layout:
    """A survey known by a word in a card of its primary header, and read by specutils' loader of that name."""
    return Layout(label, _has(key, word), lambda hdulist, _: read_by_purpose(hdulist, label), f"{key} = {word}")


LAYOUTS = (
    _by_purpose("OzDES", "REFERENC", "ozdes"),
    _by_purpose("WiggleZ", "REFCODE", "2018MNRAS.474.4151D"),
    _by_purpose("GALAH", "ORIGIN", "GALAH"),
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
