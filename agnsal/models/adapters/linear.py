"""Linear classifiers and regressors as differentiable models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
)
from sklearn.svm import LinearSVC, LinearSVR

from agnsal.errors import AgnsalError
from agnsal.models.adapters.heads import (
    Function,
    log_sigmoid,
    outputs_from_binary_score,
    outputs_from_logarithms,
    two_columns,
)
from agnsal.models.adapters.registry import register_estimator
from agnsal.models.model import DifferentiableModel
from agnsal.models.structure import Structure


def one_label_per_row(estimator: Any) -> None:
    """Raise if a classifier was fitted on several labels per spectrum."""
    if isinstance(estimator.classes_, list) or getattr(estimator, "multilabel_", False):
        raise AgnsalError(f"{type(estimator).__name__} was fitted on several labels per spectrum; fit it on one.")


def _classifier(
    estimator: Any, links: Mapping[str, Function], exact: tuple[str, ...] = ("decision",), **rest: Any
) -> DifferentiableModel:
    """A linear classifier, one score for two classes or a score each."""
    one_label_per_row(estimator)
    structure = Structure.linear(estimator.coef_, estimator.intercept_, links, exact)
    return DifferentiableModel.of_structure(structure, estimator.classes_, predict=estimator.predict, **rest)


def _same(scores: Any) -> Any:
    return scores


def _binary(estimator: Any) -> bool:
    return len(np.atleast_2d(estimator.coef_)) == 1


@register_estimator(LinearSVC, RidgeClassifier, RidgeClassifierCV, Perceptron)
def linear_decision(estimator: Any) -> DifferentiableModel:
    """Decision values of a linear classifier without probabilities."""
    return _classifier(estimator, {"decision": two_columns if _binary(estimator) else _same})


@register_estimator(SGDClassifier)
def sgd_classifier(estimator: SGDClassifier) -> DifferentiableModel:
    """Decision values; probabilities for the logistic loss, one-vs-rest."""
    return one_vs_rest_logistic(estimator) if estimator.loss == "log_loss" else linear_decision(estimator)


@register_estimator(LogisticRegression, LogisticRegressionCV)
def logistic_regression(estimator: LogisticRegression) -> DifferentiableModel:
    """Softmax of linear scores, or the logistic function for two classes."""
    if getattr(estimator, "multi_class", None) == "ovr":
        return one_vs_rest_logistic(estimator)
    return softmax_of_scores(estimator)


@register_estimator(LinearDiscriminantAnalysis)
def linear_discriminant(estimator: LinearDiscriminantAnalysis) -> DifferentiableModel:
    """Softmax of linear scores."""
    return softmax_of_scores(estimator, baseline_mean=getattr(estimator, "xbar_", None))


def softmax_of_scores(estimator: Any, **rest: Any) -> DifferentiableModel:
    """Softmax of linear scores, or the logistic function for two classes."""
    if _binary(estimator):
        return _classifier(estimator, outputs_from_binary_score(_same), ("decision", "log_odds"), **rest)
    return _classifier(estimator, outputs_from_logarithms(_same), **rest)


def one_vs_rest_logistic(estimator: Any) -> DifferentiableModel:
    """Logistic functions of linear scores, normalised over the classes."""
    if _binary(estimator):
        return softmax_of_scores(estimator)
    return _classifier(estimator, outputs_from_logarithms(log_sigmoid, _same))


@register_estimator(
    LinearRegression, Ridge, RidgeCV, Lasso, LassoCV, ElasticNet, ElasticNetCV, BayesianRidge, LinearSVR
)
def linear_regression(estimator: Any) -> DifferentiableModel:
    """The regression functions."""
    return _regressor(estimator, estimator.intercept_)


@register_estimator(PLSRegression)
def partial_least_squares(estimator: PLSRegression) -> DifferentiableModel:
    """The regression functions, of spectra less their mean."""
    mean = estimator._x_mean
    return _regressor(estimator, estimator.intercept_ - np.atleast_2d(estimator.coef_) @ mean, baseline_mean=mean)


def _regressor(estimator: Any, intercepts: ArrayLike, **rest: Any) -> DifferentiableModel:
    structure = Structure.linear(estimator.coef_, intercepts, {"prediction": _same}, ("prediction",))
    outputs = np.arange(len(structure.expansion.intercepts))
    return DifferentiableModel.of_structure(structure, outputs, predict=estimator.predict, **rest)
