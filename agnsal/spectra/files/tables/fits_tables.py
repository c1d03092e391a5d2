"""Spectra as FITS tables: columns of numbers or of arrays, one table or several, told by what columns say.

A table called a sky, a model or the like is left out, so is an empty one. Where more than one table could be meant the
file is refused, unless they carry one name and differ by their version (EXTVER), as the sources of JWST do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Layout, Request, refusal, suggested
from agnsal.spectra.files.meaning.roles import Part, Undecided, assign, understand
from agnsal.spectra.files.meaning.statements import known_redshift
from agnsal.spectra.files.meaning.units import FLAM17, AxisUnit
from agnsal.spectra.files.record import FileSpectrum, names_of_rest
from agnsal.spectra.files.tables.columns import Known, spectra_of

ANGSTROM = AxisUnit(u.AA)


def is_table(hdu: Any) -> bool:
    """Whether an HDU is a table."""
    return isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))


def parts_of(hdu: Any) -> list[Part]:
    """What each column of a table says of itself: by name, unit, UCD (TUCD of ESO) and utype."""
    header = hdu.header
    units = {column.name: column.unit for column in hdu.columns}
    if "ASTROPY-SERIALIZED" in str(header.get("COMMENT", "")):  # astropy notes there what is dimensionless
        known = {column.name: column.unit for column in Table.read(hdu).itercols()}
        units |= {name: "relative" for name, unit in known.items() if unit == u.dimensionless_unscaled}
    parts = []
    for number, column in enumerate(hdu.columns, 1):
        ucd = header.get(f"TUCD{number}", "")
        part = understand(column.name, unit=units[column.name], ucd=ucd, utype=header.get(f"TUTYP{number}", ""))
        if part.role == "wavelength" and part.medium is None and "em.wl" in str(ucd).lower():
            part = replace(part, medium="vacuum")  # em.wl;obs.atmos would be air
        parts.append(part)
    return parts


def any_table(hdulist: fits.HDUList) -> bool:
    """Whether a file holds a table of two columns or more."""
    return any(is_table(hdu) and len(hdu.columns) > 1 for hdu in hdulist)


@dataclass(frozen=True)
class _Choice:
    hdu: Any
    roles: Mapping[str, Part]


def read_fits_table(hdulist: fits.HDUList, request: Request = Request()) -> list[FileSpectrum]:  # noqa: B008 - frozen
    """The spectra of the one table, or the versions of one, whose columns say that they are wavelength and flux."""
    tables = [hdu for hdu in hdulist if is_table(hdu)]
    found = [(hdu.name or f"table {number}", parts_of(hdu)) for number, hdu in enumerate(tables, 1)]
    names_of = {id(hdu): hdu.name or str(number) for number, hdu in enumerate(tables, 1)}  # as columns= takes them
    filled = [hdu for hdu in tables if hdu.header["NAXIS2"] > 0]
    if not filled:
        raise AgnsalError("its table is empty.")
    names, columns = _of_one_table(dict(request.columns))
    first = hdulist[0].header
    choices: list[_Choice] = []
    undecided: list[tuple[Any, Undecided]] = []
    for hdu in filled:
        if names and names_of[id(hdu)].lower() not in names:
            continue
        if not columns and understand(hdu.name, extension=True).role == "other":
            continue
        try:
            choices.append(_Choice(hdu, _with_mask(assign(parts_of(hdu), columns), hdu, known_of(first).mask)))
        except Undecided as error:
            undecided.append((hdu, error))
    if len(choices) > 1:
        choices = _meant(choices)
    if len({choice.hdu.name for choice in choices}) > 1 or (len(choices) > 1 and not choices[0].hdu.name):
        listed = ", ".join(names_of[id(choice.hdu)] for choice in choices)
        last = choices[-1]
        said, units = suggested(parts_of(last.hdu), last.roles)
        known = known_of(first)
        units = {} if known.flux and known.axis else units
        named = {role: f"{names_of[id(last.hdu)]}:{name}" for role, name in said.items()}
        problem = f"each of its tables {listed} may be the spectrum; arms are not joined here"
        raise refusal(problem, found, named, units=units)
    if not choices:
        if not undecided:
            raise refusal("no table in it is that of a spectrum", found)
        hdu, doubt = max(undecided, key=lambda pair: len(pair[1].roles))
        said, units = suggested(parts_of(hdu), doubt.roles)
        raise refusal(f"{doubt.problem} (no layout known)", found, said, units=units)
    records = []
    for choice in choices:
        used = {part.name for part in choice.roles.values()}
        ignored = [part.name for part in parts_of(choice.hdu) if part.name not in used]
        ignored += names_of_rest(hdulist, *(each.hdu for each in choices))
        for record in _records(choice, hdulist, request, found):
            record.ignored = tuple(ignored)
            record.meta["header"] = hdulist[0].header
            records.append(record)
    return records


def _with_mask(roles: dict[str, Part], hdu: Any, name: str | None) -> dict[str, Part]:
    """The roles with the mask of a layout that calls it by a name of its own, where no other is there."""
    there = next((column for column in hdu.columns.names if name and column.upper() == name), None)
    return roles if there is None or "mask" in roles else roles | {"mask": Part(there, "mask")}


def suggestion(hdulist: fits.HDUList) -> tuple[dict[str, Any], dict[str, str]]:
    """Columns and units to be named in a message: of the first table that could be a spectrum."""
    for hdu in hdulist:
        if is_table(hdu) and hdu.header["NAXIS2"] > 0 and len(hdu.columns) > 1:
            parts = parts_of(hdu)
            try:
                return suggested(parts, assign(parts))
            except Undecided as error:
                if {"wavelength", "log10_wavelength", "flux"} & set(error.roles):
                    return suggested(parts, error.roles)
    return {}, {}


def _of_one_table(columns: dict[str, Any]) -> tuple[set[str], dict[str, Any]]:
    """The table that ``"TABLE:column"`` names, in lower case, and the columns without it."""
    names = {str(name).split(":")[0].lower() for name in columns.values() if ":" in str(name)}
    return names, {role: str(name).split(":")[-1] for role, name in columns.items()}


def _meant(choices: list[_Choice]) -> list[_Choice]:
    """The tables whose own name says that they are the spectrum, where there are some."""
    named = [choice for choice in choices if understand(choice.hdu.name, extension=True).role == "flux"]
    return named or choices


def _records(choice: _Choice, hdulist: fits.HDUList, request: Request, found: Any) -> list[FileSpectrum]:
    """The spectra of one table."""
    hdu = choice.hdu
    header = hdulist[0].header.copy()
    header.update(hdu.header)
    known = known_of(header)
    numbers = {part.name: column_of(hdu, part.name) for part in choice.roles.values()}
    records = spectra_of(choice.roles, numbers, header, request, found, known)
    for record in records:
        record.doubt = None if record.medium else _lost_medium(hdu, choice.roles)
    if len(records) > 1 or np.ndim(numbers[choice.roles["flux"].name]) == 2:
        _describe_rows(records, hdu)
    return records


def _lost_medium(hdu: Any, roles: Mapping[str, Part]) -> str | None:
    """Why the medium is in doubt: columns of a table have UCDs (which tell air and vacuum), and its axis has none."""
    ucds = {column.name: str(hdu.header.get(f"TUCD{number}", "")) for number, column in enumerate(hdu.columns, 1)}
    axis = roles.get("wavelength") or roles["log10_wavelength"]
    if not any(ucds.values()) or "em." in ucds[axis.name].lower():
        return None
    return f"its columns have UCDs, and that of its wavelengths ({axis.name}) does not say air or vacuum"


def column_of(hdu: Any, name: str) -> NDArray:
    """A column as numbers: its null value (TNULL) is NaN, arrays of varying length are rows padded with NaN."""
    column = hdu.columns[name]
    values = hdu.data[name]
    if values.dtype.kind == "O":
        length = max((len(row) for row in values), default=0)
        padded = np.full((len(values), length), np.nan)
        for number, row in enumerate(values):
            padded[number, : len(row)] = row
        return padded
    if column.null not in (None, "") and values.dtype.kind in "iu":
        null = column.null * (column.bscale or 1) + (column.bzero or 0)
        return np.where(values == null, np.nan, values.astype(np.float64))
    return np.asarray(values)


def known_of(header: fits.Header) -> Known:
    """What telescope and pipeline are known to mean where columns do not say it."""
    telescope = str(header.get("TELESCOP", "")).strip().upper()
    if "LAMOST" in telescope:
        return Known(u.dimensionless_unscaled, ANGSTROM, "vacuum", "LAMOST", mask="ANDMASK")
    if telescope.startswith("SDSS") and "VACUUM" in header:
        return Known(axis=ANGSTROM, flux=FLAM17, survey="SDSS")
    if telescope == "HST":
        return Known(medium="vacuum", flags=int(header["SDQFLAGS"]) if "SDQFLAGS" in header else None)
    if telescope == "JWST":
        return Known(medium="vacuum", flags=1)  # DO_NOT_USE; the other bits inform
    if header.get("DMODCLS") == "OneSpec":
        flux = FLAM17 if header.get("FLUXED", True) else u.ct
        return Known(flux=flux, axis=ANGSTROM, medium="vacuum", good=True)
    return Known()


def _describe_rows(records: list[FileSpectrum], hdu: Any) -> None:
    """Redshift and name of each row, where the table has columns of them."""
    names = {name.upper(): name for name in hdu.columns.names}
    for key in ("Z", "REDSHIFT"):
        values = hdu.data[names[key]] if key in names else None
        if values is not None and values.ndim == 1 and values.dtype.kind == "f":
            for record, value in zip(records, values, strict=False):
                record.redshift = known_redshift(value) if record.redshift is None else record.redshift


LAYOUTS = (
    Layout(
        "tabular-fits",
        any_table,
        read_fits_table,
        "a table whose columns say that they are wavelength and flux",
        tested="real",
        generic=True,
    ),
)
