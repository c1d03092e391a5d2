"""Owen integrals of kernel expansions: exact Shapley values of sums of products, by quadrature.

For a Gaussian kernel every term of ``f`` is a product over features. Its multilinear extension, in which every feature
is that of the spectrum with probability t and that of the baseline otherwise, is again a product, and the Shapley value
of a feature is the integral over t of its derivative in that feature (Owen 1972, Management Science 18, P64): of a
polynomial of degree ``n_features - 1``, which ``n_features / 2`` nodes of Gauss and Legendre integrate exactly and a
handful to rounding, because it is smooth. Features may be taken together: the product over a group is one factor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd import make_vjp
from numpy.typing import NDArray

from agnsal.models.machine.kernels import KernelExpansion
from agnsal.spectra.regions import Regions

#: Numbers in one block of factors (0.5 MiB): what stays in the cache.
BLOCK = 2**16

#: Factors multiplied before a logarithm is taken: few enough that the product cannot underflow.
CHUNK = 32

#: Nodes to begin with, and the most there may be where no peak is narrow.
FIRST_NODES, MOST_NODES = 6, 128

#: Nodes that see a peak, as a multiple of the root of `steepness`.
NODES_PER_PEAK = 2.0

#: The quadrature is refined until the values miss the difference by less than this share of the terms summed, or,
#: where the link makes them approximate anyway, of the outputs.
EXACT, APPROXIMATE = 1e-14, 1e-8


def owen_values(
    expansion: KernelExpansion,
    x: NDArray[np.float64],
    start: NDArray[np.float64],
    regions: Regions,
    link: Callable[[Any], Any],
    weights: NDArray[np.float64],
    *,
    exact: bool,
) -> tuple[NDArray[np.float64], int]:
    """Shapley values of one spectrum, or, with a link that is not linear, Owen's integral over the link.

    Parameters
    ----------
    expansion : KernelExpansion
        With a linear or a Gaussian kernel.
    x, start : ndarray, shape (n_features,)
        The spectrum and its baseline, as the kernel sees them.
    regions : Regions
        The players.
    link : callable
        From pair values (n, n_pairs) to outputs (n, n_outputs), traceable by autograd.
    weights : ndarray, shape (n_outputs,)
        Selects the output explained.
    exact : bool
        Whether the link is linear.

    Returns
    -------
    values : ndarray, shape (n_regions,)
        They sum to the change of the output.
    n_nodes : int
        Nodes used.
    """
    ends = link(expansion(np.stack([x, start]))) @ weights
    terms = np.abs(ends).sum() + (np.abs(expansion.coefficients).sum() if exact else 0.0)
    enough = (EXACT if exact else APPROXIMATE) * terms
    resolving = int(np.ceil(NODES_PER_PEAK * np.sqrt(steepness(expansion, x, start, regions))))
    most = max(MOST_NODES, 4 * resolving)
    if exact:
        most = min(most, max(1, -(-len(regions) // 2)))
    n_nodes, missed = min(FIRST_NODES, most), np.inf
    while True:
        nodes, shares = np.polynomial.legendre.leggauss(n_nodes)
        F, slopes = extension(expansion, x, start, regions, 0.5 * (nodes + 1.0))
        pull_back, outputs = make_vjp(link)(F)
        by_pair = pull_back(np.broadcast_to(weights, outputs.shape)) * (0.5 * shares)[:, None]
        values = np.einsum("kp,kpi->i", by_pair, slopes)
        missing = abs(ends[0] - ends[1] - values.sum())
        # at the level of rounding more nodes do not help, but nodes too few to see a peak do not tell
        stalled = missing > 0.5 * missed and n_nodes >= resolving
        if missing <= enough or stalled or n_nodes >= most:
            return values, n_nodes
        n_nodes, missed = min(2 * n_nodes, most), missing


def steepness(
    expansion: KernelExpansion, x: NDArray[np.float64], start: NDArray[np.float64], regions: Regions
) -> float:
    """Bound on how fast the logarithm of a product rises along the diagonal.

    A peak inside is no narrower than its inverse root, one at an end no narrower than its inverse; nodes of Gauss and
    Legendre, which crowd at the ends as the square of their number, resolve both with a multiple of its root.

    Returns
    -------
    float
        At most the number of players; 0 for a linear kernel.
    """
    if expansion.kernel.name == "linear":
        return 0.0
    steepest, step = 0.0, max(1, BLOCK // x.size)
    for i in range(0, len(expansion.support_vectors), step):
        S = expansion.support_vectors[i : i + step]
        ratio = regions.sums((start + x - 2.0 * S) * (expansion.kernel.gamma * (start - x)))
        steepest = max(steepest, float((-np.expm1(-np.abs(ratio))).sum(axis=1).max()))
    return steepest


def extension(
    expansion: KernelExpansion,
    x: NDArray[np.float64],
    start: NDArray[np.float64],
    regions: Regions,
    t: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Multilinear extension on the diagonal, and its derivative in every player.

    Parameters
    ----------
    expansion, x, start, regions
        As in `owen_values`.
    t : ndarray, shape (n_nodes,)
        Places on the diagonal, strictly between 0 and 1.

    Returns
    -------
    F : ndarray, shape (n_nodes, n_pairs)
        Pair values.
    slopes : ndarray, shape (n_nodes, n_pairs, n_regions)
        Their derivatives.
    """
    if expansion.kernel.name == "linear":
        slopes = regions.sums(expansion.weights * (x - start))
        ends = expansion(start[None])[0] + t[:, None] * slopes.sum(axis=1)
        return ends, np.broadcast_to(slopes, (t.size, *slopes.shape))
    gamma, n_pairs, n_regions = expansion.kernel.gamma, expansion.coefficients.shape[1], len(regions)
    width = -(-n_regions // CHUNK) * CHUNK  # padded by factors of one, so that chunks are whole
    F, slopes = np.zeros((t.size, n_pairs)), np.zeros((t.size, n_pairs, width))
    step = max(1, BLOCK // max(width, x.size))
    for i in range(0, len(expansion.support_vectors), step):
        S, alpha = expansion.support_vectors[i : i + step], expansion.coefficients[i : i + step]
        # log of each kernel factor at x over that at the baseline, from which both ends follow without cancellation
        ratio = regions.sums((start + x - 2.0 * S) * (gamma * (start - x)))
        change = np.zeros((len(S), width))
        # the factor relative to the larger end, (1 - t) k' + t k over max(k', k), is keep + t change
        change[:, :n_regions] = np.copysign(np.expm1(-np.abs(ratio)), ratio)
        keep = 1.0 - np.maximum(change, 0.0)
        # the larger end of every factor, from its own distance: a difference of large numbers would lose digits
        largest = -gamma * np.where(ratio > 0, regions.sums(np.square(x - S)), regions.sums(np.square(start - S))).sum(
            axis=1
        )
        factor, slope = np.empty_like(change), np.empty_like(change)
        for k, place in enumerate(t):
            np.multiply(change, place, out=factor)
            factor += keep
            products = np.multiply.reduce(factor.reshape(len(S), CHUNK, -1), axis=1)
            term = alpha * np.exp(largest + np.log(products).sum(axis=1))[:, None]
            np.divide(change, factor, out=slope)
            F[k] += term.sum(axis=0)
            slopes[k] += term.T @ slope
    return F + expansion.intercepts, slopes[:, :, :n_regions]
