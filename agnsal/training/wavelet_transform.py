"""A discrete wavelet transform with any filter, and the conditions that make the filter orthogonal.

With zeros beyond the ends (PyWavelets' mode "zero") and the synthesis filters equal to the analysis filters reversed,
the way back is the transpose of the way there. So gradients over the coefficients are the transform of gradients over
wavelength, and an orthogonal filter reconstructs perfectly.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError


def high_pass(h: Any) -> Any:
    """The high-pass filter of a low-pass filter: ``g[k] = (-1)**k h[n-1-k]``.

    Parameters
    ----------
    h : array_like, shape (n,)
        Scaling filter, n even.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> high_pass(np.array([1.0, 2.0, 3.0, 4.0]))
    array([ 4., -3.,  2., -1.])
    """
    return h[::-1] * anp.array([1.0, -1.0] * (len(h) // 2))


@primitive
def analyse(x: NDArray, f: NDArray) -> NDArray[np.float64]:
    """Correlate with a filter at every second bin, from -(n-2) on, zeros beyond the ends.

    Parameters
    ----------
    x : ndarray, shape (n_spectra, length)
        Signals.
    f : ndarray, shape (n,)
        Filter.

    Returns
    -------
    ndarray, shape (n_spectra, (length + n - 1) // 2)
    """
    return _windows(x, len(f)) @ f


@primitive
def synthesise(c: NDArray, f: NDArray, length: int) -> NDArray[np.float64]:
    """Transpose of `analyse`.

    Parameters
    ----------
    c : ndarray, shape (n_spectra, (length + n - 1) // 2)
        Coefficients.
    f : ndarray, shape (n,)
        Filter.
    length : int
        Of the signals.

    Returns
    -------
    ndarray, shape (n_spectra, length)
    """
    n, taps = c.shape[1], len(f)
    padded = np.zeros((len(c), length + 2 * taps))
    for tap in range(taps):
        padded[:, tap : tap + 2 * n - 1 : 2] += f[tap] * c
    return padded[:, taps - 2 : taps - 2 + length]


def _windows(x: NDArray, taps: int) -> NDArray:
    """What each coefficient sees, shape (n_spectra, (length + taps - 1) // 2, taps)."""
    count = (x.shape[1] + taps - 1) // 2
    padded = np.pad(x, ((0, 0), (taps - 2, taps)))
    return sliding_window_view(padded, taps, axis=1)[:, : 2 * count - 1 : 2]


defvjp(
    analyse,
    lambda _y, x, f: lambda g: synthesise(g, f, x.shape[1]),
    lambda _y, x, f: lambda g: np.tensordot(g, _windows(x, len(f)), axes=2),
)
defvjp(
    synthesise,
    lambda _y, c, f, length: lambda g: analyse(g, f),
    lambda _y, c, f, length: lambda g: np.tensordot(c, _windows(g, len(f)), axes=2),
    None,
)


def decompose(x: Any, h: Any, level: int) -> list[Any]:
    """Wavelet coefficients of several levels.

    Parameters
    ----------
    x : ndarray, shape (n_spectra, length)
        Signals.
    h : ndarray, shape (n,)
        Scaling filter.
    level : int
        Number of levels J.

    Returns
    -------
    list of ndarray
        Smooth part, then details from the coarsest to the finest, as in PyWavelets.

    Examples
    --------
    >>> import pywt
    >>> x = np.random.default_rng(0).normal(size=(1, 64))
    >>> ours = decompose(x, np.array(pywt.Wavelet("db5").rec_lo), 2)
    >>> theirs = pywt.wavedec(x, "db5", mode="zero", level=2)
    >>> [part.shape[1] for part in ours], all(np.allclose(a, b) for a, b in zip(ours, theirs))
    ([22, 22, 36], True)
    """
    g, details = high_pass(h), []
    for _ in range(level):
        details.append(analyse(x, g))
        x = analyse(x, h)
    return [x, *reversed(details)]


def reconstruct(coefficients: list[Any], h: Any, length: int) -> Any:
    """Transpose of `decompose`, which is its inverse if the filter is orthogonal.

    Parameters
    ----------
    coefficients : list of ndarray
        As `decompose` gives them.
    h : ndarray, shape (n,)
        Scaling filter.
    length : int
        Of the signals.

    Returns
    -------
    ndarray, shape (n_spectra, length)
    """
    g, lengths = high_pass(h), [length]
    for _ in coefficients[2:]:
        lengths.append((lengths[-1] + len(h) - 1) // 2)
    x = coefficients[0]
    for detail, before in zip(coefficients[1:], reversed(lengths), strict=True):
        x = synthesise(x, h, before) + synthesise(detail, g, before)
    return x


def orthogonality_losses(h: Any) -> dict[str, Any]:
    """How far a filter is from that of an orthogonal wavelet; all are 0 for one.

    Parameters
    ----------
    h : ndarray, shape (n,)
        Scaling filter, n even.

    Returns
    -------
    dict of str to float
        ``"sum"`` (low-pass sums to the root of 2), ``"high_sum"`` (high-pass sums to 0), ``"norm"``, ``"conjugate"``
        (quadrature mirror condition at n frequencies), ``"shift"`` (orthogonality to even shifts).

    References
    ----------
    Ha, Singh, Lanusse, Upadhyayula & Yu 2021, NeurIPS, arXiv:2107.09145.

    Examples
    --------
    >>> bool(max(orthogonality_losses(np.array([1.0, 1.0]) / np.sqrt(2)).values()) < 1e-30)
    True
    """
    n = len(h)
    k = np.arange(n)
    angles = -2 * np.pi * np.outer(k, k) / n
    power = anp.dot(np.cos(angles), h) ** 2 + anp.dot(np.sin(angles), h) ** 2
    shifted = [anp.sum(h[2 * j :] * h[: n - 2 * j]) if j else anp.sum(h**2) - 1.0 for j in range(n // 2)]
    return {
        "sum": 0.5 * (anp.sum(h) - np.sqrt(2.0)) ** 2,
        "high_sum": 0.5 * anp.sum(high_pass(h)) ** 2,
        "norm": 0.5 * (anp.sum(h**2) - 1.0) ** 2,
        "conjugate": 0.5 * anp.sum((power[: n // 2] + power[n // 2 :] - 2.0) ** 2),
        # shifts to the left and to the right are the same
        "shift": 0.5 * shifted[0] ** 2 + sum(value**2 for value in shifted[1:]),
    }


def filter_of(wavelet: str | ArrayLike) -> NDArray[np.float64]:
    """Scaling filter of a named orthogonal wavelet, or of one's own.

    Parameters
    ----------
    wavelet : str or array_like
        A name PyWavelets knows, for instance "db5"; or the filter.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    AgnsalError
        If there is no such orthogonal wavelet, or a filter has an odd number of taps.

    Examples
    --------
    >>> len(filter_of("db5"))
    10
    """
    if isinstance(wavelet, str):
        import pywt

        if wavelet not in pywt.wavelist(kind="discrete") or not pywt.Wavelet(wavelet).orthogonal:
            raise AgnsalError(f"{wavelet!r} is no orthogonal wavelet; take for instance 'db5', 'sym5' or 'coif2'.")
        return np.array(pywt.Wavelet(wavelet).rec_lo)
    h = np.array(wavelet, dtype=np.float64)
    if h.ndim != 1 or h.size % 2 or h.size < 2 or not np.isfinite(h).all():
        raise AgnsalError(f"a filter has an even number of finite taps, got shape {h.shape}.")
    return h


def wavelet_function(h: ArrayLike, level: int = 8) -> NDArray[np.float64]:
    """The wavelet of a filter by the cascade algorithm, sampled ``2**(level + 1)`` times a unit, with norm 1.

    Parameters
    ----------
    h : array_like, shape (n,)
        Scaling filter.
    level : int
        Steps of the cascade.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> wave = wavelet_function(np.array([1.0, 1.0]) / np.sqrt(2))
    >>> round(float((wave**2).sum()), 12)
    1.0
    """
    h = filter_of(h)
    wave = high_pass(h)
    for _ in range(level):
        spread = np.zeros(2 * len(wave) - 1)
        spread[::2] = wave
        wave = np.convolve(spread, h)
    return wave / np.sqrt((wave**2).sum())


def wavelet_distance(first: str | ArrayLike, second: str | ArrayLike) -> float:
    """Distance of two wavelets of norm 1, at best alignment, up to sign and reversal.

    Parameters
    ----------
    first, second : str or array_like
        Names or scaling filters.

    Returns
    -------
    float
        Between 0 and the root of 2.

    Examples
    --------
    >>> h = filter_of("db3")
    >>> round(wavelet_distance(h, h[::-1]), 6), wavelet_distance("db3", "coif2") > 0.1
    (0.0, True)
    """
    a, b = wavelet_function(filter_of(first)), wavelet_function(filter_of(second))
    n = 1 << (len(a) + len(b)).bit_length()
    spectrum = np.fft.rfft(a, n)
    overlap = [np.abs(np.fft.irfft(spectrum * np.conj(np.fft.rfft(wave, n)), n)).max() for wave in (b, b[::-1])]
    return float(np.sqrt(max(0.0, 2.0 - 2.0 * max(overlap))))
