"""Occlusion and line ablation: known changes, parts, fills, every kind of estimator, refusals."""

import astropy.units as u
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

import agnsal
from agnsal import AgnsalError, AgnsalWarning, SpectralSample, WavelengthGrid
from agnsal.attribution.question import question as question_module
from agnsal.models.differentiable import DifferentiableModel

GRID = WavelengthGrid.linear(4600 * u.AA, 5100 * u.AA, 500)
WAVELENGTH = GRID.centers.value


def gaussian(center, sigma, height=1.0):
    return height * np.exp(-0.5 * ((WAVELENGTH - center) / sigma) ** 2)


def model_of(weights, bias=0.0):
    """f(x) = w'x + b, whose changes are known."""
    weights = np.asarray(weights, dtype=float)
    return DifferentiableModel(
        {"decision": lambda X: anp.dot(X, weights)[:, None] + bias}, classes=[0], n_features=len(weights)
    )


@pytest.fixture(scope="module", name="sample")
def lines_on_a_slope():
    slope = 1.0 + 1e-3 * (WAVELENGTH - 4600.0)
    lines = gaussian(4862.68, 20.0, 2.0) + gaussian(4862.68, 2.0, 1.0) + gaussian(5008.24, 3.0, 4.0)
    return SpectralSample(np.stack([slope + lines, slope, 2.0 * slope + lines]), GRID)


@pytest.fixture(scope="module", name="population")
def simulated():
    return agnsal.simulate_agn(15, 15, 0, seed=4).normalize()


@given(seed=st.integers(0, 2**32 - 1), d=st.integers(1, 8))
@settings(max_examples=20, deadline=None)
def test_occlusion_is_the_change_feature_by_feature(seed, d):
    random = np.random.default_rng(seed)
    X, start, w = random.normal(size=(5, d)), random.normal(size=d), random.normal(size=d)
    model = DifferentiableModel({"decision": lambda X: anp.tanh(anp.dot(X, w))[:, None]}, classes=[0], n_features=d)
    result = agnsal.occlusion(model, X, 0, "decision", baseline=start)
    for i in range(d):
        without = X.copy()
        without[:, i] = start[i]
        np.testing.assert_allclose(result.values[:, i], np.tanh(X @ w) - np.tanh(without @ w), atol=1e-14)


