"""Physical parameters of simulated AGN: how often what occurs in each class.

Redshifts and signal-to-noise follow the sample of Peruzzi et al. 2021: quasars of Marziani et al. 2013 (type 1),
Seyfert galaxies of Vaona et al. 2012 (type 2 and intermediate). Correlations of eigenvector 1 (Boroson & Green 1992)
tie Fe II, [O III] and the width of Hbeta together.
"""

from __future__ import annotations

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr

from agnsal.spectra.simulation.starlight import POPULATIONS

#: Fraction of intermediates with broad Halpha whose broad Hbeta is not visible.
HIDDEN_FRACTION = 0.37
#: A broad Hbeta of smaller equivalent width (Angstrom) than this is not visible.
VISIBLE_WIDTH = 1.5
# Strong nuclei have strong lines, for the same host dilutes both, and younger hosts (Kauffmann et al. 2003, MNRAS 346,
# 1055): the correlation of ln of equivalent widths with the activity, and ln of the light of populations by it.
_WITH_ACTIVITY = 0.65
_YOUNGER = 0.4
#: Broad lines of the hidden are that much narrower: broad Halpha is found down to smaller widths than a weak Hbeta is.
HIDDEN_VELOCITY_RATIO = 0.4
#: Their nuclear light, as parameters of a beta distribution: dust that hides the broad Hbeta hides most of the nucleus.
HIDDEN_NUCLEAR_FRACTION = (1.0, 4.0)


@dataclass(frozen=True)
class AGNClass:
    """Distributions of one class. A log-normal is given by (median, scatter in ln), a beta by its two parameters.

    Attributes
    ----------
    label : str
    redshift : (low, high, middle)
        Bounds and middle of a normal distribution folded back at them (scatter: 0.3 of the range).
    signal_to_noise : (median, scatter)
        Per SDSS pixel of 69 km/s at 5100 A.
    nuclear_fraction : (a, b)
        Beta distribution of the share of the AGN continuum at 5100 A.
    nuclear_reddening : float
        Mean E(B-V) of the AGN continuum (exponential).
    populations : tuple of float
        Dirichlet parameters of the stellar populations.
    oxygen_width : (median, scatter)
        Equivalent width of [O III] 5007 in Angstrom.
    excitation : float
        Mean log of [O III] 5007 / narrow Hbeta.
    oxygen_lean : float
        How much ln of the width of [O III] changes with eigenvector 1.
    narrow_velocity : float
        Median FWHM of the narrow lines in km/s.
    redshift_error : float
        Scale of the errors of the redshift in km/s (Student's t with 3 degrees of freedom).
    broad_width : (median, scatter) or None
        Equivalent width of broad Hbeta in Angstrom; None: no broad lines.
    broad_floor : float
        Of a class that is defined by its broad lines, the least equivalent width of broad Hbeta in Angstrom; its
        `broad_width` is that of the AGN continuum alone. 0: broad Hbeta is reddened and may be hidden.
    broad_velocity : (median, scatter)
        FWHM of the broad lines in km/s.
    base_shift : float
        Mean shift of the very broad base, in units of the FWHM.
    horns : float
        Fraction of objects whose broad lines have two horns, as discs have (Strateva et al. 2003).
    """

    label: str
    redshift: tuple[float, float, float]
    signal_to_noise: tuple[float, float]
    nuclear_fraction: tuple[float, float]
    nuclear_reddening: float
    populations: tuple[float, float, float, float]
    oxygen_width: tuple[float, float]
    excitation: float
    oxygen_lean: float = -0.1
    narrow_velocity: float = 420.0
    redshift_error: float = 35.0
    broad_width: tuple[float, float] | None = None
    broad_floor: float = 0.0
    broad_velocity: tuple[float, float] = (3000.0, 0.4)
    base_shift: float = 0.0
    horns: float = 0.25


