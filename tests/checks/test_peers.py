import numpy as np
import pytest

import agnsal
from agnsal.checks.benchmarks.methods import Explanation, methods_for
from agnsal.checks.benchmarks.peers import peers_for
from agnsal.models.networks.network import Network


@pytest.fixture
def asked():
    rng = np.random.default_rng(0)
    network = Network.dense(
        [rng.normal(size=(12, 6)), rng.normal(size=(2, 12))], [rng.normal(size=12), rng.normal(size=2)]
    )
    return Explanation(network, rng.normal(size=(5, 6)), 1, "decision", baseline="zero")


def test_captum_integrates_as_we_do(asked):
    pytest.importorskip("captum")
    peers = peers_for(asked.model)
    ours = agnsal.integrated_gradients(*asked.question, baseline="zero", n_steps=2000, rule="midpoint").values
    np.testing.assert_allclose(peers["captum IntegratedGradients"](asked), ours, atol=0.05)
    total = asked.model.forward(asked.matrix) - asked.model.forward(np.zeros((1, 6)))
    np.testing.assert_allclose(peers["captum DeepLift"](asked).sum(axis=1), total[:, 1], atol=1e-9)


def test_shap_adds_up_as_we_do(asked):
    pytest.importorskip("shap")
    found = peers_for(asked.model)["shap Permutation"](asked)
    np.testing.assert_allclose(
        found.sum(axis=1), methods_for(asked.model)["Shapley values"](asked).sum(axis=1), atol=1e-6
    )


def test_peers_are_offered_only_where_they_are_installed(asked):
    import importlib.util

    names = set(peers_for(asked.model))
    assert ("shap Permutation" in names) == (importlib.util.find_spec("shap") is not None)
    assert {name for name in names if name.startswith("captum")} == (
        {"captum IntegratedGradients", "captum DeepLift"} if importlib.util.find_spec("captum") else set()
    )
