"""Models that are only asked for predictions: trees, neighbours, anything fitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.base import BaseEstimator

from agnsal.errors import AgnsalError
from agnsal.models.differentiable import DifferentiableModel, as_differentiable

#: Predicted probabilities are clipped to this distance from 0 and 1 before log-odds are taken.
CLIP = 1e-7


class BlackBox(DifferentiableModel):
    """A fitted estimator that predicts and cannot be differentiated, with the outputs of a `DifferentiableModel`.

    Parameters
    ----------
    estimator : object
        With `predict_proba`, `decision_function`, or (for regressors) `predict`.
    X : ndarray, shape (n, n_features)
        A spectrum it takes, at least, to learn what it does not say of itself.

    Raises
    ------
    AgnsalError
        If it has none of these methods.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X = np.array([[0.0], [1.0]])
    >>> BlackBox(DecisionTreeClassifier().fit(X, ["a", "b"]), X).outputs([[0.2], [0.8]], "probability")
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(self, estimator: Any, X: NDArray[np.float64]) -> None:
        outputs: dict[str, Callable[[Any], Any]] = {}
        if hasattr(estimator, "predict_proba"):
            outputs["probability"] = lambda X: np.asarray(estimator.predict_proba(X), dtype=np.float64)
            outputs["log_odds"] = lambda X: logit(np.clip(outputs["probability"](X), CLIP, 1 - CLIP))
        if hasattr(estimator, "decision_function"):
            outputs["decision"] = lambda X: _class_columns(estimator.decision_function(X))
        elif not outputs and hasattr(estimator, "predict") and not hasattr(estimator, "classes_"):
            outputs["prediction"] = lambda X: np.asarray(estimator.predict(X), dtype=np.float64).reshape(len(X), -1)
        if not outputs:
            raise AgnsalError(
                f"{type(estimator).__name__} has neither predict_proba nor decision_function; "
                "its class alone says nothing to attribute."
            )
        self._estimator = estimator
        labels = getattr(estimator, "classes_", None)
        if labels is None:
            labels = np.arange(next(iter(outputs.values()))(X[:1]).shape[1])
        super().__init__(
            outputs,
            labels,
            estimator.n_features_in_ if hasattr(estimator, "n_features_in_") else X.shape[1],
            predict=getattr(estimator, "predict", None) if hasattr(estimator, "classes_") else None,
        )

    def _batch_size(self, batch_size: int | None, max_memory: float) -> int:
        """Forests and neighbours are slow to start: take many at once."""
        return max(256, super()._batch_size(batch_size, max_memory), 2**21 // self.n_features)

    def __repr__(self) -> str:
        return f"<BlackBox: {type(self._estimator).__name__}, {self.n_features} features, {', '.join(self.kinds)}>"

    def gradient(self, *_args: Any, **_options: Any) -> NoReturn:
        """Refuse: there is no gradient.

        Raises
        ------
        AgnsalError
            Always.
        """
        raise AgnsalError(
            f"{type(self._estimator).__name__} cannot be differentiated; use `occlusion`, `line_ablation` or `shapley`."
        )


def as_function(estimator: Any, X: NDArray[np.float64]) -> DifferentiableModel:
    """Make a model that can at least be evaluated: differentiable if possible, else a `BlackBox`.

    Parameters
    ----------
    estimator : object
        Anything `as_differentiable` takes, or any fitted object that predicts.
    X : ndarray, shape (n, n_features)
        Spectra it takes.

    Returns
    -------
    DifferentiableModel

    Raises
    ------
    AgnsalError
        If it cannot be evaluated either, or is not fitted.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X = np.array([[0.0], [1.0]])
    >>> as_function(DecisionTreeClassifier().fit(X, ["a", "b"]), X)
    <BlackBox: DecisionTreeClassifier, 1 features, probability, log_odds>
    """
    try:
        return as_differentiable(estimator)
    except AgnsalError:
        if isinstance(estimator, BaseEstimator) and not hasattr(estimator, "n_features_in_"):
            raise AgnsalError(f"this {type(estimator).__name__} is not fitted yet; call fit first.") from None
        predicts = any(hasattr(estimator, name) for name in ("predict_proba", "decision_function", "predict"))
        if isinstance(estimator, type) or len(X) == 0 or not (predicts or callable(estimator)):
            raise
        return BlackBox(estimator if predicts else _Predicting(estimator), X)


class _Predicting:
    """A bare function, from spectra to one number each, or a column for each output."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.predict = function


def _class_columns(decision: NDArray) -> NDArray[np.float64]:
    """Decision values with a column for each class; those of two classes come as one number."""
    decision = np.asarray(decision, dtype=np.float64)
    return np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision
