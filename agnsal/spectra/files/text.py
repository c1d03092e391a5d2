"""Spectra as text: ECSV, IPAC, VOTable, the text export of NED, CSV, and plain columns of numbers.

Names and units stand in a line above the numbers, in comments, in a line of units of their own, or in comments of the
form ``units_flux: erg/s/cm2/A``. A header that names columns and does not fit them is refused, never passed over.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.columns import Known, spectra_of
from agnsal.spectra.files.layout import Request, refusal, suggested
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, clean
from agnsal.spectra.files.roles import Part, Undecided, assign, understand
from agnsal.spectra.files.units import FLAM17, AxisUnit, axis_unit, flux_unit

_COMMENT = ("#", "%", ";", "!", "//")
_ANGSTROM = AxisUnit(u.AA)
_RELATIVE = u.dimensionless_unscaled
#: Texts without units whose layout is known all the same, by the names of all their columns.
_KNOWN_TEXTS = {
    ("lam", "flux", "err"): Known(_RELATIVE, _ANGSTROM),  # PyQSOFit and its kin
    ("spectral_axis", "intensity"): Known(_RELATIVE, _ANGSTROM, "air", "NED"),
    ("spectral_axis", "intensity", "uncertainty"): Known(_RELATIVE, _ANGSTROM, "air", "NED"),
    ("wavelength", "flux", "bestfit", "skyflux"): Known(FLAM17, _ANGSTROM, "vacuum", "SDSS"),  # of its archive server
}
#: Bare columns are Angstrom where their numbers are those of optical light in Angstrom, and of nothing else usual.
_OPTICAL = (2900.0, 12000.0)
_CELL = re.compile(r"([^\s\[(]*)\s*(\[(?:[^\[\]]|\[[^\]]*\])*\]|\((?:[^()]|\([^)]*\))*\))?\s*")
_NULLS = ("null", "none", "--", "masked", "n/a", "na", "...", "nan", "inf", "-inf")


def read_text(content: bytes, request: Request = Request()) -> list[FileSpectrum]:  # noqa: B008 - frozen
    """The spectra of a text file, given as its bytes."""
    if b"\0" in content[:4096]:
        raise UnknownLayout("its bytes are neither FITS nor text.")
    text = content.decode("utf-8-sig", errors="replace")
    start = text.lstrip()[:2000]
    if not start:
        raise AgnsalError("it is empty.")
    if start.startswith("<"):
        if "<VOTABLE" in start.upper():
            return _astropy_table(content, "votable", request)
        raise UnknownLayout(f"it is a page of HTML or XML, no spectrum (begins with {clean(start, 40)!r}).")
    if start.startswith("# %ECSV"):
        return _astropy_table(text, "ascii.ecsv", request)
    if start.startswith(("\\", "|")):
        return _astropy_table(text, "ascii.ipac", request)
    lines = [line for line in text.splitlines() if line.strip()]
    if any("Published-Value" in line for line in lines[:10]):
        return _ned(lines, request)
    return _columns(lines, request)


def _astropy_table(text: str | bytes, format: str, request: Request) -> list[FileSpectrum]:  # noqa: A002
    """Tables that know their units, through astropy's reader of that format."""
    from astropy.table import Table

    table = Table.read(io.BytesIO(text) if isinstance(text, bytes) else text, format=format)
    if len(table) == 0:
        raise AgnsalError("its table is empty.")
    parts = []
    for name in table.colnames:
        if table[name].dtype.kind in "fiub":
            ucd, utype = (table[name].meta.get(key, "") for key in ("ucd", "utype"))
            unit = table[name].unit
            parts.append(understand(name, unit="relative" if unit == _RELATIVE else unit, ucd=ucd, utype=utype))
    numbers = {part.name: table[part.name] for part in parts}
    return _spectra(parts, numbers, dict(table.meta), request)


def _ned(lines: list[str], request: Request) -> list[FileSpectrum]:
    """NED's text export: the published values stand left of a bar, NED's own conversion to Hz right of it."""
    header = [line.lstrip("# ").partition("|")[0] for line in lines if line.lstrip().startswith("#")]
    units = next((re.findall(r"\[([^\]]*)\]", line) for line in header if "[" in line), [])
    rows = [line.partition("|")[0].split() for line in lines if not line.lstrip().startswith("#")]
    if len(units) < 2 or not rows:
        raise AgnsalError("it looks like a spectrum from NED, but its units or its numbers are missing.")
    width = min(len(units), *(len(row) for row in rows))
    if width < 2:
        raise AgnsalError(f"line {1 + min(range(len(rows)), key=lambda i: len(rows[i]))} of its numbers is cut off.")
    numbers = _matrix([" ".join(row[:width]) for row in rows], None)
    names = ("spectral_axis", "intensity", "uncertainty")[:width]
    parts = [understand(name, unit=unit) for name, unit in zip(names, units, strict=False)]
    return _spectra(parts, dict(zip(names, numbers, strict=True)), {}, request, replace(_KNOWN_TEXTS[names]))


