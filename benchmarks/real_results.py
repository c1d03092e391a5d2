"""The page of real results, with its figures: machines trained on real spectra beside one trained on the simulation.

python benchmarks/real_results.py --spectra FOLDER MORE --catalogue FILE FILE FILE --redshift-column z

Folders and catalogues are given as to ``examples/paper_figures.py``; the catalogues must have the columns ``label`` and
``label_peruzzi`` (classes), ``type_judged`` and, for some, ``sure``. Writes ``docs/real-spectra.md`` and the figures it
shows; no spectrum is in them. Folds are by object everywhere.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable, vstack
from line_fits import fit_lines, scores_of_fits
from real_folds import GRIDS, scored
from scipy.stats import beta
from simulation_realism import as_heavy
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold
from sklearn.svm import SVC

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))
from catalogue_files import CLASSES, Files, class_of, merged, read_rows  # noqa: E402
from real_page import page  # noqa: E402
from repeated_splits import examined_by_splits, of_redshift, readable  # noqa: E402

import agnsal  # noqa: E402
from agnsal.figures.labels import mark_lines  # noqa: E402
from agnsal.figures.style import AGAINST, FOR  # noqa: E402
from agnsal.store import replacing  # noqa: E402

COLORS = {"real": "#0072B2", "simulation": "#D55E00", "both": "#009E73"}
SUBTYPES = ("1.0", "1.2", "1.5", "1.8", "1.9", "2.0")
KINDS = {"passive": "passive", "SF": "star-forming", "composite": "composite", "LINER": "LINER"}
SIZES = (25, 50, 100, 200)
N_SPLITS = 40
N_CURVES = 4  # repeats of the learning curve, and seeds of the simulation alone
N_GALAXIES = 900  # of the simulation whose machine has a fourth answer
GALAXIES = ("passive", "star-forming")


def machine() -> agnsal.ProbabilisticSVC:
    """The linear machine of the paper."""
    return agnsal.ProbabilisticSVC("linear", C=0.07, class_weight="balanced", random_state=0)


def folds(sample: agnsal.SpectralSample, repeats: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Repeated folds by object: rows to learn from and to test."""
    for repeat in range(repeats):
        yield from StratifiedGroupKFold(5, shuffle=True, random_state=repeat).split(
            sample.flux, sample.labels, sample.ids
        )


def two_scores(truth: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Balanced accuracy of type 1 against the rest, and of the three classes."""
    first = balanced_accuracy_score(truth == "type 1", predicted == "type 1")
    return first, balanced_accuracy_score(truth, predicted)


def out_of_fold(sample: agnsal.SpectralSample, repeats: int) -> np.ndarray:
    """Probabilities of machines that have not seen the object, (repeats, n, n_classes)."""
    found = np.empty((repeats, len(sample), len(CLASSES)))
    for number, (train, test) in enumerate(folds(sample, repeats)):
        fitted = machine().fit(sample.flux[train], sample.labels[train])
        found[number // 5, test] = fitted.predict_proba(sample.flux[test])
    return found


def share(k: int, n: int) -> str:
    """A share with its exact 68 per cent interval (Clopper & Pearson)."""
    if n == 0:
        return "–"
    low = beta.ppf(0.16, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.84, k + 1, n - k) if k < n else 1.0
    return f"{k / n:.2f} ({low:.2f} – {high:.2f})"


# Sections


def tuned_folds(conventions: dict[str, agnsal.SpectralSample], repeats: int) -> QTable:
    """Three kernels, tuned within the folds."""
    rows = []
    for name, sample in conventions.items():
        for kernel, grid in GRIDS.items():
            for scaled in (False, True):
                found = scored(kernel, grid, scaled, sample.flux, sample.labels, sample.ids, repeats)
                cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(found.mean(axis=0), found.std(axis=0), strict=True)]
                rows.append((name, kernel, "scaled" if scaled else "as it is", *cells))
    return QTable(rows=rows, names=("labels", "kernel", "flux", "type 1 or not", "three classes", "weighted F1"))


def line_fitter(conventions: dict[str, agnsal.SpectralSample], repeats: int) -> QTable:
    """What a line-fitter on this grid reaches, its borders drawn by the labels of each convention."""
    fits, rows = fit_lines(next(iter(conventions.values()))), []
    for name, sample in conventions.items():
        found = scores_of_fits(fits, sample.labels, sample.ids, repeats=repeats)
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(found.mean(axis=0), found.std(axis=0), strict=True)]
        rows.append((name, *cells))
    return QTable(rows=rows, names=("labels", "type 1 or not", "three classes"))


def learning_curve(sample, simulated, repeats: int) -> QTable:
    """Scores by number of real objects learnt from: alone, and added to the simulation, weighing as much as it does."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}

    def fitted(X, y, weight=None):
        return SVC(kernel="linear", C=0.07, class_weight="balanced").fit(X, y, sample_weight=weight)

    for seed in range(repeats):
        other = simulated if seed == 0 else agnsal.simulate_agn(seed=seed).normalize()
        guess = fitted(other.flux, other.labels).predict(sample.flux)
        found.setdefault(("simulation", 0), []).append(two_scores(sample.labels, guess))
    rng = np.random.default_rng(0)
    for repeat in range(repeats):
        guesses = {(how, n): np.empty(len(sample), dtype=object) for how in ("real", "both") for n in SIZES}
        for train, test in StratifiedGroupKFold(5, shuffle=True, random_state=repeat).split(
            sample.flux, sample.labels, sample.ids
        ):
            objects = rng.permutation(np.unique(sample.ids[train]))
            for n in SIZES:
                some = train[np.isin(sample.ids[train], objects[:n])]
                X, y = sample.flux[some], sample.labels[some]
                guesses["real", n][test] = fitted(X, y).predict(sample.flux[test])
                weight = np.append(np.ones(len(simulated)), as_heavy(y, simulated.labels))
                X, y = np.concatenate([simulated.flux, X]), np.concatenate([simulated.labels, y])
                guesses["both", n][test] = fitted(X, y, weight).predict(sample.flux[test])
        for key, guess in guesses.items():
            found.setdefault(key, []).append(two_scores(sample.labels, guess.astype(str)))
    rows = [(how, n, *np.mean(scores, axis=0), *np.std(scores, axis=0)) for (how, n), scores in found.items()]
    return QTable(rows=rows, names=("learnt from", "real objects", "first", "three", "first error", "three error"))


def calibration(sample, probabilities: np.ndarray, simulation: np.ndarray) -> QTable:
    """How often the likeliest class is right, by its probability, out of fold and of the simulated machine."""
    edges = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    rows = []
    for name, each in (("real", probabilities.mean(axis=0)), ("simulation", simulation)):
        top = each.max(axis=1)
        right = np.array(sorted(CLASSES))[each.argmax(axis=1)] == sample.labels
        for low, high in pairwise(edges):
            some = (top > low) & (top <= high)
            if some.any():
                rows.append((name, int(some.sum()), top[some].mean(), right[some].mean()))
    return QTable(rows=rows, names=("learnt from", "n", "stated", "right"))


def by_subtype(types: np.ndarray, sample, guesses: dict[str, np.ndarray]) -> QTable:
    """What is made of each subtype."""
    rows = []
    for subtype in SUBTYPES:
        some = types == subtype
        for name, guess in guesses.items():
            counts = [f"{np.mean(guess[some] == label):.2f}" for label in CLASSES]
            rows.append(
                (subtype, int(some.sum()), name, *counts, share((guess == sample.labels)[some].sum(), some.sum()))
            )
    return QTable(rows=rows, names=("type", "n", "learnt from", *(f"called {c}" for c in CLASSES), "right by `label`"))


def maps(sample, models: dict[str, list]) -> tuple[QTable, dict[str, agnsal.Attribution]]:
    """The mean gradient towards type 1 of each machine over the real spectra of type 1, and its sums by line."""
    ones = sample[sample.labels == "type 1"]
    drawn, rows = {}, []
    for name, machines in models.items():
        each = [agnsal.saliency(model, ones, target="type 1", output="log_odds") for model in machines]
        drawn[name] = each[0]
        for line in ("Hbeta", "Hgamma", "Hdelta", "[O III] 5007", "Fe II 4570"):
            row: dict[str, object] = {"line": line, "learnt from": name}
            for part in ("core", "wings"):
                sums = [np.nanmedian(table[part][table["line"] == line]) for table in (m.by_line([line]) for m in each)]
                row[part] = f"{np.mean(sums):+.2f} ± {np.std(sums):.2f}" if np.any(sums) else "–"
            rows.append(row)
    return QTable(rows=rows), drawn


def kinds_of(files: Files) -> np.ndarray:
    """Which kind of galaxy without AGN each row is, or an empty word."""
    words = [str(row.get("type_judged")).split(" ")[0].split("/")[0].rstrip(",") for row in files.rows]
    return np.array([KINDS.get(word, "") for word in words])


def strangers(files: Files, sample, simulated, guesses_of: dict[str, Callable]) -> QTable:
    """Familiarity of what is no AGN, fitted to the simulation, and to halves of the real AGN."""
    kinds = kinds_of(files)
    halves = GroupShuffleSplit(5, test_size=0.5, random_state=0)
    fitted = {"simulation": [(agnsal.Familiarity().fit(simulated), sample)]}
    fitted["real"] = [
        (agnsal.Familiarity().fit(sample[a]), sample[b]) for a, b in halves.split(sample.flux, groups=sample.ids)
    ]
    groups = {kind: files.sample[np.flatnonzero(kinds == kind)] for kind in KINDS.values()}
    rows = []
    for name, pairs in fitted.items():
        for kind, group in groups.items():
            aucs, flagged = [], []
            for familiarity, agn in pairs:
                near, far = familiarity.distance(agn), familiarity.distance(group)
                aucs.append(roc_auc_score(np.repeat([0, 1], [len(near), len(far)]), np.concatenate([near, far])))
                flagged.append(familiarity.flag(group).mean())
            called = guesses_of[name](group.flux)
            said = ", ".join(f"{np.mean(called == label):.0%} {label}" for label in CLASSES)
            rows.append((kind, len(group), name, f"{np.mean(aucs):.2f}", f"{np.mean(flagged):.0%}", said))
    for name, pairs in fitted.items():
        flagged = np.mean([familiarity.flag(agn).mean() for familiarity, agn in pairs])
        rows.append(("AGN", len(sample), name, "–", f"{flagged:.0%}", "–"))
    return QTable(rows=rows, names=("kind", "n", "learnt from", "AUC against AGN", "flagged", "called"))


def fourth_answer(files: Files, sample, repeats: int) -> QTable:
    """Machines that know galaxies: what they call each kind, and how well P(galaxy) tells it from AGN."""
    kinds = kinds_of(files)
    some = np.flatnonzero(kinds != "")
    flux = np.concatenate([sample.flux, files.sample.flux[some]])
    kind = np.concatenate([sample.labels, kinds[some]])
    objects = np.concatenate([sample.ids, files.sample.ids[some]])
    learnt = np.where(np.isin(kind, GALAXIES), "galaxy", kind)
    names = np.array(sorted({*CLASSES, "galaxy"}))
    simulated = agnsal.simulate_agn(seed=0, n_galaxy=N_GALAXIES).normalize()
    said = {"simulation": machine().fit(simulated).predict_proba(flux), "real": np.zeros((len(flux), len(names)))}
    for repeat in range(repeats):
        folds_ = StratifiedGroupKFold(5, shuffle=True, random_state=repeat).split(flux, kind, objects)
        for train, test in folds_:
            known = train[np.isin(learnt[train], names)]
            said["real"][test] += machine().fit(flux[known], learnt[known]).predict_proba(flux[test]) / repeats
    agn, galaxy = np.isin(kind, CLASSES), list(names).index("galaxy")
    rows = []
    for one in (*CLASSES, *KINDS.values()):
        here = kind == one
        for name, probabilities in said.items():
            called = names[probabilities[here].argmax(axis=1)]
            shares = [f"{np.mean(called == label):.0%}" for label in (*CLASSES, "galaxy")]
            both = agn | here
            auc = "–" if one in CLASSES else f"{roc_auc_score(here[both], probabilities[both, galaxy]):.2f}"
            rows.append((one, int(here.sum()), name, *shares, auc))
    called = tuple(f"called {name}" for name in (*CLASSES, "galaxy"))
    return QTable(rows=rows, names=("real", "n", "learnt from", *called, "AUC of P(galaxy) against AGN"))


def label_noise(sure: np.ndarray, wrong: np.ndarray) -> QTable:
    """Errors by the confidence of the fitter that gave the labels."""
    rows = []
    for low, high in ((0.0, 0.6), (0.6, 0.8), (0.8, 0.9), (0.9, 1.01)):
        some = (sure >= low) & (sure < high)
        rows.append(
            (f"{low:.1f} – {min(high, 1):.1f}", int(some.sum()), share(int(wrong[some].sum()), int(some.sum())))
        )
    some = ~np.isfinite(sure)
    rows.append(("not stated", int(some.sum()), share(int(wrong[some].sum()), int(some.sum()))))
    return QTable(rows=rows, names=("`sure`", "n", "called otherwise"))


def suspicious(sample) -> QTable:
    """Labels that machines that have not seen the object find hardest to believe."""
    found = []
    for train, test in folds(sample, 1):
        fitted = machine().fit(sample[train])
        found.append(agnsal.suspicious_labels(fitted, sample[test], n=8, n_contradicting=3))
    table = vstack(found, metadata_conflicts="silent")
    table.sort("loss", reverse=True)
    table["probability"] = [f"{p:.3f}" for p in table["probability"]]
    return table[:12]["object_id", "label", "predicted", "probability", "line", "part", "contradicted_by"]


def displaced(sample) -> QTable:
    """Spectra whose [O III] doublet stands elsewhere than the redshift says."""
    line, partner = 5008.24, 4960.295
    rows = []
    wavelength = sample.wavelength.value
    near = np.flatnonzero(np.abs(wavelength - line) < 90)
    for i, flux in enumerate(sample.flux):
        level = np.median(flux[near])
        noise = 1.48 * np.median(np.abs(flux[near] - level))
        peak = near[flux[near].argmax()]
        found = wavelength[peak]
        other = flux[np.abs(wavelength - found * partner / line) < 3].max() - level  # a third of the stronger line
        doublet = 0.2 < other / (flux[peak] - level) < 0.5
        if flux[peak] - level > 8 * noise and doublet and abs(found - line) > 15:
            z = sample.redshift[i]
            rows.append((sample.ids[i], sample.labels[i], f"{z:.4f}", f"{(1 + z) * found / line - 1:.4f}"))
    return QTable(rows=rows, names=("object_id", "label", "redshift", "redshift of [O III]"))


def coverage(sample, simulated, model) -> QTable:
    """How often prediction sets hold the true class: calibrated on real spectra, and on simulated ones."""
    rows = []
    third = simulated[1::2]
    for level in (0.9, 0.95):
        inside, sizes = np.zeros(len(sample), dtype=bool), np.zeros(len(sample))
        for rest, test in folds(sample, 1):
            train, kept = next(
                GroupShuffleSplit(1, test_size=0.35, random_state=0).split(rest, groups=sample.ids[rest])
            )
            fitted = machine().fit(sample.flux[rest[train]], sample.labels[rest[train]])
            held = rest[kept]
            sets = agnsal.prediction_sets(
                fitted, sample.flux[held], sample.labels[held], sample.flux[test], level=level
            )
            inside[test] = (sets.sets & (sample.labels[test][:, None] == sets.classes_)).any(axis=1)
            sizes[test] = sets.sets.sum(axis=1)
        away = agnsal.prediction_sets(model, third.flux, third.labels, sample.flux, level=level)
        for name, held_, size in (
            ("real", inside, sizes),
            ("simulation", (away.sets & (sample.labels[:, None] == away.classes_)).any(axis=1), away.sets.sum(axis=1)),
        ):
            cells = [share(int(held_[sample.labels == c].sum()), int((sample.labels == c).sum())) for c in CLASSES]
            rows.append((level, name, *cells, share(int(held_.sum()), len(held_)), f"{size.mean():.2f}"))
    return QTable(rows=rows, names=("level", "calibrated on", *CLASSES, "all", "mean size"))


# Figures


def draw(folder: Path, curve: QTable, reliability: QTable, drawn: dict[str, agnsal.Attribution]) -> None:
    fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.3), layout="constrained")
    for ax, column, title in ((axes[0], "first", "type 1 or not"), (axes[1], "three", "three classes")):
        for how, label in (("real", "real only"), ("both", "simulation with real added")):
            some = curve[curve["learnt from"] == how]
            ax.errorbar(
                some["real objects"],
                some[column],
                yerr=some[f"{column} error"],
                marker="o",
                markersize=4,
                color=COLORS[how],
                label=label,
                capsize=2,
            )
        alone = curve[curve["learnt from"] == "simulation"][0]
        level, error = alone[column], alone[f"{column} error"]
        ax.axhspan(level - error, level + error, color=COLORS["simulation"], alpha=0.15, linewidth=0)
        ax.axhline(level, color=COLORS["simulation"], linestyle="--", label="simulation only")
        xlabel = "real objects learnt from\nwhiskers, band: scatter of repeats"
        ax.set(xlabel=xlabel, ylabel="balanced accuracy", title=title, xscale="log")
        ax.set_xticks(SIZES, [str(n) for n in SIZES])
        ax.minorticks_off()
    ax = axes[2]
    ax.plot([0.3, 1], [0.3, 1], color="0.6", linewidth=0.8)
    for how in ("real", "simulation"):
        some = reliability[reliability["learnt from"] == how]
        n, right = np.array(some["n"]), np.array(some["right"])
        error = np.sqrt(np.maximum(right * (1 - right), 0.25 / n) / n)
        ax.errorbar(
            some["stated"], right, yerr=error, marker="o", markersize=4, color=COLORS[how], label=f"{how}-trained"
        )
    xlabel = "probability of the likeliest class\nwhiskers: standard error"
    ax.set(xlabel=xlabel, ylabel="share that is right", title="calibration", ylim=(0, 1.05))
    ax.legend(fontsize="small")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=3, fontsize="small")
    fig.savefig(folder / "real_scores.png", dpi=110)
    fig, axes = plt.subplots(2, 1, figsize=(9.5, 4.6), layout="constrained", sharex=True)
    for ax, (name, attribution) in zip(axes, drawn.items(), strict=True):
        mean, edges = attribution.values.mean(axis=0), attribution.grid.edges.value
        ax.stairs(np.minimum(mean, 0), edges, color=AGAINST, fill=True)
        ax.stairs(np.maximum(mean, 0), edges, color=FOR, fill=True)
        ax.set_xlim(edges[0], edges[-1])
        ax.set_ylabel(f"{name}-trained")
    for ax in axes:
        mark_lines(ax, attribution.grid, ("Hdelta", "Hgamma", "Hbeta", "[O III] 4959", "[O III] 5007"))
    fig.supylabel("mean gradient of log-odds(type 1)", fontsize="medium")
    axes[1].set_xlabel("Rest wavelength [Å]")
    fig.savefig(folder / "real_maps.png", dpi=110)
    plt.close("all")


