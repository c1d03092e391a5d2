"""Removal with retraining: known windows, redundancy, the bridge over gaps."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import agnsal
from agnsal import AgnsalError, Network, remove_and_retrain


def two_sets(n_copies=1):
    """A line in 5 of 60 bins tells the class; or two lines, either of which does."""
    rng = np.random.default_rng(0)
    sets = []
    for _ in range(2):
        y = np.repeat(["a", "b"], 150)
        X = rng.normal(size=(300, 60))
        for copy in range(n_copies):
            X[150:, 10 + 25 * copy : 15 + 25 * copy] += 1.5
        sets.append((X, y))
    return sets


def test_without_the_line_nothing_can_be_learnt():
    training, test = two_sets()
    model = LogisticRegression().fit(*training)
    table = remove_and_retrain(strongest, model, training, test, shares=[0, 1 / 12], regions=5, random_state=0)
    for column in ("kept", "retrained"):
        assert table[column][1] < 0.7
        assert table[f"{column}_random"][1] > 0.85


def strongest(model, spectra):
    """Gradient squared: the same window for every spectrum, so that the mask does not tell the class."""
    made = agnsal.saliency(model, spectra, output="log_odds")
    return agnsal.from_arrays(made.values**2, spectra, made.target, method="squared gradient")


def test_a_second_copy_of_the_line_is_used_instead():
    training, test = two_sets(2)
    model = LogisticRegression().fit(*training)
    table = remove_and_retrain(strongest, model, training, test, shares=[1 / 12], regions=5, random_state=0)
    assert table["retrained"][0] > 0.9


def test_nothing_and_everything_removed_and_equal_bits():
    training, test = two_sets()
    model = LogisticRegression().fit(*training)
    first, second = (
        remove_and_retrain("input_x_gradient", model, training, test, shares=[0, 1], random_state=3) for _ in range(2)
    )
    assert all(np.array_equal(first[name], second[name]) for name in first.colnames)
    assert first["kept"][0] == first["kept_random"][0] == pytest.approx(model.score(*test))
    assert first["retrained"][1] < 0.65


def test_samples_and_refusals():
    sample = agnsal.simulate_agn(30, 30, 0, seed=0).normalize()
    model = agnsal.ProbabilisticSVC("linear", random_state=0).fit(sample)
    table = remove_and_retrain("input_x_gradient", model, sample, sample, shares=[0.5], regions=20, random_state=0)
    assert 0 <= table["retrained"][0] <= 1
    with pytest.raises(AgnsalError, match="shares are from 0 to 1"):
        remove_and_retrain("saliency", model, sample, sample, shares=[2])
    with pytest.raises(AgnsalError, match="there is no method 'tea leaves'"):
        remove_and_retrain("tea leaves", model, sample, sample)
    network = Network.dense([np.ones((2, 60))], [np.zeros(2)], classes=["a", "b"])
    with pytest.raises(AgnsalError, match="cannot be fitted again"):
        remove_and_retrain("saliency", network, *two_sets(), output="decision")
