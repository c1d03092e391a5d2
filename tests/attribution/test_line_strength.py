"""The factors at which a line changes the class are where the class changes, and none is stepped over."""

from types import SimpleNamespace

import numpy as np
import pytest

import agnsal
from agnsal.attribution.counterfactual.line_strength import STRONGEST, changing_factors, without_lines

GRID = agnsal.PERUZZI2021_GRID[:4]
SAMPLE = agnsal.SpectralSample(np.ones((1, 4)), GRID)
CUT = {"Hbeta all": np.zeros((1, 4)), "Hbeta core": np.zeros((1, 4))}


def known_by(margin):
    """A classifier whose log-odds of "b" over "a" is a function of the factor, here the mean flux."""

    def predict_log_proba(X):
        odds = margin(np.asarray(X).mean(axis=1))
        return np.stack([-np.logaddexp(0, odds), odds - np.logaddexp(0, odds)], axis=1)

    return SimpleNamespace(predict_log_proba=predict_log_proba, classes_=np.array(["a", "b"]))


@pytest.mark.parametrize("at", [0.011, 0.27, 0.976, 1.02, 1.523, 2.0, 3.988])
@pytest.mark.parametrize("half_width", [0.001, 0.009])
def test_a_class_that_comes_and_goes_within_one_step_is_found(at, half_width):
    found = changing_factors(known_by(lambda x: 1e3 * (half_width**2 - (x - at) ** 2)), SAMPLE, CUT)
    border = at + half_width * np.sign(1 - at)
    np.testing.assert_allclose(found["factor"], border, atol=1e-9)
    assert set(found["becomes"]) == {"b"}
    assert set(found["part"]) == {"all", "core"}


def test_the_nearest_of_several_changes_is_named():
    wells = (0.3, 0.001), (1.372, 0.002), (2.2, 0.3)
    found = changing_factors(
        known_by(lambda x: np.max([width**2 - (x - at) ** 2 for at, width in wells], axis=0)), SAMPLE, CUT
    )
    np.testing.assert_allclose(found["factor"], 1.370, atol=1e-9)


@pytest.mark.parametrize("margin", [lambda x: -np.cos(20 * x) - 1.01, lambda x: -1.0 + 0 * x, lambda x: x - 4.001])
def test_what_never_changes_has_no_factor(margin):
    assert len(changing_factors(known_by(margin), SAMPLE, CUT)) == 0
    assert STRONGEST == 4.0


def test_factors_of_a_machine_are_where_a_fine_scan_finds_them():
    training = agnsal.simulate_agn(40, 60, 40, seed=0).normalize()
    machine = agnsal.ProbabilisticSVC("rbf", C=30.0, random_state=0).fit(training)
    fine = np.linspace(0, STRONGEST, 4001)
    for i in (0, 45, 110):
        sample = training[[i]]
        without = {name: cut for name, cut in without_lines(sample).items() if name.endswith("all")}
        found = changing_factors(machine, sample, without)
        factors = dict(zip(found["line"], found["factor"], strict=True))
        for name, cut in without.items():
            called = machine.predict(cut + fine[:, None] * (sample.flux - cut))
            other = fine[called != machine.predict(sample)[0]]
            line = name.rsplit(" ", 1)[0]
            assert (line in factors) == bool(other.size)
            if other.size:
                assert factors[line] == pytest.approx(other[np.abs(other - 1).argmin()], abs=0.0011)