TYPE1 = AGNClass(
    "type 1",
    redshift=(0.40, 0.75, 0.55),
    signal_to_noise=(18.0, 0.5),
    nuclear_fraction=(4.0, 1.2),
    nuclear_reddening=0.08,
    populations=(1.2, 1.0, 0.6, 0.4),
    oxygen_width=(19.0, 1.0),
    excitation=1.05,
    oxygen_lean=-0.45,
    narrow_velocity=410.0,
    redshift_error=50.0,
    broad_width=(95.0, 0.36),
    broad_floor=25.0,
    broad_velocity=(4300.0, 0.45),
    base_shift=0.25,
    horns=0.12,
)
TYPE2 = AGNClass(
    "type 2",
    redshift=(0.02, 0.11, 0.07),
    signal_to_noise=(18.0, 0.6),
    nuclear_fraction=(0.7, 8.0),
    nuclear_reddening=0.3,
    populations=(1.2, 0.9, 0.6, 0.4),
    oxygen_width=(19.0, 1.25),
    excitation=0.65,
)
INTERMEDIATE = AGNClass(
    "intermediate",
    redshift=(0.021, 0.10, 0.074),
    signal_to_noise=(29.0, 0.42),
    nuclear_fraction=(2.0, 2.0),
    nuclear_reddening=0.3,
    populations=TYPE2.populations,
    oxygen_width=(30.0, 1.4),
    excitation=0.7,
    broad_width=(34.0, 0.5),
    broad_velocity=(9500.0, 0.3),
    horns=0.75,
)
#: In the order of the arguments of `simulate_agn`.
CLASSES = (TYPE1, TYPE2, INTERMEDIATE)
#: Shared by all classes when the confound with redshift is switched off.
COMMON_REDSHIFT = (0.02, 0.75, 0.25)


def draw_population(
    agn: AGNClass,
    n: int,
    random: np.random.Generator,
    *,
    redshift_confound: bool = True,
    hidden: float = HIDDEN_FRACTION,
) -> QTable:
    """Draw the physical parameters of `n` objects of a class.

    Parameters
    ----------
    agn : AGNClass
    n : int
    random : Generator
    redshift_confound : bool
        False draws redshifts from one distribution for all classes.
    hidden : float
        Fraction of objects (of a class with weak broad lines) whose broad Hbeta is not visible.

    Returns
    -------
    QTable
        One row an object; fluxes and equivalent widths are relative to the continuum at 5100 A.
    """
    table = QTable()
    table["label"] = np.full(n, agn.label, dtype="U12")
    table["kind"] = np.full(n, agn.label, dtype="U12")
    table["redshift"] = _truncated(random, agn.redshift if redshift_confound else COMMON_REDSHIFT, n)
    table["signal_to_noise"] = np.clip(_log_normal(random, agn.signal_to_noise, n), 4.0, 90.0)
    table["continuum"] = np.clip(_log_normal(random, (25.0, 0.7), n), 3.0, 400.0)
    eigenvector = random.standard_normal(n)  # high: strong Fe II, weak [O III], narrow Hbeta
    table["eigenvector"] = eigenvector

    # how much the nucleus outshines its host, as a standard normal deviate: what goes with it, goes together
    activity = random.standard_normal(n)
    table["activity"] = activity
    table["nuclear_fraction"] = _nuclear_fraction(agn.nuclear_fraction, activity)
    table["power_law_slope"] = np.clip(random.normal(-1.6, 0.50, n), -3.0, -0.2)
    table["nuclear_reddening"] = np.minimum(random.exponential(agn.nuclear_reddening, n), 1.0) * u.mag
    weights = random.dirichlet(agn.populations, n) * np.exp(_YOUNGER * activity[:, None] * [-1.0, -1.0, 1.0, 1.0])
    weights /= weights.sum(axis=1, keepdims=True)
    for name, weight in zip(POPULATIONS, weights.T, strict=True):
        table[f"population_{name.replace('-', '_')}"] = weight
    table["stellar_dispersion"] = np.clip(_log_normal(random, (150.0, 0.35), n), 60.0, 380.0) * _SPEED
    table["host_reddening"] = np.minimum(random.exponential(0.08, n), 0.8) * u.mag

    _draw_broad(table, agn, random, eigenvector, hidden)
    _draw_narrow(table, agn, random, eigenvector)
    return table


