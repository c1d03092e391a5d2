"""Pairwise coupling of any number of classes: an elimination without subtractions, and its derivative.

The criterion of Wu, Lin & Weng is a sum over pairs, ``sum (r_ji p_i - r_ij p_j)^2``: a network of springs between the
classes, each of stiffness ``s = r_ij r_ji`` between ``exp(-g/2) p_i`` and ``exp(g/2) p_j``. Minimised over one class,
the springs at it become springs between the others, of stiffness ``s_i s_j / Omega`` and log-odds ``g_i - g_j`` (a
star-mesh transform). Two springs between the same classes become one, and where their log-odds differ by D, which is a
contradiction among the pairs, a weight at either end in proportion to ``sinh(D/2)^2``. Weights hold a class at 0,
against the pull that makes the probabilities sum to one. All of it are sums of positive terms, done here on logarithms;
only log-odds are subtracted from each other.

The derivative goes back through the same steps, each by hand: traced by autograd it would cost 15 ms, whatever the
number of spectra. Every factor in it is a share of a sum, between 0 and 1, so nothing overflows and no row knows
another.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from autograd.extend import defvjp, primitive
from numpy.typing import NDArray

from agnsal.models.machine.coupling import class_pairs, n_classes_of

#: Stands for the logarithm of zero, where minus infinity would make derivatives undefined.
LOG_ZERO = -1e100

Floats = NDArray[np.float64]


class _Joint(NamedTuple):
    """Springs of the same ends (n, t, t), and what became of each two."""

    s: Floats
    s_new: Floats
    difference: Floats
    total: Floats
    lean: Floats
    middle: Floats
    contradiction: Floats

    @classmethod
    def of(cls, s: Floats, g: Floats, s_new: Floats, g_new: Floats) -> tuple[_Joint, Floats]:
        """And the log-odds of the joint springs."""
        total, difference = np.logaddexp(s, s_new), g_new - g
        share, rest = s_new - total, s - total
        # log((1 - c) + c exp(difference)), exactly 0 where the two agree
        small = np.abs(difference) < 1.0
        near = np.log1p(np.exp(share) * np.expm1(np.where(small, difference, 0.0)))
        lean = np.where(small, near, np.logaddexp(rest, share + difference))
        back = lean.swapaxes(1, 2)
        g_joint, middle = g + 0.5 * (lean - back), total + 0.5 * (lean + back)
        size = s + s_new + log_squared_sinh(difference) - np.logaddexp(middle, total)
        return cls(s, s_new, difference, total, lean, middle, size - g_joint), g_joint

    def pull_back(self, d_total: Floats, d_joint: Floats, d_contradiction: Floats) -> tuple[Floats, Floats, Floats]:
        """Derivatives in the old springs, the new ones, and the difference of their log-odds."""
        D, lean = self.difference, self.lean
        share, rest = self.s_new - self.total, self.s - self.total
        whole = np.logaddexp(self.middle, self.total)
        d_middle = -d_contradiction * np.exp(self.middle - whole)
        d_total = d_total - d_contradiction * np.exp(self.total - whole) + d_middle
        d_joint = d_joint - d_contradiction
        d_lean = 0.5 * (d_middle + d_middle.swapaxes(1, 2) + d_joint - d_joint.swapaxes(1, 2))
        # shares of both springs in the lean, and what it gains if the new spring grows at the cost of the old one
        old, new = np.exp(share + rest - lean), np.exp(share + D - lean)
        small = np.abs(D) < 1.0
        gain = d_lean * np.where(small, old * np.expm1(np.where(small, D, 0.0)), new * np.exp(rest) - old)
        d_difference = d_lean * new + d_contradiction * _log_squared_sinh_slope(D)
        d_s = d_contradiction + d_total * np.exp(rest) - gain
        return d_s, d_contradiction + d_total * np.exp(share) + gain, d_difference


class _Step(NamedTuple):
    """One class eliminated: what was known of it (at, odds), of the others before, and of the others after."""

    at: Floats
    odds: Floats
    weight: Floats
    pull: Floats
    omega: Floats
    next_weight: Floats
    next_pull: Floats
    own_weight: Floats
    joint: _Joint


def _eliminated(g: Floats) -> tuple[list[_Step], Floats]:
    """Eliminate all classes but the first, the last one first, and give the logarithms (n, n_classes)."""
    stiffness = -np.logaddexp(0.0, g) - np.logaddexp(0.0, -g)
    n, n_classes = g.shape[:2]
    weight, pull = np.full((n, n_classes), LOG_ZERO), np.zeros((n, n_classes))
    steps = []
    for t in range(n_classes - 1, 0, -1):
        at, odds = stiffness[:, :t, t], g[:, :t, t]
        omega = log_sum(np.concatenate([weight[:, t:], at + odds], axis=1))[:, None]
        next_pull = np.logaddexp(pull[:, :t], at - omega + pull[:, t:])
        own_weight = np.logaddexp(weight[:, :t], at - odds + weight[:, t:] - omega)
        s_new = at[:, :, None] + at[:, None, :] - omega[:, :, None]
        joint, g = _Joint.of(stiffness[:, :t, :t], g[:, :t, :t], s_new, odds[:, :, None] - odds[:, None, :])
        next_weight = np.logaddexp(own_weight, log_sum(joint.contradiction))
        steps.append(_Step(at, odds, weight, pull, omega, next_weight, next_pull, own_weight, joint))
        stiffness, weight, pull = joint.total, next_weight, next_pull
    log_p = np.zeros((n, n_classes))
    for t, step in enumerate(reversed(steps), start=1):
        log_p[:, t] = log_sum(_sources(step, weight - pull, log_p[:, :t]))
    return steps, log_p


def _sources(step: _Step, nu: Floats, log_p: Floats) -> Floats:
    """What the probability of a class is the sum of: its own pull, and a share of every other class."""
    own = nu + step.pull[:, -1:] - step.omega
    return np.concatenate([own, step.at - step.omega + log_p], axis=1)


@primitive
def eliminated(g: NDArray) -> Floats:
    """Logarithms of coupled probabilities of any number of classes, not normalised.

    Parameters
    ----------
    g : ndarray, shape (n, n_pairs)
        Log-odds of the first class of each pair.

    Returns
    -------
    ndarray, shape (n, n_classes)
        That of the first class is 0.

    Examples
    --------
    >>> eliminated(np.array([[1.0, 2.0, 3.0, 1.0, 2.0, 1.0]])) + 0.0
    array([[ 0., -1., -2., -3.]])
    """
    return _eliminated(_antisymmetric(g))[1]


def _antisymmetric(g: NDArray) -> Floats:
    """Log-odds of pairs as matrices, shape (n, n_classes, n_classes)."""
    n_classes = n_classes_of(g.shape[1])
    first, second = class_pairs(n_classes)
    matrix = np.zeros((len(g), n_classes, n_classes))
    matrix[:, first, second], matrix[:, second, first] = g, -g
    return matrix


def _pulled_back(d_log_p: NDArray, g: NDArray) -> Floats:
    """Derivative of a weighted sum of the logarithms in the log-odds of the pairs, shape (n, n_pairs)."""
    matrix = _antisymmetric(g)
    steps, log_p = _eliminated(matrix)
    nu = steps[-1].next_weight - steps[-1].next_pull
    d_log_p, d_nu = np.array(d_log_p), np.zeros((len(g), 1))
    d_sources = []
    for t in range(len(steps), 0, -1):
        sources = _sources(steps[-t], nu, log_p[:, :t])
        shares = d_log_p[:, t : t + 1] * np.exp(sources - log_p[:, t : t + 1])
        d_sources.append(shares)
        d_log_p[:, :t] += shares[:, 1:]
        d_nu += shares[:, :1]
    d_weight, d_pull = d_nu, -d_nu
    d_s, d_g = np.zeros((len(g), 1, 1)), np.zeros((len(g), 1, 1))
    for step, d_source in zip(reversed(steps), reversed(d_sources), strict=True):
        d_weight, d_pull, d_s, d_g = _step_pulled_back(step, d_source, d_weight, d_pull, d_s, d_g)
    d_g -= d_s * np.tanh(0.5 * matrix)
    first, second = class_pairs(matrix.shape[1])
    return d_g[:, first, second] - d_g[:, second, first]


def _step_pulled_back(
    step: _Step, d_source: Floats, d_weight: Floats, d_pull: Floats, d_s: Floats, d_g: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Derivatives in what was known before a class was eliminated, from those in what was known after."""
    t = step.at.shape[1]
    d_contradiction = (d_weight * np.exp(log_sum(step.joint.contradiction) - step.next_weight))[:, :, None] * np.exp(
        step.joint.contradiction - log_sum(step.joint.contradiction)[:, :, None]
    )
    d_old, d_new, d_difference = step.joint.pull_back(d_s, d_g, d_contradiction)
    d_at = d_new.sum(axis=1) + d_new.sum(axis=2) + d_source[:, 1:]
    d_odds = d_difference.sum(axis=2) - d_difference.sum(axis=1)
    d_own = d_weight * np.exp(step.own_weight - step.next_weight)
    from_weight = d_own * np.exp(step.at - step.odds + step.weight[:, t:] - step.omega - step.own_weight)
    from_pull = d_pull * np.exp(step.at - step.omega + step.pull[:, t:] - step.next_pull)
    d_at += from_weight + from_pull
    last_weight, last_pull = from_weight.sum(axis=1, keepdims=True), from_pull.sum(axis=1, keepdims=True)
    d_omega = -d_new.sum(axis=(1, 2))[:, None] - last_weight - last_pull - d_source.sum(axis=1, keepdims=True)
    shares = d_omega * np.exp(np.concatenate([step.weight[:, t:], step.at + step.odds], axis=1) - step.omega)
    d_at += shares[:, 1:]
    d_odds += shares[:, 1:] - from_weight
    d_weight = np.concatenate(
        [d_own * np.exp(step.weight[:, :t] - step.own_weight), last_weight + shares[:, :1]], axis=1
    )
    d_pull = np.concatenate([d_pull * np.exp(step.pull[:, :t] - step.next_pull), last_pull + d_source[:, :1]], axis=1)
    whole_s, whole_g = np.zeros((len(d_at), t + 1, t + 1)), np.zeros((len(d_at), t + 1, t + 1))
    whole_s[:, :t, :t], whole_s[:, :t, t] = d_old, d_at
    whole_g[:, :t, :t], whole_g[:, :t, t] = d_g - d_contradiction - d_difference, d_odds
    return d_weight, d_pull, whole_s, whole_g


defvjp(eliminated, lambda _log_p, g: lambda d_log_p: _pulled_back(d_log_p, g))


def log_sum(x: Floats, axis: int = -1) -> Floats:
    """Logarithm of the sum of exponentials along an axis; ten times faster than SciPy's for few numbers."""
    largest = x.max(axis=axis, keepdims=True)
    return np.squeeze(largest, axis) + np.log(np.exp(x - largest).sum(axis=axis))


def log_squared_sinh(x: NDArray) -> Floats:
    """``log(4 sinh(x / 2)^2)``, the logarithm of zero where x is 0."""
    size = np.abs(x)
    with np.errstate(divide="ignore"):
        return np.maximum(size + 2 * np.log(-np.expm1(-size)), LOG_ZERO)


def _log_squared_sinh_slope(x: Floats) -> Any:
    # the weight itself vanishes with the square of x, so that its derivative is 0 there
    return np.where(x == 0, 0.0, 1.0 / np.tanh(0.5 * np.where(x == 0, 1.0, x)))
