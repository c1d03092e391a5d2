"""Bases learned from a sample: principal components, and parts that only add."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from agnsal.attribution.transforms.basis import Basis, MatrixBasis
from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.sample import SpectralSample

#: Scalar products of given components may miss 0 and 1 by this: published ones have few digits.
_ORTHONORMAL = 1e-3


class PCABasis(Basis):
    """Principal components of a sample. The mean belongs to no component: it is kept fixed, as the residual is.

    Parameters
    ----------
    n_components : int
        How many components to keep.
    eigenspectra : array_like, shape (m, n_features), optional
        Orthonormal components that are known already, in place of learning any: published ones, or `components_` of
        scikit-learn's `PCA`.
    origin : array_like, shape (n_features,), optional
        The mean spectrum that goes with them; by default zero.

    Attributes
    ----------
    mean : ndarray, shape (n_features,)
        Mean spectrum; coordinates of zero stand for it.
    directions : ndarray, shape (n_components, n_features)
        Orthonormal components, the one of largest variance first; the sign makes the largest bin positive.
    variance_share : ndarray, shape (n_components,)
        Share of the variance of the sample in each; NaN of given ones.

    Raises
    ------
    AgnsalError
        If the sample has no such number of components, or given ones are not orthonormal.

    Examples
    --------
    >>> X = np.outer(np.linspace(-1, 1, 5), [3.0, 4.0]) + 10
    >>> basis = PCABasis(n_components=1).fit(X)
    >>> basis.directions.round(6), basis.forward(X).round(6)[-1]
    (array([[0.6, 0.8]]), array([5.]))
    >>> PCABasis(eigenspectra=basis.directions, origin=basis.mean).fit(X).forward(X).round(6)[-1]
    array([5.])
    """

    keeps_unit = True
    axis = "Principal component"

    def __init__(
        self, n_components: int = 10, *, eigenspectra: ArrayLike | None = None, origin: ArrayLike | None = None
    ) -> None:
        self.n_components = n_components
        self.eigenspectra = eigenspectra
        self.origin = origin

    @property
    def learns(self) -> bool:
        """Whether `fit` learns components; of given ones it looks at the grid of the spectra only."""
        return self.eigenspectra is None

    def _take(self, eigenspectra: ArrayLike, origin: ArrayLike | None) -> None:
        """Components that are known already."""
        directions = np.asarray(eigenspectra, dtype=np.float64)
        if directions.ndim != 2 or not np.isfinite(directions).all():
            raise AgnsalError(f"eigenspectra are (m, n_features) and finite, got shape {directions.shape}.")
        if np.abs(directions @ directions.T - np.eye(len(directions))).max(initial=0.0) > _ORTHONORMAL:
            raise AgnsalError(
                "the eigenspectra are not orthonormal; MatrixBasis(eigenspectra.T) takes any, by least squares."
            )
        mean = np.zeros(directions.shape[1]) if origin is None else np.asarray(origin, dtype=np.float64)
        if mean.shape != directions.shape[1:] or not np.isfinite(mean).all():
            raise AgnsalError(f"the origin is one finite spectrum of {directions.shape[1]} bins, got {mean.shape}.")
        self.mean, self.directions, self.n_features = mean, directions, directions.shape[1]
        self.variance_share = np.full(len(directions), np.nan)
        self._name([f"component {k + 1}" for k in range(len(directions))])

    def fit(self, X: SpectralSample | ArrayLike, y: object = None) -> PCABasis:  # noqa: ARG002
        """Learn mean and components from a sample, usually the training one, unless given; see `Basis.fit`."""
        from sklearn.decomposition import PCA

        if self.eigenspectra is not None:
            self._take(self.eigenspectra, self.origin)
            self._flux(X)
            self._learnt(X)
            return self
        flux = self._learnt(X, min_samples=2)
        most = min(len(flux) - 1, flux.shape[1])
        if int(self.n_components) != self.n_components or not 1 <= self.n_components <= most:
            raise AgnsalError(
                f"{len(flux)} spectra of {flux.shape[1]} bins have at most {most} components, "
                f"got n_components={self.n_components!r}."
            )
        with np.errstate(invalid="ignore"):  # spectra that are all the same have no variance to share out
            pca = PCA(int(self.n_components), svd_solver="full").fit(flux)
        self.mean, self.directions = pca.mean_, pca.components_
        self.variance_share = np.nan_to_num(pca.explained_variance_ratio_)
        self._name([f"component {k + 1}" for k in range(self.n_components)])
        return self

    def forward(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Scalar products of the components with what differs from the mean; see `Basis.forward`."""
        flux = self._flux(X)
        return (flux - self.mean) @ self.directions.T

    def inverse(self, S: ArrayLike) -> NDArray[np.float64]:
        """The mean and the components; see `Basis.inverse`."""
        return self.mean + self._coordinates(S) @ self.directions

    def pullback(self, S: ArrayLike, G: ArrayLike) -> NDArray[np.float64]:  # noqa: ARG002
        """Scalar products with the components; see `Basis.pullback`."""
        return self._flux(G) @ self.directions.T


