"""`SpectralDataset`: spectra that are read in blocks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from astropy.table import QTable, Table
from joblib import Parallel, delayed
from numpy.typing import NDArray

from agnsal.datasets.rows import Block, Rows
from agnsal.datasets.sources import IDS, Containers, Files, Source
from agnsal.display import Displayed, printable
from agnsal.display import Table as Shown
from agnsal.errors import AgnsalError
from agnsal.spectra.files.tables.containers import HDF5, PARQUET
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.sample import SpectralSample

PathLike: TypeAlias = str | os.PathLike[str]
_READING = ("frame", "medium", "columns", "units", "mask", "format")


class SpectralDataset(Displayed):
    """Spectra that need not fit in memory; made by `open_dataset`.

    Attributes
    ----------
    table : QTable
        A row for each spectrum: ids, redshifts, labels, whatever the source has beside its spectra. No spectrum is
        read for it.
    set_aside : QTable
        Rows that could not be used so far, with their causes.
    """

    def __init__(self, source: Source | SpectralSample, table: QTable, *, min_coverage: float, frame: str) -> None:
        self._all = Rows(0, 0, source, table, min_coverage, frame)
        self._left_out: dict[int, str] = {}

    @property
    def table(self) -> QTable:
        """A row for each spectrum."""
        return self._all.table

    def __len__(self) -> int:
        return len(self.table)

    def _display(self) -> Shown:
        rows = [
            (name, str(self.table[name].dtype), printable(self.table[name][0])[:40]) for name in self.table.colnames
        ]
        title = f"{len(self)} spectra; {len(self._left_out)} set aside so far"
        return Shown(title, rows or [("-", "-", "-")], ("column", "type", "first"))

    def __repr__(self) -> str:
        return f"<SpectralDataset of {len(self)} spectra>"

    @property
    def ids(self) -> NDArray[Any]:
        """Names of the objects, as text."""
        return self._all.ids

    def ids_at(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Names of the objects of some rows, as text."""
        return self._all.ids_at(rows)

    @property
    def labels(self) -> NDArray[Any] | None:
        """Class labels, if the table has a column ``label``."""
        return self._all.labels

    @property
    def redshift(self) -> NDArray[np.float64] | None:
        """Redshifts, NaN where there is none, if the table has a column ``redshift``."""
        return self._all.redshift

    @property
    def set_aside(self) -> QTable:
        """Rows that could not be used so far."""
        rows = np.array(sorted(self._left_out), dtype=np.intp)
        return QTable(
            {
                "row": rows,
                "object_id": self.ids_at(rows),
                "cause": np.array([self._left_out[row] for row in rows], dtype=str),
            }
        )

    def n_blocks(self, size: int = 2048) -> int:
        """Number of blocks of `size` rows."""
        return -(-len(self) // _positive(size))

    def blocks(
        self, grid: WavelengthGrid, size: int = 2048, *, n_jobs: int = 1, normalize: bool = True
    ) -> Iterator[SpectralSample]:
        """Yield samples of up to `size` spectra, in the order of the rows.

        Parameters
        ----------
        grid : WavelengthGrid
            What they are resampled on to.
        size : int
            Rows of a block.
        n_jobs : int
            Processes that read ahead; what comes out is the same.
        normalize : bool
            Divide each spectrum by its flux at 5100 Angstrom (`SpectralSample.normalize`); those that were not observed
            there are left out with that cause.

        Yields
        ------
        SpectralSample
            With a column ``row`` in its table. Spectra that cannot be used are left out and noted in `set_aside`; a
            block of which none can be used is passed over.
        """
        for block in self.read(grid, size, n_jobs=n_jobs, normalize=normalize):
            if block.sample is not None:
                yield block.sample

    def read(
        self,
        grid: WavelengthGrid,
        size: int = 2048,
        *,
        n_jobs: int = 1,
        normalize: bool = True,
        numbers: Iterable[int] | None = None,
    ) -> Iterator[Block]:
        """Yield blocks with what was left out of each; `numbers` chooses some."""
        chosen = range(self.n_blocks(size)) if numbers is None else list(numbers)
        if n_jobs == 1:
            made: Iterable[Block] = (self.block(number, grid, size, normalize=normalize) for number in chosen)
        else:
            jobs = (delayed(self.rows(number, size).read)(grid, normalize=normalize) for number in chosen)
            made = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="2*n_jobs")(jobs)
        for block in made:
            self._left_out.update(block.left_out)
            yield block

    def block(self, number: int, grid: WavelengthGrid, size: int = 2048, *, normalize: bool = True) -> Block:
        """Read one block.

        Parameters
        ----------
        number : int
            From 0 to ``n_blocks(size) - 1``.
        grid : WavelengthGrid
            What its spectra are resampled on to.
        size : int
            Rows of a block.
        normalize : bool
            As in `blocks`.

        Returns
        -------
        Block
        """
        return self.rows(number, size).read(grid, normalize=normalize)

    def rows(self, number: int, size: int = 2048) -> Rows:
        """The rows of one block, which can be sent to another process and read there.

        Parameters
        ----------
        number, size : int
            As in `block`.

        Returns
        -------
        Rows
        """
        return self._all.block(number, _positive(size))


