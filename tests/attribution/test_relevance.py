"""Relevance propagation: conservation, equality with input x gradient, and reference values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agnsal import AgnsalError
from agnsal.attribution.networks.relevance import RULES, layerwise_relevance
from agnsal.models.networks.chain import Residual
from agnsal.models.networks.layers import (
    AveragePool,
    BatchNorm,
    Conv1d,
    Dense,
    Flatten,
    Layer,
    MaxPool,
    ReLU,
)
from agnsal.models.networks.network import Network


def dense(n_out, n_in, rng, bias=1.0):
    return Dense(rng.normal(size=(n_out, n_in)), bias * rng.normal(size=n_out))


def perceptron(seed=0, bias=1.0, n_outputs=3):
    rng = np.random.default_rng(seed)
    return Network((dense(9, 12, rng, bias), ReLU(), dense(7, 9, rng, bias), ReLU(), dense(n_outputs, 7, rng, bias)))


def convolutional(seed=0, bias=1.0):
    rng = np.random.default_rng(seed)

    def convolution(n_in, size, padding):
        return Conv1d(rng.normal(size=(4, n_in, size)), bias * rng.normal(size=4), padding=(padding, padding))

    norm = BatchNorm(rng.uniform(0.5, 2, 4), bias * rng.normal(size=4))
    return Network(
        (
            convolution(1, 3, 1),
            norm,
            ReLU(),
            Residual((convolution(4, 3, 1), ReLU())),
            AveragePool(2, 2),
            MaxPool(2, 2),
            Flatten(),
            dense(3, 12, rng, bias),
        ),
        n_features=12,
    )


NETWORKS = {"perceptron": perceptron, "convolutional": convolutional}


@pytest.fixture
def reference(reference_values):
    data = np.load(reference_values / "lrp_grad_mlp_ref.npz")
    network = Network.dense([data[f"W{k}"] for k in range(4)], [*(data[f"b{k}"] for k in range(3)), None])
    return network, data


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("ixg", {"rule": "z"}),
        ("lrp_z", {"rule": "z"}),
        ("lrp_z_nobias", {"rule": "z", "bias": "ignore"}),
        ("captum_lrp_eps.25", {"rule": "epsilon", "epsilon": 0.25}),
        ("captum_lrp_eps1e-9", {"rule": "epsilon", "epsilon": 1e-9}),
        ("lrp_a1b0_canonical", {"rule": "alpha1beta0"}),
        ("lrp_a1b0_innvestigate", {"rule": "alpha1beta0", "bias": "innvestigate"}),
        ("lrp_a1b0_ignore", {"rule": "alpha1beta0", "bias": "ignore"}),
        ("lrp_a2b1_canonical", {"rule": "alpha2beta1"}),
        ("deep_taylor", {"rule": "deep_taylor"}),
    ],
)
def test_reference_values(reference, key, options):
    network, data = reference
    np.testing.assert_allclose(layerwise_relevance(network, data["X"], **options), data[key], rtol=0, atol=1e-10)


def test_signed_inputs_are_not_treated_as_captum_does(reference):
    """captum's Alpha1_Beta0_Rule forgets the products of negative inputs with negative weights."""
    network, data = reference
    ours = layerwise_relevance(network, data["X"], "alpha1beta0")
    assert np.abs(ours - data["captum_a1b0"]).max() > 0.1


