"""One spectrum as its file states it, before any convention of agnsal is applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError

#: What SDSS, BOSS, eBOSS, SDSS-V and DESI publish.
FLAM17 = u.Unit("1e-17 erg / (s cm2 Angstrom)")


@dataclass
class FileSpectrum:
    """Wavelengths in Angstrom, flux, inverse variance, extra bad pixels, and what the file says about itself."""

    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]
    unit: u.UnitBase
    ivar: NDArray[np.float64] | None = None
    bad: NDArray[np.bool_] | None = None
    medium: str | None = None
    rest: bool = False  # the file itself says that its axis has been moved to the rest frame
    redshift: float | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wavelength = native(self.wavelength, "wavelength")
        self.flux = native(self.flux, "flux")
        if self.ivar is not None:
            self.ivar = native(self.ivar, "inverse variance")
        for name in ("flux", "ivar", "bad"):
            values = getattr(self, name)
            if values is not None and values.shape != self.wavelength.shape:
                raise AgnsalError(f"{name} has shape {values.shape}, the wavelengths {self.wavelength.shape}.")


def native(values: Any, what: str) -> NDArray[np.float64]:
    """One row of native float64, copied out of the file's own byte order."""
    try:
        row = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise AgnsalError(f"the {what} column does not hold numbers ({error}).") from error
    if row.ndim != 1:
        raise AgnsalError(f"the {what} has shape {row.shape}, one row was expected.")
    return row


def known_redshift(value: Any) -> float | None:
    """A redshift from a header or a table; None for the sentinels (-9.999, -99, NaN, text) of unknown ones."""
    try:
        redshift = float(value)
    except (TypeError, ValueError):
        return None
    return redshift if np.isfinite(redshift) and redshift > -0.01 else None


def clean(text: Any, length: int = 120) -> str:
    """Text from a file, printable and short, fit for a message, a table or a page."""
    return "".join(c for c in str(text) if c.isprintable()).strip()[:length]


def flux_unit(text: Any) -> u.UnitBase | None:
    """A flux unit as surveys spell it (``1E-17 erg/cm^2/s/Ang``, ``erg/cm2/s/A``), or None where there is none."""
    if isinstance(text, u.UnitBase):
        return text
    if text is None or not str(text).strip():
        return None
    spelled = str(text).strip()
    for old, new in _SPELLINGS:
        spelled = spelled.replace(old, new)
    try:
        return u.Unit(spelled)
    except (ValueError, TypeError):
        return None


# Order matters; the one of SDSS-I/II lost its exponent ("erg/cm/s/Ang").
_SPELLINGS = (
    ("10**-17", "1e-17"),
    ("10^-17", "1e-17"),
    ("10^(-17)", "1e-17"),
    ("erg/cm/s/Ang", "erg/cm2/s/Angstrom"),
    ("Angstroms", "Angstrom"),
    ("angstroms", "Angstrom"),
    ("ergs", "erg"),
    ("counts", "ct"),
    ("ADU", "adu"),
)
