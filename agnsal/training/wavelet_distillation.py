"""Adaptive wavelet distillation: a wavelet learned from a classifier's attributions, and a small model made with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from agnsal.models.differentiable import as_differentiable
from agnsal.models.validation import matrix_of, require_fitted, spectra_and_labels
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.sample import SpectralSample
from agnsal.training.learned_wavelet import Attributed, LearnedWavelet, compression, learn_wavelet
from agnsal.training.wavelet_transform import filter_of, reconstruct, wavelet_distance


class WaveletDistillation(BaseEstimator):
    """Distil a classifier into a wavelet and a logistic regression on a few of its coefficients.

    Wavelets are learned for growing weights of the attributions, each starting from the one before; the one whose
    small model does best in cross-validation is kept. The table always holds the fixed wavelet and the ablation
    gamma = 0 beside them: without both nobody knows whether the classifier taught the wavelet anything.

    Parameters
    ----------
    wavelet : str or array_like
        Where to start, and what to compare with.
    level : int
        Levels of the transform.
    gammas : sequence of float
        Weights of the attributions to try, beside 0.
    m : int
        Coefficients of each scale the small model sees.
    output : {"log_odds", "decision"}
        What of the classifier is distilled.
    cv : int
        Folds.
    sparsity, attribution, learning_rate, max_epochs, batch_size, random_state, progress
        As in `learn_wavelet`.

    Attributes
    ----------
    wavelets_ : dict of str to LearnedWavelet
        By the name in the table.
    table_ : QTable
        A row per wavelet: ``name``, ``gamma``, ``accuracy`` (cross-validated, of the small model), ``attribution``
        (mean absolute value over the coefficients, summed over a spectrum), ``compression``, ``reconstruction`` (mean
        squared error over a spectrum) and ``distance`` from the fixed wavelet.
    best_ : str
        Name of the learned wavelet with the best accuracy; of equal ones the least gamma.
    predictor_ : Pipeline
        The small model of that wavelet.

    References
    ----------
    Ha, Singh, Lanusse, Upadhyayula & Yu 2021, NeurIPS, arXiv:2107.09145.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.random.default_rng(0).normal(size=(60, 32))
    >>> y = X[:, 10:14].sum(axis=1) > 0
    >>> model = LogisticRegression().fit(X, y)
    >>> distilled = WaveletDistillation("db2", level=2, gammas=[0.1], max_epochs=1, random_state=0).fit(model, X, y)
    >>> list(distilled.wavelets_)
    ['fixed', 'gamma = 0', 'gamma = 0.1']
    """

    def __init__(
        self,
        wavelet: str | ArrayLike = "db5",
        *,
        level: int = 4,
        gammas: Sequence[float] = (0.1, 1.0, 5.0),
        m: int = 6,
        output: Literal["log_odds", "decision"] = "log_odds",
        cv: int = 5,
        sparsity: float = 5e-3,
        attribution: Attributed = "saliency",
        learning_rate: float = 2e-3,
        max_epochs: int = 5,
        batch_size: int = 100,
        random_state: Seed = None,
        progress: bool = False,
    ) -> None:
        self.wavelet = wavelet
        self.level = level
        self.gammas = gammas
        self.m = m
        self.output = output
        self.cv = cv
        self.sparsity = sparsity
        self.attribution = attribution
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.progress = progress

    def fit(
        self, model: Any, sample_or_X: SpectralSample | ArrayLike, y: ArrayLike, target: Any = None
    ) -> WaveletDistillation:
        """Learn wavelets from a classifier's gradients and small models from the labels.

        Parameters
        ----------
        model : object
            A fitted classifier: anything `as_differentiable` takes.
        sample_or_X : SpectralSample or array_like, shape (n, n_features)
            Spectra as the classifier takes them.
        y : array_like, shape (n,)
            Labels.
        target : label, optional
            The class whose log-odds are distilled; by default the last.

        Returns
        -------
        WaveletDistillation
        """
        _, y = spectra_and_labels(sample_or_X, y)
        X = matrix_of(self, sample_or_X, fitting=True)
        differentiable = as_differentiable(model)
        wanted = differentiable.classes_[-1] if target is None else target
        gradients = differentiable.gradient(X, wanted, self.output)
        centered = X - X.mean(axis=0)
        fixed = LearnedWavelet(filter_of(self.wavelet), self.level, np.nan)
        self.wavelets_ = {"fixed": fixed}
        start, seed = fixed.filter, seed_of(self.random_state)
        for gamma in (0.0, *sorted(set(self.gammas) - {0.0})):
            learned = learn_wavelet(
                centered,
                gradients,
                wavelet=start,
                level=self.level,
                gamma=gamma,
                sparsity=self.sparsity,
                attribution=self.attribution,
                learning_rate=self.learning_rate,
                max_epochs=self.max_epochs,
                batch_size=self.batch_size,
                random_state=seed,
                progress=self.progress,
            )
            self.wavelets_[f"gamma = {gamma:g}"] = learned
            start = learned.filter
        rows = [
            (
                name,
                w.gamma,
                self._accuracy(w, X, y),
                *_quality(w, centered, gradients),
                wavelet_distance(fixed.filter, w.filter),
            )
            for name, w in self.wavelets_.items()
        ]
        names = ("name", "gamma", "accuracy", "attribution", "compression", "reconstruction", "distance")
        self.table_ = QTable(rows=rows, names=names)
        self.best_ = str(self.table_["name"][1:][self.table_["accuracy"][1:].argmax()])
        self.predictor_ = _small_model().fit(self.wavelets_[self.best_].top_coefficients(X, self.m), np.asarray(y))
        return self

    def predict(self, X: SpectralSample | ArrayLike) -> NDArray[Any]:
        """Classes by the small model on the best wavelet.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.

        Returns
        -------
        ndarray, shape (n,)

        Raises
        ------
        AgnsalError
            If it is not fitted, or the spectra have another number of bins.
        """
        require_fitted(self)
        X = matrix_of(self, X, fitting=False)
        return self.predictor_.predict(self.wavelets_[self.best_].top_coefficients(X, self.m))

    def _accuracy(self, wavelet: LearnedWavelet, X: NDArray[Any], y: ArrayLike) -> float:
        from sklearn.model_selection import cross_val_score

        return float(cross_val_score(_small_model(), wavelet.top_coefficients(X, self.m), y, cv=self.cv).mean())


def _small_model() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _quality(wavelet: LearnedWavelet, X: NDArray[Any], gradients: NDArray[Any]) -> tuple[float, float, float]:
    """Attribution, compression and reconstruction of the table."""
    attribution = sum(np.abs(part).sum() for part in wavelet.transform(gradients)) / len(X)
    error = np.sum((X - reconstruct(wavelet.transform(X), wavelet.filter, X.shape[1])) ** 2) / len(X)
    return float(attribution), compression(wavelet, gradients), float(error)
