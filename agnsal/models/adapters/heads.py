"""The last step of classifiers: from scores to probabilities and log-odds, written for autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np

from agnsal.models.machine.coupling import pair_signs
from agnsal.models.machine.log_odds import odds_against_rest

Function = Callable[[Any], Any]


def two_columns(f: Any) -> Any:
    """Columns ``(-f, f)`` of a two-class score.

    Parameters
    ----------
    f : ndarray, shape (n,) or (n, 1)
        Positive for the second class.

    Returns
    -------
    ndarray, shape (n, 2)

    Examples
    --------
    >>> two_columns(np.array([1.5]))
    array([[-1.5,  1.5]])
    """
    f = anp.reshape(f, (-1, 1))
    return anp.concatenate([-f, f], axis=1)


def log_sigmoid(f: Any) -> Any:
    """Logarithm of the logistic function, without overflow.

    Parameters
    ----------
    f : ndarray
        Log-odds.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> log_sigmoid(np.array([-800.0, 0.0]))
    array([-8.00000000e+02, -6.93147181e-01])
    """
    return -anp.logaddexp(0.0, -f)


def softmax(logarithms: Any) -> Any:
    """Shares that are proportional to the exponentials.

    Parameters
    ----------
    logarithms : ndarray, shape (n, n_classes)
        Logarithms of unnormalised probabilities.

    Returns
    -------
    ndarray, shape (n, n_classes)
        Rows sum to one.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """
    e = anp.exp(logarithms - anp.max(logarithms, axis=1, keepdims=True))
    return e / anp.sum(e, axis=1, keepdims=True)


def outputs_from_logarithms(logarithms: Function, decision: Function | None = None) -> dict[str, Function]:
    """Probability, log-odds and decision of a classifier that normalises exponentials.

    Parameters
    ----------
    logarithms : callable
        From spectra to logarithms of unnormalised probabilities, (n, n_classes).
    decision : callable, optional
        From spectra to decision values, (n, n_classes); by default the logarithms.

    Returns
    -------
    dict of str to callable

    Examples
    --------
    >>> outputs = outputs_from_logarithms(lambda X: X)
    >>> outputs["log_odds"](np.array([[3.0, 0.0]]))
    array([[ 3., -3.]])
    """
    return {
        "probability": lambda X: softmax(logarithms(X)),
        "log_odds": lambda X: odds_against_rest(logarithms(X)),
        "decision": decision or logarithms,
    }


def outputs_from_binary_score(score: Function) -> dict[str, Function]:
    """Outputs of a two-class model whose decision value is its log-odds.

    Parameters
    ----------
    score : callable
        From spectra to log-odds of the second class, (n,) or (n, 1).

    Returns
    -------
    dict of str to callable

    Examples
    --------
    >>> outputs_from_binary_score(lambda X: X)["probability"](np.array([[0.0]]))
    array([[0.5, 0.5]])
    """
    return {
        "probability": lambda X: softmax(0.5 * two_columns(score(X))),
        "log_odds": lambda X: two_columns(score(X)),
        "decision": lambda X: two_columns(score(X)),
    }


def votes_and_confidence(pairs: Any) -> Any:
    """scikit-learn's one-vs-rest score of pair values: whole votes plus a bounded sum that breaks ties.

    It jumps where a vote flips; its derivative is that of the bounded sum.

    Parameters
    ----------
    pairs : ndarray, shape (n, n_pairs)
        Positive for the first class of each pair.

    Returns
    -------
    ndarray, shape (n, n_classes)

    Examples
    --------
    >>> votes_and_confidence(np.array([[1.0, 1.0, 1.0]])).round(3)
    array([[ 2.222,  1.   , -0.222]])
    """
    n_classes = round((1 + np.sqrt(1 + 8 * pairs.shape[1])) / 2)
    signs = pair_signs(n_classes)
    votes = anp.dot(pairs > 0, np.maximum(signs, 0)) + anp.dot(pairs <= 0, np.maximum(-signs, 0))
    sums = anp.dot(pairs, signs)
    return votes + sums / (3 * (anp.abs(sums) + 1))
