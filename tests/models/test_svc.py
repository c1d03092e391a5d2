import re
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.utils.masked import Masked
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, NuSVC
from sklearn.utils.estimator_checks import check_estimator

from agnsal import AgnsalError, AgnsalWarning, ProbabilisticSVC
from agnsal.models.machine.kernels import KERNEL_NAMES
from agnsal.models.machine.training import gram_matrix
from agnsal.store import read_arrays, write_arrays

OPTIONS = {
    "linear": {"kernel": "linear"},
    "rbf": {"kernel": "rbf", "C": 2.0},
    "poly": {"kernel": "poly", "coef0": 1.0, "gamma": 0.05},
    "sigmoid": {"kernel": "sigmoid", "coef0": 0.1, "gamma": 0.02},
}


# what scikit-learn's common checks ask that this classifier means otherwise
EXPECTED = {
    "check_classifiers_train": "the decision values of more than two classes are sums over pairs, and their largest "
    "is not always the most probable class",
    "check_sample_weight_equivalence_on_dense_data": "libsvm stops at tol, as scikit-learn's own SVC does; "
    "see test_weights_count_like_repetitions",
}


@pytest.mark.filterwarnings("ignore::agnsal.errors.AgnsalWarning")
@pytest.mark.parametrize("options", [{}, {"kernel": "linear", "predict_by": "votes"}], ids=str)
def test_scikit_learn_contract(options):
    results = check_estimator(ProbabilisticSVC(**options), on_skip=None, on_fail=None, expected_failed_checks=EXPECTED)
    failed = [result for result in results if result["status"] == "failed"]
    assert not failed, [(result["check_name"], str(result["exception"])[:300]) for result in failed]


