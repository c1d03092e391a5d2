"""What the lines above the numbers of a text say: names of columns, their units, and keywords."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agnsal.spectra.files.meaning.roles import ROLES, Part, understand
from agnsal.spectra.files.meaning.units import axis_unit, flux_unit, medium_in

#: Lines at the beginning and at the end of what stands above the numbers that are asked; logs may be long.
_MOST_LINES = 200
_RULE = re.compile(r"[\s\-=+|*#_]*")
_KEYWORD = re.compile(r"\s*([A-Za-z_][\w .\-]{0,30}?)\s*[=:]\s*(\S.*)")
#: A card of a FITS header.
CARD = re.compile(r"\s*([A-Z][A-Z0-9_\-]{0,7} {0,7}= |(END|COMMENT|HISTORY)\b)")
_NUMBERED = re.compile(
    r"(?i)\s*(?:col(?:umn)?s?[\s._]*)?(\d{1,2})\s*[).:=\-]*\s+(?=[^\W\d])(.*)|\s*col(?:umn)?[\s._]*(\d{1,2})\s*[).:=\-]+\s*(.*)"
)
_LOGARITHM = re.compile(r"(?i)(log10|log_10|log|lg)\W*[(\[]\s*([^\W\d]+)\s*([^)\]]*)[)\]]+(.*)")
#: A power of ten within a name: whether its unit has it already, nobody can tell.
_FACTOR = re.compile(r"(?i)(\b|_)((1\.?0?e|10\W*)[-−]\d+|(1\.?0?e|10\s*(\*\*|\^))\s*\+?\d+)")
_SPECTRAL = re.compile(
    r"(?i)\b(wave\w*|lambda\w*|lam|loglam|frequency|nm|nanomet\w+|angstr\w+|microns?|micromet\w+|um|[gtm]hz|hz|km/s|ergs?|[mµu]?jy)\b"
)


@dataclass(frozen=True)
class Heading:
    """The columns as the lines above them tell (no `parts` where they do not), and keywords in upper case."""

    parts: list[Part] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    unread: str = ""  # a line that speaks of wavelengths or units and was not understood
    row_numbers: bool = False  # the first column has no name: R's write.table
    medium: str | None = None
    frame: str | None = None


def heading_of(lines: Sequence[str], width: int, delimiter: str | None) -> Heading:
    """What the lines above `width` columns of numbers say.

    Names stand in one line, with units in brackets or in a line below, or one to a line with the number of the
    column; ``units_flux: Jy`` and ``flux: Jy`` are units too.

    Examples
    --------
    >>> [str(part) for part in heading_of(["wavelength [nm]  flux (erg/s/cm2/A)"], 2, None).parts]
    ['wavelength [nm] (wavelength)', 'flux [erg/s/cm2/A] (flux)']
    """
    lines = [line for line in lines if not _RULE.fullmatch(line)]
    lines = lines if len(lines) <= 2 * _MOST_LINES else [*lines[:_MOST_LINES], *lines[-_MOST_LINES:]]
    facts = {match[1].strip().upper(): _value(match[2]) for match in map(_KEYWORD.match, lines) if match}
    text = " ".join(lines)
    lines = [line for line in lines if not CARD.match(line)]  # no card of a FITS header names columns
    parts, row_numbers, place = _named(lines, width, delimiter)
    if parts:
        parts = _with_units(parts, lines[place + 1 :], delimiter)
        parts = _with_keywords(parts, facts)
    observed = re.search(r"(?i)\bobserved?[\s-]*frame", text)
    return Heading(
        parts=_distinct(parts),
        facts=facts,
        unread="" if parts else next((line.strip() for line in lines if _speaks_of_columns(line)), ""),
        row_numbers=row_numbers,
        medium=medium_in(text),
        frame="rest" if re.search(r"(?i)\brest[\s-]*frame", text) and not observed else None,
    )


def _value(text: str) -> str:
    """The value of a keyword; of a card of FITS without its quotes and its comment."""
    quoted = re.match(r"'((?:[^']|'')*)'", text.strip())
    return (quoted[1] if quoted else re.split(r"\s+/\s", text)[0]).strip()


def _speaks_of_columns(line: str) -> bool:
    """Whether a line speaks of wavelengths or units, or names two columns or more."""
    words = re.findall(r"[^\W\d]\w*", line)
    return bool(_SPECTRAL.search(line)) or sum(understand(word).role in ROLES for word in words) > 1


def _named(lines: Sequence[str], width: int, delimiter: str | None) -> tuple[list[Part], bool, int]:
    """The columns by the line that names most of them, the last of equals, and the place of that line."""
    best: tuple[int, list[Part], bool, int] = (0, [], False, -1)
    for place, line in enumerate(lines):
        for cells in _cells(line, delimiter):
            if len(cells) == width + 1 and not cells[-1]:
                cells = cells[:-1]  # noqa: PLW2901 - the line ends with the delimiter
            if len(cells) not in (width, width - 1) or len(cells) < 2:
                continue
            parts = [named_part(cell) for cell in cells]
            understood = 2 * sum(part.role is not None for part in parts) - (len(cells) < width)
            units = sum(_is_unit(cell) for cell in cells)
            if understood > 0 and understood >= best[0] and 2 * units <= len(cells):
                best = (understood, parts, len(cells) < width, place)
    by_number = _by_number(lines, width)
    return (by_number, False, len(lines)) if by_number else best[1:]


def _by_number(lines: Sequence[str], width: int) -> list[Part]:
    """The columns where each has a line of its own: ``# 1 wavelength [nm]``, ``# column 2: flux (Jy)``."""
    found: dict[int, Part] = {}
    for match in map(_NUMBERED.fullmatch, lines):
        if match:
            text = re.sub(r"\s{2,}", " ", match[2] or match[4] or "").strip()
            words = text.split(None, 1)
            part = named_part(text)
            if len(words) == 2 and not part.unit and _is_unit(words[1].strip("[]() ")):
                part = named_part(f"{words[0]} [{words[1].strip('[]() ')}]")
            found[int(match[1] or match[3])] = part
    complete = sorted(found) == list(range(1, width + 1))
    return [found[number] for number in sorted(found)] if complete and any(p.role for p in found.values()) else []


