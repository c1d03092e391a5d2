"""Training at any size: landmarks and the primal; what it shares with the exact machine, and what it costs."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.metrics import log_loss
from sklearn.svm import LinearSVC

import agnsal
from agnsal.models.machine.kernels import Kernel
from agnsal.models.machine.landmarks import Candidates, LandmarkFeatures, PrimalTrainer, _along

SAMPLE = agnsal.simulate_agn(120, 160, 80, seed=0).normalize()
OTHER = agnsal.simulate_agn(60, 80, 40, seed=1).normalize()
rng = np.random.default_rng(0)


def machine(n_landmarks=60, **options):
    options = {"kernel": "rbf", "C": 10.0, "gamma": 0.003, "random_state": 0, **options}
    return agnsal.ProbabilisticSVC(n_landmarks=n_landmarks, **options)


# ------------------------------------------------------------------------------------------------------ the primal


def two_classes(n=200, d=5):
    Z = rng.normal(size=(n, d))
    codes = (Z[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(int)
    return Z, codes


def test_newton_finds_the_minimum():
    Z, codes = two_classes()
    weight = rng.uniform(0.5, 2, len(Z))
    solved = PrimalTrainer(Z, codes, weight, 0.7).fit()[:, 0]
    sign = np.where(codes == 0, 1.0, -1.0)

    def loss(w):
        return 0.5 * w[:-1] @ w[:-1] + 0.7 * weight @ np.maximum(0, 1 - sign * (Z @ w[:-1] + w[-1])) ** 2

    found = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-9})
    assert loss(solved) <= found.fun * (1 + 1e-9)
    assert_allclose(solved, found.x, atol=1e-4)


def test_it_is_the_machine_of_liblinear_but_for_the_offset():
    """liblinear holds back the offset too; far away from zero that no longer matters."""
    Z, codes = two_classes()
    solved = PrimalTrainer(Z, codes, np.ones(len(Z)), 0.3).fit()[:, 0]
    peer = LinearSVC(C=0.3, loss="squared_hinge", dual=False, intercept_scaling=1e3, tol=1e-8, max_iter=20000)
    peer.fit(Z, codes)
    assert_allclose(solved[:-1], -peer.coef_[0], atol=1e-4)


def test_blocks_of_rows_do_not_matter(monkeypatch):
    Z, codes = two_classes(500)
    whole = PrimalTrainer(Z, codes, np.ones(500), 1.0).fit()
    monkeypatch.setattr("agnsal.models.machine.landmarks.BLOCK", 37)
    assert_allclose(PrimalTrainer(Z, codes, np.ones(500), 1.0).fit(), whole, atol=1e-8)


@pytest.mark.parametrize("nearly", [1 - 1e-5, 1 - 1e-8, 1.0, 1 + 1e-8, 1 + 1e-5, 0.02, 7.0])
def test_a_step_goes_to_the_minimum_to_the_last_digit(nearly):
    """A rough root near 1 once let the rounding of threads into the machine, a thousandth of a step at a time."""
    step, nothing = np.array([2.0]), np.zeros(1)
    found = _along(np.ones(1), -nearly * step, step, np.ones(1), nothing, nothing, nothing)  # |w + length step|^2 / 2
    assert_allclose(found, nearly, rtol=1e-10)


def test_a_class_that_is_left_out_gives_constants():
    Z, codes = two_classes()
    trainer = PrimalTrainer(Z, codes, np.ones(len(Z)), 1.0)
    solved = trainer.fit(left_out=codes == 1)
    assert solved[:-1].any() is np.False_
    assert solved[-1, 0] == 1.0


# --------------------------------------------------------------------------------------------------- the landmarks


def test_features_reproduce_the_kernel_on_the_landmarks():
    X = rng.normal(size=(30, 8))
    kernel = Kernel("rbf", gamma=0.1)
    features = LandmarkFeatures.of(kernel, X[:12])
    assert_allclose(features(X[:12]) @ features(X[:12]).T, kernel(X[:12], X[:12]), atol=1e-7)
    everything = LandmarkFeatures.of(kernel, X)
    assert_allclose(everything(X) @ everything(X).T, kernel(X, X), atol=1e-6)


def test_what_is_drawn_does_not_depend_on_blocks():
    X, y = rng.normal(size=(100, 3)), np.repeat(["a", "b"], [95, 5])
    drawn = []
    for cuts in ([100], [10, 60, 30], [1] * 100):
        seen = Candidates(7, np.random.RandomState(3))
        for rows in np.split(np.arange(100), np.cumsum(cuts)[:-1]):
            seen.add(X[rows], y[rows], np.ones(len(rows)))
        landmarks, rows = seen.chosen()
        assert_array_equal(landmarks, X[rows])
        assert_allclose(seen.mean, X.mean(axis=0))
        assert_allclose(seen.variance, X.var())
        drawn.append(rows)
    assert_array_equal(drawn[0], drawn[1])
    assert_array_equal(drawn[0], drawn[2])
    assert set(y[drawn[0]]) == {"a", "b"}, "each class has one"


def test_predictions_are_an_expansion_over_landmarks():
    model = machine().fit(SAMPLE)
    assert_array_equal(model.support_vectors_, SAMPLE.flux[model.support_])
    assert model.n_support_.sum() == 60
    values = Kernel("rbf", gamma=0.003)(OTHER.flux, model.support_vectors_) @ model.pair_coefficients_
    assert_allclose(model.pairwise_decision_function(OTHER), values + model.pair_intercepts_, rtol=1e-9, atol=1e-9)


def test_gradients_and_shapley_values_are_exact():
    model = machine().fit(SAMPLE)
    gradient = agnsal.saliency(model, OTHER[:2], target="type 1", output="log_odds").values
    step = np.zeros(1000)
    step[737] = 1e-5
    explained = agnsal.as_differentiable(model)
    high, low = (explained.outputs(OTHER.flux[:2] + s * step, "log_odds")[:, 1] for s in (1, -1))
    assert_allclose(gradient[:, 737], (high - low) / 2e-5, rtol=1e-5)
    shares = agnsal.shapley(machine().fit(SAMPLE[:280]), OTHER[:2], target="type 1", output="log_odds")
    assert shares.options.get("exact", True)


def test_all_spectra_as_landmarks_come_near_the_exact_machine():
    """Only the loss differs then: the square of the hinge in place of the hinge."""
    exact, landmarks = machine(None).fit(SAMPLE), machine(len(SAMPLE)).fit(SAMPLE)
    truth = OTHER.labels
    losses = [log_loss(truth, model.predict_proba(OTHER), labels=model.classes_) for model in (exact, landmarks)]
    assert losses[1] < losses[0] + 0.05
    assert np.mean(exact.predict(OTHER) == landmarks.predict(OTHER)) > 0.85


@pytest.mark.filterwarnings("ignore:nothing shows that the machine separates:agnsal.AgnsalWarning")  # poly
@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly"])
def test_blocks_give_the_machine_of_the_whole(kernel):
    whole = machine(kernel=kernel).fit(SAMPLE)
    parts = machine(kernel=kernel).fit_blocks([SAMPLE[:50], SAMPLE[50:51], SAMPLE[51:]])
    assert_array_equal(parts.support_, whole.support_)
    assert_allclose(parts.predict_proba(OTHER), whole.predict_proba(OTHER), atol=1e-6)
    assert parts.learnt_from_ == whole.learnt_from_
    assert_allclose(parts.training_mean_, whole.training_mean_)


def test_a_linear_kernel_needs_none():
    model = agnsal.ProbabilisticSVC("linear", C=0.05, random_state=0).fit_blocks([SAMPLE[:200], SAMPLE[200:]])
    assert model.support_vectors_.shape == (3, 1000)
    assert model.support_.tolist() == [-1, -1, -1]
    exact = agnsal.ProbabilisticSVC("linear", C=0.05, random_state=0).fit(SAMPLE)
    assert np.mean(model.predict(OTHER) == exact.predict(OTHER)) > 0.85


def test_weights_and_classes_count():
    weight = rng.uniform(0, 2, len(SAMPLE))
    weight[::7] = 0
    model = machine(class_weight="balanced").fit(SAMPLE, sample_weight=weight)
    assert not np.isin(model.support_, np.arange(0, len(SAMPLE), 7)).any(), "what has no weight is no landmark"
    assert_allclose(model.training_mean_, weight @ SAMPLE.flux / weight.sum())


def test_it_is_kept_in_a_file(tmp_path):
    for kernel in ("rbf", "linear"):
        model = machine(kernel=kernel).fit(SAMPLE)
        model.write(tmp_path / "machine.npz")
        again = agnsal.ProbabilisticSVC.read(tmp_path / "machine.npz")
        assert_array_equal(again.predict_proba(OTHER), model.predict_proba(OTHER))
        assert again.get_params()["n_landmarks"] == 60


def test_features_that_do_not_fit_go_to_a_file():
    inside, outside = machine().fit(SAMPLE), machine(max_memory=0.01).fit(SAMPLE)
    assert_array_equal(outside.predict_proba(OTHER), inside.predict_proba(OTHER))


class Made:
    """Blocks that are made when they are asked for, as a data set's are."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        for number in range(self.n):
            random = np.random.default_rng(number)
            y = np.arange(500) % 2
            yield random.normal(size=(500, 400)) + y[:, None], y


def test_memory_does_not_grow_with_the_number_of_blocks(monkeypatch):
    monkeypatch.setattr("agnsal.models.machine.landmarks.BLOCK", 500)

    def peak(n):
        tracemalloc.start()
        machine(100, max_memory=0.01, gamma=1e-3, cv=2).fit_blocks(Made(n))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few, many = peak(4), peak(24)
    assert many - few < 10_000 * 8 * 60, "some numbers a spectrum, not its 100 features or 400 bins"


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: machine().fit_blocks(iter([SAMPLE])), "read once"),
        (lambda: machine(None).fit_blocks([SAMPLE]), "needs n_landmarks"),
        (lambda: machine(nu=0.1).fit(SAMPLE), "nu bounds margin errors"),
        (lambda: machine(0).fit(SAMPLE), "at least 1"),
        (lambda: machine().fit_blocks([SAMPLE[:120]]), "one class only"),
        (lambda: machine().fit_blocks([SAMPLE, SAMPLE.normalize(window=None)]), "normalization"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        call()
