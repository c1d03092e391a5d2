"""Attribution by the gradient along a path from a baseline to the spectrum: it adds up to the change of the output."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.question.baselines import resolve_baseline
from agnsal.attribution.question.methods import declare
from agnsal.attribution.question.question import ask
from agnsal.attribution.question.sampling import Moments, add_blocks
from agnsal.errors import AgnsalError
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.sample import SpectralSample

RULES = ("gauss_legendre", "midpoint", "left")


def path_rule(rule: str, n_steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of a quadrature rule on [0, 1].

    Parameters
    ----------
    rule : {"gauss_legendre", "midpoint", "left"}
        Gauss and Legendre's nodes, or equal steps taken at their middle or their left end.
    n_steps : int
        Number of nodes.

    Returns
    -------
    nodes, weights : ndarray, shape (n_steps,)
        The weights sum to one.

    Raises
    ------
    AgnsalError
        If the rule is unknown or there is no step.

    Examples
    --------
    >>> path_rule("left", 4)
    (array([0.  , 0.25, 0.5 , 0.75]), array([0.25, 0.25, 0.25, 0.25]))
    """
    if rule not in RULES:
        raise AgnsalError(f"rule must be one of {', '.join(RULES)}, got {rule!r}.")
    if n_steps < 1:
        raise AgnsalError(f"n_steps must be at least 1, got {n_steps}.")
    if rule == "gauss_legendre":
        nodes, weights = np.polynomial.legendre.leggauss(n_steps)
        return 0.5 * (nodes + 1.0), 0.5 * weights
    start = 0.5 if rule == "midpoint" else 0.0
    return (np.arange(n_steps) + start) / n_steps, np.full(n_steps, 1.0 / n_steps)


@declare("integrated gradients", answers="shares", judged={"integrated gradients": {"n_steps": 64, "rule": "midpoint"}})
def integrated_gradients(
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: str = "probability",
    *,
    baseline: Any = None,
    n_steps: int = 32,
    rule: Literal["gauss_legendre", "midpoint", "left"] = "gauss_legendre",
) -> Attribution:
    """Difference to the baseline times the mean gradient on the straight line between them.

    The values of a spectrum sum to the difference of the output between it and the baseline; what the quadrature
    misses is in `Attribution.residual`, and a warning is given where that is more than 5 % of the difference.

    Parameters
    ----------
    model, sample_or_X, target, output
        As in `saliency`.
    baseline : array_like of shape (n_features,) or (n, n_features), str, tuple, or None
        What the spectra are compared with: spectra, ``"zero"``, ``"mean"`` (of the spectra explained),
        ``("class mean", label)`` of the sample explained, ``"continuum"`` (each spectrum without its emission lines,
        see `continuum`), or None for the training mean, where the model knows it.
    n_steps : int
        Gradients on the way.
    rule : {"gauss_legendre", "midpoint", "left"}
        How the mean is taken. ``"left"`` is the rule of the earliest implementations.

    Returns
    -------
    Attribution
        Without unit, with `baseline` and `residual`.

    Raises
    ------
    AgnsalError
        If the baseline is not known or does not fit, or the rule is unknown.

    References
    ----------
    Sundararajan, Taly & Yan 2017, arXiv:1703.01365.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import ProbabilisticSVC
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = ProbabilisticSVC(random_state=0).fit(X, np.where(X[:, 1] > 0, "up", "down"))
    >>> result = integrated_gradients(model, X, target="up", baseline="zero")
    >>> bool(np.abs(result.residual).max() < 1e-9)
    True
    """
    question = ask(model, sample_or_X, target, output)
    reference, name = resolve_baseline(question, baseline)
    nodes, weights = path_rule(rule, n_steps)
    X, start = question.X, np.broadcast_to(reference, question.X.shape)
    mean = np.zeros(X.shape)
    for rows, steps in question.blocks(n_steps):
        gradient = question.gradient(start[rows] + nodes[steps, None] * (X[rows] - start[rows]), rows)
        gradient *= weights[steps, None]
        add_blocks(mean, rows, gradient)
    values = (X - start) * mean
    at_baseline = question.explained(np.ascontiguousarray(start))
    return question.answer(
        values,
        method="integrated_gradients",
        baseline=reference,
        residual=question.residual(values, at_baseline, "take more steps (n_steps)"),
        options={"baseline": baseline, "n_steps": n_steps, "rule": rule},
        found={"baseline": name},
    )


@declare("expected gradients", answers="shares", judged={"expected gradients": {"n_samples": 64}})
def expected_gradients(
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: str = "probability",
    *,
    background: SpectralSample | ArrayLike,
    n_samples: int = 256,
    random_state: Seed = None,
) -> Attribution:
    """Integrated gradients averaged over many baselines, by sampling baseline and place on the way together.

    The values of a spectrum sum to the difference between its output and the mean output of the background, up to
    `Attribution.residual`, which the sampling leaves; a warning is given where it is more than 5 % of the difference
    and more than three standard errors.

    Parameters
    ----------
    model, sample_or_X, target, output
        As in `saliency`.
    background : SpectralSample or array_like, shape (m, n_features)
        The baselines, for instance the training spectra.
    n_samples : int
        Gradients for each spectrum. Places on the way are stratified, baselines are taken in turn from random
        orders; all spectra get the same draws.
    random_state : int, RandomState, Generator or None
        Seeds the draws.

    Returns
    -------
    Attribution
        Without unit, with `residual`; `baseline` is the mean of the background.

    Raises
    ------
    AgnsalError
        If the background does not fit, or there are fewer than two samples.

    References
    ----------
    Erion et al. 2021, Nature Machine Intelligence 3, 620, arXiv:1906.10670.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import ProbabilisticSVC
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = ProbabilisticSVC(random_state=0).fit(X, np.where(X[:, 1] > 0, "up", "down"))
    >>> result = expected_gradients(model, X[:5], background=X, n_samples=600, random_state=0)
    >>> bool(np.abs(result.residual).max() < 0.05)
    True
    """
    question = ask(model, sample_or_X, target, output)
    baselines = ask(question.model, background, question.model.classes_[0], "decision").X
    if n_samples < 2 or not len(baselines):
        raise AgnsalError(f"at least 2 samples of at least 1 baseline are needed, got {n_samples} of {len(baselines)}.")
    seed = seed_of(random_state)
    random = check_random_state(seed)
    orders = [random.permutation(len(baselines)) for _ in range(-(-n_samples // len(baselines)))]
    chosen = baselines[np.concatenate(orders)[:n_samples]]
    places = random.permutation((np.arange(n_samples) + random.random_sample(n_samples)) / n_samples)
    X, mean, totals = question.X, np.zeros(question.X.shape), Moments((len(question.X), 1))
    for rows, draws in question.blocks(n_samples):
        step = X[rows] - chosen[draws]
        share = step * question.gradient(chosen[draws] + places[draws, None] * step, rows)
        add_blocks(mean, rows, share / n_samples)
        totals.add(rows, share.sum(axis=1, keepdims=True))
    reference = np.zeros(len(X))
    for rows, numbers in question.blocks(len(baselines)):
        add_blocks(reference, rows, question.explained(baselines[numbers], rows) / len(baselines))
    return question.answer(
        mean,
        method="expected_gradients",
        baseline=baselines.mean(axis=0),
        residual=question.residual(
            mean,
            reference,
            "take more samples (n_samples)",
            scale=3.0 * np.sqrt(totals.variance[:, 0] / n_samples),
        ),
        options={"background": background, "n_samples": n_samples, "random_state": seed},
        found={"baseline": f"background of {len(baselines)}"},
    )
