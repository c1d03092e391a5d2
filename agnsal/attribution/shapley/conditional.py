"""Shapley values on the manifold: what is hidden is drawn from what a background says of it, given what is seen.

The background is a Gaussian with a covariance of a few factors and a variance for each bin, or one such Gaussian for
each class. Given some bins the rest is Gaussian too (or a mixture, whose weights the bins tell), and the mean of a
product kernel over a Gaussian is known in closed form, so that values of coalitions of machines with a linear or a
Gaussian kernel need no sampling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agnsal.attribution.question.question import Question
from agnsal.attribution.shapley.background import GaussianBackground, MixtureBackground, conditional
from agnsal.attribution.shapley.coalitions import coalition_shares
from agnsal.errors import AgnsalError
from agnsal.models.structure import Structure
from agnsal.spectra.regions import Regions

#: All coalitions of up to this many regions are asked, of more those along random orders.
MOST_REGIONS = 12

#: What a coalition of regions, shape (n_regions,), is worth: one value where it is known, else one for each draw.
Worth = Callable[[NDArray[np.bool_]], NDArray[np.float64]]


@dataclass(frozen=True)
class ConditionalValues:
    """Shapley values of one spectrum.

    Attributes
    ----------
    values : ndarray, shape (n_regions,)
    errors : ndarray, shape (n_regions,), or None
        Standard errors; None where nothing was drawn.
    empty : float
        What is known where nothing is seen.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64] | None
    empty: float


def all_coalitions(worth: Worth, n_regions: int) -> ConditionalValues:
    """Shapley values from every coalition; their errors are those of the draws, which all coalitions share.

    Parameters
    ----------
    worth : callable
        Of a coalition.
    n_regions : int
        Number of players.

    Returns
    -------
    ConditionalValues
    """
    inside, share = coalition_shares(n_regions)
    nothing = worth(inside[0])
    draws = nothing[:, None] * share[0]
    for seen, weight in zip(inside[1:], share[1:], strict=True):
        draws = draws + worth(seen)[:, None] * weight
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws)) if len(draws) > 1 else None
    return ConditionalValues(draws.mean(axis=0), error, float(nothing.mean()))


def random_orders(
    fresh: Callable[[], Worth], n_regions: int, n_permutations: int, random: np.random.RandomState
) -> ConditionalValues:
    """Shapley values from random orders, each forwards and backwards, with the scatter between pairs as error.

    Parameters
    ----------
    fresh : callable
        Gives the worth of coalitions, with draws of its own each time.
    n_regions : int
        Number of players.
    n_permutations : int
        Orders, the reversed ones included.
    random : RandomState
        Draws them.

    Returns
    -------
    ConditionalValues
    """
    n_pairs = n_permutations // 2
    if n_pairs < 2:
        raise AgnsalError(f"n_permutations must be at least 4, which is two pairs, got {n_permutations}.")
    pairs, empty = np.zeros((n_pairs, n_regions)), 0.0
    for pair in pairs:
        worth, order = fresh(), random.permutation(n_regions)
        for way in (order, order[::-1]):
            seen = np.zeros(n_regions, dtype=bool)
            before = worth(seen).mean()
            empty += before / (2 * n_pairs)
            for region in way:
                seen[region] = True
                after = worth(seen).mean()
                pair[region] += 0.5 * (after - before)
                before = after
    return ConditionalValues(pairs.mean(axis=0), pairs.std(axis=0, ddof=1) / np.sqrt(n_pairs), float(empty))


class ClosedForm:
    """The mean of a machine over what is hidden, without sampling.

    Sums over each region are made once, so that a coalition costs no pass over the bins.

    Parameters
    ----------
    machine : Structure
        With a linear or a Gaussian kernel.
    background : MixtureBackground
        In the features of the machine.
    regions : Regions
        The players, a partition.
    """

    def __init__(self, machine: Structure, background: MixtureBackground, regions: Regions) -> None:
        self._machine, self._background = machine, background
        kernel, S = machine.expansion.kernel, machine.expansion.support_vectors
        gamma = 0.0 if kernel.name == "linear" else kernel.gamma
        self._parts = [_Parts(part, S, regions, gamma) for part in background.parts]

    def of(self, x: NDArray[np.float64]) -> Callable[[NDArray[np.bool_]], NDArray[np.float64]]:
        """The values of the machine given a coalition of the regions of a spectrum.

        Parameters
        ----------
        x : ndarray, shape (n_features,)
            In the features of the machine.

        Returns
        -------
        callable
            From a coalition, shape (n_regions,), to ndarray, shape (n_values,).
        """
        expansion = self._machine.expansion
        linear = expansion.kernel.name == "linear"
        given = [part.given(x) for part in self._parts]

        def values(seen: NDArray[np.bool_]) -> NDArray[np.float64]:
            known = [each.factors(seen) for each in given]
            weights = self._background.weights(np.array([log_density for *_, log_density in known]))
            K = sum(
                weight * each.kernel(seen, mean, covariance, linear=linear)
                for weight, each, (mean, covariance, _) in zip(weights, given, known, strict=True)
                if weight > 0
            )
            return np.asarray(K @ expansion.coefficients + expansion.intercepts)

        return values


