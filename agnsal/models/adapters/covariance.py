"""Covariances of scikit-learn's Gaussian processes, as functions autograd can trace."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import gamma, kv
from sklearn.gaussian_process import kernels

from agnsal.errors import AgnsalError
from agnsal.models.machine.kernels import linear_kernel, squared_distances


def traced_kernel(kernel: Any) -> Any:  # noqa: PLR0911 (one per kind of kernel)
    """Covariance of a scikit-learn kernel between two different sets of spectra, as a function autograd traces.

    Parameters
    ----------
    kernel : Kernel of sklearn.gaussian_process
        RBF, Matern, rational quadratic, dot product, constant, white noise, and sums, products and powers of these.

    Returns
    -------
    callable
        From (n, n_features) and (m, n_features) to (n, m).

    Raises
    ------
    AgnsalError
        For any other kernel.

    Examples
    --------
    >>> traced_kernel(2.0 * kernels.RBF(1.0))(np.zeros((1, 2)), np.zeros((1, 2)))
    array([[2.]])
    """
    if isinstance(kernel, kernels.Sum | kernels.Product):
        first, second = traced_kernel(kernel.k1), traced_kernel(kernel.k2)
        if isinstance(kernel, kernels.Sum):
            return lambda X, Y: first(X, Y) + second(X, Y)
        return lambda X, Y: first(X, Y) * second(X, Y)
    if isinstance(kernel, kernels.Exponentiation):
        base = traced_kernel(kernel.kernel)
        return lambda X, Y: base(X, Y) ** kernel.exponent
    if isinstance(kernel, kernels.ConstantKernel):
        return lambda X, Y: kernel.constant_value * np.ones((1, 1))
    if isinstance(kernel, kernels.WhiteKernel):
        return lambda X, Y: np.zeros((1, 1))
    if type(kernel) is kernels.RBF:
        scale = 1.0 / np.asarray(kernel.length_scale)
        return lambda X, Y: anp.exp(-0.5 * squared_distances(X * scale, Y * scale))
    if isinstance(kernel, kernels.Matern):
        scale, nu = 1.0 / np.asarray(kernel.length_scale), float(kernel.nu)
        if np.isinf(nu):
            return traced_kernel(kernels.RBF(kernel.length_scale))
        return lambda X, Y: matern_kernel(X * scale, Y * scale, nu)
    if isinstance(kernel, kernels.RationalQuadratic):
        width = 2 * kernel.alpha * kernel.length_scale**2
        return lambda X, Y: (1 + squared_distances(X, Y) / width) ** -kernel.alpha
    if isinstance(kernel, kernels.DotProduct):
        return lambda X, Y: linear_kernel(X, Y) + kernel.sigma_0**2
    raise AgnsalError(
        f"the Gaussian process has the kernel {kernel}, which agnsal does not differentiate; use RBF, Matern, "
        "RationalQuadratic, DotProduct and their sums and products, or explain the model with `occlusion`."
    )


@primitive
def matern_kernel(X: NDArray, S: NDArray, nu: float) -> NDArray[np.float64]:
    """Matern kernel ``2^(1-nu) / Gamma(nu) t^nu K_nu(t)`` with ``t = sqrt(2 nu) |x - s|``.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Spectra, in units of the length scale.
    S : ndarray, shape (m, n_features)
        Others.
    nu : float
        Smoothness, positive and finite.

    Returns
    -------
    ndarray, shape (n, m)

    Notes
    -----
    For `nu` of 1 and less the kernel has a kink or a cusp where x is s, that is on a spectrum of the training set
    itself; its derivative there is taken as 0, the mean over opposite directions.

    Examples
    --------
    >>> matern_kernel(np.array([[0.0, 2.0]]), np.array([[0.0, 2.0], [0.0, 0.0]]), 0.5).round(6)  # exp(-distance)
    array([[1.      , 0.135335]])
    """
    t, near = _distances(X, S, nu)
    return np.where(near, 1.0, 2 ** (1 - nu) / gamma(nu) * t**nu * kv(nu, t))


def _matern_pull_back(g: NDArray, X: NDArray, S: NDArray, nu: float) -> NDArray[np.float64]:
    t, near = _distances(X, S, nu)
    # the derivative in |x - s|^2, from d(t^nu K_nu) / dt = -t^nu K_(nu-1)
    slope = -nu * 2 ** (1 - nu) / gamma(nu) * t ** (nu - 1) * kv(nu - 1, t)
    g = g * np.where(near, -nu / (2 * (nu - 1)) if nu > 1 else 0.0, slope)
    return 2.0 * (g.sum(axis=1, keepdims=True) * X - g @ S)


def _distances(X: NDArray, S: NDArray, nu: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The argument t, and where it is 0 (and 1 in its place); from differences, for the root would lose digits."""
    t = np.sqrt(2 * nu) * cdist(X, S)
    near = t == 0
    return np.where(near, 1.0, t), near


defvjp(matern_kernel, lambda _K, X, S, nu: lambda g: _matern_pull_back(g, X, S, nu), argnums=(0,))


def prior_variance(kernel: Any) -> Any:
    """Variance of the process at each spectrum, (n,), traced like `traced_kernel`."""
    if isinstance(kernel, kernels.Sum):
        first, second = prior_variance(kernel.k1), prior_variance(kernel.k2)
        return lambda X: first(X) + second(X)
    if isinstance(kernel, kernels.Product):
        first, second = prior_variance(kernel.k1), prior_variance(kernel.k2)
        return lambda X: first(X) * second(X)
    if isinstance(kernel, kernels.Exponentiation):
        base = prior_variance(kernel.kernel)
        return lambda X: base(X) ** kernel.exponent
    if isinstance(kernel, kernels.DotProduct):
        return lambda X: anp.sum(X * X, axis=1) + kernel.sigma_0**2
    level = kernel.diag(np.zeros((1, 1)))[0]
    return lambda X: level * np.ones(X.shape[0])


def single_kernel(kernel: Any) -> tuple[float, Any, float] | None:
    """A scikit-learn kernel as ``factor * base + constant`` between two different sets of spectra.

    Parameters
    ----------
    kernel : Kernel of sklearn.gaussian_process
        Any.

    Returns
    -------
    factor : float
    base : RBF, DotProduct or None
        None where nothing varies.
    constant : float
        All of them in a tuple, or None for what is no such kernel.

    Examples
    --------
    >>> single_kernel(2.0 * kernels.RBF(3.0) + kernels.WhiteKernel())
    (2.0, RBF(length_scale=3), 0.0)
    """
    if isinstance(kernel, kernels.WhiteKernel | kernels.ConstantKernel):
        return 1.0, None, float(getattr(kernel, "constant_value", 0.0))  # noise is of each spectrum by itself
    if isinstance(kernel, kernels.DotProduct) or type(kernel) is kernels.RBF:
        return 1.0, kernel, float(getattr(kernel, "sigma_0", 0.0)) ** 2
    if not isinstance(kernel, kernels.Sum | kernels.Product):
        return None
    parts = [single_kernel(part) for part in (kernel.k1, kernel.k2)]
    fixed = [part for part in parts if part is not None and part[1] is None]
    if None in parts or not fixed:
        return None
    other = fixed.pop()
    factor, base, constant = next(part for part in parts if part is not None and part is not other)
    if isinstance(kernel, kernels.Sum):
        return factor, base, constant + other[2]
    return factor * other[2], base, constant * other[2]
