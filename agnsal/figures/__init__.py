"""Figures of spectra and of what was found in them; every function takes ``ax=None`` and returns the Axes.

They see samples, attributions, maps and tables, never a model. Nothing is shown, and no matplotlib setting is changed.
"""

from agnsal.figures.checks import plot_removal
from agnsal.figures.confusion import plot_confusion
from agnsal.figures.embedding import plot_embedding
from agnsal.figures.gradients import plot_class_gradients
from agnsal.figures.hierarchy import plot_hierarchy
from agnsal.figures.importance import plot_line_importance
from agnsal.figures.saliency import plot_saliency
from agnsal.figures.spectra import plot_spectra

__all__ = [
    "plot_class_gradients",
    "plot_confusion",
    "plot_embedding",
    "plot_hierarchy",
    "plot_line_importance",
    "plot_removal",
    "plot_saliency",
    "plot_spectra",
]
