"""What a column or an extension is: said by its name, its UCD or its unit, or not said at all.

Names are cut into words (at blanks, underscores, changes of case, and where a run of letters is made of known words
alone, as in ``fluxerr``); a name has a role if every word of it is known. `obj_flux` is a flux, `sky_flux` is known to
be something else, and of `flux_b` nothing is known, because of its `b`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from agnsal.errors import AgnsalError
from agnsal.spectra.files.meaning.units import FLAM17, axis_unit, flux_unit, medium_in
from agnsal.spectra.files.meaning.vocabulary import kinds_of

Role = Literal["wavelength", "log10_wavelength", "flux", "error", "variance", "ivar", "mask"]
ROLES: tuple[Role, ...] = get_args(Role)
#: How errors may be given, the most direct first, and the power of the unit of the flux that each is in.
UNCERTAINTIES: dict[Role, int] = {"ivar": -2, "variance": 2, "error": 1}

#: Names that say flux where they are the name of an extension, and one that says variance (MUSE, MPDAF).
_EXTENSIONS = {"sci": "flux", "data": "flux", "primary": "flux", "object": "flux", "science": "flux", "stat": "var"}


@dataclass(frozen=True)
class Part:
    """A column or an extension: what it is called, what it says of itself, and the role that follows.

    `role` is one of `ROLES`, ``"other"`` where it is known to be something else (a sky, a model, a width), and None
    where nothing is known.
    """

    name: str
    role: str | None = None
    unit: str = ""
    medium: str | None = None
    frame: str | None = None  # "rest", "observed"
    calibrated: bool = True  # False: counts, or normalised flux, beside which calibrated flux is preferred
    main: bool = False  # the file says that of several of a kind this one is meant
    good: bool = False  # of a mask: non-zero means good
    shape: tuple[int, ...] = ()

    def __str__(self) -> str:
        said = {None: "not understood", "other": "not used"}.get(self.role, self.role)
        size = " x ".join(map(str, self.shape))
        return " ".join(filter(None, (self.name, f"[{self.unit}]" if self.unit else "", size, f"({said})")))


def _named(name: str, extension: bool) -> tuple[str | None, frozenset[str]]:  # noqa: PLR0911 - a table of cases
    """The role that a name says, and the kinds of its words."""
    kinds, known = kinds_of(_EXTENSIONS.get(name.strip().lower(), name) if extension else name)
    if "other" in kinds:
        return "other", kinds
    if not known:
        return None, kinds
    what = kinds - {"plain", "observed", "rest", "air", "vacuum", "uncalibrated"}
    if kinds & {"wave", "logwave"} and kinds & {"error", "variance", "ivar", "mask", "good"}:
        return "other", kinds  # the error of a wavelength
    if what & {"mask", "good"} and what & {"error", "variance", "ivar"}:
        return None, kinds
    for kind, role in (("ivar", "ivar"), ("variance", "variance"), ("error", "error"), ("good", "mask")):
        if kind in what and not (what & {"ivar", "variance", "error"}) - {kind}:
            return role, kinds
    if "mask" in what:
        return "mask", kinds
    if what <= {"flux", "counts"} and (what or kinds & {"uncalibrated"}):
        return "flux", kinds
    if what in ({"wave"}, {"logwave"}):
        return {"wave": "wavelength", "logwave": "log10_wavelength"}[next(iter(what))], kinds
    return None, kinds


_UCD_AXIS = {"em.wl", "em.freq", "em.energy", "em.wavenumber"}
_UTYPES = {
    "spectralaxis.value": "wavelength",
    "spectralaxis": "wavelength",
    "fluxaxis.value": "flux",
    "fluxaxis": "flux",
    "fluxaxis.accuracy.staterror": "error",
    "fluxaxis.accuracy.qualitystatus": "mask",
    "fluxaxis.quality": "mask",
}


def _ucd(ucd: str, utype: str) -> str | None:  # noqa: PLR0911 - a table of cases
    """The role that a UCD (of VOTable, or TUCD of ESO) or a utype of the spectral data model says."""
    words = [word.strip().lower() for word in ucd.split(";") if word.strip()]
    if words:
        if any(
            word.startswith(("instr.background", "instr.sky", "stat.snr", "stat.fit", "spect.cont")) for word in words
        ):
            return "other"
        flux = any(word.startswith(("phot.flux", "phot.count")) for word in words)
        if "stat.error" in words:
            return "error" if flux or (words[0] == "stat.error" and len(words) == 1) else "other"
        if "stat.variance" in words:
            return "variance"
        if words[0].startswith("meta.code"):
            return "mask"
        if words[0] in _UCD_AXIS:
            return "wavelength"
        if words[0].startswith(("phot.flux", "phot.count")):
            return "flux"
    return next((role for end, role in _UTYPES.items() if utype.lower().endswith("data." + end)), None)


def understand(
    name: str,
    *,
    unit: object = None,
    ucd: object = "",
    utype: object = "",
    extension: bool = False,
    shape: tuple[int, ...] = (),
) -> Part:
    """What a column, or an `extension`, says of itself by its name, UCD, utype and the words of its unit.

    Where name and UCD contradict one another nothing is known.

    Examples
    --------
    >>> understand("wave_air", unit="nm").role, understand("wave_air").medium
    ('wavelength', 'air')
    >>> [understand(name).role for name in ("FLUX_ERR", "SkyFlux", "lam_rest", "flux_b", "STAT")]
    ['error', 'other', 'wavelength', None, None]
    >>> understand("STAT", extension=True).role
    'variance'
    """
    name = str(name)
    ucd, utype = str(ucd or ""), str(utype or "")
    role, kinds = _named(name, extension)
    said = _ucd(ucd, utype)
    if said is not None and role != "other":
        role = said if role in (None, said, {"wavelength": "log10_wavelength"}.get(said)) else None
    medium = medium_in(name) or medium_in(unit)
    if role == "flux" and not str(unit or "").strip():  # counts and normalised flux are called what they are in
        unit = "counts" if "counts" in kinds else "relative" if re.search(r"(?i)norm|relative", name) else unit
    if role == "wavelength" and "em.wl" in ucd.lower():
        medium = "air" if "obs.atmos" in ucd.lower() else medium
    return Part(
        name=name,
        role=role,
        unit="" if unit is None else str(unit).strip(),
        medium=medium if role in ("wavelength", "log10_wavelength") else None,
        frame="rest" if "rest" in kinds else "observed" if "observed" in kinds else None,
        calibrated=not (kinds & {"counts", "uncalibrated"} or "stat.uncalib" in ucd.lower()),
        main="meta.main" in ucd.lower(),
        good="good" in kinds and "mask" not in kinds - {"mask"},
        shape=tuple(shape),
    )


def by_unit(parts: Sequence[Part]) -> list[Part]:
    """The parts, where the one column whose name says nothing has the one unit that says what it is."""
    found = list(parts)
    for role, fits_role in (("wavelength", lambda part: axis_unit(part.unit) is not None), ("flux", _is_density)):
        there = {part.role for part in found}
        if role in there or (role == "wavelength" and "log10_wavelength" in there):
            continue
        candidates = [part for part in found if part.role is None and fits_role(part) and not _hints(part) & _ASIDE]
        if len(candidates) == 1:
            found = [replace(part, role=role) if part is candidates[0] else part for part in found]
    return found


_ASIDE = {"error", "variance", "ivar", "mask", "good"}


def _hints(part: Part) -> frozenset[str]:
    """The kinds of the words of a name, also where others of its words are unknown."""
    return kinds_of(part.name)[0]


def candidates_for(role: str, parts: Iterable[Part]) -> list[Part]:
    """The parts that could be meant for a role, the likeliest first: to be named in a message, never to be taken."""
    kind = {"flux": "flux", "wavelength": "wave", "log10_wavelength": "logwave"}.get(role, role)

    def unlikeliness(part: Part) -> tuple[bool, ...]:
        fits_unit = _is_density(part) if role == "flux" else axis_unit(part.unit) is not None
        hints = _hints(part)
        return (part.role != role, bool(hints & {"other", *_ASIDE}), kind not in hints, not fits_unit)

    return sorted((part for part in parts if part.role in (role, None, "other")), key=unlikeliness)


def _is_density(part: Part) -> bool:
    """Whether the unit is one of flux density; counts and ratios may be anything."""
    import astropy.units as u

    unit = flux_unit(part.unit)
    return (
        unit is not None
        and not isinstance(unit, u.MagUnit)
        and unit.is_equivalent(FLAM17, u.spectral_density(5000 * u.AA))
    )


class Undecided(AgnsalError):  # noqa: N818 - answered by the reader, which knows what else was found
    """No column or more than one says that it is what is needed; `roles` are those that are settled."""

    def __init__(self, problem: str, roles: Mapping[str, Part]) -> None:
        super().__init__(problem)
        self.problem, self.roles = problem, dict(roles)


def assign(parts: Iterable[Part], columns: Mapping[str, str | int] | None = None) -> dict[str, Part]:
    """Which part plays which role, the user's `columns` first; wavelength and flux must come out.

    Raises
    ------
    Undecided
        Where wavelength or flux is lacking, or more than one part has an equal right to a role.
    """
    parts = list(parts)
    chosen: dict[str, Part] = {}
    for role, name in (columns or {}).items():
        match = [part for part in parts if part.name == name] or [
            part for part in parts if part.name.strip().lower() == str(name).strip().lower()
        ]
        if len(match) != 1:
            raise Undecided(f"columns= names {name!r} as the {role}, and there is no such column", chosen)
        good = match[0].good if match[0].role == role else False
        chosen[role] = replace(match[0], role=role, good=good, frame=match[0].frame, medium=match[0].medium)
    taken = {part.name for part in chosen.values()}
    known = by_unit([*chosen.values(), *(part for part in parts if part.name not in taken)])
    rest = [part for part in known if part.name not in taken]
    given_error = bool({*UNCERTAINTIES} & set(chosen))
    given_axis = bool({"wavelength", "log10_wavelength"} & set(chosen))
    for role in ROLES:
        candidates = [part for part in rest if part.role == role]
        if not candidates or role in chosen or (given_error and role in UNCERTAINTIES):
            continue
        if given_axis and role in ("wavelength", "log10_wavelength"):
            continue
        chosen[role] = _one_of(candidates, role, chosen)
    if {"wavelength", "log10_wavelength"} <= set(chosen):
        del chosen["log10_wavelength"]
    kinds = [role for role in UNCERTAINTIES if role in chosen]
    for role in kinds[1:]:
        del chosen[role]
    lacking = [what for what, names in _NEEDED.items() if not names & set(chosen)]
    if lacking:
        raise Undecided(f"nothing in it says that it is the {' or the '.join(lacking)}", chosen)
    return chosen


_NEEDED = {"wavelength": {"wavelength", "log10_wavelength"}, "flux": {"flux"}}


def _one_of(candidates: list[Part], role: str, chosen: Mapping[str, Part]) -> Part:
    """The one that is meant: by the file's own word, observed before rest, vacuum before air, calibrated first."""
    several = candidates
    preferences: tuple[Callable[[Part], bool], ...] = (
        lambda part: part.main,
        lambda part: part.calibrated,
        lambda part: part.frame != "rest",
        lambda part: part.medium == "vacuum" or not all(other.medium for other in several),
    )
    for preferred in preferences:
        if len(candidates) > 1 and any(map(preferred, candidates)):
            candidates = [part for part in candidates if preferred(part)]
    if len(candidates) > 1:
        names = ", ".join(part.name for part in candidates)
        raise Undecided(f"each of {names} may be the {role}", chosen)
    return candidates[0]


def table_parts(columns: Iterable[Any]) -> list[Part]:
    """The parts of a FITS table: `columns` are those of its HDU, with TUCD and TUTYP where it has them."""
    return [
        understand(column.name, unit=column.unit, ucd=getattr(column, "ucd", ""), utype=getattr(column, "utype", ""))
        for column in columns
    ]
