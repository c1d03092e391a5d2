"""Kill explain_dataset at random instants: gone on with, its answers are those of an unbroken run, bit for bit.

A child of its own explains simulated spectra, with maps; it is killed (SIGKILL) at a random instant of a random one of
its blocks, and another one goes on in the same folder to the end: a folder for each kill. With --cluster a worker of a
dask cluster is killed in its place.

python benchmarks/killed_explaining.py [--kills 10] [--cluster]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import agnsal

CHILD = """
import sys, agnsal
machine, sample = agnsal.ProbabilisticSVC.read(sys.argv[1]), agnsal.SpectralSample.read(sys.argv[2])
dataset, explain = agnsal.open_dataset(sample), agnsal.explain_dataset
print("ready", flush=True)
explain(machine, dataset, sample.grid, sys.argv[3], size=16, maps=True)
"""


def answers(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}


def child(arguments: list[str]) -> subprocess.Popen:
    """A run that has begun."""
    started = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE)
    started.stdout.readline()
    return started


def kill_runs(folder: Path, n_kills: int, whole: Path) -> list[int]:
    """Blocks that were there after each kill."""
    shared = [str(folder / "machine.npz"), str(folder / "sample.npz")]
    with child([*shared, str(whole)]) as unbroken:
        start = time.perf_counter()
        unbroken.wait()
    took, random, there = time.perf_counter() - start, np.random.default_rng(0), []
    n_blocks = len(answers(whole)) - 1
    for number in range(n_kills):
        at = folder / f"broken{number}"
        with child([*shared, str(at)]) as run:
            wait_for_blocks(at, int(random.integers(0, n_blocks)), run)
            time.sleep(random.uniform(0, took / n_blocks))
            os.kill(run.pid, signal.SIGKILL)
        there.append(len(list(at.glob("block-*.parquet"))))
        with child([*shared, str(at)]) as run:
            run.wait()
        assert answers(at) == answers(whole), f"run {number} differs"
    return there


def wait_for_blocks(folder: Path, n: int, run: subprocess.Popen) -> None:
    """Until so many blocks are there, or the run is over."""
    while len(list(folder.glob("block-*.parquet"))) < n and run.poll() is None:
        time.sleep(0.001)


def kill_workers(folder: Path, n_kills: int, whole: Path) -> list[int]:
    """The same with a worker of a cluster killed in every run; what is missing afterwards is done by the other."""
    from distributed import Client, LocalCluster

    machine, sample = (
        agnsal.ProbabilisticSVC.read(folder / "machine.npz"),
        agnsal.SpectralSample.read(folder / "sample.npz"),
    )
    dataset, there = agnsal.open_dataset(sample), []
    agnsal.explain_dataset(machine, dataset, sample.grid, whole, size=16, maps=True)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    random = np.random.default_rng(0)
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        for number in range(n_kills):
            at = folder / f"broken{number}"
            worker, wanted = next(iter(client.run(os.getpid).values())), int(random.integers(1, 20))

            def kill(at: Path = at, worker: int = worker, wanted: int = wanted) -> None:
                while len(list(at.glob("block-*.parquet"))) < wanted:
                    time.sleep(0.005)
                there.append(wanted)
                os.kill(worker, signal.SIGKILL)

            thread = threading.Thread(target=kill)
            thread.start()
            agnsal.explain_dataset(machine, dataset, sample.grid, at, size=16, maps=True, client=client)
            thread.join()
            client.wait_for_workers(2)
            assert answers(at) == answers(whole), f"run {number} differs"
    return there


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--cluster", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, whole = Path(name), Path(name) / "whole"
        sample = agnsal.simulate_agn(240, 240, 160, seed=0)
        sample.write(folder / "sample.npz")
        agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, random_state=0).fit(sample.normalize()).write(
            folder / "machine.npz"
        )
        there = (kill_workers if options.cluster else kill_runs)(folder, options.kills, whole)
        n_blocks = len(answers(whole)) - 1
        print(f"{options.kills} kills, with {there} of {n_blocks} blocks there: equal bit for bit")


if __name__ == "__main__":
    main()
