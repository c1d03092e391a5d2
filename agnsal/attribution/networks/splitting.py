"""How a layer of a network splits its output into a relevant and an irrelevant part.

The rules of contextual decomposition for perceptrons and convolutional networks: Singh, Murdoch & Yu 2019,
arXiv:1806.05337; the symmetric rule is that of Murdoch, Liu & Yu 2018, arXiv:1801.05453, which is the Shapley value of
two players.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError, one_of
from agnsal.models.networks.chain import Residual
from agnsal.models.networks.layers import Affine, BatchNorm, Elementwise, Layer, Logistic, MaxPool, ReLU

Rule = Literal["authors", "symmetric"]
RULES: tuple[Rule, ...] = ("authors", "symmetric")
_TINY = 1e-20  # keeps 0 / 0 away when the bias is shared; part of the definition
_Parts = tuple[NDArray[np.float64], NDArray[np.float64]]


def split(layers: tuple[Layer, ...], relevant: NDArray, irrelevant: NDArray, rule: Rule = "authors") -> _Parts:
    """Carry two parts of an input through layers in a row; their sum is always what the layers put out.

    Parameters
    ----------
    layers : tuple of Layer
        Of a `Network`.
    relevant, irrelevant : ndarray
        Parts of the input, as the first layer takes them.
    rule : {"authors", "symmetric"}
        See `contextual_decomposition`.

    Returns
    -------
    relevant, irrelevant : ndarray
        Parts of the output.

    Raises
    ------
    AgnsalError
        If there is no rule for a layer, which is named, or no such `rule`.

    Examples
    --------
    >>> from agnsal.models.networks.layers import Dense
    >>> layers = (Dense(np.array([[1.0, -1.0]]), np.array([2.0])), ReLU())
    >>> split(layers, np.array([[3.0, 0.0]]), np.array([[0.0, 1.0]]))
    (array([[4.5]]), array([[-0.5]]))
    """
    one_of("rule", rule, RULES)
    for layer in layers:
        relevant, irrelevant = _split_one(layer, relevant, irrelevant, rule)
    return relevant, irrelevant


def _split_one(layer: Layer, beta: NDArray, gamma: NDArray, rule: Rule) -> _Parts:
    """Parts of the output of one layer."""
    if isinstance(layer, BatchNorm):
        return _affine(layer, beta, gamma, nothing=0.0)
    if isinstance(layer, Affine):
        return _affine(layer, beta, gamma, nothing=0.5)
    if isinstance(layer, ReLU) and rule == "authors":
        relevant = layer.forward(beta)
        return relevant, layer.forward(beta + gamma) - relevant
    if isinstance(layer, Elementwise):
        return _symmetric(layer, beta, gamma)
    if isinstance(layer, MaxPool):
        places = layer.choose(beta + gamma)
        return layer.read(beta, places), layer.read(gamma, places)
    if isinstance(layer, Residual):
        first = split(layer.branch, beta, gamma, rule)
        second = split(layer.shortcut, beta, gamma, rule)
        return first[0] + second[0], first[1] + second[1]
    raise AgnsalError(f"contextual decomposition has no rule for a layer {type(layer).__name__}.")


def _affine(layer: Affine, beta: NDArray, gamma: NDArray, nothing: float) -> _Parts:
    """Each part through the linear map, the offset shared by size; `nothing` is the share of two parts that are 0."""
    beta, gamma = layer.linear(beta), layer.linear(gamma)
    offset = layer.offset(beta.ndim)
    share = _share(beta, gamma)
    if nothing != 0.5:
        share = np.where((beta == 0) & (gamma == 0), nothing, share)
    return beta + share * offset, gamma + (1.0 - share) * offset


def _share(beta: NDArray, gamma: NDArray) -> NDArray[np.float64]:
    """The relevant part's share of a constant."""
    size = np.abs(beta)
    return (size + _TINY) / (size + np.abs(gamma) + 2 * _TINY)


def _symmetric(layer: Elementwise, beta: NDArray, gamma: NDArray) -> _Parts:
    """Mean over both orders in which the parts can come in; the value at 0 is shared as a bias is."""
    function: Callable[[NDArray], NDArray] = layer.function
    both = function(beta + gamma)
    relevant = 0.5 * (function(beta) + both - function(gamma))
    if isinstance(layer, Logistic):
        constant = 0.5
        relevant = relevant - 0.5 * constant + _share(beta, gamma) * constant
    return relevant, both - relevant
