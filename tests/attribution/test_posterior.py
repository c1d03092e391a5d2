import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from agnsal import AgnsalError, AgnsalWarning, Regions, effect_sizes, rate, simulate_agn
from agnsal.attribution.populations.posterior import bootstrap_posterior, laplace_posterior
from agnsal.spectra.features import line_strengths, region_means


@pytest.fixture(scope="module")
def classified():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = np.where(X[:, 1] + 0.3 * rng.normal(size=300) > 0, "b", "a")
    return X, y


def test_laplace_mean_is_the_logit_and_spread_grows_with_a_weaker_prior(classified):
    X, y = classified
    model = make_pipeline(
        StandardScaler(), MLPClassifier((16,), alpha=1.0, solver="lbfgs", max_iter=5000, random_state=0)
    ).fit(X, y)
    weak, strong = (laplace_posterior(model, X, prior_precision=tau) for tau in (0.1, 100.0))
    p = model.predict_proba(X)[:, 1]
    np.testing.assert_allclose(weak.mean, np.log(p / (1 - p)), rtol=1e-6, atol=1e-8)
    assert (weak.factor**2).sum() > (strong.factor**2).sum()
    result = rate(*weak.effects(X))
    assert result.rank == 4
    assert np.abs(weak.effects(X)[0]).argmax() == 1
    np.testing.assert_allclose(weak.effects(X)[0], effect_sizes(weak.mean, X))


def test_last_layer_of_a_linear_network_is_bayesian_regression():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(100, 3))
    y = X @ [1.0, -1.0, 0.5] + 0.1 * rng.normal(size=100)
    mlp = MLPRegressor(
        hidden_layer_sizes=(5,), activation="identity", solver="lbfgs", random_state=0, max_iter=5000
    ).fit(X, y)
    posterior = laplace_posterior(mlp, X, noise_variance=0.01, prior_precision=2.0)
    H = np.column_stack([X @ mlp.coefs_[0] + mlp.intercepts_[0], np.ones(100)])
    expected = H @ np.linalg.inv(H.T @ H / 0.01 + 2.0 * np.eye(6)) @ H.T
    np.testing.assert_allclose(posterior.factor @ posterior.factor.T, expected, rtol=1e-8, atol=1e-14)


def test_more_bins_than_hidden_units_warns(classified):
    X, y = classified
    mlp = MLPClassifier((2,), alpha=1.0, solver="lbfgs", max_iter=5000, random_state=0).fit(X, y)
    with pytest.warns(AgnsalWarning, match="rank 2"):
        rate(*laplace_posterior(mlp, X).effects(X))


def test_several_classes_need_a_target(classified):
    X, _ = classified
    labels = np.digitize(X[:, 0], [-0.5, 0.5])
    mlp = MLPClassifier((8,), alpha=1.0, solver="lbfgs", max_iter=5000, random_state=0).fit(X, labels)
    with pytest.raises(AgnsalError, match="target None"):
        laplace_posterior(mlp, X)
    assert laplace_posterior(mlp, X, target=2).effects(X)[0][0] > 0
    with pytest.raises(AgnsalError, match="say which"):
        bootstrap_posterior(mlp, X, labels, n_refits=2)


def test_bootstrap_of_a_linear_model_has_the_textbook_spread():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 2))
    y = X @ [1.0, 2.0] + rng.normal(size=400)
    posterior = bootstrap_posterior(Ridge(1e-6), X, y, n_refits=200, random_state=0)
    mean, covariance = posterior.effects(X, "pseudoinverse")
    np.testing.assert_allclose(mean, [1.0, 2.0], atol=0.15)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), 1 / np.sqrt(400), rtol=0.25)


def test_bootstrap_of_a_machine_is_seeded(classified):
    X, y = classified
    first, second = (bootstrap_posterior(SVC(), X, y, n_refits=6, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(first.factor, second.factor)
    assert np.abs(first.effects(X)[0]).argmax() == 1


def test_models_without_a_posterior_are_refused(classified):
    X, y = classified
    with pytest.raises(AgnsalError, match="bootstrap_posterior"):
        laplace_posterior(SVC().fit(X, y), X)
    with pytest.raises(AgnsalError, match="at least 2"):
        bootstrap_posterior(SVC(), X, y, n_refits=1)


def test_windows_and_strengths():
    sample = simulate_agn(30, 30, 0, seed=0).normalize()
    bins = Regions.from_number(30, sample.grid)
    assert np.sum(list(bins.values()), axis=0).tolist() == [1] * len(sample.grid)
    Z = region_means(sample, bins)
    np.testing.assert_allclose(Z.std(axis=0), 1)
    lines = Regions.from_lines(sample.grid, overlap=True)
    assert not np.any(lines["Hbeta"] & lines["[O III] 4959"])
    strengths, names = line_strengths(sample, standardize=False)
    shifted, _ = line_strengths(sample.flux + 1.0, sample.grid, standardize=False)
    narrow = [names.index(name) for name in ("Hbeta", "[O III] 5007", "Hdelta", "Hgamma")]
    np.testing.assert_allclose(shifted[:, narrow], strengths[:, narrow], atol=1e-12)
    with pytest.raises(AgnsalError, match="grid"):
        line_strengths(sample.flux)
    with pytest.raises(AgnsalError, match="n_bins"):
        Regions.from_number(10_000, sample.grid)
    with pytest.raises(AgnsalError, match="same in all"):
        region_means(np.ones((3, len(sample.grid))), bins)
