"""From a FITS header to wavelengths: linear, logarithmic and non-linear axes, their unit, medium and frame.

What the header states is converted; what it leaves open is refused with the card that would say it. The statements, in
their order: an algorithm of the FITS standard (paper III: ``WAVE-LOG``, ``FREQ``, ...), IRAF's DC-FLAG, multispec and
WAT cards, SDSS's COEFF0 and COEFF1, the unit of the axis.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import astropy.units as u
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.images import iraf
from agnsal.spectra.files.images.cards import deleting, described, linear, number, writing
from agnsal.spectra.files.images.standard import TYPES, VELOCITIES, algorithm, evaluated, of_velocities
from agnsal.spectra.files.layout import call
from agnsal.spectra.files.meaning.statements import moved_to_rest, stated_medium
from agnsal.spectra.files.meaning.units import AxisUnit, Scale, axis_unit, medium_in
from agnsal.spectra.files.meaning.wavelengths import PLAUSIBLE, in_angstrom
from agnsal.spectra.files.record import clean

Vector = NDArray[np.float64]
_VELOCITIES = (*VELOCITIES, "FELO", "VEL", "REDSHIFT")
_NO_WAVELENGTH = re.compile(r"(?i)\s*(pix|chan|ra-|dec-|glon|glat|time|order|aperture|fib|slit|position|offset|stokes)")
_LOG: dict[Scale, re.Pattern[str]] = {  # how a name says logarithm: natural, decimal, or either
    "ln": re.compile(r"(?i)(?<![a-z])(ln|log_?e(?![a-z])|nat\w*\.? log)"),
    "log10": re.compile(r"(?i)log_?10|(?<![a-z])dex(?![a-z])"),
    "log": re.compile(r"(?i)(?<![a-z])a?log"),
}
_HELIOCENTRIC = 2e-3  # Doppler factors smaller than this are of the Earth's motion


@dataclass(frozen=True)
class SpectralAxis:
    """Wavelengths in Angstrom as a header states them; NaN where it gives a pixel none."""

    wavelength: NDArray[np.float64]
    medium: Literal["air", "vacuum"] | None = None
    rest: str | None = None  # how the header says that they have been moved to the rest frame
    redshift: float | None = None  # by which


def spectral_axis(
    header: fits.Header,
    size: int,
    axis: int = 1,
    *,
    units: Mapping[str, object] | None = None,
    hdulist: fits.HDUList | None = None,
) -> SpectralAxis:
    """The wavelengths of one axis of an image.

    Parameters
    ----------
    header : Header
    size : int
        Pixels along the axis.
    axis : int
        Its FITS number; 1 is the last axis of the array.
    units : mapping, optional
        What the user says: the unit of ``"wavelength"``, or that the axis is ``"log10_wavelength"`` in that unit.
    hdulist : HDUList, optional
        The file, which may hold a table of the wavelengths (``-TAB``).

    Raises
    ------
    AgnsalError
        If the axis is no wavelength, is not calibrated, has no unit, or is described in two ways that disagree.
    """
    rest, redshift = moved_to_rest(header)
    values = _wavelengths(header, size, axis, _of_axis(units), hdulist)
    if not _optical(values):
        shown = f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}" if np.isfinite(values).any() else "not finite"
        problem = f"its axis {axis} would be {shown} Angstrom, which no ultraviolet to infrared spectrum covers"
        raise _unsaid(header, axis, problem, _other_unit(number(header, f"CRVAL{axis}", 0.0)))
    return SpectralAxis(values, medium_of(header, axis), rest, redshift)


def multispec_axes(
    header: fits.Header, lines: int, size: int, *, units: Mapping[str, object] | None = None
) -> list[SpectralAxis]:
    """The wavelengths of every line of an image in IRAF's multispec format (see `agnsal.spectra.files.images.iraf`)."""
    wavelengths, doppler = iraf.multispec_axes(header, lines, size)
    unit = _unit(header, 1, _of_axis(units)) or AxisUnit(u.AA)
    axes = []
    for row, z in zip(wavelengths, doppler, strict=True):
        rest, redshift = moved_to_rest(header)
        if abs(z) > _HELIOCENTRIC:
            rest, redshift = f"IRAF has divided its wavelengths by 1 + {z:g} (WAT2)", float(z)
        values = in_angstrom(row, unit)
        if not _optical(values[np.isfinite(values)]):
            shown = f"{values[0]:.4g} to {values[-1]:.4g}"
            problem = f"its multispec axis would be {shown} Angstrom, which no ultraviolet to infrared spectrum covers"
            raise _unsaid(header, 1, problem, _other_unit(float(row[0])))
        axes.append(SpectralAxis(values, medium_of(header, 1), rest, redshift))
    return axes


