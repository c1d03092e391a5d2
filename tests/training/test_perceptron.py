"""A perceptron that must not look at the sky: the demonstration of the decoy, remade."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from agnsal import AgnsalError, as_differentiable, saliency
from agnsal.training.perceptron import ExplanationRegularizedMLP
from agnsal.training.reliance import reliance, transplant

SKY = (np.arange(100) >= 70) & (np.arange(100) < 75)


def decoy_study(n, seed, sky="as in training"):
    """A weak line at bin 30, and a residual of the sky in bins 70 to 74 that gives the class away in training."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    X = rng.normal(size=(n, 100)) + 0.85 * (y[:, None] - 0.5) * np.exp(-0.5 * ((np.arange(100) - 30) / 2) ** 2)
    sign = {"as in training": 2 * y - 1, "flipped": 1 - 2 * y, "none": 0 * y}[sky]
    X[:, SKY] += 1.5 * sign[:, None]
    return X, np.array(["type 1", "type 2"])[y]


@pytest.fixture(scope="module")
def trained():
    X, y = decoy_study(4000, 0)
    make = ExplanationRegularizedMLP((32, 16), random_state=0)
    return {
        "none": clone(make).fit(X, y),
        "cdep": clone(make).set_params(penalty="cdep_l1", strength=1.0).fit(X, y, SKY),
        "rrr": clone(make).set_params(penalty="rrr", strength=100.0).fit(X, y, SKY),
        "occlusion": clone(make).set_params(penalty="occlusion", strength=1.0).fit(X, y, SKY),
    }


@parametrize_with_checks(
    [ExplanationRegularizedMLP(max_epochs=40), ExplanationRegularizedMLP((8,), early_stopping=True)]
)
def test_scikit_learn_rules(estimator, check):
    check(estimator)


def test_without_a_penalty_the_decoy_is_everything(trained):
    assert trained["none"].score(*decoy_study(4000, 1)) > 0.99
    assert trained["none"].score(*decoy_study(4000, 2, "flipped")) <= 0.05


@pytest.mark.parametrize("penalty", ["occlusion", "rrr"])
def test_the_cure(trained, penalty):
    for sky in ("as in training", "flipped", "none"):
        assert trained[penalty].score(*decoy_study(4000, 3, sky)) >= 0.70


def test_cdep_is_satisfied_while_the_decoy_is_used(trained):
    """The contribution by CD is gone, the accuracy with flipped sky is too, and occlusion says so."""
    X, y = decoy_study(2000, 4)
    table = reliance(trained, X, y, SKY)
    row = {
        name: dict(zip(table.colnames, values, strict=True)) for name, values in zip(table["name"], table, strict=True)
    }
    assert row["cdep"]["flipped"] <= 0.2
    assert row["cdep"]["contribution"] < 0.05 * row["none"]["contribution"]
    assert row["cdep"]["occlusion"] > 0.5
    assert row["cdep"]["occlusion"] > 20 * row["cdep"]["contribution"]
    for cured in ("rrr", "occlusion"):
        assert row[cured]["flipped"] >= 0.70
        assert row[cured]["shuffled"] == pytest.approx(row[cured]["as_is"], abs=0.03)
    assert row["none"]["flipped"] <= 0.05


def test_the_map_shows_the_decoy_and_the_cure(trained):
    X, _ = decoy_study(200, 5)
    share = {}
    for name in ("none", "occlusion"):
        values = np.abs(saliency(trained[name], X, target="type 2", output="log_odds").values).mean(axis=0)
        share[name] = values[SKY].sum() / values.sum()
    assert share["none"] > 0.2
    assert share["occlusion"] < 0.05


def test_equal_seeds_give_equal_bits():
    X, y = decoy_study(300, 0)
    make = ExplanationRegularizedMLP((6,), penalty="cdep_softmax", max_epochs=3, random_state=5)
    one, other = clone(make).fit(X, y, SKY), clone(make).fit(X, y, SKY)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert len(one.loss_curve_) == len(one.penalty_curve_) == one.n_epochs_ == 3


