"""Which attribution method finds the truth? Benchmarks with a known answer, and a leaderboard.

    python examples/attribution_benchmark.py            # three seeds, a few minutes
    python examples/attribution_benchmark.py --quick    # one seed, smaller networks, under a minute

Writes the scores of every method of the package on piecewise-linear functions (Mamalakis et al. 2022, small version)
and on simulated spectra whose class depends on broad Hbeta alone, as tables (ECSV, Markdown) and figures. Methods of
captum and shap stand beside them where these are installed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable, vstack
from tqdm import tqdm

import agnsal
from agnsal import figures
from agnsal.checks.benchmarks.spectral_scores import METRICS, SpectralScores
from agnsal.checks.scoring import BenchmarkScores
from agnsal.store import replacing


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    seeds = range(1 if options.quick else 3)
    bar = {"disable": options.quiet}
    piecewise = [piecewise_scores(seed, options) for seed in tqdm(seeds, desc="piecewise-linear functions", **bar)]
    spectral = [spectral_scores(seed, options) for seed in tqdm(seeds, desc="simulated spectra", **bar)]
    text = [
        "# Attribution benchmarks",
        "",
        "## Piecewise-linear functions",
        "",
        "Mean Pearson correlation of each method's map with the truth, one value a seed.",
        "",
        *piecewise_table(piecewise, options.output),
        "",
        "## Simulated spectra: strong or weak broad Hβ",
        "",
        *(f"* **{name}**: {meaning}" for name, meaning in METRICS.items()),
        "",
        *spectral_table(spectral, options.output),
        "",
        "Gradients say where the class is decided, methods that compare with a mean say how this spectrum differs:",
        "each family is at the top of one column and nowhere in the other.",
    ]
    with replacing(options.output / "summary.md") as side:
        side.write_text("\n".join(text) + "\n", encoding="utf-8")
    draw(piecewise[0], "piecewise", options.output)
    draw(spectral[0], "spectral", options.output)
    print("\n".join(text))


def piecewise_scores(seed: int, options: argparse.Namespace) -> BenchmarkScores:
    """Train the network on one seed's functions and judge every method."""
    benchmark = agnsal.PiecewiseLinearBenchmark(random_state=seed)
    network = benchmark.fit(epochs=(15, 6) if options.quick else (40, 15), random_state=seed)
    return benchmark.score(network, n_explained=200 if options.quick else 500, peers=True, seed=seed)


def spectral_scores(seed: int, options: argparse.Namespace) -> SpectralScores:
    """Train a kernel machine on one seed's spectra and judge every method."""
    benchmark = agnsal.SpectralBenchmark(300 if options.quick else 1200, random_state=seed)
    return benchmark.score(benchmark.fit(), n_explained=30 if options.quick else 100, peers=True, seed=seed)


def piecewise_table(scores: list, output: Path) -> list[str]:
    """Lines of a Markdown table, a row a method and truth; the whole is written beside it."""
    tables = []
    for seed, each in enumerate(scores):
        table = each.table()
        table["seed"] = seed
        table.meta = {}
        tables.append(table)
    whole = vstack(tables)
    with replacing(output / "piecewise.ecsv") as side:
        whole.write(side)
    pearson = whole[whole["statistic"] == "pearson"]
    lines = [f"| method | truth |{' seed |' * len(scores)}", f"|---|---|{'---|' * len(scores)}"]
    r2 = {name: [each.facts[name] for each in scores] for name in scores[0].facts}
    lines += [f"| {name.replace('r2', 'R²')} | target |{cells(values)}" for name, values in r2.items()]
    for method in scores[0].maps:
        for truth in scores[0].judged[method]:
            rows = pearson[(pearson["method"] == method) & (pearson["truth"] == truth)]
            lines.append(f"| {method} | {truth} |{cells(rows['mean'])}")
    return lines


def spectral_table(scores: list, output: Path) -> list[str]:
    """Lines of the leaderboard: the mean over the seeds of each metric; the whole is written beside it."""
    tables: list[QTable] = []
    for seed, each in enumerate(scores):
        table = each.table()
        table["seed"] = seed
        table.meta = {}
        tables.append(table)
    whole = vstack(tables)
    with replacing(output / "spectral.ecsv") as side:
        whole.write(side)
    methods = list(dict.fromkeys(whole["method"]))
    mean = {name: [np.nanmean(whole[metric][whole["method"] == name]) for metric in METRICS] for name in methods}
    methods.sort(key=lambda name: -max(mean[name][:2]))
    accuracy = ", ".join(f"{each.facts['accuracy']:.2f}" for each in scores)
    return [
        f"Accuracy of the machine {accuracy}; a map that knows nothing has {scores[0].window.mean():.2f} of its mass "
        "in the causal window.",
        "",
        f"| method | {' | '.join(METRICS)} |",
        f"|---|{'---|' * len(METRICS)}",
        *(f"| {name} |{cells(mean[name])}" for name in methods),
    ]


def cells(values) -> str:
    return "".join(f" {value:.2f} |" for value in values)


def draw(scores, name: str, output: Path) -> None:
    figures.plot_truth_and_maps(scores, 0)
    with replacing(output / f"{name}_maps.png") as side:
        plt.savefig(side, dpi=150)
    figures.plot_scores(scores)
    with replacing(output / f"{name}_scores.png") as side:
        plt.savefig(side, dpi=150)
    plt.close("all")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("output/attribution_benchmark"))
    parser.add_argument("--quick", action="store_true", help="one seed, smaller")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        main()
    except (agnsal.AgnsalError, OSError) as error:  # what is wrong with the input, in one sentence
        sys.exit(f"{error}")
