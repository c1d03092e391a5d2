"""Errors of every kind, in any unit that fits, as inverse variances; magnitudes as flux."""

from __future__ import annotations

import re
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.meaning.roles import UNCERTAINTIES, Role
from agnsal.spectra.files.meaning.units import flux_unit, not_ampere


def inverse_variance(values: Any, role: Role) -> NDArray[np.float64]:
    """Inverse variance from an ``"error"``, a ``"variance"`` or itself; 0 where an error is none.

    Examples
    --------
    >>> inverse_variance([0.5, 0.0], "error")
    array([4., 0.])
    """
    row = np.asarray(values, dtype=np.float64)
    if role == "ivar":
        return row
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(np.isfinite(row) & (row > 0), 1.0 / (row if role == "variance" else row**2), 0.0)


def ivar_factor(text: Any, unit: u.UnitBase, role: Role) -> float | None:
    """What brings an inverse variance out of errors in `text` to the `unit` of the flux; None where they do not fit.

    Errors that state no unit are in that of the flux.

    Examples
    --------
    >>> ivar_factor("mJy", u.Jy, "error"), ivar_factor("mJy", u.AA, "error")
    (1000000.0, None)
    """
    if text is None or str(text).strip().lower() in ("", "none", "-", "--") or isinstance(unit, u.MagUnit):
        return 1.0
    power = UNCERTAINTIES[role]
    for candidate in (_any_unit(text), _power(text), flux_unit(text)):
        if candidate is not None and candidate.is_equivalent(unit**power):
            factor = float(candidate.to(unit**power))
            return factor if power == -2 else factor ** (-2.0 / power)
    return None


def is_share(text: Any) -> bool:
    """Whether errors are stated as shares of the flux: per cent, or pure numbers."""
    unit = _any_unit(text)
    return unit is not None and unit.is_equivalent(u.dimensionless_unscaled)


def _any_unit(text: Any) -> u.UnitBase | None:
    try:
        unit = not_ampere(u.Unit(text))
    except (ValueError, TypeError):
        return None
    return None if isinstance(unit, u.MagUnit) else unit


def _power(text: Any) -> u.UnitBase | None:
    """A power of a unit of flux as headers write it: ``(erg/s/cm2/A)**2``."""
    inner = re.fullmatch(r"\s*\((.*)\)\s*(?:\*\*|\^)?\s*\(?([-+]?\d)\)?\s*", str(text))
    unit = flux_unit(inner[1]) if inner else None
    return None if unit is None or inner is None or isinstance(unit, u.MagUnit) else unit ** int(inner[2])


def from_magnitudes(
    values: NDArray, ivar: NDArray | None, unit: u.MagUnit
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Flux density in Jy from AB magnitudes, with its inverse variance."""
    if unit.physical_unit != u.AB:
        raise AgnsalError("its flux is in ST magnitudes; convert them to flux density.")
    flux = u.Magnitude(values, unit).to_value(u.Jy)
    return flux, None if ivar is None else ivar / (0.4 * np.log(10.0) * flux) ** 2
