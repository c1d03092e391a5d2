import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

from agnsal import AgnsalError, AgnsalWarning, Network, ProbabilisticSVC, Regions, effect_sizes, rate

GROUPS = [[0, 1], [2, 3], [4, 5, 6], [7], [8, 9, 10, 11]]


def posterior(seed=0, p=6, n=40):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, p)) @ rng.normal(size=(p, p))
    return rng.normal(size=p), A.T @ A / n


@pytest.mark.parametrize("kind", ["cov", "pinv"])
def test_reference_values(reference_values, kind):
    with np.load(reference_values / "rate_ref.npz") as reference:
        mu, V = reference[f"{kind}_mu"], reference[f"{kind}_V"]
        quadratic, exact = rate(mu, V), rate(mu, V, form="exact")
        groups, second = rate(mu, V, GROUPS), rate(mu, V, nullify=2)
        for found, key in (
            (quadratic.kld, "kld_quad"),
            (quadratic.rate, "rate_quad"),
            (exact.kld, "kld_exact"),
            (exact.rate, "rate_exact"),
            (groups.kld, "kld_group"),
            (groups.rate, "grouprate"),
            (second.kld, "kld_nullify2"),
            (quadratic.delta, "Delta"),
            (quadratic.ess, "ESS"),
        ):
            np.testing.assert_allclose(found, reference[f"{kind}_{key}"], rtol=1e-9, err_msg=key)
        if kind == "pinv":
            exact_groups = rate(mu, V, GROUPS, form="exact")
            np.testing.assert_allclose(exact_groups.kld, reference["pinv_kld_group_exact"], rtol=1e-9)
        X, f = reference["X"], reference["M_F"][0]
        projection = "covariance" if kind == "cov" else "pseudoinverse"
        np.testing.assert_allclose(effect_sizes(f, X, projection, center=False), mu, rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_permuting_features_and_flipping_their_sign_changes_nothing(seed):
    mu, V = posterior(seed)
    rng = np.random.default_rng(seed)
    order, sign = rng.permutation(mu.size), rng.choice([-1.0, 1.0], mu.size)
    scale = np.exp(rng.normal(size=mu.size)) * sign
    for form in ("quadratic", "exact"):
        before = rate(mu, V, form=form)
        after = rate((mu * scale)[order], (V * np.outer(scale, scale))[np.ix_(order, order)], form=form)
        np.testing.assert_allclose(after.rate, before.rate[order], rtol=1e-6)


def test_exact_less_quadratic_is_a_function_of_the_correlation_alone():
    mu, V = posterior(3)
    a = np.diag(np.linalg.inv(V)) - 1 / np.diag(V)
    difference = rate(mu, V, form="exact").kld - rate(mu, V).kld
    np.testing.assert_allclose(difference, 0.5 * (np.diag(V) * a - np.log1p(np.diag(V) * a)), rtol=1e-9)
    assert (difference >= 0).all()


def test_quadratic_form_is_a_divergence_of_conditional_means():
    mu, V = posterior(4)
    for j in range(mu.size):
        rest = np.delete(np.arange(mu.size), j)
        conditional = V[np.ix_(rest, rest)] - np.outer(V[rest, j], V[rest, j]) / V[j, j]
        shift = V[rest, j] / V[j, j] * mu[j]
        expected = 0.5 * shift @ np.linalg.solve(conditional, shift)
        np.testing.assert_allclose(rate(mu, V).kld[j], expected, rtol=1e-9)


def test_independent_effects_have_no_centrality():
    result = rate([1.0, 2.0, 3.0], np.diag([1.0, 4.0, 0.3]))
    np.testing.assert_array_equal(result.kld, 0)
    assert np.isnan(result.rate).all()


def test_groups_of_one_are_the_features_and_names_are_kept():
    mu, V = posterior(5)
    named = rate(mu, V, {f"line {j}": [j] for j in range(6)})
    np.testing.assert_allclose(named.rate, rate(mu, V).rate)
    assert named.to_table()["name"][0] == named.names[named.kld.argmax()]
    masks = rate(mu, V, [np.arange(6) < 3, np.arange(6) >= 3])
    np.testing.assert_allclose(masks.kld, rate(mu, V, [[0, 1, 2], [3, 4, 5]]).kld)
    for said in (3, Regions.from_width(3, 6), np.repeat([0, 1], 3)):
        np.testing.assert_array_equal(rate(mu, V, regions=said).kld, masks.kld)
        np.testing.assert_array_equal(rate(mu, V, groups=said).kld, masks.kld)


def test_nullified_features_leave():
    mu, V = posterior(6)
    second = rate(mu, V, nullify=[1, 4])
    assert second.names == (0, 2, 3, 5)
    assert second.rate.sum() == pytest.approx(1)


def test_low_rank_warns_and_is_the_degenerate_limit():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(8, 3))
    factor /= np.linalg.norm(factor, axis=1, keepdims=True)
    mu = rng.normal(size=8)
    with pytest.warns(AgnsalWarning, match="rank 3"):
        result = rate(mu, factor @ factor.T)
    projection = factor @ np.linalg.pinv(factor)
    limit = mu**2 * (1 - np.diag(projection))
    np.testing.assert_allclose(result.rate, limit / limit.sum(), rtol=1e-4)
    assert result.rank == 3


