"""Images of SDSS's fibre spectrographs: spPlate (all fibres of a plate), apStar and aspcapStar of APOGEE."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images.axes import spectral_axis
from agnsal.spectra.files.layout import Layout
from agnsal.spectra.files.meaning.roles import understand
from agnsal.spectra.files.meaning.uncertainties import inverse_variance
from agnsal.spectra.files.meaning.units import FLAM17
from agnsal.spectra.files.record import FileSpectrum, clean, names_of_rest, object_id

_SKY = ("SKY", "SPECTROPHOTO_SKY")


def plug_map(hdulist: fits.HDUList) -> Any:
    """The table of the fibres of an spPlate file, a row for each row of its image; None for other files."""
    shape = hdulist[0].shape
    if len(shape) != 2 or not {"COEFF0", "COEFF1"} <= set(hdulist[0].header):
        return None
    tables = (hdu for hdu in hdulist if isinstance(hdu, fits.BinTableHDU) and hdu.header["NAXIS2"] == shape[0])
    return next((hdu for hdu in tables if {"FIBERID", "OBJTYPE"} <= {name.upper() for name in hdu.columns.names}), None)


def read_plate(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """Every fibre of an spPlate file but those on the sky; HDU 1 of its data model is the inverse variance."""
    table, primary = plug_map(hdulist), hdulist[0]
    if table is None:
        raise AgnsalError("it was expected to be an spPlate file: an image with COEFF0 and a table of its fibres.")
    ivar = hdulist["IVAR"] if "IVAR" in hdulist else hdulist[1]
    if ivar.name not in ("", "IVAR"):
        raise AgnsalError(f"its inverse variance is lacking: HDU 1 is {clean(ivar.name)}. Fetch the file again.")
    if ivar.shape != primary.shape:
        raise AgnsalError(f"its inverse variance has shape {ivar.shape}, its flux {primary.shape}; they must agree.")
    header, size = primary.header, primary.shape[1]
    wavelength = 10.0 ** (float(header["COEFF0"]) + float(header["COEFF1"]) * np.arange(size))
    ignored = names_of_rest(hdulist, primary, ivar, table)
    records = []
    for row, (kind, fiber) in enumerate(zip(table.data["OBJTYPE"], table.data["FIBERID"], strict=True)):
        if clean(kind).upper() in _SKY:
            continue
        meta = {"header": header, "survey": "SDSS", "row": row, "object_type": clean(kind)}
        if "PLATEID" in header and "MJD" in header:
            meta["object_id"] = object_id(header["PLATEID"], header["MJD"], fiber)
        for key, names in (("ra", ("RA", "PLUG_RA")), ("dec", ("DEC", "PLUG_DEC"))):
            name = next((name for name in names if name in table.columns.names), None)
            if name is not None:
                meta[key] = float(table.data[name][row])
        flux, errors = primary.data[row], ivar.data[row]
        record = FileSpectrum(wavelength, flux, FLAM17, ivar=errors, medium="vacuum", meta=meta, ignored=ignored)
        records.append(record)
    if not records:
        raise AgnsalError("it holds no target, only sky fibres.")
    return records


def is_apogee(hdulist: fits.HDUList) -> bool:
    """Whether a file is an apStar or an aspcapStar of APOGEE: log-linear images of flux, error, and mask or model."""
    header = hdulist[0].header
    visits = str(header.get("SFILE1", "")).startswith(("apVisit", "asVisit"))
    if not (visits or "APOGEE" in "".join(map(str, header.get("HISTORY", ()))) or "ASPCAP" in header):
        return False
    try:
        first, second = hdulist[1], hdulist[2]
    except IndexError:
        return False
    logarithmic = str(first.header.get("CTYPE1", "")).upper().startswith("LOG-LIN")
    return logarithmic and bool(first.shape) and first.shape == second.shape


def read_apogee(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """The combined spectrum: the first row of an apStar (its others are the visits), or the one of an aspcapStar."""
    flux, error = hdulist[1], hdulist[2]
    for hdu, role in ((flux, "flux"), (error, "error")):
        said = {understand(text).role for text in (hdu.name, str(hdu.header.get("BUNIT", "")).split("(")[0]) if text}
        if said - {role, None}:
            raise AgnsalError(
                f"its images are not in their order: the {role} was expected, {clean(hdu.name)} is there."
            )
    rows = np.atleast_2d(flux.data)
    visits = str(hdulist[0].header.get("SFILE1", "")) != ""
    axis = spectral_axis(flux.header, rows.shape[1], 1, units={"log10_wavelength": "Angstrom"})
    record = FileSpectrum(
        axis.wavelength,
        rows[0],
        FLAM17 if visits else u.dimensionless_unscaled,
        ivar=inverse_variance(np.atleast_2d(error.data)[0], "error"),
        medium="vacuum",
        meta={"header": hdulist[0].header, "survey": "APOGEE"},
    )
    record.bad = record.flux == 0
    record.ignored = (*(("visits",) if len(rows) > 1 else ()), *names_of_rest(hdulist, flux, error))
    record.describe(hdulist[0].header)
    return [record]


LAYOUTS = (
    Layout("SDSS spPlate", plug_map, lambda hdulist, _: read_plate(hdulist), "COEFF0, and a table row for each fibre"),
    Layout(
        "APOGEE apStar",
        is_apogee,
        lambda hdulist, _: read_apogee(hdulist),
        "apVisit or ASPCAP, log-linear images",
    ),
)
