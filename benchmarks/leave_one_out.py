"""How well do the terms of a machine tell what leaving a training spectrum out would change?

Run: python benchmarks/leave_one_out.py [--refits N]. Prints the table of docs/beyond-maps.md.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import spearmanr
from sklearn.svm import SVC

from agnsal import simulate_agn, training_influence


def correlation(kernel: str, C: float, n: int, seed: int, refits: int) -> tuple[float, ...]:
    """Median rank correlation over ten spectra and the lowest, of whole terms and of `leave_one_out`."""
    training = simulate_agn(n, n, 0, seed=seed).normalize()
    spectra = simulate_agn(5, 5, 0, seed=seed + 100).normalize()
    machine = SVC(kernel=kernel, C=C, tol=1e-6).fit(training.flux, training.labels)
    influence = training_influence(machine, spectra.flux, training.labels[0])
    left_out = np.random.default_rng(seed).permutation(machine.support_)[:refits]
    change = np.empty((len(spectra), left_out.size))
    for column, row in enumerate(left_out):
        rest = np.delete(np.arange(len(training)), row)
        again = SVC(kernel=kernel, C=C, gamma=machine._gamma, tol=1e-6).fit(training.flux[rest], training.labels[rest])
        # positive decision values favour the second class
        change[:, column] = machine.decision_function(spectra.flux) - again.decision_function(spectra.flux)
    # a term that is lost changes the output by its opposite
    said = (-influence.values, influence.leave_one_out())
    found: list[float] = []
    for values in said:
        ranks = [spearmanr(row, moved).statistic for row, moved in zip(values[:, left_out], change, strict=True)]
        found += [float(np.median(ranks)), float(np.min(ranks))]
    return tuple(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refits", type=int, default=60, help="support vectors that are left out")
    refits = parser.parse_args().refits
    print("| kernel | C | training spectra | terms | lowest of ten spectra | leave_one_out | lowest |")
    print("|---|---|---|---|---|---|---|")
    for kernel, C, n in (("linear", 0.01, 100), ("linear", 1.0, 100), ("rbf", 1.0, 100), ("rbf", 100.0, 100)):
        found = np.median([correlation(kernel, C, n, seed, refits) for seed in range(3)], axis=0)
        print(f"| {kernel} | {C:g} | {2 * n} | " + " | ".join(f"{each:.2f}" for each in found) + " |", flush=True)


if __name__ == "__main__":
    main()
