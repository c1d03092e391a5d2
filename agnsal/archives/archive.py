"""What an archive is: which columns name a spectrum, where its file lies, how it is cut out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np
from astropy.io import fits
from astropy.table import Table

from agnsal.archives.connection import Connection
from agnsal.display import printable
from agnsal.errors import AgnsalError
from agnsal.spectra.files.raw.bounds import check_claims
from agnsal.spectra.files.reading import read_spectra

#: What names of surveys, programmes and reductions are made of: nothing that leads out of a folder or an address.
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9])){0,39}")


@dataclass(frozen=True)
class Wanted:
    """One spectrum of the table.

    Attributes
    ----------
    row : int
        Of the table.
    file : str
        Its name in the folder.
    places : tuple of str
        Where it may lie under the address of the archive, the likeliest first.
    key : int or str
        What names the object inside a file of many.
    sha256 : str
        The sum the file must have; "" where none is known.
    """

    row: int
    file: str
    places: tuple[str, ...]
    key: int | str = ""
    sha256: str = ""


#: Where the file of a spectrum is written: a path that is moved to its place if nothing is raised in the block.
Place = Callable[[Wanted], AbstractContextManager[Path]]
#: What became of a spectrum: the address and the sum of its file, or what went wrong.
Outcome = tuple[Wanted, str, str | AgnsalError]


class Archive(Protocol):
    """An archive of spectra.

    Attributes
    ----------
    name : str
    address : str
        Where it is.
    release : str
        The one that is taken if none is named.
    """

    name: str
    address: str
    release: str

    def wanted(self, table: Table, release: str, columns: Mapping[str, str]) -> list[Wanted]:
        """Name the spectra of a table."""
        ...

    def together(self, wanted: Sequence[Wanted]) -> Iterator[list[Wanted]]:
        """Put those that are fetched in one go together."""
        ...

    def fetch(self, connection: Connection, address: str, wanted: Sequence[Wanted], place: Place) -> Iterator[Outcome]:
        """Fetch spectra that belong together."""
        ...


def column(table: Table, role: str, columns: Mapping[str, str], names: Iterable[str], archive: str) -> np.ndarray:
    """Find a column by the name that was given for its role, or by one of its usual names, whatever their case.

    Parameters
    ----------
    table : Table
    role : str
        What the column holds.
    columns : mapping of str to str
        Names that were given, by role.
    names : iterable of str
        Usual names.
    archive : str
        For the message.

    Returns
    -------
    ndarray
        Its values; masked ones are None in an object array.

    Raises
    ------
    AgnsalError
        If there is none, or there are several.
    """
    if role in columns:
        found = [name for name in table.colnames if name == columns[role]]
        if not found:
            raise AgnsalError(f"the table has no column {columns[role]!r}; it has {', '.join(table.colnames)[:300]}.")
    else:
        found = [name for name in table.colnames if name.lower() in {each.lower() for each in names}]
    if len(found) != 1:
        what = f"several columns for it ({', '.join(found)})" if found else f"{', '.join(table.colnames)[:300]}"
        raise AgnsalError(
            f"{archive} names a spectrum by its {role}, and the table has {what}; say which column it is: "
            f"columns={{{role!r}: ...}}."
        )
    values = table[found[0]]
    hidden = np.ma.getmaskarray(np.ma.asarray(values)) if np.ma.isMaskedArray(values) else np.zeros(len(values), bool)
    listed = np.asarray(values).astype(object)
    listed[hidden] = None
    return listed


def whole(value: object, role: str, row: int) -> int:
    """A whole number from a cell, or a refusal that names the row."""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value).strip()
    number = re.fullmatch(r"(\d{1,19})(?:\.0*)?", text)
    if number is None:
        raise AgnsalError(f"row {row}: {role} is no whole number: {printable(text)[:60]!r}.")
    return int(number[1])


def word(value: object, role: str, row: int) -> str:
    """A name from a cell that is safe in an address and in the name of a file."""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    if _WORD.fullmatch(text.strip()) is None:
        raise AgnsalError(
            f"row {row}: {printable(text)[:60]!r} is no {role}: letters, digits, '.', '_', '-' were expected."
        )
    return text.strip()


def with_sums(wanted: Sequence[Wanted], table: Table) -> list[Wanted]:
    """What a column sha256 says of the content of the files."""
    if "sha256" not in table.colnames:
        return list(wanted)
    found = []
    for one in wanted:
        cell = table["sha256"][one.row]
        said = "" if np.ma.is_masked(cell) else str(cell).strip().lower()
        if said and not re.fullmatch(r"[0-9a-f]{64}", said):
            raise AgnsalError(f"row {one.row}: {printable(said)[:80]!r} is no sum sha256, 64 hexadecimal digits.")
        found.append(replace(one, sha256=said))
    return found


def check_whole(path: Path, address: str) -> None:
    """Refuse a file that is no FITS file, or is shorter than its own headers say."""
    try:
        check_claims(path)
        with path.open("rb") as file:
            if file.read(6) != b"SIMPLE":
                raise AgnsalError("it is no FITS file.")
    except AgnsalError as error:
        raise AgnsalError(f"{address}: {error}") from None


def write_checked(hdulist: fits.HDUList, path: Path, one: Wanted) -> str:
    """Write a spectrum that was put together here, and see that it reads; equal content makes equal bytes."""
    for hdu in hdulist:
        hdu.add_checksum(when="at writing")
    hdulist.writeto(path, output_verify="silentfix")
    digest = sha256(path.read_bytes()).hexdigest()
    if one.sha256 and digest != one.sha256:
        raise AgnsalError(f"{one.file} has the sum sha256 {digest}, not {one.sha256}: another content.")
    try:
        spectra = read_spectra(path)
    except AgnsalError as error:  # the path is one for now
        raise AgnsalError(str(error).replace(str(path), one.file)) from None
    if len(spectra) != 1:
        raise AgnsalError(f"what the archive sent for {one.file} is not one spectrum.")
    return digest
