"""Do prediction sets hold the true class as often as they say, class by class, on simulated and on real spectra?

python benchmarks/prediction_sets.py [--real FOLDER MORE] [--quick]

Prints the table of docs/checks.md. FOLDER and MORE are those of real_folds.py. Real spectra go round in five folds by
object: three train, one calibrates, one is asked, so that each is asked once and no object is on two sides.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from real_folds import sample_of
from scipy.stats import beta
from sklearn.model_selection import StratifiedGroupKFold

import agnsal

LEVELS = (0.9, 0.95)
CLASSES = ("type 1", "type 2", "intermediate")
SEED = 0
#: Calibrations on simulated spectra: the coverage of a single one scatters by itself.
DRAWS = 5


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, nargs=2, metavar=("FOLDER", "MORE"), help="folders of real spectra")
    parser.add_argument("--quick", action="store_true", help="fewer spectra")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    n = (60, 120, 60) if options.quick else (340, 1072, 260)
    training = agnsal.simulate_agn(*n, seed=SEED).normalize()
    calibrations, asked = (
        [agnsal.simulate_agn(*n, seed=first + k).normalize() for k in range(DRAWS)] for first in (SEED + 1, SEED + 101)
    )
    machine = agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, class_weight="balanced", random_state=SEED)
    machine.fit(training)
    familiarity = agnsal.Familiarity().fit(training)
    print("| level | spectra | class | n | coverage | 68 % | mean size |")
    print("|---|---|---|---|---|---|---|")
    for level in LEVELS:
        truth, inside, sizes = [], [], []
        for calibration, new in zip(calibrations, asked, strict=True):
            sets = agnsal.prediction_sets(machine, calibration, None, new, level)
            truth.append(new.labels)
            inside.append(held(sets, new.labels))
            sizes.append(sets.sets.sum(axis=1))
        print_rows(level, "simulated", *map(np.concatenate, (truth, inside, sizes)))
    if options.real is None:
        return
    folder, more = options.real
    real, objects, _ = sample_of(folder, more, "label_peruzzi")
    for level in LEVELS:
        print_rows(level, "real", real.labels, *in_folds(real, objects, level))
    for level in LEVELS:
        sets = agnsal.prediction_sets(machine, calibrations[0], None, real, level, familiarity=familiarity)
        right, members = held(sets, real.labels), sets.sets.sum(axis=1)
        for name, rows in (("flagged", sets.unfamiliar), ("not flagged", ~sets.unfamiliar)):
            what = f"real, calibrated on simulated: {name}"
            print_rows(level, what, real.labels[rows], right[rows], members[rows], only_all=True)


def in_folds(sample: agnsal.SpectralSample, objects: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether each set holds the true class, and its size; every spectrum asked once."""
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=SEED)
    parts = [test for _, test in folds.split(sample.flux, sample.labels, objects)]
    inside, sizes = np.zeros(len(sample), dtype=bool), np.zeros(len(sample))
    for k, asked in enumerate(parts):
        own = parts[(k + 1) % 5]
        rest = np.setdiff1d(np.arange(len(sample)), np.union1d(asked, own))
        machine = agnsal.ProbabilisticSVC("linear", C=0.003, class_weight="balanced", random_state=SEED)
        machine.fit(sample[rest])
        sets = agnsal.prediction_sets(machine, sample[own], None, sample[asked], level)
        inside[asked], sizes[asked] = held(sets, sample.labels[asked]), sets.sets.sum(axis=1)
    return inside, sizes


def held(sets: agnsal.PredictionSets, truth: np.ndarray) -> np.ndarray:
    """Whether each set holds the true class."""
    return (sets.sets & (np.asarray(truth)[:, None] == sets.classes_)).any(axis=1)


def print_rows(
    level: float, what: str, truth: np.ndarray, inside: np.ndarray, sizes: np.ndarray, *, only_all: bool = False
) -> None:
    """Coverage by class with the exact binomial interval."""
    groups = [] if only_all else [(name, truth == name) for name in CLASSES]
    for name, chosen in [*groups, ("all", np.ones(len(truth), dtype=bool))]:
        n, k = int(chosen.sum()), int(inside[chosen].sum())
        low, high = beta.ppf(0.16, k, n - k + 1), beta.ppf(0.84, k + 1, n - k) if k < n else 1.0
        size = sizes[chosen].mean()
        print(f"| {level:g} | {what} | {name} | {n} | {k / n:.3f} | {low:.3f} - {high:.3f} | {size:.2f} |", flush=True)


if __name__ == "__main__":
    main()