def test_effect_sizes_of_linear_truth():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5)) + 3.0
    b = rng.normal(size=5)
    model = LinearRegression().fit(X, X @ b + 7.0)
    np.testing.assert_allclose(effect_sizes(model, X, "pseudoinverse"), b, rtol=1e-8)
    np.testing.assert_allclose(effect_sizes(model, X), np.cov(X.T) @ b, rtol=1e-8)
    np.testing.assert_allclose(effect_sizes(model, X, "ridge"), b, rtol=1e-3)


def test_orthogonal_design_ranks_the_coefficients():
    rng = np.random.default_rng(2)
    Q = np.linalg.qr(rng.normal(size=(64, 6)) - 0.0)[0]
    Q -= Q.mean(axis=0)
    Q = np.linalg.qr(Q)[0]
    b = np.array([0.1, -2.0, 0.7, 1.1, -0.4, 0.0])
    for projection in ("covariance", "pseudoinverse", "ridge"):
        effects = effect_sizes(Q @ b, Q, projection)
        np.testing.assert_array_equal(np.argsort(np.abs(effects)), np.argsort(np.abs(b)))


def test_any_model_will_do():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 4))
    forest = RandomForestRegressor(20, random_state=0).fit(X, X[:, 2])
    assert np.abs(effect_sizes(forest, X)).argmax() == 2
    assert np.abs(effect_sizes(lambda X: np.tanh(X[:, 1]), X)).argmax() == 1
    two = effect_sizes(np.stack([X[:, 0], X[:, 3]], axis=1), X)
    assert two.shape == (2, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], np.eye(2)), "covariance"),
        (([1.0, 2.0], np.array([[1.0, 0.5], [0.0, 1.0]])), "symmetric"),
        (([1.0, np.nan], np.eye(2)), "NaN"),
        (([1.0, 2.0], np.eye(2), [[0, 5]]), "numbers from 0 to 1"),
        (([1.0, 2.0], np.eye(2), None, "cubic"), "form"),
        (([1.0, 2.0], np.eye(2), None, "exact", [0, 1]), "no feature is left"),
        (([1.0, 2.0], np.eye(2), None, "exact", [2]), "'nullify' must be a mask of 2"),
        (([1.0, 2.0], np.eye(2), {"none": [False, False]}), "'none' has no features"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(AgnsalError, match=message):
        rate(*arguments)


def test_bad_effects_are_refused():
    with pytest.raises(AgnsalError, match="projection"):
        effect_sizes(np.ones(5), np.ones((5, 2)), "magic")
    with pytest.raises(AgnsalError, match="predictions"):
        effect_sizes(np.ones(4), np.ones((5, 2)))


def test_two_classes_have_one_effect_and_two_outputs_have_two():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 3))
    machine = ProbabilisticSVC(random_state=0).fit(X, np.where(X[:, 0] > 0, "b", "a"))
    for output in ("decision", "log_odds", "probability"):
        effects = effect_sizes(machine, X, output=output)
        assert effects.shape == (3,)
        assert effects.argmax() == 0
    network = Network.dense([rng.normal(size=(2, 3))], [np.zeros(2)])
    assert effect_sizes(network, X).shape == (2, 3)


@pytest.mark.parametrize("form", ["quadratic", "exact"])
@pytest.mark.parametrize("groups", [None, {"first": [0, 1], "rest": [2, 3, 4]}])
def test_below_full_rank_there_is_one_limit(form, groups):
    random = np.random.default_rng(3)
    factor = random.normal(size=(5, 3))
    factor[3:] = 0.0
    factor[3, 0], factor[4, 1] = 2.0, -1.0
    V, mean = factor @ factor.T, random.normal(size=5)
    with pytest.warns(AgnsalWarning, match="rank 3"):
        limit = rate(mean, V, groups, form)
    errors = []
    for jitter in (1e-4, 1e-6, 1e-8):
        near = rate(mean, V + jitter * np.diag(np.diag(V)), groups, form)
        errors.append(np.abs(near.rate - limit.rate).max())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-5
    np.testing.assert_allclose(jitter * near.kld, limit.kld, rtol=1e-4, atol=1e-6)


def test_the_limit_does_not_see_rounding():
    random = np.random.default_rng(0)
    factor = random.normal(size=(40, 6))
    mean = random.normal(size=40)
    with pytest.warns(AgnsalWarning, match="rank 6"):
        first = rate(mean, factor @ factor.T)
    with pytest.warns(AgnsalWarning, match="rank 6"):
        second = rate(mean, factor @ factor.T * (1 + 1e-15 * np.eye(40)))
    np.testing.assert_allclose(first.rate, second.rate, rtol=1e-8, atol=1e-10)


def test_rate_takes_regions():
    random = np.random.default_rng(0)
    draws = random.normal(size=(50, 4))
    mean, covariance = np.arange(1.0, 5.0), np.cov(draws.T)
    regions = Regions.from_labels(["blue", "blue", "red", "red"])
    by_regions, by_groups = (
        rate(mean, covariance, regions=regions),
        rate(mean, covariance, {"blue": [0, 1], "red": [2, 3]}),
    )
    np.testing.assert_array_equal(by_regions.rate, by_groups.rate)
    assert by_regions.names == ("blue", "red")
    with pytest.raises(AgnsalError, match="only one of the two"):
        rate(mean, covariance, [[0]], groups=regions)
