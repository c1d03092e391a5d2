"""What every basis offers: coordinates of a spectrum, their names and groups, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from autograd import make_vjp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from agnsal.errors import AgnsalError
from agnsal.models.validation import flux_of, matrix_of, require_fitted
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample


class Basis(BaseEstimator, ABC):
    """A transform with coordinates ``S = forward(X)`` and a way back ``inverse(S)``.

    What the way back misses, ``X - inverse(forward(X))``, is the residual: `transformed` computes it once, keeps it
    fixed, and reports what it does to the output.

    Attributes
    ----------
    n_features : int
        Number of bins of a spectrum, known once fitted.
    names : ndarray of str, shape (m,)
        Names of the coordinates.
    groups : ndarray of str, shape (m,)
        Which group each coordinate belongs to: a band, a scale, a line; its own name where there are no groups.
    by : {"coordinate", "group"}
        Whether `transformed` answers for coordinates or for groups unless told otherwise.
    linear : bool
        Whether `inverse` is linear, up to a constant.
    learns : bool
        Whether `fit` learns from the spectra and not only their grid; such a basis is fitted to the training sample.
    keeps_unit : bool
        Whether the coordinates have the unit of the flux.
    axis : str
        What the names count or name, for the axis of a figure.
    """

    n_features: int
    names: NDArray[Any]
    groups: NDArray[Any]
    by: Literal["coordinate", "group"] = "coordinate"
    linear = True
    keeps_unit = False
    axis = "Coordinate"

    def __repr__(self) -> str:
        what = f"{self.n_features} bins, {len(self.names)} coordinates" if self.fitted else "not fitted"
        return f"<{type(self).__name__}: {what}>"

    @property
    def learns(self) -> bool:
        """Whether `fit` learns from the spectra and not only their grid."""
        return False

    @property
    def fitted(self) -> bool:
        """Whether `fit` has been called."""
        return hasattr(self, "names")

    @property
    def regions(self) -> Regions:
        """The coordinates of each group."""
        return Regions.from_labels(self._known().groups)

    @property
    def group_names(self) -> NDArray[Any]:
        """Names of the groups in the order in which they appear, shape (n_groups,)."""
        return np.array(self.regions.names)

    @abstractmethod
    def fit(self, X: SpectralSample | ArrayLike, y: object = None) -> Basis:
        """Learn the grid, and whatever else the basis needs, from spectra.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.
        y : ignored
            For scikit-learn.

        Returns
        -------
        Basis
            Itself.
        """

    @abstractmethod
    def forward(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Coordinates of spectra.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.

        Returns
        -------
        ndarray, shape (n, m)
        """

    @abstractmethod
    def inverse(self, S: ArrayLike) -> NDArray[np.float64]:
        """Spectra with these coordinates.

        Parameters
        ----------
        S : array_like, shape (n, m)
            Coordinates.

        Returns
        -------
        ndarray, shape (n, n_features)
        """

    @abstractmethod
    def pullback(self, S: ArrayLike, G: ArrayLike) -> NDArray[np.float64]:
        """Gradients over the coordinates, from gradients over wavelength: the derivative of `inverse`, transposed.

        Parameters
        ----------
        S : array_like, shape (n, m)
            Coordinates at which the derivative is taken; a linear basis does not look at them.
        G : array_like, shape (n, n_features)
            Gradients over wavelength.

        Returns
        -------
        ndarray, shape (n, m)
        """

    def components(self, S: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """What each group adds to the spectrum.

        Parameters
        ----------
        S : array_like, shape (n, m)
            Coordinates.

        Returns
        -------
        dict of str to ndarray, shape (n, n_features)
            Their sum is ``inverse(S) - inverse(0)``.

        Raises
        ------
        AgnsalError
            If the basis is not linear.
        """
        if not self.linear:
            raise AgnsalError(f"{type(self).__name__} is not linear, so its groups do not add up to the spectrum.")
        S = self._coordinates(S)
        empty = self.inverse(np.zeros((1, S.shape[1])))
        return {name: self.inverse(S * members) - empty for name, members in self.regions.items()}

    def __sklearn_is_fitted__(self) -> bool:
        return self.fitted

    def _known(self) -> Basis:
        require_fitted(self)
        return self

    def _learnt(
        self, X: SpectralSample | ArrayLike, *, min_samples: int = 0, min_features: int = 1
    ) -> NDArray[np.float64]:
        """Flux that is fitted to; no spectrum at all will do where only the number of bins is learnt."""
        flux = matrix_of(self, X, fitting=True, min_samples=min_samples, min_features=min_features)
        self.n_features = flux.shape[1]
        return flux

    def _coordinates(self, S: ArrayLike) -> NDArray[np.float64]:
        S = np.asarray(S, dtype=np.float64)
        if S.ndim != 2 or S.shape[1] != len(self._known().names):
            raise AgnsalError(f"coordinates are expected as (n, {len(self.names)}), got shape {S.shape}.")
        return S

    def _flux(self, X: Any) -> NDArray[np.float64]:
        flux, n_features = flux_of(X), self._known().n_features
        if flux.shape[1] != n_features:
            raise AgnsalError(
                f"the spectra have {flux.shape[1]} bins, the basis was fitted to {n_features}; fit it on the same grid."
            )
        return flux

    def _name(self, names: Sequence[str], groups: Sequence[str] | None = None) -> None:
        self.names = np.asarray(names, dtype=str)
        self.groups = self.names if groups is None else np.asarray(groups, dtype=str)


class MatrixBasis(Basis):
    """Any linear synthesis ``x = D s``: the columns of a matrix, with coordinates by least squares.

    Parameters
    ----------
    synthesis : array_like, shape (n_features, m)
        One spectrum in each column.
    names : sequence of str, shape (m,), optional
        Names of the columns.
    groups : sequence of str, shape (m,), optional
        Groups of columns.

    Raises
    ------
    AgnsalError
        If the matrix is not one of finite numbers, or the names do not fit it.

    Notes
    -----
    A sample is fitted with its inverse variances, so that bad bins do not count; an array with equal weights. Where
    columns are linearly dependent the smallest coordinates are taken.

    Examples
    --------
    >>> ramp = MatrixBasis(np.stack([np.ones(5), np.arange(5.0)], axis=1), names=["level", "slope"])
    >>> ramp.forward(2 + 3 * np.arange(5.0)[None]).round(12)
    array([[2., 3.]])
    """

    def __init__(
        self, synthesis: ArrayLike, *, names: Sequence[str] | None = None, groups: Sequence[str] | None = None
    ) -> None:
        self._set(synthesis, names, groups)

    def _set(self, synthesis: ArrayLike, names: Sequence[str] | None, groups: Sequence[str] | None) -> None:
        matrix = np.asarray(synthesis, dtype=np.float64)
        if matrix.ndim != 2 or not np.isfinite(matrix).all():
            raise AgnsalError(f"a synthesis matrix is (n_features, m) and finite, got shape {matrix.shape}.")
        names = [f"column {k}" for k in range(matrix.shape[1])] if names is None else names
        for what, given in (("names", names), ("groups", groups)):
            if given is not None and len(given) != matrix.shape[1]:
                raise AgnsalError(f"{len(given)} {what} were given for {matrix.shape[1]} columns.")
        self.synthesis = matrix
        self.n_features = len(matrix)
        self._name(names, groups)
        self.by = "coordinate" if np.array_equal(self.groups, self.names) else "group"

    def fit(self, X: SpectralSample | ArrayLike, y: object = None) -> MatrixBasis:  # noqa: ARG002
        """Check that the spectra have as many bins as the matrix; there is nothing to learn."""
        self._flux(X)
        matrix_of(self, X, fitting=True, min_samples=0)
        return self

    def forward(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Coordinates by least squares, weighted by the inverse variances of a sample; see `Basis.forward`."""
        flux = self._flux(X)
        # columns of one size, so that what counts as dependent does not hang on their units
        size = np.linalg.norm(self.synthesis, axis=0)
        columns = self.synthesis / np.where(size > 0, size, 1.0)
        ivar = X.ivar if isinstance(X, SpectralSample) else None
        if ivar is None:
            found = self._solve(columns, flux.T).T
        else:
            ivar = np.where(np.isnan(ivar), 1.0, ivar)  # unknown errors weigh all bins alike
            root = np.sqrt(ivar / ivar.max(axis=1, keepdims=True))
            found = np.array([self._solve(columns * w[:, None], x * w) for w, x in zip(root, flux, strict=True)])
        return found / np.where(size > 0, size, 1.0)

    def _solve(self, columns: NDArray[np.float64], flux: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates of one spectrum (n_features,), or of several in columns (n_features, n)."""
        return np.asarray(np.linalg.lstsq(columns, flux, rcond=None)[0], dtype=np.float64)

    def inverse(self, S: ArrayLike) -> NDArray[np.float64]:
        """The columns, added up; see `Basis.inverse`."""
        return self._coordinates(S) @ self.synthesis.T

    def pullback(self, S: ArrayLike, G: ArrayLike) -> NDArray[np.float64]:  # noqa: ARG002
        """Scalar products with the columns; see `Basis.pullback`."""
        return self._flux(G) @ self.synthesis


class FunctionBasis(Basis):
    """Any smooth synthesis: a function from coordinates to spectra, such as the decoder of an autoencoder.

    Parameters
    ----------
    forward : callable
        From (n, n_features) to (n, m), row by row.
    inverse : callable
        From (n, m) to (n, n_features), row by row, written with ``autograd.numpy``.
    names, groups : sequence of str, shape (m,), optional
        Names of the coordinates and of their groups.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> magnitudes = FunctionBasis(lambda X: -2.5 * np.log10(X), lambda S: 10 ** (-0.4 * S))
    >>> x = np.array([[1.0, 10.0]])
    >>> magnitudes.fit(x).pullback(magnitudes.forward(x), np.ones((1, 2))).round(3)
    array([[-0.921, -9.21 ]])
    """

    linear = False

    def __init__(
        self,
        forward: Callable[[NDArray[Any]], NDArray[Any]],
        inverse: Callable[[Any], Any],
        *,
        names: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
    ) -> None:
        self._forward, self._inverse = forward, inverse
        self._given = names, groups
        self.by = "coordinate" if groups is None else "group"

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """What the basis was made of, for scikit-learn; the attributes of these names are its own methods."""
        names, groups = self._given
        return {"forward": self._forward, "inverse": self._inverse, "names": names, "groups": groups}

    def set_params(self, **params: Any) -> FunctionBasis:
        """Change what the basis is made of, for scikit-learn."""
        FunctionBasis.__init__(self, **{**self.get_params(), **params})
        return self

    def fit(self, X: SpectralSample | ArrayLike, y: object = None) -> FunctionBasis:  # noqa: ARG002
        """Find out how many coordinates there are, and check that the functions agree on the shapes."""
        flux = self._learnt(X)
        S = np.asarray(self._forward(flux))
        back = np.asarray(self._inverse(S))
        if S.ndim != 2 or len(S) != len(flux) or back.shape != flux.shape:
            raise AgnsalError(
                f"forward must give (n, m) and inverse (n, n_features) again; from {flux.shape} came {S.shape}, "
                f"and from that {back.shape}."
            )
        names, groups = self._given
        for what, given in (("names", names), ("groups", groups)):
            if given is not None and len(given) != S.shape[1]:
                raise AgnsalError(f"{len(given)} {what} were given for {S.shape[1]} coordinates.")
        self._name([f"coordinate {k}" for k in range(S.shape[1])] if names is None else names, groups)
        return self

    def forward(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Coordinates by the function given; see `Basis.forward`."""
        return np.asarray(self._forward(self._flux(X)), dtype=np.float64)

    def inverse(self, S: ArrayLike) -> NDArray[np.float64]:
        """Spectra by the function given; see `Basis.inverse`."""
        return np.asarray(self._inverse(self._coordinates(S)), dtype=np.float64)

    def pullback(self, S: ArrayLike, G: ArrayLike) -> NDArray[np.float64]:
        """Gradients traced through the function by autograd; see `Basis.pullback`."""
        pull_back, _ = make_vjp(self._inverse)(self._coordinates(S))
        return pull_back(self._flux(G))
