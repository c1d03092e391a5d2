"""explain_dataset beside the bare matrix products of the same blocks, and the memory it takes, against n.

Every spectrum is one of 4,096 simulated ones with new noise, drawn when its block is asked for, so that no disk is
filled. Two matrix products a block are what probabilities and a gradient cannot do without; they are timed between the
blocks, in the same run.

python benchmarks/million_spectra.py                             # 4,096 and 16,384 spectra, in seconds
python benchmarks/million_spectra.py --n 10000 100000 1000000    # some ten minutes
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from memory import Peak
from threadpoolctl import threadpool_limits

import agnsal
from agnsal.datasets.dataset import SpectralDataset
from agnsal.datasets.rows import Block, Rows

GRID = agnsal.PERUZZI2021_GRID


class Clock:
    """What is not explaining: spectra drawn, and two matrix products of each whole block."""

    def __init__(self) -> None:
        self.aside, self.bare, self.timed = 0.0, 0.0, 0


@dataclass(frozen=True)
class DrawnRows(Rows):
    """Rows of a pool of spectra, with new noise."""

    landmarks: np.ndarray
    clock: Clock

    def read(self, grid: agnsal.WavelengthGrid, *, normalize: bool = True) -> Block:
        del normalize  # the pool is normalised
        start = time.perf_counter()
        random, pool = np.random.default_rng(self.number), self.source
        drawn = random.integers(len(pool), size=len(self))
        flux, ivar = pool.flux[drawn], pool.ivar[drawn]
        flux += random.standard_normal(flux.shape) * np.sqrt(1 / np.where(ivar > 0, ivar, np.inf))
        sample = agnsal.SpectralSample(flux, grid, ivar=ivar, mask=pool.mask[drawn])
        before = time.perf_counter()
        kernel = sample.flux @ self.landmarks.T
        _ = kernel @ self.landmarks
        self.clock.bare += time.perf_counter() - before
        self.clock.timed += len(self)
        self.clock.aside += time.perf_counter() - start
        return Block(self.number, self.numbers, sample, {})


class Drawn(SpectralDataset):
    """A data set of any size whose spectra are drawn when their block is asked for."""

    def __init__(self, n: int, pool: agnsal.SpectralSample, landmarks: np.ndarray) -> None:
        super().__init__(pool, QTable({"object_id": np.arange(n)}), min_coverage=0.8, frame="rest")
        self._pool, self._landmarks, self.clock = pool, landmarks, Clock()

    def rows(self, number: int, size: int = 2048) -> DrawnRows:
        table = self.table[number * size : (number + 1) * size]
        return DrawnRows(number, number * size, self._pool, table, 0.8, "rest", self._landmarks, self.clock)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[4096, 16_384])
    options = parser.parse_args()
    pool = agnsal.simulate_agn(832, 2626, 638, seed=0).normalize()
    machine = agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, n_landmarks=500, random_state=0).fit(pool)
    machine.learnt_from_ = None  # blocks come as they are, normalised already
    pool.truth = None
    print("        n  ms a spectrum  / matrix products  peak MiB")
    for n in options.n:
        dataset = Drawn(n, pool, machine.support_vectors_)
        with tempfile.TemporaryDirectory() as folder, threadpool_limits(1), Peak() as peak:
            start = time.perf_counter()
            result = agnsal.explain_dataset(machine, dataset, GRID, folder)
            took = time.perf_counter() - start - dataset.clock.aside
            assert result.complete
        bare = dataset.clock.bare / dataset.clock.timed
        print(f"{n:9d} {1e3 * took / n:14.3f} {took / n / bare:18.2f} {peak.mib:9.0f}", flush=True)


if __name__ == "__main__":
    main()
