import numpy as np
import pytest
from autograd import jacobian
from numpy.testing import assert_allclose, assert_array_equal

from agnsal import AgnsalError, as_differentiable
from agnsal.models.adapters.torch import differentiable_module

torch = pytest.importorskip("torch", reason="torch is not installed")
nn = torch.nn


@pytest.fixture(name="X")
def spectra():
    return np.random.default_rng(0).normal(size=(5, 12))


def dense(n_outputs):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, n_outputs)).double()


def convolutional():
    torch.manual_seed(0)
    head = [nn.Conv1d(1, 3, 5, padding=2), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(18, 3)]
    return nn.Sequential(*head).double()


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_raw_outputs_and_gradients(n_outputs, X, central_differences):
    module = dense(n_outputs)
    model = as_differentiable(module)
    assert model.kinds == ("decision",)
    assert model.classes_.tolist() == list(range(n_outputs))
    with torch.no_grad():
        expected = module.eval()(torch.as_tensor(X)).numpy()
    assert_allclose(model.outputs(X, "decision"), expected)
    for target in range(n_outputs):
        expected = central_differences(lambda X, t=target: model.outputs(X, "decision")[:, t], X)
        assert_allclose(model.gradient(X, target, "decision"), expected, rtol=1e-6, atol=1e-9)
    assert_allclose(jacobian(lambda X: model.outputs(X, "decision"))(X)[1, 0, 1], model.gradient(X, 0, "decision")[1])


def test_classes_make_probabilities(X, central_differences):
    model = differentiable_module(dense(3), classes=["a", "b", "c"])
    p = model.outputs(X)
    assert_allclose(p, torch.softmax(torch.as_tensor(model.outputs(X, "decision")), 1).numpy())
    assert_array_equal(model.predict(X), np.array(["a", "b", "c"])[p.argmax(axis=1)])
    expected = central_differences(lambda X: model.outputs(X)[:, 1], X)
    assert_allclose(model.gradient(X, "b"), expected, rtol=1e-6, atol=1e-9)
    single = differentiable_module(dense(1), classes=["a", "b"])
    assert_allclose(single.outputs(X).sum(axis=1), 1)
    assert_array_equal(single.predict(X) == "b", single.outputs(X)[:, 1] > 0.5)


def test_convolutions_get_one_channel(X, central_differences):
    with pytest.raises(AgnsalError, match="n_features="):
        as_differentiable(convolutional())
    model = differentiable_module(convolutional(), n_features=12, classes=[0, 1, 2])
    expected = central_differences(lambda X: model.outputs(X, "log_odds")[:, 1], X)
    assert_allclose(model.gradient(X, 1, "log_odds"), expected, rtol=1e-5, atol=1e-8)


def test_mode_and_precision_of_the_module_stay(X):
    module = dense(3).float().train()
    model = as_differentiable(module)
    assert_array_equal(model.outputs(X, "decision"), model.outputs(X, "decision"))
    assert module.training
    assert_allclose(model.gradient(X, 1, "decision"), as_differentiable(dense(3)).gradient(X, 1, "decision"), atol=1e-5)


def test_refusals():
    with pytest.raises(AgnsalError, match="ends in Softmax"):
        differentiable_module(nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1)), classes=[0, 1])
    with pytest.raises(AgnsalError, match="2 classes for 3 outputs"):
        differentiable_module(dense(3), classes=[0, 1])
    with pytest.raises(AgnsalError, match="shape"):
        differentiable_module(nn.Sequential(nn.Linear(3, 4), nn.Unflatten(1, (2, 2))))
