"""Spectra as tables: FITS tables, ECSV and the like, and text with or without column names.

Columns are told by name, else by unit. specutils' own table loaders take no inverse variance, and a unit is all they
go by, so that they serve only as a last resort.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Layout
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, inverse_variance
from agnsal.spectra.files.units import FLAM17, flux_unit, wavelength_unit

_ROLES = {
    "loglam": ("loglam", "loglambda", "logwave", "logwavelength"),
    "wavelength": (
        *("wavelength", "wave", "lambda", "lam", "spectralaxis", "wavelengths", "wl", "wvl", "obswave"),
        *("lambdaobs", "waveobs", "obswavelength", "wavelengthobs", "angstrom", "frequency", "freq", "energy"),
    ),
    "flux": (
        *("flux", "fluxdensity", "intensity", "flam", "flambda", "fnu", "spectrum", "spec", "counts", "coaddflux"),
        *("fluxes", "fluxobs", "obsflux", "calibratedflux"),
    ),
    "ivar": ("ivar", "inversevariance", "fluxivar", "invvar", "ivarflux", "inversevar"),
    "var": ("var", "variance", "fluxvar", "fluxvariance"),
    "std": (
        *("err", "error", "fluxerr", "fluxerror", "errflux", "eflux", "sigma", "std", "stddev", "uncertainty"),
        *("unc", "noise", "fluxunc", "fluxuncertainty", "fluxstd", "sigmaflux", "fluxsigma", "dflux", "sig"),
    ),
    "mask": ("mask", "bad", "badmask"),
}
#: Texts without units whose layout is known all the same: column names, medium, survey.
_KNOWN_TEXTS = {
    ("lam", "flux", "err"): (None, None),  # PyQSOFit and its kin
    ("spectral_axis", "intensity"): ("air", "NED"),
    ("spectral_axis", "intensity", "uncertainty"): ("air", "NED"),
}


def column_roles(names: list[str], units: list[Any]) -> dict[str, str]:
    """Which column is the wavelength, the flux, the error...: by name, and for the first two else by unit."""
    roles: dict[str, str] = {}
    plain = {re.sub(r"[^a-z0-9]", "", re.sub(r"[\[(].*", "", name.lower())): name for name in reversed(names)}
    for role, known in _ROLES.items():
        found = next((plain[name] for name in known if name in plain), None)
        if found is not None:
            roles[role] = found
    if not {"wavelength", "loglam"} & set(roles):
        column = next((n for n, unit in zip(names, units, strict=True) if wavelength_unit(unit) is not None), None)
        if column is not None:
            roles["wavelength"] = column
    if "flux" not in roles:
        density = u.spectral_density(5000 * u.AA)
        for name, text in zip(names, units, strict=True):
            unit = flux_unit(text)
            if name not in roles.values() and unit is not None and unit.is_equivalent(FLAM17, density):
                roles["flux"] = name
                break
    return roles


def records_from_table(
    columns: Mapping[str, Any],
    units: Mapping[str, Any],
    header: Mapping[str, Any] | fits.Header,
    *,
    text: bool = False,
    relative: bool = False,
) -> list[FileSpectrum]:
    """The spectra of a table given as columns, their units (None where unknown), and what else the file says.

    A flux without a unit is refused, unless the layout is known or such flux is `relative` by custom.
    """
    names = list(columns)
    roles = column_roles(names, [units.get(name) for name in names])
    axis_name = roles.get("wavelength", roles.get("loglam"))
    if axis_name is None or "flux" not in roles:
        lacking = " and ".join(
            what for what, there in (("wavelength", axis_name), ("flux", roles.get("flux"))) if there is None
        )
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise UnknownLayout(f"no column is recognised as {lacking} (columns: {shown}).")
    flux = np.atleast_2d(_numbers(columns[roles["flux"]], "flux"))
    if flux.shape[-1] == 0 or flux.size == 0:
        raise AgnsalError("its table is empty.")
    axis = np.atleast_2d(_numbers(columns[axis_name], "wavelength"))
    axis, medium, survey = _axis(axis, roles, units.get(axis_name), tuple(n.lower() for n in names), header, text=text)
    if "LAMOST" in str(header.get("TELESCOP", "")):
        medium, survey = "vacuum", "LAMOST"  # on the pixels of SDSS, in relative flux
    kind = next((kind for kind in ("ivar", "std", "var") if kind in roles), None)
    error = None if kind is None else np.atleast_2d(_numbers(columns[roles[kind]], "error"))
    if error is not None and not np.isfinite(error).any():
        error = None  # an error column nobody filled in
    mask = np.atleast_2d(np.asarray(columns[roles["mask"]]) != 0) if "mask" in roles else None
    unit = _flux_unit(units.get(roles["flux"]), header, survey)
    if unit is None and (relative or tuple(name.lower() for name in names) in _KNOWN_TEXTS):
        unit = u.dimensionless_unscaled
    if unit is None:
        raise AgnsalError(
            f"its flux column {roles['flux']!r} has no unit that is understood ({units.get(roles['flux'])!r}), so that "
            "F_lambda cannot be told from F_nu. Put it into "
            + ("the header line, for instance `flux [erg/s/cm2/A]` or `flux [relative]`." if text else "the column.")
        )
    records = []
    for row in range(len(flux)):
        ivar = None
        if error is not None and kind is not None:
            ivar = inverse_variance(error[min(row, len(error) - 1)], kind)
            ivar = ivar * _error_factor(units.get(roles[kind]), unit, kind)
        record = FileSpectrum(
            wavelength=axis[min(row, len(axis) - 1)],
            flux=flux[row],
            unit=unit,
            ivar=ivar,
            bad=None if mask is None else mask[min(row, len(mask) - 1)],
            medium=medium,
            meta={"row": row} if len(flux) > 1 else {},
        )
        if survey:
            record.meta["survey"] = survey
        record.describe(header)
        records.append(record)
    return records


def _axis(
    axis: NDArray, roles: dict[str, str], unit: Any, names: tuple[str, ...], header: Mapping[str, Any], *, text: bool
) -> tuple[NDArray, str | None, str | None]:
    """Wavelengths in Angstrom, with the medium and the survey where the layout gives them away."""
    if "wavelength" not in roles:
        return 10.0**axis, "vacuum", "SDSS"  # the logarithmic column is SDSS's invention
    known = wavelength_unit(unit)
    if known is not None and not known.is_equivalent(u.AA):
        return (axis * known).to_value(u.AA, u.spectral()), None, None
    survey, exact = survey_grid(axis[0] * (known.to(u.AA) if known is not None else 1.0))
    if survey is not None and exact is not None:
        return exact[None] if len(axis) == 1 else axis, "vacuum", survey
    if known is not None:
        return axis * known.to(u.AA), None, None
    if names in _KNOWN_TEXTS:
        medium, survey = _KNOWN_TEXTS[names]
        return axis, medium, survey
    if "VACUUM" in header and "SDSS" in str(header.get("TELESCOP", "")):
        return axis, None, "SDSS"
    where = "the header line, for instance `wavelength [Angstrom]`" if text else "the column, for instance `u.AA`"
    raise AgnsalError(
        f"its wavelength column {roles['wavelength']!r} has no unit that is understood ({unit!r}); agnsal does not "
        f"guess it. Put it into {where}."
    )


def survey_grid(wavelength: NDArray) -> tuple[str | None, NDArray | None]:
    """Whether pixels are those of SDSS (whole steps of 1e-4 in log10) or DESI (0.8 Angstrom from 3600), and which."""
    if wavelength.size < 100 or not np.isfinite(wavelength).all() or wavelength[0] < 2500 or wavelength[-1] > 12000:
        return None, None
    place = 1e4 * np.log10(wavelength)
    whole = np.round(place)
    if np.abs(place - whole).max() < 0.01 and _mostly_ones(np.diff(whole)):
        return "SDSS", 10.0 ** (1e-4 * whole)
    place = (wavelength - 3600.0) / 0.8
    whole = np.round(place)
    if np.abs(place - whole).max() < 0.01 and _mostly_ones(np.diff(whole)) and wavelength[-1] < 9825:
        return "DESI", 3600.0 + 0.8 * whole
    return None, None


def _mostly_ones(step: NDArray) -> bool:
    """Neighbouring pixels but for a few that were left out."""
    return bool((step >= 1).all() and np.mean(step == 1) > 0.9)


def _flux_unit(unit: Any, header: Mapping[str, Any] | fits.Header, survey: str | None) -> u.UnitBase | None:
    """The unit of the flux: of its column, of the header, or of the survey."""
    for text in (unit, header.get("BUNIT")):
        known = flux_unit(text)
        if known is not None:
            return known
    return {"SDSS": FLAM17, "DESI": FLAM17, "LAMOST": u.dimensionless_unscaled}.get(survey or "")


def _error_factor(unit: Any, flux: u.UnitBase, kind: str) -> float:
    """What brings an inverse variance to the unit of the flux; 1 where the error column names no unit it could mean."""
    power = {"std": 1, "var": 2, "ivar": -2}[kind]
    known = flux_unit(unit)
    if known is None or not known.is_equivalent(flux**power):
        return 1.0
    factor = known.to(flux**power)
    return factor if kind == "ivar" else factor ** (-2.0 / power)


def _numbers(values: Any, what: str) -> NDArray[np.float64]:
    try:
        return np.asarray(np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise AgnsalError(f"its {what} column does not hold numbers ({error}).") from error


def table_hdu(hdulist: fits.HDUList) -> Any:
    """The first table that looks like a spectrum, or None."""
    for hdu in hdulist:
        if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)):
            roles = column_roles(list(hdu.columns.names), [column.unit for column in hdu.columns])
            if "flux" in roles and {"wavelength", "loglam"} & set(roles):
                return hdu
    return None


def read_fits_table(hdulist: fits.HDUList) -> list[FileSpectrum]:
    """The spectra of a FITS table with columns of wavelength and flux."""
    hdu = table_hdu(hdulist)
    if hdu is None:
        tables = [f"{hdu.name or 'unnamed'}: {', '.join(hdu.columns.names[:8])}" for hdu in hdulist if _is_table(hdu)]
        raise UnknownLayout(f"no table with wavelength and flux in it ({'; '.join(tables) or 'no table at all'}).")
    if hdu.header["NAXIS2"] == 0:
        raise AgnsalError("its table is empty.")
    header = hdulist[0].header.copy()
    header.update(hdu.header)
    columns = {name: hdu.data[name] for name in hdu.columns.names if hdu.data[name].dtype.kind in "fiub"}
    units = {column.name: column.unit for column in hdu.columns}
    if "ASTROPY-SERIALIZED" in str(header.get("COMMENT", "")):  # astropy notes there what is dimensionless
        units = {column.name: column.unit for column in Table.read(hdu).itercols()}
    records = records_from_table(columns, units, header)
    for record in records:
        record.meta["header"] = hdulist[0].header
    return records


def _is_table(hdu: Any) -> bool:
    return isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))


LAYOUTS = (
    Layout(
        "tabular-fits",
        table_hdu,
        lambda hdulist, _: read_fits_table(hdulist),
        "a table whose columns say that they are wavelength and flux",
        tested="real",
        generic=True,
    ),
)
