import numpy as np
import pytest

from agnsal import PERUZZI2021_GRID, AgnsalError, SpectralBenchmark
from agnsal.checks.benchmarks.spectral_scores import METRICS, average_precision, judge


@pytest.fixture(scope="module", params=[0, 1])
def benchmark(request):
    return SpectralBenchmark(450, random_state=request.param)


@pytest.fixture(scope="module")
def scores(benchmark):
    return benchmark.score(benchmark.fit(), n_explained=80)


def test_class_depends_on_the_signal_and_on_nothing_else(benchmark):
    strong = benchmark.sample.labels == "strong"
    assert benchmark.strength[strong].min() > benchmark.strength[~strong].max()
    table = benchmark.sample.truth.table
    for nuisance in ("redshift", "signal_to_noise", "nuclear_fraction", "broad_hbeta_width"):
        values = np.asarray(getattr(table[nuisance], "value", table[nuisance]))
        difference = values[strong].mean() - values[~strong].mean()
        assert abs(difference) < 4 * values.std() * np.sqrt(4 / len(values))
    assert (benchmark.signal[:, ~benchmark.window] == 0).all()


def test_components_sum_to_the_noiseless_spectrum(benchmark):
    residual = (benchmark.sample.flux - benchmark.sample.truth.noiseless) * np.sqrt(benchmark.sample.ivar)
    assert np.median(np.abs(residual[~benchmark.sample.mask])) < 1.5
    signal = benchmark.sample.truth.components["signal"]
    np.testing.assert_allclose(signal, benchmark.signal, rtol=1e-10)


def test_model_uses_the_signal(benchmark):
    effects = benchmark.component_effects(benchmark.fit())
    assert max(effects, key=effects.get) == "signal"


def test_methods_beat_their_controls(scores):
    table = scores.table()
    row = {name: table[table["method"] == name][0] for name in table["method"]}
    controls = [name for name in row if name.startswith("control")]
    assert len(controls) == 3
    for metric in ("mass", "precision_recall", "pointing"):
        # one map for all spectra, as of a nearly linear machine, has its largest value at one place: in or out by luck
        fair = [name for name in controls if metric != "pointing" or "shuffled" not in name]
        assert row["gradient"][metric] > 1.3 * max(row[name][metric] for name in fair), metric
    assert row["gradient"]["pointing"] >= max(row[name]["pointing"] for name in controls)
    assert row["integrated gradients"]["pearson"] > 0.15 > max(row[name]["pearson"] for name in controls)
    assert row["integrated gradients"]["wing_sign"] > 0.85
    assert row["gradient"]["profile"] > max(row[name]["profile"] for name in controls) + 0.1
    assert scores.facts["accuracy"] > 0.85


def test_table_is_sorted_and_knows_chance(scores):
    table = scores.table()
    assert (np.diff(table["pearson"]) <= 1e-12).all()
    assert set(METRICS) < set(table.colnames)
    assert table.meta["chance_mass"] == pytest.approx(scores.window.mean())


def test_the_truth_is_perfect(benchmark):
    truth = benchmark.attribution(slice(0, 20))
    profile = benchmark.signal.mean(axis=0)
    found = judge({"truth": truth}, truth, profile, benchmark.window, benchmark.sample.grid, benchmark.line)
    for metric in ("pearson", "spearman", "mass", "wing_sign"):
        np.testing.assert_allclose(found.metrics["truth"][metric], 1, err_msg=metric)
    assert found.metrics["truth"]["pointing"].mean() >= 0.9  # a wider or narrower profile can sum to nothing


def test_average_precision_of_a_random_order_is_the_share():
    rng = np.random.default_rng(0)
    relevant = np.arange(400) < 80
    assert average_precision(rng.normal(size=(300, 400)), relevant).mean() == pytest.approx(0.2, abs=0.01)


def test_equal_seeds_give_equal_bits():
    first, second = (SpectralBenchmark(24, random_state=5) for _ in range(2))
    np.testing.assert_array_equal(first.sample.flux, second.sample.flux)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 3}, "at least 12"),
        ({"line": "Halpha"}, "not on"),
        ({"component": "dark matter"}, "no component"),
    ],
)
def test_impossible_benchmarks_are_refused(options, message):
    with pytest.raises(AgnsalError, match=message):
        SpectralBenchmark(**{"n": 24, "grid": PERUZZI2021_GRID} | options)
