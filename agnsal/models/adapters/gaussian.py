"""Gaussian classifiers and processes of scikit-learn as differentiable models."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import erf
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels
from sklearn.naive_bayes import GaussianNB

from agnsal.errors import AgnsalError
from agnsal.models.adapters.covariance import prior_variance, single_kernel, traced_kernel
from agnsal.models.adapters.heads import Function, outputs_from_binary_score, outputs_from_logarithms
from agnsal.models.adapters.registry import register_estimator
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.models.model import DifferentiableModel
from agnsal.models.structure import Structure

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
    X_train = estimator.X_train_
    alpha = estimator.alpha_.reshape(len(X_train), -1)
    mean, scale = np.atleast_1d(estimator._y_train_mean), np.atleast_1d(estimator._y_train_std)
    single = single_kernel(estimator.kernel_)
    if single is not None and single[1] is not None:
        factor, base, constant = single
        offset = constant * alpha.sum(axis=0) * scale + mean
        return DifferentiableModel.of_structure(
            _process_structure(base, X_train, factor * alpha * scale, offset),
            np.arange(alpha.shape[1]),
            baseline_mean=X_train.mean(axis=0),
            predict=estimator.predict,
        )
    covariance = traced_kernel(estimator.kernel_)
    return DifferentiableModel(
        {"prediction": lambda X: anp.dot(covariance(X, X_train), alpha) * scale + mean},
        np.arange(alpha.shape[1]),
        estimator.n_features_in_,
        baseline_mean=X_train.mean(axis=0),
        width=len(X_train),
        predict=estimator.predict,
    )


def _process_structure(base: Any, X_train: NDArray, coefficients: NDArray, offset: NDArray) -> Structure:
    """The mean of a process with one kernel, a sum of products over features."""
    links: dict[str, Function] = {"prediction": lambda F: F}
    if isinstance(base, kernels.DotProduct):
        return Structure.linear(coefficients.T @ X_train, offset, links, ("prediction",))
    scale = 1.0 / np.asarray(base.length_scale)
    expansion = KernelExpansion(Kernel("rbf", gamma=0.5), X_train * scale, coefficients, offset)
    return Structure(expansion, links, ("prediction",), before=(lambda X: X * scale,))
