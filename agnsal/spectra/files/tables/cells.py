"""Rows and cells of a text: what separates them, where they begin, and their numbers."""

from __future__ import annotations

import io
import re

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.record import clean
from agnsal.spectra.files.tables.headings import CARD, Heading

_NULLS = {"", "null", "none", "--", "-", "masked", "na", "n/a", "nan", "indef", "nil", "...", "*"}
_TRUTH = {"true": 1.0, "t": 1.0, "false": 0.0, "f": 0.0}


def first_row(lines: list[str]) -> tuple[str | None, int | None]:
    """The delimiter, and the place of the first line that is numbers, for the most part."""
    for place, line in enumerate(lines):
        if CARD.match(line):
            continue
        delimiter = next((mark for mark in (";", "\t") if mark in line.strip()), None)
        words = line.split()
        if delimiter is None and "," in line and not (len(words) > 1 and all(map(is_number, words))):
            delimiter = ","  # else they are decimal commas
        cells = split(line.strip(), delimiter)
        numeric = sum(is_number(cell) for cell in cells)
        if numeric and 2 * numeric >= sum(cell.strip().lower() not in _NULLS for cell in cells):
            return delimiter, place
    first = lines[0]
    return next((mark for mark in (";", "\t", ",") if mark in first), None), None


def split(row: str, delimiter: str | None) -> list[str]:
    """The cells of a row; None stands for blanks."""
    return row.split(delimiter)


def mostly_numbers(rows: list[str], delimiter: str | None) -> bool:
    """Whether most of the first rows have at least two cells of numbers, or one alone: prose is no table."""
    counts = [(sum(map(is_number, cells)), len(cells)) for row in rows[:9] if (cells := split(row, delimiter))]
    return 2 * sum(2 * numbers >= cells for numbers, cells in counts) > len(counts)


def without_trailing(rows: list[str], delimiter: str | None) -> list[str]:
    """The rows without a delimiter that ends each of them."""
    if delimiter and all(row.rstrip().endswith(delimiter.strip() or "\0") for row in rows):
        return [row.rstrip()[: -len(delimiter)] for row in rows]
    return rows


def matrix(rows: list[str], delimiter: str | None, width: int, heading: Heading | None = None) -> list[NDArray]:
    """The columns as numbers; empty cells are NaN, a row that is short or no number is named."""
    facts = {} if heading is None else heading.facts
    stated = (
        facts.get(key) for key in ("NULL", "NULL VALUE", "NULL_VALUE", "NULLVALUE", "NODATA", "MISSING", "FILL_VALUE")
    )
    null = next((as_number(text) for text in stated if text is not None and is_number(text)), None)
    try:
        table = np.loadtxt(io.StringIO("\n".join(rows)), delimiter=delimiter, comments=None, ndmin=2).T
    except ValueError:  # find the row that is at fault, or the empty cells
        table = np.empty((width, len(rows)))
        wanted = [part.role not in (None, "other") for part in heading.parts] if heading and heading.parts else []
        wanted = [True] * (width - len(wanted)) + wanted
        for number, row in enumerate(rows):
            cells = split(row, delimiter)
            if len(cells) != width:
                raise AgnsalError(
                    f"row {number + 1} of its numbers has {len(cells)} of {width} columns; is it cut off?"
                ) from None
            for column, cell in enumerate(cells):
                table[column, number] = as_number(cell)
                word = cell.strip().strip("\"'").lower()
                if wanted[column] and np.isnan(table[column, number]) and word not in _NULLS:
                    raise AgnsalError(
                        f"row {number + 1} of its numbers holds {clean(cell.strip(), 30)!r}, a number was expected."
                    ) from None
    return [np.where(column == null, np.nan, column) if null is not None else column for column in table]


def as_number(cell: str) -> float:
    """A cell as a number, with decimal commas and the exponents of Fortran; NaN where it is none."""
    word = cell.strip().strip("\"'").strip().lower()
    if word in _TRUTH:
        return _TRUTH[word]
    if re.fullmatch(r"[-+]?\d*,\d+(e[-+]?\d+)?", word):
        word = word.replace(",", ".")
    if re.fullmatch(r"[-+]?\d*\.?\d*d[-+]?\d+", word):
        word = word.replace("d", "e")
    try:
        return float(word)
    except ValueError:
        return float("nan")


def is_number(word: str) -> bool:
    """Whether a cell is a number; truth values are not."""
    return word.strip().strip("\"'").lower() not in _TRUTH and not np.isnan(as_number(word))