class _Parts:
    """Sums over each region, of which those over a coalition are made without a pass over the bins."""

    def __init__(self, background: GaussianBackground, S: NDArray[np.float64], regions: Regions, gamma: float) -> None:
        self.gamma, self.background, self.S = gamma, background, S
        self.masks = [regions.labels == k for k in range(len(regions))]
        W, D, m = background.factors, background.variance, background.mean
        E = 1.0 + 2.0 * gamma * D
        self.q = W.shape[1]
        self.precision = [W[g].T @ (W[g] / D[g, None]) for g in self.masks]
        self.log_variance = np.array([np.log(D[g]).sum() for g in self.masks])
        self.spread = [W[g].T @ (W[g] / E[g, None]) for g in self.masks]
        self.log_det = np.array([np.log(E[g]).sum() for g in self.masks])
        # of r = m - s + W mu, weighted by 1 / E: r'r, W'r at mu = 0
        self.square = [((m - S)[:, g] ** 2 / E[g]).sum(axis=1) for g in self.masks]
        self.pull = [((m - S)[:, g] / E[g]) @ W[g] for g in self.masks]
        self.inner = [S[:, g] @ m[g] for g in self.masks]
        self.slope = [S[:, g] @ W[g] for g in self.masks]

    def given(self, x: NDArray[np.float64]) -> _Given:
        W, D, m = self.background.factors, self.background.variance, self.background.mean
        told = [W[g].T @ ((x - m)[g] / D[g]) for g in self.masks]
        apart = np.array([((x - m)[g] ** 2 / D[g]).sum() for g in self.masks])
        distance = [((x - self.S)[:, g] ** 2).sum(axis=1) for g in self.masks]
        product = [self.S[:, g] @ x[g] for g in self.masks]
        return _Given(self, told, apart, distance, product)


@dataclass(frozen=True)
class _Given:
    """A spectrum, of which coalitions of regions are seen."""

    parts: _Parts
    told: list[NDArray[np.float64]]
    apart: NDArray[np.float64]
    distance: list[NDArray[np.float64]]
    product: list[NDArray[np.float64]]

    def factors(self, seen: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Mean and covariance of the factors, and the log-density of what is seen."""
        parts, yes = self.parts, np.flatnonzero(seen)
        precision = np.eye(parts.q) + sum((parts.precision[k] for k in yes), np.zeros((parts.q, parts.q)))
        told = sum((self.told[k] for k in yes), np.zeros(parts.q))
        return conditional(precision, told, float(self.apart[yes].sum()), float(parts.log_variance[yes].sum()))

    def kernel(
        self, seen: NDArray[np.bool_], mu: NDArray[np.float64], covariance: NDArray[np.float64], *, linear: bool
    ) -> NDArray[np.float64]:
        """The mean kernel value with every support vector."""
        parts, n = self.parts, len(self.parts.S)
        yes, no = np.flatnonzero(seen), np.flatnonzero(~seen)
        if linear:
            shown = sum((self.product[k] for k in yes), np.zeros(n))
            return shown + sum((parts.inner[k] + parts.slope[k] @ mu for k in no), np.zeros(n))
        gamma = parts.gamma
        exponent = -gamma * sum((self.distance[k] for k in yes), np.zeros(n))
        if not no.size:
            return np.exp(exponent)
        spread = sum((parts.spread[k] for k in no), np.zeros((parts.q, parts.q)))
        square = sum((parts.square[k] for k in no), np.zeros(n))
        pull = sum((parts.pull[k] for k in no), np.zeros((n, parts.q)))
        square = square + 2.0 * pull @ mu + mu @ spread @ mu
        pull = pull + spread @ mu
        root = np.linalg.cholesky(covariance)
        middle = np.eye(parts.q) + 2.0 * gamma * root.T @ spread @ root
        projected = pull @ root
        square = square - 2.0 * gamma * np.einsum("sq,qs->s", projected, np.linalg.solve(middle, projected.T))
        log_det = parts.log_det[no].sum() + np.linalg.slogdet(middle)[1]
        return np.exp(exponent - gamma * square - 0.5 * log_det)


def sampled_worth(
    question: Question,
    i: int,
    background: MixtureBackground,
    regions: Regions,
    noise: NDArray[np.float64],
) -> Worth:
    """The output of any model at spectra that agree with one where it is seen, drawn alike for every coalition.

    Parameters
    ----------
    question : Question
        What is asked.
    i : int
        Number of the spectrum.
    background : MixtureBackground
        Of the spectra.
    regions : Regions
        The players.
    noise : ndarray
        As `MixtureBackground.noise` gives it.

    Returns
    -------
    callable
        From a coalition to ndarray, shape (n_draws,).
    """
    x, numbers = question.X[i], np.full(len(noise), i)

    def worth(seen: NDArray[np.bool_]) -> NDArray[np.float64]:
        if seen.all():
            return np.full(len(noise), question.explained(x[None], np.array([i]))[0])
        return question.explained(background.draw(x, seen[regions.labels], noise), numbers)

    return worth
