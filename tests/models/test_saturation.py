"""Probabilities near 0 and 1 keep their digits and their gradients."""

import warnings

import numpy as np
import pytest

from agnsal import AgnsalWarning, ProbabilisticSVC, as_differentiable, saliency, tune


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


def _inverted(n_features=20, seed=0):
    """Equal classes that the folds do not divide, and a machine with next to no freedom: 82 x 20, C = 0.01."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["type 1", "type 2"], 41)
    X = rng.normal(size=(82, n_features))
    X[:, 0] += 2.5 * (y == "type 2")
    return X, y


@pytest.mark.parametrize("seed", range(3))
def test_no_prediction_against_the_machine(seed):
    X, y = _inverted(seed=seed)
    model = ProbabilisticSVC(kernel="linear", C=1e-4, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert (model.sigmoid_a_ < 0).all()
    by_machine = model.classes_[(model.decision_function(X) > 0).astype(int)]
    if caught:
        assert "type 1 / type 2" in str(caught[0].message)
        np.testing.assert_array_equal(model.predict(X), by_machine)
        assert np.abs(model.predict_proba(X) - 0.5).max() < 0.05
    assert np.mean(model.predict(X) == y) > 0.85


def test_a_pair_without_signal_is_named_at_fit_and_in_tune():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(24, 200)), np.repeat(["type 1", "type 2"], 12)
    with pytest.warns(AgnsalWarning, match="type 1 / type 2"):
        model = ProbabilisticSVC(kernel="linear", random_state=0).fit(X, y)
    gradient, decision = (saliency(model, X[:1], "type 1", output).values[0] for output in ("log_odds", "decision"))
    cosine = gradient @ decision / np.linalg.norm(gradient) / np.linalg.norm(decision)
    assert cosine == pytest.approx(1.0)
    with pytest.warns(AgnsalWarning, match="some points of the grid.*type 1 / type 2"):
        tune(X, y, kernels="linear", C=[0.01, 1.0], random_state=0, refit=False)


@pytest.mark.parametrize("gamma", [1e-14, 1e6])
def test_a_dead_kernel_is_told(gamma):
    X, y = _inverted()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ProbabilisticSVC(kernel="rbf", gamma=gamma, random_state=0).fit(X, y)
    told = [str(one.message) for one in caught if "kernel is dead" in str(one.message)]
    assert len(told) == 1
    assert 'gamma="scale"' in told[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ProbabilisticSVC(kernel="rbf", gamma="scale", random_state=0).fit(X, y)  # the advice helps
