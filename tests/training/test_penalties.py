"""Penalties: their gradients, their meaning, and masks for each spectrum."""

import numpy as np
import pytest
from autograd import grad

from agnsal import Network, contextual_decomposition
from agnsal.training.optimization import unpack
from agnsal.training.penalties import PENALTIES, decompose, logits, rrr

SHAPES = [(5, 8), (4, 5), (3, 4)]


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    vector = 0.7 * rng.normal(size=sum(n_out * (n_in + 1) for n_out, n_in in SHAPES))
    return vector, rng.normal(size=(7, 8)), rng.random((7, 8)) < 0.4


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("per_spectrum", [True, False])
def test_gradients_are_central_differences(case, name, per_spectrum):
    vector, X, mask = case
    mask = mask.astype(float) if per_spectrum else mask[0].astype(float)

    def function(v):
        return PENALTIES[name](unpack(v, SHAPES), X, mask)

    gradient = grad(function)(vector)
    h = 1e-6
    numeric = np.array(
        [(function(vector + step) - function(vector - step)) / (2 * h) for step in h * np.eye(vector.size)]
    )
    assert np.abs(gradient).max() > 1e-3
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_mask_for_each_spectrum_is_the_mean_over_spectra(case, name):
    vector, X, mask = case
    layers = unpack(vector, SHAPES)
    whole = PENALTIES[name](layers, X, mask.astype(float))
    single = [PENALTIES[name](layers, X[i : i + 1], mask[i].astype(float)) for i in range(len(X))]
    assert whole == pytest.approx(np.mean(single), abs=1e-13)


@pytest.mark.parametrize("name", ["cdep_l1", "rrr", "occlusion"])
def test_nothing_forbidden_costs_nothing(case, name):
    vector, X, _ = case
    assert PENALTIES[name](unpack(vector, SHAPES), X, np.zeros(8)) == 0


def test_logits_and_parts_are_those_of_the_network(case):
    vector, X, mask = case
    layers = unpack(vector, SHAPES)
    network = Network.dense(*zip(*layers, strict=True))
    np.testing.assert_allclose(logits(layers, X), network.forward(X), rtol=0, atol=1e-13)
    ours = decompose(layers, X, mask.astype(float))
    for part, expected in zip(ours, contextual_decomposition(network, X, mask * X), strict=True):
        np.testing.assert_allclose(part, expected, rtol=0, atol=1e-12)


def test_rrr_is_the_gradient_of_the_log_probabilities(case):
    vector, X, mask = case
    layers = unpack(vector, SHAPES)

    def summed(x):
        f = logits(layers, x)
        return np.sum(f - np.log(np.sum(np.exp(f), axis=1, keepdims=True)))

    h = 1e-6
    numeric = np.empty(X.shape)
    for j in range(8):
        for i in range(7):
            step = np.zeros(X.shape)
            step[i, j] = h
            numeric[i, j] = (summed(X + step) - summed(X - step)) / (2 * h)
    expected = np.sum(mask * numeric**2) / 7
    assert rrr(layers, X, mask.astype(float)) == pytest.approx(expected, rel=1e-6)


def test_the_loophole():
    """A decoy that only inhibits costs nothing by CDEP, all by occlusion: why CDEP alone must not be trusted."""
    layers = [(np.array([[1.0, -1.0]]), np.array([0.0])), (np.array([[1.0], [-1.0]]), np.zeros(2))]
    X, decoy = np.array([[3.0, 2.0]]), np.array([0.0, 1.0])
    assert PENALTIES["cdep_l1"](layers, X, decoy) == 0
    assert PENALTIES["occlusion"](layers, X, decoy) == 2.0


def test_a_bias_that_nothing_reaches_is_halved_in_explaining_and_irrelevant_in_training():
    weight, bias = np.array([[1.0, 2.0]]), np.array([0.6])
    nothing, both = np.zeros((1, 2)), np.array([[1.0, 2.0]])
    mask = np.array([1.0, 0.0])
    network = Network.dense([weight], [bias])
    explained = [contextual_decomposition(network, X, mask.astype(bool))[0] for X in (nothing, both)]
    trained = [decompose([(weight, bias)], X, mask)[0] for X in (nothing, both)]
    np.testing.assert_allclose(explained[0], 0.3)
    np.testing.assert_allclose(trained[0], 0.0)
    np.testing.assert_allclose(explained[1], trained[1], rtol=1e-14)


def test_the_symmetric_penalty_is_the_symmetric_decomposition(case):
    vector, X, _ = case
    layers, mask = unpack(vector, SHAPES), np.arange(8) < 3
    network = Network.dense(*zip(*layers, strict=True))
    expected = contextual_decomposition(network, X, mask, rule="symmetric")
    np.testing.assert_allclose(decompose(layers, X, mask * 1.0, "symmetric"), expected, rtol=1e-10, atol=1e-12)
    assert PENALTIES["cdep_symmetric"](layers, X, mask * 1.0) == pytest.approx(np.abs(expected[0]).mean())
