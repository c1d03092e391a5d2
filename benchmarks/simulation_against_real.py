"""The simulation held against real spectra: what is measured in both, who can tell them apart, what transfers.

python benchmarks/simulation_against_real.py FOLDER MORE [--seeds 10] [--only percentiles auc transfer bound galaxies]

FOLDER and MORE are folders of survey files as `real_folds.py` takes them. ``real_halves.csv`` beside this script names,
object by object and stratified by class, the half that set the distributions of the simulation ("setting") and the half
that judges it ("judging"). Percentiles and AUC are of the setting half; nothing was ever set by the judging half.
"""

from __future__ import annotations

import argparse
import csv
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from line_fits import fit_lines, scores_of_fits
from numpy.typing import NDArray
from simulation_realism import CLASSIFIERS, as_heavy, balanced_accuracies, real_sample
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import agnsal

AGN = ("type 1", "type 2", "intermediate")
_NAMES = {"type1": "type 1", "type2": "type 2", "liner": "LINER"}
_WAVELENGTH = agnsal.PERUZZI2021_GRID.centers.value
# vacuum: band, and the two side bands of the continuum
_INDICES = {
    "Ca K (A)": ((3925, 3945), (3903, 3915), (3995, 4008)),
    "Hdelta (A)": ((4085, 4124), (4043, 4062), (4124, 4163)),
    "G band (A)": ((4282, 4317), (4268, 4283), (4319, 4336)),
    "Mg b (A)": ((5160, 5194), (5119, 5144), (5193, 5208)),
    "Fe II 4570 (A)": ((4450, 4680), (4415, 4435), (4720, 4780)),
    "[Ne III] 3869 (A)": ((3862, 3878), (3845, 3857), (3905, 3920)),
    "Hgamma (A)": ((4331, 4352), (4250, 4282), (4400, 4430)),
    "narrow Hbeta (A)": ((4854, 4872), (4838, 4850), (4876, 4888)),
    "[O III] 5007 (A)": ((4990, 5026), (4977, 4986), (5030, 5050)),
}
_EMISSION = {"Fe II 4570 (A)", "[Ne III] 3869 (A)", "Hgamma (A)", "narrow Hbeta (A)", "[O III] 5007 (A)"}


def real_spectra(folder: Path, more: Path) -> tuple[agnsal.SpectralSample, NDArray, NDArray]:
    """Real spectra with their classes as labels, the object of each, and its half.

    Classes are those of the simulation; beside them "passive", "star-forming", "composite" and "LINER".
    """
    with (more / "index.csv").open(encoding="utf-8") as stream:
        rows = [(more, row, row) for row in csv.DictReader(stream)]
    with (folder / "index.csv").open(encoding="utf-8") as stream:
        known = {row["file"]: row for row in csv.DictReader(stream)}
    with (more / "labels_of_real_spectra.csv").open(encoding="utf-8") as stream:
        rows += [(folder, row, known[row["file"]]) for row in csv.DictReader(stream)]
    with (Path(__file__).parent / "real_halves.csv").open(encoding="utf-8") as stream:
        halves = {(row["folder"], row["object_id"]): row["half"] for row in csv.DictReader(stream)}
    spectra, labels, objects, half = [], [], [], []
    for home, row, known_as in rows:
        kind = _NAMES.get(row["label"], row["label"])
        if kind == "non-AGN":
            weak = known_as.get("type_coarse") == "passive" or "weaker" in known_as.get("how_labelled", "")
            kind = "passive" if weak else "star-forming"
        if (home.name, row["object_id"]) not in halves or kind in ("unknown", "weak-lined"):
            continue
        spectra.extend(agnsal.read_spectra(home / row["file"], redshift=float(known_as["z"])))
        labels.append(kind)
        objects.append(f"{home.name} {row['object_id']}")
        half.append(halves[home.name, row["object_id"]])
    numbers = [str(number) for number in range(len(spectra))]
    sample = agnsal.SpectralSample.from_spectra(
        spectra, agnsal.PERUZZI2021_GRID, labels=labels, ids=numbers, on_error="skip"
    )
    kept = sample.ids.astype(int)
    level = np.median(sample.flux[:, np.abs(_WAVELENGTH - 5100) < 25], axis=1)
    return sample[level > 0].normalize(), np.array(objects)[kept][level > 0], np.array(half)[kept][level > 0]


