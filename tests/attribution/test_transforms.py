"""TRIM: identities of the transformed attribution, the residual, and the simulation with a known band."""

from functools import partial
from itertools import pairwise

import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agnsal import (
    AgnsalError,
    Attribution,
    DifferentiableModel,
    FourierBands,
    FunctionBasis,
    LineDictionary,
    MatrixBasis,
    NMFBasis,
    PCABasis,
    ProbabilisticSVC,
    Wavelet,
    input_x_gradient,
    integrated_gradients,
    saliency,
    simulate_agn,
    transformed,
)


def network(weights, offsets):
    """A ReLU network as differentiable functions; log-odds are differences of its two outputs."""

    def decision(X):
        for w, b in zip(weights[:-1], offsets[:-1], strict=True):
            X = anp.maximum(X @ w + b, 0)
        return X @ weights[-1] + offsets[-1]

    def log_odds(X):
        f = decision(X)
        return anp.stack([f[:, 0] - f[:, 1], f[:, 1] - f[:, 0]], axis=1)

    return DifferentiableModel(
        {"decision": decision, "log_odds": log_odds, "probability": lambda X: 1 / (1 + anp.exp(-log_odds(X)))},
        classes=[0, 1],
        n_features=len(weights[0]),
        baseline_mean=np.full(len(weights[0]), 0.1),
    )


def random_network(d, seed=0):
    rng = np.random.default_rng(seed)
    return network(
        [rng.normal(size=(d, 8)) / np.sqrt(d), rng.normal(size=(8, 2))], [rng.normal(size=8), rng.normal(size=2)]
    )


def training(d, n=30, seed=1):
    return np.abs(np.random.default_rng(seed).normal(size=(n, d)))


