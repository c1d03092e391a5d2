"""Conformal sets: coverage holds whatever the classifier, by class, and says what it rests on."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

import agnsal
from agnsal import AgnsalError, prediction_sets

SAMPLE = agnsal.simulate_agn(200, 300, 160, seed=0).normalize()
rng = np.random.default_rng(0)
ORDER = rng.permutation(len(SAMPLE))
TRAINING, CALIBRATION, NEW = (SAMPLE[rows] for rows in np.split(ORDER, [250, 480]))
MODEL = agnsal.ProbabilisticSVC("linear", C=0.07, class_weight="balanced", random_state=0).fit(TRAINING)


def test_p_values_are_by_their_definition():
    sets = prediction_sets(MODEL, CALIBRATION, None, NEW)
    own, new = MODEL.predict_proba(CALIBRATION), MODEL.predict_proba(NEW)
    for k, name in enumerate(MODEL.classes_):
        score = 1 - own[CALIBRATION.labels == name, k]
        expected = [(1 + np.sum(score >= 1 - p)) / (score.size + 1) for p in new[:, k]]
        assert_allclose(sets.p_values[:, k], expected)
    assert_array_equal(sets.sets, sets.p_values > 0.1 + 1e-12)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_every_class_is_covered(level):
    """Not below the level by more than chance explains at one in a thousand."""
    table = prediction_sets(MODEL, CALIBRATION, None, NEW, level).coverage(NEW.labels)
    for row in table[:-1]:
        spread = 3.1 * np.sqrt(level * (1 - level) * (1 / row["n"] + 1 / np.sum(CALIBRATION.labels == row["class"])))
        assert row["coverage"] > level - spread, row["class"]
        assert row["low"] <= row["coverage"] <= row["high"]


def test_coverage_holds_for_a_classifier_that_knows_nothing():
    """Over many draws, of scores without any relation to the classes."""

    class Guess:
        classes_ = np.array(["a", "b"])

        def predict_proba(self, X):
            p = 1 / (1 + np.exp(-np.asarray(X)[:, 0]))
            return np.stack([p, 1 - p], axis=1)

    covered = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        X, y = random.normal(size=(120, 2)), random.choice(["a", "b"], 120, p=[0.2, 0.8])
        sets = prediction_sets(Guess(), X[:100], y[:100], X[100:])
        truth = np.asarray(y[100:])[:, None] == sets.classes_
        covered.append((sets.sets & truth).any(axis=1))
    total = np.concatenate(covered)
    assert total.mean() > 0.9 - 3 / np.sqrt(total.size)


def test_all_together_covers_all_together():
    table = prediction_sets(MODEL, CALIBRATION, None, NEW, by_class=False).coverage(NEW.labels)
    assert binom.cdf(table[-1]["coverage"] * table[-1]["n"], table[-1]["n"], 0.85) > 1e-3


def test_the_training_sample_calibrates_with_folds():
    sets = prediction_sets(MODEL, TRAINING, None, NEW, cv=5, random_state=0)
    assert "0.8" in sets.guarantee
    assert sets.coverage(NEW.labels)[-1]["coverage"] > 0.85
    naive = prediction_sets(MODEL, TRAINING, None, NEW)
    assert naive.sets.sum() < sets.sets.sum(), "on what it has learnt a machine is too sure"


def test_folds_hold_every_class_or_say_what_they_need():
    """A class that no copy has seen cannot be judged by copies; columns stand in the order of the model."""
    without = TRAINING[TRAINING.labels != "type 1"]
    with pytest.raises(AgnsalError, match="no spectrum of type 1"):
        prediction_sets(MODEL, without, None, NEW, cv=5)
    few = np.concatenate([np.flatnonzero(TRAINING.labels == "type 1")[:3], np.flatnonzero(TRAINING.labels != "type 1")])
    for cv in (5, 1, 2.0, True):
        with pytest.raises(AgnsalError, match="whole number from 2 to 3, the spectra of type 1"):
            prediction_sets(MODEL, TRAINING[few], None, NEW, cv=cv)
    logistic = LogisticRegression(C=0.01, max_iter=1000).fit(TRAINING.flux, TRAINING.labels)
    assert len(prediction_sets(logistic, TRAINING[few], None, NEW, cv=3, random_state=0)) == len(NEW)
    with pytest.raises(AgnsalError, match="one spectrum of type 1 only"):
        prediction_sets(MODEL, TRAINING[few[2:]], None, NEW, cv=2)
    own = prediction_sets(logistic, TRAINING, None, NEW, cv=3, random_state=0)
    for name in ("classes_", "coef_", "intercept_"):
        setattr(logistic, name, getattr(logistic, name)[::-1])
    again = prediction_sets(logistic, TRAINING, None, NEW, cv=3, random_state=0)
    assert_allclose(again.p_values[:, ::-1], own.p_values)


def test_few_calibration_spectra_exclude_no_class():
    of_type_1 = CALIBRATION.labels == "type 1"
    rows = np.concatenate([np.flatnonzero(~of_type_1), np.flatnonzero(of_type_1)[:5]])
    sets = prediction_sets(MODEL, CALIBRATION[rows], None, NEW, 0.9)
    assert sets.always == ["type 1"]
    assert sets.sets[:, MODEL.classes_.tolist().index("type 1")].all()
    assert "type 1 is in every set" in str(sets)


def test_crepes_agrees():
    crepes = pytest.importorskip("crepes")
    own, new = MODEL.predict_proba(CALIBRATION), MODEL.predict_proba(NEW)
    codes = np.searchsorted(MODEL.classes_, CALIBRATION.labels)
    sets = prediction_sets(MODEL, CALIBRATION, None, NEW)
    for k in range(3):
        peer = crepes.ConformalClassifier().fit(1 - own[codes == k, k])
        p = peer.predict_p((1 - new[:, k])[:, None], smoothing=False)
        assert_allclose(sets.p_values[:, k], p[:, 0])


def test_tables_and_words():
    familiarity = agnsal.Familiarity().fit(TRAINING)
    odd = NEW[:4].with_flux(NEW.flux[:4] * np.linspace(1, 30, 1000))
    with pytest.warns(agnsal.AgnsalWarning, match="nothing is guaranteed"):
        sets = prediction_sets(MODEL, CALIBRATION, None, odd, familiarity=familiarity)
    assert sets.unfamiliar.any()
    assert "nothing is guaranteed" in str(sets)
    table = prediction_sets(MODEL, CALIBRATION, None, NEW, level=0.98).to_table()
    several = table[table["size"] > 1]
    assert len(several)
    assert " or " in several["set"][0]
    assert several["set"][0].split(" or ")[0] == MODEL.predict(NEW)[table["size"] > 1][0]


def test_as_many_strangers_as_chance_gives_are_named_and_no_alarm():
    familiarity = agnsal.Familiarity().fit(TRAINING)
    strange = familiarity.flag(NEW)
    assert strange.any()
    few = NEW[np.concatenate([np.flatnonzero(~strange)[:99], np.flatnonzero(strange)[:1]])]
    sets = prediction_sets(MODEL, CALIBRATION, None, few, familiarity=familiarity)
    assert sets.unfamiliar.sum() == 1


def test_the_figure_counts_sets_by_true_class():
    sets = prediction_sets(MODEL, CALIBRATION, None, NEW, 0.95)
    ax = sets.plot(NEW.labels)
    total = sum(bar.get_width() for bars in ax.containers for bar in bars)
    assert total == len(NEW)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[0] == "intermediate"
    row = names.index("intermediate or type 2")
    members = sets.sets & ~np.array([False, True, False])
    assert sum(bars[row].get_width() for bars in ax.containers) == (members.sum(axis=1) == 2).sum()
    held = dict(sets.coverage(NEW.labels)["class", "coverage"].iterrows())
    assert f"type 1 ({held['type 1']:.2f} held)" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert sets.plot().get_legend() is None
    with pytest.raises(agnsal.AgnsalError, match="one for each"):
        sets.plot(NEW.labels[:3])


def test_ambiguity_is_between_the_two_likeliest_members():
    sets = prediction_sets(MODEL, CALIBRATION, None, NEW, 0.95)
    rows = np.flatnonzero(sets.sets.sum(axis=1) > 1)
    attribution = sets.ambiguity(MODEL, NEW)
    assert_array_equal(attribution.ids, NEW.ids[rows])
    first, second = sets.members(int(rows[0]))[:2]
    expected = agnsal.saliency(MODEL, NEW[rows[:1]], target=(first, second), output="pairwise")
    assert_allclose(attribution.values[0], expected.values[0])


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: prediction_sets(MODEL, CALIBRATION, None, NEW, 90), "between 0 and 1"),
        (lambda: prediction_sets(MODEL, CALIBRATION.flux, np.repeat("star", len(CALIBRATION)), NEW), "no classes"),
        (lambda: prediction_sets(MODEL, CALIBRATION, None, NEW).coverage(["type 1"]), "one for each"),
        (lambda: prediction_sets(MODEL, CALIBRATION, None, NEW).ambiguity(MODEL, NEW[:3]), "one for each"),
        (
            lambda: prediction_sets(MODEL, CALIBRATION, None, NEW.flux, familiarity=agnsal.Familiarity().fit(TRAINING)),
            "a matter of lines",
        ),
    ],
)
def test_refusals(call, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        call()
