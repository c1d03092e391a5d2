"""From a scikit-learn perceptron to the arrays of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from agnsal.errors import AgnsalError


def arrays_of(perceptron: Any, scaler: Any = None) -> tuple[list[NDArray], list[NDArray], str, NDArray | None]:
    """Weights, biases, activation and classes of a fitted perceptron.

    Parameters
    ----------
    perceptron : MLPClassifier or MLPRegressor
        Fitted.
    scaler : StandardScaler, optional
        Fitted, to be folded into the first layer.

    Returns
    -------
    weights, biases : list of ndarray
        Shapes (n_out, n_in) and (n_out,).
    activation : str
        Between the layers.
    classes : ndarray or None
        Labels of a classifier.

    Raises
    ------
    AgnsalError
        If they are something else, not fitted, or a classifier of several labels at once.
    """
    if not isinstance(perceptron, MLPClassifier | MLPRegressor):
        raise AgnsalError(
            f"from_sklearn takes a fitted MLPClassifier or MLPRegressor, got {type(perceptron).__name__}; of a "
            "Pipeline take the last step, and transform the spectra with the steps before it."
        )
    if not hasattr(perceptron, "coefs_"):
        raise AgnsalError(f"this {type(perceptron).__name__} is not fitted yet; call fit first.")
    classes = None
    if isinstance(perceptron, MLPClassifier):
        classes = perceptron.classes_
        if perceptron.out_activation_ == "logistic" and (perceptron.n_outputs_ > 1 or len(classes) != 2):
            raise AgnsalError("a perceptron that gives several labels at once is not supported; fit one per label.")
    weights = [np.array(coefficient.T, dtype=np.float64) for coefficient in perceptron.coefs_]
    biases = [np.array(intercept, dtype=np.float64) for intercept in perceptron.intercepts_]
    if scaler is not None:
        if not isinstance(scaler, StandardScaler) or not hasattr(scaler, "n_features_in_"):
            raise AgnsalError(f"only a fitted StandardScaler can be folded in, got {type(scaler).__name__}.")
        if scaler.n_features_in_ != weights[0].shape[1]:
            raise AgnsalError(
                f"the scaler is of {scaler.n_features_in_} features, the network of {weights[0].shape[1]}."
            )
        weights[0] = weights[0] / (scaler.scale_ if scaler.with_std else 1.0)
        biases[0] = biases[0] - weights[0] @ (scaler.mean_ if scaler.with_mean else np.zeros(scaler.n_features_in_))
    return weights, biases, perceptron.activation, classes
