"""The axes of IRAF's `multispec` format: one dispersion function for each line of an image.

They are written into WAT2 cards by the definition that IRAF publishes as ``help specwcs``. Wavelengths are a function
of the *physical* pixel: trimming an image moves its first pixel (LTV, LTM) and leaves the function alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from astropy.io import fits
from numpy.polynomial.chebyshev import chebval
from numpy.polynomial.legendre import legval
from numpy.typing import NDArray

from agnsal.errors import AgnsalError

Vector = NDArray[np.float64]


def joined(header: fits.Header, stem: str) -> str:
    """IRAF's long strings, cut into cards of 68 characters (``"WAT2"``: WAT2_001, WAT2_002, ...)."""
    if f"{stem}_001" not in header:
        return ""
    cards = sorted(key for key in header if key.startswith(f"{stem}_"))
    return "".join(str(header[key]).ljust(68) for key in cards)


def is_multispec(header: fits.Header) -> bool:
    """Whether a header describes an axis for each line of its image."""
    return str(header.get("CTYPE1", "")).upper().startswith("MULTISPE") or "system=multispec" in joined(header, "WAT0")


def physical_pixels(header: fits.Header, size: int, axis: int = 1) -> Vector:
    """Where the pixels of an image lie on the image it was cut from, counted from 1."""
    scale, offset = float(header.get(f"LTM{axis}_{axis}", 1.0)), float(header.get(f"LTV{axis}", 0.0))
    if scale == 0 or not np.isfinite([scale, offset]).all():
        raise AgnsalError(f"its physical pixels are not defined: LTM{axis}_{axis} = {scale}, LTV{axis} = {offset}.")
    return np.asarray((np.arange(size) + 1.0 - offset) / scale, dtype=np.float64)


def multispec_axes(header: fits.Header, lines: int, size: int) -> tuple[Vector, Vector]:
    """Wavelengths of every line of an image in the unit of the header, and the Doppler factor applied to each.

    Parameters
    ----------
    header : Header
        With CTYPE1 = MULTISPE and WAT2 cards.
    lines, size : int
        Lines of the image and pixels in each.

    Returns
    -------
    wavelengths : array, shape (lines, size)
        NaN where a line has no valid pixel (beyond its number of pixels, or outside a table).
    redshifts : array, shape (lines,)
        The wavelengths have been divided by one plus this.

    Raises
    ------
    AgnsalError
        If a line has no dispersion function or two, is not calibrated, or a function is not one IRAF defines.
    """
    described = _specs(header)
    if lines > 1 or header.get("NAXIS", 1) > 1:
        at_line = physical_pixels(header, lines, 2)
    elif len(described) == 1:
        at_line = np.array([float(*described)])
    else:
        raise AgnsalError(
            f"it is one line of an image whose header describes {len(described)}; which, it does not say. "
            "Keep one spec in its WAT2 cards (IRAF scopy writes them so)."
        )
    lacking = [line for line in at_line if line not in described]
    if lacking:
        raise AgnsalError(
            f"its multispec header describes {len(described)} of its {lines} lines; there is no axis for line "
            f"{', '.join(f'{line:g}' for line in lacking[:5])}. Keep only the lines that have one (IRAF scopy)."
        )
    pixels = physical_pixels(header, size)
    found = [_line(described[int(line)], pixels, int(line)) for line in at_line]
    return np.array([wavelength for wavelength, _ in found]), np.array([redshift for _, redshift in found])


def _specs(header: fits.Header) -> dict[int, list[float]]:
    """The numbers of every ``specN = "..."`` by line; one that is given twice must be the same."""
    specs: dict[int, list[float]] = {}
    for number, text in re.findall(r"spec(\d+)\s*=\s*\"([^\"]*)\"", joined(header, "WAT2")):
        try:
            numbers = [np.nan if word.upper() == "INDEF" else float(word) for word in text.split()]
        except ValueError as error:
            raise AgnsalError(f"spec{number} of its multispec header is no list of numbers ({error}).") from error
        if specs.setdefault(int(number), numbers) != numbers:
            raise AgnsalError(
                f"its multispec header gives line {number} two axes; keep the right spec{number} in WAT2."
            )
    if not specs:
        raise AgnsalError("its header announces multispec axes (CTYPE1) but describes none (WAT2).")
    return specs


