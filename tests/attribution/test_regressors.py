"""Regressors are explained with the defaults: one output, which needs no name and no target."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVR, NuSVR

import agnsal
from agnsal import AgnsalError, AgnsalWarning, Attribution
from agnsal.attribution.methods import every_method

pytestmark = pytest.mark.filterwarnings("ignore:.*miss more than")
D = 40
METHODS = {method.name: method for method in every_method()}
REGRESSORS = {
    "Ridge": Ridge(),
    "SVR": SVR(),
    "NuSVR": NuSVR(),
    "MLPRegressor": MLPRegressor(hidden_layer_sizes=(6,), max_iter=50, random_state=0),
    "PLSRegression": PLSRegression(3),
    "KernelRidge": KernelRidge(kernel="rbf"),
    "GaussianProcessRegressor": GaussianProcessRegressor(kernels.RBF(5.0), alpha=0.1, optimizer=None),
    "TransformedTargetRegressor": TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
    "pipeline": make_pipeline(StandardScaler(), Ridge()),
}
SMALL = {"n_samples": 6, "n_steps": 5, "n_permutations": 4, "random_state": 0}


@pytest.fixture(scope="module")
def sample():
    return agnsal.simulate_agn(15, 15, 10, seed=2).normalize()[:, :D]


@pytest.fixture(scope="module")
def values(sample):
    return 2.0 * sample.flux[:, 3] - np.sin(sample.flux[:, 20])


def fitted(regressor, sample, values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return regressor.fit(sample.flux, values)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("name", REGRESSORS)
def test_every_method_explains_every_regressor_with_the_defaults(name, method, sample, values, tmp_path):
    model = fitted(REGRESSORS[name], sample, values)
    options = {option: value for option, value in SMALL.items() if method.takes(option)}
    if method.needs("background"):
        options["background"] = sample[5:10]
    if method.takes("baseline"):
        options["baseline"] = "zero"
    made = method.function(model, sample[:4], **options)
    assert made.output == "prediction"
    np.testing.assert_allclose(made.explained, model.predict(sample.flux[:4]).ravel(), atol=1e-9)
    assert "of the prediction" in repr(made)
    for output in ("decision", "prediction"):
        np.testing.assert_array_equal(method.function(model, sample[:4], 0, output, **options).values, made.values)
    np.testing.assert_array_equal(made.again(model, sample[:4]).values, made.values)
    made.write(tmp_path / "map.npz")
    np.testing.assert_array_equal(Attribution.read(tmp_path / "map.npz").again(model, sample[:4]).values, made.values)


def test_a_linear_regressor_is_explained_by_its_weights(sample, values):
    model = LinearRegression().fit(sample.flux, values)
    np.testing.assert_allclose(agnsal.saliency(model, sample[:3]).values, np.tile(model.coef_, (3, 1)))
    shares = agnsal.shapley(model, sample[:3], baseline="zero")
    assert shares.provenance["exact"]
    np.testing.assert_allclose(shares.values, model.coef_ * sample.flux[:3], atol=1e-12)


def test_exact_shapley_values_behind_scalers(sample, values):
    for regressor in (SVR(), make_pipeline(StandardScaler(), KernelRidge(kernel="rbf", gamma=0.01))):
        made = agnsal.shapley(fitted(regressor, sample, values), sample[:3], baseline="zero")
        assert made.provenance["exact"]
        assert np.abs(made.residual).max() < 1e-10


def test_a_figure_says_prediction(sample, values):
    made = agnsal.saliency(Ridge().fit(sample.flux, values), sample[:2])
    ax = agnsal.figures.plot_saliency(made, 0)
    text = " ".join([ax.get_title(), *(axis.get_ylabel() for axis in ax.figure.axes)])
    assert "rediction" in text
    assert "(0)" not in text
    plt.close(ax.figure)


def test_several_values_are_asked_for_one(sample, values):
    model = Ridge().fit(sample.flux, np.stack([values, -values], axis=1))
    for target in ("predicted", None):
        with pytest.raises(AgnsalError, match=r"predicts 2 outputs; target must be one of \[0, 1\]"):
            agnsal.saliency(model, sample[:2], target)
    made = agnsal.saliency(model, sample[:2], 1)
    np.testing.assert_allclose(made.values, np.tile(model.coef_[1], (2, 1)))
    ax = agnsal.figures.plot_saliency(made, 0)
    assert "prediction(1)" in " ".join([ax.get_title(), *(axis.get_ylabel() for axis in ax.figure.axes)])
    plt.close(ax.figure)


def test_a_regressor_has_no_probabilities_of_another_name(sample, values):
    model = Ridge().fit(sample.flux, values)
    with pytest.raises(AgnsalError, match="no 'log_odds' output; it has prediction"):
        agnsal.saliency(model, sample[:2], output="log_odds")
    classifier = agnsal.ProbabilisticSVC(random_state=0).fit(sample.flux, sample.labels)
    with pytest.raises(AgnsalError, match="no 'prediction' output"):
        agnsal.saliency(classifier, sample[:2], output="prediction")


def test_what_only_predicts(sample, values):
    forest = RandomForestRegressor(5, random_state=0).fit(sample.flux, values)
    made = agnsal.occlusion(forest, sample[:3], baseline="zero", window=10)
    assert made.output == "prediction"
    np.testing.assert_allclose(made.explained, forest.predict(sample.flux[:3]))
    stairs = TransformedTargetRegressor(Ridge(), transformer=QuantileTransformer(n_quantiles=10))
    with pytest.raises(AgnsalError, match=r"TransformedTargetRegressor with a QuantileTransformer.*occlusion"):
        agnsal.saliency(stairs.fit(sample.flux, values), sample[:3])
    assert agnsal.occlusion(stairs, sample[:3], baseline="zero").output == "prediction"


def test_check_serves_regressors(sample, values):
    model = fitted(SVR(), sample, values)
    made = agnsal.integrated_gradients(model, sample[:6], baseline="zero")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AgnsalWarning)
        report = agnsal.check(made, model, sample[:6], random_state=0)
    assert report.output == "prediction"
    assert report.verdict != "not to be trusted"
