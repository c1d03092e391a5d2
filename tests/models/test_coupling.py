import autograd.numpy as anp
import numpy as np
import pytest
from autograd import jacobian
from autograd.test_util import check_grads
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from scipy.special import expit

from agnsal import AgnsalError
from agnsal.models.machine.coupling import (
    class_pairs,
    couple_iterated,
    fit_sigmoid,
    n_classes_of,
    pair_probabilities,
    pair_signs,
    sigmoid,
)
from agnsal.models.machine.log_odds import log_couple

N_PAIRS = [1, 3, 6, 10]
pair_rows = st.sampled_from(N_PAIRS).flatmap(lambda m: arrays(float, (3, m), elements=st.floats(1e-7, 1 - 1e-7)))


def couple(r):
    """Probabilities from pair probabilities."""
    return anp.exp(log_couple(anp.log(r) - anp.log1p(-r)))


def solved(r):
    """The optimality system [[Q, 1], [1', 0]] of Wu, Lin & Weng, solved as it stands."""
    n_classes = n_classes_of(r.shape[1])
    first, second = class_pairs(n_classes)
    R = np.zeros((len(r), n_classes, n_classes))
    R[:, first, second], R[:, second, first] = r, 1 - r
    M = np.ones((len(r), n_classes + 1, n_classes + 1))
    M[:, :-1, :-1] = -R * R.swapaxes(1, 2)
    diagonal = np.arange(n_classes)
    M[:, diagonal, diagonal] = (R**2).sum(axis=1)
    M[:, -1, -1] = 0
    return np.linalg.solve(M, np.eye(n_classes + 1)[:, -1:])[:, :-1, 0]


def criterion(p, r):
    """Wu, Lin & Weng's second criterion, by its definition."""
    first, second = class_pairs(p.shape[1])
    return ((((1 - r) * p[:, first]) - r * p[:, second]) ** 2).sum(axis=1)


@given(pair_rows)
def test_probabilities_are_a_distribution_and_minimise_the_criterion(r):
    p = couple(r)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert (p >= 0).all()
    rng = np.random.default_rng(0)
    for _ in range(5):
        other = 0.9 * p + 0.1 * rng.dirichlet(np.ones(p.shape[1]), size=len(p))
        assert (criterion(other, r) >= criterion(p, r) - 1e-12).all()


@pytest.mark.parametrize("n_classes", [2, 3, 4, 6])
def test_consistent_pairs_give_back_their_probabilities(n_classes):
    p = np.random.default_rng(n_classes).dirichlet(np.ones(n_classes), size=50)
    first, second = class_pairs(n_classes)
    np.testing.assert_allclose(couple(p[:, first] / (p[:, first] + p[:, second])), p, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("n_pairs", N_PAIRS)
def test_equals_the_linear_solution(n_pairs):
    r = np.random.default_rng(0).uniform(1e-7, 1 - 1e-7, size=(500, n_pairs))
    np.testing.assert_allclose(couple(r), solved(r), atol=1e-13)


@pytest.mark.parametrize("n_pairs", N_PAIRS)
def test_implicit_derivative(n_pairs):
    r = np.random.default_rng(0).uniform(0.05, 0.95, size=(6, n_pairs))
    check_grads(couple, modes=["rev"], order=1)(r)
    slopes = jacobian(couple)(r)
    np.testing.assert_allclose(slopes.sum(axis=1), 0, atol=1e-12)
    # rows do not know each other
    assert slopes[0, :, 1:].any() == np.False_


def test_relabelling_classes_permutes_probabilities():
    rng = np.random.default_rng(3)
    r = rng.uniform(size=(20, 6))
    order = rng.permutation(4)
    R = np.zeros((20, 4, 4))
    first, second = class_pairs(4)
    R[:, first, second], R[:, second, first] = r, 1 - r
    np.testing.assert_allclose(couple(R[:, order][:, :, order][:, first, second]), couple(r)[:, order], atol=1e-13)


@pytest.mark.parametrize("n_pairs", N_PAIRS)
def test_iterated_coupling_is_within_its_tolerance_of_the_exact(n_pairs):
    r = np.random.default_rng(0).uniform(0.001, 0.999, size=(3000, n_pairs))
    difference = np.abs(couple_iterated(r) - couple(r)).max()
    assert 1e-8 < difference < 6e-3


def test_iterated_coupling_is_flat_near_one_half():
    r = np.array([[0.4951], [0.5], [0.5049]])
    np.testing.assert_array_equal(couple_iterated(r), np.full((3, 2), 0.5))
    assert couple_iterated(np.array([[0.506]]))[0, 0] > 0.505


def test_sigmoid_is_the_maximum_of_the_likelihood():
    rng = np.random.default_rng(0)
    f, weight = rng.normal(size=200), rng.uniform(0.5, 2, size=200)
    positive = rng.uniform(size=200) < expit(2 * f - 0.5)
    a, b = fit_sigmoid(f, positive, weight)
    n_p, n_n = weight[positive].sum(), weight[~positive].sum()
    t = np.where(positive, (n_p + 1) / (n_p + 2), 1 / (n_n + 2))

    def loss(ab):
        p = expit(-(ab[0] * f + ab[1]))
        return -(weight * (t * np.log(p) + (1 - t) * np.log1p(-p))).sum()

    np.testing.assert_allclose([a, b], minimize(loss, [0, 0], tol=1e-10).x, rtol=1e-4, atol=1e-4)


def test_sigmoid_of_weights_is_that_of_repeated_values():
    f = np.array([-1.5, -0.5, 0.2, 0.9, 1.4])
    positive = np.array([False, True, False, True, True])
    times = np.array([1, 3, 2, 1, 2])
    repeated = fit_sigmoid(np.repeat(f, times), np.repeat(positive, times))
    np.testing.assert_allclose(fit_sigmoid(f, positive, times), repeated, rtol=1e-8)


@pytest.mark.parametrize("positive", [[True] * 4, [False] * 4])
def test_sigmoid_of_one_class_is_finite(positive):
    assert np.isfinite(fit_sigmoid([-1.0, 0.0, 1.0, 2.0], positive)).all()


def test_sigmoid_function_has_no_cancellation_and_pair_probabilities_are_clipped():
    np.testing.assert_allclose(sigmoid(np.array([-700.0])), np.exp(-700.0), rtol=1e-12)
    np.testing.assert_array_equal(pair_probabilities(np.array([[-90.0, 90.0]])), [[1e-7, 1 - 1e-7]])
    check_grads(sigmoid, modes=["rev"], order=2)(np.array([-3.0, 0.1, 2.0]))


def test_pairs_and_signs():
    assert [n_classes_of(m) for m in N_PAIRS] == [2, 3, 4, 5]
    np.testing.assert_array_equal(pair_signs(4).sum(axis=1), 0)
    with pytest.raises(AgnsalError, match="not the pairs"):
        n_classes_of(4)
