"""Samples go in wherever spectra do, and a model knows which it has learnt from; columns are put in order."""

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import agnsal
from agnsal import AgnsalError, ExplanationRegularizedMLP, ProbabilisticSVC, as_differentiable, tune


@pytest.fixture(scope="module")
def raw():
    return agnsal.simulate_agn(15, 15, 10, seed=4)[:, 400:600]


@pytest.fixture(scope="module")
def sample(raw):
    return raw.normalize(at=raw.grid.centers[100])


PREDICTING = ["predict", "predict_proba", "predict_log_proba", "decision_function", "votes"]


@pytest.mark.parametrize("method", [*PREDICTING, "pairwise_decision_function"])
def test_a_machine_takes_samples(method, sample):
    machine = ProbabilisticSVC(random_state=0).fit(sample)
    of_arrays = ProbabilisticSVC(random_state=0).fit(sample.flux, sample.labels)
    expected = getattr(of_arrays, method)(sample.flux)
    np.testing.assert_array_equal(getattr(machine, method)(sample), expected)
    np.testing.assert_array_equal(getattr(of_arrays, method)(sample), expected)


def different(raw, sample):
    other = raw.grid[1:]
    return {
        "grid": (sample[:, 1:], f"grid is {sample.grid!r}, that of these is {other!r}"),
        "unit": (raw, "unit is dimensionless, that of these is .*erg"),
        "normalization": (
            raw.normalize(at=raw.grid.centers[50]),
            r"normalization is Normalization\(at=.*\), that of these is Normalization\(at=",
        ),
    }


@pytest.mark.parametrize("what", ["grid", "unit", "normalization"])
def test_samples_that_are_not_alike_are_refused(what, raw, sample, tmp_path):
    other, message = different(raw, sample)[what]
    machine = ProbabilisticSVC(random_state=0).fit(sample)
    machine.write(tmp_path / "machine.npz")
    network = ExplanationRegularizedMLP((4,), max_epochs=2, random_state=0).fit(sample)
    for model in (machine, ProbabilisticSVC.read(tmp_path / "machine.npz"), network):
        for predict in (model.predict, as_differentiable(model).outputs, lambda X, m=model: agnsal.saliency(m, X)):
            predict(sample)
            with pytest.raises(AgnsalError, match=message):
                predict(other)
    if what != "grid":  # following the advice
        assert machine.predict(other.flux).shape == (len(other),)
    assert not hasattr(clone(machine), "learnt_from_")
    assert machine.fit(sample.flux, sample.labels).learnt_from_ is None


def test_a_stored_machine_knows_what_it_has_learnt_from(sample, tmp_path):
    machine = ProbabilisticSVC(random_state=0).fit(sample)
    machine.write(tmp_path / "machine.npz")
    back = ProbabilisticSVC.read(tmp_path / "machine.npz")
    assert back.learnt_from_ == machine.learnt_from_
    np.testing.assert_array_equal(back.predict_proba(sample), machine.predict_proba(sample))


def test_tuning_takes_a_sample(sample):
    found = tune(sample, kernels="linear", C=[0.1, 1.0], cv=3, random_state=0)
    of_arrays = tune(sample.flux, sample.labels, kernels="linear", C=[0.1, 1.0], cv=3, random_state=0)
    assert found.best_parameters == of_arrays.best_parameters
    assert found.machine.learnt_from_.grid == sample.grid


def test_labels_are_those_of_the_sample_unless_others_are_given(sample):
    other = np.where(sample.flux[:, 0] > np.median(sample.flux[:, 0]), "bright", "faint")
    assert ProbabilisticSVC(random_state=0).fit(sample, other).classes_.tolist() == ["bright", "faint"]
    unlabelled = agnsal.SpectralSample(sample.flux, sample.grid)
    for fit in (ProbabilisticSVC().fit, tune, ExplanationRegularizedMLP().fit):
        with pytest.raises(AgnsalError, match="not every spectrum of the sample has a label; give y"):
            fit(unlabelled)


def test_differentiable_models_take_samples(sample):
    model = as_differentiable(Ridge().fit(sample.flux, sample.flux[:, 3]))
    np.testing.assert_array_equal(model.outputs(sample), model.outputs(sample.flux))
    np.testing.assert_array_equal(model.gradient(sample), model.gradient(sample.flux))
    np.testing.assert_array_equal(model.predict(sample), model.predict(sample.flux))
    with pytest.raises(AgnsalError, match="is a Quantity"):
        model.outputs(sample.flux * u.Jy)


@pytest.fixture(scope="module")
def table():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 6)), columns=[f"w{i}" for i in range(6)])
    return X, np.where(X["w0"] - X["w1"] > 0, "b", "a")


def named_models(table):
    X, y = table
    return [
        make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y),
        ProbabilisticSVC(kernel="linear", random_state=0).fit(X, y),
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_columns_in_another_order_are_put_in_order(number, table):
    X, _ = table
    model, mixed = named_models(table)[number], X[X.columns[::-1]]
    for method in (agnsal.integrated_gradients, agnsal.shapley, agnsal.occlusion):
        right = method(model, X[:3], "b", "log_odds", baseline="zero")
        seen = method(model, mixed[:3], "b", "log_odds", baseline="zero")
        np.testing.assert_array_equal(seen.explained, right.explained)
        np.testing.assert_array_equal(seen.values, right.values)
    smooth = as_differentiable(model)
    np.testing.assert_array_equal(smooth.outputs(mixed), smooth.outputs(X))
    with pytest.raises(ValueError, match="same order"):
        model.predict(mixed)
    with pytest.raises(AgnsalError, match=r"does not know \['w9'\] and misses \['w0'\]"):
        agnsal.saliency(model, X.rename(columns={"w0": "w9"})[:3])


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_columns_are_put_in_order_for_what_only_predicts(table):
    X, y = table
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    right = agnsal.occlusion(forest, X[:3], "b", baseline="zero")
    seen = agnsal.occlusion(forest, X[X.columns[::-1]][:3], "b", baseline="zero")
    np.testing.assert_array_equal(seen.values, right.values)


def test_weights_go_through_a_pipeline(sample):
    X, y = sample.flux, sample.labels
    weight = np.random.default_rng(0).uniform(0.1, 2.0, len(X))
    scaled = StandardScaler().fit_transform(X)
    expected = ProbabilisticSVC(random_state=0).fit(scaled, y, weight).predict_proba(scaled)
    by_name = make_pipeline(StandardScaler(), ProbabilisticSVC(random_state=0))
    by_name.fit(X, y, probabilisticsvc__sample_weight=weight)
    np.testing.assert_array_equal(by_name.predict_proba(X), expected)
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        machine = ProbabilisticSVC(random_state=0).set_fit_request(sample_weight=True)
        routed = make_pipeline(scaler, machine).fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(routed.predict_proba(X), expected)


def test_normalised_flux_as_a_dataframe(raw):
    normalizer = agnsal.FluxNormalizer(raw.grid, at=raw.grid.centers[100])
    expected = normalizer.fit_transform(raw.flux)
    frame = normalizer.set_output(transform="pandas").fit_transform(pd.DataFrame(raw.flux).add_prefix("bin "))
    assert list(frame.columns[:2]) == ["bin 0", "bin 1"]
    np.testing.assert_array_equal(frame.to_numpy(), expected)
