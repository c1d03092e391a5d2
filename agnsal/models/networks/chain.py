"""Layers in a row: their values and gradients, sums of two rows, and the number of features they take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.models.networks.layers import Dense, Layer, Pool


@dataclass(frozen=True, eq=False)
class Residual(Layer):
    """The sum of two branches; an empty branch is the identity.

    Attributes
    ----------
    branch, shortcut : tuple of Layer
    """

    branch: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: D102
        return trace(self.branch, x)[-1] + trace(self.shortcut, x)[-1]

    def backward(self, x: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: D102
        return pull_back(self.branch, x, gradient) + pull_back(self.shortcut, x, gradient)


def trace(layers: tuple[Layer, ...], x: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Input of every layer in a row, and the output of the last."""
    values = [x]
    for layer in layers:
        values.append(layer.forward(values[-1]))
    return values


def pull_back(layers: tuple[Layer, ...], x: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gradient over the input of layers in a row."""
    for layer, value in zip(reversed(layers), reversed(trace(layers, x)[:-1]), strict=True):
        gradient = layer.backward(value, gradient)
    return gradient


def flat(layers: tuple[Layer, ...]) -> list[Layer]:
    """Layers in a row with those of the branches of residual blocks, branch before shortcut."""
    parts = ([layer] if not isinstance(layer, Residual) else flat(layer.branch + layer.shortcut) for layer in layers)
    return [layer for part in parts for layer in part]


def input_length(layers: tuple[Layer, ...]) -> int | None:
    """Number of features the layers take, or None if several would fit or none does."""
    first = next((layer for layer in flat(layers) if layer.spatial is not None), None)
    if first is None or not first.spatial:
        return first.weight.shape[1] if isinstance(first, Dense) else None
    dense = next((layer for layer in layers if isinstance(layer, Dense)), None)
    if dense is None or any(isinstance(layer, Pool) and layer.size is None for layer in layers):
        return None
    before, wanted = layers[: layers.index(dense)], dense.weight.shape[1]

    def width(length: int) -> int:
        try:
            return trace(before, np.zeros((1, 1, length)))[-1].shape[1]
        except AgnsalError:
            return 0  # shorter than a window

    low, high = 0, 1  # the width grows with the length: bracket it, then bisect
    while width(high) < wanted and high < 2**16:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if width(middle) < wanted else (low, middle)
    return high if width(high) == wanted < width(high + 1) else None
