"""Spectra of DEIMOS as DEEP2 and DEEP3 wrote them: two tables, for the blue and the red detector."""

from __future__ import annotations

import astropy.units as u
import numpy as np
from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Layout, call
from agnsal.spectra.files.record import FileSpectrum, clean, names_of_rest
from agnsal.spectra.files.tables.fits_tables import is_table

_EXTRACTIONS = ("BXSPF", "HORNE")  # of a box, which the survey's own tools take, and optimal
_COLUMNS = {"SPEC", "LAMBDA", "IVAR"}


def _detectors(hdulist: fits.HDUList) -> list[fits.BinTableHDU]:
    """The tables of one extraction, blue before red."""
    there = {hdu.name.upper(): hdu for hdu in hdulist if hdu.name.upper().startswith(_EXTRACTIONS) and is_table(hdu)}
    for kind in _EXTRACTIONS:
        if found := [there[f"{kind}-{side}"] for side in "BR" if f"{kind}-{side}" in there]:
            return found
    return []


def read_spec1d(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """The spectrum of both detectors, one beside the other: there is a gap between them, and no overlap."""
    tables = _detectors(hdulist)
    if not tables:
        raise AgnsalError("a spec1d file of DEEP2 was expected: tables Bxspf-B and Bxspf-R of SPEC, LAMBDA, IVAR.")
    lacking = {f"{clean(hdu.name)}:{name}" for hdu in tables for name in _COLUMNS - set(hdu.columns.names)}
    if lacking:
        raise AgnsalError(f"its column {', '.join(sorted(lacking))} is lacking. Fetch the file again.")
    parts = [[np.ravel(hdu.data[name]).astype(float) for name in ("LAMBDA", "SPEC", "IVAR")] for hdu in tables]
    ends = [axis[np.isfinite(axis) & (axis > 0)] for axis, _, _ in parts]
    if len(ends) == 2 and ends[0].size and ends[1].size and ends[0].max() >= ends[1].min():
        name = clean(tables[-1].name)
        columns = {"wavelength": f"{name}:LAMBDA", "flux": f"{name}:SPEC", "ivar": f"{name}:IVAR"}
        problem = f"its two detectors overlap ({ends[0].max():.1f} and {ends[1].min():.1f} A)"
        advice = call(columns, units={"wavelength": "Angstrom", "flux": "counts"}, medium="air")
        raise AgnsalError(f"{problem}, so that they cannot stand side by side. {advice}")
    wavelength, flux, ivar = (np.concatenate(each) for each in zip(*parts, strict=True))
    header = tables[0].header
    record = FileSpectrum(wavelength, flux, u.ct, ivar=ivar, medium="air")
    record.meta.update(header=header, survey="DEEP2")
    if "OBJNO" in header:
        record.meta["object_id"] = clean(header["OBJNO"])
    record.describe(header)
    columns_left = (name for hdu in tables for name in hdu.columns.names if name not in _COLUMNS)
    record.ignored = (*dict.fromkeys(columns_left), *names_of_rest(hdulist, *tables))
    return [record]


LAYOUTS = (
    Layout(
        "DEEP2 spec1d",
        _detectors,
        lambda hdulist, _: read_spec1d(hdulist),
        "tables Bxspf-B and Bxspf-R (or Horne-B, Horne-R) of SPEC, LAMBDA, IVAR",
    ),
)
