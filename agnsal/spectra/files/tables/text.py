"""Spectra as text: ECSV, IPAC tables, VOTable, the text export of NED, CSV, and plain columns of numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Request, call, refusal, suggested
from agnsal.spectra.files.meaning.roles import Part, Undecided, assign, understand
from agnsal.spectra.files.meaning.units import FLAM17, AxisUnit, axis_unit
from agnsal.spectra.files.meaning.wavelengths import survey_grid
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, clean
from agnsal.spectra.files.tables.cells import first_row, matrix, mostly_numbers, split, without_trailing
from agnsal.spectra.files.tables.columns import Known, spectra_of
from agnsal.spectra.files.tables.headings import Heading, heading_of

_COMMENT = ("#", "%", "!", "//")
_ANGSTROM = AxisUnit(u.AA)
#: Numbers of a bare first column that can be nothing but Angstrom: below, they may be nm of the near infrared.
_SURELY_ANGSTROM = (2600.0, 30000.0)


def read_text(content: bytes, request: Request = Request()) -> list[FileSpectrum]:  # noqa: B008 - frozen
    """The spectra of a text file, given as its bytes."""
    if b"\0" in content[:4096]:
        raise UnknownLayout("its bytes are neither FITS nor text.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    start = text.lstrip()[:200]
    if not start:
        raise AgnsalError("it is empty.")
    if start.startswith("<"):
        return _votable(content, request, clean(start, 40))
    if start.startswith("# %ECSV"):
        return _astropy_table(text, "ascii.ecsv", request)
    lines = [line for line in text.splitlines() if line.strip()]
    barred = any(line.startswith("|") and line.rstrip().endswith("|") for line in lines[:200])
    if start.startswith(("\\", "|")) and barred:
        return _astropy_table(text, "ascii.ipac", request)
    if any("Published-Value" in line for line in lines[:10]):
        return _ned(lines, request)
    return _columns(lines, request)


def _spectra(
    parts: Sequence[Part],
    numbers: Mapping[str, Any],
    facts: Mapping[str, Any],
    request: Request,
    known: Known = Known(),  # noqa: B008 - frozen
    title: str = "text",
) -> list[FileSpectrum]:
    """The spectra of columns that say what they are, or of which the user says it."""
    columns = {role: _by_number(parts, name) for role, name in request.columns.items()}
    try:
        roles = assign(parts, columns)
    except Undecided as error:
        said, units = suggested(parts, error.roles)
        lacks_both = not {"wavelength", "log10_wavelength", "flux"} & set(error.roles)
        problem = f"no columns of wavelength and flux: {error.problem}" if lacks_both else error.problem
        raise refusal(problem, [(title, parts)], said, units=units) from None
    records = spectra_of(roles, numbers, facts, request, [(title, parts)], known)
    used = {part.name for part in roles.values()}
    for record in records:
        record.ignored = tuple(part.name for part in parts if part.name not in used)
        record.columns = tuple(parts)
    return records


def _by_number(parts: Sequence[Part], name: str | int) -> str:
    """The name of a column that is given by its number, from 1."""
    if isinstance(name, str) and any(part.name.strip().lower() == name.strip().lower() for part in parts):
        return name
    if str(name).isdigit() and 1 <= int(name) <= len(parts):
        return parts[int(name) - 1].name
    return str(name)


def _astropy_table(text: str, format: str, request: Request) -> list[FileSpectrum]:  # noqa: A002
    """Tables that know their units, through astropy's reader of that format."""
    from astropy.table import Table

    table = Table.read(text, format=format)
    if len(table) == 0:
        raise AgnsalError("its table is empty.")
    if format == "ascii.ecsv":
        _check_names(text, table.colnames)
    columns = {name: table[name] for name in table.colnames if table[name].dtype.kind in "fiub"}
    parts = [
        understand(name, unit=_unit(column.unit), ucd=_said(column, "ucd"), utype=_said(column, "utype"))
        for name, column in columns.items()
    ]
    facts = {str(key).upper(): value for key, value in table.meta.items()}
    return _spectra(parts, columns, facts, request, _known(parts, columns), title=format.split(".")[1].upper())


def _check_names(text: str, names: list[str]) -> None:
    """The columns of an ECSV are those of its line of names: a damaged header makes astropy give one for another."""
    lines = text.splitlines()
    comma = any(re.match(r"#\s*delimiter:\s*[\"']?,", line) for line in lines)
    line = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    written = next(csv.reader([line], delimiter="," if comma else " ", skipinitialspace=True), [])
    # columns of several parts are written as "time.jd1", "flux.mask"
    whole = {name if name in names else name.rpartition(".")[0] for name in written}
    if whole != set(names):
        raise AgnsalError(
            f"its line of names has {clean(', '.join(written), 200)}, and by its header its columns would be "
            f"{clean(', '.join(names), 200)}: its header is damaged. Write the table again, or pass its numbers as CSV."
        )


def _unit(unit: Any) -> Any:
    """A unit; one that says it is none is that of relative flux."""
    return "relative" if unit == u.dimensionless_unscaled else unit


