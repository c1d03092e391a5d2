"""Perceptrons of scikit-learn as differentiable models, through `Network`."""

from __future__ import annotations

import autograd.numpy as anp
from sklearn.neural_network import MLPClassifier, MLPRegressor

from agnsal.models.adapters.registry import register_estimator
from agnsal.models.model import DifferentiableModel
from agnsal.models.networks.network import Network


@register_estimator(MLPClassifier)
def mlp_classifier(estimator: MLPClassifier) -> DifferentiableModel:
    """Softmax, or the logistic function for two classes; the decision values are the last layer's."""
    return Network.from_sklearn(estimator).as_differentiable()


@register_estimator(MLPRegressor)
def mlp_regressor(estimator: MLPRegressor) -> DifferentiableModel:
    """The regression functions; a Poisson loss ends in an exponential."""
    network = Network.from_sklearn(estimator).as_differentiable()
    raw = network.function("decision")
    prediction = (lambda X: anp.exp(raw(X))) if estimator.out_activation_ == "exp" else raw
    return DifferentiableModel({"prediction": prediction}, network.classes_, network.n_features, width=network.width)
