"""Shapley values: brute force, efficiency, symmetry, groups, scalers, sampling errors, refusals."""

import dataclasses
from math import comb

import astropy.units as u
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, DotProduct, WhiteKernel
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, PowerTransformer, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

import agnsal
from agnsal import AgnsalError, AgnsalWarning
from agnsal.attribution.shapley.owen import extension, owen_values
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.spectra.regions import Regions

D = 7


def brute_force(function, x, start, labels=None):
    """Shapley's formula, coalition by coalition."""
    labels = np.arange(x.size) if labels is None else labels
    n = labels.max() + 1
    inside = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1
    values = function(np.where(inside[:, labels], x, start))
    size, result = inside.sum(axis=1), np.zeros(n)
    for i in range(n):
        for coalition in np.flatnonzero(~inside[:, i]):
            gain = values[coalition | (1 << i)] - values[coalition]
            result[i] += gain / (n * comb(n - 1, size[coalition]))
    return result


@pytest.fixture(scope="module", name="X")
def some_spectra():
    return np.random.default_rng(0).normal(size=(90, D))


@pytest.fixture(scope="module", name="y")
def their_classes(X):
    return np.array(["a", "b", "c"])[np.argmax(X[:, :3] + 0.4 * X[:, 3:6] ** 2, axis=1)]


@pytest.fixture(scope="module")
def model(X, y):
    return agnsal.ProbabilisticSVC(random_state=0).fit(X, y)


def outputs_of(model, output, column):
    return lambda Z: agnsal.as_differentiable(model).outputs(Z, output)[:, column]