def _spectra(
    parts: Sequence[Part],
    numbers: Mapping[str, Any],
    header: Mapping[str, Any],
    request: Request,
    known: Known = Known(),  # noqa: B008
) -> list[FileSpectrum]:
    """The spectra of columns, by what they say and what the user says; numbers of columns count from 1."""
    found = [("columns", parts)]
    columns = {
        role: parts[int(name) - 1].name if str(name).isdigit() and 0 < int(name) <= len(parts) else name
        for role, name in request.columns.items()
    }
    header = {str(key).upper(): value for key, value in header.items()}
    parts = [replace(part, unit=part.unit or _unit_by_keyword(part, header)) for part in parts]
    try:
        roles = assign(parts, columns)
    except Undecided as error:
        said, units = suggested(parts, error.roles)
        raise refusal(f"{error.problem}: no columns of wavelength and flux", found, said, units=units) from error
    records = spectra_of(roles, numbers, header, request, [("columns", parts)], known)
    used = {part.name for part in roles.values()}
    for record in records:
        record.ignored = tuple(part.name for part in parts if part.name not in used)
    return records


def _unit_by_keyword(part: Part, header: Mapping[str, Any]) -> str:
    """A unit that a comment states for a column: ``units_flux: ...``, ``WAVE_UNIT = ...``."""
    for key, value in header.items():
        words = re.split(r"[\W_]+", key.lower())
        if {"unit", "units"} & set(words):
            rest = "_".join(word for word in words if word not in ("unit", "units"))
            if rest and (rest == part.name.lower() or understand(rest).role == part.role is not None):
                return str(value)
    return ""


def _columns(lines: list[str], request: Request) -> list[FileSpectrum]:
    """Columns separated by commas, semicolons, tabs or blanks, with names above them or in a comment, or without."""
    comments = [line.strip().lstrip("#%;!/ \t") for line in lines if line.lstrip().startswith(_COMMENT)]
    rows = [line.strip() for line in lines if not line.lstrip().startswith(_COMMENT)]
    if not rows:
        raise AgnsalError("it holds no numbers, only comments.")
    rows, delimiter = _separated(rows)
    parts: list[Part] = []
    if (not _is_number(rows[0].split(delimiter)[0]) and not all(map(_is_number, rows[0].split(delimiter)[1:]))) or (
        not _is_number(rows[0].split(delimiter)[0]) and len(rows[0].split(delimiter)) == 1
    ):
        header, rows = rows[0], rows[1:]
        width = len(rows[0].split(delimiter)) if rows else None
        parts = _parts(header, delimiter, width)
        if rows and not any(map(_is_number, rows[0].split(delimiter))):  # a line of units
            parts, rows = _with_units(parts, rows[0], delimiter), rows[1:]
        if not rows and any(part.role for part in parts):
            raise AgnsalError("its table is empty: names of columns and no row.")
        if not rows or not (any(part.role for part in parts) or _is_number(rows[0].split(delimiter)[0])):
            raise UnknownLayout("it is text without columns of numbers.")
        if not parts:
            raise _unfit(header, rows, delimiter)
    width = len(rows[0].split(delimiter))
    if not parts:
        parts = _parts_in_comments(comments, delimiter, width, rows, bool(request.columns))
    labels = 1 if len(parts) == width - 1 else 0  # the row numbers of R's write.table
    if not parts:
        return _without_names(rows, delimiter, width, comments, request)
    keywords = _keywords(comments)
    wanted = {part.name for part in parts if part.role or request.columns} | {
        part.name for part in parts if axis_unit(part.unit) or flux_unit(part.unit)
    }
    places = [number + labels for number, part in enumerate(parts) if part.name in wanted]
    if not places:
        raise UnknownLayout(f"no columns of wavelength and flux among {clean(', '.join(p.name for p in parts))}.")
    numbers = _matrix(rows, delimiter, places, width)
    named = dict(zip((parts[place - labels].name for place in places), numbers, strict=True))
    known = _KNOWN_TEXTS.get(tuple(part.name.lower() for part in parts), Known())
    if known == Known() and {part.name.lower() for part in parts} == {"wave", "flux", "ivar"}:
        known = _desi_export(named)
    if len({part.name for part in parts}) < len(parts):
        raise refusal("two of its columns have one name", [("columns", parts)], {"wavelength": 1, "flux": 2})
    return _on_exact_grid(_spectra(parts, named, keywords, request, known), known)


