"""explain_dataset beside the bare matrix products of the same blocks, and the memory it takes, against n.

Every spectrum is one of 4,096 simulated ones with new noise, drawn when its block is asked for, so that no disk is
filled. Two matrix products a block are what probabilities and a gradient cannot do without; they are timed between the
blocks, in the same run.

python benchmarks/million_spectra.py                             # 4,096 and 16,384 spectra, in seconds
python benchmarks/million_spectra.py --shares                    # what each step of a block adds
python benchmarks/million_spectra.py --n 10000 100000 1000000    # some ten minutes
python benchmarks/million_spectra.py --n 100000 --maps           # with maps, 0.7 GB

"again" is the same call on the finished folder, which finds every block whole, over the run itself.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import QTable
from autograd import make_vjp
from memory import Peak
from threadpoolctl import threadpool_limits

import agnsal
from agnsal.datasets.dataset import SpectralDataset
from agnsal.datasets.explaining import Work
from agnsal.datasets.rows import Block, Rows
from agnsal.models.model import LARGEST

GRID = agnsal.PERUZZI2021_GRID


def clocks() -> np.ndarray:
    """Seconds on the wall, and of the processor in this thread, which other work on the machine lengthens less."""
    return np.array([time.perf_counter(), time.thread_time()])


class Clock:
    """What is not explaining: spectra drawn, and two matrix products of each whole block."""

    def __init__(self) -> None:
        self.aside, self.bare, self.timed = np.zeros(2), np.zeros(2), 0


@dataclass(frozen=True)
class DrawnRows(Rows):
    """Rows of a pool of spectra, with new noise."""

    landmarks: np.ndarray
    clock: Clock

    def read(self, grid: agnsal.WavelengthGrid, *, normalize: bool = True) -> Block:
        del normalize  # the pool is normalised
        start = clocks()
        random, pool = np.random.default_rng(self.number), self.source
        drawn = random.integers(len(pool), size=len(self))
        flux, ivar = pool.flux[drawn], pool.ivar[drawn]
        flux += random.standard_normal(flux.shape) * np.sqrt(1 / np.where(ivar > 0, ivar, np.inf))
        sample = agnsal.SpectralSample(flux, grid, ivar=ivar, mask=pool.mask[drawn])
        before = clocks()
        kernel = sample.flux @ self.landmarks.T
        _ = kernel @ self.landmarks
        self.clock.bare += clocks() - before
        self.clock.timed += len(self)
        self.clock.aside += clocks() - start
        return Block(self.number, self.numbers, sample, {})


class Drawn(SpectralDataset):
    """A data set of any size whose spectra are drawn when their block is asked for."""

    def __init__(self, n: int, pool: agnsal.SpectralSample, landmarks: np.ndarray) -> None:
        super().__init__(pool, QTable({"object_id": np.arange(n)}), min_coverage=0.8, frame="rest")
        self._pool, self._landmarks, self.clock = pool, landmarks, Clock()

    def rows(self, number: int, size: int = 2048) -> DrawnRows:
        table = self.table[number * size : (number + 1) * size]
        return DrawnRows(number, number * size, self._pool, table, 0.8, "rest", self._landmarks, self.clock)


def best(function: Callable[[], object], times: int = 25) -> float:
    """The shortest of some times of the processor, in seconds."""
    found = []
    for _ in range(times):
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return min(found)


def shares(machine: agnsal.ProbabilisticSVC, dataset: Drawn, folder: str) -> None:
    """Print what each step of a block adds, over the two matrix products."""
    rows = dataset.rows(0)
    block = rows.read(GRID)
    work = Work(
        model=machine,
        grid=GRID,
        folder=Path(folder),
        method="saliency",
        output="log_odds",
        options={},
        regions=agnsal.Regions.from_lines(GRID, split_wings=True, overlap=True),
        familiarity=None,
        calibration=None,
        maps=False,
        normalize=True,
        question="",
    )
    X, S, expansion = block.sample.flux, machine.support_vectors_, machine.pair_functions_
    model, slope = agnsal.as_differentiable(machine), np.ones((512, 3))

    def kernels() -> None:
        for start in range(0, len(X), 512):
            make_vjp(expansion)(X[start : start + 512])[0](slope)

    table = work.table(rows, block)
    steps: dict[str, Callable[[], object]] = {
        "two matrix products": lambda: (X @ S.T) @ S,
        "kernel values and their slopes": kernels,
        "coupling, one array of gradients": lambda: model.outputs_and_gradient(X, LARGEST, "log_odds"),
        "the map, sums by line": lambda: work.columns(block.sample),
        "a table": lambda: work.table(rows, block),
    }
    before = bare = 0.0
    for name, step in steps.items():
        took = best(step)
        bare = bare or took
        print(f"{name:34s} {(took - before) / bare:6.2f}")
        before = took
    print(f"{'a file (the disk is not waited for)':34s} {best(lambda: work.write(rows.number, table)) / bare:6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[4096, 16_384])
    parser.add_argument("--shares", action="store_true", help="what each step of a block adds")
    parser.add_argument("--maps", action="store_true", help="keep maps and flux")
    options = parser.parse_args()
    pool = agnsal.simulate_agn(832, 2626, 638, seed=0).normalize()
    machine = agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, n_landmarks=500, random_state=0).fit(pool)
    machine.learnt_from_ = None  # blocks come as they are, normalised already
    pool.truth = None
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        dataset, start = Drawn(256, pool, machine.support_vectors_), time.perf_counter()
        agnsal.explain_dataset(machine, dataset, GRID, folder)
        print(f"the first call of a process, of 256 spectra: {time.perf_counter() - start:.2f} s")
        if options.shares:
            shares(machine, Drawn(2048, pool, machine.support_vectors_), folder)
            return
    print("        n  ms a spectrum  / matrix products: wall  processor  with the writer  peak MiB  again / run")
    for n in options.n:
        dataset = Drawn(n, pool, machine.support_vectors_)
        with tempfile.TemporaryDirectory() as folder, threadpool_limits(1), Peak() as peak:
            begun, whole = clocks(), time.process_time()
            result = agnsal.explain_dataset(machine, dataset, GRID, folder, maps=options.maps)
            wall, own = clocks() - begun - dataset.clock.aside
            whole = time.process_time() - whole - dataset.clock.aside[1]
            assert result.complete
            begun = clocks()
            agnsal.explain_dataset(machine, dataset, GRID, folder, maps=options.maps)
            again = clocks() - begun
        bare_wall, bare = dataset.clock.bare / dataset.clock.timed * n
        print(
            f"{n:9d} {1e3 * wall / n:14.3f} {wall / bare_wall:24.2f} {own / bare:10.2f} {whole / bare:16.2f} "
            f"{peak.mib:9.0f} {again[0] / wall:12.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
