"""Multi-fibre surveys of the Anglo-Australian telescopes: 6dFGS, 2dFGRS, and the spectra collected by GAMA.

They are measured in air, and none but GAMA's own is flux calibrated: those fluxes are counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images.axes import spectral_axis
from agnsal.spectra.files.layout import Layout
from agnsal.spectra.files.meaning.uncertainties import inverse_variance
from agnsal.spectra.files.meaning.units import FLAM17, wavelength_unit
from agnsal.spectra.files.record import FileSpectrum, clean, from_specutils

#: How the SURVEY card of spectra collected by GAMA reads, and the specutils loader for each.
GAMA_COLLECTIONS = {
    "2QZ": "GAMA-2QZ",
    "2SLAQ-QSO": "GAMA-2SLAQ-QSO",
    "MGC": "GAMA-MGC",
    "WiggleZ": "GAMA-WiggleZ",
    "2dFGRS": "GAMA-2dFGRS",
}
_NO_DATA = -999.0  # of the tabular variant of 6dFGS


def read_sixdfgs_image(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """The image variants of 6dFGS: rows of counts, variance, sky, and (the fourth) observed wavelength.

    The wavelength row is believed, not the header: IRAF's `dopcor` has moved the axis of the header to the rest frame
    in some releases, whatever redshift was thought right then. Files with both arms and their sum give the sum.
    """
    from specutils import Spectrum, SpectrumList

    for hdu in hdulist:
        if wavelength_unit(hdu.header.get("CUNIT1")) is not None:
            hdu.header["CUNIT1"] = "Angstrom"  # "Angstroms", as written, costs astropy 2 ms of bewilderment
    if len(hdulist) >= 8:
        loaded, hdus = SpectrumList.read(hdulist, format="6dFGS-combined"), list(hdulist[5:])
    else:
        loaded, hdus = [Spectrum.read(hdulist, format="6dFGS-split")], [hdulist[0]]
    spectrum, hdu = loaded[-1], hdus[-1]
    record = next(from_specutils(spectrum))
    if len(hdu.data) > 3:
        record.wavelength = np.array(hdu.data[3], dtype=np.float64)
        record.wavelength = even_axis(record.wavelength)
    else:
        record.wavelength = _stated_axis(hdu.header, record) * (1.0 + _doppler(hdu.header))
    record.unit, record.medium = u.ct, "air"
    record.ignored = ("sky", *(clean(other.name or "image") for other in hdulist if other not in hdus))
    record.meta.update(survey="6dFGS", quality=hdu.header.get("QUALITY"))
    return [record]


def read_sixdfgs_table(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """The tabular variant of 6dFGS: wavelength and counts per second, without errors; -999 where there is no datum."""
    from specutils import Spectrum

    record = next(from_specutils(Spectrum.read(hdulist, format="6dFGS-tabular")))
    record.describe(hdulist[0].header)
    record.wavelength = even_axis(record.wavelength)
    record.bad, record.unit, record.medium = record.flux == _NO_DATA, u.ct / u.s, "air"
    record.meta.update(survey="6dFGS", quality=hdulist[0].header.get("QUALITY"))
    return [record]


def read_twodfgrs(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """Every observation of a 2dFGRS object, in counts per second."""
    from specutils import SpectrumList

    records = list(from_specutils(SpectrumList.read(hdulist, format="2dFGRS")))
    if not records:
        raise AgnsalError("it holds a sky chart and no spectrum.")
    for record in records:
        record.wavelength = _stated_axis(record.meta["header"], record)
        record.describe(hdulist[0].header)
        record.medium = "air"
        record.meta["survey"] = "2dFGRS"
    return records


def read_gama(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """The flux-calibrated spectrum of GAMA itself, or the spectrum of another survey that GAMA has collected."""
    header, data = hdulist[0].header, hdulist[0].data
    label = gama_label(header) or "GAMA"
    if label == "GAMA":
        if data is None or data.ndim != 2 or len(data) < 2:
            raise AgnsalError("HDU 0 was expected to be the image of a GAMA file: rows of flux, error, counts, sky.")
        axis = spectral_axis(header, data.shape[1], units={"wavelength": "Angstrom"})
        record = FileSpectrum(axis.wavelength, data[0], FLAM17, ivar=inverse_variance(data[1], "error"))
        record.meta["header"] = header
        record.ignored = tuple(clean(header.get(f"ROW{row}", f"row {row}")) for row in range(3, len(data) + 1))
        record.describe(header)
    else:
        from specutils import SpectrumList

        loaded = SpectrumList.read(hdulist, format=label)
        spectra = [s for s in loaded if s.meta.get("purpose") in ("reduced", "combined")]
        if not spectra:
            raise AgnsalError(f"the {label} layout was expected to hold a reduced spectrum; none is there.")
        record = next(from_specutils(spectra[0]))
    record.medium = "air"
    record.meta["survey"] = clean(label)
    return [record]


def _stated_axis(header: fits.Header, record: FileSpectrum) -> Any:
    """The linear axis of a header, in Angstrom; where a card is lacking, a WCS would put in a default."""
    return spectral_axis(header, record.flux.size, units={"wavelength": "Angstrom"}).wavelength


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


def read_by_purpose(hdulist: fits.HDUList, label: str) -> list[FileSpectrum]:
    """The reduced spectra that a loader of specutils finds: combined ones where there are some, never sky or errors."""
    from specutils import SpectrumList

    loaded = SpectrumList.read(hdulist, format=label)
    if label == "2SLAQ-LRG":
        loaded = loaded[:1]  # its second is the sky
    purposes = {str(spectrum.meta.get("purpose", "reduced")) for spectrum in loaded}
    wanted = next((purpose for purpose in ("combined", "reduced") if purpose in purposes), None)
    chosen = [spectrum for spectrum in loaded if spectrum.meta.get("purpose", "reduced") == wanted]
    if not chosen:
        raise AgnsalError(f"the {label} layout was expected to hold a reduced spectrum; it has {', '.join(purposes)}.")
    records = [record for spectrum in chosen for record in from_specutils(spectrum)]
    for record in records:
        record.medium = "air"
        record.meta["survey"] = label
    return records


def _card(key: str, word: str) -> Callable[[fits.HDUList], bool]:
    return lambda hdulist: word.lower() in str(hdulist[0].header.get(key, "")).lower()


def _by_purpose(label: str, key: str, word: str) -> Layout:
    """A survey known by a word in a card of its primary header, and read by specutils' loader of that name."""
    return Layout(label, _card(key, word), lambda hdulist, _: read_by_purpose(hdulist, label), f"{key} = {word}")


