"""The simulation: determinism, components, physics, the confound, any grid, clear errors."""

import astropy.units as u
import numpy as np
import pytest

from agnsal import PERUZZI2021_GRID, AgnsalError, SpectralSample, WavelengthGrid, simulate_agn
from agnsal.spectra.simulation.agn import COMPONENTS
from agnsal.spectra.simulation.emission import gaussian_line, reddening
from agnsal.spectra.simulation.population import HIDDEN_FRACTION, VISIBLE_WIDTH
from agnsal.spectra.simulation.starlight import POPULATIONS, starlight, vacuum

WIDE = WavelengthGrid.log(3600 * u.AA, 7200 * u.AA)


@pytest.fixture(scope="module")
def sample():
    return simulate_agn(80, 120, 100, seed=3)


@pytest.fixture(scope="module")
def wide():
    return simulate_agn(40, 40, 40, WIDE, seed=3)


def value(sample, name):
    column = sample.truth.table[name]
    return np.asarray(column.value if isinstance(column, u.Quantity) else column)


def integral(sample, component, line, reach):
    """Flux of a component within `reach` km/s of a line, relative to the continuum at 5100 A."""
    center, width = sample.grid.centers.value, sample.grid.widths.value
    near = np.abs(center / line - 1) * 299792.458 < reach
    flux = sample.truth.components[component]
    return (flux * width)[:, near].sum(axis=1) / value(sample, "continuum")


def test_defaults_are_those_of_the_paper():
    import inspect

    defaults = {name: item.default for name, item in inspect.signature(simulate_agn).parameters.items()}
    assert [defaults[name] for name in ("n_type1", "n_type2", "n_intermediate")] == [680, 2145, 521]
    assert defaults["grid"] == PERUZZI2021_GRID


def test_classes_and_units(sample):
    assert isinstance(sample, SpectralSample)
    names, counts = np.unique(sample.labels, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "type 1": 80,
        "type 2": 120,
        "intermediate": 100,
    }
    assert sample.unit.is_equivalent("erg s-1 cm-2 AA-1")
    assert len(set(sample.ids)) == 300


def test_equal_seeds_equal_bits(sample):
    again = simulate_agn(80, 120, 100, seed=3)
    for name in ("flux", "ivar", "mask"):
        assert getattr(sample, name).tobytes() == getattr(again, name).tobytes()
    assert all(
        np.array_equal(sample.truth.table[name], again.truth.table[name]) for name in sample.truth.table.colnames
    )
    assert not np.array_equal(sample.flux, simulate_agn(80, 120, 100, seed=4).flux)


def test_objects_of_a_class_do_not_depend_on_the_others(sample):
    alone = simulate_agn(0, 0, 100, seed=3)
    ours = np.asarray(sample.labels) == "intermediate"
    np.testing.assert_array_equal(value(alone, "redshift"), value(sample, "redshift")[ours])


def test_components_add_up_to_the_noiseless_flux(sample):
    assert tuple(sample.truth.components) == COMPONENTS
    noiseless = simulate_agn(80, 120, 100, seed=3, noise=False)
    assert noiseless.ivar is None
    np.testing.assert_array_equal(sum(sample.truth.components.values()), noiseless.flux)
    np.testing.assert_array_equal(sample.truth.noiseless, noiseless.flux)
    assert all((flux >= 0).all() for flux in sample.truth.components.values())


@pytest.mark.parametrize("item", [0, -1, slice(3, 9), [5, 2], np.array([7]), np.arange(300) % 7 == 0])
def test_truth_is_sliced_with_the_sample(sample, item):
    part = sample[item]
    assert len(part.truth) == len(part) == len(part.truth.table)
    np.testing.assert_array_equal(part.truth.table["object_id"], part.ids)
    assert all(flux.shape == part.flux.shape for flux in part.truth.components.values())
    np.testing.assert_array_equal(
        part.truth.noiseless, sample.truth.noiseless[[item] if isinstance(item, int) else item]
    )


def test_type2_has_nothing_broad(sample):
    two = sample[np.asarray(sample.labels) == "type 2"].truth
    for name in ("Fe II", "Balmer continuum", "broad Balmer lines", "other broad lines"):
        assert not two.components[name].any()
    assert (two.table["broad_halpha_width"] == 0).all()


