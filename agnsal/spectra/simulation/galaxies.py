"""Galaxies without an active nucleus, and those with a little of one: how often what occurs in each kind.

Their narrow lines follow the diagram of Baldwin, Phillips & Terlevich 1981: star-forming galaxies along the sequence of
metallicity of Kewley et al. 2013 (ApJ 774, 100), composites between the borders of Kauffmann et al. 2003 (MNRAS 346,
1055) and Kewley et al. 2001 (ApJ 556, 121), LINER-like ones where old stars ionise the gas (Cid Fernandes et al. 2011,
MNRAS 413, 1687): weak lines, [N II] as strong as Halpha.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack
from numpy.typing import NDArray

from agnsal.spectra.simulation.population import AGNClass, draw_population


@dataclass(frozen=True)
class GalaxyKind:
    """Distributions of one kind of galaxy.

    Attributes
    ----------
    name : str
    populations : tuple of float
        Dirichlet parameters of the stellar populations.
    beta_width : (median, scatter in ln)
        Equivalent width of narrow Hbeta in Angstrom, the absorption below it filled.
    nitrogen : (mean, scatter)
        log of [N II] 6585 / Halpha.
    label : str
    """

    name: str
    populations: tuple[float, float, float, float]
    beta_width: tuple[float, float]
    nitrogen: tuple[float, float]
    label: str = "galaxy"


#: Redshift, signal-to-noise and kinematics of all kinds. What `draw_population` draws for its nucleus is not kept.
_GALAXY = AGNClass(
    "galaxy",
    redshift=(0.01, 0.25, 0.08),
    signal_to_noise=(18.0, 0.5),
    nuclear_fraction=(1.0, 1.0),
    nuclear_reddening=0.0,
    populations=(1.0, 1.0, 1.0, 1.0),
    oxygen_width=(1.0, 0.0),
    excitation=0.0,
    narrow_velocity=320.0,
)
STAR_FORMING = GalaxyKind("star-forming", (0.4, 0.7, 1.5, 1.5), (7.0, 1.0), (-0.55, 0.28))
PASSIVE = GalaxyKind("passive", (4.0, 1.8, 0.15, 0.05), (0.12, 0.6), (0.0, 0.12))
LINER = GalaxyKind("LINER-like", (3.5, 1.5, 0.2, 0.1), (0.8, 0.5), (0.05, 0.12))
COMPOSITE = GalaxyKind("composite", (1.2, 1.2, 1.2, 0.4), (2.0, 0.6), (-0.17, 0.08), "composite")
#: Kinds of galaxies without an active nucleus, and how many of each there are.
GALAXIES = ((STAR_FORMING, 0.45), (PASSIVE, 0.35), (LINER, 0.2))


def draw_galaxies(
    n_galaxy: int, n_composite: int, random: np.random.Generator, *, redshift_confound: bool = True
) -> QTable:
    """Draw the physical parameters of galaxies, in the columns of `draw_population`.

    Parameters
    ----------
    n_galaxy, n_composite : int
        Galaxies without an active nucleus (star-forming, passive, LINER-like), and composites.
    random : Generator
    redshift_confound : bool
        False draws redshifts from the distribution that AGN then share.

    Returns
    -------
    QTable
        One row an object; the column ``kind`` says which it is.
    """
    streams = random.spawn(len(GALAXIES) + 1)
    ends = np.round(np.cumsum([0.0, *(share for _, share in GALAXIES)]) * n_galaxy).astype(int)
    kinds = [*((kind, n) for (kind, _), n in zip(GALAXIES, np.diff(ends), strict=True)), (COMPOSITE, n_composite)]
    drawn = zip(kinds, streams, strict=True)
    return vstack([_draw(kind, int(n), stream, redshift_confound) for (kind, n), stream in drawn if n])


def _draw(kind: GalaxyKind, n: int, random: np.random.Generator, redshift_confound: bool) -> QTable:
    stars = replace(_GALAXY, label=kind.label, populations=kind.populations)
    table = draw_population(stars, n, random, redshift_confound=redshift_confound)
    table["kind"] = np.full(n, kind.name, dtype="U12")
    table["nuclear_fraction"] = np.zeros(n)
    nitrogen = np.clip(random.normal(*kind.nitrogen, n), -1.3, 0.4)
    excitation = _excitation(kind, nitrogen, random)
    beta = np.clip(kind.beta_width[0] * np.exp(kind.beta_width[1] * random.standard_normal(n)), 0.0, 60.0)
    before = np.asarray(table["oxygen_to_hbeta"])
    table["oxygen_to_hbeta"] = 10**excitation
    table["oxygen_width"] = beta * 10**excitation * u.AA
    for name in [name for name in table.colnames if name.startswith("ratio_")]:
        # ratios to Hbeta are kept, as are [O III] 4363 and [Ne III] relative to [O III] 5007
        if name not in ("ratio_[O III] 4363", "ratio_[Ne III]"):
            table[name] = table[name] * before / 10**excitation
    table["ratio_[N II]"] = 2.87 * 10 ** (nitrogen - excitation)
    # what only a nucleus ionises; gas that rotates has no wing
    for name in ("ratio_[Ne V]", "ratio_[Fe VII]", "ratio_He II", "ratio_[Ar IV]"):
        table[name] = table[name] * (0.2 if kind is COMPOSITE else 0.0)
    table["wing_fraction"] = table["wing_fraction"] * (0.5 if kind is COMPOSITE else 0.0)
    return table


def _excitation(kind: GalaxyKind, nitrogen: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Log of [O III] 5007 / Hbeta that goes with log of [N II] / Halpha."""
    if kind is STAR_FORMING:
        return 0.61 / (np.minimum(nitrogen, -0.2) + 0.08) + 1.1 + 0.1 * random.standard_normal(nitrogen.size)
    if kind is COMPOSITE:
        inner = 0.61 / (np.minimum(nitrogen, -0.05) - 0.05) + 1.3
        outer = 0.61 / (nitrogen - 0.47) + 1.19
        inner = np.maximum(inner, -0.6)
        return inner + (outer - inner) * random.uniform(0.1, 0.9, nitrogen.size)
    return random.normal(0.15, 0.17, nitrogen.size)
