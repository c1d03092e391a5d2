"""Spectra of SDSS-V as its pipeline Astra writes them: mwmStar and mwmVisit."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Layout, Request
from agnsal.spectra.files.meaning.roles import Part
from agnsal.spectra.files.meaning.units import FLAM17
from agnsal.spectra.files.record import FileSpectrum, clean, names_of_rest
from agnsal.spectra.files.tables.columns import Known, spectra_of
from agnsal.spectra.files.tables.fits_tables import ANGSTROM, column_of, is_table


def read_mwm(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """Every spectrum of an mwmStar or mwmVisit file of SDSS-V; tables of spectrographs not used are empty."""
    records = []
    header = hdulist[0].header
    rest = names_of_rest(hdulist, *filter(is_table, hdulist))
    for hdu in hdulist:
        if not is_table(hdu) or hdu.header["NAXIS2"] == 0 or "flux" not in hdu.columns.names:
            continue
        names = set(hdu.columns.names)
        if "ivar" not in names:
            raise AgnsalError(f"the column ivar of its table {clean(hdu.name)} is lacking. Fetch the file again.")
        wanted = {"flux": "flux", "ivar": "ivar", "mask": "pixel_flags"}
        roles = {role: Part(name, role) for role, name in wanted.items() if name in names}
        numbers = {part.name: column_of(hdu, part.name) for part in roles.values()}
        roles["wavelength"] = Part("wavelength", "wavelength")
        if "wavelength" in names:
            numbers["wavelength"] = column_of(hdu, "wavelength")
        else:
            card = hdu.header
            numbers["wavelength"] = 10.0 ** (card["CRVAL"] + card["CDELT"] * np.arange(card["NPIXELS"]))
        known = Known(FLAM17, ANGSTROM, "vacuum", survey="SDSS-V", flags=-1)
        found = spectra_of(roles, numbers, header, Request(), [], known)
        for record in found:
            record.meta["header"] = header
            record.ignored = (*sorted(names - set(numbers)), *rest)
        records += found
    if not records:
        raise AgnsalError("all its tables of spectra are empty.")
    return records


def _is_mwm(hdulist: fits.HDUList) -> bool:
    return {"V_ASTRA", "SDSS_ID"} <= set(hdulist[0].header) and not any(
        is_table(hdu) and "model_flux" in hdu.columns.names for hdu in hdulist
    )


LAYOUTS = (
    Layout("SDSS-V mwm", _is_mwm, lambda hdulist, _: read_mwm(hdulist), "V_ASTRA and SDSS_ID, tables with flux"),
)
