"""Fitted scikit-learn transformers as functions autograd can trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp
from autograd.extend import defvjp, primitive
from numpy.typing import ArrayLike, NDArray
from scipy.special import boxcox, boxcox1p
from sklearn.decomposition import PCA, FastICA, IncrementalPCA, TruncatedSVD
from sklearn.feature_selection import SelectorMixin
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

from agnsal.errors import AgnsalError
from agnsal.models import normalization  # noqa: F401 (it registers)
from agnsal.models.adapters import columns  # noqa: F401 (it registers)
from agnsal.models.adapters.registry import Step, register_step
from agnsal.models.machine.kernels import KERNEL_NAMES, Kernel


def affine(offset: ArrayLike, scale: ArrayLike, n_features: int, training_mean: ArrayLike | None = None) -> Step:
    """The step ``(X - offset) * scale``, feature by feature.

    Parameters
    ----------
    offset, scale : float or array, shape (n_features,)
        Subtracted first, multiplied with then.
    n_features : int
        Width of the input.
    training_mean : array, shape (n_features,), optional
        Mean of the training data.

    Returns
    -------
    Step

    Examples
    --------
    >>> affine(1.0, 2.0, 1).forward(np.array([[4.0]]))
    array([[6.]])
    """
    offset, scale = np.asarray(offset, dtype=np.float64), np.asarray(scale, dtype=np.float64)
    mean = None if training_mean is None else np.asarray(training_mean, dtype=np.float64)
    return Step(
        lambda X: (X - offset) * scale,
        n_features,
        training_mean=mean,
        invert_mean=(lambda after: after / scale + offset) if (scale != 0).all() else None,
        elementwise=True,
        affine=True,
    )


@register_step(StandardScaler)
def standard_scaler(scaler: StandardScaler) -> Step:
    """Mean zero, variance one."""
    offset = scaler.mean_ if scaler.with_mean else 0.0
    scale = 1.0 / scaler.scale_ if scaler.with_std else 1.0
    return affine(offset, scale, scaler.n_features_in_, scaler.mean_)


@register_step(MinMaxScaler)
def min_max_scaler(scaler: MinMaxScaler) -> Step:
    """A fixed range; with clip=True the derivative is zero outside it."""
    step = affine(-scaler.min_ / scaler.scale_, scaler.scale_, scaler.n_features_in_)
    if not scaler.clip:
        return step
    low, high = scaler.feature_range
    return Step(lambda X: anp.clip(step.forward(X), low, high), step.n_features, elementwise=True)


@register_step(RobustScaler)
def robust_scaler(scaler: RobustScaler) -> Step:
    """Median zero, quantile range one."""
    offset = scaler.center_ if scaler.with_centering else 0.0
    return affine(offset, 1.0 / scaler.scale_ if scaler.with_scaling else 1.0, scaler.n_features_in_)


@register_step(MaxAbsScaler)
def max_abs_scaler(scaler: MaxAbsScaler) -> Step:
    """Largest absolute value one."""
    return affine(0.0, 1.0 / scaler.scale_, scaler.n_features_in_)


@register_step(PowerTransformer)
def power_transformer(step: PowerTransformer) -> Step:
    """A power of every feature, scaled or not; Box and Cox's takes positive flux only."""
    power, powers = (yeo_johnson if step.method == "yeo-johnson" else box_cox), step.lambdas_
    scale = standard_scaler(step._scaler).forward if step.standardize else lambda X: X
    return Step(lambda X: scale(power(X, powers)), step.n_features_in_, elementwise=True)


@primitive
def box_cox(X: NDArray, powers: NDArray) -> NDArray[np.float64]:
    """``(x**power - 1) / power``, the logarithm where the power is 0.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Positive numbers.
    powers : ndarray, shape (n_features,)
        One for each feature.

    Returns
    -------
    ndarray, shape (n, n_features)

    Examples
    --------
    >>> box_cox(np.array([[3.0, 1.0]]), np.array([2.0, 0.0]))
    array([[4., 0.]])
    """
    return boxcox(X, powers)


@primitive
def yeo_johnson(X: NDArray, powers: NDArray) -> NDArray[np.float64]:
    """Yeo & Johnson's power transformation, of numbers of either sign.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Any numbers.
    powers : ndarray, shape (n_features,)
        One for each feature.

    Returns
    -------
    ndarray, shape (n, n_features)

    Examples
    --------
    >>> yeo_johnson(np.array([[2.0, -2.0]]), np.array([2.0, 0.0]))
    array([[ 4., -4.]])
    """
    return boxcox1p(np.maximum(X, 0.0), powers) - boxcox1p(np.maximum(-X, 0.0), 2.0 - powers)


defvjp(box_cox, lambda _y, X, powers: lambda g: g * X ** (powers - 1.0), None)
defvjp(
    yeo_johnson,
    lambda _y, X, powers: lambda g: g * (1.0 + np.abs(X)) ** np.where(X >= 0, powers - 1.0, 1.0 - powers),
    None,
)