LAYOUTS = (
    _by_purpose("OzDES", "REFERENC", "ozdes"),
    _by_purpose("WiggleZ", "REFCODE", "2018MNRAS.474.4151D"),
    _by_purpose("GALAH", "ORIGIN", "GALAH"),
    _by_purpose("2SLAQ-LRG", "MSTITLE", "2dF-SDSS LRG/QSO survey"),
    Layout(
        "GAMA",
        lambda hdulist: gama_label(hdulist[0].header),
        lambda hdulist, _: read_gama(hdulist),
        "GAMANAME, and GAMA or Liverpool JMU as ORIGIN",
        tested="real",
    ),
    Layout("2dFGRS", _is_2dfgrs, lambda hdulist, _: read_twodfgrs(hdulist), "IMAGE = SKYCHART or SPECTRUM"),
    Layout(
        "6dFGS-split",
        _is_6df_image,
        lambda hdulist, _: read_sixdfgs_image(hdulist),
        "OBSRA, OBSDEC, Z_HELIO, QUALITY and an image of 3 or 4 rows",
        tested="real",
    ),
    Layout(
        "6dFGS-tabular",
        _is_6df_table,
        lambda hdulist, _: read_sixdfgs_table(hdulist),
        "the same cards and one table of WAVE and FLUX",
        tested="real",
    ),
)
