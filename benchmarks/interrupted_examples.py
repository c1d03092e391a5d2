"""Interrupt the examples at random instants: what stands under a final name is what an unbroken run writes.

Every other run is ended by Ctrl-C (SIGINT), the others by SIGTERM; half of them while a file is being written.

python benchmarks/interrupted_examples.py [--signals 20]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NAMES = ("can_i_trust_this_map", "changing_look", "compare_methods", "global_importance", "paper_figures")


def run(name: str, folder: Path) -> None:
    """What a process of its own does."""
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = sys.stderr = nowhere
        sys.argv = [name, "--quick", "--output", str(folder)]
        sys.path.insert(0, str(EXAMPLES))
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


def started(name: str, folder: Path) -> multiprocessing.process.BaseProcess:
    """An example that runs."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(name, folder))
    process.start()
    return process


def whole_run(name: str) -> tuple[dict[str, bytes], float]:
    """The files of an unbroken run, and its time in seconds."""
    folder, start = Path(tempfile.mkdtemp()), time.perf_counter()
    process = started(name, folder)
    process.join()
    if process.exitcode:
        raise SystemExit(f"{name} ends with {process.exitcode}")
    return finished(folder), time.perf_counter() - start


def finished(folder: Path) -> dict[str, bytes]:
    """Everything that is not hidden, by its name; of a PDF, which knows its hour, only whether it has an end."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    content = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return {name: bytes_[-6:] if name.endswith(".pdf") else bytes_ for name, bytes_ in content.items()}


def interrupted(name: str, number: signal.Signals, after: float, writing: bool) -> dict[str, bytes]:
    """The files of a run that was ended some time after its start, or at the next file after that."""
    folder = Path(tempfile.mkdtemp())
    process, start = started(name, folder), time.perf_counter()
    while process.is_alive() and (time.perf_counter() - start < after or (writing and not any(folder.rglob(".*")))):
        time.sleep(0.0 if writing else 0.001)
    if process.is_alive():
        os.kill(process.pid, number)
    process.join()
    return finished(folder)


def main() -> None:
    """Count the files that are not those of the unbroken run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=20)
    signals = parser.parse_args().signals
    random = np.random.default_rng(0)
    for name in NAMES:
        expected, seconds = whole_run(name)
        files = half = 0
        for i in range(signals):
            number = (signal.SIGINT, signal.SIGTERM)[i % 2]
            found = interrupted(name, number, random.uniform(0.0, seconds), writing=i % 4 > 1)
            files += len(found)
            half += sum(expected.get(path) != content for path, content in found.items())
        print(f"{name:22s} {signals} interrupted runs: {files} files under a final name, {half} of them not whole")


if __name__ == "__main__":
    main()
