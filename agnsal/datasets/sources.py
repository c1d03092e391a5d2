"""Where the spectra of a data set lie: files with a catalogue, containers of many."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from astropy.table import QTable, Table, vstack
from numpy.typing import NDArray

from agnsal.datasets.catalogue import id_columns, texts
from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import Request
from agnsal.spectra.files.meaning.statements import known_redshift
from agnsal.spectra.files.reading import Reading, read_plain, standard, tell_edited, tell_guessed
from agnsal.spectra.files.surveys.desi import desi_targets
from agnsal.spectra.files.tables.containers import blocks, container_table, records
from agnsal.spectra.plain import PlainSpectrum

#: A name of SDSS, by plate, day and fibre; one of DESI is a number.
_COADDS = ("coadd-", "spectra-")
_SAYS_WHICH = re.compile(r"\d+-\d+-\d+|\d{15,}")


class Source(Protocol):
    """A sequence of spectra that can be cut."""

    @property
    def options(self) -> Mapping[str, Any]:
        """How they are read."""
        ...

    @property
    def files(self) -> list[Path]:
        """The files they lie in."""
        ...

    def part(self, start: int, stop: int) -> Source:
        """The source of a range of them, which knows nothing of the others."""
        ...

    def read(self) -> Iterator[PlainSpectrum | AgnsalError]:
        """The spectra; of one that cannot be read, the cause."""
        ...


@dataclass(frozen=True)
class Files:
    """Files of one spectrum each, or of several of which rows choose one.

    Attributes
    ----------
    paths : sequence of Path
        A file for each row.
    rows : QTable
        What is known of them. Of a file with several spectra ``index`` (the row of the file) or the name of the object
        says which is meant.
    options : mapping
        Of `agnsal.read_spectra`.
    """

    paths: Sequence[Path]
    rows: QTable
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Sequence[Path], options: Mapping[str, Any]) -> Files:
        """Files without a catalogue: a row for each, or of coadds of DESI for each target.

        A look into every file would take minutes for a survey: those are looked into that are named as coadds are, and
        all if the first is one.
        """
        every = desi_targets(paths[0]) is not None
        tables = [desi_targets(path) if every or path.name.startswith(_COADDS) else None for path in paths]
        files, parts = [], []
        for path, targets in zip(paths, tables, strict=True):
            part = QTable({"object_id": [path.name]}) if targets is None else targets
            part["file"] = [path.name] * len(part)
            files += [path] * len(part)
            parts.append(part)
        if all(targets is None for targets in tables):
            names = [path.name for path in paths]
            return cls(files, QTable({"file": names, "object_id": names}), options)
        return cls(files, QTable(vstack(parts, metadata_conflicts="silent")), options)

    @property
    def files(self) -> list[Path]:
        """The files, each once."""
        return list(dict.fromkeys(self.paths))

    def part(self, start: int, stop: int) -> Files:
        """Some of the rows with their files."""
        return replace(self, paths=self.paths[start:stop], rows=self.rows[start:stop])

    def read(self) -> Iterator[PlainSpectrum | AgnsalError]:
        """Read files one by one, each once however many of its spectra follow each other."""
        guessed: list[str] = []
        for path, group in groupby(range(len(self.paths)), self.paths.__getitem__):
            rows = list(group)
            try:
                if path.is_dir():
                    raise AgnsalError(f"the catalogue names no file here: {path.name} is a folder.")
                means = [self._means(row) for row in rows]
                read = self._reading(path, self._redshift(rows), frozenset(index or name for index, name in means))
                tell_edited(read.edited, stacklevel=2)
                guessed += [path.name] if read.guessed else []
                named = _by_name(read)
                yield from (_chosen(path, *each, read, named) for each in means)
            except AgnsalError as error:
                yield from (error for _ in rows)
        tell_guessed(guessed, stacklevel=2)

    def _redshift(self, rows: Sequence[int]) -> float | None:
        """The redshift that the table knows of the one spectrum of a file; wavelengths at rest need it."""
        if len(rows) > 1 or "redshift" not in self.rows.colnames:
            return None
        return known_redshift(self.rows["redshift"][rows[0]])

    def _means(self, row: int) -> tuple[str, str]:
        """Which spectrum of its file a row means: ``"row 3"`` by its index, and the name of the object; or ""."""
        known = next(iter(id_columns(self.rows)), None)
        name = texts(self.rows[known][row : row + 1])[0] if known else ""
        index = texts(self.rows["index"][row : row + 1])[0] if "index" in self.rows.colnames else ""
        return f"row {index}" if index else "", name

    def _reading(self, path: Path, redshift: float | None, chosen: Set[str]) -> Reading:
        """All spectra of a file that can be used, and what is said of the others; or the chosen ones, if all can."""
        said = {name: self.options[name] for name in ("frame", "medium", "format") if name in self.options}
        request = Request(units=self.options.get("units") or {}, mask=self.options.get("mask"), chosen=chosen)
        read = read_plain(path, request, redshift=redshift, on_error="skip", **said)
        if read.partial and not chosen <= _by_name(read).keys():  # why one is not there, is said of all
            request = replace(request, chosen=())
            read = read_plain(path, request, redshift=redshift, on_error="skip", **said)
        return read


def _by_name(read: Reading) -> dict[str, PlainSpectrum]:
    """What was read of a file by its rows and the names of the objects."""
    named = {f"row {one.meta.get('row', place)}": one for place, one in enumerate(read.spectra)}
    return named | {str(one.meta["object_id"]): one for one in reversed(read.spectra)}


def _chosen(
    path: Path, index: str, wanted: str, read: Reading, named: Mapping[str, PlainSpectrum]
) -> PlainSpectrum | AgnsalError:
    """The spectrum that is meant by its row (``"row 3"``) or, without one, by its name; or why there is none."""
    if index:
        if index in named:
            return named[index]
        wanted = wanted or f"{index} (its index)"
    elif len(read.spectra) == 1 and not read.refused:
        found = str(read.spectra[0].meta["object_id"])
        if found != wanted and all(map(_SAYS_WHICH.fullmatch, (found, wanted))) and not _same(found, wanted):
            return AgnsalError(f"{path.name}: holds the spectrum of {found}, and the catalogue says {wanted}.")
        return read.spectra[0]
    elif wanted in named:
        return named[wanted]
    cause = next((line for line in read.refused if f"(object {wanted})" in line), "")
    cause = cause or next((line for line in read.refused if "(object " not in line), "")
    if cause:
        return AgnsalError(cause)
    return AgnsalError(
        f"{path.name}: holds {len(read.spectra)} spectra and none of {wanted or 'a name'}; a column TARGETID, "
        "object_id or index (its row) of the catalogue says which is meant."
    )


class Piece(NamedTuple):
    """Rows of a file, from `start` to before `stop`."""

    path: Path
    start: int
    stop: int


@dataclass(frozen=True)
class Containers:
    """Many spectra a file: HDF5 and parquet.

    Attributes
    ----------
    pieces : sequence of Piece
        Rows of files, in order.
    options : mapping
        ``units``, ``medium`` and ``frame`` of `agnsal.read_spectra`.
    """

    pieces: Sequence[Piece]
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Sequence[Path], options: Mapping[str, Any]) -> tuple[Containers, QTable]:
        """All rows of some files, and the columns beside the spectra."""
        useless = sorted({"mask", "format"} & set(options))
        if useless:
            raise AgnsalError(f"{' and '.join(useless)} cannot be said of HDF5 and parquet; leave it out.")
        pieces, parts = [], []
        for path in paths:
            try:
                found = container_table(path)
            except AgnsalError as error:
                raise AgnsalError(f"{path}: {error}") from None
            names = ["row", *(name for name in found if name != "row")]
            part = Table({name: _plain(found[name]) for name in names})
            part["file"] = np.full(len(part), path.name)
            pieces.append(Piece(path, 0, len(part)))
            parts.append(part)
        return cls(pieces, options), _stacked([part for part in parts if len(part)] or parts[:1])

    @cached_property
    def _ends(self) -> NDArray[np.intp]:
        return np.cumsum([piece.stop - piece.start for piece in self.pieces])

    @property
    def files(self) -> list[Path]:
        """The files of the pieces."""
        return [piece.path for piece in self.pieces]

    def part(self, start: int, stop: int) -> Containers:
        """The pieces of files that some rows lie in."""
        first, last = np.searchsorted(self._ends, [start, stop - 1], side="right")
        cut = []
        for piece, end in zip(self.pieces[first : last + 1], self._ends[first : last + 1], strict=True):
            begin = piece.stop - int(end)  # row of the file less row of all
            cut.append(Piece(piece.path, max(piece.start, begin + start), min(piece.stop, begin + stop)))
        return Containers([piece for piece in cut if piece.start < piece.stop], self.options)

    def read(self) -> Iterator[PlainSpectrum | AgnsalError]:
        """Read rows, of as many files as they lie in."""
        units, medium = self.options.get("units"), self.options.get("medium")
        request = Request(units=units or {})
        guessed: list[str] = []
        for path, start, stop in self.pieces:
            try:
                block = next(blocks(path, stop - start, start), None)
            except (AgnsalError, OSError) as error:
                block, cause = None, AgnsalError(f"{path.name}: {error}")
            else:
                cause = AgnsalError(f"{path.name}: it has other rows than when the data set was opened.")
            if block is None or len(block) != stop - start:
                yield from (cause for _ in range(start, stop))
                continue
            for row, record in enumerate(records(block, units), start):
                try:
                    if isinstance(record, AgnsalError):
                        raise record
                    spectrum = standard(
                        record, str(path), "container", None, self.options.get("frame"), medium, request
                    )
                    guessed += [path.name] if spectrum.meta["assumed"] and path.name not in guessed[-1:] else []
                    yield spectrum
                except AgnsalError as error:
                    yield AgnsalError(f"{path.name}, row {row}: {error}")
        tell_guessed(guessed, stacklevel=2)


def _stacked(parts: Sequence[Table]) -> QTable:
    """Tables one below the other; columns that are text in one and numbers in another become text."""
    for name in {name for part in parts for name in part.colnames}:
        holders = [part for part in parts if name in part.colnames]
        if len({part[name].dtype.kind in "US" for part in holders}) > 1:
            for part in holders:
                part[name] = np.ma.masked_equal(texts(part[name]), "")
    return QTable(vstack(list(parts), join_type="outer", metadata_conflicts="silent"))


def _same(one: str, other: str) -> bool:
    """Whether two names are equal but for zeros before their numbers."""
    return [part.lstrip("0") for part in one.split("-")] == [part.lstrip("0") for part in other.split("-")]


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Bytes of HDF5 as text; what is not there is masked."""
    if values.dtype.kind not in "SO":
        return values
    lacking = np.array([each is None for each in values], dtype=bool)
    words = [each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each or "") for each in values]
    return np.ma.array(words, mask=lacking, dtype=str) if lacking.any() else np.array(words, dtype=str)
