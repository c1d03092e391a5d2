import numpy as np
import pytest
from autograd import jacobian
from autograd.test_util import check_grads
from sklearn.metrics.pairwise import pairwise_kernels

from agnsal import AgnsalError
from agnsal.models.machine.kernels import KERNEL_NAMES, Kernel, KernelExpansion, single_precision, squared_distances

PARAMETERS = {
    "linear": {},
    "rbf": {"gamma": 0.3},
    "poly": {"gamma": 0.3, "coef0": 0.7, "degree": 3},
    "sigmoid": {"gamma": 0.1, "coef0": -0.2},
}


@pytest.fixture
def matrices():
    rng = np.random.default_rng(1)
    return rng.normal(size=(4, 6)), rng.normal(size=(5, 6))


@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_values_are_those_of_scikit_learn(name, matrices):
    np.testing.assert_allclose(
        Kernel(name, **PARAMETERS[name])(*matrices),
        pairwise_kernels(*matrices, metric=name, **PARAMETERS[name]),
        rtol=1e-12,
    )


@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_first_and_second_derivatives_in_both_arguments(name, matrices):
    check_grads(Kernel(name, **PARAMETERS[name]), modes=["rev"], order=2)(*matrices)


def test_squared_distances_are_never_negative_and_have_derivatives(matrices):
    X, S = matrices
    far = X + 1e6
    assert (squared_distances(far, far) >= 0).all()
    check_grads(squared_distances, modes=["rev"], order=2)(X, S)


@pytest.mark.parametrize("degree", [1, 2, 5, 9, 2.5])
def test_any_degree(degree, matrices):
    X, S = np.abs(matrices[0]), np.abs(matrices[1])
    expected = (0.2 * X @ S.T + 1) ** degree
    np.testing.assert_allclose(Kernel("poly", gamma=0.2, coef0=1.0, degree=degree)(X, S), expected, rtol=1e-12)


@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_expansion_in_blocks_and_in_single_precision(name, matrices, monkeypatch):
    X, S = matrices
    coefficients = np.random.default_rng(2).normal(size=(5, 3))
    expansion = KernelExpansion(Kernel(name, **PARAMETERS[name]), S, coefficients, np.arange(3.0))
    whole = expansion(X)
    monkeypatch.setattr("agnsal.models.machine.kernels.BLOCK", 10)
    np.testing.assert_allclose(expansion.in_blocks(X), whole, rtol=1e-13)
    with single_precision():
        np.testing.assert_allclose(expansion(X), whole, rtol=1e-5, atol=1e-5)
        single = jacobian(expansion)(X)
    np.testing.assert_allclose(single, jacobian(expansion)(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(expansion(X), whole)


def test_unknown_kernel():
    with pytest.raises(AgnsalError, match="one of 'linear', 'poly', 'rbf', 'sigmoid'"):
        Kernel("cosine")
