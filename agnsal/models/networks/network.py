"""`Network`: a trained neural network as a plain record of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError, one_of
from agnsal.models.model import DifferentiableModel
from agnsal.models.networks.chain import flat, input_length, pull_back, trace
from agnsal.models.networks.file import pack_layers, unpack_layers
from agnsal.models.networks.layers import Conv1d, Dense, Layer, Logistic, ReLU, Tanh
from agnsal.models.networks.outputs import differentiable, select
from agnsal.models.validation import flux_of
from agnsal.spectra.sample import SpectralSample
from agnsal.store import Array, Stored, pack_labels, unpack_labels

#: Activations by the name scikit-learn gives them.
ACTIVATIONS: dict[str, tuple[Layer, ...]] = {
    "identity": (),
    "relu": (ReLU(),),
    "tanh": (Tanh(),),
    "logistic": (Logistic(),),
}


@dataclass(frozen=True, eq=False)
class Network(Stored):
    """A trained neural network: a row of layers from spectra to raw outputs (logits), in float64.

    Made by `dense`, `from_sklearn` or `from_torch`. What was done to the spectra before (a scaler) is not part of it:
    the inputs of a network are what its first layer saw in training, usually standardised flux.

    Attributes
    ----------
    layers : tuple of Layer
        From `agnsal.models.networks.layers`. A network that begins with a convolution or a pool takes spectra of one
        channel.
    classes : ndarray, shape (n_classes,), or None
        Labels of the outputs, of which there are as many, or one (a logit for the second of two classes). None for
        raw outputs.
    n_features : int or None
        Number of wavelengths; worked out from the layers where they tell.

    Raises
    ------
    AgnsalError
        If the layers do not fit each other, or the classes do not fit the outputs.

    Examples
    --------
    >>> network = Network.dense([[[1.0, -1.0], [0.5, 0.5]], [[1.0, 1.0]]], [[0.0, 0.0], [0.1]])
    >>> network
    <Network: 2 features, Dense(2) - ReLU - Dense(1)>
    >>> network.forward([[3.0, 1.0]])
    array([[4.1]])
    >>> network.gradient([[3.0, 1.0]])
    array([[ 1.5, -0.5]])
    """

    layers: tuple[Layer, ...]
    classes: NDArray[Any] | None = None
    n_features: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise AgnsalError(
                    f"{type(layer).__name__} is not a layer; see agnsal.models.networks.layers for those known."
                )
        if self.classes is not None:
            object.__setattr__(self, "classes", np.asarray(self.classes))
        if self.n_features is None:
            object.__setattr__(self, "n_features", input_length(self.layers))
        if self.n_features is not None:
            n_outputs = self.forward(np.zeros((1, self.n_features))).shape[1]
            if self.classes is not None and n_outputs != len(self.classes) and (n_outputs, len(self.classes)) != (1, 2):
                raise AgnsalError(f"{len(self.classes)} classes for {n_outputs} outputs; give one label per output.")

    def __repr__(self) -> str:
        names = [
            f"{type(layer).__name__}({len(layer.bias)})" if hasattr(layer, "bias") else type(layer).__name__
            for layer in self.layers
        ]
        return f"<Network: {self.n_features or '?'} features, {' - '.join(names)}>"

    @classmethod
    def dense(
        cls,
        weights: Sequence[ArrayLike],
        biases: Sequence[ArrayLike],
        *,
        activation: str = "relu",
        classes: ArrayLike | None = None,
    ) -> Network:
        """Make a multilayer perceptron from its arrays.

        Parameters
        ----------
        weights : sequence of array_like, each of shape (n_out, n_in)
            From the first layer to the last.
        biases : sequence of array_like, each of shape (n_out,)
            One for each weight; None for a layer without.
        activation : {"relu", "tanh", "logistic", "identity"}
            Between the layers; the last is linear.
        classes : array_like, optional
            Labels of the outputs.

        Returns
        -------
        Network

        Raises
        ------
        AgnsalError
            If the shapes do not fit, or the activation is unknown.
        """
        one_of("activation", activation, ACTIVATIONS)
        if len(weights) != len(biases) or not len(weights):
            raise AgnsalError(f"{len(weights)} weights and {len(biases)} biases; there must be one bias per weight.")
        layers: list[Layer] = []
        width = None
        for number, (given, offset) in enumerate(zip(weights, biases, strict=True)):
            weight = _parameter(given, f"weight {number}")
            bias = np.zeros(len(weight)) if offset is None else _parameter(offset, f"bias {number}")
            if weight.ndim != 2 or bias.shape != (len(weight),) or width not in (None, weight.shape[1]):
                raise AgnsalError(
                    f"layer {number} has a weight of shape {weight.shape} and a bias of shape {bias.shape}; "
                    f"(n_out, n_in{'' if width is None else f' = {width}'}) and (n_out,) are expected."
                )
            layers += [Dense(weight, bias), *ACTIVATIONS[activation]]
            width = len(weight)
        if ACTIVATIONS[activation]:
            layers.pop()
        return cls(tuple(layers), None if classes is None else np.asarray(classes))

    @classmethod
    def from_sklearn(cls, perceptron: Any, *, scaler: Any = None) -> Network:
        """Take the layers of a fitted multilayer perceptron.

        Parameters
        ----------
        perceptron : MLPClassifier or MLPRegressor
            Fitted. Not a Pipeline: transform the spectra with its scaler first.
        scaler : StandardScaler, optional
            Fitted, to be folded into the first layer, so that the network takes spectra as the scaler does. Leave it
            out for contextual decomposition and relevance: what is absent is 0, and 0 should be the training mean.

        Returns
        -------
        Network
            Its outputs are the logits (one for two classes), or the regressed values.

        Raises
        ------
        AgnsalError
            If they are something else, not fitted, or a classifier of several labels at once.
        """
        from agnsal.models.networks.from_sklearn import arrays_of

        weights, biases, activation, labels = arrays_of(perceptron, scaler)
        return cls.dense(weights, biases, activation=activation, classes=labels)

    @classmethod
    def from_torch(cls, module: Any, *, classes: ArrayLike | None = None, n_features: int | None = None) -> Network:
        """Take the layers of a torch module, as in evaluation.

        Parameters
        ----------
        module : torch.nn.Module
            Made of ``Linear``, ``Conv1d``, ``BatchNorm1d``, ``ReLU``, ``Tanh``, ``Sigmoid``, pools, ``Flatten``,
            ``Dropout`` and sums, in ``Sequential`` or in a ``forward`` of its own; it ends at the logits.
        classes : array_like, optional
            Labels of the outputs.
        n_features : int, optional
            Number of wavelengths, where the layers do not tell.

        Returns
        -------
        Network

        Raises
        ------
        AgnsalError
            If it holds a layer that is not known, which is named.
        """
        from agnsal.models.networks.from_torch import layers_of

        return cls(layers_of(module), None if classes is None else np.asarray(classes), n_features)

    @property
    def n_outputs(self) -> int:
        """Number of raw outputs."""
        return next(len(layer.bias) for layer in reversed(flat(self.layers)) if isinstance(layer, Dense | Conv1d))

    @property
    def spatial(self) -> bool:
        """Whether the first layer works along the wavelengths, so that spectra get a channel axis."""
        return next((layer.spatial for layer in flat(self.layers) if layer.spatial is not None), None) or False

    def shaped(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Spectra as the first layer takes them.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Finite.

        Returns
        -------
        ndarray, shape (n, n_features), or (n, 1, n_features) before a convolution

        Raises
        ------
        AgnsalError
            If the spectra do not fit, or come with a unit or a mask.
        """
        X = flux_of(X)
        if self.n_features not in (None, X.shape[1]):
            raise AgnsalError(f"the network takes spectra of shape (n, {self.n_features}), got {X.shape}.")
        return X[:, None, :] if self.spatial else X

    def forward(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Raw outputs.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra as the first layer takes them.

        Returns
        -------
        ndarray, shape (n, n_outputs)
        """
        return trace(self.layers, self.shaped(X))[-1]

    def backward(self, X: SpectralSample | ArrayLike, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gradient of a weighted sum of the outputs.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.
        weights : ndarray, shape (n, n_outputs)
            Of the outputs.

        Returns
        -------
        ndarray, shape (n, n_features)
        """
        X = self.shaped(X)
        pulled = pull_back(self.layers, X, weights)
        return pulled.reshape(len(X), math.prod(pulled.shape[1:]))  # also of no spectra

    def gradient(self, X: SpectralSample | ArrayLike, target: Any = None) -> NDArray[np.float64]:
        """Gradient of one output.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.
        target : label, array_like of labels, or None
            See `output_weights`.

        Returns
        -------
        ndarray, shape (n, n_features)
        """
        return self.backward(X, self.output_weights(X, target))

    def output_weights(self, X: SpectralSample | ArrayLike, target: Any = None) -> NDArray[np.float64]:
        """Weights that select a target from the outputs.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.
        target : label, array_like of labels with shape (n,), or None
            A class, or the number of an output where there are no classes; None for the single output, or for the
            predicted class of each spectrum. A single logit counts for the second class, its negative for the first.

        Returns
        -------
        ndarray, shape (n, n_outputs)
            One-hot rows (or plus and minus one).

        Raises
        ------
        AgnsalError
            If there is no such class.
        """
        return select(target, len(flux_of(X)), self.n_outputs, self.classes, lambda: self.forward(X))

    def label_of(self, weights: NDArray[np.float64]) -> Any:
        """Label of the output that a row of `output_weights` selects."""
        if self.classes is None:
            return int(np.abs(weights).argmax())
        return self.classes[int(weights[0] > 0) if len(weights) < len(self.classes) else weights.argmax()]

    def predict(self, X: SpectralSample | ArrayLike) -> NDArray[Any]:
        """Label of every spectrum, or the raw outputs where there are no classes.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.

        Returns
        -------
        ndarray, shape (n,) or (n, n_outputs)
        """
        outputs = self.forward(X)
        if self.classes is None:
            return outputs
        return self.classes[(outputs[:, 0] > 0).astype(int) if outputs.shape[1] == 1 else outputs.argmax(axis=1)]

    _arrays: ClassVar = {"classes": Array("labels", "class", optional=True), "array_*": Array("real", "...")}
    _header: ClassVar = {"layers": [dict], "n_features": (int, None), "object_labels": bool}

    def _packed(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        layers, arrays = pack_layers(self.layers)
        objects = False
        if self.classes is not None:
            arrays["classes"], objects = pack_labels(self.classes)
        return arrays, {"layers": layers, "n_features": self.n_features, "object_labels": objects}

    @classmethod
    def _unpacked(cls, arrays: dict[str, NDArray[Any]], header: dict[str, Any]) -> Network:
        classes = arrays.pop("classes", None)
        layers = unpack_layers(header["layers"], arrays)
        if classes is not None:
            classes = unpack_labels(classes, header["object_labels"])
        network = cls(layers, classes, header["n_features"])
        if network.n_features != input_length(layers) is not None:
            raise AgnsalError(f"{network.n_features} features do not fit the layers")
        return network

    def as_differentiable(self) -> DifferentiableModel:
        """Make the model that the attribution methods explain.

        Returns
        -------
        DifferentiableModel
            With "decision" (the raw outputs; ``(-f, f)`` of a single logit), and with classes also "probability" and
            "log_odds".

        Raises
        ------
        AgnsalError
            If the number of features is not known.
        """
        if self.n_features is None:
            raise AgnsalError("the layers do not tell the number of wavelengths; say Network(..., n_features=...).")
        return differentiable(self.forward, self.backward, self.n_features, self.classes, self.n_outputs, self.predict)


def _parameter(values: Any, what: str) -> NDArray[np.float64]:
    """A weight or bias as finite float64."""
    array = np.array(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise AgnsalError(f"{what} of the network holds NaN or infinite numbers.")
    return array
