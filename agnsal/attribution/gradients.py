"""Attribution by the gradient of a model's output over wavelength."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from agnsal.attribution.question import ask
from agnsal.attribution.result import Attribution
from agnsal.spectra.sample import SpectralSample


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
    return question.answer(question.gradient(question.X), method="saliency", per_flux=True)
