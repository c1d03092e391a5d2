"""Import of machines fitted with scikit-learn's own, deprecated probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.svm import SVC, NuSVC
from sklearn.utils.validation import check_is_fitted

from agnsal.errors import AgnsalError
from agnsal.models.machine.kernels import KERNEL_NAMES, Kernel, KernelExpansion
from agnsal.models.machine.training import pair_coefficients


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


def pair_functions(machine: SVC | NuSVC) -> KernelExpansion:
    """Read the pair decision functions of a fitted machine; positive values favour the first class of a pair.

    Parameters
    ----------
    machine : SVC or NuSVC
        Fitted on a dense matrix.

    Returns
    -------
    KernelExpansion

    Examples
    --------
    >>> pair_functions(SVC(kernel="linear").fit([[0.0], [1.0]], [0, 1]))(np.array([[0.0]]))
    array([[0.5]])
    """
    # for two classes scikit-learn turns the public sign: positive for the second class
    sign = -1.0 if machine.classes_.size == 2 else 1.0
    coefficients = pair_coefficients(sign * machine.dual_coef_, machine.n_support_)
    return KernelExpansion(kernel_of(machine), machine.support_vectors_.copy(), coefficients, sign * machine.intercept_)


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
    imported.pair_functions_ = pair_functions(machine)
    imported.classes_, imported.n_features_in_ = machine.classes_.copy(), machine.n_features_in_
    imported.support_, imported.n_support_ = machine.support_.copy(), machine.n_support_.copy()
    imported.n_training_ = machine.shape_fit_[0]
    imported.training_mean_ = imported.learnt_from_ = imported.support_ids_ = None
    imported.sigmoid_a_, imported.sigmoid_b_ = a.copy(), b.copy()
    return imported
