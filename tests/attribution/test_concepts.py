import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from sklearn.neural_network import MLPClassifier

from agnsal import AgnsalError, Network, ProbabilisticSVC, concept_sensitivity, simulate_agn
from agnsal.attribution.networks.activations import view_layer
from agnsal.figures.style import AGAINST


@pytest.fixture(scope="module")
def sample():
    return simulate_agn(100, 100, 0, seed=1).normalize()


def planted(n=200, d=20, seed=0):
    """Two independent quantities in different features, and features that are noise."""
    random = np.random.default_rng(seed)
    used, unused = random.normal(size=(2, n))
    X = random.normal(size=(n, d))
    X[:, :5] += 2 * used[:, None]
    X[:, 5:10] += 2 * unused[:, None]
    return X, used, unused, random.normal(size=n)


def test_what_is_used_what_is_not_and_what_is_not_known():
    X, used, unused, absent = planted()
    machine = ProbabilisticSVC("linear", C=0.01, random_state=0).fit(X, np.where(used > 0, "up", "down"))
    found = concept_sensitivity(
        machine, X, {"used": used, "unused": unused, "absent": absent}, "up", "decision", random_state=0
    )
    assert found.known.tolist() == [True, True, False]
    assert found.p_values[0] <= 0.02
    assert (found.values[:, 0] > 0).all()
    assert abs(found.values[0, 1]) < 0.2 * found.values[0, 0]
    assert np.isnan(found.values[:, 2]).all()
    assert "not known" in str(found)
    assert found.to_table()["quantity"][0] == "used"
    with pytest.raises(AgnsalError, match="none of absent is known"):
        concept_sensitivity(machine, X, {"absent": absent}, "up")


def test_the_figure_shows_what_was_found():
    """A bar of the mean for what is known, filled where it beats shuffled quantities, and none for the rest."""
    X, used, unused, absent = planted()
    machine = ProbabilisticSVC("linear", C=0.01, random_state=0).fit(X, np.where(used > 0, "up", "down"))
    quantities = {"absent": absent, "unused": unused, "-used": -used}
    found = concept_sensitivity(machine, X, quantities, "up", "decision", random_state=0)
    ax = found.plot()
    assert [label.get_text().split("\n")[0] for label in ax.get_yticklabels()] == ["-used", "unused", "absent"]
    wide = [bar for bar in ax.patches if bar.get_width() and not bar.get_hatch()]
    bars, boxes = (
        {round(bar.get_y() + bar.get_height() / 2): bar for bar in wide if bool(bar.get_alpha()) == grey}
        for grey in (False, True)
    )
    assert set(bars) == set(boxes) == {0, 1}
    assert bars[0].get_width() == pytest.approx(found.values[:, 2].mean())
    assert bars[0].get_facecolor() == (*to_rgb(AGAINST), 1.0)
    for place, k in enumerate((2, 1)):
        filled, left = bars[place].get_facecolor()[3] == 1, abs(bars[place].get_width()) > boxes[place].get_width() / 2
        assert (found.p_values[k] < 0.05) == filled == left
    assert "decision(up)" in ax.get_xlabel()
    plt.close(ax.figure)


def test_a_linear_output_of_a_quantity_has_its_slope():
    """f = 3 q and a direction that raises q by its scatter: the sensitivity is three scatters."""
    random = np.random.default_rng(1)
    q = random.normal(scale=2.0, size=400)
    X = np.stack([q, random.normal(size=400)], axis=1)
    network = Network.dense([[[3.0, 0.0]]], [[0.0]])
    found = concept_sensitivity(network, X, {"q": q}, None, "decision", random_state=0)
    np.testing.assert_allclose(found.values, 3 * q.std(), rtol=1e-3)


def test_the_machine_of_types_uses_the_broad_line(sample):
    machine = ProbabilisticSVC("linear", class_weight="balanced", random_state=0).fit(sample)
    found = concept_sensitivity(machine, sample, target="type 1", random_state=0)
    table = found.to_table()
    broad = table[table["quantity"] == "broad_hbeta_width"][0]
    assert broad["known"]
    assert broad["sensitivity"] > 0
    assert broad["p_value"] <= 0.05
    assert not table[table["quantity"] == "horn_balance"]["known"][0]


