"""Fitted machines on disk: arrays and a JSON header."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import asdict
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.store import read_arrays, write_arrays

_KIND = "ProbabilisticSVC"
_ARRAYS = ("support_", "n_support_", "sigmoid_a_", "sigmoid_b_")
_PAIR_ARRAYS = ("support_vectors_", "pair_coefficients_", "pair_intercepts_")


def write_machine(machine: Any, path: str | os.PathLike) -> None:
    """Write a fitted `ProbabilisticSVC`; see its `write`."""
    check_is_fitted(machine)
    arrays = {name: getattr(machine, name) for name in (*_ARRAYS, *_PAIR_ARRAYS)}
    if machine.training_mean_ is not None:
        arrays["training_mean_"] = machine.training_mean_
    classes = machine.classes_
    if classes.dtype == object:
        # labels from a data frame: text is stored as text and becomes objects again
        if not all(isinstance(label, str) for label in classes):
            raise AgnsalError(f"class labels {classes.tolist()} are neither numbers nor text and cannot be stored.")
        classes = classes.astype(str)
    arrays["classes_"] = classes
    header = {
        "parameters": _plain(machine.get_params(deep=False)),
        "kernel": asdict(machine.kernel_),
        "n_features_in": int(machine.n_features_in_),
        "object_labels": machine.classes_.dtype == object,
        "feature_names_in": [str(name) for name in getattr(machine, "feature_names_in_", [])],
    }
    write_arrays(path, _KIND, arrays, header)


def read_machine(cls: type, path: str | os.PathLike) -> Any:
    """Read a `ProbabilisticSVC`; see its `read`."""
    arrays, header = read_arrays(path, _KIND)
    try:
        parameters = {name: _restored(name, value) for name, value in header["parameters"].items()}
        machine = cls(**parameters)
        for name in _ARRAYS:
            setattr(machine, name, arrays[name])
        machine.training_mean_ = arrays.get("training_mean_")
        machine.classes_ = arrays["classes_"].astype(object) if header["object_labels"] else arrays["classes_"]
        vectors, coefficients, intercepts = (arrays[name] for name in _PAIR_ARRAYS)
        machine.pair_functions_ = KernelExpansion(Kernel(**header["kernel"]), vectors, coefficients, intercepts)
        machine.n_features_in_ = int(header["n_features_in"])
        if header["feature_names_in"]:
            machine.feature_names_in_ = np.array(header["feature_names_in"], dtype=object)
    except (KeyError, TypeError, AttributeError) as error:
        raise AgnsalError(f"{path}: the file is incomplete or was changed by hand ({error!r}).") from error
    n_support, n_features = machine.support_vectors_.shape
    n_pairs = machine.classes_.size * (machine.classes_.size - 1) // 2
    expected = {
        "pair_coefficients_": (n_support, n_pairs),
        "pair_intercepts_": (n_pairs,),
        "sigmoid_a_": (n_pairs,),
        "sigmoid_b_": (n_pairs,),
    }
    wrong = [name for name, shape in expected.items() if getattr(machine, name).shape != shape]
    if wrong or n_features != machine.n_features_in_:
        raise AgnsalError(f"{path}: the arrays do not fit together ({', '.join(wrong) or 'support_vectors_'}).")
    return machine


def _plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """Constructor parameters as JSON; a splitter or generator is left out, for the fitted machine does not need it."""
    plain = {}
    for name, parameter in parameters.items():
        value = _scalar(parameter)
        if name == "class_weight" and isinstance(value, dict):
            value = [[_scalar(label), _scalar(weight)] for label, weight in value.items()]
        try:
            json.dumps(value)
        except TypeError:
            warnings.warn(
                f"{name}={value!r:.60} cannot be stored and is left out of the file.", AgnsalWarning, stacklevel=4
            )
            continue
        plain[name] = value
    return plain


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _restored(name: str, value: Any) -> Any:
    if name == "class_weight" and isinstance(value, list):
        return dict(value)
    return value
