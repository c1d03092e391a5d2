"""Every attribution method of the package under one signature, so that all of them can be judged alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.gradients import input_x_gradient, saliency, smooth_gradient
from agnsal.attribution.networks.decomposition import contextual_decomposition
from agnsal.attribution.networks.relevance import layerwise_relevance
from agnsal.attribution.paths import integrated_gradients
from agnsal.attribution.perturbation import occlusion
from agnsal.attribution.shapley.shapley import shapley
from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.models.networks.network import Network


@dataclass(frozen=True, eq=False)
class Explanation:
    """What is to be explained, and with which options: the argument of every method.

    Attributes
    ----------
    model : object
        Anything `as_differentiable` takes.
    spectra : SpectralSample or array_like, shape (n, n_features)
        The spectra.
    target : object
        As in `agnsal.saliency`.
    output : str
        As in `agnsal.saliency`.
    baseline : object
        For the methods that compare, as in `agnsal.integrated_gradients`.
    noise : float or array_like
        Standard deviation of the noise of SmoothGrad.
    window : object
        What occlusion replaces at once, as in `agnsal.occlusion`; wide windows are faster.
    seed : int
        For the methods that draw.
    """

    model: Any
    spectra: Any
    target: Any = "predicted"
    output: str = "log_odds"
    baseline: Any = "mean"
    noise: Any = None
    window: Any = None
    seed: int = 0

    @property
    def question(self) -> tuple[Any, Any, Any, str]:
        """The four arguments every attribution function takes."""
        return self.model, self.spectra, self.target, self.output

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The spectra as a matrix, shape (n, n_features)."""
        return np.asarray(getattr(self.spectra, "flux", self.spectra), dtype=np.float64)


Method = Callable[[Explanation], NDArray[np.float64]]


def _gradient(asked: Explanation) -> NDArray[np.float64]:
    return saliency(*asked.question).values


def _smooth(asked: Explanation) -> NDArray[np.float64]:
    return smooth_gradient(*asked.question, noise=asked.noise, n_samples=64, random_state=asked.seed).values


def _input_x_gradient(asked: Explanation) -> NDArray[np.float64]:
    return input_x_gradient(*asked.question).values


def _integrated(asked: Explanation) -> NDArray[np.float64]:
    with warnings.catch_warnings():  # how incomplete it is gets measured where it matters
        warnings.simplefilter("ignore", AgnsalWarning)
        return integrated_gradients(*asked.question, baseline=asked.baseline, n_steps=64, rule="midpoint").values


def _occlusion(asked: Explanation) -> NDArray[np.float64]:
    return occlusion(*asked.question, baseline=asked.baseline, window=asked.window).values


def _shapley(asked: Explanation) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AgnsalWarning)
        return shapley(*asked.question, baseline=asked.baseline, n_permutations=16, random_state=asked.seed).values


def _decomposition(asked: Explanation) -> NDArray[np.float64]:
    each = np.eye(asked.matrix.shape[1], dtype=bool)
    relevant, _ = contextual_decomposition(asked.model, asked.matrix, each)
    weights = asked.model.output_weights(asked.matrix, asked.target)
    return np.einsum("gnk,nk->ng", relevant, weights)


def _relevance(rule: Any) -> Method:
    return lambda asked: layerwise_relevance(asked.model, asked.matrix, rule, asked.target)


#: Methods for any differentiable model.
METHODS: dict[str, Method] = {
    "gradient": _gradient,
    "SmoothGrad": _smooth,
    "input x gradient": _input_x_gradient,
    "integrated gradients": _integrated,
    "occlusion": _occlusion,
    "Shapley values": _shapley,
}
#: Methods that need the layers of a `Network`.
NETWORK_METHODS: dict[str, Method] = {
    "contextual decomposition": _decomposition,
    "LRP z": _relevance("z"),
    "LRP epsilon": _relevance("epsilon"),
    "LRP alpha1beta0": _relevance("alpha1beta0"),
    "deep Taylor": _relevance("deep_taylor"),
}


def random_control(asked: Explanation) -> NDArray[np.float64]:
    """A map of white noise, which has nothing to do with anything.

    Parameters
    ----------
    asked : Explanation
        Gives shape and seed.

    Returns
    -------
    ndarray, shape (n, n_features)
    """
    # a stream of its own, so that it does not meet the numbers the spectra were made of
    return np.random.default_rng([asked.seed, 65537]).standard_normal(asked.matrix.shape)


def edge_control(asked: Explanation) -> NDArray[np.float64]:
    """The slope of the spectrum itself: a map that looks like the input and knows nothing of the model.

    Parameters
    ----------
    asked : Explanation
        Gives the spectra.

    Returns
    -------
    ndarray, shape (n, n_features)
    """
    return np.gradient(asked.matrix, axis=1)


CONTROLS: dict[str, Method] = {"control: random": random_control, "control: edges of the input": edge_control}


def methods_for(model: Any, names: ArrayLike | None = None) -> dict[str, Method]:
    """Choose the methods a model can be explained with.

    Parameters
    ----------
    model : object
        With a `Network` the methods that need layers are among them.
    names : sequence of str, optional
        Only these.

    Returns
    -------
    dict of str to callable
        From an `Explanation` to an array (n, n_features).

    Raises
    ------
    AgnsalError
        If a name is unknown or the method does not serve this model.

    Examples
    --------
    >>> list(methods_for(object()))[:3]
    ['gradient', 'SmoothGrad', 'input x gradient']
    """
    known = {**METHODS, **(NETWORK_METHODS if isinstance(model, Network) else {}), **CONTROLS}
    if names is None:
        return {name: method for name, method in known.items() if name not in CONTROLS}
    chosen = [str(name) for name in np.atleast_1d(np.asarray(names))]
    missing = [name for name in chosen if name not in known]
    if missing:
        raise AgnsalError(f"no method {missing[0]!r} for {type(model).__name__}; there are {', '.join(known)}.")
    return {name: known[name] for name in chosen}
