"""Kill every writer 50 times in the middle of its writing: the file under the final name stays whole.

A writer is killed once its side file is there, after a random part of the time that a whole write takes. The next
process that writes into the folder then removes what was left.

python benchmarks/killed_writers.py [--kills 50]
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np

import agnsal
from agnsal.store.stored import Stored

FORK = multiprocessing.get_context("fork")


def nouns() -> list[tuple[Stored, list[str]]]:
    """Each noun, with the endings of its formats."""
    sample = agnsal.simulate_agn(40, 40, 0, seed=1).normalize()
    machine = agnsal.ProbabilisticSVC(random_state=0).fit(sample.flux, sample.labels)
    weights = np.random.default_rng(0).normal(size=(50, 1000))
    return [
        (sample, ["npz"]),
        (machine, ["npz"]),
        (agnsal.Network.dense([weights], [np.zeros(50)]), ["npz"]),
        (agnsal.SpectralEmbedding(10, random_state=0).fit(sample), ["npz"]),
        (agnsal.saliency(machine, sample), ["npz", "fits", "ecsv"]),
    ]


def side_files(folder: Path) -> list[Path]:
    """What lies beside: side files, without their locks."""
    return [path for path in folder.glob(".*") if path.suffix != ".lock"]


def in_a_process(noun: Stored, path: Path) -> multiprocessing.process.BaseProcess:
    """A writer that knows nothing of those before it."""
    writer = FORK.Process(target=noun.write, args=(path,))
    writer.start()
    return writer


def time_of_writing(noun: Stored, path: Path) -> float:
    """How long the side file is there, in seconds."""
    writer = in_a_process(noun, path)
    while not side_files(path.parent):
        pass
    start = time.perf_counter()
    while side_files(path.parent):
        pass
    writer.join()
    return time.perf_counter() - start


def kill_midway(noun: Stored, path: Path, after: float) -> bool:
    """Kill a writer so long after its side file has come up; whether it had written something, and not all."""
    writer = in_a_process(noun, path)
    while writer.is_alive() and not side_files(path.parent):
        pass
    time.sleep(after)
    writer.kill()
    writer.join()
    return any(left.stat().st_size for left in side_files(path.parent))


def is_lost(noun: Stored, path: Path) -> bool:
    """Whether the file is not what was written."""
    try:
        type(noun).read(path)
    except agnsal.AgnsalError:
        return True
    return False


def main() -> None:
    """Count the files that are lost, and the side files that stay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    kills = parser.parse_args().kills
    random = np.random.default_rng(0)
    for noun, endings in nouns():
        for ending in endings:
            path = Path(tempfile.mkdtemp()) / f"a.{ending}"
            whole = time_of_writing(noun, path)
            lost = midway = tried = stay = 0
            while midway < kills:
                tried += 1
                midway += kill_midway(noun, path, random.uniform(0.0, whole))
                lost += is_lost(noun, path)
                in_a_process(noun, path).join()
                stay += len(list(path.parent.glob(".*")))
            name = type(noun).__name__
            print(f"{name:18s} {ending:5s} {tried} kills, {midway} of them midway: {lost} lost, {stay} side files stay")


if __name__ == "__main__":
    main()
