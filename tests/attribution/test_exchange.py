"""To and from other packages; the peers' own objects are tested where they are installed."""

from types import SimpleNamespace

import numpy as np
import pytest

from agnsal import (
    AgnsalError,
    ProbabilisticSVC,
    from_arrays,
    from_shap,
    integrated_gradients,
    simulate_agn,
    to_quantus,
    to_shap,
)


@pytest.fixture(scope="module")
def explained():
    sample = simulate_agn(30, 40, 0, seed=3).normalize()
    model = ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    return model, sample[:5], integrated_gradients(model, sample[:5], "type 1", "decision")


def test_there_and_back_through_shap(explained):
    shap = pytest.importorskip("shap", reason="shap is not installed")
    _model, sample, result = explained
    explanation = to_shap(result)
    assert isinstance(explanation, shap.Explanation)
    assert explanation.feature_names[0] == "3728.91"
    back = from_shap(explanation, result.target, sample=sample)
    np.testing.assert_array_equal(back.values, result.values)
    np.testing.assert_allclose(back.explained, result.explained, rtol=1e-12)
    assert back.grid == sample.grid


def test_from_shap_takes_one_output(explained):
    _model, sample, result = explained
    one = SimpleNamespace(values=result.values, base_values=0.5, data=sample.flux)
    back = from_shap(one, "type 1")
    np.testing.assert_allclose(back.explained, 0.5 + result.values.sum(axis=1), rtol=1e-12)
    several = SimpleNamespace(values=result.values[:, :, None], base_values=0.5, data=sample.flux)
    with pytest.raises(AgnsalError, match=r"explanation\[\.\.\., k\]"):
        from_shap(several, "type 1")


def test_captum_gives_the_same_object():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    captum = pytest.importorskip("captum.attr", reason="captum is not installed")
    from agnsal import saliency

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()
    X = torch.randn(4, 6, dtype=torch.float64)
    theirs = from_arrays(
        captum.Saliency(module).attribute(X.clone().requires_grad_(), target=1, abs=False),
        X,
        1,
        method="captum Saliency",
    )
    ours = saliency(module, X.numpy(), target=1, output="decision")
    np.testing.assert_allclose(theirs.values, ours.values, rtol=1e-10)


def test_arrays_for_quantus(explained):
    model, _sample, result = explained
    arrays = to_quantus(result, model.classes_)
    assert arrays["x_batch"].shape == arrays["a_batch"].shape == (5, 1, 1000)
    assert arrays["y_batch"].tolist() == [0] * 5
    with pytest.raises(AgnsalError, match="type 1 are not among"):
        to_quantus(result, ["a", "b"])


def test_shapes_must_agree(explained):
    _model, sample, result = explained
    with pytest.raises(AgnsalError, match="must agree"):
        from_arrays(result.values[:, :10], sample, "type 1", method="x")
    with pytest.raises(AgnsalError, match="2 targets"):
        from_arrays(result.values, sample, ["a", "b"], method="x")
    with pytest.raises(AgnsalError, match="got shape"):
        from_arrays(result.values[0], sample, "type 1", method="x")
    channel = from_arrays(result.values[:, None, :], sample, "type 1", method="x")
    np.testing.assert_array_equal(channel.values, result.values)
