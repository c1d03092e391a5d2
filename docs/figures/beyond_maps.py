"""Draws the figures of docs/beyond-maps.md, and of sets in docs/checks.md. Run: python docs/figures/beyond_maps.py"""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import agnsal

HERE = Path(__file__).parent


def main() -> None:
    """Draw."""
    training = agnsal.simulate_agn(100, 200, 100, seed=1).normalize()
    spectra = agnsal.simulate_agn(2, 2, 2, seed=2).normalize()
    model = agnsal.ProbabilisticSVC(random_state=0).fit(training)
    influence = agnsal.training_influence(model, spectra, "type 1", "log_odds")
    influence.plot(1).figure.savefig(HERE / "training_influence.png", dpi=110)
    result = agnsal.counterfactual(model, spectra[2:3], "type 1", population=training[::4], random_state=0)
    result.plot(0).figure.savefig(HERE / "counterfactual.png", dpi=110)
    prediction_sets()


def prediction_sets() -> None:
    """Sets of classes of simulated spectra."""
    training, calibration, new = (agnsal.simulate_agn(100, 200, 100, seed=seed).normalize() for seed in (1, 2, 3))
    model = agnsal.ProbabilisticSVC("linear", C=0.07, class_weight="balanced", random_state=0).fit(training)
    familiarity = agnsal.Familiarity().fit(training)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", agnsal.AgnsalWarning)  # of a few strangers, which the figure shows
        sets = agnsal.prediction_sets(model, calibration, None, new, 0.95, familiarity=familiarity)
    sets.plot(new.labels).figure.savefig(HERE / "prediction_sets.png", dpi=110)


if __name__ == "__main__":
    main()
