"""How sure is an attribution: errors of the flux, and what another training sample would have given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.answer.options import remembered
from agnsal.attribution.question.methods import find_method
from agnsal.attribution.question.question import ask
from agnsal.errors import AgnsalError
from agnsal.models.refitting import bootstrapped
from agnsal.models.validation import flux_of, spectra_and_labels
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.editing.imputation import ProbabilisticPCA
from agnsal.spectra.sample import SpectralSample, refilled

#: Deviations from a linear rule, relative to the largest value, that still count as rounding.
_ROUNDING = 1e-9


def attribution_uncertainty(
    method: str | Callable[..., Attribution],
    model: Any,
    sample: SpectralSample,
    *,
    target: Any = "predicted",
    output: str = "probability",
    n_draws: int = 64,
    n_refits: int = 0,
    training: SpectralSample | tuple[ArrayLike, ArrayLike] | None = None,
    estimator: Any = None,
    imputation: ProbabilisticPCA | None = None,
    random_state: Seed = None,
    **options: Any,
) -> Attribution:
    """Explain spectra, and say how far errors of flux, of training and of filled gaps move the explanation.

    Flux errors are drawn from the inverse variances of the sample; where the attribution is a linear function of the
    flux, bin by bin, they are propagated exactly instead. Training errors come from refits to bootstrap samples.
    The targets, and so the question, stay those of the spectra as observed.

    Parameters
    ----------
    method : str or callable
        Name of a method, or `saliency`, `integrated_gradients`, ... or any function with their signature; options of
        `transformed` that have the same names as these are given by `functools.partial`.
    model : object
        A fitted classifier.
    sample : SpectralSample
        The spectra to explain, with `ivar` where `n_draws` is not 0.
    target, output
        As in `saliency`.
    n_draws : int
        Draws of the noise; 0 leaves flux errors out.
    n_refits : int
        Bootstrap refits; 0 leaves training errors out.
    training : SpectralSample with labels, or (X, y)
        What the model was trained on, for refits.
    estimator : object, optional
        What to refit, if not a clone of `model`.
    imputation : ProbabilisticPCA, optional
        What filled the bad bins of the sample. They are then drawn `n_draws` times from what they may have been.
    random_state : int, RandomState, Generator or None
        Seeds noise, bootstrap and filling.
    **options
        For the method.

    Returns
    -------
    Attribution
        That of the method, with `uncertainty`: ``"flux"``, ``"training"`` and ``"imputation"``. All draws are kept, so
        that `by_line` gives errors of sums with the correlation of their bins. They are `n_draws` times the size of
        the attribution (512 MiB for 1,000 spectra of 1,000 bins and 64 draws), and little more is needed at any time;
        of more spectra ask in parts, ``sample[rows]``, and keep ``by_line()`` or `standard_error` of each.

    Raises
    ------
    AgnsalError
        If the sample has no inverse variances, there is nothing to refit to, or the sample is not what `imputation`
        was fitted to.

    Notes
    -----
    The noise of bins is taken as independent, and bad bins are bridged, or imputed, again in every draw (so that the
    exact rule needs spectra without any). A normalisation of the sample is not drawn again. The draws add noise to flux
    that already has some: where the output bends on the scale of the noise their scatter is that of spectra noisier by
    the root of two. Bootstrap samples are drawn within classes, and given to the estimator as weights if
    it takes them, since repeated spectra would leak between the folds of its cross-validation.

    References
    ----------
    Efron & Tibshirani 1993, An Introduction to the Bootstrap.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(30, 30, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    >>> result = attribution_uncertainty(
    ...     agnsal.input_x_gradient, model, sample[:2], output="decision", n_refits=5, training=sample, random_state=0
    ... )
    >>> result.uncertainty["training"].shape, result.standard_error.shape
    ((5, 2, 1000), (2, 1000))
    >>> table = result.by_line(["Hbeta"])
    >>> table.colnames[7:11]
    ['core_error', 'core_error_flux', 'core_error_training', 'core_significance']
    """
    if not isinstance(sample, SpectralSample):
        raise AgnsalError("errors need a SpectralSample, which knows its inverse variances; got a plain array.")
    if n_draws < 0 or n_draws == 1 or n_refits < 0 or n_refits == 1:
        raise AgnsalError(f"a scatter needs at least 2 draws (or 0 for none); got {n_draws} draws, {n_refits} refits.")
    question = ask(model, sample, target, output, differentiable=False)
    if isinstance(method, str):
        known = find_method(method)
        if known is None:
            raise AgnsalError(f"there is no method {method!r}; give its function.")
        method = known.function
    function = method

    def explain(other: Any, spectra: SpectralSample) -> Attribution:
        return function(other, spectra, target=question.target, output=output, **options)

    seed = seed_of(random_state)
    random = check_random_state(seed)

    def noisy(flux: NDArray[np.float64]) -> SpectralSample:
        return refilled(sample, flux) if imputation is None else imputation.impute(sample.with_flux(flux))

    sample = sample if imputation is None else imputation.impute(sample)
    result = explain(model, sample)
    uncertainty = dict(result.uncertainty or {})
    exact = False
    if n_draws:
        uncertainty["flux"], exact = _flux_errors(
            lambda flux: explain(model, noisy(flux)), sample, result, n_draws, random
        )
    if n_refits:
        X, y = _training(training)
        fresh = model if estimator is None else estimator
        if not hasattr(fresh, "get_params"):
            raise AgnsalError(
                f"a {type(fresh).__name__} cannot be fitted again; give a scikit-learn estimator as estimator=..."
            )
        uncertainty["training"] = np.empty((n_refits, *result.values.shape))
        for draw in uncertainty["training"]:
            draw[:] = explain(bootstrapped(fresh, X, y, random), sample).values
    if imputation is not None and n_draws:
        filled = imputation.draws(sample, n_draws, random_state=random)
        uncertainty["imputation"] = np.stack([explain(model, spectra).values for spectra in filled])
    provenance = {
        **result.provenance,
        "flux_errors": "none" if not n_draws else "exact" if exact else f"{n_draws} draws",
        "n_refits": n_refits,
        "uncertainty_random_state": seed,
    }
    asked = remembered({**result.options, "target": target}) if result.options else {}
    return replace(result, uncertainty=uncertainty or None, options=asked, provenance=provenance)


def _flux_errors(
    explain: Callable[[NDArray[np.float64]], Attribution],
    sample: SpectralSample,
    result: Attribution,
    n_draws: int,
    random: np.random.RandomState,
) -> tuple[NDArray[np.float64], bool]:
    """Standard errors where the attribution is linear in each bin, else draws; and which of them."""
    if sample.ivar is None or not sample.has_errors.all():
        raise AgnsalError("the sample has no inverse variances; give it ivar, or leave flux errors out with n_draws=0.")
    sigma = np.zeros_like(sample.flux)
    np.divide(
        1.0, np.sqrt(sample.ivar, where=sample.ivar > 0, out=np.ones_like(sigma)), out=sigma, where=sample.ivar > 0
    )

    def deviation(noise: NDArray[np.float64]) -> NDArray[np.float64]:
        return explain(sample.flux + sigma * noise).values - result.values

    # two unlike deviations tell whether each value answers to its own bin only, and in proportion
    if result.values.shape == sample.flux.shape:
        first, second = random.choice([-1.0, 1.0], size=sigma.shape), random.standard_normal(sigma.shape)
        slope = deviation(first) * first
        miss = np.abs(deviation(second) - slope * second).max(axis=1)
        if (miss <= _ROUNDING * np.abs(result.values).max(axis=1)).all():
            return np.abs(slope), True
    draws = np.empty((n_draws, *result.values.shape))
    for draw in draws:
        np.add(result.values, deviation(random.standard_normal(sigma.shape)), out=draw)
    return draws, False


def _training(training: Any) -> tuple[NDArray[np.float64], NDArray[Any]]:
    if isinstance(training, SpectralSample):
        if training.labels is None:
            raise AgnsalError("the training sample has no labels to refit to; give training=(X, y).")
        return training.flux, training.labels
    if training is None or len(training) != 2:
        raise AgnsalError("refits need what the model was trained on: training=sample, or training=(X, y).")
    X, y = flux_of(training[0]), np.asarray(spectra_and_labels(*training)[1])
    if len(X) != len(y):
        raise AgnsalError(f"training has {len(X)} spectra and {len(y)} labels.")
    return X, y
