"""A data set classified and explained, block by block, into a folder of answers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agnsal.attribution import methods as _methods  # noqa: F401 - every method declares itself
from agnsal.attribution.answer.attribution import versions
from agnsal.attribution.question.methods import METHODS
from agnsal.attribution.question.question import ask
from agnsal.checks.conformal import Calibration
from agnsal.datasets.dataset import SpectralDataset
from agnsal.datasets.fingerprint import fingerprint
from agnsal.datasets.result import ABOUT, MANIFEST, DatasetResult, block_name
from agnsal.datasets.rows import Block, Rows
from agnsal.datasets.seal import UNSEALED, seal
from agnsal.datasets.threads import one_thread
from agnsal.display import printable
from agnsal.errors import AgnsalError, one_of
from agnsal.models.differentiable import as_differentiable
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.lines import SpectralLine
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample
from agnsal.store.replacing import alone, made_folder, replacing

if TYPE_CHECKING:
    import pyarrow as pa

    from agnsal.checks.familiarity import Familiarity


@dataclass(frozen=True)
class Work:
    """What is done with every block, complete in itself, so that it can be sent to a worker."""

    model: Any
    grid: WavelengthGrid
    folder: Path
    method: str
    output: str
    options: Mapping[str, Any]
    regions: Regions
    familiarity: Familiarity | None
    calibration: Calibration | None
    maps: bool
    normalize: bool
    question: str  # the sum of the manifest

    def __call__(self, rows: Rows) -> int:
        """Do one block; linear algebra has one thread (see `_each`), so that every worker finds the same digits."""
        return self.write(rows.number, self.answers(rows))

    def write(self, number: int, table: pa.Table) -> int:
        """Put the answers of a block in their place."""
        from pyarrow import parquet

        texts = [name for name in table.column_names if table.schema.field(name).type == "string"]  # only names repeat
        with replacing(self.folder / block_name(number)) as side:
            parquet.write_table(table, side, compression="zstd", write_page_checksum=True, use_dictionary=texts)
            seal(side)
        return number

    def answers(self, rows: Rows) -> pa.Table:
        """Read a block: a row for each spectrum, those that could not be used with their cause."""
        return self.table(rows, rows.read(self.grid, normalize=self.normalize))

    def table(self, rows: Rows, block: Block) -> pa.Table:
        """The answers of a block that was read."""
        import pyarrow as pa

        causes = [""] * len(rows)
        for row, cause in block.left_out.items():
            causes[row - rows.first] = cause
        place = np.full(len(rows), -1)
        place[block.rows - rows.first] = np.arange(block.rows.size)
        columns: dict[str, Any] = {
            "row": rows.numbers,
            "object_id": pa.array(rows.ids.tolist(), pa.string()),
            "cause": pa.array(causes, pa.string()),
        }
        found = {} if block.sample is None else self.columns(block.sample)
        for name, kind in self._kinds().items():
            if name not in found:
                columns[name] = pa.nulls(len(rows), kind)
            elif found[name].ndim == 2:
                columns[name] = pa.array([found[name][k] if k >= 0 else None for k in place], kind)
            else:
                columns[name] = pa.array(found[name][place], kind, mask=place < 0)
        about = {"question": self.question, "block": rows.number, "bytes": rows.state_of_files()[0]}
        return pa.table(columns, metadata={ABOUT: json.dumps(about | _about(block.sample)), **UNSEALED})

    @cached_property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return [str(name) for name in as_differentiable(self.model).classes_]

    def _kinds(self) -> dict[str, pa.DataType]:
        """The columns that are worked out, with what they hold."""
        import pyarrow as pa

        kinds = {"redshift": pa.float64(), "predicted": pa.string(), "explained": pa.float64()}
        kinds |= {f"P({name})": pa.float64() for name in self.classes}
        if self.familiarity is not None:
            kinds |= {"familiarity p": pa.float64(), "familiarity distance": pa.float64()}
        if self.calibration is not None:
            kinds |= {"set": pa.string(), "set size": pa.int64()}
        for region in self.regions:
            kinds |= {region: pa.float64(), f"{region} bad": pa.float64()}
        return kinds | (dict.fromkeys(("map", "flux"), pa.list_(pa.float32())) if self.maps else {})

    def columns(self, sample: SpectralSample) -> dict[str, NDArray[Any]]:
        """Columns of spectra that could be used. One question is asked, so that kernels are evaluated once."""
        known = METHODS[self.method]
        question = ask(self.model, sample, "predicted", self.output, differentiable=known.differentiable)
        attribution = known.function(question, sample, question.asked, self.output, **self.options)
        values = attribution.values
        redshift = np.full(len(sample), np.nan) if sample.redshift is None else np.asarray(sample.redshift, float)
        found = {"redshift": redshift, "predicted": np.asarray(question.target).astype(str)}
        found["explained"] = attribution.explained
        found |= {f"P({name})": question.probabilities[:, k] for k, name in enumerate(self.classes)}
        if self.familiarity is not None:
            distance = self.familiarity.distance(sample)
            found |= {"familiarity p": self.familiarity.p_value_at(distance), "familiarity distance": distance}
        if self.calibration is not None:
            sets = self.calibration.sets(question.probabilities).to_table()
            found |= {"set": np.asarray(sets["set"]).astype(str), "set size": np.asarray(sets["size"])}
        bad = sample.mask
        if self.maps:
            found["map"] = np.where(bad, np.nan, values).astype(np.float32)
            found["flux"] = sample.flux.astype(np.float32)
        values = np.require(values, requirements="W")
        np.copyto(values, 0.0, where=bad)  # in place: a copy would cost more than the sums
        sums, shares = self.regions.sums(values), self.regions.means(bad)
        for k, region in enumerate(self.regions):
            found |= {region: sums[:, k], f"{region} bad": shares[:, k]}
        return found


def explain_dataset(
    model: Any,
    dataset: SpectralDataset,
    grid: WavelengthGrid,
    folder: str | os.PathLike[str],
    method: str = "saliency",
    output: str = "log_odds",
    *,
    maps: bool = False,
    lines: Iterable[str | SpectralLine] | None = None,
    familiarity: Familiarity | None = None,
    calibration: SpectralSample | None = None,
    level: float = 0.9,
    size: int = 2048,
    normalize: bool = True,
    n_jobs: int = 1,
    client: Any = None,
    progress: bool = False,
    **options: Any,
) -> DatasetResult:
    """Classify and explain every spectrum of a data set, into a folder of parquet files.

    Each block is one file, written aside and moved into place. Stopped at any instant, by a signal, a full disk or a
    lost worker, the same call goes on where it was, and what comes out is equal bit for bit to an unbroken run. Blocks
    that are damaged, of another run, or older than the files they were read from are done again.

    Parameters
    ----------
    model : classifier
        Fitted, and of spectra on this grid.
    dataset : SpectralDataset
        From `open_dataset`.
    grid : WavelengthGrid
        What the spectra are resampled on to.
    folder : path
        Of the answers; made if it is not there. One that holds answers to another question is refused.
    method : str
        Name of an attribution method (`saliency`, `input_x_gradient`, ...), asked of the predicted class.
    output : {"log_odds", "probability", "decision"}
        What is explained.
    maps : bool
        Whether to keep the map and the flux of every spectrum too (float32).
    lines : iterable of str or SpectralLine, optional
        Lines whose core and wings are summed; by default the common ones on the grid.
    familiarity : Familiarity, optional
        Fitted to the training sample; its p value and distance are then given for each spectrum.
    calibration : SpectralSample, optional
        Labelled spectra held out from training: the column ``set`` then names the classes that cannot be excluded
        (`agnsal.prediction_sets`).
    level : float
        Coverage of these sets.
    size : int
        Spectra of a block.
    normalize : bool
        Divide each spectrum by its flux at 5100 Angstrom, as the model has seen them.
    n_jobs : int
        Processes, each with one thread of linear algebra. Not with `client`.
    client : distributed.Client, optional
        A dask cluster, whose workers see `folder` and the files of the data set.
    progress : bool
        Whether to show a progress bar.
    **options
        Of the method; one that draws numbers draws them for every block from ``random_state`` (0), a whole number.

    Returns
    -------
    DatasetResult

    Raises
    ------
    AgnsalError
        If the method is not known or lacks an option, the folder answers another question, the cluster is lost, or
        pyarrow is lacking.

    See Also
    --------
    open_dataset : the data set.

    Examples
    --------
    >>> import agnsal, tempfile
    >>> sample = agnsal.simulate_agn(30, 30, 0, seed=0)
    >>> machine = agnsal.ProbabilisticSVC("linear", C=0.07, random_state=0).fit(sample.normalize())
    >>> dataset = agnsal.open_dataset(sample)
    >>> result = explain_dataset(machine, dataset, agnsal.PERUZZI2021_GRID, tempfile.mkdtemp(), size=25)
    >>> table = result.table(["object_id", "predicted", "P(type 1)", "Hbeta wings"])
    >>> len(table), result.n_blocks
    (60, 3)
    """
    if find_spec("pyarrow") is None:
        raise AgnsalError("answers are parquet files, which need pyarrow: pip install 'agnsal[datasets]'.")
    one_of("method", method, [name for name, known in METHODS.items() if not known.network])
    for name, value, kind in (("dataset", dataset, SpectralDataset), ("grid", grid, WavelengthGrid)):
        if not isinstance(value, kind):
            raise AgnsalError(f"{name} must be a {kind.__name__}, got {type(value).__name__}.")
    if calibration is not None and not isinstance(calibration, SpectralSample):
        raise AgnsalError(f"calibration must be a SpectralSample, got {type(calibration).__name__}.")
    if familiarity is not None and not hasattr(familiarity, "p_value_at"):
        raise AgnsalError(f"familiarity must be a fitted Familiarity, got {type(familiarity).__name__}.")
    if client is not None and not hasattr(client, "submit"):
        raise AgnsalError(f"client must be a distributed.Client, got {type(client).__name__}.")
    if not isinstance(n_jobs, (int, np.integer)) or n_jobs == 0:
        raise AgnsalError(f"n_jobs is a number of processes, or -1 for all cores, got {n_jobs!r:.40}.")
    options = _checked_options(method, options)
    n_blocks = dataset.n_blocks(size)
    if not n_blocks:
        raise AgnsalError("the data set holds no spectrum.")
    folder = made_folder(folder)
    given = None if lines is None else [lines] if isinstance(lines, (str, SpectralLine)) else list(lines)
    regions = Regions.from_lines(grid, given, split_wings=True, overlap=True)
    work = Work(
        model=model,
        grid=grid,
        folder=folder.resolve(),
        method=method,
        output=output,
        options=options,
        regions=regions,
        familiarity=familiarity,
        calibration=None if calibration is None else Calibration.of(model, calibration, level=level),
        maps=maps,
        normalize=normalize,
        question="",
    )
    question = _question(work, dataset, size)
    with alone(folder):
        _settle(folder, question)
    result = DatasetResult(folder)
    work = replace(work, question=result.question)
    missing = [number for number in range(n_blocks) if not _is_done(result, dataset.rows(number, size))]
    with tqdm(total=len(missing), desc="explaining", unit="block", disable=not progress) as bar:
        for _ in _each(work, dataset, size, missing, n_jobs, client):
            bar.update()
    _settle(folder, question)  # nobody else has begun with another question meanwhile
    lost = [number for number in missing if not result.has_block(number)]
    if lost:
        raise AgnsalError(f"{len(lost)} blocks are not in {folder}, the first is {lost[0]}: do all workers see it?")
    return result


def _checked_options(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a method, with a seed where it draws: a run that is gone on with must draw the same."""
    known = METHODS[method]
    unknown = [name for name in options if name not in known.options]
    if unknown:
        raise AgnsalError(f"{method} takes no {unknown[0]}; it takes {', '.join(known.options) or 'no options'}.")
    lacking = [name for name in known.options if known.needs(name) and name not in options]
    if lacking:
        raise AgnsalError(f"{method} needs {' and '.join(lacking)}: explain_dataset(..., {lacking[0]}=...).")
    if not known.takes("random_state"):
        return dict(options)
    seed = options.get("random_state")
    if seed is not None and not isinstance(seed, (int, np.integer)):
        raise AgnsalError(
            f"random_state must be a whole number here, got {type(seed).__name__}: every block begins with it, so that "
            "a run that is gone on with draws the same numbers."
        )
    return {**options, "random_state": 0 if seed is None else int(seed)}