def test_hidden_intermediates(sample):
    rows = np.asarray(sample.labels) == "intermediate"
    hidden = value(sample, "broad_hbeta_hidden").astype(bool)
    assert hidden.sum() == round(HIDDEN_FRACTION * 100)
    assert not hidden[~rows].any()
    assert (value(sample, "broad_hbeta_width")[hidden] < VISIBLE_WIDTH).all()
    assert (value(sample, "broad_hbeta_width")[rows & ~hidden] > VISIBLE_WIDTH).all()
    # Halpha is broad in all of them, and visible
    assert (value(sample, "broad_halpha_width")[rows] > 10).all()
    # and dust is what hides Hbeta
    assert np.median(value(sample, "broad_reddening")[hidden]) > np.median(
        value(sample, "broad_reddening")[rows & ~hidden]
    )
    assert not simulate_agn(0, 0, 20, seed=1, hidden_fraction=0).truth.table["broad_hbeta_hidden"].any()


def test_widths_in_range(sample):
    assert ((value(sample, "broad_fwhm") >= 1000) & (value(sample, "broad_fwhm") <= 10000)).all()
    assert ((value(sample, "narrow_fwhm") >= 200) & (value(sample, "narrow_fwhm") <= 600)).all()


def test_equivalent_width_of_oxygen_is_the_one_in_the_table(sample):
    plain = value(sample, "wing_fraction") == 0
    found = integral(sample, "narrow lines", 5008.24, 1500)
    np.testing.assert_allclose(found[plain], value(sample, "oxygen_width")[plain], rtol=0.02)


def test_doublet_ratios(wide):
    table = wide.truth.table
    dust = np.asarray(table["narrow_reddening"].value)
    lines = {name: integral(wide, "narrow lines", at, 900) for name, at in
             (("5007", 5008.24), ("4959", 4960.30), ("Ha", 6564.61), ("Hb", 4862.68), ("Hg", 4341.68))}  # fmt: skip
    transmit = {name: reddening(np.array([at]), dust)[:, 0] for name, at in
                (("5007", 5008.24), ("4959", 4960.30), ("Hb", 4862.68), ("Hg", 4341.68))}  # fmt: skip
    np.testing.assert_allclose(lines["4959"] / transmit["4959"] / lines["5007"] * transmit["5007"], 0.335, rtol=2e-3)
    np.testing.assert_allclose(lines["Hg"] / transmit["Hg"] / lines["Hb"] * transmit["Hb"], 0.468, rtol=0.05)
    # dust reddens: the observed Balmer decrement is at least that of case B
    assert (lines["Hb"] / transmit["Hb"] > 0).all()


def test_broad_decrement_follows_the_reddening():
    broad = simulate_agn(60, 0, 60, WIDE, seed=5)
    alpha, beta = value(broad, "broad_halpha_width"), value(broad, "broad_hbeta_width")
    dust = value(broad, "broad_reddening")
    pair = reddening(np.array([6564.61, 4862.68]), dust)
    np.testing.assert_allclose(alpha / beta, 2.86 * pair[:, 0] / pair[:, 1], rtol=1e-10)
    assert (alpha / beta > 2.85).all()


def test_type1_is_broader_and_bluer_than_type2(sample):
    flux, label = sample.normalize().flux, np.asarray(sample.labels)
    center = sample.grid.centers.value
    wing = (np.abs(center - 4830) < 12) | (np.abs(center - 4900) < 12)
    broad = {name: np.median(flux[label == name][:, wing]) for name in ("type 1", "intermediate", "type 2")}
    assert broad["type 1"] > broad["intermediate"] > broad["type 2"]
    blue = flux[:, np.abs(center - 3850) < 50].mean(axis=1)
    assert np.median(blue[label == "type 1"]) > np.median(blue[label == "type 2"]) + 0.3


