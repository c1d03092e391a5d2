"""All built-in conversions of estimators, and those that only pass on: pipelines, searches, frozen estimators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from agnsal.errors import AgnsalError
from agnsal.models.adapters import gaussian, kernel, linear, multiclass, networks  # noqa: F401 (they register)
from agnsal.models.adapters.composition import compose
from agnsal.models.adapters.registry import convert_estimator, convert_step, register_estimator
from agnsal.models.model import DifferentiableModel


@register_estimator(Pipeline)
def pipeline(whole: Pipeline) -> DifferentiableModel:
    """Transformers before a final estimator."""
    name, last = whole.steps[-1]
    if last is None or last == "passthrough" or not hasattr(last, "predict"):
        raise AgnsalError(
            f"the last step of the pipeline, {name!r}, is not a classifier or regressor; pass the whole pipeline."
        )
    steps = [convert_step(transformer, step_name) for step_name, transformer in whole.steps[:-1]]
    model = convert_estimator(last)
    return compose(steps, model, predict=None if model.predicts_most_probable else whole.predict)


@register_estimator(GridSearchCV, RandomizedSearchCV)
def search(estimator: Any) -> DifferentiableModel:
    """The best estimator of a search."""
    if not hasattr(estimator, "best_estimator_"):
        raise AgnsalError(f"this {type(estimator).__name__} kept no estimator; fit it with refit=True.")
    return convert_estimator(estimator.best_estimator_)


@register_estimator(FrozenEstimator)
def frozen(estimator: FrozenEstimator) -> DifferentiableModel:
    """What was frozen."""
    return convert_estimator(estimator.estimator)


@register_estimator(TransformedTargetRegressor)
def transformed_target(estimator: TransformedTargetRegressor) -> DifferentiableModel:
    """A regressor of scaled or otherwise transformed values, which are transformed back."""
    model = convert_estimator(estimator.regressor_)
    back, affine = _back(estimator.transformer_, model.classes_.size)
    scaled, structure = model.function("prediction"), model.structure
    if structure is not None:
        link = structure.links["prediction"]
        links, exact = {"prediction": lambda F: back(link(F))}, structure.exact if affine else ()
        structure = replace(structure, links=links, exact=exact)
    return DifferentiableModel(
        {"prediction": lambda X: back(scaled(X))},
        model.classes_,
        model.n_features,
        baseline_mean=model.baseline_mean,
        width=model.width,
        predict=estimator.predict,
        structure=structure,
    )


def _back(transformer: Any, n_values: int) -> tuple[Callable[[Any], Any], bool]:
    """The inverse of a transformer of values, traceable by autograd, and whether it is affine."""
    if type(transformer) is FunctionTransformer:
        inverse = FunctionTransformer(transformer.inverse_func, kw_args=transformer.inv_kw_args)
        step = convert_step(inverse, "inverse_func")
        return step.forward, step.affine
    if type(transformer) in (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler):
        at_zero, at_one = transformer.inverse_transform(np.outer([0.0, 1.0], np.ones(n_values)))
        return (lambda values: at_zero + (at_one - at_zero) * values), True
    raise AgnsalError(
        f"TransformedTargetRegressor with a {type(transformer).__name__} is not known to be differentiable; scale the "
        "values by a StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler or func= and inverse_func=, or explain "
        "it with `occlusion`."
    )
