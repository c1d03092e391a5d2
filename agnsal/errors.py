"""The errors and warnings of agnsal, and the refusal they share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from numpy.typing import NDArray


class _Printable(Exception):  # noqa: N818 - of errors and of warnings
    """A message may hold names of files and objects: what a terminal would obey, or cannot show, becomes a blank."""

    def __str__(self) -> str:
        return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in super().__str__())


class AgnsalError(_Printable, ValueError):
    """Anything agnsal refuses: the message says what came, what was expected and what to do."""


class AgnsalWarning(_Printable, AstropyUserWarning):
    """Anything agnsal does but thinks you should know about."""


def one_of(name: str, value: object, choices: Iterable[object]) -> None:
    """Refuse a value that is not among the choices.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What came; of any kind, arrays included.
    choices : iterable
        What is allowed.

    Raises
    ------
    AgnsalError
        If it is none of them.

    Examples
    --------
    >>> one_of("rule", "zeta", ["epsilon", "gamma"])
    Traceback (most recent call last):
        ...
    agnsal.errors.AgnsalError: rule must be one of 'epsilon', 'gamma', got 'zeta'.
    """
    choices = list(choices)
    if not any(value is choice or (isinstance(value, type(choice)) and value == choice) for choice in choices):
        raise AgnsalError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r:.80}.")


def same_option(name: str, value: Any, alias: str, other: Any) -> Any:
    """Take an option from its name or from an alias of it.

    Parameters
    ----------
    name, alias : str
        Both names.
    value, other : object
        What was given under each; None for nothing.

    Returns
    -------
    object

    Raises
    ------
    AgnsalError
        If both were given.

    Examples
    --------
    >>> same_option("regions", None, "groups", 10)
    10
    """
    if value is not None and other is not None:
        raise AgnsalError(f"{alias} is another name for {name}; give only one of the two.")
    return other if value is None else value


def real_numbers(name: str, values: object) -> NDArray[np.float64]:
    """Take an array of real numbers, and refuse everything else.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    values : object
        What came.

    Returns
    -------
    ndarray

    Raises
    ------
    AgnsalError
        If it is sparse, complex, ragged, or holds what is no number.

    Examples
    --------
    >>> real_numbers("X", [[1, 2], [3]])
    Traceback (most recent call last):
        ...
    agnsal.errors.AgnsalError: X is not an array of numbers: setting an array element with a sequence...
    """
    if hasattr(values, "toarray"):
        raise AgnsalError(f"{name} is a sparse matrix, a dense one is needed: {name}.toarray().")
    try:
        array = np.asarray(values)
        if not np.iscomplexobj(array):
            return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise AgnsalError(f"{name} is not an array of numbers: {error}") from error
    raise AgnsalError(f"{name} holds complex numbers; give their real part or their size.")


def instance_of(name: str, value: object, kind: type) -> None:
    """Refuse what is not of the kind that is needed.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What came.
    kind : type
        What it should be.

    Raises
    ------
    AgnsalError
        If it is of another.

    Examples
    --------
    >>> instance_of("labels", 3.5, list)
    Traceback (most recent call last):
        ...
    agnsal.errors.AgnsalError: labels must be a list, got a float.
    """
    if not isinstance(value, kind):
        raise AgnsalError(f"{name} must be a {kind.__name__}, got a {type(value).__name__}.")
