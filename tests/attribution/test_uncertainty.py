"""Errors of attributions: exact where linear, calibrated by simulation, with the correlation of bins kept."""

import tracemalloc
from functools import partial

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import agnsal
from agnsal import (
    PERUZZI2021_GRID,
    AgnsalError,
    Attribution,
    LineDictionary,
    ProbabilisticSVC,
    SpectralSample,
    WavelengthGrid,
    attribution_uncertainty,
    input_x_gradient,
    integrated_gradients,
    line_masks,
    saliency,
    shapley,
    simulate_agn,
    transformed,
)
from agnsal.attribution.answer.maps import map_stability
from agnsal.attribution.answer.spread import errors_of
from agnsal.models.refitting import bootstrapped

D = 60


@pytest.fixture(scope="module")
def labelled():
    """Two classes told apart by an emission line, without bad bins."""
    rng = np.random.default_rng(0)
    grid = WavelengthGrid.linear(4700 * u.AA, 5050 * u.AA, D)
    labels = np.repeat(["line", "none"], 60)
    line = np.exp(-0.5 * ((grid.centers.value - 4862.68) / 20) ** 2)
    flux = 1 + 0.3 * (labels == "line")[:, None] * line + rng.normal(0, 0.1, (120, D))
    from astropy.table import QTable

    return SpectralSample(flux, grid, ivar=np.full(flux.shape, 100.0), table=QTable({"label": labels}))


@pytest.fixture(scope="module")
def linear(labelled):
    return ProbabilisticSVC(kernel="linear", C=0.1, random_state=0).fit(labelled.flux, labelled.labels)


@pytest.fixture(scope="module")
def curved(labelled):
    return ProbabilisticSVC(kernel="rbf", gamma=0.2, random_state=0).fit(labelled.flux, labelled.labels)


@pytest.mark.parametrize("method", [input_x_gradient, integrated_gradients, shapley])
def test_linear_attributions_are_propagated_exactly(method, linear, labelled):
    """Of f = w . x + b the value of a bin is w_i (x_i - x0_i): its error is |w_i| sigma_i and no draw is needed."""
    sample = labelled[:3]
    sample.ivar = np.random.default_rng(1).uniform(50, 200, sample.flux.shape)
    result = attribution_uncertainty(method, linear, sample, target="line", output="decision", random_state=0)
    w = saliency(linear, sample, "line", "decision").values
    assert result.provenance["flux_errors"] == "exact"
    np.testing.assert_allclose(result.uncertainty["flux"], np.abs(w) / np.sqrt(sample.ivar), rtol=1e-6)
    np.testing.assert_array_equal(result.values, method(linear, sample, "line", "decision").values)
    table = result.by_line(["Hbeta"])
    table = table[table["line"] == "Hbeta"]
    core = line_masks(sample.grid, ["Hbeta"])["Hbeta"]["core"]
    expected = np.sqrt((w**2 / sample.ivar)[:, core].sum(axis=1))
    np.testing.assert_allclose(table["core_error"].value, expected, rtol=1e-6)
    np.testing.assert_allclose(table["core_significance"], (table["core"] / table["core_error"]).value)


def test_the_map_of_a_linear_machine_has_no_flux_error(linear, labelled):
    result = attribution_uncertainty(saliency, linear, labelled[:2], output="decision")
    assert result.provenance["flux_errors"] == "exact"
    np.testing.assert_allclose(result.uncertainty["flux"], 0, atol=1e-12)


