"""Linear classifiers and regressors, and networks of scikit-learn, as differentiable models."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray
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
from sklearn.neural_network import MLPClassifier, MLPRegressor
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
from agnsal.models.machine.coupling import sigmoid
from agnsal.models.model import DifferentiableModel


def linear_function(estimator: Any) -> tuple[Function, NDArray[np.float64]]:
    """``X @ coef_.T + intercept_`` of a fitted estimator, and its weights of shape (n_outputs, n_features)."""
    weights = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    intercepts = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), (len(weights),))
    return (lambda X: anp.dot(X, weights.T) + intercepts), weights


def one_label_per_row(estimator: Any) -> None:
    """Raise if a classifier was fitted on several labels per spectrum."""
    if isinstance(estimator.classes_, list) or getattr(estimator, "multilabel_", False):
        raise AgnsalError(f"{type(estimator).__name__} was fitted on several labels per spectrum; fit it on one.")


@register_estimator(LinearSVC, RidgeClassifier, RidgeClassifierCV, Perceptron)
def linear_decision(estimator: Any) -> DifferentiableModel:
    """Decision values of a linear classifier without probabilities."""
    one_label_per_row(estimator)
    scores, weights = linear_function(estimator)
    binary = len(weights) == 1
    decision: Function = (lambda X: two_columns(scores(X))) if binary else scores
    return DifferentiableModel({"decision": decision}, estimator.classes_, weights.shape[1], predict=estimator.predict)


@register_estimator(SGDClassifier)
def sgd_classifier(estimator: SGDClassifier) -> DifferentiableModel:
    """Decision values; probabilities for the logistic loss, one-vs-rest."""
    return one_vs_rest_logistic(estimator) if estimator.loss == "log_loss" else linear_decision(estimator)


@register_estimator(LogisticRegression, LogisticRegressionCV)
def logistic_regression(estimator: LogisticRegression) -> DifferentiableModel:
    """Softmax of linear scores, or the logistic function for two classes."""
    if getattr(estimator, "multi_class", None) == "ovr":
        return one_vs_rest_logistic(estimator)
    scores, weights = linear_function(estimator)
    outputs = outputs_from_binary_score(scores) if len(weights) == 1 else outputs_from_logarithms(scores)
    return DifferentiableModel(outputs, estimator.classes_, weights.shape[1], predict=estimator.predict)


def one_vs_rest_logistic(estimator: Any) -> DifferentiableModel:
    """Logistic functions of linear scores, normalised over the classes."""
    scores, weights = linear_function(estimator)
    if len(weights) == 1:
        outputs = outputs_from_binary_score(scores)
    else:
        outputs = outputs_from_logarithms(lambda X: log_sigmoid(scores(X)), scores)
    return DifferentiableModel(outputs, estimator.classes_, weights.shape[1], predict=estimator.predict)


@register_estimator(LinearDiscriminantAnalysis)
def linear_discriminant(estimator: LinearDiscriminantAnalysis) -> DifferentiableModel:
    """Softmax of linear scores."""
    scores, weights = linear_function(estimator)
    return DifferentiableModel(
        outputs_from_binary_score(scores) if len(weights) == 1 else outputs_from_logarithms(scores),
        estimator.classes_,
        weights.shape[1],
        baseline_mean=getattr(estimator, "xbar_", None),
        predict=estimator.predict,
    )


@register_estimator(
    LinearRegression, Ridge, RidgeCV, Lasso, LassoCV, ElasticNet, ElasticNetCV, BayesianRidge, LinearSVR
)
def linear_regression(estimator: Any) -> DifferentiableModel:
    """The regression functions."""
    scores, weights = linear_function(estimator)
    return DifferentiableModel(
        {"decision": scores}, np.arange(len(weights)), weights.shape[1], predict=estimator.predict
    )


@register_estimator(PLSRegression)
def partial_least_squares(estimator: PLSRegression) -> DifferentiableModel:
    """The regression functions."""
    scores, weights = linear_function(estimator)
    mean = estimator._x_mean
    return DifferentiableModel(
        {"decision": lambda X: scores(X - mean)},
        np.arange(len(weights)),
        weights.shape[1],
        baseline_mean=mean,
        predict=estimator.predict,
    )


_ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": lambda z: anp.maximum(z, 0.0),
    "tanh": anp.tanh,
    "logistic": sigmoid,
}


def raw_network(estimator: MLPClassifier | MLPRegressor) -> Function:
    """Forward pass of a scikit-learn network up to its last linear layer."""
    layers = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    activation = _ACTIVATIONS[estimator.activation]

    def forward(X: Any) -> Any:
        for W, b in layers[:-1]:
            X = activation(anp.dot(X, W) + b)
        return anp.dot(X, layers[-1][0]) + layers[-1][1]

    return forward


@register_estimator(MLPClassifier)
def mlp_classifier(estimator: MLPClassifier) -> DifferentiableModel:
    """Softmax, or the logistic function for two classes; the decision values are the last layer's."""
    scores, n_classes = raw_network(estimator), len(estimator.classes_)
    if estimator.out_activation_ == "logistic" and n_classes > 2:
        raise AgnsalError("MLPClassifier was fitted on several labels per spectrum; fit it on one.")
    return DifferentiableModel(
        outputs_from_binary_score(scores) if n_classes == 2 else outputs_from_logarithms(scores),
        estimator.classes_,
        estimator.n_features_in_,
        width=sum(len(b) for b in estimator.intercepts_),
        predict=estimator.predict,
    )


@register_estimator(MLPRegressor)
def mlp_regressor(estimator: MLPRegressor) -> DifferentiableModel:
    """The regression functions."""
    raw = raw_network(estimator)
    exponential = estimator.out_activation_ == "exp"
    return DifferentiableModel(
        {"decision": (lambda X: anp.exp(raw(X))) if exponential else raw},
        np.arange(estimator.n_outputs_),
        estimator.n_features_in_,
        width=sum(len(b) for b in estimator.intercepts_),
        predict=estimator.predict,
    )
