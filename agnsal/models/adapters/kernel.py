"""Kernel machines as differentiable models: ours, scikit-learn's SVC, NuSVC, SVR, NuSVR and KernelRidge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from agnsal.errors import AgnsalError
from agnsal.models.adapters.heads import votes_and_confidence
from agnsal.models.adapters.registry import register_estimator
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.models.machine.libsvm import kernel_of, pair_functions
from agnsal.models.machine.svc import ProbabilisticSVC
from agnsal.models.model import DifferentiableModel
from agnsal.models.structure import Structure, TrainingRows

_KERNEL_RIDGE_NAMES = {"linear": "linear", "rbf": "rbf", "poly": "poly", "polynomial": "poly", "sigmoid": "sigmoid"}


@register_estimator(ProbabilisticSVC)
def probabilistic_svc(machine: ProbabilisticSVC) -> DifferentiableModel:
    """All four outputs; the decision of a class is the sum of its pairs."""
    sigmoids = (machine.sigmoid_a_, machine.sigmoid_b_)
    training = None
    if machine.n_landmarks is None and (machine.support_ >= 0).all():
        labels = np.repeat(machine.classes_, machine.n_support_)  # libsvm orders support vectors by class
        training = TrainingRows(machine.support_, machine.n_training_, machine.support_ids_, labels, machine.nu is None)
    return DifferentiableModel.of_structure(
        Structure.pairs(machine.pair_functions_, machine.classes_.size, sigmoids, training),
        machine.classes_,
        baseline_mean=machine.training_mean_,
        predict=None if machine.predict_by == "probability" and machine.coupling == "exact" else machine.predict,
    )


@register_estimator(SVC, NuSVC)
def svc(machine: SVC | NuSVC) -> DifferentiableModel:
    """Decision values as scikit-learn gives them; probabilities, if fitted, coupled exactly.

    For more than two classes scikit-learn's one-vs-rest decision is votes plus a bounded sum and jumps; "pairwise" is
    smooth.
    """
    a, b = getattr(machine, "_probA", None), getattr(machine, "_probB", None)
    sigmoids = (a, b) if a is not None and b is not None and a.size else None
    labels = np.repeat(machine.classes_, machine.n_support_)
    training = replace(_rows(machine), labels=labels, hinge=isinstance(machine, SVC))
    structure = Structure.pairs(pair_functions(machine), machine.classes_.size, sigmoids, training)
    if machine.classes_.size > 2 and machine.decision_function_shape == "ovr":
        links = {**structure.links, "decision": votes_and_confidence}
        structure = replace(structure, links=links, exact=("pairwise",))
    return DifferentiableModel.of_structure(structure, machine.classes_, predict=machine.predict)


@register_estimator(SVR, NuSVR)
def svr(machine: SVR | NuSVR) -> DifferentiableModel:
    """The regression function."""
    expansion = KernelExpansion(
        kernel_of(machine), machine.support_vectors_, machine.dual_coef_.T, np.asarray(machine.intercept_)
    )
    return _regression(expansion, machine, _rows(machine))


@register_estimator(KernelRidge)
def kernel_ridge(machine: KernelRidge) -> DifferentiableModel:
    """The regression functions."""
    if machine.kernel not in _KERNEL_RIDGE_NAMES:
        raise AgnsalError(
            f"KernelRidge has kernel={machine.kernel!r}, which agnsal does not differentiate; use one of "
            f"{', '.join(_KERNEL_RIDGE_NAMES)}, or explain it with `occlusion`."
        )
    gamma = 1.0 / machine.n_features_in_ if machine.gamma is None else float(machine.gamma)
    kernel = Kernel(_KERNEL_RIDGE_NAMES[machine.kernel], gamma=gamma, coef0=machine.coef0, degree=machine.degree)
    coefficients = machine.dual_coef_.reshape(len(machine.X_fit_), -1)
    vectors = np.asarray(machine.X_fit_, dtype=np.float64)
    expansion = KernelExpansion(kernel, vectors, coefficients, np.zeros(coefficients.shape[1]))
    training = TrainingRows(np.arange(len(vectors)), len(vectors))
    return _regression(expansion, machine, training, baseline_mean=vectors.mean(axis=0))


def _rows(machine: SVC | NuSVC | SVR | NuSVR) -> TrainingRows:
    return TrainingRows(machine.support_, machine.shape_fit_[0])


def _regression(
    expansion: KernelExpansion,
    machine: BaseEstimator,
    training: TrainingRows,
    baseline_mean: NDArray[np.float64] | None = None,
) -> DifferentiableModel:
    structure = Structure(expansion, {"prediction": lambda F: F}, ("prediction",), training=training)
    outputs = np.arange(len(expansion.intercepts))
    return DifferentiableModel.of_structure(structure, outputs, baseline_mean=baseline_mean, predict=machine.predict)
