"""Starlight of the host galaxy: spectra of stellar populations made from black bodies and their absorption lines.

No observed template is used. A population is a mixture of five kinds of stars; a star is a black body behind a smooth
blanket of weak metal lines, the strong Fraunhofer lines (equivalent widths in the Sun: Moore, Minnaert & Houtgast
1966, The Solar Spectrum), Balmer lines, and the molecular bands of CN, CH, C2, MgH and TiO. How strongly each kind of
star shows each of them follows the spectral sequence (Gray & Corbally 2009, Stellar Spectral Classification).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit

from agnsal.spectra.grid import SPEED_OF_LIGHT

#: The populations, from red to blue.
POPULATIONS = ("old", "middle-aged", "post-starburst", "young")
#: Dispersions (km/s) at which the populations are tabulated; between two of them spectra are mixed linearly.
DISPERSIONS = np.array([60.0, 100.0, 140.0, 190.0, 250.0, 330.0, 420.0])
#: Range of the templates in Angstrom (vacuum).
RANGE = (1500.0, 13000.0)

_STEP = 20.0 / SPEED_OF_LIGHT
_WAVELENGTH = RANGE[0] * np.exp(_STEP * np.arange(int(np.log(RANGE[1] / RANGE[0]) / _STEP) + 1))

#: Kinds of stars: temperature (K), strength of metal lines, of Balmer lines, of CN and CH, of MgH, of TiO.
_STARS = {
    "M": (3500.0, 2.0, 0.15, 0.9, 2.0, 1.0),
    "K": (4650.0, 1.75, 0.35, 1.6, 1.3, 0.0),
    "G": (5900.0, 1.0, 0.9, 0.9, 0.3, 0.0),
    "A": (9000.0, 0.2, 4.0, 0.0, 0.0, 0.0),
    "B": (19000.0, 0.04, 1.7, 0.0, 0.0, 0.0),
}
#: Fractions of the light at 5100 A, in the order of `_STARS`.
_MIXTURES = {
    "old": (0.07, 0.68, 0.25, 0.0, 0.0),
    "middle-aged": (0.04, 0.40, 0.46, 0.10, 0.0),
    "post-starburst": (0.02, 0.18, 0.20, 0.55, 0.05),
    "young": (0.02, 0.10, 0.08, 0.30, 0.50),
}

# air wavelength (A) and equivalent width in the Sun (A) of the strong Fraunhofer lines other than Balmer lines
_FRAUNHOFER = (
    (3570.1, 1.4), (3581.2, 2.1), (3608.9, 1.0), (3618.8, 1.4), (3631.5, 1.4), (3647.8, 1.0), (3679.9, 0.5),
    (3706.0, 0.6), (3719.9, 1.7), (3734.9, 3.0), (3737.1, 1.1), (3745.6, 1.2), (3749.5, 1.9), (3758.2, 1.6),
    (3763.8, 0.8), (3787.9, 0.5), (3795.0, 0.6), (3806.7, 0.4), (3815.9, 1.3), (3820.4, 1.7), (3825.9, 1.5),
    (3829.4, 0.9), (3832.3, 1.7), (3838.3, 1.9), (3859.9, 1.6), (3878.0, 0.9), (3886.3, 0.9), (3899.7, 0.5),
    (3905.5, 0.8), (3922.9, 0.4), (3944.0, 0.5), (3961.5, 0.6), (4005.2, 0.4), (4030.8, 0.6), (4045.8, 1.2),
    (4063.6, 0.8), (4071.7, 0.7), (4077.7, 0.4), (4132.1, 0.4), (4143.9, 0.5), (4167.3, 0.2), (4187.4, 0.3),
    (4202.0, 0.3), (4226.7, 1.5), (4236.0, 0.4), (4250.5, 0.7), (4254.3, 0.4), (4260.5, 0.6), (4271.5, 0.9),
    (4289.8, 0.4), (4299.2, 0.3), (4307.9, 0.7), (4314.1, 0.3), (4325.8, 0.5), (4352.7, 0.3), (4383.5, 1.0),
    (4395.1, 0.3), (4404.8, 0.9), (4415.1, 0.4), (4427.3, 0.3), (4435.2, 0.3), (4455.4, 0.5), (4461.7, 0.3),
    (4482.2, 0.3), (4494.6, 0.2), (4501.3, 0.2), (4528.6, 0.3), (4534.0, 0.4), (4549.6, 0.3), (4571.5, 0.3),
    (4603.0, 0.2), (4648.7, 0.2), (4668.0, 0.3), (4703.0, 0.3), (4714.4, 0.2), (4736.8, 0.2), (4754.0, 0.2),
    (4783.4, 0.2), (4823.5, 0.2), (4871.5, 0.4), (4878.2, 0.2), (4891.0, 0.5), (4903.3, 0.2), (4920.5, 0.5),
    (4938.8, 0.2), (4957.6, 0.7), (4983.5, 0.3), (5001.9, 0.3), (5006.5, 0.3), (5012.1, 0.2), (5041.3, 0.4),
    (5051.6, 0.2), (5079.5, 0.3), (5098.6, 0.2), (5110.4, 0.3), (5125.0, 0.2), (5139.4, 0.3), (5167.3, 0.9),
    (5172.7, 1.3), (5183.6, 1.6), (5191.9, 0.3), (5204.5, 0.6), (5227.1, 0.5), (5233.0, 0.3), (5269.5, 0.6),
    (5283.6, 0.2), (5302.3, 0.2), (5324.2, 0.3), (5328.3, 0.5), (5340.7, 0.3), (5371.5, 0.5), (5397.1, 0.3),
    (5405.8, 0.4), (5429.7, 0.4), (5446.9, 0.4), (5455.6, 0.3), (5528.4, 0.3), (5572.8, 0.2), (5586.8, 0.2),
    (5615.6, 0.3), (5709.4, 0.2), (5782.1, 0.2), (5857.5, 0.2), (5890.0, 1.1), (5895.9, 0.9), (6102.7, 0.2),
    (6122.2, 0.3), (6136.7, 0.3), (6162.2, 0.3), (6191.6, 0.2), (6230.7, 0.2), (6252.6, 0.2), (6393.6, 0.2),
    (6439.1, 0.2), (6494.9, 0.4), (6678.0, 0.2), (8498.0, 1.5), (8542.1, 3.7), (8662.1, 2.7), (8806.8, 0.5),
)  # fmt: skip
_CALCIUM = ((3933.66, 20.2, 3.5), (3968.47, 15.5, 3.5))  # air wavelength, equivalent width, half-width of the damping
_BALMER = (
    (6564.61, 3.6), (4862.68, 3.4), (4341.68, 2.9), (4102.89, 3.0), (3971.20, 3.0), (3890.16, 2.5), (3836.47, 2.0),
    (3798.98, 1.5), (3771.70, 1.1), (3751.22, 0.9), (3735.43, 0.7), (3722.99, 0.6), (3712.97, 0.5), (3704.91, 0.4),
)  # fmt: skip
# smooth blanket of weak lines: optical depth in the Sun; between 3720 and 5260 A every 20 A, where no list of lines is
# complete, as it makes these templates fit the median galaxies of half of the real spectra (docs/simulation.md)
_BLANKET_FINE = (
    0.7, 0.63, 0.53, 0.49, 0.61, 0.43, 0.73, 0.55, 0.49, 0.41, 0.4, 0.42, 0.28, 0.22, 0.22, 0.15, 0.15, 0.21,
    0.17, 0.16, 0.19, 0.2, 0.2, 0.22, 0.15, 0.16, 0.18, 0.13, 0.19, 0.2, 0.15, 0.1, 0.17, 0.18, 0.13, 0.08,
    0.08, 0.11, 0.05, 0.01, 0.03, 0.07, 0.02, 0.02, 0.05, 0, 0.06, 0.02, 0.08, 0.06, 0.04, 0.04, 0.04, 0.03,
    0.02, 0, 0.05, 0.05, 0.06, 0.01, 0.06, 0.03, 0, 0.07, 0.05, 0.12, 0.07, 0.04, 0.09, 0.06, 0.07, 0.09, 0.1,
    0.05, 0.04, 0.08, 0.04, 0.09,
)  # fmt: skip
_BLANKET = np.array([
    (1500, 1.6), (2600, 1.2), (3000, 0.75), (3400, 0.45), (3700, 0.42),
    *zip(range(3720, 5261, 20), _BLANKET_FINE, strict=True),
    (5400, 0.05), (5700, 0.03), (6500, 0.015), (8000, 0.01), (13000, 0.0),
])  # fmt: skip
_TITANIUM_OXIDE = ((4761, 0.3), (4954, 0.5), (5167, 0.5), (5448, 0.5), (5862, 0.5), (6158, 0.7), (6651, 0.5),
                   (7053, 1.0), (7589, 0.8), (8432, 0.5), (8859, 0.5))  # fmt: skip


def vacuum(air: NDArray | float) -> NDArray:
    """Vacuum wavelength of an air wavelength, both in Angstrom (Morton 1991, iterated once: good to 0.001 A)."""
    air = np.asarray(air, dtype=np.float64)
    wavelength = air
    for _ in range(3):
        s = (1e4 / wavelength) ** 2
        wavelength = air * (1.0 + 6.4328e-5 + 2.94981e-2 / (146.0 - s) + 2.5540e-4 / (41.0 - s))
    return wavelength


def _gauss(position: float, strength: float, sigma: float = 1.3) -> NDArray:
    """Optical depth of a weak line of that equivalent width (A) on the template axis."""
    x = (_WAVELENGTH - position) / sigma
    depth = np.zeros_like(x)
    near = np.abs(x) < 8
    depth[near] = strength / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * x[near] ** 2)
    return depth


def _damped(position: float, strength: float, half_width: float) -> NDArray:
    """Optical depth of a damped line: a Lorentzian cut off far from its centre."""
    x = (_WAVELENGTH - position) / half_width
    return strength / (np.pi * half_width) / (1 + x**2) * np.exp(-np.abs(x) / 12)


def _band(head: float, depth: float, length: float) -> NDArray:
    """Optical depth of a band with a sharp head that fades over `length` Angstrom (negative: to the blue)."""
    x = (_WAVELENGTH - head) / length
    return depth * np.where(x >= 0, np.exp(-np.maximum(x, 0)), 0.0)


@lru_cache(maxsize=1)
def _depths() -> tuple[NDArray, ...]:
    """Optical depths of metals, Balmer lines, CN and CH, MgH and C2, TiO, on the template axis."""
    metals = np.interp(_WAVELENGTH, _BLANKET[:, 0], _BLANKET[:, 1])
    for position, width in _FRAUNHOFER:
        metals = metals + _gauss(float(vacuum(position)), width)
    for position, width, half in _CALCIUM:
        metals = metals + _damped(float(vacuum(position)), width, half)
    balmer = np.zeros_like(metals)
    for position, width in _BALMER:
        balmer += _damped(position, width, 5.0)
    cyanogen = _band(3884.5, 0.25, -22.0) + _band(4216.7, 0.12, -65.0) + _gauss(4301.0, 6.0, 9.0)
    hydride = _band(5212.0, 0.10, -90.0) + _band(4715.0, 0.05, -50.0)
    oxide = np.sum([_band(float(vacuum(head)), depth, 110.0) for head, depth in _TITANIUM_OXIDE], axis=0)
    return metals, balmer, cyanogen, hydride, oxide


def _star(kind: str) -> NDArray:
    temperature, *strengths = _STARS[kind]
    x = 1.438777e8 / _WAVELENGTH / temperature
    body = _WAVELENGTH**-5.0 / np.expm1(x)
    if kind in "AB":
        # the Balmer jump of hot stars
        body *= 1 - (0.6 if kind == "A" else 0.3) * expit((3690.0 - _WAVELENGTH) / 12.0)
    depth = np.sum([strength * part for strength, part in zip(strengths, _depths(), strict=True)], axis=0)
    flux = body * np.exp(-depth)
    return flux / np.interp(5100.0, _WAVELENGTH, flux)


@lru_cache(maxsize=1)
def _templates() -> NDArray:
    """Cumulative integrals of all populations at all dispersions, shape (populations, dispersions, wavelengths)."""
    stars = np.array([_star(kind) for kind in _STARS])
    populations = np.array([_MIXTURES[name] for name in POPULATIONS]) @ stars
    smooth = [gaussian_filter1d(populations, s / 20.0, axis=1, mode="nearest") for s in DISPERSIONS]
    flux = np.stack(smooth, axis=1)
    level = flux[:, :, np.abs(_WAVELENGTH - 5100.0) < 25.0].mean(axis=2, keepdims=True)
    flux = flux / level
    steps = 0.5 * (flux[..., 1:] + flux[..., :-1]) * np.diff(_WAVELENGTH)
    return np.concatenate([np.zeros((*flux.shape[:2], 1)), np.cumsum(steps, axis=2)], axis=2)


def starlight(edges: NDArray, weights: NDArray, dispersion: NDArray) -> NDArray:
    """Mean flux density of mixed populations in each bin.

    Parameters
    ----------
    edges : ndarray, shape (n_bins + 1,)
        Rest-frame vacuum edges in Angstrom, within `RANGE`.
    weights : ndarray, shape (n, 4)
        Light of each of the `POPULATIONS` at 5100 A (mean of 5075 to 5125 A).
    dispersion : ndarray, shape (n,)
        Velocity dispersion in km/s, the instrument's included; held within `DISPERSIONS`.

    Returns
    -------
    ndarray, shape (n, n_bins)
    """
    cumulative = _templates()
    at_edges = np.array([[np.interp(edges, _WAVELENGTH, row) for row in rows] for rows in cumulative])
    binned = np.diff(at_edges, axis=2) / np.diff(edges)
    place = np.interp(dispersion, DISPERSIONS, np.arange(DISPERSIONS.size))
    lower = np.minimum(place.astype(int), DISPERSIONS.size - 2)
    share = np.zeros((len(weights), DISPERSIONS.size))
    row = np.arange(len(weights))
    share[row, lower], share[row, lower + 1] = 1 - (place - lower), place - lower
    mixture = (weights[:, :, None] * share[:, None, :]).reshape(len(weights), -1)
    return mixture @ binned.reshape(mixture.shape[1], -1)
