"""What was fetched, from where, and whether it is still what came."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from astropy.table import QTable, Table

from agnsal.archives.archive import Wanted
from agnsal.display import printable
from agnsal.errors import AgnsalError
from agnsal.store import alone, replacing

_FILE = "manifest.ecsv"
#: Columns of a manifest, beside those of the table of spectra.
_COLUMNS = ("file", "status", "address", "size", "sha256", "time", "message")


class Manifest:
    """The files of a folder that were fetched for a table.

    Parameters
    ----------
    folder : Path
        Of the files; made if it is not there.
    table : Table
        The spectra that are wanted.
    wanted : sequence of Wanted
        A file for each row.

    Raises
    ------
    AgnsalError
        If two rows want one file, or a manifest in the folder cannot be read.
    """

    def __init__(self, folder: Path, table: Table, wanted: Sequence[Wanted]) -> None:
        self.path, self._folder, self._wanted = folder / _FILE, folder, wanted
        self._given = table[[name for name in table.colnames if name not in _COLUMNS]] if table.colnames else table
        self._rows: dict[str, dict[str, object]] = self._known()
        self._noted: set[str] = set()

    def missing(self) -> list[Wanted]:
        """What is not there as it once came; each file once. The rest is noted as kept."""
        left: dict[str, Wanted] = {}
        for one in self._wanted:
            known, path = self._rows.get(one.file), self._folder / one.file
            if known and known["sha256"] and path.is_file() and path.stat().st_size == known["size"]:
                digest = _sum(path)
                if digest == known["sha256"] and (not one.sha256 or digest == one.sha256.lower()):
                    known["status"] = "kept"
                    self._noted.add(one.file)
                    continue
            left[one.file] = one
        return list(left.values())

    def note(self, one: Wanted, address: str, result: str | AgnsalError) -> None:
        """Note what became of a spectrum: the sum of its file, or what went wrong."""
        failed = isinstance(result, AgnsalError)
        self._noted.add(one.file)
        self._rows[one.file] = {
            "status": "failed" if failed else "fetched",
            "address": address,
            "size": 0 if failed else (self._folder / one.file).stat().st_size,
            "sha256": "" if failed else result,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "message": printable(result) if failed else "",
        }

    def failures(self) -> list[str]:
        """What went wrong, for each spectrum that is not there."""
        rows = (self._rows.get(one.file) for one in self._wanted)
        return [str(row["message"]) for row in rows if row is not None and row["status"] == "failed"]

    def table(self) -> QTable:
        """A row for each row of the table of spectra."""
        table = QTable(self._given, copy=True)
        blank = {"status": "", "address": "", "size": 0, "sha256": "", "time": "", "message": ""}
        rows = [{**blank, **self._rows.get(one.file, {}), "file": one.file} for one in self._wanted]
        for name in _COLUMNS:
            values = [row[name] for row in rows]
            table[name] = np.array(values, dtype=np.int64 if name == "size" else None)
        return table

    def write(self) -> None:
        """Write the manifest of the whole folder: files of earlier calls, and of others meanwhile, stay in it."""
        with alone(self._folder):
            noted = {file: self._rows[file] for file in self._noted}
            self._write({**self._rows, **self._known(), **noted})

    def _write(self, rows: dict[str, dict[str, object]]) -> None:
        table = Table({"file": np.array(list(rows), dtype=str)})
        for name in _COLUMNS[1:]:
            values = [row[name] for row in rows.values()]
            table[name] = np.array(values, dtype=np.int64 if name == "size" else str)
        with replacing(self.path) as side:
            table.write(side, format="ascii.ecsv", overwrite=True)

    def _known(self) -> dict[str, dict[str, object]]:
        if not self.path.exists():
            return {}
        try:
            table = Table.read(self.path, format="ascii.ecsv")
            rows = [dict(zip(_COLUMNS, row, strict=True)) for row in table[list(_COLUMNS)].iterrows()]
            return {
                str(row["file"]): {
                    name: int(row[name]) if name == "size" else "" if np.ma.is_masked(row[name]) else str(row[name])
                    for name in _COLUMNS[1:]
                }
                for row in rows
            }
        except Exception as error:  # astropy raises many kinds
            raise AgnsalError(
                f"{self.path} is no manifest of agnsal ({printable(error)[:120]}); move it, or choose another folder."
            ) from None


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