def _is_done(result: DatasetResult, rows: Rows) -> bool:
    """Whether a block is there, whole, and of the files as they are."""
    about = result.about(rows.number, verify=True)
    size, changed = rows.state_of_files()
    return about is not None and about.get("bytes") == size and result.written(rows.number) >= changed


def _each(
    work: Work, dataset: SpectralDataset, size: int, missing: list[int], n_jobs: int, client: Any
) -> Iterator[int]:
    """Do the blocks, here, in processes or on a cluster; each is done and written by one of them."""
    if client is not None:
        yield from _on_cluster(work, dataset, size, missing, client)
    elif n_jobs == 1:
        with one_thread(), ThreadPoolExecutor(1) as writer:  # the disk is waited for while the next block is done
            last = None
            for number in missing:
                table = work.answers(dataset.rows(number, size))
                if last is not None:
                    yield last.result()
                last = writer.submit(work.write, number, table)
            if last is not None:
                yield last.result()
    else:
        from joblib import Parallel, delayed, parallel_config

        with parallel_config("loky", inner_max_num_threads=1):  # processes that are started with one thread
            parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs")
        yield from parallel(delayed(work)(dataset.rows(number, size)) for number in missing)


def _on_cluster(work: Work, dataset: SpectralDataset, size: int, missing: list[int], client: Any) -> Iterator[int]:
    from distributed import as_completed

    name = f"agnsal-{uuid4().hex}"  # of this call: a cluster keeps what it has done, by name
    try:
        # a task: made again where its worker is lost
        sent = client.submit(_held, (work, dataset, size), key=name)
        futures = [client.submit(_do, sent, number, key=f"{name}-{number}") for number in missing]
        for future in as_completed(futures):
            yield future.result()
    except Exception as error:
        of_cluster = type(error).__module__.partition(".")[0] in ("distributed", "tornado")
        if not isinstance(error, CancelledError) and not of_cluster:  # what the work raised
            raise
        raise AgnsalError(
            f"the cluster did not finish ({type(error).__name__}: {printable(error)[:120]}); what is done is kept, and "
            "the same call goes on."
        ) from error


