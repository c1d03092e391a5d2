"""`DatasetResult`: answers on disk, read back as far as they are asked for."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from agnsal.display import Displayed, printable
from agnsal.display import Table as Shown
from agnsal.errors import AgnsalError

MANIFEST = "manifest.json"


def block_name(number: int) -> str:
    """The file of a block."""
    return f"block-{number:06d}.parquet"


class DatasetResult(Displayed):
    """The answers of `explain_dataset` in a folder.

    Parameters
    ----------
    folder : path
        Of the answers.

    Raises
    ------
    AgnsalError
        If it holds none.

    Examples
    --------
    >>> DatasetResult("answers")  # doctest: +SKIP
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        path = self.folder / MANIFEST
        try:
            self.manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            self._size, self._n = int(self.manifest["size"]), int(self.manifest["dataset"]["n"])
            self.classes = [str(name) for name in self.manifest["classes"]]
            self.regions = [str(name) for name in self.manifest["regions"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AgnsalError(f"{self.folder} holds no answers of agnsal ({printable(error)[:120]}).") from None

    @property
    def n_blocks(self) -> int:
        """Blocks that are there."""
        return len(self._files())

    @property
    def complete(self) -> bool:
        """Whether every block is there."""
        return self.n_blocks == -(-self._n // self._size)

    def __len__(self) -> int:
        return self._n

    def __repr__(self) -> str:
        return f"<DatasetResult of {len(self)} spectra in {self.folder}>"

    def _display(self) -> Shown:
        state = "complete" if self.complete else f"{self.n_blocks} of {-(-self._n // self._size)} blocks"
        rows = [(name, str(self.manifest.get(name))) for name in ("method", "output", "classes", "maps")]
        return Shown(f"answers for {len(self)} spectra, {state}", rows)

    def has_block(self, number: int) -> bool:
        """Whether a block is there, whole and of as many rows as it should have."""
        from pyarrow import ArrowException, parquet

        path = self.folder / block_name(number)
        if not path.is_file():
            return False
        try:
            rows = parquet.read_metadata(path).num_rows
        except (ArrowException, OSError):
            return False
        return bool(rows == min(self._size, self._n - number * self._size))

    def table(self, columns: Sequence[str] | None = None) -> QTable:
        """Read the answers of all blocks that are there, without their maps.

        Parameters
        ----------
        columns : sequence of str, optional
            The columns to read; all but maps by default.

        Returns
        -------
        QTable
            In the order of the rows. Numbers are NaN, and ``cause`` says why, where a spectrum could not be used.

        Raises
        ------
        AgnsalError
            If a column is not there, or a file is damaged.
        """
        parts = [part for _, part in self._tables(columns)]
        if not parts:
            raise AgnsalError(f"{self.folder} holds no block yet.")
        return QTable({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def summary(self, by: str = "predicted") -> QTable:
        """Median and 16th and 84th percentile of the sum of every line, over the spectra of each class.

        Parameters
        ----------
        by : str
            The column of the classes.

        Returns
        -------
        QTable
            A row for each class and region: ``n``, ``median``, ``low``, ``high`` and the mean ``bad`` fraction.
        """
        wanted = [by, *self.regions, *(f"{name} bad" for name in self.regions)]
        table = self.table(wanted)
        rows = []
        for label in sorted(set(table[by].tolist()) - {""}):
            chosen = table[by] == label
            for name in self.regions:
                values = np.asarray(table[name][chosen])
                low, median, high = np.nanpercentile(values, [16, 50, 84])
                bad = float(np.nanmean(table[f"{name} bad"][chosen]))
                rows.append((label, name, int(chosen.sum()), median, low, high, bad))
        return QTable(rows=rows, names=(by, "region", "n", "median", "low", "high", "bad"))

    def mean_maps(self, by: str = "predicted") -> dict[str, NDArray[np.float64]]:
        """Mean map of the spectra of each class, a block at a time; bins of which none was observed are NaN.

        Parameters
        ----------
        by : str
            The column of the classes.

        Returns
        -------
        dict of str to ndarray, shape (n_bins,)
        """
        sums: dict[str, NDArray[np.float64]] = {}
        counts: dict[str, NDArray[np.float64]] = {}
        for _, part in self._tables([by, "map"]):
            for label in set(part[by].tolist()) - {""}:
                values = np.stack([row for row, own in zip(part["map"], part[by], strict=True) if own == label])
                seen = np.isfinite(values)
                sums[label] = sums.get(label, 0.0) + np.where(seen, values, 0.0).sum(axis=0)
                counts[label] = counts.get(label, 0.0) + seen.sum(axis=0)
        found = {}
        for label in sorted(sums):
            there = counts[label] > 0
            found[label] = np.where(there, sums[label] / np.where(there, counts[label], 1.0), np.nan)
        return found

    def maps(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Maps of some rows, shape (n, n_bins); NaN where a bin was not observed, or a spectrum not used.

        Parameters
        ----------
        rows : array of int
            Of the data set.

        Returns
        -------
        ndarray of float32
        """
        return self._arrays(rows, "map")

    def flux(self, rows: ArrayLike) -> NDArray[np.float32]:
        """The spectra of some rows as they were explained, shape (n, n_bins)."""
        return self._arrays(rows, "flux")

    def _arrays(self, rows: ArrayLike, name: str) -> NDArray[np.float32]:
        wanted = np.atleast_1d(np.asarray(rows, dtype=np.intp))
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise AgnsalError(f"there are rows 0 to {len(self) - 1}, got {wanted.min()} to {wanted.max()}.")
        found: dict[int, Any] = {}
        for number in np.unique(wanted // self._size):
            part = self._read(self.folder / block_name(int(number)), ["row", name])
            inside = dict(zip(part["row"].tolist(), part[name], strict=True))
            found |= {int(row): inside[int(row)] for row in wanted[wanted // self._size == number]}
        n_bins = next((len(each) for each in found.values() if each is not None), 0)
        blank = np.full(n_bins, np.nan, np.float32)
        return np.array([blank if found[int(row)] is None else found[int(row)] for row in wanted], dtype=np.float32)

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if re.fullmatch(r"block-\d{6,}\.parquet", path.name))

    def _tables(self, columns: Sequence[str] | None) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
        for path in self._files():
            yield int(path.stem.removeprefix("block-")), self._read(path, columns)

    def _read(self, path: Path, columns: Sequence[str] | None) -> dict[str, NDArray[Any]]:
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(path, page_checksum_verification=True) as file:
                schema = file.schema_arrow
                flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
                wanted = flat if columns is None else list(columns)
                lacking = [name for name in wanted if name not in schema.names]
                if lacking:
                    hint = "; maps are kept with maps=True" if {"map", "flux"} & set(lacking) else ""
                    names = ", ".join(schema.names)[:400]
                    raise AgnsalError(f"the answers have no column {lacking[0]!r}; they have {names}{hint}.")
                table = file.read(columns=wanted)
        except (pa.ArrowException, OSError) as error:
            raise AgnsalError(f"{path} is damaged or missing ({printable(error)[:120]}); explain again.") from None
        return {name: _plain(table[name]) for name in wanted}


def _plain(column: Any) -> NDArray[Any]:
    import pyarrow as pa

    if pa.types.is_string(column.type):
        return np.array(["" if value is None else value for value in column.to_pylist()], dtype=str)
    if pa.types.is_nested(column.type):
        out = np.empty(len(column), dtype=object)
        rows = [row for chunk in column.chunks for row in chunk]
        out[:] = [row.values.to_numpy(zero_copy_only=False) if row.is_valid else None for row in rows]
        return out
    return np.asarray(column.to_numpy())
