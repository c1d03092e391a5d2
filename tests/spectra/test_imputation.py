"""Gaps filled from what was observed: exact where the model is, calibrated where spectra are only like it."""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import agnsal
from agnsal import AgnsalError, ProbabilisticPCA, SpectralSample, WavelengthGrid

K, D = 3, 24
GRID = WavelengthGrid.linear(5000 * u.AA, 5200 * u.AA, D)


def _drawn(n, seed=0, noise=0.2, observed=12):
    """Spectra of a known Gaussian, each observed in a stretch of its own; and what they are without noise."""
    rng = np.random.default_rng(7)
    mean, components, residual = rng.normal(5, 1, D), rng.normal(size=(K, D)), rng.uniform(0.01, 0.1, D)
    rng = np.random.default_rng(seed)
    truth = mean + rng.standard_normal((n, K)) @ components + rng.standard_normal((n, D)) * np.sqrt(residual)
    start = rng.integers(0, D - observed + 1, n)[:, None]
    mask = (np.arange(D) < start) | (np.arange(D) >= start + observed)
    sigma = noise * rng.uniform(0.5, 1.5, (n, D))
    flux = truth + sigma * rng.standard_normal((n, D))
    sample = SpectralSample(np.where(mask, np.nan, flux), GRID, ivar=sigma**-2.0, mask=mask)
    return sample, truth, (mean, components, residual)


@pytest.fixture(scope="module")
def fitted():
    return ProbabilisticPCA(K).fit(_drawn(2000)[0])


@pytest.fixture
def known(fitted):
    """The Gaussian itself, as if a fit had found it."""
    pca = ProbabilisticPCA(K, max_iter=2).fit(_drawn(300)[0])
    pca.mean_, pca.components_, pca.residual_variance_ = _drawn(1)[2]
    pca.calibration_ = np.ones(D)
    return pca


def _conditional(model, sample, row):
    """Mean and covariance of the bad bins given the good ones, by the textbook."""
    mean, components, residual = model
    bad = sample.mask[row]
    covariance = components.T @ components + np.diag(residual)
    seen = covariance[np.ix_(~bad, ~bad)] + np.diag(1 / sample.ivar[row, ~bad])
    gain = covariance[np.ix_(bad, ~bad)] @ np.linalg.inv(seen)
    expected = mean[bad] + gain @ (sample.flux[row] - mean)[~bad]
    return expected, covariance[np.ix_(bad, bad)] - gain @ covariance[np.ix_(~bad, bad)]


def test_it_is_the_conditional_gaussian(known):
    sample, _, model = _drawn(5, seed=1)
    filled, variance = known.impute(sample), known.variance(sample)
    draws = np.array([one.flux for one in known.draws(sample, 4000, random_state=0)])
    for row in range(5):
        bad = sample.mask[row]
        mean, covariance = _conditional(model, sample, row)
        assert_allclose(filled.flux[row, bad], mean, rtol=1e-10)
        assert_allclose(variance[row, bad], np.diag(covariance), rtol=1e-10)
        assert (variance[row, ~bad] == 0).all()
        assert_allclose(np.cov(draws[:, row, bad].T), covariance, atol=0.08 * np.diag(covariance).max())
        assert_allclose(draws[:, row, bad].mean(axis=0), mean, atol=5 * np.sqrt(np.diag(covariance).max() / 4000))
    observed = ~sample.mask
    assert (draws[:, observed] == sample.flux[observed]).all()


def test_what_was_observed_stays_and_what_was_not_stays_masked(fitted):
    sample = _drawn(20, seed=2)[0]
    filled = fitted.impute(sample)
    assert_array_equal(filled.flux[~sample.mask], sample.flux[~sample.mask])
    assert_array_equal(filled.mask, sample.mask)
    assert_array_equal(filled.ivar, sample.ivar)
    assert_array_equal(fitted.impute(filled).flux, filled.flux)
    whole = SpectralSample(sample.flux, GRID)
    assert_array_equal(fitted.impute(whole).flux, sample.flux)
    assert (fitted.variance(whole) == 0).all()


def test_fitting_finds_the_gaussian_without_one_complete_spectrum(fitted):
    sample, truth, (mean, components, residual) = _drawn(400, seed=3)
    assert (np.diff(fitted.log_likelihood_) > -1e-9).all()
    covariance = fitted.components_.T @ fitted.components_
    true = components.T @ components
    assert np.abs(covariance - true).max() < 0.3 * np.abs(true).max()
    assert np.abs(fitted.mean_ - mean).max() < 0.4
    assert_allclose(fitted.residual_variance_, residual, atol=0.03)
    assert_allclose(np.log(fitted.calibration_), 0, atol=0.5)
    assert np.median(fitted.calibration_) == pytest.approx(1, abs=0.1)
    bad = sample.mask
    miss = ((fitted.impute(sample).flux - truth) / np.sqrt(fitted.variance(sample) + ~bad))[bad]
    assert (np.abs(miss) < 1).mean() == pytest.approx(0.683, abs=0.03)
    assert miss.std() == pytest.approx(1, abs=0.1)