def _cells(line: str, delimiter: str | None) -> Iterable[list[str]]:
    """The ways to cut a line into cells: at the delimiter, at commas, at wide blanks, and at blanks."""
    ways = []
    for mark in (delimiter, ",", ";", r"\t", r"\s{2,}", r"\s"):
        if mark is None:
            continue
        cells = [
            cell.strip().strip("\"'").strip()
            for cell in _outside_brackets(line.strip(" #") if mark != delimiter else line, mark)
        ]
        if mark == r"\s":
            cells = [cell.strip(",;|") for cell in cells if cell.strip(",;|")]
        joined: list[str] = []
        for cell in cells:  # a unit in brackets belongs to the name before it
            if cell[:1] in "[(" and cell and joined and "[" not in joined[-1]:
                joined[-1] += " " + cell
            else:
                joined.append(cell)
        ways += [joined] if joined == cells else [joined, cells]
    return ways


def _outside_brackets(line: str, mark: str) -> list[str]:
    """The line cut at a mark, but not inside brackets or quotes."""
    cells, depth, quote, start = [], 0, "", 0
    for match in re.finditer(rf"[\[({{]|[\])}}]|[\"']|(?:{mark})", line):
        sign = match[0]
        if quote or sign in "\"'":
            quote = "" if sign == quote else quote or (sign if sign in "\"'" else "")
        elif sign in "[({":
            depth += 1
        elif sign in "])}":
            depth = max(0, depth - 1)
        elif depth == 0:
            cells.append(line[start : match.start()])
            start = match.end()
    return [*cells, line[start:]]