def main() -> None:
    options = parse()
    warnings.simplefilter("ignore", agnsal.AgnsalWarning)
    options.label_column = ["label", "label_peruzzi"]
    files = read_rows(options, merged(options), lambda sample: sample.normalize(on_error="skip"))
    conventions = {column: files.labelled(column) for column in options.label_column}
    sample = conventions["label"]
    known = [row for row in files.rows if class_of(row.get("label"))]
    simulated = agnsal.simulate_agn(seed=0).normalize()
    from_simulation = machine().fit(simulated)
    by_folds = [machine().fit(sample.flux[train], sample.labels[train]) for train, _ in folds(sample, 1)]
    names = np.array(sorted(CLASSES))
    probabilities = out_of_fold(sample, options.repeats)
    said = np.asarray(from_simulation.predict_proba(sample.flux))
    guesses = {"real": names[probabilities.mean(axis=0).argmax(axis=1)], "simulation": names[said.argmax(axis=1)]}
    tell("out of fold")
    sure = np.array([float(row.get("sure", np.nan)) for row in known])
    surveys = np.array([str(row.get("survey", "")) for row in known])
    curve = learning_curve(sample, simulated, min(N_CURVES, options.repeats))
    tell("learning curve")
    reliability = calibration(sample, probabilities, said)
    table_of_maps, drawn = maps(sample, {"real": by_folds, "simulation": [from_simulation]})
    draw(options.output / "figures", curve, reliability, drawn)
    tell("figures")
    whole = machine().fit(sample.flux, sample.labels)
    splits, matched = examined_by_splits(conventions, N_SPLITS)
    found = {
        "splits": readable(splits),
        "matched": readable(matched, ("F", "balanced accuracy")),
        "redshift": "\n".join(f"* {words}" for words in of_redshift(matched, N_SPLITS)),
        "counts": counts(conventions),
        "folds": tuned_folds(conventions, options.repeats),
        "fitter": line_fitter(conventions, options.repeats),
        "curve": readable_curve(curve),
        "calibration": reliability,
        "subtypes": by_subtype(np.array([subtype(row) for row in known]), sample, guesses),
        "maps": table_of_maps,
        "strangers": strangers(
            files, sample, simulated, {"real": whole.predict, "simulation": from_simulation.predict}
        ),
        "fourth": fourth_answer(files, sample, options.repeats),
        "noise": label_noise(sure, guesses["real"] != sample.labels),
        "suspicious": suspicious(sample),
        "displaced": displaced(sample),
        "coverage": coverage(sample, simulated, from_simulation),
        "surveys": of_surveys(surveys, sample, guesses),
        "transfer": str(agnsal.check_transfer(from_simulation, simulated, sample, random_state=0)),
    }
    with replacing(options.output / "real-spectra.md") as side:
        side.write_text(page(found, len(sample), len(set(sample.ids))), encoding="utf-8")


