"""Fitted scikit-learn classifiers and regressors as differentiable models."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from agnsal.models.composition import compose
from agnsal.models.coupling import couple, pair_log_odds, pair_probabilities, pair_signs, sigmoid
from agnsal.models.log_odds import class_log_odds
from agnsal.models.model import DifferentiableModel
from agnsal.models.registry import convert_estimator, convert_step, register_estimator
from agnsal.models.svc import ProbabilisticSVC


@register_estimator(ProbabilisticSVC)
def probabilistic_svc(machine: ProbabilisticSVC) -> DifferentiableModel:
    """All four outputs of a machine with sigmoids, exactly coupled."""
    pairs = machine.pair_functions_
    a, b, signs = machine.sigmoid_a_, machine.sigmoid_b_, pair_signs(machine.classes_.size)

    def log_odds_of_pairs(X: Any) -> Any:
        return pair_log_odds(pairs(X), a, b)

    return DifferentiableModel(
        {
            "probability": lambda X: couple(pair_probabilities(log_odds_of_pairs(X))),
            "log_odds": lambda X: class_log_odds(log_odds_of_pairs(X)),
            "decision": lambda X: anp.dot(pairs(X), signs),
            "pairwise": pairs,
        },
        machine.classes_,
        machine.n_features_in_,
        baseline_mean=machine.training_mean_,
        width=0 if pairs.kernel.name == "linear" else len(pairs.support_vectors),
        predict=None if machine.predict_by == "probability" and machine.coupling == "exact" else machine.predict,
    )


@register_estimator(Pipeline)
def pipeline(whole: Pipeline) -> DifferentiableModel:
    """Transformers before a final estimator."""
    steps = [convert_step(transformer, name) for name, transformer in whole.steps[:-1]]
    last = convert_estimator(whole.steps[-1][1])
    return compose(steps, last, predict=None if last.predicts_most_probable else whole.predict)


@register_estimator(LogisticRegression)
def logistic_regression(estimator: LogisticRegression) -> DifferentiableModel:
    """Softmax of a linear function, or the logistic function for two classes."""
    W, b, classes = estimator.coef_, estimator.intercept_, estimator.classes_

    def scores(X: Any) -> Any:
        f = anp.dot(X, W.T) + b
        return anp.concatenate([-f, f], axis=1) if len(classes) == 2 else f

    def probability(X: Any) -> Any:
        f = scores(X)
        if len(classes) == 2:
            return sigmoid(f)
        e = anp.exp(f - anp.max(f, axis=1, keepdims=True))
        return e / anp.sum(e, axis=1, keepdims=True)

    return DifferentiableModel(
        {"probability": probability, "decision": scores}, classes, np.shape(W)[1], predict=estimator.predict
    )
