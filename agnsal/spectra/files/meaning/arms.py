"""The arms of a spectrograph that share one wavelength grid, joined into one spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.pixels import bad_pixels

Arm = tuple[NDArray, NDArray, NDArray]  # wavelength (m,), flux (n, m), inverse variance (n, m)


def join_arms(arms: list[Arm]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Arms on one wavelength grid: the inverse-variance weighted mean where they overlap.

    Pixels no arm has measured (a gap, or no weight in any arm) get inverse variance 0.
    """
    first = min(float(wavelength[0]) for wavelength, _, _ in arms)
    step = float(np.median(np.diff(arms[0][0])))
    places = [np.round((wavelength - first) / step).astype(int) for wavelength, _, _ in arms]
    for (wavelength, _, _), place in zip(arms, places, strict=True):
        if np.abs(wavelength - first - step * place).max() > 0.01 * step or (np.diff(place) != 1).any():
            raise AgnsalError(
                "its arms do not share one wavelength grid, so that they cannot be joined pixel by pixel."
            )
    size = 1 + max(int(place[-1]) for place in places)
    weighted, weight = np.zeros((2, len(arms[0][1]), size))
    for (_, flux, ivar), place in zip(arms, places, strict=True):
        good = ~bad_pixels(flux, ivar)
        weight[:, place] += np.where(good, ivar, 0.0)
        weighted[:, place] += np.where(good, np.where(good, flux, 0.0).astype(float) * ivar, 0.0)
    mean = np.divide(weighted, weight, out=np.zeros_like(weighted), where=weight > 0)
    return first + step * np.arange(size, dtype=np.float64), mean, weight
