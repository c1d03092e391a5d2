"""One spectrum as its file states it, before any convention of agnsal is applied."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError

#: What SDSS, BOSS, eBOSS, SDSS-V, GAMA and DESI publish; calibrated samples and the simulation are in it too.
FLAM17 = u.Unit("1e-17 erg / (s cm2 Angstrom)")


class UnknownLayout(AgnsalError):  # noqa: N818 - an AgnsalError by birth; told apart when a whole folder is read
    """The file is of no layout known here; it may well be no spectrum at all."""


@dataclass
class FileSpectrum:
    """Wavelengths in Angstrom, flux, inverse variance, extra bad pixels, and what the file says about itself."""

    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]
    unit: u.UnitBase
    ivar: NDArray[np.float64] | None = None
    bad: NDArray[np.bool_] | None = None
    medium: str | None = None
    rest: str | None = None  # how the file says that its axis has been moved to the rest frame
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
                raise AgnsalError(
                    f"its {name} has {values.size} pixels and its wavelength axis {self.wavelength.size}; "
                    "they must be as many."
                )

    def describe(self, header: Mapping[str, Any] | fits.Header) -> None:
        """Add redshift, name, medium and position where a header or table of metadata knows them and we do not yet."""
        facts = header if isinstance(header, fits.Header) else {str(key).upper(): header[key] for key in header}
        if self.redshift is None:
            keys = ("Z_HELIO", "REDSHIFT", "Z") if _z_is_redshift(facts) else ("Z_HELIO", "REDSHIFT")
            values = (known_redshift(facts.get(key)) for key in keys)
            self.redshift = next((value for value in values if value is not None), None)
        if self.medium is None and "VACUUM" in facts:
            self.medium = "vacuum" if str(facts["VACUUM"]).strip().lower() in ("t", "true", "1") else "air"
        if self.medium is None and str(facts.get("MEDIUM", "")).lower() in ("air", "vacuum"):
            self.medium = str(facts["MEDIUM"]).lower()
        plate = [facts.get(key) for key in ("PLATEID", "MJD", "FIBERID")]
        if "SDSS" in str(facts.get("TELESCOP", "")) and None not in plate:
            self.meta.setdefault("survey", "SDSS")
            self.meta.setdefault("object_id", object_id(*plate))
        names = (
            clean(facts.get(key) or "") for key in ("OBJECT_ID", "SPECID", "TARGET", "OBJECT", "OBJNAME", "NAME_V")
        )
        name = next((text for text in names if text), None)
        if name and "object_id" not in self.meta:
            self.meta["object_id"] = name
        for key, cards in (("ra", ("OBSRA", "RA")), ("dec", ("OBSDEC", "DEC"))):
            value = next((facts[card] for card in cards if card in facts), None)
            if isinstance(value, (int, float)):
                self.meta.setdefault(key, float(value))


def _z_is_redshift(header: Mapping[str, Any] | fits.Header) -> bool:
    """Whether the card Z means redshift: in FITS headers it may be a coordinate."""
    if "Z" not in header or not isinstance(header, fits.Header):
        return True
    return "redshift" in header.comments["Z"].lower() or any(key in header for key in ("Z_ERR", "Z_HELIO", "GAMANAME"))


def native(values: Any, what: str) -> NDArray[np.float64]:
    """One row of native float64, copied out of the file's own byte order; masked cells become NaN."""
    try:
        row = np.array(np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan) if np.ma.isMA(values) else values)
        row = row.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise AgnsalError(f"its {what} does not hold numbers ({error}).") from error
    if row.ndim != 1:
        raise AgnsalError(f"its {what} has shape {row.shape}, one row was expected.")
    return row


def inverse_variance(values: Any, kind: str) -> NDArray[np.float64]:
    """Inverse variance from ``"std"``, ``"var"`` or ``"ivar"``; 0 where the error is no error."""
    row = np.asarray(values, dtype=np.float64)
    if kind == "ivar":
        return row
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(np.isfinite(row) & (row > 0), 1.0 / (row if kind == "var" else row**2), 0.0)


def from_specutils(loaded: Any) -> Iterator[FileSpectrum]:
    """Every spectrum in what a specutils loader returned (Spectrum, SpectrumList or SpectrumCollection)."""
    for spectrum in loaded if isinstance(loaded, list) or not hasattr(loaded, "spectral_axis") else [loaded]:
        axis = np.asarray(spectrum.spectral_axis.to_value(u.AA, u.spectral()), dtype=np.float64)
        flux = np.asarray(spectrum.flux.value)
        if flux.shape[-1:] != axis.shape[-1:] and flux.shape[:1] == axis.shape[-1:]:
            flux = np.moveaxis(flux, 0, -1)
        rows = flux.reshape(-1, flux.shape[-1])
        ivar, bad = _ivar(spectrum), spectrum.mask
        axes = np.broadcast_to(axis, rows.shape) if axis.ndim == 1 else axis.reshape(rows.shape)
        redshift = np.broadcast_to(np.ravel(getattr(spectrum.redshift, "value", spectrum.redshift)), (len(rows),))
        header = spectrum.meta.get("header", {})
        for number, row in enumerate(rows):
            record = FileSpectrum(
                wavelength=axes[number],
                flux=row,
                unit=not_ampere(spectrum.flux.unit),
                ivar=None if ivar is None else ivar.reshape(rows.shape)[number],
                bad=None if bad is None else np.asarray(bad, bool).reshape(rows.shape)[number],
                redshift=known_redshift(redshift[number]) or None,  # specutils says 0 where nobody gave one
                meta={"header": header, "row": number} if len(rows) > 1 else {"header": header},
            )
            record.describe(header)
            yield record


