"""DeepLift: completeness, what it is for linear and one-sided networks, and captum."""

import warnings

import numpy as np
import pytest

import agnsal
from agnsal import AgnsalError, Network
from agnsal.models.networks.chain import Residual
from agnsal.models.networks.layers import AveragePool, Conv1d, Dense, Flatten, MaxPool, ReLU, Tanh

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 24))


def dense(n_out, n_in):
    return Dense(RNG.normal(size=(n_out, n_in)) / np.sqrt(n_in), 0.3 * RNG.normal(size=n_out))


def convolutions(pool, n_in):
    first = Conv1d(RNG.normal(size=(4, 1, 5)), RNG.normal(size=4), padding=(2, 2))
    second = Conv1d(RNG.normal(size=(3, 4, 3)), RNG.normal(size=3))
    return Network((first, ReLU(), pool, second, Tanh(), AveragePool(2), Flatten(), dense(3, n_in)), n_features=24)


NETWORKS = {
    "relu": Network((dense(12, 24), ReLU(), dense(9, 12), ReLU(), dense(3, 9))),
    "tanh": Network((dense(12, 24), Tanh(), dense(3, 12))),
    "one logit": Network((dense(12, 24), ReLU(), dense(1, 12)), classes=["a", "b"]),
    "convolutions": convolutions(AveragePool(2), 15),
    "maxima": convolutions(MaxPool(2), 15),
    "maxima first": Network((MaxPool(2), Flatten(), dense(8, 12), Tanh(), dense(3, 8)), n_features=24),
    "overlapping windows": convolutions(MaxPool(3, 2), 12),
    "residual": Network((Residual((dense(24, 24), ReLU(), dense(24, 24))), ReLU(), dense(3, 24))),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("baseline", ["zero", "mean", "other spectra"])
def test_shares_sum_to_the_change_of_the_output(name, baseline):
    network = NETWORKS[name]
    start = RNG.normal(size=X.shape) if baseline == "other spectra" else baseline
    target = "a" if network.classes is not None else 1
    made = agnsal.deep_lift(network, X, target, baseline=start)
    model = agnsal.as_differentiable(network)
    of = {"zero": np.zeros((1, 24)), "mean": X.mean(axis=0)[None]}.get(baseline, start)
    column = model.classes_.tolist().index(target)
    change = (model.outputs(X, "decision") - model.outputs(of, "decision"))[:, column]
    np.testing.assert_allclose(made.values.sum(axis=1), change, atol=1e-10)
    assert np.abs(made.residual).max() < 1e-10


def test_of_a_linear_network_it_is_weight_times_change():
    network = Network((dense(5, 24), dense(2, 5)))
    made = agnsal.deep_lift(network, X, 1, baseline=X[0])
    weight = network.layers[1].weight[1] @ network.layers[0].weight
    np.testing.assert_allclose(made.values, weight * (X - X[0]), atol=1e-13)


def test_without_biases_and_from_zero_it_is_input_times_gradient():
    network = Network.dense([layer.weight for layer in NETWORKS["relu"].layers[::2]], [None] * 3)
    expected = agnsal.layerwise_relevance(network, X, "z", 2)
    np.testing.assert_allclose(agnsal.deep_lift(network, X, 2).values, expected, atol=1e-12)


def test_what_does_not_change_gets_nothing_and_no_slope_is_infinite():
    start = X.copy()
    start[:, :12] += 1e-13 * RNG.normal(size=(6, 12))  # rounding
    for network in NETWORKS.values():
        made = agnsal.deep_lift(network, X, "a" if network.classes is not None else 0, baseline=start)
        assert np.abs(made.values).max() < 1e-11


def test_it_sees_what_a_saturated_gradient_misses():
    """The example of the paper: 1 - ReLU(1 - i1 - i2) is flat where both inputs are 1."""
    network = Network.dense([[[-1.0, -1.0]], [[-1.0]]], [[1.0], [1.0]])
    spectrum = np.ones((1, 2))
    assert not agnsal.saliency(network, spectrum, None, "decision").values.any()
    np.testing.assert_allclose(agnsal.deep_lift(network, spectrum, None).values, [[0.5, 0.5]])


def test_refusals():
    with pytest.raises(AgnsalError, match="explain the raw output"):
        agnsal.deep_lift(NETWORKS["relu"], X, 1, "probability")
    with pytest.raises(AgnsalError):
        agnsal.deep_lift(NETWORKS["relu"], X, 1, baseline=np.zeros(5))


@pytest.mark.parametrize("name", ["relu", "tanh", "convolutions", "maxima first"])
def test_equals_captum(name):
    """Whose shares do not sum to the change where a maximum follows a ReLU: those are in the test of the sum."""
    torch, attr = pytest.importorskip("torch"), pytest.importorskip("captum.attr")

    def tensor(array):
        return torch.nn.Parameter(torch.from_numpy(np.array(array)))

    modules = []
    for layer in NETWORKS[name].layers:
        if isinstance(layer, Dense):
            module = torch.nn.Linear(*layer.weight.shape[::-1])
        elif isinstance(layer, Conv1d):
            module = torch.nn.Conv1d(
                layer.weight.shape[1], len(layer.weight), layer.weight.shape[2], padding=layer.padding[0]
            )
        else:
            kinds = {ReLU: torch.nn.ReLU, Tanh: torch.nn.Tanh, Flatten: torch.nn.Flatten}
            pools = {MaxPool: torch.nn.MaxPool1d, AveragePool: torch.nn.AvgPool1d}
            kind = type(layer)
            module = pools[kind](layer.size, layer.stride) if kind in pools else kinds[kind]()
        if hasattr(module, "weight"):
            module.weight, module.bias = tensor(layer.weight), tensor(layer.bias)
        modules.append(module)
    start = RNG.normal(size=X.shape)
    shape = (6, 1, 24) if NETWORKS[name].spatial else (6, 24)
    given = [torch.from_numpy(a.copy()).reshape(shape) for a in (X, start)]
    with warnings.catch_warnings():  # it announces that it sets hooks
        warnings.simplefilter("ignore")
        theirs = attr.DeepLift(torch.nn.Sequential(*modules)).attribute(given[0].requires_grad_(), given[1], target=1)
    ours = agnsal.deep_lift(NETWORKS[name], X, 1, baseline=start).values
    np.testing.assert_allclose(ours, theirs.detach().numpy().reshape(6, 24), atol=1e-10)
