"""What a referee asks beyond a map: who decided, what would change it, is it like anything seen, is it the physics?

    python examples/beyond_maps.py                    # simulated spectra
    python examples/beyond_maps.py --output FOLDER --quick

A machine is trained on simulated AGN. For a type 1 and a type 2 of another draw it is asked

* which training spectra decided. Type 1 are called so by the broad Balmer lines that they share with others;
* how much broad Hbeta would make the type 2 a type 1, and what is the least change of all named quantities that would:
  broad lines say that we see the broad-line region, and a blue continuum that it is not hidden by dust;
* whether the edited spectra are like any that the machine has seen, and if not, where;
* which classes cannot be excluded, and between which two a doubt is: intermediates, whose broad lines are weak, share
  their narrow lines with type 2 and their wings with type 1;
* what each line tells of all the others, beside what the machine uses: weak [O III] goes with broad lines;
* whether the machine uses what the simulation calls broad Hbeta, iron, [O III], host, by directions in the spectra.

Writes figures, tables and what they say in words (beyond_maps.md).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import agnsal
from agnsal.store import replacing

SEED = 0
CONCEPTS = (
    "broad_hbeta_width", "broad_fwhm", "iron_ratio", "oxygen_width", "nuclear_fraction", "power_law_slope",
    "narrow_fwhm", "eigenvector",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    n = (60, 100, 60) if options.quick else (340, 1072, 260)
    sample = agnsal.simulate_agn(*n, seed=SEED)
    training = sample.normalize()
    model = agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, class_weight="balanced", random_state=SEED)
    model.fit(training)
    spectra = agnsal.simulate_agn(2, 2, 0, seed=SEED + 1).normalize()
    familiarity = agnsal.Familiarity().fit(training)
    population = training[:: max(1, len(training) // 60)]
    text = ["# Beyond maps", "", f"An rbf machine, trained on {len(training)} simulated spectra.", ""]

    influence = agnsal.training_influence(model, spectra, "type 1", "log_odds")
    save(options, "training_influence", influence.plot(0))
    text += ["## Which training spectra decided?", "", *indented(influence)]

    knob = agnsal.counterfactual(
        model, spectra[2:], "type 1", "broad Hbeta flux", population=population, familiarity=familiarity
    )
    least = agnsal.counterfactual(
        model, spectra[2:], "type 1", population=population, familiarity=familiarity, random_state=SEED
    )
    save(options, "broad_hbeta", knob.plot(0))
    save(options, "least_change", least.plot(0))
    with replacing(options.output / "least_change.ecsv") as side:
        least.edits.write(side)
    text += ["## What would make a type 2 a type 1?", "", *indented(knob), *indented(least)]
    assert least.familiarity is not None
    known = [f"{name}: {p:.2g}" for name, p in zip(least.spectra.ids, least.familiarity, strict=True)]
    text += [f"p-values of the edited spectra among the training set: {', '.join(map(str, known))}.", ""]

    why = familiarity.explain(least.spectra)
    table = why.by_line()
    lines = np.array(table["line"]).reshape(len(why), -1)[0]
    sums = sum(np.nan_to_num(np.asarray(table[part])) for part in ("core", "wings", "continuum"))
    strange = [str(lines[k]) for k in np.asarray(sums).reshape(len(why), -1).argmax(axis=1)]
    text += [f"What is least usual in them: {', '.join(strange)}.", ""]
    shares = agnsal.figures.plot_line_importance(why[0].by_line())
    shares.set_xlabel("Share of the squared distance\nfrom the training set")
    save(options, "unfamiliar", shares)

    text += cannot_be_excluded(options, model, familiarity, n)
    text += what_is_told(options, training, spectra[:1])

    quantities = {name: sample.truth.table[name] for name in CONCEPTS}
    concepts = agnsal.concept_sensitivity(model, training, quantities, "type 1", random_state=SEED)
    save(options, "concepts", concepts.plot())
    text += ["## Does it use the physics?", "", *indented(concepts)]
    with replacing(options.output / "beyond_maps.md") as side:
        side.write_text("\n".join(text), encoding="utf-8")
    if not options.quiet:
        print("\n".join(text))


def cannot_be_excluded(
    options: argparse.Namespace,
    model: agnsal.ProbabilisticSVC,
    familiarity: agnsal.Familiarity,
    n: tuple[int, int, int],
) -> list[str]:
    """Sets of classes, how often they hold the true one, and what keeps two classes of a set apart."""
    calibration, new = (agnsal.simulate_agn(*n, seed=SEED + k).normalize() for k in (2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", agnsal.AgnsalWarning)  # of strangers, whom the figure shows
        sets = agnsal.prediction_sets(model, calibration, None, new, 0.95, familiarity=familiarity)
    save(options, "prediction_sets", sets.plot(new.labels))
    text = ["## Which classes cannot be excluded?", "", *indented(sets), *indented(sets.coverage(new.labels))]
    tall = plt.subplots(figsize=(7.1, 4.6), layout="constrained")[1]  # the name of a pair is long
    save(options, "ambiguity", sets.ambiguity(model, new).plot(0, ax=tall))
    return text


def what_is_told(
    options: argparse.Namespace, training: agnsal.SpectralSample, spectra: agnsal.SpectralSample
) -> list[str]:
    """What a machine of two classes uses, and what each line tells of all the others."""
    asked = {"target": "type 1", "output": "log_odds", "regions": ["Hbeta", "[O III] 5007", "Hgamma"]}
    pair = training[training.labels != "intermediate"]
    two = agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, class_weight="balanced", random_state=SEED).fit(pair)
    answers = {
        "the model uses": agnsal.shapley(two, spectra, **asked),
        "the line tells": agnsal.shapley(two, spectra, **asked, conditional="gaussian", background=pair),
        "by class": agnsal.shapley(two, spectra, **asked, conditional="mixture", background=pair),
    }
    save(options, "conditional", agnsal.figures.plot_comparison(answers))
    text = ["## What does the model use, and what does a line tell?", ""]
    for name, answer in answers.items():
        sums = zip(answer.regions, answer.regions.sums(answer.values)[0], strict=True)
        text.append(f"* {name}: {', '.join(f'{line} {value:+.2f}' for line, value in sums)}")
    return [*text, ""]


def indented(result: object) -> list[str]:
    """A result as it prints, as a block of Markdown."""
    return [*(f"    {line}" for line in str(result).splitlines()), ""]


def save(options: argparse.Namespace, name: str, ax: Axes) -> None:
    """Write a figure."""
    with replacing(options.output / f"{name}.png") as side:
        ax.figure.savefig(side, dpi=150)
    plt.close(ax.figure)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("beyond_maps"), help="folder for what is written")
    parser.add_argument("--quick", action="store_true", help="fewer training spectra")
    parser.add_argument("--quiet", action="store_true", help="no output")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        main()
    except agnsal.AgnsalError as error:
        sys.exit(f"{error}")