def measures(sample: agnsal.SpectralSample) -> dict[str, NDArray]:
    """What can be measured in a normalised spectrum, real or not; NaN where it means nothing."""
    flux = sample.flux

    def mean(low: float, high: float) -> NDArray:
        return flux[:, (low < _WAVELENGTH) & (high > _WAVELENGTH)].mean(axis=1)

    with np.errstate(invalid="ignore"):
        known = np.where((sample.ivar > 0) & ~sample.mask, flux * np.sqrt(sample.ivar), np.nan)
        rough = flux[:, 2:] - 2 * flux[:, 1:-1] + flux[:, :-2]
    quiet = (_WAVELENGTH > 4050) & (_WAVELENGTH < 4700)
    rough = np.abs(rough)[:, quiet[1:-1]]
    found = {
        "S/N per bin at 5100 A": np.nanmedian(known[:, np.abs(_WAVELENGTH - 5075) < 40], axis=1),
        "roughness 4050-4700 A": np.median(rough, axis=1) / 0.6745 / np.sqrt(6),
        "flux at 3800 A": mean(3780, 3820),
        "flux at 4200 A": mean(4160, 4240),
        "flux at 4700 A": mean(4690, 4730),
        "D4000": mean(4000, 4100) / mean(3850, 3950),
    }
    for name, (band, left, right) in _INDICES.items():
        ends = [0.5 * (side[0] + side[1]) for side in (left, right)]
        at = (band[0] < _WAVELENGTH) & (band[1] > _WAVELENGTH)
        share = (_WAVELENGTH[at] - ends[0]) / (ends[1] - ends[0])
        level = np.maximum(mean(*left), 0.05)[:, None] * (1 - share) + np.maximum(mean(*right), 0.05)[:, None] * share
        absorbed = (1 - flux[:, at] / level).sum(axis=1) * np.diff(agnsal.PERUZZI2021_GRID.edges.value).mean()
        found[name] = -absorbed if name in _EMISSION else absorbed
    # of [O III] 5007 within 1200 km/s, the share within 300 km/s: the narrower, the more
    line = flux[:, np.abs(_WAVELENGTH - 5008.24) < 20] - 0.5 * (mean(4980, 4988) + mean(5028.5, 5036.5))[:, None]
    near = np.abs(_WAVELENGTH[np.abs(_WAVELENGTH - 5008.24) < 20] - 5008.24) < 5.0
    strong = found["[O III] 5007 (A)"] > 5
    found["core of [O III]"] = np.where(strong, line[:, near].sum(axis=1) / line.sum(axis=1), np.nan)
    fits = fit_lines(sample)
    found["broad Hbeta (A)"] = fits[:, 0]
    found["FWHM of broad Hbeta (km/s)"] = np.where(fits[:, 0] > 5, fits[:, 1], np.nan)
    found["broad Hgamma / Hbeta"] = np.where(fits[:, 0] > 5, fits[:, 3] / np.maximum(fits[:, 0], 1), np.nan)
    found["share of starlight"] = fits[:, 4]
    return found


def percentiles(real: agnsal.SpectralSample, simulated: agnsal.SpectralSample, classes: tuple[str, ...]) -> None:
    """Print 16, 50 and 84 % side by side."""
    ours, theirs = measures(simulated), measures(real)
    for name in classes:
        a, b = real.labels == name, simulated.labels == name
        print(f"\n| {name}: {a.sum()} real, {b.sum()} simulated | real 16 | 50 | 84 % | simulated 16 | 50 | 84 % |")
        print("|---|---|---|---|---|---|---|")
        for key in ours:
            cells = [np.nanpercentile(v, [16, 50, 84]) for v in (theirs[key][a], ours[key][b])]
            print(f"| {key} |", " | ".join(f"{x:.4g}" for x in np.concatenate(cells)), "|")