def _draw_broad(table: QTable, agn: AGNClass, random: np.random.Generator, eigenvector: NDArray, hidden: float) -> None:
    """Broad lines, Fe II and Balmer continuum: strengths, reddening, profile."""
    n = len(table)
    velocity = _log_normal(random, agn.broad_velocity, n) * np.exp(-0.2 * eigenvector)
    concealed = np.zeros(n, dtype=bool)
    beta = extinction = np.zeros(n)
    if agn.broad_width is not None:
        if agn.broad_floor:
            beta = _log_normal(random, agn.broad_width, n)
            beta = np.maximum(beta * table["nuclear_fraction"], agn.broad_floor)
            extinction = np.minimum(random.exponential(0.08, n), 0.8)
        else:
            concealed = random.permutation(n) < round(hidden * n)
            beta = np.clip(_log_normal(random, agn.broad_width, n, table["activity"]), 1.2 * VISIBLE_WIDTH, 120.0)
            decrement = np.maximum(_log_normal(random, (8.0, 0.4), n), 3.5)
            alpha = np.where(concealed, _log_normal(random, (50.0, 0.6), n, table["activity"]), decrement * beta)
            alpha = np.clip(alpha, 12.0, 800.0)
            faint = np.minimum(VISIBLE_WIDTH * random.uniform(0.05, 0.95, n), 0.1 * alpha)
            beta = np.where(concealed, faint, beta)
            velocity = np.where(concealed, HIDDEN_VELOCITY_RATIO * velocity, velocity)
            nucleus = _nuclear_fraction(HIDDEN_NUCLEAR_FRACTION, table["activity"])
            table["nuclear_fraction"] = np.where(concealed, nucleus, table["nuclear_fraction"])
            # what weakens or hides Hbeta is dust: the decrement gives its E(B-V)
            extinction = np.maximum(2.5 * np.log10(alpha / beta / _DECREMENT), 0.0) / _SELECTIVE
    velocity = np.clip(velocity, 1000.0, 10000.0)
    table["broad_hbeta_width"] = beta * u.AA
    table["broad_halpha_width"] = _DECREMENT * beta * 10 ** (0.4 * extinction * _SELECTIVE) * u.AA
    table["broad_hbeta_hidden"] = concealed
    table["broad_reddening"] = extinction * u.mag
    table["broad_fwhm"] = velocity * _SPEED
    table["broad_shift"] = random.normal(0.0, 0.06, n) * velocity * _SPEED
    # a very broad base, mostly redshifted (population B of Sulentic et al. 2000)
    table["very_broad_fraction"] = np.clip(random.normal(0.40, 0.15, n), 0.0, 0.8)
    table["very_broad_shift"] = random.normal(agn.base_shift, 0.20, n) * velocity * _SPEED
    horned = random.random(n) < agn.horns
    table["horn_velocity"] = np.where(horned, random.uniform(0.3, 0.6, n), 0.0) * velocity * _SPEED
    table["horn_balance"] = np.clip(random.normal(0.55, 0.12, n), 0.2, 0.85)
    iron = 0.28 * np.exp(0.5 * eigenvector + 0.45 * random.standard_normal(n))
    table["iron_ratio"] = np.clip(iron, 0.02, 2.0)
    table["helium_ratio"] = np.clip(_log_normal(random, (0.08, 0.6), n), 0.0, 0.4)
    balmer = np.clip(random.normal(0.60, 0.20, n), 0.0, 1.2)
    table["balmer_continuum"] = np.zeros(n) if agn.broad_width is None else balmer


