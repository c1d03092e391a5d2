"""What the telescope adds to a spectrum: resolution, noise, residuals of sky lines, flux calibration, bad pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agnsal.spectra.grid import SPEED_OF_LIGHT

#: SDSS: dispersion of the line spread function and width of a pixel, both in km/s.
RESOLUTION = 69.0
PIXEL = 69.0
#: Sky lines whose subtraction leaves residuals: observed vacuum wavelength (A), typical size in units of the noise.
SKY_LINES = ((5578.89, 7.0), (5892.9, 1.5), (6302.05, 2.0), (6365.5, 1.0))
# OH bands of the night sky: centre, half-width (A), brightness relative to the dark sky
_HYDROXYL = ((6870, 60, 0.5), (7300, 90, 1.0), (7780, 120, 1.5), (8370, 130, 2.2), (8880, 150, 3.0), (9370, 130, 3.0),
             (9800, 200, 3.0))  # fmt: skip
# throughput of the SDSS spectrographs with atmosphere, relative to its peak
_THROUGHPUT = np.array([
    (3000, 0.05), (3600, 0.08), (3800, 0.22), (4000, 0.42), (4300, 0.62), (4700, 0.75), (5200, 0.85), (5700, 0.88),
    (5950, 0.78), (6150, 0.85), (6500, 0.97), (7000, 1.0), (7500, 0.95), (8000, 0.87), (8500, 0.72), (9000, 0.50),
    (9300, 0.33), (10000, 0.20), (10500, 0.10), (13000, 0.05),
])  # fmt: skip


@dataclass(frozen=True)
class Exposure:
    """An observed sample: flux and inverse variance, and the mask of bad bins, each of shape (n, n_bins)."""

    flux: NDArray[np.float64]
    ivar: NDArray[np.float64]
    mask: NDArray[np.bool_]


def noise_level(
    model: NDArray, continuum: NDArray, edges: NDArray, redshift: NDArray, signal_to_noise: NDArray
) -> NDArray:
    """Standard deviation in each bin.

    Photons of the object and of the sky through the throughput of the spectrograph, scaled so that the
    signal-to-noise at 5100 A (rest frame) per pixel of 69 km/s is the one asked for; wider bins have less noise.

    Parameters
    ----------
    model : ndarray, shape (n, n_bins)
        Noiseless flux density.
    continuum, redshift, signal_to_noise : ndarray, shape (n,)
        Flux density at 5100 A; redshift; as above.
    edges : ndarray, shape (n_bins + 1,)
        Rest frame, Angstrom.

    Returns
    -------
    ndarray, shape (n, n_bins)
    """
    center = 0.5 * (edges[1:] + edges[:-1])
    observed = center * (1 + redshift[:, None])
    relative = np.maximum(model / continuum[:, None], 0.05)
    variance = _variance(observed, relative)
    reference = _variance(5100.0 * (1 + redshift[:, None]), 1.0)
    pixels = np.diff(edges) / center * SPEED_OF_LIGHT / PIXEL
    return continuum[:, None] / signal_to_noise[:, None] * np.sqrt(variance / reference / pixels)


def _variance(observed: NDArray, relative: NDArray | float) -> NDArray:
    """Noise variance per pixel in relative units: half of it sky and half of it object where both are 1."""
    sky = np.ones_like(observed)
    for middle, width, brightness in _HYDROXYL:
        sky += brightness * np.exp(-(((observed - middle) / width) ** 2))
    return (relative + sky) / np.interp(observed, _THROUGHPUT[:, 0], _THROUGHPUT[:, 1])


def expose(
    model: NDArray,
    continuum: NDArray,
    edges: NDArray,
    redshift: NDArray,
    signal_to_noise: NDArray,
    random: np.random.Generator,
) -> Exposure:
    """Observe a noiseless sample; the parameters are those of `noise_level`.

    The inverse variance knows the photon noise and part of the residuals of sky lines, as that of a pipeline does;
    errors of the flux calibration and stray spikes it does not know.
    """
    center = 0.5 * (edges[1:] + edges[:-1])
    sigma = noise_level(model, continuum, edges, redshift, signal_to_noise)
    flux = model * _calibration(center, redshift, random) + sigma * random.standard_normal(model.shape)
    observed = center * (1 + redshift[:, None])
    for position, size in SKY_LINES:
        offset = (observed - position) / (position * RESOLUTION / SPEED_OF_LIGHT)
        # the difference of a sky line and its model: part too bright or too faint, part shifted
        amplitude = size * random.standard_t(3, redshift.size) * random.random(redshift.size)
        bipolar = random.normal(0.0, 1.0, redshift.size)
        shape = (0.5 - 1.6 * bipolar[:, None] * offset) * np.exp(-0.5 * offset**2)
        flux += sigma * amplitude[:, None] * shape
        sigma = sigma * np.sqrt(1 + 0.25 * (size * np.exp(-0.5 * offset**2)) ** 2)
    # cosmic rays the pipeline missed, and pixels it rejected, which come in pairs
    row, column = _places(random, model.shape, 2e-4)
    flux[row, column] += sigma[row, column] * random.exponential(8.0, row.size)
    mask = np.zeros(model.shape, dtype=bool)
    row, column = _places(random, model.shape, 1e-3)
    mask[row, column] = mask[row, np.minimum(column + 1, center.size - 1)] = True
    # the sample is of spectra that could be normalised at 5100 A: none is bad there, or without flux
    window = np.abs(center - 5100.0) < 10.0
    mask[:, window] = False
    flux[:, window] = np.maximum(flux[:, window], 0.3 * model[:, window])
    mask[mask.all(axis=1)] = False
    return Exposure(flux, np.where(mask, 0.0, 1 / sigma**2), mask)


def _places(random: np.random.Generator, shape: tuple[int, ...], fraction: float) -> tuple[NDArray, NDArray]:
    """Rows and columns of randomly chosen bins (drawing their number is cheaper than a number for each bin)."""
    n = random.poisson(fraction * shape[0] * shape[1])
    return random.integers(0, shape[0], n), random.integers(0, shape[1], n)


def _calibration(center: NDArray, redshift: NDArray, random: np.random.Generator) -> NDArray:
    """What multiplies the flux: dust of the Milky Way, and errors of the flux calibration.

    Surveys leave the dust in (E(B-V) near 0.04 away from the plane). Their errors are a tilt of a few per cent from
    end to end, waves of one per cent that standard stars leave, more in the blue and where the two arms meet.
    """
    n = redshift.size
    observed = center * (1 + redshift[:, None])
    middle = 5100.0 * (1 + redshift[:, None])
    tilt, curve, arms, blue = random.normal(0.0, 1.0, (4, n, 1))
    x = np.log(observed / middle)
    error = 0.12 * tilt * x + 0.12 * curve * x**2
    error += 0.01 * arms * np.exp(-(((observed - 6000.0) / 150.0) ** 2))
    error += 0.03 * blue * np.exp(-np.maximum(observed - 3800.0, 0.0) / 120.0)
    for _ in range(3):
        length, phase, height = random.uniform(150.0, 600.0, (n, 1)), random.random((n, 1)), random.normal(0, 1, (n, 1))
        error += 0.006 * height * np.sin(2 * np.pi * ((observed - middle) / length + phase))
    dust = np.minimum(random.exponential(0.04, (n, 1)), 0.2)
    return (1 + error) * 10 ** (-0.4 * 3.1 * dust * ((observed / 5500.0) ** -1.2 - (middle / 5500.0) ** -1.2))
