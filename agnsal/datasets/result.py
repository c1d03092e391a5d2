"""`DatasetResult`: answers on disk, read back as far as they are asked for."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.answer.maps import MeanMaps, mean_maps
from agnsal.attribution.question.methods import find_method, unit_of
from agnsal.datasets.seal import is_whole
from agnsal.display import Displayed, printable
from agnsal.display import Table as Shown
from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.normalization import Normalization
from agnsal.spectra.sample import SpectralSample

MANIFEST = "manifest.json"
#: Under this name a block says what its spectra are.
ABOUT = b"agnsal"
#: Columns of what is wrong with a spectrum, or strange.
_STRANGE = ("familiarity distance", "familiarity p")


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
            self.question = hashlib.sha256(json.dumps(self.manifest, sort_keys=True).encode()).hexdigest()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise AgnsalError(f"{self.folder} holds no answers of agnsal ({printable(error)[:120]}).") from None

    @property
    def n_blocks(self) -> int:
        """Blocks that are there."""
        return len(self._files())

    @property
    def complete(self) -> bool:
        """Whether every block is there."""
        return self.n_blocks == self._n_expected

    def __len__(self) -> int:
        return self._n

    def __repr__(self) -> str:
        return f"<DatasetResult of {len(self)} spectra in {self.folder}>"

    def _display(self) -> Shown:
        state = "complete" if self.complete else f"{self.n_blocks} of {self._n_expected} blocks"
        rows = [(name, str(self.manifest.get(name))) for name in ("method", "output", "classes", "maps")]
        return Shown(f"answers for {len(self)} spectra, {state}", rows)

    def has_block(self, number: int) -> bool:
        """Whether a block is there, of this run and of as many rows as it should have."""
        return self.about(number) is not None

    def about(self, number: int, *, verify: bool = False) -> dict[str, Any] | None:
        """What a block says of itself; None if it is not there, damaged, or of another run.

        Parameters
        ----------
        number : int
            Of the block.
        verify : bool
            Whether to read all of it, which finds whatever byte has changed.

        Returns
        -------
        dict or None
        """
        from pyarrow import ArrowException, parquet

        path = self.folder / block_name(number)
        if not path.is_file():
            return None
        try:
            if verify and not is_whole(path):
                return None
            with parquet.ParquetFile(path, page_checksum_verification=True) as file:
                about = self._said(file.schema_arrow, path)
                right = file.metadata.num_rows == min(self._size, self._n - number * self._size)
            return about if right else None
        except (ArrowException, OSError, AgnsalError):
            return None

    def written(self, number: int) -> int:
        """When a block was written, in ns."""
        return (self.folder / block_name(number)).stat().st_mtime_ns

    def _said(self, schema: Any, path: Path) -> dict[str, Any]:
        """What stands in the metadata of a block of this run."""
        try:
            about: dict[str, Any] = json.loads((schema.metadata or {})[ABOUT])
            own = (about["question"], block_name(about["block"])) == (self.question, path.name)
        except (KeyError, ValueError, TypeError):
            own = False
        if not own:
            raise AgnsalError(f"{path} is no block of this run; explain again.")
        return about

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

    def mean_maps(self, by: str | ArrayLike = "predicted") -> MeanMaps[Attribution]:
        """Average the maps of each group of spectra, a block at a time; see `agnsal.mean_maps`."""
        return mean_maps(self, by)

    def outliers(self, n: int = 20) -> QTable:
        """List the spectra that are least like the training sample.

        Parameters
        ----------
        n : int
            How many.

        Returns
        -------
        QTable
            The strangest first: ``row``, ``object_id``, ``familiarity distance``, ``familiarity p``, ``predicted``
            and the probabilities.

        Raises
        ------
        AgnsalError
            If they were explained without `familiarity`.
        """
        if n < 0:
            raise AgnsalError(f"the number of outliers must not be negative, got {n}.")
        if self.manifest.get("familiarity") is None:
            raise AgnsalError("nothing is known of how familiar they are; explain_dataset(familiarity=...) asks that.")
        names = ["row", "object_id", *_STRANGE, "predicted", *(f"P({name})" for name in self.classes)]
        best: QTable | None = None
        for _, part in self._tables(names):
            both = QTable(part) if best is None else vstack([best, QTable(part)])
            far = np.nan_to_num(np.asarray(both[_STRANGE[0]], dtype=float), nan=-np.inf)
            order = np.argsort(-far, kind="stable")[:n]
            best = both[order[np.isfinite(far[order])]]
        if best is None:
            raise AgnsalError(f"{self.folder} holds no block yet.")
        return best

    def attributions(self) -> Iterator[tuple[NDArray[np.intp], Attribution]]:
        """Go through the maps that were kept.

        Yields
        ------
        rows : ndarray of int
            Of the data set.
        attribution : Attribution
            Their maps; spectra that could not be used are in none.

        Raises
        ------
        AgnsalError
            If no maps were kept.
        """
        for part, about in self._kept(["row", "object_id", "predicted", "explained", "map", "flux"]):
            values = np.stack(list(part["map"])).astype(np.float64)
            unit = u.Unit(about["unit"])
            known = find_method(self.manifest["method"])
            yield (
                part["row"],
                Attribution(
                    values=np.nan_to_num(values),
                    target=part["predicted"],
                    method=self.manifest["method"],
                    output=self.manifest["output"],
                    explained=part["explained"],
                    inputs=np.stack(list(part["flux"])).astype(np.float64),
                    ids=part["object_id"],
                    unit=u.dimensionless_unscaled if known is None else unit_of(known.answers, unit),
                    flux_unit=unit,
                    grid=self.grid,
                    mask=np.isnan(values),
                    provenance={"versions": self.manifest["versions"]},
                ),
            )

    def samples(self) -> Iterator[SpectralSample]:
        """Go through the spectra as they were explained, where maps were kept; errors are not.

        Yields
        ------
        SpectralSample
            With ``object_id``, ``redshift``, ``row`` and ``predicted`` in its table.

        Raises
        ------
        AgnsalError
            If no maps were kept.
        """
        names = ["row", "object_id", "redshift", "predicted"]
        for part, about in self._kept([*names, "map", "flux"]):
            flux, bad = np.stack(list(part["flux"])).astype(np.float64), np.isnan(np.stack(list(part["map"])))
            table = QTable({name: part[name] for name in names})
            sample = SpectralSample(flux, self.grid, mask=bad, unit=about["unit"], table=table)
            done = about["normalization"]
            sample.normalization = None if done is None else Normalization(**done)
            yield sample

    def column(self, name: str) -> NDArray[Any]:
        """One column, a value for every row of the data set; blank where the block is not there yet.

        Parameters
        ----------
        name : str
            Of the column.

        Returns
        -------
        ndarray, shape (n,)
        """
        table = self.table(["row", name])
        values = np.asarray(table[name])
        if len(values) == len(self):
            return values
        whole = np.full(len(self), "" if values.dtype.kind == "U" else np.nan, values.dtype)
        whole[np.asarray(table["row"])] = values
        return whole

    @property
    def grid(self) -> WavelengthGrid:
        """What the spectra were resampled on to."""
        said = self.manifest["grid"]
        edges, centers = (u.Quantity(said[name], u.AA) for name in ("edges", "centers"))
        return WavelengthGrid(edges, centers, medium=said["medium"], frame=said["frame"])

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
        wanted = np.atleast_1d(np.asarray(rows))
        if wanted.ndim != 1 or (wanted.size and wanted.dtype.kind not in "iu"):
            raise AgnsalError(f"rows are whole numbers, got {rows!r:.60}.")
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise AgnsalError(f"there are rows 0 to {len(self) - 1}, got {wanted.min()} to {wanted.max()}.")
        found: dict[int, Any] = {}
        for number in np.unique(wanted // self._size):
            part = self._read(self.folder / block_name(int(number)), ["row", name])
            inside = dict(zip(part["row"].tolist(), part[name], strict=True))
            found |= {int(row): inside[int(row)] for row in wanted[wanted // self._size == number]}
        values = np.full((wanted.size, len(self.grid)), np.nan, np.float32)
        for place, row in enumerate(wanted.tolist()):
            if found[row] is not None:
                values[place] = found[row]
        return values

    def _files(self) -> list[Path]:
        try:
            names = {path.name for path in self.folder.iterdir()}
        except OSError as error:
            raise AgnsalError(f"{self.folder} cannot be read any more ({error.strerror}).") from None
        return [self.folder / name for name in map(block_name, range(self._n_expected)) if name in names]

    @property
    def _n_expected(self) -> int:
        return -(-self._n // self._size)

    def _tables(self, columns: Sequence[str] | None) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
        for path in self._told():
            yield int(path.stem.removeprefix("block-")), self._read(path, columns)

    def _told(self) -> list[Path]:
        """The blocks that are there, with a warning if some are not."""
        files = self._files()
        if files and len(files) < self._n_expected:
            message = (
                f"{len(files)} of {self._n_expected} blocks of {self.folder} are there; explain again for the rest."
            )
            warnings.warn(message, AgnsalWarning, stacklevel=4)
        return files

    def _kept(self, columns: Sequence[str]) -> Iterator[tuple[dict[str, NDArray[Any]], dict[str, Any]]]:
        """Blocks of which some spectra could be used, those only, with what they say of themselves."""
        from pyarrow import parquet

        for path in self._told():
            part = self._read(path, columns)
            usable = np.array([values is not None for values in part["map"]])
            if usable.any():
                about = json.loads((parquet.read_schema(path).metadata or {})[ABOUT])
                yield {name: values[usable] for name, values in part.items()}, about

    def _read(self, path: Path, columns: Sequence[str] | None) -> dict[str, NDArray[Any]]:
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(path, page_checksum_verification=True) as file:
                schema = file.schema_arrow
                self._said(schema, path)
                flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
                wanted = flat if columns is None else [columns] if isinstance(columns, str) else list(columns)
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
