"""All built-in conversions of estimators, and those that only pass on: pipelines, searches, frozen estimators."""

from __future__ import annotations

from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

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
