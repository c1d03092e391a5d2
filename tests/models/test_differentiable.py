import numpy as np
import pytest
from astropy import units as u
from autograd import grad, jacobian
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from agnsal import AgnsalError, DifferentiableModel, ProbabilisticSVC, as_differentiable
from agnsal.models.machine.kernels import KERNEL_NAMES

OPTIONS = {
    "linear": {"kernel": "linear"},
    "rbf": {"kernel": "rbf", "gamma": 0.05},
    "poly": {"kernel": "poly", "coef0": 1.0, "gamma": 0.05},
    "sigmoid": {"kernel": "sigmoid", "coef0": 0.1, "gamma": 0.02},
}
KINDS = ("probability", "log_odds", "decision", "pairwise")


@pytest.fixture(params=[2, 3, 5], ids="{} classes".format)
def data(request, blobs):
    return blobs(request.param)


@pytest.fixture(params=KERNEL_NAMES)
def model(request, data):
    return as_differentiable(ProbabilisticSVC(**OPTIONS[request.param], random_state=0).fit(*data))


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_equals_central_differences(model, data, kind, central_differences):
    X = data[0][::9]
    target = (model.classes_[0], model.classes_[1]) if kind == "pairwise" else model.classes_[-1]
    weights = model.weights(target, len(X), kind)
    gradient = model.gradient(X, target, kind)
    expected = central_differences(lambda X: (model.outputs(X, kind) * weights).sum(axis=1), X)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_gradients_of_the_probabilities_sum_to_zero(model, data):
    X = data[0][:20]
    gradients = np.array([model.gradient(X, label) for label in model.classes_])
    assert np.abs(gradients).max() > 1e-3
    assert_allclose(gradients.sum(axis=0), 0, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_that_of_autograd(model, data, kind):
    X = data[0][:2]
    jacobian_of_outputs = jacobian(lambda X: model.outputs(X, kind))(X)
    for row in range(2):
        assert not jacobian_of_outputs[row, :, 1 - row].any()
    if kind == "pairwise":
        gradient = model.gradient(X, model.classes_[:2], kind)
    else:
        gradient = model.gradient(X, model.classes_[0], kind)
    assert_allclose(np.array([jacobian_of_outputs[i, 0, i] for i in range(2)]), gradient, rtol=1e-12, atol=1e-15)


def test_outputs_are_those_of_the_estimator(blobs):
    for n_classes in (2, 4):
        X, y = blobs(n_classes)
        machine = ProbabilisticSVC(random_state=0).fit(X, y)
        model = as_differentiable(machine)
        assert_allclose(model.outputs(X), machine.predict_proba(X), atol=1e-14)
        decision = machine.decision_function(X)
        if n_classes == 2:
            decision = np.stack([-decision, decision], axis=1)
        assert_allclose(model.outputs(X, "decision"), decision, atol=1e-12)
        assert_allclose(model.outputs(X, "pairwise"), machine.pairwise_decision_function(X), atol=1e-12)
        p = machine.predict_proba(X)
        assert_allclose(model.outputs(X, "log_odds"), np.log(p / (1 - p)), rtol=1e-8, atol=1e-8)
        assert_array_equal(model.predict(X), machine.predict(X))
        assert_array_equal(model.classes_, machine.classes_)
        assert_allclose(model.baseline_mean, X.mean(axis=0), rtol=1e-12)


def test_scaler_in_front_gives_the_gradient_per_flux(blobs, central_differences):
    X, y = blobs(3)
    X = 40 + 7 * X
    pipeline = make_pipeline(StandardScaler(), ProbabilisticSVC(random_state=0)).fit(X, y)
    model = as_differentiable(pipeline)
    assert_allclose(model.outputs(X), pipeline.predict_proba(X), atol=1e-14)
    expected = central_differences(lambda X: pipeline.predict_proba(X)[:, 1], X[:5])
    assert_allclose(model.gradient(X[:5], "type 2"), expected, rtol=1e-6, atol=1e-8)
    assert_allclose(model.baseline_mean, X.mean(axis=0))
    assert_array_equal(model.predict(X), pipeline.predict(X))


def test_batches_do_not_change_the_result(blobs):
    X, y = blobs(3)
    model = as_differentiable(ProbabilisticSVC(random_state=0).fit(X, y))
    whole = model.gradient(X, y)
    assert_allclose(model.gradient(X, y, batch_size=7), whole, rtol=1e-12)
    assert_allclose(model.gradient(X, y, max_memory=1e-3), whole, rtol=1e-12)
    assert_allclose(model.gradient(X[:1], y[:1]), whole[:1], rtol=1e-12)
    assert model.gradient(X[:0], y[:0]).shape == (0, X.shape[1])


def test_single_precision_is_close(blobs):
    X, y = blobs(3)
    for kernel in KERNEL_NAMES:
        model = as_differentiable(ProbabilisticSVC(**OPTIONS[kernel], random_state=0).fit(X, y))
        double = model.gradient(X, y)
        single = model.gradient(X, y, precision="single")
        assert_allclose(single, double, atol=1e-5 * np.abs(double).max())
        assert_allclose(model.outputs(X, precision="single"), model.outputs(X), atol=1e-5)


def test_single_precision_does_not_mind_an_offset(blobs):
    X, y = blobs(3)
    X = 1 + 1e-3 * X  # normalised spectra that differ by parts in a thousand
    model = as_differentiable(ProbabilisticSVC(random_state=0).fit(X, y))
    double = model.gradient(X, y)
    assert_allclose(model.gradient(X, y, precision="single"), double, atol=1e-4 * np.abs(double).max())


def test_second_derivatives_of_decisions(blobs, central_differences):
    X, y = blobs(2)
    model = as_differentiable(ProbabilisticSVC(gamma=0.1, random_state=0).fit(X, y))

    def steepness(X):
        slope = grad(lambda X: model.outputs(X, "decision")[:, 0].sum())(X)
        return (slope**2).sum(axis=1)

    expected = central_differences(steepness, X[:2])
    assert_allclose(grad(lambda X: steepness(X).sum())(X[:2]), expected, rtol=1e-5, atol=1e-7)


def test_targets(blobs):
    X, y = blobs(3)
    model = as_differentiable(ProbabilisticSVC(random_state=0).fit(X, y))
    per_row = model.gradient(X, y)
    for label in model.classes_:
        assert_allclose(per_row[y == label], model.gradient(X[y == label], label), rtol=1e-12)
    forward = model.gradient(X, ("type 1", "type 3"), "pairwise")
    assert_allclose(model.gradient(X, ("type 3", "type 1"), "pairwise"), -forward)
    pairs = np.array([["type 1", "type 3"]] * len(X))
    assert_array_equal(model.gradient(X, pairs, "pairwise"), forward)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "type 9"}, "'type 9' is not a class"),
        ({"target": None}, "3 outputs; target must be"),
        ({"target": ["type 1"] * 3}, "one per spectrum"),
        ({"target": "type 1", "kind": "margin"}, "no 'margin' output"),
        ({"target": "type 1", "kind": "pairwise"}, "pair of classes"),
        ({"target": ("type 1", "type 1"), "kind": "pairwise"}, "two different"),
        ({"target": "type 1", "batch_size": 0}, "batch_size"),
        ({"target": "type 1", "precision": "half"}, "precision"),
    ],
)
def test_wrong_requests(arguments, message, blobs):
    X, y = blobs(3)
    model = as_differentiable(ProbabilisticSVC(random_state=0).fit(X, y))
    with pytest.raises(AgnsalError, match=message):
        model.gradient(X, **arguments)