def _desi_export(numbers: Mapping[str, Any]) -> Known:
    """The CSV of DESI: wave, flux, ivar on its whole grid, with numbers that can be in 1e-17 erg/s/cm2/A."""
    wave, flux = (next(v for k, v in numbers.items() if k.lower() == name) for name in ("wave", "flux"))
    grid = 3600.0 + 0.8 * np.arange(7781)
    if wave.shape == grid.shape and np.abs(wave - grid).max() < 0.01 and np.nanmedian(np.abs(flux)) > 1e-6:
        return Known(FLAM17, _ANGSTROM, "vacuum", "DESI")
    return Known()


def _on_exact_grid(records: list[FileSpectrum], known: Known) -> list[FileSpectrum]:
    """Wavelengths written with few digits put back onto the pixels of their survey."""
    for record in records:
        wave: NDArray[np.float64] = record.wavelength
        if known.survey == "DESI":
            record.wavelength = 3600.0 + 0.8 * np.arange(wave.size, dtype=np.float64)
        elif known.survey == "SDSS":
            place: NDArray[np.float64] = np.round(1e4 * np.log10(wave))
            if np.abs(1e4 * np.log10(wave) - place).max() < 0.01:
                record.wavelength = np.asarray(10.0 ** (1e-4 * place), dtype=np.float64)
    return records


