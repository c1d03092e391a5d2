"""What the methods that look into a network are asked: the raw output of its layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.neural_network import MLPRegressor

from agnsal.attribution.question.question import Question, ask
from agnsal.errors import AgnsalError
from agnsal.models.differentiable import as_differentiable
from agnsal.models.networks.from_torch import is_torch
from agnsal.models.networks.network import Network
from agnsal.spectra.sample import SpectralSample


def ask_network(
    network: object, sample_or_X: SpectralSample | ArrayLike, target: Any = "predicted", output: str = "decision"
) -> Question:
    """Check what a user asks of a network and make a `Question` of it.

    Parameters
    ----------
    network : object
        A `Network`, a torch module, or a multilayer perceptron of scikit-learn.
    sample_or_X, target
        As in `agnsal.saliency`.
    output : str
        Only ``"decision"``, the raw output; of a regressor that is its ``"prediction"``.

    Returns
    -------
    Question
        Its `estimator` is the `Network`.

    Raises
    ------
    AgnsalError
        If it is no network, another output is asked for, or the spectra or the target do not fit.
    """
    regressor = isinstance(network, MLPRegressor) and getattr(network, "out_activation_", "") == "identity"
    if output != "decision" and not (regressor and output in ("prediction", "probability")):
        raise AgnsalError(
            f'methods that go through the layers explain the raw output, output="decision"; got {output!r}. Gradients '
            "and Shapley values explain probabilities and log-odds too."
        )
    if isinstance(network, Network):
        layers = network
    else:
        layers = Network.from_torch(network) if is_torch(network) else Network.from_sklearn(network)
    if layers.n_features is None:
        flux = sample_or_X.flux if isinstance(sample_or_X, SpectralSample) else sample_or_X
        layers = replace(layers, n_features=np.shape(flux)[-1])
    question = ask(layers, sample_or_X, target, "decision")
    # the outputs of a perceptron that regresses have the name they have for every other method
    return replace(question, model=as_differentiable(network), output="prediction") if regressor else question
