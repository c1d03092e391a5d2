"""Pipelines: transformers in a row before a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from agnsal.models.adapters.registry import Step
from agnsal.models.model import DifferentiableModel
from agnsal.models.structure import Structure


def compose(steps: Sequence[Step], model: DifferentiableModel, predict: Callable | None = None) -> DifferentiableModel:
    """Put transformers before a model.

    Parameters
    ----------
    steps : sequence of Step
        In the order the data flows.
    model : DifferentiableModel
        What comes after them.
    predict : callable, optional
        The whole pipeline's own rule from spectra to labels.

    Returns
    -------
    DifferentiableModel
        A function of the first step's input. It knows the training mean if the first step that is not invertible
        and affine does.

    Examples
    --------
    >>> model = DifferentiableModel({"decision": lambda X: X}, classes=[0, 1], n_features=2)
    >>> compose([Step(lambda X: 3 * X)], model).gradient([[0.0, 0.0]], 1, "decision")
    array([[0., 3.]])
    """
    if not steps:
        return model

    def before(function: Callable) -> Callable:
        def composed(X: Any) -> Any:
            for step in steps:
                X = step.forward(X)
            return function(X)

        return composed

    return DifferentiableModel(
        {kind: before(model.function(kind)) for kind in model.kinds},
        model.classes_,
        next((step.n_features for step in steps if step.n_features is not None), model.n_features),
        baseline_mean=input_mean(steps, model.baseline_mean),
        width=model.width + sum(step.width for step in steps),
        predict=predict,
        structure=_structure(steps, model),
    )


def _structure(steps: Sequence[Step], model: DifferentiableModel) -> Structure | None:
    """What the composition is made of: a linear function of affine steps, or anything behind feature by feature."""
    structure, n_columns = model.structure, model.n_features
    for step in reversed(steps):
        if structure is None:
            return None
        n_columns = n_columns if step.n_features is None else step.n_features
        if step.affine and structure.is_affine:
            structure = structure.behind_affine(step.forward, n_columns)
        else:
            structure = structure.behind([step.forward]) if step.elementwise else None
    return structure


def input_mean(steps: Sequence[Step], mean: NDArray | None) -> NDArray | None:
    """Mean of the data before the steps, from what the steps and the mean after them tell."""
    for step in reversed(steps):
        if step.training_mean is not None:
            mean = step.training_mean
        elif mean is not None and step.invert_mean is not None:
            mean = step.invert_mean(mean)
        else:
            mean = None
    return mean
