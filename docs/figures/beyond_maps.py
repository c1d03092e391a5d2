"""Draws the figures of docs/beyond-maps.md, and some of its neighbours. Run: python docs/figures/beyond_maps.py"""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import agnsal
from agnsal.figures.style import PALETTE

HERE = Path(__file__).parent
CONCEPTS = {
    "equivalent width of broad Hbeta": "broad_hbeta_width", "FWHM of broad lines": "broad_fwhm",
    "Fe II / Hbeta": "iron_ratio", "equivalent width of [O III]": "oxygen_width",
    "share of the nucleus": "nuclear_fraction", "slope of the power law": "power_law_slope",
}  # fmt: skip


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
    conditional()
    unfamiliar(training)
    concepts()


def conditional() -> None:
    """What the model uses and what the spectrum tells, as in docs/how-to-attribution.md."""
    pair = agnsal.simulate_agn(100, 150, 0, seed=0).normalize()
    machine = agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, random_state=0).fit(pair)
    asked = {"regions": ["Hbeta", "[O III] 5007", "Hgamma", "He II 4686"], "target": "type 1", "output": "log_odds"}
    kinds = {
        "what the model uses (against the mean spectrum)": {},
        "what the spectrum tells, Gaussian": {"conditional": "gaussian", "background": pair},
        "what the spectrum tells, a Gaussian for each class": {"conditional": "mixture", "background": pair},
    }
    figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for k, (name, options) in enumerate(kinds.items()):
        found = agnsal.shapley(machine, pair[:1], **asked, **options)
        places = np.arange(len(found.regions)) + 0.26 * (k - 1)
        ax.barh(places, found.regions.sums(found.values)[0], 0.24, label=name, color=PALETTE[k])
    ax.set_yticks(range(len(found.regions)), found.regions)
    ax.invert_yaxis()
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.set_xlabel("Shapley value, log-odds of type 1")
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", fontsize="small", frameon=False)
    figure.savefig(HERE / "conditional.png", dpi=110)


def unfamiliar(training: agnsal.SpectralSample) -> None:
    """A galaxy that is not active: the starlight of a simulated one with the noise of a usual spectrum."""
    objects = agnsal.simulate_agn(0, 1, 0, seed=5)
    stars = objects.truth.components["starlight"]
    noise = np.random.default_rng(0).normal(size=stars.shape) * stars.mean() / 40
    galaxy = agnsal.SpectralSample(stars + noise, objects.grid).normalize()
    why = agnsal.Familiarity().fit(training).explain(galaxy)
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.1, 5.6), layout="constrained", gridspec_kw={"height_ratios": [1, 1.5]}
    )
    agnsal.figures.plot_spectra(galaxy, ax=top)
    agnsal.figures.plot_line_importance(why.by_line(), ax=bottom)
    bottom.set_xlabel("Share of the squared distance from simulated AGN")
    figure.savefig(HERE / "unfamiliar.png", dpi=110)


def concepts() -> None:
    """How the log-odds of type 1 change with quantities that the simulation knows."""
    sample = agnsal.simulate_agn(340, 1072, 260, seed=0)
    training, truth = sample.normalize(), sample.truth.table
    model = agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, class_weight="balanced", random_state=0).fit(training)
    found = agnsal.concept_sensitivity(
        model, training, {words: truth[name] for words, name in CONCEPTS.items()}, "type 1", "log_odds", random_state=0
    )
    print(found)
    found.plot().figure.savefig(HERE / "concepts.png", dpi=150)


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
