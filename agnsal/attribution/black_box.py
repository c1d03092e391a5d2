"""Models that are only asked for predictions: trees, neighbours, anything fitted."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

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

    Raises
    ------
    AgnsalError
        If it has none of them, or does not say how many features it takes.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> box = BlackBox(DecisionTreeClassifier().fit([[0.0], [1.0]], ["a", "b"]))
    >>> box.outputs([[0.2], [0.8]], "probability")
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(self, estimator: Any) -> None:
        if not hasattr(estimator, "n_features_in_"):
            raise AgnsalError(
                f"{type(estimator).__name__} is not a fitted estimator: it has no n_features_in_. "
                "Fit it first, or give the object that attribute."
            )
        outputs = {}
        if hasattr(estimator, "predict_proba"):
            outputs["probability"] = lambda X: np.asarray(estimator.predict_proba(X), dtype=np.float64)
            outputs["log_odds"] = lambda X: logit(np.clip(outputs["probability"](X), CLIP, 1 - CLIP))
        if hasattr(estimator, "decision_function"):
            outputs["decision"] = lambda X: _class_columns(estimator.decision_function(X))
        elif not outputs and hasattr(estimator, "predict") and not hasattr(estimator, "classes_"):
            outputs["decision"] = lambda X: np.asarray(estimator.predict(X), dtype=np.float64).reshape(len(X), -1)
        if not outputs:
            raise AgnsalError(
                f"{type(estimator).__name__} has neither predict_proba nor decision_function; "
                "its class alone says nothing to attribute."
            )
        self._estimator = estimator
        super().__init__(
            outputs,
            getattr(estimator, "classes_", np.arange(len(np.atleast_1d(getattr(estimator, "n_outputs_", 1))))),
            estimator.n_features_in_,
            predict=estimator.predict if hasattr(estimator, "classes_") else None,
        )

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


def as_function(estimator: Any) -> DifferentiableModel:
    """Make a model that can at least be evaluated: differentiable if possible, else a `BlackBox`.

    Parameters
    ----------
    estimator : object
        Anything `as_differentiable` takes, or any fitted estimator that predicts.

    Returns
    -------
    DifferentiableModel

    Raises
    ------
    AgnsalError
        If it cannot be evaluated either.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> as_function(DecisionTreeClassifier().fit([[0.0], [1.0]], ["a", "b"]))
    <BlackBox: DecisionTreeClassifier, 1 features, probability, log_odds>
    """
    try:
        return as_differentiable(estimator)
    except AgnsalError:
        predicts = any(hasattr(estimator, name) for name in ("predict_proba", "decision_function", "predict"))
        if not (predicts and hasattr(estimator, "n_features_in_")):
            raise
        return BlackBox(estimator)


def _class_columns(decision: NDArray) -> NDArray[np.float64]:
    """Decision values with a column for each class; those of two classes come as one number."""
    decision = np.asarray(decision, dtype=np.float64)
    return np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision
