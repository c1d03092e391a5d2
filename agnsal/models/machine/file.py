"""Constructor parameters of a machine as JSON, and back."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.models.machine.kernels import KERNEL_NAMES
from agnsal.store.contents import check_header

#: What each parameter may be in a file; one that is something else, a splitter or a generator, is not needed there.
_PARAMETERS: dict[str, Any] = {
    "kernel": frozenset(KERNEL_NAMES),
    "C": float,
    "gamma": (float, frozenset({"scale", "auto"})),
    "degree": float,
    "coef0": float,
    "class_weight": (None, frozenset({"balanced"}), [list]),
    "cv": (int, None),
    "random_state": (int, None),
    "predict_by": frozenset({"probability", "votes"}),
    "coupling": frozenset({"exact", "libsvm"}),
    "nu": (float, None),
    "tol": float,
    "max_memory": float,
    "n_jobs": (int, None),
    "n_landmarks": (int, None),
}


def pack_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Constructor parameters as JSON.

    What cannot be stored is left out with a warning: a fitted machine works without.

    Parameters
    ----------
    parameters : dict
        From ``get_params``.

    Returns
    -------
    dict

    Examples
    --------
    >>> pack_parameters({"C": np.float64(2.0), "class_weight": {"type 1": 3.0}})
    {'C': 2.0, 'class_weight': [['type 1', 3.0]]}
    """
    plain = {}
    for name, parameter in parameters.items():
        value = _scalar(parameter)
        if name == "class_weight" and isinstance(value, dict):
            value = [[_scalar(label), _scalar(weight)] for label, weight in value.items()]
        try:
            check_header(value, _PARAMETERS[name])
        except AgnsalError:
            warnings.warn(
                f"{name}={parameter!r:.60} cannot be stored and is left out of the file.", AgnsalWarning, stacklevel=4
            )
            continue
        plain[name] = value
    return plain


def unpack_parameters(stored: dict[str, Any]) -> dict[str, Any]:
    """Put together what `pack_parameters` took apart.

    Parameters
    ----------
    stored : dict
        From a file.

    Returns
    -------
    dict

    Raises
    ------
    AgnsalError
        If a parameter is not known or is not what it may be.

    Examples
    --------
    >>> unpack_parameters({"C": 2.0, "class_weight": [["type 1", 3.0]]})
    {'C': 2.0, 'class_weight': {'type 1': 3.0}}
    """
    for name, value in stored.items():
        if name not in _PARAMETERS:
            raise AgnsalError(f"there is no parameter {name!r:.80}")
        check_header(value, _PARAMETERS[name], f"the parameter {name!r}")
    if (stored.get("n_landmarks") or 1) < 1:
        raise AgnsalError(f"n_landmarks is {stored['n_landmarks']}, at least 1 was expected")
    weights = stored.get("class_weight")
    if not isinstance(weights, list):
        return dict(stored)
    for pair in weights:
        if len(pair) != 2 or isinstance(pair[0], list | dict):
            raise AgnsalError(f"{pair!r:.80} is no class and its weight")
        check_header(pair[1], float, f"the weight of {pair[0]!r:.80}")
    return stored | {"class_weight": dict(weights)}


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
