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

from agnsal.spectra.starlight import POPULATIONS

#: Fraction of intermediates with broad Halpha whose broad Hbeta is not visible.
HIDDEN_FRACTION = 0.37
#: A broad Hbeta of smaller equivalent width (Angstrom) than this is not visible.
VISIBLE_WIDTH = 1.5


@dataclass(frozen=True)
class AGNClass:
    """Distributions of one class. A pair of a log-normal is (median, scatter in ln), of a beta its two parameters.

    Attributes
    ----------
    label : str
    redshift : (low, high, median)
        Bounds, and median of a normal truncated by them (scatter: a quarter of the range).
    signal_to_noise : (median, scatter)
        Per SDSS pixel of 69 km/s at 5100 A.
    nuclear_fraction : (a, b)
        Beta distribution of the share of the AGN continuum at 5100 A.
    oxygen_width : (median, scatter)
        Equivalent width of [O III] 5007 in Angstrom.
    broad_width : (median, scatter) or None
        Equivalent width of broad Hbeta in Angstrom (type 1: of the AGN continuum alone); None: no broad lines.
    velocity : (median, scatter)
        FWHM of the broad lines in km/s.
    colour_excess : float
        Mean E(B-V) of the AGN continuum (exponential).
    populations : tuple of float
        Dirichlet parameters of the stellar populations.
    """

    label: str
    redshift: tuple[float, float, float]
    signal_to_noise: tuple[float, float]
    nuclear_fraction: tuple[float, float]
    oxygen_width: tuple[float, float]
    broad_width: tuple[float, float] | None
    velocity: tuple[float, float]
    colour_excess: float
    populations: tuple[float, float, float, float]


TYPE1 = AGNClass("type 1", (0.40, 0.75, 0.55), (20.0, 0.45), (4.5, 1.2), (25.0, 0.75), (62.0, 0.40), (4400.0, 0.40),
                 0.05, (1.2, 1.0, 0.6, 0.4))  # fmt: skip
TYPE2 = AGNClass("type 2", (0.02, 0.11, 0.07), (23.0, 0.45), (1.1, 4.0), (18.0, 1.0), None, (3000.0, 0.4),
                 0.15, (1.5, 1.2, 0.6, 0.35))  # fmt: skip
INTERMEDIATE = AGNClass("intermediate", (0.021, 0.10, 0.074), (29.0, 0.40), (1.6, 1.6), (24.0, 0.9), (9.0, 0.55),
                        (4300.0, 0.45), 0.15, (1.5, 1.2, 0.5, 0.25))  # fmt: skip
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
    table["redshift"] = _truncated(random, agn.redshift if redshift_confound else COMMON_REDSHIFT, n)
    table["signal_to_noise"] = np.clip(_log_normal(random, agn.signal_to_noise, n), 4.0, 90.0)
    table["continuum"] = np.clip(_log_normal(random, (25.0, 0.7), n), 3.0, 400.0)
    eigenvector = random.standard_normal(n)  # high: strong Fe II, weak [O III], narrow Hbeta

    table["nuclear_fraction"] = random.beta(*agn.nuclear_fraction, n)
    table["power_law_slope"] = np.clip(random.normal(-1.65, 0.40, n), -2.8, -0.3)
    table["nuclear_reddening"] = np.minimum(random.exponential(agn.colour_excess, n), 1.0) * u.mag
    weights = random.dirichlet(agn.populations, n)
    for name, weight in zip(POPULATIONS, weights.T, strict=True):
        table[f"population_{name.replace('-', '_')}"] = weight
    table["stellar_dispersion"] = np.clip(_log_normal(random, (150.0, 0.35), n), 60.0, 380.0) * u.km / u.s
    table["host_reddening"] = np.minimum(random.exponential(0.12, n), 0.8) * u.mag

    _draw_broad(table, agn, random, eigenvector, hidden)
    _draw_narrow(table, agn, random, eigenvector)
    return table


