from fractions import Fraction

import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
from autograd import jacobian, make_vjp
from autograd.scipy.special import logsumexp
from autograd.test_util import check_grads

from agnsal import ProbabilisticSVC, as_differentiable
from agnsal.models.machine.coupling import class_pairs, couple_iterated, sigmoid
from agnsal.models.machine.elimination import LOG_ZERO, eliminated
from agnsal.models.machine.log_odds import class_log_odds, log_couple


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
    ("n_classes", "size", "tolerance"),
    [(2, 300, 1e-12), (3, 200, 1e-12), (4, 200, 1e-12), (5, 200, 1e-12), (9, 200, 1e-12)],
)
def test_consistent_pairs_give_back_their_probabilities_however_small(n_classes, size, tolerance):
    # of few binary digits, so that the pairs agree exactly: at such margins rounding is a contradiction that counts
    score = np.round(size * np.random.default_rng(1).normal(size=(20, n_classes)))
    first, second = class_pairs(n_classes)
    expected = score - np.logaddexp.reduce(score, axis=1)[:, None]
    np.testing.assert_allclose(log_couple(score[:, first] - score[:, second]), expected, atol=tolerance * size)


@pytest.mark.parametrize("n_pairs", [1, 3, 6])
def test_is_the_logarithm_of_the_coupled_probability(n_pairs):
    g = np.random.default_rng(0).normal(size=(30, n_pairs))
    p = np.exp(log_couple(g))
    np.testing.assert_allclose(p, couple_iterated(sigmoid(g)), atol=6e-3)
    np.testing.assert_allclose(class_log_odds(g), np.log(p / (1 - p)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_pairs", [1, 3, 6, 10])
@pytest.mark.parametrize("scale", [1, 8])
def test_derivative(n_pairs, scale):
    check_grads(class_log_odds, modes=["rev"], order=1)(scale * np.random.default_rng(0).normal(size=(4, n_pairs)))


def test_closed_form_and_general_solution_agree_for_three_classes():
    def general(g):
        log_p = eliminated(g)
        return log_p - logsumexp(log_p, axis=1, keepdims=True)

    g = 4 * np.random.default_rng(5).normal(size=(10, 3))
    np.testing.assert_allclose(general(g), log_couple(g), rtol=1e-12)
    np.testing.assert_allclose(jacobian(general)(g), jacobian(log_couple)(g), atol=1e-12)


def test_slope_does_not_vanish_where_the_probability_saturates():
    g = np.array([[60.0, 70.0, 3.0]])
    assert np.exp(log_couple(g))[0, 0] == 1
    assert jacobian(lambda x: class_log_odds(x)[0, 0])(g)[0, 0] > 0.5


def exact_log_odds(g, n_classes):
    """Log-odds of each class from the optimality system of one row, with digits enough for any cancellation."""
    with mpmath.workdps(40 + int(1.5 * n_classes * np.abs(g).max())):
        r = mpmath.zeros(n_classes)
        for value, i, j in zip(g, *class_pairs(n_classes), strict=True):
            r[i, j], r[j, i] = (1 / (1 + mpmath.exp(sign * mpmath.mpf(float(value)))) for sign in (-1, 1))
        M = mpmath.ones(n_classes + 1)
        for i in range(n_classes):
            for j in range(n_classes):
                M[i, j] = -r[i, j] * r[j, i]
            M[i, i] = sum(r[m, i] ** 2 for m in range(n_classes))
        M[n_classes, n_classes] = 0
        right = mpmath.zeros(n_classes + 1, 1)
        right[n_classes] = 1
        p = list(mpmath.lu_solve(M, right))[:-1]
        return [mpmath.log(p[c] / sum(p[:c] + p[c + 1 :])) for c in range(n_classes)]


@pytest.mark.parametrize(("n_classes", "scales"), [(4, (0.1, 8, 40, 200)), (6, (1, 30)), (10, (1, 25))])
def test_log_odds_and_slopes_equal_those_of_many_digits(n_classes, scales):
    random = np.random.default_rng(n_classes)
    for scale in scales:
        g = scale * random.normal(size=n_classes * (n_classes - 1) // 2)
        exact = np.array(exact_log_odds(g, n_classes), dtype=float)
        np.testing.assert_allclose(class_log_odds(g[None])[0], exact, rtol=1e-12, atol=1e-13 * max(1, scale))
        pair, step = random.integers(g.size), 2.0**-12
        ends = [np.array(exact_log_odds(g + side * step * np.eye(g.size)[pair], n_classes)) for side in (-1, 1)]
        slope = np.array((ends[1] - ends[0]) / (2 * step), dtype=float)
        np.testing.assert_allclose(jacobian(class_log_odds)(g[None])[0, :, 0, pair], slope, atol=1e-7)


def test_contradictions_of_rounding_count_where_they_should():
    score = 200 * np.random.default_rng(1).normal(size=(20, 4))[19]
    first, second = class_pairs(4)
    g = score[first] - score[second]
    np.testing.assert_allclose(class_log_odds(g[None])[0], np.array(exact_log_odds(g, 4), dtype=float), rtol=1e-12)


def test_wide_margins_of_four_classes():
    """Log-odds were wrong by 5 here, and slopes 1e15 where 1 is right."""
    g = np.array([[48.0, -44.0, -54.0, -78.0, -90.0, -1.0]])
    np.testing.assert_allclose(class_log_odds(g)[0], np.array(exact_log_odds(g[0], 4), dtype=float), rtol=1e-13)
    assert np.abs(jacobian(class_log_odds)(g)).max() < 2


def test_one_bad_row_does_not_spoil_a_batch():
    """Pairs that agree exactly make the system singular, and such a row once stopped all others."""
    good = 3 * np.random.default_rng(0).normal(size=(5, 6))
    scores = np.array([[0.0, 1000.0, 2000.0, 3000.0]])
    first, second = class_pairs(4)
    singular, broken = scores[:, first] - scores[:, second], np.full((1, 6), np.nan)
    batch = np.concatenate([good[:2], singular, broken, good[2:]])
    kept = [0, 1, 4, 5, 6]
    with np.errstate(invalid="ignore"):  # of the broken row
        coupled = log_couple(batch)
        pull_back, values = make_vjp(class_log_odds)(batch)
        slopes = pull_back(np.ones_like(values))
    np.testing.assert_allclose(coupled[kept], log_couple(good), rtol=1e-14)
    np.testing.assert_allclose(coupled[2], scores[0] - 3000, atol=1e-12)
    np.testing.assert_allclose(slopes[kept], make_vjp(class_log_odds)(good)[0](np.ones((5, 4))), rtol=1e-12, atol=1e-14)
    assert np.isfinite(slopes[2]).all()


def test_gradient_of_bright_spectra_stays_bounded(blobs):
    """Spectra twenty times as bright had gradients of 1e8 where a few are right."""
    X, y = blobs(5)
    model = as_differentiable(ProbabilisticSVC(kernel="linear", C=10.0, random_state=0).fit(X, y))
    steepest = np.abs(model.gradient(X, model.classes_[0], "log_odds")).max()
    slopes = [np.abs(model.gradient(20 * X, label, "log_odds")).max() for label in model.classes_]
    assert max(slopes) < 20 * steepest


def traced_elimination(g):
    """The elimination written for autograd: slow, and the reference for the derivative by hand."""
    n_classes, n = round((1 + np.sqrt(1 + 8 * g.shape[1])) / 2), len(g)
    first, second = class_pairs(n_classes)
    spread = np.zeros((first.size, n_classes, n_classes))
    spread[np.arange(first.size), first, second], spread[np.arange(first.size), second, first] = 1.0, -1.0
    g = anp.reshape(anp.dot(g, anp.reshape(spread, (first.size, -1))), (-1, n_classes, n_classes))
    stiffness = -anp.logaddexp(0.0, g) - anp.logaddexp(0.0, -g)
    weight, pull = np.full((n, n_classes), LOG_ZERO), np.zeros((n, n_classes))
    eliminated = []
    for t in range(n_classes - 1, 0, -1):
        at, odds = stiffness[:, :t, t], g[:, :t, t]
        everything = anp.concatenate([weight[:, t:], at + odds], axis=1)
        omega = logsumexp(everything, axis=1, keepdims=True)
        eliminated.append((pull[:, t:] - omega, at - omega))
        pull = anp.logaddexp(pull[:, :t], at - omega + pull[:, t:])
        weight = anp.logaddexp(weight[:, :t], at - odds + weight[:, t:] - omega)
        new = at[:, :, None] + at[:, None, :] - omega[:, :, None]
        stiffness, g, contradiction = traced_springs(
            stiffness[:, :t, :t], g[:, :t, :t], new, odds[:, :, None] - odds[:, None, :]
        )
        weight = anp.logaddexp(weight, logsumexp(contradiction, axis=2))
    log_p, nu = np.zeros((n, 1)), weight - pull
    for own, others in reversed(eliminated):
        log_p = anp.concatenate(
            [log_p, logsumexp(anp.concatenate([nu + own, others + log_p], axis=1), axis=1, keepdims=True)], axis=1
        )
    return log_p


def traced_springs(s, g, s_new, g_new):
    total, difference = anp.logaddexp(s, s_new), g_new - g
    share, rest = s_new - total, s - total
    # log((1 - c) + c exp(difference)), exactly 0 where the two agree
    small = anp.abs(difference) < 1.0
    near = anp.log1p(anp.exp(share) * anp.expm1(anp.where(small, difference, 0.0)))
    lean = anp.where(small, near, anp.logaddexp(rest, share + difference))
    back = anp.swapaxes(lean, 1, 2)
    joined = g + 0.5 * (lean - back)
    apart = difference != 0
    sinh = anp.where(apart, anp.sinh(0.5 * anp.where(apart, difference, 1.0)), 1.0)
    squared = anp.where(apart, 2 * anp.log(2 * anp.abs(sinh)), LOG_ZERO)
    size = s + s_new + squared - anp.logaddexp(total + 0.5 * (lean + back), total)
    return total, joined, size - joined


@pytest.mark.parametrize("n_classes", [3, 4, 7])
@pytest.mark.parametrize("scale", [0.3, 3, 60])
def test_the_derivative_by_hand_is_that_of_autograd(n_classes, scale):
    rng = np.random.default_rng(n_classes)
    g = scale * rng.normal(size=(5, n_classes * (n_classes - 1) // 2))
    weights = rng.normal(size=(5, n_classes))
    by_hand, values = make_vjp(eliminated)(g)
    traced, expected = make_vjp(traced_elimination)(g)
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(by_hand(weights), traced(weights), rtol=1e-9, atol=1e-10)


def test_slopes_of_probabilities_at_wide_margins_keep_their_digits():
    """Against many digits: also the slopes of probabilities of 1e-60."""
    g = np.array([40.0, 80.0, 130.0, 41.0, 92.0, 50.0])
    slopes = jacobian(class_log_odds)(g[None])[0, :, 0]
    for pair in range(6):
        step = 2.0**-12 * np.eye(6)[pair]
        ends = [np.array(exact_log_odds(g + side * step, 4)) for side in (-1, 1)]
        exact = np.array((ends[1] - ends[0]) / 2.0**-11, dtype=float)
        np.testing.assert_allclose(slopes[:, pair], exact, atol=1e-7)