@pytest.mark.parametrize("kind", NETWORKS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_z_is_input_times_gradient(kind, seed):
    network = NETWORKS[kind](seed)
    X = np.random.default_rng(seed).normal(size=(4, 12))
    ours = layerwise_relevance(network, X, "z", target=1)
    expected = X * network.gradient(X, 1)
    # a pre-activation near zero costs digits
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-10 * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("kind", NETWORKS)
def test_without_bias_relevance_sums_to_the_output(kind):
    X = np.random.default_rng(4).normal(size=(6, 12))
    for network, bias in ((NETWORKS[kind](4), "ignore"), (NETWORKS[kind](4, bias=0.0), "canonical")):
        total = layerwise_relevance(network, X, "z", target=2, bias=bias).sum(axis=1)
        np.testing.assert_allclose(total, network.forward(X)[:, 2], rtol=0, atol=1e-8)


@pytest.mark.parametrize("rule", ["w2", "flat"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_weight_rules_keep_the_sum(kind, rule):
    network = NETWORKS[kind](5)
    X = np.random.default_rng(5).normal(size=(6, 12))
    total = layerwise_relevance(network, X, rule, target=0).sum(axis=1)
    np.testing.assert_allclose(total, network.forward(X)[:, 0], rtol=0, atol=1e-10)


def test_flat_is_flat():
    result = layerwise_relevance(perceptron(), np.random.default_rng(0).normal(size=(3, 12)), "flat", target=0)
    np.testing.assert_allclose(result, result[:, :1] * np.ones(12), rtol=0, atol=1e-13)


def test_w2_of_one_layer():
    W = np.array([[1.0, -2.0, 3.0]])
    result = layerwise_relevance(Network.dense([W], [None]), np.array([[1.0, 1.0, 1.0]]), "w2")
    np.testing.assert_allclose(result, 2.0 * W**2 / 14.0, rtol=0, atol=1e-15)


def test_deep_taylor_is_not_negative_and_zero_below_zero():
    network = perceptron(n_outputs=1)
    X = np.random.default_rng(0).normal(size=(40, 12))
    f = network.forward(X)[:, 0]
    assert (f > 0).any()
    assert (f < 0).any()
    for bias in ("canonical", "ignore", "innvestigate"):
        result = layerwise_relevance(network, X, "deep_taylor", bias=bias)
        np.testing.assert_array_equal(result[f < 0], 0)
        if bias != "innvestigate":  # which lets a negative bias turn the sign of a denominator
            assert result.min() >= 0
    kept = layerwise_relevance(network, X, "deep_taylor", bias="ignore")[f > 0].sum(axis=1)
    assert (kept <= f[f > 0] + 1e-12).all()  # less where w2 gives to a unit that is off, which has nobody to give to
    assert np.isclose(kept, f[f > 0]).any()


@pytest.mark.parametrize("rule", RULES)
def test_a_logit_explains_both_classes(rule):
    """The first class of two is explained as the network of minus the logit would be."""
    rng = np.random.default_rng(0)
    W, b = [rng.normal(size=(6, 12)), rng.normal(size=(1, 6))], [rng.normal(size=6), rng.normal(size=1)]
    X = rng.normal(size=(5, 12))
    network = Network.dense(W, b, classes=["a", "b"])
    minus = Network.dense([W[0], -W[1]], [b[0], -b[1]])
    np.testing.assert_array_equal(layerwise_relevance(network, X, rule, "a"), layerwise_relevance(minus, X, rule))
    predicted = layerwise_relevance(network, X, rule)
    expected = np.where(
        (network.forward(X) > 0), layerwise_relevance(network, X, rule, "b"), layerwise_relevance(network, X, rule, "a")
    )
    np.testing.assert_array_equal(predicted, expected)


@pytest.mark.parametrize("rule", RULES)
def test_a_spectrum_does_not_depend_on_its_batch(rule):
    network = convolutional()
    X = np.random.default_rng(0).normal(size=(5, 12))
    whole = layerwise_relevance(network, X, rule, target=[0, 1, 2, 1, 0])
    np.testing.assert_allclose(layerwise_relevance(network, X[3:4], rule, target=1), whole[3:4], rtol=0, atol=1e-9)


def test_refusals():
    class Square(Layer):
        def forward(self, x):
            return x**2

        def backward(self, x, gradient):
            return 2 * x * gradient

    X = np.ones((1, 12))
    with pytest.raises(AgnsalError, match="'gamma'"):
        layerwise_relevance(perceptron(), X, "gamma")
    with pytest.raises(AgnsalError, match="'captum'"):
        layerwise_relevance(perceptron(), X, bias="captum")
    with pytest.raises(AgnsalError, match="epsilon"):
        layerwise_relevance(perceptron(), X, "epsilon", epsilon=-1)
    network = perceptron()
    with pytest.raises(AgnsalError, match="Square"):
        layerwise_relevance(Network((network.layers[0], Square(), *network.layers[2:])), X)
    with pytest.raises(AgnsalError, match="does not end"):
        layerwise_relevance(Network((*network.layers, ReLU())), X, "deep_taylor")
