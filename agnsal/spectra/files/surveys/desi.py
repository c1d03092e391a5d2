"""DESI coadds and spectra: every target of the file, its arms joined into one spectrum."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Layout
from agnsal.spectra.files.meaning.arms import Arm, join_arms
from agnsal.spectra.files.meaning.statements import known_redshift
from agnsal.spectra.files.meaning.units import FLAM17
from agnsal.spectra.files.raw.fits_rows import plain_column, plain_row, rows_of
from agnsal.spectra.files.record import FileSpectrum, clean

_CELLS = (
    *("TARGETID", "OBJTYPE", "TARGET_RA", "TARGET_DEC", "EBV"),
    *("Z", "ZWARN", "SPECTYPE", "CLASS", "SUBCLASS"),
)
_NO_REDSHIFTS = ("FIBERMAP", "EXP_FIBERMAP", "SCORES")


def read_desi(hdulist: fits.HDUList, chosen: Collection[str] = ()) -> list[FileSpectrum]:
    """Every target of a coadd or spectra file, or the few that are `chosen`; sky fibres are left out."""
    # the resolution matrices are 11 times the size of all the rest: they are not touched
    light = [hdu for hdu in hdulist if hdu.name.endswith(("PRIMARY", "_WAVELENGTH", "_FLUX", "_IVAR", "_MASK"))]
    joined = ("BRZ",) if "BRZ_FLUX" in hdulist else ("B", "R", "Z")  # by the survey, or here
    parts, there = ("WAVELENGTH", "FLUX", "IVAR"), {hdu.name for hdu in light}
    names = [arm for arm in joined if any(hdu.name.startswith(f"{arm}_") for hdu in hdulist)]
    lacking = {f"{arm}_{part}" for arm in names for part in parts} - there
    if lacking:
        raise AgnsalError(f"its {', '.join(sorted(lacking))} is lacking, and the rest of that arm is there.")
    arms: list[Arm] = [tuple(np.asarray(hdulist[f"{arm}_{part}"].data) for part in parts) for arm in names]  # type: ignore[misc]
    if not arms:
        raise AgnsalError("it holds none of the arms b, r, z of DESI.")
    targets = rows_of(hdulist["FIBERMAP"], _CELLS)
    few = _few(targets, arms, chosen)
    if few:
        arms = [(wavelength, flux[few], ivar[few]) for wavelength, flux, ivar in arms]
    wavelength, flux, ivar = join_arms(arms)
    if targets is None or len(flux) != len(few or targets):
        raise AgnsalError(f"its FIBERMAP was expected to have a row for each of the {len(flux)} spectra.")
    rows = few or range(len(flux))
    cells = [plain_row(targets, row) for row in rows]
    redshifts = _redshifts(hdulist, {cell.get("TARGETID", row) for row, cell in zip(rows, cells, strict=True)})
    header = hdulist[0].header
    used = {hdu.name for hdu in light} | {"FIBERMAP", "REDSHIFTS", "ZBEST"}
    ignored = tuple(hdu.name for hdu in hdulist if hdu.name not in used)
    records = []
    for place, (row, cell) in enumerate(zip(rows, cells, strict=True)):
        if _is_sky(cell):
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
                flux=flux[place],
                unit=FLAM17,
                ivar=ivar[place],
                medium="vacuum",
                redshift=known_redshift(known.get("Z")),
                ignored=ignored,
                meta=meta,
                partial=bool(few),
            )
        )
    if not records:
        raise AgnsalError("it holds no target, only sky fibres.")
    return records


def _few(targets: NDArray | None, arms: Sequence[Arm], chosen: Collection[str]) -> list[int]:
    """The rows of the chosen targets, if they are less than half of a file whose parts fit; else none."""
    if not chosen or targets is None or "TARGETID" not in (targets.dtype.names or ()):
        return []
    if any(part.shape != (len(targets), *wavelength.shape) for wavelength, *both in arms for part in both):
        return []
    names = enumerate(plain_column(targets, "TARGETID"))
    rows = [row for row, name in names if str(name) in chosen or f"row {row}" in chosen]
    few = rows if 2 * len(rows) < len(targets) else []
    return [row for row in few if not _is_sky(plain_row(targets, row))]


def _is_sky(cell: Mapping[str, Any]) -> bool:
    return cell.get("OBJTYPE", "TGT") == "SKY"


def _redshifts(hdulist: fits.HDUList, wanted: Container[Any]) -> dict[Any, dict[str, Any]]:
    """Redrock's row of each target that is wanted, where a table of redshifts travels with the spectra."""
    for hdu in hdulist:
        table = rows_of(hdu, _CELLS) if isinstance(hdu, fits.BinTableHDU) and hdu.name not in _NO_REDSHIFTS else None
        if table is not None and {"TARGETID", "Z"} <= set(table.dtype.names or ()):
            names = plain_column(table, "TARGETID")
            return {name: plain_row(table, row) for row, name in enumerate(names) if name in wanted}
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
    kept = [row for row, cell in enumerate(cells) if not _is_sky(cell)]
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
        lambda hdulist, request: read_desi(hdulist, request.chosen),
        "FIBERMAP and extensions B_WAVELENGTH, R_WAVELENGTH, Z_WAVELENGTH",
        tested="real",
    ),
)
