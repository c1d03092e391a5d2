"""Removal with and without retraining: is what a map calls important what the labels hang on?"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import balanced_accuracy_score

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.methods import find_method
from agnsal.checks.faithfulness import make_trial
from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.models.refitting import fresh_copy
from agnsal.models.validation import flux_of, spectra_and_labels
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.sample import SpectralSample

Labelled = SpectralSample | tuple[ArrayLike, ArrayLike]


def remove_and_retrain(
    method: str | Callable[..., Attribution],
    model: Any,
    training: Labelled,
    test: Labelled,
    *,
    shares: Sequence[float] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9),
    regions: Any = None,
    random_state: Seed = None,
    **options: Any,
) -> QTable:
    """Accuracy while more and more of what a method calls important is removed, before and after training anew.

    Deletion shows a model spectra it has never seen the like of. A model that was trained on such spectra knows them,
    and what it still gets right was not removed. Windows are removed from each spectrum of both sets in the order of
    its map, and in a random order beside it: a method that knows what matters falls below chance order.

    Parameters
    ----------
    method : str or callable
        Name of a method, or a function with the signature of one.
    model : estimator
        Fitted to the training set, and of scikit-learn's kind, so that it can be fitted again.
    training, test : SpectralSample with labels, or (X, y)
        Training set, and spectra to judge by.
    shares : sequence of float
        Shares of the windows to remove, from 0 to 1.
    regions : object, optional
        What is removed together, as in `occlusion`; by default windows of a hundredth of the bins.
    random_state : int, RandomState, Generator or None
        Seeds the random order and the noise.
    **options
        For the method.

    Returns
    -------
    QTable
        A row per share: ``removed``, and the balanced accuracy on the test set: ``kept`` and ``retrained`` in the order
        of the map, ``kept_random`` and ``retrained_random`` in a random order.

    Raises
    ------
    AgnsalError
        If a share is none, or the model cannot be fitted again.

    See Also
    --------
    check : deletion and insertion of single maps, and more.

    Notes
    -----
    Gaps are bridged by straight lines with the pixel noise of the spectrum on top (noisy linear imputation), because a
    constant fill tells where something was removed, and so the predicted class. Bridges tell it too, where much is
    removed: the retrained accuracy then rises again, so read the first shares. Where information is redundant a
    retrained model uses the rest: then nothing falls, which says nothing against a map.

    References
    ----------
    Hooker et al. 2019, NeurIPS, arXiv:1806.10758 (ROAR, with retraining); Rong et al. 2022, ICML, arXiv:2202.00449
    (ROAD, without).

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 40)), np.repeat([0, 1], 200)
    >>> X[y == 1, 10:14] += 1.5
    >>> model = LogisticRegression().fit(X[::2], y[::2])
    >>> halves = (X[::2], y[::2]), (X[1::2], y[1::2])
    >>> table = remove_and_retrain("input_x_gradient", model, *halves, shares=[0, 0.2], regions=4, random_state=0)
    >>> bool(table["retrained"][1] < table["retrained_random"][1])
    True
    """
    known = find_method(method) if isinstance(method, str) else None
    function = method if known is None else known.function
    if not callable(function):
        raise AgnsalError(f"there is no method {method!r}; see the names in agnsal.attribution.methods.every_method.")
    if not len(shares) or min(shares) < 0 or max(shares) > 1:
        raise AgnsalError(f"shares are from 0 to 1, got {list(shares)}.")
    rng = np.random.default_rng(seed_of(random_state))
    sets = [_Removal.of(function, model, given, regions, options, rng) for given in (training, test)]
    table = QTable(names=["removed", "kept", "retrained", "kept_random", "retrained_random"])
    for share in shares:
        row = [float(share)]
        for order in ("rank", "random"):
            (X, y), (X_test, y_test) = ((each.without(share, order), each.y) for each in sets)
            again = fresh_copy(model).fit(X, y)
            row += [balanced_accuracy_score(y_test, one.predict(X_test)) for one in (model, again)]
        table.add_row(row)
    return table


class _Removal:
    """A set of spectra from which windows are removed in the order of a map, or in a random one."""

    def __init__(self, X: NDArray[Any], y: NDArray[Any], labels: NDArray[Any], effects: NDArray[Any], rng: Any) -> None:
        self.X, self.y, self.labels = X, y, labels
        self.rank = np.argsort(np.argsort(-effects, axis=1, kind="stable"), axis=1)
        self.random = rng.permuted(self.rank, axis=1)
        # the difference of neighbours is noise, as the median over a spectrum knows no lines
        pixel = 1.4826 / np.sqrt(2) * np.median(np.abs(np.diff(X, axis=1)), axis=1, keepdims=True)
        self.noise = pixel * rng.normal(size=X.shape)

    @classmethod
    def of(
        cls, function: Callable[..., Attribution], model: Any, given: Any, regions: Any, options: Any, rng: Any
    ) -> Any:
        """Explain the predicted classes of a set."""
        spectra, y = (given, None) if isinstance(given, SpectralSample) else given
        spectra, y = (
            spectra if isinstance(spectra, SpectralSample) else flux_of(spectra),
            spectra_and_labels(spectra, y)[1],
        )
        with warnings.catch_warnings():  # what a method has to say is no news for every training set
            warnings.simplefilter("ignore", AgnsalWarning)
            trial = make_trial(function(model, spectra, **options), model, spectra, regions=regions)
        return cls(trial.question.X, np.asarray(y), trial.regions.labels, trial.window_effects, rng)

    def without(self, share: float, order: str) -> NDArray[np.float64]:
        """Spectra without a share of their windows, bridged."""
        count = round(share * self.rank.shape[1])
        removed = (getattr(self, order) < count)[:, self.labels]
        X, bins = self.X.copy(), np.arange(self.X.shape[1])
        for x, noise, gone in zip(X, self.noise, removed, strict=True):
            level = np.interp(bins[gone], bins[~gone], x[~gone]) if not gone.all() else np.full(bins.size, x.mean())
            x[gone] = level + noise[gone]
        return X
