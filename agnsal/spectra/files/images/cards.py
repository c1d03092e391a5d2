"""The cards of a linear axis: its value at the reference pixel, the reference pixel, its step."""

from __future__ import annotations

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.record import UnknownLayout, clean

Vector = NDArray[np.float64]


def linear(header: fits.Header, size: int, axis: int) -> Vector:
    """The world coordinate of every pixel, by the linear terms of the header."""
    first, reference, step = terms(header, axis)
    return np.asarray(first + (np.arange(size) + 1.0 - reference) * step, dtype=np.float64)


def terms(header: fits.Header, axis: int) -> tuple[float, float, float]:
    """Value at the reference pixel, the reference pixel, and the step of an axis.

    A lacking CRPIX is asked for: by the FITS standard it is 0, and most who leave it out mean 1.
    """
    steps = {key: number(header, key) for key in (f"CD{axis}_{axis}", f"CDELT{axis}") if header.get(key)}
    if f"CRVAL{axis}" not in header or not steps:
        raise UnknownLayout(
            f"its header has no wavelength axis: CRVAL{axis} and CDELT{axis} (or CD{axis}_{axis}) are needed, or an "
            "extension with the wavelengths, named as in columns={'wavelength': 'WAVELENGTH'}."
        )
    matrix, plain = steps.get(f"CD{axis}_{axis}"), steps.get(f"CDELT{axis}")
    if matrix and plain and plain != 1 and not np.isclose(matrix, plain, rtol=1e-6, atol=0):
        raise AgnsalError(
            f"its header has two steps of its axis, CD{axis}_{axis} = {matrix:g} and CDELT{axis} = {plain:g}. Delete "
            f"the wrong one: {deleting(header, f'CDELT{axis}')}"
        )
    if f"CRPIX{axis}" not in header:
        raise AgnsalError(
            f"its header does not say which pixel CRVAL{axis} belongs to. If it is the first one, write it: "
            f"{writing(header, f'CRPIX{axis}', 1.0)}"
        )
    step = matrix or (plain or 0.0) * number(header, f"PC{axis}_{axis}", 1.0)
    turned = [
        key
        for other in range(1, int(header.get("NAXIS", 1)) + 1)
        for key in (f"CD{axis}_{other}", f"PC{axis}_{other}")
        if other != axis and header.get(key) and header.get(f"NAXIS{other}", 1) > 1
    ]
    if turned:
        raise AgnsalError(f"its wavelengths change along another axis as well ({turned[0]}); rectify the image first.")
    return number(header, f"CRVAL{axis}"), number(header, f"CRPIX{axis}"), step


def number(header: fits.Header, key: str, default: float = np.nan) -> float:
    """A card as a number; one that is none is refused."""
    value = header.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise AgnsalError(f"its card {key} = {clean(value, 40)!r} is no number.")
    return float(value)


def described(header: fits.Header, axis: int) -> str:
    """The cards of an axis, for a message."""
    cards = (f"{stem}{axis}" for stem in ("CTYPE", "CUNIT", "CRVAL", "CDELT"))
    return ", ".join(f"{card} = {clean(header[card], 30)!r}" for card in cards if card in header)


def writing(header: fits.Header, card: str, value: object) -> str:
    """The call that writes a card into the header of an extension."""
    return f"astropy.io.fits.setval(path, {card!r}, value={value!r}{_extension(header)})"


def deleting(header: fits.Header, card: str) -> str:
    """The call that deletes a card from the header of an extension."""
    return f"astropy.io.fits.delval(path, {card!r}{_extension(header)})"


def _extension(header: fits.Header) -> str:
    if "XTENSION" not in header:
        return ""
    name, version = clean(header.get("EXTNAME", "")), header.get("EXTVER", 1)
    return f", ext={(name, version)!r}" if name else ", ext=1"
