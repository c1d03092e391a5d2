"""DeepLift: the change of an output against a baseline, handed back through a network by slopes of chords."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.networks.asking import ask_network
from agnsal.attribution.question.baselines import resolve_baseline
from agnsal.attribution.question.methods import declare
from agnsal.errors import AgnsalError
from agnsal.models.networks.chain import Residual, trace
from agnsal.models.networks.layers import Affine, Elementwise, Layer, MaxPool
from agnsal.spectra.sample import SpectralSample

#: Changes below this are rounding; the slope of their chord is that of the tangent.
_NEAR = 1e-10


@declare("DeepLift", answers="shares", network=True)
def deep_lift(
    network: object,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: Literal["decision"] = "decision",
    *,
    baseline: Any = "zero",
) -> Attribution:
    """DeepLift with the rescale rule: shares of the change of the output against a baseline.

    As a gradient, but each activation has the slope of the chord from what it got at the baseline to what it gets, in
    place of the tangent; where a maximum changes its place, the old winner and the new share what it changed by. The
    shares of the wavelengths sum to the change of the output, at the cost of two evaluations.

    Parameters
    ----------
    network : object
        A `Network`, or what `Network.from_sklearn` or `Network.from_torch` take.
    sample_or_X, target
        As in `saliency`.
    output : {"decision"}
        The raw output of the network (the logit) is what is shared out; there is no other.
    baseline
        As in `integrated_gradients`; by default 0, which of standardised spectra is the training mean.

    Returns
    -------
    Attribution
        Without unit, with `baseline` and `residual`, which is rounding.

    Raises
    ------
    AgnsalError
        If another output is asked for, the model is no network, a layer has no rule, or the baseline does not fit.

    See Also
    --------
    relevance : layer-wise relevance propagation, which needs no baseline.
    integrated_gradients : the same sum, along a path.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, arXiv:1704.02685; as a modified gradient Ancona et al. 2018, arXiv:1711.06104.

    Examples
    --------
    >>> from agnsal import Network
    >>> network = Network.dense([[[1.0, -1.0]], [[2.0]]], [[-1.0], [0.0]])  # 2 max(a - b - 1, 0)
    >>> deep_lift(network, [[4.0, 1.0]]).values  # 4 in all, shared as 4 to -1
    array([[ 5.33333333, -1.33333333]])
    """
    question = ask_network(network, sample_or_X, target, output)
    reference, name = resolve_baseline(question, baseline)
    layers, X = question.estimator, question.X
    start = np.ascontiguousarray(np.broadcast_to(reference, X.shape))
    weights = layers.output_weights(X, question.target)
    slopes = chord_slopes(layers.layers, layers.shaped(X), layers.shaped(start), weights).reshape(X.shape)
    values = slopes * (X - start)
    return question.answer(
        values,
        method="deep_lift",
        baseline=reference,
        residual=question.residual(values, question.explained(start), "a layer is not known to share out all it gets"),
        options={"baseline": baseline},
        found={"baseline": name},
    )


def chord_slopes(
    layers: tuple[Layer, ...], x: NDArray[np.float64], start: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Change of a weighted sum of the outputs per change of each input (Shrikumar's multipliers).

    Parameters
    ----------
    layers : tuple of Layer
        Of the network.
    x, start : ndarray, of one shape
        The inputs, and what they are compared with.
    weights : ndarray, of the shape of the output
        Of the outputs.

    Returns
    -------
    ndarray, of the shape of x

    Raises
    ------
    AgnsalError
        For a layer without a rule.
    """
    before, after, slopes = trace(layers, start), trace(layers, x), weights
    for k in range(len(layers) - 1, -1, -1):
        layer, a, b = layers[k], before[k], after[k]
        if isinstance(layer, Affine):
            slopes = layer.adjoint(slopes, b.shape)
        elif isinstance(layer, Elementwise):
            slopes = slopes * _ratio(after[k + 1] - before[k + 1], b - a, layer.slope(b))
        elif isinstance(layer, MaxPool):
            slopes = _of_maximum(layer, a, b, slopes)
        elif isinstance(layer, Residual):
            branches = (layer.branch, layer.shortcut)
            slopes = sum((chord_slopes(branch, b, a, slopes) for branch in branches), np.zeros_like(b))
        else:
            raise AgnsalError(f"DeepLift has no rule for a layer {type(layer).__name__}.")
    return slopes


def _ratio(change: NDArray[Any], step: NDArray[Any], tangent: NDArray[Any] | float) -> NDArray[np.float64]:
    """Slope of the chord, or of the tangent where there is no step."""
    far = np.abs(step) > _NEAR
    return np.where(far, change / np.where(far, step, 1.0), tangent)


def _of_maximum(
    layer: MaxPool, start: NDArray[Any], x: NDArray[Any], slopes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a maximum changed by goes to the winner if it rose, to the former winner if it fell."""
    places, former = layer.choose(x), layer.choose(start)
    rises = layer.read(x, places) >= layer.read(start, former)
    at = np.where(rises, places, former)
    change = layer.read(x, places) - layer.read(start, former)
    step = layer.read(x, at) - layer.read(start, at)
    return layer.hand_back(at, slopes * _ratio(change, step, 1.0), x.shape)