def test_weights_count_like_repetitions(blobs):
    X, y = blobs(3, n_per_class=15)
    times = np.random.default_rng(0).integers(0, 4, size=45)
    half = np.arange(45) % 2 == 0
    rows, copies = np.arange(45), np.repeat(np.arange(45), times)
    folds = [(rows[half], rows[~half]), (rows[~half], rows[half])]
    copied_folds = [tuple(np.flatnonzero(np.isin(copies, part)) for part in fold) for fold in folds]
    machine = ProbabilisticSVC(tol=1e-10)
    weighted = clone(machine).set_params(cv=folds).fit(X, y, sample_weight=times)
    repeated = clone(machine).set_params(cv=copied_folds).fit(X[copies], y[copies])
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-7)


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_decision_values_and_votes_are_those_of_svc(kernel, n_classes, blobs):
    X, y = blobs(n_classes)
    machine = ProbabilisticSVC(**OPTIONS[kernel], random_state=0).fit(X, y)
    plain = SVC(**OPTIONS[kernel], decision_function_shape="ovo").fit(X, y)
    expected = plain.decision_function(X)
    # float32 kernel rows inside libsvm leave differences of the order of its tolerance
    pairs = -expected[:, None] if n_classes == 2 else expected
    assert_allclose(machine.pairwise_decision_function(X), pairs, atol=2e-3 * np.abs(pairs).max())
    assert (machine.set_params(predict_by="votes").predict(X) == plain.predict(X)).mean() > 0.97
    p = machine.predict_proba(X)
    assert_allclose(p.sum(axis=1), 1)
    assert_array_equal(machine.set_params(predict_by="probability").predict(X), machine.classes_[p.argmax(axis=1)])
    assert_allclose(machine.predict_log_proba(X), np.log(p))


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_decision_function_sums_the_pairs_of_each_class(n_classes, blobs):
    X, y = blobs(n_classes)
    machine = ProbabilisticSVC(random_state=0).fit(X, y)
    pairs, decision = machine.pairwise_decision_function(X), machine.decision_function(X)
    if n_classes == 2:
        assert_allclose(decision, -pairs[:, 0])
        return
    expected = np.zeros((len(X), n_classes))
    for value, i, j in zip(pairs.T, *np.triu_indices(n_classes, 1), strict=True):
        expected[:, i] += value
        expected[:, j] -= value
    assert_allclose(decision, expected, atol=1e-12)
    assert machine.votes(X).sum(axis=1).tolist() == [pairs.shape[1]] * len(X)


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_import_reproduces_the_legacy_probabilities(kind, kernel, n_classes, blobs, legacy):
    X, y = blobs(n_classes)
    options = OPTIONS[kernel] if kind is SVC else {k: v for k, v in OPTIONS[kernel].items() if k != "C"} | {"nu": 0.3}
    machine = legacy(kind(**options, random_state=0), X, y)
    imported = ProbabilisticSVC.from_svc(machine, coupling="libsvm")
    assert_allclose(imported.predict_proba(X), machine.predict_proba(X), atol=1e-9)
    exact = ProbabilisticSVC.from_svc(machine, predict_by="votes")
    assert exact.coupling == "exact"
    assert_array_equal(exact.predict(X), machine.predict(X))
    assert_allclose(exact.predict_proba(X), machine.predict_proba(X), atol=6e-3)
    assert exact.training_mean_ is None


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ([7, -2, 30], {}),
        ([0.5, 1.5, 2.5], {}),
        (["a", "b", "c"], {"class_weight": "balanced"}),
        ([1, 2, 3], {"class_weight": {1: 3.0}}),
    ],
)
def test_import_with_other_labels_and_weights(labels, options, blobs, legacy):
    X, y = blobs(3)
    y = np.array(labels)[np.unique(y, return_inverse=True)[1]]
    if isinstance(labels[0], float):
        y = y.astype(str)
    machine = legacy(SVC(**options, random_state=0), X[10:], y[10:])
    imported = ProbabilisticSVC.from_svc(machine, coupling="libsvm")
    assert_allclose(imported.predict_proba(X), machine.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_log_loss_is_that_of_the_legacy_machine(seed, kernel, blobs, legacy):
    X, y = blobs(3, n_per_class=300, seed=seed, spread=1.5)
    order = np.random.default_rng(seed).permutation(len(X))
    train, test = order[:500], order[500:]
    ours = ProbabilisticSVC(kernel=kernel, random_state=seed).fit(X[train], y[train])
    theirs = legacy(SVC(kernel=kernel, random_state=seed), X[train], y[train])
    difference = log_loss(y[test], ours.predict_proba(X[test])) - log_loss(y[test], theirs.predict_proba(X[test]))
    assert abs(difference) < 0.005


def test_labels_of_any_type_and_relabelling(blobs):
    X, y = blobs(3)
    p = ProbabilisticSVC(random_state=0).fit(X, y).predict_proba(X)
    for labels in ([10, 20, 30], [True], ["x", "y", "z"]):
        if len(labels) == 3:
            other = np.array(labels)[np.unique(y, return_inverse=True)[1]]
            machine = ProbabilisticSVC(random_state=0).fit(X, other)
            assert_array_equal(machine.predict_proba(X), p)
            assert machine.classes_.tolist() == labels
    objects = ProbabilisticSVC(random_state=0).fit(X, y.astype(object))
    assert_array_equal(objects.predict_proba(X), p)


def test_without_a_shared_kernel_matrix_the_machine_is_the_same(blobs):
    X, y = blobs(3)
    for kernel in KERNEL_NAMES:
        machine = ProbabilisticSVC(**OPTIONS[kernel], random_state=0, tol=1e-6)
        small = clone(machine).set_params(max_memory=1e-3).fit(X, y)
        assert_allclose(small.predict_proba(X), machine.fit(X, y).predict_proba(X), atol=1e-3)


def test_equal_seeds_give_equal_bits(blobs):
    X, y = blobs(3)
    first, second, other = (ProbabilisticSVC(random_state=seed).fit(X, y) for seed in (4, 4, 5))
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert (first.predict_proba(X) != other.predict_proba(X)).any()


def test_pipeline_and_cross_validation(blobs):
    X, y = blobs(3)
    scores = cross_val_score(make_pipeline(StandardScaler(), ProbabilisticSVC(random_state=0)), 10 + 5 * X, y, cv=3)
    assert scores.min() > 0.6


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
def test_threads_do_not_change_the_machine(kernel, blobs, monkeypatch):
    monkeypatch.setattr("agnsal.models.machine.training.GRAM_BLOCK", 20)
    X, y = blobs(3)
    one, three = (ProbabilisticSVC(**OPTIONS[kernel], n_jobs=n, random_state=0).fit(X, y) for n in (1, 3))
    assert_allclose(three.predict_proba(X), one.predict_proba(X), atol=1e-3)
    full = gram_matrix(one.kernel_, X, 3)
    assert_allclose(full, one.kernel_(X, X), rtol=1e-12, atol=1e-12)
    assert_allclose(full, full.T, rtol=1e-12)


def test_nu_machine(blobs):
    X, y = blobs(3)
    machine = ProbabilisticSVC(nu=0.3, random_state=0, tol=1e-6).fit(X, y)
    plain = NuSVC(nu=0.3, decision_function_shape="ovo", tol=1e-6).fit(X, y)
    assert_allclose(machine.pairwise_decision_function(X), plain.decision_function(X), atol=1e-4)


class TestWeights:
    def test_zero_weight_leaves_rows_out(self, blobs):
        X, y = blobs(3)
        folds = [(np.arange(0, 75, 2), np.arange(1, 75, 2)), (np.arange(1, 75, 2), np.arange(0, 75, 2))]
        weight = np.ones(75)
        weight[::5] = 0
        kept = np.flatnonzero(weight)
        position = np.full(75, -1)
        position[kept] = np.arange(kept.size)
        inner = [tuple(position[rows][position[rows] >= 0] for rows in fold) for fold in folds]
        with_weight = ProbabilisticSVC(cv=folds).fit(X, y, sample_weight=weight)
        without = ProbabilisticSVC(cv=inner).fit(X[kept], y[kept])
        assert_allclose(with_weight.predict_proba(X), without.predict_proba(X), atol=1e-10)
        assert_allclose(with_weight.training_mean_, without.training_mean_)

    def test_balanced_weights_help_the_rare_class(self, blobs):
        X, y = blobs(2, n_per_class=60, spread=2.5)
        rare = np.r_[0:60, 60:72]
        plain = ProbabilisticSVC(random_state=0, predict_by="votes").fit(X[rare], y[rare])
        balanced = ProbabilisticSVC(random_state=0, predict_by="votes", class_weight="balanced").fit(X[rare], y[rare])
        assert (balanced.predict(X) == "type 2").sum() > (plain.predict(X) == "type 2").sum()

    def test_class_weight_is_a_factor_of_sample_weight(self, blobs):
        X, y = blobs(2)
        weight = np.where(y == "type 1", 3.0, 1.0)
        by_class = ProbabilisticSVC(gamma=0.1, class_weight={"type 1": 3.0}, random_state=0).fit(X, y)
        by_row = ProbabilisticSVC(gamma=0.1, random_state=0).fit(X, y, sample_weight=weight)
        assert_allclose(by_class.decision_function(X), by_row.decision_function(X), atol=1e-9)
        assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X), atol=1e-9)

    def test_negative_weight(self, blobs):
        X, y = blobs(2)
        with pytest.raises(ValueError, match=r"[Nn]egative"):
            ProbabilisticSVC().fit(X, y, sample_weight=-np.ones(len(X)))

    def test_class_without_weight(self, blobs):
        X, y = blobs(3)
        with pytest.raises(AgnsalError, match="class has no member of positive"):
            ProbabilisticSVC().fit(X, y, sample_weight=(y != "type 2") * 1.0)