def tell(done: str) -> None:
    print(done, flush=True)


def subtype(row: dict) -> str:
    """The subtype of a row as the tables name it."""
    word = str(row.get("type_judged")).split(" ")[0].rstrip("?")
    return {"1": "1.0", "2": "2.0"}.get(word, word)


def counts(conventions: dict[str, agnsal.SpectralSample]) -> QTable:
    """Objects of each class, and their redshifts."""
    rows = []
    for name, sample in conventions.items():
        for label in CLASSES:
            some = sample.labels == label
            low, middle, high = np.percentile(sample.redshift[some], [10, 50, 90])
            rows.append(
                (name, label, int(some.sum()), len(set(sample.ids[some])), f"{low:.2f}, {middle:.2f}, {high:.2f}")
            )
    return QTable(rows=rows, names=("labels", "class", "spectra", "objects", "z at 10, 50, 90 %"))


def of_surveys(surveys: np.ndarray, sample, guesses: dict[str, np.ndarray]) -> QTable:
    """Scores on the large surveys and on the others, where some instruments saw one class only."""
    large = np.array([name.startswith(("SDSS", "DESI")) for name in surveys])
    rows = []
    for name, some in (("SDSS, BOSS, DESI", large), ("others", ~large)):
        for how, guess in guesses.items():
            first, three = two_scores(sample.labels[some], guess[some])
            rows.append((name, int(some.sum()), how, f"{first:.2f}", f"{three:.2f}"))
    return QTable(rows=rows, names=("spectra of", "n", "learnt from", "type 1 or not", "three classes"))


def readable_curve(curve: QTable) -> QTable:
    """The learning curve with its errors in one cell."""
    rows = [
        (
            row["learnt from"],
            row["real objects"],
            f"{row['first']:.3f} ± {row['first error']:.3f}",
            f"{row['three']:.3f} ± {row['three error']:.3f}",
        )
        for row in curve
    ]
    return QTable(rows=rows, names=("learnt from", "real objects", "type 1 or not", "three classes"))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectra", type=Path, nargs="+", required=True)
    parser.add_argument("--catalogue", type=Path, nargs="+", required=True)
    for name, default in (("file", "file"), ("redshift", "redshift"), ("id", "object_id")):
        parser.add_argument(f"--{name}-column", default=default, metavar="NAME")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=ROOT / "docs")
    parser.add_argument("--quiet", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
