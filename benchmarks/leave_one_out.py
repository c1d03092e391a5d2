"""How well do the terms of a machine tell what leaving a training spectrum out would change?

Run: python benchmarks/leave_one_out.py [--refits N]. Prints the table of docs/beyond-maps.md.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import spearmanr
from sklearn.svm import SVC

from agnsal import simulate_agn, training_influence


def correlation(kernel: str, C: float, n: int, seed: int, refits: int) -> tuple[float, float, float]:
    """Median rank correlation over ten spectra and the lowest, of whole terms; the median of differences."""
    training = simulate_agn(n, n, 0, seed=seed).normalize()
    spectra = simulate_agn(5, 5, 0, seed=seed + 100).normalize()
    machine = SVC(kernel=kernel, C=C, tol=1e-6).fit(training.flux, training.labels)
    baseline = training.flux.mean(axis=0)
    terms = [
        training_influence(machine, spectra.flux, training.labels[0], baseline=reference).values
        for reference in (None, baseline)
    ]
    left_out = np.random.default_rng(seed).permutation(machine.support_)[:refits]
    change = np.empty((len(spectra), left_out.size))
    for column, row in enumerate(left_out):
        rest = np.delete(np.arange(len(training)), row)
        again = SVC(kernel=kernel, C=C, gamma=machine._gamma, tol=1e-6).fit(training.flux[rest], training.labels[rest])
        # positive decision values favour the second class
        change[:, column] = again.decision_function(spectra.flux) - machine.decision_function(spectra.flux)
    whole, differences = (
        [spearmanr(row, moved).statistic for row, moved in zip(values[:, left_out], change, strict=True)]
        for values in terms
    )
    return float(np.median(whole)), float(np.min(whole)), float(np.median(differences))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refits", type=int, default=60, help="support vectors that are left out")
    refits = parser.parse_args().refits
    print("| kernel | C | training spectra | whole terms | lowest of ten spectra | differences to the mean |")
    print("|---|---|---|---|---|---|")
    for kernel, C, n in (("linear", 0.01, 100), ("linear", 1.0, 100), ("rbf", 1.0, 100), ("rbf", 100.0, 100)):
        found = [correlation(kernel, C, n, seed, refits) for seed in range(3)]
        whole, lowest, differences = np.median(found, axis=0)
        print(f"| {kernel} | {C:g} | {2 * n} | {whole:.2f} | {lowest:.2f} | {differences:.2f} |")


if __name__ == "__main__":
    main()
