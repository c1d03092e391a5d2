"""Layer-wise relevance propagation: an output is handed back through a network, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.networks.asking import ask_network
from agnsal.attribution.question.methods import declare
from agnsal.errors import AgnsalError, one_of
from agnsal.models.networks.chain import Residual, trace
from agnsal.models.networks.layers import Affine, Dense, Elementwise, Layer, MaxPool
from agnsal.models.networks.network import Network
from agnsal.spectra.sample import SpectralSample

LayerRule = Literal["z", "epsilon", "alpha1beta0", "alpha2beta1", "w2", "flat", "deep_taylor"]
Bias = Literal["canonical", "innvestigate", "ignore"]
RULES: tuple[LayerRule, ...] = ("z", "epsilon", "alpha1beta0", "alpha2beta1", "w2", "flat", "deep_taylor")
BIASES: tuple[Bias, ...] = ("canonical", "innvestigate", "ignore")


def layerwise_relevance(
    network: Network,
    X: SpectralSample | ArrayLike,
    rule: LayerRule = "z",
    target: Any = None,
    *,
    bias: Bias | None = None,
    epsilon: float = 0.25,
) -> NDArray[np.float64]:
    """Hand an output back to the wavelengths, each layer sharing out what it got among its inputs.

    With a an input of an affine layer, w a weight, z the output, R the relevance there, + and - the positive and
    negative parts:

    * ``"z"``: in proportion to a w, with the bias in the denominator; for ReLU networks this is input x gradient.
      Without the bias the shares sum to the output.
    * ``"epsilon"``: the same, with `epsilon` times the sign of z added to z.
    * ``"alpha1beta0"``, ``"alpha2beta1"``: alpha times the share of (a w)+ less beta times that of (a w)-, where
      (a w)+ = a+ w+ + a- w-, so that signed inputs are treated right.
    * ``"w2"``: in proportion to w squared; ``"flat"``: equally among the inputs that a unit is connected to.
    * ``"deep_taylor"``: 0 where the output is not positive; w2 for the last layer, alpha1beta0 below.

    Activations hand on what they get, a maximum gives it to its winner, a sum of branches is a layer of weights 1,
    and batch normalisation is a layer of its own.

    Parameters
    ----------
    network : Network
        The network.
    X : SpectralSample or array_like, shape (n, n_features)
        Spectra as the network takes them.
    rule : str
        One of the above.
    target : label, array_like of labels, or None
        Which output; None for the single one, or the predicted class of each spectrum.
    bias : {"canonical", "innvestigate", "ignore"}, optional
        What becomes of a bias: its positive part counts with the positive contributions and its negative with the
        negative ones; both count with either (iNNvestigate 1.0.8, the default of "deep_taylor"); or neither counts.
        The default of the other rules is "canonical". What a bias gets is lost to the wavelengths.
    epsilon : float
        For the rule of that name, in units of the pre-activations.

    Returns
    -------
    ndarray, shape (n, n_features)

    Raises
    ------
    AgnsalError
        If the rule or the treatment of the bias is unknown, or a layer has none, which is named.

    See Also
    --------
    relevance : the same as an `Attribution`.

    References
    ----------
    Bach et al. 2015, PLoS ONE 10, e0130140; Montavon et al. 2017, Pattern Recognition 65, 211 (deep Taylor, w2);
    Alber et al. 2019, JMLR 20, 93 (iNNvestigate); for fields of physics Mamalakis, Ebert-Uphoff & Barnes 2022,
    Environmental Data Science 1, e8.

    Examples
    --------
    >>> network = Network.dense([[[1.0, -1.0], [1.0, 1.0]], [[1.0, 0.5]]], [[0.0, 0.0], [0.0]])
    >>> layerwise_relevance(network, [[3.0, 1.0]])
    array([[ 4.5, -0.5]])
    >>> layerwise_relevance(network, [[3.0, 1.0]], "alpha1beta0")
    array([[3.5, 0.5]])
    """
    one_of("rule", rule, RULES)
    if bias is None:
        bias = "innvestigate" if rule == "deep_taylor" else "canonical"
    one_of("bias", bias, BIASES)
    if epsilon < 0:
        raise AgnsalError(f"epsilon must not be negative, got {epsilon}.")
    x = network.shaped(X)
    weights = network.output_weights(X, target)
    sharing = replace(_SHARING["alpha1beta0" if rule == "deep_taylor" else rule], bias=bias, epsilon=epsilon)
    result = np.empty(x.shape)
    negative = (weights < 0).any(axis=1)
    for rows in (~negative, negative):
        if rows.any():
            layers = _negated(network.layers) if rows is negative else network.layers
            result[rows] = _explain(layers, x[rows], np.abs(weights[rows]), rule, sharing)
    return result.reshape(len(x), -1)


@declare(
    "LRP",
    answers="shares",
    network=True,
    judged={
        "LRP z": {"rule": "z"},
        "LRP epsilon": {"rule": "epsilon"},
        "LRP alpha1beta0": {"rule": "alpha1beta0"},
        "deep Taylor": {"rule": "deep_taylor"},
    },
)
def relevance(
    network: object,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: Literal["decision"] = "decision",
    *,
    rule: LayerRule = "z",
    bias: Bias | None = None,
    epsilon: float = 0.25,
) -> Attribution:
    """Layer-wise relevance propagation as an `Attribution`: `layerwise_relevance` with wavelengths, ids and a record.

    Parameters
    ----------
    network : object
        A `Network`, or what `Network.from_sklearn` or `Network.from_torch` take.
    sample_or_X, target
        As in `saliency`.
    output : {"decision"}
        The raw output of the network (the logit) is what is handed back; there is no other.
    rule, bias, epsilon
        As in `layerwise_relevance`.

    Returns
    -------
    Attribution
        Without unit. What the biases get is lost, so the values need not sum to the output.

    Raises
    ------
    AgnsalError
        As in `layerwise_relevance`; if another output is asked for, or the model is no network.

    See Also
    --------
    contextual_decomposition_map : what each region contributes.

    References
    ----------
    Bach et al. 2015, PLoS ONE 10, e0130140.

    Examples
    --------
    >>> network = Network.dense([[[1.0, -1.0], [1.0, 1.0]], [[1.0, 0.5]]], [[0.0, 0.0], [0.0]])
    >>> relevance(network, [[3.0, 1.0]], rule="alpha1beta0").values
    array([[3.5, 0.5]])
    """
    question = ask_network(network, sample_or_X, target, output)
    values = layerwise_relevance(question.estimator, question.X, rule, question.target, bias=bias, epsilon=epsilon)
    options = {"rule": rule, "bias": bias, "epsilon": epsilon}
    return question.answer(values, method="relevance", options=options)


def _explain(
    layers: tuple[Layer, ...], x: NDArray[Any], weights: NDArray[Any], rule: str, sharing: _Sharing
) -> NDArray[Any]:
    """Relevance of the input for the output that the weights select."""
    values = trace(layers, x)
    relevance = values[-1] * weights
    if rule != "deep_taylor":
        return _hand_back(layers, x, relevance, sharing)
    relevance = _SHARING["w2"].share(_last(layers), values[-2], np.maximum(relevance, 0.0))
    return _hand_back(layers[:-1], x, relevance, sharing)


def _last(layers: tuple[Layer, ...]) -> Dense:
    if not layers or not isinstance(layers[-1], Dense):
        raise AgnsalError("this starts from a Dense layer, with which the network does not end.")
    return layers[-1]


def _negated(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers of minus the output: the logit of the first class of two."""
    last = _last(layers)
    return (*layers[:-1], Dense(-last.weight, -last.bias))


