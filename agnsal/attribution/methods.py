"""The door to the methods of attribution: every module that declares one is imported here."""

from __future__ import annotations

from agnsal.attribution.local import gradients, paths, perturbation
from agnsal.attribution.networks import decomposition, deep_lift, relevance
from agnsal.attribution.question.methods import METHODS, Method, find_method
from agnsal.attribution.shapley import shapley

__all__ = ["Method", "every_method", "find_method"]

_MODULES = (gradients, paths, perturbation, shapley, decomposition, relevance, deep_lift)


def every_method(*, network: bool = False) -> tuple[Method, ...]:
    """All methods that serve a model.

    Parameters
    ----------
    network : bool
        Whether those that need the layers of a network are among them.

    Returns
    -------
    tuple of Method
        In the order of `_MODULES`.

    Examples
    --------
    >>> [method.title for method in every_method() if method.answers == "gradient"]
    ['gradient', 'SmoothGrad']
    """
    homes = [module.__name__ for module in _MODULES]
    declared = [each for each in METHODS.values() if each.function.__module__ in homes]
    declared.sort(key=lambda each: homes.index(each.function.__module__))
    return tuple(each for each in declared if network or not each.network)
