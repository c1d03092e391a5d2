"""What is likely of the rest of a spectrum, given some of it: Gaussians over spectra, one or one for each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from agnsal.errors import AgnsalError

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

    def given(
        self, x: NDArray[np.float64], seen: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """The factors, given some bins.

        Parameters
        ----------
        x : ndarray, shape (n_features,)
            A spectrum.
        seen : ndarray of bool, shape (n_features,)
            Which bins are given.

        Returns
        -------
        mean : ndarray, shape (n_factors,)
        covariance : ndarray, shape (n_factors, n_factors)
        log_density : float
            Of the bins that are given, but for the constant of their number.
        """
        D, apart = self.variance[seen], (x - self.mean)[seen]
        scaled = self.factors[seen] / D[:, None]
        precision = np.eye(self.factors.shape[1]) + self.factors[seen].T @ scaled
        return conditional(precision, scaled.T @ apart, float((apart**2 / D).sum()), float(np.log(D).sum()))

    def draw(self, x: NDArray[np.float64], seen: NDArray[np.bool_], noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spectra that agree with `x` where it is seen, shape (n_draws, n_features).

        Parameters
        ----------
        x, seen
            See `given`.
        noise : ndarray, shape (n_draws, n_factors + n_features)
            Standard normal numbers.

        Returns
        -------
        ndarray
        """
        q = self.factors.shape[1]
        mu, covariance, _ = self.given(x, seen)
        of_factors = mu + noise[:, :q] @ np.linalg.cholesky(covariance).T
        hidden = self.mean + of_factors @ self.factors.T + noise[:, q:] * np.sqrt(self.variance)
        return np.where(seen, x, hidden)


def conditional(
    precision: NDArray[np.float64], told: NDArray[np.float64], square: float, log_variance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Mean and covariance of factors, and the log-density of what is given, from sums over the bins given.

    Parameters
    ----------
    precision : ndarray, shape (n_factors, n_factors)
        ``I + W' D^-1 W``.
    told : ndarray, shape (n_factors,)
        ``W' D^-1 (x - m)``.
    square, log_variance : float
        ``(x - m)' D^-1 (x - m)`` and the sum of ``log D``.

    Returns
    -------
    mean, covariance, log_density
        As `GaussianBackground.given` does.
    """
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    mean = covariance @ told
    log_density = -0.5 * (square - told @ mean + log_variance + np.linalg.slogdet(precision)[1])
    return mean, covariance, float(log_density)


@dataclass(frozen=True)
class MixtureBackground:
    """Gaussians, of which each spectrum is from one.

    Attributes
    ----------
    parts : tuple of GaussianBackground
    shares : ndarray, shape (n_parts,)
        How often a spectrum is from each.
    """

    parts: tuple[GaussianBackground, ...]
    shares: NDArray[np.float64]

    @classmethod
    def of(cls, X: NDArray[np.float64], n_factors: int, labels: NDArray[np.generic] | None = None) -> MixtureBackground:
        """One Gaussian, or one for each class.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
            The background.
        n_factors : int
            Of each, see `GaussianBackground.of`.
        labels : ndarray, shape (n,), optional
            Classes.

        Returns
        -------
        MixtureBackground

        Raises
        ------
        AgnsalError
            If there are fewer than two spectra, of a class or of all.
        """
        if labels is None:
            return cls((GaussianBackground.of(X, n_factors),), np.ones(1))
        names, counts = np.unique(labels, return_counts=True)
        if counts.min() < 2:
            raise AgnsalError(
                f"the background has one spectrum of class {str(names[counts.argmin()])!r}, which has no covariance; "
                "give some hundred of each class, or leave the class out."
            )
        parts = tuple(GaussianBackground.of(X[labels == name], n_factors) for name in names)
        return cls(parts, counts / counts.sum())

    def weights(self, log_densities: NDArray[np.float64]) -> NDArray[np.float64]:
        """How likely each Gaussian is that of a spectrum, given the density of what is seen in each."""
        return np.asarray(softmax(np.log(self.shares) + log_densities))

    def noise(self, n_draws: int, random: np.random.RandomState) -> NDArray[np.float64]:
        """Random numbers for `draw`: the first says which Gaussian, the others are normal."""
        width = max(part.factors.shape[1] for part in self.parts) + len(self.parts[0].mean)
        return np.column_stack([random.random_sample(n_draws), random.standard_normal((n_draws, width))])

    def draw(self, x: NDArray[np.float64], seen: NDArray[np.bool_], noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spectra that agree with `x` where it is seen, shape (n_draws, n_features).

        Parameters
        ----------
        x, seen
            See `GaussianBackground.given`.
        noise : ndarray
            As `noise` gives it.

        Returns
        -------
        ndarray
        """
        weights = self.weights(np.array([part.given(x, seen)[2] for part in self.parts]))
        which = np.minimum(np.searchsorted(np.cumsum(weights), noise[:, 0]), len(weights) - 1)
        drawn = np.empty((len(noise), x.size))
        for number in np.unique(which):
            part, rows = self.parts[number], which == number
            drawn[rows] = part.draw(x, seen, noise[rows, 1 : 1 + part.factors.shape[1] + x.size])
        return drawn
