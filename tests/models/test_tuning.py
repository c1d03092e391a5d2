import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from agnsal import AgnsalError, AgnsalWarning, ProbabilisticSVC
from agnsal.models.machine.tuning import tune

# without points where every support vector is at its bound: there libsvm's unstratified inner folds are far worse
GRID = {"C": [10.0, 100.0], "gamma": [0.0003, 0.03, 0.1]}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_best_point_is_that_of_a_grid_search_over_legacy_probabilities(seed, blobs, legacy):
    X, y = blobs(3, n_per_class=80, seed=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    search = GridSearchCV(SVC(random_state=0), GRID, scoring="neg_log_loss", cv=folds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        search.set_params(estimator__probability=True).fit(X, y)
    found = tune(X, y, kernels="rbf", **GRID, cv=folds, refit=False)
    assert {name: found.best_parameters[name] for name in GRID} == search.best_params_
    theirs = -search.cv_results_["mean_test_score"]
    order = [(C, g) for C, g in zip(search.cv_results_["param_C"], search.cv_results_["param_gamma"], strict=True)]
    ours = {(row["C"], row["gamma"]): row["log_loss"] for row in found.table}
    assert_allclose([ours[point] for point in order], theirs, atol=0.05)


def test_table_has_every_point_and_score(blobs):
    X, y = blobs(3)
    found = tune(X, y, kernels=["linear", "rbf", "poly"], C=[0.1, 1.0], gamma=[0.01, "scale"], random_state=0)
    assert len(found.table) == 2 * (1 + 2 + 2)
    assert found.table.colnames[:4] == ["kernel", "C", "gamma", "log_loss"]
    assert {"balanced_accuracy", "macro_f1", "log_loss_std"} < set(found.table.colnames)
    assert np.isnan(found.table["gamma"][found.table["kernel"] == "linear"]).all()
    assert found.table["log_loss"][found.best_index] == found.table["log_loss"].min()
    assert isinstance(found.machine, ProbabilisticSVC)
    assert found.machine.get_params()["kernel"] == found.best_parameters["kernel"]


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "macro_f1"])
def test_other_scores(scoring, blobs):
    X, y = blobs(3)
    found = tune(X, y, C=[0.001, 1.0], scoring=scoring, random_state=0, refit=False)
    assert found.table[scoring][found.best_index] == found.table[scoring].max()
    assert found.machine is None


def test_result_does_not_depend_on_threads_or_memory(blobs):
    X, y = blobs(3)
    first = tune(X, y, C=[1.0, 10.0], random_state=0, refit=False)
    for options in ({"n_jobs": 1}, {"n_jobs": 3}):
        other = tune(X, y, C=[1.0, 10.0], random_state=0, refit=False, **options)
        assert_allclose(other.table["log_loss"], first.table["log_loss"], atol=1e-3)
    small = tune(X, y, C=[1.0, 10.0], random_state=0, refit=False, max_memory=0.01)
    assert_allclose(small.table["log_loss"], first.table["log_loss"], atol=0.02)


def test_groups_stay_together(blobs):
    X, y = blobs(3)
    # every spectrum twice: without groups the copies give themselves away
    X, y, groups = np.concatenate([X, X]), np.concatenate([y, y]), np.tile(np.arange(len(X)), 2)
    options = {"kernels": "rbf", "C": [100.0], "gamma": [1.0], "random_state": 0, "refit": False}
    careless = tune(X, y, **options).table["balanced_accuracy"][0]
    with pytest.warns(AgnsalWarning, match="type 1 / type 2"):  # by gamma = 1 every spectrum is known by heart
        careful = tune(X, y, groups=groups, **options).table["balanced_accuracy"][0]
    assert careless > careful + 0.1


def test_refusals(blobs):
    X, y = blobs(2)
    for options, message in (
        ({"C": []}, "grid is empty"),
        ({"scoring": "roc"}, "scoring must be"),
        ({"kernels": "cosine"}, "kernel must be"),
        ({"cv": 1}, "at least 2 folds"),
    ):
        with pytest.raises(AgnsalError, match=message):
            tune(X, y, **options)
    with pytest.raises(AgnsalError, match="one class only"):
        tune(X, np.zeros(len(X)))
    with pytest.raises(AgnsalError, match="mask"):
        tune(np.ma.array(X), y)


def test_progress_bar(blobs, capsys):
    tune(*blobs(2), C=[1.0], refit=False, progress=True)
    assert "tuning" in capsys.readouterr().err


def test_a_point_with_every_support_vector_at_its_bound_scores_as_it_predicts():
    """Equal classes and a tiny C, which leave the offset of a machine open."""
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1], 50)
    X = rng.normal(size=(100, 20)) + y[:, None] * (np.arange(20) < 2)
    y_new = np.repeat([0, 1], 1000)
    X_new = rng.normal(size=(2000, 20)) + y_new[:, None] * (np.arange(20) < 2)
    found = tune(X, y, kernels="linear", C=[1e-6, 1.0], random_state=0)
    for row in found.table:
        machine = ProbabilisticSVC("linear", C=row["C"], random_state=0).fit(X, y)
        if row["C"] < 1:
            assert len(machine.support_) == len(X)
        p = machine.predict_proba(X_new)[np.arange(2000), y_new]
        assert row["log_loss"] == pytest.approx(-np.log(p).mean(), abs=0.1)