def _of_axis(units: Mapping[str, object] | None) -> dict[str, object]:
    """What the user says of the axis."""
    return {role: unit for role, unit in (units or {}).items() if role in ("wavelength", "log10_wavelength")}


def dispersion_axis(header: fits.Header, shape: tuple[int, ...]) -> int:
    """The FITS number of the axis along which an image of that shape (NumPy's order) disperses.

    The one whose type or unit says so; else the only one with more than one pixel; else what DISPAXIS says.
    """
    lengths = dict(enumerate(reversed(shape), 1))
    long = [axis for axis, length in lengths.items() if length > 1]
    if iraf.is_multispec(header):
        return 1
    stated = [axis for axis in lengths if says_wavelength(header, axis)]
    if len(stated) == 1:
        return stated[0]
    if len(long) == 1:
        return long[0]
    said = header.get("DISPAXIS")
    if said in long and (not stated or said in stated):
        return int(said)
    if not stated and not said and iraf_calibrated(header):
        return 1
    raise AgnsalError(
        f"which axis of its image of shape {shape} is the wavelength, its header does not say"
        f"{' (several do)' if stated else ''}. Write it, for instance: {writing(header, 'DISPAXIS', 1)}"
    )


def says_wavelength(header: fits.Header, axis: int) -> bool:
    """Whether the type or the unit of an axis is that of a wavelength, a frequency or an energy."""
    kind = str(header.get(f"CTYPE{axis}", "")).upper()
    light = re.match(r"LAM|A?WAVE?|LOG|LN[LW-]|FREQ|ENER", kind) is not None or kind[:4] in VELOCITIES
    return light or any(_written_units(header, axis))


def _wavelengths(
    header: fits.Header, size: int, axis: int, units: dict[str, object], hdulist: fits.HDUList | None
) -> Vector:
    kind = str(header.get(f"CTYPE{axis}", "")).strip()
    if not isinstance(header.get(f"CTYPE{axis}", ""), str):
        raise AgnsalError(f"the type of its axis, CTYPE{axis} = {kind}, is no name; write it, for instance 'WAVE'.")
    if kind.upper().startswith(_VELOCITIES):
        return of_velocities(header, size, axis, hdulist)
    if header.get("DC-FLAG") == -1:
        raise AgnsalError(
            "it is not wavelength calibrated (DC-FLAG = -1). Calibrate it (IRAF dispcor) and write it anew."
        )
    calibrated = axis == 1 and iraf_calibrated(header)
    if _NO_WAVELENGTH.match(kind) and not (calibrated and any(_written_units(header, axis))):
        raise AgnsalError(
            f"its axis {axis} is no wavelength (CTYPE{axis} = {kind!r}): not calibrated? Calibrate it, and write the "
            "type and unit of the axis into its header."
        )
    known = _unit(header, axis, units)
    if algorithm(kind) and not (
        "log10_wavelength" in units or (units and known is not None and known.scale != "linear")
    ):
        base = TYPES[kind.upper()[:4]]
        if known is None or not known.unit.is_equivalent(base):
            problem = f"its unit {known.unit} does not fit its type, CTYPE{axis} = {kind!r}" if known else _NO_UNIT
            raise _unsaid(header, axis, problem)
        return in_angstrom(evaluated(header, size, axis, known.unit, hdulist), AxisUnit(base))
    if "COEFF0" in header and "COEFF1" in header and axis == 1 and not units:
        return _coefficients(header, size)
    values = linear(header, size, axis)
    if known is None and not calibrated:
        raise _unsaid(header, axis, _NO_UNIT)
    unit = u.AA if known is None else known.unit  # Angstrom by IRAF's definition
    expected = TYPES.get(kind.upper()) if not units else None
    if expected is not None and not unit.is_equivalent(expected):
        raise _unsaid(header, axis, f"its unit {unit} does not fit its type, CTYPE{axis} = {kind!r}")
    scale = _scale(header, axis, known, units)
    if scale == "log":  # of which base, only the numbers can tell; if they can
        bases: tuple[Scale, ...] = ("ln", "log10")
        fitting = [base for base in bases if _optical(in_angstrom(values, AxisUnit(unit, base)))]
        if len(fitting) != 1:
            raise AgnsalError(
                f"its axis is a logarithm ({described(header, axis)}), decimal or natural it does not say, and its "
                f"numbers ({values[0]:g} to {values[-1]:g}) do not tell. If it is the decimal one: "
                "read_spectra(path, units={'log10_wavelength': 'Angstrom'})"
            )
        scale = fitting[0]
    return in_angstrom(values, AxisUnit(unit, scale))


