"""From a torch module to layers. Torch itself is needed only to follow a ``forward`` that the user wrote."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.models.networks.chain import Residual
from agnsal.models.networks.layers import (
    AveragePool,
    BatchNorm,
    Conv1d,
    Dense,
    Flatten,
    Layer,
    Logistic,
    MaxPool,
    ReLU,
    Tanh,
)

#: Functions and methods of one tensor, by name.
_FUNCTIONS: dict[str, tuple[Layer, ...]] = {
    "relu": (ReLU(),),
    "relu_": (ReLU(),),
    "tanh": (Tanh(),),
    "sigmoid": (Logistic(),),
    "contiguous": (),
    "dropout": (),
}
#: Modules without parameters, by name.
_MODULES: dict[str, tuple[Layer, ...]] = {
    "ReLU": (ReLU(),),
    "Tanh": (Tanh(),),
    "Sigmoid": (Logistic(),),
    "Identity": (),
    "Dropout": (),
    "Dropout1d": (),
    "AlphaDropout": (),
}
_SUMS = ("add", "iadd", "add_")


def layers_of(module: Any) -> tuple[Layer, ...]:
    """Layers of a torch module, as in evaluation.

    The module is traced symbolically, so that a ``forward`` of its own is followed; it is not run.

    Parameters
    ----------
    module : torch.nn.Module
        See `agnsal.Network.from_torch`.

    Returns
    -------
    tuple of Layer

    Raises
    ------
    AgnsalError
        If it is not a module, cannot be traced, or holds an operation that is not known.
    """
    if not is_torch(module):
        raise AgnsalError(f"a torch module is expected, got {type(module).__name__}.")
    if _torch_name(module):
        return _converted(module, type(module).__name__)
    from torch import fx

    try:
        graph = fx.Tracer().trace(module)
    except Exception as error:
        raise AgnsalError(
            f"the forward of {type(module).__name__} cannot be followed ({error}); "
            "write it without decisions that depend on the data, or build the Network from arrays."
        ) from error
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise AgnsalError(f"{type(module).__name__} takes {len(inputs)} inputs; a network of one is expected.")
    output = next(node for node in graph.nodes if node.op == "output").args[0]
    if not isinstance(output, fx.Node):
        raise AgnsalError(f"{type(module).__name__} returns several things; it must return the logits alone.")
    path = _path(output)
    if path[0] is not inputs[0]:
        raise AgnsalError(f"the output of {type(module).__name__} does not come from its input alone.")
    return _layers(path[1:], module)


def is_torch(thing: Any) -> bool:
    """Whether something is a torch module, without importing torch."""
    return any(kind.__module__.startswith("torch.nn.") and kind.__name__ == "Module" for kind in type(thing).__mro__)


def _torch_name(module: Any) -> str:
    """Name of a layer of torch's own, empty for a class of the user's."""
    return type(module).__name__ if type(module).__module__.startswith("torch.nn.") else ""


def _path(node: Any) -> list[Any]:
    """The nodes every route from the input to this node passes through, in order."""
    if not node.all_input_nodes:
        return [node]
    paths = [_path(parent) for parent in node.all_input_nodes]
    common = [steps[0] for steps in zip(*paths, strict=False) if all(step is steps[0] for step in steps)]
    return [*common, node]


def _layers(path: list[Any], module: Any) -> tuple[Layer, ...]:
    return tuple(layer for node in path for layer in _layer(node, module))


def _layer(node: Any, module: Any) -> tuple[Layer, ...]:
    """Layers of one step of the traced graph."""
    if node.op == "call_module":
        return _converted(module.get_submodule(str(node.target)), str(node.target))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    parents = node.all_input_nodes
    options = [value for value in (*node.args, *node.kwargs.values()) if value not in parents]
    if name in _SUMS and not options:
        sides = [_path(parent) for parent in (parents if len(parents) == 2 else 2 * parents)]
        shared = len(_path(node)) - 1
        return (Residual(*(_layers(side[shared:], module) for side in sides)),)
    if len(parents) == 1 and name == "unsqueeze" and parents[0].op == "placeholder" and options == [1]:
        return ()  # the channel axis, which a Network adds by itself
    if len(parents) == 1 and name == "flatten" and options in ([1], [1, -1]):
        return (Flatten(),)
    if len(parents) == 1 and name in _FUNCTIONS:
        return _FUNCTIONS[name]
    raise AgnsalError(f"the operation {name!r} is not a known layer of a Network; write it with torch.nn layers.")


def _converted(layer: Any, name: str) -> tuple[Layer, ...]:  # noqa: PLR0911 - a table of cases
    """Layers of one torch layer."""
    kind = _torch_name(layer)
    if kind in _MODULES:
        return _MODULES[kind]
    match kind:
        case "Sequential":
            return tuple(part for child, sub in layer.named_children() for part in _converted(sub, f"{name}.{child}"))
        case "Linear":
            return (Dense(_array(layer.weight), _bias(layer, layer.out_features)),)
        case "Conv1d":
            return (_convolution(layer, name),)
        case "BatchNorm1d":
            return (_batch_norm(layer, name),)
        case "Flatten" if (layer.start_dim, layer.end_dim) == (1, -1):
            return (Flatten(),)
        case "Unflatten" if layer.dim in (1, -1) and next(iter(layer.unflattened_size)) == 1:
            return ()  # the channel axis, which a Network adds by itself
        case "MaxPool1d" if not layer.ceil_mode and _one(layer.dilation) == 1:
            return (MaxPool(_one(layer.kernel_size), _one(layer.stride), _one(layer.padding)),)
        case "AvgPool1d" if not layer.ceil_mode:
            sizes = (_one(layer.kernel_size), _one(layer.stride), _one(layer.padding))
            return (AveragePool(*sizes, count_padding=layer.count_include_pad),)
        case "AdaptiveAvgPool1d" if _one(layer.output_size) == 1:
            return (AveragePool(),)
        case "AdaptiveMaxPool1d" if _one(layer.output_size) == 1:
            return (MaxPool(),)
        case "":
            return layers_of(layer)
    raise AgnsalError(
        f"layer {name!r} ({layer!r}) is not known to Network; known are Linear, Conv1d, BatchNorm1d, ReLU, Tanh, "
        "Sigmoid, MaxPool1d, AvgPool1d, AdaptiveAvgPool1d(1), Flatten, Dropout, and sums of branches. "
        "Leave a softmax off the end."
    )


def _convolution(layer: Any, name: str) -> Conv1d:
    if layer.padding_mode != "zeros":
        raise AgnsalError(f"layer {name!r} pads with {layer.padding_mode!r}; only padding with zeros is known.")
    weight, (dilation,), (stride,) = _array(layer.weight), layer.dilation, layer.stride
    if layer.padding == "same":
        total = dilation * (weight.shape[2] - 1)
        padding = (total // 2, total - total // 2)
    elif layer.padding == "valid":
        padding = (0, 0)
    else:
        padding = (_one(layer.padding), _one(layer.padding))
    if layer.groups > 1:  # channels of other groups have weight zero
        part_out, part_in = len(weight) // layer.groups, weight.shape[1]
        whole = np.zeros((len(weight), layer.in_channels, weight.shape[2]))
        for group in range(layer.groups):
            rows = slice(group * part_out, (group + 1) * part_out)
            whole[rows, group * part_in : (group + 1) * part_in] = weight[rows]
        weight = whole
    return Conv1d(weight, _bias(layer, len(weight)), stride, dilation, padding)


def _batch_norm(layer: Any, name: str) -> BatchNorm:
    if layer.running_mean is None or layer.running_var is None:
        raise AgnsalError(f"layer {name!r} keeps no statistics of the training, so it depends on the batch.")
    weight, bias = (1.0, 0.0) if layer.weight is None else (_array(layer.weight), _array(layer.bias))
    return BatchNorm.from_statistics(_array(layer.running_mean), _array(layer.running_var), weight, bias, layer.eps)


def _array(tensor: Any) -> NDArray[np.float64]:
    return tensor.detach().cpu().numpy().astype(np.float64)


def _bias(layer: Any, size: int) -> NDArray[np.float64]:
    return np.zeros(size) if layer.bias is None else _array(layer.bias)


def _one(value: Any) -> Any:
    """The number in a tuple of one, which torch writes either way."""
    return value[0] if isinstance(value, tuple | list) else value
