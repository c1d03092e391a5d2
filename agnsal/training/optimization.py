"""Parameters of a perceptron in one vector, and a small Adam to find them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError

# Kingma & Ba 2015, arXiv:1412.6980, with the constants recommended there
_FIRST_DECAY, _SECOND_DECAY, _ADAM_EPSILON = 0.9, 0.999, 1e-8


def unpack(vector: Any, shapes: list[tuple[int, int]]) -> list[tuple[Any, Any]]:
    """Weights and biases from one vector, traceable by autograd.

    Parameters
    ----------
    vector : ndarray
        All parameters, layer by layer, weight before bias.
    shapes : list of (n_out, n_in)
        Of the weights.

    Returns
    -------
    list of (ndarray, ndarray)
    """
    layers, start = [], 0
    for n_out, n_in in shapes:
        middle, stop = start + n_out * n_in, start + n_out * (n_in + 1)
        layers.append((anp.reshape(vector[start:middle], (n_out, n_in)), vector[middle:stop]))
        start = stop
    return layers


def initial(sizes: tuple[int, ...], random: np.random.RandomState) -> NDArray[np.float64]:
    """Weights of variance 2 / n_in (He et al. 2015, arXiv:1502.01852), biases of 0, in one vector."""
    if min(sizes) < 1:
        raise AgnsalError(f"hidden_layer_sizes must be positive, got {sizes[1:-1]}.")
    parts = []
    for n_in, n_out in pairwise(sizes):
        parts += [np.sqrt(2.0 / n_in) * random.normal(size=n_out * n_in), np.zeros(n_out)]
    return np.concatenate(parts)


def adam(function: Callable, rate: float) -> Callable:
    """A step of Adam: from parameters and rows to the loss there and new parameters."""
    first: Any = 0.0
    second: Any = 0.0
    count = 0

    def step(parameters: NDArray, rows: NDArray) -> tuple[float, NDArray]:
        nonlocal first, second, count
        value, gradient = function(parameters, rows)
        count += 1
        first = _FIRST_DECAY * first + (1 - _FIRST_DECAY) * gradient
        second = _SECOND_DECAY * second + (1 - _SECOND_DECAY) * gradient**2
        move = first / (1 - _FIRST_DECAY**count)
        scale = np.sqrt(second / (1 - _SECOND_DECAY**count)) + _ADAM_EPSILON
        return float(value), parameters - rate * move / scale

    return step


def epochs(n: int, progress: bool) -> Any:
    """Count epochs, with a progress bar on request."""
    if not progress:
        return range(n)
    from tqdm.auto import tqdm

    return tqdm(range(n), desc="training", unit="epoch")
