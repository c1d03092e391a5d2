"""SpectralSample: the matrix and everything known about its rows."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import InverseVariance, StdDevUncertainty, UnknownUncertainty
from astropy.table import QTable
from hypothesis import given
from hypothesis import strategies as st
from specutils import Spectrum

from agnsal import AgnsalError, AgnsalWarning, SpectralSample, WavelengthGrid
from agnsal.spectra.normalization import Normalization
from agnsal.spectra.sample import bridge

GRID = WavelengthGrid.linear(5000 * u.AA, 5200 * u.AA, 41)
FLAM = u.Unit("1e-17 erg s-1 cm-2 Angstrom-1")


def spectrum(z=0.1, n=1200, flux=None, ivar=None, unit=FLAM, start=5000.0, **keywords):
    wavelength = start * 10 ** (1e-4 * np.arange(n))
    flux = 1 + wavelength / 1e4 if flux is None else flux
    uncertainty = None if ivar is None else InverseVariance(ivar)
    redshift = {} if z is None else {"redshift": z}
    return Spectrum(flux=flux * unit, spectral_axis=wavelength * u.AA, uncertainty=uncertainty, **redshift, **keywords)


@pytest.fixture
def sample():
    rng = np.random.default_rng(1)
    flux = rng.uniform(1, 2, (4, 41))
    table = QTable(
        {"object_id": ["a", "b", "c", "d"], "redshift": [0.1, 0.2, 0.3, 0.4], "label": ["x", "y", "x", "y"],
         "fwhm": [1.0, 2.0, 3.0, 4.0] * u.km / u.s}
    )  # fmt: skip
    mask = np.zeros((4, 41), bool)
    mask[1, 3:6] = True
    return SpectralSample(flux, GRID, ivar=np.full((4, 41), 4.0), mask=mask, unit=FLAM, table=table)


def test_bad_bins_are_bridged_flagged_and_without_weight():
    flux = np.tile(np.arange(41.0), (1, 1))
    flux[0, [3, 4, 20]] = [np.nan, np.inf, 99.0]
    ivar = np.ones((1, 41))
    ivar[0, 20] = 0
    ivar[0, 30] = np.nan
    sample = SpectralSample(flux, GRID, ivar=ivar)
    np.testing.assert_allclose(sample.flux[0], np.arange(41.0), rtol=1e-14)
    assert np.flatnonzero(sample.mask[0]).tolist() == [3, 4, 20, 30]
    assert (sample.ivar[sample.mask] == 0).all()
    assert (sample.ivar[~sample.mask] == 1).all()


@given(st.integers(0, 2**30), st.integers(1, 19))
def test_bridging_keeps_straight_lines(seed, n_bad):
    rng = np.random.default_rng(seed)
    line = 3.0 + 0.5 * np.arange(20)
    bad = np.zeros((1, 20), bool)
    bad[0, rng.choice(np.arange(1, 19), min(n_bad, 18), replace=False)] = True
    np.testing.assert_allclose(bridge(np.where(bad, np.nan, line), bad)[0], line, rtol=1e-12)


def test_indexing_keeps_everything_together(sample):
    part = sample[np.array([True, False, True, False])]
    assert part.ids.tolist() == ["a", "c"]
    assert part.labels.tolist() == ["x", "x"]
    np.testing.assert_array_equal(part.flux, sample.flux[[0, 2]])
    assert len(sample[-1]) == 1
    assert sample[-1].ids[0] == "d"
    assert len(sample[1:3]) == 2
    with pytest.raises(IndexError):
        sample[4]


def test_normalize_is_a_new_sample(sample):
    before = sample.flux.copy()
    done = sample.normalize(at=5100 * u.AA, window=50 * u.AA)
    np.testing.assert_array_equal(sample.flux, before)
    inside = np.abs(GRID.centers.value - 5100) <= 25
    np.testing.assert_allclose(np.median(done.flux[0, inside]), 1.0, rtol=1e-14)
    np.testing.assert_allclose(done.flux * done.table["normalization"].value[:, None], sample.flux, rtol=1e-14)
    signal = sample.flux * np.sqrt(sample.ivar)
    np.testing.assert_allclose(done.flux * np.sqrt(done.ivar), signal, rtol=1e-14)
    assert done.unit == u.dimensionless_unscaled
    assert done.table["normalization"].unit == FLAM
    paper = sample.normalize(at=5100 * u.AA, window=None)
    np.testing.assert_array_equal(paper.flux[:, 20], 1.0)


def test_normalize_ignores_masked_bins(sample):
    sample.mask[0, 20] = True
    sample.flux[0, 20] = 1e9
    sample.flux[0, 19:22:2] = 2.0
    np.testing.assert_allclose(sample.normalize(window=10 * u.AA).table["normalization"][0].value, 2.0)


def test_normalize_refuses_what_it_cannot_do(sample):
    with pytest.raises(AgnsalError, match="grid covers"):
        sample.normalize(at=6000 * u.AA)
    with pytest.raises(AgnsalError, match="without a unit"):
        sample.normalize(at=5100)
    sample.flux[2] = -1
    with pytest.raises(AgnsalError, match=r"no positive flux.* c;"):
        sample.normalize()


def test_round_trip_on_disk_is_bit_equal(sample, tmp_path):
    path = tmp_path / "sample.npz"
    sample.write(path)
    back = SpectralSample.read(path)
    for name in ("flux", "ivar", "mask"):
        assert getattr(back, name).tobytes() == getattr(sample, name).tobytes()
    assert back.grid == sample.grid
    assert back.unit == sample.unit
    assert back.table.colnames == sample.table.colnames
    assert back.table["fwhm"].unit == u.km / u.s
    assert back.labels.tolist() == sample.labels.tolist()


def test_to_spectrum_and_back(sample):
    again = SpectralSample.from_spectra([sample.to_spectrum()], GRID, frame="rest")
    np.testing.assert_allclose(again.flux[~sample.mask], sample.flux[~sample.mask], rtol=1e-12)
    np.testing.assert_allclose(again.ivar[~sample.mask], 4.0, rtol=1e-12)
    np.testing.assert_array_equal(again.mask, sample.mask)
    one = sample.to_spectrum(2)
    assert one.flux.shape == (41,)
    assert one.flux.unit == FLAM


def test_units_are_converted():
    per_frequency = u.Unit("1e-28 erg s-1 cm-2 Hz-1")
    lam = spectrum(ivar=np.full(1200, 4.0))
    factor = (1 * FLAM).to(per_frequency, u.spectral_density(lam.spectral_axis))
    nu = Spectrum(
        flux=lam.flux.value * factor.value * per_frequency,
        spectral_axis=u.Quantity(lam.spectral_axis).to(u.nm),
        uncertainty=StdDevUncertainty(0.5 * factor.value * per_frequency),
        redshift=0.1,
    )
    one, two = (SpectralSample.from_spectra([each], GRID) for each in (lam, nu))
    np.testing.assert_allclose(two.flux, one.flux, rtol=1e-12)
    np.testing.assert_allclose(two.ivar, one.ivar, rtol=1e-12)
    assert one.unit.physical_type == FLAM.physical_type


def test_redshift_moves_the_axis_only():
    grid_line = spectrum(z=0.1)
    sample = SpectralSample.from_spectra([grid_line], GRID, method="linear")
    np.testing.assert_allclose(sample.flux[0], 1 + GRID.centers.value * 1.1 / 1e4, rtol=1e-13)
    other = SpectralSample.from_spectra([grid_line], GRID, redshift=0.12, method="linear")
    np.testing.assert_allclose(other.flux[0], 1 + GRID.centers.value * 1.12 / 1e4, rtol=1e-13)
    assert other.redshift.tolist() == [0.12]


def test_the_linear_method_interpolates_between_pixels():
    one = spectrum(z=0.1)
    sample = SpectralSample.from_spectra([one], GRID, method="linear")
    expected = np.interp(GRID.centers.value, one.spectral_axis.value / 1.1, one.flux.value)
    np.testing.assert_allclose(sample.flux[0], expected, rtol=1e-13)


def test_descending_axes_are_turned_round():
    up = spectrum(ivar=np.linspace(1, 2, 1200), mask=np.arange(1200) == 500)
    down = Spectrum(
        flux=up.flux[::-1], spectral_axis=u.Quantity(up.spectral_axis)[::-1], mask=up.mask[::-1], redshift=0.1,
        uncertainty=InverseVariance(up.uncertainty.array[::-1]),
    )  # fmt: skip
    one, two = (SpectralSample.from_spectra([each], GRID) for each in (up, down))
    np.testing.assert_array_equal(one.flux, two.flux)
    np.testing.assert_array_equal(one.ivar, two.ivar)
    np.testing.assert_array_equal(one.mask, two.mask)


def test_masked_pixels_never_leak():
    flux = np.ones(1200)
    flux[400:420] = 1e9
    mask = flux > 1
    sample = SpectralSample.from_spectra([spectrum(flux=flux, mask=mask)], GRID, min_coverage=0.1)
    np.testing.assert_allclose(sample.flux, 1.0, rtol=1e-12)


def test_a_gap_stays_a_gap():
    one = spectrum(z=0.1)
    keep = np.r_[0:420, 450:1200]
    cut = Spectrum(flux=one.flux[keep], spectral_axis=u.Quantity(one.spectral_axis)[keep], redshift=0.1)
    sample = SpectralSample.from_spectra([cut], GRID, min_coverage=0.1)
    low, high = one.spectral_axis.value[[419, 450]] / 1.1
    inside = (GRID.centers.value > low + 3) & (GRID.centers.value < high - 3)
    assert inside.any()
    assert sample.mask[0, inside].all()
    outside = (GRID.centers.value < low - 3) | (GRID.centers.value > high + 3)
    assert not sample.mask[0, outside].any()


def test_ids_labels_and_redshifts_of_the_wrong_length():
    two = [spectrum(), spectrum()]
    for what, values in (("labels", ["a"]), ("ids", ["a", "b", "c"]), ("redshift", [0.1])):
        with pytest.raises(AgnsalError, match=f"{what}: . given for 2 spectra"):
            SpectralSample.from_spectra(two, GRID, **{what: values})


@pytest.mark.parametrize(
    ("one", "keywords", "message"),
    [
        (spectrum(z=None), {}, "NGC 1: its redshift is not known.*redshift=.*frame='rest'"),
        (spectrum(), {"redshift": [-0.11]}, "NGC 1: redshift -0.11 is none"),
        (spectrum(), {"redshift": np.nan}, "NGC 1: redshift nan is none"),
        (spectrum(), {"redshift": 2998.0}, "km/s"),
        (spectrum(z=0.9), {}, "only 0 % of the grid.*covers 2632"),
        (spectrum(flux=np.full(1200, np.nan), mask=np.ones(1200, bool)), {}, "no good pixel"),
        (spectrum(flux=np.zeros(1200)), {}, "zero in every good pixel"),
        (spectrum(ivar=np.zeros(1200)), {}, "no good pixel"),
        (spectrum(unit=u.K), {}, "flux in K is neither"),
        (spectrum(), {"method": "cubic"}, "flux_conserving"),
        (spectrum(), {"min_coverage": 80}, "between 0 and 1"),
    ],
)
def test_what_is_refused(one, keywords, message):
    with pytest.raises(AgnsalError, match=message):
        SpectralSample.from_spectra([one], GRID, ids=["NGC 1"], **keywords)


def test_nothing_to_collect():
    with pytest.raises(AgnsalError, match="no spectra"):
        SpectralSample.from_spectra([], GRID)


def test_skipping_names_what_is_left_out():
    with pytest.warns(AgnsalWarning, match="1 of 2 spectra left out:\nbad: redshift -1"):
        sample = SpectralSample.from_spectra(
            [spectrum(), spectrum()], GRID, redshift=[-1, 0.1], labels=["x", "y"], ids=["bad", "good"], on_error="skip"
        )
    assert sample.ids.tolist() == ["good"]
    assert sample.labels.tolist() == ["y"]


def test_mixing_calibrated_and_relative_flux_is_said():
    with pytest.warns(AgnsalWarning, match="no calibrated flux in b: the whole sample is in relative flux"):
        sample = SpectralSample.from_spectra([spectrum(), spectrum(unit=u.ct)], GRID, ids=["a", "b"])
    assert sample.unit == u.dimensionless_unscaled


def test_an_observed_grid_needs_no_redshift():
    grid = WavelengthGrid.linear(5200 * u.AA, 5400 * u.AA, 21, frame="observed")
    sample = SpectralSample.from_spectra([spectrum(z=None)], grid, method="linear")
    np.testing.assert_allclose(sample.flux[0], 1 + grid.centers.value / 1e4, rtol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flux": np.ones((2, 40))}, r"shape \(n, 41\)"),
        ({"flux": np.ones(41)}, r"shape \(n, 41\)"),
        ({"flux": np.ones((2, 41)), "ivar": np.ones((2, 40))}, "ivar has shape"),
        ({"flux": np.ones((2, 41)), "mask": np.ones((1, 41))}, "mask has shape"),
        ({"flux": np.full((2, 41), np.nan)}, "no good bin in spectrum 0, spectrum 1"),
        ({"flux": np.ones((2, 41)) * FLAM}, "unit attached"),
        ({"flux": np.ma.ones((2, 41))}, "masked array"),
        ({"flux": np.ones((2, 41)), "table": QTable({"object_id": ["a"]})}, "1 rows for 2"),
    ],
)
def test_bad_arrays_are_refused(arguments, message):
    with pytest.raises(AgnsalError, match=message):
        SpectralSample(grid=GRID, **arguments)


def test_too_little_coverage_of_an_observed_grid_is_said_without_a_redshift():
    grid = WavelengthGrid.linear(9000 * u.AA, 9400 * u.AA, 21, frame="observed")
    with pytest.raises(AgnsalError, match=r"covers 5000 to 6590 A there \(no redshift\)"):
        SpectralSample.from_spectra([spectrum(z=None)], grid)


def test_a_sample_is_a_value(sample):
    before = sample.flux.copy()
    done = sample.with_flux(2 * sample.flux)
    done.flux[:], done.mask[:], done.ivar[:] = 7, True, 0
    done.table["label"] = "z"
    np.testing.assert_array_equal(sample.flux, before)
    assert sample.mask.sum() == 3
    assert sample.labels.tolist() == ["x", "y", "x", "y"]
    for flux, message in (
        (before[:2], "the new flux has shape"),
        (before * np.nan, "not finite"),
        (before * FLAM, "with a unit"),
        (np.ma.masked_array(before), "masked"),
    ):
        with pytest.raises(AgnsalError, match=message):
            sample.with_flux(flux)


def test_bins_are_cut_with_their_grid(sample):
    part = sample[[0, 1], 2:9]
    assert part.grid == GRID[2:9]
    np.testing.assert_array_equal(part.grid.edges, GRID.edges[2:10])
    np.testing.assert_array_equal(part.flux, sample.flux[:2, 2:9])
    np.testing.assert_array_equal(part.mask, sample.mask[:2, 2:9])
    np.testing.assert_array_equal(sample[:, 2:9][1].ivar, sample[1, 2:9].ivar)
    with pytest.raises(AgnsalError, match="no good bin there in b"):
        sample[:, 3:6]
    for bins in (3, slice(None, None, 2), [1, 2]):
        with pytest.raises(AgnsalError, match="unbroken slice"):
            sample[:, bins]
    with pytest.raises(AgnsalError, match="no bin"):
        sample[:, 50:60]


def test_samples_are_put_one_under_the_other(sample):
    from agnsal import concatenate

    both = concatenate([sample[:1], sample[1:]])
    for name in ("flux", "ivar", "mask", "ids", "labels", "redshift"):
        np.testing.assert_array_equal(getattr(both, name), getattr(sample, name))
    assert both.unit == sample.unit
    mixed = concatenate([SpectralSample(sample.flux, GRID, unit=FLAM), sample])
    assert mixed.has_errors.tolist() == [False] * 4 + [True] * 4
    np.testing.assert_array_equal(mixed[4:].ivar, sample.ivar)
    for others, message in (
        ([], "at least one"),
        ([sample, sample.flux], "at least one"),
        ([sample, sample.normalize()], "differ in their unit"),
        ([sample.normalize(), sample.normalize(window=None)], "differ in their normalization"),
        ([sample, sample[:, 1:]], "differ in their grid"),
    ):
        with pytest.raises(AgnsalError, match=message):
            concatenate(others)


def test_a_sample_is_no_array(sample):
    for convert in (np.asarray, np.array, lambda each: np.ones((4, 41)) + each):
        with pytest.raises(AgnsalError, match=r"sample\.flux"):
            convert(sample)


def test_the_sample_knows_its_normalisation(sample, tmp_path):
    done = sample.normalize(at=5100 * u.AA, window=50 * u.AA)
    assert sample.normalization is None
    assert done[1:].normalization == done.with_flux(done.flux).normalization == Normalization(5100.0, 50.0)
    done.write(tmp_path / "a.npz")
    assert SpectralSample.read(tmp_path / "a.npz").normalization == Normalization(5100.0, 50.0)
    assert sample.normalize(window=None).normalization == Normalization(5100.0, None)


def test_means_and_continua_are_methods_too():
    import agnsal

    simulated = agnsal.simulate_agn(4, 4, 0, seed=1).normalize()
    np.testing.assert_array_equal(simulated.mean(), agnsal.mean_spectrum(simulated))
    np.testing.assert_array_equal(simulated.class_mean("type 2"), agnsal.class_mean(simulated, "type 2"))
    np.testing.assert_array_equal(simulated.continuum(), agnsal.continuum(simulated))
    bare = simulated.remove_lines("Hbeta", part="core")
    np.testing.assert_array_equal(bare.flux, agnsal.remove_lines(simulated, "Hbeta", part="core").flux)


def test_a_sample_shows_itself(sample):
    sample.table["label"] = ["<script>", "y", "x" * 90, "y\n"]
    text, page = str(sample), sample._repr_html_()
    assert max(map(len, text.splitlines())) <= 80
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert repr(sample) == "<SpectralSample: 4 spectra x 41 bins>"


def test_labels_from_a_data_frame_become_text():
    table = QTable({"object_id": np.array(["a", "b"], object), "label": np.array(["x", "y"], object)})
    made = SpectralSample(np.ones((2, 41)), GRID, table=table)
    assert made.labels.dtype.kind == made.ids.dtype.kind == "U"


def odd_spectra():
    """One spectrum for everything that can be wrong with one."""
    good = spectrum(ivar=np.ones(1200))
    axis, flux = u.Quantity(good.spectral_axis), np.ones(1200)
    unknown = Spectrum(flux=flux * FLAM, spectral_axis=axis, redshift=0.1)
    unknown.uncertainty = UnknownUncertainty(flux)
    return {
        "in kelvin": spectrum(unit=u.K),
        "of unknown errors": unknown,
        "over velocity": Spectrum(flux=flux * FLAM, spectral_axis=np.linspace(-100, 100, 1200) * u.km / u.s),
        "a cube": Spectrum(flux=np.ones((2, 2, 1200)) * FLAM, spectral_axis=axis, redshift=0.1),
        "nothing": None,
        "a number": 3.5,
        "too red": spectrum(z=0.9),
        "unknown redshift": spectrum(z=None),
    }


@pytest.mark.parametrize("what", odd_spectra())
def test_whatever_is_wrong_with_one_spectrum_is_skipped_by_its_name(what):
    odd = odd_spectra()[what]
    with pytest.raises(AgnsalError, match=f"^{what}: "):
        SpectralSample.from_spectra([spectrum(), odd], GRID, ids=["good", what])
    with pytest.warns(AgnsalWarning, match=f"1 of 2 spectra left out:\n{what}: "):
        sample = SpectralSample.from_spectra([odd, spectrum()], GRID, ids=[what, "good"], on_error="skip")
    assert sample.ids.tolist() == ["good"]


@pytest.mark.parametrize("z", [0.0, -0.0001, -0.1])
def test_zero_and_small_negative_redshifts_are_redshifts(z):
    sample = SpectralSample.from_spectra([spectrum(start=4500.0)], GRID, redshift=z, method="linear")
    np.testing.assert_allclose(sample.flux[0], 1 + GRID.centers.value * (1 + z) / 1e4, rtol=1e-12)
    assert sample.redshift.tolist() == [z]


@pytest.mark.parametrize("z", [-0.0993, 0.0, 1e-16, 0.1, 0.7123456789, 2.3, 6.9, 19.7])
def test_a_redshift_is_the_one_that_was_read(z):
    """A Spectrum keeps a velocity, which moves the last digits; what is known exactly is in its meta."""
    grid = WavelengthGrid.linear(5200 * u.AA, 5400 * u.AA, 21, frame="observed")
    read, moved = (spectrum(z, meta={"redshift": z}) for _ in range(2))
    moved.set_redshift_to(z + 1e-6)
    sample = SpectralSample.from_spectra([read, moved], grid)
    assert sample.redshift[0] == z
    np.testing.assert_allclose(sample.redshift[1] - z, 1e-6, rtol=1e-6)


def test_one_spectrum_without_errors_leaves_the_others_theirs(tmp_path):
    sample = SpectralSample.from_spectra([spectrum(ivar=np.full(1200, 4.0)), spectrum()], GRID)
    assert sample.has_errors.tolist() == [True, False]
    assert not sample.mask.any()
    alone = SpectralSample.from_spectra([spectrum(ivar=np.full(1200, 4.0))], GRID)
    np.testing.assert_array_equal(sample[:1].ivar, alone.ivar)
    sample.normalize().write(tmp_path / "a.npz")
    assert SpectralSample.read(tmp_path / "a.npz").has_errors.tolist() == [True, False]
    again = SpectralSample(sample.flux, GRID, ivar=sample.ivar, mask=sample.mask)
    np.testing.assert_array_equal(again.ivar, sample.ivar)


def test_memory_does_not_grow_with_the_pixels_of_all_spectra():
    import tracemalloc

    def spectra(n):
        return [spectrum(ivar=np.ones(1200)) for _ in range(n)]

    peaks = []
    grid = WavelengthGrid.linear(5000 * u.AA, 5400 * u.AA, 1000)
    for n in (100, 200):
        given = spectra(n)
        tracemalloc.start()
        SpectralSample.from_spectra(given, GRID)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()
        sample = SpectralSample.from_spectra(given, grid)
        answer = sample.flux.nbytes + sample.ivar.nbytes + sample.mask.nbytes
        assert tracemalloc.get_traced_memory()[1] < 2.5 * answer
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 100 * 41 * 8 * 8  # a few times the matrix itself, a quarter of the pixels


def test_with_mask_adds_bad_bins_and_keeps_the_rest(sample):
    done = sample.normalize(window=None)
    mask = np.zeros(done.flux.shape, dtype=bool)
    mask[:, 3] = True
    more = done.with_mask(mask)
    np.testing.assert_array_equal(more.mask, done.mask | mask)
    np.testing.assert_array_equal(more.flux[~more.mask], done.flux[~more.mask])
    np.testing.assert_allclose(more.flux[:, 3], 0.5 * (more.flux[:, 2] + more.flux[:, 4]))
    assert (more.ivar[:, 3] == 0).all()
    assert more.normalization == done.normalization
    np.testing.assert_array_equal(done.with_mask(mask[0]).flux, more.flux)
    with pytest.raises(AgnsalError, match="no good bin would be left"):
        done.with_mask(~mask | mask)


def test_text_of_a_sample_names_no_more_than_ten_classes():
    labels = [f"class {number}" for number in range(30)]
    sample = SpectralSample(np.ones((30, 41)), GRID, table=QTable({"label": labels}))
    assert "and 20 more" in str(sample)
    assert len(str(sample).splitlines()) < 12
