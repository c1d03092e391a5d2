"""From pixels to bins: flux-conserving overlap and linear interpolation, with masks, coverage and inverse variance.

Plain arrays only, in one wavelength unit. Covariance between neighbouring bins is not carried: bins that share a pixel
are correlated (up to 0.4 for SDSS pixels on bins of about the same width), and the returned ``ivar`` is the diagonal.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.pixels import bad_pixels

Floats = NDArray[np.float64]
#: What pixels and bins share, piece by piece: the bin, the pixel, the length.
Pieces = tuple[NDArray[np.intp], NDArray[np.intp], Floats]

#: A coverage this close below the wanted one still counts: it is the rounding of the edges, not a lost pixel.
_COVERAGE_ROUNDING = 1e-9
#: Spectra handled together: enough to share the bookkeeping, few enough to stay in cache (measured best of 8 to 128).
_ROWS_AT_ONCE = 32


class Resampled(NamedTuple):
    """Spectra on new bins; each array has shape (n_out,) or (n, n_out), as the flux that came in.

    Attributes
    ----------
    flux : ndarray
        Mean flux density of the good pixels in each bin; 0 where `mask` is set.
    ivar : ndarray or None
        Inverse variance; 0 where `mask` is set, None if none was given.
    mask : ndarray of bool
        True = bad: too little of the bin is covered by good pixels.
    coverage : ndarray
        Share of each bin that good pixels cover, 0 to 1.
    """

    flux: Floats
    ivar: Floats | None
    mask: NDArray[np.bool_]
    coverage: Floats


def resample(
    edges_in: ArrayLike,
    flux: ArrayLike,
    edges_out: ArrayLike,
    *,
    ivar: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    min_bin_coverage: float = 0.5,
) -> Resampled:
    r"""Average pixels over new bins, weighted by their overlap, so that the integrated flux is conserved.

    With :math:`p_{ij}` the length that good pixel i shares with bin j and :math:`w_j = \sum_i p_{ij}`:
    flux :math:`\sum_i p_{ij} f_i / w_j`, variance :math:`\sum_i p_{ij}^2 \sigma_i^2 / w_j^2`, coverage
    :math:`w_j` over the width of the bin. A pixel that is masked, not finite or of inverse variance 0 takes no part.

    Parameters
    ----------
    edges_in : array_like, shape (n_in + 1,)
        Increasing pixel edges. A gap between pixels is a pixel of its own, masked.
    flux : array_like, shape (n_in,) or (n, n_in)
        Flux density of one spectrum, or of a stack that shares the pixels.
    edges_out : array_like, shape (n_out + 1,)
        Increasing bin edges, in the unit of `edges_in`.
    ivar : array_like, shape of flux, optional
        Inverse variance.
    mask : array_like of bool, shape of flux or (n_in,), optional
        True = bad.
    min_bin_coverage : float
        A bin of which good pixels cover less than this share is masked, 0 to 1; an uncovered bin always is.

    Returns
    -------
    Resampled
        ``flux``, ``ivar``, ``mask`` and ``coverage`` on the new bins.

    Raises
    ------
    AgnsalError
        If edges do not increase or are not finite, shapes do not fit, or a unit or masked array comes in.

    Notes
    -----
    The form of Carnall (2017, arXiv:1705.05165): a pixel split between bins brings its full variance to each, and
    that the bins are then correlated is not recorded. The time is linear in pixels plus bins.

    Examples
    --------
    >>> result = resample([0, 1, 2, 3, 4], [1.0, 3.0, 5.0, 7.0], [0, 2, 4], mask=[False, False, True, False])
    >>> result.flux, result.coverage, result.mask
    (array([2., 7.]), array([1. , 0.5]), array([False, False]))
    """
    pixels = _increasing(edges_in, "edges_in")
    bins = _increasing(edges_out, "edges_out")
    if not 0 <= min_bin_coverage <= 1:
        raise AgnsalError(f"min_bin_coverage is a share of the bin, 0 to 1; got {min_bin_coverage!r}.")
    values, precision, bad = _checked(flux, ivar, mask, pixels.size - 1)
    # pixels beyond the bins take no part: of a spectrum at rest these may be most
    first = min(max(int(np.searchsorted(pixels, bins[0], "right")) - 1, 0), pixels.size - 2)
    last = max(int(np.searchsorted(pixels, bins[-1])), first + 1)
    pixels, values = pixels[first : last + 1], values[..., first:last]
    precision = None if precision is None else precision[..., first:last]
    bad = None if bad is None else bad[..., first:last]
    options: dict[str, Any] = {"pieces": _overlap(pixels, bins), "bins": bins, "least": min_bin_coverage}
    if values.ndim == 1 or len(values) <= _ROWS_AT_ONCE:
        return _average(values, precision, bad, **options)
    parts = []
    for start in range(0, len(values), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        bad_rows = bad[rows] if bad is not None and bad.ndim == values.ndim else bad
        parts.append(_average(values[rows], None if precision is None else precision[rows], bad_rows, **options))
    means, precisions, masks, coverages = zip(*parts, strict=True)
    return Resampled(
        np.concatenate(means),
        None if precision is None else np.concatenate(precisions),
        np.concatenate(masks),
        np.concatenate(coverages),
    )


def _average(
    values: Floats,
    precision: Floats | None,
    bad_pixel: NDArray[np.bool_] | None,
    *,
    pieces: Pieces,
    bins: Floats,
    least: float,
) -> Resampled:
    """The sums of `resample`, for rows that fit into the processor's cache."""
    values, variance, good = _clean(values, precision, bad_pixel)
    bin_of, pixel_of, length = pieces
    first = np.flatnonzero(np.diff(bin_of, prepend=-1))  # where each touched bin begins in the list of pieces
    touched = bin_of[first]

    def to_bins(parts: Floats) -> Floats:
        total = np.zeros((*parts.shape[:-1], bins.size - 1))
        if touched.size:
            total[..., touched] = np.add.reduceat(parts, first, axis=-1)
        return total

    share = length if good is None else length * good[..., pixel_of]
    weight = to_bins(share)
    covered = np.minimum(weight / np.diff(bins), 1.0)
    bad = (covered < least - _COVERAGE_ROUNDING) | (weight == 0)
    with np.errstate(all="ignore"):  # empty bins divide by zero and are masked below
        mean = to_bins(share * values[..., pixel_of]) / weight
        binned = None if variance is None else weight**2 / to_bins(share**2 * variance[..., pixel_of])
    return _masked(mean, binned, bad, covered)


