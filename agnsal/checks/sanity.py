"""Does the map depend on what the model has learnt? Randomise the model and see whether the map notices."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.checks.scoring import row_correlation
from agnsal.errors import AgnsalWarning
from agnsal.models.machine.kernels import KernelExpansion
from agnsal.models.machine.svc import ProbabilisticSVC
from agnsal.models.networks.layers import Dense
from agnsal.models.networks.network import Network
from agnsal.models.refitting import bootstrapped, fresh_copy

#: Makes the values of a map again for another model or other spectra.
Explainer = Callable[[Any, Any], NDArray[np.float64]]


def explainer_of(attribution: Attribution, target: ArrayLike | str | None) -> Explainer | None:
    """Make a function that explains again as a map was made.

    Parameters
    ----------
    attribution : Attribution
        The map. What it was compared with stays the same spectra, whatever is explained, unless that is the continuum
        of each spectrum itself.
    target : object
        Target of each spectrum, as in `agnsal.saliency`.

    Returns
    -------
    callable or None
        From (model, spectra) to an array (n, n_features); None for a map that does not know how it was made.
    """
    if not attribution.repeatable:
        return None
    own = ("baseline", "continuum", "noise")
    kept: dict[str, Any] = {"target": target}
    for name in ("baseline", "fill"):
        given = attribution.options.get(name)
        if attribution.baseline is not None and name in attribution.options:
            kept[name] = given if isinstance(given, str) and given in own else attribution.baseline

    def values(model: Any, X: Any) -> NDArray[np.float64]:
        with warnings.catch_warnings():  # completeness is checked by itself
            warnings.simplefilter("ignore", AgnsalWarning)
            return attribution.again(model, X, **kept).values

    return values


def randomized(model: Any, random_state: Any = 0) -> dict[str, Any]:
    """Make copies of a model that have forgotten, more and more, what they learnt.

    Parameters
    ----------
    model : ProbabilisticSVC, Network, MLPClassifier, MLPRegressor, or a Pipeline that ends in one
        A fitted model; others give nothing here, and can still be refitted to shuffled labels.
    random_state : int or Generator
        Seeds the shuffling; by default always the same, so that a check can be repeated.

    Returns
    -------
    dict of str to model
        Of a kernel machine ``"dual coefficients shuffled"``. Of a network one for each dense layer, from the last
        downwards, the weights of that layer and of all above it permuted.

    References
    ----------
    Adebayo et al. 2018, arXiv:1810.03292.

    Examples
    --------
    >>> network = Network.dense([[[1.0, -1.0], [0.5, 0.5]], [[1.0, 1.0]]], [[0.0, 0.0], [0.1]])
    >>> list(randomized(network))
    ['layer 2 shuffled', 'layers 1 to 2 shuffled']
    """
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import Pipeline

    rng = np.random.default_rng(random_state)
    if isinstance(model, Pipeline):
        heads = randomized(model[-1], rng)
        return {name: Pipeline([*model.steps[:-1], (model.steps[-1][0], head)]) for name, head in heads.items()}
    if isinstance(model, ProbabilisticSVC):
        machine, pairs = copy.copy(model), model.pair_functions_
        shuffled = rng.permuted(pairs.coefficients, axis=0)
        machine.pair_functions_ = KernelExpansion(pairs.kernel, pairs.support_vectors, shuffled, pairs.intercepts)
        return {"dual coefficients shuffled": machine}
    if isinstance(model, MLPClassifier | MLPRegressor):
        count, found = len(model.coefs_), {}
        perceptron = copy.copy(model)
        for number in range(count - 1, -1, -1):
            weights = list(perceptron.coefs_)
            weights[number] = rng.permuted(weights[number].ravel()).reshape(weights[number].shape)
            perceptron = copy.copy(perceptron)
            perceptron.coefs_ = weights
            found[_cascade(number + 1, count)] = perceptron
        return found
    if isinstance(model, Network):
        dense = [place for place, layer in enumerate(model.layers) if isinstance(layer, Dense)]
        layers, cascaded = list(model.layers), {}
        for number in range(len(dense) - 1, -1, -1):
            layer = layers[dense[number]]
            weight = layer.weight  # type: ignore[attr-defined]
            layers[dense[number]] = replace(layer, weight=rng.permuted(weight.ravel()).reshape(weight.shape))  # type: ignore[call-arg]
            cascaded[_cascade(number + 1, len(dense))] = replace(model, layers=tuple(layers))
        return cascaded
    return {}


def _cascade(first: int, last: int) -> str:
    return f"layer {last} shuffled" if first == last else f"layers {first} to {last} shuffled"


def refitted(model: Any, X: ArrayLike, y: ArrayLike, how: str, random_state: Any = 0) -> Any:
    """Fit a clone to shuffled labels, or to a bootstrap sample.

    Parameters
    ----------
    model : estimator
        Anything scikit-learn can clone.
    X, y : array_like
        The training set.
    how : {"shuffled labels", "bootstrap"}
        What is done to it; the bootstrap resamples within each class.
    random_state : int or Generator
        Seeds it; by default always the same, so that a check can be repeated.

    Returns
    -------
    estimator
    """
    rng = np.random.default_rng(random_state)
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y)
    if how == "shuffled labels":
        with warnings.catch_warnings():  # that nothing can be learnt from them is the point
            warnings.simplefilter("ignore", AgnsalWarning)
            return fresh_copy(model).fit(X, rng.permutation(y))
    return bootstrapped(model, X, y, rng)


def similarity(
    first: NDArray[np.float64], second: NDArray[np.float64], given: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """How alike two maps are: rank correlation of their absolute values, spectrum by spectrum.

    Parameters
    ----------
    first, second : ndarray, shape (n, n_features)
        Values of two attributions.
    given : ndarray, shape (n, n_features), optional
        What both contain whatever the model, for instance the spectrum; the correlation is then the partial one.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> spectrum, one, other = rng.uniform(size=(3, 1, 4000))
    >>> one, other = spectrum * one, spectrum * other
    >>> bool(similarity(one, other)[0] > 0.4), bool(abs(similarity(one, other, spectrum)[0]) < 0.1)
    (True, True)
    """
    alike = row_correlation(np.abs(first), np.abs(second), "spearman")
    if given is None:
        return alike
    a, b = (row_correlation(np.abs(values), np.abs(given), "spearman") for values in (first, second))
    left = np.sqrt((1 - a**2) * (1 - b**2))
    usable = left > 1e-6
    return np.where(usable, (alike - a * b) / np.where(usable, left, 1.0), alike)
