"""`SpectralDataset`: spectra that are read in blocks."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from astropy.table import QTable, Table
from joblib import Parallel, delayed
from numpy.typing import NDArray

from agnsal.datasets.catalogue import ROLES, named, read_table, texts, with_redshifts
from agnsal.datasets.fingerprint import fingerprint
from agnsal.datasets.rows import Block, Rows
from agnsal.datasets.sources import Containers, Files, Source
from agnsal.display import Displayed, printable
from agnsal.display import Table as Shown
from agnsal.errors import AgnsalError, AgnsalWarning, one_of
from agnsal.spectra.files.reading import check_options, checked_name, files_inside
from agnsal.spectra.files.tables.containers import HDF5, PARQUET
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.sample import SpectralSample, concatenate

PathLike: TypeAlias = str | os.PathLike[str]
_READING = ("medium", "units", "mask", "format")
_AT_ONCE = 2**16  # names turned into text
MANIFEST = "manifest.ecsv"  # of the files that were fetched
#: What HATS, and people, keep beside tables.
_BESIDE = re.compile(r"_.*|.*properties|partition_info\.csv|(point_map|skymap).*|README.*|.*\.(txt|md|json|crc|yaml)")


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

    def fingerprint(self) -> dict[str, object]:
        """What it is, but for what its files hold: objects, redshifts, how it is read; of a sample, all of it.

        Returns
        -------
        dict
            That JSON can hold.
        """
        source, digest = self._all.source, hashlib.sha256()
        for rows in np.array_split(np.arange(len(self)), -(-len(self) // _AT_ONCE)):
            digest.update("\0".join([*self.ids_at(rows).tolist(), ""]).encode())
        return {
            "n": len(self),
            "ids": digest.hexdigest(),
            "redshifts": fingerprint(self.redshift),
            "spectra": fingerprint(
                [source.flux, source.ivar, source.mask, source.unit, source.normalization]
                if isinstance(source, SpectralSample)
                else [source.options, [path.name for path in source.files]]
            ),
            "min_coverage": self._all.min_coverage,
            "frame": self._all.frame,
        }

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
        Multimodal Universe; parquet, or a folder of parquet (HATS, without its margins), with struct or nested
        columns, one or three arms; a sample, or one or several ``.npz`` of samples.
    catalogue : path or Table, optional
        A row for each spectrum, with a column ``file`` relative to the folder; of files with several spectra also
        ``TARGETID``, another name of objects, or ``index``, the row of the file. Redshifts are in ``redshift``, ``Z``,
        or ``z`` if it is no magnitude.
    columns : mapping of str to str, optional
        Columns of the catalogue by what they hold: ``file``, ``redshift``, ``label``, ``object_id``, where their names
        are others.
    redshifts : path or Table, optional
        A second catalogue with redshifts by object, as DESI's zcatalog: ids (``TARGETID``), and ``Z`` or ``redshift``.
        The row of an object that is ``ZCAT_PRIMARY`` counts, else the first; objects it does not have keep the
        redshift of the source.
    min_coverage : float
        Least fraction of good bins of a spectrum.
    frame : {"observed", "rest"}, optional
        Of the wavelengths in the files; those at rest stay where they are and need no redshift.
    **reading
        ``medium``, ``units``, ``mask``, ``format`` of `agnsal.read_spectra`, for all files; of HDF5 and parquet
        ``medium`` and ``units``.

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
    names = _checked_names(columns)
    check_options(frame, reading.get("medium"))
    if not 0 <= min_coverage <= 1:
        raise AgnsalError(f"min_coverage is a fraction between 0 and 1, got {min_coverage}.")
    found: Source | SpectralSample
    samples = [source] if isinstance(source, SpectralSample) else None
    paths = [] if samples else _paths(source, walk=catalogue is None)
    if paths and all(path.suffix.lower() == ".npz" for path in paths):
        samples = [SpectralSample.read(path) for path in paths]
    if samples:
        said = {"catalogue": catalogue, "frame": frame, **reading}
        useless = [name for name, value in said.items() if value is not None]
        if useless:
            raise AgnsalError(f"a sample is on its grid already: {', '.join(useless)} would change nothing.")
        found = concatenate(samples) if len(samples) > 1 else copy(samples[0])
        found.truth = None  # no answer asks for it, and it is larger than the spectra
        table = found.table
    else:
        # wavelengths at rest stay as they are: nothing is moved, there and back
        options = reading | ({} if frame is None else {"frame": "observed"})
        folder = Path(os.fsdecode(source)) if isinstance(source, (str, bytes, os.PathLike)) else None
        folder = paths[0] if len(paths) == 1 and paths[0].is_dir() else folder
        found, table = _on_disk(folder if folder and folder.is_dir() else None, paths, catalogue, names, options)
    if redshifts is None:
        table = named(table, names)
    else:
        here = {role: name for role, name in names.items() if role != "redshift" or name in table.colnames}
        table = with_redshifts(named(table, here), read_table(redshifts, names), names)
    if isinstance(found, SpectralSample):
        found.table = table
    elif isinstance(found, Files):
        found = replace(found, rows=table)
    return SpectralDataset(found, table, min_coverage=min_coverage, frame=frame or "observed")


def _checked_names(columns: Mapping[str, str] | None) -> dict[str, str]:
    if columns is not None and not isinstance(columns, Mapping):
        raise AgnsalError(f"columns is a mapping such as {{'redshift': 'Z_BEST'}}, got {columns!r:.60}.")
    names = dict(columns or {})
    for role in names:
        one_of("a role of columns", role, ROLES)
    return names


def _paths(source: Any, walk: bool) -> list[Path]:
    """The files that are meant; of one folder, if it is walked through, what lies in it."""
    single = isinstance(source, (str, bytes, os.PathLike))
    if not single and not isinstance(source, Iterable):
        raise AgnsalError(f"a path, a folder, several files or a SpectralSample was expected, got {source!r:.80}.")
    try:
        paths = [Path(checked_name(each)) for each in ([source] if single else source)]
    except TypeError:
        raise AgnsalError(
            f"a path, a folder, several files or a SpectralSample was expected, got {type(source).__name__} of "
            "something else; spectra in memory make a sample: SpectralSample.from_spectra(spectra, grid)."
        ) from None
    if not paths:
        raise AgnsalError("an empty list was given in place of files.")
    for path in paths:
        if not path.exists():
            raise AgnsalError(f"there is no file or folder {path}.")
        if len(paths) > 1 and path.is_dir():
            raise AgnsalError(f"{path} is a folder; give one folder, or a list of files.")
    if len(paths) > 1 or not paths[0].is_dir() or not walk:
        return paths
    inside = files_inside(paths[0])
    if not inside:
        raise AgnsalError(f"{paths[0]} holds no files.")
    return inside


def _on_disk(
    folder: Path | None, paths: list[Path], catalogue: Any, names: Mapping[str, str], options: Mapping[str, Any]
) -> tuple[Source, QTable]:
    if catalogue is not None:
        rows = read_table(catalogue, names)
        return Files(_listed(folder, rows, names.get("file", "file")), rows, options), rows
    containers = [path for path in paths if _is_container(path)]
    if folder is not None and containers:
        containers = [path for path in containers if not _is_copy(path, folder)]
        _tell_of_others(folder, set(paths) - set(containers))
        return Containers.of(containers, options)
    if len(containers) == len(paths):
        return Containers.of(paths, options)
    if containers:
        other = next(path for path in paths if path not in containers)
        raise AgnsalError(f"{containers[0]} holds many spectra and {other} is of another kind; open them apart.")
    chosen = [path for path in paths if path.name != MANIFEST and path.name[0] != "_"]
    if not chosen:
        raise AgnsalError(f"{folder or paths[0]} holds no files of spectra.")
    files = Files.of(chosen, options)
    return files, files.rows


def _listed(folder: Path | None, rows: QTable, column: str) -> list[Path]:
    """The files that a catalogue names."""
    if folder is None:
        raise AgnsalError("a catalogue lists the files of one folder; give that folder as the source.")
    if column not in rows.colnames:
        raise AgnsalError(
            f"the catalogue has no column {column!r}; it has {', '.join(rows.colnames)[:300]}. Say which names the "
            "files: columns={'file': ...}."
        )
    return [folder / name for name in texts(rows[column])]


def _is_container(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
    except OSError:  # said of it when it is read
        return False
    return start == HDF5 or start.startswith(PARQUET)


def _is_copy(path: Path, folder: Path) -> bool:
    """Whether a file belongs to what HATS keeps beside a catalogue: margins and indices, which repeat its rows."""
    if path.name[0] == "_":
        return True
    for parent in path.parents:
        for name in ("hats.properties", "properties"):
            if (parent / name).is_file():
                said = (parent / name).read_text(encoding="utf-8", errors="replace")
                return bool(re.search(r"^dataproduct_type\s*=\s*(margin|index)", said, re.MULTILINE))
        if parent == folder:
            break
    return False


def _tell_of_others(folder: Path, others: set[Path]) -> None:
    """Say what lies beside the tables and is not read, unless it is known to belong to them."""
    names = sorted(
        str(path.relative_to(folder)) for path in others if not _BESIDE.fullmatch(path.name) and not _is_container(path)
    )
    if names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        message = f"{len(names)} files beside the HDF5 or parquet files of {folder} are not read: {shown}."
        warnings.warn(message, AgnsalWarning, stacklevel=5)


def _positive(size: int) -> int:
    if not isinstance(size, (int, np.integer)) or size < 1:
        raise AgnsalError(f"a block has at least 1 spectrum, a whole number of them; got size={size!r:.40}.")
    return int(size)
