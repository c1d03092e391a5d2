"""Shapley values on the manifold: what is hidden is drawn from what a background says of it, given what is seen.

The background is a Gaussian with a covariance of a few factors and a variance for each bin. Given some bins the rest is
Gaussian too, and the mean of a product kernel over a Gaussian is known in closed form, so that values of coalitions of
machines with a linear or a Gaussian kernel need no sampling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agnsal.attribution.question.question import Question
from agnsal.attribution.shapley.coalitions import coalition_shares
from agnsal.errors import AgnsalError
from agnsal.models.structure import Structure
from agnsal.spectra.regions import Regions

#: More regions than this have too many coalitions.
MOST_REGIONS = 12
#: Variance of a bin that the factors leave, at least, as a share of its variance.
_LEAST = 1e-6


@dataclass(frozen=True)
class GaussianBackground:
    """A Gaussian over spectra, ``N(mean, W W' + diag(D))``.

    Attributes
    ----------
    mean : ndarray, shape (n_features,)
    factors : ndarray, shape (n_features, n_factors)
        W.
    variance : ndarray, shape (n_features,)
        D, what the factors leave of each bin.
    """

    mean: NDArray[np.float64]
    factors: NDArray[np.float64]
    variance: NDArray[np.float64]

    @classmethod
    def of(cls, X: NDArray[np.float64], n_factors: int) -> GaussianBackground:
        """Principal components of a sample, and the variance they leave in each bin.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
            The background.
        n_factors : int
            At most n - 1 and n_features; 0 for bins that know nothing of each other.

        Returns
        -------
        GaussianBackground

        Raises
        ------
        AgnsalError
            If there are fewer than two spectra.

        Examples
        --------
        >>> X = np.random.default_rng(0).normal(size=(500, 3)) @ np.array([[1.0, 1, 0], [0, 1, 0], [0, 0, 2]])
        >>> bool(np.abs(GaussianBackground.of(X, 3).covariance - np.cov(X.T)).max() < 1e-4)
        True
        """
        n, d = X.shape
        if n < 2:
            raise AgnsalError(f"a background of {n} spectra has no covariance; give at least 2, better some hundred.")
        centred = X - X.mean(axis=0)
        kept = max(0, min(int(n_factors), n - 1, d))
        _, values, vectors = np.linalg.svd(centred, full_matrices=False)
        factors = (vectors[:kept] * (values[:kept, None] / np.sqrt(n - 1))).T
        total = (centred**2).sum(axis=0) / (n - 1)
        left = total - (factors**2).sum(axis=1)
        floor = np.maximum(_LEAST * total, np.finfo(float).tiny + _LEAST * total.mean())
        return cls(X.mean(axis=0), factors, np.maximum(left, floor))

    @property
    def covariance(self) -> NDArray[np.float64]:
        """The whole matrix, shape (n_features, n_features)."""
        return self.factors @ self.factors.T + np.diag(self.variance)

    def draw(self, x: NDArray[np.float64], seen: NDArray[np.bool_], noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spectra that agree with `x` where it is seen, shape (n_draws, n_features).

        Parameters
        ----------
        x : ndarray, shape (n_features,)
            A spectrum.
        seen : ndarray of bool, shape (n_features,)
            Which bins are given.
        noise : ndarray, shape (n_draws, n_factors + n_features)
            Standard normal numbers.

        Returns
        -------
        ndarray
        """
        q = self.factors.shape[1]
        mu, root = self._given(x, seen)
        hidden = self.mean + (mu + noise[:, :q] @ root.T) @ self.factors.T + noise[:, q:] * np.sqrt(self.variance)
        return np.where(seen, x, hidden)

    def _given(
        self, x: NDArray[np.float64], seen: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean of the factors given some bins, and a root of their covariance."""
        scaled = self.factors[seen] / self.variance[seen, None]
        precision = np.eye(self.factors.shape[1]) + self.factors[seen].T @ scaled
        covariance = np.linalg.inv(precision)
        return covariance @ scaled.T @ (x - self.mean)[seen], np.linalg.cholesky(covariance)


def exact_values(
    machine: Structure, background: GaussianBackground, X: NDArray[np.float64], regions: Regions
) -> Iterator[NDArray[np.float64]]:
    """Yield for each spectrum the mean of the machine's values given every coalition, shape (2^n_regions, n_values).

    Parameters
    ----------
    machine : Structure
        With a linear or a Gaussian kernel.
    background : GaussianBackground
        In the features of the machine.
    X : ndarray, shape (n, n_features)
        Spectra, in the features of the machine.
    regions : Regions
        The players, a partition.

    Yields
    ------
    ndarray
    """
    inside, _ = coalition_shares(len(regions))
    kernel, S = machine.expansion.kernel, machine.expansion.support_vectors
    parts = _Parts(background, S, regions, 0.0 if kernel.name == "linear" else kernel.gamma)
    for x in X:
        given = parts.given(x)
        K = np.array([given.kernel(seen, linear=kernel.name == "linear") for seen in inside])
        yield K @ machine.expansion.coefficients + machine.expansion.intercepts


class _Parts:
    """Sums over each region, of which those over a coalition are made without a pass over the bins."""

    def __init__(self, background: GaussianBackground, S: NDArray[np.float64], regions: Regions, gamma: float) -> None:
        self.gamma, self.background, self.S = gamma, background, S
        self.masks = [regions.labels == k for k in range(len(regions))]
        W, D, m = background.factors, background.variance, background.mean
        E = 1.0 + 2.0 * gamma * D
        self.q = W.shape[1]
        self.precision = [W[g].T @ (W[g] / D[g, None]) for g in self.masks]
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
        distance = [((x - self.S)[:, g] ** 2).sum(axis=1) for g in self.masks]
        product = [self.S[:, g] @ x[g] for g in self.masks]
        return _Given(self, told, distance, product)


@dataclass(frozen=True)
class _Given:
    """A spectrum, of which coalitions of regions are seen."""

    parts: _Parts
    told: list[NDArray[np.float64]]
    distance: list[NDArray[np.float64]]
    product: list[NDArray[np.float64]]

    def kernel(self, seen: NDArray[np.bool_], *, linear: bool) -> NDArray[np.float64]:
        """The mean kernel value with every support vector."""
        parts, n = self.parts, len(self.parts.S)
        yes, no = np.flatnonzero(seen), np.flatnonzero(~seen)
        precision = np.eye(parts.q) + sum((parts.precision[k] for k in yes), np.zeros((parts.q, parts.q)))
        covariance = np.linalg.inv(precision)
        mu = covariance @ sum((self.told[k] for k in yes), np.zeros(parts.q))
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


def sampled_values(
    question: Question,
    background: GaussianBackground,
    regions: Regions,
    n_samples: int,
    random: np.random.RandomState,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Shapley values of any output, the mean over draws of what is hidden; all coalitions see the same draws.

    Parameters
    ----------
    question : Question
        What is asked.
    background : GaussianBackground
        Of the spectra.
    regions : Regions
        The players.
    n_samples : int
        Draws.
    random : RandomState
        Draws them.

    Returns
    -------
    values, errors : ndarray, shape (n, n_regions)
    empty, error : ndarray, shape (n,)
        The value where nothing is seen, and its error.
    """
    if n_samples < 2:
        raise AgnsalError(f"n_samples must be at least 2, got {n_samples}.")
    inside, share = coalition_shares(len(regions))
    noise = random.standard_normal((n_samples, background.factors.shape[1] + len(background.mean)))
    n = len(question.X)
    values, errors = np.zeros((n, len(regions))), np.zeros((n, len(regions)))
    empty, empty_error = np.zeros(n), np.zeros(n)
    for i, x in enumerate(question.X):
        draws = np.zeros((n_samples, len(regions)))
        for seen, weight in zip(inside, share, strict=True):
            if seen.all():
                worth = np.full(n_samples, question.explained(x[None], np.array([i]))[0])
            else:
                drawn = background.draw(x, seen[regions.labels], noise)
                worth = question.explained(drawn, np.full(n_samples, i))
            draws += worth[:, None] * weight
            if not seen.any():
                empty[i], empty_error[i] = worth.mean(), worth.std(ddof=1) / np.sqrt(n_samples)
        values[i], errors[i] = draws.mean(axis=0), draws.std(axis=0, ddof=1) / np.sqrt(n_samples)
    return values, errors, empty, empty_error