class NMFBasis(MatrixBasis):
    """Parts that only add, learned by non-negative matrix factorisation; coordinates by non-negative least squares.

    Parameters
    ----------
    n_components : int
        Number of parts.
    max_iter : int
        Largest number of iterations of scikit-learn's `NMF`.
    random_state : int, RandomState, Generator or None
        Passed to it.

    Raises
    ------
    AgnsalError
        If the number of components is impossible.

    Notes
    -----
    Negative flux, which noise makes, counts as zero in `fit` and as it is in `forward`. A sample is fitted in
    `forward` with its inverse variances, an array with equal weights.

    Examples
    --------
    >>> parts = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0]])
    >>> X = np.random.default_rng(0).uniform(0.1, 1, size=(20, 2)) @ parts
    >>> basis = NMFBasis(n_components=2, random_state=0).fit(X)
    >>> bool(np.abs(basis.inverse(basis.forward(X)) - X).max() < 1e-3)
    True
    """

    learns = True
    axis = "Part of the factorisation"

    def __init__(self, n_components: int = 10, *, max_iter: int = 2000, random_state: Seed = None) -> None:
        self.n_components = n_components
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: SpectralSample | ArrayLike, y: object = None) -> NMFBasis:  # noqa: ARG002
        """Learn the parts from a sample, usually the training one; see `Basis.fit`."""
        from sklearn.decomposition import NMF
        from sklearn.exceptions import ConvergenceWarning

        flux = self._learnt(X, min_samples=1)
        if int(self.n_components) != self.n_components or not 1 <= self.n_components <= min(flux.shape):
            raise AgnsalError(
                f"{len(flux)} spectra of {flux.shape[1]} bins allow 1 to {min(flux.shape)} parts, "
                f"got n_components={self.n_components!r}."
            )
        learner = NMF(
            self.n_components, init="nndsvda", max_iter=self.max_iter, random_state=seed_of(self.random_state), tol=1e-5
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            learner.fit(np.maximum(flux, 0.0))
        if learner.n_iter_ >= self.max_iter:
            warnings.warn(
                f"the factorisation stopped after {self.max_iter} iterations; the parts may still change. "
                "Raise max_iter.",
                AgnsalWarning,
                stacklevel=2,
            )
        self._set(learner.components_.T, [f"part {k + 1}" for k in range(self.n_components)], None)
        return self

    def _solve(self, columns: NDArray[np.float64], flux: NDArray[np.float64]) -> NDArray[np.float64]:
        if flux.ndim > 1:
            return np.reshape([self._solve(columns, x) for x in flux.T], (flux.shape[1], columns.shape[1])).T
        return nnls(columns, flux)[0]
