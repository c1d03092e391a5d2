"""Shapley values on the manifold: closed forms against Monte Carlo, and the identities that they must obey."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import agnsal
from agnsal.attribution.shapley.conditional import GaussianBackground, exact_values
from agnsal.models.differentiable import as_differentiable
from agnsal.spectra.regions import Regions

rng = np.random.default_rng(0)
D = 12
X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, D)) + 0.3 * rng.normal(size=(300, D))
Y = np.where(X[:, 0] + X[:, 5] > 0, "up", "down")
LABELS = np.repeat([0, 1, 2, 3], 3)


def machine(kernel="rbf", y=Y):
    return agnsal.ProbabilisticSVC(kernel, C=1.0, gamma=0.05, random_state=0).fit(X, y)


def ask(model, spectra=X[:4], **options):
    options = {"target": "up", "output": "log_odds", "regions": LABELS, "background": X, **options}
    return agnsal.shapley(model, spectra, conditional="gaussian", **options)


def by_region(attribution):
    return attribution.regions.sums(attribution.values)


# -------------------------------------------------------------------------------------------------- the background


def test_the_covariance_is_that_of_the_sample():
    whole = GaussianBackground.of(X, D)
    assert_allclose(whole.covariance, np.cov(X.T), atol=1e-4)
    few = GaussianBackground.of(X, 3)
    assert_allclose(np.diag(few.covariance), X.var(axis=0, ddof=1))
    assert not GaussianBackground.of(X, 0).factors.size


def test_draws_have_the_conditional_mean_and_covariance():
    background = GaussianBackground.of(X, 3)
    seen = LABELS < 2
    noise = rng.standard_normal((200_000, 3 + D))
    drawn = background.draw(X[0], seen, noise)
    C, m = background.covariance, background.mean
    gain = C[np.ix_(~seen, seen)] @ np.linalg.inv(C[np.ix_(seen, seen)])
    assert_allclose(drawn[:, ~seen].mean(axis=0), m[~seen] + gain @ (X[0] - m)[seen], atol=0.02)
    expected = C[np.ix_(~seen, ~seen)] - gain @ C[np.ix_(seen, ~seen)]
    assert_allclose(np.cov(drawn[:, ~seen].T), expected, atol=0.03)
    assert (drawn[:, seen] == X[0][seen]).all()


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("scaled", [False, True])
def test_closed_forms_are_means_over_draws(kernel, scaled):
    """Within four standard errors of 30,000 draws, for every coalition."""
    model = machine(kernel)
    structure = as_differentiable(model).structure
    if scaled:
        model = make_pipeline(StandardScaler(), agnsal.ProbabilisticSVC(kernel, gamma=0.05, random_state=0)).fit(X, Y)
        structure = as_differentiable(model).structure
    Z = structure.scaled(X)
    background = GaussianBackground.of(Z, 4)
    regions = Regions.of(LABELS, D)
    (values,) = exact_values(structure, background, Z[:1], regions)
    noise = rng.standard_normal((30_000, 4 + D))
    for number in range(16):
        seen = ((number >> np.arange(4)) & 1 == 1)[LABELS]
        drawn = structure.expansion(background.draw(Z[0], seen, noise))
        error = drawn.std(axis=0) / np.sqrt(len(noise))
        assert (np.abs(drawn.mean(axis=0) - values[number]) <= 4 * error + 1e-9).all(), number


# ------------------------------------------------------------------------------------------------------ identities


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_the_values_sum_to_the_difference_from_the_mean(kernel):
    attribution = ask(machine(kernel))
    assert attribution.provenance["exact"]
    assert np.abs(attribution.residual).max() < 1e-10


def test_without_covariance_a_region_that_is_not_used_gets_nothing():
    """And with it, it is credited for what it tells: the two questions."""
    weights = np.r_[np.ones(3), np.zeros(9)]
    model = Ridge(alpha=1e-8).fit(X, X @ weights)
    options = {"target": "predicted", "output": "prediction"}
    independent = by_region(ask(model, n_factors=0, **options))
    assert_allclose(independent[:, 1:], 0, atol=1e-6)
    told = by_region(ask(model, **options))
    assert np.abs(told[:, 1:]).max() > 0.1
    assert_allclose(told.sum(axis=1), independent.sum(axis=1), atol=1e-6)


def test_a_linear_function_of_independent_bins_has_the_baseline_values_of_the_mean():
    model = machine("linear")
    conditional = by_region(ask(model, n_factors=0))
    baseline = agnsal.shapley(model, X[:4], "up", "log_odds", regions=LABELS, baseline=X.mean(axis=0))
    assert_allclose(conditional, by_region(baseline), atol=1e-9)


def test_a_narrow_background_has_the_baseline_values_of_its_mean():
    """In the limit of no variance what is hidden is the mean."""
    model, point = machine(), X.mean(axis=0)
    narrow = point + 1e-7 * rng.normal(size=(50, D))
    conditional = by_region(ask(model, background=narrow, n_factors=0))
    baseline = agnsal.shapley(model, X[:4], "up", "log_odds", regions=LABELS, baseline=narrow.mean(axis=0))
    assert_allclose(conditional, by_region(baseline), atol=1e-6)


def test_two_copies_of_a_region_share():
    """Of two regions that are each other's copy the model uses one; both tell the same."""
    twice = np.concatenate([X[:, :3], X[:, :3]], axis=1) + 1e-4 * rng.normal(size=(300, 6))
    model = Ridge(alpha=1e-8).fit(twice, twice[:, :3].sum(axis=1))
    told = by_region(
        ask(model, twice[:4], target="predicted", output="prediction", regions=np.repeat([0, 1], 3), background=twice)
    )
    assert_allclose(told[:, 0], told[:, 1], rtol=0.01, atol=0.01)


