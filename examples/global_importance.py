"""Which lines decide AGN type over a whole sample? Effect sizes with errors, RATE, permutation, mean attribution.

    python examples/global_importance.py            # simulated sample, about a minute
    python examples/global_importance.py --quick

Two classifiers are asked: a kernel machine, with a posterior from bootstrap refits, and a neural network, with the
Laplace approximation to its last layer. Writes tables (ECSV), figures and summary.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.neural_network import MLPClassifier

import agnsal
from agnsal import figures
from agnsal.spectra.features import line_strengths, region_means
from agnsal.store import replacing

SEED = 0
# neighbours that measure the same thing share all of RATE between them, so each is here once
LINES = (
    "[Ne III] 3869",
    "4000 A break",
    "Hdelta",
    "Hgamma",
    "[O III] 4363",
    "Fe II 4570",
    "Hbeta",
    "[O III] 5007",
    "Mg b",
    "Fe II 5250",
)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    n = (70, 140, 70) if options.quick else (340, 700, 300)
    sample = agnsal.simulate_agn(*n, seed=SEED).normalize()
    labels = np.asarray(sample.labels)
    machine = agnsal.ProbabilisticSVC(kernel="linear", C=0.05, class_weight="balanced", random_state=SEED)
    machine.fit(sample.flux, labels)
    network = MLPClassifier((64, 32), alpha=0.1, max_iter=2000, random_state=SEED).fit(sample.flux, labels)
    refits = 20 if options.quick else 60
    text = ["# Which lines decide AGN type?", "", f"{len(sample)} simulated spectra."]
    for target in ("type 1", "intermediate"):
        posteriors = {
            "machine": agnsal.bootstrap_posterior(
                machine, sample.flux, labels, target, n_refits=refits, random_state=SEED
            ),
            "network": agnsal.laplace_posterior(network, sample.flux, target),
        }
        for name, model in (("machine", machine), ("network", network)):
            table = agnsal.line_importance(
                model, sample, target, lines=LINES, posterior=posteriors[name], random_state=SEED
            )
            stem = f"{target.replace(' ', '_')}_{name}"
            with replacing(options.output / f"{stem}.ecsv") as side:
                table.write(side)
            figures.plot_population_importance(table)
            with replacing(options.output / f"{stem}.png") as side:
                plt.savefig(side, dpi=150)
            plt.close("all")
            text += ["", f"## {target}, {name}", "", *markdown(table)]
    text += ["", *second_order(posteriors["machine"], sample), "", *by_bins(posteriors["machine"], sample)]
    with replacing(options.output / "summary.md") as side:
        side.write_text("\n".join(text) + "\n", encoding="utf-8")
    if not options.quiet:
        print("\n".join(text))


def markdown(table) -> list[str]:
    """The table of line importance as lines of Markdown, most central first."""
    lines = ["| line | effect size | RATE | permutation | mean abs. attribution |", "|---|---|---|---|---|"]
    for row in table[np.argsort(-np.abs(table["effect"]))]:
        lines.append(
            f"| {row['line']} | {row['effect']:+.2f} ± {row['effect_error']:.2f} | {row['rate']:.3f} "
            f"| {row['permutation']:.2f} ± {row['permutation_error']:.2f} | {row['attribution']:.2f} |"
        )
    return lines


def second_order(posterior, sample) -> list[str]:
    """What is central once the first is known."""
    Z, names = line_strengths(sample, lines=LINES)
    mean, covariance = posterior.effects(Z)
    first = agnsal.rate(mean, covariance)
    top = int(first.rate.argmax())
    second = agnsal.rate(mean, covariance, nullify=top)
    order = np.argsort(-second.rate)[:3]
    then = ", ".join(f"{names[second.names[j]]} ({second.rate[j]:.2f})" for j in order)
    return [f"First {names[top]} (RATE {first.rate[top]:.2f}, ESS {first.ess:.0f} %); once it is known: {then}."]


def by_bins(posterior, sample) -> list[str]:
    """RATE of broad bins of wavelength."""
    windows = agnsal.Regions.from_number(15, sample.grid)
    result = agnsal.rate(*posterior.effects(region_means(sample, windows)))
    names = list(windows)
    order = np.argsort(-result.rate)[:4]
    best = ", ".join(f"{names[j]} Å ({result.rate[j]:.2f})" for j in order)
    return [f"Broad bins by RATE: {best}; condition number of the posterior {result.condition:.1e}."]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("output/global_importance"))
    parser.add_argument("--quick", action="store_true", help="a small sample, in seconds")
    parser.add_argument("--quiet", action="store_true", help="no output")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        main()
    except (agnsal.AgnsalError, OSError) as error:  # what is wrong with the input, in one sentence
        sys.exit(f"{error}")
