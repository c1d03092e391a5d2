"""Methods of other libraries under the signature of ours, where those are installed: captum and shap."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.attribution.question.baselines import resolve_baseline
from agnsal.attribution.question.question import ask
from agnsal.checks.benchmarks.methods import Explanation, Mapper
from agnsal.errors import AgnsalError
from agnsal.models.networks.layers import Dense, ReLU
from agnsal.models.networks.network import Network


def peers_for(model: Any) -> dict[str, Mapper]:
    """Methods of captum and shap that serve a model, of those installed.

    Parameters
    ----------
    model : object
        captum takes a dense `Network` with ReLU, shap anything.

    Returns
    -------
    dict of str to callable
        As `agnsal.checks.benchmarks.methods.methods_for`; empty if neither is installed.

    Examples
    --------
    >>> set(peers_for(object())) <= {"shap Permutation"}
    True
    """
    found: dict[str, Mapper] = {}
    if importlib.util.find_spec("shap") is not None:
        found["shap Permutation"] = _permutation
    dense = isinstance(model, Network) and all(isinstance(layer, Dense | ReLU) for layer in model.layers)
    if dense and importlib.util.find_spec("captum") is not None:
        for name in ("IntegratedGradients", "DeepLift"):
            found[f"captum {name}"] = _of_captum(name)
    return found


def _permutation(asked: Explanation) -> NDArray[np.float64]:
    """Shapley values over one permutation and its reverse, the least that shap asks for."""
    import shap

    question = ask(*asked.question)
    baseline, _ = resolve_baseline(question, asked.baseline)
    start = np.broadcast_to(baseline, question.X.shape)
    values = np.empty(question.X.shape)
    for i, x in enumerate(question.X):
        row = np.array([i])

        def output(Z: NDArray, row: NDArray = row) -> NDArray[np.float64]:
            return question.explained(np.asarray(Z, dtype=np.float64), np.repeat(row, len(Z)))

        explainer = shap.PermutationExplainer(output, start[[i]], seed=asked.seed)
        values[i] = explainer(x[None], max_evals=2 * x.size + 1, silent=True).values[0]
    return values


def _of_captum(name: str) -> Mapper:
    def explain(asked: Explanation) -> NDArray[np.float64]:
        import torch
        from captum import attr

        question = ask(*asked.question)
        baseline, _ = resolve_baseline(question, asked.baseline)
        X = torch.from_numpy(question.X).requires_grad_()
        start = torch.from_numpy(np.ascontiguousarray(np.broadcast_to(baseline, question.X.shape)))
        module = _module(asked.model)
        outputs = asked.model.output_weights(asked.matrix, asked.target).argmax(axis=1)
        options = {"n_steps": 64} if name == "IntegratedGradients" else {}
        method = getattr(attr, name)(module)
        with warnings.catch_warnings():  # DeepLift announces that it sets hooks
            warnings.simplefilter("ignore", UserWarning)
            found = method.attribute(X, start, target=torch.from_numpy(outputs), **options)
        return found.detach().numpy()

    return explain


def _module(network: Network) -> Any:
    """Make the same network of torch layers, in double precision."""
    import torch

    layers: list[Any] = []
    for layer in network.layers:
        if isinstance(layer, Dense):
            linear = torch.nn.Linear(*reversed(layer.weight.shape)).double()
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(layer.weight))
                linear.bias.copy_(torch.from_numpy(layer.bias))
            layers.append(linear)
        elif isinstance(layer, ReLU):
            layers.append(torch.nn.ReLU())
        else:
            raise AgnsalError(f"{type(layer).__name__} is not made into a torch layer here.")
    return torch.nn.Sequential(*layers)
