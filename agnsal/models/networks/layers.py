# ruff: noqa: ARG002, D102 - what overrides a method is documented, with its arguments, where that is declared
"""The layers of a network, each with its derivative, in float64.

An array between layers is (n, n_features), or (n, channels, length) before a `Flatten`. Everything that is affine says
so (`Affine`: a linear map and an offset), because contextual decomposition and relevance propagation treat the two
apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import expit

from agnsal.errors import AgnsalError


@dataclass(frozen=True, eq=False)
class Layer(ABC):
    """One step of a network.

    Attributes
    ----------
    spatial : bool or None
        Whether it wants (n, channels, length), wants (n, n_features), or takes both (None).
    """

    spatial: ClassVar[bool | None] = None

    @abstractmethod
    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Output for an input."""

    @abstractmethod
    def backward(self, x: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gradient over the input, given the input and the gradient over the output."""


class Affine(Layer):
    """A layer that is a linear map and an offset."""

    def offset(self, ndim: int) -> NDArray[np.float64] | float:
        """What is added to the linear map, to be broadcast over an output of 2 or 3 axes."""
        return 0.0

    @abstractmethod
    def linear(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply the linear map alone."""

    @abstractmethod
    def adjoint(self, gradient: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Apply the transposed map, from the output to an input of a shape."""

    def mapped(self, function: Callable[[NDArray], NDArray]) -> Affine:
        """Make the linear map with a function of each weight, without offset; weights that are 1 or 1/k stay."""
        return self

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        y = self.linear(x)
        return y + self.offset(y.ndim)

    def backward(self, x: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.adjoint(gradient, x.shape)


@dataclass(frozen=True, eq=False)
class Dense(Affine):
    """Every output from every input.

    Attributes
    ----------
    weight : ndarray, shape (n_out, n_in)
    bias : ndarray, shape (n_out,)
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    spatial = False

    def offset(self, ndim: int) -> NDArray[np.float64]:
        return self.bias

    def linear(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x @ self.weight.T

    def adjoint(self, gradient: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        return gradient @ self.weight

    def mapped(self, function: Callable[[NDArray], NDArray]) -> Dense:
        return Dense(function(self.weight), np.zeros_like(self.bias))


@dataclass(frozen=True, eq=False)
class Conv1d(Affine):
    """Cross-correlation along the wavelengths.

    Attributes
    ----------
    weight : ndarray, shape (channels_out, channels_in, size)
    bias : ndarray, shape (channels_out,)
    stride, dilation : int
    padding : tuple of int
        Zeros added on the left and on the right.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    stride: int = 1
    dilation: int = 1
    padding: tuple[int, int] = (0, 0)
    spatial = True

    def offset(self, ndim: int) -> NDArray[np.float64]:
        return self.bias[:, None]

    @property
    def reach(self) -> int:
        """Bins one output sees, from its first to its last."""
        return self.dilation * (self.weight.shape[2] - 1) + 1

    def linear(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        windows = _windows(x, self.reach, self.stride, self.padding, 0.0)[..., :: self.dilation]
        n, _, length, _ = windows.shape
        columns = windows.transpose(0, 2, 1, 3).reshape(n * length, -1)
        result = columns @ self.weight.reshape(len(self.weight), -1).T
        return result.reshape(n, length, -1).transpose(0, 2, 1)

    def adjoint(self, gradient: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        n, filters, length = gradient.shape
        columns = gradient.transpose(0, 2, 1).reshape(n * length, filters) @ self.weight.reshape(filters, -1)
        columns = columns.reshape(n, length, *self.weight.shape[1:]).transpose(0, 2, 1, 3)
        return _scatter(columns, shape, self.stride, self.dilation, self.padding)

    def mapped(self, function: Callable[[NDArray], NDArray]) -> Conv1d:
        return replace(self, weight=function(self.weight), bias=np.zeros_like(self.bias))


@dataclass(frozen=True, eq=False)
class BatchNorm(Affine):
    """Batch normalisation with the statistics of the training: a scale and a shift for each feature or channel.

    Attributes
    ----------
    scale, shift : ndarray, shape (n_features,) or (channels,)
    """

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]

    @classmethod
    def from_statistics(
        cls, mean: NDArray, variance: NDArray, weight: NDArray | float, bias: NDArray | float, epsilon: float
    ) -> BatchNorm:
        """From what a trained layer keeps: ``(x - mean) / sqrt(variance + epsilon) * weight + bias``."""
        scale = np.asarray(weight / np.sqrt(variance + epsilon), dtype=np.float64)
        return cls(scale, np.asarray(bias - mean * scale, dtype=np.float64))

    def offset(self, ndim: int) -> NDArray[np.float64]:
        return self.shift[:, None] if ndim == 3 else self.shift

    def _factor(self, ndim: int) -> NDArray[np.float64]:
        return self.scale[:, None] if ndim == 3 else self.scale

    def linear(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x * self._factor(x.ndim)

    def adjoint(self, gradient: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        return gradient * self._factor(gradient.ndim)

    def mapped(self, function: Callable[[NDArray], NDArray]) -> BatchNorm:
        return BatchNorm(function(self.scale), np.zeros_like(self.shift))


@dataclass(frozen=True, eq=False)
class Flatten(Affine):
    """From (n, channels, length) to (n, channels x length)."""

    def linear(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x.reshape(len(x), -1)

    def adjoint(self, gradient: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        return gradient.reshape(shape)


@dataclass(frozen=True, eq=False)
class Pool(Layer):
    """Windows of `size` bins (None: the whole length), `stride` apart."""

    size: int | None = None
    stride: int | None = None
    padding: int = 0
    spatial = True

    def _window(self, x: NDArray, fill: float) -> tuple[NDArray, int]:
        size = x.shape[-1] if self.size is None else self.size
        stride = self.stride or size
        return _windows(x, size, stride, (self.padding, self.padding), fill), stride


@dataclass(frozen=True, eq=False)
class AveragePool(Pool, Affine):
    """Mean of neighbouring bins; padded zeros count, unless `count_padding` is False."""

    count_padding: bool = True

    def _counts(self, shape: tuple[int, ...]) -> NDArray:
        ones, _ = self._window(np.ones((1, 1, shape[-1])), 0.0)
        return np.full(ones.shape[2], float(ones.shape[3])) if self.count_padding else ones.sum(axis=-1)[0, 0]

    def linear(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._window(x, 0.0)[0].sum(axis=-1) / self._counts(x.shape)

    def adjoint(self, gradient: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        size = shape[-1] if self.size is None else self.size
        columns = np.repeat((gradient / self._counts(shape))[..., None], size, axis=-1)
        return _scatter(columns, shape, self.stride or size, 1, (self.padding, self.padding))


@dataclass(frozen=True, eq=False)
class MaxPool(Pool):
    """Largest of neighbouring bins; of equal ones the first."""

    def choose(self, x: NDArray[np.float64]) -> NDArray[np.intp]:
        """Place of the largest in each window, shape (n, channels, length_out)."""
        return self._window(x, -np.inf)[0].argmax(axis=-1)

    def read(self, x: NDArray[np.float64], places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Read the values at places found by `choose`."""
        return np.take_along_axis(self._window(x, 0.0)[0], places[..., None], axis=-1)[..., 0]

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._window(x, -np.inf)[0].max(axis=-1)

    def backward(self, x: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.hand_back(self.choose(x), gradient, x.shape)

    def hand_back(
        self, places: NDArray[np.intp], gradient: NDArray[np.float64], shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Give what comes back for each window to one place in it, in an input of a shape."""
        size = shape[-1] if self.size is None else self.size
        columns = np.where(np.arange(size) == places[..., None], gradient[..., None], 0.0)
        return _scatter(columns, shape, self.stride or size, 1, (self.padding, self.padding))


class Elementwise(Layer):
    """A layer that treats every number alike."""

    @abstractmethod
    def function(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Value of the function."""

    @abstractmethod
    def slope(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivative of the function."""

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.function(x)

    def backward(self, x: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        return gradient * self.slope(x)


class ReLU(Elementwise):
    """``max(x, 0)``; the derivative at 0 is 0."""

    def function(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.maximum(x, 0.0)

    def slope(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return (x > 0).astype(np.float64)


class Tanh(Elementwise):
    """Hyperbolic tangent."""

    def function(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.tanh(x)

    def slope(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1.0 - np.tanh(x) ** 2


class Logistic(Elementwise):
    """``1 / (1 + exp(-x))``."""

    def function(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return expit(x)

    def slope(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return expit(x) * expit(-x)


def _windows(x: NDArray, size: int, stride: int, padding: tuple[int, int], fill: float) -> NDArray:
    """All windows along the last axis, shape (n, channels, length_out, size)."""
    if x.ndim != 3:
        raise AgnsalError(f"a layer along the wavelengths got {x.ndim - 1} axes; it stands after a Flatten or Dense.")
    if any(padding):
        x = np.pad(x, ((0, 0), (0, 0), padding), constant_values=fill)
    if x.shape[-1] < size:
        raise AgnsalError(f"a layer that sees {size} bins at once got {x.shape[-1]}; the spectra are too short.")
    return sliding_window_view(x, size, axis=-1)[:, :, ::stride]


def _scatter(
    columns: NDArray, shape: tuple[int, ...], stride: int, dilation: int, padding: tuple[int, int]
) -> NDArray[np.float64]:
    """Transpose of taking windows: add (n, channels, length_out, size) up where each number was read."""
    length, size = columns.shape[2:]
    padded = np.zeros((shape[0], columns.shape[1], shape[2] + sum(padding)))
    for tap in range(size):
        start = tap * dilation
        padded[..., start : start + stride * (length - 1) + 1 : stride] += columns[..., tap]
    return padded[..., padding[0] : padding[0] + shape[2]]
