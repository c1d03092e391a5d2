"""One test for every estimator and transformer agnsal differentiates."""

import warnings
from importlib.metadata import version

import astropy.units as u
import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad
from numpy.testing import assert_allclose, assert_array_equal
from packaging.version import Version
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA, FastICA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, NuSVR

from agnsal import AgnsalError, AgnsalWarning, ProbabilisticSVC, WavelengthGrid, as_differentiable
from agnsal.models.adapters.registry import convert_step
from agnsal.models.normalization import FluxNormalizer

N_FEATURES = 12
GRID = WavelengthGrid.linear(5070 * u.AA, 5125 * u.AA, N_FEATURES)
calibrated = CalibratedClassifierCV
rbf_process = kernels.ConstantKernel(1.5) * kernels.RBF(4.0) + kernels.WhiteKernel(1e-3)

# what came with scikit-learn 1.8 and with autograd 1.9
TEMPERATURE = ["temperature"] if Version(version("scikit-learn")) >= Version("1.8") else []
TRACES_NUMPY = Version(version("autograd")) >= Version("1.9")

CLASSIFIERS = {
    "ProbabilisticSVC": ProbabilisticSVC(random_state=0),
    "SVC": SVC(),
    "SVC poly": SVC(kernel="poly", coef0=1.0),
    "SVC ovo": SVC(kernel="sigmoid", gamma=0.02, decision_function_shape="ovo"),
    "NuSVC": NuSVC(nu=0.3),
    "LinearSVC": LinearSVC(),
    "LogisticRegression": LogisticRegression(),
    "LogisticRegression one-vs-rest": OneVsRestClassifier(LogisticRegression()),
    "RidgeClassifier": RidgeClassifier(),
    "SGD hinge": SGDClassifier(random_state=0),
    "SGD logistic": SGDClassifier(loss="log_loss", alpha=0.1, random_state=0),
    "LDA": LinearDiscriminantAnalysis(),
    "LDA lsqr": LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1),
    "QDA": QuadraticDiscriminantAnalysis(reg_param=0.1),
    "GaussianNB": GaussianNB(),
    "MLP relu": MLPClassifier((8, 6), max_iter=60, random_state=0),
    "MLP tanh": MLPClassifier((8,), activation="tanh", max_iter=60, random_state=0),
    "MLP logistic": MLPClassifier((8,), activation="logistic", max_iter=60, random_state=0),
    "GaussianProcess": GaussianProcessClassifier(rbf_process, optimizer=None),
    "GaussianProcess Matern": GaussianProcessClassifier(1.5 * kernels.Matern(4.0), optimizer=None),
    "calibrated sigmoid": calibrated(LinearSVC(), ensemble=False),
    "calibrated sigmoid folds": calibrated(make_pipeline(StandardScaler(), LinearSVC()), cv=3),
    "calibrated sigmoid of probabilities": calibrated(GaussianNB(), ensemble=False),
    "calibrated ProbabilisticSVC": calibrated(ProbabilisticSVC(random_state=0), cv=2),
    "one-vs-rest of SVC": OneVsRestClassifier(SVC()),
    "one-vs-rest of calibrated": OneVsRestClassifier(calibrated(SVC(), ensemble=False)),
    "one-vs-one of LinearSVC": OneVsOneClassifier(LinearSVC()),
    "one-vs-one of SVC": OneVsOneClassifier(SVC()),
    "soft vote": VotingClassifier(
        [("a", LogisticRegression()), ("b", GaussianNB()), ("c", LinearDiscriminantAnalysis())],
        voting="soft",
        weights=[1, 2, 3],
    ),
    "search": GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
}
for method in TEMPERATURE:
    CLASSIFIERS[f"calibrated {method}"] = calibrated(LogisticRegression(), method=method, ensemble=False)
    CLASSIFIERS[f"calibrated {method} of probabilities"] = calibrated(GaussianNB(), method=method, ensemble=False)
