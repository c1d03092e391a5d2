"""Class probabilities from pair log-odds on logarithms, where nothing cancels and nothing saturates.

Probabilities near 0 and 1 lose their digits, and with them their gradient; here everything is done on logarithms, from
the unclipped log-odds of the pairs, so that ``log P / (1 - P)`` keeps its precision at any margin.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.scipy.special import logsumexp
from numpy.typing import NDArray

from agnsal.models.machine.coupling import class_pairs, n_classes_of

#: Stands for the logarithm of zero, where minus infinity would make derivatives undefined.
_LOG_ZERO = -1e100


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


def _log_three(g: Any) -> Any:
    """Three classes in closed form, not normalised."""
    log_r = anp.concatenate([-anp.logaddexp(0.0, -g), -anp.logaddexp(0.0, g)], axis=1)
    return logsumexp(anp.reshape(anp.dot(log_r, _EXPONENTS.T), (-1, 3, 9)), axis=2)


def _log_many(g: Any) -> Any:
    """Any number of classes, not normalised: classes are eliminated one after the other, without subtractions.

    The criterion is a sum over pairs, ``sum (r_ji p_i - r_ij p_j)^2``: a network of springs between the classes, each
    of stiffness ``s = r_ij r_ji`` between ``exp(-g/2) p_i`` and ``exp(g/2) p_j``. Minimised over one class, the springs
    at it become springs between the others, of stiffness ``s_i s_j / Omega`` and log-odds ``g_i - g_j`` (a star-mesh
    transform). Two springs between the same classes become one, and where their log-odds differ by D, which is a
    contradiction among the pairs, a weight at either end in proportion to ``sinh(D/2)^2``. Weights hold a class at 0,
    against the pull that makes the probabilities sum to one. All of it are sums of positive terms, done here on
    logarithms; only log-odds are subtracted from each other.
    """
    n_classes, n = n_classes_of(g.shape[1]), len(g)
    first, second = class_pairs(n_classes)
    spread = np.zeros((first.size, n_classes, n_classes))
    spread[np.arange(first.size), first, second], spread[np.arange(first.size), second, first] = 1.0, -1.0
    g = anp.reshape(anp.dot(g, anp.reshape(spread, (first.size, -1))), (-1, n_classes, n_classes))
    stiffness = -anp.logaddexp(0.0, g) - anp.logaddexp(0.0, -g)
    weight, pull = np.full((n, n_classes), _LOG_ZERO), np.zeros((n, n_classes))
    eliminated = []
    for t in range(n_classes - 1, 0, -1):
        at, odds = stiffness[:, :t, t], g[:, :t, t]
        everything = anp.concatenate([weight[:, t:], at + odds], axis=1)
        omega = logsumexp(everything, axis=1, keepdims=True)
        eliminated.append((pull[:, t:] - omega, at - omega))
        pull = anp.logaddexp(pull[:, :t], at - omega + pull[:, t:])
        weight = anp.logaddexp(weight[:, :t], at - odds + weight[:, t:] - omega)
        new = at[:, :, None] + at[:, None, :] - omega[:, :, None]
        stiffness, g, contradiction = _joined(
            stiffness[:, :t, :t], g[:, :t, :t], new, odds[:, :, None] - odds[:, None, :]
        )
        weight = anp.logaddexp(weight, logsumexp(contradiction, axis=2))
    log_p, nu = np.zeros((n, 1)), weight - pull
    for own, others in reversed(eliminated):
        log_p = anp.concatenate(
            [log_p, logsumexp(anp.concatenate([nu + own, others + log_p], axis=1), axis=1, keepdims=True)], axis=1
        )
    return log_p


def _joined(s: Any, g: Any, s_new: Any, g_new: Any) -> tuple[Any, Any, Any]:
    """Springs of the same ends as one: stiffness, log-odds, and the weight each contradiction puts on its first end."""
    total, difference = anp.logaddexp(s, s_new), g_new - g
    share, rest = s_new - total, s - total
    # log((1 - c) + c exp(difference)), exactly 0 where the two agree
    small = anp.abs(difference) < 1.0
    near = anp.log1p(anp.exp(share) * anp.expm1(anp.where(small, difference, 0.0)))
    lean = anp.where(small, near, anp.logaddexp(rest, share + difference))
    back = anp.swapaxes(lean, 1, 2)
    joined = g + 0.5 * (lean - back)
    size = s + s_new + _log_squared_sinh(difference) - anp.logaddexp(total + 0.5 * (lean + back), total)
    return total, joined, size - joined


@primitive
def _log_squared_sinh(x: NDArray) -> NDArray:
    """``log(4 sinh(x / 2)^2)``, the logarithm of zero where x is 0."""
    size = np.abs(x)
    with np.errstate(divide="ignore"):
        return np.maximum(size + 2 * np.log(-np.expm1(-size)), _LOG_ZERO)


def _log_squared_sinh_slope(x: Any) -> Any:
    # the weight itself vanishes with the square of x, so that its derivative is 0 there
    safe = anp.where(x == 0, 1.0, x)
    return anp.where(x == 0, 0.0, 1.0 / anp.tanh(0.5 * safe))


defvjp(_log_squared_sinh, lambda _ans, x: lambda g: g * _log_squared_sinh_slope(x))


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
    return odds_against_rest(_log_three(g) if n_classes == 3 else _log_many(g))


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
    n_classes = logarithms.shape[1]
    others = np.array([[j for j in range(n_classes) if j != c] for c in range(n_classes)])
    return logarithms - logsumexp(logarithms[:, others], axis=2)
