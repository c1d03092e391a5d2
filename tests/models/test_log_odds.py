from fractions import Fraction

import numpy as np
import pytest
from autograd import jacobian
from autograd.test_util import check_grads

from agnsal.models.machine.coupling import class_pairs, couple, sigmoid
from agnsal.models.machine.log_odds import _log_couple_many, class_log_odds, log_couple


def exact_log_probabilities(log_odds, n_classes):
    """The optimality system of one row in rational arithmetic."""
    r = [[Fraction(0)] * n_classes for _ in range(n_classes)]
    for value, i, j in zip(log_odds, *class_pairs(n_classes), strict=True):
        e = Fraction(float(np.exp(-abs(value))))
        likely, unlikely = 1 / (1 + e), e / (1 + e)
        r[i][j], r[j][i] = (likely, unlikely) if value > 0 else (unlikely, likely)
    k = n_classes
    rows = []
    for t in range(k):
        quadratic = [sum(r[m][t] ** 2 for m in range(k)) if s == t else -r[s][t] * r[t][s] for s in range(k)]
        rows.append([*quadratic, Fraction(-1), Fraction(0)])
    rows.append([*[Fraction(1)] * k, Fraction(0), Fraction(1)])
    for c in range(k + 1):
        pivot = next(i for i in range(c, k + 1) if rows[i][c] != 0)
        rows[c], rows[pivot] = rows[pivot], rows[c]
        rows[c] = [v / rows[c][c] for v in rows[c]]
        for i in range(k + 1):
            if i != c and rows[i][c] != 0:
                rows[i] = [x - rows[i][c] * y for x, y in zip(rows[i], rows[c], strict=True)]
    return np.log([float(rows[t][-1]) for t in range(k)])


@pytest.mark.parametrize("n_classes", [3, 4, 5])
@pytest.mark.parametrize("scale", [1, 5, 20])
def test_equals_rational_arithmetic(n_classes, scale):
    g = scale * np.random.default_rng(0).normal(size=(8, n_classes * (n_classes - 1) // 2))
    expected = np.array([exact_log_probabilities(row, n_classes) for row in g])
    np.testing.assert_allclose(log_couple(g), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    ("n_classes", "size", "tolerance"), [(2, 300, 1e-12), (3, 200, 1e-12), (4, 5, 1e-6), (5, 5, 1e-6)]
)
def test_consistent_pairs_give_back_their_probabilities_however_small(n_classes, size, tolerance):
    score = size * np.random.default_rng(1).normal(size=(20, n_classes))
    first, second = class_pairs(n_classes)
    expected = score - np.logaddexp.reduce(score, axis=1)[:, None]
    np.testing.assert_allclose(log_couple(score[:, first] - score[:, second]), expected, atol=tolerance * size)


@pytest.mark.parametrize("n_pairs", [1, 3, 6])
def test_is_the_logarithm_of_the_coupled_probability(n_pairs):
    g = np.random.default_rng(0).normal(size=(30, n_pairs))
    p = couple(sigmoid(g))
    np.testing.assert_allclose(np.exp(log_couple(g)), p, rtol=1e-11)
    np.testing.assert_allclose(class_log_odds(g), np.log(p / (1 - p)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_pairs", [1, 3, 6, 10])
@pytest.mark.parametrize("scale", [1, 8])
def test_derivative(n_pairs, scale):
    check_grads(class_log_odds, modes=["rev"], order=1)(scale * np.random.default_rng(0).normal(size=(4, n_pairs)))


def test_closed_form_and_general_solution_agree_for_three_classes():
    g = 4 * np.random.default_rng(5).normal(size=(10, 3))
    np.testing.assert_allclose(_log_couple_many(g), log_couple(g), rtol=1e-9)
    np.testing.assert_allclose(jacobian(_log_couple_many)(g), jacobian(log_couple)(g), atol=1e-9)


def test_slope_does_not_vanish_where_the_probability_saturates():
    g = np.array([[60.0, 70.0, 3.0]])
    assert couple(sigmoid(g))[0, 0] == 1
    assert jacobian(lambda x: class_log_odds(x)[0, 0])(g)[0, 0] > 0.5
