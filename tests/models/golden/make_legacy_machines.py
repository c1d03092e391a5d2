"""Remake legacy_machines.npz: machines fitted by scikit-learn's own, deprecated probabilities, and what they predicted.

    python tests/models/golden/make_legacy_machines.py

Needs scikit-learn < 1.11; the file keeps the comparison alive after that.
"""

import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.svm import SVC, NuSVC

CASES = {
    "linear 2": (SVC(kernel="linear"), 2),
    "linear 3": (SVC(kernel="linear", class_weight="balanced"), 3),
    "poly 3": (SVC(kernel="poly", coef0=1.0), 3),
    "rbf 2": (SVC(), 2),
    "rbf 5": (SVC(C=3.0), 5),
    "sigmoid 3": (SVC(kernel="sigmoid", gamma=0.02, coef0=0.1), 3),
    "nu 3": (NuSVC(nu=0.3), 3),
}


def main() -> None:
    """Fit, predict and write."""
    arrays = {"version": np.array(sklearn.__version__)}
    random = np.random.default_rng(0)
    for name, (machine, n_classes) in CASES.items():
        y = np.repeat(np.arange(n_classes), 16)
        X = random.normal(size=(n_classes, 8))[y] + 1.2 * random.normal(size=(y.size, 8))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            machine.set_params(probability=True, random_state=0).fit(X, y)
        sign = -1.0 if n_classes == 2 else 1.0
        found = {
            "kernel": np.array(machine.kernel),
            "parameters": np.array([machine._gamma, machine.coef0, machine.degree]),
            "support_vectors": machine.support_vectors_,
            "dual": sign * machine.dual_coef_,
            "n_support": machine.n_support_,
            "intercepts": sign * machine.intercept_,
            "a": machine._probA,
            "b": machine._probB,
            "X": X,
            "probability": machine.predict_proba(X),
            "votes": machine.predict(X),
        }
        arrays |= {f"{name}/{part}": value for part, value in found.items()}
    np.savez_compressed(Path(__file__).with_name("legacy_machines.npz"), **arrays)


if __name__ == "__main__":
    main()
