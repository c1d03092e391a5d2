"""The errors and warnings of agnsal, and the refusal they share."""

from __future__ import annotations

from collections.abc import Iterable

from astropy.utils.exceptions import AstropyUserWarning


class AgnsalError(ValueError):
    """Anything agnsal refuses: the message says what came, what was expected and what to do."""


class AgnsalWarning(AstropyUserWarning):
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
