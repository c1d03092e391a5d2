"""Why does a classifier call this spectrum type 1?

The public names, in the order data flows: spectra, models, attribution, checks, embedding.
Each is imported from its home on first use, so that ``import agnsal`` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "errors": ("AgnsalError", "AgnsalWarning"),
    "spectra.editing.corrections": ("deredden",),
    "spectra.grid": ("PERUZZI2021_GRID", "WavelengthGrid"),
    "spectra.regions": ("Regions",),
    "spectra.lines": ("find_line", "line_masks", "line_table"),
    "spectra.files.reading": ("read_spectra",),
    "spectra.sample": ("SpectralSample",),
    "spectra.simulation.agn": ("simulate_agn",),
    "models.machine.svc": ("ProbabilisticSVC",),
    "models.normalization": ("FluxNormalizer",),
    "models.machine.tuning": ("Tuning", "tune"),
    "models.differentiable": ("DifferentiableModel", "as_differentiable"),
    "models.networks.network": ("Network",),
    "attribution.answer.attribution": ("Attribution",),
    "attribution.gradients": ("input_x_gradient", "saliency", "smooth_gradient"),
    "attribution.transforms.basis": ("FunctionBasis", "MatrixBasis"),
    "attribution.transforms.dictionary": ("LineDictionary",),
    "attribution.transforms.learned": ("NMFBasis", "PCABasis"),
    "attribution.transforms.orthogonal": ("FourierBands", "Wavelet"),
    "attribution.transforms.transformed": ("transformed",),
    "attribution.uncertainty": ("attribution_uncertainty", "map_stability"),
    "attribution.paths": ("expected_gradients", "integrated_gradients"),
    "attribution.shapley.shapley": ("shapley",),
    "attribution.perturbation": ("line_ablation", "occlusion"),
    "spectra.editing.line_removal": ("remove_lines",),
    "spectra.editing.reference": ("class_mean", "continuum", "mean_spectrum"),
    "attribution.populations.change": ("explain_change",),
    "attribution.populations.maps": ("MeanMaps", "cluster_maps", "mean_maps", "suspicious_labels"),
    "attribution.answer.exchange": ("from_arrays", "from_shap", "to_quantus", "to_shap"),
    "attribution.populations.importance": ("line_importance",),
    "attribution.populations.posterior": ("bootstrap_posterior", "laplace_posterior"),
    "attribution.populations.population": ("RateResult", "effect_sizes", "rate"),
    "attribution.networks.decomposition": ("contextual_decomposition", "interaction", "transformed_decomposition"),
    "attribution.networks.group_tables": ("decomposition_table", "interaction_matrix", "line_groups", "line_units"),
    "attribution.networks.relevance": ("layerwise_relevance",),
    "attribution.networks.hierarchy": ("Hierarchy", "agglomerate"),
    "attribution.networks.group_tree": ("join_groups",),
    "training.perceptron": ("ExplanationRegularizedMLP",),
    "training.reliance": ("reliance",),
    "training.wavelet_distillation": ("WaveletDistillation",),
    "training.learned_wavelet": ("learn_wavelet",),
    "checks.confounds": ("check_confounds", "matched_pairs"),
    "checks.familiarity": ("Familiarity",),
    "checks.benchmarks.piecewise": ("PiecewiseLinearBenchmark",),
    "checks.report": ("check",),
    "checks.benchmarks.spectral": ("SpectralBenchmark",),
    "embedding": ("SpectralEmbedding",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'agnsal' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"agnsal.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
