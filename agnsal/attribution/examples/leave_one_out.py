"""What training again without one of the support vectors would change: the others move along, to first order.

A support vector machine keeps its free vectors (those not at the bound C) exactly at the margin. When a vector leaves,
the coefficients of the free ones and the intercept move so that they stay there and still sum to zero: a linear system,
solved once for all (Cauwenberghs & Poggio 2001, NIPS 13, of which this is the first step). What it does not follow are
vectors that on the way reach a bound or come to the margin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agnsal.models.machine.kernels import KernelExpansion

#: A vector this near to its margin is free: libsvm stops when all are within a thousandth.
_AT_THE_MARGIN = 5e-3


def leave_one_out_changes(expansion: KernelExpansion, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Change of the values of a machine with the hinge loss, when each of its vectors is left out.

    Parameters
    ----------
    expansion : KernelExpansion
        The pairs of the machine.
    kernel : ndarray, shape (n, n_vectors)
        Between spectra and vectors.

    Returns
    -------
    ndarray, shape (n, n_vectors, n_pairs)
    """
    vectors, C = expansion.support_vectors, expansion.coefficients
    among = expansion.kernel(vectors, vectors)
    values = among @ C + expansion.intercepts
    change = -kernel[:, :, None] * C
    for p in range(C.shape[1]):
        margin = np.abs(1.0 - np.sign(C[:, p]) * values[:, p])
        free = np.flatnonzero((C[:, p] != 0) & (margin < _AT_THE_MARGIN) & ~_at_the_bound(C[:, p]))
        if not free.size:
            continue
        system = np.ones((free.size + 1, free.size + 1))
        system[:-1, :-1], system[-1, -1] = among[np.ix_(free, free)], 0.0
        inverse = np.linalg.pinv(system, hermitian=True)
        moved = np.column_stack([kernel[:, free], np.ones(len(kernel))]) @ inverse
        # at the bound: the free ones take over
        change[:, :, p] += moved @ np.vstack([among[free], np.ones(len(C))]) * C[:, p]
        # free: the others do, and its own margin is released
        own = np.diag(inverse)[:-1]
        change[:, free, p] = -moved[:, :-1] * (C[free, p] / np.where(np.abs(own) > 0, own, np.inf))
    return change


def _at_the_bound(coefficients: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Vectors at the bound, where it can be told: the largest of their sign, if more than one is as large.

    No two that are free are equal to the last digits; one at the bound can lie at the margin by chance.
    """
    bound = np.zeros(coefficients.shape, dtype=bool)
    for sign in (-1.0, 1.0):
        size = sign * coefficients
        most = size >= size.max(initial=0.0) * (1 - 1e-12)
        bound |= most & (size > 0) & (np.count_nonzero(most) > 1)
    return bound
