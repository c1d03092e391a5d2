"""The outputs of a network as a `DifferentiableModel`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.models.machine.coupling import sigmoid
from agnsal.models.machine.log_odds import odds_against_rest
from agnsal.models.model import DifferentiableModel


def differentiable(
    forward: Callable[[Any], NDArray],
    backward: Callable[[Any, NDArray], NDArray],
    n_features: int,
    classes: NDArray | None,
    n_outputs: int,
    predict: Callable[[Any], NDArray],
) -> DifferentiableModel:
    """Make a differentiable model of a function and its derivative.

    Parameters
    ----------
    forward : callable
        From (n, n_features) to raw outputs (n, n_outputs).
    backward : callable
        From spectra and weights of the outputs to the gradient of the weighted sum.
    n_features, n_outputs : int
        Widths.
    classes : ndarray or None
        Labels, as many as outputs, or two for one logit.
    predict : callable
        Label of every spectrum.

    Returns
    -------
    DifferentiableModel
    """
    raw = primitive(forward)
    defvjp(raw, lambda y, X: lambda g: backward(X, g))
    if classes is None:
        return DifferentiableModel({"decision": raw}, np.arange(n_outputs), n_features)
    single = n_outputs < len(classes)

    def decision(X: Any) -> Any:
        f = raw(X)
        return anp.concatenate([-f, f], axis=1) if single else f

    def log_odds(X: Any) -> Any:
        f = decision(X)
        return f if single else odds_against_rest(f)

    def probability(X: Any) -> Any:
        return sigmoid(log_odds(X))

    return DifferentiableModel(
        {"probability": probability, "log_odds": log_odds, "decision": decision}, classes, n_features, predict=predict
    )


def select(
    target: Any, n: int, n_outputs: int, classes: NDArray | None, forward: Callable[[], NDArray]
) -> NDArray[np.float64]:
    """Weights that select a target from the raw outputs; see `agnsal.Network.output_weights`.

    Parameters
    ----------
    target : label, array_like of labels with shape (n,), or None
        None for the single output, or for the predicted class of each spectrum.
    n, n_outputs : int
        Number of spectra and of outputs.
    classes : ndarray or None
        Labels, as many as outputs, or two for one logit.
    forward : callable
        Gives the raw outputs, where the predicted class is asked for.

    Returns
    -------
    ndarray, shape (n, n_outputs)

    Raises
    ------
    AgnsalError
        If there is no such class.

    Examples
    --------
    >>> select("b", 2, 1, np.array(["a", "b"]), lambda: np.zeros((2, 1)))
    array([[1.],
           [1.]])
    """
    labels = np.arange(n_outputs) if classes is None else classes
    selectors = np.array([[-1.0], [1.0]]) if n_outputs < len(labels) else np.eye(n_outputs)
    if target is None:
        if n_outputs == len(labels) == 1:
            return np.ones((n, 1))
        return selectors[(forward() @ selectors.T).argmax(axis=1)]
    places = {label: place for place, label in enumerate(labels.tolist())}
    wanted = np.broadcast_to(np.asarray(target), (n,)) if np.ndim(target) == 0 else np.asarray(target)
    if wanted.shape != (n,):
        raise AgnsalError(f"target must be one class, or one for each of {n} spectra, got shape {wanted.shape}.")
    try:
        return selectors[[places[label] for label in wanted.tolist()]]
    except KeyError as error:
        raise AgnsalError(f"target {error.args[0]!r} is not among {labels.tolist()}.") from None
