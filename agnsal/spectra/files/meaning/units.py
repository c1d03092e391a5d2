"""Units as files and people spell them; what none of the spellings fits is None, never a guess."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import astropy.units as u

#: What SDSS, BOSS, eBOSS, SDSS-V, GAMA and DESI publish; calibrated samples and the simulation are in it too.
FLAM17 = u.Unit("1e-17 erg / (s cm2 Angstrom)")

#: No flux is stated in more of its unit: 10^17 erg/s/cm2/A says what it was multiplied by.
_LARGEST_FACTOR = 1e6
Scale = Literal["linear", "log10", "ln", "log"]


@dataclass(frozen=True)
class AxisUnit:
    """The unit of a spectral axis; `scale` says whether its numbers are the quantity or a logarithm of it."""

    unit: u.UnitBase
    scale: Scale = "linear"


def flux_unit(text: object) -> u.UnitBase | None:
    """A unit of flux as surveys spell it (``1E-17 erg/cm^2/s/Ang``, ``10^-17 ergs/s/cm2/A``), or None.

    Flux densities per wavelength or frequency (of photons too, or per solid angle), counts, magnitudes that say
    their zero point, and what is relative. A is Angstrom, not ampere.

    Examples
    --------
    >>> flux_unit("10**(-20)*erg/s/cm**2/Angstrom")
    Unit("1e-20 erg / (Angstrom s cm2)")
    >>> flux_unit("km/s"), flux_unit("mag")
    (None, None)
    """
    unit = _unit(text)
    return unit if unit is not None and _is_flux(unit) else None


def wavelength_unit(text: object) -> u.UnitBase | None:
    """A unit of wavelength, frequency or energy as files spell it (``Angstroms``, ``A``, ``millimicrons``), or None."""
    known = axis_unit(text)
    return known.unit if known is not None and known.scale == "linear" else None


def axis_unit(text: object) -> AxisUnit | None:
    """The unit of a spectral axis, logarithms included (``log10(Angstrom)``), or None where it is no such unit."""
    scale: Scale = "linear"
    if isinstance(text, AxisUnit):
        return text
    if isinstance(text, u.function.FunctionUnitBase):
        text, scale = text.physical_unit, "log10"
    elif not isinstance(text, u.UnitBase):
        text = re.sub(r"(?i)[\s,(;]*\b(in\s+)?(air|vac|vacuum|vacuo)\b[\s)]*", " ", str(text or ""))
        match = re.match(r"(?i)\s*(log10|log_10|log|lg|dex|ln)\b\s*[\[(]?\s*([^\])]*)[\])]?\s*$", text)
        if match:
            word = match[1].lower()
            scale = "ln" if word == "ln" else "log" if word == "log" else "log10"
            text = match[2].strip() or "Angstrom"
    unit = _unit(text)
    if unit is None or not unit.is_equivalent(u.AA, u.spectral()):
        return None
    return AxisUnit(unit, scale)


def medium_in(text: object) -> Literal["air", "vacuum"] | None:
    """The medium a text speaks of (``Angstrom (vacuum)``, ``wave_air``, ``AWAV``), None where neither or both."""
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(text or "")).replace("_", " ").lower()))
    air, vacuum = words & {"air", "awav"}, words & {"vac", "vacuum", "vacuo"}
    return None if bool(air) == bool(vacuum) else "air" if air else "vacuum"


@lru_cache(maxsize=256)
def _is_flux(unit: u.UnitBase) -> bool:
    if isinstance(unit, u.MagUnit):
        return unit.physical_unit in (u.AB, u.ST)
    density = u.spectral_density(5000 * u.AA)
    targets = [*_COUNTS, FLAM17, u.photon / u.s / u.cm**2 / u.AA]
    bare = unit * u.sr if u.sr in unit.decompose().bases or u.rad in unit.decompose().bases else unit
    if unit.is_equivalent(u.dimensionless_unscaled):
        scale = unit.to(u.dimensionless_unscaled)
        # a factor alone is none, nor is an angle
        return not {u.deg, u.rad} & set(unit.bases) and (scale == 1 or (bool(unit.bases) and 0 < scale < 1))
    if unit.scale > _LARGEST_FACTOR:
        return False  # a factor the values were multiplied by
    powers = [unit, bare, unit * u.arcsec**2]
    return any(candidate.is_equivalent(target, density) for candidate in powers for target in targets)


_COUNTS = tuple(
    base / per for base in (u.ct, u.adu, u.electron, u.DN, u.photon) for per in (u.one, u.s, u.AA, u.s * u.AA)
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−–μ", "0123456789-+--µ")
_RELATIVE = re.compile(
    r"(?i)\W*(relative|rel|normali[sz]ed|norm|arbitrary|arb|dimensionless|unitless|none|1(\.0*)?)"
    r"([\s_.]*(flux|units?|to\s+unity))?\W*"
)
_FILLER = re.compile(r"(?i)^\W*(in\s+)?(units?\s+(of\s+)?|flux(\s*density)?\s+(in\s+)?|f_?lam(bda)?\s+(in\s+)?)")
_WORDS: dict[str, u.UnitBase] = {
    **dict.fromkeys(("a", "ang", "angs", "angstrom", "angstroms", "angstroem", "aa", "å", "angström"), u.AA),
    **dict.fromkeys(("erg", "ergs"), u.erg),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), u.s),
    **dict.fromkeys(("count", "counts", "ct", "cts", "cnt", "cnts"), u.ct),
    **dict.fromkeys(("adu", "adus"), u.adu),
    **dict.fromkeys(("dn", "dns"), u.DN),
    **dict.fromkeys(("electron", "electrons"), u.electron),
    **dict.fromkeys(("photon", "photons", "ph", "phot"), u.photon),
    **dict.fromkeys(("hz", "hertz"), u.Hz),
    **dict.fromkeys(("watt", "watts", "w"), u.W),
    **dict.fromkeys(("jy", "jansky", "janskys"), u.Jy),
    **dict.fromkeys(("micron", "microns", "micrometer", "micrometers", "micrometre", "um", "µm"), u.um),
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres", "nms"), u.nm),
    **dict.fromkeys(("millimicron", "millimicrons"), u.nm),  # the old name of the nanometre
    **dict.fromkeys(("meter", "meters", "metre", "metres"), u.m),
    **dict.fromkeys(("pixel", "pixels", "pix"), u.pix),
    **dict.fromkeys(("spaxel", "fiber", "fibre"), u.dimensionless_unscaled),
    "cm": u.cm, "ev": u.eV, "kev": u.keV, "ghz": u.GHz, "microjansky": u.uJy, "millijansky": u.mJy, "uj": u.uJ,
}  # fmt: skip
_TOKEN = re.compile(
    r"[x×]?(?P<power>(?:\d+(?:\.\d*)?\s*[x*×·]\s*)?10\s*(?:(?:\*\*|\^)\s*[({]?\s*[-+]?\s*\d+\s*[)}]?|[({]\s*[-+]\s*\d+\s*[)}]|[-+]\d+))"
    r"|(?P<number>\d+(?:\.\d*)?(?:[eEdD][-+]?\d+)?|\.\d+)"
    r"|(?P<word>\\?[A-Za-zÅåµ°%_]+)\s?(?P<exponent>(?:\*\*|\^)\s*[({]?\s*[-+]?\d+(?:\.\d+)?\s*[)}]?|[-+]?\d+(?!\d*\s*\*\*))?"
    r"|(?P<slash>/)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<between>[\s*.·×,]+)"
)


def _unit(text: object) -> u.UnitBase | None:
    if isinstance(text, u.UnrecognizedUnit):
        text = text.to_string()
    if isinstance(text, u.function.FunctionUnitBase):
        return text
    if isinstance(text, u.UnitBase):
        return not_ampere(text)
    return _parsed(str(text).strip()) if text is not None else None


@lru_cache(maxsize=512)
def _parsed(text: str) -> u.UnitBase | None:
    text = text.translate(_SUPERSCRIPTS).replace("$", "").replace("\\,", " ").replace("\\AA", "AA")
    text = re.sub(r"\\(rm|mathrm|text|angstrom|mathring)\b", lambda m: "AA" if m[1] == "angstrom" else "", text)
    text = re.sub(r"(?i)\bper\b", "/", re.sub(r"(?i)\be-(?=[/\s]|$)", "electron", text)).strip()
    if not text:
        return None
    if _RELATIVE.fullmatch(text):
        return u.dimensionless_unscaled
    magnitude = re.fullmatch(r"(?i)\W*(?:mag\w*[\s_]*\(?\s*(AB|ST)\s*\)?|(AB|ST)[\s_]*(?:mag\w*))\W*|(AB)", text)
    if magnitude:
        return u.STmag if "ST" in "".join(filter(None, magnitude.groups())).upper() else u.ABmag
    if re.match(r"10\.?0*[eE]", text):
        return None  # 10e-17 is written for 1e-17 and for 1e-16
    text = _FILLER.sub("", text)
    # the unit of SDSS-I/II lost an exponent
    text = re.sub(r"(?i)erg/cm/s/Ang", "erg/cm2/s/Ang", text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for denominator_stays in (False, True):  # erg/s cm2 A: the slash may be meant for all that follows
            try:
                unit = _product(_tokens(text), denominator_stays)
            except (ValueError, TypeError, OverflowError, IndexError, u.UnitsError):
                unit = None
            if unit is not None and (_is_flux(unit) or unit.is_equivalent(u.AA, u.spectral())):
                return unit
    return _run_together(text)


def _tokens(text: str) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(text[place:])
        place = match.end()
        kind = match.lastgroup if match["word"] is None else "word"
        if kind == "power":
            power = re.fullmatch(r"(?:([\d.]+)[x×·*]*)?10[*^]*([-+]?\d+)", re.sub(r"[(){}\s]", "", match["power"]))
            found.append(("unit", float(power[1] or 1) * 10.0 ** int(power[2])))  # type: ignore[index]
        elif kind == "number":
            found.append(("unit", float(match["number"].lower().replace("d", "e"))))
        elif kind == "word":
            exponent = re.sub(r"[*^(){}\s]", "", match["exponent"] or "1")
            found.append(("unit", _word(match["word"]) ** float(exponent)))
        elif kind != "between":
            found.append((str(kind), None))
    return found


def _product(tokens: list[tuple[str, object]], denominator_stays: bool) -> u.UnitBase | None:
    """The unit that a list of tokens multiplies and divides out to; brackets are taken off the list."""
    unit: u.UnitBase = u.dimensionless_unscaled
    down = False
    scale = 1.0
    while tokens:
        kind, value = tokens.pop(0)
        if kind == "close":
            break
        if kind == "slash":
            down = True
            continue
        factor = _product(tokens, denominator_stays) if kind == "open" else value
        if factor is None:
            return None
        if isinstance(factor, float):
            if down:
                return None  # divided by a number: the factor or its inverse?
            scale *= factor
        else:
            unit = unit / factor if down else unit * factor
        down = down and denominator_stays
    return not_ampere(u.Unit(scale * unit) if scale != 1 else u.Unit(unit))


def _word(word: str) -> u.UnitBase:
    known = _WORDS.get(word.lower().lstrip("\\"))
    if known is not None:
        return known
    return u.Unit(word)


def _run_together(text: str) -> u.UnitBase | None:
    """Flux densities with nothing between the units: ``ergs^-1cm^-2a^-1``."""
    lower = text.lower()
    if re.match(r"\s*(1(\.0*)?e|10\W*)\+?\d", lower):
        return None  # what the values were multiplied by
    letters = re.sub(r"1e-|10\W*-?\d+|[^a-z]", "", lower)
    power = re.match(r"\s*(?:1(?:\.0*)?e|10\W*)(-\d+)", lower)
    scale = 10.0 ** int(power[1]) if power else 1.0
    for pattern, unit in ((r"ergs?s?(ec)?cma(ng(stroms?)?|a)?", u.AA), (r"ergs?s?(ec)?cmhz", u.Hz)):
        if re.fullmatch(pattern, letters):
            return u.Unit(scale * u.erg / u.s / u.cm**2 / unit)
    return None


def not_ampere(unit: u.UnitBase) -> u.UnitBase:
    """The unit with ampere read as Angstrom, which is what ``erg/cm2/s/A`` means in every spectrum."""
    if isinstance(unit, u.UnrecognizedUnit) or u.A not in unit.bases:
        return unit
    bases = [u.AA if base == u.A else base for base in unit.bases]
    return u.CompositeUnit(unit.scale, bases, unit.powers)
