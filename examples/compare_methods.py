"""One spectrum, many explanations: every attribution method of the package side by side, and what they agree on.

    python examples/compare_methods.py [--file FILE --redshift Z] [--kernel rbf]

Saliency, smooth gradient, input x gradient, integrated and expected gradients, exact Shapley values, occlusion by
window and line ablation, for the log-odds of the predicted class of a machine trained on simulated spectra.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable
from scipy.stats import spearmanr
from tqdm import tqdm

import agnsal
from agnsal import figures
from agnsal.command_line.options import add_normalizing_option, add_reading_options, reading_options, run_script
from agnsal.display import printable
from agnsal.store import replacing

SEED = 0


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    n = (100, 200, 100) if options.quick else (680, 2145, 521)
    training = agnsal.simulate_agn(*n, seed=SEED).normalize(by=options.normalize_by)
    C = {"linear": 0.07, "rbf": 34.0}[options.kernel]
    model = agnsal.ProbabilisticSVC(kernel=options.kernel, C=C, gamma=0.003, class_weight="balanced", random_state=SEED)
    model.fit(training)
    if options.file:
        spectra = agnsal.read_spectra(options.file, **reading_options(options))
        mine = agnsal.SpectralSample.from_spectra(spectra[:1], agnsal.PERUZZI2021_GRID)
    else:
        mine = agnsal.simulate_agn(1, 0, 1, seed=SEED + 1)[1:]
    mine = mine.normalize(by=options.normalize_by)

    asked = {"target": model.predict(mine.flux)[0], "output": "log_odds"}
    expected = {"background": training[::20], "n_samples": 64 if options.quick else 256, "random_state": SEED}
    methods = {
        "saliency": lambda: agnsal.saliency(model, mine, **asked),
        "smooth gradient": lambda: agnsal.smooth_gradient(model, mine, **asked, random_state=SEED),
        "input x gradient": lambda: agnsal.input_x_gradient(model, mine, **asked),
        "integrated gradients, mean": lambda: agnsal.integrated_gradients(model, mine, **asked),
        "integrated gradients, continuum": lambda: agnsal.integrated_gradients(
            model, mine, **asked, baseline=agnsal.continuum(mine)
        ),
        "expected gradients": lambda: agnsal.expected_gradients(model, mine, **asked, **expected),
        "Shapley values (decision)": lambda: agnsal.shapley(model, mine, **{**asked, "output": "decision"}),
        "occlusion, 15 Å": lambda: agnsal.occlusion(model, mine, **asked, regions=15 * u.AA, fill="continuum"),
    }
    maps = {name: method() for name, method in tqdm(methods.items(), desc="methods", disable=options.quiet)}
    ablation = agnsal.line_ablation(model, mine, **asked)
    for column in ("before", "after", "change"):
        ablation[column].info.format = ".3f"

    ax = figures.plot_comparison(maps)
    ax.figure.text(0.01, 0.005, f"{options.kernel} kernel, trained on {len(training)} simulated spectra", fontsize=6)
    with replacing(options.output / "comparison.png") as side:
        ax.figure.savefig(side, dpi=200)
    plt.close(ax.figure)

    agreement = rank_agreement(maps)
    lines = line_shares(maps)
    with replacing(options.output / "agreement.ecsv") as side:
        agreement.write(side)
    with replacing(options.output / "lines.ecsv") as side:
        lines.write(side)
    with replacing(options.output / "ablation.ecsv") as side:
        ablation.write(side)
    print(f"{printable(mine.ids[0])}, towards {asked['target']}. Spearman rank correlation of the maps, bin by bin:")
    agreement.pprint_all()
    print("Share of the absolute attribution in each line (core and wings):")
    lines.pprint_all()
    print("Line ablation, the causal check: fall of the log-odds when the line is taken out:")
    ablation["line", "n_bins", "before", "after", "change"].pprint_all()
    print(f"Written to {options.output}")


def rank_agreement(maps: dict[str, agnsal.Attribution]) -> QTable:
    names = list(maps)
    rank = spearmanr(np.array([each.values[0] for each in maps.values()]).T).statistic
    table = QTable({"method": names})
    for name, column in zip(names, np.atleast_2d(rank), strict=True):
        table[name] = column
        table[name].info.format = ".2f"
    return table


def line_shares(maps: dict[str, agnsal.Attribution]) -> QTable:
    masks = agnsal.line_masks(next(iter(maps.values())).grid)
    table = QTable({"line": list(masks)})
    for name, each in maps.items():
        size = np.abs(each.values[0])
        table[name] = [size[mask["core"] | mask["wings"]].sum() / size.sum() for mask in masks.values()]
        table[name].info.format = ".3f"
    return table


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="a spectrum; by default a simulated intermediate")
    add_reading_options(parser)
    add_normalizing_option(parser)
    parser.add_argument("--kernel", choices=("linear", "rbf"), default="rbf")
    parser.add_argument("--output", type=Path, default=Path("output/compare_methods"))
    parser.add_argument("--quick", action="store_true", help="a small training sample, in seconds")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_script(main, parse)
