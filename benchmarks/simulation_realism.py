"""How real the simulation is: classifiers trained on simulated spectra alone, applied to real ones.

`python benchmarks/simulation_realism.py FOLDER` prints a table. FOLDER holds survey files and an ``index.csv`` with the
columns file, object_id, survey, z and type_coarse (type1, type2, intermediate; other rows are left out); of these, all
SDSS and BOSS files that cover the grid at 0 < z < 0.75 are used. Files take the package's own route.
"""

from __future__ import annotations

import argparse
import csv
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from agnsal import PERUZZI2021_GRID, AgnsalError, SpectralSample, read_spectra, simulate_agn

LABELS = {"type1": "type 1", "type2": "type 2", "intermediate": "intermediate"}
#: The machine of the paper, its rbf machine, and both kinds on standardised features.
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "linear": lambda: SVC(kernel="linear", C=0.07, class_weight="balanced"),
    "rbf": lambda: SVC(kernel="rbf", C=34.0, gamma=0.003, class_weight="balanced"),
    "linear, scaled": lambda: make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.07, class_weight="balanced")),
    "rbf, scaled": lambda: make_pipeline(StandardScaler(), SVC(class_weight="balanced")),
}


def real_sample(folder: Path, min_coverage: float = 0.8) -> SpectralSample:
    """Every eligible real spectrum on the grid of the paper, normalised; labels as the simulation names them."""
    with (folder / "index.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["type_coarse"] in LABELS]
    spectra, labels, ids = [], [], []
    grid = PERUZZI2021_GRID.centers.value
    for row in rows:
        redshift = float(row["z"])
        if not row["survey"].startswith(("SDSS", "segue")) or not 0 < redshift < 0.75:
            continue
        low, high = float(row["wave_min"]) / (1 + redshift), float(row["wave_max"]) / (1 + redshift)
        if ((grid >= low) & (grid <= high)).mean() < min_coverage:
            continue
        try:
            spectra.extend(read_spectra(folder / row["file"], redshift=redshift))
        except AgnsalError as error:
            warnings.warn(f"{row['file']} is left out: {error}", stacklevel=2)
            continue
        labels.append(LABELS[row["type_coarse"]])
        ids.append(row["object_id"])
    # an object seen at several epochs has several rows: ids are made unique, the object comes first
    names = [f"{name}/{number}" for number, name in enumerate(ids)]
    sample = SpectralSample.from_spectra(spectra, PERUZZI2021_GRID, labels=labels, ids=names, min_coverage=min_coverage)
    return sample.normalize()


def as_heavy(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Weights with which each class of the labels weighs as much as that class does among the others."""
    return np.array([np.sum(others == label) / np.sum(labels == label) for label in labels])


def balanced_accuracies(model: Any, real: SpectralSample) -> tuple[float, float]:
    """Balanced accuracy of type 1 versus the rest, and of the three classes."""
    predicted = model.predict(real.flux)
    truth = np.asarray(real.labels)
    return (
        balanced_accuracy_score(truth == "type 1", predicted == "type 1"),
        balanced_accuracy_score(truth, predicted),
    )


def paper_scores(sample: SpectralSample) -> tuple[float, float]:
    """Weighted F1 on the test set, three classes and two, the way the paper did it."""
    sample = sample.normalize(window=None)
    flux = sample.flux
    labels = np.asarray(sample.labels)
    scores = []
    for rows in (np.arange(labels.size), np.flatnonzero(labels != "intermediate")):
        train, test = train_test_split(rows, test_size=0.2, random_state=1055717)
        train, _ = train_test_split(train, test_size=0.2, random_state=1055717)
        model = CLASSIFIERS["linear"]().fit(flux[train], labels[train])
        scores.append(f1_score(labels[test], model.predict(flux[test]), average="weighted"))
    return scores[0], scores[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    logging.getLogger("agnsal").setLevel(logging.ERROR)
    real = real_sample(arguments.folder)
    names, counts = np.unique(real.labels, return_counts=True)
    print("real spectra:", ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True)))
    print(f"{'seed':>4} {'F1 (3)':>7} {'F1 (2)':>7}", *(f"{name:>16}" for name in CLASSIFIERS))
    for seed in range(arguments.seeds):
        raw = simulate_agn(seed=seed)
        sample = raw.normalize()
        found = [balanced_accuracies(make().fit(sample.flux, sample.labels), real) for make in CLASSIFIERS.values()]
        three, two = paper_scores(raw)
        print(f"{seed:>4} {three:>7.3f} {two:>7.4f}", *(f"{f'{one:.3f} / {all3:.3f}':>16}" for one, all3 in found))


if __name__ == "__main__":
    main()
