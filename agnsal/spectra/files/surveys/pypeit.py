"""Spectra reduced by PypeIt: spec1d files, a table for each object."""

from __future__ import annotations

import astropy.units as u
from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Layout, Request
from agnsal.spectra.files.meaning.roles import Part
from agnsal.spectra.files.meaning.units import FLAM17
from agnsal.spectra.files.record import FileSpectrum, names_of_rest
from agnsal.spectra.files.tables.columns import Known, spectra_of
from agnsal.spectra.files.tables.fits_tables import ANGSTROM, column_of, is_table


def read_pypeit(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """Every object of a spec1d file of PypeIt: the optimal extraction where there is one, else the boxcar."""
    records = []
    rest = names_of_rest(hdulist, *filter(is_table, hdulist))
    for hdu in hdulist:
        names = set(hdu.columns.names) if is_table(hdu) else set()
        for kind, flux in (("OPT", "FLAM"), ("OPT", "COUNTS"), ("BOX", "FLAM"), ("BOX", "COUNTS")):
            if {f"{kind}_WAVE", f"{kind}_{flux}"} <= names:
                break
        else:
            continue
        if flux == "COUNTS" and f"{kind}_FLAM_IVAR" in names:
            raise AgnsalError(f"its column {kind}_FLAM is lacking, and its errors are there. Fetch the file again.")
        wanted = {"wavelength": f"{kind}_WAVE", "flux": f"{kind}_{flux}", "ivar": f"{kind}_{flux}_IVAR"}
        roles = {role: Part(name, role) for role, name in (wanted | {"mask": f"{kind}_MASK"}).items() if name in names}
        numbers = {part.name: column_of(hdu, part.name) for part in roles.values()}
        known = Known(FLAM17 if flux == "FLAM" else u.ct, ANGSTROM, "vacuum", good=True)
        for record in spectra_of(roles, numbers, hdulist[0].header, Request(), [], known):
            record.ignored = (*sorted(names - {part.name for part in roles.values()}), *rest)
            record.meta["object_id"] = hdu.name or record.meta.get("object_id", "")
            records.append(record)
    return records


def _is_pypeit(hdulist: fits.HDUList) -> bool:
    tables = (set(hdu.columns.names) for hdu in hdulist if is_table(hdu))
    pairs = [{f"{kind}_WAVE", f"{kind}_{flux}"} for kind in ("OPT", "BOX") for flux in ("FLAM", "COUNTS")]
    return any(pair <= names for names in tables for pair in pairs)


LAYOUTS = (
    Layout("PypeIt spec1d", _is_pypeit, lambda hdulist, _: read_pypeit(hdulist), "columns OPT_WAVE or BOX_WAVE"),
)