REGRESSORS = {
    "SVR": SVR(),
    "NuSVR linear": NuSVR(kernel="linear"),
    "KernelRidge rbf": KernelRidge(kernel="rbf"),
    "KernelRidge poly": KernelRidge(kernel="polynomial", gamma=0.1),
    "MLPRegressor": MLPRegressor(hidden_layer_sizes=(8,), max_iter=60, random_state=0),
    "LinearRegression": LinearRegression(),
    "Ridge": Ridge(),
    "PLSRegression": PLSRegression(3),
    "pipeline": make_pipeline(StandardScaler(), Ridge()),
    "scaled values": TransformedTargetRegressor(SVR(), transformer=StandardScaler()),
    "values between 0 and 1": TransformedTargetRegressor(KernelRidge(), transformer=MinMaxScaler()),
    "values as they are": TransformedTargetRegressor(Ridge()),
    "transformed values": TransformedTargetRegressor(Ridge(), func=np.arcsinh, inverse_func=anp.sinh),
    "GaussianProcessRegressor": GaussianProcessRegressor(rbf_process + kernels.DotProduct(), alpha=0.1),
    "rational quadratic": GaussianProcessRegressor(kernels.RationalQuadratic(3.0), optimizer=None, normalize_y=True),
    "Matern 1/2": GaussianProcessRegressor(kernels.Matern(3.0, nu=0.5), optimizer=None),
    "Matern 3/2": GaussianProcessRegressor(2.0 * kernels.Matern(3.0) + kernels.WhiteKernel(0.1), optimizer=None),
    "Matern 5/2": GaussianProcessRegressor(kernels.Matern(np.linspace(2, 5, N_FEATURES), nu=2.5), optimizer=None),
    "Matern of any nu": GaussianProcessRegressor(kernels.Matern(3.0, nu=1.2), optimizer=None),
    "Matern of infinite nu": GaussianProcessRegressor(kernels.Matern(3.0, nu=np.inf), optimizer=None),
    "anisotropic RBF": GaussianProcessRegressor(
        kernels.ConstantKernel(2.0) * kernels.RBF(np.linspace(2, 5, N_FEATURES)) + kernels.ConstantKernel(0.5),
        normalize_y=True,
        optimizer=None,
    ),
    "dot product": GaussianProcessRegressor(0.5 * kernels.DotProduct(2.0), alpha=0.1, optimizer=None),
    "power of dot product": GaussianProcessRegressor(kernels.DotProduct() ** 2, alpha=1.0, optimizer=None),
}
STEPS = {
    "StandardScaler": StandardScaler(),
    "StandardScaler of scale": StandardScaler(with_mean=False),
    "StandardScaler of mean": StandardScaler(with_std=False),
    "MinMaxScaler": MinMaxScaler((-1, 2)),
    "MinMaxScaler clipped": MinMaxScaler(clip=True),
    "RobustScaler": RobustScaler(),
    "RobustScaler of scale": RobustScaler(with_centering=False),
    "MaxAbsScaler": MaxAbsScaler(),
    "PowerTransformer": PowerTransformer(),
    "PowerTransformer unscaled": PowerTransformer(standardize=False),
    "PowerTransformer of positive flux": make_pipeline(
        FunctionTransformer(lambda X: X + 20), PowerTransformer("box-cox")
    ),
    "Normalizer l2": Normalizer(),
    "Normalizer l1": Normalizer("l1"),
    "Normalizer max": Normalizer("max"),
    "PCA": PCA(5, random_state=0),
    "PCA whitened": PCA(5, whiten=True, random_state=0),
    "IncrementalPCA": IncrementalPCA(4),
    "FastICA": FastICA(4, random_state=0, max_iter=1000),
    "FastICA without whitening": FastICA(whiten=False, random_state=0, max_iter=1000),
    "TruncatedSVD": TruncatedSVD(4, random_state=0),
    "FunctionTransformer": FunctionTransformer(lambda X: anp.log1p(X**2)),
    "FunctionTransformer of nothing": FunctionTransformer(),
    "PolynomialFeatures": PolynomialFeatures(2),
    "PolynomialFeatures interactions": PolynomialFeatures(3, interaction_only=True, include_bias=False),
    "Nystroem": Nystroem(n_components=10, random_state=0),
    "Nystroem poly": Nystroem("poly", gamma=0.1, degree=2, n_components=10, random_state=0),
    "RBFSampler": RBFSampler(n_components=20, random_state=0),
    "SelectKBest": SelectKBest(k=5),
    "VarianceThreshold": VarianceThreshold(0.5),
    "ColumnTransformer": ColumnTransformer(
        [("blue", StandardScaler(), slice(0, 5)), ("red", PCA(2), [7, 8, 9]), ("gap", "drop", [5])],
        remainder="passthrough",
    ),
    "nested": make_pipeline(RobustScaler(), PCA(4, random_state=0)),
    "union": FeatureUnion([("pca", PCA(3, random_state=0)), ("raw", "passthrough")]),
    "FluxNormalizer": make_pipeline(FunctionTransformer(lambda X: X + 20), FluxNormalizer(GRID, window=30 * u.AA)),
    "FluxNormalizer even": make_pipeline(FunctionTransformer(lambda X: X + 20), FluxNormalizer(GRID, window=25 * u.AA)),
}
if TRACES_NUMPY:
    STEPS["FunctionTransformer of NumPy"] = FunctionTransformer(np.tanh)


