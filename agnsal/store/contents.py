"""What a file should hold, said once for each noun, and held against what it does hold."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError

#: What an array may be made of: real numbers, yes and no, whole numbers, text, class labels, the cells of a table.
_KINDS = {"real": "f", "flags": "b", "whole": "iu", "text": "U", "labels": "Uiufb", "cells": "Uiufb"}


class Array(NamedTuple):
    """What one stored array should be.

    Attributes
    ----------
    kind : {"real", "flags", "whole", "text", "labels", "cells"}
        Real numbers are float64; labels and cells may be numbers, booleans or text.
    shape : str
        A name for the length of each axis. Equal names are equal lengths in all arrays of a file; ``bin+1`` is one
        more, ``2`` two, ``*`` any length, ``...`` any further axes; shapes to choose from are parted by ``|``.
    finite : bool
        Whether NaN and infinity are refused.
    optional : bool
        Whether the array may be absent.
    """

    kind: str
    shape: str
    finite: bool = True
    optional: bool = False

    def cast(self, values: Any) -> NDArray:
        """The array as it is stored: float64 for real numbers, text for objects that are text, native bytes."""
        array = np.asarray(values, dtype=np.float64 if self.kind == "real" else None)
        if array.dtype.hasobject and all(isinstance(value, str) for value in array.flat):
            array = array.astype(str)
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))

    def complaint(self, array: NDArray, lengths: dict[str, int]) -> str:
        """Why an array is not what it should be, or nothing; the lengths of its axes are added to those known."""
        wrong = array.dtype.kind not in _KINDS[self.kind] or not array.dtype.isnative
        if wrong or (self.kind == "real" and array.dtype.itemsize != 8):
            return f"is made of {array.dtype}, {self.kind} was expected"
        if not any(_has_shape(array.shape, shape.split(), lengths) for shape in self.shape.split("|")):
            known = ", ".join(f"{name} {length}" for name, length in lengths.items())
            return f"has shape {array.shape}, ({self.shape}) was expected" + (f" with {known}" if known else "")
        if self.finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            return "holds NaN or infinite numbers"
        return ""


def _has_shape(shape: tuple[int, ...], names: list[str], lengths: dict[str, int]) -> bool:
    if names[-1:] == ["..."]:
        names = names[:-1]
        shape = shape[: len(names)]
    if len(shape) != len(names):
        return False
    found: dict[str, int] = {}
    for name, length in zip(names, shape, strict=True):
        base, _, more = name.partition("+")
        own = length - int(more or 0)
        if base == "*":
            continue
        if own != (int(base) if base.isdigit() else found.setdefault(base, lengths.get(base, own))):
            return False
    lengths.update(found)
    return True


def check_arrays(arrays: Mapping[str, NDArray], expected: Mapping[str, Array]) -> None:
    """Refuse arrays that are not what they should be.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        What there is.
    expected : mapping of str to Array
        What should be, by name; a name may be a pattern such as ``column_*``, of which there may be any number.

    Raises
    ------
    AgnsalError
        If an array is missing, not known, or of another kind or shape.
    """
    lengths: dict[str, int] = {}
    for name, wanted in expected.items():
        if name not in arrays and not wanted.optional and "*" not in name:
            raise AgnsalError(f"the array {name!r} is missing")
    for name, array in arrays.items():
        wanted_one = expected.get(name) or next((a for key, a in expected.items() if fnmatchcase(name, key)), None)
        complaint = "is not known" if wanted_one is None else wanted_one.complaint(array, lengths)
        if complaint:
            raise AgnsalError(f"the array {name!r} {complaint}")


def check_header(header: Any, expected: Any, where: str = "the header") -> None:
    """Refuse a header that is not what it should be.

    Parameters
    ----------
    header : object
        From JSON.
    expected : object
        A type (`float` is any finite number); `object` for anything; None; a frozenset of words; a list of one thing
        that each entry should be; a dict of exactly these names; a tuple of things to choose from.
    where : str
        For the message.

    Raises
    ------
    AgnsalError
        With the name of the first field that is wrong.

    Examples
    --------
    >>> check_header({"unit": "Jy", "seed": None}, {"unit": str, "seed": (int, None)})
    """
    if isinstance(expected, Mapping):
        if not isinstance(header, dict) or header.keys() != expected.keys():
            names = sorted(header) if isinstance(header, dict) else type(header).__name__
            raise AgnsalError(f"{where} holds {names!r:.200}, {sorted(expected)} was expected")
        for name, wanted in expected.items():
            check_header(header[name], wanted, f"{name!r} of {where}")
    elif isinstance(expected, list):
        if not isinstance(header, list):
            raise AgnsalError(f"{where} is {header!r:.80}, a list was expected")
        for entry in header:
            check_header(entry, expected[0], f"an entry of {where}")
    elif isinstance(expected, tuple):
        complaints = []
        for wanted in expected:
            try:
                return check_header(header, wanted, where)
            except AgnsalError as error:
                complaints.append(error)
        raise complaints[0]
    elif not _is(header, expected):
        raise AgnsalError(f"{where} is {header!r:.80}, which cannot be")
    return None


def digest(arrays: Mapping[str, NDArray], header: Mapping[str, Any]) -> str:
    """SHA-256 of what a file holds, the same in every format.

    It tells of what was changed after writing, in whatever member; whoever also changes the digest is not found out.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Without objects.
    header : mapping
        What JSON can hold.

    Returns
    -------
    str

    Raises
    ------
    AgnsalError
        If the header is not JSON.

    Examples
    --------
    >>> digest({"x": np.zeros(2)}, {})[:8], digest({"x": np.zeros(2)}, {"unit": "Jy"})[:8]
    ('f22dfdf0', '4aeae328')
    """
    try:
        as_read = json.loads(json.dumps(header))  # keys that are numbers become text
    except (TypeError, ValueError, RecursionError) as error:
        raise AgnsalError(f"the header is not JSON: {error}") from error
    found = hashlib.sha256(json.dumps(as_read, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        if array.dtype.kind == "f":
            array = np.where(np.isnan(array), np.nan, array)  # text keeps no other NaN
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def _is(value: Any, expected: Any) -> bool:
    if expected is None:
        return value is None
    if isinstance(expected, frozenset):
        return isinstance(value, str) and value in expected
    if expected in (float, int) and isinstance(value, bool):
        return False
    if expected is float:
        return isinstance(value, (int, float)) and abs(value) < 2.0**1023 and math.isfinite(value)
    if expected is int:
        return isinstance(value, int) and abs(value) < 2**63
    return isinstance(value, expected)
