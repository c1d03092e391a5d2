"""What an axis counts: wavelength, flux, an output of the model, an attribution, each with its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.figures.text import plain
from agnsal.spectra.grid import WavelengthGrid

if TYPE_CHECKING:
    from matplotlib.axis import Axis

    from agnsal.figures.records import AttributionRecord


def axis_of(grid: WavelengthGrid | None, n_features: int) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Centres, edges and label of the horizontal axis.

    Parameters
    ----------
    grid : WavelengthGrid or None
        Without one, features are counted.
    n_features : int
        Number of features.

    Returns
    -------
    centers : ndarray, shape (n_features,)
    edges : ndarray, shape (n_features + 1,)
    label : str
    """
    if grid is None:
        return np.arange(n_features, dtype=float), np.arange(n_features + 1, dtype=float) - 0.5, "Feature"
    air = " in air" if grid.medium == "air" else ""
    return grid.centers.value, grid.edges.value, f"{grid.frame.capitalize()} wavelength{air} [Å]"


def flux_label(unit: u.UnitBase | None) -> str:
    """Label of a flux axis.

    Parameters
    ----------
    unit : Unit or None
        Of the flux; None where it is not known.

    Returns
    -------
    str

    Examples
    --------
    >>> flux_label(u.dimensionless_unscaled)
    'Relative flux'
    """
    if unit is None:
        return "Flux"
    return "Relative flux" if unit == u.dimensionless_unscaled else f"Flux density [{unit_text(unit)}]"


def output_label(attribution: AttributionRecord, target: Any | None) -> str:
    """Say which output is explained: "P(type 1)", "log-odds(type 1)", "prediction" of a regressor of one value.

    Parameters
    ----------
    attribution : Attribution
        What is drawn.
    target : object or None
        The class; None where several are drawn.

    Returns
    -------
    str
    """
    alone = attribution.output == "prediction" and "n_outputs" not in attribution.provenance
    of = "" if target is None or alone else f"({plain(target)})"
    return {"probability": "P", "log_odds": "log-odds"}.get(attribution.output, attribution.output) + of


def attribution_label(attribution: AttributionRecord, target: Any | None, power: str = "") -> str:
    """Say what the values of an attribution are, with their unit.

    Parameters
    ----------
    attribution : Attribution
        What is drawn.
    target : object or None
        The class; None where several are drawn.
    power : str
        Of ten, that `powers_apart` took from the ticks.

    Returns
    -------
    str
    """
    what = output_label(attribution, target)
    name = plain(attribution.title)
    text = f"Gradient of {what}" if name == "gradient" else f"{name[:1].upper()}{name[1:]}, {what}"
    if attribution.unit != u.dimensionless_unscaled:
        return f"{text} [{unit_text(attribution.unit)}]{power}"
    relative = name == "gradient" and attribution.flux_unit == u.dimensionless_unscaled
    return f"{text}{power}\nper unit of relative flux" if relative else f"{text}{power}"


def error_label(attribution: AttributionRecord) -> str:
    """Say what the standard error of an attribution comes from.

    Parameters
    ----------
    attribution : Attribution
        With an `uncertainty`.

    Returns
    -------
    str
        Such as "standard error (flux, training)".
    """
    return f"standard error ({', '.join(plain(source) for source in attribution.uncertainty or ())})"


def powers_apart(axis: Axis, largest: float) -> str:
    """Take a power of ten from the ticks of an axis; what its label must say for it.

    Parameters
    ----------
    axis : Axis
        Of values that are linear.
    largest : float
        Largest absolute value shown.

    Returns
    -------
    str
        Such as ``" [$10^{-6}$]"``; empty where the ticks can do without.
    """
    power = int(np.floor(np.log10(largest))) if largest > 0 else 0
    if -3 < power < 4:
        return ""
    axis.set_major_formatter(lambda value, _: f"{value / 10.0**power:g}".replace("-", "\N{MINUS SIGN}"))
    return f" [$10^{{{power}}}$]"


def unit_text(unit: u.UnitBase) -> str:
    """Write a unit on one line as matplotlib draws it.

    Parameters
    ----------
    unit : Unit
        Any.

    Returns
    -------
    str
    """
    return str(unit.to_string("latex_inline"))
