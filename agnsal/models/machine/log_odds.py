"""Class probabilities from pair log-odds on logarithms, where nothing cancels and nothing saturates.

Probabilities near 0 and 1 lose their digits, and with them their gradient; here everything is done on logarithms, from
the unclipped log-odds of the pairs, so that ``log P / (1 - P)`` keeps its precision at any margin.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from numpy.typing import NDArray
from scipy.special import expit

from agnsal.models.machine.coupling import n_classes_of
from agnsal.models.machine.elimination import LOG_ZERO, eliminated, log_sum


def log_couple(g: Any) -> Any:
    """Logarithms of the exactly coupled class probabilities from the log-odds of the pairs.

    Parameters
    ----------
    g : ndarray, shape (n, n_pairs)
        Log-odds of the first class of each pair.

    Returns
    -------
    ndarray, shape (n, n_classes)
        The minimum of the second criterion of Wu, Lin & Weng (2004).

    Notes
    -----
    Two and three classes have closed forms. More are solved by an elimination without subtractions. In all of them
    every term is positive, so logarithms and derivatives are good to the last digits the log-odds themselves allow,
    however small a probability is. Rows do not know each other.

    Examples
    --------
    >>> log_couple(np.array([[0.0, 400.0, 400.0]])).round(3)
    array([[  -0.693,   -0.693, -400.693]])
    >>> scores = np.array([0.0, 1000.0, 2000.0, 3000.0])
    >>> log_couple((scores[[0, 0, 0, 1, 1, 2]] - scores[[1, 2, 3, 2, 3, 3]])[None]) + 0.0
    array([[-3000., -2000., -1000.,     0.]])
    """
    return -anp.logaddexp(0.0, -class_log_odds(g))


def _exponents() -> NDArray[np.float64]:
    """Exponents of r_01, r_02, r_12, r_10, r_20, r_21 in the nine terms of each unnormalised probability.

    They are the sums of the cofactors of Q (see `coupling`), c_00 + c_01 + c_02 and so on.
    """
    a, b, c, a_, b_, c_ = np.eye(6)
    ab, ac, bc = a + a_, b + b_, c + c_
    c01 = [ab + 2 * b, ab + 2 * c, ac + bc]
    c02 = [ac + 2 * a, ac + 2 * c_, ab + bc]
    c12 = [bc + 2 * a_, bc + 2 * b_, ab + ac]
    c00 = [2 * (a + b), 2 * (a + c), 2 * (c_ + b)]
    c11 = [2 * (a_ + b), 2 * (a_ + c), 2 * (b_ + c)]
    c22 = [2 * (a_ + c_), 2 * (b_ + a), 2 * (b_ + c_)]
    return np.array(c00 + c01 + c02 + c01 + c11 + c12 + c02 + c12 + c22)


_EXPONENTS = _exponents()


def _log_terms(g: NDArray) -> NDArray[np.float64]:
    """Shape (3, 9, n): sums of few terms are quick where the spectra are the last axis."""
    log_r = -np.logaddexp(0.0, np.concatenate([-g.T, g.T]))
    return (_EXPONENTS @ log_r).reshape(3, 9, -1)


@primitive
def _log_three(g: Any) -> Any:
    """Three classes in closed form, not normalised."""
    return log_sum(_log_terms(g), axis=1).T


def _three_pulled_back(d: NDArray, log_p: NDArray, g: NDArray) -> NDArray[np.float64]:
    shares = np.exp(_log_terms(g) - log_p.T[:, None]) * d.T[:, None]
    forth, back = np.split(_EXPONENTS.T @ shares.reshape(27, -1), 2)
    return forth.T * expit(-g) - back.T * expit(g)


defvjp(_log_three, lambda log_p, g: lambda d: _three_pulled_back(d, log_p, g))


def class_log_odds(g: Any) -> Any:
    """Log-odds ``log P_c / (1 - P_c)`` of every class under exact coupling.

    Parameters
    ----------
    g : ndarray, shape (n, n_pairs)
        Log-odds of the first class of each pair, not clipped.

    Returns
    -------
    ndarray, shape (n, n_classes)

    Examples
    --------
    >>> class_log_odds(np.array([[3.0]]))
    array([[ 3., -3.]])
    """
    n_classes = n_classes_of(g.shape[1])
    if n_classes == 2:
        return anp.concatenate([g, -g], axis=1)
    return odds_against_rest(_log_three(g) if n_classes == 3 else eliminated(g))


@primitive
def odds_against_rest(logarithms: Any) -> Any:
    """Log-odds of each class against all others, without saturation.

    Parameters
    ----------
    logarithms : ndarray, shape (n, n_classes)
        Logarithms of unnormalised probabilities.

    Returns
    -------
    ndarray, shape (n, n_classes)

    Examples
    --------
    >>> odds_against_rest(np.array([[50.0, 0.0]]))
    array([[ 50., -50.]])
    """
    return logarithms - log_sum(_others(logarithms), axis=1).T


def _others(logarithms: NDArray) -> NDArray[np.float64]:
    """For each class the logarithms with its own as that of zero, shape (n_classes, n_classes, n)."""
    own = np.eye(logarithms.shape[1], dtype=bool)[:, :, None]
    return np.where(own, LOG_ZERO, logarithms.T)


def _odds_pulled_back(g: NDArray, logarithms: NDArray) -> NDArray[np.float64]:
    others = _others(logarithms)
    shares = np.exp(others - log_sum(others, axis=1)[:, None])
    return g - (g.T[:, None] * shares).sum(axis=0).T


defvjp(odds_against_rest, lambda _odds, logarithms: lambda g: _odds_pulled_back(g, logarithms))
