"""What a newcomer tries first works, or the message says how."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

import agnsal


@pytest.fixture(scope="module")
def sample():
    return agnsal.simulate_agn(30, 40, 0, seed=1).normalize()


@pytest.fixture(scope="module")
def forest(sample):
    return RandomForestClassifier(20, random_state=0).fit(sample.flux, sample.labels)


def test_occlusion_of_a_bare_function(sample):
    weights = np.linspace(-1, 1, len(sample.grid))
    result = agnsal.occlusion(lambda X: X @ weights, sample[:2], baseline="zero")
    np.testing.assert_allclose(result.values, weights * sample.flux[:2], atol=1e-12)


def test_occlusion_of_a_function_with_a_column_for_each_class(sample, forest):
    with pytest.raises(agnsal.AgnsalError, match="target must be one of"):
        agnsal.occlusion(forest.predict_proba, sample[:2], regions=100, baseline="zero")
    result = agnsal.occlusion(forest.predict_proba, sample[:2], 0, regions=100, baseline="zero")
    expected = agnsal.occlusion(forest, sample[:2], "type 1", regions=100, baseline="zero")
    np.testing.assert_allclose(result.values, expected.values)


def test_suspicious_labels_of_anything_with_probabilities(sample, forest):
    labels = sample.labels.copy()
    labels[3] = "type 2"
    table = agnsal.suspicious_labels(forest, sample, labels, n=3)
    assert table["row"][0] == 3
    assert table["line"][0] in agnsal.line_table()["name"]
    assert set(table["part"]) <= {"core", "wings", "continuum"}
    machine = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    assert agnsal.suspicious_labels(machine, sample, labels, n=3)["row"][0] == 3


def test_a_network_cannot_be_fitted_again_and_the_other_checks_are_done(sample):
    random = np.random.default_rng(0)
    shapes = [(8, 1000), (2, 8)]
    weights = [random.normal(size=shape) / np.sqrt(shape[1]) for shape in shapes]
    network = agnsal.Network.dense(weights, [np.zeros(8), np.zeros(2)], classes=["type 1", "type 2"])
    report = agnsal.check(agnsal.saliency(network, sample[:6], output="log_odds"), network, sample[:6], training=sample)
    assert report["refits"].verdict == report["randomised labels"].verdict == "not done"
    assert "cannot be fitted again" in report["refits"].words
    assert report["reproduction"].verdict == "pass"


@pytest.mark.parametrize("activation", ["LeakyReLU", "GELU", "ELU", "SiLU"])
def test_layers_that_network_does_not_know_go_by_torchs_own_derivative(sample, activation):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(1000, 4), getattr(torch.nn, activation)(), torch.nn.Linear(4, 2)
    ).double()
    with pytest.raises(agnsal.AgnsalError, match='output="decision"'):
        agnsal.saliency(module, sample[:2])
    result = agnsal.saliency(module, sample[:2], target=1, output="decision")
    step = 1e-5 * np.eye(1000)[:3]
    for number in range(3):
        up, down = (
            module(torch.as_tensor(sample.flux[:2] + sign * step[number]))[:, 1].detach().numpy() for sign in (1, -1)
        )
        np.testing.assert_allclose(result.values[:, number], (up - down) / 2e-5, atol=1e-8)
    ablated = agnsal.line_ablation(module, sample[:2], 1, "decision", lines=["Hbeta"])
    assert np.isfinite(ablated["change"]).all()
