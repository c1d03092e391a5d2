"""From pairwise decision values to class probabilities: Platt's sigmoids and pairwise coupling.

Pairs are ordered as scikit-learn orders them, (0, 1), (0, 2), ..., (1, 2), ...; a positive decision value or a pair
probability above one half favours the first class of the pair. The methods are those of Lin, Lin & Weng 2007
(sigmoid) and Wu, Lin & Weng 2004 (coupling, their second method), as libsvm iterates it; `log_odds` solves it exactly.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from agnsal.errors import AgnsalError

#: libsvm clips pair probabilities to this distance from 0 and 1; only `couple_iterated` is given such.
CLIP = 1e-7

#: Log-odds at a decision value of the usual size where nothing shows that a machine separates two classes.
LEAST_LOG_ODDS = 0.01


def class_pairs(n_classes: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and second class of every pair.

    Parameters
    ----------
    n_classes : int
        At least 2.

    Returns
    -------
    first, second : ndarray of int, shape (n_pairs,)

    Examples
    --------
    >>> class_pairs(3)
    (array([0, 0, 1]), array([1, 2, 2]))
    """
    return np.triu_indices(n_classes, 1)


def pair_signs(n_classes: int) -> NDArray[np.float64]:
    """Matrix that sums the pair values of every class, signed towards the class.

    Parameters
    ----------
    n_classes : int
        At least 2.

    Returns
    -------
    ndarray, shape (n_pairs, n_classes)
        +1 at the first class of a pair, -1 at the second.

    Examples
    --------
    >>> pair_signs(3)
    array([[ 1., -1.,  0.],
           [ 1.,  0., -1.],
           [ 0.,  1., -1.]])
    """
    identity = np.eye(n_classes)
    first, second = class_pairs(n_classes)
    return identity[first] - identity[second]


def n_classes_of(n_pairs: int) -> int:
    """Number of classes that have `n_pairs` pairs.

    Parameters
    ----------
    n_pairs : int
        A triangular number.

    Returns
    -------
    int

    Raises
    ------
    AgnsalError
        If no number of classes has that many pairs.

    Examples
    --------
    >>> n_classes_of(3)
    3
    """
    n_classes = round((1 + np.sqrt(1 + 8 * n_pairs)) / 2)
    if n_pairs < 1 or n_classes * (n_classes - 1) // 2 != n_pairs:
        raise AgnsalError(f"{n_pairs} columns are not the pairs of any number of classes (1, 3, 6, 10, ...).")
    return n_classes


def fit_sigmoid(decision: ArrayLike, positive: ArrayLike, weight: ArrayLike | None = None) -> tuple[float, float]:
    """Fit Platt's sigmoid ``P = 1 / (1 + exp(a f + b))`` by Newton steps with backtracking (Lin, Lin & Weng 2007).

    Parameters
    ----------
    decision : array, shape (n,)
        Decision values, preferably out of fold.
    positive : array of bool, shape (n,)
        Which belong to the class that positive values favour.
    weight : array, shape (n,), optional
        Weights of the values.

    Returns
    -------
    a, b : float

    Examples
    --------
    >>> a, b = fit_sigmoid([-2.0, -1.0, 1.0, 2.0], [False, False, True, True])
    >>> round(a, 3) < 0, abs(b) < 1e-6
    (True, True)
    """
    f = np.asarray(decision, dtype=np.float64)
    positive = np.asarray(positive, dtype=bool)
    weight = np.ones_like(f) if weight is None else np.asarray(weight, dtype=np.float64)
    n_positive, n_negative = weight[positive].sum(), weight[~positive].sum()
    # targets of Platt's prior: not quite 1 and 0, so that separable classes keep a finite slope
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    a, b = 0.0, float(np.log((n_negative + 1) / (n_positive + 1)))

    def loss(a: float, b: float) -> float:
        z = a * f + b
        return float(weight @ (np.logaddexp(0.0, -z) + target * z)) if z.size else 0.0

    value = loss(a, b)
    for _ in range(100):
        p = expit(-(a * f + b))
        residual, curvature = weight * (target - p), weight * p * (1 - p)
        slope_a, slope_b = residual @ f, residual.sum()
        if max(abs(slope_a), abs(slope_b)) < 1e-5:
            break
        h_aa, h_bb, h_ab = curvature @ (f * f) + 1e-12, curvature.sum() + 1e-12, curvature @ f
        determinant = h_aa * h_bb - h_ab * h_ab
        step_a = -(h_bb * slope_a - h_ab * slope_b) / determinant
        step_b = -(h_aa * slope_b - h_ab * slope_a) / determinant
        descent, step = slope_a * step_a + slope_b * step_b, 1.0
        while step >= 1e-10:
            trial = loss(a + step * step_a, b + step * step_b)
            if trial < value + 1e-4 * step * descent:
                a, b, value = a + step * step_a, b + step * step_b, trial
                break
            step /= 2
        else:
            break
    return float(a), float(b)