def test_wrong_spectra(blobs):
    X, y = blobs(2)
    model = as_differentiable(ProbabilisticSVC(random_state=0).fit(X, y))
    for bad, message in (
        (X[0], r"X\[None, :\]"),
        (X[:, 1:], "as in training"),
        (X * u.Jy, "unit"),
        (np.ma.array(X), "mask"),
    ):
        with pytest.raises(AgnsalError, match=message):
            model.outputs(bad)


def test_what_is_not_fitted_or_not_differentiable_is_named(blobs):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.preprocessing import Binarizer

    X, y = blobs(2)
    with pytest.raises(AgnsalError, match="not fitted"):
        as_differentiable(ProbabilisticSVC())
    with pytest.raises(AgnsalError, match=r"RandomForestClassifier cannot.*occlusion"):
        as_differentiable(RandomForestClassifier(5).fit(X, y))
    pipeline = make_pipeline(StandardScaler(), Binarizer(), ProbabilisticSVC(random_state=0)).fit(X, y)
    with pytest.raises(AgnsalError, match=r"step 'binarizer' \(Binarizer\) cannot.*occlusion"):
        as_differentiable(pipeline)
    with pytest.raises(AgnsalError, match=r"object.*register"):
        as_differentiable(object())


def test_own_model_and_the_hook():
    model = DifferentiableModel({"decision": lambda X: X}, classes=[0, 1], n_features=2)
    assert as_differentiable(model) is model

    class Holder:
        def as_differentiable(self):
            return model

    assert as_differentiable(Holder()) is model
    assert "2 classes, decision" in repr(model)
    with pytest.raises(AgnsalError, match="outputs must be some of"):
        DifferentiableModel({"logit": lambda X: X}, classes=[0], n_features=1)


def test_gradient_of_log_odds_survives_saturation(blobs):
    X, y = blobs(3, spread=0.3)
    model = as_differentiable(ProbabilisticSVC(kernel="linear", C=100.0, random_state=0).fit(X, y))
    far = X[:1] * 30
    probability = model.outputs(far).max()
    assert probability > 1 - 1e-5
    label = model.predict(far)[0]
    assert np.abs(model.gradient(far, label)).max() < 1e-6
    assert np.abs(model.gradient(far, label, "log_odds")).max() > 0.1


def test_legacy_machine_is_coupled_exactly(blobs, legacy):
    X, y = blobs(3)
    machine = legacy(SVC(random_state=0), X, y)
    expected = ProbabilisticSVC.from_svc(machine).predict_proba(X)
    assert_allclose(as_differentiable(ProbabilisticSVC.from_svc(machine, coupling="libsvm")).outputs(X), expected)
