"""Every figure by its name, of small made-up records."""

from dataclasses import replace
from types import SimpleNamespace

import astropy.units as u
import numpy as np
from astropy.table import QTable

from agnsal import Attribution, SpectralSample, WavelengthGrid, figures, mean_maps

BINS = 40
GRID = WavelengthGrid.linear(4800 * u.AA, 5050 * u.AA, BINS)
RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(2, BINS))
LINES = ["Hbeta"]


class Sized(SimpleNamespace):
    def __len__(self):
        return 2


def every_figure(text, unit=u.dimensionless_unscaled, *, errors=True):
    """Each figure with the text wherever a user or a file may give one, with whiskers and bands if wanted."""
    names = np.array([text, "other"], dtype=object).astype(str)
    table = QTable({"object_id": names, "label": names})
    ivar = np.full(VALUES.shape, 100.0) if errors else None
    sample = SpectralSample(2 + VALUES, GRID, ivar=ivar, unit=unit, table=table)
    made = Attribution(
        VALUES, names, text, "probability", np.ones(2), 2 + VALUES, names, grid=GRID, unit=unit**-1, flux_unit=unit,
        uncertainty={"flux": np.abs(VALUES) / 3} if errors else None,
    )  # fmt: skip
    changed = replace(made, baseline=np.ones(BINS))
    features = replace(made, features=np.array([f"{text}{k}" for k in range(BINS)]), grid=None)
    shares = {name: [0.1, 0.2] for name in ("share", "error_flux", "error_refits", "experiment", "bad_fraction")}
    curve = np.linspace([1, 1], [0, 0], 5).T
    columns = {name: [0.1, -0.2] for name in ("effect", "attribution", "permutation", "rate")}
    columns |= {f"{name}_error": [0.1, 0.1] for name in ("effect", "attribution", "permutation") if errors}
    report = SimpleNamespace(
        method=text, output=text, verdict="faithful", curves=SimpleNamespace(
            removed=np.linspace(0, 1, 5), deletion=curve, insertion=curve[:, ::-1]))  # fmt: skip
    scores = SimpleNamespace(
        maps={text: VALUES, "other": VALUES},
        truths={"contribution": VALUES, "slope": VALUES},
        judged=dict.fromkeys((text, "other"), ("contribution", "slope")),
        correlation=lambda *_, **__: np.array([0.1, 0.2, 0.4]),
    )
    tree = SimpleNamespace(
        labels=np.array([[0, 1], [0, 0]]), n_levels=2, target=text, units=np.arange(BINS) // 20,
        component_scores=({0: 1.0, 1: -1.0}, {0: 0.5}), masks=np.ones((2, 2), bool), scores=np.ones((2, 2)),
    )  # fmt: skip
    decided = QTable({"training_id": names[:1], "row": [0], "label": names[:1], "influence": [0.5]})
    influence = Sized(
        ids=names, target=names, output="log_odds", inputs=2 + VALUES, mask=None, explained=np.ones(2), exact=True,
        grid=GRID, flux_unit=unit, rows=np.array([0]), training_flux=2 + VALUES[:1], most=lambda *_, **__: decided,
    )  # fmt: skip
    edited = Sized(
        before=sample, spectra=sample.with_flux(3 + VALUES), target=names, flipped=np.array([True, False]),
        path=np.array([[0.1, 0.5]] * 2), words=lambda *_: text,
    )  # fmt: skip
    concepts = SimpleNamespace(
        names=(text, "Hbeta"), values=np.array([[0.1, np.nan], [0.3, np.nan]]), shuffled=np.full((99, 2), 0.1),
        known=np.array([True, False]),
        scores=np.array([0.9, 0.1]), p_values=np.array([0.01, np.nan]), target=text, output="log_odds",
    )  # fmt: skip
    sets = Sized(
        classes_=names, level=0.9, sets=np.array([[True, True], [False, True]]), unfamiliar=np.array([True, False]),
        coverage=lambda _: QTable({"class": names, "coverage": [0.9, 0.8], "low": [0.8, 0.7], "high": [1.0, 0.9]}),
    )  # fmt: skip
    population = QTable({"line": ["Hbeta", text], **columns}, meta={"target": text})
    ablation = QTable(
        {"object_id": names[[0, 0]], "line": ["Hbeta", text], "change": [0.1, -0.2], "target": names[[0, 0]]}
        | ({"error": [0.1, 0.1]} if errors else {})
    )
    return {
        "plot_change": lambda ax: figures.plot_change(changed, epochs=(text, text), ax=ax, lines=LINES),
        "plot_class_gradients": lambda ax: figures.plot_class_gradients(
            {text: made, "third": replace(made, values=VALUES[::-1])}, title=text, ax=ax
        ),
        "plot_comparison": lambda ax: figures.plot_comparison({text: made, "third": made}, ax=ax, title=text),
        "plot_concepts": lambda ax: figures.plot_concepts(concepts, ax=ax),
        "plot_confusion": lambda ax: figures.plot_confusion(names, names, ax=ax),
        "plot_counterfactual": lambda ax: figures.plot_counterfactual(edited, ax=ax, title=text),
        "plot_embedding": lambda ax: figures.plot_embedding(
            VALUES[:, :2], names, marked=[0, 1], names=names[::-1], ax=ax
        ),
        "plot_hierarchy": lambda ax: figures.plot_hierarchy(tree, ax=ax),
        "plot_line_ablation": lambda ax: figures.plot_line_ablation(ablation, ax=ax),
        "plot_line_importance": lambda ax: figures.plot_line_importance(
            replace(made, target=names[[0, 0]]), i=None if errors else 0, ax=ax
        ),
        "plot_mean_maps": lambda ax: figures.plot_mean_maps(
            mean_maps(replace(made, target=names[[0, 0]]), names), ax=ax
        ),
        "plot_population_importance": lambda ax: figures.plot_population_importance(population, ax=ax),
        "plot_prediction_sets": lambda ax: figures.plot_prediction_sets(sets, names, ax=ax),
        "plot_region_shares": lambda ax: figures.plot_region_shares(QTable({"region": names, **shares}), ax=ax),
        "plot_removal": lambda ax: figures.plot_removal(report, ax=ax),
        "plot_saliency": lambda ax: figures.plot_saliency(made, ax=ax, sample=sample, title=text),
        "plot_scores": lambda ax: figures.plot_scores(scores, ax=ax),
        "plot_spectra": lambda ax: figures.plot_spectra(sample, ax=ax),
        "plot_training_influence": lambda ax: figures.plot_training_influence(influence, ax=ax, title=text),
        "plot_transform_importance": lambda ax: figures.plot_transform_importance(features, i=0, ax=ax),
        "plot_truth_and_maps": lambda ax: figures.plot_truth_and_maps(scores, 0, ax=ax),
    }