class TestFolds:
    def test_a_small_class_reduces_the_folds_and_says_so(self, blobs):
        X, y = blobs(3)
        few = np.r_[0:53]
        with pytest.warns(AgnsalWarning, match=r"'type 3' has 3 members: 3 folds"):
            machine = ProbabilisticSVC(random_state=0).fit(X[few], y[few])
        assert_allclose(machine.predict_proba(X).sum(axis=1), 1)

    def test_a_class_with_one_member(self, blobs):
        X, y = blobs(3)
        with pytest.raises(AgnsalError, match=r"'type 3' has 1 member"):
            ProbabilisticSVC().fit(X[:51], y[:51])

    def test_groups_by_explicit_folds(self, blobs):
        X, y = blobs(3)
        groups = np.arange(75) % 6
        folds = list(GroupKFold(3).split(X, y, groups))
        assert ProbabilisticSVC(cv=folds).fit(X, y).score(X, y) > 0.7
        assert_array_equal(
            ProbabilisticSVC(cv=folds).fit(X, y).predict_proba(X), ProbabilisticSVC(cv=folds).fit(X, y).predict_proba(X)
        )

    # a fold that misses a class tells nothing of it
    @pytest.mark.filterwarnings("ignore:nothing shows that the machine separates:agnsal.AgnsalWarning")
    def test_folds_that_miss_a_class(self, blobs):
        X, y = blobs(3)
        rows = np.arange(75)
        folds = [(rows[25:], rows[:25]), (rows[:25], rows[25:50]), (rows[:50], rows[50:])]
        machine = ProbabilisticSVC(cv=folds).fit(X, y)
        assert np.isfinite(machine.predict_proba(X)).all()

    def test_one_fold(self, blobs):
        with pytest.raises(AgnsalError, match="at least 2 folds"):
            ProbabilisticSVC(cv=1).fit(*blobs(2))


