"""Contextual decomposition: its identities, the authors' numbers, and a band that is known to matter."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agnsal import AgnsalError, FourierBands, PCABasis, WavelengthGrid, Wavelet
from agnsal.attribution.networks.decomposition import contextual_decomposition, interaction, transformed_decomposition
from agnsal.attribution.networks.group_tables import decomposition_table, interaction_matrix, line_groups
from agnsal.attribution.networks.splitting import split
from agnsal.models.networks.chain import Residual
from agnsal.models.networks.layers import (
    AveragePool,
    BatchNorm,
    Conv1d,
    Dense,
    Elementwise,
    Flatten,
    Layer,
    Logistic,
    MaxPool,
    ReLU,
    Tanh,
)
from agnsal.models.networks.network import Network

RULES = ["authors", "symmetric"]


def dense(n_out, n_in, rng):
    return Dense(rng.normal(size=(n_out, n_in)), rng.normal(size=n_out))


def convolution(n_out, n_in, size, rng, **options):
    return Conv1d(rng.normal(size=(n_out, n_in, size)), rng.normal(size=n_out), **options)


def networks(seed):
    rng = np.random.default_rng(seed)
    norm = BatchNorm(rng.uniform(0.5, 2, 4), rng.normal(size=4))
    block = Residual((convolution(4, 4, 3, rng, padding=(1, 1)), norm))
    return {
        "relu": Network((dense(7, 16, rng), ReLU(), dense(6, 7, rng), ReLU(), dense(3, 6, rng))),
        "tanh": Network((dense(7, 16, rng), Tanh(), dense(5, 7, rng), Logistic(), dense(3, 5, rng))),
        "residual": Network(
            (
                convolution(4, 1, 3, rng, padding=(1, 1)),
                norm,
                ReLU(),
                block,
                ReLU(),
                AveragePool(2, 2),
                MaxPool(2, 1, 1),
                Flatten(),
                dense(3, 36, rng),
            ),
            n_features=16,
        ),
    }


def case(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(5, 16)), rng.random(16) < rng.random()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["relu", "tanh", "residual"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_parts_sum_to_the_output(kind, rule, seed):
    network = networks(seed)[kind]
    X, mask = case(seed)
    f = network.forward(X)
    relevant, irrelevant = contextual_decomposition(network, X, mask, rule=rule)
    np.testing.assert_allclose(relevant + irrelevant, f, rtol=0, atol=1e-12 * (1 + np.abs(f).max()))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["relu", "tanh", "residual"])
def test_everything_and_nothing(kind, rule):
    network = networks(1)[kind]
    X, _ = case(1)
    whole = contextual_decomposition(network, X, np.ones(16, dtype=bool), rule=rule)
    np.testing.assert_allclose(whole[0], network.forward(X), rtol=0, atol=1e-12)
    np.testing.assert_allclose(whole[1], 0, rtol=0, atol=1e-12)
    nothing = contextual_decomposition(network, X, np.zeros(16, dtype=bool), rule=rule)
    np.testing.assert_allclose(nothing[0], 0, rtol=0, atol=1e-12)


def test_authors_numbers(reference_values):
    data = np.load(reference_values / "cd_mlp_ref.npz")
    network = Network.dense([data[f"W{k}"] for k in range(3)], [data[f"b{k}"] for k in range(3)])
    groups = data["groups"].astype(bool)
    relevant, irrelevant = contextual_decomposition(network, data["X"], groups)
    np.testing.assert_allclose(relevant, data["rel"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(irrelevant, data["irrel"], rtol=0, atol=1e-10)
    for group, expected in zip(groups, data["rel"], strict=True):
        np.testing.assert_allclose(contextual_decomposition(network, data["X"], group)[0], expected, rtol=0, atol=1e-10)
        part = contextual_decomposition(network, data["X"], group * data["X"])[0]
        np.testing.assert_allclose(part, expected, rtol=0, atol=1e-10)


def test_one_linear_layer_by_hand():
    w, b, x = np.array([2.0, -1.0, 3.0]), 0.7, np.array([1.0, 2.0, -1.5])
    mask = np.array([True, True, False])
    inside, outside = (w * x)[mask].sum(), (w * x)[~mask].sum()
    share = abs(inside) / (abs(inside) + abs(outside))
    relevant, irrelevant = contextual_decomposition(Network.dense([w[None]], [[b]]), x[None], mask)
    assert relevant[0, 0] == pytest.approx(inside + b * share, abs=1e-14)
    assert irrelevant[0, 0] == pytest.approx(outside + b * (1 - share), abs=1e-14)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_blocks_do_not_interact(seed):
    """Outputs that are sums of functions of one block each have no interactions, and a block has its own output."""
    rng = np.random.default_rng(seed)
    W0, W1 = np.zeros((6, 8)), np.zeros((2, 6))
    for k in range(2):
        W0[3 * k : 3 * k + 3, 4 * k : 4 * k + 4] = rng.normal(size=(3, 4))
        W1[k, 3 * k : 3 * k + 3] = rng.normal(size=3)
    network = Network.dense([W0, W1], [rng.normal(size=6), np.zeros(2)])
    X = rng.normal(size=(4, 8))
    a, b = np.arange(8) < 4, np.arange(8) >= 4
    for rule in RULES:
        np.testing.assert_allclose(interaction(network, X, a, b, rule=rule), 0, rtol=0, atol=1e-12)
        relevant = contextual_decomposition(network, X, np.stack([a, b]), rule=rule)[0]
        f = network.forward(X)
        np.testing.assert_allclose(relevant[[0, 1], :, [0, 1]].T, f, rtol=0, atol=1e-12)


def test_the_symmetric_rule_sees_inhibition():
    """A group that only inhibits gets nothing by the authors' rule, though the output depends on it."""
    network = Network.dense([[[1.0, -1.0]], [[1.0]]], [[0.0], [0.0]])
    x, inhibiting = np.array([[3.0, 1.0]]), np.array([False, True])
    assert contextual_decomposition(network, x, inhibiting)[0][0, 0] == 0
    assert contextual_decomposition(network, x, inhibiting, rule="symmetric")[0][0, 0] == -0.5
    table = decomposition_table(network, x, {"inhibiting": inhibiting})
    assert (table["contribution"][0], table["occlusion"][0]) == (0.0, -1.0)


