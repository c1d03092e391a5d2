"""Draws the figures of docs/beyond-maps.md beside itself. Run: python docs/figures/beyond_maps.py"""

from __future__ import annotations

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


if __name__ == "__main__":
    main()
