"""Shapley values of any model from its outputs alone: all coalitions, or random orders."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from agnsal.attribution.question.question import Question
from agnsal.attribution.question.sampling import Moments, add_blocks
from agnsal.errors import AgnsalError
from agnsal.spectra.regions import Regions

#: More regions than this have too many coalitions.
MOST_REGIONS = 15


def coalition_shares(n_regions: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Every coalition of some players, and what its value counts for each of them.

    Parameters
    ----------
    n_regions : int
        Number of players.

    Returns
    -------
    inside : ndarray of bool, shape (2^n_regions, n_regions)
    share : ndarray, shape (2^n_regions, n_regions)
        For players inside the weight of the coalition without them, for the others minus its own.

    Examples
    --------
    >>> coalition_shares(1)[1]
    array([[-1.],
           [ 1.]])
    """
    inside = (np.arange(2**n_regions)[:, None] >> np.arange(n_regions)) & 1 == 1
    size = inside.sum(axis=1)
    weight = np.array([1.0 / (n_regions * comb(n_regions - 1, s)) for s in range(n_regions)])
    share = np.where(inside, weight[np.maximum(size - 1, 0), None], -weight[np.minimum(size, n_regions - 1), None])
    return inside, share


def all_coalitions(question: Question, start: NDArray[np.float64], regions: Regions) -> NDArray[np.float64]:
    """Exact Shapley values of at most 15 regions: every coalition is evaluated.

    Parameters
    ----------
    question : Question
        What is asked.
    start : ndarray, shape (n, n_features)
        The baseline of each spectrum.
    regions : Regions
        The players.

    Returns
    -------
    ndarray, shape (n, n_regions)

    Raises
    ------
    AgnsalError
        If there are too many regions.
    """
    n_regions = len(regions)
    if n_regions > MOST_REGIONS:
        raise AgnsalError(
            f"{n_regions} regions have 2^{n_regions} coalitions; take at most {MOST_REGIONS} regions (groups), "
            'or method="permutations".'
        )
    inside, share = coalition_shares(n_regions)
    values = np.zeros((len(question.X), n_regions))
    for rows, numbers in question.blocks(len(inside)):
        mixed = np.where(inside[numbers][:, regions.labels], question.X[rows], start[rows])
        add_blocks(values, rows, question.explained(mixed, rows)[:, None] * share[numbers])
    return values


def random_orders(
    question: Question,
    start: NDArray[np.float64],
    regions: Regions,
    n_permutations: int,
    random: np.random.RandomState,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shapley values estimated over random orders of the regions, each taken forwards and backwards.

    Parameters
    ----------
    question, start, regions
        As in `all_coalitions`.
    n_permutations : int
        Orders, the reversed ones included.
    random : RandomState
        Draws them.

    Returns
    -------
    values, errors : ndarray, shape (n, n_regions)
        Mean over the pairs of orders, and its standard error. Every order is complete by itself, so the values sum to
        the whole difference.

    Raises
    ------
    AgnsalError
        If there are fewer than two pairs of orders.
    """
    n_pairs = n_permutations // 2
    if n_pairs < 2:
        raise AgnsalError(f"n_permutations must be at least 4, which is two pairs, got {n_permutations}.")
    n, n_regions = len(question.X), len(regions)
    everyone, moments = np.arange(n), Moments((n, n_regions))
    for _ in range(n_pairs):
        order = random.permutation(n_regions)
        pair = 0.5 * (_walk(question, start, regions, order) + _walk(question, start, regions, order[::-1]))
        moments.add(everyone, pair)
    return moments.mean, np.sqrt(moments.variance / n_pairs)


def _walk(
    question: Question, start: NDArray[np.float64], regions: Regions, order: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Change of the output as the regions of the spectrum replace those of the baseline one after the other."""
    n, n_regions = len(question.X), len(regions)
    turn = np.empty(n_regions, dtype=np.intp)
    turn[order] = np.arange(n_regions)
    of_feature = turn[regions.labels]
    outputs = np.empty(n * (n_regions + 1))
    for rows, taken in question.blocks(n_regions + 1):
        mixed = np.where(of_feature < taken[:, None], question.X[rows], start[rows])
        outputs[rows * (n_regions + 1) + taken] = question.explained(mixed, rows)
    change = np.empty((n, n_regions))
    change[:, order] = np.diff(outputs.reshape(n, n_regions + 1), axis=1)
    return change