# ------------------------------------------------------------------------------------------------------ other outputs


def test_sampled_values_agree_with_the_exact_ones_within_their_errors():
    model = machine()
    exact = by_region(ask(model, output="decision"))

    class Disguised:  # a model of which nothing is known is sampled
        classes_, n_features_in_ = model.classes_, D

        def predict(self, Z):
            return model.predict(Z)

        def decision_function(self, Z):
            return model.decision_function(Z)

    sampled = ask(Disguised(), output="decision", n_samples=4000, random_state=0)
    assert not sampled.provenance["exact"]
    sums = by_region(sampled)
    errors = np.stack([sampled.uncertainty["sampling"][:, k == LABELS].sum(axis=1) for k in range(4)], axis=1)
    assert (np.abs(sums - exact) < 4 * errors + 1e-6).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_probabilities_and_networks_are_sampled():
    for model in (machine(), MLPClassifier((5,), max_iter=30, random_state=0).fit(X, Y)):
        attribution = ask(model, X[:2], output="probability", n_samples=50, random_state=1)
        assert not attribution.provenance["exact"]
        assert np.isfinite(attribution.values).all()


def test_it_remembers_how_it_was_made(tmp_path):
    sample = agnsal.simulate_agn(30, 30, 0, seed=0).normalize()
    model = agnsal.ProbabilisticSVC("rbf", C=10.0, gamma=0.003, random_state=0).fit(sample)
    lines = ["Hbeta", "[O III] 5007"]
    options = {"conditional": "gaussian", "background": sample, "regions": lines}
    attribution = agnsal.shapley(model, sample[:3], "type 1", "log_odds", **options)
    assert_allclose(attribution.again(model, sample[:3]).values, attribution.values, rtol=1e-12)
    attribution.write(tmp_path / "a.npz")
    again = agnsal.Attribution.read(tmp_path / "a.npz").again(model, sample[:3])
    assert_allclose(again.values, attribution.values, rtol=1e-12)
    assert set(attribution.by_line(lines)["line"]) >= set(lines)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"regions": None}, "are of regions"),
        ({"background": None}, "needs background="),
        ({"baseline": "zero"}, "no baseline"),
        ({"method": "coalitions"}, "no baseline and one method"),
        ({"background": X[:1]}, "no covariance"),
    ],
)
def test_refusals(options, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        ask(machine(), **options)


def test_twelve_regions_are_not_too_many_and_thirteen_are():
    assert np.abs(ask(machine(), X[:1], regions=np.arange(D)).residual).max() < 1e-9
    wide = np.concatenate([X, X[:, :1]], axis=1)
    model = agnsal.ProbabilisticSVC(gamma=0.05, random_state=0).fit(wide, Y)
    with pytest.raises(agnsal.AgnsalError, match="at most 12"):
        ask(model, wide[:1], regions=np.arange(13), background=wide)


def test_the_kind_of_condition_is_said():
    with pytest.raises(agnsal.AgnsalError, match="conditional must be one of 'gaussian'"):
        agnsal.shapley(machine(), X[:1], "up", regions=LABELS, background=X)
