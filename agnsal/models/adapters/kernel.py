"""Kernel machines as differentiable models: ours, scikit-learn's SVC, NuSVC, SVR, NuSVR and KernelRidge."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from agnsal.errors import AgnsalError
from agnsal.models.adapters.heads import Function, two_columns, votes_and_confidence
from agnsal.models.adapters.registry import register_estimator
from agnsal.models.machine.coupling import pair_log_odds, pair_signs
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.models.machine.libsvm import kernel_of, pair_functions
from agnsal.models.machine.log_odds import class_log_odds, log_couple
from agnsal.models.machine.svc import ProbabilisticSVC
from agnsal.models.model import DifferentiableModel

_KERNEL_RIDGE_NAMES = {"linear": "linear", "rbf": "rbf", "poly": "poly", "polynomial": "poly", "sigmoid": "sigmoid"}


def width_of(expansion: KernelExpansion) -> int:
    """Kernel values an evaluation holds per spectrum."""
    return 0 if expansion.kernel.name == "linear" else len(expansion.support_vectors)


def coupled_outputs(pairs: Function, a: NDArray, b: NDArray) -> dict[str, Function]:
    """Exactly coupled probabilities and log-odds of pair functions with sigmoids."""

    def odds(X: Any) -> Any:
        return pair_log_odds(pairs(X), a, b)

    return {
        "probability": lambda X: anp.exp(log_couple(odds(X))),
        "log_odds": lambda X: class_log_odds(odds(X)),
    }


@register_estimator(ProbabilisticSVC)
def probabilistic_svc(machine: ProbabilisticSVC) -> DifferentiableModel:
    """All four outputs; the decision of a class is the sum of its pairs."""
    pairs, signs = machine.pair_functions_, pair_signs(machine.classes_.size)
    return DifferentiableModel(
        {
            **coupled_outputs(pairs, machine.sigmoid_a_, machine.sigmoid_b_),
            "decision": lambda X: anp.dot(pairs(X), signs),
            "pairwise": pairs,
        },
        machine.classes_,
        machine.n_features_in_,
        baseline_mean=machine.training_mean_,
        width=width_of(pairs),
        predict=None if machine.predict_by == "probability" and machine.coupling == "exact" else machine.predict,
    )


@register_estimator(SVC, NuSVC)
def svc(machine: SVC | NuSVC) -> DifferentiableModel:
    """Decision values as scikit-learn gives them; probabilities, if fitted, coupled exactly.

    For more than two classes scikit-learn's one-vs-rest decision is votes plus a bounded sum and jumps; "pairwise" is
    smooth.
    """
    pairs, n_classes = pair_functions(machine), machine.classes_.size
    signs = pair_signs(n_classes)

    def decision(X: Any) -> Any:
        if n_classes == 2:
            return two_columns(-pairs(X))
        if machine.decision_function_shape == "ovr":
            return votes_and_confidence(pairs(X))
        return anp.dot(pairs(X), signs)

    outputs: dict[str, Function] = {"decision": decision, "pairwise": pairs}
    a, b = getattr(machine, "_probA", None), getattr(machine, "_probB", None)
    if a is not None and b is not None and a.size:
        outputs |= coupled_outputs(pairs, a, b)
    return DifferentiableModel(
        outputs, machine.classes_, machine.n_features_in_, width=width_of(pairs), predict=machine.predict
    )


@register_estimator(SVR, NuSVR)
def svr(machine: SVR | NuSVR) -> DifferentiableModel:
    """The regression function."""
    expansion = KernelExpansion(
        kernel_of(machine), machine.support_vectors_, machine.dual_coef_.T, np.asarray(machine.intercept_)
    )
    return DifferentiableModel(
        {"decision": expansion}, [0], machine.n_features_in_, width=width_of(expansion), predict=machine.predict
    )


@register_estimator(KernelRidge)
def kernel_ridge(machine: KernelRidge) -> DifferentiableModel:
    """The regression functions."""
    if machine.kernel not in _KERNEL_RIDGE_NAMES:
        raise AgnsalError(
            f"KernelRidge has kernel={machine.kernel!r}, which agnsal does not differentiate; use one of "
            f"{', '.join(_KERNEL_RIDGE_NAMES)}, or explain it with `occlusion`."
        )
    n_features = machine.n_features_in_
    gamma = 1.0 / n_features if machine.gamma is None else float(machine.gamma)
    kernel = Kernel(_KERNEL_RIDGE_NAMES[machine.kernel], gamma=gamma, coef0=machine.coef0, degree=machine.degree)
    coefficients = machine.dual_coef_.reshape(len(machine.X_fit_), -1)
    n_outputs = coefficients.shape[1]
    expansion = KernelExpansion(kernel, np.asarray(machine.X_fit_, float), coefficients, np.zeros(n_outputs))
    return DifferentiableModel(
        {"decision": expansion},
        np.arange(n_outputs),
        n_features,
        baseline_mean=expansion.support_vectors.mean(axis=0),
        width=width_of(expansion),
        predict=machine.predict,
    )
