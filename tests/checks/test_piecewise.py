import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agnsal import AgnsalError, PiecewiseLinearBenchmark, interaction

PARTS = ("positive", "absolute")


@pytest.fixture(scope="module")
def benchmark():
    return PiecewiseLinearBenchmark(12, 5, n_samples=600, random_state=3)


@pytest.fixture(scope="module")
def scores():
    """The small version, one seed, with fewer epochs."""
    whole = PiecewiseLinearBenchmark(random_state=0)
    return whole.score(whole.fit(epochs=(15, 6)))


def by_hand(edges, slopes, x):
    """C of one number, walking from 0 to x piece by piece."""
    total = 0.0
    for low, high, slope in zip(edges[:-1], edges[1:], slopes, strict=True):
        start, stop = max(min(0.0, x), low), min(max(0.0, x), high)
        total += slope * max(stop - start, 0.0) * np.sign(x)
    return total


@given(seed=st.integers(0, 10_000), breaks=st.integers(1, 7))
@settings(max_examples=20, deadline=None)
def test_contributions_are_slope_times_overlap(seed, breaks):
    benchmark = PiecewiseLinearBenchmark(5, breaks, n_samples=50, random_state=seed)
    X = benchmark.draw(7, seed) * 2
    expected = [[by_hand(e, s, x) for e, s, x in zip(benchmark.edges, benchmark.slopes, row, strict=True)] for row in X]
    np.testing.assert_allclose(benchmark.contributions(X), expected, atol=1e-12)
    np.testing.assert_allclose(benchmark.attribution(X).sum(axis=1), benchmark.predict(X), atol=1e-12)


def test_zero_continuity_and_slopes(benchmark):
    d = benchmark.n_features
    np.testing.assert_array_equal(benchmark.contributions(np.zeros((1, d))), 0)
    step = 1e-9
    for edge in benchmark.edges.T[1:-1]:
        below, above = benchmark.contributions(np.stack([edge - step, edge + step]))
        np.testing.assert_allclose(below, above, atol=1e-7)
    for sign in (-1.0, 1.0):
        near = np.full((1, d), sign * 1e-9)
        piece = (benchmark.edges[:, 1:-1] < near.T).sum(axis=1)
        np.testing.assert_array_equal(benchmark.slope(near)[0], benchmark.slopes[np.arange(d), piece])
    X = benchmark.X[:50]
    difference = (benchmark.contributions(X + 1e-7) - benchmark.contributions(X - 1e-7)) / 2e-7
    np.testing.assert_allclose(np.median(np.abs(difference - benchmark.slope(X))), 0, atol=1e-6)


def test_one_break_is_zero_and_the_rest_are_quantiles_of_the_feature(benchmark):
    assert benchmark.edges.shape == (12, 7)
    assert ((benchmark.edges == 0).sum(axis=1) == 1).all()
    inside = benchmark.edges[:, 1:-1]
    assert (inside >= benchmark.X.min(axis=0)[:, None]).all()
    assert (inside <= benchmark.X.max(axis=0)[:, None]).all()


def test_slopes_and_breaks_are_smooth_over_features():
    benchmark = PiecewiseLinearBenchmark(300, 5, n_samples=500, random_state=1)
    neighbours = np.corrcoef(benchmark.slopes[:-1].ravel(), benchmark.slopes[1:].ravel())[0, 1]
    assert 0.6 < neighbours < 0.9  # exp(-1/4) = 0.78


def test_from_parts_rebuilds(benchmark):
    again = PiecewiseLinearBenchmark.from_parts(benchmark.edges, benchmark.slopes)
    np.testing.assert_array_equal(again.predict(benchmark.X), benchmark.y)
    np.testing.assert_array_equal(again.attribution(benchmark.X), benchmark.attribution(benchmark.X))
    with pytest.raises(AgnsalError, match="correlation"):
        again.draw(3)
    with pytest.raises(AgnsalError, match="no inputs"):
        again.fit()


def test_interactions_are_shared_equally_and_complete(benchmark):
    joined = PiecewiseLinearBenchmark.from_parts(
        benchmark.edges, benchmark.slopes, interactions=[(0, 3, 2.0), ([1, 2], [7, 8], -0.5)]
    )
    X = benchmark.X[:20]
    C = joined.contributions(X)
    extra = 2.0 * C[:, 0] * C[:, 3] - 0.5 * C[:, [1, 2]].sum(axis=1) * C[:, [7, 8]].sum(axis=1)
    np.testing.assert_allclose(joined.predict(X), benchmark.predict(X) + extra / 12)
    np.testing.assert_allclose(joined.attribution(X).sum(axis=1), joined.predict(X))
    half = joined.attribution(X)[:, 0] - benchmark.attribution(X)[:, 0]
    np.testing.assert_allclose(half, C[:, 0] * C[:, 3] / 12)


