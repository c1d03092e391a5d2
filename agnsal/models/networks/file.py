"""Layers as JSON and arrays, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.models.networks import layers as known
from agnsal.models.networks.chain import Residual
from agnsal.models.networks.layers import Layer
from agnsal.store.contents import check_header

_LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        known.Dense,
        known.Conv1d,
        known.BatchNorm,
        known.Flatten,
        known.AveragePool,
        known.MaxPool,
        known.ReLU,
        known.Tanh,
        known.Logistic,
        Residual,
    )
}


def pack_layers(layers: tuple[Layer, ...]) -> tuple[list[dict[str, Any]], dict[str, NDArray]]:
    """Layers as JSON, and their arrays under numbers that the JSON names.

    Raises
    ------
    AgnsalError
        If there is a layer of one's own among them.
    """
    arrays: dict[str, NDArray] = {}
    return [_packed(layer, arrays) for layer in layers], arrays


def unpack_layers(entries: list[dict[str, Any]], arrays: dict[str, NDArray]) -> tuple[Layer, ...]:
    """Put together what `pack_layers` took apart.

    Raises
    ------
    AgnsalError
        If an entry is no layer that is known, its parts are not what they should be, or an array belongs to none.
    """
    left = dict(arrays)
    layers = tuple(_unpacked(entry, left) for entry in entries)
    if left:
        raise AgnsalError(f"{', '.join(sorted(left))} belongs to no layer")
    return layers


def _packed(layer: Layer, arrays: dict[str, NDArray]) -> dict[str, Any]:
    """A layer as JSON, its arrays put among the others under a number."""
    name = type(layer).__name__
    if _LAYERS.get(name) is not type(layer):
        raise AgnsalError(f"a layer {name} of one's own cannot be stored.")
    entry: dict[str, Any] = {"layer": name}
    for part in fields(layer):
        value = getattr(layer, part.name)
        if isinstance(value, np.ndarray):
            entry[part.name] = {"array": f"array_{len(arrays)}"}
            arrays[f"array_{len(arrays)}"] = value
        elif name == "Residual":
            entry[part.name] = {"layers": [_packed(inner, arrays) for inner in value]}
        else:
            entry[part.name] = list(value) if isinstance(value, tuple) else value
    return entry


#: Zeros beside a spectrum; more are no layer anybody has trained.
_MOST_PADDING = 2**20
#: What the parts of a layer that are no arrays may be.
_PARTS: dict[str, Any] = {
    "stride": (int, None),
    "dilation": int,
    "padding": (int, [int]),
    "size": (int, None),
    "count_padding": bool,
}


def _unpacked(entry: dict[str, Any], arrays: dict[str, NDArray]) -> Layer:
    """A layer from JSON and arrays; the arrays are taken out."""
    kind = _LAYERS.get(entry["layer"])
    if kind is None or entry.keys() != {"layer", *(part.name for part in fields(kind))}:
        raise AgnsalError(f"{entry!r:.200} is no layer that agnsal knows")
    options: dict[str, Any] = {}
    for name in entry.keys() - {"layer"}:
        value = entry[name]
        if kind is Residual:
            options[name] = tuple(_unpacked(inner, arrays) for inner in value["layers"])
        elif name in _PARTS:
            check_header(value, _PARTS[name], f"{name!r} of a {kind.__name__}")
            options[name] = tuple(value) if isinstance(value, list) else value
        else:
            options[name] = arrays.pop(value["array"])
    layer = kind(**options)
    _check_layer(layer)
    return layer


def _check_layer(layer: Layer) -> None:
    """Refuse arrays and strides that fit no layer."""
    if isinstance(layer, known.Dense | known.Conv1d):
        axes = 2 if isinstance(layer, known.Dense) else 3
        if layer.weight.ndim != axes or layer.bias.shape != layer.weight.shape[:1] or not layer.weight.size:
            raise AgnsalError(f"weight {layer.weight.shape} and bias {layer.bias.shape} do not fit a layer")
    if isinstance(layer, known.BatchNorm) and (layer.scale.ndim != 1 or layer.scale.shape != layer.shift.shape):
        raise AgnsalError(f"scale {layer.scale.shape} and shift {layer.shift.shape} do not fit")
    if isinstance(layer, known.Conv1d) and (layer.stride is None or np.shape(layer.padding) != (2,)):
        raise AgnsalError(f"stride {layer.stride} and padding {layer.padding} are none of a convolution")
    if isinstance(layer, known.Pool) and np.shape(layer.padding) != ():
        raise AgnsalError(f"padding {layer.padding} is none of a pool")
    for name in ("stride", "dilation", "size"):
        if (getattr(layer, name, None) or 1) < 1 or getattr(layer, name, None) == 0:
            raise AgnsalError(f"{name} {getattr(layer, name)} is not positive")
    if np.min(getattr(layer, "padding", 0)) < 0 or np.max(getattr(layer, "padding", 0)) > _MOST_PADDING:
        raise AgnsalError(f"padding {getattr(layer, 'padding', 0)} cannot be")