def open_dataset(
    source: PathLike | Iterable[PathLike] | SpectralSample,
    catalogue: PathLike | Table | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    redshifts: PathLike | Table | None = None,
    min_coverage: float = 0.8,
    frame: Literal["observed", "rest"] | None = None,
    **reading: Any,
) -> SpectralDataset:
    """Open spectra that need not fit in memory.

    Parameters
    ----------
    source : path, list of paths, or SpectralSample
        A folder of files, one spectrum each (with `catalogue`: those it lists), or coadds of DESI, of which every
        target is taken (with `catalogue`: those it lists); a list of files; HDF5 of the
        Multimodal Universe; parquet, or a folder of parquet (HATS), with struct or nested columns, one or three arms;
        a sample, or the ``.npz`` of one.
    catalogue : path or Table, optional
        A row for each spectrum, with a column ``file`` relative to the folder; of files with several spectra also
        ``TARGETID``, another name of objects, or ``index``, the row of the file.
    columns : mapping of str to str, optional
        Columns of the catalogue by what they hold: ``file``, ``redshift``, ``label``, ``object_id``, where their names
        are others.
    redshifts : path or Table, optional
        A second catalogue with redshifts by object, as DESI's zcatalog: a column of the same name as the ids of the
        source (``TARGETID``), and ``Z`` or ``redshift``. The first row of an object counts; objects it does not have
        keep the redshift of the source.
    min_coverage : float
        Least fraction of good bins of a spectrum.
    frame : {"observed", "rest"}, optional
        As in `agnsal.read_spectra`.
    **reading
        ``medium``, ``units``, ``mask``, ``format`` of `agnsal.read_spectra`, for all files.

    Returns
    -------
    SpectralDataset

    Raises
    ------
    AgnsalError
        If there is nothing of that kind, or a table lacks a column.

    See Also
    --------
    explain_dataset : classify and explain it.
    agnsal.ProbabilisticSVC.fit_blocks : learn from it.

    Examples
    --------
    >>> import agnsal
    >>> dataset = open_dataset(agnsal.simulate_agn(3, 3, 0, seed=0))
    >>> [len(sample) for sample in dataset.blocks(agnsal.PERUZZI2021_GRID, size=4)]
    [4, 2]
    """
    unknown = set(reading) - set(_READING)
    if unknown:
        raise AgnsalError(
            f"open_dataset takes no {', '.join(sorted(unknown))}; of reading it takes {', '.join(_READING)}."
        )
    names = dict(columns or {})
    options = reading | ({} if frame is None else {"frame": frame})
    found: Source | SpectralSample
    if isinstance(source, SpectralSample):
        found, table = copy(source), source.table.copy()
        found.truth = None  # no answer asks for it, and it is larger than the spectra
    else:
        found, table = _on_disk(source, catalogue, names, options)
    table = _named(table, names)
    if redshifts is not None:
        table = _with_redshifts(table, _table_of(redshifts))
    return SpectralDataset(found, table, min_coverage=min_coverage, frame=frame or "observed")