def told_apart(
    real: agnsal.SpectralSample, objects: NDArray, simulated: agnsal.SpectralSample, classes: tuple[str, ...]
) -> dict[str, tuple[float, float]]:
    """AUC of two classifiers that tell simulated from real, folds by object: of the spectra, of what is measured.

    Of spectra with the signal-to-noise that most of the paper's have (10 to 60 a bin), lest they be told by noise.
    """
    found = {}
    measured = [measures(sample) for sample in (real, simulated)]
    tables = [np.nan_to_num(np.column_stack(list(table.values())), nan=-1.0) for table in measured]
    usual = [(table["S/N per bin at 5100 A"] > 10) & (table["S/N per bin at 5100 A"] < 60) for table in measured]
    for name in classes:
        a = np.flatnonzero((real.labels == name) & usual[0])
        b = np.flatnonzero((simulated.labels == name) & usual[1])
        truth = np.repeat([1, 0], [a.size, b.size])
        groups = np.concatenate([objects[a], simulated.ids[b]])
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        spectra = np.concatenate([real.flux[a], simulated.flux[b]])
        machine = make_pipeline(
            StandardScaler(), PCA(30, whiten=True, random_state=0), SVC(class_weight="balanced", C=1.0, gamma="scale")
        )
        forest = RandomForestClassifier(300, min_samples_leaf=3, class_weight="balanced_subsample", random_state=0)
        scores = []
        for model, X, method in (
            (machine, spectra, "decision_function"),
            (forest, np.concatenate([tables[0][a], tables[1][b]]), "predict_proba"),
        ):
            score = cross_val_predict(model, X, truth, groups=groups, cv=folds, method=method)
            scores.append(float(roc_auc_score(truth, score if score.ndim == 1 else score[:, 1])))
        found[name] = (scores[0], scores[1])
    return found


def transfer(
    judges: dict[str, agnsal.SpectralSample], added: agnsal.SpectralSample, seeds: range
) -> Iterator[tuple[int, dict[str, dict[str, tuple[float, float]]]]]:
    """Balanced accuracies, type 1 against the rest and three classes, of machines trained on the simulation."""
    for seed in seeds:
        sample = agnsal.simulate_agn(seed=seed).normalize()
        scores = {}
        for name, make in CLASSIFIERS.items():
            model = make().fit(sample.flux, sample.labels)
            scores[name] = {key: balanced_accuracies(model, judge) for key, judge in judges.items()}
        # a real spectrum stands for as many as makes the two kinds weigh the same in each class
        weight = np.append(np.ones(len(sample)), as_heavy(added.labels, sample.labels))
        flux, labels = np.concatenate([sample.flux, added.flux]), np.concatenate([sample.labels, added.labels])
        model = CLASSIFIERS["linear"]().fit(flux, labels, sample_weight=weight)
        scores["linear, real added"] = {key: balanced_accuracies(model, judge) for key, judge in judges.items()}
        yield seed, scores


