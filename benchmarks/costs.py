"""What a spectrum costs, in milliseconds of a processor: reading, collecting, predicting, explaining; copies of files.

    python benchmarks/costs.py FOLDER [--spectra 2000]

FOLDER holds spec files of SDSS, which are copied to a temporary folder until there are so many. It runs against any
version of agnsal (PYTHONPATH), so that two can be compared.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time

import agnsal


def milliseconds(work: Callable[[], object], n: int, repeats: int) -> float:
    """The shortest processor time of one of `n`."""
    times = []
    for _ in range(repeats):
        start = process_time()
        work()
        times.append(process_time() - start)
    return 1e3 * min(times) / n


def copies(folder: Path, n: int, target: Path) -> list[Path]:
    """So many copies of the files of a folder."""
    originals = sorted(folder.rglob("spec-*.fits"))
    if not originals:
        raise SystemExit(f"{folder}: there is no spec-*.fits")
    return [Path(shutil.copy(originals[i % len(originals)], target / f"{i:05d}.fits")) for i in range(n)]


def main() -> None:
    """Print one line of the table for each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--spectra", type=int, default=2000)
    options = parser.parse_args()
    warnings.simplefilter("ignore", agnsal.AgnsalWarning)
    training = agnsal.simulate_agn(200, 600, 150, seed=0).normalize()
    machine = agnsal.ProbabilisticSVC(random_state=0).fit(training.flux, training.labels)
    with tempfile.TemporaryDirectory() as temporary:
        files = copies(options.folder, options.spectra, Path(temporary))
        agnsal.read_spectra(files[:50], on_error="skip")  # imports, and the cache of the disk
        steps: dict[str, float] = {}
        read: list[object] = []
        steps["reading"] = milliseconds(
            lambda: read.extend(agnsal.read_spectra(files, on_error="skip")), len(files), repeats=1
        )

    def collect() -> agnsal.SpectralSample:
        return agnsal.SpectralSample.from_spectra(read, agnsal.PERUZZI2021_GRID, on_error="skip")

    sample = collect().normalize()
    steps["collecting"] = milliseconds(collect, len(read), repeats=3)
    one = sample.flux[:1]
    for name, work in (("predicting", machine.predict_proba), ("explaining", lambda X: agnsal.saliency(machine, X))):
        steps[name] = milliseconds(partial(work, sample.flux), len(sample), repeats=5)
        steps[f"{name} one alone"] = milliseconds(partial(work, one), 1, repeats=50)
    print(f"{len(files)} files, {len(sample)} spectra on the grid, {machine.n_support_.sum()} support vectors")
    for name, cost in steps.items():
        print(f"| {name} | {cost:.3g} |")


if __name__ == "__main__":
    main()
