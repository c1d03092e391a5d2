"""Orthonormal bases that need no data, with as many coordinates as bins for any length: Fourier bands, wavelets."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.transforms.basis import Basis
from agnsal.errors import AgnsalError, one_of
from agnsal.spectra.sample import SpectralSample


class Orthonormal(Basis):
    """A basis in which the way back is the transpose of the way there."""

    keeps_unit = True

    def pullback(self, S: ArrayLike, G: ArrayLike) -> NDArray[np.float64]:  # noqa: ARG002
        """The coordinates of the gradient; see `Basis.pullback`."""
        return self.forward(G)


class FourierBands(Orthonormal):
    """Bands of spatial frequency: noise, narrow lines, broad lines and continuum live on different scales.

    The coordinates are the real and imaginary parts of the discrete Fourier transform, scaled to an orthonormal
    basis. The importance of a band is the sum over both parts of its frequencies, so that bands add up to the whole;
    the size of (real, imaginary) pairs, as in the paper, does not (``transformed(..., combine="magnitude")``).

    Parameters
    ----------
    n_bands : int
        Number of bands between zero and the highest frequency.
    spacing : {"linear", "log"}
        Bands of equal width, or of equal ratio, as far as whole frequencies allow. A spectrum has its lines and its
        continuum in the lowest few per cent of the frequencies, which "log" resolves.
    edges : array_like, shape (n_bands + 1,), optional
        Their edges in cycles per bin instead, from 0 to 0.5.

    Raises
    ------
    AgnsalError
        If the spacing is unknown, edges do not increase from 0 to 0.5, or a band holds no frequency.

    References
    ----------
    Singh et al. 2020, arXiv:2003.01926.

    Examples
    --------
    >>> bands = FourierBands(n_bands=2).fit(np.ones((1, 6)))
    >>> bands.names[:3], bands.group_names
    (array(['re 0', 're 1', 're 2'], dtype='<U4'), array(['0-1', '2-3'], dtype='<U3'))
    >>> bands.forward(np.ones((1, 6))).round(6)[0, :2]
    array([2.44949, 0.     ])
    """

    by = "group"
    axis = "Frequency [periods over the spectrum]"

    def __init__(
        self, n_bands: int = 16, *, spacing: Literal["linear", "log"] = "linear", edges: ArrayLike | None = None
    ) -> None:
        self.n_bands = n_bands
        self.spacing = spacing
        self.edges = edges

    def fit(self, X: SpectralSample | ArrayLike, y: object = None) -> FourierBands:  # noqa: ARG002
        """Learn the number of bins; see `Basis.fit`."""
        d = self._learnt(X).shape[1]
        count = d // 2 + 1
        if self.edges is None:
            if int(self.n_bands) != self.n_bands or not 1 <= self.n_bands <= count:
                raise AgnsalError(
                    f"n_bands must be from 1 to {count}, the number of frequencies of {d} bins; got {self.n_bands!r}."
                )
            band = np.repeat(np.arange(self.n_bands), self._widths(count))
        else:
            band = self._band_of(np.fft.rfftfreq(d))
        # "3-7" names a band by its harmonics: 3 to 7 periods over the whole spectrum
        first = np.searchsorted(band, np.arange(band[-1] + 1))
        last = np.searchsorted(band, np.arange(band[-1] + 1), side="right") - 1
        labels = np.array([f"{a}" if a == b else f"{a}-{b}" for a, b in zip(first, last, strict=True)])
        imaginary = np.arange(1, (d - 1) // 2 + 1)
        self._name(
            [*(f"re {k}" for k in range(count)), *(f"im {k}" for k in imaginary)],
            [*labels[band], *labels[band[imaginary]]],
        )
        # each conjugate pair of frequencies is one here; the first and, of even lengths, the last stand alone
        self._scale = np.full(count, np.sqrt(2.0))
        self._scale[0] = 1.0
        if d % 2 == 0:
            self._scale[-1] = 1.0
        return self

    def _widths(self, count: int) -> NDArray[np.intp]:
        """Number of frequencies in each band."""
        if self.spacing == "linear":
            return np.array([len(part) for part in np.array_split(np.arange(count), self.n_bands)])
        if self.spacing != "log":
            raise AgnsalError(f"spacing must be 'linear' or 'log', got {self.spacing!r}.")
        stops = np.geomspace(1, count, self.n_bands + 1)[1:].round().astype(np.intp)
        number = np.arange(self.n_bands)
        # at least one frequency each: no band may stop before its number, nor so late that the later ones go empty
        stops = np.maximum.accumulate(np.maximum(stops - number, 1)) + number
        return np.diff(np.minimum(stops, count - number[::-1]), prepend=0)

    def _band_of(self, frequency: NDArray[Any]) -> NDArray[np.intp]:
        edges = np.asarray(self.edges, dtype=np.float64)
        if edges.ndim != 1 or edges.size < 2 or (np.diff(edges) <= 0).any() or edges[0] > 0 or edges[-1] < 0.5:
            raise AgnsalError(
                f"edges must increase from 0 to 0.5 cycles per bin, so that no frequency is lost; got {self.edges!r}."
            )
        band = np.minimum(np.searchsorted(edges, frequency, side="right") - 1, edges.size - 2)
        empty = np.setdiff1d(np.arange(edges.size - 1), band)
        if empty.size:
            raise AgnsalError(
                f"no frequency lies between {edges[empty[0]]} and {edges[empty[0] + 1]} cycles per bin; they are "
                f"{frequency[1]:.4g} apart. Use fewer edges."
            )
        return band

    def forward(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Real, then imaginary parts; see `Basis.forward`."""
        found = np.fft.rfft(self._flux(X), norm="ortho") * self._scale
        return np.concatenate([found.real, found.imag[:, 1 : (self.n_features + 1) // 2]], axis=1)

    def inverse(self, S: ArrayLike) -> NDArray[np.float64]:
        """Spectra from real and imaginary parts; see `Basis.inverse`."""
        S = self._coordinates(S)
        count = self._scale.size
        found = S[:, :count].astype(np.complex128)
        found[:, 1 : (self.n_features + 1) // 2] += 1j * S[:, count:]
        return np.fft.irfft(found / self._scale, n=self.n_features, norm="ortho")


class Wavelet(Orthonormal):
    """Orthogonal wavelets: importance by scale and place.

    By default the spectrum is taken as periodic, which keeps the basis orthonormal with as many coordinates as bins.
    Where a scale has an odd number of samples its last one is set aside as a coordinate of its own; padding, the usual
    way, would add coordinates and lose the orthogonality. The groups are the scales, the finest first: ``"2 bins"``
    holds details about two bins across, and ``"trend"`` what is coarser than the last scale.

    Parameters
    ----------
    name : str
        An orthogonal wavelet of PyWavelets (``db``, ``sym`` and ``coif`` families, ``haar``).
    level : int, optional
        Number of scales; by default as many as the length of the wavelet allows.
    border : {"periodic", "symmetric"}
        What lies beyond the ends: the other end, or the spectrum mirrored. Mirrored a continuum that slopes makes no
        step at the ends, but there are some more coordinates than bins, and they are no orthonormal basis: near the
        ends they depend on each other. The way there and back is exact in either case, and gradients are those of
        the way back.

    Raises
    ------
    AgnsalError
        If the wavelet is unknown or not orthogonal, or the level too deep for the spectrum.

    Examples
    --------
    >>> wavelet = Wavelet("haar").fit(np.zeros((1, 5)))
    >>> wavelet.names
    array(['2 bins [0]', '2 bins [1]', '4 bins [0]', 'trend [0]', 'trend edge 0'], dtype='<U12')
    >>> x = np.array([[1.0, 2.0, 4.0, 8.0, 16.0]])
    >>> wavelet.inverse(wavelet.forward(x)).round(12)
    array([[ 1.,  2.,  4.,  8., 16.]])
    """

    axis = "Scale"

    def __init__(
        self, name: str = "db4", level: int | None = None, *, border: Literal["periodic", "symmetric"] = "periodic"
    ) -> None:
        self.name = name
        self.level = level
        self.border = border

    def fit(self, X: SpectralSample | ArrayLike, y: object = None) -> Wavelet:  # noqa: ARG002
        """Learn the number of bins; see `Basis.fit`."""
        import pywt

        one_of("border", self.border, ("periodic", "symmetric"))
        d = self._learnt(X, min_features=2).shape[1]
        if self.name not in pywt.wavelist(kind="discrete"):
            raise AgnsalError(f"there is no wavelet named {self.name!r}; use for instance 'haar', 'db4' or 'sym5'.")
        wavelet = pywt.Wavelet(self.name)
        if not wavelet.orthogonal:
            raise AgnsalError(f"the wavelet {self.name!r} is not orthogonal; use one of the db, sym or coif families.")
        deepest = int(np.log2(d)) if d > 1 else 0
        usual = max(pywt.dwt_max_level(d, wavelet.dec_len), min(1, deepest))
        level = usual if self.level is None else self.level
        if int(level) != level or not 1 <= level <= deepest:
            raise AgnsalError(f"level must be from 1 to {deepest} for {d} bins, got {level!r}.")
        self._wavelet = wavelet
        # sizes of the details of each scale, of the samples set aside, and of the trend
        self._sizes: list[int] = []
        self._odd: list[bool] = []
        names: list[str] = []
        groups: list[str] = []
        rest = d
        for scale in range(1, level + 1):
            periodic = self.border == "periodic"
            self._odd.append(periodic and rest % 2 == 1)
            rest = rest // 2 if periodic else pywt.dwt_coeff_len(rest, wavelet.dec_len, "symmetric")
            self._sizes.append(rest)
            names += [f"{2**scale} bins [{k}]" for k in range(rest)]
            groups += [f"{2**scale} bins"] * rest
        aside = [scale for scale, odd in enumerate(self._odd) if odd]
        names += [f"trend [{k}]" for k in range(rest)] + [f"trend edge {scale}" for scale in aside]
        self._name(names, groups + ["trend"] * (rest + len(aside)))
        return self

    def forward(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Details from the finest scale on, then the trend; see `Basis.forward`."""
        return self._decomposed(self._flux(X), "periodization" if self.border == "periodic" else "symmetric")

    def pullback(self, S: ArrayLike, G: ArrayLike) -> NDArray[np.float64]:
        """The coordinates of the gradient, with nothing beyond mirrored ends; see `Basis.pullback`."""
        if self.border == "periodic":
            return super().pullback(S, G)
        # the way back adds filters up and drops what sticks out over the ends: its transpose sees zeros there
        return self._decomposed(self._flux(G), "zero")

    def _decomposed(self, rest: NDArray[np.float64], mode: str) -> NDArray[np.float64]:
        import pywt

        parts, aside = [], []
        for odd in self._odd:
            if odd:
                aside.append(rest[:, -1:])
                rest = rest[:, :-1]
            rest, detail = pywt.dwt(rest, self._wavelet, mode=mode, axis=1)
            parts.append(detail)
        return np.concatenate([*parts, rest, *aside], axis=1)

    def inverse(self, S: ArrayLike) -> NDArray[np.float64]:
        """Spectra from details and trend; see `Basis.inverse`."""
        import pywt

        S = self._coordinates(S)
        details = np.split(S, np.cumsum(self._sizes), axis=1)
        rest = details[-1][:, : self._sizes[-1]]
        aside = list(details[-1][:, self._sizes[-1] :].T[:, :, None])
        mode = "periodization" if self.border == "periodic" else "symmetric"
        for detail, odd in zip(details[-2::-1], self._odd[::-1], strict=True):
            # mirrored ends make one sample too many of an odd number
            rest = pywt.idwt(rest[:, : detail.shape[1]], detail, self._wavelet, mode=mode, axis=1)
            if odd:
                rest = np.concatenate([rest, aside.pop()], axis=1)
        return rest[:, : self.n_features]
