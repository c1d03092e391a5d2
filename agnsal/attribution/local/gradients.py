"""Attribution by the gradient of a model's output over wavelength."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.question.methods import declare
from agnsal.attribution.question.question import Question, ask
from agnsal.attribution.question.sampling import Moments
from agnsal.errors import AgnsalError, one_of, real_numbers
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.editing.filling import noise_level
from agnsal.spectra.sample import SpectralSample


@declare("gradient", answers="gradient")
def saliency(
    model: Any, sample_or_X: SpectralSample | ArrayLike, target: Any = "predicted", output: str = "probability"
) -> Attribution:
    """Gradient of an output with respect to the flux in every bin: the saliency map, with its sign.

    It is exact: the kernels, the Platt sigmoids and the pairwise coupling of a `ProbabilisticSVC` are differentiated
    in closed form. Where a probability saturates its gradient vanishes; ask for ``output="log_odds"`` there. All maps
    of a linear machine with two classes are one vector times a scalar, and with three lie in the span of three.

    Parameters
    ----------
    model : object
        A fitted classifier: anything `as_differentiable` takes.
    sample_or_X : SpectralSample or array_like, shape (n, n_features)
        The spectra to explain, as the model was given them.
    target : str, label or array_like, shape (n,)
        ``"predicted"``, one class label, or one for each spectrum.
    output : {"probability", "log_odds", "decision", "pairwise"}
        What is differentiated.

    Returns
    -------
    Attribution
        Per unit of flux.

    Raises
    ------
    AgnsalError
        If the spectra do not fit the model, or the target or output is unknown.

    References
    ----------
    Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034, section 3; for spectra and SVMs Peruzzi et al. 2021,
    A&A 652, A19.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import ProbabilisticSVC, saliency
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = ProbabilisticSVC(kernel="linear", random_state=0).fit(X, np.where(X[:, 1] > 0, "up", "down"))
    >>> result = saliency(model, X, target="up")
    >>> int(np.abs(result.values).mean(axis=0).argmax())
    1
    """
    question = ask(model, sample_or_X, target, output)
    return question.answer(question.gradient_here, method="saliency")


@declare("input x gradient", answers="shares")
def input_x_gradient(
    model: Any, sample_or_X: SpectralSample | ArrayLike, target: Any = "predicted", output: str = "probability"
) -> Attribution:
    """Flux times gradient, bin by bin.

    For a linear function without intercept it shares the output out exactly; otherwise it is the first-order change
    on the way to zero flux. Its sum does not depend on the basis of the spectra.

    Parameters
    ----------
    model, sample_or_X, target, output
        As in `saliency`.

    Returns
    -------
    Attribution
        Without unit.

    Raises
    ------
    AgnsalError
        If the spectra do not fit the model, or the target or output is unknown.

    References
    ----------
    Shrikumar et al. 2016, arXiv:1605.01713.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import ProbabilisticSVC, saliency
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = ProbabilisticSVC(kernel="linear", random_state=0).fit(X, np.where(X[:, 1] > 0, "up", "down"))
    >>> bool(np.allclose(input_x_gradient(model, X).values, X * saliency(model, X).values))
    True
    """
    question = ask(model, sample_or_X, target, output)
    return question.answer(question.X * question.gradient_here, method="input_x_gradient")


@declare("SmoothGrad", answers="gradient")
def smooth_gradient(
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: str = "probability",
    *,
    n_samples: int = 64,
    noise: ArrayLike | Literal["flux errors"] | None = None,
    statistic: Literal["mean", "variance"] = "mean",
    random_state: Seed = None,
) -> Attribution:
    """Mean (SmoothGrad) or variance (VarGrad) of the gradient over noisy copies of each spectrum.

    Parameters
    ----------
    model, sample_or_X, target, output
        As in `saliency`.
    n_samples : int
        Noisy copies of each spectrum; all spectra get the same draws of a unit normal, so that a map does not depend
        on which others were explained with it.
    noise : float, array_like of shape (n_features,) or (n, n_features), "flux errors", or None
        Standard deviation in the unit of the flux; ``"flux errors"`` takes it from the inverse variance of the
        sample. None is 0.15 of the range of each spectrum, the middle of what the authors recommend for images.
    statistic : {"mean", "variance"}
        The mean, or the unbiased variance, which `variance_gradient` gives as well.
    random_state : int, RandomState, Generator or None
        Seeds the draws.

    Returns
    -------
    Attribution
        Per unit of flux (the variance per its square). The standard error of the mean is the root of the variance
        over `n_samples`.

    Raises
    ------
    AgnsalError
        If the noise is negative, of the wrong shape or not known, or there are fewer than two samples.

    References
    ----------
    Smilkov et al. 2017, arXiv:1706.03825 (SmoothGrad); Adebayo et al. 2018, arXiv:1810.03292 (VarGrad).

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import ProbabilisticSVC
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = ProbabilisticSVC(kernel="linear", random_state=0).fit(X, np.where(X[:, 1] > 0, "up", "down"))
    >>> result = smooth_gradient(model, X[:4], n_samples=16, noise=0.2, random_state=0)
    >>> np.abs(result.values).argmax(axis=1)
    array([1, 1, 1, 1])
    """
    one_of("statistic", statistic, ("mean", "variance"))
    if statistic == "variance":
        return variance_gradient(
            model, sample_or_X, target, output, n_samples=n_samples, noise=noise, random_state=random_state
        )
    question, seed = ask(model, sample_or_X, target, output), seed_of(random_state)
    options = {"n_samples": n_samples, "noise": noise, "statistic": statistic, "random_state": seed}
    moments = _moments(question, n_samples, noise, seed)
    return question.answer(moments.mean, method="smooth_gradient", options=options)


@declare("VarGrad", answers="variance", judged={})
def variance_gradient(
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: str = "probability",
    *,
    n_samples: int = 64,
    noise: ArrayLike | Literal["flux errors"] | None = None,
    random_state: Seed = None,
) -> Attribution:
    """Unbiased variance of the gradient over noisy copies of each spectrum (VarGrad).

    Parameters
    ----------
    model, sample_or_X, target, output
        As in `saliency`.
    n_samples, noise, random_state
        As in `smooth_gradient`.

    Returns
    -------
    Attribution
        Per square of the unit of flux; it has no sign.

    Raises
    ------
    AgnsalError
        As in `smooth_gradient`.

    References
    ----------
    Adebayo et al. 2018, arXiv:1810.03292.

    Examples
    --------
    >>> from agnsal import simulate_agn, ProbabilisticSVC
    >>> sample = simulate_agn(20, 20, 0, seed=1)
    >>> model = ProbabilisticSVC(random_state=0).fit(sample.flux, sample.labels)
    >>> result = variance_gradient(model, sample[:2], random_state=0)
    >>> result.unit * result.flux_unit**2
    Unit(dimensionless)
    """
    question, seed = ask(model, sample_or_X, target, output), seed_of(random_state)
    options = {"n_samples": n_samples, "noise": noise, "random_state": seed}
    moments = _moments(question, n_samples, noise, seed)
    return question.answer(moments.variance, method="variance_gradient", options=options)


def _moments(question: Question, n_samples: int, noise: Any, seed: int) -> Moments:
    """Mean and variance of the gradient over noisy copies of each spectrum."""
    if n_samples < 2:
        raise AgnsalError(f"n_samples must be at least 2, got {n_samples}.")
    X, sigma = question.X, np.broadcast_to(_noise(question, noise), question.X.shape)
    draws = check_random_state(seed).standard_normal((n_samples, X.shape[1]))
    moments = Moments(X.shape)
    for rows, variants in question.blocks(n_samples):
        moments.add(rows, question.gradient(X[rows] + sigma[rows] * draws[variants], rows))
    return moments


def _noise(question: Question, noise: Any) -> NDArray[np.float64]:
    """Standard deviation of the noise to add, broadcastable to the spectra."""
    X = question.X
    if noise is None:
        return 0.15 * np.ptp(X, axis=1, keepdims=True)
    if isinstance(noise, str):
        ivar = None if question.sample is None else question.sample.ivar
        if noise != "flux errors":
            raise AgnsalError(f'noise must be a number, an array, "flux errors" or None, got {noise!r}.')
        if ivar is None:
            raise AgnsalError("the flux errors are not known: explain a SpectralSample with ivar, or give noise.")
        return noise_level(X, ivar)
    sigma = real_numbers("noise", noise)
    if sigma.shape not in ((), X.shape[1:], X.shape):
        raise AgnsalError(f"noise has shape {sigma.shape}; expected one number, {X.shape[1:]} or {X.shape}.")
    if not (sigma >= 0).all():
        raise AgnsalError("noise is a standard deviation and must not be negative or NaN.")
    return sigma