def test_drawn_errors_are_calibrated(curved, labelled):
    """The reported error is the scatter of the attribution over many observations of one noiseless spectrum."""
    output = "log_odds"
    true = 1 + 0.3 * np.exp(-0.5 * ((labelled.wavelength.value - 4862.68) / 20) ** 2)
    ivar = 1e4
    rng = np.random.default_rng(2)
    many = SpectralSample(true + rng.normal(0, ivar**-0.5, (400, D)), labelled.grid, ivar=np.full((400, D), ivar))
    observed = input_x_gradient(curved, many, "line", output).values
    result = attribution_uncertainty(
        input_x_gradient, curved, many[:5], target="line", output=output, n_draws=200, random_state=0
    )
    assert result.uncertainty["flux"].shape == (200, 5, D)
    ratio = result.standard_error / observed.std(axis=0)
    assert np.median(ratio) == pytest.approx(1, abs=0.1)
    assert np.percentile(ratio, [5, 95]) == pytest.approx([0.9, 1.1], abs=0.1)
    window = np.zeros((1, D))
    window[0, 20:40] = 1.0
    error = errors_of(result.uncertainty, window)[""][:, 0]
    assert error.mean() == pytest.approx((observed @ window[0]).std(), rel=0.15)


def test_small_errors_agree_with_the_linear_rule(curved, labelled):
    """For small noise the covariance of draws is J C J^T; J here by differences."""
    sample = labelled[:1]
    sample.ivar = np.full_like(sample.flux, 1e8)
    explain = partial(input_x_gradient, curved, target="line", output="log_odds")
    result = attribution_uncertainty(
        input_x_gradient, curved, sample, target="line", output="log_odds", n_draws=300, random_state=0
    )
    steps = 1e-5 * np.eye(D)
    jacobian = (explain(sample.flux + steps).values - explain(sample.flux - steps).values) / 2e-5
    expected = np.sqrt((jacobian**2).sum(axis=0)) * 1e-4
    np.testing.assert_allclose(result.standard_error[0], expected, rtol=0.15)


def test_sums_keep_the_correlation_of_their_bins(labelled):
    rng = np.random.default_rng(0)
    grid, n = PERUZZI2021_GRID, len(PERUZZI2021_GRID)
    common = rng.normal(size=(500, 2, 1)) * np.ones(n)
    result = Attribution(
        values=np.ones((2, n)),
        target=np.array(["a", "a"]),
        method="m",
        output="decision",
        explained=np.zeros(2),
        inputs=np.ones((2, n)),
        ids=np.array(["1", "2"]),
        grid=grid,
        uncertainty={"flux": common, "training": np.full((2, n), 0.1)},
    )
    table = result.by_line(["Hbeta"])
    table = table[table["line"] == "Hbeta"]
    bins = np.asarray(table["n_wings"])
    np.testing.assert_allclose(table["wings_error_flux"].value, bins * common.std(axis=0, ddof=1)[:, 0])
    np.testing.assert_allclose(table["wings_error_training"].value, np.sqrt(bins) * 0.1)
    both = np.hypot(table["wings_error_flux"].value, table["wings_error_training"].value)
    np.testing.assert_allclose(table["wings_error"].value, both)
    one = result[1].to_table(0)
    assert one["attribution_error"].value[0] == pytest.approx(np.hypot(common[:, 1, 0].std(ddof=1), 0.1))


def test_training_errors_come_from_refits(linear, labelled):
    ask = partial(
        attribution_uncertainty,
        saliency,
        linear,
        labelled[:3],
        target="line",
        output="decision",
        n_draws=0,
        n_refits=8,
        training=labelled,
    )
    result = ask(random_state=0)
    draws = result.uncertainty["training"]
    assert draws.shape == (8, 3, D)
    assert np.ptp(draws, axis=0).min() > 0
    assert draws.tobytes() == ask(random_state=0).uncertainty["training"].tobytes()
    assert draws.tobytes() != ask(random_state=1).uncertainty["training"].tobytes()
    stability = map_stability(result)
    assert stability.shape == (3,)
    assert ((stability > 0.3) & (stability < 1)).all()


def test_a_scarcer_training_sample_gives_less_stable_maps(labelled):
    few = labelled[np.arange(120) % 3 == 0]
    found = []
    for sample in (few, labelled):
        model = ProbabilisticSVC(kernel="linear", C=0.1, random_state=0).fit(sample.flux, sample.labels)
        result = attribution_uncertainty(
            saliency, model, labelled[:1], n_draws=0, n_refits=8, training=sample, random_state=0
        )
        found.append(map_stability(result)[0])
    assert found[0] < found[1]


