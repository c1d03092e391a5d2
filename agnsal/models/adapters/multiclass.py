"""Estimators made of other classifiers: calibrated, one-vs-rest, one-vs-one."""

from __future__ import annotations

import warnings
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import logsumexp
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, NuSVC

from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.models.adapters.heads import Function, log_sigmoid, two_columns, votes_and_confidence
from agnsal.models.adapters.linear import one_label_per_row
from agnsal.models.adapters.registry import convert_estimator, register_estimator
from agnsal.models.machine.log_odds import odds_against_rest
from agnsal.models.model import DifferentiableModel

#: What scikit-learn adds to probabilities before it takes their logarithm as logits.
_LOGIT_EPSILON = 1e-12


def shared_traits(parts: list[DifferentiableModel]) -> dict[str, Any]:
    """Training mean and width of a model that evaluates several on the same spectra."""
    mean = next((part.baseline_mean for part in parts if part.baseline_mean is not None), None)
    return {"baseline_mean": mean, "width": sum(part.width for part in parts)}


@register_estimator(OneVsRestClassifier)
def one_vs_rest(estimator: OneVsRestClassifier) -> DifferentiableModel:
    """Each class against the rest; probabilities are normalised over the classes."""
    one_label_per_row(estimator)
    if not all(hasattr(part, "classes_") for part in estimator.estimators_):
        raise AgnsalError("a class of this OneVsRestClassifier was always or never present; fit it on other data.")
    parts = [convert_estimator(part) for part in estimator.estimators_]
    outputs: dict[str, Function] = {}
    if all("decision" in part.kinds for part in parts):
        scores = [part.function("decision") for part in parts]
        outputs["decision"] = lambda X: _columns_of_second_class(scores, X)
    if all("log_odds" in part.kinds for part in parts):
        odds = [part.function("log_odds") for part in parts]
        outputs["log_odds"] = lambda X: _rest_odds(_columns_of_second_class(odds, X))
    if all("probability" in part.kinds for part in parts):
        probabilities = [part.function("probability") for part in parts]
        outputs["probability"] = lambda X: _normalised(anp.stack([p(X)[:, 1] for p in probabilities], axis=1))
    return DifferentiableModel(
        outputs, estimator.classes_, parts[0].n_features, predict=estimator.predict, **shared_traits(parts)
    )


def _columns_of_second_class(functions: list[Function], X: Any) -> Any:
    columns = anp.stack([function(X)[:, 1] for function in functions], axis=1)
    return two_columns(columns) if len(functions) == 1 else columns


def _rest_odds(odds: Any) -> Any:
    """Log-odds after normalising one-vs-rest probabilities; two classes have one model and need no normalising."""
    return odds if odds.shape[1] == 2 else odds_against_rest(log_sigmoid(odds))


def _normalised(p: Any) -> Any:
    if p.shape[1] == 1:
        return anp.concatenate([1 - p, p], axis=1)
    return p / anp.sum(p, axis=1, keepdims=True)


@register_estimator(OneVsOneClassifier)
def one_vs_one(estimator: OneVsOneClassifier) -> DifferentiableModel:
    """Pair values, and scikit-learn's decision values: votes, which jump, plus a bounded sum of the pairs."""
    if estimator.pairwise_indices_ is not None:
        raise AgnsalError("OneVsOneClassifier of precomputed kernels has no gradient over the spectrum.")
    parts = [convert_estimator(part) for part in estimator.estimators_]
    if not all("decision" in part.kinds for part in parts):
        raise AgnsalError("OneVsOneClassifier of classifiers without decision_function is not supported.")
    functions = [part.function("decision") for part in parts]

    def pairs(X: Any) -> Any:
        return anp.stack([function(X)[:, 0] for function in functions], axis=1)

    def decision(X: Any) -> Any:
        scores = votes_and_confidence(pairs(X))
        return two_columns(scores[:, 1]) if estimator.n_classes_ == 2 else scores

    return DifferentiableModel(
        {"decision": decision, "pairwise": pairs},
        estimator.classes_,
        parts[0].n_features,
        predict=estimator.predict,
        **shared_traits(parts),
    )