def flattest_sigmoid(decision: ArrayLike) -> tuple[float, float]:
    """The sigmoid of a machine that has shown no evidence of telling two classes apart.

    It sides with the machine (P is 1/2 where the decision is 0, and rises with it), and hardly: the log-odds are
    `LEAST_LOG_ODDS` at a decision value of the usual size.

    Parameters
    ----------
    decision : array, shape (n,)
        Decision values.

    Returns
    -------
    a, b : float

    Examples
    --------
    >>> flattest_sigmoid([-2.0, 2.0])
    (-0.005, 0.0)
    """
    size = float(np.sqrt(np.mean(np.square(decision))))
    return -LEAST_LOG_ODDS / (size or 1.0), 0.0


@primitive
def sigmoid(z: Any) -> Any:
    """Logistic function ``1 / (1 + exp(-z))`` without overflow or cancellation.

    Parameters
    ----------
    z : ndarray
        Log-odds.

    Returns
    -------
    ndarray
        The same shape.

    Examples
    --------
    >>> sigmoid(np.array([-800.0, 0.0, 800.0]))
    array([0. , 0.5, 1. ])
    """
    return expit(z)


defvjp(sigmoid, lambda _ans, z: lambda g: g * sigmoid(z) * sigmoid(-z))


def pair_log_odds(decision: Any, a: Any, b: Any) -> Any:
    """Log-odds of the first class of every pair, ``-(a f + b)``.

    Parameters
    ----------
    decision : ndarray, shape (n, n_pairs)
        Pair decision values.
    a, b : ndarray, shape (n_pairs,)
        The fitted sigmoids.

    Returns
    -------
    ndarray, shape (n, n_pairs)

    Examples
    --------
    >>> pair_log_odds(np.array([[2.0]]), np.array([-1.5]), np.array([0.5]))
    array([[2.5]])
    """
    return -(decision * a + b)


def pair_probabilities(log_odds: Any) -> Any:
    """Probability of the first class of every pair, clipped as libsvm clips it.

    Parameters
    ----------
    log_odds : ndarray, shape (n, n_pairs)
        Log-odds of the first class of each pair.

    Returns
    -------
    ndarray, shape (n, n_pairs)
        Between 1e-7 and 1 - 1e-7.

    Examples
    --------
    >>> pair_probabilities(np.array([[0.0, 40.0]]))
    array([[0.5      , 0.9999999]])
    """
    return anp.clip(sigmoid(log_odds), CLIP, 1 - CLIP)


def _pair_matrix(r: NDArray) -> NDArray:
    """All r_ij as an (n, k, k) matrix with r_ji = 1 - r_ij and a zero diagonal."""
    n_classes = n_classes_of(r.shape[1])
    first, second = class_pairs(n_classes)
    matrix = np.zeros((len(r), n_classes, n_classes))
    matrix[:, first, second] = r
    matrix[:, second, first] = 1 - r
    return matrix


def _quadratic_form(R: NDArray) -> NDArray:
    """Q of Wu, Lin & Weng: Q_tt = sum_j r_jt^2, Q_tj = -r_jt r_tj; shape (n, k, k)."""
    Q = -R * R.swapaxes(1, 2)
    diagonal = np.arange(R.shape[1])
    Q[:, diagonal, diagonal] = np.einsum("njt,njt->nt", R, R)
    return Q


def couple_iterated(r: NDArray) -> NDArray:
    """Class probabilities as libsvm iterates them: Gauss-Seidel sweeps stopped at ``0.005 / n_classes``.

    Kept to reproduce scikit-learn's ``SVC(probability=True)``; it differs from `log_couple` by up to 0.005 and is not
    continuous where the number of sweeps changes.

    Parameters
    ----------
    r : ndarray, shape (n, n_pairs)
        Probability of the first class of each pair.

    Returns
    -------
    ndarray, shape (n, n_classes)

    Examples
    --------
    >>> couple_iterated(np.array([[0.5, 0.8, 0.8]])).round(3)
    array([[0.444, 0.445, 0.111]])
    """
    Q = _quadratic_form(_pair_matrix(r))
    n, k = Q.shape[:2]
    result = np.full((n, k), 1.0 / k)
    active = np.arange(n)
    p, tolerance = result.copy(), 0.005 / k
    for _ in range(max(100, k)):
        Qp = np.einsum("nij,nj->ni", Q, p)
        pQp = np.einsum("ni,ni->n", p, Qp)
        open_rows = np.abs(Qp - pQp[:, None]).max(axis=1) >= tolerance
        result[active[~open_rows]] = p[~open_rows]
        active, Q, p, Qp, pQp = (array[open_rows] for array in (active, Q, p, Qp, pQp))
        if not active.size:
            return result
        for t in range(k):
            step = (pQp - Qp[:, t]) / Q[:, t, t]
            p[:, t] += step
            scale = 1 / (1 + step)
            pQp = (pQp + step * (step * Q[:, t, t] + 2 * Qp[:, t])) * scale * scale
            Qp = (Qp + step[:, None] * Q[:, t, :]) * scale[:, None]
            p *= scale[:, None]
    result[active] = p
    return result
