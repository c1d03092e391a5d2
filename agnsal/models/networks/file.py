"""Networks on disk: arrays and a JSON header."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.models.networks import layers as known
from agnsal.models.networks.chain import Residual
from agnsal.models.networks.layers import Layer
from agnsal.store import read_arrays, write_arrays

_KIND = "Network"
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


def write_network(network: Any, path: str | os.PathLike) -> None:
    """Write a `Network`; see its `write`."""
    arrays: dict[str, NDArray] = {}
    header = {"layers": [_packed(layer, arrays) for layer in network.layers], "n_features": network.n_features}
    if network.classes is not None:
        classes = network.classes
        if classes.dtype == object:
            if not all(isinstance(label, str) for label in classes):
                raise AgnsalError(f"class labels {classes.tolist()} are neither numbers nor text and cannot be stored.")
            classes = classes.astype(str)
        arrays["classes"] = classes
    write_arrays(path, _KIND, arrays, header)


def read_network(cls: type, path: str | os.PathLike) -> Any:
    """Read a `Network`; see its `read`."""
    arrays, header = read_arrays(path, _KIND)
    try:
        layers = tuple(_unpacked(entry, arrays) for entry in header["layers"])
        return cls(layers, arrays.get("classes"), header["n_features"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise AgnsalError(f"{path}: the file is incomplete or was changed by hand ({error!r}).") from error


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


def _unpacked(entry: dict[str, Any], arrays: dict[str, NDArray]) -> Layer:
    """A layer from JSON and arrays."""
    options: dict[str, Any] = {}
    for name, value in entry.items():
        if name == "layer":
            continue
        if isinstance(value, dict) and "array" in value:
            options[name] = np.asarray(arrays[value["array"]], dtype=np.float64)
        elif isinstance(value, dict):
            options[name] = tuple(_unpacked(inner, arrays) for inner in value["layers"])
        else:
            options[name] = tuple(value) if isinstance(value, list) else value
    return _LAYERS[entry["layer"]](**options)