def _coefficients(header: fits.Header, size: int) -> NDArray[Any]:
    """SDSS's own cards: log10 of the wavelength in Angstrom of the first pixel, and its step.

    Where the header has an axis too, the two must agree, but for one that was made linear or moved to the rest frame
    later (that one holds).
    """
    first, step = number(header, "COEFF0"), number(header, "COEFF1")
    decimal = AxisUnit(u.AA, "log10")
    logarithmic = in_angstrom(first + step * np.arange(size), decimal)
    if "CRVAL1" not in header or not _optical(logarithmic):
        return logarithmic  # which is then refused, where it is no wavelength
    values = linear(header, size, 1)
    values = in_angstrom(values, decimal) if abs(values).max() < 10 else values
    if np.allclose(values, logarithmic, rtol=1e-5):
        return logarithmic
    moved = moved_to_rest(header)[1] or 0.0
    if abs(values[0] * (1 + moved) / logarithmic[0] - 1) < max(1e-3, 0.02 * moved) and header.get("DC-FLAG") != 1:
        return values
    raise AgnsalError(
        f"its header has two axes: COEFF0 and COEFF1 begin at {logarithmic[0]:.2f}, CRVAL1 at {values[0]:.2f}. "
        f"Delete the wrong ones: {deleting(header, 'COEFF0')}"
    )


def _scale(header: fits.Header, axis: int, known: AxisUnit | None, units: Mapping[str, object]) -> Scale:
    """``"linear"``, ``"ln"``, ``"log10"``, or ``"log"`` where an axis is a logarithm and does not say of which base."""
    if units and known is not None:
        return known.scale if known.scale != "linear" or "wavelength" in units else "log10"
    text = _names(header, axis)
    named: Scale = next((name for name, pattern in _LOG.items() if pattern.search(text)), "linear")
    if known is not None and known.scale != "linear" and named in ("linear", "log"):
        named = known.scale
    if axis == 1 and header.get("DC-FLAG") == 1:  # by IRAF's definition the decimal one
        if named == "ln":
            raise AgnsalError(f"its axis is a natural logarithm by name ({clean(text, 40)}), a decimal one by DC-FLAG.")
        return "log10"
    return named


def _names(header: fits.Header, axis: int) -> str:
    """All that a header calls an axis."""
    cards = (str(header.get(f"{stem}{axis}", "")) for stem in ("CTYPE", "CUNIT", "CNAME"))
    return " ".join((*cards, _of_iraf(header, axis, "label")))


def _unit(header: fits.Header, axis: int, units: Mapping[str, object]) -> AxisUnit | None:
    """The unit of an axis: what the user says, else CUNIT or IRAF's WAT (they must agree), else its type."""
    given = units.get("wavelength", units.get("log10_wavelength"))
    if given is not None:
        known = axis_unit(given)
        if known is None:
            raise AgnsalError(f"units= says {given!r} of the wavelength, which is no unit of wavelength.")
        return known
    card, words, named = _written_units(header, axis)
    if card is not None and words is not None and card.unit != words.unit:
        problem = f"its axis has two units, {card.unit} (CUNIT{axis}) and {words.unit} (WAT{axis}_001)"
        raise _unsaid(header, axis, problem, {"wavelength": card.unit.to_string()})
    foreign = clean(header.get(f"CUNIT{axis}", "") or _of_iraf(header, axis, "units"), 30)
    if card is None and words is None and foreign:
        problem = f"its axis {axis} is in {foreign!r}, which is no unit of wavelength, frequency or energy"
        raise _unsaid(header, axis, problem)
    return card or words or named


