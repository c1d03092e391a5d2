import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from agnsal import PERUZZI2021_GRID, AgnsalError, FluxNormalizer, SpectralSample, WavelengthGrid, saliency

GRID = WavelengthGrid.linear(5000 * u.AA, 5200 * u.AA, 41)


@pytest.fixture
def flux():
    return np.random.default_rng(0).uniform(1, 3, size=(30, 41))


@pytest.mark.parametrize("window", [None, 50 * u.AA, 45 * u.AA, 3 * u.nm])
def test_is_the_normalisation_of_a_sample(window, flux):
    sample = SpectralSample(flux, GRID)
    expected = sample.normalize(at=5100 * u.AA, window=window).flux
    assert_allclose(FluxNormalizer(GRID, window=window).fit_transform(flux), expected, rtol=1e-14)


def test_in_a_pipeline_the_map_knows_the_division(flux):
    y = (flux[:, 5] > 2).astype(int)
    pipeline = make_pipeline(FluxNormalizer(GRID), LogisticRegression())
    assert cross_val_score(clone(pipeline), flux, y, cv=3).mean() > 0.5
    result = saliency(pipeline.fit(flux, y), SpectralSample(flux, GRID), output="log_odds")
    # a spectrum that is brighter all over is the same spectrum after the division
    assert_allclose((result.values * flux).sum(axis=1), 0, atol=1e-12)


def test_refusals(flux):
    with pytest.raises(AgnsalError, match="cannot normalise at"):
        FluxNormalizer(GRID, at=7000 * u.AA).fit(flux)
    with pytest.raises(AgnsalError, match="41 bins, the grid 1000"):
        FluxNormalizer(PERUZZI2021_GRID).fit(flux)
    with pytest.raises(AgnsalError, match="no positive flux"):
        FluxNormalizer(GRID).fit(flux).transform(flux - 10)
    with pytest.raises(AgnsalError, match="mask"):
        FluxNormalizer(GRID).fit(np.ma.array(flux))
