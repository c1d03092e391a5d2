"""Emission of an active nucleus: narrow lines, broad Balmer and helium lines, Fe II, Balmer continuum, power law.

Every line is integrated over each bin (error functions), so that its flux is right on any grid, however coarse.
Strengths of narrow lines are those of Seyfert galaxies (Koski 1978, ApJ 223, 56; Osterbrock & Ferland 2006); Balmer
decrements are case B, reddened; Fe II follows the multiplets of Boroson & Green 1992 and Veron-Cetty et al. 2004.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from agnsal.spectra.grid import SPEED_OF_LIGHT

#: Narrow lines: vacuum wavelength, what it scales with, and its usual strength relative to that. Case B Balmer lines.
NARROW_LINES = (
    (6564.61, "balmer", 2.87), (4862.68, "balmer", 1.0), (4341.68, "balmer", 0.468), (4102.89, "balmer", 0.259),
    (3971.20, "balmer", 0.159), (3890.16, "balmer", 0.105), (3836.47, "balmer", 0.073), (3798.98, "balmer", 0.053),
    (3771.70, "balmer", 0.040), (3751.22, "balmer", 0.030), (5008.24, "[O III]", 1.0), (4960.30, "[O III]", 0.335),
    (4364.44, "[O III] 4363", 1.0), (3727.09, "[O II]", 0.45), (3729.88, "[O II]", 0.55), (7321.9, "[O II]", 0.03),
    (7332.2, "[O II]", 0.03), (3869.86, "[Ne III]", 1.0), (3968.59, "[Ne III]", 0.301), (3346.79, "[Ne V]", 0.36),
    (3426.85, "[Ne V]", 1.0), (3759.99, "[Fe VII]", 0.55), (5160.33, "[Fe VII]", 0.3), (5722.30, "[Fe VII]", 0.6),
    (6088.66, "[Fe VII]", 1.0), (4687.02, "He II", 1.0), (3204.0, "He II", 0.4), (3889.75, "He I", 0.6),
    (4472.73, "He I", 0.35), (5877.25, "He I", 1.0), (6680.00, "He I", 0.3), (7067.14, "He I", 0.25),
    (4712.6, "[Ar IV]", 0.55), (4741.5, "[Ar IV]", 0.45), (4069.75, "[S II]", 0.09), (4077.50, "[S II]", 0.03),
    (6718.29, "[S II]", 0.53), (6732.67, "[S II]", 0.47), (5199.34, "[N I]", 0.45), (5201.71, "[N I]", 0.55),
    (5756.19, "[N II]", 0.015), (6549.86, "[N II]", 0.34), (6585.27, "[N II]", 1.0), (6302.05, "[O I]", 1.0),
    (6365.54, "[O I]", 0.32), (7137.8, "[Ar III]", 1.0), (9071.1, "[S III]", 1.0), (9533.2, "[S III]", 2.5),
)  # fmt: skip

#: Broad Balmer lines relative to Hbeta before reddening: case B, but the high ones, which thick clouds make as bright
#: as the Balmer continuum they merge into (Kwan & Krolik 1981, ApJ 250, 478).
BROAD_BALMER = (
    (6564.61, 2.86), (4862.68, 1.0), (4341.68, 0.46), (4102.89, 0.26), (3971.20, 0.19), (3890.16, 0.15),
    (3836.47, 0.12), (3798.98, 0.10),
)  # fmt: skip
#: Broad Mg II relative to broad Hbeta, and broad helium lines relative to one strength.
BROAD_MAGNESIUM = ((2799.12, 1.3),)
BROAD_HELIUM = (
    (4687.02, 1.0), (5877.25, 0.8), (4472.73, 0.15), (3889.75, 0.4), (3204.0, 0.4), (7067.14, 0.3),
)  # fmt: skip

# Fe II: air wavelength and relative strength of the strong members of multiplets 27, 28, 37, 38, 41, 42, 48, 49, ...
_IRON = (
    (3762.9, 1.0), (3783.3, 0.7), (3824.9, 0.5), (3938.3, 0.8), (3974.2, 0.6), (4002.5, 0.5), (4024.6, 0.6),
    (4128.7, 0.5), (4173.5, 1.4), (4178.9, 1.8), (4233.2, 3.0), (4258.2, 0.8), (4273.3, 0.6), (4296.6, 1.4),
    (4303.2, 1.8), (4351.8, 2.1), (4369.4, 0.7), (4385.4, 1.5), (4416.8, 1.6), (4472.9, 0.9), (4489.2, 2.0),
    (4491.4, 2.2), (4508.3, 2.7), (4515.3, 2.7), (4520.2, 2.7), (4522.6, 3.2), (4534.2, 0.8), (4541.5, 1.3),
    (4549.5, 4.2), (4555.9, 3.6), (4576.3, 1.7), (4582.8, 1.6), (4583.8, 5.6), (4620.5, 1.5), (4629.3, 6.3),
    (4666.8, 2.4), (4731.4, 1.4), (4923.9, 5.2), (5018.4, 7.0), (5169.0, 8.0), (5197.6, 5.0), (5234.6, 5.0),
    (5264.8, 3.0), (5276.0, 5.8), (5284.1, 2.2), (5316.6, 8.5), (5325.6, 1.6), (5362.9, 4.0), (5414.1, 1.0),
    (5425.3, 1.6), (5534.8, 2.2), (5991.4, 0.8), (6084.1, 0.8), (6149.3, 1.1), (6247.6, 1.7), (6416.9, 1.0),
    (6432.7, 1.0), (6456.4, 1.8), (6516.1, 1.2),
)  # fmt: skip
_IRON_4570 = (4434.0, 4684.0)
_BALMER_EDGE = 3647.0


def reddening(wavelength: NDArray, colour_excess: NDArray | float) -> NDArray:
    """Transmission of dust relative to that at 5100 A: A(lambda) = 3.1 E(B-V) (lambda / 5500 A)^-1.2.

    The power law lies between the curves of the Milky Way and of the Small Magellanic Cloud (Charlot & Fall 2000).
    """
    curve = 3.1 * ((wavelength / 5500.0) ** -1.2 - (5100.0 / 5500.0) ** -1.2)
    return 10 ** (-0.4 * np.asarray(colour_excess)[..., None] * curve)


def gaussian_line(edges: NDArray, center: NDArray, sigma: NDArray, flux: NDArray, out: NDArray) -> None:
    """Add lines of integrated `flux` to `out`, averaged over each bin.

    Parameters
    ----------
    edges : ndarray, shape (n_bins + 1,)
        Bin edges in Angstrom.
    center, sigma : ndarray, shape (n,)
        In Angstrom.
    flux : ndarray, shape (n,)
        Integrated flux.
    out : ndarray, shape (n, n_bins)
        Changed in place; only the bins within 6 sigma of any line are touched.
    """
    there = flux != 0
    if not there.any():
        return
    if not there.all():
        center, sigma, flux = center[there], sigma[there], flux[there]
    low, high = (center - 6 * sigma).min(), (center + 6 * sigma).max()
    first = max(int(np.searchsorted(edges, low)) - 1, 0)
    last = min(int(np.searchsorted(edges, high)) + 1, edges.size)
    if last - first < 2:
        return
    part = edges[first:last]
    share = np.diff(ndtr((part - center[:, None]) / sigma[:, None]), axis=1)
    out[there, first : last - 1] += flux[:, None] * share / np.diff(part)


def narrow_lines(
    edges: NDArray, strengths: dict[str, NDArray], sigma: NDArray, shift: NDArray, colour_excess: NDArray
) -> NDArray:
    """All narrow lines with one profile each object: sigma and shift in km/s, strengths before reddening.

    Parameters
    ----------
    edges : ndarray, shape (n_bins + 1,)
    strengths : dict of str to ndarray, shape (n,)
        Flux that each group of `NARROW_LINES` scales with, as it would be with the reddening of 5100 A.
    sigma, shift, colour_excess : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n, n_bins)
    """
    out = np.zeros((sigma.size, edges.size - 1))
    for position, group, ratio in NARROW_LINES:
        flux = ratio * strengths[group] * reddening(np.array([position]), colour_excess)[:, 0]
        gaussian_line(edges, position * (1 + shift / SPEED_OF_LIGHT), position * sigma / SPEED_OF_LIGHT, flux, out)
    return out


def broad_lines(
    edges: NDArray,
    lines: Sequence[tuple[float, float]],
    strength: NDArray,
    parts: Sequence[tuple[NDArray, NDArray, NDArray]],
    colour_excess: NDArray,
) -> NDArray:
    """Broad lines whose common profile is a sum of Gaussians.

    Parameters
    ----------
    edges : ndarray, shape (n_bins + 1,)
    lines : sequence of (wavelength, ratio)
    strength : ndarray, shape (n,)
        Integrated flux of a line of ratio 1, as it would be with the reddening of 5100 A.
    parts : sequence of (fraction, shift, sigma), each of shape (n,)
        Parts of the profile; fractions add up to 1, velocities in km/s.
    colour_excess : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n, n_bins)
    """
    out = np.zeros((strength.size, edges.size - 1))
    for position, ratio in lines:
        flux = ratio * strength * reddening(np.array([position]), colour_excess)[:, 0]
        for fraction, shift, sigma in parts:
            center = position * (1 + shift / SPEED_OF_LIGHT)
            gaussian_line(edges, center, position * sigma / SPEED_OF_LIGHT, flux * fraction, out)
    return out


def iron(edges: NDArray, strength: NDArray, sigma: NDArray, shift: NDArray) -> NDArray:
    """Fe II with the width of the broad lines; `strength` is the flux of the 4570 A blend (4434 to 4684 A).

    Parameters
    ----------
    edges : ndarray, shape (n_bins + 1,)
    strength, sigma, shift : ndarray, shape (n,)
        Flux; km/s.

    Returns
    -------
    ndarray, shape (n, n_bins)
    """
    in_blend = sum(ratio for position, ratio in _IRON if _IRON_4570[0] <= position <= _IRON_4570[1])
    out = np.zeros((strength.size, edges.size - 1))
    for air, ratio in _IRON:
        position = air * 1.00028
        center = position * (1 + shift / SPEED_OF_LIGHT)
        gaussian_line(edges, center, position * sigma / SPEED_OF_LIGHT, strength * ratio / in_blend, out)
    return out


def balmer_continuum(edges: NDArray, strength: NDArray, sigma: NDArray) -> NDArray:
    """Balmer continuum at its edge of height `strength`, with the high Balmer lines that merge into it.

    Optically thin at 15000 K (Grandi 1982, ApJ 255, 25); lines from n = 11 to 40, each as bright as the gap it fills.
    """
    center = 0.5 * (edges[1:] + edges[:-1])
    photon = 1.438777e8 / 15000.0 * (1 / center - 1 / _BALMER_EDGE)
    below = np.minimum(np.exp(-photon) * (_BALMER_EDGE / center) ** 2, 1.0)
    width = _BALMER_EDGE * sigma[:, None] / SPEED_OF_LIGHT
    out = strength[:, None] * below * ndtr((_BALMER_EDGE - center) / width)
    for level in range(11, 41):
        # a line of the height of the continuum that fills the gap to the next; the first ones are thinner than that
        position = _BALMER_EDGE / (1 - 4.0 / level**2)
        gap = 8 * _BALMER_EDGE / level**3
        flux = strength * gap * (1 - np.exp(-((level / 10.0) ** 2)))
        gaussian_line(edges, np.full(sigma.size, position), position * sigma / SPEED_OF_LIGHT, flux, out)
    return out


def power_law(edges: NDArray, slope: NDArray, colour_excess: NDArray) -> NDArray:
    """Reddened power law, 1 at 5100 A, at the bin centres.

    Parameters
    ----------
    edges : ndarray, shape (n_bins + 1,)
    slope : ndarray, shape (n,)
        Of F_lambda before reddening.
    colour_excess : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n, n_bins)
    """
    center = 0.5 * (edges[1:] + edges[:-1])
    return (center / 5100.0) ** slope[:, None] * reddening(center, colour_excess)
