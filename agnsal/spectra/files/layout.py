"""What readers share: how a layout is declared, what the user may say of a file, and how one is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import astropy.units as u
from astropy.io import fits

from agnsal.errors import AgnsalError
from agnsal.spectra.files.meaning.roles import ROLES, UNCERTAINTIES, Part, Role, candidates_for
from agnsal.spectra.files.meaning.uncertainties import is_share, ivar_factor
from agnsal.spectra.files.meaning.units import AxisUnit, axis_unit, flux_unit
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, clean

#: A title (the name of a table, "text", "images") and the parts found under it.
Found = Sequence[tuple[str, Sequence[Part]]]


@dataclass(frozen=True)
class Request:
    """What the user says of a file; it wins over what the file says.

    Of a file of many spectra those of the `chosen` names and rows (``"row 3"``) are wanted: what is read of such a file
    may be these alone.
    """

    columns: Mapping[str, str | int] = field(default_factory=dict)
    units: Mapping[str, Any] = field(default_factory=dict)
    mask: Literal["bad", "good"] | None = None
    bad_bits: int = 0
    chosen: Collection[str] = ()

    def __post_init__(self) -> None:
        for name, given in (("columns", self.columns), ("units", self.units)):
            if not isinstance(given, Mapping) or set(given) - set(ROLES):
                raise AgnsalError(
                    f"{name}= must be a dictionary by role ({', '.join(ROLES)}), for instance "
                    f"{name}={{'flux': {'...' if name == 'columns' else 'erg/s/cm2/A'!r}}}; got {clean(given)}."
                )
        if self.mask not in ("bad", "good", None):
            raise AgnsalError(f"mask must be 'bad' or 'good' (what non-zero means) or None, got {self.mask!r}.")
        for role, unit in self.units.items():
            axis = role in ("wavelength", "log10_wavelength")
            if (axis_unit(unit) if axis else flux_unit(unit) or role not in ("flux", "error")) is None:
                kind = "wavelength, frequency or energy" if axis else "flux"
                raise AgnsalError(f"units= gives {unit!r} for the {role}, which is no unit of {kind} known here.")

    def axis_unit(self) -> AxisUnit | None:
        """The unit said to be that of the wavelengths."""
        given = self.units.get("wavelength", self.units.get("log10_wavelength"))
        return None if given is None else axis_unit(given)

    def flux_unit(self) -> u.UnitBase | None:
        """The unit said to be that of the flux."""
        return flux_unit(self.units["flux"]) if "flux" in self.units else None


@dataclass(frozen=True)
class Layout:
    """A layout of FITS files, declared where its reader lives.

    `matches` tells it by its own signature; `recognised` and `tested` (``"real"`` files of the survey, or files
    ``"built"`` to its description) say so in words. A `generic` layout is asked after all surveys, and answers only
    where the file says what it holds.

    `marks` tells a file that the survey wrote though its layout is lost or changed, so that no generic reader takes it
    for something else: it is read by the user's word only, in the survey's `medium` unless another is stated.
    """

    name: str
    matches: Callable[[fits.HDUList], Any]
    read: Callable[[fits.HDUList, Request], list[FileSpectrum]]
    recognised: str
    tested: Literal["real", "built"] = "built"
    generic: bool = False
    marks: Callable[[fits.HDUList], bool] | None = None
    medium: Literal["air", "vacuum"] | None = None


def refusal(
    problem: str,
    found: Found,
    columns: Mapping[str, Any] | None = None,
    *,
    units: Mapping[str, str] | None = None,
    mask: str | None = None,
) -> UnknownLayout:
    """The error that says what was found and the call that would read it; other layouts may still be tried."""
    return UnknownLayout(asked(problem, found, columns, units=units, mask=mask), found=found)


def asked(
    problem: str,
    found: Found,
    columns: Mapping[str, Any] | None = None,
    *,
    units: Mapping[str, str] | None = None,
    mask: str | None = None,
) -> str:
    """A refusal in words: the problem, what was found, and the call that would read it."""
    return f"{problem}. Found: {listed(found)}. {call(columns, units=units, mask=mask)}"


def errors_in(
    role: Role, part: Part, said: Any, unit: u.UnitBase, found: Found, settled: Mapping[str, Part] | None = None
) -> float:
    """What brings the inverse variance out of errors to the unit of the flux: `said` by the user, or by the `part`.

    Raises
    ------
    UnknownLayout
        If their unit does not fit that of the flux.
    """
    text = part.unit if said is None else said
    factor = ivar_factor(text, unit, role)
    if factor is not None:
        return factor
    problem = f"its errors ({clean(part.name, 40)}) are in {clean(text, 40)!r}"
    if is_share(text):
        raise UnknownLayout(
            f"{problem}, a share of the flux, which does not fit the unit of its flux, {unit}. Multiply them by the "
            f"flux in the file. Found: {listed(found)}.",
            found=found,
        )
    columns, _ = suggested([], settled or {})
    units: dict[str, str] = {role: (unit ** UNCERTAINTIES[role]).to_string()}
    raise refusal(f"{problem}, which does not fit the unit of its flux, {unit}", found, columns, units=units)


def listed(found: Found, most: int = 14) -> str:
    """What was found, short enough for a message."""
    titles = []
    for title, parts in list(found)[:8]:
        shown = ", ".join(clean(part, 60) for part in list(parts)[:most])
        titles.append(f"{clean(title, 40)}: {shown}{', ...' if len(parts) > most else ''}")
    return ("; ".join(titles) or "nothing") + ("; ..." if len(found) > 8 else "")


def call(
    columns: Mapping[str, Any] | None,
    *,
    units: Mapping[str, str] | None = None,
    mask: str | None = None,
    medium: str | None = None,
) -> str:
    """How to say it: the call, with what is already clear filled in."""
    said = {"columns": dict(columns or {}), "units": dict(units or {}), "mask": mask, "medium": medium}
    given = ", ".join(f"{name}={value!r}" for name, value in said.items() if value)
    if not given:
        return "Wavelengths are in units of wavelength, frequency or energy; convert them, or name them with columns=."
    return f"Say what it is, for instance: read_spectra(path, {given})"


def suggested(parts: Sequence[Part], settled: Mapping[str, Part]) -> tuple[dict[str, Any], dict[str, str]]:
    """Columns and units to put into the call: what is settled, and for the rest what could be meant."""
    columns: dict[str, Any] = {role: part.name for role, part in settled.items()}
    units: dict[str, str] = {}
    taken = set(columns.values())
    axis = "log10_wavelength" if "log10_wavelength" in columns else "wavelength"
    for role in (axis, "flux"):
        candidates = [part for part in candidates_for(role, parts) if part.name not in taken]
        if role == axis:  # never a velocity
            candidates = [part for part in candidates if not part.unit or axis_unit(part.unit) is not None]
        if role not in columns and candidates:
            columns[role] = candidates[0].name
            taken.add(candidates[0].name)
    units_of = {part.name: part.unit for part in parts}
    if axis not in columns or _is_no_light(units_of.get(columns[axis], "")):
        return {}, {}
    if axis_unit(units_of.get(columns[axis])) is None:
        units[axis] = "Angstrom"
    flux = units_of.get(columns.get("flux", ""), "")
    if "flux" in columns and flux_unit(flux) is None:
        units["flux"] = likely_flux(flux)
    return columns, units


def likely_flux(text: object, density: str = "1e-17 erg/s/cm2/A") -> str:
    """The unit of flux that a message names where `text` is none: with its factor, or magnitudes. It is never taken."""
    written = str(text or "").strip()
    factor = re.fullmatch(r"(?i)[x×]?\s*(1(?:\.0*)?e[-+]?\d+|10\s*(?:\*\*|\^)\s*\(?[-+]?\d+\)?)", written)
    if factor:
        return f"{factor[1]} erg/s/cm2/A"
    return "AB mag" if written.lower().startswith("mag") else density


def _is_no_light(text: str) -> bool:
    """Whether a unit is understood and none of light, so that no call can make its numbers wavelengths."""
    if not text or axis_unit(text) is not None:
        return False
    try:
        unit = u.Unit(text)
    except ValueError:
        return False  # a spelling that is not known here
    return not unit.is_equivalent(u.AA, u.spectral())