def test_equal_seeds_give_equal_benchmarks():
    first, second = (PiecewiseLinearBenchmark(6, n_samples=50, random_state=4) for _ in range(2))
    np.testing.assert_array_equal(first.y, second.y)
    np.testing.assert_array_equal(first.slopes, second.slopes)


def test_network_and_linear_models_fit_as_published(scores):
    assert scores.facts["r2"] >= 0.96
    assert 0.6 < scores.facts["r2 linear model"] < scores.facts["r2"]
    assert scores.facts["r2 linear model, no intercept"] < scores.facts["r2 linear model"]


def test_methods_score_in_their_published_ranges(scores):
    mean = {name: np.nanmean(scores.correlation(name)) for name in scores.maps}
    assert abs(mean["gradient"]) < 0.15
    assert abs(mean["SmoothGrad"]) < 0.15
    assert 0.70 <= mean["input x gradient"] <= 0.88
    assert mean["integrated gradients"] >= max(0.87, mean["input x gradient"])
    assert 0.80 <= mean["occlusion"] <= 0.92
    assert 0.70 <= mean["contextual decomposition"] <= 0.90
    assert mean["Shapley values"] > mean["occlusion"]
    np.testing.assert_allclose(scores.maps["LRP z"], scores.maps["input x gradient"], atol=1e-12)
    alpha_beta = [np.nanmean(scores.correlation("LRP alpha1beta0", f"{part} contribution")) for part in PARTS]
    assert 0.2 < alpha_beta[0] < 0.6 < alpha_beta[1] < 0.75
    assert abs(mean["control: random"]) < 0.05
    assert mean["linear model"] < mean["integrated gradients"]
    assert np.nanmean(scores.correlation("gradient", "slope")) > 0.6


def test_table_of_scores(scores):
    table = scores.table()
    row = table[(table["method"] == "integrated gradients") & (table["statistic"] == "spearman")][0]
    assert row["low"] < row["mean"] < row["high"]
    assert row["n"] == 500
    assert table.meta["r2"] == scores.facts["r2"]
    with pytest.raises(AgnsalError, match="there is no 'magic'"):
        scores.correlation("magic")


@pytest.mark.parametrize(
    ("edges", "slopes", "message"),
    [
        ([[0.0, 1.0]], [[1.0]], "-inf"),
        ([[-np.inf, 1.0, 0.0, np.inf]], [[1.0, 1.0, 1.0]], "ascend"),
        ([[-np.inf, np.inf]], [[1.0, 2.0]], "K \\+ 2"),
    ],
)
def test_impossible_parts_are_refused(edges, slopes, message):
    with pytest.raises(AgnsalError, match=message):
        PiecewiseLinearBenchmark.from_parts(edges, slopes)


def test_impossible_benchmarks_are_refused(benchmark):
    with pytest.raises(AgnsalError, match="at least"):
        PiecewiseLinearBenchmark(40, 0)
    with pytest.raises(AgnsalError, match="positive definite"):
        PiecewiseLinearBenchmark(correlation=np.ones((3, 3)))
    with pytest.raises(AgnsalError, match="interaction"):
        PiecewiseLinearBenchmark(5, n_samples=50, interactions=[(0, 9, 1.0)])
    with pytest.raises(AgnsalError, match="\\(n, 12\\)"):
        benchmark.predict(np.zeros((2, 5)))


def test_declared_interaction_is_the_first_that_contextual_decomposition_finds():
    benchmark = PiecewiseLinearBenchmark(
        6, n_samples=12_000, correlation=np.eye(6), interactions=[(1, 4, 4.0)], random_state=0
    )
    network = benchmark.fit((32, 16), epochs=(12, 4))
    each = np.eye(6, dtype=bool)
    found = {
        (i, j): np.abs(interaction(network, benchmark.X[-200:], each[i], each[j])).mean()
        for i in range(6)
        for j in range(i + 1, 6)
    }
    assert max(found, key=found.get) == (1, 4)
