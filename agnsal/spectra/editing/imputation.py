"""What was probably there where nothing was observed: a Gaussian model of spectra, fitted to observed bins alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.grid import GRID_ARRAYS, WavelengthGrid
from agnsal.spectra.origin import ORIGIN_HEADER, Origin, check_alike
from agnsal.spectra.sample import SpectralSample
from agnsal.store import Array, Stored

#: Variance of a bin that the components leave, at least, as a share of its variance.
_LEAST = 1e-6
#: Share of a Gaussian within a standard deviation; logarithm of the largest factor on variances.
_WITHIN, _LARGEST_FACTOR = 0.6827, 5.0
#: Least number of spectra that have observed a bin, for each component and the mean.
_SPECTRA_PER_COMPONENT = 2


class ProbabilisticPCA(Displayed, Stored, BaseEstimator):
    """Fill what was not observed from what was, and say how sure that is; class labels are never seen.

    A spectrum is ``mean + z @ components + e`` with standard normal z, what the components leave
    (``e ~ N(0, residual_variance)``, its own in each bin) and the noise of the observation, known from `ivar`. It is
    fitted to the observed bins by expectation and maximisation, so no spectrum needs to be complete, and no two bins
    need to be observed in one spectrum as long as others tie them together. Given the observed bins of a spectrum, the
    others are Gaussian with a mean and a covariance of their own.

    Parameters
    ----------
    n_components : int
        Length of z.
    max_iter : int
        Rounds of expectation and maximisation, at most.
    tol : float
        Gain in log-likelihood per observed bin at which they stop.

    Attributes
    ----------
    mean_ : ndarray, shape (n_bins,)
    components_ : ndarray, shape (n_components, n_bins)
        Scaled so that z has unit variance.
    residual_variance_ : ndarray, shape (n_bins,)
        Variance among spectra that the components leave.
    log_likelihood_ : ndarray, shape (n_rounds,)
        Per observed bin, with the weak prior of the components: every bin's are taken to be no larger than the scatter
        of its flux.
    calibration_ : ndarray, shape (n_bins,)
        By what the Gaussian variances are multiplied in `variance` and `draws`, at least 1. After the fit either half
        of what was observed of each spectrum is hidden and predicted from the other; with this factor a standard error
        holds 68 % of it. Spectra are not Gaussian, lines of some are many times stronger than usual: more than 5 %
        miss by two.
    learnt_from_ : Origin
        Grid, unit and normalisation of the spectra it was fitted to.

    References
    ----------
    Tipping & Bishop 1999, J. R. Stat. Soc. B 61, 611; with known errors and gaps, Bailey 2012, PASP 124, 1015.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(0, 80, 0, seed=0)[:, 500:600]
    >>> mask = sample.mask | (np.arange(100) < 9)
    >>> gappy = agnsal.SpectralSample(sample.flux, sample.grid, ivar=sample.ivar, mask=mask, unit=sample.unit)
    >>> pca = ProbabilisticPCA(4).fit(sample)
    >>> filled = pca.impute(gappy)
    >>> bool(np.abs(filled.flux - sample.flux)[:, :9].mean() < np.abs(gappy.flux - sample.flux)[:, :9].mean())
    True
    >>> bool(filled.mask[:, :9].all())
    True
    """

    mean_: NDArray[np.float64]
    components_: NDArray[np.float64]
    residual_variance_: NDArray[np.float64]
    log_likelihood_: NDArray[np.float64]
    calibration_: NDArray[np.float64]
    learnt_from_: Origin

    def __init__(self, n_components: int = 10, *, max_iter: int = 200, tol: float = 1e-5) -> None:
        self.n_components = n_components
        self.max_iter = max_iter
        self.tol = tol

    def _display(self) -> Table:
        facts: list[list[object]] = [["components", self.n_components]]
        if not hasattr(self, "mean_"):
            return Table("ProbabilisticPCA, not fitted", facts)
        facts.append(["grid", repr(self.learnt_from_.grid)])
        facts.append(["rounds", len(self.log_likelihood_)])
        left = float(np.median(self.residual_variance_ / (self.residual_variance_ + (self.components_**2).sum(axis=0))))
        facts.append(["variance left, median bin", f"{100 * left:.2g} %"])
        facts.append(["factor on variances, median bin", f"{np.median(self.calibration_):.2f}"])
        return Table("ProbabilisticPCA of spectra with gaps", facts)

    def fit(self, sample: SpectralSample, y: object = None) -> ProbabilisticPCA:  # noqa: ARG002
        """Learn what spectra are like from what was observed of them.

        Parameters
        ----------
        sample : SpectralSample
            The training set, normalised as the spectra to be filled will be.
        y : ignored
            For scikit-learn.

        Returns
        -------
        ProbabilisticPCA
            Itself.

        Raises
        ------
        AgnsalError
            If it is not a sample, or some bins were observed in too few spectra.
        """
        flux, seen, noise = _observed(sample)
        self._check_coverage(sample.grid, seen)
        n_seen = seen.sum(axis=0)
        self.mean_ = (seen * flux).sum(axis=0) / n_seen
        scatter = (seen * (flux - self.mean_) ** 2).sum(axis=0) / n_seen
        floor = np.maximum(_LEAST * scatter, np.finfo(float).tiny + _LEAST * scatter.mean())
        # start from the singular vectors of the spectra with the mean where nothing was observed
        _, sizes, vectors = np.linalg.svd(np.where(seen, flux - self.mean_, 0.0), full_matrices=False)
        self.components_ = vectors[: self.n_components] * (sizes[: self.n_components, None] / np.sqrt(len(flux)))
        self.residual_variance_ = np.maximum(
            scatter - (self.components_**2).sum(axis=0), np.maximum(floor, scatter / 20)
        )
        self.learnt_from_ = Origin(sample.grid, sample.unit, sample.normalization)
        self.n_features_in_ = len(sample.grid)
        prior = 1.0 / np.maximum(scatter, floor)
        rounds: list[float] = []
        for _ in range(self.max_iter):
            mean, covariance, likelihood = self._expect(flux, seen, noise)
            size = (self.components_**2).sum(axis=0)
            rounds.append(float((likelihood.sum() - 0.5 * (prior * size).sum()) / seen.sum()))
            if len(rounds) > 1 and rounds[-1] - rounds[-2] < self.tol:
                break
            self._maximize(flux, seen, noise, mean, covariance, prior, floor)
        self.log_likelihood_ = np.array(rounds)
        self.calibration_ = self._calibrated(flux, seen, noise)
        return self

    def posterior(self, sample: SpectralSample) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the observed bins of each spectrum say of z.

        Parameters
        ----------
        sample : SpectralSample
            On the grid and normalised as the training set.

        Returns
        -------
        mean : ndarray, shape (n, n_components)
        covariance : ndarray, shape (n, n_components, n_components)

        Raises
        ------
        AgnsalError
            If it is not fitted, or the spectra are on another grid, in another unit or normalised otherwise
            (`agnsal.spectra.origin.check_alike`).
        """
        self._check_fitted()
        observed = _observed(sample)
        check_alike(self.learnt_from_, sample, "the imputation was learnt from spectra whose")
        return self._expect(*observed)[:2]

    def impute(self, sample: SpectralSample) -> SpectralSample:
        """Fill the bad bins with their mean given the good ones.

        Parameters
        ----------
        sample : SpectralSample
            See `posterior`.

        Returns
        -------
        SpectralSample
            The same where observed. What was filled stays masked, so that no explanation gives it credit.

        Raises
        ------
        AgnsalError
            See `posterior`.
        """
        mean, _ = self.posterior(sample)
        return sample.with_flux(np.where(sample.mask, self.mean_ + mean @ self.components_, sample.flux))

    def variance(self, sample: SpectralSample) -> NDArray[np.float64]:
        """Variance of what `impute` fills in, in ``unit**2``.

        Parameters
        ----------
        sample : SpectralSample
            See `posterior`.

        Returns
        -------
        ndarray, shape (n, n_bins)
            Of the flux without noise; 0 where it was observed.

        Raises
        ------
        AgnsalError
            See `posterior`.
        """
        _, covariance = self.posterior(sample)
        return np.where(sample.mask, self.calibration_ * (self._spread(covariance) + self.residual_variance_), 0.0)

    def draws(self, sample: SpectralSample, n_draws: int, *, random_state: Seed = None) -> Iterator[SpectralSample]:
        """Fill the bad bins with draws from what they may have been, all bins of a spectrum together.

        Train on a draw rather than on the mean, which is smoother than any spectrum, and so tells where it was filled.

        Parameters
        ----------
        sample : SpectralSample
            See `posterior`.
        n_draws : int
            How many samples.
        random_state : int, RandomState, Generator or None
            Seeds them.

        Yields
        ------
        SpectralSample
            As from `impute`.

        Raises
        ------
        AgnsalError
            See `posterior`.
        """
        mean, covariance = self.posterior(sample)
        root, factor = np.linalg.cholesky(covariance), np.sqrt(self.calibration_)
        rng = np.random.default_rng(seed_of(random_state))
        for _ in range(n_draws):
            z = np.einsum("nij,nj->ni", root, rng.standard_normal(mean.shape))
            rest = rng.standard_normal(sample.flux.shape) * np.sqrt(self.residual_variance_)
            drawn = self.mean_ + mean @ self.components_ + factor * (z @ self.components_ + rest)
            yield sample.with_flux(np.where(sample.mask, drawn, sample.flux))

    def _expect(
        self, flux: NDArray[np.float64], seen: NDArray[np.bool_], noise: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Mean and covariance of z, and the log-likelihood of each spectrum."""
        k, d = self.components_.shape
        variance = np.where(seen, noise + self.residual_variance_, 1.0)
        weight = seen / variance
        outer = (self.components_[:, None] * self.components_[None]).reshape(k * k, d)
        precision = np.eye(k) + (weight @ outer.T).reshape(-1, k, k)
        rest = flux - self.mean_
        pull = (weight * rest) @ self.components_.T
        covariance = np.linalg.inv(precision).astype(np.float64, copy=False)
        mean = np.einsum("nij,nj->ni", covariance, pull)
        squares = (weight * rest**2).sum(axis=1) - (pull * mean).sum(axis=1)
        volume = np.log(variance).sum(axis=1) + np.linalg.slogdet(precision)[1]
        likelihood: NDArray[np.float64] = -0.5 * (squares + volume + np.log(2 * np.pi) * seen.sum(axis=1))
        return mean, covariance, likelihood

    def _maximize(
        self,
        flux: NDArray[np.float64],
        seen: NDArray[np.bool_],
        noise: NDArray[np.float64],
        mean: NDArray[np.float64],
        covariance: NDArray[np.float64],
        prior: NDArray[np.float64],
        floor: NDArray[np.float64],
    ) -> None:
        """Components, mean and residual variance of every bin by themselves, given z."""
        n, k = mean.shape
        weight = seen / (noise + self.residual_variance_)
        z = np.column_stack([mean, np.ones(n)])
        second = z[:, :, None] * z[:, None]
        second[:, :k, :k] += covariance
        normal = (weight.T @ second.reshape(n, -1)).reshape(-1, k + 1, k + 1)
        normal[:, np.arange(k), np.arange(k)] += prior[:, None]
        right = (weight * flux).T @ z
        found = np.linalg.solve(normal, right[..., None])[..., 0]
        self.components_, self.mean_ = found[:, :k].T.copy(), found[:, k].copy()
        squares = (flux - self.mean_ - mean @ self.components_) ** 2 + self._spread(covariance)
        share = self.residual_variance_ / (noise + self.residual_variance_)  # of what is left, the rest is noise
        left = seen * (share**2 * squares + share * noise)
        self.residual_variance_ = np.maximum(left.sum(axis=0) / seen.sum(axis=0), floor)

    def _calibrated(
        self, flux: NDArray[np.float64], seen: NDArray[np.bool_], noise: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """By what the variance of each bin is multiplied so that a standard error holds 68.3 % of hidden spectra."""
        rank = np.cumsum(seen, axis=1)
        red = rank > 0.5 * rank[:, -1:]
        miss, expected = np.empty(flux.shape), np.empty(flux.shape)
        for hidden in (red, ~red):
            mean, covariance, _ = self._expect(flux, seen & ~hidden, noise)
            miss[hidden] = ((flux - self.mean_ - mean @ self.components_) ** 2)[hidden]
            expected[hidden] = (self._spread(covariance) + self.residual_variance_)[hidden]
        # the noise of what is hidden is known and needs no factor; where it hides the rest, the Gaussian is believed
        low, high = np.zeros(self.n_features_in_), np.full(self.n_features_in_, _LARGEST_FACTOR)
        for _ in range(30):
            middle = 0.5 * (low + high)
            held = (seen & (miss < np.exp(middle) * expected + noise)).sum(axis=0) >= _WITHIN * seen.sum(axis=0)
            low, high = np.where(held, low, middle), np.where(held, middle, high)
        return np.exp(low)

    def _spread(self, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variance in every bin of what the components make of z, shape (n, n_bins)."""
        k, d = self.components_.shape
        outer = (self.components_[:, None] * self.components_[None]).reshape(k * k, d)
        return covariance.reshape(-1, k * k) @ outer

    def _check_coverage(self, grid: WavelengthGrid, seen: NDArray[np.bool_]) -> None:
        k = self.n_components
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise AgnsalError(f"n_components must be a whole number of at least 1, got {k!r}.")
        least = _SPECTRA_PER_COMPONENT * (k + 1)
        enough = np.flatnonzero(seen.sum(axis=0) >= least)
        if enough.size == len(grid):
            return
        told = f"{len(grid) - enough.size} of {len(grid)} bins were observed in fewer than {least} spectra"
        if not enough.size or k + 1 > len(seen) // _SPECTRA_PER_COMPONENT:
            raise AgnsalError(f"{told}, too few for {k} components; give more spectra or a smaller n_components.")
        run = max(np.split(enough, np.flatnonzero(np.diff(enough) > 1) + 1), key=len)
        raise AgnsalError(
            f"{told}, too few for {k} components; take sample[:, {run[0]}:{run[-1] + 1}], more spectra or a smaller "
            "n_components."
        )

    def _check_fitted(self) -> None:
        if not hasattr(self, "mean_"):
            raise AgnsalError("this ProbabilisticPCA is not fitted yet; call fit first.")

    _arrays: ClassVar = {
        "mean": Array("real", "bin"),
        "components": Array("real", "component bin"),
        "residual_variance": Array("real", "bin"),
        "log_likelihood": Array("real", "round"),
        "calibration": Array("real", "bin"),
        **GRID_ARRAYS,
    }
    _header: ClassVar = {
        "options": {"n_components": int, "max_iter": int, "tol": float},
        **ORIGIN_HEADER,
    }

    def _packed(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        self._check_fitted()
        edges, origin = self.learnt_from_.pack()
        arrays = {name.removesuffix("_"): getattr(self, name) for name in _LEARNT} | edges
        return arrays, {"options": self.get_params()} | origin

    @classmethod
    def _unpacked(cls, arrays: dict[str, NDArray[Any]], header: dict[str, Any]) -> ProbabilisticPCA:
        origin = Origin.unpack(arrays, header)
        if origin is None or not all((arrays[name] > 0).all() for name in ("residual_variance", "calibration")):
            raise AgnsalError("it has a grid, and positive variances")
        pca = cls(**header["options"])
        if len(arrays["components"]) != pca.n_components or (arrays["calibration"] < 1).any():
            raise AgnsalError(f"it has {pca.n_components} components, and factors of at least 1")
        rounds = arrays["log_likelihood"]
        if not 0 < len(rounds) <= pca.max_iter or (np.diff(rounds) < -1e-6 * np.abs(rounds[1:])).any():
            raise AgnsalError("its likelihood rises round by round")
        for name in _LEARNT:
            setattr(pca, name, arrays[name.removesuffix("_")])
        pca.learnt_from_, pca.n_features_in_ = origin, len(origin.grid)
        return pca


#: What a fit finds.
_LEARNT = ("mean_", "components_", "residual_variance_", "log_likelihood_", "calibration_")


def _observed(sample: SpectralSample) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Flux, what was observed, and the variance of the noise (0 where it is not known: it is in the residual then)."""
    if not isinstance(sample, SpectralSample):
        raise AgnsalError(f"a SpectralSample, which knows what was observed, is needed, got {type(sample).__name__}.")
    seen = ~sample.mask
    noise = np.zeros(seen.shape)
    if sample.ivar is not None:
        np.divide(1.0, sample.ivar, out=noise, where=seen & (sample.ivar > 0))
    return sample.flux, seen, noise