def named_part(cell: str) -> Part:
    """A column by its name with a unit behind it: ``flux [Jy]``, ``wave(nm)``, ``wave/nm``, ``wave_nm``."""
    cell = cell.strip().strip("\"'").strip()
    if match := _LOGARITHM.fullmatch(cell):
        unit = match[3].strip(" /[]()") or match[4].strip(" []()")
        unit = unit or ("Angstrom" if understand(match[2]).role == "wavelength" else "")
        base = "log" if match[1].lower() in ("log", "lg") else "log10"
        return replace(understand(f"log10 {match[2]}", unit=f"{base}({unit})" if unit else ""), name=cell)
    match = re.fullmatch(r"([^\[(]+?)[_\s]*[\[(](.*)[\])]\W*", cell)
    if match:
        return understand(match[1].strip(), unit="" if _FACTOR.search(match[1]) else match[2])
    for pattern in (r"(.+?)\s*/\s*(.+)", r"(.+?)\s+in\s+(.+)", r"(.+)_([^_]+)"):
        match = re.fullmatch(pattern, cell)
        if match and _fits(understand(match[1]).role, match[2]):
            return replace(understand(match[1], unit=match[2]), name=cell)
    if len(cell) > 1 and axis_unit(cell) is not None:  # the column is called by its unit
        return replace(understand("wavelength", unit=cell), name=cell)
    return understand(cell)


def _fits(role: str | None, unit: str) -> bool:
    """Whether a word is a unit of what the name before it is."""
    if role in ("wavelength", "log10_wavelength"):
        return axis_unit(unit) is not None
    return role in ("flux", "error") and flux_unit(unit) is not None and understand(unit).role is None


def _is_unit(cell: str) -> bool:
    text = cell.strip().strip("[](){}").strip()
    return (understand(text).role is None and (axis_unit(text) or flux_unit(text)) is not None) or text.lower() in (
        "angstrom",
        "angstroms",
    )


def _with_units(parts: list[Part], below: Sequence[str], delimiter: str | None) -> list[Part]:
    """The parts with the units of a line below that has a unit for each, or a dash."""
    for line in below:
        for cells in _cells(line, delimiter):
            stated = sum(map(_is_unit, cells))
            bare = sum(not cell.strip("-. ") for cell in cells)
            if len(cells) == len(parts) and stated and (2 * stated >= len(cells) or stated + bare == len(cells)):
                units = [re.sub(r"^[\[(](.*)[\])]$", r"\1", cell).strip() for cell in cells]
                return [_given(part, unit) for part, unit in zip(parts, units, strict=True)]
    return parts


def _given(part: Part, unit: str) -> Part:
    if part.unit or unit.strip("-. ") == "" or (part.role is None and not _is_unit(unit)):
        return part
    return replace(part, unit=unit, medium=part.medium or (medium_in(unit) if part.role == "wavelength" else None))


def _with_keywords(parts: list[Part], facts: Mapping[str, str]) -> list[Part]:
    """The parts with units out of keywords: ``units_flux: Jy``, ``wavelength unit = nm``, ``flux: Jy``."""
    for key, value in facts.items():
        words = [word for word in re.split(r"[\W_]+", key.lower()) if word]
        stem = [word for word in words if word not in ("unit", "units")]
        if not stem and len(units := [cell for cell in re.split(r"\s*[,;]\s*", value) if cell]) == len(parts):
            parts = [_given(part, unit) for part, unit in zip(parts, units, strict=True)]
        role = understand(" ".join(stem)).role if stem else None
        if role in ROLES and (len(stem) < len(words) or _is_unit(value)):
            parts = [_both(_given(part, value), value) if part.role == role else part for part in parts]
    return parts


def _both(part: Part, value: str) -> Part:
    """The part, with both units where a keyword and the line of names contradict one another: then it is asked."""
    units = [axis_unit(text) or flux_unit(text) for text in (part.unit, value)]
    return part if None in units or units[0] == units[1] else replace(part, unit=f"{part.unit} or {value}")


def _distinct(parts: list[Part]) -> list[Part]:
    """The parts under names that differ, so that each can be asked for."""
    names = [part.name for part in parts]
    return [
        replace(part, name=f"{part.name} (column {number})".strip())
        if names.count(part.name) > 1 or not part.name
        else part
        for number, part in enumerate(parts, 1)
    ]