def draw_medians(real: agnsal.SpectralSample, simulated: agnsal.SpectralSample, path: Path) -> None:
    """Median and the middle 68 % of each class, real and simulated."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(3, 1, figsize=(8, 8), sharex=True, layout="constrained")
    for axes, name in zip(panels, AGN, strict=True):
        for sample, color, label in ((real, "0.15", "real"), (simulated, "#D55E00", "simulated")):
            flux = sample.flux[sample.labels == name]
            low, middle, high = np.percentile(flux, [16, 50, 84], axis=0)
            axes.fill_between(_WAVELENGTH, low, high, color=color, alpha=0.15, lw=0)
            axes.plot(_WAVELENGTH, middle, color=color, lw=1.0, label=f"{label}, {len(flux)}")
        axes.set_ylim(0, 2.6)
        axes.set_ylabel("flux / flux at 5100 Å")
        axes.text(0.01, 0.95, name, transform=axes.transAxes, va="top", weight="bold")
        axes.legend(loc="upper center", ncols=2, frameon=False)
    panels[-1].set_xlabel("Rest wavelength [Å]\nlines: medians, bands: 16th to 84th percentile of the spectra")
    figure.savefig(path, dpi=110)


def galaxies(real: agnsal.SpectralSample) -> None:
    """How well P(galaxy) of a machine of four classes, and the distance from AGN, set galaxies apart from AGN."""
    training = agnsal.simulate_agn(seed=0, n_galaxy=900).normalize()
    machine = agnsal.ProbabilisticSVC(kernel="linear", C=0.07, class_weight="balanced", random_state=0)
    trained = agnsal.TrainedClassifier.train(training, machine, n_refits=0, embed=False)
    filled = trained.imputation.impute(real)  # as the page for one spectrum does
    place = list(machine.classes_).index("galaxy")
    probability, bridged = (machine.predict_proba(each.flux)[:, place] for each in (filled, real))
    called = machine.predict(filled.flux)
    known = agnsal.Familiarity().fit(training[training.labels != "galaxy"])
    distance = known.distance(filled)
    agn = np.isin(real.labels, AGN)
    print("\n| real | number | called galaxy | AUC of P(galaxy) | gaps bridged | AUC of the distance |")
    print("|---|---|---|---|---|---|")
    for name in (*AGN, "passive", "star-forming", "composite", "LINER"):
        ours = real.labels == name
        cells = ["", "", ""]
        if name not in AGN:
            rows = agn | ours
            cells = [f"{roc_auc_score(ours[rows], score[rows]):.3f}" for score in (probability, bridged, distance)]
        print(f"| {name} | {ours.sum()} | {(called[ours] == 'galaxy').mean():.0%} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("more", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", nargs="+", default=["percentiles", "auc", "transfer", "bound", "galaxies"])
    parser.add_argument("--figure", type=Path, help="where to draw the medians of the classes")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("agnsal").setLevel(logging.ERROR)
    real, objects, half = real_spectra(options.folder, options.more)
    agn, setting = np.isin(real.labels, AGN), half == "setting"
    simulated = agnsal.simulate_agn(300, 300, 300, seed=0).normalize()
    if options.figure:
        draw_medians(real[setting], simulated, options.figure)
    if "percentiles" in options.only:
        percentiles(real[setting], simulated, AGN)
    if "auc" in options.only:
        print("\n| class | AUC, the spectra | AUC, what is measured |\n|---|---|---|")
        for name, pair in told_apart(real[setting], objects[setting], simulated, AGN).items():
            print(f"| {name} | {pair[0]:.3f} | {pair[1]:.3f} |")
    if "transfer" in options.only:
        judges = {"judging half": real[agn & ~setting], "first folder": real_sample(options.folder)}
        rows: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for seed, scores in transfer(judges, real[agn & setting], range(options.seeds)):
            for name, by_judge in scores.items():
                for key, pair in by_judge.items():
                    rows.setdefault((name, key), []).append(pair)
            print(seed, {k: [round(x, 3) for x in v] for k, v in scores["linear"].items()}, flush=True)
        print("\n| machine | judged on | type 1 or not | three classes |\n|---|---|---|---|")
        for (name, key), pairs in rows.items():
            mean, spread = np.mean(pairs, axis=0), np.std(pairs, axis=0)
            cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True)]
            print(f"| {name} | {key} | {cells[0]} | {cells[1]} |")
    if "galaxies" in options.only:
        galaxies(real[~setting])
    if "bound" in options.only:
        fits = fit_lines(real[agn])
        first, three = scores_of_fits(fits, real.labels[agn], objects[agn], ~setting[agn]).mean(axis=0)
        print(f"\na line-fitter on this grid, borders by the real labels: {first:.3f} / {three:.3f}")


if __name__ == "__main__":
    main()
