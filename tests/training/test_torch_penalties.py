"""The penalties for torch modules agree with those for perceptrons and with the decomposition of networks."""

import numpy as np
import pytest

from agnsal import AgnsalError, Network, contextual_decomposition
from agnsal.training import penalties

torch = pytest.importorskip("torch")
nn = torch.nn

from agnsal.training import torch_penalties  # noqa: E402


@pytest.fixture
def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(9, 6), nn.ReLU(), nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 3))).double()


@pytest.fixture
def convolution():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Unflatten(1, (1, 9)),
        nn.Conv1d(1, 4, 3, padding=1),
        nn.BatchNorm1d(4),
        nn.ReLU(),
        nn.MaxPool1d(3, stride=2, padding=1),
        nn.AvgPool1d(2),
        nn.Flatten(),
        nn.Linear(8, 5),
        nn.Tanh(),
        nn.Linear(5, 3, bias=False),
    ).double()
    module(torch.randn(20, 9, dtype=torch.float64))  # statistics
    return module


def case():
    rng = np.random.default_rng(0)
    return rng.normal(size=(7, 9)), (rng.random((7, 9)) < 0.4).astype(float)


@pytest.mark.parametrize("kind", ["perceptron", "convolution"])
def test_parts_are_those_of_the_network(kind, request):
    module = request.getfixturevalue(kind)
    X, mask = case()
    ours = torch_penalties.decompose(module, torch.tensor(X), torch.tensor(mask))
    for part, expected in zip(ours, contextual_decomposition(Network.from_torch(module), X, mask * X), strict=True):
        np.testing.assert_allclose(part.detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_values_and_gradients_are_those_of_autograd(name, perceptron):
    from autograd import grad

    perceptron.eval()
    X, mask = case()
    value = torch_penalties.PENALTIES[name](perceptron, torch.tensor(X), torch.tensor(mask))
    value.backward()
    layers = [(layer.weight, layer.bias) for layer in (perceptron[0], perceptron[2][1])]
    arrays = [(w.detach().numpy(), b.detach().numpy()) for w, b in layers]
    assert value.item() == pytest.approx(penalties.PENALTIES[name](arrays, X, mask), abs=1e-13)
    gradient = grad(lambda parameters: penalties.PENALTIES[name](parameters, X, mask))(arrays)
    for (weight, bias), (expected_weight, expected_bias) in zip(layers, gradient, strict=True):
        np.testing.assert_allclose(weight.grad.numpy(), expected_weight, rtol=0, atol=1e-12)
        np.testing.assert_allclose(0 if bias.grad is None else bias.grad.numpy(), expected_bias, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_training_flags_and_statistics_are_untouched(name, convolution):
    X, mask = map(torch.tensor, case())
    convolution.eval()
    convolution[2].train()
    convolution[2].momentum = 0.0
    flags = [module.training for module in convolution.modules()]
    before = convolution[2].running_mean.clone()
    torch_penalties.PENALTIES[name](convolution, X, mask).backward()
    assert [module.training for module in convolution.modules()] == flags
    torch.testing.assert_close(convolution[2].running_mean, before)


def test_refusals(perceptron):
    X, mask = map(torch.tensor, case())
    with pytest.raises(AgnsalError, match="GELU"):
        torch_penalties.cdep_l1(nn.Sequential(perceptron, nn.GELU()), X, mask)
    with pytest.raises(AgnsalError, match="got float"):
        torch_penalties.cdep_l1(1.0, X, mask)
