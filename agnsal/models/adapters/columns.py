"""Transformers made of others: nested pipelines, unions, and transformers of column ranges."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from agnsal.errors import AgnsalError
from agnsal.models.adapters.composition import input_mean
from agnsal.models.adapters.registry import Step, convert_step, register_step


@register_step(Pipeline)
def nested_pipeline(whole: Pipeline) -> Step:
    """Transformers in a row."""
    steps = [convert_step(transformer, name) for name, transformer in whole.steps]

    def forward(X: Any) -> Any:
        for step in steps:
            X = step.forward(X)
        return X

    return Step(
        forward,
        next((step.n_features for step in steps if step.n_features is not None), None),
        training_mean=input_mean(steps, None),
        width=sum(step.width for step in steps),
        elementwise=all(step.elementwise for step in steps),
        affine=all(step.affine for step in steps),
    )


@register_step(FeatureUnion)
def feature_union(union: FeatureUnion) -> Step:
    """Transformers side by side."""
    weights = union.transformer_weights or {}
    parts = [
        (convert_step(transformer, name), weights.get(name, 1.0))
        for name, transformer in union.transformer_list
        if transformer != "drop"
    ]
    return Step(
        lambda X: anp.concatenate([weight * step.forward(X) for step, weight in parts], axis=1),
        getattr(union, "n_features_in_", None),
        training_mean=next((step.training_mean for step, _ in parts if step.training_mean is not None), None),
        width=sum(step.width for step, _ in parts),
        affine=all(step.affine for step, _ in parts),
    )


@register_step(ColumnTransformer)
def column_transformer(whole: ColumnTransformer) -> Step:
    """Transformers of ranges of wavelength side by side."""
    n_features = whole.n_features_in_
    weights = whole.transformer_weights or {}
    parts: list[tuple[Step, NDArray[np.intp], float]] = []
    for name, transformer, columns in whole.transformers_:
        index = column_numbers(columns, n_features, getattr(whole, "feature_names_in_", None))
        if transformer != "drop" and index.size:
            parts.append((convert_step(transformer, name), index, weights.get(name, 1.0)))
    if not parts:
        raise AgnsalError("this ColumnTransformer drops every column.")
    mean = np.full(n_features, np.nan)
    for step, index, _ in parts:
        if step.training_mean is not None:
            mean[index] = step.training_mean
    return Step(
        lambda X: anp.concatenate([weight * step.forward(X[:, index]) for step, index, weight in parts], axis=1),
        n_features,
        training_mean=mean if np.isfinite(mean).all() else None,
        width=sum(step.width for step, _, _ in parts),
        affine=all(step.affine for step, _, _ in parts),
    )


def column_numbers(columns: Any, n_features: int, names: NDArray | None) -> NDArray[np.intp]:
    """Numbers of the columns a `ColumnTransformer` selects.

    Parameters
    ----------
    columns : slice, int, name, or a list or mask of them
        As scikit-learn takes them.
    n_features : int
        How many columns there are.
    names : array of str or None
        Their names.

    Returns
    -------
    ndarray of int

    Raises
    ------
    AgnsalError
        If a name is not known.

    Examples
    --------
    >>> column_numbers(slice(1, 3), 4, None)
    array([1, 2])
    >>> column_numbers([True, False, True], 3, None)
    array([0, 2])
    """
    every = np.arange(n_features)
    if isinstance(columns, slice) and not isinstance(columns.start or columns.stop, str):
        return every[columns]
    wanted = np.atleast_1d(np.asarray(columns))
    if wanted.size == 0:
        return every[:0]
    if wanted.dtype.kind in "bi":
        return every[wanted]
    if names is not None:
        position = {str(name): number for number, name in enumerate(names)}
        if all(str(name) in position for name in wanted):
            return np.array([position[str(name)] for name in wanted], dtype=np.intp)
    raise AgnsalError(f"the columns {columns!r:.80} of the ColumnTransformer are not numbers or known names.")
