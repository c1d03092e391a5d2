"""Resampling: identities, conservation, masks, errors propagated right, and agreement with specutils."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import InverseVariance
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import edges_from_centers
from agnsal.spectra.resampling import interpolate, resample

SDSS_EDGES = 3600.0 * 10 ** (1e-4 * (np.arange(3801) - 0.5))
SDSS_CENTERS = 3600.0 * 10 ** (1e-4 * np.arange(3800))


@st.composite
def edges(draw, least=2, most=30):
    """Increasing edges of very uneven widths."""
    widths = draw(st.lists(st.floats(1e-3, 1e2), min_size=least - 1, max_size=most - 1))
    return draw(st.floats(-50, 50)) + np.concatenate([[0.0], np.cumsum(widths)])


@st.composite
def spectra(draw, most=3):
    """Edges with flux, inverse variance and mask for a few spectra."""
    edge = draw(edges())
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, most)), edge.size - 1)
    mask = random.random(shape) < draw(st.sampled_from([0.0, 0.2, 0.9]))
    return edge, random.normal(size=shape), random.uniform(0.1, 10, shape), mask


@given(spectra())
def test_same_grid_is_the_identity(spectrum):
    edge, flux, ivar, mask = spectrum
    result = resample(edge, flux, edge, ivar=ivar, mask=mask)
    assert_array_equal(result.mask, mask)
    assert_allclose(result.flux, np.where(mask, 0, flux), rtol=1e-13, atol=0)
    assert_allclose(result.ivar, np.where(mask, 0, ivar), rtol=1e-13, atol=0)
    assert_array_equal(result.coverage, np.where(mask, 0.0, 1.0))


@given(spectra(), edges())
def test_the_integral_over_the_good_pixels_is_conserved(spectrum, inner):
    edge, flux, _, mask = spectrum
    low, high = edge[0] - 1.0, edge[-1] + 1.0
    bins = np.concatenate([[low], inner[(inner > low) & (inner < high)], [high]])
    result = resample(edge, flux, bins, mask=mask, min_bin_coverage=0.0)
    integral = np.sum(result.flux * result.coverage * np.diff(bins), axis=-1)
    expected = np.sum(np.where(mask, 0, flux) * np.diff(edge), axis=-1)
    assert_allclose(integral, expected, rtol=1e-11, atol=1e-11 * np.ptp(edge))


@given(spectra(), edges())
def test_a_constant_stays_constant_whatever_is_masked(spectrum, bins):
    edge, flux, _, mask = spectrum
    result = resample(edge, np.full_like(flux, 3.7), bins, mask=mask, min_bin_coverage=0.0)
    assert_allclose(result.flux[~result.mask], 3.7, rtol=1e-13)
    assert_array_equal(result.flux[result.mask], 0.0)


@given(spectra(), edges())
def test_a_bad_pixel_never_leaks(spectrum, bins):
    edge, flux, ivar, mask = spectrum
    clean = resample(edge, np.where(mask, 0, flux), bins, ivar=ivar, mask=mask)
    for rubbish in (1e30, np.nan, np.inf):
        dirty = resample(edge, np.where(mask, rubbish, flux), bins, ivar=np.where(mask, np.nan, ivar), mask=mask)
        for one, other in zip(clean, dirty, strict=True):
            assert_array_equal(one, other)
    flagged = resample(edge, flux, bins, ivar=np.where(mask, 0.0, ivar))
    assert_array_equal(flagged.flux, clean.flux)
    assert_array_equal(flagged.mask, clean.mask)


@given(spectra(), edges(), st.floats(0, 1))
def test_coverage_decides_what_is_masked(spectrum, bins, least):
    edge, flux, ivar, mask = spectrum
    result = resample(edge, flux, bins, ivar=ivar, mask=mask, min_bin_coverage=least)
    overlap = np.minimum(edge[1:], bins[1:, None]) - np.maximum(edge[:-1], bins[:-1, None])
    covered = (~mask).astype(float) @ np.clip(overlap, 0, None).T / np.diff(bins)
    assert_allclose(result.coverage, covered, atol=1e-10)
    clear = np.abs(covered - least) > 1e-8
    assert_array_equal(result.mask[clear], ((covered < least) | (result.coverage == 0))[clear])
    assert np.isfinite(result.flux).all()
    assert (result.ivar[~result.mask] > 0).all()
    assert_array_equal(result.ivar[result.mask], 0.0)


@given(spectra(), edges())
def test_a_stack_is_its_rows(spectrum, bins):
    edge, flux, ivar, mask = spectrum
    stack = resample(edge, flux, bins, ivar=ivar, mask=mask)
    for i in range(len(flux)):
        row = resample(edge, flux[i], bins, ivar=ivar[i], mask=mask[i])
        for whole, single in zip(stack, row, strict=True):
            assert_allclose(whole[i], single, rtol=1e-14)


def test_a_long_stack_is_its_rows():
    random = np.random.default_rng(4)
    flux, ivar = random.normal(size=(71, 40)), random.uniform(1, 2, (71, 40))
    mask = random.random(40) < 0.1
    edge, bins = np.arange(41.0), np.linspace(3, 37, 18)
    stack = resample(edge, flux, bins, ivar=ivar, mask=mask)
    for i in (0, 31, 32, 70):
        row = resample(edge, flux[i], bins, ivar=ivar[i], mask=mask)
        assert_array_equal(stack.flux[i], row.flux)
        assert_array_equal(stack.ivar[i], row.ivar)
    assert resample(edge, flux, bins).ivar is None
    assert resample(edge, flux[:0], bins).flux.shape == (0, 17)


@pytest.mark.parametrize("bins", [np.linspace(3700, 8400, 3001), np.linspace(3600.5, 8600, 601), SDSS_EDGES[5:-5:3]])
def test_equals_specutils_where_both_cover_the_bin(bins):
    specutils = pytest.importorskip("specutils")
    from specutils.manipulation import FluxConservingResampler

    random = np.random.default_rng(1)
    flux, ivar = random.normal(5, 1, 3800), random.uniform(0.5, 2, 3800)
    centers = 0.5 * (bins[1:] + bins[:-1])
    bins = edges_from_centers(centers)
    spectrum = specutils.Spectrum(
        flux=flux * u.Jy, spectral_axis=SDSS_CENTERS * u.AA, uncertainty=InverseVariance(ivar / u.Jy**2)
    )
    theirs = FluxConservingResampler()(spectrum, centers * u.AA)
    ours = resample(edges_from_centers(SDSS_CENTERS), flux, bins, ivar=ivar)
    full = ours.coverage >= 1 - 1e-12
    assert full.sum() > 500
    assert_allclose(ours.flux[full], theirs.flux.value[full], rtol=1e-12)
    assert_allclose(ours.ivar[full], theirs.uncertainty.array[full], rtol=1e-12)


def test_variance_is_what_monte_carlo_gives():
    random = np.random.default_rng(2)
    n_draws, edge, bins = 20000, np.cumsum(random.uniform(0.5, 2, 61)), np.linspace(2, 60, 40)
    ivar = random.uniform(0.1, 10, 60)
    mask = random.random(60) < 0.1
    noise = random.normal(size=(n_draws, 60)) / np.sqrt(ivar)
    result = resample(edge, noise, bins, ivar=np.broadcast_to(ivar, noise.shape), mask=mask)
    good = ~result.mask[0]
    pull = result.flux[:, good] * np.sqrt(result.ivar[0, good])
    assert_allclose(pull.var(axis=0), 1.0, atol=6 * np.sqrt(2 / n_draws))
    assert_allclose(pull.mean(axis=0), 0.0, atol=6 / np.sqrt(n_draws))


def test_a_spike_far_away_changes_nothing():
    flux = np.sin(SDSS_CENTERS / 50)
    spiked = flux.copy()
    spiked[3000] = 1e12
    bins = np.linspace(3700, 5000, 700)
    assert_array_equal(resample(SDSS_EDGES, flux, bins).flux, resample(SDSS_EDGES, spiked, bins).flux)


def test_a_partly_covered_bin_has_the_mean_of_what_covers_it():
    result = resample([0, 1, 2], [1.0, 2.0], [-1, 0.5, 1.5, 3])
    assert_allclose(result.coverage, [1 / 3, 1, 1 / 3])
    assert_array_equal(result.mask, [True, False, True])
    assert_allclose(resample([0, 1, 2], [1.0, 2.0], [-1, 0.5, 1.5, 3], min_bin_coverage=0.3).flux, [1, 1.5, 2])


def test_rounding_of_the_edges_does_not_cost_a_bin():
    edge = np.arange(0, 30) * 0.1
    result = resample(edge, np.ones(29), np.cumsum(np.full(20, 0.1)), min_bin_coverage=1.0)
    assert not result.mask.any()


def test_a_gap_stays_a_gap():
    gap = np.array([False, False, True, False, False])
    result = resample([0, 1, 2, 5, 6, 7], [1.0, 1.0, 9.0, 2.0, 2.0], np.arange(8.0), mask=gap)
    assert_array_equal(result.mask, [False, False, True, True, True, False, False])
    assert_array_equal(result.flux, [1, 1, 0, 0, 0, 2, 2])


def test_a_grid_wholly_outside_is_all_masked():
    for bins in ([10.0, 11, 12], [-3.0, -2, -1], [2.0, 3.0]):
        result = resample([0, 1, 2], [1.0, 2.0], bins, ivar=[1, 1], min_bin_coverage=0)
        assert result.mask.all()
        assert_array_equal(np.concatenate([result.flux, result.ivar, result.coverage]), 0.0)


def test_pixels_beyond_the_bins_take_no_part():
    """To the last bit, so that they need not be looked at."""
    random = np.random.default_rng(0)
    edges, bins = np.arange(200.0), np.array([50.25, 60.0, 60.5, 71.0, 90.0])
    flux, ivar, mask = random.normal(size=(3, 199)), random.uniform(1, 2, (3, 199)), random.random(199) < 0.2
    whole = resample(edges, flux, bins, ivar=ivar, mask=mask)
    for first, last in ((50, 90), (49, 91), (0, 90), (50, 199)):
        part = slice(first, last)
        cut = resample(edges[first : last + 1], flux[:, part], bins, ivar=ivar[:, part], mask=mask[part])
        for one, other in zip(whole, cut, strict=True):
            assert_array_equal(one, other)


def test_survey_bytes_come_out_native():
    flux = np.linspace(1, 2, 10).astype(">f4")
    result = resample(np.arange(11), flux, np.arange(11), ivar=np.ones(10, ">f4"))
    assert result.flux.dtype == result.ivar.dtype == np.dtype("=f8")
    assert_array_equal(result.flux, flux.astype(float))


def test_inverse_variance_that_cannot_be_inverted_is_bad():
    result = resample(np.arange(6.0), np.ones(5), np.arange(6.0), ivar=[1, 0, -2, np.inf, 1e-320])
    assert_array_equal(result.mask, [False, True, True, True, True])


@given(st.integers(0, 2**32 - 1))
def test_interpolation_is_that_of_numpy(seed):
    random = np.random.default_rng(seed)
    centers, points = np.sort(random.uniform(0, 10, 30)), np.sort(random.uniform(-1, 11, 50))
    flux = random.normal(size=30)
    result = interpolate(centers, flux, points)
    inside = (points >= centers[0]) & (points <= centers[-1])
    assert_array_equal(result.mask, ~inside)
    assert_allclose(result.flux[inside], np.interp(points, centers, flux)[inside], atol=1e-13)
    assert_array_equal(interpolate(centers, flux, centers).flux, flux)


def test_interpolation_masks_what_touches_a_bad_pixel():
    flux = np.array([1.0, 2, np.nan, 4, 5])
    result = interpolate(np.arange(5), flux, [0.5, 1, 1.5, 2, 3, 3.25, 4], ivar=np.ones(5))
    assert_array_equal(result.mask, [False, False, True, True, False, False, False])
    assert_allclose(result.flux, [1.5, 2, 0, 0, 4, 4.25, 5])
    assert_allclose(result.coverage, [1, 1, 0.5, 0, 1, 1, 1])
    assert_allclose(result.ivar, [2, 1, 0, 0, 1, 1 / (0.75**2 + 0.25**2), 1])
    stack = interpolate(np.arange(5), np.stack([flux, np.ones(5)]), [0.5, 1.5], mask=np.arange(5) == 0)
    assert_array_equal(stack.mask, [[True, True], [True, False]])
    assert stack.ivar is None


def test_interpolated_variance_is_what_monte_carlo_gives():
    random = np.random.default_rng(5)
    ivar, points = random.uniform(0.5, 5, 20), np.linspace(0.3, 18.2, 30)
    noise = random.normal(size=(20000, 20)) / np.sqrt(ivar)
    result = interpolate(np.arange(20), noise, points, ivar=np.broadcast_to(ivar, noise.shape))
    assert_allclose(result.flux.var(axis=0) * result.ivar[0], 1.0, atol=6 * np.sqrt(2 / 20000))


@settings(max_examples=20)
@given(spectra())
def test_inputs_are_left_alone(spectrum):
    edge, flux, ivar, mask = spectrum
    copies = [a.copy() for a in (edge, flux, ivar, mask)]
    result = resample(edge, flux, edge, ivar=ivar, mask=mask)
    result.flux[:] = result.ivar[:] = -1
    for array, copy in zip((edge, flux, ivar, mask), copies, strict=True):
        assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges_in": [4, 3, 2, 1]}, "descends"),
        ({"edges_in": [1, 2, 2, 3]}, "2.0 is followed by 2.0"),
        ({"edges_in": [1, 2, np.nan, 3]}, "not finite"),
        ({"edges_in": [1, 2]}, r"\(1,\) or \(n_spectra, 1\)"),
        ({"edges_in": np.zeros((3, 3))}, "edges_in came with shape"),
        ({"edges_out": [1]}, "at least 2"),
        ({"edges_out": [3, 1]}, "edges_out descends"),
        ({"flux": np.ones((1, 1, 3))}, "flux came with shape"),
        ({"flux": np.ones(3) * u.Jy}, "unit"),
        ({"edges_out": [1, 2] * u.AA}, "to_value"),
        ({"flux": np.ma.masked_array(np.ones(3), mask=[1, 0, 0])}, "masked array"),
        ({"ivar": np.ones(2)}, "ivar came with shape"),
        ({"mask": np.zeros(3, int)}, "bits != 0"),
        ({"mask": np.zeros(4, bool)}, "mask came with shape"),
        ({"min_bin_coverage": 1.5}, "min_bin_coverage"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    arguments = {"edges_in": [0, 1, 2, 3], "flux": np.ones(3), "edges_out": [0, 2], **change}
    with pytest.raises(AgnsalError, match=message):
        resample(arguments.pop("edges_in"), arguments.pop("flux"), arguments.pop("edges_out"), **arguments)