@register_estimator(CalibratedClassifierCV)
def calibrated(estimator: CalibratedClassifierCV) -> DifferentiableModel:
    """Mean of the calibrated classifiers (one, or one per fold)."""
    inner = [part.estimator for part in estimator.calibrated_classifiers_]
    parts = [convert_estimator(one) for one in inner]
    n_classes = len(estimator.classes_)
    functions = [
        _calibrated_logarithms(calibrator, one, part)
        for calibrator, one, part in zip(estimator.calibrated_classifiers_, inner, parts, strict=True)
    ]
    if n_classes > 2 and any(_votes(one) for one in inner):
        warnings.warn(
            "CalibratedClassifierCV calibrates the one-vs-rest score of this machine, which is made of votes: its "
            "probabilities jump by tens of percent where a vote flips, and their gradient misses the jumps. "
            "A ProbabilisticSVC with the same parameters has smooth probabilities.",
            AgnsalWarning,
            stacklevel=4,
        )

    def log_probability(X: Any) -> Any:
        members = anp.stack([function(X) for function in functions], axis=2)
        return logsumexp(members, axis=2) - np.log(len(functions))

    return DifferentiableModel(
        {
            "probability": lambda X: anp.exp(log_probability(X)),
            "log_odds": lambda X: odds_against_rest(log_probability(X)),
        },
        estimator.classes_,
        parts[0].n_features,
        predict=estimator.predict,
        **shared_traits(parts),
    )


@register_estimator(VotingClassifier)
def soft_vote(estimator: VotingClassifier) -> DifferentiableModel:
    """Weighted mean of the probabilities of several classifiers."""
    if estimator.voting != "soft":
        raise AgnsalError(
            "VotingClassifier with voting='hard' cannot be differentiated: it counts votes. Use voting='soft', or "
            "explain the model with `occlusion`."
        )
    parts = [convert_estimator(part) for part in estimator.estimators_]
    if not all("probability" in part.kinds for part in parts):
        raise AgnsalError("every member of the VotingClassifier must have probabilities.")
    given = estimator._weights_not_none
    weights = np.ones(len(parts)) if given is None else np.asarray(given, dtype=np.float64)
    functions = [part.function("log_odds") for part in parts]

    def log_probability(X: Any) -> Any:
        members = anp.stack([log_sigmoid(function(X)) for function in functions], axis=2)
        return logsumexp(members + np.log(weights / weights.sum()), axis=2)

    return DifferentiableModel(
        {
            "probability": lambda X: anp.exp(log_probability(X)),
            "log_odds": lambda X: odds_against_rest(log_probability(X)),
        },
        estimator.classes_,
        parts[0].n_features,
        predict=estimator.predict,
        **shared_traits(parts),
    )


def _last(estimator: BaseEstimator) -> BaseEstimator:
    """The classifier at the end of pipelines and frozen wrappers."""
    while True:
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        elif type(estimator).__name__ == "FrozenEstimator":
            estimator = estimator.estimator
        else:
            return estimator


def _votes(estimator: BaseEstimator) -> bool:
    """Whether the decision values of more than two classes are made of votes."""
    return isinstance(_last(estimator), SVC | NuSVC | OneVsOneClassifier)


def _calibrated_logarithms(calibrated_part: Any, inner: BaseEstimator, model: DifferentiableModel) -> Function:
    """Logarithms of the probabilities of one calibrated classifier."""
    classes, method, calibrators = calibrated_part.classes, calibrated_part.method, calibrated_part.calibrators
    if method == "isotonic":
        raise AgnsalError(
            "CalibratedClassifierCV with method='isotonic' cannot be differentiated: its calibration is a staircase. "
            "Calibrate with method='sigmoid', or explain the model with `occlusion`."
        )
    last = _last(inner)
    if isinstance(last, SVC | NuSVC) and last.decision_function_shape == "ovo" and len(classes) > 2:
        raise AgnsalError(
            "CalibratedClassifierCV took the pair values of this SVC (decision_function_shape='ovo') for class scores; "
            "its probabilities are wrong. Fit a ProbabilisticSVC, or use decision_function_shape='ovr'."
        )
    if len(model.classes_) != len(classes):
        raise AgnsalError("a fold of this CalibratedClassifierCV has seen some of the classes only; use fewer folds.")
    by_decision = hasattr(inner, "decision_function")
    response = model.function("decision" if by_decision else "probability")
    if method == "temperature":
        beta = float(np.ravel(calibrators[0].beta_)[0])
        logits = response if by_decision else lambda X: anp.log(response(X) + _LOGIT_EPSILON)
        return lambda X: _log_normalised(beta * logits(X))
    a, b = (np.array([getattr(calibrator, name) for calibrator in calibrators]) for name in ("a_", "b_"))
    if len(classes) == 2:
        return lambda X: log_sigmoid(two_columns(-(a * response(X)[:, 1:] + b)))
    return lambda X: _log_normalised(log_sigmoid(-(a * response(X) + b)))


def _log_normalised(logarithms: Any) -> Any:
    return logarithms - logsumexp(logarithms, axis=1, keepdims=True)
