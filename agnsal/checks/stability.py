"""Would another night, another training set or another method give the same map?"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.checks.benchmarks.methods import Explanation, methods_for
from agnsal.checks.sanity import Explainer, refitted
from agnsal.checks.scoring import row_correlation
from agnsal.errors import AgnsalError
from agnsal.models.validation import flux_of
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.editing.filling import noise_level
from agnsal.spectra.sample import SpectralSample, refilled


def noise_stability(
    explain: Explainer,
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    values: NDArray[np.float64],
    *,
    noise: ArrayLike | None = None,
    n_draws: int = 5,
    random_state: Seed = None,
) -> NDArray[np.float64]:
    """Correlation of a map with the maps of the same spectra observed again.

    Parameters
    ----------
    explain : callable
        From (model, spectra) to values, see `agnsal.checks.sanity.explainer_of`.
    model : object
        The model.
    sample_or_X : SpectralSample or array_like, shape (n, n_features)
        The spectra.
    values : ndarray, shape (n, n_features)
        The map.
    noise : array_like, optional
        Standard deviation of the noise to add; by default the flux errors of a sample.
    n_draws : int
        Observations.
    random_state : int, RandomState, Generator or None
        Seeds them.

    Returns
    -------
    ndarray, shape (n,)
        Mean Pearson correlation over the draws.

    Raises
    ------
    AgnsalError
        If the flux errors are not known and no noise is given.
    """
    X = flux_of(sample_or_X)
    if noise is not None:
        sigma = np.asarray(noise, dtype=np.float64)
    else:
        if not isinstance(sample_or_X, SpectralSample) or sample_or_X.ivar is None:
            raise AgnsalError("the flux errors are not known: give noise=..., or a SpectralSample with ivar.")
        sigma = noise_level(X, sample_or_X.ivar)
    rng = np.random.default_rng(seed_of(random_state))
    found = []
    for _ in range(n_draws):
        observed = _with_flux(sample_or_X, X + sigma * rng.standard_normal(X.shape))
        found.append(row_correlation(values, explain(model, observed)))
    return np.mean(found, axis=0)


def max_sensitivity(
    explain: Explainer,
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    values: NDArray[np.float64],
    *,
    radius: float = 0.01,
    n_draws: int = 10,
    random_state: Seed = None,
) -> NDArray[np.float64]:
    """Largest relative change of a map when the spectrum moves a little in any direction.

    Parameters
    ----------
    explain, model, values
        As in `noise_stability`.
    sample_or_X : SpectralSample or array_like, shape (n, n_features)
        The spectra.
    radius : float
        Length of the step over that of the spectrum.
    n_draws : int
        Directions.
    random_state : int, RandomState, Generator or None
        Seeds them.

    Returns
    -------
    ndarray, shape (n,)
        Norm of the change over the norm of the map; a lower bound for the true maximum.

    References
    ----------
    Yeh et al. 2019, arXiv:1901.09392.
    """
    spectra = flux_of(sample_or_X)
    rng = np.random.default_rng(seed_of(random_state))
    largest = np.zeros(len(spectra))
    for _ in range(n_draws):
        step = rng.standard_normal(spectra.shape)
        step *= radius * np.linalg.norm(spectra, axis=1, keepdims=True) / np.linalg.norm(step, axis=1, keepdims=True)
        change = np.linalg.norm(explain(model, _with_flux(sample_or_X, spectra + step)) - values, axis=1)
        largest = np.maximum(largest, change)
    size = np.linalg.norm(values, axis=1)
    return np.where(size > 0, largest / np.where(size > 0, size, 1.0), np.nan)


def _with_flux(sample_or_X: Any, flux: NDArray[np.float64]) -> Any:
    """Put other flux in the place of that of a sample, which keeps all else."""
    if not isinstance(sample_or_X, SpectralSample):
        return flux
    return refilled(sample_or_X, flux)


def refit_stability(
    explain: Explainer,
    model: Any,
    spectra: Any,
    values: NDArray[np.float64],
    training: tuple[ArrayLike, ArrayLike],
    *,
    n_refits: int = 5,
    random_state: Seed = None,
) -> NDArray[np.float64]:
    """Correlation of a map with the maps of models fitted to resampled training sets.

    Parameters
    ----------
    explain, model, values
        As in `noise_stability`.
    spectra : SpectralSample or array_like
        The spectra.
    training : (X, y)
        The training set.
    n_refits : int
        Models.
    random_state : int, RandomState, Generator or None
        Seeds the resampling.

    Returns
    -------
    ndarray, shape (n,)
        Mean Pearson correlation over the refits.
    """
    X, y = training
    seed = seed_of(random_state)
    models = (refitted(model, X, y, "bootstrap", [seed, number]) for number in range(n_refits))
    return np.mean([row_correlation(values, explain(refit, spectra)) for refit in models], axis=0)


def agreement(asked: Explanation, methods: ArrayLike | None = None) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """How much methods agree with each other on the same spectra.

    Parameters
    ----------
    asked : Explanation
        What is explained.
    methods : sequence of str, optional
        Names as in `agnsal.checks.benchmarks.methods.methods_for`; by default all that serve the model.

    Returns
    -------
    names : tuple of str
    matrix : ndarray, shape (n_methods, n_methods)
        Mean Spearman correlation over the spectra. Gradients and contributions answer different questions; expect
        two families.
    """
    maps = {name: method(asked) for name, method in methods_for(asked.model, methods).items()}
    names = tuple(maps)
    matrix = np.eye(len(names))
    for i, j in combinations(range(len(names)), 2):
        found = row_correlation(maps[names[i]], maps[names[j]], "spearman")
        matrix[i, j] = matrix[j, i] = np.nanmean(found) if np.isfinite(found).any() else np.nan
    return names, matrix
