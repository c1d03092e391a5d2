"""Spectra out of columns whose roles are known: FITS tables, text, VOTable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Found, Request, call, errors_in, refusal, suggested
from agnsal.spectra.files.meaning.roles import UNCERTAINTIES, Part
from agnsal.spectra.files.meaning.statements import Facts
from agnsal.spectra.files.meaning.uncertainties import from_magnitudes, inverse_variance
from agnsal.spectra.files.meaning.units import AxisUnit, axis_unit, flux_unit
from agnsal.spectra.files.meaning.wavelengths import in_angstrom
from agnsal.spectra.files.record import FileSpectrum


@dataclass(frozen=True)
class Known:
    """What a known layout says where its columns do not."""

    flux: u.UnitBase | None = None
    axis: AxisUnit | None = None
    medium: str | None = None
    survey: str | None = None
    good: bool = False  # non-zero in the mask means good
    flags: int | None = None  # the bits of the mask that are bad; None: any
    mask: str | None = None  # the column that is the mask, where its name would not be taken for one


def spectra_of(
    roles: Mapping[str, Part],
    numbers: Mapping[str, Any],
    header: Facts,
    request: Request,
    found: Found,
    known: Known = Known(),
) -> list[FileSpectrum]:
    """The spectra of columns: numbers of shape (pixels,), or (spectra, pixels) where cells are arrays."""
    axis_role = "wavelength" if "wavelength" in roles else "log10_wavelength"
    axis = _axis(roles[axis_role], _rows(numbers[roles[axis_role].name], "wavelength"), request, found, roles, known)
    flux = _rows(numbers[roles["flux"].name], "flux")
    if flux.size == 0:
        raise AgnsalError("its table is empty.")
    unit = _flux_unit(roles, header, request, found, known)
    kind = next((role for role in UNCERTAINTIES if role in roles), None)
    error = None if kind is None else _rows(numbers[roles[kind].name], kind)
    if error is not None and not np.isfinite(error).any():
        error = None  # a column nobody filled in
    bad = None if "mask" not in roles else _bad(roles, numbers[roles["mask"].name], request, known)
    factor = 1.0 if kind is None else errors_in(kind, roles[kind], request.units.get(kind), unit, found, roles)
    part = roles[axis_role]
    records = []
    for row in range(len(flux)):
        values = flux[row]
        ivar = None
        if error is not None and kind is not None:
            ivar = inverse_variance(error[min(row, len(error) - 1)], kind) * factor
        if isinstance(unit, u.MagUnit):
            values, ivar = from_magnitudes(values, ivar, unit)
        record = FileSpectrum(
            wavelength=axis[min(row, len(axis) - 1)],
            flux=values,
            unit=u.Jy if isinstance(unit, u.MagUnit) else unit,
            ivar=ivar,
            bad=None if bad is None else bad[min(row, len(bad) - 1)],
            medium=part.medium or known.medium,
            frame=part.frame,
            mask_name=roles["mask"].name if "mask" in roles and known.flags is None and not known.good else None,
            meta={"row": row} if len(flux) > 1 else {},
        )
        if known.survey:
            record.meta["survey"] = known.survey
        record.describe(header)
        records.append(record)
    return records


def _rows(values: Any, what: str) -> NDArray[np.float64]:
    try:
        rows = np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan)
    except (TypeError, ValueError) as error:
        raise AgnsalError(f"its {what} column does not hold numbers ({error}).") from error
    if rows.ndim > 2:
        raise AgnsalError(f"its {what} column has cells of shape {rows.shape[1:]}; one row of pixels was expected.")
    return np.atleast_2d(rows)


def _axis(
    part: Part, values: NDArray, request: Request, found: Found, roles: Mapping[str, Part], known: Known
) -> NDArray[np.float64]:
    """Wavelengths in Angstrom by the user's unit, the column's, or the layout's."""
    unit = request.axis_unit() or axis_unit(part.unit) or (None if part.unit else known.axis)
    logarithm = part.role == "log10_wavelength" or "log10_wavelength" in request.units
    if unit is None and logarithm and part.unit.lower() in ("", "dex"):
        unit = AxisUnit(u.AA, "log10")  # the logarithmic column is an invention of SDSS, and of Angstrom
    if unit is None:
        columns, units = suggested([part for _, parts in found for part in parts], roles)
        raise refusal(
            f"its wavelength column {part.name!r} has no unit that is understood ({part.unit or None!r}); agnsal does "
            "not guess it",
            found,
            columns,
            units=units,
        )
    if logarithm and unit.scale == "linear":
        unit = AxisUnit(unit.unit, "log10")
    return in_angstrom(values, unit)


def _flux_unit(roles: Mapping[str, Part], header: Facts, request: Request, found: Found, known: Known) -> u.UnitBase:
    """The unit of the flux: the user's, the column's, the header's, or the layout's."""
    part = roles["flux"]
    stated = flux_unit(part.unit) or (None if part.unit else flux_unit(header.get("BUNIT")))
    unit = request.flux_unit() or stated or (None if part.unit else known.flux)
    if unit is None:
        columns, units = suggested([part for _, parts in found for part in parts], roles)
        raise refusal(
            f"its flux column {part.name!r} has no unit that is understood ({part.unit or None!r}), so that F_lambda "
            "cannot be told from F_nu, nor the factor",
            found,
            columns,
            units=units,
        )
    return unit


def _bad(roles: Mapping[str, Part], values: Any, request: Request, known: Known) -> NDArray[np.bool_] | None:
    """True where a mask says bad; None where it is none and the user has named what is meant."""
    part = roles["mask"]
    flags = np.atleast_2d(np.ma.filled(np.ma.asarray(values), 0))
    if flags.dtype.kind not in "biu":
        if flags.dtype.kind != "f" or not (flags[np.isfinite(flags)] % 1 == 0).all():
            if request.columns and "mask" not in request.columns:
                return None  # the user has named what is meant
            columns = {role: each.name for role, each in roles.items() if role != "mask"}
            advice = call(columns)
            raise AgnsalError(f"its mask column {part.name!r} holds no whole numbers, so that it is no mask. {advice}")
        flags = np.where(np.isfinite(flags), flags, 1).astype(np.int64)
    if request.mask == "good" or (request.mask is None and (part.good or known.good)):
        return flags == 0
    return (flags & known.flags) != 0 if known.flags is not None and flags.dtype.kind in "iu" else flags != 0
