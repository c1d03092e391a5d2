"""Has the model seen anything like this spectrum? An explanation of a stranger is worth little."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.lines import LINES, line_masks
from agnsal.spectra.sample import SpectralSample

#: Line strengths well below this (relative flux) count as none, well above it by their logarithm.
_FAINT = 0.02


class Familiarity:
    """Distance of a spectrum from the training set, calibrated by the training set itself.

    The distance is the mean over the nearest training spectra. With ``features="lines"`` it is taken in a whitened
    space of the strengths of core above wings, and of wings above continuum, of every common line, nearly logarithmic:
    what tells kinds of galaxies apart. With ``features="flux"`` it is that of the spectra themselves, in principal
    components and what these leave, which sees shapes of continua first and works without wavelengths. A spectrum further from the training set than all but a hundredth of the training spectra are
    from each other is flagged.

    Parameters
    ----------
    features : {"lines", "flux"}
        "lines" needs samples in vacuum and rest frame, normalised.
    n_neighbors : int
        Nearest training spectra to average over.
    n_components : int
        Principal components of ``features="flux"``.

    Examples
    --------
    >>> from agnsal import simulate_agn
    >>> sample = simulate_agn(0, 120, 0, seed=0).normalize()
    >>> familiarity = Familiarity().fit(sample)
    >>> strangers = simulate_agn(20, 0, 0, seed=1).normalize()
    >>> bool(familiarity.flag(strangers).mean() > 0.8)
    True
    """

    def __init__(
        self, features: Literal["lines", "flux"] = "lines", *, n_neighbors: int = 10, n_components: int = 20
    ) -> None:
        self.features, self.n_neighbors, self.n_components = features, n_neighbors, n_components

    def fit(self, sample: Any) -> Familiarity:
        """Learn what is usual.

        Parameters
        ----------
        sample : SpectralSample or array_like, shape (n, n_features)
            The training set of the classifier.

        Returns
        -------
        Familiarity
            Itself.

        Raises
        ------
        AgnsalError
            If the kind of features is unknown, or there are fewer spectra than neighbours.
        """
        from sklearn.neighbors import NearestNeighbors

        if self.features not in ("lines", "flux"):
            raise AgnsalError(f"features must be 'lines' or 'flux', got {self.features!r}.")
        flux = _flux(sample)
        if len(flux) <= self.n_neighbors + 1:
            raise AgnsalError(f"{len(flux)} training spectra are too few for {self.n_neighbors} neighbours.")
        self.mean_: NDArray[np.float64] = flux.mean(axis=0)
        if self.features == "flux":
            rows = np.linalg.svd(flux - self.mean_, full_matrices=False)[2]
            self.components_: NDArray[np.float64] = rows[: min(self.n_components, len(flux) - 1)]
        raw = self._raw(sample)
        self.center_ = raw.mean(axis=0)
        scale = raw.std(axis=0)
        self.scale_ = np.where(scale > 0, scale, 1.0) if self.features == "lines" else np.ones(raw.shape[1])
        Z = (raw - self.center_) / self.scale_
        self.whitening_: NDArray[np.float64] = np.eye(Z.shape[1])
        if self.features == "lines":
            values, vectors = np.linalg.eigh(np.cov(Z.T) + 1e-3 * np.eye(Z.shape[1]))
            self.whitening_ = vectors / np.sqrt(values)
        white = Z @ self.whitening_
        self.neighbors_ = NearestNeighbors(n_neighbors=self.n_neighbors + 1).fit(white)
        # of its own neighbours every training spectrum is the first
        self.training_distance_: NDArray[np.float64] = np.sort(self.neighbors_.kneighbors(white)[0][:, 1:].mean(axis=1))
        return self

    def distance(self, sample: Any) -> NDArray[np.float64]:
        """Mean distance to the nearest training spectra.

        Parameters
        ----------
        sample : SpectralSample or array_like, shape (n, n_features)
            On the grid of the training set, normalised in the same way.

        Returns
        -------
        ndarray, shape (n,)

        Raises
        ------
        AgnsalError
            If it is not fitted, or the spectra have other bins than the training set.
        """
        if not hasattr(self, "neighbors_"):
            raise AgnsalError("this Familiarity has seen no training set; call fit first.")
        if _flux(sample).shape[1] != self.mean_.size:
            raise AgnsalError(f"the spectra have {_flux(sample).shape[1]} bins, the training set {self.mean_.size}.")
        white = (self._raw(sample) - self.center_) / self.scale_ @ self.whitening_
        return self.neighbors_.kneighbors(white, n_neighbors=self.n_neighbors)[0].mean(axis=1)

    def p_value(self, sample: Any) -> NDArray[np.float64]:
        """Share of training spectra that are at least as far from the others as each spectrum.

        Parameters
        ----------
        sample : SpectralSample or array_like, shape (n, n_features)
            See `distance`.

        Returns
        -------
        ndarray, shape (n,)
            Never below one over the number of training spectra plus one.
        """
        further = len(self.training_distance_) - np.searchsorted(self.training_distance_, self.distance(sample))
        return (further + 1) / (len(self.training_distance_) + 1)

    def flag(self, sample: Any, level: float = 0.01) -> NDArray[np.bool_]:
        """Whether each spectrum is unlike the training set.

        Parameters
        ----------
        sample : SpectralSample or array_like, shape (n, n_features)
            See `distance`.
        level : float
            Share of the training set that would be flagged.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        return self.p_value(sample) <= level

    def _raw(self, sample: Any) -> NDArray[np.float64]:
        if self.features == "lines":
            if not isinstance(sample, SpectralSample):
                raise AgnsalError('features="lines" needs a SpectralSample, which knows wavelengths; or use "flux".')
            return _line_features(sample.flux, sample.grid)
        centered = _flux(sample) - self.mean_
        scores = centered @ self.components_.T
        rest = np.linalg.norm(centered - scores @ self.components_, axis=1, keepdims=True)
        return np.hstack([scores, rest])


def _line_features(flux: NDArray[np.float64], grid: WavelengthGrid) -> NDArray[np.float64]:
    """Core above wings and wings above continuum of each line, nearly logarithmic."""
    columns = []
    for name, masks in line_masks(grid).items():
        if LINES[name].kind == "window":
            continue
        level = flux[:, masks["core"]].mean(axis=1)
        if masks["wings"].any():
            wings = flux[:, masks["wings"]].mean(axis=1)
            columns.append(level - wings)
            level = wings
        if masks["continuum"].any():
            columns.append(level - flux[:, masks["continuum"]].mean(axis=1))
    if not columns:
        raise AgnsalError(f'no named line lies on {grid!r}; use features="flux".')
    return np.arcsinh(np.stack(columns, axis=1) / _FAINT)


def _flux(sample: Any) -> NDArray[np.float64]:
    return sample.flux if isinstance(sample, SpectralSample) else np.asarray(sample, dtype=np.float64)
