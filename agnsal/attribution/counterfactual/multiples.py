"""How much of an edit another model needs: does a counterfactual hold for another training set?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.models.black_box import as_function

#: The largest multiple that is tried, and in how many steps; the first that does is then halved in.
LARGEST, _STEPS, _HALVINGS = 4.0, 80, 20


def multiple_needed(
    model: Any, flux: NDArray[np.float64], edit: NDArray[np.float64], target: NDArray[Any]
) -> NDArray[np.float64]:
    """Least multiple of an edit that makes a model call each spectrum its target.

    Parameters
    ----------
    model : object
        Any fitted classifier.
    flux, edit : ndarray, shape (n, n_features)
        The spectra as they are, and what is added to them.
    target : ndarray, shape (n,)
        The class each is to become.

    Returns
    -------
    ndarray, shape (n,)
        0 where it is the target already; infinite where `LARGEST` times the edit do not do. To a millionth, but a class
        that comes and goes again within a twentieth is missed.

    Raises
    ------
    AgnsalError
        If the model does not know a target.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> model = LogisticRegression().fit([[-1.0], [1.0]], ["a", "b"])
    >>> multiple_needed(model, np.array([[-3.0], [-3.0]]), np.array([[2.0], [0.1]]), np.array(["b", "b"])).round(3)
    array([1.5, inf])
    """
    function, wanted = as_function(model, flux), np.asarray(target).astype(str)
    unknown = set(wanted.tolist()) - set(map(str, function.classes_))
    if unknown:
        raise AgnsalError(f"{', '.join(sorted(unknown))} is no class of {type(model).__name__}; refit the same model.")

    def reached(multiples: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray(function.predict(flux + multiples[:, None] * edit)).astype(str) == wanted

    steps = np.linspace(0.0, LARGEST, _STEPS + 1)
    along = np.stack([reached(np.full(len(flux), step)) for step in steps])
    first = along.argmax(axis=0)
    low, high = steps[np.maximum(first - 1, 0)], steps[first]
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        there = reached(middle)
        low, high = np.where(there, low, middle), np.where(there, middle, high)
    return np.where(along.any(axis=0), high, np.inf)
