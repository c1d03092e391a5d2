"""Gaussian classifiers and processes of scikit-learn as differentiable models."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import erf
from scipy.linalg import solve_triangular
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels
from sklearn.naive_bayes import GaussianNB

from agnsal.errors import AgnsalError
from agnsal.models.adapters.heads import Function, outputs_from_binary_score, outputs_from_logarithms
from agnsal.models.adapters.registry import register_estimator
from agnsal.models.machine.kernels import linear_kernel, squared_distances
from agnsal.models.model import DifferentiableModel

# five error functions that make up the logistic function (Williams & Barber 1998, appendix A)
_SLOPES = np.array([0.41, 0.4, 0.37, 0.44, 0.39])
_WEIGHTS = np.array([-1854.8214151, 3516.89893646, 221.29346712, 128.12323805, -2010.49422654])


@register_estimator(GaussianNB)
def gaussian_naive_bayes(estimator: GaussianNB) -> DifferentiableModel:
    """Probabilities; the decision values are the joint log-likelihoods."""
    mean, variance = estimator.theta_, estimator.var_
    # sum of (x - m)^2 / v expanded, so that it is three matrix products
    constant = np.log(estimator.class_prior_) - 0.5 * (np.log(2 * np.pi * variance) + mean**2 / variance).sum(axis=1)
    square, slope = -0.5 / variance.T, (mean / variance).T

    def joint(X: Any) -> Any:
        return anp.dot(X**2, square) + anp.dot(X, slope) + constant

    return DifferentiableModel(
        outputs_from_logarithms(joint),
        estimator.classes_,
        estimator.n_features_in_,
        baseline_mean=np.average(mean, axis=0, weights=estimator.class_count_),
        predict=estimator.predict,
    )


@register_estimator(QuadraticDiscriminantAnalysis)
def quadratic_discriminant(estimator: QuadraticDiscriminantAnalysis) -> DifferentiableModel:
    """Probabilities; the decision values are the log posteriors, up to a constant shared by the classes."""
    whiten = [R * S**-0.5 for R, S in zip(estimator.rotations_, estimator.scalings_, strict=True)]
    centers = [mean @ W for mean, W in zip(estimator.means_, whiten, strict=True)]
    constant = np.log(estimator.priors_) - 0.5 * np.array([np.log(S).sum() for S in estimator.scalings_])

    def posterior(X: Any) -> Any:
        squares = [anp.sum((anp.dot(X, W) - c) ** 2, axis=1) for W, c in zip(whiten, centers, strict=True)]
        return -0.5 * anp.stack(squares, axis=1) + constant

    classes = estimator.classes_
    outputs = outputs_from_logarithms(posterior)
    if len(classes) == 2:
        outputs = outputs_from_binary_score(lambda X: anp.dot(posterior(X), np.array([-1.0, 1.0])))
    return DifferentiableModel(outputs, classes, estimator.n_features_in_, predict=estimator.predict)


def traced_kernel(kernel: Any) -> Any:  # noqa: PLR0911 (one per kind of kernel)
    """Covariance of a scikit-learn kernel between two different sets of spectra, as a function autograd traces.

    Parameters
    ----------
    kernel : Kernel of sklearn.gaussian_process
        RBF, rational quadratic, dot product, constant, white noise, and sums, products and powers of these.

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
    if isinstance(kernel, kernels.RationalQuadratic):
        width = 2 * kernel.alpha * kernel.length_scale**2
        return lambda X, Y: (1 + squared_distances(X, Y) / width) ** -kernel.alpha
    if isinstance(kernel, kernels.DotProduct):
        return lambda X, Y: linear_kernel(X, Y) + kernel.sigma_0**2
    raise AgnsalError(
        f"the Gaussian process has the kernel {kernel}, which agnsal does not differentiate; use RBF, "
        "RationalQuadratic, DotProduct and their sums and products, or explain the model with `occlusion`."
    )


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


def laplace_probability(process: Any) -> Function:
    """Probability of the second class, (n,), under the Laplace approximation of a two-class process."""
    covariance, variance = traced_kernel(process.kernel_), prior_variance(process.kernel_)
    X_train, pull = process.X_train_, process.y_train_ - process.pi_
    whiten = solve_triangular(process.L_, np.diag(process.W_sr_), lower=True)

    def probability(X: Any) -> Any:
        K = covariance(X, X_train)
        mean = anp.dot(K, pull)[:, None]
        spread = (variance(X) - anp.sum(anp.dot(K, whiten.T) ** 2, axis=1))[:, None]
        alpha = 1 / (2 * spread)
        integrals = erf(_SLOPES * mean * anp.sqrt(alpha / (alpha + _SLOPES**2))) / 2
        return anp.dot(integrals, _WEIGHTS) + 0.5 * _WEIGHTS.sum()

    return probability


@register_estimator(GaussianProcessClassifier)
def gaussian_process_classifier(estimator: GaussianProcessClassifier) -> DifferentiableModel:
    """Probabilities of the Laplace approximation; more than two classes one-vs-rest."""
    base, classes = estimator.base_estimator_, estimator.classes_
    if estimator.n_classes_ == 2:
        processes = [base]
    elif estimator.multi_class == "one_vs_rest":
        processes = list(base.estimators_)
    else:
        raise AgnsalError("a one-vs-one GaussianProcessClassifier has no probabilities; fit it with one_vs_rest.")
    parts = [laplace_probability(process) for process in processes]

    def probability(X: Any) -> Any:
        p = anp.stack([part(X) for part in parts], axis=1)
        if len(parts) == 1:
            return anp.concatenate([1 - p, p], axis=1)
        return p / anp.sum(p, axis=1, keepdims=True)

    def log_odds(X: Any) -> Any:
        p = probability(X)
        return anp.log(p) - anp.log(1 - p)

    X_train = processes[0].X_train_
    return DifferentiableModel(
        {"probability": probability, "log_odds": log_odds},
        classes,
        estimator.n_features_in_,
        baseline_mean=X_train.mean(axis=0),
        width=2 * len(X_train),
        predict=estimator.predict,
    )


@register_estimator(GaussianProcessRegressor)
def gaussian_process_regressor(estimator: GaussianProcessRegressor) -> DifferentiableModel:
    """Mean of the process."""
    covariance = traced_kernel(estimator.kernel_)
    X_train = estimator.X_train_
    alpha = estimator.alpha_.reshape(len(X_train), -1)
    mean, scale = np.atleast_1d(estimator._y_train_mean), np.atleast_1d(estimator._y_train_std)
    return DifferentiableModel(
        {"prediction": lambda X: anp.dot(covariance(X, X_train), alpha) * scale + mean},
        np.arange(alpha.shape[1]),
        estimator.n_features_in_,
        baseline_mean=X_train.mean(axis=0),
        width=len(X_train),
        predict=estimator.predict,
    )
