"""What a bad pixel is, and what a redshift is: said once, for files, samples and resampling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError

#: No galaxy comes towards us faster; M 81 has z = -0.0001, and the most negative ones known about -0.001.
LEAST_REDSHIFT, LARGEST_REDSHIFT = -0.1, 20.0
#: Smaller ones have no finite variance.
_LEAST_IVAR = np.finfo(np.float64).tiny


def bad_pixels(
    flux: NDArray[np.float64], ivar: NDArray[np.float64] | None = None, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """True where a pixel is no measurement: masked, flux not finite, or inverse variance not finite and positive.

    An inverse variance so small that the variance overflows counts as 0.

    Parameters
    ----------
    flux : ndarray
        Of any shape.
    ivar : ndarray, shape of flux, optional
        Inverse variance; None where errors are not known, which makes no pixel bad.
    mask : ndarray of bool, shape of flux or of its last axis, optional
        True = bad.

    Returns
    -------
    ndarray of bool

    Examples
    --------
    >>> bad_pixels(np.array([1.0, np.nan, 1.0, 1.0, 1.0]), np.array([1.0, 1.0, 0.0, np.inf, 1e-320]))
    array([False,  True,  True,  True,  True])
    """
    bad = ~np.isfinite(flux)
    if mask is not None:
        bad |= mask
    if ivar is not None:
        bad |= ~(np.isfinite(ivar) & (ivar >= _LEAST_IVAR))
    return bad


def checked_redshift(value: Any, advice: str = "") -> float:
    """A redshift: any finite number from -0.1 to 20; 0 and small negative ones are redshifts too.

    Parameters
    ----------
    value : float
        What was given.
    advice : str
        What to do, at the end of the message.

    Returns
    -------
    float

    Raises
    ------
    AgnsalError
        If it is none.

    Examples
    --------
    >>> checked_redshift(-0.0001)
    -0.0001
    """
    try:
        z = float(value)
    except (TypeError, ValueError) as error:
        raise AgnsalError(f"redshift {value!r:.80} is not a number; {advice}".rstrip("; ") + ".") from error
    if not np.isfinite(z) or z < LEAST_REDSHIFT:
        raise AgnsalError(f"redshift {z} is none (finite and at least {LEAST_REDSHIFT}); {advice}".rstrip("; ") + ".")
    if z > LARGEST_REDSHIFT:
        raise AgnsalError(f"redshift {z} is too large to be one; is it a velocity in km/s?")
    return z
