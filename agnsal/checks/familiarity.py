"""Has the model seen anything like this spectrum? An explanation of a stranger is worth little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags

from agnsal.attribution.answer.attribution import Attribution
from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError
from agnsal.models.validation import require_fitted
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.origin import Origin, check_alike
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample

#: Line strengths well below this (relative flux) count as none, well above it by their logarithm.
_FAINT = 0.02


class Familiarity(Displayed, BaseEstimator):
    """Distance of a spectrum from the training set, calibrated by the training set itself.

    The distance is the mean over the nearest training spectra in a whitened space, made of the strengths of core above
    wings, and of wings above continuum, of every common line, nearly logarithmic. That is what tells kinds of galaxies
    apart; principal components of the flux see the shapes of continua first, and a few spectra with very strong lines
    hide everything else. A spectrum further from the training set than all but a hundredth of the training spectra
    are from each other is flagged.

    Parameters
    ----------
    n_neighbors : int
        Nearest training spectra to average over.

    Examples
    --------
    >>> from agnsal import simulate_agn
    >>> sample = simulate_agn(0, 120, 0, seed=0).normalize()
    >>> familiarity = Familiarity().fit(sample)
    >>> strangers = simulate_agn(20, 0, 0, seed=1).normalize()
    >>> bool(familiarity.flag(strangers).mean() > 0.8)
    True
    """

    def __init__(self, *, n_neighbors: int = 10) -> None:
        self.n_neighbors = n_neighbors

    def _display(self) -> Table:
        facts: list[tuple[str, object]] = [("nearest training spectra", self.n_neighbors)]
        if not hasattr(self, "neighbors_"):
            return Table("Familiarity, not fitted", facts)
        usual, far = np.percentile(self.training_distance_, [50, 99])
        facts += [("training spectra", len(self.training_distance_)), ("grid", repr(self.grid_))]
        facts += [("usual distance", usual), ("a hundredth is further than", far)]
        return Table("Familiarity with the training set", facts)

    def __sklearn_tags__(self) -> Tags:
        """It takes samples, which know their wavelengths, and no matrix."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags

    def fit(self, sample: SpectralSample, y: object = None) -> Familiarity:  # noqa: ARG002
        """Learn what is usual.

        Parameters
        ----------
        sample : SpectralSample
            The training set of the classifier, in vacuum and rest frame, normalised.
        y : ignored
            For scikit-learn.

        Returns
        -------
        Familiarity
            Itself.

        Raises
        ------
        AgnsalError
            If it is not a sample, no common line is on its grid, or there are fewer spectra than neighbours.
        """
        from sklearn.neighbors import NearestNeighbors

        raw = _line_features(sample)
        if len(raw) <= self.n_neighbors + 1:
            raise AgnsalError(f"{len(raw)} training spectra are too few for {self.n_neighbors} neighbours.")
        self.grid_, self.n_features_in_ = sample.grid, len(sample.grid)
        self.learnt_from_ = Origin(sample.grid, sample.unit, sample.normalization)
        self.center_: NDArray[np.float64] = raw.mean(axis=0)
        scale = raw.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        values, vectors = np.linalg.eigh(np.cov((raw / scale).T) + 1e-3 * np.eye(raw.shape[1]))
        self.whitening_: NDArray[np.float64] = vectors / np.sqrt(values) / scale[:, None]
        white = (raw - self.center_) @ self.whitening_
        self.neighbors_ = NearestNeighbors(n_neighbors=self.n_neighbors + 1).fit(white)
        self.training_features_: NDArray[np.float64] = raw
        # of its own neighbours every training spectrum is the first
        self.training_distance_: NDArray[np.float64] = np.sort(self.neighbors_.kneighbors(white)[0][:, 1:].mean(axis=1))
        return self

    def distance(self, sample: SpectralSample) -> NDArray[np.float64]:
        """Mean distance to the nearest training spectra.

        Parameters
        ----------
        sample : SpectralSample
            On the grid of the training set, normalised in the same way.

        Returns
        -------
        ndarray, shape (n,)

        Raises
        ------
        AgnsalError
            If it is not fitted, or the sample is on another grid than the training set or normalised otherwise.
        """
        white = (self._features(sample) - self.center_) @ self.whitening_
        return self.neighbors_.kneighbors(white, n_neighbors=self.n_neighbors)[0].mean(axis=1)

    def _features(self, sample: SpectralSample) -> NDArray[np.float64]:
        require_fitted(self)
        raw = _line_features(sample)
        if sample.grid != self.grid_:
            raise AgnsalError(f"the sample is on {sample.grid!r}, the training set on {self.grid_!r}.")
        check_alike(self.learnt_from_, sample, "the training spectra are such that their")
        return raw

    def p_value(self, sample: SpectralSample) -> NDArray[np.float64]:
        """Share of training spectra that are at least as far from the others as each spectrum.

        Parameters
        ----------
        sample : SpectralSample
            See `distance`.

        Returns
        -------
        ndarray, shape (n,)
            Never below one over the number of training spectra plus one.
        """
        require_fitted(self)
        return self.p_value_at(self.distance(sample))

    def p_value_at(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """`p_value` of spectra whose `distance` is known.

        Parameters
        ----------
        distance : ndarray, shape (n,)
            See `distance`.

        Returns
        -------
        ndarray, shape (n,)
        """
        further = len(self.training_distance_) - np.searchsorted(self.training_distance_, distance)
        return (further + 1) / (len(self.training_distance_) + 1)

    def flag(self, sample: SpectralSample, level: float = 0.01) -> NDArray[np.bool_]:
        """Whether each spectrum is unlike the training set.

        Parameters
        ----------
        sample : SpectralSample
            See `distance`.
        level : float
            Share of the training set that would be flagged.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        return self.p_value(sample) <= level

    def explain(self, sample: SpectralSample) -> Attribution:
        """Say which wavelengths and lines make spectra unlike the training set.

        The mean squared distance to the nearest training spectra is a quadratic form of the strengths of the lines,
        ``(x - t) M (x - t)``, and ``(x - t)_j (M (x - t))_j`` of every strength are exact shares of it. The share of a
        strength is spread over the bins of its core or wings.

        Parameters
        ----------
        sample : SpectralSample
            See `distance`.

        Returns
        -------
        Attribution
            The values of a spectrum sum to its squared distance (in ``explained``); ``by_line`` says which lines it
            is from. A negative value is a strength that agrees better than its correlation with others would have it.

        Raises
        ------
        AgnsalError
            See `distance`.

        Examples
        --------
        >>> from agnsal import simulate_agn
        >>> familiarity = Familiarity().fit(simulate_agn(0, 120, 0, seed=0).normalize())
        >>> why = familiarity.explain(simulate_agn(3, 0, 0, seed=1).normalize())
        >>> bool(abs(why.values.sum(axis=1) / why.explained - 1).max() < 1e-10)
        True
        """
        raw = self._features(sample)
        neighbors = self.neighbors_.kneighbors((raw - self.center_) @ self.whitening_, self.n_neighbors)[1]
        apart = raw[:, None] - self.training_features_[neighbors]
        white = apart @ self.whitening_
        shares = (apart * (white @ self.whitening_.T)).mean(axis=1)
        bins = _feature_bins(sample.grid)
        values = shares @ (bins / bins.sum(axis=1, keepdims=True))
        return Attribution(
            values=values,
            target=np.full(len(sample), "unlike the training set"),
            method="familiarity",
            output="squared distance",
            explained=np.square(white).sum(axis=2).mean(axis=1),
            inputs=sample.flux,
            ids=sample.ids,
            grid=sample.grid,
            flux_unit=sample.unit,
            mask=sample.mask,
            provenance={"n_neighbors": self.n_neighbors},
        )


def _feature_bins(grid: WavelengthGrid) -> NDArray[np.bool_]:
    """The bins each feature of `_line_features` is about: the core of a line above its wings, its wings elsewhere."""
    core, wings, continuum = (
        Regions.from_lines(grid, part=part, overlap=True).masks for part in ("core", "wings", "continuum")
    )
    some = [np.asarray(masks.any(axis=1)) for masks in (core, wings, continuum)]
    level = np.where(some[1][:, None], wings, core)
    return np.concatenate([core[some[0] & some[1]], level[(some[0] | some[1]) & some[2]]])


def _line_features(sample: SpectralSample) -> NDArray[np.float64]:
    """Core above wings and wings above continuum of each line, nearly logarithmic."""
    if not isinstance(sample, SpectralSample):
        raise AgnsalError(f"a SpectralSample, which knows its wavelengths, is needed, got {type(sample).__name__}.")
    core, wings, continuum = (
        Regions.from_lines(sample.grid, part=part, overlap=True).means(sample.flux)
        for part in ("core", "wings", "continuum")
    )
    level = np.where(np.isnan(wings), core, wings)
    columns = np.concatenate([core - wings, level - continuum], axis=1)
    return np.arcsinh(columns[:, ~np.isnan(columns).any(axis=0)] / _FAINT)