def interpolate(
    centers_in: ArrayLike,
    flux: ArrayLike,
    centers_out: ArrayLike,
    *,
    ivar: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> Resampled:
    """Interpolate linearly between pixel centres, as Peruzzi et al. (2021, A&A 652, A19) did; not flux conserving.

    Parameters
    ----------
    centers_in : array_like, shape (n_in,)
        Increasing pixel centres.
    flux : array_like, shape (n_in,) or (n, n_in)
        Flux density of one spectrum, or of a stack that shares the pixels.
    centers_out : array_like, shape (n_out,)
        Increasing points, in the unit of `centers_in`.
    ivar : array_like, shape of flux, optional
        Inverse variance; propagated as ``variance = w1**2 variance1 + w2**2 variance2``.
    mask : array_like of bool, shape of flux or (n_in,), optional
        True = bad. A point that takes any weight from a bad pixel is masked, as is a point beyond the pixels.

    Returns
    -------
    Resampled
        On the new points; ``coverage`` is the weight that came from good pixels.

    Raises
    ------
    AgnsalError
        As for `resample`.

    Examples
    --------
    >>> interpolate([1, 2, 3], [10.0, 20.0, 30.0], [1.5, 2.0, 3.5]).flux
    array([15., 20.,  0.])
    """
    pixels = _increasing(centers_in, "centers_in")
    points = _increasing(centers_out, "centers_out", least=1)
    values, variance, good = _clean(*_checked(flux, ivar, mask, pixels.size))

    left = np.clip(np.searchsorted(pixels, points, "right") - 1, 0, pixels.size - 2)
    inside = (points >= pixels[0]) & (points <= pixels[-1])
    to_right = np.where(inside, (points - pixels[left]) / (pixels[left + 1] - pixels[left]), 0.0)
    to_left = np.where(inside, 1.0 - to_right, 0.0)

    covered = np.broadcast_to(inside.astype(float), (*values.shape[:-1], points.size)).copy()
    bad = covered == 0
    if good is not None:
        covered = to_left * good[..., left] + to_right * good[..., left + 1]
        bad = bad | ((to_left > 0) & ~good[..., left]) | ((to_right > 0) & ~good[..., left + 1])
    with np.errstate(all="ignore"):  # what overflows is masked below
        mean = to_left * values[..., left] + to_right * values[..., left + 1]
        precision = None
        if variance is not None:
            precision = 1.0 / (to_left**2 * variance[..., left] + to_right**2 * variance[..., left + 1])
    return _masked(mean, precision, bad, covered)


def _overlap(pixels: Floats, bins: Floats) -> Pieces:
    """Pieces that pixels and bins share: the bin, the pixel and the length of each, in order of wavelength."""
    start, stop = max(pixels[0], bins[0]), min(pixels[-1], bins[-1])
    both = np.concatenate([pixels, bins])
    order = np.argsort(both, kind="stable")
    length = np.diff(np.clip(both[order], start, max(start, stop)))
    real = np.flatnonzero(length > 0)
    # a piece belongs to whatever its beginning lies in: exact, where a midpoint could round on to an edge
    edges = np.cumsum(order < pixels.size)[real]  # of pixels, up to the beginning; the others are of bins
    return real - edges, edges - 1, length[real]


def _masked(mean: Floats, precision: Floats | None, bad: NDArray[np.bool_], covered: Floats) -> Resampled:
    """Zero what is bad, masking also what overflowed, and give all arrays the shape of the flux."""
    bad = bad | ~np.isfinite(mean)
    if precision is not None:
        bad |= ~np.isfinite(precision) | (precision <= 0)
        precision = np.where(bad, 0.0, precision)
    covered = np.broadcast_to(covered, mean.shape).copy()
    return Resampled(np.where(bad, 0.0, mean), precision, bad, covered)


def _checked(
    flux: ArrayLike, ivar: ArrayLike | None, mask: ArrayLike | None, n_in: int
) -> tuple[Floats, Floats | None, NDArray[np.bool_] | None]:
    """Flux, inverse variance and mask as plain arrays whose shapes fit."""
    values = _plain(flux, "flux")
    if values.ndim not in (1, 2) or values.shape[-1] != n_in:
        raise AgnsalError(
            f"flux came with shape {values.shape}; for {n_in} pixels ({n_in + 1} edges) "
            f"({n_in},) or (n_spectra, {n_in}) was expected."
        )
    precision = None if ivar is None else _plain(ivar, "ivar")
    if precision is not None and precision.shape != values.shape:
        raise AgnsalError(f"ivar came with shape {precision.shape}, {values.shape} was expected, as the flux.")
    bad = None if mask is None else np.asarray(mask)
    if bad is not None and bad.dtype != bool:
        raise AgnsalError(f"mask came as {bad.dtype}, bool with True = bad was expected; give for instance bits != 0.")
    if bad is not None and bad.shape not in (values.shape, (n_in,)):
        raise AgnsalError(f"mask came with shape {bad.shape}, {values.shape} was expected, as the flux.")
    return values, precision, bad


def _clean(
    values: Floats, precision: Floats | None, bad: NDArray[np.bool_] | None
) -> tuple[Floats, Floats | None, NDArray[np.bool_] | None]:
    """Flux, variance and good pixels (None = all), with harmless numbers in the bad ones."""
    good = ~bad_pixels(values, precision, bad)
    variance = None if precision is None else np.divide(1.0, precision, out=np.zeros_like(precision), where=good)
    if good.all():
        return values, variance, None
    return np.where(good, values, 0.0), variance, good


def _increasing(values: ArrayLike, what: str, least: int = 2) -> Floats:
    """A row of at least `least` finite, strictly increasing numbers."""
    row = _plain(values, what)
    if row.ndim != 1 or row.size < least:
        raise AgnsalError(f"{what} came with shape {row.shape}, one row of at least {least} was expected.")
    if not np.isfinite(row).all():
        raise AgnsalError(f"{what} holds {np.sum(~np.isfinite(row))} values that are not finite; drop those pixels.")
    if (np.diff(row) <= 0).any():
        if row.size > 1 and (np.diff(row) < 0).all():
            raise AgnsalError(f"{what} descends; reverse it, and flux, ivar and mask with it ([::-1]).")
        at = int(np.argmax(np.diff(row) <= 0))
        raise AgnsalError(
            f"{what} must increase strictly, but {row[at]} is followed by {row[at + 1]}; sort it and drop duplicates."
        )
    return row


def _plain(values: Any, what: str) -> Floats:
    """Native float64, refusing whatever would lose its unit or its mask on the way."""
    if hasattr(values, "unit"):
        raise AgnsalError(
            f"{what} came with a unit ({values.unit}); give plain arrays in one unit (`.to_value(u.AA)`)."
        )
    if isinstance(values, np.ma.MaskedArray):
        raise AgnsalError(f"{what} came as a masked array; give its data, and its mask as mask=....")
    return np.asarray(values, dtype=np.float64)