def _written_units(header: fits.Header, axis: int) -> tuple[AxisUnit | None, AxisUnit | None, AxisUnit | None]:
    """The unit an axis has by CUNIT, by IRAF's WAT, and by the name of its type; None where that is none."""
    kind = str(header.get(f"CTYPE{axis}", ""))
    bracketed = re.search(r"[\[(]([^\])]+)[\])]", f"{kind} {_of_iraf(header, axis, 'label')}")
    texts = header.get(f"CUNIT{axis}", ""), _of_iraf(header, axis, "units"), bracketed[1] if bracketed else kind
    card, words, named = (axis_unit(text) if str(text).strip() else None for text in texts)
    return card, words, named


def _of_iraf(header: fits.Header, axis: int, what: str) -> str:
    """An attribute of an axis in IRAF's WAT cards: its label, its units."""
    found = re.search(rf"\b{what}=(\"[^\"]*\"|\S+)", iraf.joined(header, f"WAT{axis}"))
    return found[1].strip('"') if found else ""


def _optical(values: Vector) -> bool:
    """Whether numbers can be the wavelengths, in Angstrom, of an ultraviolet to infrared spectrum."""
    return bool(
        values.size and np.isfinite(values).all() and PLAUSIBLE[0] <= values.min() and values.max() <= PLAUSIBLE[1]
    )


def iraf_calibrated(header: fits.Header) -> bool:
    """Whether IRAF says that the axis is a wavelength; its unit is then Angstrom unless it says another."""
    return header.get("DC-FLAG") in (0, 1) or iraf.is_multispec(header)


def medium_of(header: fits.Header, axis: int = 1) -> Literal["air", "vacuum"] | None:
    """What a header says its wavelengths are measured in: a card, the type of its axis, or IRAF's custom (air)."""
    card = stated_medium(header)
    if card is not None:
        return card
    kind = str(header.get(f"CTYPE{axis}", "")).upper()
    if kind[:4] in {*TYPES, *VELOCITIES} and kind[4:5] in ("", "-", " "):
        return "air" if kind.startswith("AWAV") else "vacuum"
    named = medium_in(_names(header, axis))
    if named is not None:
        return named
    made_by_iraf = iraf_calibrated(header) or "WAT0_001" in header or "NOAO-IRAF" in str(header.get("ORIGIN", ""))
    return "air" if made_by_iraf else None


def medium_in_doubt(header: fits.Header, axis: int = 1) -> str | None:
    """How a header says two media: air by the type of its axis, and vacuum by a card."""
    kind = str(header.get(f"CTYPE{axis}", "")).upper()
    if kind.startswith("AWAV") and stated_medium(header) == "vacuum":
        return f"its axis is in air by CTYPE{axis} = {clean(kind, 10)!r} and in vacuum by another card"
    return None


_NO_UNIT = "its wavelength axis has no unit (CUNIT, or units= in WAT1_001), so that Angstrom would be a guess"


def _unsaid(header: fits.Header, axis: int, problem: str, units: Mapping[str, str] | None = None) -> AgnsalError:
    """The refusal of an axis that leaves open what its numbers are, with the call that says it."""
    advice = call(None, units=units or {"wavelength": "Angstrom"})
    return AgnsalError(f"{problem}. Found: {described(header, axis) or 'no card of it'}. {advice}")


def _other_unit(first: float) -> dict[str, str]:
    """The unit that would make the numbers of an axis those of optical light, to be named in a message only."""
    if 2.5 < abs(first) < 6:
        return {"log10_wavelength": "Angstrom"}
    return {"wavelength": "Angstrom" if 2600 < abs(first) < 3e4 else "um" if abs(first) < 30 else "nm"}
