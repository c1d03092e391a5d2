"""Spectra to compare with: nothing, a mean, a class, the continuum of the spectrum itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError, real_numbers
from agnsal.spectra.editing.editable import Editable
from agnsal.spectra.editing.filling import neighbours, straight_line, stretches
from agnsal.spectra.lines import emission_lines
from agnsal.spectra.regions import Regions

_CHOICES = (
    'an array (n_features,) or (n, n_features), "zero", "mean", ("class mean", label), "continuum", or None for the '
    "training mean"
)


def mean_spectrum(sample: Editable) -> NDArray[np.float64]:
    """Mean of the good bins of some spectra.

    Parameters
    ----------
    sample : SpectralSample
        At least one spectrum.

    Returns
    -------
    ndarray, shape (n_bins,)
        Where no spectrum has a good bin, the mean of the bridged flux.

    Raises
    ------
    AgnsalError
        If the sample is empty.

    Examples
    --------
    >>> from agnsal import simulate_agn
    >>> sample = simulate_agn(3, 3, 0, seed=1).normalize()
    >>> mean_spectrum(sample).shape
    (1000,)
    """
    return sample.mean()


def class_mean(sample: Editable, label: str) -> NDArray[np.float64]:
    """Mean spectrum of one class, as a baseline: what makes this spectrum differ from a typical type 2?

    Parameters
    ----------
    sample : SpectralSample
        With labels.
    label : str
        The class.

    Returns
    -------
    ndarray, shape (n_bins,)

    Raises
    ------
    AgnsalError
        If there are no labels, or none is `label`.

    Examples
    --------
    >>> from agnsal import simulate_agn
    >>> sample = simulate_agn(3, 3, 0, seed=1).normalize()
    >>> bool(np.array_equal(class_mean(sample, "type 2"), mean_spectrum(sample[sample.labels == "type 2"])))
    True
    """
    return sample.class_mean(label)


def continuum(sample: Editable, lines: Iterable[str] | Regions | None = None) -> NDArray[np.float64]:
    """Every spectrum with its emission lines removed: a baseline that differs from the spectrum in nothing else.

    Parameters
    ----------
    sample : SpectralSample
        In vacuum and rest frame.
    lines : iterable of str or Regions, optional
        Names of the lines to remove, core and wings, or other bins; by default every emission line of
        `agnsal.line_table` with bins of its own in its core.

    Returns
    -------
    ndarray, shape (n, n_bins)
        Straight lines under the removed bins, between the levels of the good bins beside them; level at the ends of
        the grid. Elsewhere the flux.

    Raises
    ------
    AgnsalError
        If a line is unknown or off the grid, or nothing but lines is on the grid.

    Examples
    --------
    >>> from agnsal import simulate_agn
    >>> sample = simulate_agn(2, 0, 0, seed=1).normalize()
    >>> bare = continuum(sample, ["Hbeta", "[O III] 4959", "[O III] 5007"])
    >>> bool((sample.flux - bare).sum() > 0)
    True
    """
    names = emission_lines(sample.grid) if lines is None else lines
    if lines is None and not names:
        return sample.flux.copy()
    removed = Regions.of(names, len(sample.grid), sample.grid, partition=False).covered
    flux, position = sample.flux.copy(), sample.wavelength.value
    for stretch in stretches(removed):
        flux[:, stretch] = straight_line(sample.flux, position, stretch, neighbours(stretch) & ~removed, sample.mask)
    return flux


def named_baseline(X: NDArray[np.float64], sample: Editable | None, baseline: Any) -> tuple[NDArray[np.float64], str]:
    """Read what a user may say about a baseline that needs no model.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        The spectra.
    sample : SpectralSample or None
        Where they came from.
    baseline : str, tuple or array_like
        As in `resolve_baseline`, but not None.

    Returns
    -------
    values : ndarray, shape (n_features,) or (n, n_features)
        The baseline.
    name : str
        For the provenance.

    Raises
    ------
    AgnsalError
        If the name is unknown, needs a sample, or the shape is wrong.

    Examples
    --------
    >>> named_baseline(np.array([[1.0, 2.0], [3.0, 6.0]]), None, "mean")
    (array([2., 4.]), 'mean')
    """
    n, d = X.shape
    if isinstance(baseline, str):
        if baseline == "zero":
            return np.zeros(d), baseline
        if baseline == "mean":
            return (X.mean(axis=0) if sample is None else mean_spectrum(sample)), baseline
        if baseline == "continuum":
            return continuum(_needed(sample, baseline)), baseline
        raise AgnsalError(f"there is no baseline {baseline!r}; give {_CHOICES}.")
    if isinstance(baseline, tuple | list) and len(baseline) == 2 and isinstance(baseline[0], str):
        if baseline[0] != "class mean":
            raise AgnsalError(f"there is no baseline {baseline!r}; give {_CHOICES}.")
        return class_mean(_needed(sample, "class mean"), baseline[1]), f"mean of class {baseline[1]}"
    if isinstance(baseline, u.Quantity | np.ma.MaskedArray):
        raise AgnsalError("the baseline came with a unit or a mask; pass plain numbers in the unit of the spectra.")
    try:
        values = real_numbers("the baseline", baseline)
    except AgnsalError as error:
        raise AgnsalError(f"{baseline!r:.80} is not a baseline; give {_CHOICES}. ({error})") from None
    if values.shape not in ((d,), (n, d)):
        raise AgnsalError(f"the baseline has shape {values.shape}, the spectra {X.shape}; give {_CHOICES}.")
    if not np.isfinite(values).all():
        raise AgnsalError("the baseline holds NaN or infinite flux.")
    return values, "given"


def _needed(sample: Editable | None, what: str) -> Editable:
    if sample is None:
        raise AgnsalError(f'"{what}" needs a SpectralSample, got a plain array; give the baseline as an array.')
    return sample
