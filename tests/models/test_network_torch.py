"""Networks from torch modules."""

import numpy as np
import pytest

from agnsal import AgnsalError, as_differentiable
from agnsal.models.networks.network import Network

torch = pytest.importorskip("torch")
nn = torch.nn


class Block(nn.Module):
    """A residual block whose forward is written out."""

    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv1d(channels, channels, 3, padding=1)
        self.second = nn.Conv1d(channels, channels, 3, padding="same", groups=2)

    def forward(self, x):
        return torch.relu(self.second(torch.relu(self.first(x))) + x)


class Whole(nn.Module):
    """A network with blocks, a channel axis and functions."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(1, 4, 5, stride=2)
        self.blocks = nn.Sequential(Block(4), nn.BatchNorm1d(4), Block(4))
        self.head = nn.Linear(4 * 9, 3)

    def forward(self, x):
        x = self.blocks(torch.tanh(self.stem(x.unsqueeze(1))))
        return self.head(torch.flatten(x, 1))


MODULES = {
    "perceptron": lambda: nn.Sequential(nn.Linear(21, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)),
    "convolution": lambda: nn.Sequential(
        nn.Conv1d(1, 4, 3, padding=1, dilation=2),
        nn.BatchNorm1d(4),
        nn.ReLU(),
        nn.MaxPool1d(3, stride=2, padding=1),
        nn.AvgPool1d(2, padding=1),
        nn.Flatten(),
        nn.Linear(24, 6, bias=False),
        nn.Tanh(),
        nn.Linear(6, 3),
    ),
    "pooled": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 21)),
        nn.Conv1d(1, 4, 3),
        nn.Sigmoid(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ),
    "own forward": Whole,
}


@pytest.mark.parametrize("name", MODULES)
def test_outputs_and_gradients_agree(name):
    torch.manual_seed(0)
    module = MODULES[name]().double()
    flat_input = name != "convolution"
    for layer in module.modules():  # statistics of a training
        if isinstance(layer, nn.BatchNorm1d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            nn.init.normal_(layer.weight)
    module.eval()
    network = Network.from_torch(module, n_features=21)
    X = np.random.default_rng(0).normal(size=(6, 21))
    x = torch.tensor(X if flat_input else X[:, None], requires_grad=True)
    y = module(x)
    np.testing.assert_allclose(network.forward(X), y.detach().numpy(), rtol=0, atol=1e-12)
    (gradient,) = torch.autograd.grad(y[:, 1].sum(), x)
    np.testing.assert_allclose(network.gradient(X, 1), gradient.numpy().reshape(6, 21), rtol=0, atol=1e-12)


def test_a_module_is_explained_directly():
    model = as_differentiable(MODULES["perceptron"]())
    assert model.gradient(np.zeros((2, 21)), 1, "decision").shape == (2, 21)


def test_the_training_flag_is_untouched():
    module = MODULES["perceptron"]().train()
    Network.from_torch(module)
    assert module.training


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.GELU(), "GELU"),
        (nn.Softmax(dim=1), "Softmax"),
        (nn.LSTM(8, 8), "LSTM"),
        (nn.MaxPool1d(2, ceil_mode=True), "MaxPool1d"),
        (nn.Conv1d(1, 2, 3, padding_mode="circular", padding=1), "circular"),
        (nn.BatchNorm1d(8, track_running_stats=False), "statistics"),
    ],
)
def test_unknown_layers_are_refused_by_name(layer, name):
    with pytest.raises(AgnsalError, match=name):
        Network.from_torch(nn.Sequential(nn.Linear(21, 8), layer))


def test_unknown_operations_are_refused_by_name():
    class Product(nn.Module):
        def forward(self, x):
            return x * x

    class Decides(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(AgnsalError, match="'mul'"):
        Network.from_torch(Product())
    with pytest.raises(AgnsalError, match="cannot be followed"):
        Network.from_torch(Decides())
