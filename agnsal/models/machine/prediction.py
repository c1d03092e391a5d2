"""Predictions of a fitted pairwise machine: decision values, probabilities, votes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from agnsal.models.machine.coupling import (
    class_pairs,
    couple_iterated,
    pair_log_odds,
    pair_probabilities,
    pair_signs,
)
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.models.machine.log_odds import log_couple
from agnsal.models.validation import as_learnt, refuse_units_and_masks
from agnsal.spectra.sample import SpectralSample


class CoupledPrediction:
    """What a machine with fitted pair functions and sigmoids says about spectra; a mixin of `ProbabilisticSVC`."""

    classes_: NDArray
    pair_functions_: KernelExpansion
    sigmoid_a_: NDArray[np.float64]
    sigmoid_b_: NDArray[np.float64]
    coupling: str
    predict_by: str

    @property
    def support_vectors_(self) -> NDArray[np.float64]:
        """The support vectors, shape (n_support, n_features)."""
        return self.pair_functions_.support_vectors

    @property
    def pair_coefficients_(self) -> NDArray[np.float64]:
        """Dual coefficients of every pair, shape (n_support, n_pairs); positive values favour its first class."""
        return self.pair_functions_.coefficients

    @property
    def pair_intercepts_(self) -> NDArray[np.float64]:
        """Offsets of the pair decision values, shape (n_pairs,)."""
        return self.pair_functions_.intercepts

    @property
    def kernel_(self) -> Kernel:
        """The kernel with its numbers resolved."""
        return self.pair_functions_.kernel

    def _validated(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        if isinstance(X, SpectralSample):
            X = as_learnt(self, X)
        refuse_units_and_masks(X)
        return validate_data(self, X, dtype=np.float64, order="C", reset=False)

    def pairwise_decision_function(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Decision value of every pair of classes, in the order (0, 1), (0, 2), ..., (1, 2), ...

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Spectra; a sample must be like that learnt from.

        Returns
        -------
        ndarray, shape (n, n_pairs)
            Positive favours the first class of the pair.
        """
        X = self._validated(X)
        return self.pair_functions_.in_blocks(X)

    def decision_function(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Decision values of the classes.

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Spectra; a sample must be like that learnt from.

        Returns
        -------
        ndarray, shape (n,) for two classes, else (n, n_classes)
            For two classes positive favours the second; else the sum over the pairs of each class of the pair
            values, signed towards the class.
        """
        pairs = self.pairwise_decision_function(X)
        return -pairs[:, 0] if self.classes_.size == 2 else pairs @ pair_signs(self.classes_.size)

    def predict_proba(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Probability of every class.

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Spectra; a sample must be like that learnt from.

        Returns
        -------
        ndarray, shape (n, n_classes)
            Rows sum to one.
        """
        if self.coupling == "exact":
            return np.exp(self.predict_log_proba(X))
        return couple_iterated(pair_probabilities(self.pairwise_log_odds(X)))

    def predict_log_proba(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Logarithm of `predict_proba`, good to the last digits however small a probability is.

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Spectra; a sample must be like that learnt from.

        Returns
        -------
        ndarray, shape (n, n_classes)
        """
        if self.coupling == "exact":
            return log_couple(self.pairwise_log_odds(X))
        return np.log(self.predict_proba(X))

    def pairwise_log_odds(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Log-odds of every pair of classes by their own sigmoid, before the coupling.

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Spectra; a sample must be like that learnt from.

        Returns
        -------
        ndarray, shape (n, n_pairs)
            In the order of `pairwise_decision_function`; positive favours the first class of the pair.
        """
        return pair_log_odds(self.pairwise_decision_function(X), self.sigmoid_a_, self.sigmoid_b_)

    def predict(self, X: SpectralSample | ArrayLike) -> NDArray:
        """Class of every spectrum, by probability or by votes (`predict_by`).

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Spectra; a sample must be like that learnt from.

        Returns
        -------
        ndarray, shape (n,)
        """
        if self.predict_by == "probability":
            scores: NDArray = self.predict_proba(X)
        else:
            scores = self.votes(X)
        return self.classes_[scores.argmax(axis=1)]

    def votes(self, X: SpectralSample | ArrayLike) -> NDArray[np.intp]:
        """How many of its pairs every class wins.

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Spectra; a sample must be like that learnt from.

        Returns
        -------
        ndarray of int, shape (n, n_classes)
        """
        wins = self.pairwise_decision_function(X) > 0
        first, second = class_pairs(self.classes_.size)
        identity = np.eye(self.classes_.size, dtype=np.intp)
        return wins @ identity[first] + ~wins @ identity[second]
