"""Kill every writer 50 times while it writes, at random moments: the file under the final name stays whole.

python benchmarks/killed_writers.py [--kills 50]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import agnsal

WRITER = """
import sys, agnsal
noun = getattr(agnsal, sys.argv[1]).read(sys.argv[2])
print("ready", flush=True)
while True:
    noun.write(sys.argv[2])
"""


def nouns() -> dict[str, tuple[object, list[str]]]:
    """Each noun, with the endings of its formats."""
    sample = agnsal.simulate_agn(40, 40, 0, seed=1).normalize()
    machine = agnsal.ProbabilisticSVC(random_state=0).fit(sample.flux, sample.labels)
    weights = np.random.default_rng(0).normal(size=(50, 1000))
    return {
        "SpectralSample": (sample, ["npz"]),
        "ProbabilisticSVC": (machine, ["npz"]),
        "Network": (agnsal.Network.dense([weights], [np.zeros(50)]), ["npz"]),
        "SpectralEmbedding": (agnsal.SpectralEmbedding(10, random_state=0).fit(sample), ["npz"]),
        "Attribution": (agnsal.saliency(machine, sample), ["npz", "fits", "ecsv"]),
    }


def main() -> None:
    """Count the files that are lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    kills = parser.parse_args().kills
    random = np.random.default_rng(0)
    for name, (noun, endings) in nouns().items():
        for ending in endings:
            path = Path(tempfile.mkdtemp()) / f"a.{ending}"
            noun.write(path)  # type: ignore[attr-defined]
            lost = midway = 0
            for _ in range(kills):
                writer = subprocess.Popen([sys.executable, "-c", WRITER, name, str(path)], stdout=subprocess.PIPE)
                assert writer.stdout is not None
                writer.stdout.readline()
                time.sleep(random.uniform(0.0, 0.2))
                writer.kill()
                writer.communicate()
                left = [each for each in path.parent.iterdir() if each != path]
                midway += bool(left)
                for each in left:
                    each.unlink()
                try:
                    type(noun).read(path)  # type: ignore[attr-defined]
                except agnsal.AgnsalError:
                    lost += 1
            print(f"{name:18s} {ending:5s} {kills} kills, {midway} of them while writing, {lost} files lost")


if __name__ == "__main__":
    main()
