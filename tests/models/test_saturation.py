"""Probabilities near 0 and 1 keep their digits and their gradients."""

import numpy as np
import pytest

from agnsal import ProbabilisticSVC, as_differentiable, saliency


@pytest.fixture(scope="module", params=[2, 3, 4])
def machine(request):
    rng = np.random.default_rng(0)
    centres = 12 * np.eye(request.param, 5)
    X = np.concatenate([rng.normal(size=(40, 5)) + centre for centre in centres])
    y = np.repeat(np.arange(request.param), 40)
    return ProbabilisticSVC(kernel="linear", random_state=0).fit(X, y), X, y


def test_far_from_the_boundary_the_gradient_is_small_but_not_zero(machine):
    """libsvm clips pair probabilities at 1e-7, where the gradient is exactly zero: half of a clean sample is mute."""
    model, X, y = machine
    far = X + 5 * (X - X.mean(axis=0))
    p = model.predict_proba(far)
    assert p[np.arange(len(y)), y].min() > 1 - 1e-6
    probability, log_odds = (saliency(model, far, y, output).values for output in ("probability", "log_odds"))
    assert (np.abs(probability).max(axis=1) > 0).all()
    odds = as_differentiable(model).outputs(far, "log_odds")[np.arange(len(y)), y]
    slope = np.exp(-np.logaddexp(0, odds) - np.logaddexp(0, -odds))
    np.testing.assert_allclose(probability, slope[:, None] * log_odds, rtol=1e-6, atol=slope.max() * 1e-9)


def test_small_probabilities_keep_their_digits(machine):
    model, X, _y = machine
    far = X + 8 * (X - X.mean(axis=0))
    log_p = model.predict_log_proba(far)
    assert np.isfinite(log_p).all()
    assert log_p.min() < np.log(1e-9)
    np.testing.assert_array_equal(model.predict_proba(far), np.exp(log_p))
    np.testing.assert_allclose(model.predict_proba(far).sum(axis=1), 1, rtol=1e-13)
