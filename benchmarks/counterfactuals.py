"""How often is there a counterfactual, how large is it, is it familiar, and does the simulator agree?

Run: python benchmarks/counterfactuals.py [--real FOLDER]. Prints the tables of docs/beyond-maps.md. FOLDER holds
spectra and an index.csv with the columns file, z, medium, frame and label_peruzzi.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

import agnsal
from agnsal.spectra.simulation.agn import compose

SEED = 0
CLASSES = ("type 1", "type 2", "intermediate")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, help="folder of real spectra with an index.csv")
    parser.add_argument("--quick", action="store_true", help="fewer spectra")
    options = parser.parse_args()
    n = 6 if options.quick else 50
    training = agnsal.simulate_agn(340, 1072, 260, seed=SEED).normalize()
    population = agnsal.simulate_agn(50, 100, 50, seed=SEED + 1).normalize()
    familiarity = agnsal.Familiarity().fit(training)
    simulated = agnsal.simulate_agn(n // 2, n, n // 2, seed=SEED + 2).normalize()
    real = None if options.real is None else read_real(options.real, 3 if options.quick else 10)
    print("| kernel | spectra | found | median size | familiar (p > 0.01) before | after |")
    print("|---|---|---|---|---|---|")
    for kernel, C in (("linear", 0.07), ("rbf", 34.0)):
        model = agnsal.ProbabilisticSVC(kernel=kernel, C=C, gamma=0.003, class_weight="balanced", random_state=SEED)
        model.fit(training)
        for name, sample in (("simulated", simulated), ("real", real)):
            if sample is None:
                continue
            target = np.where(model.predict(sample) == "type 1", "type 2", "type 1")
            result = agnsal.counterfactual(
                model, sample, target, population=population, familiarity=familiarity, random_state=SEED
            )
            known = familiarity.p_value(sample) > 0.01
            assert result.familiarity is not None
            after = result.familiarity[result.flipped] > 0.01
            print(
                f"| {kernel} | {len(sample)} {name} | {100 * result.flipped.mean():.0f} % "
                f"| {np.nanmedian(result.size):.2g} | {100 * known.mean():.0f} % | {100 * after.mean():.0f} % |"
            )
        one_knob(kernel, model, simulated, population)


def one_knob(kernel: str, model: agnsal.ProbabilisticSVC, sample: agnsal.SpectralSample, population: object) -> None:
    """Turn broad Hbeta in the spectra that are no type 1, and in the simulator, until they are."""
    rows = np.flatnonzero(model.predict(sample) != "type 1")
    part = sample[rows]
    result = agnsal.counterfactual(model, part, "type 1", "broad Hbeta flux", population=population, random_state=SEED)
    rose, ratios = [], []
    for i in range(len(part)):
        after = float(result.of(i)["after"][0])
        turned = simulated_with(sample, rows[i], after, model)
        rose.append(turned > simulated_with(sample, rows[i], None, model))
        if result.flipped[i]:
            # an rbf machine falls back where nothing is alike: the first crossing counts
            tried = np.geomspace(0.2, 600.0, 40)
            beyond = np.flatnonzero([simulated_with(sample, rows[i], width, model) > 0 for width in tried])
            if beyond.size and beyond[0]:
                low, high = tried[beyond[0] - 1], tried[beyond[0]]
                own = brentq(lambda width, i=i: simulated_with(sample, rows[i], width, model), low, high, xtol=0.01)
                ratios.append(own / after)
    inside = np.mean([0.5 <= ratio <= 2 for ratio in ratios]) if ratios else np.nan
    print(
        f"broad Hbeta alone, {kernel}: found in {100 * result.flipped.mean():.0f} % of {len(part)}; the simulator's "
        f"own knob raises the log-odds in {100 * np.mean(rose):.0f} %, and needs "
        f"{np.median(ratios):.2f} times the flux (median of {len(ratios)}; {100 * inside:.0f} % within a factor of 2)"
    )


def simulated_with(sample: agnsal.SpectralSample, row: int, width: float | None, model: object) -> float:
    """Log-odds of type 1 with another equivalent width of broad Hbeta, with noise and all else kept."""
    truth = sample.truth[int(row)]
    table = truth.table.copy()
    flux = sample.flux[row].copy()
    if width is not None:
        before = compose(table, sample.grid.edges.value)["broad Balmer lines"][0]
        table["broad_hbeta_width"] = np.array([width]) * table["broad_hbeta_width"].unit
        after = compose(table, sample.grid.edges.value)["broad Balmer lines"][0]
        flux += (after - before) / float(sample.table["normalization"][row].value)
    differentiable = agnsal.as_differentiable(model)
    column = differentiable.classes_.tolist().index("type 1")
    return float(differentiable.outputs(flux[None], "log_odds")[0, column])


def read_real(folder: Path, n: int) -> agnsal.SpectralSample:
    """The first spectra of each class that can be read and cover the grid."""
    with (folder / "index.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["frame"] == "observed" and row["label_peruzzi"] in CLASSES]
    flux, mask, count = [], [], dict.fromkeys(CLASSES, 0)
    for row in rows:
        if count[row["label_peruzzi"]] >= n:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                medium = "air" if row["medium"] == "air" else None
                read = agnsal.read_spectra([folder / row["file"]], redshift=[float(row["z"])], medium=medium)
                one = agnsal.SpectralSample.from_spectra(read, agnsal.PERUZZI2021_GRID, redshift=[float(row["z"])])
                one = one.normalize()
        except agnsal.AgnsalError:
            continue  # too little of the grid, or no flux at 5100 A
        count[row["label_peruzzi"]] += 1
        flux.append(one.flux[0])
        mask.append(one.mask[0])
    return agnsal.SpectralSample(np.array(flux), agnsal.PERUZZI2021_GRID, mask=np.array(mask)).normalize()


if __name__ == "__main__":
    main()
