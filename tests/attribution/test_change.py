"""What made an output change between two epochs."""

import astropy.units as u
import numpy as np
import pytest

from agnsal import AgnsalError, ProbabilisticSVC, SpectralSample, WavelengthGrid, explain_change


@pytest.fixture(scope="module")
def machine():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(120, 8))
    y = np.select([X[:, 0] + X[:, 1] ** 2 > 1.5, X[:, 2] > 0], ["type 1", "type 2"], "intermediate")
    return ProbabilisticSVC(kernel="rbf", gamma=0.1, random_state=0).fit(X, y), X


@pytest.mark.parametrize("output", ["log_odds", "probability", "decision"])
def test_the_change_is_shared_out_whole(machine, output):
    model, X = machine
    change = explain_change(model, X[:20], X[20:40], "type 1", output)
    from agnsal import as_differentiable

    column = model.classes_.tolist().index("type 1")
    before, after = (as_differentiable(model).outputs(each, output)[:, column] for each in (X[:20], X[20:40]))
    np.testing.assert_allclose(change.values.sum(axis=1), after - before, atol=1e-7)


def test_what_did_not_change_gets_nothing(machine):
    model, X = machine
    later = X[:10].copy()
    later[:, 3] += 1
    change = explain_change(model, X[:10], later, "type 1")
    assert (change.values[:, np.arange(8) != 3] == 0).all()


def test_turning_back_changes_the_sign(machine):
    model, X = machine
    there = explain_change(model, X[:10], X[10:20], "type 1").values
    back = explain_change(model, X[10:20], X[:10], "type 1").values
    np.testing.assert_allclose(there, -back, atol=1e-12)


def test_bins_bad_at_either_epoch_are_marked(machine):
    model, X = machine
    grid = WavelengthGrid.linear(4000 * u.AA, 5000 * u.AA, 8)
    masks = np.zeros((2, 1, 8), bool)
    masks[0, 0, 2] = masks[1, 0, 5] = True
    first, second = (SpectralSample(X[[i]], grid, mask=masks[i]) for i in (0, 1))
    assert np.flatnonzero(explain_change(model, first, second).mask[0]).tolist() == [2, 5]
    other = SpectralSample(X[[1]], WavelengthGrid.linear(4000 * u.AA, 5100 * u.AA, 8))
    with pytest.raises(AgnsalError, match="different grids"):
        explain_change(model, first, other)
    with pytest.raises(AgnsalError, match="both"):
        explain_change(model, first, X[[1]])


def test_epochs_come_in_pairs(machine):
    model, X = machine
    with pytest.raises(AgnsalError, match="2 spectra of the first epoch and 3"):
        explain_change(model, X[:2], X[:3])
