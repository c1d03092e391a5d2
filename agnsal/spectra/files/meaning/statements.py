"""What headers and keywords say of a spectrum: its medium, its frame, its redshift."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from astropy.io import fits

from agnsal.spectra.pixels import LARGEST_REDSHIFT, LEAST_REDSHIFT

Facts: TypeAlias = Mapping[str, Any] | fits.Header
_TRUE, _FALSE = ("t", "true", "1", "yes", "y"), ("f", "false", "0", "no", "n")


def known_redshift(value: Any) -> float | None:
    """A redshift from a header or a table; None for sentinels (-9.999, -99, NaN), truth values and text."""
    if isinstance(value, (bool, np.bool_)) or value is None:
        return None
    try:
        redshift = float(value)
    except (TypeError, ValueError):
        return None
    return redshift if np.isfinite(redshift) and LEAST_REDSHIFT <= redshift <= LARGEST_REDSHIFT else None


def stated_redshift(facts: Facts) -> float | None:
    """The redshift of a header or of the cells of a row, or None; a card Z must say that it is one."""
    keys = ("Z_HELIO", "REDSHIFT", "Z") if _z_is_redshift(facts) else ("Z_HELIO", "REDSHIFT")
    values = (known_redshift(facts.get(key)) for key in keys)
    return next((value for value in values if value is not None), None)


def _z_is_redshift(facts: Facts) -> bool:
    """Whether the card Z means redshift: in FITS headers it may be a coordinate."""
    if "Z" not in facts or not isinstance(facts, fits.Header):
        return True
    return "redshift" in facts.comments["Z"].lower() or any(key in facts for key in ("Z_ERR", "Z_HELIO", "GAMANAME"))


def stated_medium(facts: Facts) -> Literal["air", "vacuum"] | None:
    """Air or vacuum, by the cards VACUUM, AIRORVAC and MEDIUM; None where they say nothing."""
    vacuum = str(facts.get("VACUUM", "")).strip().lower()
    if vacuum in _TRUE or vacuum in _FALSE:
        return "vacuum" if vacuum in _TRUE else "air"
    for key in ("AIRORVAC", "MEDIUM"):
        word = re.match(r"(air|vac)", str(facts.get(key, "")).strip().lower())
        if word:
            return "air" if word[1] == "air" else "vacuum"
    return None


def stated_frame(facts: Facts) -> Literal["rest"] | None:
    """The rest frame of the source, where SPECSYS (FITS paper III) or a keyword of a text says so; else None."""
    if str(facts.get("SPECSYS", "")).strip().upper() == "SOURCE":
        return "rest"
    frame = str(facts.get("FRAME", facts.get("WAVEFRAME", ""))).strip().lower()
    return "rest" if frame in ("rest", "restframe", "rest-frame", "rest frame") else None


def moved_to_rest(header: fits.Header) -> tuple[str | None, float | None]:
    """How a header says that its axis is in the rest frame already, and by which redshift it was moved."""
    words = str(header.get("DOPCOR01", header.get("DOPCOR", ""))).split()
    doppler = known_redshift(words[0]) if words else None
    if doppler is not None and abs(doppler) > 2e-3:  # smaller ones are heliocentric corrections
        return f"IRAF has divided its wavelengths by 1 + {doppler:g} (DOPCOR)", doppler
    first, redshift = header.get("COEFF0"), known_redshift(header.get("Z"))
    if isinstance(first, float) and redshift and redshift > 2e-3 and isinstance(header.get("CRVAL1"), float):
        moved = 10.0**first / header["CRVAL1"]
        if abs(moved - 1 - redshift) < 0.02 * redshift:
            return f"its axis begins at CRVAL1 = {header['CRVAL1']:.1f}, which is 10**COEFF0 / (1 + Z)", redshift
    return None, None
