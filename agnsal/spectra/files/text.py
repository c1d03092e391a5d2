"""Spectra as text: ECSV, IPAC tables, the text export of NED, CSV, and plain columns of numbers."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np

from agnsal.errors import AgnsalError
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, clean
from agnsal.spectra.files.tables import column_roles, records_from_table
from agnsal.spectra.files.units import wavelength_unit

_COMMENT = ("#", "%", ";", "!", "//")


def read_text(content: bytes) -> list[FileSpectrum]:
    """The spectra of a text file, given as its bytes."""
    if b"\0" in content[:4096]:
        raise UnknownLayout("its bytes are neither FITS nor text.")
    text = content.decode("utf-8-sig", errors="replace")
    start = text.lstrip()[:200]
    if not start:
        raise AgnsalError("it is empty.")
    if start.startswith("<"):
        raise UnknownLayout(f"it is a page of HTML or XML, no spectrum (begins with {clean(start, 40)!r}).")
    if start.startswith("# %ECSV"):
        return _astropy_table(text, "ascii.ecsv")
    if start.startswith(("\\", "|")):
        return _astropy_table(text, "ascii.ipac")
    lines = [line for line in text.splitlines() if line.strip()]
    if "Published-Value" in start or any("Published-Value" in line for line in lines[:10]):
        return _ned(lines)
    return _columns(lines)


def _astropy_table(text: str, format: str) -> list[FileSpectrum]:  # noqa: A002
    """Tables that know their units, through astropy's reader of that format."""
    from astropy.table import Table

    table = Table.read(text, format=format)
    if len(table) == 0:
        raise AgnsalError("its table is empty.")
    columns = {name: table[name] for name in table.colnames if table[name].dtype.kind in "fiub"}
    return records_from_table(columns, {name: table[name].unit for name in columns}, dict(table.meta), text=True)


def _ned(lines: list[str]) -> list[FileSpectrum]:
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
    names = ["spectral_axis", "intensity", "uncertainty"][:width]
    records = records_from_table(dict(zip(names, numbers, strict=True)), dict(zip(names, units, strict=False)), {})
    for record in records:
        record.medium = record.medium or "air"
        record.meta["survey"] = "NED"
    return records


def _columns(lines: list[str]) -> list[FileSpectrum]:
    """Columns separated by commas, semicolons, tabs or blanks, with names above them or in a comment, or without."""
    comments = [line.lstrip("#%;!/ \t") for line in lines if line.lstrip().startswith(_COMMENT)]
    rows = [line.strip() for line in lines if not line.lstrip().startswith(_COMMENT)]
    if not rows:
        raise AgnsalError("it holds no numbers, only comments.")
    delimiter = next((mark for mark in (",", ";", "\t") if mark in rows[min(1, len(rows) - 1)]), None)
    names: list[str] = []
    if not _is_number(rows[0].split(delimiter)[0]):
        names = [name.strip().strip("\"'") for name in rows[0].split(delimiter)]
        rows = rows[1:]
    known = column_roles(names, [None] * len(names))
    if known and not rows:
        raise AgnsalError("its table is empty: names of columns and no row.")
    if not rows or not (known or _is_number(rows[0].split(delimiter)[0])):
        raise UnknownLayout("it is text without columns of numbers.")
    width = len(rows[0].split(delimiter))
    units: list[Any] = [None] * width
    if not names:
        names, units = _names_in_comments(comments, delimiter, width)
    if not names:
        return _without_names(rows, delimiter, width)
    bracketed = [re.search(r"[\[(]([^\])]*)[\])]", name) for name in names]
    units = [found[1] if found else unit for found, unit in zip(bracketed, units, strict=False)]
    units += [None] * (len(names) - len(units))
    roles = column_roles(names, units)
    wanted = [name for name in names if name in roles.values()]
    if "flux" not in roles or not {"wavelength", "loglam"} & set(roles):
        raise UnknownLayout(f"no columns of wavelength and flux among {clean(', '.join(names[:12]))}.")
    numbers = _matrix(rows, delimiter, [names.index(name) for name in wanted], len(names))
    unit_of = dict(zip(names, units, strict=True))
    columns = dict(zip(wanted, numbers, strict=True))
    return records_from_table(columns, {name: unit_of[name] for name in wanted}, _keywords(comments), text=True)


def _without_names(rows: list[str], delimiter: str | None, width: int) -> list[FileSpectrum]:
    """Bare columns, as IRAF's wspectext and most reduction scripts write them: Angstrom, flux, and perhaps error."""
    if width < 2:
        raise UnknownLayout("it has one column of numbers; wavelength and flux are needed.")
    numbers = _matrix(rows, delimiter, list(range(min(width, 3))), width)
    if not 500 < np.nanmedian(numbers[0]) < 50000:
        raise AgnsalError(
            "its first column has no name and no unit and does not look like Angstrom (median "
            f"{np.nanmedian(numbers[0]):g}); put a line `wavelength [nm], flux [...]` above the numbers."
        )
    names = ["wavelength", "flux", "error"][: len(numbers)]
    return records_from_table(dict(zip(names, numbers, strict=True)), {"wavelength": "Angstrom"}, {}, relative=True)


def _names_in_comments(comments: list[str], delimiter: str | None, width: int) -> tuple[list[str], list[Any]]:
    """Names, and perhaps units in the line below, out of comment lines with as many words as there are columns."""
    fitting = [words for line in comments if len(words := line.split(delimiter)) == width]
    for number, words in enumerate(fitting):
        roles = column_roles(words, [None] * width)
        if "flux" in roles and {"wavelength", "loglam"} & set(roles):
            below = fitting[number + 1] if number + 1 < len(fitting) else []
            units = below if any(wavelength_unit(word) is not None for word in below) else [None] * width
            return [word.strip() for word in words], list(units)
    return [], []


def _keywords(comments: list[str]) -> dict[str, str]:
    """What comments of the form ``redshift = 0.1`` or ``OBJECT: NGC 1`` say."""
    found = (re.match(r"\s*([A-Za-z_]{1,12})\s*[=:]\s*(\S.*)", line) for line in comments)
    return {match[1].upper(): match[2].strip() for match in found if match}


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
        if len(cells) <= max(places) or (width is not None and len(cells) < width):
            raise AgnsalError(
                f"row {number + 1} of its numbers has {len(cells)} of {width or len(places)} columns; is it cut off?"
            )
        for column, place in enumerate(places):
            cell = cells[place].strip().strip("\"'")
            if cell and not _is_number(cell) and cell.lower() not in ("null", "none", "--", "masked"):
                raise AgnsalError(f"row {number + 1} of its numbers holds {clean(cell, 30)!r}, a number was expected.")
            table[column, number] = float(cell) if _is_number(cell) else np.nan
    return list(table)


def _is_number(word: str) -> bool:
    try:
        float(word.strip().strip("\"'"))
    except ValueError:
        return False
    return True