def test_windows_share_their_change_and_blocks_do_not_matter(monkeypatch):
    random = np.random.default_rng(0)
    X, w = random.normal(size=(6, 10)), random.normal(size=10)
    result = agnsal.occlusion(model_of(w), X, 0, "decision", baseline="zero", window=4)
    change = (X * w)[:, :4].sum(axis=1)
    np.testing.assert_allclose(result.values[:, :4], np.repeat(change[:, None] / 4, 4, axis=1), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(result.values[:, 8:].sum(axis=1), (X * w)[:, 8:].sum(axis=1), rtol=1e-9, atol=1e-13)
    monkeypatch.setattr(question_module, "BLOCK_ROWS", 5)
    again = agnsal.occlusion(model_of(w), X, 0, "decision", baseline="zero", window=4)
    np.testing.assert_allclose(again.values, result.values, atol=1e-14)


def test_the_continuum_takes_the_place_of_a_line(sample):
    bare = agnsal.remove_lines(sample, ["Hbeta", "[O III] 5007"])
    slope = sample.flux[1]
    near = np.abs(WAVELENGTH / 5008.24 - 1) < 1200 / 299792.458
    np.testing.assert_allclose(bare.flux[0, near], slope[near], atol=0.03)
    broad = np.abs(WAVELENGTH / 4862.68 - 1) < 5000 / 299792.458
    np.testing.assert_allclose(bare.flux[0, broad & (WAVELENGTH < 4935)], slope[broad & (WAVELENGTH < 4935)], atol=0.03)
    np.testing.assert_allclose(bare.flux[1], slope, atol=1e-10)
    untouched = WAVELENGTH < 4750
    np.testing.assert_array_equal(bare.flux[:, untouched], sample.flux[:, untouched])
    assert sample.flux[0].max() > 3.5


def test_core_and_wings_are_removed_separately(sample):
    core = agnsal.remove_lines(sample, "Hbeta", part="core")
    wings = agnsal.remove_lines(sample, "Hbeta", part="wings")
    at_line = np.abs(WAVELENGTH - 4862.68).argmin()
    broad_only = sample.flux[0, at_line] - 1.0  # the narrow line goes, its broad base stays but for its curvature
    assert core.flux[0, at_line] == pytest.approx(broad_only, abs=0.25)
    assert wings.flux[0, at_line] == sample.flux[0, at_line]
    at_wing = np.abs(WAVELENGTH - 4885.0).argmin()
    assert core.flux[0, at_wing] == sample.flux[0, at_wing]
    assert wings.flux[0, at_wing] == pytest.approx(sample.flux[1, at_wing], abs=0.03)


def test_line_ablation_measures_what_a_linear_model_takes_from_a_line(sample):
    weights = np.full(500, 0.01)
    table = agnsal.line_ablation(model_of(weights), sample, 0, "decision", lines=["Hbeta", "[O III] 5007"])
    bare = agnsal.remove_lines(sample, "Hbeta")
    hbeta = table[table["line"] == "Hbeta"]
    np.testing.assert_allclose(hbeta["change"], (sample.flux - bare.flux) @ weights, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        hbeta["change"], hbeta["removed"].to_value(u.AA) * 0.01 / GRID.widths[0].value, rtol=1e-9, atol=1e-12
    )
    flux = 2.0 * 20.0 * np.sqrt(2 * np.pi) + 2.0 * np.sqrt(2 * np.pi)
    assert hbeta["removed"][0].to_value(u.AA) == pytest.approx(flux, rel=0.02)
    np.testing.assert_allclose(table["before"] - table["after"], table["change"])
    assert hbeta["change"][1] == pytest.approx(0.0, abs=1e-10)
    assert list(table["object_id"][:3]) == ["spectrum 0", "spectrum 0", "spectrum 1"]
    assert table["wavelength"].unit == u.AA


def test_fills(sample):
    weights = np.full(500, 0.01)

    def change(fill, **options):
        return agnsal.line_ablation(
            model_of(weights), sample, 0, "decision", lines="[O III] 5007", fill=fill, **options
        )["change"]

    inside = agnsal.line_masks(GRID, ["[O III] 5007"])["[O III] 5007"]
    bins = inside["core"] | inside["wings"]
    mean = sample.flux.mean(axis=0)
    np.testing.assert_allclose(change("mean"), (sample.flux - mean)[:, bins].sum(axis=1) * 0.01, atol=1e-12)
    np.testing.assert_allclose(change("zero"), sample.flux[:, bins].sum(axis=1) * 0.01, rtol=1e-10)
    np.testing.assert_allclose(change(mean), change("mean"), atol=1e-14)
    noisy = agnsal.line_ablation(
        model_of(weights), sample, 0, "decision", lines="[O III] 5007", fill="noise", n_draws=200, random_state=0
    )
    assert (np.abs(noisy["change"] - change("continuum")) <= 4 * noisy["error"] + 1e-12).all()


def test_noise_has_the_size_of_the_flux_errors():
    flux = np.ones((1, 500)) + gaussian(4862.68, 10.0)
    sample = SpectralSample(flux, GRID, ivar=np.full((1, 500), 400.0))
    noisy = agnsal.remove_lines(sample, "Hbeta", fill="noise", random_state=3)
    bins = agnsal.line_masks(GRID, ["Hbeta"])["Hbeta"]
    inside = bins["core"] | bins["wings"]
    assert noisy.flux[0, inside].std() == pytest.approx(0.05, rel=0.2)
    np.testing.assert_array_equal(noisy.flux[0, ~inside], flux[0, ~inside])
    again = agnsal.remove_lines(sample, "Hbeta", fill="noise", random_state=3)
    np.testing.assert_array_equal(noisy.flux, again.flux)


@pytest.mark.parametrize("estimator", [RandomForestClassifier(20, random_state=0), KNeighborsClassifier()])
def test_every_estimator_that_predicts_will_do(population, estimator):
    estimator.fit(population.flux, population.labels)
    table = agnsal.line_ablation(estimator, population, lines=["Hbeta", "[O III] 5007"])
    np.testing.assert_allclose(table["before"][::2], estimator.predict_proba(population.flux).max(axis=1), atol=1e-12)
    result = agnsal.occlusion(estimator, population[:3], fill="continuum", window=50 * u.AA)
    assert np.isfinite(result.values).all()
    odds = agnsal.occlusion(estimator, population[:3], output="log_odds", baseline="mean", window=100)
    assert np.isfinite(odds.values).all()
    with pytest.raises(AgnsalError):
        agnsal.saliency(estimator, population)


def test_a_regressor_that_cannot_be_differentiated():
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = KNeighborsRegressor(1).fit(X, X[:, 1])
    result = agnsal.occlusion(model, X[:4], None, "decision", baseline=X.mean(axis=0))
    assert result.values.shape == (4, 3)


def test_an_object_of_the_users_own():
    class Slope:
        def predict_proba(self, X):
            p = 1 / (1 + np.exp(-X[:, 0]))
            return np.stack([1 - p, p], axis=1)

    X = np.random.default_rng(0).normal(size=(6, 3))
    result = agnsal.occlusion(Slope(), X, 1, baseline="zero")
    np.testing.assert_allclose(result.values[:, 0], 1 / (1 + np.exp(-X[:, 0])) - 0.5, atol=1e-14)
    assert (result.values[:, 1:] == 0).all()
    values = agnsal.shapley(Slope(), X, baseline="zero").values
    np.testing.assert_allclose(np.abs(values[:, 0]), np.abs(result.values[:, 0]), atol=1e-14)


def test_what_cannot_predict_is_refused():
    X = np.zeros((2, 3))
    with pytest.raises(AgnsalError, match="not fitted yet"):
        agnsal.occlusion(RandomForestClassifier(), X, baseline="zero")
    with pytest.raises(AgnsalError):
        agnsal.occlusion(object(), X, baseline="zero")


def test_broad_hbeta_is_what_makes_a_type_1(population):
    """The causal check on simulated spectra: without broad Hbeta the log-odds of type 1 fall."""
    model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(population.flux, population.labels)
    type1 = population[population.labels == "type 1"]
    table = agnsal.line_ablation(model, type1, "type 1", "log_odds", lines=["Hbeta", "[Fe VII] 5159"], part="wings")
    wings = table["change"][table["line"] == "Hbeta"]
    other = table["change"][table["line"] == "[Fe VII] 5159"]
    assert np.mean(wings) > 0
    assert np.abs(wings).mean() > 5 * np.abs(other).mean()


def test_masked_neighbours_are_not_used(sample):
    flux, mask = sample.flux.copy(), np.zeros(sample.flux.shape, dtype=bool)
    beyond = (WAVELENGTH > 5028.5) & (WAVELENGTH < 5035)
    flux[0, beyond], mask[0, beyond] = 50.0, True
    spoiled = SpectralSample(flux, GRID, mask=mask)
    clean = agnsal.remove_lines(sample, "[O III] 5007")
    filled = agnsal.remove_lines(spoiled, "[O III] 5007")
    inside = np.abs(WAVELENGTH - 5008.24) < 15
    np.testing.assert_allclose(filled.flux[0, inside], clean.flux[0, inside], atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lines": ["Halpha"]}, "off the grid"),
        ({"lines": ["Hbetta"]}, "did you mean 'Hbeta'"),
        ({"lines": ["Hbeta"], "part": "middle"}, "part must be one of"),
        ({"lines": ["Fe II 4570"], "part": "wings"}, "no bins in its wings"),
        ({"lines": ["Hbeta"], "fill": "smooth"}, "there is no baseline 'smooth'"),
        ({"lines": ["Hbeta"], "fill": np.zeros(3)}, "the baseline has shape"),
        ({"lines": ["Hbeta"], "fill": ("class mean", "type 1")}, "no labels"),
        ({"lines": ["Hbeta"], "fill": "noise", "n_draws": 1}, "at least 2"),
    ],
)
def test_bad_ablations_are_refused(sample, options, message):
    with pytest.raises(AgnsalError, match=message):
        agnsal.line_ablation(model_of(np.ones(500)), sample, 0, "decision", **options)


