"""What a layer of a network holds, and how an output changes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.models.networks.chain import pull_back, trace
from agnsal.models.networks.from_torch import is_torch
from agnsal.models.networks.network import Network
from agnsal.models.networks.outputs import differentiable


class LayerView(NamedTuple):
    """A layer, seen from both sides.

    Attributes
    ----------
    activations : callable
        From spectra (n, n_features) to what the layer holds, shape (n, n_units).
    gradient : callable
        From spectra, a target and an output to the gradient of that output over what the layer holds.
    """

    activations: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    gradient: Callable[[NDArray[np.float64], Any, str], NDArray[np.float64]]


def view_layer(model: Any, layer: int | str) -> LayerView:
    """Look at a layer of a network.

    Parameters
    ----------
    model : Network, torch module or multilayer perceptron of scikit-learn
        The network.
    layer : int or str
        How many layers come before, of a `Network` or what converts to one; or, of a torch module, the name of any
        submodule (as in ``named_modules``), whatever it is made of.

    Returns
    -------
    LayerView

    Raises
    ------
    AgnsalError
        If there is no such layer.

    Examples
    --------
    >>> network = Network.dense([np.eye(2), [[1.0, -1.0]]], [[0.0, 0.0], [0.0]])
    >>> view_layer(network, 2).activations(np.array([[3.0, -1.0]]))
    array([[3., 0.]])
    >>> view_layer(network, 2).gradient(np.array([[3.0, -1.0]]), None, "decision")
    array([[ 1., -1.]])
    """
    if isinstance(layer, str):
        if not is_torch(model):
            raise AgnsalError(f"layers are named in torch modules only; of {type(model).__name__} give a number.")
        return _of_module(model, layer)
    if isinstance(model, Network):
        network = model
    else:
        network = Network.from_torch(model) if is_torch(model) else Network.from_sklearn(model)
    if not 0 < layer < len(network.layers):
        raise AgnsalError(f"layer must be from 1 to {len(network.layers) - 1} of {network!r}, got {layer}.")
    return _of_network(network, layer)


def _of_network(network: Network, layer: int) -> LayerView:
    before, after = network.layers[:layer], network.layers[layer:]

    def held(X: NDArray[np.float64]) -> NDArray[np.float64]:
        return trace(before, network.shaped(X))[-1]

    def activations(X: NDArray[np.float64]) -> NDArray[np.float64]:
        return held(X).reshape(len(X), -1)

    def gradient(X: NDArray[np.float64], target: Any, output: str) -> NDArray[np.float64]:
        shape = held(X[:1]).shape[1:]
        head = differentiable(
            lambda H: trace(after, H.reshape(len(H), *shape))[-1],
            lambda H, g: pull_back(after, H.reshape(len(H), *shape), g).reshape(len(H), -1),
            int(np.prod(shape)),
            network.classes,
            network.n_outputs,
            network.predict,
        )
        return head.gradient(activations(X), target, output)

    return LayerView(activations, gradient)


def _of_module(module: Any, name: str) -> LayerView:
    """Any submodule of a torch module; its raw outputs are asked about."""
    known = dict(module.named_modules())
    if name not in known or not name:
        some = ", ".join(each for each in list(known)[:12] if each)
        raise AgnsalError(f"the module has no submodule {name!r}; some of its names: {some}.")

    def run(X: NDArray[np.float64], target: Any = None) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        import torch

        like = next(module.parameters(), torch.zeros((), dtype=torch.float64))
        kept: list[Any] = []

        def keep(_module: Any, _inputs: Any, result: Any) -> Any:
            kept.append(result.detach().requires_grad_() if target is not None else result)
            return kept[-1]

        handle, training = known[name].register_forward_hook(keep), module.training
        module.eval()
        try:
            with torch.set_grad_enabled(target is not None):
                x = torch.as_tensor(np.ascontiguousarray(X), dtype=like.dtype, device=like.device)
                first = next((each for each in module.modules() if not list(each.children())), None)
                y = module(x[:, None, :] if type(first).__name__ == "Conv1d" else x)
                slope = None
                if target is not None:
                    y = y[:, None] if y.ndim == 1 else y
                    columns = torch.as_tensor(np.broadcast_to(target, len(X)).astype(np.int64), device=like.device)
                    total = y.gather(1, columns[:, None]).sum()
                    slope = torch.autograd.grad(total, kept[0])[0].reshape(len(X), -1).numpy(force=True)
            return kept[0].reshape(len(X), -1).numpy(force=True).astype(np.float64), slope
        finally:
            handle.remove()
            module.train(training)

    def gradient(X: NDArray[np.float64], target: Any, output: str) -> NDArray[np.float64]:
        if output != "decision":
            raise AgnsalError(f'a submodule by name is asked about the raw outputs, output="decision", not {output!r}.')
        slope = run(X, 0 if target is None else target)[1]
        return np.asarray(slope, dtype=np.float64)

    return LayerView(lambda X: run(X)[0], gradient)