def _said(column: Any, key: str) -> str:
    meta = column.meta or {}
    return str(meta.get(key, meta.get(key.upper(), "")) or "")


def _votable(content: bytes, request: Request, start: str) -> list[FileSpectrum]:
    """The one table of a VOTable that says it is a spectrum, by names, UCDs, utypes and units."""
    if b"<VOTABLE" not in content[:4096].upper():
        raise UnknownLayout(f"it is a page of HTML or XML, no spectrum (begins with {start!r}).")
    if re.search(rb"(?i)<stream[^>]*\bhref|<!ENTITY", content):
        raise AgnsalError("its data are elsewhere (a STREAM with href); save the table with its data and read that.")
    from astropy.io.votable import parse

    document = parse(io.BytesIO(content), verify="ignore", invalid="mask")
    read: list[list[FileSpectrum]] = []
    refused: list[UnknownLayout] = []
    for table in document.iter_tables():
        if not len(table.array):
            continue
        fields = [field for field in table.fields if field.name]
        parts = [understand(f.name, unit=_unit(f.unit), ucd=f.ucd, utype=f.utype) for f in fields]
        numbers = {f.name: _padded(table.array[f.ID]) for f in fields}
        facts = {str(param.name).upper(): param.value for param in table.params}
        try:
            read.append(_spectra(parts, numbers, facts, request, title=clean(table.name or "VOTable")))
        except UnknownLayout as error:
            refused.append(error)
    if len(read) > 1:
        raise AgnsalError(f"{len(read)} of its tables may be the spectrum; save the one that is meant alone.")
    if read:
        return read[0]
    if not refused:
        raise AgnsalError("its table is empty.")
    raise max(refused, key=lambda error: sum(part.role is not None for _, parts in error.found for part in parts))


def _padded(values: Any) -> Any:
    """A column; cells that are arrays of differing length become rows padded with NaN."""
    if values.dtype.kind != "O":
        return values
    rows: list[Any] = [
        np.ma.asarray(cell, dtype=float).filled(np.nan) if np.ndim(cell) == 1 else None for cell in values
    ]
    if any(row is None for row in rows):
        return values
    padded = np.full((len(rows), max(row.size for row in rows if row is not None)), np.nan)
    for number, row in enumerate(rows):
        if row is not None:
            padded[number, : row.size] = row
    return padded


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
    numbers = matrix([" ".join(row[:width]) for row in rows], None, width)
    names = ["spectral_axis", "intensity", "uncertainty"][:width]
    parts = [understand(name, unit=unit) for name, unit in zip(names, units, strict=False)]
    return _spectra(
        parts, dict(zip(names, numbers, strict=True)), {}, request, Known(medium="air", survey="NED"), title="NED"
    )


def _columns(lines: list[str], request: Request) -> list[FileSpectrum]:
    """Columns separated by commas, semicolons, tabs or blanks, with lines above them that name them, or without."""
    plain = [(place, line) for place, line in enumerate(lines) if not line.lstrip().startswith(_COMMENT)]
    if not plain:
        raise AgnsalError("it holds no numbers, only comments.")
    delimiter, first = first_row([line.strip("\r\n") for _, line in plain])
    if first is None:
        names = heading_of([plain[0][1]], len(plain[0][1].split(delimiter)), delimiter)
        if {"wavelength", "log10_wavelength", "flux"} & {part.role for part in names.parts}:
            raise AgnsalError("its table is empty: names of columns and no row.")
        raise UnknownLayout("it is text without columns of numbers.")
    above = [line.lstrip().lstrip("#%!/") for line in lines[: plain[first][0]]]
    rows = [re.sub(r"\s#.*", "", line).strip(" \r\n") for _, line in plain[first:]]
    rows = without_trailing(rows, delimiter)
    if not mostly_numbers(rows, delimiter):
        raise UnknownLayout("it is text without columns of numbers.")
    width = len(split(rows[0], delimiter))
    heading = heading_of(above, width, delimiter)
    if not heading.parts:
        return _without_names(rows, delimiter, width, heading, request)
    numbers = matrix(rows, delimiter, width, heading)
    parts = heading.parts
    if heading.row_numbers:
        if (numbers[0] != np.arange(len(rows)) + numbers[0][0]).any() or numbers[0][0] not in (0, 1):
            if request.columns:  # by number, for the names do not fit
                return _without_names(rows, delimiter, width, heading, request)
            raise refusal(
                f"its rows have {width} columns and the line above them names {len(parts)}",
                [("text", parts)],
                {"wavelength": 1, "flux": 2},
            )
        numbers = numbers[1:]
    columns = dict(zip((part.name for part in parts), numbers, strict=True))
    known = _known(parts, columns)
    if known.medium == "vacuum" and (grid := survey_grid(columns[parts[0].name])):
        columns[parts[0].name] = grid[1]
    return _stated(_spectra(parts, columns, heading.facts, request, known), heading)


