"""Estimators whose outputs are simple functions of sums of products over features: what exact Shapley values need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, NuSVR

from agnsal.models.machine.coupling import pair_log_odds, pair_signs
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.models.machine.libsvm import kernel_of, pair_functions
from agnsal.models.machine.log_odds import class_log_odds, log_couple
from agnsal.models.machine.svc import ProbabilisticSVC

#: Transformers that act on every feature by itself, so that mixing two spectra and scaling them commute.
_SCALERS = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
_LINEAR = (LogisticRegression, RidgeClassifier, SGDClassifier, LinearSVC, LinearDiscriminantAnalysis)

#: Kernels that are a sum, or a product, of functions of one feature each.
PRODUCT_KERNELS = ("linear", "rbf")


@dataclass(frozen=True)
class KernelMachine:
    """A kernel expansion with what comes before and after it.

    Attributes
    ----------
    expansion : KernelExpansion
        From scaled spectra to pair values, shape (n, n_pairs).
    scalers : tuple of transformers
        Applied to the spectra before, feature by feature.
    links : mapping of str to callable
        For each output of the model, the function of the pair values it is, traceable by autograd.
    linear_outputs : tuple of str
        Outputs that are linear in the pair values, so that exact values of one are exact values of the other.
    sigmoids : tuple of ndarray, or None
        Platt's `a` and `b` of every pair.
    """

    expansion: KernelExpansion
    scalers: tuple[Any, ...]
    links: Mapping[str, Callable[[Any], Any]]
    linear_outputs: tuple[str, ...]
    sigmoids: tuple[NDArray, NDArray] | None = None

    def scaled(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spectra as the kernel sees them, shape (n, n_features)."""
        for scaler in self.scalers:
            X = scaler.transform(X)
        return np.asarray(X, dtype=np.float64)


def kernel_machine(estimator: Any) -> KernelMachine | None:
    """Read a fitted estimator as a kernel machine.

    Parameters
    ----------
    estimator : object
        A `ProbabilisticSVC`, a fitted `SVC`, `NuSVC`, `SVR`, `NuSVR` or linear classifier of scikit-learn, alone or
        behind scalers in a `Pipeline`.

    Returns
    -------
    KernelMachine or None
        None if it is none, or its kernel is neither linear nor Gaussian.

    Examples
    --------
    >>> machine = kernel_machine(SVC(kernel="linear").fit([[0.0], [1.0]], ["a", "b"]))
    >>> machine.linear_outputs
    ('decision', 'pairwise')
    """
    scalers: tuple[Any, ...] = ()
    while type(estimator) in (Pipeline, GridSearchCV, RandomizedSearchCV, FrozenEstimator):
        if type(estimator) is Pipeline:
            before = [step for _, step in estimator.steps[:-1] if step is not None and step != "passthrough"]
            if not all(_is_scaler(step) for step in before):
                return None
            scalers, estimator = (*scalers, *before), estimator.steps[-1][1]
        else:
            estimator = getattr(estimator, "best_estimator_", None) or getattr(estimator, "estimator", None)
    if type(estimator) in (SVC, NuSVC):
        return _of_svc(estimator, scalers)
    if type(estimator) in (SVR, NuSVR):
        return _of_regression(estimator, scalers)
    if type(estimator) is ProbabilisticSVC:
        return _of_probabilistic(estimator, scalers)
    return _of_linear(estimator, scalers) if type(estimator) in _LINEAR else None


def _is_scaler(step: Any) -> bool:
    return type(step) in _SCALERS and not getattr(step, "clip", False)


def _of_probabilistic(machine: ProbabilisticSVC, scalers: tuple) -> KernelMachine | None:
    a, b = machine.sigmoid_a_, machine.sigmoid_b_
    links = {
        "probability": lambda F: anp.exp(log_couple(pair_log_odds(F, a, b))),
        "log_odds": lambda F: class_log_odds(pair_log_odds(F, a, b)),
    }
    return _of_pairs(machine.pair_functions_, machine.classes_.size, scalers, links, (a, b))


def _of_svc(machine: SVC | NuSVC, scalers: tuple) -> KernelMachine | None:
    if machine.kernel not in PRODUCT_KERNELS:
        return None
    if getattr(machine, "_probA", np.empty(0)).size:
        found = _of_probabilistic(ProbabilisticSVC.from_svc(machine), scalers)
    else:
        found = _of_pairs(pair_functions(machine), machine.classes_.size, scalers, {}, None)
    if found is not None and machine.classes_.size > 2 and machine.decision_function_shape == "ovr":
        # votes and a bounded sum, which jumps: scikit-learn's way of making one value for each class
        others = {name: link for name, link in found.links.items() if name != "decision"}
        return replace(found, links=others, linear_outputs=("pairwise",))
    return found


def _of_regression(machine: SVR | NuSVR, scalers: tuple) -> KernelMachine | None:
    if machine.kernel not in PRODUCT_KERNELS:
        return None
    coefficients, intercepts = machine.dual_coef_.T, np.asarray(machine.intercept_)
    expansion = KernelExpansion(kernel_of(machine), machine.support_vectors_, coefficients, intercepts)
    return KernelMachine(expansion, scalers, {"decision": lambda F: F}, ("decision",))


def _of_pairs(
    expansion: KernelExpansion,
    n_classes: int,
    scalers: tuple,
    links: Mapping[str, Callable[[Any], Any]],
    sigmoids: tuple[NDArray, NDArray] | None,
) -> KernelMachine | None:
    if expansion.kernel.name not in PRODUCT_KERNELS:
        return None
    signs = pair_signs(n_classes)
    links = {"decision": lambda F: anp.dot(F, signs), "pairwise": lambda F: F, **links}
    linear = ("decision", "pairwise", *(("log_odds",) if n_classes == 2 and sigmoids is not None else ()))
    return KernelMachine(expansion, scalers, links, linear, sigmoids)


def _of_linear(estimator: Any, scalers: tuple) -> KernelMachine:
    coefficients, intercepts = np.atleast_2d(estimator.coef_), np.atleast_1d(estimator.intercept_)
    expansion = KernelExpansion(Kernel("linear"), coefficients, np.eye(len(coefficients)), intercepts)

    def decision(F: Any) -> Any:
        return anp.concatenate([-F, F], axis=1) if len(coefficients) == 1 else F

    links = {"decision": decision}
    if len(coefficients) == 1 and isinstance(estimator, LogisticRegression):
        links["log_odds"] = decision
    return KernelMachine(expansion, scalers, links, tuple(links))