def test_redshifts_and_the_confound(sample):
    label, redshift = np.asarray(sample.labels), value(sample, "redshift")
    assert ((redshift[label == "type 1"] >= 0.40) & (redshift[label == "type 1"] <= 0.75)).all()
    assert redshift[label == "type 2"].max() <= 0.11
    assert redshift[label == "intermediate"].max() <= 0.10
    assert abs(np.median(redshift[label == "intermediate"]) - 0.074) < 0.01

    from scipy.stats import ks_2samp

    same = simulate_agn(300, 300, 300, seed=2, redshift_confound=False)
    label, redshift = np.asarray(same.labels), value(same, "redshift")
    for other in ("type 2", "intermediate"):
        assert ks_2samp(redshift[label == "type 1"], redshift[label == other]).pvalue > 0.01


def test_signal_to_noise_of_intermediates():
    ratio = value(simulate_agn(0, 0, 500, seed=0), "signal_to_noise")
    assert abs(np.median(ratio) - 29) < 3
    assert np.percentile(ratio, 2) > 8
    assert np.percentile(ratio, 98) < 85


def test_noise_is_what_ivar_says():
    sample = simulate_agn(0, 200, 0, seed=0)
    center = sample.grid.centers.value
    # away from sky lines; a few per cent of flux calibration come on top of the noise
    pull = (sample.flux - sample.truth.noiseless) * np.sqrt(sample.ivar)
    quiet = (center > 5060) & (center < 5095)
    spread = 0.7413 * np.subtract(*np.percentile(pull[:, quiet][~sample.mask[:, quiet]], [75, 25]))
    assert abs(spread - 1) < 0.1
    # per pixel of 69 km/s the signal-to-noise at 5100 A is the one in the table
    pixels = sample.grid.widths.value[0] / (5100 * 69.0 / 299792.458)
    level = np.median((sample.truth.noiseless * np.sqrt(sample.ivar))[:, quiet], axis=1) / np.sqrt(pixels)
    assert abs(np.median(level / value(sample, "signal_to_noise")) - 1) < 0.1


def test_sky_residuals_at_5577():
    sample = simulate_agn(300, 0, 0, seed=0)
    observed = sample.grid.centers.value * (1 + value(sample, "redshift")[:, None])
    # dust of the Milky Way and errors of the calibration are smooth, and not what is looked for here
    around = np.abs(observed - 5578.9) < 80
    ratio = np.where(around & (np.abs(observed - 5578.9) > 20), sample.flux / sample.truth.noiseless, np.nan)
    inside = around.any(axis=1)
    level = np.ones(len(sample))
    level[inside] = np.nanmedian(ratio[inside], axis=1)
    pull = np.abs(sample.flux - sample.truth.noiseless * level[:, None]) * np.sqrt(sample.ivar)
    near, far = np.abs(observed - 5578.9) < 2, (np.abs(observed - 5578.9) > 20) & (np.abs(observed - 5578.9) < 80)
    assert np.percentile(pull[near], 95) > 1.5 * np.percentile(pull[far], 95)
    assert np.median(sample.ivar[near]) < np.median(sample.ivar[far])


def test_bad_pixels_are_few_and_bridged(sample):
    assert 0 < sample.mask.mean() < 0.01
    assert np.isfinite(sample.flux).all()
    assert not sample.ivar[sample.mask].any()
    assert (sample.flux[:, np.abs(sample.grid.centers.value - 5100) < 2] > 0).all()


@pytest.mark.parametrize(
    "grid",
    [
        WavelengthGrid.linear(4000 * u.AA, 9000 * u.AA, 300),
        WavelengthGrid.log(2700 * u.AA, 9200 * u.AA, 200 * u.km / u.s),
        WavelengthGrid.linear(6400 * u.AA, 6700 * u.AA, 900),
        WavelengthGrid.linear(4800 * u.AA, 5200 * u.AA, 7, medium="air"),
    ],
    ids=["coarse", "log", "fine", "air"],
)
def test_any_grid(grid):
    sample = simulate_agn(4, 4, 4, grid, seed=1)
    assert sample.flux.shape == (12, len(grid))
    assert (sample.truth.noiseless > 0).all()
    # the same objects, whatever the grid
    np.testing.assert_array_equal(value(sample, "oxygen_width"), value(simulate_agn(4, 4, 4, seed=1), "oxygen_width"))


