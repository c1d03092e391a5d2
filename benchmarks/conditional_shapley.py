"""Do Shapley values of lines find the line that decides, against a baseline and on the manifold?

Run: python benchmarks/conditional_shapley.py [--spectra N]. Prints the table of docs/checks.md: `SpectralBenchmark`
deals the flux of one line out anew, so that the cause is known and nothing else tells of it.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from scipy.stats import spearmanr

import agnsal

LINES = ["Hbeta", "[O III] 5007", "Hgamma", "Hdelta", "He II 4686", "[O II] 3727"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectra", type=int, default=40, help="test spectra of each of three seeds")
    n = parser.parse_args().spectra
    warnings.simplefilter("ignore", agnsal.AgnsalWarning)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(3):
        benchmark = agnsal.SpectralBenchmark(random_state=seed)
        model = benchmark.fit()
        training, test = benchmark.training_set()
        strength = benchmark.strength[benchmark.test_rows[:n]]
        kinds = {
            "the training mean": {"baseline": training.flux.mean(axis=0)},
            'conditional="gaussian"': {"conditional": "gaussian", "background": training},
            'conditional="mixture"': {"conditional": "mixture", "background": training},
        }
        for name, options in kinds.items():
            asked = agnsal.shapley(model, test[:n], "strong", "log_odds", regions=LINES, **options)
            sums = asked.regions.sums(asked.values)
            cause = list(asked.regions.names).index(benchmark.line)
            size = np.abs(sums)
            found.setdefault(name, []).append(
                (
                    float(spearmanr(sums[:, cause], strength).statistic),
                    float((size[:, cause] / size.sum(axis=1)).mean()),
                    float((size.argmax(axis=1) == cause).mean()),
                )
            )
    print("| absent regions are | rank correlation with the cause | share of the sizes | largest |")
    print("|---|---|---|---|")
    for name, rows in found.items():
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in np.mean(rows, axis=0)) + " |")


if __name__ == "__main__":
    main()
