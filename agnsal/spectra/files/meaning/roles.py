"""What a column or an extension is: said by its name, its UCD or its unit, or not said at all.

Names are cut into words (at blanks, underscores, changes of case, and where a run of letters is made of known words
alone, as in ``fluxerr``); a name has a role if every word of it is known. `obj_flux` is a flux, `sky_flux` is known to
be something else, and of `flux_b` nothing is known, because of its `b`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, get_args

from agnsal.errors import AgnsalError
from agnsal.spectra.files.meaning.units import FLAM17, axis_unit, flux_unit, medium_in

Role = Literal["wavelength", "log10_wavelength", "flux", "error", "variance", "ivar", "mask"]
ROLES: tuple[Role, ...] = get_args(Role)
#: How errors may be given, the most direct first, and the power of the unit of the flux that each is in.
UNCERTAINTIES: dict[Role, int] = {"ivar": -2, "variance": 2, "error": 1}

_VOCABULARY: dict[str, tuple[str, ...]] = {
    "wave": (
        *("wavelength", "wavelengths", "wave", "waves", "wavel", "wavelen", "wlen", "wvl", "wl", "wav", "lambda"),
        *("lam", "lamb", "lbda", "λ", "frequency", "freq", "energy", "angstrom", "angstroms", "wavenumber"),
    ),
    "logwave": (
        *("loglam", "loglambda", "logwave", "logwavelength", "loglamb", "loglbda", "log10lam", "log10lambda"),
        *("log10wave", "log10wavelength", "loglambdas", "logwl"),
    ),
    "flux": ("flux", "fluxes", "flam", "flambda", "fnu", "intensity", "spectrum", "spec", "fλ"),
    "counts": ("counts", "count", "adu", "electrons"),
    "uncalibrated": ("norm", "normalized", "normalised", "normflux", "relative", "rel", "reduced", "uncalibrated"),
    "error": (
        *("err", "error", "errors", "errs", "sigma", "sig", "std", "stdev", "stddev", "unc", "uncert"),
        *("uncertainty", "uncertainties", "noise", "rms", "ferr", "eflux", "dflux"),
    ),
    "variance": ("var", "variance", "variances", "fvar"),
    "ivar": ("ivar", "invvar", "inversevar", "inversevariance"),
    "mask": (
        *("mask", "dq", "qual", "quality", "flag", "flags", "bad", "badpix", "badpixel", "badpixels", "bpm"),
        *("badmask", "pixmask", "maskbits", "dqflags"),
    ),
    "good": ("good", "goodpix", "goodpixel", "goodpixels", "gpm", "valid"),
    "observed": ("obs", "observed", "obsframe"),
    "rest": ("rest", "restframe", "emitted", "restwave", "restlam"),
    "air": ("air",),
    "vacuum": ("vac", "vacuum"),
    "plain": (
        *("obj", "object", "target", "src", "source", "sci", "science", "coadd", "coadded", "combined", "calibrated"),
        *("calib", "cal", "density", "spectral", "pixel", "pixels", "pix", "value", "values", "array", "data"),
        *("heliocentric", "barycentric", "helio", "bary", "extracted", "flx"),
    ),
    "other": (
        *("sky", "skyflux", "background", "bkg", "bkgd", "bg", "bgd", "model", "mod", "fit", "best", "bestfit", "min"),
        *("continuum", "cont", "contin", "telluric", "tell", "transmission", "trans", "atm", "atmosphere", "fwhm"),
        *("lsf", "psf", "res", "resolution", "resol", "resolving", "dispersion", "disp", "wdisp", "wavedisp", "width"),
        *("delta", "step", "bin", "bins", "max", "lo", "hi", "lower", "upper", "low", "high", "snr", "sn", "gross"),
        *("net", "template", "templ", "tem", "tmpl", "smooth", "smoothed", "residual", "residuals", "resid"),
        *("extinction", "ebv", "throughput", "sensitivity", "sens", "response", "exposure", "exptime", "npix"),
        *("npixels", "nobs", "index", "idx", "row", "number", "order", "airmass", "contam", "contamination", "poisson"),
        *("rnoise", "flat", "velocity", "vel", "redshift", "line", "lines", "emline", "ratio", "percentile", "dlam"),
        *("ormask", "andmask", "and", "or", "brightness", "sb", "raw", "dispersions", "kernel", "bkgflux", "nu"),
        *("dwave", "deltawave", "weight", "weights", "bias", "dark", "gain", "correction", "median", "average"),
        *("polynomial", "baseline", "starlight", "host", "stellar", "nebular", "arc", "thar", "lamp", "standard"),
    ),
}  # fmt: skip
_WORDS = {word: kind for kind, words in _VOCABULARY.items() for word in words}
#: Words that mean one thing together.
_TOGETHER = {
    **dict.fromkeys(("f lambda", "f lam", "flux lambda", "flux lam", "f nu", "flux nu", "f λ", "flux density"), "flux"),
    **dict.fromkeys(("spectral axis", "wave length"), "wavelength"),
    **dict.fromkeys(("inverse variance", "inv var", "inverse var", "inv variance", "i var"), "ivar"),
    **dict.fromkeys(("std dev", "standard deviation", "st dev", "flux e", "e flux", "d flux"), "error"),
    **dict.fromkeys(("data quality", "d q", "bad mask"), "dq"),
    **dict.fromkeys(("log10 lambda", "log lambda", "log lam", "log10 lam", "log wave", "log10 wave"), "loglam"),
    **dict.fromkeys(("log wavelength", "log10 wavelength", "loglam10", "log wl", "log10 wl"), "loglam"),
    "s n": "snr",
    "good mask": "good",
}
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


@lru_cache(maxsize=4096)
def _kinds(name: str) -> tuple[frozenset[str], bool]:
    """The kinds of the words of a name, and whether every word is known."""
    text = re.sub(r"[\[(].*", "", name)  # a unit in brackets
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    text = " ".join(re.split(r"[\W_]+", text)).strip()
    for phrase, word in _TOGETHER.items():
        text = re.sub(rf"\b{phrase}\b", word, text)
    kinds: list[str] = []
    known = bool(text)
    for token in text.split():
        words = _cut(token)
        known &= words is not None
        kinds += [_WORDS[word] for word in words or ()]
    return frozenset(kinds), known


def _cut(token: str) -> tuple[str, ...] | None:
    """The known words that a run of letters is made of, or None where it is not made of them alone."""
    if token in _WORDS:
        return (token,)
    for end in range(len(token) - 3, 2, -1):
        if token[:end] in _WORDS and (rest := _cut(token[end:])) is not None and len(token[end:]) > 2:
            return (token[:end], *rest)
    return None


def _named(name: str, extension: bool) -> tuple[str | None, frozenset[str]]:  # noqa: PLR0911 - a table of cases
    """The role that a name says, and the kinds of its words."""
    kinds, known = _kinds(_EXTENSIONS.get(name.strip().lower(), name) if extension else name)
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
    return _kinds(part.name)[0]


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
