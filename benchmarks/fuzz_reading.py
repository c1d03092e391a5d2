"""The fuzzer of reading at length: 10,000 mutated files for each of three seeds, in processes of their own.

``PYTHONPATH=. python benchmarks/fuzz_reading.py [--count 10000] [--seeds 0 1 2]`` prints a line for each seed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--count", type=int, default=10_000)
parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
options = parser.parse_args()
for seed in options.seeds:
    began = time.perf_counter()
    command = [sys.executable, "-m", "tests.spectra.fuzzing", "--count", str(options.count), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(f"seed {seed}: {json.loads(done.stdout)} in {time.perf_counter() - began:.0f} s", flush=True)