def _draw_broad(table: QTable, agn: AGNClass, random: np.random.Generator, eigenvector: NDArray, hidden: float) -> None:
    n = len(table)
    fwhm = np.clip(_log_normal(random, agn.velocity, n) * np.exp(-0.2 * eigenvector), 1000.0, 10000.0)
    if agn.broad_width is None:
        alpha = beta = extinction = np.zeros(n)
        concealed = np.zeros(n, dtype=bool)
    else:
        median, scatter = agn.broad_width
        beta = _log_normal(random, (median, scatter), n)
        if agn is INTERMEDIATE:
            # the hidden ones are exactly the asked fraction; what hides Hbeta is dust in front of the broad-line region
            concealed = random.permutation(n) < round(hidden * n)
            alpha = np.clip(_log_normal(random, (90.0, 0.7), n), 12.0, 500.0)
            beta = np.clip(beta, 1.2 * VISIBLE_WIDTH, 0.3 * alpha)
            faint = VISIBLE_WIDTH * random.uniform(0.05, 0.95, n)
            beta = np.where(concealed, np.minimum(faint, 0.1 * alpha), beta)
            # decrement -> E(B-V) between Hbeta and Halpha
            extinction = np.maximum(2.5 * np.log10(alpha / beta / 2.86), 0.0) / _SELECTIVE
            alpha = 2.86 * beta * 10 ** (0.4 * extinction * _SELECTIVE)
        else:
            beta = beta * table["nuclear_fraction"]
            concealed = np.zeros(n, dtype=bool)
            extinction = np.minimum(random.exponential(0.08, n), 0.8)
            alpha = 2.86 * beta * 10 ** (0.4 * extinction * _SELECTIVE)
    table["broad_hbeta_width"] = beta * u.AA
    table["broad_halpha_width"] = alpha * u.AA
    table["broad_hbeta_hidden"] = concealed
    table["broad_reddening"] = extinction * u.mag
    table["broad_fwhm"] = fwhm * u.km / u.s
    table["broad_shift"] = random.normal(0.0, 0.06, n) * fwhm * u.km / u.s
    # a very broad base, redshifted where lines are broad (population B), and two horns in a few discs
    base = np.clip(random.normal(0.40, 0.15, n), 0.0, 0.75)
    table["very_broad_fraction"] = base
    table["very_broad_shift"] = random.normal(0.10, 0.12, n) * fwhm * u.km / u.s
    horns = random.random(n) < (0.12 if agn is TYPE1 else 0.2)
    table["horn_velocity"] = np.where(horns, random.uniform(0.3, 0.6, n), 0.0) * fwhm * u.km / u.s
    table["horn_balance"] = np.clip(random.normal(0.5, 0.12, n), 0.2, 0.8)
    ratio = np.clip(0.45 * np.exp(0.5 * eigenvector + 0.35 * random.standard_normal(n)), 0.02, 2.0)
    table["iron_ratio"] = ratio
    table["helium_ratio"] = np.clip(_log_normal(random, (0.08, 0.6), n), 0.0, 0.4)
    table["balmer_continuum"] = np.clip(random.normal(0.25, 0.12, n), 0.0, 0.7) * (
        0.0 if agn.broad_width is None else 1.0
    )


def _draw_narrow(table: QTable, agn: AGNClass, random: np.random.Generator, eigenvector: NDArray) -> None:
    n = len(table)
    lean = -0.45 if agn is TYPE1 else -0.1
    oxygen = np.clip(_log_normal(random, agn.oxygen_width, n) * np.exp(lean * eigenvector), 1.5, 900.0)
    strong = np.log(oxygen / agn.oxygen_width[0])
    table["oxygen_width"] = oxygen * u.AA
    table["narrow_fwhm"] = np.clip(_log_normal(random, (330.0, 0.28), n), 200.0, 600.0) * u.km / u.s
    table["narrow_shift"] = random.normal(0.0, 60.0 if agn is TYPE1 else 25.0, n) * u.km / u.s
    table["narrow_reddening"] = np.minimum(random.exponential(0.25, n), 1.2) * u.mag
    excitation = 10 ** np.clip(random.normal(0.88 + 0.06 * strong, 0.20, n), 0.3, 1.25)
    table["oxygen_to_hbeta"] = excitation
    ratios = {
        "[O III] 4363": (-1.9, 0.25), "[O II]": (0.0, 0.0), "[Ne III]": (-1.05, 0.15), "[Ne V]": (-1.2, 0.35),
        "[Fe VII]": (-2.0, 0.4),
    }  # fmt: skip
    for group, (mean, scatter) in ratios.items():
        if group != "[O II]":
            table[f"ratio_{group}"] = 10 ** random.normal(mean, scatter, n)
    table["ratio_[O II]"] = 10 ** random.normal(0.45, 0.22, n) / excitation
    for group, mean, scatter in (
        ("He II", -0.75, 0.2), ("He I", -0.90, 0.15), ("[Ar IV]", -1.3, 0.25), ("[S II]", 0.3, 0.18), ("[N I]", -1.0, 0.25),
        ("[N II]", 0.45, 0.18), ("[O I]", -0.35, 0.25), ("[Ar III]", -0.6, 0.2), ("[S III]", 0.1, 0.2),
    ):  # fmt: skip
        table[f"ratio_{group}"] = 10 ** random.normal(mean, scatter, n) / excitation
    wing = np.where(random.random(n) < 0.6, random.uniform(0.1, 0.6, n), 0.0)
    table["wing_fraction"] = wing
    table["wing_fwhm"] = np.clip(_log_normal(random, (950.0, 0.3), n), 600.0, 2200.0) * u.km / u.s
    table["wing_shift"] = -np.abs(random.normal(150.0, 150.0, n)) * u.km / u.s


_SELECTIVE = 3.1 * ((4862.68 / 5500.0) ** -1.2 - (6564.61 / 5500.0) ** -1.2)


def _log_normal(random: np.random.Generator, pair: tuple[float, float], n: int) -> NDArray:
    return pair[0] * np.exp(pair[1] * random.standard_normal(n))


def _truncated(random: np.random.Generator, bounds: tuple[float, float, float], n: int) -> NDArray:
    """Normal deviates around a middle, folded back at the bounds."""
    low, high, middle = bounds
    value = middle + 0.3 * (high - low) * random.standard_normal(n)
    value = np.where(value < low, 2 * low - value, value)
    value = np.where(value > high, 2 * high - value, value)
    return np.clip(value, low, high)