def _hand_back(
    layers: tuple[Layer, ...], x: NDArray[Any], relevance: NDArray[Any], sharing: _Sharing
) -> NDArray[np.float64]:
    """Relevance of the input of layers in a row, from that of the output."""
    values = trace(layers, x)
    for layer, value in zip(reversed(layers), reversed(values[:-1]), strict=True):
        if isinstance(layer, Affine):
            relevance = sharing.share(layer, value, relevance)
        elif isinstance(layer, MaxPool):
            relevance = layer.backward(value, relevance)
        elif isinstance(layer, Residual):
            branches = (layer.branch, layer.shortcut)
            ends = np.stack([trace(branch, value)[-1] for branch in branches], axis=1)
            parts = sharing.share(_Sum(), ends, relevance)
            branch, shortcut = (_hand_back(b, value, parts[:, k], sharing) for k, b in enumerate(branches))
            relevance = branch + shortcut
        elif not isinstance(layer, Elementwise):
            raise AgnsalError(f"relevance propagation has no rule for a layer {type(layer).__name__}.")
    return relevance


class _Sum(Affine):
    """The sum over the second axis, where a residual block adds its branches."""

    def linear(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x.sum(axis=1)

    def adjoint(self, gradient: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        return np.broadcast_to(gradient[:, None], shape)


@dataclass(frozen=True)
class _Sharing:
    """How an affine layer shares relevance out; `weights` is set for the rules that do not look at the input."""

    alpha: float = 1.0
    beta: float = 0.0
    signed: bool = True
    weights: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    stabilise: bool = False
    bias: Bias = "canonical"
    epsilon: float = 0.0

    def share(self, layer: Affine, a: NDArray[Any], relevance: NDArray[Any]) -> NDArray[np.float64]:
        """Relevance of the inputs `a` of an affine layer."""
        if self.weights is not None:
            plain = layer.mapped(self.weights)
            return plain.adjoint(_divide(relevance, plain.linear(np.ones_like(a))), a.shape)
        if not self.signed:
            z = layer.linear(a)
            if self.bias != "ignore":
                z = z + layer.offset(z.ndim)
            if self.stabilise:
                z = z + self.epsilon * np.where(z < 0, -1.0, 1.0)
            return a * layer.adjoint(_divide(relevance, z), a.shape)
        positive, negative = layer.mapped(lambda w: np.maximum(w, 0.0)), layer.mapped(lambda w: np.minimum(w, 0.0))
        above, under = np.maximum(a, 0.0), np.minimum(a, 0.0)

        def contributions(first: Affine, second: Affine, part: Callable[[Any, float], Any]) -> NDArray[np.float64]:
            z = first.linear(above) + second.linear(under)
            if self.bias != "ignore":
                offset = layer.offset(z.ndim)
                z = z + (part(offset, 0.0) if self.bias == "canonical" else offset)
            s = _divide(relevance, z)
            return above * first.adjoint(s, a.shape) + under * second.adjoint(s, a.shape)

        shares = self.alpha * contributions(positive, negative, np.maximum)
        if self.beta:
            shares = shares - self.beta * contributions(negative, positive, np.minimum)
        return shares


_SHARING: dict[str, _Sharing] = {
    "z": _Sharing(signed=False),
    "epsilon": _Sharing(signed=False, stabilise=True),
    "alpha1beta0": _Sharing(),
    "alpha2beta1": _Sharing(alpha=2.0, beta=1.0),
    "w2": _Sharing(weights=np.square),
    "flat": _Sharing(weights=np.ones_like),
}


def _divide(relevance: NDArray[Any], z: NDArray[Any]) -> NDArray[np.float64]:
    """The quotient, 0 where nothing contributes."""
    return np.divide(relevance, z, out=np.zeros_like(relevance), where=z != 0)