def test_symmetric_parts_swap():
    network = networks(3)["relu"]
    X, mask = case(3)
    one = contextual_decomposition(network, X, mask, rule="symmetric")
    other = contextual_decomposition(network, X, ~mask, rule="symmetric")
    np.testing.assert_allclose(one[0], other[1], rtol=0, atol=1e-12)


def test_a_layer_without_a_rule_is_refused_by_name():
    class Softplus(Layer):
        def forward(self, x):
            return np.logaddexp(0, x)

        def backward(self, x, gradient):
            return gradient / (1 + np.exp(-x))

    assert not issubclass(Softplus, Elementwise)
    network = Network((dense(3, 4, np.random.default_rng(0)), Softplus()))
    with pytest.raises(AgnsalError, match="Softplus"):
        contextual_decomposition(network, np.ones((1, 4)), np.ones(4, dtype=bool))
    with pytest.raises(AgnsalError, match="'middle'"):
        split((), np.ones(1), np.ones(1), "middle")


@pytest.mark.parametrize(
    "relevant", [np.ones(16), np.ones(15, dtype=bool), np.ones((4, 16)), np.arange(16), np.ones((2, 3, 4, 5))]
)
def test_what_is_no_group_is_refused(relevant):
    with pytest.raises(AgnsalError, match="boolean mask"):
        contextual_decomposition(networks(0)["relu"], case(0)[0], relevant)


def test_a_matrix_of_overlapping_groups_is_refused():
    network, (X, _) = networks(0)["relu"], case(0)
    with pytest.raises(AgnsalError, match="share bins"):
        interaction_matrix(network, X, {"a": np.ones(16, dtype=bool), "b": np.ones(16, dtype=bool)})


@pytest.mark.parametrize("make", [lambda: FourierBands(4), lambda: Wavelet("db2", level=2), lambda: PCABasis(4)])
def test_coordinates_of_a_transform(make):
    network, (X, _) = networks(0)["relu"], np.random.default_rng(0).normal(size=(2, 9, 16))
    basis = make().fit(X)
    S = basis.forward(X)
    masks = {name: basis.groups == name for name in basis.group_names}
    relevant, irrelevant = transformed_decomposition(network, X, basis, masks)
    np.testing.assert_allclose(relevant + irrelevant, np.broadcast_to(network.forward(X), relevant.shape), atol=1e-11)
    np.testing.assert_allclose(transformed_decomposition(network, X, basis)[0], relevant, rtol=0, atol=1e-12)
    constant = basis.inverse(np.zeros((1, S.shape[1])))
    everything = transformed_decomposition(network, X, basis, np.ones(S.shape[1], dtype=bool))[0]
    expected = contextual_decomposition(network, X, basis.inverse(S) - constant)[0]
    np.testing.assert_allclose(everything, expected, rtol=0, atol=1e-12)
    with pytest.raises(AgnsalError, match="boolean mask"):
        transformed_decomposition(network, X, basis, np.ones(3, dtype=bool))


