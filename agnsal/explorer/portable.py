"""A machine that travels in a page: rounded, with the error that rounding makes of its probabilities."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.explorer.packing import Rounded
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.models.machine.svc import ProbabilisticSVC

#: Kernels that the page computes.
KERNELS = ("linear", "rbf", "poly")

#: Gradients smaller than this share of the largest have no shape.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class PortableMachine:
    """The rounded machine and what a page needs of it.

    Attributes
    ----------
    machine : ProbabilisticSVC
        The rounded machine: what the page computes, in double precision.
    vectors : Rounded
        Support vectors (for a linear kernel: one weight vector a pair).
    """

    machine: ProbabilisticSVC
    vectors: Rounded

    @classmethod
    def of(cls, model: object) -> PortableMachine | None:
        """Round a machine; None if it is of a kind that the page cannot compute.

        Parameters
        ----------
        model : classifier
            Fitted.

        Returns
        -------
        PortableMachine or None
        """
        if not isinstance(model, ProbabilisticSVC) or model.kernel_.name not in KERNELS or model.coupling != "exact":
            return None
        vectors, coefficients = model.support_vectors_, model.pair_coefficients_
        if model.kernel_.name == "linear":
            vectors, coefficients = coefficients.T @ vectors, np.eye(coefficients.shape[1])
        rounded = Rounded.of(vectors)
        machine = copy.copy(model)
        machine.pair_functions_ = KernelExpansion(
            Kernel(**{name: getattr(model.kernel_, name) for name in ("name", "gamma", "coef0", "degree")}),
            rounded.values,
            coefficients,
            model.pair_intercepts_,
        )
        return cls(machine, rounded)

    def errors(
        self, model: ProbabilisticSVC, flux: NDArray[np.float64], shown: NDArray[np.float64]
    ) -> dict[str, float]:
        """How far probabilities and gradients in the page are from the model's own.

        Parameters
        ----------
        model : ProbabilisticSVC
            The machine as it was.
        flux, shown : ndarray, shape (n, n_bins)
            The spectra, and the same as rounded in the page.

        Returns
        -------
        dict
            ``"probability"``: the largest difference over all spectra and classes. ``"gradient"``: the smallest
            correlation over bins of the gradients of the log-odds of the most probable class, for up to 50 spectra.
        """
        probability = float(np.abs(self.machine.predict_proba(shown) - model.predict_proba(flux)).max())
        from agnsal.models.differentiable import as_differentiable

        rows = np.unique(np.linspace(0, len(flux) - 1, 50).round().astype(int))
        targets = model.classes_[model.predict_proba(flux[rows]).argmax(axis=1)]
        first = as_differentiable(model).gradient(flux[rows], targets, "log_odds")
        second = as_differentiable(self.machine).gradient(shown[rows], targets, "log_odds")
        least = _ROUNDING * np.abs(first).max()  # a gradient of nought is rounding, which is like nothing
        alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(first, second, strict=True) if a.std() > least < b.std()]
        return {"probability": probability, "gradient": float(min(alike, default=1.0))}

    def document(self) -> dict[str, object]:
        """What the page reads."""
        machine = self.machine
        if not np.isfinite([*machine.sigmoid_a_, *machine.sigmoid_b_]).all():
            raise AgnsalError("the machine has sigmoids that are not finite.")
        return {
            "kernel": machine.kernel_.name,
            "gamma": float(machine.kernel_.gamma),
            "coef0": float(machine.kernel_.coef0),
            "degree": float(machine.kernel_.degree),
            "intercepts": machine.pair_intercepts_.tolist(),
            "a": machine.sigmoid_a_.tolist(),
            "b": machine.sigmoid_b_.tolist(),
            "vectors": {"text": self.vectors.text(), "scale": self.vectors.scale.tolist()},
            "coefficients": machine.pair_coefficients_.T.tolist(),
            "n_vectors": len(self.vectors.steps),
        }