def bases(d):
    D = np.random.default_rng(2).normal(size=(d, 3))
    return {
        "Fourier": FourierBands(n_bands=min(3, d // 2 + 1)),
        "wavelet": Wavelet("db2"),
        "PCA": PCABasis(n_components=3).fit(training(d)),
        "NMF": NMFBasis(n_components=3, random_state=0).fit(training(d)),
        "matrix": MatrixBasis(D, groups=["a", "a", "b"]),
        "function": FunctionBasis(lambda X: np.log(np.abs(X) + 1), lambda S: anp.exp(S) - 1.05),
    }


NAMES = sorted(bases(8))
SHARES = ["input_x_gradient", "integrated_gradients"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("by", ["coordinate", "group"])
@pytest.mark.parametrize("d", [9, 16])
def test_every_method_runs_in_every_basis_and_explains_the_same_value(name, by, d):
    """f'(T x) = f(x), and integrated gradients sum to f(x) - f(inverse(s0) + r), with the residual kept fixed."""
    model, X, basis = random_network(d), training(d, 4, seed=3), bases(d)[name]
    if not basis.fitted:
        basis.fit(X)
    result = transformed(model, X, basis, target=1, output="decision", by=by, n_steps=4000, rule="midpoint")
    value = model.outputs(X, "decision")[:, 1]
    np.testing.assert_allclose(result.explained, value, atol=1e-10)
    S = basis.forward(X)
    residual = X - basis.inverse(S)
    start = np.broadcast_to(basis.forward(model.baseline_mean[None]), S.shape)
    expected = value - model.outputs(basis.inverse(start) + residual, "decision")[:, 1]
    np.testing.assert_allclose(result.values.sum(axis=1), expected, atol=1e-3)
    np.testing.assert_allclose(result.values.sum(axis=1) + result.residual, expected, atol=1e-10)
    np.testing.assert_allclose(
        result.unexplained, value - model.outputs(basis.inverse(S), "decision")[:, 1], atol=1e-12
    )
    whole = np.abs(value - model.outputs(basis.inverse(start), "decision")[:, 1])
    np.testing.assert_allclose(result.unexplained_share, np.abs(result.unexplained) / whole)
    features = basis.names if by == "coordinate" else basis.group_names
    assert result.features.tolist() == features.tolist()
    assert result.values.shape == result.inputs.shape == (4, len(features))
    assert result.grid is None
    for method in ("saliency", "input_x_gradient", "smooth_gradient"):
        assert transformed(model, X, basis, method, target=1, by=by).values.shape == result.values.shape


@settings(deadline=None, max_examples=40)
@given(d=st.integers(4, 40), seed=st.integers(0, 1000), wavelet=st.booleans())
def test_input_x_gradient_sums_to_the_same_in_every_orthonormal_basis(d, seed, wavelet):
    """The sum is x . grad f, whatever the basis, to 1e-12."""
    model, X = random_network(d, seed), np.random.default_rng(seed).normal(size=(3, d))
    basis = Wavelet("db2") if wavelet else FourierBands(n_bands=2)
    found = transformed(model, X, basis, "input_x_gradient", target=0, output="decision").values.sum(axis=1)
    expected = (X * model.gradient(X, 0, "decision")).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("basis", [FourierBands(5), Wavelet("db4")], ids=["Fourier", "wavelet"])
@pytest.mark.parametrize("method", SHARES)
def test_it_is_the_attribution_of_the_network_in_the_rotated_basis(basis, method):
    """For x = Q s the attribution over s is that of the network whose first layer is W1 Q, to 1e-12."""
    d, rng = 15, np.random.default_rng(0)
    weights, offsets = [rng.normal(size=(d, 7)), rng.normal(size=(7, 2))], [rng.normal(size=7), rng.normal(size=2)]
    X = rng.normal(size=(5, d))
    basis.fit(X)
    Q = basis.inverse(np.eye(d)).T
    rotated = network([Q.T @ weights[0], weights[1]], offsets)
    options = {} if method == "input_x_gradient" else {"baseline": "zero"}
    function = {"input_x_gradient": input_x_gradient, "integrated_gradients": integrated_gradients}[method]
    expected = function(rotated, X @ Q, target=1, output="decision", **options).values
    found = transformed(
        network(weights, offsets), X, basis, method, target=1, output="decision", by="coordinate", **options
    ).values
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_the_identity_basis_changes_nothing():
    model, X = random_network(6), training(6, 3)
    identity = MatrixBasis(np.eye(6))
    for method in (saliency, input_x_gradient, integrated_gradients):
        expected = method(model, X, target=1, output="log_odds")
        found = transformed(model, X, identity, method.__name__, target=1, output="log_odds")
        np.testing.assert_allclose(found.values, expected.values, atol=1e-12)
        np.testing.assert_allclose(found.unexplained, 0, atol=1e-12)


def test_gradients_agree_with_differences():
    model, X, basis = random_network(9), training(9, 3), bases(9)["function"].fit(training(9, 3))
    S = basis.forward(X)
    residual = X - basis.inverse(S)
    found = transformed(model, X, basis, "saliency", target=1, output="log_odds", by="coordinate").values
    for k in range(9):
        step = 1e-6 * np.eye(9)[k]
        up, down = (model.outputs(basis.inverse(S + e) + residual, "log_odds")[:, 1] for e in (step, -step))
        np.testing.assert_allclose(found[:, k], (up - down) / 2e-6, atol=1e-7)


def test_the_residual_is_frozen():
    """Were it recomputed, f' would be constant: perturbation would find nothing, IG would be input x gradient."""
    model, X = random_network(9), training(9, 3)
    basis = PCABasis(n_components=2).fit(training(9))
    assert np.abs(X - basis.inverse(basis.forward(X))).max() > 0.1
    found = transformed(model, X, basis, "shapley", target=1, output="decision").values
    assert np.abs(found).min() > 1e-4
    together = transformed(model, X, basis, target=1, output="decision").values
    alone = np.concatenate(
        [transformed(model, X[i : i + 1], basis, target=1, output="decision").values for i in range(3)]
    )
    np.testing.assert_allclose(together, alone, atol=1e-13)


def test_shapley_values_of_groups_take_whole_groups_away():
    model, X, basis = random_network(8), training(8, 2), MatrixBasis(np.eye(8)[:, :6], groups=list("aabbcc"))
    found = transformed(model, X, basis, "shapley", target=1, output="decision", baseline="zero").values
    f = lambda X: model.outputs(X, "decision")[:, 1]  # noqa: E731
    without = X.copy()
    without[:, :6] = 0.0
    np.testing.assert_allclose(found.sum(axis=1), f(X) - f(without), atol=1e-12)
    first, last = without.copy(), X.copy()
    first[:, :2], last[:, :2] = X[:, :2], 0.0
    # of three players: a third for coming first, a third for coming last, the rest between
    others = []
    for other in (slice(2, 4), slice(4, 6)):
        before = without.copy()
        before[:, other] = X[:, other]
        after = before.copy()
        after[:, :2] = X[:, :2]
        others.append(f(after) - f(before))
    expected = (f(first) - f(without)) / 3 + (f(X) - f(last)) / 3 + sum(others) / 6
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-12)
    occluded = transformed(model, X, basis, "occlusion", target=1, output="decision", baseline="zero").values
    np.testing.assert_allclose(occluded[:, 0], f(X) - f(last), atol=1e-12)
    single = transformed(model, X, basis, "occlusion", target=1, output="decision", baseline="zero", by="coordinate")
    last[:, 1] = X[:, 1]
    np.testing.assert_allclose(single.values[:, 0], f(X) - f(last), atol=1e-12)


def test_groups_are_sums_of_coordinates_and_gradients_their_length():
    model, X = random_network(12), training(12, 3)
    bands = FourierBands(n_bands=3).fit(X)
    for method, options in (("input_x_gradient", {}), ("integrated_gradients", {}), ("saliency", {})):
        single = transformed(model, X, bands, method, target=0, by="coordinate", **options).values
        grouped = transformed(model, X, bands, method, target=0, **options).values
        for k, name in enumerate(bands.group_names):
            inside = single[:, bands.groups == name]
            expected = np.linalg.norm(inside, axis=1) if method == "saliency" else inside.sum(axis=1)
            np.testing.assert_allclose(grouped[:, k], expected, atol=1e-12)
    legacy = transformed(model, X, bands, "input_x_gradient", target=0, combine="magnitude")
    assert legacy.values.min() >= 0
    assert legacy.residual is None


def test_baselines_are_spectra():
    model, X = random_network(8), training(8, 3)
    wavelet = Wavelet("haar").fit(X)
    mean = X.mean(axis=0)
    for baseline in (mean, np.tile(mean, (3, 1)), "mean"):
        result = transformed(model, X, wavelet, output="decision", baseline=baseline)
        np.testing.assert_allclose(result.baseline, np.tile(wavelet.forward(mean[None]), (3, 1)), atol=1e-12)
    components = PCABasis(n_components=2).fit(X)
    zero = transformed(model, X, components, output="decision", baseline="zero")
    np.testing.assert_array_equal(zero.baseline, 0)
    averaged = transformed(
        model, X, wavelet, "expected_gradients", output="decision", background=X, n_samples=600, random_state=0
    )
    difference = model.outputs(X, "decision") - model.outputs(X, "decision").mean(axis=0)
    picked = difference[np.arange(3), averaged.target]
    np.testing.assert_allclose(averaged.values.sum(axis=1), picked, atol=0.1)


def test_a_function_may_be_the_method():
    model, X = random_network(8), training(8, 3)
    found = transformed(model, X, Wavelet("haar"), input_x_gradient, target=1)
    np.testing.assert_array_equal(
        found.values, transformed(model, X, Wavelet("haar"), "input_x_gradient", target=1).values
    )
    assert found.method == "input_x_gradient"
    with_options = partial(integrated_gradients, baseline="zero", n_steps=999)
    found = transformed(model, X, Wavelet("haar"), with_options, target=1, output="decision")
    np.testing.assert_array_equal(found.baseline, 0)
    assert found.options["n_steps"] == 999


def test_what_is_refused():
    model, X = random_network(8), training(8, 3)
    with pytest.raises(AgnsalError, match="training sample first"):
        transformed(model, X, PCABasis(2))
    with pytest.raises(AgnsalError, match="must be a basis"):
        transformed(model, X, "fourier")
    with pytest.raises(AgnsalError, match="method must be one of"):
        transformed(model, X, Wavelet("haar"), "saliences")
    with pytest.raises(AgnsalError, match="'coordinate' or 'group'"):
        transformed(model, X, Wavelet("haar"), by="band")
    with pytest.raises(AgnsalError, match="same grid"):
        transformed(model, X, Wavelet("haar").fit(np.zeros((1, 9))))
    with pytest.raises(AgnsalError, match="axis of a transform"):
        transformed(model, X, Wavelet("haar")).by_line()


@pytest.fixture(scope="module")
def agn():
    sample = simulate_agn(60, 60, 60, seed=3).normalize()
    train = sample[np.arange(180) % 3 > 0]
    return ProbabilisticSVC(kernel="linear", C=0.07, random_state=0).fit(train.flux, train.labels), sample


def test_broad_and_narrow_hbeta_are_two_numbers(agn):
    """For type 1 against type 2 the broad lines speak for type 1, whatever single pixels say."""
    model, sample = agn
    quasars = sample[sample.labels == "type 1"][:12]
    result = transformed(model, quasars, LineDictionary(), output="pairwise", target=("type 1", "type 2"))
    value = dict(zip(result.features.tolist(), result.values.T, strict=True))
    assert value["Hbeta broad"].mean() > 3 * np.abs(value["Hbeta narrow"]).mean()
    assert np.median(result.unexplained_share) < 0.2
    table = result.to_table(0)
    assert table.colnames == ["feature", "coordinate", "attribution"]


def test_results_are_written_and_read(agn, tmp_path):
    model, sample = agn
    result = transformed(model, sample[:3], FourierBands(8, spacing="log"), "saliency")
    assert result.unit == sample.unit**-1
    for ending in ("npz", "fits", "ecsv"):
        result.write(tmp_path / f"a.{ending}")
        back = Attribution.read(tmp_path / f"a.{ending}")
        for name in ("values", "features", "unexplained", "unexplained_share", "inputs"):
            assert getattr(back, name).tolist() == getattr(result, name).tolist()
        assert back.provenance == result.provenance


def test_a_machine_without_gradient_has_shapley_values(agn):
    from sklearn.tree import DecisionTreeClassifier

    _, sample = agn
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(sample.flux, sample.labels)
    bands = FourierBands(4, spacing="log")
    result = transformed(tree, sample[:2], bands, "shapley", baseline="mean")
    assert result.values.shape == (2, 4)
    np.testing.assert_allclose(result.residual, 0, atol=1e-12)


def trained(X, y, rng, *, epochs, batch, rate):
    """A 100-100-2 softmax network by plain stochastic gradient descent, as in the paper's simulation."""
    sizes = (X.shape[1], 100, 2)
    layers = [(rng.uniform(-1, 1, (a, b)) / np.sqrt(a), rng.uniform(-1, 1, b) / np.sqrt(a)) for a, b in pairwise(sizes)]
    (w1, b1), (w2, b2) = layers
    wanted = np.eye(2)[y]
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch):
            rows = order[start : start + batch]
            hidden = np.maximum(X[rows] @ w1 + b1, 0)
            odds = hidden @ w2 + b2
            odds -= odds.max(axis=1, keepdims=True)
            miss = np.exp(odds)
            miss = (miss / miss.sum(axis=1, keepdims=True) - wanted[rows]) / len(rows)
            back = (miss @ w2.T) * (hidden > 0)
            w2 -= rate * hidden.T @ miss
            b2 -= rate * miss.sum(axis=0)
            w1 -= rate * X[rows].T @ back
            b1 -= rate * back.sum(axis=0)
    return network([w1, w2], [b1, b2])


@pytest.mark.filterwarnings("ignore:.*miss more than:agnsal.errors.AgnsalWarning")
def test_the_simulation_of_the_paper():
    """Label: is frequency 12 of 51 stronger than its median? Published errors: IG 2.0 to 7.4 %, input x gradient
    0 to 1.8 %, of 500 spectra (methods and replicate of arXiv:2003.01926, section 4)."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(21_000, 100))
    power = np.abs(np.fft.rfft(X)[:, 12])
    y = (power > np.median(power)).astype(int)
    model = trained(X[:20_000], y[:20_000], rng, epochs=20, batch=64, rate=0.1)
    assert (model.predict(X[20_000:]) == y[20_000:]).mean() > 0.93
    bands = FourierBands(n_bands=51)
    error = {}
    for method in ("input_x_gradient", "integrated_gradients"):
        for combine in ("sum", "magnitude"):
            options = {} if method == "input_x_gradient" else {"baseline": "zero"}
            result = transformed(
                model, X[20_000:20_500], bands, method, target=1, output="log_odds", combine=combine, **options
            )
            error[method, combine] = np.mean(result.features[result.values.argmax(axis=1)] != "12")
    assert error["input_x_gradient", "sum"] <= 0.018
    assert error["input_x_gradient", "magnitude"] <= 0.018 + 2 * 0.006  # two standard errors of 500 spectra
    assert error["integrated_gradients", "sum"] <= 0.074
    assert error["integrated_gradients", "magnitude"] <= 0.074
