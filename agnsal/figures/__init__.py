"""Figures of spectra and of what was found in them; every ``plot_`` function takes ``ax=None`` and returns the Axes.

They see samples, attributions, maps and tables, never a model. Nothing is shown, and no matplotlib setting is changed.
"""

from agnsal.figures.checks.benchmark import plot_scores, plot_truth_and_maps
from agnsal.figures.checks.removal import plot_removal
from agnsal.figures.checks.sets import plot_prediction_sets
from agnsal.figures.parts.ablation import plot_line_ablation
from agnsal.figures.parts.importance import plot_line_importance
from agnsal.figures.parts.shares import plot_region_shares
from agnsal.figures.parts.transforms import plot_transform_importance
from agnsal.figures.populations.concepts import plot_concepts
from agnsal.figures.populations.maps import plot_mean_maps
from agnsal.figures.populations.population import plot_population_importance
from agnsal.figures.sample.confusion import plot_confusion
from agnsal.figures.sample.embedding import plot_embedding
from agnsal.figures.sample.spectra import plot_spectra
from agnsal.figures.spectrum.change import plot_change
from agnsal.figures.spectrum.comparison import plot_comparison
from agnsal.figures.spectrum.counterfactual import plot_counterfactual
from agnsal.figures.spectrum.gradients import plot_class_gradients
from agnsal.figures.spectrum.hierarchy import plot_hierarchy
from agnsal.figures.spectrum.influence import plot_training_influence
from agnsal.figures.spectrum.saliency import plot_saliency
from agnsal.figures.style import share_limits

__all__ = [
    "plot_change",
    "plot_class_gradients",
    "plot_comparison",
    "plot_concepts",
    "plot_confusion",
    "plot_counterfactual",
    "plot_embedding",
    "plot_hierarchy",
    "plot_line_ablation",
    "plot_line_importance",
    "plot_mean_maps",
    "plot_population_importance",
    "plot_prediction_sets",
    "plot_region_shares",
    "plot_removal",
    "plot_saliency",
    "plot_scores",
    "plot_spectra",
    "plot_training_influence",
    "plot_transform_importance",
    "plot_truth_and_maps",
    "share_limits",
]