def fitted(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y)


def two_columns(values):
    return np.stack([-values, values], axis=1) if values.ndim == 1 else values


def check_gradients(model, X, central_differences):
    """Every output and every column, against central differences away from jumps."""
    for kind in model.kinds:
        n_columns = model.outputs(X, kind).shape[1]
        for column in range(n_columns):
            if kind == "pairwise":
                first, second = np.triu_indices(len(model.classes_), 1)
                target = (model.classes_[first[column]], model.classes_[second[column]])
            else:
                target = model.classes_[column]
            expected = central_differences(lambda X, k=kind, c=column: model.outputs(X, k)[:, c], X)
            scale = np.abs(expected).max()
            assert_allclose(
                model.gradient(X, target, kind), expected, rtol=1e-5, atol=2e-6 * scale + 1e-9, err_msg=kind
            )


@pytest.mark.filterwarnings("ignore::agnsal.errors.AgnsalWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier(name, n_classes, blobs, central_differences):
    X, y = blobs(n_classes, n_per_class=20, n_features=N_FEATURES)
    estimator = fitted(CLASSIFIERS[name], X, y)
    model = as_differentiable(estimator)
    test = X[::7] + 0.01
    if hasattr(estimator, "predict_proba"):
        p = estimator.predict_proba(test)
        assert_allclose(model.outputs(test), p, atol=1e-10)
        with np.errstate(divide="ignore"):
            expected = np.log(p) - np.log1p(-p)
        sound = (p > 1e-9) & (p < 1 - 1e-9)
        assert_allclose(model.outputs(test, "log_odds")[sound], expected[sound], rtol=1e-5, atol=1e-6)
    if hasattr(estimator, "decision_function") and name != "calibrated ProbabilisticSVC":
        own = two_columns(estimator.decision_function(test))
        kind = "pairwise" if name == "SVC ovo" and n_classes > 2 else "decision"
        assert_allclose(model.outputs(test, kind), own, atol=1e-10)
    assert_array_equal(model.predict(test), estimator.predict(test))
    assert_array_equal(model.classes_, estimator.classes_)
    assert model.n_features == N_FEATURES
    check_gradients(model, test, central_differences)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor(name, blobs, central_differences):
    X, _ = blobs(2, n_per_class=20, n_features=N_FEATURES)
    y = np.sin(X[:, 0]) + X[:, 1]
    estimator = fitted(REGRESSORS[name], X, y)
    model = as_differentiable(estimator)
    assert model.kinds == ("prediction",)
    assert_allclose(model.outputs(X, "decision")[:, 0], estimator.predict(X), atol=1e-10)
    assert_allclose(model.gradient(X, kind="decision"), model.gradient(X, 0, "decision"))
    # half-way between spectra of the training set, where a Matern kernel may have a kink
    check_gradients(model, 0.5 * (X[::7] + X[1::7][: len(X[::7])]) if "Matern" in name else X[::7], central_differences)


@pytest.mark.parametrize(
    "name", ["KernelRidge rbf", "MLPRegressor", "PLSRegression", "LinearRegression", "GaussianProcessRegressor"]
)
def test_regressor_of_several_values(name, blobs, central_differences):
    X, _ = blobs(2, n_per_class=20, n_features=N_FEATURES)
    estimator = fitted(REGRESSORS[name], X, np.stack([X[:, 0], X[:, 1] ** 2], axis=1))
    model = as_differentiable(estimator)
    assert model.classes_.tolist() == [0, 1]
    assert_allclose(model.outputs(X, "decision"), estimator.predict(X), atol=1e-10)
    check_gradients(model, X[::7], central_differences)


@pytest.mark.parametrize("name", STEPS)
def test_step(name, blobs, central_differences):
    X, y = blobs(3, n_per_class=20, n_features=N_FEATURES)
    pipeline = fitted(make_pipeline(STEPS[name], LogisticRegression()), X, y)
    model = as_differentiable(pipeline)
    test = X[::7] + 0.01
    assert_allclose(model.outputs(test), pipeline.predict_proba(test), atol=1e-10)
    assert_array_equal(model.predict(test), pipeline.predict(test))
    assert model.n_features == N_FEATURES
    check_gradients(model, test, central_differences)


@pytest.mark.parametrize("name", ["StandardScaler", "PCA", "nested", "MinMaxScaler", "RobustScaler", "MaxAbsScaler"])
def test_training_mean_is_found_behind_the_steps(name, blobs):
    X, y = blobs(3, n_per_class=20, n_features=N_FEATURES)
    model = as_differentiable(make_pipeline(STEPS[name], ProbabilisticSVC(random_state=0)).fit(X + 3, y))
    assert_allclose(model.baseline_mean, (X + 3).mean(axis=0))


def test_training_mean_of_other_models(blobs):
    X, y = blobs(3, n_features=N_FEATURES)
    for estimator in (LinearDiscriminantAnalysis(), GaussianNB(), GaussianProcessClassifier(optimizer=None)):
        assert_allclose(as_differentiable(estimator.fit(X, y)).baseline_mean, X.mean(axis=0))
    assert as_differentiable(LogisticRegression().fit(X, y)).baseline_mean is None
    assert as_differentiable(make_pipeline(Normalizer(), ProbabilisticSVC()).fit(X, y)).baseline_mean is None


def test_passing_on(blobs):
    X, y = blobs(2, n_features=N_FEATURES)
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    assert_allclose(as_differentiable(frozen).outputs(X), frozen.predict_proba(X))
    ensemble = calibrated(frozen).fit(X, y)
    assert_allclose(as_differentiable(ensemble).outputs(X), ensemble.predict_proba(X), atol=1e-12)
    skipped = make_pipeline(None, "passthrough", LogisticRegression()).fit(X, y)
    assert_allclose(as_differentiable(skipped).outputs(X), skipped.predict_proba(X))


@pytest.mark.parametrize("method", ["sigmoid", *TEMPERATURE])
def test_calibration_of_votes_is_exact_but_warned_about(method, blobs, central_differences):
    X, y = blobs(3, n_features=N_FEATURES)
    estimator = calibrated(SVC(), method=method, ensemble=False).fit(X, y)
    with pytest.warns(AgnsalWarning, match="jump"):
        model = as_differentiable(estimator)
    assert_allclose(model.outputs(X), estimator.predict_proba(X), atol=1e-10)
    check_gradients(model, X[::7], central_differences)


def test_legacy_probabilities_are_coupled_exactly(blobs, legacy, central_differences):
    X, y = blobs(3, n_features=N_FEATURES)
    machine = legacy(SVC(random_state=0), X, y)
    model = as_differentiable(machine)
    assert_allclose(model.outputs(X), ProbabilisticSVC.from_svc(machine).predict_proba(X), atol=1e-12)
    assert_allclose(model.outputs(X), machine.predict_proba(X), atol=6e-3)
    check_gradients(model, X[::9], central_differences)


REFUSED = {
    "RandomForestClassifier": RandomForestClassifier(3),
    "HistGradientBoostingClassifier": HistGradientBoostingClassifier(max_iter=2),
    "KNeighborsClassifier": KNeighborsClassifier(),
    "step 'quantiletransformer'": make_pipeline(QuantileTransformer(n_quantiles=10), LogisticRegression()),
    "isotonic": calibrated(LinearSVC(), method="isotonic"),
    "voting='hard'": VotingClassifier([("a", LogisticRegression())]),
    "kernel=": SVC(kernel=lambda a, b: a @ b.T),
    "KernelRidge has kernel": KernelRidge(kernel="laplacian"),
    "Nystroem has kernel": make_pipeline(Nystroem("laplacian", n_components=5), LogisticRegression()),
    "ExpSineSquared": GaussianProcessClassifier(kernels.ExpSineSquared(), optimizer=None),
    "cannot be traced": make_pipeline(FunctionTransformer(lambda X: np.asarray(X, dtype=float)), LogisticRegression()),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_with_a_pointer_to_occlusion(message, blobs):
    X, y = blobs(2, n_features=N_FEATURES)
    if message == "KernelRidge has kernel":
        y = X[:, 0]
    estimator = fitted(REFUSED[message], X, y)
    with pytest.raises(AgnsalError, match=message) as caught:
        as_differentiable(estimator)
    assert "occlusion" in str(caught.value)


def test_other_refusals(blobs):
    X, y = blobs(3, n_features=N_FEATURES)
    with pytest.raises(AgnsalError, match="not a classifier"):
        as_differentiable(make_pipeline(StandardScaler(), PCA(2)).fit(X))
    with pytest.raises(AgnsalError, match="pair values"):
        as_differentiable(calibrated(SVC(decision_function_shape="ovo"), ensemble=False).fit(X, y))
    with pytest.raises(AgnsalError, match="one-vs-one"):
        as_differentiable(GaussianProcessClassifier(optimizer=None, multi_class="one_vs_one").fit(X, y))


def test_a_subclass_with_its_own_rule_is_not_taken_for_its_parent(blobs):
    class Cautious(LogisticRegression):
        def predict_proba(self, X):
            return 0.5 * super().predict_proba(X) + 0.25

    class Renamed(LogisticRegression):
        pass

    X, y = blobs(2, n_features=N_FEATURES)
    with pytest.raises(AgnsalError, match=r"Cautious.*register_estimator"):
        as_differentiable(Cautious().fit(X, y))
    assert "probability" in as_differentiable(Renamed().fit(X, y)).kinds


@pytest.mark.parametrize("nu", [0.5, 1.0])
def test_a_kink_on_a_spectrum_of_the_training_set_has_the_mean_slope(nu, blobs, central_differences):
    """Central differences across the kink are the mean over both sides, and finite."""
    X, _ = blobs(2, n_per_class=10, n_features=N_FEATURES)
    process = GaussianProcessRegressor(kernels.Matern(3.0, nu=nu), optimizer=None).fit(X, X[:, 0])
    check_gradients(as_differentiable(process), X[:3], central_differences)


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("power", [-1.5, 0.0, 0.5, 1.0, 2.0, 3.0])
def test_powers_of_any_size(method, power, central_differences):
    """Also the logarithmic cases (0, and 2 below zero), on both sides of zero and at zero."""
    X = np.array([[0.3, 1.0, 4.0]]) if method == "box-cox" else np.array([[-2.0, -0.4, 0.0, 0.7, 3.0]])
    step = PowerTransformer(method, standardize=False).fit(
        np.abs(np.random.default_rng(0).normal(size=(9, X.size))) + 1
    )
    step.lambdas_ = np.full(X.size, power)
    ours = convert_step(step, "power").forward
    assert_allclose(ours(X), step.transform(X), rtol=1e-13)
    slope = elementwise_grad(ours)(X)
    assert_allclose(slope, central_differences(lambda Z: ours(Z).sum(axis=1), X), rtol=1e-5, atol=1e-8)
