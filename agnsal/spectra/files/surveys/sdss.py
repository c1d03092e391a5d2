"""SDSS spectra: spec files of SDSS-III/IV (BOSS, eBOSS, and the re-released SDSS-I/II), SDSS-V, and spSpec."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Layout, call
from agnsal.spectra.files.meaning.statements import known_redshift
from agnsal.spectra.files.meaning.uncertainties import inverse_variance
from agnsal.spectra.files.meaning.units import FLAM17, flux_unit
from agnsal.spectra.files.raw.checksums import is_edited
from agnsal.spectra.files.raw.fits_rows import column_numbers, first_row, rows_of
from agnsal.spectra.files.record import FileSpectrum, clean, names_of_rest, object_id
from agnsal.spectra.files.tables.fits_tables import suggestion

#: Bits of the SPPIXMASK of SDSS (https://www.sdss.org/dr17/algorithms/bitmasks/#SPPIXMASK).
PIXEL_BITS = {
    "NOPLUG": 0, "BADTRACE": 1, "BADFLAT": 2, "BADARC": 3, "MANYBADCOLUMNS": 4, "MANYREJECTED": 5, "LARGESHIFT": 6,
    "BADSKYFIBER": 7, "NEARWHOPPER": 8, "WHOPPER": 9, "SMEARIMAGE": 10, "SMEARHIGHSN": 11, "SMEARMEDSN": 12,
    "NEARBADPIXEL": 16, "LOWFLAT": 17, "FULLREJECT": 18, "PARTIALREJECT": 19, "SCATTEREDLIGHT": 20, "CROSSTALK": 21,
    "NOSKY": 22, "BRIGHTSKY": 23, "NODATA": 24, "COMBINEREJ": 25, "BADFLUXFACTOR": 26, "BADSKYCHI": 27,
    "REDMONSTER": 28, "EMLINE": 30,
}  # fmt: skip

#: The names of the extensions of single exposures: camera and number.
_EXPOSURE = re.compile(r"[BR][12]-\d+")
_CELLS = (
    "PLATE", "FIELD", "MJD", "FIBERID", "CATALOGID", "Z", "Z_ERR", "ZWARNING", "CLASS", "SUBCLASS", "SN_MEDIAN_ALL",
    "SN_MEDIAN", "SURVEY", "PLUG_RA", "PLUG_DEC", "RACAT", "DECCAT",
)  # fmt: skip


def pixel_bits(names: Iterable[str | int]) -> int:
    """The bit mask of named (``"BRIGHTSKY"``) or numbered SDSS pixel bits."""
    mask = 0
    for name in names:
        bit = PIXEL_BITS.get(name.upper()) if isinstance(name, str) else int(name)
        if bit is None or not 0 <= bit < 32:
            raise AgnsalError(f"bad_bits holds {name!r}; the pixel bits of SDSS are {', '.join(PIXEL_BITS)}.")
        mask |= 1 << bit
    return mask


def read_spec(hdulist: fits.HDUList, label: str, bad_bits: int = 0) -> list[FileSpectrum]:
    """The coadded spectrum of a spec file, with what SPECOBJ or SPALL knows of it."""
    coadd, header = _coadd(hdulist), hdulist[0].header
    if _EXPOSURE.match(coadd.name if coadd.header["NAXIS"] else ""):
        raise AgnsalError(
            f"its coadded spectrum is lacking: HDU 1 is {clean(coadd.name)}, one exposure. Fetch the file again."
        )
    numbers = column_numbers(coadd)
    names = {name.lower(): name for name in numbers}
    if not {"flux", "loglam", "ivar"} <= set(names):
        columns, units = suggestion(hdulist)
        advice = call(columns, units=units) if columns else "Fetch the file again."
        raise AgnsalError(
            f"HDU 1 was expected to be the table of a spec file, with columns flux, loglam and ivar. {advice}"
        )
    table = rows_of(coadd, ("FLUX", "LOGLAM", "IVAR", "AND_MASK"), check=False)
    if table is None:
        raise AgnsalError("its table of the coadded spectrum is empty.")
    name = coadd.name or "1"
    written = coadd.header.get(f"TUNIT{numbers[names['flux']]}") or header.get("BUNIT")
    record = FileSpectrum(
        wavelength=log_axis(table["LOGLAM"], header.get("COEFF0"), header.get("COEFF1")),
        flux=table["FLUX"],
        unit=flux_unit(written) or FLAM17,
        ivar=table["IVAR"],
        bad=(table["AND_MASK"] & bad_bits) != 0 if bad_bits and "and_mask" in names else None,
        medium="vacuum",
        ignored=_not_used(names, header, {"flux", "loglam", "ivar", *(("and_mask",) if bad_bits else ())}),
        edited=(name,) if is_edited(coadd, name) else (),
        meta={"header": header, "survey": "SDSS-V" if label == "SDSS-V spec" else "SDSS"},
    )
    describe(record, catalogue(hdulist), header)
    return [record]


def _coadd(hdulist: fits.HDUList) -> Any:
    """HDU 1, the place of the coadded spectrum; the first where it is the only one."""
    try:
        return hdulist[1]  # len() would read every header of the file
    except IndexError:
        return hdulist[0]


def _not_used(names: dict[str, str], header: fits.Header, used: set[str]) -> tuple[str, ...]:
    """The other columns of the coadd, and the single exposures by the cards EXPID01, ... of the header."""
    exposures = (clean(header[key], 11) for key in header if key.startswith("EXPID"))
    return (*(name for key, name in names.items() if key not in used), *exposures)


def read_spspec(hdulist: fits.HDUList, bad_bits: int = 0) -> list[FileSpectrum]:
    """An spSpec file of SDSS-I/II: rows of flux, the same less continuum, error, mask; redshift in the header."""
    data, header = hdulist[0].data, hdulist[0].header
    if data is None or data.ndim != 2 or len(data) < 4:
        raise AgnsalError("HDU 0 was expected to be the image of an spSpec file, at least 4 rows of pixels.")
    first, step = header.get("COEFF0", header.get("CRVAL1")), header.get("COEFF1", header.get("CD1_1"))
    record = FileSpectrum(
        wavelength=10.0 ** (float(first) + float(step) * np.arange(data.shape[1])),
        flux=data[0],
        unit=FLAM17,
        ivar=inverse_variance(data[2], "error"),
        bad=(data[3].astype(np.int64) & bad_bits) != 0 if bad_bits else None,
        medium="vacuum",
        ignored=(
            *("flux less continuum", *(() if bad_bits else ("mask",))),
            *names_of_rest(hdulist, hdulist[0]),
        ),
        meta={"header": header, "survey": "SDSS"},
    )
    describe(record, {"Z": header.get("Z"), "Z_ERR": header.get("Z_ERR"), "ZWARNING": header.get("Z_WARNIN")}, header)
    return [record]


def catalogue(hdulist: fits.HDUList) -> dict[str, Any]:
    """The row of SPECOBJ or SPALL: HDU 2 in what the survey wrote, looked for by name in what others rewrote."""
    cells = first_row(_coadd(hdulist), _CELLS, after=True)
    if "Z" in cells:
        return cells
    named = next((hdu for hdu in hdulist if hdu.name in ("SPECOBJ", "SPALL", "ZALL")), None)
    return {} if named is None else first_row(named, _CELLS)


def describe(record: FileSpectrum, cells: dict[str, Any], header: fits.Header) -> None:
    """Put redshift, class, median signal-to-noise and name of the pipeline into the record."""
    record.redshift = known_redshift(cells.get("Z"))
    for key in ("class", "subclass", "zwarning", "z_err"):
        value = cells.get(key.upper())
        if value is not None:
            record.meta[key] = clean(value) if isinstance(value, str) else value
    noise = cells.get("SN_MEDIAN_ALL")
    if noise is not None:
        record.meta["sn_median"] = float(noise)
    for key, names in (("ra", ("PLUG_RA", "RACAT")), ("dec", ("PLUG_DEC", "DECCAT"))):
        value = next((cells[name] for name in names if name in cells), None)
        if value is not None:
            record.meta[key] = float(value)
    plate = cells.get("PLATE", cells.get("FIELD", header.get("PLATEID", header.get("FIELDID"))))
    mjd, fiber = cells.get("MJD", header.get("MJD")), cells.get("FIBERID", header.get("FIBERID"))
    target = cells.get("CATALOGID")
    if target and plate is not None and mjd is not None:
        record.meta["object_id"] = f"{int(plate)}-{int(mjd)}-{int(target)}"
    elif None not in (plate, mjd, fiber):
        record.meta["object_id"] = object_id(plate, mjd, fiber)


def log_axis(loglam: Any, first: float | None, step: float | None) -> NDArray[np.float64]:
    """Wavelengths in float64 from the float32 log10 of the table.

    The pixels lie on ``first + step * k`` (COEFF0, COEFF1 of the header) with whole k; without those the line that
    fits best is taken, and where no line fits to float32 precision the column as it is.
    """
    written = np.asarray(loglam, dtype=np.float64)
    number = np.arange(written.size)
    precision = 4e-7  # of a float32 near 4
    try:
        if first is not None and step:
            start = np.round((written[0] - float(first)) / float(step))
            exact = float(first) + float(step) * (start + number)
            if np.abs(exact - written).max() < precision:
                return 10**exact
    except (TypeError, ValueError):
        pass  # the header holds something else there: fit
    if written.size > 2 and np.isfinite(written).all():
        slope = np.polyfit(number, written, 1)[0]
        slope = np.round(slope, 7) if abs(np.round(slope, 7) - slope) * written.size < precision else slope
        exact = np.mean(written - slope * number) + slope * number
        if np.abs(exact - written).max() < precision:
            return 10**exact
    return 10**written


def _is_spec(hdulist: fits.HDUList) -> bool:
    """Whether the columns of a spec file are there, and something that says SDSS: others have borrowed the columns."""
    header, names = hdulist[0].header, {name.lower() for name in column_numbers(_coadd(hdulist))}
    if not {"flux", "loglam", "ivar"} <= names:
        return _lost_its_coadd(hdulist)
    if "LAMOST" in str(header.get("TELESCOP", "")):
        return False
    cards = ("VERS2D", "RUN2D", "PLATEID", "FIBERID", "SPEC_ID")
    own = {"and_mask", "or_mask", "wdisp", "sky", "model"}
    return "SDSS" in str(header.get("TELESCOP", "")) or any(card in header for card in cards) or own <= names


def _lost_its_coadd(hdulist: fits.HDUList) -> bool:
    """Whether it is a spec file whose coadded spectrum is damaged, so that no exposure is taken in its stead."""
    header = hdulist[0].header
    if "SDSS" not in str(header.get("TELESCOP", "")) or header["NAXIS"] or not {"PLATEID", "FIELDID"} & set(header):
        return False
    return any(hdu.name == "COADD" or _EXPOSURE.match(hdu.name) for hdu in hdulist[1:])


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


LAYOUTS = (
    Layout(
        "SDSS-V spec",
        _is_sdss5,
        lambda hdulist, request: read_spec(hdulist, "SDSS-V spec", request.bad_bits),
        "version 6 of the BOSS pipeline, and a table with flux, loglam, ivar",
    ),
    Layout(
        "SDSS-III/IV spec",
        _is_spec,
        lambda hdulist, request: read_spec(hdulist, "SDSS-III/IV spec", request.bad_bits),
        "a table with flux, loglam, ivar in a file of SDSS",
        tested="real",
    ),
    Layout(
        "SDSS-I/II spSpec",
        _is_spspec,
        lambda hdulist, request: read_spspec(hdulist, request.bad_bits),
        "an image of 4 or 5 rows, TELESCOP of SDSS, FIBERID",
        tested="real",
    ),
)