def test_bins_are_averages():
    """The mean of fine bins is the coarse bin, as lines are integrated and not sampled."""
    fine = simulate_agn(3, 3, 3, WavelengthGrid.linear(4700.5 * u.AA, 5199.5 * u.AA, 500), seed=1, noise=False)
    coarse = simulate_agn(3, 3, 3, WavelengthGrid.linear(4710 * u.AA, 5190 * u.AA, 25), seed=1, noise=False)
    np.testing.assert_allclose(fine.flux.reshape(9, 25, 20).mean(axis=2), coarse.flux, rtol=2e-3)


def test_a_line_keeps_its_flux_on_any_grid():
    for n in (5, 50, 500):
        edges = np.linspace(4900, 5100, n + 1)
        out = np.zeros((2, n))
        gaussian_line(edges, np.array([5000.0, 5010.0]), np.array([3.0, 0.1]), np.array([2.0, 7.0]), out)
        np.testing.assert_allclose((out * np.diff(edges)).sum(axis=1), [2.0, 7.0], rtol=1e-8)


def test_stellar_populations_look_like_stars():
    edges = np.linspace(3700, 5400, 1701)
    center = 0.5 * (edges[1:] + edges[:-1])
    flux = starlight(edges, np.eye(4), np.full(4, 150.0))

    def mean(low, high):
        return flux[:, (center > low) & (center < high)].mean(axis=1)

    # break of Balogh et al. 1999: strong in old populations, weak in young ones
    strength = dict(zip(POPULATIONS, mean(4000, 4100) / mean(3850, 3950), strict=True))
    assert 1.6 < strength["old"] < 2.4
    assert strength["old"] > strength["middle-aged"] > strength["post-starburst"] > strength["young"] > 0.9
    # Ca K, the G band and Mg b in the old, Hdelta in the post-starburst
    depth = {at: 1 - mean(at - 6, at + 6) / (0.5 * (mean(at - 45, at - 25) + mean(at + 25, at + 45)))
             for at in (3934.8, 4305, 5176, 4102.9)}  # fmt: skip
    for at in (3934.8, 4305, 5176):
        assert depth[at][0] > 0.08
        assert depth[at][0] > depth[at][3]
    assert depth[4102.9][2] > depth[4102.9][0] + 0.1
    # broadening smears
    smooth = starlight(edges, np.eye(4), np.full(4, 400.0))
    assert np.abs(np.diff(smooth)).sum() < np.abs(np.diff(flux)).sum()


def test_vacuum_wavelengths():
    np.testing.assert_allclose(vacuum(np.array([4861.333, 5006.843])), [4862.691, 5008.240], atol=2e-3)


def test_reddening_is_one_at_5100_and_reddens():
    dust = reddening(np.array([4000.0, 5100.0, 7000.0]), np.array([0.0, 0.5]))
    np.testing.assert_allclose(dust[0], 1)
    assert dust[1, 0] < dust[1, 1] < dust[1, 2]
    assert dust[1, 1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_type1": -1}, "n_type1"),
        ({"n_type2": 2.5}, "n_type2"),
        ({"n_intermediate": True}, "n_intermediate"),
        ({"n_type1": 0, "n_type2": 0, "n_intermediate": 0}, "no spectra"),
        ({"seed": -1}, "seed"),
        ({"seed": None}, "seed"),
        ({"hidden_fraction": 1.5}, "hidden_fraction"),
        ({"grid": np.arange(10.0)}, "WavelengthGrid"),
        ({"grid": WavelengthGrid.linear(4000 * u.AA, 5000 * u.AA, 10, frame="observed")}, "rest frame"),
        ({"grid": WavelengthGrid.linear(1000 * u.AA, 2000 * u.AA, 10)}, "1500"),
    ],
)
def test_bad_arguments(arguments, message):
    given = {"n_type1": 1, "n_type2": 1, "n_intermediate": 1, **arguments}
    with pytest.raises(AgnsalError, match=message):
        simulate_agn(**given)


@pytest.fixture(scope="module")
def galaxies():
    return simulate_agn(0, 0, 0, WIDE, seed=3, n_galaxy=300, n_composite=100, noise=False)


