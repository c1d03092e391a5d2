"""How certain are a model's predictions over a population? Gaussian posteriors that `rate` and error bars need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.populations.projection import feature_matrix, population_outputs, projector
from agnsal.errors import AgnsalError
from agnsal.models.refitting import bootstrapped
from agnsal.models.validation import flux_of
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.sample import SpectralSample


@dataclass(frozen=True, eq=False)
class PredictionPosterior:
    """A Gaussian over the predictions for a population, its covariance kept as ``factor @ factor.T``.

    Attributes
    ----------
    mean : ndarray, shape (n,)
        Posterior mean of the prediction for each spectrum.
    factor : ndarray, shape (n, rank)
        Any factor of the covariance between the spectra.
    """

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]

    def effects(
        self, features: ArrayLike, projection: str = "covariance"
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Posterior of the effect sizes, as `rate` takes it.

        Parameters
        ----------
        features : array_like, shape (n, p)
            What the predictions are projected on: few features (`agnsal.spectra.features`), standardised.
        projection : {"covariance", "pseudoinverse", "ridge"}
            See `agnsal.effect_sizes`.

        Returns
        -------
        mean : ndarray, shape (p,)
        covariance : ndarray, shape (p, p)
        """
        Z = feature_matrix(features, len(self.mean))
        P = projector(Z, projection, predictions=self.mean)
        spread = P @ (self.factor - self.factor.mean(axis=0))
        return P @ (self.mean - self.mean.mean()), spread @ spread.T


def laplace_posterior(
    model: Any,
    X: SpectralSample | ArrayLike,
    target: Any = None,
    *,
    training: SpectralSample | ArrayLike | None = None,
    prior_precision: float = 1.0,
    noise_variance: float | None = None,
) -> PredictionPosterior:
    """Posterior of a scikit-learn MLP by Laplace's approximation to its last layer; the others stay as they are.

    The weights of the last layer, its bias among them, have the covariance ``(H' R H + tau I)^-1`` with H the last
    hidden layer over the training set and R = p(1 - p) (for more than two classes that of each class by itself) or,
    in regression, one over the noise variance. Its rank is the width of that layer at most.

    Parameters
    ----------
    model : MLPClassifier, MLPRegressor, or a Pipeline that ends in one
        Fitted.
    X : SpectralSample or array_like, shape (n, n_features)
        The population.
    target : label, optional
        Which class's logit; not needed for two classes (the second) or one output.
    training : array_like, optional
        The training set, by default X.
    prior_precision : float
        tau.
    noise_variance : float, optional
        In regression; by default twice the final training loss.

    Returns
    -------
    PredictionPosterior
        Of the logit, or of the regressed value.

    Raises
    ------
    AgnsalError
        If the model is not a fitted scikit-learn MLP, or the target not one of its classes.

    References
    ----------
    MacKay 1992, Neural Comput. 4, 720; Kristiadi, Hein & Hennig 2020, arXiv:2002.10118.

    Examples
    --------
    >>> from sklearn.neural_network import MLPClassifier
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> mlp = MLPClassifier((8,), solver="lbfgs", alpha=1.0, random_state=0).fit(X, X[:, 1] > 0)
    >>> mean, covariance = laplace_posterior(mlp, X).effects(X)
    >>> int(np.abs(mean).argmax()), covariance.shape
    (1, (3, 3))
    """
    mlp, X, training = _network_inputs(model, X, X if training is None else training)
    column = _column(mlp, target)
    H, train = _last_hidden(mlp, X), _last_hidden(mlp, training)
    weights = np.append(mlp.coefs_[-1][:, column], mlp.intercepts_[-1][column])
    if mlp.out_activation_ == "identity":
        curvature = np.full(len(train), 1 / (2 * mlp.loss_ if noise_variance is None else noise_variance))
    else:
        p = np.asarray(mlp.predict_proba(training))[:, 1 if mlp.n_outputs_ == 1 else column]
        curvature = p * (1 - p)
    precision = (train.T * curvature) @ train + prior_precision * np.eye(train.shape[1])
    # H (L L')^-1 H' = (L^-1 H')' (L^-1 H')
    factor = np.asarray(np.linalg.solve(np.linalg.cholesky(precision), H.T).T, dtype=np.float64)
    return PredictionPosterior(H @ weights, factor)