class TestRefusals:
    def test_units_and_masks(self, blobs):
        X, y = blobs(2)
        machine = ProbabilisticSVC(random_state=0).fit(X, y)
        for bad, reason in (
            (X * u.Jy, "unit would be lost"),
            (np.ma.array(X), "mask would be lost"),
            (Masked(X), "mask would"),
        ):
            with pytest.raises(AgnsalError, match=reason):
                ProbabilisticSVC().fit(bad, y)
            with pytest.raises(AgnsalError, match=reason):
                machine.predict_proba(bad)

    def test_one_class(self, blobs):
        X, _ = blobs(2)
        with pytest.raises(AgnsalError, match="one class only"):
            ProbabilisticSVC().fit(X, np.zeros(len(X)))

    def test_not_finite(self, blobs):
        X, y = blobs(2)
        X[3, 4] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            ProbabilisticSVC().fit(X, y)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"kernel": "cosine"}, "kernel must be one of"),
            ({"gamma": "big"}, "gamma must be"),
            ({"gamma": -1.0}, "negative"),
            ({"predict_by": "luck"}, "predict_by must be"),
            ({"coupling": "none"}, "coupling must be"),
        ],
    )
    def test_choices(self, options, message, blobs):
        with pytest.raises(AgnsalError, match=message):
            ProbabilisticSVC(**options).fit(*blobs(2))

    def test_import(self, blobs):
        X, y = blobs(2)
        with pytest.raises(AgnsalError, match="without probabilities"):
            ProbabilisticSVC.from_svc(SVC().fit(X, y))
        with pytest.raises(AgnsalError, match="takes a fitted SVC"):
            ProbabilisticSVC.from_svc(StandardScaler())


# equal spectra cannot be told apart
@pytest.mark.filterwarnings("ignore:nothing shows that the machine separates:agnsal.AgnsalWarning")
def test_constant_features(blobs):
    X, y = blobs(2)
    X[:, 3] = 5.0
    machine = ProbabilisticSVC(random_state=0).fit(X, y)
    assert np.isfinite(machine.predict_proba(X)).all()
    with pytest.warns(AgnsalWarning, match="the rbf kernel is dead"):
        flat = ProbabilisticSVC(random_state=0).fit(np.ones_like(X), y)
    assert_allclose(flat.predict_proba(X[:2]), 0.5, atol=0.2)


