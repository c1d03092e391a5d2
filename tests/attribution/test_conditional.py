"""Shapley values on the manifold: closed forms against Monte Carlo, and the identities that they must obey."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import agnsal
from agnsal.attribution.shapley.background import GaussianBackground, MixtureBackground
from agnsal.attribution.shapley.conditional import ClosedForm, all_coalitions
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
    return agnsal.shapley(model, spectra, **{"conditional": "gaussian", **options})


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
@pytest.mark.parametrize(("scaled", "labels"), [(False, None), (True, None), (False, Y)])
def test_closed_forms_are_means_over_draws(kernel, scaled, labels):
    """Within four standard errors of 30,000 draws, for every coalition."""
    model = machine(kernel)
    structure = as_differentiable(model).structure
    if scaled:
        model = make_pipeline(StandardScaler(), agnsal.ProbabilisticSVC(kernel, gamma=0.05, random_state=0)).fit(X, Y)
        structure = as_differentiable(model).structure
    Z = structure.scaled(X)
    background = MixtureBackground.of(Z, 4, labels)
    values = ClosedForm(structure, background, Regions.of(LABELS, D)).of(Z[0])
    noise = background.noise(30_000, np.random.RandomState(1))
    for number in range(16):
        coalition = (number >> np.arange(4)) & 1 == 1
        drawn = structure.expansion(background.draw(Z[0], coalition[LABELS], noise))
        error = drawn.std(axis=0) / np.sqrt(len(noise))
        assert (np.abs(drawn.mean(axis=0) - values(coalition)) <= 4 * error + 1e-9).all(), number


def test_what_is_seen_tells_which_class_it_is():
    """The weights of a mixture are those of Bayes, with densities by scipy; before anything is seen, the shares."""
    background = MixtureBackground.of(X, 4, Y)
    for seen in (LABELS < 0, LABELS == 1, LABELS < 3, LABELS < 4):
        known = [part.given(X[0], seen)[2] for part in background.parts]
        density = [
            multivariate_normal(part.mean[seen], part.covariance[np.ix_(seen, seen)]).pdf(X[0][seen])
            if seen.any()
            else 1.0
            for part in background.parts
        ]
        expected = background.shares * density
        assert_allclose(background.weights(np.array(known)), expected / expected.sum(), rtol=1e-6)
    assert_allclose(background.shares, [(Y == "down").mean(), (Y == "up").mean()])


def test_a_mixture_of_one_class_is_the_gaussian():
    model = machine()
    one = ask(model, conditional="mixture", background_labels=np.repeat("all", len(X)))
    assert_allclose(one.values, ask(model).values, atol=1e-12)


def test_a_mixture_starts_from_its_mean_and_sums_to_the_output():
    """Whatever is credited to regions, together they are the output above its mean over the background's model."""
    model = machine()
    mixed = ask(model, conditional="mixture", background_labels=Y, output="decision")
    assert mixed.provenance["exact"]
    assert np.abs(mixed.residual).max() < 1e-10
    background = MixtureBackground.of(X, 20, Y)
    drawn = background.draw(X[0], LABELS < 0, background.noise(20_000, np.random.RandomState(0)))
    f = as_differentiable(model).outputs(drawn, "decision")
    column = model.classes_.tolist().index("up")
    f = f if f.ndim == 1 else f[:, column]
    start = mixed.explained - by_region(mixed).sum(axis=1)
    assert np.abs(np.abs(start) - np.abs(f.mean())).max() < 4 * f.std() / np.sqrt(len(f))


