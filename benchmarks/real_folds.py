"""Learning from real spectra: repeated folds by object, three kernels, tuned within the folds.

python benchmarks/real_folds.py FOLDER MORE [--labels label|label_peruzzi] [--repeats 5]

FOLDER holds survey files and ``index.csv``; MORE holds more of them with ``index.csv``, and
``labels_of_real_spectra.csv`` with the labels of FOLDER. Rows whose label is none of the three classes are left out, so
are spectra that cover less than 80 % of the paper's grid. Nothing of a test fold is seen in training or tuning.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from pathlib import Path

import numpy as np
from astropy.table import QTable
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import agnsal

CLASSES = {"type1": "type 1", "type2": "type 2", "intermediate": "intermediate"}
CLASSES |= {name: name for name in CLASSES.values()}
GRIDS = {
    "linear": {"C": [3e-4, 1e-3, 3e-3, 1e-2, 3e-2]},
    "rbf": {"C": [1.0, 3.0, 10.0, 30.0], "gamma": [1e-4, 3e-4, 1e-3]},
    "poly": {"C": [1e-2, 1e-1, 1.0], "degree": [2], "coef0": [1.0], "gamma": ["scale"]},
}


def sample_of(folder: Path, more: Path, column: str) -> tuple[agnsal.SpectralSample, np.ndarray, list[str]]:
    """Every labelled spectrum of both folders on the grid of the paper, the object of each, and what was left out."""
    rows = []
    with (more / "index.csv").open(encoding="utf-8") as stream:
        rows += [(more, row, row[column], row["z"]) for row in csv.DictReader(stream)]
    with (folder / "index.csv").open(encoding="utf-8") as stream:
        known = {row["file"]: row for row in csv.DictReader(stream)}
    with (more / "labels_of_real_spectra.csv").open(encoding="utf-8") as stream:
        rows += [(folder, row, row[column], known[row["file"]]["z"]) for row in csv.DictReader(stream)]
    spectra, labels, objects, left_out = [], [], [], []
    for home, row, label, redshift in rows:
        if label not in CLASSES:
            continue
        try:
            (spectrum,) = agnsal.read_spectra(home / row["file"], redshift=float(redshift))
        except (agnsal.AgnsalError, ValueError) as error:
            left_out.append(f"{row['file']}: {str(error)[:80]}")
            continue
        spectra.append(spectrum)
        labels.append(CLASSES[label])
        objects.append(f"{home.name} {row['object_id']}")
    numbers = [str(number) for number in range(len(spectra))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", agnsal.AgnsalWarning)
        sample = agnsal.SpectralSample.from_spectra(
            spectra, agnsal.PERUZZI2021_GRID, labels=labels, ids=numbers, on_error="skip"
        )
    window = np.abs(sample.wavelength.value - 5100) < 25
    sample = sample[np.median(sample.flux[:, window], axis=1) > 0].normalize()
    left_out += [f"{len(spectra) - len(sample)} that cover less than 80 % of the grid, or have no redshift"]
    return sample, np.array(objects)[sample.ids.astype(int)], left_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("more", type=Path)
    parser.add_argument("--labels", choices=("label", "label_peruzzi"), default="label_peruzzi")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    sample, objects, left_out = sample_of(options.folder, options.more, options.labels)
    truth = sample.labels
    counts = {str(name): len(set(objects[truth == name])) for name in sorted(set(truth))}
    print(
        f"{len(sample)} spectra of {len(set(objects))} objects by {options.labels}: {counts}; left out: {len(left_out)}"
    )
    table = []
    for kernel, grid in GRIDS.items():
        for scaled in (False, True):
            scores = scored(kernel, grid, scaled, sample.flux, truth, objects, options.repeats)
            mean, spread = np.mean(scores, axis=0), np.std(scores, axis=0)
            cells = [f"{m:.3f} +- {s:.3f}" for m, s in zip(mean, spread, strict=True)]
            table.append((kernel, "scaled" if scaled else "as it is", *cells))
            print(*table[-1], sep="  ", flush=True)
    QTable(rows=table, names=("kernel", "flux", "type 1 or not", "three classes", "weighted F1")).pprint_all()


def scored(
    kernel: str, grid: dict, scaled: bool, X: np.ndarray, y: np.ndarray, objects: np.ndarray, repeats: int
) -> np.ndarray:
    """Type 1 or not, three classes and weighted F1 over all folds of each repeat, (repeats, 3)."""
    scores = []
    for repeat in range(repeats):
        predicted = np.empty(len(y), dtype=object)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=repeat)
        for train, test in folds.split(X, y, objects):
            predicted[test] = tuned(kernel, grid, scaled, X[train], y[train], objects[train]).predict(X[test])
        guess = predicted.astype(str)
        first = balanced_accuracy_score(y == "type 1", guess == "type 1")
        scores.append((first, balanced_accuracy_score(y, guess), f1_score(y, guess, average="weighted")))
    return np.array(scores)


def tuned(kernel: str, grid: dict, scaled: bool, X: np.ndarray, y: np.ndarray, objects: np.ndarray) -> GridSearchCV:
    """The machine with the best balanced accuracy over inner folds by object."""
    from sklearn.svm import SVC

    steps = ([StandardScaler()] if scaled else []) + [SVC(kernel=kernel, class_weight="balanced")]
    names = {f"svc__{name}": values for name, values in grid.items()}
    if scaled and "svc__gamma" in names and kernel == "rbf":
        names["svc__gamma"] = ["scale", 3e-4]
    inner = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    search = GridSearchCV(make_pipeline(*steps), names, cv=inner, scoring="balanced_accuracy")
    return search.fit(X, y, groups=objects)


if __name__ == "__main__":
    main()