def test_a_mask_for_each_spectrum():
    """A decoy that moves from spectrum to spectrum, as the sky does in the rest frame."""
    rng = np.random.default_rng(0)
    n = 2000
    y = rng.integers(2, size=n)
    X = rng.normal(size=(n, 40))
    X[:, :4] += 0.8 * (2 * y[:, None] - 1)
    place = rng.integers(20, 35, size=n)
    masks = (np.arange(40) >= place[:, None]) & (np.arange(40) < place[:, None] + 3)
    X[masks] += np.repeat(3.0 * (2 * y - 1), 3)
    make = ExplanationRegularizedMLP((16,), batch_size=64, random_state=0)
    models = {
        "none": clone(make).fit(X[:1500], y[:1500]),
        "cured": clone(make).set_params(penalty="occlusion", strength=3.0).fit(X[:1500], y[:1500], masks[:1500]),
    }
    table = reliance(models, X[1500:], y[1500:], masks[1500:])
    assert table["flipped"][0] < 0.5
    assert table["flipped"][1] > 0.8


def test_early_stopping_keeps_the_best():
    X, y = decoy_study(600, 0)
    model = ExplanationRegularizedMLP((32,), early_stopping=True, patience=3, max_epochs=200, random_state=0).fit(X, y)
    assert model.n_epochs_ < 200
    assert int(np.argmin(model.validation_curve_)) == model.n_epochs_ - 4


def test_in_a_pipeline_and_explained():
    X, y = decoy_study(400, 0)
    pipeline = make_pipeline(
        StandardScaler(), ExplanationRegularizedMLP((8,), penalty="rrr", max_epochs=3, random_state=0)
    )
    pipeline.fit(X, y, explanationregularizedmlp__mask=SKY)
    np.testing.assert_allclose(as_differentiable(pipeline).outputs(X), pipeline.predict_proba(X), rtol=0, atol=1e-12)
    three = ExplanationRegularizedMLP((8,), max_epochs=3, random_state=0).fit(X, np.digitize(X[:, 0], [-0.4, 0.4]))
    np.testing.assert_allclose(as_differentiable(three).outputs(X), three.predict_proba(X), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(as_differentiable(three).baseline_mean, X.mean(axis=0))


@pytest.mark.parametrize(
    ("options", "mask", "message"),
    [
        ({"penalty": "lasso"}, SKY, "'lasso'"),
        ({"penalty": "rrr"}, None, "what must not count"),
        ({}, SKY, "penalty is None"),
        ({"penalty": "rrr"}, SKY[:99], r"of shape \(100,\)"),
        ({"penalty": "rrr"}, SKY.astype(float), "boolean"),
        ({"max_epochs": 0}, None, "max_epochs"),
        ({"strength": -1.0}, None, "strength"),
        ({"learning_rate": 0}, None, "learning_rate"),
        ({"hidden_layer_sizes": (0,)}, None, "hidden_layer_sizes"),
        ({"validation_fraction": 1.0}, None, "validation_fraction"),
        ({"learning_rate": 1e300}, None, "diverged"),
    ],
)
def test_refusals(options, mask, message):
    X, y = decoy_study(50, 0)
    with pytest.raises(AgnsalError, match=message), np.errstate(all="ignore"):
        ExplanationRegularizedMLP(**{"max_epochs": 5, **options}).fit(X, y, mask)


def test_transplanted_flux_fits_masks_of_other_widths():
    X = np.arange(12.0).reshape(2, 6)
    masks = np.array([[True, True, True, False, False, False], [False, False, False, False, True, True]])
    result = transplant(X, masks, np.array([1, 0]))
    np.testing.assert_allclose(result[0, :3], [10.0, 10.5, 11.0])
    np.testing.assert_allclose(result[1, 4:], [0.0, 2.0])
    with pytest.raises(AgnsalError, match="mask"):
        reliance({}, X, ["a", "b"], np.ones(5, dtype=bool))
    with pytest.raises(AgnsalError, match="two classes"):
        reliance({}, X, ["a", "a"], masks)
