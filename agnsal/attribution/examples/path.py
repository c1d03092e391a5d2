"""An output of several decision values, shared out among them along the straight line between two points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd import make_vjp
from numpy.typing import NDArray

#: Nodes of Gauss and Legendre to begin with, and the most there may be.
FIRST_NODES, MOST_NODES = 8, 1024

#: More nodes are taken until the weights miss the change of the output by less than this share of its size.
ENOUGH = 1e-13


def path_weights(
    link: Callable[[Any], Any],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    linear: bool,
) -> NDArray[np.float64]:
    """Mean slope of an output in every decision value on the way from one point to another.

    Times the change of the decision values the slopes sum to the change of the output (the fundamental theorem of
    calculus): the integral is over one dimension, whatever the number of wavelengths or training spectra.

    Parameters
    ----------
    link : callable
        From decision values (n, n_values) to outputs (n, n_outputs), traceable by autograd.
    start, end : ndarray, shape (n, n_values)
        Decision values.
    weights : ndarray, shape (n, n_outputs)
        Select the output of each row.
    linear : bool
        Whether the link is linear, so that one node is enough.

    Returns
    -------
    ndarray, shape (n, n_values)

    References
    ----------
    Sundararajan, Taly & Yan 2017, arXiv:1703.01365, there over the input.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> def product(F):
    ...     return anp.prod(F, axis=1, keepdims=True)
    >>> path_weights(product, np.zeros((1, 2)), np.array([[2.0, 3.0]]), np.ones((1, 1)), linear=False)
    array([[1.5, 1. ]])
    """
    change = end - start
    ends = [(link(values) * weights).sum(axis=1) for values in (start, end)]
    enough = ENOUGH * max(1.0, float(np.abs(ends).max(initial=0.0)))
    n_nodes, missed = 1 if linear else FIRST_NODES, np.inf
    while True:
        nodes, shares = np.polynomial.legendre.leggauss(n_nodes)
        found = np.zeros_like(change)
        for node, share in zip(0.5 * (nodes + 1.0), 0.5 * shares, strict=True):
            found += share * make_vjp(link)(start + node * change)[0](weights)
        missing = float(np.abs(ends[1] - ends[0] - (found * change).sum(axis=1)).max(initial=0.0))
        if linear or missing <= enough or n_nodes >= MOST_NODES or (missing > 0.5 * missed and missing < 1e-9):
            return found
        n_nodes, missed = 2 * n_nodes, missing