def _about(sample: SpectralSample | None) -> dict[str, Any]:
    """What the numbers of a block do not say of its spectra."""
    if sample is None:
        return {}
    done = sample.normalization
    return {"unit": sample.unit.to_string(), "normalization": None if done is None else done.pack()}


def _held(everything: tuple[Work, SpectralDataset, int]) -> tuple[Work, SpectralDataset, int]:
    return everything


def _do(everything: tuple[Work, SpectralDataset, int], number: int) -> int:
    work, dataset, size = everything
    with one_thread():
        return work(dataset.rows(number, size))


def _question(work: Work, dataset: SpectralDataset, size: int) -> dict[str, Any]:
    """What is asked, so that answers to another question are not taken for these."""
    return {
        "model": fingerprint(work.model),
        "familiarity": None if work.familiarity is None else fingerprint(work.familiarity),
        "calibration": None if work.calibration is None else fingerprint(work.calibration),
        "dataset": dataset.fingerprint(),
        "grid": {
            "edges": work.grid.edges.value.tolist(),
            "centers": work.grid.centers.value.tolist(),
            "medium": work.grid.medium,
            "frame": work.grid.frame,
        },
        "method": work.method,
        "output": work.output,
        "options": {name: fingerprint(value) for name, value in sorted(work.options.items())},
        "regions": list(work.regions),
        "bins of regions": fingerprint(work.regions.members),
        "classes": work.classes,
        "size": size,
        "maps": work.maps,
        "normalize": work.normalize,
        "versions": versions(),
    }


def _settle(folder: Path, question: dict[str, Any]) -> None:
    """Write the manifest, or see that the one that is there asks the same."""
    path = folder / MANIFEST
    if not path.exists():
        if any(folder.glob("block-*.parquet")):
            raise AgnsalError(f"{folder} holds answers without {MANIFEST}; choose another folder.")
        with replacing(path) as side:
            side.write_text(json.dumps(question, indent=1), encoding="utf-8")
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        known = None
    if not isinstance(known, dict):
        raise AgnsalError(f"{path} is damaged; choose another folder, or remove this one.")
    others = [name for name in question if known.get(name) != question[name]]
    if others:
        raise AgnsalError(
            f"{folder} holds answers to another question: {', '.join(others)} differ. Choose another folder, or remove "
            "this one."
        )
