"""Train a network on a benchmark with a known answer, and judge every attribution method on it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agnsal.checks.benchmarks.methods import Explanation, methods_for, random_control
from agnsal.checks.benchmarks.peers import peers_for
from agnsal.checks.scoring import BenchmarkScores
from agnsal.models.networks.network import Network

if TYPE_CHECKING:
    from agnsal.checks.benchmarks.piecewise import PiecewiseLinearBenchmark


def train_network(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    hidden_layer_sizes: Sequence[int] = (128, 64, 32),
    *,
    epochs: tuple[int, int] = (40, 15),
    batch_size: int = 200,
    random_state: int | None = 0,
) -> Network:
    """Train a network with ReLU on a regression with scikit-learn.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Inputs, standardised.
    y : ndarray, shape (n,)
        Targets of any scale.
    hidden_layer_sizes : sequence of int
        Widths of the hidden layers.
    epochs : (int, int)
        Epochs of Adam at a learning rate of 1e-3, then at 1e-4.
    batch_size : int
        Inputs a step.
    random_state : int, optional
        Seeds weights and order.

    Returns
    -------
    Network
        One output, in the unit of y.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    scale = y.std()
    perceptron = MLPRegressor(
        hidden_layer_sizes=tuple(hidden_layer_sizes),
        batch_size=min(batch_size, len(X)),
        warm_start=True,
        tol=0.0,
        n_iter_no_change=sum(epochs) + 1,
        random_state=random_state,
    )
    with warnings.catch_warnings():  # the number of epochs is what was asked for
        warnings.simplefilter("ignore", ConvergenceWarning)
        for n_epochs, rate in zip(epochs, (1e-3, 1e-4), strict=True):
            perceptron.set_params(max_iter=n_epochs, learning_rate_init=rate).fit(X, y / scale)
    *hidden, last = perceptron.coefs_
    *biases, offset = perceptron.intercepts_
    return Network.dense([W.T for W in [*hidden, scale * last]], [*biases, scale * offset])


def score_network(
    benchmark: PiecewiseLinearBenchmark,
    network: Network,
    *,
    methods: Sequence[str] | None = None,
    n_explained: int = 500,
    peers: bool = False,
    seed: int = 0,
) -> BenchmarkScores:
    """Judge every method of the package on a trained network against the truth.

    Methods that share out the output are judged against the contribution C_i / d. Gradients are judged against it as
    the paper did, and against the slope, which is their fair truth. Methods that keep one sign are judged against the
    positive part and the absolute value as well. Beside them stand input x weight of a linear model, with and without
    intercept, and a random map.

    Parameters
    ----------
    benchmark : PiecewiseLinearBenchmark
        With inputs of its own.
    network : Network
        With one output.
    methods : sequence of str, optional
        Names as in `agnsal.checks.benchmarks.methods.methods_for`; by default all.
    n_explained : int
        Number of test inputs to explain.
    peers : bool
        Judge the methods of captum and shap as well, where these are installed.
    seed : int
        For the methods that draw.

    Returns
    -------
    BenchmarkScores
        With ``facts``: R2 of the network and of the linear models on the test inputs.
    """
    X_train, y_train, X_test, y_test = benchmark.training_set()
    X = X_test[:n_explained]
    asked = Explanation(network, X, None, "decision", baseline="zero", noise=1.0, seed=seed)
    known = methods_for(network, methods) | (peers_for(network) if peers else {})
    maps = {name: method(asked) for name, method in known.items()}
    facts = {"r2": _r2(network.forward(X_test)[:, 0], y_test)}
    for name, intercept in (("linear model", True), ("linear model, no intercept", False)):
        weight, offset = _least_squares(X_train, y_train, intercept)
        maps[name] = X * weight
        facts[f"r2 {name}"] = _r2(X_test @ weight + offset, y_test)
    maps["control: random"] = random_control(asked)
    C = benchmark.attribution(X)
    truths = {
        "contribution": C,
        "positive contribution": np.maximum(C, 0.0),
        "absolute contribution": np.abs(C),
        "slope": benchmark.slope(X),
    }
    sign = np.sign(network.forward(X)[:, 0])
    return BenchmarkScores(maps, truths, {name: _fair(name) for name in maps}, sign, facts)


def _fair(method: str) -> tuple[str, ...]:
    """Which truths a method is judged against."""
    if method in ("gradient", "SmoothGrad"):
        return ("contribution", "slope")
    if method in ("LRP alpha1beta0", "deep Taylor"):
        return ("contribution", "positive contribution", "absolute contribution")
    return ("contribution",)


def _r2(predicted: NDArray, y: NDArray) -> float:
    return float(1 - ((predicted - y) ** 2).mean() / y.var())


def _least_squares(X: NDArray, y: NDArray, intercept: bool) -> tuple[NDArray, float]:
    mean, level = (X.mean(axis=0), float(y.mean())) if intercept else (np.zeros(X.shape[1]), 0.0)
    weight = np.linalg.lstsq(X - mean, y - level, rcond=None)[0]
    return weight, level - float(mean @ weight)
