"""Fingerprints: equal for what has learnt the same, in any process, and different for what has not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import CodeType, FunctionType
from typing import Any

import astropy.units as u
import numpy as np
from scipy import sparse
from sklearn.neighbors import BallTree, KDTree


def fingerprint(model: object) -> str:
    """A sum over what a fitted model has learnt: equal for equal models, in any process.

    Parameters
    ----------
    model : object
        With arrays among its attributes, at any depth; what an object keeps of itself when it is pickled is what
        counts, of a dataclass its public fields.

    Returns
    -------
    str

    Examples
    --------
    >>> fingerprint([np.zeros(2), "a"]) == fingerprint([np.zeros(2), "a"]), fingerprint(np.log) == fingerprint(np.exp)
    (True, False)
    """
    digest = hashlib.sha256()
    _feed(digest, model, set())
    return digest.hexdigest()


#: Kinds that hold more, or in another order, than what they are.
_FORMS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (u.UnitBase, lambda unit: unit.to_string()),  # keeps its hash once asked for, which no other process has
    (u.Quantity, lambda quantity: [quantity.value, quantity.unit]),
    ((set, frozenset), lambda several: sorted(map(repr, several))),
    ((sparse.spmatrix, sparse.sparray), lambda matrix: [matrix.shape, *sparse.find(matrix)]),
    (type, lambda kind: f"{kind.__module__}.{kind.__qualname__}"),
    ((KDTree, BallTree), lambda tree: np.asarray(tree.data)),  # counts how often it was asked
    (CodeType, lambda code: [code.co_code, code.co_names, code.co_consts]),
)


def _feed(digest: Any, value: Any, seen: set[int]) -> None:
    """Add a value to the sum: its kind, and what it is made of."""
    value = next((form(value) for kind, form in _FORMS if isinstance(value, kind)), value)
    if isinstance(value, np.ndarray) and value.dtype.names:  # between fields there may be anything
        for name in value.dtype.names:
            digest.update(name.encode())
            _feed(digest, value[name], seen)
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple, np.ndarray)):
        digest.update(f"{type(value).__name__}{len(value)}".encode())
        for each in value:
            _feed(digest, each, seen)
    elif isinstance(value, Mapping):
        for name in sorted(value, key=str):
            digest.update(str(name).encode())
            _feed(digest, value[name], seen)
    elif isinstance(value, (bool, np.bool_, int, float, np.integer, np.floating)):
        digest.update(repr(float(value)).encode())  # a file makes 3.0 of 3
    elif value is None or isinstance(value, (str, bytes, bytearray, complex, np.generic)):
        digest.update(repr(value).encode())
    elif id(value) not in seen:
        seen.add(id(value))
        digest.update(type(value).__qualname__.encode())
        _feed(digest, _made_of(value), seen)


def _made_of(value: Any) -> Any:
    """What makes an object what it is."""
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [value.__module__, value.__qualname__, value.__code__, value.__defaults__, cells]
    if is_dataclass(value):  # what is kept beside its fields was worked out from them
        return {each.name: getattr(value, each.name) for each in fields(value) if each.name[0] != "_"}
    if hasattr(value, "state_dict"):  # torch
        return [repr(value), {name: each.detach().cpu().numpy() for name, each in value.state_dict().items()}]
    try:
        reduced = value.__reduce_ex__(2)
    except Exception:  # what cannot be pickled says so in the way of each library
        return getattr(value, "__dict__", None)
    if isinstance(reduced, str):
        return reduced
    return [list(each) if isinstance(each, Iterator) else each for each in reduced[1:]]
