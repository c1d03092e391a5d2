"""DESI coadds and spectra: every target of the file, its arms joined into one spectrum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import QTable

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Layout
from agnsal.spectra.files.meaning.arms import join_arms
from agnsal.spectra.files.meaning.statements import known_redshift
from agnsal.spectra.files.meaning.units import FLAM17
from agnsal.spectra.files.raw.fits_rows import plain_row, rows_of
from agnsal.spectra.files.record import FileSpectrum, clean

_CELLS = (
    *("TARGETID", "OBJTYPE", "TARGET_RA", "TARGET_DEC", "EBV"),
    *("Z", "ZWARN", "SPECTYPE", "CLASS", "SUBCLASS"),
)
_NO_REDSHIFTS = ("FIBERMAP", "EXP_FIBERMAP", "SCORES")


def read_desi(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """Every target of a coadd or spectra file; sky fibres are left out."""
    # the resolution matrices are 11 times the size of all the rest: they are not touched
    light = [hdu for hdu in hdulist if hdu.name.endswith(("PRIMARY", "_WAVELENGTH", "_FLUX", "_IVAR", "_MASK"))]
    joined = ("BRZ",) if "BRZ_FLUX" in hdulist else ("B", "R", "Z")  # by the survey, or here
    parts, there = ("WAVELENGTH", "FLUX", "IVAR"), {hdu.name for hdu in light}
    names = [arm for arm in joined if any(hdu.name.startswith(f"{arm}_") for hdu in hdulist)]
    lacking = {f"{arm}_{part}" for arm in names for part in parts} - there
    if lacking:
        raise AgnsalError(f"its {', '.join(sorted(lacking))} is lacking, and the rest of that arm is there.")
    arms = [tuple(np.asarray(hdulist[f"{arm}_{part}"].data) for part in parts) for arm in names]
    if not arms:
        raise AgnsalError("it holds none of the arms b, r, z of DESI.")
    wavelength, flux, ivar = join_arms(arms)  # type: ignore[arg-type]
    targets, redshifts = rows_of(hdulist["FIBERMAP"], _CELLS), _redshifts(hdulist)
    if targets is None or len(targets) != len(flux):
        raise AgnsalError(f"its FIBERMAP was expected to have a row for each of the {len(flux)} spectra.")
    header = hdulist[0].header
    used = {hdu.name for hdu in light} | {"FIBERMAP", "REDSHIFTS", "ZBEST"}
    ignored = tuple(hdu.name for hdu in hdulist if hdu.name not in used)
    records = []
    for row in range(len(flux)):
        cell = plain_row(targets, row)
        if cell.get("OBJTYPE", "TGT") == "SKY":
            continue
        target = cell.get("TARGETID", row)
        meta: dict[str, Any] = {"header": header, "survey": "DESI", "object_id": str(target), "row": row}
        for key, column in (("ra", "TARGET_RA"), ("dec", "TARGET_DEC"), ("ebv", "EBV")):
            if column in cell:
                meta[key] = float(cell[column])
        known = redshifts.get(target, {})
        for key, column in (("class", "CLASS"), ("class", "SPECTYPE"), ("subclass", "SUBCLASS"), ("zwarning", "ZWARN")):
            if column in known:
                meta[key] = clean(known[column]) if isinstance(known[column], str) else known[column]
        records.append(
            FileSpectrum(
                wavelength=wavelength,
                flux=flux[row],
                unit=FLAM17,
                ivar=ivar[row],
                medium="vacuum",
                redshift=known_redshift(known.get("Z")),
                ignored=ignored,
                meta=meta,
            )
        )
    if not records:
        raise AgnsalError("it holds no target, only sky fibres.")
    return records


def _redshifts(hdulist: fits.HDUList) -> dict[Any, dict[str, Any]]:
    """Redrock's row of each target, where a table of redshifts travels with the spectra."""
    for hdu in hdulist:
        table = rows_of(hdu, _CELLS) if isinstance(hdu, fits.BinTableHDU) and hdu.name not in _NO_REDSHIFTS else None
        if table is not None and {"TARGETID", "Z"} <= set(table.dtype.names or ()):
            rows = (plain_row(table, row) for row in range(len(table)))
            return {row["TARGETID"]: row for row in rows}
    return {}


def is_desi(hdulist: fits.HDUList) -> bool:
    """Whether a file is of this layout."""
    return "FIBERMAP" in hdulist and any(hdu.name.endswith("_WAVELENGTH") for hdu in hdulist)


def desi_targets(path: Path) -> QTable | None:
    """The targets of a coadd, without its spectra and without sky fibres; None if it is no coadd.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    QTable or None
        ``TARGETID``, ``index`` (the row of the file) and, where they are there, ``ra``, ``dec`` in degrees.
    """
    try:
        with fits.open(path) as hdulist:
            if not is_desi(hdulist):
                return None
            rows = rows_of(hdulist["FIBERMAP"], _CELLS)
    except (OSError, ValueError):  # no FITS, or a damaged one: reading it says so
        return None
    if rows is None or "TARGETID" not in (rows.dtype.names or ()):
        return None
    cells = [plain_row(rows, row) for row in range(len(rows))]
    kept = [row for row, cell in enumerate(cells) if cell.get("OBJTYPE", "TGT") != "SKY"]
    table = QTable(
        {"TARGETID": np.array([cells[row]["TARGETID"] for row in kept]), "index": np.array(kept, dtype=np.intp)}
    )
    for name, column in (("ra", "TARGET_RA"), ("dec", "TARGET_DEC")):
        if column in (rows.dtype.names or ()):
            table[name] = np.array([float(cells[row][column]) for row in kept])
    return table


LAYOUTS = (
    Layout(
        "DESI coadd",
        is_desi,
        lambda hdulist, _: read_desi(hdulist),
        "FIBERMAP and extensions B_WAVELENGTH, R_WAVELENGTH, Z_WAVELENGTH",
        tested="real",
    ),
)