def test_labels_are_not_seen_and_unknown_errors_are_left_to_the_residual():
    sample = _drawn(400)[0]
    labelled = SpectralSample(sample.flux, GRID, ivar=sample.ivar, mask=sample.mask)
    labelled.table["label"] = np.where(np.arange(400) % 2, "a", "b")
    plain, other = (ProbabilisticPCA(K, max_iter=40).fit(one) for one in (sample, labelled))
    assert_array_equal(plain.components_, other.components_)
    bare = ProbabilisticPCA(K, max_iter=40).fit(SpectralSample(sample.flux, GRID, mask=sample.mask))
    assert np.median(bare.residual_variance_ - plain.residual_variance_) == pytest.approx(0.2**2, abs=0.02)


def test_simulated_spectra_are_filled_better_than_by_a_line_and_with_errors_that_hold():
    def observed(seed):
        sample = agnsal.simulate_agn(120, 120, 0, seed=seed, redshift_confound=False).normalize()[:, 460:860]
        start = np.random.default_rng(seed).integers(-50, 150, len(sample))[:, None]
        mask = sample.mask | (np.arange(400) < start)
        return SpectralSample(sample.flux, sample.grid, ivar=sample.ivar, mask=mask), sample.truth, sample

    training, new = observed(0)[0], observed(1)
    pca = ProbabilisticPCA(6, max_iter=40).fit(training)
    gappy, _, whole = new
    filled, bad = pca.impute(gappy), gappy.mask & ~whole.mask
    assert np.abs(filled.flux - whole.flux)[bad].mean() < 0.75 * np.abs(gappy.flux - whole.flux)[bad].mean()
    error = np.sqrt(pca.variance(gappy)[bad] + 1 / whole.ivar[bad])
    assert (np.abs(filled.flux - whole.flux)[bad] < error).mean() == pytest.approx(0.683, abs=0.08)


def test_files(fitted, tmp_path):
    sample = _drawn(6, seed=4)[0]
    fitted.write(tmp_path / "pca.npz")
    again = ProbabilisticPCA.read(tmp_path / "pca.npz")
    filled = fitted.impute(sample)
    assert_array_equal(again.impute(sample).flux, filled.flux)
    assert_array_equal(again.variance(sample), fitted.variance(sample))
    assert again.get_params() == fitted.get_params()
    assert str(again) == str(fitted)
    filled.write(tmp_path / "filled.npz")
    assert_array_equal(SpectralSample.read(tmp_path / "filled.npz").flux, filled.flux)


def test_refusals_and_that_their_advice_works(fitted):
    sample = _drawn(200)[0]
    mask = sample.mask.copy()
    mask[:, :5] = True
    short = SpectralSample(sample.flux, GRID, ivar=sample.ivar, mask=mask)
    with pytest.raises(AgnsalError, match=r"5 of 24 bins .* fewer than 8 spectra.*sample\[:, 5:24\]"):
        ProbabilisticPCA(K).fit(short)
    assert ProbabilisticPCA(K, max_iter=3).fit(short[:, 5:24]).components_.shape == (K, 19)
    with pytest.raises(AgnsalError, match="smaller n_components"):
        ProbabilisticPCA(140).fit(sample)
    with pytest.raises(AgnsalError, match="n_components must be"):
        ProbabilisticPCA(0).fit(sample)
    with pytest.raises(AgnsalError, match="SpectralSample"):
        ProbabilisticPCA(K).fit(sample.flux)
    with pytest.raises(AgnsalError, match="imputation was learnt from spectra whose grid is"):
        fitted.impute(sample[:, :20])
    window = GRID.centers[D // 2], 0.5 * (GRID.centers[-1] - GRID.centers[0])
    normalised = ProbabilisticPCA(K, max_iter=3).fit(sample.normalize(*window))
    with pytest.raises(AgnsalError, match=r"whose normalization is .*at=.*, that of these is .*median"):
        normalised.impute(sample.normalize(by="median"))
    with pytest.raises(AgnsalError, match="SpectralSample"):
        fitted.impute(sample.flux)
    with pytest.raises(AgnsalError, match="fit"):
        ProbabilisticPCA().impute(sample)
