"""The last layer of a network as a ridge regression over its training spectra: an approximation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.models.networks.chain import trace
from agnsal.models.networks.layers import Dense
from agnsal.models.networks.network import Network


def last_layer_terms(
    network: Network, X: NDArray[np.float64], ridge: float
) -> tuple[KernelExpansion, Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """Write the last layer as a sum over training spectra.

    The raw outputs at the training spectra, less the bias, are regressed on the activations that feed the last layer.
    The dual form of that ridge regression has a coefficient for every training spectrum, as a kernel machine has.

    Parameters
    ----------
    network : Network
        Ends in a dense layer.
    X : ndarray, shape (n_training, n_features)
        What it was trained on, as its first layer takes it.
    ridge : float
        Penalty, as a share of the mean squared length of the activations.

    Returns
    -------
    expansion : KernelExpansion
        Linear in the activations, with a vector for every training spectrum.
    activations : callable
        From spectra to what the expansion takes.

    Raises
    ------
    AgnsalError
        If the last layer is not dense, or the penalty is not positive.

    References
    ----------
    The representer theorem for the last layer: Yeh et al. 2018, arXiv:1811.09720; a surrogate machine in its place:
    Yolcu et al. 2024, arXiv:2402.12118.

    Examples
    --------
    >>> network = Network.dense([np.eye(2), [[1.0, 2.0]]], [[0.0, 0.0], [0.5]])
    >>> expansion, activations = last_layer_terms(network, np.eye(2), 1e-9)
    >>> expansion(activations(np.array([[3.0, 4.0]]))).round(6)
    array([[11.5]])
    """
    last = network.layers[-1] if network.layers else None
    if not isinstance(last, Dense) or len(network.layers) < 2:
        raise AgnsalError(
            f"the influence of training spectra on a network is read off its last dense layer; {network!r} has no "
            "dense layer behind others."
        )
    if not ridge > 0:
        raise AgnsalError(f"ridge must be positive, got {ridge}.")

    def activations(spectra: NDArray[np.float64]) -> NDArray[np.float64]:
        return trace(network.layers[:-1], network.shaped(spectra))[-1]

    H = activations(X)
    gram = H @ H.T
    penalty = ridge * max(np.trace(gram) / len(H), np.finfo(float).tiny)
    coefficients = np.linalg.solve(gram + penalty * np.eye(len(H)), H @ last.weight.T)
    return KernelExpansion(Kernel("linear"), H, coefficients, np.asarray(last.bias, dtype=np.float64)), activations
