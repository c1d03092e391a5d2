"""The errors and warnings of agnsal."""

from __future__ import annotations

from astropy.utils.exceptions import AstropyUserWarning


class AgnsalError(ValueError):
    """Anything agnsal refuses: the message says what came, what was expected and what to do."""


class AgnsalWarning(AstropyUserWarning):
    """Anything agnsal does but thinks you should know about."""