def _stated(records: list[FileSpectrum], heading: Heading) -> list[FileSpectrum]:
    """The records with the medium and the frame that the lines above the numbers speak of."""
    for record in records:
        record.medium = record.medium or heading.medium
        record.frame = record.frame or heading.frame
    return records


def _known(parts: Sequence[Part], columns: Mapping[str, Any]) -> Known:
    """What texts without units are known by the names of their columns, and by their pixels."""
    names = tuple(part.name.strip().lower() for part in parts)
    values = np.asarray(columns[parts[0].name], dtype=float) if parts else np.empty(0)
    if any(part.unit for part in parts) or values.ndim != 1:
        return Known()
    if names in (("spectral_axis", "intensity"), ("spectral_axis", "intensity", "uncertainty")) and _optical(values):
        return Known(u.dimensionless_unscaled, _ANGSTROM, "air", "NED")
    if names == ("lam", "flux", "err") and _optical(values):
        return Known(u.dimensionless_unscaled, _ANGSTROM)  # PyQSOFit and its kin
    grid = survey_grid(values)
    survey = grid[0] if grid else None
    small = np.nanmax(np.abs(np.asarray(columns[parts[1].name], dtype=float))) < 1e-4 if len(parts) > 1 else True
    if names == ("wave", "flux", "ivar") and survey == "DESI" and not small:
        return Known(FLAM17, _ANGSTROM, "vacuum", "DESI")
    if names == ("wavelength", "flux", "bestfit", "skyflux") and survey == "SDSS" and not small:
        return Known(FLAM17, _ANGSTROM, "vacuum", "SDSS")  # as SkyServer writes them
    return Known()


def _optical(values: NDArray) -> bool:
    """Whether numbers can be nothing but Angstrom."""
    low, high = _SURELY_ANGSTROM
    return bool(values.size and low < np.nanmin(values) and np.nanmax(values) < high)


def _without_names(
    rows: list[str], delimiter: str | None, width: int, heading: Heading, request: Request
) -> list[FileSpectrum]:
    """Bare columns, as IRAF's wspectext and most reduction scripts write them: Angstrom, flux, and perhaps error."""
    if width < 2:
        raise UnknownLayout("it has one column of numbers; wavelength and flux are needed.")
    parts = [Part(f"column {number}") for number in range(1, width + 1)]
    numbers = matrix(rows, delimiter, width, heading)
    given = {role: _by_number(parts, name) for role, name in request.columns.items()}
    example = call({"wavelength": 1, "flux": 2}, units={"wavelength": _likely_unit(numbers[0])})
    if heading.unread and not (given or request.units):
        raise AgnsalError(
            f"the line {clean(heading.unread, 80)!r} above its {width} columns is not understood. {example}"
        )
    if not given:
        if width > 3:
            what = f"one row of {width} numbers" if len(rows) == 1 else f"{width} columns without names"
            raise AgnsalError(f"it has {what}, which may be anything. {example}")
        given = dict(zip(("wavelength", "flux", "error"), (part.name for part in parts), strict=False))
        if width == 3 and not _may_be_error(numbers[2], numbers[1]):
            example = call({"wavelength": 1, "flux": 2, "error": 3}, units={"wavelength": _likely_unit(numbers[0])})
            raise AgnsalError(f"its third column has no name and does not look like the error of its second. {example}")
    columns = dict(zip((part.name for part in parts), numbers, strict=True))
    axis = columns.get(given.get("wavelength", ""))
    stated = request.axis_unit() or axis_unit(heading.facts.get("CUNIT1", ""))
    if stated is None and axis is not None and not _optical(axis):
        raise AgnsalError(
            "its first column has no name and no unit and does not look like Angstrom (from "
            f"{np.nanmin(axis):g} to {np.nanmax(axis):g}): nm? micrometres? {example}"
        )
    grid = None if axis is None or stated is not None else survey_grid(axis)
    known = Known(u.dimensionless_unscaled, stated or _ANGSTROM, "vacuum" if grid else None)
    if grid:
        columns[given["wavelength"]] = grid[1]
    return _stated(_spectra(parts, columns, heading.facts, replace(request, columns=given), known), heading)


def _may_be_error(error: NDArray, flux: NDArray) -> bool:
    """Whether a column without a name can be the error of the one before it: it may be a second epoch, or a sky."""
    with np.errstate(invalid="ignore"):
        return not (error < 0).any() and bool(np.nanmedian(error) < 0.5 * np.nanmedian(np.abs(flux)))


def _likely_unit(axis: NDArray) -> str:
    """The unit that an example names: the first in which numbers are optical light. It is never taken."""
    low, high = np.nanmin(axis), np.nanmax(axis)
    scales = {"nm": 10.0, "um": 1e4, "m": 1e10, "Angstrom": 1.0}
    likely = (unit for unit, scale in scales.items() if low * scale > 900 and high * scale < _SURELY_ANGSTROM[1])
    return next(likely, "log10(Angstrom)" if 2.5 < low < high < 6 else "nm")
