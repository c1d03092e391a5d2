"""The gradient family: finite differences, identities, completeness, refusals."""

import tracemalloc
import warnings

import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agnsal
from agnsal import AgnsalError, AgnsalWarning
from agnsal.attribution.local.paths import path_rule
from agnsal.attribution.question import question as question_module
from agnsal.models.differentiable import DifferentiableModel

OUTPUTS = ("probability", "log_odds", "decision")
D = 5


@pytest.fixture(scope="module", name="X")
def some_spectra():
    return np.random.default_rng(0).normal(size=(90, D))


@pytest.fixture(scope="module")
def model(X):
    y = np.array(["a", "b", "c"])[np.argmax(X[:, :3] + 0.3 * X[:, 2:5], axis=1)]
    return agnsal.ProbabilisticSVC(gamma=0.2, random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def linear(X):
    return agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(X, np.where(X[:, 1] > 0, "up", "down"))


def quadratic(A, b):
    """f(x) = x'Ax + b'x, whose attributions are known."""
    return DifferentiableModel(
        {"decision": lambda X: anp.sum(anp.dot(X, A) * X, axis=1, keepdims=True) + anp.dot(X, b)[:, None]},
        classes=[0],
        n_features=len(b),
    )


@pytest.mark.parametrize("output", OUTPUTS)
def test_saliency_is_the_derivative(model, X, output):
    some, step = X[:4], 1e-5
    result = agnsal.saliency(model, some, "b", output)
    differentiable = agnsal.as_differentiable(model)
    column = list(differentiable.classes_).index("b")
    for j in range(D):
        h = step * np.eye(D)[j]
        numeric = (differentiable.outputs(some + h, output) - differentiable.outputs(some - h, output)) / (2 * step)
        np.testing.assert_allclose(result.values[:, j], numeric[:, column], rtol=2e-6, atol=1e-9)


def test_the_gradient_brings_the_class_and_the_value_with_it(model, X):
    predicted = agnsal.saliency(model, X[:9])
    asked = agnsal.saliency(model, X[:9], model.predict(X[:9]))
    np.testing.assert_array_equal(predicted.target, model.predict(X[:9]))
    np.testing.assert_array_equal(predicted.values, asked.values)
    np.testing.assert_allclose(predicted.explained, model.predict_proba(X[:9]).max(axis=1), rtol=1e-12)
    votes = agnsal.ProbabilisticSVC(random_state=0, predict_by="votes").fit(X, model.predict(X))
    np.testing.assert_array_equal(agnsal.saliency(votes, X).target, votes.predict(X))


def test_gradients_of_all_classes_cancel(model, X):
    total = sum(agnsal.saliency(model, X[:10], label).values for label in "abc")
    np.testing.assert_allclose(total, 0.0, atol=1e-12)


def test_input_x_gradient_is_exact_for_a_linear_function_through_zero(X):
    b = np.arange(1.0, D + 1)
    result = agnsal.input_x_gradient(quadratic(np.zeros((D, D)), b), X, target=0, output="decision")
    np.testing.assert_allclose(result.values, X * b, rtol=1e-12)
    np.testing.assert_allclose(result.values.sum(axis=1), result.explained, rtol=1e-9)


@given(seed=st.integers(0, 2**32 - 1), rule=st.sampled_from(["gauss_legendre", "midpoint"]), n_steps=st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_integrated_gradients_of_a_quadratic_form_are_known(seed, rule, n_steps):
    """Its gradient is linear on the path, so that one midpoint is enough; the closed form is the oracle."""
    random = np.random.default_rng(seed)
    A, b = random.normal(size=(3, 3)), random.normal(size=3)
    X, start = random.normal(size=(4, 3)), random.normal(size=(4, 3))
    result = agnsal.integrated_gradients(quadratic(A, b), X, 0, "decision", baseline=start, rule=rule, n_steps=n_steps)
    truth = (X - start) * (0.5 * (X + start) @ (A + A.T) + b)
    np.testing.assert_allclose(result.values, truth, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(result.residual, 0.0, atol=1e-9)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("baseline", ["zero", "mean", None])
def test_integrated_gradients_are_complete(model, X, output, baseline):
    result = agnsal.integrated_gradients(model, X[:20], "a", output, baseline=baseline)
    assert np.abs(result.residual).max() < 1e-9
    reference = np.broadcast_to(result.baseline, (20, D))
    differentiable = agnsal.as_differentiable(model)
    difference = (differentiable.outputs(X[:20], output) - differentiable.outputs(reference, output))[:, 0]
    np.testing.assert_allclose(result.values.sum(axis=1) + result.residual, difference, atol=1e-12)


def test_completeness_error_of_the_midpoint_rule_falls_as_the_square_of_the_step(model, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AgnsalWarning)
        errors = [
            np.abs(agnsal.integrated_gradients(model, X, "a", rule="midpoint", n_steps=n).residual).mean()
            for n in (8, 16, 32, 64)
        ]
    ratios = np.array(errors[:-1]) / errors[1:]
    assert (ratios > 3.5).all()
    assert (ratios < 5.0).all()


def test_left_rule_takes_the_left_ends():
    nodes, weights = path_rule("left", 64)
    np.testing.assert_array_equal(nodes, np.arange(64) / 64)
    assert weights.sum() == pytest.approx(1.0)


def test_a_large_residual_is_warned_about(model, X):
    with pytest.warns(AgnsalWarning, match="miss more than 5% of the difference"):
        result = agnsal.integrated_gradients(model, 4 * X, "a", rule="left", n_steps=2)
    assert np.abs(result.residual).max() > 0.01


def test_a_feature_the_model_ignores_gets_nothing(X):
    A = np.zeros((D, D))
    A[0, 1] = 1.0
    model = quadratic(A, np.zeros(D))
    for result in (
        agnsal.integrated_gradients(model, X, 0, "decision", baseline="zero"),
        agnsal.expected_gradients(model, X, 0, "decision", background=X, n_samples=2000, random_state=0),
        agnsal.smooth_gradient(model, X, 0, "decision", random_state=0),
    ):
        assert (result.values[:, 2:] == 0).all()
        assert np.abs(result.values[:, :2]).min(axis=0).max() > 0


def test_smooth_gradient_of_a_linear_function_is_its_gradient(linear, X):
    result = agnsal.smooth_gradient(linear, X[:8], "up", "decision", noise=0.5, random_state=0)
    np.testing.assert_allclose(result.values, agnsal.saliency(linear, X[:8], "up", "decision").values, rtol=1e-10)
    variance = agnsal.smooth_gradient(linear, X[:8], "up", "decision", statistic="variance", random_state=0)
    assert variance.values.max() < 1e-20


def test_smooth_gradient_and_its_variance_of_a_quadratic_form(X):
    """The gradient of x'Ax under noise: its mean is (A + A')x, its variance sigma^2 diag((A + A')^2)."""
    A = np.random.default_rng(1).normal(size=(D, D))
    model, H = quadratic(A, np.zeros(D)), A + A.T
    options = {"noise": 0.3, "n_samples": 4000, "random_state": 2}
    mean = agnsal.smooth_gradient(model, X[:3], 0, "decision", **options)
    truth = 0.09 * np.diag(H @ H)
    assert (np.abs(mean.values - X[:3] @ H) < 5 * np.sqrt(truth / 4000)).all()
    variance = agnsal.smooth_gradient(model, X[:3], 0, "decision", statistic="variance", **options)
    np.testing.assert_allclose(variance.values, np.tile(truth, (3, 1)), rtol=0.15)


def test_samples_are_seeded_and_do_not_depend_on_the_company_or_the_blocks(model, X, monkeypatch):
    def maps(Z):
        return [
            agnsal.smooth_gradient(model, Z, "a", n_samples=10, random_state=5).values,
            agnsal.expected_gradients(model, Z, "a", background=X, n_samples=300, random_state=5).values,
            agnsal.integrated_gradients(model, Z, "a").values,
        ]

    whole = maps(X[:9])
    for one, again in zip(whole, maps(X[:9]), strict=True):
        np.testing.assert_array_equal(one, again)
    for one, part in zip(whole, maps(X[4:6]), strict=True):
        np.testing.assert_allclose(one[4:6], part, rtol=1e-12, atol=1e-14)
    monkeypatch.setattr(question_module, "BLOCK_ROWS", 7)
    for one, blocked in zip(whole, maps(X[:9]), strict=True):
        np.testing.assert_allclose(one, blocked, rtol=1e-12, atol=1e-14)


def test_expected_gradients_are_the_mean_of_integrated_gradients(model, X):
    background = X[:4]
    exact = np.mean([agnsal.integrated_gradients(model, X[10:13], "a", baseline=b).values for b in background], axis=0)
    result = agnsal.expected_gradients(model, X[10:13], "a", background=background, n_samples=20000, random_state=0)
    np.testing.assert_allclose(result.values, exact, atol=0.01)
    assert np.abs(result.residual).max() < 0.01
    np.testing.assert_allclose(result.baseline, background.mean(axis=0))


def test_a_sample_gives_the_result_its_grid_its_unit_and_its_noise():
    sample = agnsal.simulate_agn(8, 8, 0, seed=2).normalize()
    model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    result = agnsal.smooth_gradient(model, sample[:2], n_samples=4, noise="flux errors", random_state=0)
    assert result.grid == sample.grid
    assert list(result.ids) == list(sample.ids[:2])
    assert result.options["noise"] == "flux errors"
    complete = agnsal.integrated_gradients(model, sample, output="log_odds", baseline=("class mean", "type 2"))
    assert complete.provenance["baseline"] == "mean of class type 2"
    assert np.abs(complete.residual).max() < 1e-8
    assert {"core", "wings"} <= set(complete.by_line(["Hbeta"]).colnames)


@pytest.mark.filterwarnings("ignore:.*miss more than:agnsal.errors.AgnsalWarning")  # 64 left ends are coarse
def test_independent_reference_values_of_a_network(reference_values):
    data = np.load(reference_values / "lrp_grad_mlp_ref.npz")
    biases = [data[f"b{i}"] for i in range(3)] + [np.zeros(1)]
    network, X = agnsal.Network.dense([data[f"W{i}"] for i in range(4)], biases), data["X"]
    ask = {"target": None, "output": "decision"}
    path = {"baseline": "zero", **ask}
    for result, name, tolerance in (
        (agnsal.saliency(network, X, **ask), "grad", 1e-10),
        (agnsal.input_x_gradient(network, X, **ask), "ixg", 1e-10),
        (agnsal.integrated_gradients(network, X, rule="left", n_steps=64, **path), "ig_left64", 1e-10),
        (agnsal.integrated_gradients(network, X, rule="midpoint", n_steps=2000, **path), "ig_mid2000", 1e-3),
        (agnsal.occlusion(network, X, **path), "occlusion", 1e-10),
    ):
        np.testing.assert_allclose(result.values, data[name], rtol=0, atol=tolerance, err_msg=name)
        np.testing.assert_allclose(result.explained, data["f"], atol=1e-12)


# the labels are noise on purpose
@pytest.mark.filterwarnings("ignore:nothing shows that the machine separates:agnsal.AgnsalWarning")
def test_memory_does_not_grow_beyond_input_and_output():
    d = 400
    random = np.random.default_rng(0)
    X = random.normal(size=(60, d))
    model = agnsal.ProbabilisticSVC(random_state=0).fit(X, X[:, 0] > 0)
    few, many = np.tile(X, (10, 1)), np.tile(X, (40, 1))  # more than one block of inputs either way

    def peak(Z):
        tracemalloc.start()
        try:
            agnsal.integrated_gradients(model, Z, True, baseline="zero", n_steps=8)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(many) - peak(few) < 5 * (many.nbytes - few.nbytes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X: agnsal.smooth_gradient(m, X, noise=-1.0), "must not be negative"),
        (lambda m, X: agnsal.smooth_gradient(m, X, noise=np.ones(3)), "noise has shape"),
        (lambda m, X: agnsal.smooth_gradient(m, X, noise="flux errors"), "not known"),
        (lambda m, X: agnsal.smooth_gradient(m, X, n_samples=1), "at least 2"),
        (lambda m, X: agnsal.smooth_gradient(m, X, statistic="median"), "statistic must be"),
        (lambda m, X: agnsal.integrated_gradients(m, X, rule="simpson"), "rule must be one of"),
        (lambda m, X: agnsal.integrated_gradients(m, X, n_steps=0), "at least 1"),
        (lambda m, X: agnsal.integrated_gradients(m, X, baseline=np.zeros(3)), "the baseline has shape"),
        (lambda m, X: agnsal.expected_gradients(m, X, background=X[:, :3]), "have 3 bins"),
        (lambda m, X: agnsal.saliency(m, X, "d"), "not a class"),
        (lambda m, X: agnsal.saliency(m, X, output="logit"), "output must be one of"),
    ],
)
def test_bad_questions_are_refused(model, X, call, message):
    with pytest.raises(AgnsalError, match=message):
        call(model, X[:3])
