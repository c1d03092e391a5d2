"""What every spectrum is divided by, and what is refused: only observed bins count."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import agnsal
from agnsal import AgnsalError, AgnsalWarning, FluxNormalizer, SpectralSample, WavelengthGrid
from agnsal.spectra.normalization import Normalization

WAYS = {
    "window": {},
    "one bin": {"window": None},
    "elsewhere": {"at": 4200 * u.AA, "window": 20 * u.AA},
    "median": {"by": "median"},
    "continuum": {"by": "continuum"},
}


@pytest.fixture(scope="module")
def raw():
    return agnsal.simulate_agn(4, 4, 4, seed=3)


def with_hole(sample, rows, low, high, value=1e6):
    """Lose some wavelengths of some spectra, with absurd flux where nothing was observed."""
    flux, mask = sample.flux.copy(), sample.mask.copy()
    hole = (sample.wavelength.value > low) & (sample.wavelength.value < high)
    for row in rows:
        mask[row, hole], flux[row, hole] = True, value
    return SpectralSample(flux, sample.grid, mask=mask, ivar=sample.ivar, unit=sample.unit, table=sample.table)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_only_observed_bins_count(raw, way):
    # whatever stands in bad bins, the flux in the others comes out the same
    low, high = (4800, 4900) if way != WAYS["elsewhere"] else (4205, 4300)
    one, two = (with_hole(raw, range(12), low, high, value).normalize(**way) for value in (1e6, -7.0))
    good = ~one.mask
    assert_array_equal(one.flux[good], two.flux[good])
    assert_array_equal(one.ivar, two.ivar)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_brightness_does_not_matter(raw, way):
    factor = np.linspace(0.1, 30, len(raw))[:, None]
    brighter = SpectralSample(raw.flux * factor, raw.grid, mask=raw.mask, unit=raw.unit, table=raw.table)
    assert_allclose(brighter.normalize(**way).flux, raw.normalize(**way).flux, rtol=1e-9)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_signal_to_noise_stays(raw, way):
    done = raw.normalize(**way)
    assert_allclose(done.flux * np.sqrt(done.ivar), raw.flux * np.sqrt(raw.ivar), rtol=1e-10)
    good = ~raw.mask
    for name, component in done.truth.components.items():
        expected = raw.truth.components[name][good] * done.flux[good]
        assert_allclose(component[good] * raw.flux[good], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore:nothing shows")  # twelve spectra teach little
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_how_is_remembered_by_files_and_machines(raw, way, tmp_path):
    done = raw.normalize(**way)
    done.write(tmp_path / "sample.npz")
    back = SpectralSample.read(tmp_path / "sample.npz")
    assert back.normalization == done.normalization
    assert_array_equal(back.flux, done.flux)
    assert str(done.normalization) in str(back)
    machine = agnsal.ProbabilisticSVC("linear", cv=2, random_state=0).fit(done, np.repeat(["x", "y"], 6))
    machine.write(tmp_path / "machine.npz")
    again = agnsal.ProbabilisticSVC.read(tmp_path / "machine.npz")
    assert_array_equal(again.predict_proba(back), machine.predict_proba(done))
    other = raw.normalize(**WAYS["median" if way == WAYS["continuum"] else "continuum"])
    with pytest.raises(AgnsalError, match="normalization"):
        again.predict_proba(other)


@pytest.mark.parametrize("window", [None, 30 * u.AA, 50 * u.AA], ids=str)
def test_a_spectrum_not_observed_there_is_refused_and_the_advice_works(raw, window):
    sample = with_hole(raw, [1, 7], 5060, 5140)
    with pytest.raises(
        AgnsalError, match=r"no good bin at 5100 .* in sim-3-00001, sim-3-00007; by=.median. .*at=\d+"
    ) as told:
        sample.normalize(window=window)
    place = float(str(told.value).split("at=")[1].split(" ")[0])
    assert len(sample.normalize(at=place * u.AA, window=window)) == 12
    assert len(sample.normalize(by="median")) == 12
    with pytest.warns(AgnsalWarning, match="2 of 12 spectra left out:\nsim-3-00001: no good bin"):
        kept = sample.normalize(window=window, on_error="skip")
    assert_array_equal(kept.ids, np.delete(raw.ids, [1, 7]))


def test_no_window_in_common():
    grid = WavelengthGrid.linear(4000 * u.AA, 5200 * u.AA, 60)
    mask = np.zeros((2, 60), dtype=bool)
    mask[0, :30] = mask[1, 30:] = True
    sample = SpectralSample(np.ones((2, 60)), grid, mask=mask)
    with pytest.raises(AgnsalError, match="1 of 2 spectra were observed"):
        sample.normalize()
    assert_allclose(sample.normalize(by="continuum").flux, 1)


def test_refuses_words_it_does_not_know(raw):
    with pytest.raises(AgnsalError, match="by must be one of 'window', 'median', 'continuum', got 'mean'"):
        raw.normalize(by="mean")
    with pytest.raises(AgnsalError, match="on_error must be"):
        raw.normalize(on_error="note")
    with pytest.raises(AgnsalError, match="normalise the sample"):
        FluxNormalizer(raw.grid, by="continuum").fit(raw.flux)


def test_none_left_is_an_error_even_when_skipping(raw):
    with pytest.raises(AgnsalError, match="no good bin"):
        with_hole(raw, range(12), 5060, 5140).normalize(on_error="skip")


@pytest.mark.parametrize("frame", ["rest", "observed"])
def test_continuum_is_found_under_the_lines(frame):
    grid = WavelengthGrid.linear(4000 * u.AA, 5200 * u.AA, 800, frame=frame)
    wave = grid.centers.value
    smooth = 3 - 2e-3 * (wave - 4000) + 1e-6 * (wave - 4500) ** 2
    lines = 4 * np.exp(-0.5 * ((wave - 4862.7) / 20) ** 2) + 9 * np.exp(-0.5 * ((wave - 5008.2) / 3) ** 2)
    noise = np.random.default_rng(0).normal(0, 0.01, (5, 800))
    done = SpectralSample(smooth + lines + noise, grid).normalize(by="continuum")
    assert_allclose(done.flux, (smooth + lines + noise) / smooth, rtol=0.03)


def test_continuum_level_does_not_depend_on_what_was_observed(raw):
    whole = raw.normalize(by="continuum")
    part = with_hole(raw, range(12), 3700, 4300).normalize(by="continuum")
    change = (part.flux / whole.flux)[~part.mask & ~whole.mask]
    assert abs(np.median(change) - 1) < 0.01
    assert np.percentile(np.abs(change - 1), 95) < 0.1


def test_too_few_bins_or_a_negative_continuum_are_refused():
    grid = WavelengthGrid.linear(4000 * u.AA, 5200 * u.AA, 60)
    mask = np.zeros((1, 60), dtype=bool)
    mask[0, 10:] = True
    with pytest.raises(AgnsalError, match=r"only \d+ good bins"):
        SpectralSample(np.ones((1, 60)), grid, mask=mask).normalize(by="continuum")
    with pytest.raises(AgnsalError, match="not positive everywhere"):
        SpectralSample(np.linspace(-1, 3, 60)[None, :], grid).normalize(by="continuum")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_pipeline_and_sample_agree_where_all_was_observed(seed, level):
    grid = WavelengthGrid.linear(4000 * u.AA, 5200 * u.AA, 50)
    flux = np.random.default_rng(seed).uniform(level, 1, (3, 50))
    expected = SpectralSample(flux, grid).normalize(by="median").flux
    assert_allclose(FluxNormalizer(grid, by="median").fit_transform(flux), expected, rtol=1e-14)


def test_samples_whose_divisors_have_other_units_are_refused_and_the_advice_works(raw):
    other = SpectralSample(raw.flux, raw.grid, unit=u.Jy, table=raw.table)
    with pytest.raises(AgnsalError, match=r"del sample.table\['normalization'\]"):
        agnsal.concatenate([raw.normalize(), other.normalize()])
    samples = [raw.normalize(), other.normalize()]
    for sample in samples:
        del sample.table["normalization"]
    assert len(agnsal.concatenate(samples)) == 24


def test_a_data_set_leaves_out_by_name_what_cannot_be_divided(raw):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        block = agnsal.open_dataset(with_hole(raw, [2], 5060, 5140)).block(0, raw.grid, 20)
    assert list(block.left_out) == [2]
    assert "no good bin at 5100" in block.left_out[2]
    assert_array_equal(block.rows, np.delete(np.arange(12), 2))


def test_words():
    assert str(Normalization(5100.0, None)) == "at 5100 Angstrom, nearest bin"
    assert str(Normalization(by="median")) == "by the median of the good bins"
