"""Import of machines fitted with scikit-learn's own, deprecated probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.svm import SVC, NuSVC
from sklearn.utils.validation import check_is_fitted

from agnsal.errors import AgnsalError
from agnsal.models.kernels import KERNEL_NAMES, Kernel
from agnsal.models.pairwise import pair_coefficients


def kernel_of(machine: Any) -> Kernel:
    """Read the kernel of a fitted libsvm machine of scikit-learn, its numbers resolved.

    Parameters
    ----------
    machine : SVC, NuSVC, SVR or NuSVR
        Fitted on a dense matrix.

    Returns
    -------
    Kernel

    Raises
    ------
    AgnsalError
        For a callable or precomputed kernel, or sparse support vectors.

    Examples
    --------
    >>> kernel_of(SVC(gamma=0.5).fit([[0.0], [1.0]], [0, 1])).gamma
    0.5
    """
    if not isinstance(machine.kernel, str) or machine.kernel not in KERNEL_NAMES:
        raise AgnsalError(
            f"{type(machine).__name__} has kernel={machine.kernel!r}, which cannot be differentiated; "
            f"fit it with one of {', '.join(KERNEL_NAMES)}, or explain it with `occlusion`."
        )
    if not isinstance(machine.support_vectors_, np.ndarray):
        raise AgnsalError(f"{type(machine).__name__} was fitted on a sparse matrix; fit it on a dense array.")
    return Kernel(machine.kernel, gamma=float(machine._gamma), coef0=float(machine.coef0), degree=machine.degree)


def copy_pair_functions(target: Any, machine: SVC | NuSVC) -> None:
    """Copy classes, support vectors and pair functions of a fitted machine onto `target`."""
    check_is_fitted(machine)
    target.kernel_ = kernel_of(machine)
    target.classes_ = machine.classes_.copy()
    target.n_features_in_ = machine.n_features_in_
    target.support_, target.n_support_ = machine.support_.copy(), machine.n_support_.copy()
    target.support_vectors_ = machine.support_vectors_.copy()
    # for two classes scikit-learn turns the public sign: positive for the second class
    sign = -1.0 if machine.classes_.size == 2 else 1.0
    target.pair_coefficients_ = pair_coefficients(sign * machine.dual_coef_, machine.n_support_)
    target.pair_intercepts_ = sign * machine.intercept_
    target.training_mean_ = None


def import_svc(cls: type, machine: SVC | NuSVC, *, coupling: str, predict_by: str) -> Any:
    """Make a `ProbabilisticSVC` of a fitted machine; see `ProbabilisticSVC.from_svc`."""
    if not isinstance(machine, SVC | NuSVC):
        raise AgnsalError(f"from_svc takes a fitted SVC or NuSVC of scikit-learn, got {type(machine).__name__}.")
    check_is_fitted(machine)
    a, b = getattr(machine, "_probA", None), getattr(machine, "_probB", None)
    if a is None or b is None or not a.size:
        raise AgnsalError(
            f"this {type(machine).__name__} was fitted without probabilities; fit a ProbabilisticSVC with the same "
            "parameters, or explain its decision values: as_differentiable(machine) with output='decision'."
        )
    imported = cls(
        kernel=machine.kernel,
        C=getattr(machine, "C", 1.0),
        gamma=machine.gamma,
        degree=machine.degree,
        coef0=machine.coef0,
        class_weight=machine.class_weight,
        nu=getattr(machine, "nu", None) if isinstance(machine, NuSVC) else None,
        tol=machine.tol,
        coupling=coupling,
        predict_by=predict_by,
    )
    imported._check_choices()
    copy_pair_functions(imported, machine)
    imported.sigmoid_a_, imported.sigmoid_b_ = a.copy(), b.copy()
    return imported