def test_two_classes_apart_are_told_by_any_region_of_them():
    """One class is a step above the other in all regions: the mixture knows the rest from one, and all share."""
    step = np.where(np.arange(400) < 200, -3.0, 3.0)[:, None] + 0.3 * rng.normal(size=(400, D))
    labels = np.where(np.arange(400) < 200, "low", "high")
    model = Ridge(alpha=1e-8).fit(step, step[:, :3].sum(axis=1))  # only the first region is used
    options = {"target": "predicted", "output": "prediction", "background": step}
    mixed = by_region(ask(model, step[:4], conditional="mixture", background_labels=labels, n_factors=0, **options))
    alone = by_region(ask(model, step[:4], n_factors=0, **options))
    assert_allclose(alone[:, 1:], 0, atol=1e-6)
    assert_allclose(mixed, -9 / 4, atol=0.7)


def test_a_sampling_explainer_given_the_same_draws_agrees():
    """Kernel SHAP over all coalitions, with our values for what a coalition is worth replaced by means over draws."""
    shap = pytest.importorskip("shap")
    model = machine()
    background = MixtureBackground.of(X, 20, Y)
    noise = background.noise(4000, np.random.RandomState(3))
    decide = as_differentiable(model)
    column = decide.classes_.tolist().index("up")

    def worth(coalitions):
        found = []
        for seen in np.asarray(coalitions) > 0.5:
            drawn = background.draw(X[0], seen[LABELS], noise)
            found.append(decide.outputs(drawn, "log_odds")[:, column].mean())
        return np.array(found)

    peer = shap.KernelExplainer(worth, np.zeros((1, 4))).shap_values(np.ones(4), silent=True)
    spread = decide.outputs(background.draw(X[0], LABELS < 0, noise), "log_odds")[:, column].std() / np.sqrt(4000)
    own = by_region(ask(model, X[:1], conditional="mixture", background_labels=Y))[0]
    assert np.abs(peer - own).max() < 4 * spread


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
    mixed = agnsal.shapley(model, sample[:1], "type 1", "log_odds", **{**options, "conditional": "mixture"})
    mixed.write(tmp_path / "mixed.npz")
    again = agnsal.Attribution.read(tmp_path / "mixed.npz").again(model, sample[:1])
    assert_allclose(again.values, mixed.values, rtol=1e-12)
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


def test_thirteen_regions_are_asked_along_orders_with_errors():
    """Twelve exactly; thirteen agree with all 2^13 coalitions within the errors, and each order sums to the output."""
    assert np.abs(ask(machine(), X[:1], regions=np.arange(D)).residual).max() < 1e-9
    wide = np.concatenate([X, X[:, :1]], axis=1)
    model = agnsal.ProbabilisticSVC("linear", random_state=0).fit(wide, Y)
    labels = np.arange(13)
    asked = ask(model, wide[:1], regions=labels, background=wide, n_permutations=60, random_state=0)
    assert not asked.provenance["exact"]
    assert np.abs(asked.residual).max() < 1e-9
    structure = as_differentiable(model).structure
    values = ClosedForm(structure, MixtureBackground.of(wide, 20), Regions.of(labels, 13)).of(wide[0])
    weights = as_differentiable(model).weights(np.array(["up"]), 1, "log_odds")[0]
    exact = all_coalitions(lambda seen: np.asarray(structure.links["log_odds"](values(seen)[None])) @ weights, 13)
    errors = asked.uncertainty["sampling"][0]
    assert (np.abs(asked.values[0] - exact.values) < 4 * errors + 1e-9).all()
    sampled = ask(model, wide[:1], regions=labels, background=wide, output="probability", n_samples=64)
    assert np.isfinite(sampled.uncertainty["sampling"]).all()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"conditional": None}, 'add conditional="gaussian"'),
        ({"conditional": "certain"}, "conditional must be one of 'gaussian', 'mixture'"),
        ({"conditional": "mixture"}, "background_labels="),
        ({"conditional": "mixture", "background_labels": Y[:5]}, "has 300 spectra"),
        ({"conditional": "mixture", "background_labels": np.r_[["a"], Y[1:]]}, "one spectrum of class 'a'"),
        ({"background_labels": Y}, "for conditional="),
    ],
)
def test_the_kind_of_condition_is_said(options, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        ask(machine(), X[:1], **options)