def test_stability_is_the_mean_cosine_of_pairs():
    draws = np.random.default_rng(0).normal(size=(6, 2, 9)) + 0.5
    result = Attribution(
        values=draws[0],
        target=np.array(["a", "a"]),
        method="m",
        output="decision",
        explained=np.zeros(2),
        inputs=draws[0],
        ids=np.array(["1", "2"]),
        uncertainty={"training": draws},
    )
    unit = draws / np.linalg.norm(draws, axis=2, keepdims=True)
    pairs = [(unit[i] * unit[j]).sum(axis=1) for i in range(6) for j in range(i)]
    np.testing.assert_allclose(map_stability(result), np.mean(pairs, axis=0), atol=1e-14)
    np.testing.assert_allclose(map_stability(result[1]), map_stability(result)[1:])
    with pytest.raises(AgnsalError, match="no draws of 'flux'"):
        map_stability(result, "flux")


def test_a_bootstrap_by_weights_is_one_by_repetition(labelled):
    """Estimators that take weights get each spectrum once, others get it repeated: the same machine."""
    X, y = labelled.flux, labelled.labels
    weighted = bootstrapped(SVC(kernel="linear", tol=1e-8), X, y, np.random.RandomState(3))
    repeated = bootstrapped(make_pipeline(SVC(kernel="linear", tol=1e-8)), X, y, np.random.RandomState(3))
    np.testing.assert_allclose(weighted.decision_function(X), repeated.decision_function(X), atol=1e-5)


def test_any_estimator_and_any_method(labelled):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(labelled.flux, labelled.labels)
    result = attribution_uncertainty(
        integrated_gradients,
        pipeline,
        labelled[:2],
        n_draws=4,
        n_refits=3,
        training=(labelled.flux, labelled.labels),
        random_state=0,
        baseline="zero",
        n_steps=128,
    )
    assert set(result.uncertainty) == {"flux", "training"}
    in_bins = attribution_uncertainty(
        partial(transformed, transform=LineDictionary(["Hbeta"], stars=False, iron=())),
        pipeline,
        labelled[:2],
        n_draws=4,
        random_state=0,
    )
    assert in_bins.standard_error.shape == in_bins.values.shape
    assert in_bins.to_table(0).colnames == [
        "feature",
        "coordinate",
        "attribution",
        "attribution_error",
        "attribution_error_flux",
        "attribution_significance",
    ]


def test_bad_bins_are_bridged_in_every_draw(linear, labelled):
    mask = np.zeros((1, D), dtype=bool)
    mask[0, 30] = True
    sample = SpectralSample(labelled.flux[:1], labelled.grid, ivar=labelled.ivar[:1], mask=mask)
    result = attribution_uncertainty(
        input_x_gradient, linear, sample, target="line", output="decision", n_draws=400, random_state=0
    )
    w = saliency(linear, sample, "line", "decision").values[0]
    draws = result.uncertainty["flux"][:, 0] / w
    np.testing.assert_allclose(draws[:, 30], draws[:, [29, 31]].mean(axis=1), atol=1e-9)
    assert result.standard_error[0, 30] == pytest.approx(abs(w[30]) * 0.1 / np.sqrt(2), rel=0.15)


def test_uncertainty_is_written_and_read(linear, curved, labelled, tmp_path):
    for model in (linear, curved):
        result = attribution_uncertainty(
            input_x_gradient, model, labelled[:3], output="decision", n_draws=3, random_state=0
        )
        for ending in ("npz", "fits", "ecsv"):
            result.write(tmp_path / f"a.{ending}")
            back = Attribution.read(tmp_path / f"a.{ending}")
            assert back.uncertainty["flux"].tobytes() == result.uncertainty["flux"].tobytes()
            assert back.provenance == result.provenance
    assert result[:2].uncertainty["flux"].shape == (3, 2, D)


