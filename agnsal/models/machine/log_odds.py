"""Log-odds of each class against the rest under exact pairwise coupling, without saturation.

Probabilities near 0 and 1 lose their digits, and with them their gradient; here everything is done on logarithms,
from the unclipped log-odds of the pairs, so that ``log P / (1 - P)`` keeps its relative precision.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from numpy.typing import NDArray

from agnsal.models.machine.coupling import class_pairs, couple, n_classes_of


def _log_pair_matrix(g: NDArray) -> NDArray:
    """All log r_ij as an (n, k, k) matrix; -inf on the diagonal."""
    n_classes = n_classes_of(g.shape[1])
    first, second = class_pairs(n_classes)
    L = np.full((len(g), n_classes, n_classes), -np.inf)
    L[:, first, second] = -np.logaddexp(0, -g)
    L[:, second, first] = -np.logaddexp(0, g)
    return L


def _log_sum(A: NDArray, axis: int) -> NDArray:
    return np.logaddexp.reduce(A, axis=axis)


def log_couple(g: Any) -> Any:
    """Logarithms of the exactly coupled class probabilities from the log-odds of the pairs.

    Parameters
    ----------
    g : ndarray, shape (n, n_pairs)
        Log-odds of the first class of each pair.

    Returns
    -------
    ndarray, shape (n, n_classes)

    Notes
    -----
    Two and three classes have closed forms whose terms are all positive, so every logarithm is good to the last
    digits. For more classes the optimality conditions are solved for relative corrections, which holds for
    probabilities down to about 1e-15 at any contradiction between the pairs, and to about 1e-30 in practice.

    Examples
    --------
    >>> log_couple(np.array([[0.0, 400.0, 400.0]])).round(3)
    array([[  -0.693,   -0.693, -400.693]])
    """
    n_classes = n_classes_of(g.shape[1])
    if n_classes == 2:
        return anp.concatenate([-anp.logaddexp(0.0, -g), -anp.logaddexp(0.0, g)], axis=1)
    return _log_couple_three(g) if n_classes == 3 else _log_couple_many(g)


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


def _log_couple_three(g: Any) -> Any:
    """Three classes in closed form; differentiable to any order."""
    log_r = anp.concatenate([-anp.logaddexp(0.0, -g), -anp.logaddexp(0.0, g)], axis=1)
    terms = anp.reshape(anp.dot(log_r, _EXPONENTS.T), (-1, 3, 9))
    log_p = log_sum_exp(terms, axis=2)
    return log_p - log_sum_exp(log_p, axis=1)[:, None]


def log_sum_exp(A: Any, axis: int) -> Any:
    """Logarithm of the sum of exponentials along an axis, traceable by autograd.

    Parameters
    ----------
    A : ndarray
        Logarithms, finite.
    axis : int
        The axis summed over.

    Returns
    -------
    ndarray
        Without that axis.

    Examples
    --------
    >>> log_sum_exp(np.array([[1000.0, 1000.0]]), axis=1).round(3)
    array([1000.693])
    """
    top = anp.max(A, axis=axis, keepdims=True)
    return anp.log(anp.sum(anp.exp(A - top), axis=axis)) + anp.squeeze(top, axis=axis)


def _log_nu(L: NDArray, log_p: NDArray) -> NDArray:
    """Logarithm of the minimum p'Qp = sum over pairs of (r_ji p_i - r_ij p_j)^2, shape (n,)."""
    first, second = class_pairs(L.shape[1])
    x = L[:, second, first] + log_p[:, first]
    y = L[:, first, second] + log_p[:, second]
    top = np.maximum(x, y)
    with np.errstate(divide="ignore"):
        return _log_sum(2 * (top + np.log(-np.expm1(-np.abs(x - y)))), axis=1)


@primitive
def _log_couple_many(g: NDArray) -> NDArray:
    """Any number of classes: a fixed point on logarithms, then two solves for the relative corrections.

    The optimality conditions ``Q_tt p_t = nu + sum_j r_jt r_tj p_j`` have positive terms only; iterated on logarithms
    they give small probabilities, which a first solution in floating point loses, their size.
    """
    L = _log_pair_matrix(g)
    n_classes = L.shape[1]
    log_q = _log_sum(2 * L, axis=1)
    first, second = class_pairs(n_classes)
    log_p = np.log(np.maximum(couple(np.exp(L[:, first, second])), 1e-300))
    for _ in range(n_classes):
        inflow = _log_sum(L + L.swapaxes(1, 2) + log_p[:, None, :], axis=2)
        log_p = np.logaddexp(inflow, _log_nu(L, log_p)[:, None]) - log_q
        log_p -= _log_sum(log_p, axis=1)[:, None]
    for _ in range(2):
        M, h, share = _relative_system(L, log_p, log_q)
        right = np.concatenate([np.zeros_like(log_p), np.ones((len(L), 1))], axis=1)
        ratio = np.linalg.solve(_bordered(M, h, share), right[:, :, None])[:, :-1, 0]
        # beyond log P near -70 the system is lost in rounding and the fixed point is the better answer
        trusted = ((ratio > 0.5) & (ratio < 2)).all(axis=1, keepdims=True)
        log_p = log_p + np.log(np.where(trusted, ratio, 1.0))
        log_p -= _log_sum(log_p, axis=1)[:, None]
    return log_p


def _relative_system(L: NDArray, log_p: NDArray, log_q: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """The optimality conditions divided by Q_tt p_t: matrix M of inflows, column h of nu, and the shares p."""
    log_scale = log_q + log_p
    M = np.exp(L + L.swapaxes(1, 2) + log_p[:, None, :] - log_scale[:, :, None])
    h = np.exp(-log_scale - (-log_scale).max(axis=1, keepdims=True))
    return M, h, np.exp(log_p)


def _bordered(M: NDArray, h: NDArray, share: NDArray) -> NDArray:
    """[[1 - M, -h], [p', 0]], shape (n, k + 1, k + 1)."""
    n, k = h.shape
    A = np.zeros((n, k + 1, k + 1))
    A[:, :k, :k] = np.eye(k) - M
    A[:, :k, k] = -h
    A[:, k, :k] = share
    return A


def _log_couple_many_vjp(log_p: NDArray, g: NDArray) -> Any:
    """Pull a cotangent on log p back to the pair log-odds: implicit derivative of the relative system."""

    def vjp(cotangent: NDArray) -> NDArray:
        L = _log_pair_matrix(g)
        log_q = _log_sum(2 * L, axis=1)
        M, h, share = _relative_system(L, log_p, log_q)
        right = np.concatenate([cotangent, np.zeros((len(g), 1))], axis=1)[:, :, None]
        u = np.linalg.solve(_bordered(M, h, share).swapaxes(1, 2), right)[:, :-1, 0]
        r = np.exp(L)
        r_t = r.swapaxes(1, 2)
        # d(equation t) / d(log-odds of t against j)
        c = 2 * np.exp(L + 2 * L.swapaxes(1, 2) - log_q[:, :, None]) + M * (r_t - r)
        first, second = class_pairs(h.shape[1])
        return u[:, first] * c[:, first, second] - u[:, second] * c[:, second, first]

    return vjp


defvjp(_log_couple_many, _log_couple_many_vjp)


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
    log_p = log_couple(g)
    n_classes = log_p.shape[1]
    others = np.array([[j for j in range(n_classes) if j != c] for c in range(n_classes)])
    return log_p - log_sum_exp(log_p[:, others], axis=2)
