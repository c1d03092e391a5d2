"""Why does a classifier call this spectrum type 1?

The public names, in the order data flows: spectra, models, attribution, checks, embedding.
Each is imported from its home on first use, so that ``import agnsal`` stays cheap. What is imported under
TYPE_CHECKING is what a type checker and an editor see; a test holds it equal to the table below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__: str  # that of the installed package, which has it from the tag

if TYPE_CHECKING:
    # isort: off
    from agnsal import figures as figures
    from agnsal.errors import AgnsalError as AgnsalError, AgnsalWarning as AgnsalWarning
    from agnsal.spectra.editing.corrections import deredden as deredden
    from agnsal.spectra.grid import PERUZZI2021_GRID as PERUZZI2021_GRID, WavelengthGrid as WavelengthGrid
    from agnsal.spectra.regions import Regions as Regions
    from agnsal.spectra.lines import (
        SpectralLine as SpectralLine,
        find_line as find_line,
        line_masks as line_masks,
        line_table as line_table,
    )
    from agnsal.spectra.files.inspecting import Inspection as Inspection, inspect_spectra as inspect_spectra
    from agnsal.spectra.files.reading import read_spectra as read_spectra
    from agnsal.spectra.sample import SpectralSample as SpectralSample, concatenate as concatenate
    from agnsal.spectra.simulation.agn import simulate_agn as simulate_agn
    from agnsal.archives.fetching import fetch_spectra as fetch_spectra
    from agnsal.archives.catalogues import fetch_catalogue as fetch_catalogue
    from agnsal.models.machine.svc import ProbabilisticSVC as ProbabilisticSVC
    from agnsal.models.normalization import FluxNormalizer as FluxNormalizer
    from agnsal.models.machine.tuning import Tuning as Tuning, tune as tune
    from agnsal.models.differentiable import (
        DifferentiableModel as DifferentiableModel,
        as_differentiable as as_differentiable,
    )
    from agnsal.models.networks.network import Network as Network
    from agnsal.attribution.answer.attribution import Attribution as Attribution
    from agnsal.attribution.local.gradients import (
        input_x_gradient as input_x_gradient,
        saliency as saliency,
        smooth_gradient as smooth_gradient,
        variance_gradient as variance_gradient,
    )
    from agnsal.attribution.transforms.basis import FunctionBasis as FunctionBasis, MatrixBasis as MatrixBasis
    from agnsal.attribution.transforms.dictionary import LineDictionary as LineDictionary
    from agnsal.attribution.transforms.learned import NMFBasis as NMFBasis, PCABasis as PCABasis
    from agnsal.attribution.transforms.orthogonal import FourierBands as FourierBands, Wavelet as Wavelet
    from agnsal.attribution.transforms.transformed import transformed as transformed
    from agnsal.attribution.answer.uncertainty import attribution_uncertainty as attribution_uncertainty
    from agnsal.attribution.local.paths import (
        expected_gradients as expected_gradients,
        integrated_gradients as integrated_gradients,
    )
    from agnsal.attribution.shapley.shapley import shapley as shapley
    from agnsal.attribution.local.perturbation import line_ablation as line_ablation, occlusion as occlusion
    from agnsal.spectra.editing.imputation import ProbabilisticPCA as ProbabilisticPCA
    from agnsal.spectra.editing.line_removal import remove_lines as remove_lines
    from agnsal.spectra.editing.reference import (
        class_mean as class_mean,
        continuum as continuum,
        mean_spectrum as mean_spectrum,
    )
    from agnsal.attribution.populations.change import explain_change as explain_change
    from agnsal.attribution.answer.maps import (
        MeanMaps as MeanMaps,
        cluster_maps as cluster_maps,
        map_stability as map_stability,
        mean_maps as mean_maps,
    )
    from agnsal.attribution.examples.influence import training_influence as training_influence
    from agnsal.attribution.examples.terms import TrainingInfluence as TrainingInfluence
    from agnsal.attribution.counterfactual.edits import Edit as Edit
    from agnsal.attribution.counterfactual.quantities import spectral_edits as spectral_edits
    from agnsal.attribution.counterfactual.counterfactual import counterfactual as counterfactual
    from agnsal.attribution.counterfactual.result import Counterfactuals as Counterfactuals
    from agnsal.attribution.populations.concepts import (
        ConceptSensitivity as ConceptSensitivity,
        concept_sensitivity as concept_sensitivity,
    )
    from agnsal.attribution.populations.suspicion import suspicious_labels as suspicious_labels
    from agnsal.attribution.answer.exchange import from_arrays as from_arrays, from_shap as from_shap
    from agnsal.attribution.answer.export import to_quantus as to_quantus, to_shap as to_shap
    from agnsal.attribution.populations.importance import line_importance as line_importance
    from agnsal.attribution.populations.posterior import (
        bootstrap_posterior as bootstrap_posterior,
        laplace_posterior as laplace_posterior,
    )
    from agnsal.attribution.populations.population import (
        RateResult as RateResult,
        effect_sizes as effect_sizes,
        rate as rate,
    )
    from agnsal.attribution.networks.decomposition import (
        contextual_decomposition as contextual_decomposition,
        contextual_decomposition_map as contextual_decomposition_map,
        interaction as interaction,
        transformed_decomposition as transformed_decomposition,
    )
    from agnsal.attribution.networks.group_tables import (
        decomposition_table as decomposition_table,
        interaction_matrix as interaction_matrix,
        line_groups as line_groups,
        line_units as line_units,
    )
    from agnsal.attribution.networks.deep_lift import deep_lift as deep_lift
    from agnsal.attribution.networks.relevance import (
        layerwise_relevance as layerwise_relevance,
        relevance as relevance,
    )
    from agnsal.attribution.networks.hierarchy import Hierarchy as Hierarchy, agglomerate as agglomerate
    from agnsal.attribution.networks.group_tree import join_groups as join_groups
    from agnsal.training.perceptron import ExplanationRegularizedMLP as ExplanationRegularizedMLP
    from agnsal.training.reliance import reliance as reliance
    from agnsal.training.wavelet_distillation import WaveletDistillation as WaveletDistillation
    from agnsal.training.learned_wavelet import learn_wavelet as learn_wavelet
    from agnsal.checks.conformal import PredictionSets as PredictionSets, prediction_sets as prediction_sets
    from agnsal.checks.nuisances.coverage import check_coverage as check_coverage
    from agnsal.checks.nuisances.confounds import check_confounds as check_confounds, matched_pairs as matched_pairs
    from agnsal.checks.nuisances.transfer import TransferReport as TransferReport, check_transfer as check_transfer
    from agnsal.checks.familiarity import Familiarity as Familiarity
    from agnsal.checks.benchmarks.piecewise import PiecewiseLinearBenchmark as PiecewiseLinearBenchmark
    from agnsal.checks.report import check as check
    from agnsal.checks.retraining import remove_and_retrain as remove_and_retrain
    from agnsal.checks.benchmarks.spectral import SpectralBenchmark as SpectralBenchmark
    from agnsal.embedding import SpectralEmbedding as SpectralEmbedding
    from agnsal.datasets.dataset import SpectralDataset as SpectralDataset, open_dataset as open_dataset
    from agnsal.datasets.explaining import explain_dataset as explain_dataset
    from agnsal.datasets.result import DatasetResult as DatasetResult
    from agnsal.explorer.classifier import (
        TrainedClassifier as TrainedClassifier,
        default_classifier as default_classifier,
    )
    from agnsal.explorer.explanation import (
        SpectrumExplanation as SpectrumExplanation,
        explain_spectrum as explain_spectrum,
    )
    from agnsal.explorer.explorer import write_explorer as write_explorer
    from agnsal.explorer.page import write_spectrum_page as write_spectrum_page
    # isort: on

#: Where each public name lives.
_HOMES = {
    "errors": ("AgnsalError", "AgnsalWarning"),
    "spectra.editing.corrections": ("deredden",),
    "spectra.grid": ("PERUZZI2021_GRID", "WavelengthGrid"),
    "spectra.regions": ("Regions",),
    "spectra.lines": ("SpectralLine", "find_line", "line_masks", "line_table"),
    "spectra.files.inspecting": ("Inspection", "inspect_spectra"),
    "spectra.files.reading": ("read_spectra",),
    "spectra.sample": ("SpectralSample", "concatenate"),
    "spectra.simulation.agn": ("simulate_agn",),
    "archives.fetching": ("fetch_spectra",),
    "archives.catalogues": ("fetch_catalogue",),
    "models.machine.svc": ("ProbabilisticSVC",),
    "models.normalization": ("FluxNormalizer",),
    "models.machine.tuning": ("Tuning", "tune"),
    "models.differentiable": ("DifferentiableModel", "as_differentiable"),
    "models.networks.network": ("Network",),
    "attribution.answer.attribution": ("Attribution",),
    "attribution.local.gradients": ("input_x_gradient", "saliency", "smooth_gradient", "variance_gradient"),
    "attribution.transforms.basis": ("FunctionBasis", "MatrixBasis"),
    "attribution.transforms.dictionary": ("LineDictionary",),
    "attribution.transforms.learned": ("NMFBasis", "PCABasis"),
    "attribution.transforms.orthogonal": ("FourierBands", "Wavelet"),
    "attribution.transforms.transformed": ("transformed",),
    "attribution.answer.uncertainty": ("attribution_uncertainty",),
    "attribution.local.paths": ("expected_gradients", "integrated_gradients"),
    "attribution.shapley.shapley": ("shapley",),
    "attribution.local.perturbation": ("line_ablation", "occlusion"),
    "spectra.editing.imputation": ("ProbabilisticPCA",),
    "spectra.editing.line_removal": ("remove_lines",),
    "spectra.editing.reference": ("class_mean", "continuum", "mean_spectrum"),
    "attribution.populations.change": ("explain_change",),
    "attribution.answer.maps": ("MeanMaps", "cluster_maps", "map_stability", "mean_maps"),
    "attribution.examples.influence": ("training_influence",),
    "attribution.examples.terms": ("TrainingInfluence",),
    "attribution.counterfactual.edits": ("Edit",),
    "attribution.counterfactual.quantities": ("spectral_edits",),
    "attribution.counterfactual.counterfactual": ("counterfactual",),
    "attribution.counterfactual.result": ("Counterfactuals",),
    "attribution.populations.concepts": ("ConceptSensitivity", "concept_sensitivity"),
    "attribution.populations.suspicion": ("suspicious_labels",),
    "attribution.answer.exchange": ("from_arrays", "from_shap"),
    "attribution.answer.export": ("to_quantus", "to_shap"),
    "attribution.populations.importance": ("line_importance",),
    "attribution.populations.posterior": ("bootstrap_posterior", "laplace_posterior"),
    "attribution.populations.population": ("RateResult", "effect_sizes", "rate"),
    "attribution.networks.decomposition": (
        "contextual_decomposition",
        "contextual_decomposition_map",
        "interaction",
        "transformed_decomposition",
    ),
    "attribution.networks.group_tables": ("decomposition_table", "interaction_matrix", "line_groups", "line_units"),
    "attribution.networks.deep_lift": ("deep_lift",),
    "attribution.networks.relevance": ("layerwise_relevance", "relevance"),
    "attribution.networks.hierarchy": ("Hierarchy", "agglomerate"),
    "attribution.networks.group_tree": ("join_groups",),
    "training.perceptron": ("ExplanationRegularizedMLP",),
    "training.reliance": ("reliance",),
    "training.wavelet_distillation": ("WaveletDistillation",),
    "training.learned_wavelet": ("learn_wavelet",),
    "checks.conformal": ("PredictionSets", "prediction_sets"),
    "checks.nuisances.coverage": ("check_coverage",),
    "checks.nuisances.confounds": ("check_confounds", "matched_pairs"),
    "checks.nuisances.transfer": ("TransferReport", "check_transfer"),
    "checks.familiarity": ("Familiarity",),
    "checks.benchmarks.piecewise": ("PiecewiseLinearBenchmark",),
    "checks.report": ("check",),
    "checks.retraining": ("remove_and_retrain",),
    "checks.benchmarks.spectral": ("SpectralBenchmark",),
    "embedding": ("SpectralEmbedding",),
    "datasets.dataset": ("SpectralDataset", "open_dataset"),
    "datasets.explaining": ("explain_dataset",),
    "datasets.result": ("DatasetResult",),
    "explorer.classifier": ("TrainedClassifier", "default_classifier"),
    "explorer.explanation": ("SpectrumExplanation", "explain_spectrum"),
    "explorer.explorer": ("write_explorer",),
    "explorer.page": ("write_spectrum_page",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", "figures", *_HOME_OF]

if not TYPE_CHECKING:  # to a type checker a module with __getattr__ has every name

    def __getattr__(name):
        from importlib import import_module, metadata

        if name == "__version__":
            try:
                return metadata.version("agnsal")
            except metadata.PackageNotFoundError:  # a source tree that was never installed
                return "0+unknown"
        if name == "figures":
            return import_module("agnsal.figures")
        if name not in _HOME_OF:
            raise AttributeError(f"module 'agnsal' has no attribute {name!r}")
        value = getattr(import_module(f"agnsal.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
