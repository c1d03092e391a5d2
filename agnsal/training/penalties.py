"""Penalties on the use of forbidden wavelengths, for ReLU perceptrons, written so that autograd differentiates them.

A perceptron is a list of (weight, bias), weights of shape (n_out, n_in), with ReLU between the layers and logits at
the end. A mask is 1 where a wavelength must not count, of shape (n_features,) or, one for each spectrum,
(n, n_features); a sky line stands still in the observed frame and so moves in the rest frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import autograd.numpy as anp

from agnsal.attribution.networks.splitting import Rule
from agnsal.models.machine.coupling import sigmoid

Parameters = Sequence[tuple[Any, Any]]
Penalty = Callable[[Parameters, Any, Any], Any]

_TINY = 1e-19  # keeps 0 / 0 away when the bias is shared, as in the authors' training code


def logits(parameters: Parameters, X: Any) -> Any:
    """Raw outputs of a perceptron.

    Parameters
    ----------
    parameters : sequence of (ndarray, ndarray)
        Weights and biases.
    X : ndarray, shape (n, n_features)
        Spectra.

    Returns
    -------
    ndarray, shape (n, n_classes)

    Examples
    --------
    >>> logits([(anp.eye(2), anp.zeros(2)), (anp.ones((1, 2)), anp.ones(1))], anp.array([[2.0, -3.0]]))
    array([[3.]])
    """
    for weight, bias in parameters[:-1]:
        X = anp.maximum(anp.dot(X, weight.T) + bias, 0.0)
    weight, bias = parameters[-1]
    return anp.dot(X, weight.T) + bias


def decompose(parameters: Parameters, X: Any, mask: Any, rule: Rule = "authors") -> tuple[Any, Any]:
    """Contextual decomposition of the logits; see `agnsal.contextual_decomposition`.

    Where both parts of a unit are 0 its bias is irrelevant, as in the authors' code for training: a group of no flux
    is not punished for what it cannot help. (`agnsal.contextual_decomposition` halves it, as their code for
    explaining does.) Everywhere else the two agree.

    Parameters
    ----------
    parameters : sequence of (ndarray, ndarray)
        Weights and biases.
    X : ndarray, shape (n, n_features)
        Spectra.
    mask : ndarray
        What is relevant.
    rule : {"authors", "symmetric"}
        What becomes of the interaction at a ReLU: it is irrelevant, or halved.

    Returns
    -------
    relevant, irrelevant : ndarray, shape (n, n_classes)
    """
    beta, gamma = X * mask, X * (1.0 - mask)
    for number, (weight, bias) in enumerate(parameters):
        if number:
            both, relevant = anp.maximum(beta + gamma, 0.0), anp.maximum(beta, 0.0)
            if rule == "symmetric":
                relevant = 0.5 * (relevant + both - anp.maximum(gamma, 0.0))
            beta, gamma = relevant, both - relevant
        beta, gamma = anp.dot(beta, weight.T), anp.dot(gamma, weight.T)
        share = anp.abs(beta) / (anp.abs(beta) + anp.abs(gamma) + _TINY)
        beta, gamma = beta + share * bias, gamma + (1.0 - share) * bias
    return beta, gamma


def cdep_l1(parameters: Parameters, X: Any, mask: Any) -> Any:
    """Mean absolute contribution of the masked wavelengths to the logits (CDEP, as in the paper).

    It can be satisfied while they are fully used: a group that only inhibits hidden units contributes nothing by this
    measure; `cdep_symmetric` sees it. The paper's sum over the classes is this mean times their number: multiply the
    strength.

    Parameters
    ----------
    parameters : sequence of (ndarray, ndarray)
        Weights and biases.
    X : ndarray, shape (n, n_features)
        Spectra.
    mask : ndarray
        1 where a wavelength must not count.

    Returns
    -------
    float

    References
    ----------
    Rieger, Singh, Murdoch & Yu 2020, ICML, arXiv:1909.13584.
    """
    return anp.mean(anp.abs(decompose(parameters, X, mask)[0]))


def cdep_symmetric(parameters: Parameters, X: Any, mask: Any) -> Any:
    """Mean absolute contribution of the masked wavelengths to the logits, by the symmetric rule.

    Parameters
    ----------
    parameters : sequence of (ndarray, ndarray)
        Weights and biases.
    X : ndarray, shape (n, n_features)
        Spectra.
    mask : ndarray
        1 where a wavelength must not count.

    Returns
    -------
    float

    References
    ----------
    Murdoch, Liu & Yu 2018, arXiv:1801.05453 (the rule).
    """
    return anp.mean(anp.abs(decompose(parameters, X, mask, "symmetric")[0]))


def cdep_softmax(parameters: Parameters, X: Any, mask: Any) -> Any:
    """Mean share of the masked wavelengths in a softmax over (relevant, irrelevant), as in the authors' code.

    Kept for comparison: it rewards large negative contributions and depends on the scale of the logits.

    Parameters
    ----------
    parameters : sequence of (ndarray, ndarray)
        Weights and biases.
    X : ndarray, shape (n, n_features)
        Spectra.
    mask : ndarray
        1 where a wavelength must not count.

    Returns
    -------
    float
    """
    relevant, irrelevant = decompose(parameters, X, mask)
    return anp.mean(sigmoid(relevant - irrelevant))


def rrr(parameters: Parameters, X: Any, mask: Any) -> Any:
    """Right for the right reasons: squared gradient of the summed log-probabilities over the masked wavelengths.

    Parameters
    ----------
    parameters : sequence of (ndarray, ndarray)
        Weights and biases.
    X : ndarray, shape (n, n_features)
        Spectra.
    mask : ndarray
        1 where a wavelength must not count.

    Returns
    -------
    float
        Sum over the wavelengths, mean over the spectra.

    References
    ----------
    Ross, Hughes & Doshi-Velez 2017, IJCAI, arXiv:1703.03717.
    """
    active = []
    for weight, bias in parameters[:-1]:
        z = anp.dot(X, weight.T) + bias
        active.append(z > 0)
        X = anp.maximum(z, 0.0)
    weight, bias = parameters[-1]
    f = anp.dot(X, weight.T) + bias
    e = anp.exp(f - anp.max(f, axis=1, keepdims=True))
    # the derivative of sum_c log p_c over the logits is 1 - n_classes p
    slope = anp.dot(1.0 - f.shape[1] * e / anp.sum(e, axis=1, keepdims=True), weight)
    for (weight, _), on in zip(reversed(parameters[:-1]), reversed(active), strict=True):
        slope = anp.dot(slope * on, weight)
    return anp.sum(mask * slope**2) / len(slope)


def occlusion(parameters: Parameters, X: Any, mask: Any) -> Any:
    """Mean absolute change of the logits when the masked wavelengths are set to 0, the mean of standardised flux.

    Parameters
    ----------
    parameters : sequence of (ndarray, ndarray)
        Weights and biases.
    X : ndarray, shape (n, n_features)
        Spectra.
    mask : ndarray
        1 where a wavelength must not count.

    Returns
    -------
    float
    """
    return anp.mean(anp.abs(logits(parameters, X) - logits(parameters, X * (1.0 - mask))))


#: Penalties by name.
PENALTIES: dict[str, Penalty] = {
    "cdep_l1": cdep_l1,
    "cdep_symmetric": cdep_symmetric,
    "cdep_softmax": cdep_softmax,
    "rrr": rrr,
    "occlusion": occlusion,
}