def test_galaxies_leave_the_agn_as_they_are(sample):
    more = simulate_agn(80, 120, 100, seed=3, n_galaxy=30, n_composite=10)
    for name in ("flux", "ivar", "mask"):
        assert getattr(more[:300], name).tobytes() == getattr(sample, name).tobytes()
    assert [(more.labels == name).sum() for name in ("galaxy", "composite")] == [30, 10]
    np.testing.assert_array_equal(more.ids[:300], sample.ids)
    # nor do they depend on the AGN
    alone = simulate_agn(0, 0, 0, seed=3, n_galaxy=30, n_composite=10)
    assert alone.flux.tobytes() == more[300:].flux.tobytes()
    np.testing.assert_array_equal(sum(more.truth.components.values()), more.truth.noiseless)


def test_kinds_of_galaxies(galaxies):
    kinds, counts = np.unique(galaxies.truth.table["kind"], return_counts=True)
    assert dict(zip(kinds.tolist(), counts.tolist(), strict=True)) == {
        "LINER-like": 60,
        "composite": 100,
        "passive": 105,
        "star-forming": 135,
    }
    assert set(galaxies.labels) == {"galaxy", "composite"}


def test_galaxies_have_no_nucleus(galaxies):
    for name in ("power law", "Balmer continuum", "Fe II", "broad Balmer lines", "other broad lines"):
        assert not galaxies.truth.components[name].any()
    # nothing wider than a narrow line
    assert (value(galaxies, "narrow_fwhm") <= 600).all()


def test_lines_of_galaxies_lie_where_the_diagnostic_diagram_has_them(galaxies):
    """Baldwin, Phillips & Terlevich 1981, with the borders of Kewley et al. 2001 and Kauffmann et al. 2003."""
    kind = np.asarray(galaxies.truth.table["kind"])
    excitation = np.log10(value(galaxies, "oxygen_to_hbeta"))
    nitrogen = np.log10(value(galaxies, "ratio_[N II]") * value(galaxies, "oxygen_to_hbeta") / 2.87)
    kewley = np.where(nitrogen < 0.47, 0.61 / np.minimum(nitrogen - 0.47, -1e-9) + 1.19, -np.inf)
    kauffmann = np.where(nitrogen < 0.05, 0.61 / np.minimum(nitrogen - 0.05, -1e-9) + 1.3, -np.inf)
    assert (excitation < kauffmann)[kind == "star-forming"].mean() > 0.8
    assert (excitation < kewley)[kind == "star-forming"].all()
    assert ((excitation > kauffmann) & (excitation < kewley))[kind == "composite"].mean() > 0.8
    liner = (kind == "LINER-like") & (excitation < 0.6)
    assert liner.sum() > 50
    assert (nitrogen[liner] > -0.4).all()
    # metal-poor star-forming galaxies are the excited ones
    forming = kind == "star-forming"
    assert np.corrcoef(excitation[forming], nitrogen[forming])[0, 1] < -0.8


def test_breaks_and_lines_of_galaxies(galaxies):
    kind, center, flux = np.asarray(galaxies.truth.table["kind"]), galaxies.grid.centers.value, galaxies.flux
    strength = flux[:, (center > 4000) & (center < 4100)].mean(axis=1)
    strength = strength / flux[:, (center > 3850) & (center < 3950)].mean(axis=1)
    median = {name: np.median(strength[kind == name]) for name in set(kind.tolist())}
    assert median["passive"] > 1.5
    assert 1.0 < median["star-forming"] < 1.4
    assert median["star-forming"] < median["composite"] < median["passive"]
    alpha = integral(galaxies, "narrow lines", 6564.61, 700)
    assert np.median(alpha[kind == "passive"]) < 2
    assert np.median(alpha[kind == "star-forming"]) > 10


def test_galaxies_alone_have_a_number():
    with pytest.raises(AgnsalError, match="n_galaxy must be a whole number"):
        simulate_agn(1, 1, 1, n_galaxy=-1)
    with pytest.raises(AgnsalError, match="n_composite must be a whole number"):
        simulate_agn(1, 1, 1, n_composite=0.5)
