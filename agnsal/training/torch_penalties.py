"""The penalties of `agnsal.training.penalties` for torch modules, to be added to a loss of one's own.

They work on modules whose ``forward`` is a row of layers (``Sequential``, nested or not). Nothing is changed in the
module: dropout and batch normalisation stay in the mode they are in for its own outputs, and the decomposition treats
them as in evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from agnsal.attribution.networks.splitting import Rule
from agnsal.errors import AgnsalError
from agnsal.models.networks.from_torch import is_torch

_TINY = 1e-19
_HANDED_ON = ("Flatten", "Unflatten")
_SKIPPED = ("Identity", "Dropout", "Dropout1d", "AlphaDropout")
_AVERAGES = ("AvgPool1d", "AdaptiveAvgPool1d")


def decompose(module: Any, X: Any, mask: Any, rule: Rule = "authors") -> tuple[Any, Any]:
    """Contextual decomposition of the outputs of a torch module, differentiable by torch.

    Parameters
    ----------
    module : torch.nn.Module
        A row of ``Linear``, ``Conv1d``, ``BatchNorm1d``, ``ReLU``, ``Tanh``, one-dimensional pools, ``Flatten`` and
        ``Dropout``.
    X : Tensor
        Inputs as the module takes them.
    mask : Tensor
        1 where the input is relevant; broadcast over X.
    rule : {"authors", "symmetric"}
        See `agnsal.training.penalties.decompose`.

    Returns
    -------
    relevant, irrelevant : Tensor

    Raises
    ------
    AgnsalError
        If a layer has no rule, which is named.
    """
    beta, gamma = X * mask, X * (1 - mask)
    for name, layer in _row(module):
        beta, gamma = _split(layer, beta, gamma, name, rule)
    return beta, gamma


def cdep_l1(module: Any, X: Any, mask: Any) -> Any:
    """Mean absolute contribution of the masked inputs; see `agnsal.training.penalties.cdep_l1`."""
    return decompose(module, X, mask)[0].abs().mean()


def cdep_symmetric(module: Any, X: Any, mask: Any) -> Any:
    """Mean absolute contribution by the symmetric rule; see `agnsal.training.penalties.cdep_symmetric`."""
    return decompose(module, X, mask, "symmetric")[0].abs().mean()


def cdep_softmax(module: Any, X: Any, mask: Any) -> Any:
    """Mean share of the masked inputs in a softmax; see `agnsal.training.penalties.cdep_softmax`."""
    relevant, irrelevant = decompose(module, X, mask)
    return (relevant - irrelevant).sigmoid().mean()


def rrr(module: Any, X: Any, mask: Any) -> Any:
    """Squared gradient of the summed log-probabilities over the masked inputs; see `agnsal.training.penalties.rrr`."""
    import torch

    X = X.detach().requires_grad_()
    (slope,) = torch.autograd.grad(module(X).log_softmax(dim=1).sum(), X, create_graph=True)
    return (mask * slope**2).sum() / len(X)


def occlusion(module: Any, X: Any, mask: Any) -> Any:
    """Mean absolute change of the outputs without the masked inputs; see `agnsal.training.penalties.occlusion`."""
    return (module(X) - module(X * (1 - mask))).abs().mean()


#: Penalties by name.
PENALTIES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "cdep_l1": cdep_l1,
    "cdep_symmetric": cdep_symmetric,
    "cdep_softmax": cdep_softmax,
    "rrr": rrr,
    "occlusion": occlusion,
}


def _row(module: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The layers of a module in the order of its forward, with their names."""
    if not is_torch(module):
        raise AgnsalError(f"a torch module is expected, got {type(module).__name__}.")
    if type(module).__name__ == "Sequential":
        for child, layer in module.named_children():
            yield from _row(layer, f"{name}.{child}" if name else child)
    else:
        yield name or type(module).__name__, module


def _split(layer: Any, beta: Any, gamma: Any, name: str, rule: Rule) -> tuple[Any, Any]:
    """Parts of the output of one layer."""
    kind = type(layer).__name__
    if kind in _SKIPPED:
        return beta, gamma
    if kind in _HANDED_ON or kind in _AVERAGES:
        return layer(beta), layer(gamma)
    if kind == "ReLU" and rule == "authors":
        relevant = beta.relu()
        return relevant, (beta + gamma).relu() - relevant
    if kind in ("ReLU", "Tanh"):
        both = layer(beta + gamma)
        relevant = 0.5 * (layer(beta) + both - layer(gamma))
        return relevant, both - relevant
    if kind == "MaxPool1d":
        return _max_pool(layer, beta, gamma)
    if kind in ("Linear", "Conv1d", "BatchNorm1d"):
        linear, offset = _affine(layer, beta.ndim)
        beta, gamma = linear(beta), linear(gamma)
        share = beta.abs() / (beta.abs() + gamma.abs() + _TINY)
        return beta + share * offset, gamma + (1 - share) * offset
    raise AgnsalError(f"contextual decomposition has no rule for layer {name!r} ({layer!r}).")


def _affine(layer: Any, ndim: int) -> tuple[Callable[[Any], Any], Any]:
    """The linear map of a layer and its offset, shaped for its output."""
    from torch.nn import functional

    if type(layer).__name__ == "BatchNorm1d":
        scale = (layer.running_var + layer.eps).rsqrt()
        if layer.weight is not None:
            scale = scale * layer.weight
        shift = -layer.running_mean * scale
        if layer.bias is not None:
            shift = shift + layer.bias
        column = (-1, 1) if ndim == 3 else (-1,)
        return (lambda x: x * scale.reshape(column)), shift.reshape(column)
    offset: Any = 0.0 if layer.bias is None else layer.bias
    if type(layer).__name__ == "Linear":
        return (lambda x: functional.linear(x, layer.weight)), offset
    if layer.padding_mode != "zeros":
        raise AgnsalError(f"{layer!r} pads with {layer.padding_mode!r}; only padding with zeros is known.")
    options = (layer.stride, layer.padding, layer.dilation, layer.groups)
    column_of = offset if layer.bias is None else offset.reshape(-1, 1)
    return (lambda x: functional.conv1d(x, layer.weight, None, *options)), column_of


def _max_pool(layer: Any, beta: Any, gamma: Any) -> tuple[Any, Any]:
    """Both parts where their sum is largest."""
    from torch.nn import functional

    options = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    _, places = functional.max_pool1d(beta + gamma, *options, ceil_mode=layer.ceil_mode, return_indices=True)
    return beta.gather(-1, places), gamma.gather(-1, places)
