"""Does a classifier use what it must not? Accuracy when forbidden wavelengths are flipped, shuffled or removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.networks.decomposition import contextual_decomposition
from agnsal.errors import AgnsalError
from agnsal.models.networks.network import Network
from agnsal.models.validation import flux_of
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample


def reliance(
    classifiers: Mapping[str, Any],
    X: SpectralSample | ArrayLike,
    y: ArrayLike,
    mask: Regions | ArrayLike,
    *,
    random_state: Seed = None,
) -> QTable:
    """Test on unseen spectra whether classifiers rely on wavelengths that must not count.

    A classifier that does not keeps its accuracy in all columns. One that does loses it where the forbidden flux
    comes from another spectrum, and most where it comes from one of another class.

    Parameters
    ----------
    classifiers : mapping of str to classifier
        Fitted, with a method ``predict``.
    X : SpectralSample or array_like, shape (n, n_features)
        Spectra that were not trained on, as the classifiers take them, standardised.
    y : array_like, shape (n,)
        Their labels.
    mask : Regions or array_like of bool, shape (n_features,) or (n, n_features)
        Forbidden regions; or forbidden wavelengths of all spectra or of each.
    random_state : int, RandomState, Generator or None
        For the choice of the other spectra.

    Returns
    -------
    QTable
        A row per classifier: its ``name``; the accuracies ``as_is``, ``shuffled`` (forbidden flux of any other
        spectrum), ``flipped`` (of one of another class) and ``removed`` (set to 0, the mean); and where the classifier
        is a network (or has one as ``network_``) ``contribution`` and ``occlusion``: mean absolute contribution of
        the forbidden wavelengths to the outputs by contextual decomposition, and mean absolute change of the outputs
        when they are removed. A small contribution beside a large occlusion is a decoy that hides.

    Raises
    ------
    AgnsalError
        If the mask does not fit or there is only one class.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=100)
    >>> X = np.stack([2.0 * y - 1.0, rng.normal(size=100)], axis=1)
    >>> cheat = Network.dense([[[-1.0, 0.0], [1.0, 0.0]]], [[0.0, 0.0]], classes=[0, 1])
    >>> print(reliance({"cheat": cheat}, X, y, np.array([True, False]))["name", "as_is", "flipped"])
     name as_is flipped
    ----- ----- -------
    cheat   1.0     0.0
    """
    X, y = flux_of(X), np.asarray(y)
    mask = mask.covered if isinstance(mask, Regions) else np.asarray(mask)
    if mask.dtype != bool or mask.shape not in (X.shape, X.shape[1:]):
        raise AgnsalError(
            f"mask must be boolean, of shape ({X.shape[1]},) or {X.shape}, got {mask.dtype} {mask.shape}."
        )
    if len(np.unique(y)) < 2:
        raise AgnsalError("flipping needs spectra of at least two classes.")
    masks = np.broadcast_to(mask, X.shape)
    random = np.random.default_rng(seed_of(random_state))
    others = np.array([random.choice(np.flatnonzero(y != label)) for label in y])
    versions = {
        "as_is": X,
        "shuffled": transplant(X, masks, random.permutation(len(X))),
        "flipped": transplant(X, masks, others),
        "removed": np.where(masks, 0.0, X),
    }
    table = QTable()
    table["name"] = list(classifiers)
    for name, version in versions.items():
        table[name] = [float(np.mean(np.asarray(c.predict(version)) == y)) for c in classifiers.values()]
    networks = [c if isinstance(c, Network) else getattr(c, "network_", None) for c in classifiers.values()]
    table["contribution"] = [
        np.nan if n is None else _size(contextual_decomposition(n, X, masks * X)[0]) for n in networks
    ]
    table["occlusion"] = [
        np.nan if n is None else _size(n.forward(X) - n.forward(versions["removed"])) for n in networks
    ]
    return table


def transplant(X: NDArray[np.float64], masks: NDArray[np.bool_], donors: NDArray[np.intp]) -> NDArray[np.float64]:
    """Give each spectrum the masked flux of another.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Spectra.
    masks : ndarray of bool, shape (n, n_features)
        What is taken and what is replaced; where the two are not equally many bins, the donor's are interpolated.
    donors : ndarray of int, shape (n,)
        The other spectrum of each.

    Returns
    -------
    ndarray, shape (n, n_features)

    Examples
    --------
    >>> X = np.arange(6.0).reshape(2, 3)
    >>> masks = np.array([[True, False, False], [False, False, True]])
    >>> transplant(X, masks, np.array([1, 0]))
    array([[5., 1., 2.],
           [3., 4., 0.]])
    """
    result = X.copy()
    for i, donor in enumerate(donors):
        given, wanted = X[donor, masks[donor]], int(masks[i].sum())
        if given.size and wanted:
            places = np.linspace(0.0, given.size - 1.0, wanted)
            result[i, masks[i]] = np.interp(places, np.arange(given.size), given)
    return result


def _size(values: NDArray[np.float64]) -> float:
    return float(np.abs(values).mean())