def test_layers_of_a_perceptron():
    X, used, unused, absent = planted()
    net = MLPClassifier((16, 8), max_iter=500, random_state=0, alpha=1e-2).fit(X, used > 0)
    network = Network.from_sklearn(net)
    found = concept_sensitivity(
        net, X, {"used": used, "unused": unused, "absent": absent}, True, layer=len(network.layers) - 1, random_state=0
    )
    assert found.known[0]
    assert not found.known[2]
    assert found.p_values[0] <= 0.1
    assert found.values[:, 0].mean() > 0
    # the gradient over a layer is that of what follows
    view, step = view_layer(network, 2), 1e-6
    H = view.activations(X[:3])
    slope = view.gradient(X[:3], True, "decision")
    rest = Network(network.layers[2:], network.classes)
    for unit in range(0, H.shape[1], 5):
        moved = H + step * np.eye(H.shape[1])[unit]
        expected = (rest.forward(moved) - rest.forward(H))[:, 0] / step
        np.testing.assert_allclose(slope[:, unit], expected, atol=1e-5)
    with pytest.raises(AgnsalError, match="layer must be from 1"):
        view_layer(network, 99)
    with pytest.raises(AgnsalError, match="named in torch modules"):
        view_layer(network, "encoder")


@pytest.mark.slow
def test_convolutions_and_encoders():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Encoder(nn.Module):
        """As spender's: convolutions, and a softmax over wavelength that weighs what they see."""

        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv1d(1, 8, 5, padding=2)
            self.latent = nn.Linear(4, 3)

        def forward(self, x):
            h, a = torch.split(torch.tanh(self.convolution(x)), 4, dim=1)
            return self.latent((h * torch.softmax(a, dim=-1)).sum(dim=-1))

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = Encoder(), nn.Linear(3, 2)

        def forward(self, x):
            return self.head(self.encoder(x[:, None, :] if x.ndim == 2 else x))

    torch.manual_seed(0)
    X, used, _, absent = planted()
    plain = nn.Sequential(nn.Conv1d(1, 4, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(80, 2))
    encoder = Classifier()
    x, y = torch.tensor(X, dtype=torch.float32), torch.tensor((used > 0).astype(np.int64))
    for module, layer, inputs in ((plain, "1", x[:, None, :]), (encoder, "encoder", x)):
        optimizer = torch.optim.Adam(module.parameters(), 1e-2)
        for _ in range(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(inputs), y).backward()
            optimizer.step()
        found = concept_sensitivity(
            module, X, {"used": used, "absent": absent}, 1, "decision", layer=layer, random_state=0, n_shuffles=49
        )
        assert found.known.tolist() == [True, False]
        assert found.values[:, 0].mean() > 0
        assert found.p_values[0] <= 0.1 or layer == "encoder"  # three units leave chance much room
    with pytest.raises(AgnsalError, match="no submodule"):
        concept_sensitivity(encoder, X, {"used": used}, 1, "decision", layer="decoder")
    with pytest.raises(AgnsalError, match="raw outputs"):
        concept_sensitivity(encoder, X, {"used": used}, 1, layer="encoder")
    # numbers of layers, where the module converts
    network = Network.from_torch(plain.double(), n_features=20)
    one, two = view_layer(network, 2), view_layer(plain, "1")
    np.testing.assert_allclose(one.activations(X[:2]), two.activations(X[:2]), rtol=1e-9)
    np.testing.assert_allclose(one.gradient(X[:2], 1, "decision"), two.gradient(X[:2], 1, "decision"), rtol=1e-9)


def test_refusals(sample):
    machine = ProbabilisticSVC("linear", random_state=0).fit(sample)
    with pytest.raises(AgnsalError, match="not known; give them"):
        concept_sensitivity(machine, sample.with_flux(sample.flux))
    with pytest.raises(AgnsalError, match="shape"):
        concept_sensitivity(machine, sample, {"q": [1.0, 2.0]})
    with pytest.raises(AgnsalError, match="differ from spectrum to spectrum"):
        concept_sensitivity(machine, sample, {"q": np.ones(len(sample))})
