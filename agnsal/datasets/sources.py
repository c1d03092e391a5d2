"""Where the spectra of a data set lie: files with a catalogue, containers of many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from astropy.table import QTable, Table, vstack
from numpy.typing import NDArray
from specutils import Spectrum

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Request
from agnsal.spectra.files.reading import read_spectra, standard
from agnsal.spectra.files.tables.containers import blocks, container_table, records

#: Names under which a table holds what names an object.
IDS = ("object_id", "TARGETID", "targetid", "specobjid", "SPECOBJID", "id")


class Source(Protocol):
    """A sequence of spectra that is read by ranges."""

    @property
    def table(self) -> QTable:
        """A row for each spectrum, without reading the spectra."""
        ...

    def read(self, start: int, stop: int) -> Iterator[Spectrum | AgnsalError]:
        """The spectra of a range of rows; of one that cannot be read, the cause."""
        ...


@dataclass(frozen=True)
class Files:
    """A spectrum a file.

    Attributes
    ----------
    paths : sequence of Path
    rows : QTable
        What is known of them, a row for each.
    options : mapping
        Of `agnsal.read_spectra`.
    """

    paths: Sequence[Path]
    rows: QTable
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> QTable:
        """What is known of the files."""
        return self.rows

    def read(self, start: int, stop: int) -> Iterator[Spectrum | AgnsalError]:
        """Read files one by one."""
        for path in self.paths[start:stop]:
            try:
                spectra = read_spectra(path, **self.options)
                if len(spectra) != 1:
                    raise AgnsalError(f"{path.name}: holds {len(spectra)} spectra, one was expected.")
                yield spectra[0]
            except AgnsalError as error:
                yield error


@dataclass(frozen=True)
class Containers:
    """Many spectra a file: HDF5 and parquet.

    Attributes
    ----------
    paths : sequence of Path
    options : mapping
        ``units``, ``medium`` and ``frame`` of `agnsal.read_spectra`.
    """

    paths: Sequence[Path]
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def table(self) -> QTable:
        """The columns beside the spectra."""
        parts = []
        for path in self.paths:
            found = container_table(path)
            names = ["row", *(name for name in found if name != "row")]
            part = Table({name: _plain(found[name]) for name in names})
            part["file"] = np.full(len(part), path.name)
            parts.append(part)
        return QTable(vstack(parts, join_type="outer", metadata_conflicts="silent"))

    @cached_property
    def _ends(self) -> NDArray[np.intp]:
        return np.cumsum([len(container_table(path)["row"]) for path in self.paths])

    def read(self, start: int, stop: int) -> Iterator[Spectrum | AgnsalError]:
        """Read rows, of as many files as they lie in."""
        units = self.options.get("units")
        request = Request(units=units or {})
        while start < stop:
            number = int(np.searchsorted(self._ends, start, side="right"))
            begin = int(self._ends[number - 1]) if number else 0
            path, last = self.paths[number], min(stop, int(self._ends[number]))
            (block,) = islice(blocks(path, last - start, start - begin), 1)
            frame, medium = self.options.get("frame"), self.options.get("medium")
            for place in range(len(block)):
                cells = {name: values[place : place + 1] for name, values in block.table.items()}
                row = block.first + place
                try:
                    (record,) = records(replace(block, spectra=[block.spectra[place]], table=cells, first=row), units)
                    yield standard(record, str(path), "container", None, frame, medium, request)
                except AgnsalError as error:
                    yield AgnsalError(f"{path.name}, row {row}: {error}")
            start = last


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Bytes of HDF5 as text."""
    if values.dtype.kind not in "SO":
        return values
    return np.array([each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in values])