def _line(spec: list[float], pixels: Vector, line: int) -> tuple[Vector, float]:
    """Wavelengths of one line: ``aperture beam type w1 dw nw z low high [weight zero function ...]...``."""
    if len(spec) < 5:
        raise AgnsalError(f"spec{line} of its multispec header has {len(spec)} numbers, at least 5 were expected.")
    kind, first, step, valid, z, *_ = *spec[2:7], *[np.nan] * 4
    if kind == -1:
        raise AgnsalError(
            f"line {line} of it is not wavelength calibrated (dispersion type -1); calibrate it (dispcor)."
        )
    if kind in (0, 1):
        wavelength = first + step * (pixels - 1.0)
        wavelength = np.power(10.0, wavelength) if kind == 1 else wavelength
    elif kind == 2:
        wavelength = _functions(spec[9:], pixels, line)
    else:
        raise AgnsalError(f"line {line} of it has dispersion type {kind:g}; IRAF defines -1, 0, 1 and 2.")
    redshift = z if np.isfinite(z) else 0.0
    if redshift <= -1:
        raise AgnsalError(f"line {line} of it has a Doppler factor of {redshift:g}, which is none.")
    last = valid if np.isfinite(valid) and valid > 0 else pixels.max()
    wavelength = np.where((pixels > 0.5) & (pixels < last + 0.5), wavelength, np.nan)
    return wavelength / (1.0 + redshift), redshift


def _functions(numbers: list[float], pixels: Vector, line: int) -> Vector:
    """The weighted sum of the functions of a non-linear dispersion."""
    total, rest = np.zeros(pixels.size), list(numbers)
    if not rest:
        raise AgnsalError(
            f"line {line} of it has a non-linear dispersion and no function in spec{line}; linearise it (dispcor)."
        )
    while rest:
        if len(rest) < 4 or not np.isfinite(rest[:4]).all() or not 0 < rest[3] < 1e6:
            raise AgnsalError(f"spec{line} of its multispec header ends within a dispersion function.")
        weight, zero, kind, order = rest[0], rest[1], int(rest[2]), int(rest[3])
        if kind not in _FUNCTIONS:
            raise AgnsalError(f"spec{line} names dispersion function {kind}; IRAF defines 1 to 6.")
        function, has_range, count = _FUNCTIONS[kind]
        start = 6 if has_range else 4
        end = start + count(order)
        coefficients = np.array(rest[start:end])
        if len(rest) < end or not np.isfinite(coefficients).all():
            raise AgnsalError(f"spec{line} of its multispec header ends within a dispersion function.")
        low, high = rest[4:6] if has_range else (0.0, 1.0)
        if not low < high:
            raise AgnsalError(f"spec{line} has a dispersion function over no range ({low:g} to {high:g}).")
        total += weight * (zero + function(pixels, coefficients, low, high))
        rest = rest[end:]
    return total


def _chebyshev(pixels: Vector, coefficients: Vector, low: float, high: float) -> Vector:
    return np.asarray(chebval((2 * pixels - low - high) / (high - low), coefficients))


def _legendre(pixels: Vector, coefficients: Vector, low: float, high: float) -> Vector:
    return np.asarray(legval((2 * pixels - low - high) / (high - low), coefficients))


def _pieces(pixels: Vector, pieces: int, low: float, high: float) -> tuple[NDArray[np.intp], Vector, Vector]:
    """The piece of a spline each pixel lies in, and its distances from both ends of it."""
    place = (pixels - low) / (high - low) * pieces
    piece = np.clip(np.floor(place).astype(int), 0, pieces - 1)
    return piece, piece + 1 - place, place - piece


def _cubic_spline(pixels: Vector, coefficients: Vector, low: float, high: float) -> Vector:
    piece, a, b = _pieces(pixels, coefficients.size - 3, low, high)
    basis = (a**3, 1 + 3 * a * (1 + a * b), 1 + 3 * b * (1 + a * b), b**3)
    return np.asarray(sum(coefficients[piece + i] * part for i, part in enumerate(basis)))


def _linear_spline(pixels: Vector, coefficients: Vector, low: float, high: float) -> Vector:
    piece, a, b = _pieces(pixels, coefficients.size - 1, low, high)
    return np.asarray(a * coefficients[piece] + b * coefficients[piece + 1])


def _pixel_table(pixels: Vector, coefficients: Vector, *_: float) -> Vector:
    number = np.arange(coefficients.size) + 1.0
    return np.interp(pixels, number, coefficients, left=np.nan, right=np.nan)


def _sampled_table(pixels: Vector, coefficients: Vector, *_: float) -> Vector:
    where, value = coefficients[::2], coefficients[1::2]
    if (np.diff(where) <= 0).any():
        raise AgnsalError("the table of its dispersion is not in the order of its pixels.")
    return np.interp(pixels, where, value, left=np.nan, right=np.nan)


#: By IRAF's number: the function, whether it has a range of pixels, and how many coefficients its order stands for.
_FUNCTIONS: dict[int, tuple[Callable[..., Vector], bool, Callable[[int], int]]] = {
    1: (_chebyshev, True, lambda order: order),
    2: (_legendre, True, lambda order: order),
    3: (_cubic_spline, True, lambda pieces: pieces + 3),
    4: (_linear_spline, True, lambda pieces: pieces + 1),
    5: (_pixel_table, False, lambda size: size),
    6: (_sampled_table, False, lambda size: 2 * size),
}