@given(
    seed=st.integers(0, 2**32 - 1),
    d=st.integers(1, 10),
    gamma=st.sampled_from([1e-4, 0.05, 0.7, 20.0]),
    scale=st.sampled_from([0.1, 1.0, 5.0]),
)
@example(seed=154509, d=1, gamma=20.0, scale=5.0)
@settings(max_examples=40, deadline=None)
def test_quadrature_agrees_with_brute_force(seed, d, gamma, scale):
    random = np.random.default_rng(seed)
    S, alpha = random.normal(size=(12, d)), random.normal(size=(12, 3))
    expansion = KernelExpansion(Kernel("rbf", gamma=gamma), S, alpha, random.normal(size=3))
    x, start = scale * random.normal(size=d), scale * random.normal(size=d)
    values, _ = owen_values(
        expansion, x, start, Regions.of(None, d), lambda F: F, np.array([1.0, 0.0, -2.0]), exact=True
    )
    # squared differences one by one: the matrix product of the machine itself loses digits far out at gamma = 20
    weights = alpha @ [1.0, 0.0, -2.0]
    truth = brute_force(lambda Z: np.exp(-gamma * ((Z[:, None] - S) ** 2).sum(axis=2)) @ weights, x, start)
    np.testing.assert_allclose(values, truth, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("output", ["decision", "pairwise"])
def test_machines_agree_with_brute_force(X, y, kernel, output):
    model = agnsal.ProbabilisticSVC(kernel=kernel, random_state=0).fit(X, y)
    target = ("a", "c") if output == "pairwise" else "b"
    result = agnsal.shapley(model, X[:3], target, output)
    assert result.provenance["exact"]
    assert result.provenance["shapley"] == "quadrature"
    for x, values in zip(X[:3], result.values, strict=True):
        truth = brute_force(outputs_of(model, output, 1), x, model.training_mean_)
        np.testing.assert_allclose(values, truth, rtol=0, atol=1e-12)


def test_log_odds_of_two_classes_and_of_pairs_are_exact(X, y, model):
    two = agnsal.ProbabilisticSVC(random_state=0).fit(X, y == "a")
    result = agnsal.shapley(two, X[:2], True, "log_odds", baseline="zero")
    assert result.provenance["exact"]
    truth = brute_force(outputs_of(two, "log_odds", 1), X[1], np.zeros(D))
    np.testing.assert_allclose(result.values[1], truth, atol=1e-12)
    pairs = agnsal.shapley(model, X[:2], ("b", "c"), "pairwise", baseline="zero")
    odds = agnsal.shapley(model, X[:2], ("b", "c"), "pairwise", baseline="zero", pair_log_odds=True)
    np.testing.assert_allclose(odds.values, -model.sigmoid_a_[2] * pairs.values, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(odds.explained, -(model.sigmoid_a_[2] * pairs.explained + model.sigmoid_b_[2]))
    assert np.abs(odds.residual).max() < 1e-12
    predicted = agnsal.shapley(model, X[:2], output="pairwise", baseline="zero", pair_log_odds=True)
    assert all(
        name.startswith(f"{label} over ") for name, label in zip(predicted.target, model.predict(X[:2]), strict=True)
    )


@pytest.mark.parametrize("place", [1.0, 0.5])
@pytest.mark.parametrize(("d", "exponent"), [(1000, 450.0), (1000, 2000.0), (3500, 800.0), (50, 300.0), (3500, 1e5)])
def test_narrow_kernels_are_seen(d, exponent, place):
    """One support vector at the spectrum, or between it and the baseline, with a peak that few nodes miss."""
    random = np.random.default_rng(0)
    x, step = random.normal(size=d), random.normal(size=d)
    start = x - step * np.sqrt(exponent) / np.linalg.norm(step)
    S = np.where(random.uniform(size=d) < place, x, start)[None]
    expansion = KernelExpansion(Kernel("rbf", gamma=1.0), S, np.ones((1, 1)), np.zeros(1))
    values, _ = owen_values(expansion, x, start, Regions.of(None, d), lambda F: F, np.ones(1), exact=True)
    if place == 1.0:
        # an exponent is known to its own rounding
        assert values.sum() == pytest.approx(1.0 - np.exp(-exponent), abs=1e-11 + 4 * np.spacing(exponent))
    many, shares = np.polynomial.legendre.leggauss(-(-d // 2))  # exact for a polynomial of this degree
    _, slopes = extension(expansion, x, start, Regions.of(None, d), 0.5 * (many + 1.0))
    np.testing.assert_allclose(values, 0.5 * shares @ slopes[:, 0], rtol=1e-9, atol=1e-14)


# the labels are noise on purpose
@pytest.mark.filterwarnings("ignore:nothing shows that the machine separates:agnsal.AgnsalWarning")
def test_efficiency_over_thousands_of_bins():
    random = np.random.default_rng(1)
    X = random.normal(size=(60, 3500)) + np.linspace(-1, 1, 3500)
    model = agnsal.ProbabilisticSVC(random_state=0, C=10.0).fit(X, np.repeat(["a", "b", "c"], 20))
    result = agnsal.shapley(model, X[[0, 30]], output="decision")
    assert np.abs(result.residual).max() < 1e-10
    total = result.explained - agnsal.as_differentiable(model).outputs(model.training_mean_[None], "decision").max()
    assert np.abs(result.values.sum(axis=1)).max() > 0
    assert np.isfinite(total).all()


def test_equal_features_get_equal_values_and_unused_ones_nothing():
    random = np.random.default_rng(2)
    S = random.normal(size=(9, 6))
    S[:, 1], S[:, 4] = S[:, 0], 0.0
    x, start = random.normal(size=6), np.zeros(6)
    x[1], x[4] = x[0], 0.0
    expansion = KernelExpansion(Kernel("rbf", gamma=0.3), S, random.normal(size=(9, 1)), np.zeros(1))
    values, _ = owen_values(expansion, x, start, Regions.of(None, 6), lambda F: F, np.ones(1), exact=True)
    assert values[0] == pytest.approx(values[1], abs=1e-14)
    assert values[4] == 0


def test_groups_are_players(X, model):
    labels = np.array([0, 1, 1, 0, 2, 2, 2])
    result = agnsal.shapley(model, X[:2], "a", "decision", baseline="zero", groups=labels)
    truth = brute_force(outputs_of(model, "decision", 0), X[0], np.zeros(D), labels)
    sums = [result.values[0, labels == k].sum() for k in range(3)]
    np.testing.assert_allclose(sums, truth, atol=1e-12)
    assert list(result.regions.names) == ["0", "1", "2"]


def test_through_a_scaler(X, y):
    Z = 50.0 + X * np.linspace(0.1, 30.0, D)
    model = make_pipeline(StandardScaler(), agnsal.ProbabilisticSVC(random_state=0)).fit(Z, y)
    result = agnsal.shapley(model, Z[:2], "c", "decision")
    np.testing.assert_allclose(result.baseline, Z.mean(axis=0))
    assert result.provenance["exact"]
    truth = brute_force(outputs_of(model, "decision", 2), Z[1], Z.mean(axis=0))
    np.testing.assert_allclose(result.values[1], truth, atol=1e-12)


def test_owen_integral_of_a_probability_is_complete_and_labelled(X, model):
    exact = agnsal.shapley(model, X[:4], "a", "probability")
    assert exact.provenance["shapley"] == "coalitions"
    assert exact.provenance["exact"]
    owen = agnsal.shapley(model, X[:4], "a", "probability", method="quadrature")
    assert not owen.provenance["exact"]
    assert np.abs(owen.residual).max() < 1e-7
    for one, other in zip(owen.values, exact.values, strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.97


def test_owen_integral_of_a_probability_over_many_features_agrees_with_sampling():
    random = np.random.default_rng(1)
    X = random.normal(size=(150, 100))
    y = np.array(["a", "b", "c"])[(X @ random.normal(size=(100, 3))).argmax(axis=1)]
    model = agnsal.ProbabilisticSVC(random_state=0).fit(X, y)
    owen = agnsal.shapley(model, X[:3], "a", method="quadrature")
    sampled = agnsal.shapley(model, X[:3], "a", method="permutations", n_permutations=100, random_state=0)
    for one, other in zip(owen.values, sampled.values, strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.95
    assert not owen.provenance["exact"]
    assert owen.provenance["n_nodes"] > 8


def test_coalitions_agree_with_brute_force_for_a_tree(X, y):
    tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    result = agnsal.shapley(tree, X[:3], "b", baseline="zero")
    for x, values in zip(X[:3], result.values, strict=True):
        truth = brute_force(lambda Z: tree.predict_proba(Z)[:, 1], x, np.zeros(D))
        np.testing.assert_allclose(values, truth, atol=1e-12)
    np.testing.assert_allclose(result.residual, 0, atol=1e-12)


def test_random_orders_are_unbiased_and_their_errors_are_honest(X, model):
    truth = agnsal.shapley(model, X[:6], "a").values
    misses, errors = [], []
    for seed in range(12):
        result = agnsal.shapley(model, X[:6], "a", method="permutations", n_permutations=40, random_state=seed)
        np.testing.assert_allclose(result.residual, 0, atol=1e-12)
        misses.append(result.values - truth)
        errors.append(result.uncertainty["sampling"])
    ratio = np.sqrt(np.mean(np.square(misses), axis=0) / np.mean(np.square(errors), axis=0))
    assert 0.9 < ratio.mean() < 1.1
    assert ratio.max() < 2
    again = agnsal.shapley(model, X[2:4], "a", method="permutations", n_permutations=40, random_state=11)
    np.testing.assert_allclose(again.values, result.values[2:4], atol=1e-13)


def test_linear_classifiers_are_exact(X, y):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    result = agnsal.shapley(model, X[:3], "b", "decision", baseline="zero")
    slope = model[-1].coef_[1] / model[0].scale_
    np.testing.assert_allclose(result.values, slope * X[:3], rtol=1e-10, atol=1e-13)
    assert result.provenance["exact"]


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_machines_of_scikit_learn(X, y, kernel):
    """Exact where they are sums of products, and never a wrong number where they are not (the votes of "ovr")."""
    for machine, target, output, exact in (
        (SVC(kernel=kernel), ("a", "b"), "pairwise", True),
        (SVC(kernel=kernel), "b", "decision", False),
        (SVC(kernel=kernel, decision_function_shape="ovo"), "b", "decision", True),
    ):
        machine.fit(X, y)
        result = agnsal.shapley(machine, X[:2], target, output, baseline="zero")
        column = 0 if output == "pairwise" else 1
        truth = brute_force(outputs_of(machine, output, column), X[0], np.zeros(D))
        np.testing.assert_allclose(result.values[0], truth, atol=1e-11)
        assert (result.provenance["shapley"] == "quadrature") is exact
    binary = SVC(kernel=kernel).fit(X, y == "a")
    result = agnsal.shapley(binary, X[:2], True, "decision", baseline="zero")
    np.testing.assert_allclose(result.values[1], brute_force(binary.decision_function, X[1], np.zeros(D)), atol=1e-11)
    assert result.provenance["shapley"] == "quadrature"
    regression = SVR(kernel=kernel).fit(X, X[:, 0] + X[:, 1] ** 2)
    result = agnsal.shapley(regression, X[:2], None, "decision", baseline="zero")
    np.testing.assert_allclose(result.values[1], brute_force(regression.predict, X[1], np.zeros(D)), atol=1e-11)
    search = GridSearchCV(SVC(kernel=kernel), {"C": [1.0, 10.0]}).fit(X, y == "a")
    result = agnsal.shapley(search, X[:2], True, "decision", baseline="zero")
    np.testing.assert_allclose(result.values[1], brute_force(search.decision_function, X[1], np.zeros(D)), atol=1e-11)


def test_named_lines_and_windows():
    sample = agnsal.simulate_agn(12, 12, 0, seed=3).normalize()
    model = agnsal.ProbabilisticSVC(random_state=0).fit(sample.flux, sample.labels)
    names = ["Hbeta", "Hgamma", "[O III] 5007"]
    result = agnsal.shapley(model, sample[:2], output="log_odds", groups=names)
    assert list(result.regions.names) == [*names, "rest"]
    table = dataclasses.replace(result[0], mask=None).by_line(names)[:3]
    labels = Regions.of(names, 1000, sample.grid).labels
    np.testing.assert_allclose(
        (table["core"] + table["wings"]).value, [result.values[0, labels == k].sum() for k in range(3)], rtol=1e-9
    )
    windows = agnsal.shapley(model, sample[:2], output="log_odds", groups=200 * u.AA)
    assert len(windows.regions) == 8
    assert np.abs(windows.residual).max() < 1e-10
    alone = agnsal.shapley(model, sample[:2], output="log_odds")
    np.testing.assert_allclose(alone.values.sum(axis=1), result.values.sum(axis=1), rtol=1e-8)


def test_a_saturated_probability_is_warned_about_or_complete(X, y):
    """A steep link needs more nodes than there are; then the residual says so."""
    model = agnsal.ProbabilisticSVC(random_state=0).fit(X, y)
    model.sigmoid_a_ = 1e5 * model.sigmoid_a_
    with pytest.warns(AgnsalWarning, match="miss more than 5%"):
        agnsal.shapley(model, X[:20], "a", method="quadrature", baseline="zero")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": [0, 1]}, "one label for each of the 7 features"),
        ({"groups": np.linspace(0, 1, 7)}, "whole numbers"),
        ({"groups": ["Hbeta"]}, "need wavelengths"),
        ({"groups": 5 * u.AA}, "need wavelengths"),
        ({"method": "kernel"}, "method must be one of"),
        ({"method": "permutations", "n_permutations": 2}, "at least 4"),
        ({"pair_log_odds": True}, "goes with output"),
        ({"baseline": np.zeros(3)}, "the baseline has shape"),
    ],
)
def test_bad_questions_are_refused(X, model, options, message):
    with pytest.raises(AgnsalError, match=message):
        agnsal.shapley(model, X[:2], "a", **options)


def test_refusals_say_what_to_do(X, y):
    poly = agnsal.ProbabilisticSVC(kernel="poly", random_state=0).fit(X, y)
    with pytest.raises(AgnsalError, match="not a function of sums of products"):
        agnsal.shapley(poly, X[:2], "a", "decision", method="quadrature")
    wide = np.random.default_rng(0).normal(size=(30, 20))
    tree = DecisionTreeClassifier().fit(wide, wide[:, 0] > 0)
    with pytest.raises(AgnsalError, match="at most 15 regions"):
        agnsal.shapley(tree, wide[:2], True, baseline="zero", method="coalitions")
    with pytest.raises(AgnsalError, match="does not know the mean"):
        agnsal.shapley(tree, wide[:2], True)
    sample = agnsal.simulate_agn(6, 6, 0, seed=3).normalize()
    model = agnsal.ProbabilisticSVC(random_state=0).fit(sample.flux, sample.labels)
    with pytest.raises(AgnsalError, match="did you mean"):
        agnsal.shapley(model, sample, groups=["Hbetta"])
    with pytest.raises(AgnsalError, match="off the grid"):
        agnsal.shapley(model, sample, groups=["Halpha"])


def test_results_go_to_disk_and_into_tables(tmp_path):
    sample = agnsal.simulate_agn(12, 12, 0, seed=3).normalize()
    forest = DecisionTreeClassifier(random_state=0).fit(sample.flux, sample.labels)
    model = agnsal.ProbabilisticSVC(random_state=0).fit(sample.flux, sample.labels)
    for result in (
        agnsal.shapley(forest, sample[:2], baseline="mean", groups=100 * u.AA, n_permutations=8, random_state=1),
        agnsal.shapley(model, sample[:2], output="log_odds", groups=["Hbeta"]),
        agnsal.occlusion(forest, sample[:2], window=100 * u.AA, fill="noise", n_draws=2, random_state=0),
        agnsal.expected_gradients(model, sample[:2], background=sample, n_samples=64, random_state=0),
        agnsal.smooth_gradient(model, sample[:2], n_samples=4, statistic="variance", random_state=0),
    ):
        result.write(tmp_path / "result.npz")
        back = agnsal.Attribution.read(tmp_path / "result.npz")
        np.testing.assert_array_equal(back.values, result.values)
        assert dict(back.provenance) == dict(result.provenance)
        table = result.by_line(["Hbeta", "[O III] 5007"])
        assert len(table) == 6
        assert result.unit == table["core"].unit
        assert result.to_table(0)["density"].shape == (1000,)


AFFINE = {
    "components": make_pipeline(PCA(12, whiten=True), LogisticRegression()),
    "scaled components": make_pipeline(RobustScaler(), PCA(12), StandardScaler(), LogisticRegression()),
    "a choice of bins": make_pipeline(SelectKBest(k=11), LinearDiscriminantAnalysis()),
    "halves side by side": make_pipeline(
        ColumnTransformer([("blue", PCA(4), slice(0, 10)), ("red", StandardScaler(), slice(10, 20))]),
        agnsal.ProbabilisticSVC(kernel="linear", random_state=0),
    ),
    "a scaler": make_pipeline(StandardScaler(), SVC(kernel="linear")),
}


@pytest.mark.parametrize("name", AFFINE)
def test_linear_functions_of_linear_functions_are_exact(name):
    """However many features: the value of each is weight times change, the weight being the gradient."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 20))
    pipeline = AFFINE[name].fit(X, np.where(X[:, 1] + X[:, 5] > 0, "b", "a"))
    result = agnsal.shapley(pipeline, X[:4], "b", "decision", baseline=X[7])
    assert result.provenance["exact"]
    assert result.provenance["shapley"] == "quadrature"
    slope = agnsal.saliency(pipeline, X[:4], "b", "decision").values
    np.testing.assert_allclose(result.values, slope * (X[:4] - X[7]), atol=1e-12)
    coalitions = agnsal.shapley(pipeline, X[:4], "b", "decision", baseline=X[7], regions=2, method="coalitions")
    regions = agnsal.shapley(pipeline, X[:4], "b", "decision", baseline=X[7], regions=2)
    np.testing.assert_allclose(regions.values, coalitions.values, atol=1e-12)


def test_what_follows_a_bend_or_a_mixture_is_not_called_exact():
    X = np.random.default_rng(1).normal(size=(80, 20))
    y = np.where(X[:, 1] > 0, "b", "a")
    for steps in (
        (PCA(12), agnsal.ProbabilisticSVC(random_state=0)),  # a Gaussian kernel of rotated features is no product
        (PCA(12), MinMaxScaler(clip=True), LogisticRegression()),
        (Normalizer(), LogisticRegression()),
    ):
        result = agnsal.shapley(make_pipeline(*steps).fit(X, y), X[:2], "b", "log_odds", baseline="zero")
        assert not result.provenance["exact"]
    # but a bend of each feature by itself keeps a sum over features a sum
    bent = make_pipeline(PowerTransformer(), LogisticRegression()).fit(X, y)
    result = agnsal.shapley(bent, X[:2], "b", "log_odds", baseline="zero")
    assert result.provenance["exact"]
    coalitions = agnsal.shapley(bent, X[:2], "b", "log_odds", baseline="zero", regions=2, method="coalitions")
    np.testing.assert_allclose(
        agnsal.shapley(bent, X[:2], "b", "log_odds", baseline="zero", regions=2).values, coalitions.values, atol=1e-12
    )


def test_values_in_components_are_exact_for_a_linear_machine():
    """`transformed` puts a linear synthesis before the machine: as many components as one likes."""
    X = np.random.default_rng(1).normal(size=(80, 20))
    machine = LogisticRegression().fit(X, np.where(X[:, 1] > 0, "b", "a"))
    basis = agnsal.PCABasis(15).fit(X)
    result = agnsal.transformed(machine, X[:3], basis, "shapley", "b", "log_odds", baseline="zero")
    assert result.provenance["exact"]
    assert result.provenance["shapley"] == "quadrature"
    assert np.abs(result.residual).max() < 1e-10
    np.testing.assert_allclose(result.values, (machine.coef_ @ basis.directions.T) * basis.forward(X[:3]), atol=1e-12)


@pytest.mark.parametrize(
    "regressor",
    [
        TransformedTargetRegressor(SVR(), transformer=StandardScaler()),
        TransformedTargetRegressor(Ridge(), transformer=MinMaxScaler()),
        GaussianProcessRegressor(2.0 * RBF(np.linspace(2, 4, 12)) + WhiteKernel(0.1), optimizer=None, normalize_y=True),
        GaussianProcessRegressor(DotProduct(), alpha=0.1, optimizer=None),
        make_pipeline(PCA(5), TransformedTargetRegressor(Ridge(), transformer=StandardScaler())),
    ],
    ids=lambda regressor: type(regressor).__name__,
)
def test_regressors_whose_structure_is_known_are_exact(regressor):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 12))
    regressor.fit(X, 3 + X[:, 0] * X[:, 1] + X[:, 2])
    result = agnsal.shapley(regressor, X[:2], baseline=X[5])
    assert result.provenance["exact"]
    assert result.provenance["shapley"] == "quadrature"
    few = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    quadrature = agnsal.shapley(regressor, X[:2], baseline=X[5], regions=few, method="quadrature")
    coalitions = agnsal.shapley(regressor, X[:2], baseline=X[5], regions=few, method="coalitions")
    np.testing.assert_allclose(quadrature.values, coalitions.values, atol=1e-11)


def test_a_bent_target_is_not_called_exact():
    X = np.random.default_rng(0).normal(size=(40, 12))
    model = TransformedTargetRegressor(Ridge(), func=np.arcsinh, inverse_func=anp.sinh).fit(X, X[:, 0])
    result = agnsal.shapley(model, X[:2], baseline="zero")
    assert not result.provenance["exact"]
    assert np.abs(result.residual).max() < 1e-6
