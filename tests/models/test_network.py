"""Networks: forward and backward against brute force, scikit-learn and torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agnsal import AgnsalError, as_differentiable
from agnsal.models.networks.chain import Residual
from agnsal.models.networks.layers import (
    AveragePool,
    BatchNorm,
    Conv1d,
    Dense,
    Flatten,
    Logistic,
    MaxPool,
    ReLU,
    Tanh,
)
from agnsal.models.networks.network import Network


def dense(n_out, n_in, rng):
    return Dense(rng.normal(size=(n_out, n_in)), rng.normal(size=n_out))


def convolution(n_out, n_in, size, rng, **options):
    return Conv1d(rng.normal(size=(n_out, n_in, size)), rng.normal(size=n_out), **options)


def networks(seed=0):
    """One network of every kind, with the number of its features."""
    rng = np.random.default_rng(seed)
    norm = BatchNorm(rng.uniform(0.5, 2, 4), rng.normal(size=4))
    block = Residual((convolution(4, 4, 3, rng, padding=(1, 1)), ReLU()), (convolution(4, 4, 1, rng),))
    return {
        "relu": Network((dense(7, 20, rng), ReLU(), dense(3, 7, rng))),
        "tanh": Network((dense(7, 20, rng), Tanh(), dense(5, 7, rng), Logistic(), dense(3, 5, rng))),
        "normalised": Network((dense(4, 20, rng), norm, ReLU(), dense(3, 4, rng))),
        "residual": Network((dense(6, 20, rng), Residual((dense(6, 6, rng), ReLU())), Tanh(), dense(3, 6, rng))),
        "convolution": Network(
            (convolution(4, 1, 3, rng), norm, ReLU(), MaxPool(2, 2), Flatten(), dense(3, 36, rng)), n_features=20
        ),
        "strided": Network(
            (
                convolution(4, 1, 3, rng, stride=2, dilation=2, padding=(2, 1)),
                Tanh(),
                AveragePool(3, 1, 1, count_padding=False),
                block,
                AveragePool(),
                Flatten(),
                dense(3, 4, rng),
            ),
            n_features=20,
        ),
        "pools": Network(
            (AveragePool(3, 2, 1), convolution(4, 1, 2, rng), MaxPool(3, 1, 1), MaxPool(), Flatten(), dense(3, 4, rng)),
            n_features=20,
        ),
    }


KINDS = sorted(networks())


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_gradient_is_the_derivative(kind, seed):
    network = networks(seed)[kind]
    rng = np.random.default_rng(seed + 1)
    X, direction = rng.normal(size=(4, 20)), rng.normal(size=(4, 20))
    weights, h = rng.normal(size=(4, 3)), 1e-6
    slope = (network.forward(X + h * direction) - network.forward(X - h * direction)) / (2 * h)
    expected = (slope * weights).sum(axis=1)
    close = np.isclose((network.backward(X, weights) * direction).sum(axis=1), expected, rtol=1e-5, atol=1e-6)
    assert close.sum() >= 3  # one row in four may sit on a kink of a ReLU or a pool


@pytest.mark.parametrize("kind", KINDS)
def test_a_spectrum_does_not_depend_on_its_batch(kind):
    network = networks()[kind]
    X = np.random.default_rng(0).normal(size=(5, 20))
    np.testing.assert_allclose(network.forward(X)[2:3], network.forward(X[2:3]), rtol=0, atol=1e-13)


def test_convolution_by_hand():
    rng = np.random.default_rng(0)
    layer = convolution(2, 3, 4, rng, stride=2, dilation=3, padding=(2, 1))
    x = rng.normal(size=(1, 3, 15))
    padded = np.pad(x, ((0, 0), (0, 0), (2, 1)))
    expected = [
        [
            layer.bias[f] + sum(layer.weight[f, c, k] * padded[0, c, start + 3 * k] for c in range(3) for k in range(4))
            for start in range(0, 18 - 9, 2)
        ]
        for f in range(2)
    ]
    np.testing.assert_allclose(layer.forward(x)[0], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "layer",
    [
        convolution(3, 2, 3, np.random.default_rng(0), stride=2, padding=(1, 0)),
        AveragePool(3, 2, 1),
        AveragePool(),
        BatchNorm(np.array([2.0, -1.0]), np.array([1.0, 3.0])),
        Flatten(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_adjoint(layer):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 2, 9))
    y = layer.linear(x)
    z = rng.normal(size=y.shape)
    assert np.vdot(y, z) == pytest.approx(np.vdot(x, layer.adjoint(z, x.shape)), abs=1e-12)


def test_reference_perceptron(reference_values):
    data = np.load(reference_values / "cd_mlp_ref.npz")
    network = Network.dense([data[f"W{k}"] for k in range(3)], [data[f"b{k}"] for k in range(3)])
    np.testing.assert_allclose(network.forward(data["X"]), data["logits"], rtol=0, atol=1e-10)
    data = np.load(reference_values / "lrp_grad_mlp_ref.npz")
    network = Network.dense([data[f"W{k}"] for k in range(4)], [*(data[f"b{k}"] for k in range(3)), None])
    np.testing.assert_allclose(network.forward(data["X"])[:, 0], data["f"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(network.gradient(data["X"]), data["grad"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_from_sklearn_classifier(activation, n_classes):
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 5))
    y = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5][: n_classes - 1])]
    estimator = MLPClassifier((6, 4), activation=activation, max_iter=2000, tol=1e-3, random_state=0).fit(X, y)
    network = Network.from_sklearn(estimator)
    model = as_differentiable(network)
    assert network.forward(X).shape == (90, 1 if n_classes == 2 else 3)
    np.testing.assert_allclose(model.outputs(X), estimator.predict_proba(X), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(network.predict(X), estimator.predict(X))
    np.testing.assert_array_equal(model.predict(X), estimator.predict(X))
    probability = model.outputs(X)
    log_odds = np.log(probability / (1 - probability))
    np.testing.assert_allclose(model.outputs(X, "log_odds"), log_odds, rtol=0, atol=1e-8)
    for kind in ("probability", "log_odds", "decision"):
        h = 1e-6 * np.eye(5)[1]
        slope = (model.outputs(X[:5] + h, kind) - model.outputs(X[:5] - h, kind)) / 2e-6
        np.testing.assert_allclose(model.gradient(X[:5], "b", kind)[:, 1], slope[:, 1], rtol=1e-5, atol=1e-6)


def test_from_sklearn_regressor():
    from sklearn.neural_network import MLPRegressor

    X = np.random.default_rng(0).normal(size=(80, 4))
    estimator = MLPRegressor(hidden_layer_sizes=(8,), max_iter=3000, tol=1e-3, random_state=0).fit(X, X[:, 0])
    network = Network.from_sklearn(estimator)
    np.testing.assert_allclose(network.forward(X)[:, 0], estimator.predict(X), rtol=0, atol=1e-12)
    assert as_differentiable(network).gradient(X, kind="decision").shape == X.shape


@pytest.mark.parametrize("options", [{}, {"with_mean": False}, {"with_std": False}])
def test_a_scaler_is_folded_in_on_request(options):
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    X = np.random.default_rng(0).normal(3.0, 2.0, size=(60, 4))
    scaler = StandardScaler(**options).fit(X)
    estimator = MLPClassifier((5,), max_iter=2000, tol=1e-3, random_state=0).fit(scaler.transform(X), X[:, 0] > 3)
    outside, folded = Network.from_sklearn(estimator), Network.from_sklearn(estimator, scaler=scaler)
    np.testing.assert_allclose(folded.forward(X), outside.forward(scaler.transform(X)), rtol=0, atol=1e-12)
    with pytest.raises(AgnsalError, match="StandardScaler"):
        Network.from_sklearn(estimator, scaler=object())
    with pytest.raises(AgnsalError, match="3 features"):
        Network.from_sklearn(estimator, scaler=StandardScaler().fit(X[:, :3]))


def test_attribution_of_a_network():
    from agnsal import saliency

    network = networks()["relu"]
    X = np.random.default_rng(0).normal(size=(4, 20))
    result = saliency(network, X, target=2, output="decision")
    np.testing.assert_allclose(result.values, network.gradient(X, 2), rtol=0, atol=1e-14)


def test_binary_logit_has_a_sign():
    network = Network.dense([[[1.0, 2.0]]], [[0.5]], classes=["type 1", "type 2"])
    X = np.array([[1.0, 1.0], [-3.0, 0.0]])
    np.testing.assert_array_equal(network.gradient(X, "type 1"), -network.gradient(X, "type 2"))
    np.testing.assert_array_equal(network.predict(X), ["type 2", "type 1"])
    np.testing.assert_array_equal(network.output_weights(X), [[1.0], [-1.0]])


def test_length_is_worked_out():
    rng = np.random.default_rng(0)
    layers = (convolution(4, 1, 3, rng), MaxPool(2, 1), Flatten(), dense(2, 4 * 61, rng))
    assert Network(layers).n_features == 64
    strided = (convolution(4, 1, 3, rng, stride=2), Flatten(), dense(2, 40, rng))
    assert Network(strided).n_features is None
    assert Network(strided).forward(np.zeros((1, 22))).shape == (1, 2)
    with pytest.raises(AgnsalError, match="n_features="):
        as_differentiable(Network(strided))
    assert as_differentiable(Network(strided, n_features=22)).n_features == 22


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network.dense([np.ones((2, 3))], []), "one bias per weight"),
        (lambda: Network.dense([np.ones((2, 3)), np.ones((2, 3))], [np.ones(2)] * 2), r"n_in = 2"),
        (lambda: Network.dense([np.ones((2, 3))], [np.ones(2)], activation="gelu"), "'gelu'"),
        (lambda: Network.dense([np.full((2, 3), np.nan)], [np.ones(2)]), "NaN"),
        (lambda: Network.dense([np.ones((3, 3))], [np.ones(3)], classes=["a", "b"]), "2 classes for 3 outputs"),
        (lambda: Network((np.tanh,)), "ufunc is not a layer"),
        (lambda: Network.from_sklearn(object()), "got object"),
        (lambda: Network.from_torch(object()), "got object"),
        (lambda: networks()["relu"].forward(np.ones((2, 19))), r"\(n, 20\), got \(2, 19\)"),
        (lambda: networks()["relu"].forward(np.full((2, 20), np.nan)), "NaN"),
        (lambda: networks()["relu"].forward(np.ma.ones((2, 20))), "mask"),
        (lambda: networks()["relu"].gradient(np.ones((2, 20)), "type 1"), "'type 1' is not among"),
        (lambda: networks()["relu"].gradient(np.ones((2, 20)), [0, 1, 2]), "one for each of 2"),
        (lambda: Network((MaxPool(5), Flatten())).forward(np.ones((1, 3))), "too short"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(AgnsalError, match=message):
        make()


def test_unfitted_perceptron_is_refused():
    from sklearn.neural_network import MLPClassifier

    with pytest.raises(AgnsalError, match="not fitted"):
        Network.from_sklearn(MLPClassifier())


@pytest.mark.parametrize("kind", KINDS)
def test_written_and_read_bit_equal(kind, tmp_path):
    network = networks()[kind]
    network.write(tmp_path / "network.npz")
    again = Network.read(tmp_path / "network.npz")
    X = np.random.default_rng(0).normal(size=(5, 20))
    np.testing.assert_array_equal(again.forward(X), network.forward(X))
    np.testing.assert_array_equal(again.gradient(X, 1), network.gradient(X, 1))
    assert repr(again) == repr(network)


def test_classes_are_kept_and_damage_is_told(tmp_path):
    from agnsal.store import read_arrays, write_arrays

    network = Network.dense([[[1.0, 2.0]]], [[0.5]], classes=np.array(["a", "b"], dtype=object))
    network.write(tmp_path / "network.npz")
    assert Network.read(tmp_path / "network.npz").classes.tolist() == ["a", "b"]
    arrays, header = read_arrays(tmp_path / "network.npz", "Network")
    for damaged in (
        {**header, "layers": [{"layer": "eval"}]},
        {**header, "layers": [{"layer": "Dense", "weight": {"array": "array_0"}}]},
        {**header, "layers": [{"layer": "Dense", "weight": {"array": "none"}, "bias": {"array": "array_1"}}]},
        {"n_features": 2},
    ):
        write_arrays(tmp_path / "damaged.npz", "Network", arrays, damaged)
        with pytest.raises(AgnsalError, match="incomplete or was changed"):
            Network.read(tmp_path / "damaged.npz")
    with pytest.raises(AgnsalError):
        Network.read(tmp_path / "missing.npz")