def test_an_orthogonal_basis_is_the_rotated_network():
    rng = np.random.default_rng(0)
    network, X = networks(0)["relu"], rng.normal(size=(4, 16))
    basis = Wavelet("db2", level=2).fit(X)
    Q = basis.inverse(np.eye(16)).T
    first = network.layers[0]
    rotated = Network((Dense(first.weight @ Q, first.bias), *network.layers[1:]))
    mask = rng.random(16) < 0.5
    ours = transformed_decomposition(network, X, basis, mask)[0]
    np.testing.assert_allclose(ours, contextual_decomposition(rotated, X @ Q, mask)[0], rtol=0, atol=1e-12)


def test_the_band_that_decides_is_found():
    """Singh et al. 2020: the label is the strength of one frequency in 51; CD finds it in all but 1 % of the cases."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_500, 100))
    strength = np.abs(np.fft.rfft(X)[:, 12])
    y = strength > np.median(strength)
    train, test = X[:10_000], X[10_000:]
    perceptron = MLPClassifier(
        (100,), solver="sgd", learning_rate_init=0.1, batch_size=128, max_iter=12, alpha=0, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # twelve epochs, as in the paper
        perceptron.fit(train, y[:10_000])
    assert perceptron.score(test, y[10_000:]) > 0.85
    basis = FourierBands(n_bands=51).fit(train)
    relevant = transformed_decomposition(Network.from_sklearn(perceptron), test, basis)[0][..., 0]
    assert (basis.group_names[relevant.argmax(axis=0)] != "12").mean() <= 0.01


def test_groups_of_lines():
    grid = WavelengthGrid.linear(4700 * u.AA, 5100 * u.AA, 200)
    lines = ["Hbeta", "[O III] 4959", "[O III] 5007"]
    groups = line_groups(grid, lines, split_wings=True)
    assert list(groups) == ["Hbeta core", "Hbeta wings", "[O III] 4959", "[O III] 5007", "rest"]
    np.testing.assert_array_equal(np.sum(list(groups.values()), axis=0), 1)
    assert "rest" not in line_groups(grid, lines, rest=None)
    bluer = WavelengthGrid.linear(4400 * u.AA, 4700 * u.AA, 200)
    assert line_groups(bluer, ["He I 4471", "Fe II 4570"])["He I 4471"].any()
    with pytest.raises(AgnsalError, match="belong to the lines named before"):
        line_groups(bluer, ["Fe II 4570", "He I 4471"])


def test_tables_agree_with_the_functions():
    rng = np.random.default_rng(0)
    network, X = networks(0)["relu"], rng.normal(size=(3, 16))
    groups = {"a": np.arange(16) < 4, "b": (np.arange(16) >= 4) & (np.arange(16) < 9), "c": np.arange(16) >= 9}
    table = decomposition_table(network, X, groups, target=2, ids=["x", "y", "z"])
    assert table["object_id"].tolist() == list("xxxyyyzzz")
    for k, (name, mask) in enumerate(groups.items()):
        rows = table[table["group"] == name]
        np.testing.assert_allclose(
            rows["contribution"], contextual_decomposition(network, X, mask)[0][:, 2], rtol=0, atol=1e-13
        )
        without = network.forward(X * ~mask)[:, 2]
        np.testing.assert_allclose(rows["output"] - rows["occlusion"], without, rtol=0, atol=1e-13)
        matrix = interaction_matrix(network, X, groups, target=2)
        np.testing.assert_allclose(matrix[:, k, k], rows["contribution"], rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        matrix[:, 0, 2], interaction(network, X, groups["a"], groups["c"])[:, 2], rtol=0, atol=1e-13
    )
    np.testing.assert_array_equal(matrix, matrix.transpose(0, 2, 1))