def test_what_is_refused(linear, labelled):
    with pytest.raises(AgnsalError, match="SpectralSample"):
        attribution_uncertainty(saliency, linear, labelled.flux)
    with pytest.raises(AgnsalError, match="at least 2"):
        attribution_uncertainty(saliency, linear, labelled, n_draws=1)
    with pytest.raises(AgnsalError, match="what the model was trained on"):
        attribution_uncertainty(saliency, linear, labelled[:1], n_refits=2)
    with pytest.raises(AgnsalError, match="no inverse variances"):
        attribution_uncertainty(saliency, linear, SpectralSample(labelled.flux[:1], labelled.grid))
    with pytest.raises(AgnsalError, match="120 spectra and 3 labels"):
        attribution_uncertainty(
            saliency, linear, labelled[:1], n_refits=2, training=(labelled.flux, labelled.labels[:3])
        )
    with pytest.raises(AgnsalError, match="no labels"):
        attribution_uncertainty(
            saliency, linear, labelled[:1], n_refits=2, training=SpectralSample(labelled.flux, labelled.grid)
        )


def test_lines_of_agn_are_significant():
    """A quasar's broad Hbeta stands out of both errors together."""
    sample = simulate_agn(40, 40, 0, seed=4).normalize()
    model = ProbabilisticSVC(kernel="linear", C=0.07, random_state=0).fit(sample.flux, sample.labels)
    result = attribution_uncertainty(
        integrated_gradients,
        model,
        sample[:4],
        output="log_odds",
        n_draws=20,
        n_refits=8,
        training=sample,
        random_state=0,
    )
    table = result.by_line(["Hbeta"])
    table = table[table["line"] == "Hbeta"]
    assert (table["wings_significance"] > 2).sum() >= 3


def test_little_more_than_the_draws_is_held(curved, labelled):
    def work():
        return attribution_uncertainty(
            saliency, curved, labelled, target="line", output="log_odds", n_draws=200, random_state=0
        ).uncertainty["flux"]

    work()
    tracemalloc.start()
    try:
        draws = work()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * draws.nbytes


def test_what_filled_gaps_may_have_been_moves_the_explanation_as_it_should():
    sample = agnsal.simulate_agn(30, 30, 0, seed=1).normalize()[:, 600:640]
    mask = np.zeros(sample.flux.shape, dtype=bool)
    mask[::2, :20] = mask[1::2, 30:] = True
    gappy = agnsal.SpectralSample(sample.flux, sample.grid, ivar=sample.ivar, mask=mask, table=sample.table)
    pca = agnsal.ProbabilisticPCA(3, max_iter=20).fit(gappy)
    filled = pca.impute(gappy)
    machine = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(filled.flux, filled.labels)
    found = agnsal.attribution_uncertainty(
        agnsal.input_x_gradient, machine, gappy[:2], output="decision", n_draws=200, imputation=pca, random_state=0
    )
    assert_allclose(found.values, agnsal.input_x_gradient(machine, filled[:2], output="decision").values)
    weights = agnsal.saliency(machine, filled[:2], output="decision").values
    expected = np.sqrt(weights**2 * pca.variance(gappy[:2]))
    assert_allclose(found.uncertainty["imputation"].std(axis=0, ddof=1), expected, rtol=0.25, atol=1e-12)
    # the noise of what was observed moves what is filled in from it
    assert (found.uncertainty["flux"].std(axis=0)[mask[:2]] > 0).all()
    # filled spectra without their imputation keep what they were filled with, and are not bridged
    kept = agnsal.attribution_uncertainty(
        agnsal.input_x_gradient, machine, filled[:2], output="decision", n_draws=5, random_state=0
    )
    assert_allclose(kept.values, found.values)
    assert kept.provenance["flux_errors"] == "exact"  # every value answers to its own bin
    assert (kept.uncertainty["flux"][mask[:2]] == 0).all()
    by_median, center = agnsal.ProbabilisticPCA(3, max_iter=3).fit(gappy.normalize(by="median")), gappy.grid.centers[25]
    with pytest.raises(AgnsalError, match=r"learnt from spectra whose normalization is .*median.*these is .*window"):
        agnsal.attribution_uncertainty(
            "saliency", machine, gappy[:2].normalize(center, 10 * u.AA), imputation=by_median, random_state=0
        )