def test_no_deprecated_call(blobs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ProbabilisticSVC(random_state=0).fit(*blobs(3))


class TestFile:
    def test_round_trip_is_bit_equal(self, blobs, tmp_path):
        X, y = blobs(3)
        machine = ProbabilisticSVC(class_weight={"type 1": 2.0}, predict_by="votes", random_state=0).fit(X, y)
        machine.write(tmp_path / "machine.npz")
        again = ProbabilisticSVC.read(tmp_path / "machine.npz")
        assert_array_equal(again.predict_proba(X), machine.predict_proba(X))
        assert_array_equal(again.training_mean_, machine.training_mean_)
        assert again.get_params() == machine.get_params()
        assert again.predict(X).tolist() == machine.predict(X).tolist()

    def test_objects_imports_and_splitters(self, blobs, tmp_path, legacy):
        X, y = blobs(2)
        machine = ProbabilisticSVC(cv=GroupKFold(2), random_state=0)
        machine.cv = [(np.arange(0, 50, 2), np.arange(1, 50, 2))]
        machine.fit(X, y.astype(object))
        with pytest.warns(AgnsalWarning, match="cv="):
            machine.write(tmp_path / "a.npz")
        assert ProbabilisticSVC.read(tmp_path / "a.npz").classes_.dtype == object
        imported = ProbabilisticSVC.from_svc(legacy(SVC(random_state=0), X, y), coupling="libsvm")
        imported.write(tmp_path / "b.npz")
        again = ProbabilisticSVC.read(tmp_path / "b.npz")
        assert again.training_mean_ is None
        assert_array_equal(again.predict_proba(X), imported.predict_proba(X))

    def test_foreign_and_damaged_files(self, blobs, tmp_path):
        np.savez(tmp_path / "foreign.npz", a=np.ones(3))
        machine = ProbabilisticSVC(random_state=0).fit(*blobs(2))
        machine.write(tmp_path / "odd.npz")
        arrays, header = read_arrays(tmp_path / "odd.npz", "ProbabilisticSVC")
        arrays |= {"classes_": np.array(["a", "b", "c"]), "n_support_": np.array([1, 1, 1])}
        write_arrays(tmp_path / "odd.npz", "ProbabilisticSVC", arrays, header)
        machine.sigmoid_a_ = np.ones(7)
        with pytest.raises(AgnsalError, match=r"cannot be stored.*sigmoid_a_"):
            machine.write(tmp_path / "never.npz")
        for name, message in (
            ("foreign.npz", "foreign"),
            ("odd.npz", "do not fit together"),
            ("none.npz", "no such file"),
        ):
            with pytest.raises(AgnsalError, match=message):
                ProbabilisticSVC.read(tmp_path / name)


def test_a_long_training_is_announced(monkeypatch, blobs):
    """Before it begins; the two ways out that the message names are ways out."""
    X, y = blobs(3, n_per_class=60)
    machine = ProbabilisticSVC(max_memory=0.1, random_state=0)
    plain = clone(machine).fit(X, y)  # short, so nothing is said
    monkeypatch.setattr("agnsal.models.machine.training.TRIAL_ROWS", (30, 60))
    monkeypatch.setattr("agnsal.models.machine.svc._LONG", 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AgnsalWarning, match="kernel matrix of 180 spectra does not fit"):
            machine.fit(X, y)
        assert not hasattr(machine, "support_")
        clone(machine).set_params(n_landmarks=50).fit(X, y)
    with pytest.warns(AgnsalWarning, match="at a guess") as caught:
        warned = clone(machine).fit(X, y)
    assert_array_equal(warned.predict_proba(X), plain.predict_proba(X))
    enough = float(re.search(r"max_memory=(\d+)", str(caught[0].message).split(";")[1])[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(machine).set_params(max_memory=enough).fit(X, y)
