"""Explain one spectrum: its class probabilities, its saliency map, the lines that decided, its place on the t-SNE map.

    python examples/explain_my_spectrum.py data/spec-9901-59000-0001.fits --redshift 0.05

The classifier is trained on the simulated sample of the package, or read from a file that ProbabilisticSVC.write wrote
(--model). The map is the gradient of the log-odds of the predicted class, which does not vanish where the probability
is nearly 1 (--of probability for that). A map of a linear machine with few classes is nearly the same for every
spectrum; --kernel rbf is not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable
from tqdm import tqdm

import agnsal
from agnsal import figures
from agnsal.store import replacing

SEED = 0


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    steps = tqdm(total=5, desc="explaining", disable=options.quiet)

    spectra = agnsal.read_spectra(options.file, redshift=options.redshift, medium=options.medium)
    mine = agnsal.SpectralSample.from_spectra(spectra, agnsal.PERUZZI2021_GRID).normalize()
    steps.update()

    n = (100, 200, 100) if options.quick else (680, 2145, 521)
    training = agnsal.simulate_agn(*n, seed=SEED).normalize()
    steps.update()

    if options.model:
        model, trained_on = agnsal.ProbabilisticSVC.read(options.model), f"read from {options.model.name}"
    else:
        C = 0.07 if options.kernel == "linear" else 34.0
        model = agnsal.ProbabilisticSVC(kernel=options.kernel, C=C, class_weight="balanced", random_state=SEED)
        model.fit(training.flux, training.labels)
        trained_on = f"{options.kernel} kernel, trained on {len(training)} simulated spectra"
    steps.update()

    saliency = agnsal.saliency(model, mine, output=options.of)
    probabilities = probability_table(model, mine)
    lines = saliency.by_line()
    for part in ("core", "wings", "continuum"):
        lines[part].info.format = ".3g"
    steps.update()

    embedding = agnsal.SpectralEmbedding(perplexity=50, random_state=SEED).fit(training)
    place = embedding.transform(mine)
    steps.update()
    steps.close()

    for name, table in (("probabilities", probabilities), ("lines", lines)):
        table.meta["classifier"] = trained_on
        with replacing(options.output / f"{name}.ecsv") as side:
            table.write(side)
    saliency.write(options.output / "saliency.npz")
    for i, object_id in enumerate(mine.ids):
        name = safe_name(object_id, i, len(mine))
        draw(options.output / f"{name}.png", saliency[i], training, embedding, place[i], probabilities[i], trained_on)
    print(f"The classifier ({trained_on}) says:")
    probabilities.pprint_all()
    print(f"Gradient of the {options.of.replace('_', ' ')} of the predicted class, summed over lines:")
    lines["object_id", "target", "line", "core", "wings", "continuum"].pprint_all()
    print(f"Written to {options.output}")


def probability_table(model: agnsal.ProbabilisticSVC, sample: agnsal.SpectralSample) -> QTable:
    """Class probabilities of each spectrum."""
    table = QTable({"object_id": sample.ids, "redshift": sample.redshift, "predicted": model.predict(sample.flux)})
    table["redshift"].info.format = ".5f"
    for label, column in zip(model.classes_, model.predict_proba(sample.flux).T, strict=True):
        table[f"P({label})"] = column
        table[f"P({label})"].info.format = ".3f"
    return table


def draw(path: Path, saliency, training, embedding, place, probabilities, trained_on: str) -> None:
    """One page: the map over the spectrum, the lines, and where the spectrum lies among the training sample."""
    figure = plt.figure(figsize=(11, 8), layout="constrained")
    top, left, right = figure.subplot_mosaic([["map", "map"], ["lines", "tsne"]]).values()
    saliency.plot(0, ax=top)
    figures.plot_line_importance(saliency, ax=left)
    figures.plot_embedding(
        np.vstack([embedding.coordinates, place]),
        labels=np.append(training.labels, probabilities["predicted"]),
        marked=[len(training)],
        ax=right,
    )
    right.set_title("1: this spectrum, in the colour of its predicted class", fontsize="small", loc="left", y=-0.2)
    names = [name for name in probabilities.colnames if name.startswith("P(")]
    figure.suptitle(
        f"{saliency.ids[0]}".replace("$", r"\$")
        + ":  "
        + ",  ".join(f"{name} = {probabilities[name]:.3f}" for name in names)
        + f"\n{trained_on}",
        fontsize=11,
    )
    with replacing(path) as side:
        figure.savefig(side, dpi=150)
    plt.close(figure)


def safe_name(object_id: str, i: int, count: int) -> str:
    """A file name from a name that came from a file."""
    name = "".join(character if character.isalnum() or character in "-_+." else "_" for character in str(object_id))
    return f"{i}_{name}" if count > 1 else name.lstrip(".") or "spectrum"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a spectrum that agnsal.read_spectra reads")
    parser.add_argument("--redshift", type=float, help="wins over what the file says")
    parser.add_argument("--medium", choices=("air", "vacuum"), help="by default what the survey is known to use")
    parser.add_argument("--kernel", choices=("linear", "rbf"), default="linear")
    parser.add_argument("--of", choices=("probability", "log_odds", "decision"), default="log_odds")
    parser.add_argument("--model", type=Path, help="a classifier written by ProbabilisticSVC.write on the paper's grid")
    parser.add_argument("--output", type=Path, default=Path("output/explained"))
    parser.add_argument("--quick", action="store_true", help="a small training sample, in seconds")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
