"""The nearest point, in scaled quantities, at which an output reaches a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize

#: Places at which one quantity is tried between its bounds.
TRIED = 25

#: The output is asked to be beyond the border by this much, so that rounding does not decide.
BEYOND = 1e-3

#: A bound is kept but for this much, in its own units.
ROUNDING = 1e-6

#: From points, shape (n, n_quantities), to the output at each.
Values = Callable[[NDArray[np.float64]], NDArray[np.float64]]
Slope = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Nearest:
    """Where the search ended.

    Attributes
    ----------
    z : ndarray, shape (n_quantities,)
        The nearest point beyond the border, or, if none was found, where the output comes closest.
    found : bool
        Whether it is beyond the border.
    """

    z: NDArray[np.float64]
    found: bool


def nearest_crossing(
    values: Values,
    slope: Slope,
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    random: np.random.RandomState,
    n_starts: int,
    room: tuple[Values, Slope] | None = None,
) -> Nearest:
    """Find the shortest step from 0 after which an output is positive.

    Parameters
    ----------
    values : callable
        From points, shape (n, n_quantities), to the output at each.
    slope : callable
        The gradient at one point.
    lower, upper : ndarray, shape (n_quantities,)
        Bounds, with 0 between them.
    random : RandomState
        Draws starts.
    n_starts : int
        Random starts, beside 0 and the crossings of one quantity alone.
    room : (callable, callable), optional
        What must stay positive as well, as it is at 0, with its gradient: how far all of the spectrum is above its
        lower bound.

    Returns
    -------
    Nearest

    Examples
    --------
    >>> low, high = np.full(2, -5.0), np.full(2, 5.0)
    >>> random = np.random.RandomState(0)
    >>> end = nearest_crossing(lambda Z: Z.sum(axis=1) - 2, lambda z: np.ones(2), low, high, random, 2)
    >>> end.found, end.z.round(2)
    (True, array([1., 1.]))
    """

    def value(z: NDArray[np.float64]) -> float:
        return float(values(z[None])[0])

    zero = np.zeros(lower.size)
    if value(zero) > BEYOND:
        return Nearest(zero, True)

    def allowed(z: NDArray[np.float64]) -> bool:
        return room is None or float(room[0](z[None])[0]) >= -ROUNDING

    crossings, farthest = _alone(values, lower, upper, None if room is None else room[0])
    best = min(crossings, key=np.linalg.norm, default=None)
    if lower.size == 1:
        return Nearest(farthest, False) if best is None else Nearest(best, True)
    wide = np.minimum(np.maximum(np.abs(lower), np.abs(upper)), 5.0)
    starts = [zero, *sorted(crossings, key=np.linalg.norm)[:1]]
    starts += [np.clip(random.normal(size=zero.size) * wide / 2, lower, upper) for _ in range(n_starts)]
    bounds = list(zip(lower, upper, strict=True))
    border = [{"type": "ineq", "fun": lambda z: value(z) - BEYOND, "jac": slope}]
    if room is not None:
        border.append({"type": "ineq", "fun": lambda z: float(room[0](z[None])[0]), "jac": room[1]})

    def nearer(start: NDArray[np.float64]) -> NDArray[np.float64] | None:
        end = minimize(
            lambda z: 0.5 * z @ z, start, jac=lambda z: z, method="SLSQP", bounds=bounds, constraints=border,
            options={"maxiter": 60, "ftol": 1e-6},
        ).x  # fmt: skip
        end = np.clip(end, lower, upper)
        if value(end) <= 0:
            return None
        end = _on_the_way(value, end)
        return end if allowed(end) else None

    def keep(end: NDArray[np.float64] | None) -> None:
        nonlocal best
        if end is not None and (best is None or np.linalg.norm(end) < np.linalg.norm(best)):
            best = end

    for start in starts:
        keep(nearer(start))
    if best is not None:
        keep(nearer(best))
        return Nearest(best, True)
    # no start crosses: how far does the output come, and does it cross there?
    for start in (zero, farthest):
        end = minimize(lambda z: -value(z), start, jac=lambda z: -slope(z), method="L-BFGS-B", bounds=bounds).x
        if allowed(end):
            farthest = max(farthest, end, key=value)
    if value(farthest) > 0:
        end = _on_the_way(value, farthest)
        keep(end if allowed(end) else None)
        keep(nearer(end))
        if best is not None:
            return Nearest(best, True)
    return Nearest(farthest, False)


def _on_the_way(value: Callable[[NDArray[np.float64]], float], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the straight line from 0 to a point beyond the border crosses it, or the point itself."""
    if value(end) <= BEYOND:
        return end
    return end * brentq(lambda t: value(t * end) - BEYOND, 0.0, 1.0, xtol=1e-9)


def _alone(
    values: Values, lower: NDArray[np.float64], upper: NDArray[np.float64], room: Values | None
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """The nearest crossing of each quantity by itself, up and down, and where the output is largest."""
    # closer together near 0, where the nearest crossing is
    steps = np.linspace(0.0, 1.0, TRIED) ** 2
    ends = np.concatenate([np.diag(lower), np.diag(upper)])
    points = (steps[:, None, None] * ends).reshape(-1, lower.size)
    tried = values(points).reshape(TRIED, len(ends))
    if room is not None:
        tried = np.where(room(points).reshape(TRIED, len(ends)) >= -ROUNDING, tried, -np.inf)
    crossings = []
    for end, column in zip(ends, tried.T, strict=True):
        beyond = np.flatnonzero(column > BEYOND)
        if beyond.size:
            before, place = steps[beyond[0] - 1], steps[beyond[0]]
            if not np.isfinite(column[beyond[0] - 1]):
                crossings.append(place * end)
                continue
            root = brentq(lambda t, end=end: values(t * end[None])[0] - BEYOND, before, place, xtol=1e-9)
            crossings.append(root * end)
    step, chosen = np.unravel_index(tried.argmax(), tried.shape)
    return crossings, steps[step] * ends[chosen]
