"""Kernel matrices between spectra and support vectors, as autograd primitives with BLAS derivatives.

Every kernel here is an elementwise function of one matrix product, so its value and its derivative cost one matrix
product each. Squared distances use the expanded square ``|x|^2 + |s|^2 - 2 x.s``, clamped at zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import isbox
from numpy.typing import NDArray

from agnsal.errors import one_of

KERNEL_NAMES = ("linear", "poly", "rbf", "sigmoid")

#: Rows of a kernel matrix evaluated at once, in numbers (16 MiB): enough for BLAS, small enough for the cache.
BLOCK = 2**21

#: Rows of a gradient that are worked on at once.
_ROWS = 64

_SINGLE: ContextVar[bool] = ContextVar("single precision kernels", default=False)


@contextmanager
def single_precision(on: bool = True) -> Iterator[None]:
    """Evaluate kernel matrices in float32 inside the block.

    Parameters
    ----------
    on : bool
        False leaves double precision.

    Examples
    --------
    >>> expansion = KernelExpansion(Kernel("rbf"), np.ones((1, 2)), np.ones((1, 1)), np.zeros(1))
    >>> with single_precision():
    ...     expansion(np.ones((1, 2)))
    array([[1.]])
    """
    token = _SINGLE.set(on)
    try:
        yield
    finally:
        _SINGLE.reset(token)


@primitive
def linear_kernel(X: NDArray, S: NDArray) -> NDArray:
    """Inner products ``x.s``.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Spectra.
    S : ndarray, shape (m, n_features)
        Support vectors.

    Returns
    -------
    ndarray, shape (n, m)

    Examples
    --------
    >>> linear_kernel(np.eye(2), np.array([[3.0, 4.0]]))
    array([[3.],
           [4.]])
    """
    return X @ S.T


defvjp(
    linear_kernel,
    lambda ans, X, S: lambda g: linear_kernel(_like(g, S), anp.transpose(S)),
    lambda ans, X, S: lambda g: linear_kernel(anp.transpose(_like(g, X)), anp.transpose(X)),
)


@primitive
def squared_distances(X: NDArray, S: NDArray) -> NDArray:
    """Squared Euclidean distances ``|x - s|^2`` from one matrix product.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Spectra.
    S : ndarray, shape (m, n_features)
        Support vectors.

    Returns
    -------
    ndarray, shape (n, m)
        Never negative.

    Examples
    --------
    >>> squared_distances(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[3.0, 4.0]]))
    array([[25.],
           [ 0.]])
    """
    return _squared_distances(X, S)


def _squared_distances(X: NDArray, S: NDArray, squares: NDArray | None = None) -> NDArray:
    distances = X @ S.T
    distances *= -2.0
    distances += np.einsum("ij,ij->i", X, X)[:, None]
    distances += np.einsum("ij,ij->i", S, S) if squares is None else squares
    return np.maximum(distances, 0.0, out=distances)


def _pulled_back(g: Any, X: Any, S: Any, factor: float) -> Any:
    """Pull ``g`` back through ``factor |x - s|^2 / 2``: ``factor (sum(g) x - g S)``."""
    total = factor * anp.sum(g, axis=1, keepdims=True)
    pulled = linear_kernel(g, anp.transpose(S))
    if isbox(total) or isbox(X) or isbox(pulled):  # derivatives of derivatives are wanted
        return total * X - factor * pulled
    for start in range(0, len(X), _ROWS):  # in the cache, where passes cost little
        rows = slice(start, start + _ROWS)
        pulled[rows] *= -factor
        pulled[rows] += total[rows] * X[rows]
    return pulled


defvjp(
    squared_distances,
    lambda ans, X, S: lambda g: _pulled_back(_like(g, S), X, S, 2.0),
    lambda ans, X, S: lambda g: _pulled_back(anp.transpose(_like(g, X)), S, X, 2.0),
)


@primitive
def rbf_kernel(X: NDArray, S: NDArray, gamma: float, squares: NDArray | None = None) -> NDArray:
    """Gaussian kernel ``exp(-gamma |x - s|^2)``.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Spectra.
    S : ndarray, shape (m, n_features)
        Support vectors.
    gamma : float
        Inverse square width.
    squares : ndarray, shape (m,), optional
        The ``|s|^2``, if they are known already.

    Returns
    -------
    ndarray, shape (n, m)

    Examples
    --------
    >>> rbf_kernel(np.zeros((1, 2)), np.array([[0.0, 0.0], [1.0, 0.0]]), 1.0).round(4)
    array([[1.    , 0.3679]])
    """
    K = _squared_distances(X, S, squares)
    K *= -gamma
    return np.exp(K, out=K)


defvjp(
    rbf_kernel,
    lambda ans, X, S, gamma, squares=None: lambda g: _pulled_back(_like(g, S) * ans, X, S, -2.0 * gamma),
    lambda ans, X, S, gamma, squares=None: lambda g: _pulled_back(anp.transpose(_like(g, X) * ans), S, X, -2.0 * gamma),
    argnums=(0, 1),
)


def poly_kernel(X: Any, S: Any, gamma: float, coef0: float, degree: float) -> Any:
    """Polynomial kernel ``(gamma x.s + coef0)^degree``.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Spectra.
    S : ndarray, shape (m, n_features)
        Support vectors.
    gamma, coef0, degree : float
        Whole degrees are evaluated by multiplication.

    Returns
    -------
    ndarray, shape (n, m)

    Examples
    --------
    >>> poly_kernel(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), 1.0, 1.0, 2)
    array([[144.]])
    """
    return _power(gamma * linear_kernel(X, S) + coef0, degree)


def sigmoid_kernel(X: Any, S: Any, gamma: float, coef0: float) -> Any:
    """Sigmoid kernel ``tanh(gamma x.s + coef0)``.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Spectra.
    S : ndarray, shape (m, n_features)
        Support vectors.
    gamma, coef0 : float
        Slope and offset.

    Returns
    -------
    ndarray, shape (n, m)

    Examples
    --------
    >>> sigmoid_kernel(np.array([[1.0]]), np.array([[0.5]]), 1.0, 0.0).round(4)
    array([[0.4621]])
    """
    return anp.tanh(gamma * linear_kernel(X, S) + coef0)


def _power(base: Any, degree: float) -> Any:
    """Raise to a power; small whole powers by multiplication, which is ten times faster than pow."""
    if degree != int(degree) or not 1 <= degree <= 8:
        return base**degree
    result = base
    for _ in range(int(degree) - 1):
        result = result * base
    return result


def _like(g: Any, array: Any) -> Any:
    """Cast a cotangent to the precision of the arrays it will be multiplied with."""
    return g if g.dtype == array.dtype else g.astype(array.dtype)


@dataclass(frozen=True)
class Kernel:
    """A kernel and its parameters; call it on two matrices.

    Parameters
    ----------
    name : {"linear", "poly", "rbf", "sigmoid"}
        The kernel.
    gamma, coef0, degree : float
        Its parameters, as in scikit-learn; those a kernel does not use are ignored.

    Raises
    ------
    AgnsalError
        If the name is not one of the four.

    Examples
    --------
    >>> kernel = Kernel("rbf", gamma=0.5)
    >>> kernel(np.zeros((2, 3)), np.zeros((1, 3)))
    array([[1.],
           [1.]])
    """

    name: str
    gamma: float = 1.0
    coef0: float = 0.0
    degree: float = 3

    def __post_init__(self) -> None:
        one_of("kernel", self.name, KERNEL_NAMES)

    def __call__(self, X: Any, S: Any, squares: NDArray | None = None) -> Any:
        """Kernel matrix, shape (n, m), traceable by autograd in both arguments; `squares` may hold the ``|s|^2``."""
        if self.name == "rbf":
            return rbf_kernel(X, S, self.gamma, squares)
        if self.name == "linear":
            return linear_kernel(X, S)
        if self.name == "poly":
            return poly_kernel(X, S, self.gamma, self.coef0, self.degree)
        return sigmoid_kernel(X, S, self.gamma, self.coef0)


@dataclass(frozen=True, eq=False)
class KernelExpansion:
    """The functions ``f(x) = sum_s K(x, s) c_s + b``: what every kernel machine is made of.

    Parameters
    ----------
    kernel : Kernel
        The kernel.
    support_vectors : ndarray, shape (n_support, n_features)
        Support vectors.
    coefficients : ndarray, shape (n_support, n_outputs)
        Dual coefficients of every function.
    intercepts : ndarray, shape (n_outputs,)
        Offsets.

    Examples
    --------
    >>> KernelExpansion(Kernel("linear"), np.eye(2), np.array([[1.0], [2.0]]), np.array([0.5]))(np.ones((1, 2)))
    array([[3.5]])
    """

    kernel: Kernel
    support_vectors: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    _cache: dict[str, NDArray] = field(default_factory=dict, repr=False)

    def __call__(self, X: Any) -> Any:
        """Values, shape (n, n_outputs); traceable by autograd."""
        if self.kernel.name == "linear":
            return linear_kernel(X, self.weights) + self.intercepts
        if _SINGLE.get():
            return self._in_single_precision(X)
        if "squares" not in self._cache:
            self._cache["squares"] = np.einsum("ij,ij->i", self.support_vectors, self.support_vectors)
        K = self.kernel(X, self.support_vectors, self._cache["squares"])
        return anp.dot(K, self.coefficients) + self.intercepts

    def _in_single_precision(self, X: Any) -> Any:
        """Kernel matrix in float32; distances are taken from the mean, where fewer digits cancel."""
        if "single" not in self._cache:
            center = self.support_vectors.mean(axis=0) if self.kernel.name == "rbf" else np.zeros(1)
            vectors = (self.support_vectors - center).astype(np.float32)
            squares = np.einsum("ij,ij->i", vectors, vectors)
            self._cache.update({"center": center, "single": vectors, "single squares": squares})
        X = (X - self._cache["center"]).astype(np.float32)
        K = self.kernel(X, self._cache["single"], self._cache["single squares"])
        return anp.dot(K, self.coefficients) + self.intercepts

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weight of every feature in every function of a linear kernel, shape (n_outputs, n_features)."""
        if "weights" not in self._cache:
            self._cache["weights"] = self.coefficients.T @ self.support_vectors
        return self._cache["weights"]

    def in_blocks(self, X: NDArray) -> NDArray[np.float64]:
        """Values without ever holding more than a block of the kernel matrix, shape (n, n_outputs)."""
        step = max(1, BLOCK // max(1, len(self.support_vectors)))
        if len(X) <= step:
            return self(X)
        return np.concatenate([self(X[start : start + step]) for start in range(0, len(X), step)])
