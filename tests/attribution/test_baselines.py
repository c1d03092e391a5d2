"""Baselines, regions and fillings."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agnsal
from agnsal import AgnsalError, SpectralSample, WavelengthGrid
from agnsal.attribution.question.question import ask
from agnsal.spectra.editing.filling import neighbours, noise_level, straight_line, stretches
from agnsal.spectra.editing.reference import named_baseline
from agnsal.spectra.regions import Regions

GRID = WavelengthGrid.linear(4600 * u.AA, 5100 * u.AA, 500)
WAVELENGTH = GRID.centers.value


@pytest.fixture(scope="module", name="sample")
def simulated():
    return agnsal.simulate_agn(12, 12, 5, seed=5).normalize()


def test_means_leave_bad_bins_out():
    flux = np.array([[1.0] * 500, [3.0] * 500])
    mask = np.zeros((2, 500), dtype=bool)
    mask[1, :10] = True
    flux[1, :10] = 99.0
    mean = agnsal.mean_spectrum(SpectralSample(flux, GRID, mask=mask))
    np.testing.assert_array_equal(mean[:10], 1.0)
    np.testing.assert_array_equal(mean[10:], 2.0)


def test_class_mean(sample):
    mean = agnsal.class_mean(sample, "type 1")
    members = sample[sample.labels == "type 1"]
    np.testing.assert_allclose(mean, agnsal.mean_spectrum(members))
    with pytest.raises(AgnsalError, match=r"no spectrum is labelled 'type 3'; the labels are 'intermediate', 'type 1'"):
        agnsal.class_mean(sample, "type 3")
    with pytest.raises(AgnsalError, match="no labels"):
        agnsal.class_mean(SpectralSample(np.ones((2, 500)), GRID), "type 1")
    with pytest.raises(AgnsalError, match="no spectra"):
        agnsal.mean_spectrum(sample[:0])


def test_continuum_removes_the_lines_and_nothing_else():
    slope = 2.0 - 1e-3 * (WAVELENGTH - 4600)
    line = np.exp(-0.5 * ((WAVELENGTH - 4862.68) / 15.0) ** 2)
    line += 3.0 * np.exp(-0.5 * ((WAVELENGTH - 5008.24) / 3.0) ** 2)
    sample = SpectralSample(np.stack([slope + line, slope]), GRID)
    bare = agnsal.continuum(sample)
    np.testing.assert_allclose(bare[1], slope, atol=0.01)
    np.testing.assert_allclose(bare[0], slope, atol=0.05)
    only = agnsal.continuum(sample, ["[O III] 5007"])
    np.testing.assert_allclose(only[0, WAVELENGTH < 4980], (slope + line)[WAVELENGTH < 4980])
    np.testing.assert_array_equal(agnsal.continuum(sample, "[O III] 5007"), only)
    with pytest.raises(AgnsalError, match="did you mean"):
        agnsal.continuum(sample, ["[O III] 5008"])
    with pytest.raises(AgnsalError, match="off the grid"):
        agnsal.continuum(sample, ["Halpha"])
    air = WavelengthGrid.from_centers(GRID.centers, medium="air")
    with pytest.raises(AgnsalError, match="vacuum"):
        agnsal.continuum(SpectralSample(np.ones((1, 500)), air))


def test_continuum_of_simulated_spectra_lies_below_their_lines(sample):
    bare = agnsal.continuum(sample)
    hbeta = agnsal.line_masks(sample.grid, ["[O III] 5007"])["[O III] 5007"]["core"]
    assert ((sample.flux - bare)[:, hbeta].sum(axis=1) > 0).mean() > 0.9


@given(seed=st.integers(0, 2**32 - 1), slope=st.floats(-5, 5), level=st.floats(-5, 5), size=st.integers(6, 40))
def test_a_straight_line_is_bridged_exactly(seed, slope, level, size):
    random = np.random.default_rng(seed)
    position = np.cumsum(random.uniform(0.1, 2.0, size))
    flux = (level + slope * position)[None]
    start, stop = np.sort(random.choice(np.arange(1, size), 2, replace=False))
    removed = (np.arange(size) >= start) & (np.arange(size) < stop)
    filled = straight_line(flux, position, removed, neighbours(removed))
    np.testing.assert_allclose(filled, flux[:, removed], atol=1e-9)


def test_at_the_end_of_the_grid_the_line_is_level():
    removed = np.array([True, True, False, False])
    assert straight_line(np.array([[9.0, 9.0, 1.0, 3.0]]), np.arange(4.0), removed, ~removed).tolist() == [[2.0, 2.0]]
    with pytest.raises(AgnsalError, match="no continuum is left"):
        straight_line(np.ones((1, 4)), np.arange(4.0), np.ones(4, dtype=bool), np.zeros(4, dtype=bool))


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_stretches_partition_the_removed_bins(removed):
    removed = np.array(removed)
    parts = stretches(removed)
    np.testing.assert_array_equal(np.sum(parts, axis=0) if parts else np.zeros(removed.size), removed)
    assert all(np.ptp(np.flatnonzero(part)) == part.sum() - 1 for part in parts)


def test_noise_level_from_ivar_and_from_scatter():
    random = np.random.default_rng(0)
    flux = 1.0 + 0.2 * random.normal(size=(2, 5000)) + np.linspace(0, 3, 5000)
    np.testing.assert_allclose(noise_level(flux)[:, 0], 0.2, rtol=0.05)
    ivar = np.full((1, 4), 25.0)
    ivar[0, 1] = 0.0
    np.testing.assert_allclose(noise_level(np.ones((1, 4)), ivar), 0.2)
    assert (noise_level(np.ones((2, 3))) == 0).all()


# the labels are noise on purpose
@pytest.mark.filterwarnings("ignore:nothing shows that the machine separates:agnsal.AgnsalWarning")
def test_what_a_question_may_be_compared_with(sample):
    model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    for baseline, expected in (
        ("zero", np.zeros(1000)),
        ("mean", agnsal.mean_spectrum(sample)),
        (("class mean", "type 2"), agnsal.class_mean(sample, "type 2")),
        ("continuum", agnsal.continuum(sample)),
        (None, model.training_mean_),
        (sample.flux[::-1], sample.flux[::-1]),
    ):
        result = agnsal.integrated_gradients(model, sample, output="log_odds", baseline=baseline, n_steps=24)
        np.testing.assert_array_equal(result.baseline, expected)
    with pytest.raises(AgnsalError, match="there is no baseline 'median'; give an array"):
        named_baseline(sample.flux, sample, "median")
    with pytest.raises(AgnsalError, match="needs a SpectralSample"):
        named_baseline(sample.flux, None, "continuum")
    with pytest.raises(AgnsalError, match="unit or a mask"):
        named_baseline(sample.flux, None, np.ones(1000) * u.Jy)
    with pytest.raises(AgnsalError, match="NaN"):
        named_baseline(sample.flux, None, np.full(1000, np.nan))
    with pytest.raises(AgnsalError, match="is not a baseline"):
        named_baseline(sample.flux, None, {"a": 1})
    with pytest.raises(AgnsalError, match="not a class"):
        ask(model, sample, "type 3")


def test_regions_are_a_partition(sample):
    regions = Regions.of(["[O III] 5007", "Hbeta"], 1000, sample.grid)
    assert regions.names == ("[O III] 5007", "Hbeta", "rest")
    assert regions.sizes.sum() == 1000
    values = np.random.default_rng(0).normal(size=(3, 1000))
    sums = regions.sums(values)
    np.testing.assert_allclose(sums[:, 1], values[:, regions.labels == 1].sum(axis=1))
    np.testing.assert_allclose(regions.sums(regions.spread(sums)), sums)
    windows = Regions.of(100 * u.AA, 1000, sample.grid)
    assert np.ptp(windows.sizes[:-1]) <= 1
    assert windows.names[0].endswith("A")
    assert Regions.of([5, 5, -1], 3).labels.tolist() == [1, 1, 0]
    with pytest.raises(AgnsalError, match="must be positive"):
        Regions.of(-5 * u.AA, 1000, sample.grid)
    with pytest.raises(AgnsalError, match="belong to the lines named before"):
        Regions.of(["Fe II 5250", "Mg b"], 1000, sample.grid)