def _separated(rows: list[str]) -> tuple[list[str], str | None]:
    """The rows with points for decimal commas, and what separates their cells (None: blanks)."""
    row = rows[min(len(rows) // 2, len(rows) - 1)]
    for mark in (";", "\t", None):
        cells = row.split(mark)
        if (
            len(cells) > 1
            and all(re.fullmatch(r"\s*[-+]?\d+(,\d+)?([eE][-+]?\d+)?\s*", cell) for cell in cells)
            and "," in row
        ):
            return [re.sub(r"(?<=\d),(?=\d)", ".", line) for line in rows], mark
    return rows, next((mark for mark in (",", ";", "\t") if mark in row), None)


def _parts(line: str, delimiter: str | None, width: int | None) -> list[Part]:
    """Names, and perhaps units in brackets, out of a line that has as many as there are columns; else nothing."""
    for cells in (line.split(delimiter or ","), *_split(line)):
        if width is None or len(cells) == width or len(cells) == width - 1 > 1:
            pairs = [_CELL.fullmatch(cell.strip().strip("\"'")) for cell in cells]
            if all(pairs) and all(pair[1] for pair in pairs):  # type: ignore[index]
                return [understand(pair[1], unit=(pair[2] or "")[1:-1]) for pair in pairs]  # type: ignore[index]
            named = [re.match(r"\s*[\"']?([^\[(\"']+?)\s*[\"']?\s*(?:[\[(](.*)[\])])?\s*$", cell) for cell in cells]
            if all(named):
                return [understand(match[1], unit=match[2] or "") for match in named]  # type: ignore[index]
    return []


def _split(line: str) -> list[list[str]]:
    """A line cut at blanks, with units in brackets kept with the names before them; or into brackets alone."""
    cells = [match[0].strip() for match in _CELL.finditer(line) if match[0].strip()]
    return [cells, line.split()]


def _with_units(parts: list[Part], line: str, delimiter: str | None) -> list[Part]:
    """The parts with the units of the line below their names."""
    for cells in [line.split(delimiter)] if delimiter else _split(line):
        texts = [cell.strip().strip("\"'") for cell in cells]
        bare = [text[1:-1] if text[:1] in "[(" and text[-1:] in "])" and text else text for text in texts]
        if len(bare) == len(parts):
            return [understand(part.name, unit=part.unit or text) for part, text in zip(parts, bare, strict=True)]
    return parts


def _parts_in_comments(
    comments: list[str], delimiter: str | None, width: int, rows: list[str], named: bool
) -> list[Part]:
    """The columns as comments name them: in a line, or one by one (``# 1: wavelength [nm]``)."""
    numbered = [re.match(r"(?i)(?:col(?:umn)?\s*)?(\d+)\s*[:=.)-]?\s*(\S.*)", line) for line in comments]
    listed = {int(match[1]): match[2] for match in numbered if match}
    if set(range(1, width + 1)) <= set(listed):
        cells = (re.split(r"\s*[\[(,;]\s*", listed[i], maxsplit=1) for i in range(1, width + 1))
        return [understand(cell[0].strip(), unit=cell[1].strip(" ])") if len(cell) > 1 else "") for cell in cells]
    for number, line in enumerate(comments):
        parts = _parts(line, delimiter, width)
        if (
            len(parts) == width
            and {part.role for part in parts} & {"wavelength", "log10_wavelength"}
            and any(part.role not in (None, "wavelength", "log10_wavelength") or flux_unit(part.unit) for part in parts)
        ):
            below = comments[number + 1] if number + 1 < len(comments) else ""
            return _with_units(parts, below, delimiter) if not any(part.unit for part in parts) else parts
        if len(parts) == width and any(axis_unit(part.unit) for part in parts):
            return parts
    for line in comments:
        words = {understand(word).role for word in re.findall(r"[A-Za-z_]\w*", line)}
        if not named and words & {"wavelength", "log10_wavelength"} and len(line.split()) < 4 * width + 4:
            raise _unfit(line, rows, delimiter)
    return []


def _unfit(header: str, rows: list[str], delimiter: str | None) -> UnknownLayout:
    """The refusal of a header whose names do not fit the columns."""
    width = len(rows[0].split(delimiter))
    return refusal(
        f"its header {clean(header, 80)!r} names columns and does not fit the {width} that there are",
        [("columns by number", [Part(str(number + 1)) for number in range(width)])],
        {"wavelength": 1, "flux": 2},
        units={"wavelength": "Angstrom", "flux": "relative"},
    )


def _without_names(
    rows: list[str], delimiter: str | None, width: int, comments: list[str], request: Request
) -> list[FileSpectrum]:
    """Bare columns: by number where the user names them; else Angstrom, flux, and perhaps error, of optical spectra."""
    if width < 2:
        raise UnknownLayout("it has one column of numbers; wavelength and flux are needed.")
    parts = [Part(str(number + 1)) for number in range(width)]
    if request.columns:
        named = dict(zip((part.name for part in parts), _matrix(rows, delimiter, None, width), strict=True))
        return _spectra(parts, named, _keywords(comments), request, Known())
    numbers = _matrix(rows, delimiter, None, width)
    said = {"wavelength": 1, "flux": 2} | ({"error": 3} if width > 2 else {})
    ask = ("columns by number", parts)
    units = {"wavelength": "nm", "flux": "relative"}
    wave = numbers[0][np.isfinite(numbers[0])]
    unit = request.axis_unit()
    if unit is None and (wave.size == 0 or wave.min() < _OPTICAL[0] or wave.max() > _OPTICAL[1]):
        raise refusal(
            "its columns have no names and no units, and the first does not look like Angstrom of optical light "
            f"({wave.min() if wave.size else np.nan:g} to {wave.max() if wave.size else np.nan:g})",
            [ask], said, units=units,
        )  # fmt: skip
    third = numbers[2] if width > 2 else None
    like_errors = third is None or (
        (third[np.isfinite(third)] >= 0).all() and np.nanmedian(third) < 0.5 * np.nanmedian(np.abs(numbers[1]))
    )
    if width > 3 or not like_errors:
        raise refusal(
            "its columns have no names, and what stands in the third and beyond cannot be told",
            [ask], {"wavelength": 1, "flux": 2}, units=units | {"wavelength": "Angstrom"},
        )  # fmt: skip
    roles = ("wavelength", "flux", "error")[:width]
    parts = [replace(part, role=role) for part, role in zip(parts, roles, strict=True)]
    numbered = {part.name: values for part, values in zip(parts, numbers, strict=True)}
    return _spectra(parts, numbered, _keywords(comments), request, Known(_RELATIVE, _ANGSTROM))


def _keywords(comments: list[str]) -> dict[str, str]:
    """What comments of the form ``redshift = 0.1`` or ``OBJECT: NGC 1`` say."""
    found = (re.match(r"\s*([A-Za-z_][A-Za-z_ ]{0,20}?)\s*[=:]\s*(\S.*)", line) for line in comments)
    return {match[1].strip().upper().replace(" ", "_"): match[2].strip() for match in found if match}


def _matrix(
    rows: list[str], delimiter: str | None, wanted: list[int] | None = None, width: int | None = None
) -> list[np.ndarray]:
    """The wanted columns as numbers; empty cells are NaN, a row that is short or no number is named."""
    try:
        table = np.loadtxt(io.StringIO("\n".join(rows)), delimiter=delimiter, usecols=wanted, comments=None, ndmin=2)
        return list(table.T)
    except ValueError:
        pass  # find the row that is at fault, or the empty cells
    places = wanted if wanted is not None else list(range(len(rows[0].split(delimiter))))
    table = np.empty((len(places), len(rows)))
    for number, row in enumerate(rows):
        cells = row.split(delimiter)
        if len(cells) <= max(places) or (width is not None and len(cells) != width):
            raise AgnsalError(
                f"row {number + 1} of its numbers has {len(cells)} of {width or len(places)} columns; is it cut off?"
            )
        for column, place in enumerate(places):
            cell = cells[place].strip().strip("\"'")
            if cell and not _is_number(cell) and cell.lower() not in _NULLS:
                raise AgnsalError(f"row {number + 1} of its numbers holds {clean(cell, 30)!r}, a number was expected.")
            table[column, number] = float(cell) if _is_number(cell) else np.nan
    return list(table)


def _is_number(word: str) -> bool:
    try:
        float(word.strip().strip("\"'"))
    except ValueError:
        return False
    return True