def _ivar(spectrum: Any) -> NDArray[np.float64] | None:
    """The inverse variance behind a specutils uncertainty."""
    uncertainty = spectrum.uncertainty
    if uncertainty is None or uncertainty.uncertainty_type not in ("std", "var", "ivar"):
        return None
    power = {"std": 1, "var": 2, "ivar": -2}[uncertainty.uncertainty_type]
    values = uncertainty.array
    if uncertainty.unit is not None:
        values = (values * uncertainty.unit).to_value(spectrum.flux.unit**power)
    return inverse_variance(values, uncertainty.uncertainty_type)


def known_redshift(value: Any) -> float | None:
    """A redshift from a header or a table; None for the sentinels (-9.999, -99, NaN, text) of unknown ones."""
    try:
        redshift = float(value)
    except (TypeError, ValueError):
        return None
    return redshift if np.isfinite(redshift) and -0.01 < redshift < 20 else None


def object_id(plate: Any, mjd: Any, fiber: Any) -> str:
    """Name a spectrum as SDSS names its file: plate, MJD and fibre.

    Examples
    --------
    >>> object_id(406, 51869, 374)
    '0406-51869-0374'
    """
    return f"{int(plate):04d}-{int(mjd):05d}-{int(fiber):04d}"


def clean(text: Any, length: int = 120) -> str:
    """Text from a file, printable and short, fit for a message, a table or a page."""
    return "".join(c for c in str(text) if c.isprintable()).strip()[:length]


def flux_unit(text: Any) -> u.UnitBase | None:
    """A flux unit as surveys spell it (``1E-17 erg/cm^2/s/Ang``, ``erg/cm2/s/A``), or None where there is none."""
    return _unit(text, _FLUX_SPELLINGS)


def wavelength_unit(text: Any) -> u.UnitBase | None:
    """A unit of wavelength, frequency or energy as files spell it (``Angstroms``, ``A``), or None."""
    unit = _unit(text, _WAVELENGTH_SPELLINGS)
    return unit if unit is not None and unit.is_equivalent(u.AA, u.spectral()) else None


# Order matters. The unit of SDSS-I/II lost an exponent ("erg/cm/s/Ang"), and A means Angstrom here, not ampere.
_FLUX_SPELLINGS = (
    ("10**-17", "1e-17"),
    ("10^-17", "1e-17"),
    ("10^(-17)", "1e-17"),
    ("erg/cm/s/Ang", "erg/cm2/s/Ang"),
    ("Angstroms", "Angstrom"),
    ("angstroms", "Angstrom"),
    ("Angstrom", "Ang"),
    ("Ang", "Angstrom"),
    ("ergs/", "erg/"),
    ("counts", "ct"),
    ("ADU", "adu"),
)
_WAVELENGTH_SPELLINGS = (
    ("angstroms", "Angstrom"),
    ("Angstroms", "Angstrom"),
    ("microns", "micron"),
    ("nanometers", "nm"),
)


def _unit(text: Any, spellings: tuple[tuple[str, str], ...]) -> u.UnitBase | None:
    if isinstance(text, u.UnitBase):
        return not_ampere(text)
    return _parsed(str(text or "").strip(), spellings)


@lru_cache(maxsize=256)
def _parsed(spelled: str, spellings: tuple[tuple[str, str], ...]) -> u.UnitBase | None:
    for old, new in spellings:
        spelled = spelled.replace(old, new)
    if not spelled:
        return None
    if spelled in ("Ang", "ang", "angstrom", "ANGSTROM", "ANGSTROMS", "AA", "\\AA", "Å"):
        return u.AA
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # two slashes are discouraged, and usual
            return not_ampere(u.Unit(spelled))
    except (ValueError, TypeError):
        return _carelessly_spelled(spelled)


def _carelessly_spelled(text: str) -> u.UnitBase | None:
    """Flux densities as people type them: ``ergs^-1cm^-2a^-1``, ``ergs/sec/cm2/hz``; or what says that it is none."""
    lower = text.lower()
    if lower in ("relative", "normalized", "normalised", "arbitrary", "dimensionless", "arb. units", "none", "1"):
        return u.dimensionless_unscaled
    letters = re.sub(r"1e-|10\W*-?\d+|[^a-z]", "", lower)
    power = re.match(r"\s*(?:1(?:\.0*)?e|10\W*)(-\d+)", lower)
    scale = 10.0 ** int(power[1]) if power else 1.0
    for pattern, unit in ((r"ergs?s(ec)?cma(ng(stroms?)?|a)?", u.AA), (r"ergs?s(ec)?cmhz", u.Hz)):
        if re.fullmatch(pattern, letters):
            return u.Unit(scale * u.erg / u.s / u.cm**2 / unit)
    return None


def not_ampere(unit: u.UnitBase) -> u.UnitBase:
    """The unit with ampere read as Angstrom, which is what ``erg/cm2/s/A`` means in every spectrum."""
    if isinstance(unit, u.UnrecognizedUnit) or u.A not in unit.bases:
        return unit
    bases = [u.AA if base == u.A else base for base in unit.bases]
    return u.CompositeUnit(unit.scale, bases, unit.powers)
