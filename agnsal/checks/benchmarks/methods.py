"""Every attribution method of the package asked alike, so that all of them can be judged alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.methods import Method, every_method
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
    background : object
        Baselines of expected gradients; by default the spectra themselves.
    regions : object
        What experiments remove at once, as in `agnsal.occlusion`; wide windows are faster.
    seed : int
        For the methods that draw.
    """

    model: Any
    spectra: Any
    target: Any = "predicted"
    output: str = "log_odds"
    baseline: Any = "mean"
    noise: Any = None
    background: Any = None
    regions: Any = None
    seed: int = 0

    @property
    def question(self) -> tuple[Any, Any, Any, str]:
        """The four arguments every attribution function takes."""
        return self.model, self.spectra, self.target, self.output

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The spectra as a matrix, shape (n, n_features)."""
        return np.asarray(getattr(self.spectra, "flux", self.spectra), dtype=np.float64)


#: Makes a map of what is to be explained.
Mapper = Callable[[Explanation], NDArray[np.float64]]


def _map(asked: Explanation, method: Method, given: Mapping[str, object]) -> NDArray[np.float64]:
    """Values of a method, with those of the options in `asked` that it takes."""
    options: dict[str, object] = {
        "baseline": asked.baseline,
        "noise": asked.noise,
        "background": asked.spectra if asked.background is None else asked.background,
        "random_state": asked.seed,
    }
    if method.answers == "experiments":
        options["regions"] = asked.regions
    taken = {name: value for name, value in options.items() if method.takes(name)}
    if not method.needs("background"):  # that of Shapley values goes with a condition
        taken.pop("background", None)
    output = "decision" if method.network else asked.output
    with warnings.catch_warnings():  # how incomplete it is gets measured where it matters
        warnings.simplefilter("ignore", AgnsalWarning)
        return method.function(asked.model, asked.spectra, asked.target, output, **{**taken, **given}).values


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


CONTROLS: dict[str, Mapper] = {"control: random": random_control, "control: edges of the input": edge_control}


def methods_for(model: Any, names: ArrayLike | None = None) -> dict[str, Mapper]:
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
    ['gradient', 'input x gradient', 'SmoothGrad']
    """
    known: dict[str, Mapper] = {
        title: partial(_map, method=method, given=given)
        for method in every_method(network=isinstance(model, Network))
        for title, given in method.judged.items()
    }
    known |= CONTROLS
    if names is None:
        return {name: method for name, method in known.items() if name not in CONTROLS}
    chosen = [str(name) for name in np.atleast_1d(np.asarray(names))]
    missing = [name for name in chosen if name not in known]
    if missing:
        raise AgnsalError(f"no method {missing[0]!r} for {type(model).__name__}; there are {', '.join(known)}.")
    return {name: known[name] for name in chosen}
