"""CPU time of a block of DESI coadds, by step, as docs/desi-dr1.md extrapolates it; a made coadd of 500 targets.

python benchmarks/dr1_costs.py [--targets 500] [--chosen 5]

With --chosen that many targets are also read by a catalogue, without and with the sums that real coadds have.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from astropy.io import fits
from astropy.table import Table

import agnsal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.spectra.survey_files import write_desi

T = TypeVar("T")


def timed(function: Callable[[], T]) -> tuple[float, T]:
    """The least CPU time of three calls, and what came of the last."""
    least = float("inf")
    for _ in range(3):
        start = time.process_time()
        found = function()
        least = min(least, time.process_time() - start)
    return least, found


def chosen(path: Path, few: Sequence[int]) -> float:
    """CPU time in ms of reading one of few targets."""
    source = agnsal.open_dataset(path.parent, Table({"file": [path.name] * len(few), "TARGETID": few})).rows(0).source
    assert not isinstance(source, agnsal.SpectralSample)
    spent, found = timed(lambda: list(source.read()))
    assert not any(isinstance(one, agnsal.AgnsalError) for one in found)
    return 1e3 * spent / len(few)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--chosen", type=int, default=0)
    arguments = parser.parse_args()
    n = arguments.targets
    training = agnsal.simulate_agn(400, 1200, 300, seed=1).normalize()
    machine = agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, n_landmarks=500, random_state=0).fit(training)
    explain = agnsal.explain_dataset  # loaded before the clock starts
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_desi(folder / "coadd.fits", n_targets=n + 1)
        dataset = agnsal.open_dataset(path, min_coverage=0.05)
        dataset.table["redshift"] = 0.1
        dataset.rows(0, 2).read(agnsal.PERUZZI2021_GRID)
        rows = dataset.rows(0)
        source = rows.source
        assert not isinstance(source, agnsal.SpectralSample)
        users, spectra = timed(lambda: agnsal.read_spectra(path))
        read, found = timed(lambda: list(source.read()))
        opened, block = timed(lambda: rows.read(agnsal.PERUZZI2021_GRID))
        for maps in (False, True):
            start = time.process_time()
            result = explain(machine, dataset, agnsal.PERUZZI2021_GRID, folder / f"{maps}", maps=maps)
            whole = time.process_time() - start
            size = sum(file.stat().st_size for file in result.folder.glob("block-*"))
            print(f"maps={maps}: {1e3 * whole / n:.2f} ms in all, {size / n:.0f} bytes of answers a spectrum")
        print(
            f"reading {1e3 * read / n:.2f}, to the rest frame and the grid {1e3 * (opened - read) / n:.2f} ms; "
            f"reading them as specutils.Spectrum {users / read:.1f} times as long"
        )
        assert len(block.rows) == len(spectra) == len(found) == n
        if arguments.chosen:
            few = dataset.table["TARGETID"][:: n // arguments.chosen][: arguments.chosen]
            plain = chosen(path, few)
            with fits.open(path) as hdulist:
                hdulist.writeto(path, overwrite=True, checksum=True)
            print(f"reading {len(few)} of {n}: {plain:.2f} ms a chosen spectrum, {chosen(path, few):.2f} with sums")


if __name__ == "__main__":
    main()
