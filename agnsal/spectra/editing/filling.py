"""What takes the place of flux that is removed: the continuum, with or without noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError

#: Bins on each side of a removed stretch whose mean level the straight line under it starts from.
NEIGHBOURS = 5


def neighbours(removed: NDArray[np.bool_], n: int = NEIGHBOURS) -> NDArray[np.bool_]:
    """Mark the nearest bins left and right of the removed ones.

    Parameters
    ----------
    removed : ndarray of bool, shape (n_features,)
        At least one.
    n : int
        How many on each side, fewer at the ends.

    Returns
    -------
    ndarray of bool, shape (n_features,)

    Examples
    --------
    >>> neighbours(np.array([False, False, True, False, False]), 1)
    array([False,  True, False,  True, False])
    """
    inside = np.flatnonzero(removed)
    result = np.zeros(removed.size, dtype=bool)
    result[max(inside[0] - n, 0) : inside[0]] = True
    result[inside[-1] + 1 : inside[-1] + 1 + n] = True
    return result


def straight_line(
    flux: NDArray[np.float64],
    position: NDArray[np.float64],
    removed: NDArray[np.bool_],
    anchors: NDArray[np.bool_],
    bad: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Flux under the removed bins on a straight line between the mean levels left and right of them.

    Parameters
    ----------
    flux : ndarray, shape (n, n_features)
        Spectra.
    position : ndarray, shape (n_features,)
        Wavelength, or any increasing coordinate.
    removed, anchors : ndarray of bool, shape (n_features,)
        The bins to fill, and those the levels are taken from. With anchors on one side only the line is level.
    bad : ndarray of bool, shape (n, n_features), optional
        Bins a level should not be taken from, as long as there are others.

    Returns
    -------
    ndarray, shape (n, n_removed)

    Raises
    ------
    AgnsalError
        If there is no anchor.

    Examples
    --------
    >>> removed = np.array([False, True, True, False])
    >>> straight_line(np.array([[1.0, 9.0, 9.0, 4.0]]), np.arange(4.0), removed, ~removed)
    array([[2., 3.]])
    """
    inside = np.flatnonzero(removed)
    places, levels = [], []
    for side in (slice(None, inside[0]), slice(inside[-1] + 1, None)):
        chosen = anchors[side]
        if not chosen.any():
            continue
        weight = np.ones((len(flux), int(chosen.sum())))
        if bad is not None:
            good = ~bad[:, side][:, chosen]
            weight = np.where(good.any(axis=1, keepdims=True), good, weight)
        weight = weight / weight.sum(axis=1, keepdims=True)
        places.append(weight @ position[side][chosen])
        levels.append((weight * flux[:, side][:, chosen]).sum(axis=1))
    if not places:
        raise AgnsalError("no continuum is left on either side of what should be removed; remove less.")
    if len(places) == 1:
        return np.repeat(levels[0][:, None], inside.size, axis=1)
    share = (position[inside] - places[0][:, None]) / (places[1] - places[0])[:, None]
    return levels[0][:, None] + share * (levels[1] - levels[0])[:, None]


def stretches(removed: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Split removed bins into their unbroken stretches.

    Parameters
    ----------
    removed : ndarray of bool, shape (n_features,)
        The bins.

    Returns
    -------
    list of ndarray of bool, shape (n_features,)

    Examples
    --------
    >>> [part.astype(int) for part in stretches(np.array([True, False, True, True]))]
    [array([1, 0, 0, 0]), array([0, 0, 1, 1])]
    """
    steps = np.diff(removed.astype(np.int8), prepend=0, append=0)
    place = np.arange(removed.size)
    return [
        (place >= start) & (place < stop)
        for start, stop in zip(np.flatnonzero(steps > 0), np.flatnonzero(steps < 0), strict=True)
    ]


def noise_level(
    flux: NDArray[np.float64], ivar: NDArray[np.float64] | None = None, bad: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Standard deviation of the noise in every bin: from the inverse variance, or from the scatter of the spectrum.

    Parameters
    ----------
    flux : ndarray, shape (n, n_features)
        Spectra.
    ivar : ndarray, shape (n, n_features), optional
        Inverse variance, 0 in bad bins, which get the median of the others; NaN in spectra whose errors are unknown.
    bad : ndarray of bool, shape (n, n_features), optional
        Bad bins.

    Returns
    -------
    ndarray, shape (n, n_features)

    Notes
    -----
    Without inverse variance it is one number for each spectrum, from third-neighbour second differences (DER_SNR,
    Stoehr et al. 2008, ASP Conf. Ser. 394, 505), which a smooth spectrum and its lines hardly touch.

    Examples
    --------
    >>> flux = np.random.default_rng(0).normal(5.0, 0.1, (1, 4000))
    >>> bool(abs(noise_level(flux)[0, 0] - 0.1) < 0.01)
    True
    """
    if ivar is not None:
        unknown = np.isnan(ivar).any(axis=1)
        good = ivar > 0
        sigma = 1.0 / np.sqrt(np.where(good, ivar, np.nan), where=good, out=np.full(ivar.shape, np.nan))
        typical = np.array([np.median(row[keep]) if keep.any() else 0.0 for row, keep in zip(sigma, good, strict=True)])
        sigma = np.where(good, sigma, typical[:, None])
        if unknown.any():
            sigma[unknown] = noise_level(flux[unknown], None, None if bad is None else bad[unknown])
        return sigma
    if flux.shape[1] < 5:
        return np.zeros(flux.shape)
    second = np.abs(2.0 * flux[:, 2:-2] - flux[:, :-4] - flux[:, 4:])
    if bad is not None:
        touched = bad[:, 2:-2] | bad[:, :-4] | bad[:, 4:]
        second = np.where(touched & ~touched.all(axis=1, keepdims=True), np.nan, second)
    return np.repeat(1.482602 / np.sqrt(6.0) * np.nanmedian(second, axis=1)[:, None], flux.shape[1], axis=1)
