"""Away from home: nothing moves where nothing differs, and a shift is found by its line, its size and its remedy."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import agnsal
from agnsal import AgnsalError, check_transfer

TRAINING = agnsal.simulate_agn(70, 70, 0, seed=0).normalize()
OTHER = agnsal.simulate_agn(50, 50, 0, seed=1).normalize()
MODEL = agnsal.ProbabilisticSVC("linear", C=0.07, class_weight="balanced", random_state=0).fit(TRAINING)


def unlabelled(sample):
    bare = sample[np.arange(len(sample))]
    bare.table.remove_column("label")
    return bare


def shifted(sample, line="Hbeta", height=2.0):
    """Every spectrum with a broad bump on one line."""
    at = agnsal.find_line(line).wavelength
    bump = height * np.exp(-0.5 * ((sample.wavelength.value - getattr(at, "value", at)) / 25) ** 2)
    return sample.with_flux(sample.flux + bump)


@pytest.fixture(scope="module")
def moved():
    return check_transfer(MODEL, TRAINING, shifted(OTHER), random_state=0)


def test_more_of_the_same_is_at_home():
    report = check_transfer(MODEL, TRAINING, OTHER, random_state=0)
    everything = report.classes[-1]
    assert everything["n"] == 100
    assert abs(everything["away"] - everything["home"]) < 0.08
    assert 0.35 < report.apart < 0.65
    assert everything["unfamiliar"] < 0.1
    assert np.abs(report.moved["shift"]).max() < 1


def test_a_shift_is_found_by_its_line(moved):
    first = moved.moved[moved.moved["class"] == "type 2"][0]
    assert first["line"] == "Hbeta"
    assert first["shift"] > 1
    assert first["effect"] < 0  # a broad line speaks against type 2
    assert moved.apart > 0.9


def test_labels_from_there_are_the_remedy(moved):
    accuracy = dict(zip(moved.remedies["remedy"], moved.remedies["accuracy"], strict=True))
    assert accuracy["as it is"] < 0.7
    assert accuracy["20 added"] > accuracy["as it is"] + 0.15
    assert accuracy["half of the others alone"] > 0.9
    effective = dict(zip(moved.remedies["remedy"], moved.remedies["effective"], strict=True))
    assert effective["re-weighted"] < len(TRAINING) < effective["20 added"] == len(TRAINING) + 20


def test_the_departure_is_the_first_order_change_of_a_linear_output(moved):
    """Summed over all bins it is the gradient times the whole departure from the mean of the class."""
    other = shifted(OTHER)
    some = other[other.labels == "type 2"]
    gradient = agnsal.saliency(MODEL, some, target="type 2", output="log_odds").values
    away = np.where(some.mask, 0.0, some.flux - TRAINING.flux[TRAINING.labels == "type 2"].mean(axis=0))
    row = list(moved.departure.target).index("type 2")
    np.testing.assert_allclose(moved.departure.values[row].sum(), (gradient * away).sum(axis=1).mean())


def test_without_labels_scores_and_familiarity_remain(moved):
    report = check_transfer(MODEL, TRAINING, unlabelled(shifted(OTHER)), random_state=0)
    assert np.isnan(report.classes["away"]).all()
    assert list(report.remedies["remedy"]) == ["as it is", "re-weighted"]
    assert report.apart == moved.apart
    assert "no labels" in str(report)


def test_what_has_no_gradient_has_no_effect():
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier().fit(TRAINING.flux, TRAINING.labels)  # takes no weights either
    report = check_transfer(model, TRAINING, OTHER, random_state=0, n_added=[10])
    assert report.departure is None
    assert np.isnan(report.moved["effect"]).all()
    with pytest.raises(AgnsalError, match="no gradient"):
        report.plot("type 1")


def test_it_is_printed_and_drawn(moved):
    words = str(moved)
    assert "AUC" in words
    assert "20 added" in words
    _, ax = plt.subplots()
    assert moved.plot("type 2", ax=ax) is ax
    with pytest.raises(AgnsalError, match="no other spectrum is of class 'quasar'"):
        moved.plot("quasar")
    plt.close("all")


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(AgnsalError, match="no labels: what the model has learnt"):
        check_transfer(MODEL, unlabelled(TRAINING), OTHER)
    with pytest.raises(AgnsalError, match="the other spectra are on"):
        check_transfer(MODEL, TRAINING, OTHER[:, :500])
    strange = OTHER[np.arange(len(OTHER))]
    strange.table["label"] = "LINER"
    with pytest.raises(AgnsalError, match="LINER are no classes of the model"):
        check_transfer(MODEL, TRAINING, strange)


def test_a_handful_of_others_is_no_training_sample():
    few = OTHER[np.r_[0:6, 50:56]]
    report = check_transfer(MODEL, TRAINING, few, random_state=0)
    assert "half of the others alone" not in report.remedies["remedy"]
    assert report.classes[-1]["n"] == 12
