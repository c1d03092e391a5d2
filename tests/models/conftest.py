"""Small training sets for the models."""

from __future__ import annotations

import warnings

import numpy as np
import pytest


def make_blobs(n_classes: int, n_per_class: int = 25, n_features: int = 12, seed: int = 0, spread: float = 1.2):
    """Overlapping Gaussian classes: labels are text, so that nothing relies on numbers."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(n_classes, n_features))
    codes = np.repeat(np.arange(n_classes), n_per_class)
    X = centers[codes] + spread * rng.normal(size=(codes.size, n_features))
    return X, np.array([f"type {code + 1}" for code in codes])


@pytest.fixture
def blobs():
    return make_blobs


@pytest.fixture
def legacy():
    """Fit a deprecated ``SVC(probability=True)``, or skip once scikit-learn has removed it."""

    def fit(estimator, X, y):
        try:
            estimator.set_params(probability=True)
        except ValueError:
            pytest.skip("this scikit-learn has no SVC(probability=True) any more")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return estimator.fit(X, y)

    return fit


@pytest.fixture
def central_differences():
    """Gradient of a row-wise scalar function by central differences."""

    def gradient(function, X, step=1e-5):
        result = np.empty_like(X)
        for column in range(X.shape[1]):
            shift = np.zeros(X.shape[1])
            shift[column] = step
            result[:, column] = (function(X + shift) - function(X - shift)) / (2 * step)
        return result

    return gradient