def bootstrap_posterior(
    model: Any,
    X: SpectralSample | ArrayLike,
    y: ArrayLike,
    target: Any = None,
    *,
    population: SpectralSample | ArrayLike | None = None,
    output: str = "decision",
    n_refits: int = 50,
    random_state: Seed = None,
) -> PredictionPosterior:
    """Posterior of any scikit-learn estimator, an SVM for instance, from refits to resampled training sets.

    Parameters
    ----------
    model : estimator
        Cloned and bootstrapped; need not be fitted.
    X, y : array_like
        The training set; resampled within each class if `y` are labels.
    target : label, optional
        Which class; not needed for two classes (the second) or a regressor.
    population : array_like, optional
        Where to predict; by default X.
    output : {"decision", "log_odds", "probability"}
        What to predict.
    n_refits : int
        Number of refits. The rank of the posterior is one less: take more than there are features.
    random_state : int, RandomState, Generator or None
        Equal seeds give equal refits.

    Returns
    -------
    PredictionPosterior

    Raises
    ------
    AgnsalError
        If fewer than two refits are asked for, or several classes come without a target.

    References
    ----------
    Efron 2012, Ann. Appl. Stat. 6, 1971 (the bootstrap as a posterior).

    Examples
    --------
    >>> from sklearn.svm import LinearSVC
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> posterior = bootstrap_posterior(LinearSVC(), X, X[:, 2] > 0, n_refits=5, random_state=0)
    >>> int(np.abs(posterior.effects(X)[0]).argmax())
    2
    """
    if n_refits < 2:
        raise AgnsalError(f"a posterior needs at least 2 refits, got {n_refits}.")
    X = flux_of(X)
    where = X if population is None else flux_of(population)
    rng = np.random.default_rng(seed_of(random_state))
    draws = []
    for _ in range(n_refits):
        values = population_outputs(bootstrapped(model, X, y, rng), where, target, output)
        if values.ndim > 1:
            raise AgnsalError(f"the model has {values.shape[1]} classes; say which with target=....")
        draws.append(values)
    mean = np.mean(draws, axis=0)
    return PredictionPosterior(mean, (np.array(draws) - mean).T / np.sqrt(n_refits - 1))


def _network_inputs(model: Any, X: Any, training: Any) -> tuple[Any, NDArray[Any], NDArray[Any]]:
    """The network at the end of a pipeline, and what reaches it."""
    from sklearn.pipeline import Pipeline

    X, training = flux_of(X), flux_of(training)
    if isinstance(model, Pipeline):
        before = model[:-1]
        if len(before.steps):
            X, training = before.transform(X), before.transform(training)
        model = model[-1]
    if not hasattr(model, "coefs_"):
        raise AgnsalError(
            f"a fitted MLPClassifier or MLPRegressor is needed, got {type(model).__name__}; "
            "bootstrap_posterior takes any estimator."
        )
    return model, X, training


def _column(mlp: Any, target: Any) -> int:
    """Which output neuron a target is."""
    if mlp.n_outputs_ == 1:
        return 0
    classes = list(getattr(mlp, "classes_", range(mlp.n_outputs_)))
    if target not in classes:
        raise AgnsalError(f"target {target!r} is not one of {classes}; say which output with target=....")
    return classes.index(target)


def _last_hidden(mlp: Any, X: NDArray[Any]) -> NDArray[np.float64]:
    """Activations of the last hidden layer, and a column of ones for the bias."""
    activations: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
        "relu": lambda z: np.maximum(z, 0.0),
        "tanh": np.tanh,
        "logistic": lambda z: 0.5 * (1 + np.tanh(0.5 * z)),
        "identity": lambda z: z,
    }
    for W, b in zip(mlp.coefs_[:-1], mlp.intercepts_[:-1], strict=True):
        X = activations[mlp.activation](X @ W + b)
    return np.column_stack([X, np.ones(len(X))])
