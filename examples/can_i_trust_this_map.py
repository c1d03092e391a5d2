"""Can this map be trusted? Every check of the package on maps of simulated spectra, or of your files.

    python examples/can_i_trust_this_map.py                                  # simulated test spectra
    python examples/can_i_trust_this_map.py --spectra FOLDER                 # files that know their redshifts
    python examples/can_i_trust_this_map.py --spectra FOLDER --catalogue FILE

The catalogue (CSV or ECSV) has columns "file" and "redshift" or "z", and may have "object_id". The classifier is
trained on the simulated sample. Writes a report in words (report.md), tables and figures.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable
from catalogue_files import read_catalogue, redshift_column
from tqdm import tqdm

import agnsal
from agnsal.command_line.options import (
    add_normalizing_option,
    add_reading_options,
    in_options,
    reading_options,
    run_script,
)
from agnsal.display import markdown_text, printable
from agnsal.store import replacing

SEED = 0


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    training, labels, model = learn(options)
    n = 8 if options.quick else 20
    simulated = agnsal.simulate_agn(n, n, n, seed=SEED + 1)
    spectra = read(options) if options.spectra else simulated.normalize(by=options.normalize_by)
    kind = "files" if options.spectra else "simulated spectra"

    maps = {
        "gradient": agnsal.saliency(model, spectra, output="log_odds"),
        "integrated gradients": agnsal.integrated_gradients(model, spectra, output="log_odds"),
    }
    good = maps["integrated gradients"]
    shuffled = np.random.default_rng(SEED).permutation(labels)
    untrained = agnsal.ProbabilisticSVC(kernel="rbf", C=10.0, random_state=SEED).fit(training.flux, shuffled)
    controls = {
        "control: random": np.random.default_rng(SEED).normal(size=good.values.shape),
        "control: edges of the input": np.gradient(spectra.flux, axis=1),
        "control: shuffled labels": agnsal.integrated_gradients(untrained, spectra, good.target, "log_odds").values,
    }
    maps |= {name: replace(good, values=values, residual=None) for name, values in controls.items()}
    reports = {
        name: agnsal.check(
            each, model, spectra, training=training, n_refits=2 if options.quick else 5, random_state=SEED,
        )
        for name, each in tqdm(maps.items(), desc="checks", disable=options.quiet)
    }  # fmt: skip
    familiarity = agnsal.Familiarity().fit(training)
    text = [f"# Can these maps be trusted? {len(spectra)} {kind}", ""]
    for name, report in reports.items():
        text += [f"## {name}", "", "```", str(report), "```", ""]
        with replacing(options.output / f"{slug(name)}.ecsv") as side:
            report.table().write(side)
    text += ["## Confounds of the training sample", "", "```"]
    explained = agnsal.integrated_gradients(model, training, output="log_odds")
    text += [str(agnsal.check_confounds(training, explained)), "```", "", "## Strangers", ""]
    text += strangers(familiarity, model, spectra, options.output)
    with replacing(options.output / "report.md") as side:
        side.write_text("\n".join(text) + "\n", encoding="utf-8")
    draw(reports, options.output)
    print("\n".join(text))


def learn(options: argparse.Namespace):
    """A machine trained on simulated spectra."""
    n = (70, 140, 70) if options.quick else (340, 700, 300)
    training = agnsal.simulate_agn(*n, seed=SEED).normalize(by=options.normalize_by)
    labels = np.asarray(training.labels)
    model = agnsal.ProbabilisticSVC(kernel="rbf", C=10.0, class_weight="balanced", random_state=SEED)
    return training, labels, model.fit(training.flux, labels)


def read(options: argparse.Namespace) -> agnsal.SpectralSample:
    """Every spectrum of the folder, or of the catalogue, that covers the grid; what cannot be used is written down."""
    if options.catalogue:
        table = read_catalogue(options, "file")
        column = redshift_column(table, options.catalogue)
        wanted = [(options.spectra / str(row["file"]), row[column]) for row in table]
    elif not options.spectra.is_dir():
        raise SystemExit(f"--spectra: there is no folder {options.spectra}.")
    else:
        endings = {".fits", ".fit", ".gz", ".ecsv", ".txt", ".csv"}
        paths = sorted(path for path in options.spectra.rglob("*") if path.suffix.lower() in endings)
        wanted = [(path, None) for path in paths]
    parts, left_out = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path, redshift in tqdm(wanted, desc="reading", disable=options.quiet):
            try:
                known = None if redshift is None or np.ma.is_masked(redshift) else float(redshift)
                spectra = agnsal.read_spectra(path, redshift=known, **reading_options(options))
                names = [path.name] * len(spectra)
                part = agnsal.SpectralSample.from_spectra(spectra, agnsal.PERUZZI2021_GRID, ids=names)
                part.table.keep_columns("object_id")  # files say different things of their spectra
                parts.append(part.normalize(by=options.normalize_by))
            except agnsal.AgnsalError as error:
                left_out.append(printable(f"{path.name}: {in_options(str(error), options)}"))
    with replacing(options.output / "left_out.txt") as side:
        side.write_text("\n".join(left_out) + "\n", encoding="utf-8")
    if not parts:
        raise SystemExit(f"none of {len(wanted)} files could be used; {options.output / 'left_out.txt'} says why.")
    print(f"{sum(map(len, parts))} spectra read, {len(left_out)} files left out (left_out.txt).")
    return agnsal.concatenate(parts)  # those whose files have no errors are known to have none


def strangers(familiarity: agnsal.Familiarity, model, spectra: agnsal.SpectralSample, output: Path) -> list[str]:
    """Which spectra are unlike the training set."""
    table = QTable()
    table["object_id"] = np.asarray(spectra.ids).astype(str)
    table["predicted"] = model.predict(spectra.flux)
    table["probability"] = model.predict_proba(spectra.flux).max(axis=1)
    table["distance"] = familiarity.distance(spectra)
    table["p_value"] = familiarity.p_value(spectra)
    table["stranger"] = familiarity.flag(spectra)
    with replacing(output / "familiarity.ecsv") as side:
        table.write(side)
    flagged = table[table["stranger"]]
    lines = [f"{len(flagged)} of {len(table)} spectra are unlike the training set. An explanation of a stranger is", ""]
    lines[0] += " worth little, however faithful."
    return lines + [
        f"* {markdown_text(row['object_id'])}: called {row['predicted']} (P = {row['probability']:.2f})"
        for row in flagged
    ]


def draw(reports: dict, output: Path) -> None:
    fig, axes = plt.subplots(1, len(reports), figsize=(3.1 * len(reports), 2.9), sharey=True, layout="constrained")
    for ax, (name, report) in zip(axes, reports.items(), strict=True):
        report.plot(ax=ax)
        ax.set_title(f"{name}\n{report.verdict}", fontsize="medium")
        ax.label_outer()
        if ax is not axes[0]:
            ax.get_legend().remove()
    with replacing(output / "removal.png") as side:
        fig.savefig(side, dpi=150)
    plt.close(fig)


def slug(name: str) -> str:
    return name.replace(":", "").replace(" ", "_")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectra", type=Path, help="folder of spectra")
    parser.add_argument("--catalogue", type=Path, help="names and redshifts of the files")
    add_reading_options(parser, redshift=False)
    add_normalizing_option(parser)
    parser.add_argument("--output", type=Path, default=Path("output/can_i_trust_this_map"))
    parser.add_argument("--quick", action="store_true", help="a small training sample")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args(arguments)
    if options.catalogue and not options.spectra:
        parser.error("--catalogue goes with --spectra")
    return options


if __name__ == "__main__":
    run_script(main, parse)
