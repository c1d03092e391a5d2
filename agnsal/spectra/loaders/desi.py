"""DESI coadds and spectra: every target of the file, its arms joined into one spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.loaders.record import FLAM17, FileSpectrum, clean, known_redshift

Arm = tuple[NDArray, NDArray, NDArray]  # wavelength (m,), flux (n, m), inverse variance (n, m)


def read_desi(hdulist: fits.HDUList, label: str = "DESI coadd") -> list[FileSpectrum]:
    """Every target of a coadd or spectra file; sky fibres are left out."""
    from specutils import SpectrumList

    # the resolution matrices are 11 times the size of all the rest and not used here
    light = [hdu for hdu in hdulist if not hdu.name.endswith("_RESOLUTION")]
    names = {hdu.name for hdu in light}
    if "BRZ_FLUX" in names:  # arms joined by the survey; specutils does not know these
        arms = [tuple(np.array(hdulist[f"BRZ_{part}"].data, float) for part in ("WAVELENGTH", "FLUX", "IVAR"))]
    else:
        loaded = SpectrumList.read(fits.HDUList(light), format=label)
        arms = [(np.asarray(arm.spectral_axis.value), arm.flux.value, arm.uncertainty.array) for arm in loaded]
    if not arms:
        raise AgnsalError("it holds none of the arms b, r, z of DESI.")
    wavelength, flux, ivar = join_arms(arms)  # type: ignore[arg-type]
    targets, redshifts = hdulist["FIBERMAP"].data, _redshifts(light)
    header = hdulist[0].header
    records = []
    for row in range(len(flux)):
        cell = _cells(targets, row)
        if cell.get("OBJTYPE", "TGT") == "SKY":
            continue
        target = cell.get("TARGETID", row)
        meta: dict[str, Any] = {"header": header, "survey": "DESI", "object_id": str(target), "row": row}
        for key, column in (("ra", "TARGET_RA"), ("dec", "TARGET_DEC"), ("ebv", "EBV")):
            if column in cell:
                meta[key] = float(cell[column])
        known = redshifts.get(target, {})
        meta.update({key.lower(): known[key] for key in ("CLASS", "SUBCLASS", "ZWARNING") if key in known})
        if "SPECTYPE" in known:
            meta["class"] = known["SPECTYPE"]
        records.append(
            FileSpectrum(
                wavelength=wavelength,
                flux=flux[row],
                unit=FLAM17,
                ivar=ivar[row],
                medium="vacuum",
                redshift=known_redshift(known.get("Z")),
                meta=meta,
            )
        )
    if not records:
        raise AgnsalError("it holds no target, only sky fibres.")
    return records


def join_arms(arms: list[Arm]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Arms on one wavelength grid: the inverse-variance weighted mean where they overlap.

    Pixels no arm has measured (a gap, or no weight in any arm) get inverse variance 0.
    """
    first = min(float(wavelength[0]) for wavelength, _, _ in arms)
    step = float(np.median(np.diff(arms[0][0])))
    places = [np.round((wavelength - first) / step).astype(int) for wavelength, _, _ in arms]
    for (wavelength, _, _), place in zip(arms, places, strict=True):
        if np.abs(wavelength - first - step * place).max() > 0.01 * step or (np.diff(place) != 1).any():
            raise AgnsalError(
                "its arms do not share one wavelength grid, so that they cannot be joined pixel by pixel."
            )
    size = 1 + max(int(place[-1]) for place in places)
    weighted, weight = np.zeros((2, len(arms[0][1]), size))
    for (_, flux, ivar), place in zip(arms, places, strict=True):
        good = np.isfinite(flux) & np.isfinite(ivar) & (ivar > 0)
        weight[:, place] += np.where(good, ivar, 0.0)
        weighted[:, place] += np.where(good, np.where(good, flux, 0.0).astype(float) * ivar, 0.0)
    mean = np.divide(weighted, weight, out=np.zeros_like(weighted), where=weight > 0)
    return first + step * np.arange(size, dtype=np.float64), mean, weight


def _redshifts(hdus: list[Any]) -> dict[Any, dict[str, Any]]:
    """Redrock's row of each target, where a table of redshifts travels with the spectra."""
    for hdu in hdus:
        names = getattr(getattr(hdu, "columns", None), "names", ())
        if {"TARGETID", "Z"} <= set(names):
            return {hdu.data["TARGETID"][row].item(): _cells(hdu.data, row) for row in range(len(hdu.data))}
    return {}


def _cells(table: Any, row: int) -> dict[str, Any]:
    """The few cells of a row that are used, as plain Python values."""
    wanted = ("TARGETID", "OBJTYPE", "TARGET_RA", "TARGET_DEC", "EBV", "Z", "ZWARN", "SPECTYPE", "CLASS", "SUBCLASS")
    cells = {name: table[name][row] for name in wanted if name in table.dtype.names}
    plain = {name: clean(cell) if isinstance(cell, str) else cell.item() for name, cell in cells.items()}
    if "ZWARN" in plain:
        plain["ZWARNING"] = plain.pop("ZWARN")
    return plain
