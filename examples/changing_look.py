"""What changed in a changing-look AGN? The change of the log-odds of type 1 between two epochs, shared out over lines.

    python examples/changing_look.py                                   # simulated pairs: broad lines and power law fade
    python examples/changing_look.py --spectra FOLDER --catalogue FILE # real pairs

The catalogue (CSV or ECSV) has a row per spectrum: file, pair (the same text for the epochs of one object), mjd, and a
redshift (column "redshift" or "z"). The classifier is trained on the simulated sample of the package.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable
from catalogue_files import read_catalogue, redshift_column
from tqdm import tqdm

import agnsal
from agnsal import figures
from agnsal.command_line.options import (
    add_normalizing_option,
    add_reading_options,
    in_options,
    reading_options,
    run_script,
)
from agnsal.display import printable
from agnsal.store import replacing

SEED = 0
BALMER = ("Hbeta", "Hgamma", "Hdelta", "Hepsilon", "H8")
UNIT = ("change", "Balmer lines", "other lines", "continuum")
FADING = {"broad Balmer lines": 0.1, "broad helium lines": 0.1, "Fe II": 0.3, "power law": 0.5, "Balmer continuum": 0.5}


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    n = (100, 200, 100) if options.quick else (680, 2145, 521)
    training = agnsal.simulate_agn(*n, seed=SEED).normalize(by=options.normalize_by)
    C = {"linear": 0.07, "rbf": 34.0}[options.kernel]
    model = agnsal.ProbabilisticSVC(kernel=options.kernel, C=C, gamma=0.003, class_weight="balanced", random_state=SEED)
    model.fit(training)
    trained_on = f"{options.kernel} kernel, trained on {len(training)} simulated spectra"

    if options.spectra:
        first, second = read_pairs(options)
        what = f"{len(first)} real pairs"
    else:
        first, second = simulate_pairs(options)
        what = f"{len(first)} simulated pairs"

    change = agnsal.explain_change(model, first, second, target="type 1")
    table = shares(model, first, second, change)
    table.meta.update(classifier=trained_on, spectra=what)
    with replacing(options.output / "changes.ecsv") as side:
        table.write(side)
    for i in tqdm(range(len(change)), desc="figures", disable=options.quiet):
        ax = figures.plot_change(change, i, epochs=(f"earlier, {p1(table, i, 0)}", f"later, {p1(table, i, 1)}"))
        ax.set_xlabel(f"{ax.get_xlabel()}\n{what}; {trained_on}", fontsize="small")
        with replacing(options.output / f"change_{i:02d}.png") as side:
            ax.figure.savefig(side, dpi=150)
        plt.close(ax.figure)
    table.pprint_all()
    print(f"{', '.join(UNIT)} in log-odds of type 1; the last three sum to the change.")
    never = [printable(row["object_id"]) for row in table if row["recognised"] != "yes"]
    if never:
        print(f"Type 1 at neither epoch to this classifier, so that their changes mean little: {', '.join(never)}.")
    print(f"{what}: {said_of(table[(table['recognised'] == 'yes') & (np.abs(table['change']) > 1)])}")
    print(f"Written to {options.output}")


def said_of(large: QTable) -> str:
    """What carries the changes that are large enough to have shares."""
    if not len(large):
        return "no change of more than 1 in the log-odds of an object that is type 1 at one epoch."
    share = np.median(1 - large["other lines"] / large["change"])
    return (
        f"Balmer lines and continuum make up {share:.0%} (median) of the change of the log-odds in the {len(large)} "
        "that are type 1 at one epoch and change by more than 1."
    )


def p1(table: QTable, i: int, epoch: int) -> str:
    return f"P(type 1) = {table[('P before', 'P after')[epoch]][i]:.3f}"


def shares(model, first, second, change) -> QTable:
    """How much of each change of the log-odds lies in the broad Balmer lines, in other lines and in the continuum."""
    parts = agnsal.line_masks(change.grid)
    masks = {name: mask["core"] | mask["wings"] for name, mask in parts.items() if name not in ("Ca K", "Mg b", "Na D")}
    total = change.values.sum(axis=1)
    balmer = sum(change.values[:, mask].sum(axis=1) for name, mask in masks.items() if name in BALMER)
    others = sum(change.values[:, mask].sum(axis=1) for name, mask in masks.items() if name not in BALMER)
    column = model.classes_.tolist().index("type 1")
    table = QTable({"object_id": change.ids, "redshift": second.redshift})
    table["P before"] = model.predict_proba(first.flux)[:, column]
    table["P after"] = model.predict_proba(second.flux)[:, column]
    table["change"] = total
    table["Balmer lines"], table["other lines"] = balmer, others
    table["continuum"] = total - balmer - others
    for name in table.colnames[1:]:
        table[name].info.format = ".2f" if name in UNIT else ".3f"
    brighter = np.maximum(table["P before"], table["P after"])
    table["recognised"] = np.where(brighter > 0.5, "yes", "never type 1")
    return table


def simulate_pairs(options: argparse.Namespace) -> tuple[agnsal.SpectralSample, agnsal.SpectralSample]:
    """Type 1 AGN, and the same a while later when broad lines and power law have faded; each with its own noise."""
    bright = agnsal.simulate_agn(4 if options.quick else 12, 0, 0, seed=SEED + 1)
    faded = sum(part * FADING.get(name, 1.0) for name, part in bright.truth.components.items())
    noise = np.random.default_rng(SEED).normal(size=bright.flux.shape)
    error = np.where(bright.mask, 0.0, 1 / np.sqrt(np.where(bright.mask, 1.0, bright.ivar)))
    later = agnsal.SpectralSample(
        faded + noise * error, bright.grid, ivar=bright.ivar, mask=bright.mask, unit=bright.unit, table=bright.table
    )
    return bright.normalize(by=options.normalize_by), later.normalize(by=options.normalize_by)


def read_pairs(options: argparse.Namespace) -> tuple[agnsal.SpectralSample, agnsal.SpectralSample]:
    """The first and the last epoch of every pair whose files can be read and cover the grid."""
    rows, folder = read_catalogue(options, "file", "pair", "mjd"), options.spectra
    redshift = redshift_column(rows, options.catalogue)
    rows = rows[[str(pair) not in ("", "--") for pair in rows["pair"]]]
    epochs = []
    for pair in dict.fromkeys(str(pair) for pair in rows["pair"]):
        members = [row for row in rows if str(row["pair"]) == pair]
        members.sort(key=lambda row: float(row["mjd"]) if str(row["mjd"]) not in ("", "--") else np.inf)
        members = [members[0], members[-1]]
        try:
            spectra = agnsal.read_spectra(
                [folder / row["file"] for row in members],
                redshift=[float(row[redshift]) for row in members],
                **reading_options(options),
            )
            epochs.append(
                agnsal.SpectralSample.from_spectra(spectra, agnsal.PERUZZI2021_GRID).normalize(by=options.normalize_by)
            )
        except agnsal.AgnsalError as error:
            print(f"left out {printable(pair)}: {in_options(str(error), options)}")
    if not epochs:
        raise SystemExit("no pair could be read.")

    first, second = (agnsal.concatenate([epoch[[k]] for epoch in epochs]) for k in (0, 1))
    return first, second


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectra", type=Path, help="folder of spectra")
    parser.add_argument("--catalogue", type=Path, help="which files are epochs of one object")
    add_reading_options(parser, redshift=False)
    add_normalizing_option(parser)
    parser.add_argument("--kernel", choices=("linear", "rbf"), default="rbf")
    parser.add_argument("--output", type=Path, default=Path("output/changing_look"))
    parser.add_argument("--quick", action="store_true", help="a small training sample, in seconds")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    if (options.spectra is None) != (options.catalogue is None):
        parser.error("--spectra and --catalogue go together")
    return options


if __name__ == "__main__":
    run_script(main, parse)