def _on_disk(
    source: Any, catalogue: Any, names: Mapping[str, str], options: Mapping[str, Any]
) -> tuple[Source | SpectralSample, QTable]:
    given = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    paths = [Path(each) for each in given]
    for path in paths:
        if not path.exists():
            raise AgnsalError(f"there is no file or folder {path}.")
    if not paths:
        raise AgnsalError("an empty list was given in place of files.")
    if len(paths) == 1 and paths[0].suffix == ".npz":
        sample = SpectralSample.read(paths[0])
        return sample, sample.table.copy()
    folder = paths[0] if len(paths) == 1 and paths[0].is_dir() else None
    if catalogue is not None:
        if folder is None:
            raise AgnsalError("a catalogue lists the files of one folder; give that folder as the source.")
        rows = _table_of(catalogue)
        column = names.get("file", "file")
        if column not in rows.colnames:
            raise AgnsalError(f"the catalogue has no column {column!r}; it has {', '.join(rows.colnames)[:300]}.")
        listed = [folder / str(name) for name in rows[column]]
        return Files(listed, rows, options), rows
    if folder is not None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_")))
        tables = [path for path in paths if _is_container(path)]
        paths = tables or [path for path in paths if path.name != "manifest.ecsv"]
    if not paths:
        raise AgnsalError(f"{folder} holds no files.")
    if all(_is_container(path) for path in paths):
        return Containers.of(paths, options)
    files = Files.of(paths, options)
    return files, files.rows


def _is_container(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(8)
    return start == HDF5 or start.startswith(PARQUET)


def _table_of(given: PathLike | Table) -> QTable:
    if isinstance(given, Table):
        return QTable(given)
    try:
        return QTable.read(given)
    except Exception as error:  # astropy raises many kinds
        raise AgnsalError(f"{given} cannot be read as a table: {printable(error).splitlines()[0][:160]}") from None


def _named(table: QTable, names: Mapping[str, str]) -> QTable:
    """The table with its redshifts, labels and ids under the names they have here."""
    table = table.copy()
    for role in ("redshift", "label", "object_id"):
        name = names.get(role)
        if name is None and role == "redshift" and role not in table.colnames:
            name = next((each for each in ("Z", "z") if each in table.colnames), None)
        if name is None or name == role:
            continue
        if name not in table.colnames:
            raise AgnsalError(f"there is no column {name!r} for {role}; there are {', '.join(table.colnames)[:300]}.")
        table[role] = table[name]
    return table


def _with_redshifts(table: QTable, known: QTable) -> QTable:
    """The table with the redshifts of a second catalogue."""
    key = next((name for name in IDS if name in table.colnames and name in known.colnames), None)
    column = next((name for name in ("redshift", "Z", "z") if name in known.colnames), None)
    if key is None or column is None:
        raise AgnsalError(
            f"the catalogue of redshifts needs a column of ids that the source has too, and redshift or Z; it has "
            f"{', '.join(known.colnames)[:200]}, the source {', '.join(table.colnames)[:200]}."
        )
    values: NDArray[np.float64] = np.ma.filled(np.ma.asarray(known[column], dtype=float), np.nan)
    of = dict(zip(reversed(np.asarray(known[key]).astype(str).tolist()), reversed(values.tolist()), strict=True))
    own = table["redshift"] if "redshift" in table.colnames else np.full(len(table), np.nan)
    own = np.ma.filled(np.ma.asarray(own, dtype=float), np.nan)
    ids = np.asarray(table[key]).astype(str)
    table["redshift"] = np.array([of.get(name, old) for name, old in zip(ids, own, strict=True)])
    return table


def _positive(size: int) -> int:
    if size < 1:
        raise AgnsalError(f"a block has at least 1 spectrum, got size={size}.")
    return int(size)
