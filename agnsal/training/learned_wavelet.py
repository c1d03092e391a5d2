"""An orthogonal wavelet learned from spectra and from what matters in them to a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError, one_of
from agnsal.models.validation import flux_of
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.sample import SpectralSample
from agnsal.training.optimization import adam, epochs
from agnsal.training.wavelet_transform import decompose, filter_of, orthogonality_losses, reconstruct

Attributed = Literal["saliency", "input_x_gradient"]


@dataclass(frozen=True, eq=False)
class LearnedWavelet:
    """An orthogonal wavelet, and what it was learned with.

    Attributes
    ----------
    filter : ndarray, shape (n,)
        Scaling filter.
    level : int
        Levels of the transform.
    gamma : float
        Weight of the attributions; NaN for a wavelet that was not learned.
    loss_curve : tuple of float
        Mean loss of each epoch.
    """

    filter: NDArray[np.float64]
    level: int
    gamma: float
    loss_curve: tuple[float, ...] = ()

    def transform(self, X: ArrayLike) -> list[NDArray[np.float64]]:
        """Coefficients of each scale, from the smooth part to the finest details.

        Parameters
        ----------
        X : array_like, shape (n_spectra, n_features)
            Spectra, or gradients over wavelength: those over the coefficients are the same transform of them.

        Returns
        -------
        list of ndarray
        """
        return decompose(np.asarray(X, dtype=np.float64), self.filter, self.level)

    def top_coefficients(self, X: ArrayLike, m: int = 6) -> NDArray[np.float64]:
        """The m largest coefficients of each scale, in order: features that do not depend on where a thing is.

        Parameters
        ----------
        X : array_like, shape (n_spectra, n_features)
            Spectra.
        m : int
            How many; all of a scale that has fewer.

        Returns
        -------
        ndarray, shape (n_spectra, at most (level + 1) * m)
        """
        return np.concatenate([-np.sort(-part, axis=1)[:, :m] for part in self.transform(X)], axis=1)


def distillation_loss(
    h: Any,
    X: NDArray[Any],
    gradients: NDArray[Any],
    *,
    level: int,
    sparsity: float,
    gamma: float,
    attribution: Attributed = "saliency",
) -> Any:
    """What a wavelet is learned by: reconstruction, orthogonality, sparse coefficients, sparse attributions.

    Because the residual of the reconstruction is kept, the classifier is always evaluated at the spectrum itself, and
    the gradient over the coefficients is the transpose of the reconstruction applied to the gradient over wavelength:
    no second pass through the classifier is needed.

    Parameters
    ----------
    h : ndarray, shape (n,)
        Scaling filter.
    X, gradients : ndarray, shape (n_spectra, n_features)
        Spectra, and gradients of what is distilled.
    level : int
        Levels of the transform.
    sparsity, gamma : float
        Weights of the coefficients and of the attributions.
    attribution : {"saliency", "input_x_gradient"}
        Gradients over the coefficients, or coefficients times them.

    Returns
    -------
    float

    References
    ----------
    Ha, Singh, Lanusse, Upadhyayula & Yu 2021, NeurIPS, arXiv:2107.09145.
    """
    parts = decompose(X, h, level)
    loss = anp.sum((X - reconstruct(parts, h, X.shape[1])) ** 2) / len(X)
    for value in orthogonality_losses(h).values():
        loss = loss + value
    scale = 1.0 / ((level + 1) * len(X))
    if sparsity:
        loss = loss + sparsity * scale * sum(anp.sum(anp.abs(part)) for part in parts)
    if gamma:
        slopes = decompose(gradients, h, level)
        if attribution == "input_x_gradient":
            slopes = [part * slope for part, slope in zip(parts, slopes, strict=True)]
        loss = loss + gamma * scale * sum(anp.sum(anp.abs(slope)) for slope in slopes)
    return loss


def learn_wavelet(
    X: SpectralSample | ArrayLike,
    gradients: ArrayLike,
    *,
    wavelet: str | ArrayLike = "db5",
    level: int = 4,
    gamma: float = 1.0,
    sparsity: float = 5e-3,
    attribution: Attributed = "saliency",
    learning_rate: float = 2e-3,
    max_epochs: int = 5,
    batch_size: int = 100,
    random_state: Seed = None,
    progress: bool = False,
) -> LearnedWavelet:
    """Learn an orthogonal wavelet in which spectra, and what matters in them to a classifier, are sparse.

    A wavelet moves along the bins: put spectra on a logarithmic grid, where lines of one velocity width are equally
    wide in bins everywhere.

    Parameters
    ----------
    X : SpectralSample or array_like, shape (n, n_features)
        Spectra.
    gradients : array_like, shape (n, n_features)
        Gradients of what is distilled (for instance the log-odds of a class), as `saliency` gives them.
    wavelet : str or array_like
        Where to start: the name of an orthogonal wavelet or a scaling filter.
    level : int
        Levels of the transform.
    gamma : float
        Weight of the attributions, in inverse units of the gradients; 0 is the ablation, without a classifier.
    sparsity : float
        Weight of the coefficients.
    attribution : {"saliency", "input_x_gradient"}
        See `distillation_loss`.
    learning_rate, max_epochs, batch_size
        Of Adam.
    random_state : int, RandomState, Generator or None
        For the batches.
    progress : bool
        Show a progress bar.

    Returns
    -------
    LearnedWavelet

    Raises
    ------
    AgnsalError
        If the gradients do not fit the spectra, or an option makes no sense.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(40, 32))
    >>> learned = learn_wavelet(X, np.zeros_like(X), wavelet="db2", level=2, gamma=0.0, max_epochs=2, random_state=0)
    >>> learned.filter.shape, len(learned.loss_curve)
    ((4,), 2)
    """
    X, gradients = flux_of(X), np.asarray(gradients, dtype=np.float64)
    if gradients.shape != X.shape:
        raise AgnsalError(f"gradients must have the shape of the spectra, {X.shape}, got {gradients.shape}.")
    one_of("attribution", attribution, ("saliency", "input_x_gradient"))
    if min(gamma, sparsity) < 0 or level < 1:
        raise AgnsalError(f"gamma, sparsity and level must be positive, got {gamma}, {sparsity} and {level}.")
    h, random = filter_of(wavelet), np.random.default_rng(seed_of(random_state))
    options: dict[str, Any] = {"level": level, "sparsity": sparsity, "gamma": gamma, "attribution": attribution}
    step = adam(
        value_and_grad(lambda h, rows: distillation_loss(h, X[rows], gradients[rows], **options)), learning_rate
    )
    curve = []
    for _ in epochs(max_epochs, progress):
        order, losses = random.permutation(len(X)), []
        for start in range(0, len(order), batch_size):
            value, h = step(h, order[start : start + batch_size])
            losses.append(value)
        curve.append(float(np.mean(losses)))
    return LearnedWavelet(h, level, gamma, tuple(curve))


def compression(wavelet: LearnedWavelet, gradients: ArrayLike, energy: float = 0.99) -> float:
    """Share of the coefficients that hold most of the attribution.

    Parameters
    ----------
    wavelet : LearnedWavelet
        The wavelet.
    gradients : array_like, shape (n, n_features)
        Gradients over wavelength.
    energy : float
        Share of the squared attributions to be held.

    Returns
    -------
    float
        Mean over the spectra; small is good.
    """
    squares = -np.sort(-(np.concatenate(wavelet.transform(gradients), axis=1) ** 2), axis=1)
    total = np.cumsum(squares, axis=1)
    return float(np.mean((total < energy * total[:, -1:]).sum(axis=1) + 1) / squares.shape[1])
