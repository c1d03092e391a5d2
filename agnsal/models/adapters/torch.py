"""torch modules as differentiable models; torch is only touched if it is there already."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError
from agnsal.models.model import DifferentiableModel
from agnsal.models.networks.outputs import differentiable

_CONVOLUTIONS = ("Conv1d", "MaxPool1d", "AvgPool1d", "BatchNorm1d")
_FINAL = ("Softmax", "LogSoftmax", "Sigmoid", "LogSigmoid")


def differentiable_module(
    module: Any, n_features: int | None = None, classes: ArrayLike | None = None
) -> DifferentiableModel:
    """Make a differentiable model of a torch module, evaluated as in ``module.eval()``.

    Parameters
    ----------
    module : torch.nn.Module
        From (n, n_features) to (n, n_outputs) or (n,); one that begins with a convolution gets (n, 1, n_features).
    n_features : int, optional
        Number of wavelengths; not needed if the first layer is `Linear`.
    classes : array, optional
        Labels of the outputs, which are then taken for logits: as many as outputs, or two for a single one. Without
        labels the only output is "decision", the raw outputs, numbered from 0.

    Returns
    -------
    DifferentiableModel
        In the precision of the module: call ``module.double()`` for gradients to the last digit.

    Raises
    ------
    AgnsalError
        If the number of wavelengths is not known, the outputs are not one row per spectrum, or labels are given for
        a module that ends in a softmax or sigmoid.
    """
    leaves = [part for part in module.modules() if not list(part.children())]
    first = next((part for part in leaves if type(part).__name__ not in ("Flatten", "Identity", "Dropout")), None)
    if n_features is None:
        n_features = getattr(first, "in_features", None)
    if n_features is None:
        raise AgnsalError(
            f"{type(module).__name__} does not tell how many wavelengths it takes; say "
            "agnsal.models.adapters.torch.differentiable_module(module, n_features=...)."
        )
    if classes is not None and leaves and type(leaves[-1]).__name__ in _FINAL:
        raise AgnsalError(
            f"{type(module).__name__} ends in {type(leaves[-1]).__name__}; pass it without its last layer, "
            "so that its outputs are logits."
        )
    channel = type(first).__name__ in _CONVOLUTIONS

    def evaluate(X: NDArray, weights: NDArray | None = None) -> NDArray[np.float64]:
        """Raw outputs, or with weights of the outputs the gradient of their sum."""
        import torch

        like = next(module.parameters(), torch.zeros((), dtype=torch.float64))
        training = module.training
        module.eval()
        try:
            with torch.set_grad_enabled(weights is not None):
                x = torch.as_tensor(np.ascontiguousarray(X), dtype=like.dtype, device=like.device)
                x.requires_grad_(weights is not None)
                y = module(x[:, None, :] if channel else x)
                y = y[:, None] if y.ndim == 1 else y
                if y.ndim != 2 or len(y) != len(x):
                    raise AgnsalError(f"the module gives outputs of shape {tuple(y.shape)} for {len(x)} spectra.")
                if weights is None:
                    return y.numpy(force=True).astype(np.float64)
                g = torch.as_tensor(weights, dtype=y.dtype, device=y.device)
                (gradient,) = torch.autograd.grad(y, x, g)
                return gradient.numpy(force=True).astype(np.float64)
        finally:
            module.train(training)

    n_outputs = evaluate(np.zeros((1, n_features))).shape[1]
    labels: Any = None if classes is None else np.asarray(classes)
    if labels is not None and n_outputs != len(labels) and (n_outputs, len(labels)) != (1, 2):
        raise AgnsalError(f"{len(labels)} classes for {n_outputs} outputs; give one label per output.")

    def predict(X: NDArray) -> NDArray:
        y = evaluate(X)
        return labels[(y[:, 0] > 0).astype(int) if y.shape[1] < len(labels) else y.argmax(axis=1)]

    return differentiable(evaluate, evaluate, int(n_features), labels, n_outputs, predict)
