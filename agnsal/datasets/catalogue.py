"""Tables of objects: their ids as text, their redshifts as numbers, joined to those of a second table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table
from numpy.typing import NDArray

from agnsal.display import printable
from agnsal.errors import AgnsalError
from agnsal.spectra.plain import PlainSpectrum

#: Names under which a table holds what names an object, whatever their case.
IDS = ("object_id", "targetid", "specobjid", "id")
#: What a column may stand for, under another name.
ROLES = ("file", "redshift", "label", "object_id")
_EXACT = 2.0**53  # whole numbers from here on are not all floating-point numbers
_OPTICAL = {"u", "g", "r", "i"}  # beside these z is a magnitude


def read_table(given: str | os.PathLike[str] | Table, names: Mapping[str, str]) -> QTable:
    """A table, from a file, astropy or pandas; ids and names of files in CSV stay text, as ``007`` is.

    Parameters
    ----------
    given : path or Table
    names : mapping of str to str
        Columns by what they hold, where their names are others.

    Returns
    -------
    QTable

    Raises
    ------
    AgnsalError
        If it cannot be read.
    """
    if isinstance(given, Table):
        return QTable(given)
    if hasattr(given, "iloc"):
        return QTable.from_pandas(given)
    try:
        path = Path(given)
        if path.suffix.lower() != ".csv":
            return QTable.read(path)
        kept = {*IDS, *map(str.upper, IDS), "file", names.get("object_id", ""), names.get("file", "")} - {""}
        return QTable.read(path, converters={name: [str] for name in kept})
    except Exception as error:  # astropy raises many kinds
        said = (printable(error).splitlines() or [type(error).__name__])[0][:160]
        raise AgnsalError(
            f"{printable(given)[:200]} cannot be read as a table ({said}); a table that you "
            "have read yourself can be given in its place."
        ) from None


def named(table: QTable, names: Mapping[str, str]) -> QTable:
    """The table with redshifts, labels and ids under the names they have here, redshifts as plain numbers.

    Parameters
    ----------
    table : QTable
    names : mapping of str to str
        Columns by what they hold, where their names are others.

    Returns
    -------
    QTable

    Raises
    ------
    AgnsalError
        If a column is not there, redshifts are no numbers, or ids are numbers that are not exact.
    """
    table = table.copy()
    for role in ("redshift", "label", "object_id"):
        name = names.get(role)
        if name is None and role == "redshift":
            name = redshift_column(table)
        if name is None or name == role:
            continue
        if name not in table.colnames:
            raise AgnsalError(f"there is no column {name!r} for {role}; there are {', '.join(table.colnames)[:300]}.")
        table[role] = table[name]
    if "redshift" in table.colnames:
        table["redshift"] = redshifts(table["redshift"], names.get("redshift", "redshift"))
    for name in id_columns(table):
        _check_exact(table[name], name)
    return table


def id_columns(table: Table) -> list[str]:
    """The columns that name an object, the most usual first."""
    return [name for known in IDS for name in table.colnames if name.lower() == known]


def texts(column: Any) -> NDArray[np.str_]:
    """A column as text: without blanks around it, whole numbers as such, and "" where nothing is known."""
    hidden = np.ma.getmaskarray(np.ma.asarray(column)) if hasattr(column, "mask") else np.zeros(len(column), bool)
    values = np.asarray(column)
    if values.dtype.kind in "iu" and not hidden.any():
        return values.astype(str)
    if values.dtype.kind == "f":
        hidden = hidden | ~np.isfinite(values)
        if not (values[~hidden] % 1).any():
            values = np.where(hidden, 0, values).astype(np.int64)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    elif values.dtype.kind == "O":
        hidden = hidden | np.array(
            [each is None or (isinstance(each, float) and np.isnan(each)) for each in values], dtype=bool
        )
        values = np.array(
            [each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in values]
        )
    found: NDArray[np.str_] = np.char.strip(values.astype(str)) if len(values) else np.array([], dtype=str)
    return np.where(hidden, "", found)


def redshifts(column: Any, name: str) -> NDArray[np.float64]:
    """A column as redshifts, NaN where none is known.

    Parameters
    ----------
    column : column of a table
    name : str
        For the message.

    Returns
    -------
    ndarray

    Raises
    ------
    AgnsalError
        If it has a unit that is not that of a redshift, several numbers a row, or text that is no number.
    """
    if isinstance(column, u.Quantity) or getattr(column, "unit", None) is not None:
        try:
            column = u.Quantity(column, column.unit).to(u.dimensionless_unscaled).value
        except (u.UnitsError, TypeError, ValueError):
            raise AgnsalError(
                f"the column {name} is in {column.unit}, and a redshift has no unit; give redshifts in its place."
            ) from None
    values = np.ma.asarray(column)
    if values.ndim != 1:
        raise AgnsalError(f"the column {name} has {values[0].size} numbers a row; one redshift was expected.")
    if values.dtype.kind in "OSU":
        words = texts(column)
        blank = np.isin(np.char.lower(words), ("", "--", "nan", "none", "null", "n/a", "..."))
        values = np.ma.array(np.where(blank, "nan", words), mask=blank)
    try:
        return np.ma.filled(values.astype(np.float64), np.nan)
    except (TypeError, ValueError) as error:
        raise AgnsalError(f"the column {name} holds text that is no redshift ({printable(error)[:80]}).") from None


def redshift_column(table: Table) -> str | None:
    """The column of redshifts of a table, if one can be no other.

    Raises
    ------
    AgnsalError
        If there are several.
    """
    plain = [name for name in table.colnames if name.lower() == "redshift"]
    short = [] if plain else [name for name in table.colnames if name in ("Z", "z") and _is_redshift(table, name)]
    if len(plain or short) > 1:
        raise AgnsalError(
            f"{' and '.join(plain or short)} may both be redshifts; say which: columns={{'redshift': ...}}."
        )
    return next(iter(plain or short), None)


def _is_redshift(table: Table, name: str) -> bool:
    """Whether a column of that short name is one: z among magnitudes is none."""
    return getattr(table[name], "unit", None) in (None, u.dimensionless_unscaled) and not (
        name == "z" and len(_OPTICAL & set(table.colnames)) > 1
    )


def with_redshifts(table: QTable, known: QTable, names: Mapping[str, str]) -> QTable:
    """The table with the redshifts of a second one; objects without one there keep their own.

    Of several rows of an object the one that is marked as primary (``ZCAT_PRIMARY``) counts, else the first.

    Parameters
    ----------
    table : QTable
    known : QTable
        With a column of ids, and redshifts.
    names : mapping of str to str
        Columns by what they hold, where their names are others.

    Returns
    -------
    QTable

    Raises
    ------
    AgnsalError
        If it has no ids or redshifts, or none of the objects.
    """
    said = names.get("redshift")
    column = said if said in known.colnames else redshift_column(known)
    key, other = _keys(table, known)
    if key is None or other is None or column is None:
        raise AgnsalError(
            f"the catalogue of redshifts needs a column of ids that the source has too, and redshift or Z; it has "
            f"{', '.join(known.colnames)[:200]}, the source {', '.join(table.colnames)[:200]}."
        )
    _check_exact(known[other], other)
    values, own, theirs = redshifts(known[column], column), _comparable(table[key]), _comparable(known[other])
    if own.dtype.kind != theirs.dtype.kind:
        own, theirs = texts(table[key]), texts(known[other])
    there = np.flatnonzero(np.isfinite(values) & ((theirs != "") if theirs.dtype.kind == "U" else True))
    second: NDArray[np.bool_]
    if "ZCAT_PRIMARY" in known.colnames:
        second = ~np.ma.filled(np.ma.asarray(known["ZCAT_PRIMARY"], dtype=bool), False)
    else:
        second = np.zeros(len(known), dtype=bool)
    there = there[np.lexsort((second[there], theirs[there]))]
    ids, z = theirs[there], values[there]
    place = np.searchsorted(ids, own)
    found = place < len(ids)
    found[found] = ids[place[found]] == own[found]
    if len(own) and not np.isin(own, theirs[theirs != ""] if theirs.dtype.kind == "U" else theirs).any():
        raise AgnsalError(
            f"none of the objects is in the catalogue of redshifts: {key} is {printable(texts(table[key][:1])[0])!r}, "
            f"..., {other} there {', '.join(map(repr, texts(known[other][:1]).tolist())) or 'empty'}, ..."
        )
    old = table["redshift"] if "redshift" in table.colnames else np.full(len(table), np.nan)
    merged = np.array(old, dtype=np.float64)
    merged[found] = z[place[found]]
    table = table.copy()
    table["redshift"] = merged
    return table


def known_redshifts(redshift: NDArray[np.float64] | None, spectra: Sequence[PlainSpectrum]) -> list[float | None]:
    """Redshifts of the table, or of the spectra themselves where it has none or there is no such column."""
    own = [one.redshift for one in spectra]
    if redshift is None:
        return own
    return [
        value if np.isfinite(value) else np.nan if mine is None else mine
        for value, mine in zip(redshift.tolist(), own, strict=True)
    ]


def _keys(table: Table, known: Table) -> tuple[str | None, str | None]:
    """The columns by which objects are found: of one name, or else whatever names an object in each."""
    own, theirs = id_columns(table), id_columns(known)
    for name in own:
        same = [other for other in theirs if other.lower() == name.lower()]
        if same:
            return name, same[0]
    return (own[0] if own else None), (theirs[0] if theirs else None)


def _comparable(column: Any) -> NDArray[Any]:
    """Ids as they are compared: whole numbers as they are, where none is lacking, else as text."""
    whole = np.asarray(column).dtype.kind in "iu" and not np.ma.getmaskarray(np.ma.asarray(column)).any()
    return np.asarray(column) if whole else texts(column)


def _check_exact(column: Any, name: str) -> None:
    values = np.ma.asarray(column)
    if values.dtype.kind == "f" and (np.abs(np.ma.filled(values, 0.0)) >= _EXACT).any():
        raise AgnsalError(
            f"{name} holds floating-point numbers too large to be exact ({np.nanmax(np.abs(values)):.4g}), so that "
            "objects would be taken for others; read it as whole numbers or text, or name another column: "
            "columns={'object_id': ...}."
        )