def _draw_narrow(table: QTable, agn: AGNClass, random: np.random.Generator, eigenvector: NDArray) -> None:
    """Narrow lines: strengths relative to [O III] 5007, reddening, profile."""
    n = len(table)
    oxygen = _log_normal(random, agn.oxygen_width, n, table["activity"]) * np.exp(agn.oxygen_lean * eigenvector)
    oxygen = np.clip(oxygen, 1.5, 900.0)
    strong = np.log(oxygen / agn.oxygen_width[0])
    table["oxygen_width"] = oxygen * u.AA
    table["narrow_fwhm"] = np.clip(_log_normal(random, (agn.narrow_velocity, 0.35), n), 200.0, 600.0) * _SPEED
    table["narrow_shift"] = np.clip(random.standard_t(3, n), -6.0, 6.0) * agn.redshift_error * _SPEED
    table["narrow_reddening"] = np.minimum(random.exponential(0.40, n), 1.5) * u.mag
    excitation = 10 ** np.clip(random.normal(agn.excitation, 0.23, n) + 0.05 * strong, 0.3, 1.3)
    table["oxygen_to_hbeta"] = excitation
    for group, mean, scatter in _RATIOS_TO_OXYGEN:
        table[f"ratio_{group}"] = 10 ** random.normal(mean, scatter, n)
    for group, mean, scatter in _RATIOS_TO_HBETA:
        table[f"ratio_{group}"] = 10 ** random.normal(mean, scatter, n) / excitation
    winged = random.random(n) < 0.7
    table["wing_fraction"] = np.where(winged, random.uniform(0.05, 0.6, n), 0.0)
    table["wing_fwhm"] = np.clip(_log_normal(random, (950.0, 0.3), n), 600.0, 2200.0) * _SPEED
    table["wing_shift"] = -np.abs(random.normal(150.0, 150.0, n)) * _SPEED


# log of the strength relative to [O III] 5007, or to narrow Hbeta, before reddening: mean and scatter
_RATIOS_TO_OXYGEN = (
    ("[O III] 4363", -1.60, 0.30),
    ("[Ne III]", -0.85, 0.20),
    ("[Ne V]", -1.20, 0.35),
    ("[Fe VII]", -2.00, 0.40),
)
_RATIOS_TO_HBETA = (
    ("[O II]", 0.45, 0.22),
    ("He II", -0.75, 0.20),
    ("He I", -0.90, 0.15),
    ("[Ar IV]", -1.30, 0.25),
    ("[S II]", 0.30, 0.18),
    ("[N I]", -1.00, 0.25),
    ("[N II]", 0.45, 0.18),
    ("[O I]", -0.35, 0.25),
    ("[Ar III]", -0.60, 0.20),
    ("[S III]", 0.10, 0.20),
)
_SPEED = u.km / u.s
# Halpha / Hbeta of the broad lines without dust, and magnitudes between them per magnitude of E(B-V)
_DECREMENT = 2.86
_SELECTIVE = 3.1 * ((4862.68 / 5500.0) ** -1.2 - (6564.61 / 5500.0) ** -1.2)


def _log_normal(
    random: np.random.Generator, pair: tuple[float, float], n: int, activity: NDArray | None = None
) -> NDArray:
    """Log-normal deviates of a given median and scatter in ln, part of which goes with the activity, if given."""
    deviate = random.standard_normal(n)
    if activity is not None:
        deviate = _WITH_ACTIVITY * activity + np.sqrt(1 - _WITH_ACTIVITY**2) * deviate
    return pair[0] * np.exp(pair[1] * deviate)


def _nuclear_fraction(pair: tuple[float, float], activity: NDArray) -> NDArray:
    """Deviates of a beta distribution, in the order of the activity."""
    return betaincinv(*pair, ndtr(np.asarray(activity)))


def _truncated(random: np.random.Generator, bounds: tuple[float, float, float], n: int) -> NDArray:
    """Normal deviates around a middle, folded back at the bounds."""
    low, high, middle = bounds
    value = middle + 0.3 * (high - low) * random.standard_normal(n)
    value = np.where(value < low, 2 * low - value, value)
    value = np.where(value > high, 2 * high - value, value)
    return np.clip(value, low, high)