def test_masked_out_lines_are_skipped_and_plain_arrays_refused(sample):
    mask = np.zeros(sample.flux.shape, dtype=bool)
    mask[2, np.abs(WAVELENGTH - 4862.68) < 120] = True
    hidden = SpectralSample(sample.flux, GRID, mask=mask)
    with pytest.warns(AgnsalWarning, match=r"Hbeta was not observed in 1 of \d+ spectra \(spectrum 2\)"):
        table = agnsal.line_ablation(model_of(np.ones(500)), hidden, 0, "decision", lines="Hbeta")
    assert np.flatnonzero(np.isnan(table["change"])).tolist() == [2]
    with pytest.warns(AgnsalWarning, match="left as they are"):
        bare = agnsal.remove_lines(hidden, "Hbeta")
    np.testing.assert_array_equal(bare.flux[2], hidden.flux[2])
    assert (bare.flux[0] != hidden.flux[0]).any()
    with pytest.raises(AgnsalError, match="needs a SpectralSample"):
        agnsal.line_ablation(model_of(np.ones(500)), sample.flux, 0, "decision", lines="Hbeta")
    with pytest.raises(AgnsalError, match="need wavelengths"):
        agnsal.occlusion(model_of(np.ones(500)), sample.flux, 0, "decision", baseline="zero", window=5 * u.AA)
    with pytest.raises(AgnsalError, match="at least one feature"):
        agnsal.occlusion(model_of(np.ones(500)), sample.flux, 0, "decision", baseline="zero", window=0)
    with pytest.raises(AgnsalError, match="no continuum is left"):
        agnsal.occlusion(model_of(np.ones(500)), sample.flux, 0, "decision", fill="continuum", window=500)
