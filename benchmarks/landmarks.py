"""Landmarks beside the exact machine: log loss, F1, likeness of maps, processor time, memory.

python benchmarks/landmarks.py                    # 3,346 and 10,000 spectra, exact and with landmarks
python benchmarks/landmarks.py --more 300000      # landmarks alone, in blocks that are simulated when asked for, twice
python benchmarks/landmarks.py --short            # 800 spectra, in seconds
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
from memory import Peak
from sklearn.metrics import f1_score, log_loss

import agnsal

SHARES = np.array([680, 2145, 521]) / 3346
MACHINES = {"rbf": {"C": 34.0, "gamma": 0.003}, "linear": {"C": 0.07}}


def simulated(n: int, seed: int) -> agnsal.SpectralSample:
    type1, type2, intermediate = np.round(SHARES * n).astype(int)
    return agnsal.simulate_agn(type1, type2, intermediate, seed=seed).normalize()


class Simulated:
    """Blocks of a sample that is never in memory as a whole."""

    def __init__(self, n: int, size: int = 4096) -> None:
        self.sizes = [min(size, n - start) for start in range(0, n, size)]

    def __iter__(self) -> Iterator[agnsal.SpectralSample]:
        for number, size in enumerate(self.sizes):
            yield simulated(size, 1000 + number)


def likeness(
    model: agnsal.ProbabilisticSVC, reference: agnsal.ProbabilisticSVC, sample: agnsal.SpectralSample
) -> float:
    """Median correlation of the gradients of the log-odds of the class that the reference predicts."""
    target = reference.predict(sample)
    maps = [agnsal.saliency(each, sample, target=target, output="log_odds").values for each in (model, reference)]
    return float(np.median([np.corrcoef(one, other)[0, 1] for one, other in zip(*maps, strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--more", type=int, default=0)
    parser.add_argument("--kernels", nargs="+", choices=MACHINES, default=list(MACHINES))
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    test = simulated(800 if options.short else 3346, seed=1)
    print("      n  kernel landmarks log loss     F1 maps r   fit s peak MiB")

    def line(
        n: int,
        kernel: str,
        landmarks: int | None,
        training: agnsal.SpectralSample | Simulated,
        reference: agnsal.ProbabilisticSVC | None = None,
    ) -> agnsal.ProbabilisticSVC:
        chosen = {"class_weight": "balanced", "random_state": 0, "n_landmarks": landmarks, **MACHINES[kernel]}
        model = agnsal.ProbabilisticSVC(kernel, max_memory=256 if options.more else 2048, **chosen)
        start = time.process_time()
        with Peak() as peak:
            model = model.fit(training) if isinstance(training, agnsal.SpectralSample) else model.fit_blocks(training)
        took = time.process_time() - start
        loss = log_loss(test.labels, model.predict_proba(test), labels=model.classes_)
        score = f1_score(test.labels, model.predict(test), average="macro")
        alone = 1.0 if landmarks is None else np.nan
        alike = alone if reference is None else likeness(model, reference, test[:200])
        shown = "exact" if landmarks is None else str(landmarks) if kernel != "linear" else "primal"
        numbers = f"{loss:8.4f} {score:6.3f} {alike:6.3f} {took:7.1f} {peak.mib:8.0f}"
        print(f"{n:7d} {kernel:>7} {shown:>9} {numbers}", flush=True)
        return model

    for n in (800,) if options.short else () if options.more else (3346, 10_000):
        training = simulated(n, seed=0)
        for kernel in options.kernels:
            exact = line(n, kernel, None, training)
            for landmarks in (100, 300, 1000) if kernel == "rbf" else (1,):
                if landmarks < n:
                    line(n, kernel, landmarks, training, exact)
    if options.more:
        for kernel in options.kernels:
            line(options.more, kernel, 500 if kernel == "rbf" else 1, Simulated(options.more))


if __name__ == "__main__":
    main()