@register_step(Normalizer)
def normalizer(step: Normalizer) -> Step:
    """Each spectrum divided by its own norm."""
    norms: dict[str, Callable[[Any], Any]] = {
        "l2": lambda X: anp.sqrt(anp.sum(X**2, axis=1, keepdims=True)),
        "l1": lambda X: anp.sum(anp.abs(X), axis=1, keepdims=True),
        "max": lambda X: anp.max(anp.abs(X), axis=1, keepdims=True),
    }
    norm = norms[step.norm]

    def forward(X: Any) -> Any:
        size = norm(X)
        return X / anp.where(size == 0, 1.0, size)

    return Step(forward, getattr(step, "n_features_in_", None))


@register_step(PCA, IncrementalPCA)
def principal_components(step: PCA) -> Step:
    """Projection on the components, whitened or not."""
    basis = step.components_.T
    if step.whiten:
        # as scikit-learn does: a component without variance is not blown up
        deviation = np.sqrt(step.explained_variance_)
        smallest = np.finfo(deviation.dtype).eps
        basis = basis / np.maximum(deviation, smallest)
    shift = step.mean_ @ basis
    return Step(lambda X: anp.dot(X, basis) - shift, step.n_features_in_, training_mean=step.mean_, affine=True)


@register_step(FastICA)
def independent_components(step: FastICA) -> Step:
    """Independent components."""
    basis, mean = step.components_.T, step.mean_ if step.whiten else None
    shift = 0.0 if mean is None else mean @ basis
    return Step(lambda X: anp.dot(X, basis) - shift, step.n_features_in_, training_mean=mean, affine=True)


@register_step(TruncatedSVD)
def truncated_svd(step: TruncatedSVD) -> Step:
    """Projection on the singular vectors."""
    basis = step.components_.T
    return Step(lambda X: anp.dot(X, basis), step.n_features_in_, affine=True)


@register_step(FunctionTransformer)
def function_transformer(step: FunctionTransformer) -> Step:
    """Any function that autograd can trace."""
    if step.func is None:
        return Step(lambda X: X, invert_mean=lambda mean: mean, elementwise=True, affine=True)
    options = step.kw_args or {}

    def forward(X: Any) -> Any:
        return step.func(X, **options)

    n_features = getattr(step, "n_features_in_", None)
    try:
        pull_back, value = make_vjp(forward)(np.full((1, n_features or 4), 0.5))
        pull_back(np.ones_like(value))
    except Exception as error:
        name = getattr(step.func, "__name__", repr(step.func))
        raise AgnsalError(
            f"FunctionTransformer({name}) cannot be traced by autograd ({error}); write the function with "
            "`import autograd.numpy as np`, or explain the model with `occlusion`."
        ) from error
    return Step(forward, n_features)


@register_step(PolynomialFeatures)
def polynomial_features(step: PolynomialFeatures) -> Step:
    """Products of the features."""
    powers = step.powers_
    # every product as a list of factors, padded with a column of ones
    factors = [np.repeat(np.arange(len(row)), row) for row in powers]
    n_features, longest = step.n_features_in_, max(len(row) for row in factors)
    index = np.array([np.pad(row, (0, longest - len(row)), constant_values=n_features) for row in factors], dtype=int)

    def forward(X: Any) -> Any:
        with_one = anp.concatenate([X, np.ones((X.shape[0], 1))], axis=1)
        product = np.ones((1, 1))
        for column in range(longest):
            product = product * with_one[:, index[:, column]]
        return product

    return Step(forward, n_features, width=len(powers) * (longest + 1))


@register_step(Nystroem)
def nystroem(step: Nystroem) -> Step:
    """Kernel values with a subset of the training spectra, orthonormalised."""
    names = {"polynomial": "poly"} | {name: name for name in KERNEL_NAMES}
    if step.kernel not in names:
        raise AgnsalError(
            f"Nystroem has kernel={step.kernel!r}, which agnsal does not differentiate; use one of "
            f"{', '.join(names)}, or explain the model with `occlusion`."
        )
    # kernel_params may hold what the named arguments do not, as scikit-learn merges them
    given = {name: getattr(step, name) for name in ("gamma", "coef0", "degree") if getattr(step, name) is not None}
    options = {"gamma": 1.0 / step.n_features_in_, "coef0": 1.0, "degree": 3, **(step.kernel_params or {}), **given}
    if options["gamma"] is None:
        options["gamma"] = 1.0 / step.n_features_in_
    kernel = Kernel(names[step.kernel], **options)
    landmarks, mix = np.asarray(step.components_, dtype=np.float64), step.normalization_.T
    return Step(lambda X: anp.dot(kernel(X, landmarks), mix), step.n_features_in_, width=2 * len(landmarks))


@register_step(RBFSampler)
def rbf_sampler(step: RBFSampler) -> Step:
    """Random Fourier features."""
    weights, offset, scale = step.random_weights_, step.random_offset_, np.sqrt(2.0 / step.n_components)
    return Step(lambda X: scale * anp.cos(anp.dot(X, weights) + offset), step.n_features_in_, width=weights.shape[1])


@register_step(SelectorMixin)
def selector(step: Any) -> Step:
    """Some of the features."""
    kept: NDArray[np.intp] = step.get_support(indices=True)
    return Step(lambda X: X[:, kept], step.n_features_in_, affine=True)
