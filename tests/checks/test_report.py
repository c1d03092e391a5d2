import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import agnsal
from agnsal import AgnsalError, SpectralBenchmark
from agnsal.checks.benchmarks.methods import Explanation
from agnsal.checks.faithfulness import completeness, infidelity, make_trial, removal_curves
from agnsal.checks.sanity import explainer_of, randomized, refitted
from agnsal.checks.stability import agreement, max_sensitivity, noise_stability
from agnsal.models.networks.network import Network

check = partial(agnsal.check, random_state=0)


def test_a_report_keeps_the_seed_that_gives_it_again():
    network, X = linear_case()
    made = agnsal.saliency(network, X, None, "decision")
    one = agnsal.check(made, network, X)
    again = agnsal.check(made, network, X, random_state=one.random_state)
    assert str(one.table()) == str(again.table())


@pytest.fixture(scope="module", params=[0, 1, 2])
def case(request):
    benchmark = SpectralBenchmark(360, random_state=request.param)
    training, test = benchmark.training_set()
    return request.param, benchmark.fit(), benchmark.fit(shuffle_labels=request.param), training, test[:20]


def linear_case(n=30, d=24, seed=0):
    rng = np.random.default_rng(seed)
    X, weight = rng.normal(size=(n, d)), rng.normal(size=(1, d))
    return Network.dense([weight], [np.zeros(1)]), X


@pytest.mark.parametrize("method", [agnsal.saliency, agnsal.integrated_gradients])
def test_a_good_map_is_told_from_its_controls_on_every_seed(case, method):
    seed, model, untrained, training, test = case
    good = method(model, test, output="log_odds")
    report = check(good, model, test, training=training, n_refits=2)
    assert report.passed
    assert report["deletion and insertion"].verdict == report["infidelity"].verdict == "pass"
    rng = np.random.default_rng(seed)
    controls = {
        "random": rng.normal(size=good.values.shape),
        "edges": np.gradient(test.flux, axis=1),
        "untrained": method(untrained, test, good.target, "log_odds").values,
    }
    for name, values in controls.items():
        control = check(replace(good, values=values, residual=None), model, test, n_refits=0)
        assert not control.passed, name
        for finding in ("deletion and insertion", "infidelity"):
            # a machine trained on shuffled labels looks where spectra differ, which is not nowhere
            wrong = ("fail", "care") if name == "untrained" else ("fail",)
            assert control[finding].verdict in wrong, (name, control[finding].words)
            assert control[finding].mean < report[finding].low, name


def test_a_linear_function_is_explained_perfectly():
    network, X = linear_case()
    map_ = agnsal.integrated_gradients(network, X, None, "decision", baseline="zero")
    trial = make_trial(map_, network, X)
    np.testing.assert_allclose(infidelity(trial)[0], 1)
    np.testing.assert_allclose(infidelity(trial)[1], 0, atol=1e-12)
    np.testing.assert_allclose(removal_curves(trial).share, 1)
    np.testing.assert_allclose(completeness(map_, trial), 0, atol=1e-9)
    np.testing.assert_allclose(trial.windows_alone(), trial.window_effects, atol=1e-12)


def test_reversed_map_is_reversed_and_scale_does_not_matter():
    network, X = linear_case()
    map_ = agnsal.integrated_gradients(network, X, None, "decision", baseline="zero")
    for factor, expected in ((-1.0, -1.0), (7.0, 1.0)):
        trial = make_trial(replace(map_, values=factor * map_.values), network, X)
        np.testing.assert_allclose(infidelity(trial)[0], expected)
        np.testing.assert_allclose(removal_curves(trial).share, expected)


def test_curves_end_at_the_filled_spectrum():
    network, X = linear_case()
    map_ = agnsal.saliency(network, X, None, "decision")
    curves = removal_curves(make_trial(map_, network, X, fill="zero"))
    np.testing.assert_allclose(curves.deletion[:, 0], network.forward(X)[:, 0])
    np.testing.assert_allclose(curves.deletion[:, -1], 0, atol=1e-12)
    np.testing.assert_allclose(curves.insertion[:, [0, -1]], curves.deletion[:, [0, -1]], atol=1e-12)


def test_report_reads_as_text_and_table(case):
    _, model, _, training, test = case
    report = check(agnsal.saliency(model, test[:5]), model, test[:5], training=training, n_refits=1)
    assert report.verdict in str(report)
    flowing = " ".join(str(report).split())
    for finding in report.findings:
        assert f" {finding.verdict} {finding.name} " in flowing
    assert report.table().meta["verdict"] == report.verdict
    assert report["completeness"].verdict == "not done"
    assert report.plot().get_xlabel() == "Removed windows [%]\nmean and standard error of 5 spectra"
    with pytest.raises(AgnsalError, match="there is no check"):
        report["magic"]


def test_without_training_set_or_errors_some_checks_are_not_done():
    network, X = linear_case()
    report = check(agnsal.saliency(network, X, None, "decision"), network, X)
    for name in ("randomised labels", "flux noise", "refits"):
        assert report[name].verdict == "not done"
    assert report["randomised model"].verdict == "pass"


def test_unknown_methods_are_checked_for_faithfulness_only():
    network, X = linear_case()
    foreign = replace(agnsal.input_x_gradient(network, X, None, "decision"), method="tea leaves")
    report = check(foreign, network, X, fill="zero")
    assert report["infidelity"].verdict == "pass"
    assert "tea leaves" in report["reproduction"].words


def test_maps_of_other_spectra_are_refused():
    network, X = linear_case()
    map_ = agnsal.saliency(network, X, None, "decision")
    with pytest.raises(AgnsalError, match="other spectra"):
        check(map_, network, X[::-1])
    with pytest.raises(AgnsalError, match="30 spectra"):
        check(map_, network, X[:5])


@pytest.fixture(scope="module")
def asked():
    """A machine, and spectra that it is asked about."""
    training = agnsal.simulate_agn(60, 100, 60, seed=1, redshift_confound=False).normalize()
    new = agnsal.simulate_agn(12, 12, 12, seed=2, redshift_confound=False).normalize()
    return training, agnsal.ProbabilisticSVC("linear", C=0.07, random_state=0).fit(training), new


def test_what_keeps_two_classes_apart_is_a_map_like_others(asked):
    training, machine, new = asked
    calibration = agnsal.simulate_agn(40, 40, 40, seed=3, redshift_confound=False).normalize()
    sets = agnsal.prediction_sets(machine, calibration, None, new)
    between = sets.ambiguity(machine, new)
    spectra = new[sets.sets.sum(axis=1) > 1]
    report = check(between, machine, spectra, training=training, n_refits=2)
    assert report.passed
    assert report["reproduction"].mean == pytest.approx(1)
    assert not check(replace(between, values=-between.values), machine, spectra).passed
    with pytest.raises(AgnsalError, match=f"explains {len(between)} spectra, 36 were given"):
        check(between, machine, new)


def test_what_is_no_map_is_refused_with_what_judges_it(asked):
    training, machine, new = asked
    some = new[12:14]
    quantities = {"[O III]": training.truth.table["oxygen_width"]}
    results = [
        agnsal.prediction_sets(machine, new, None, some),
        agnsal.counterfactual(machine, some, "type 1", "broad Hbeta flux", population=training, n_starts=0),
        agnsal.training_influence(machine, some, "type 1", "log_odds"),
        agnsal.concept_sensitivity(machine, training, quantities, "type 1", n_shuffles=9, random_state=0),
    ]
    for result in results:
        with pytest.raises(AgnsalError, match=f"got {type(result).__name__}: ") as refused:
            check(result, machine, some)
        named = re.findall(r"(?<!\w)\.(\w+)", str(refused.value))
        assert named
        assert all(hasattr(result, name) for name in named)  # so the advice can be followed
    with pytest.raises(AgnsalError, match="got ndarray: maps are what saliency"):
        check(np.ones((2, 1000)), machine, some)
    with pytest.raises(AgnsalError, match=r"squared distance, which no classifier gives.*\.explained"):
        check(agnsal.Familiarity().fit(training).explain(some), machine, some)


def test_every_kind_of_model_can_be_randomised():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    y = np.where(X[:, 0] > 0, "a", "b")
    machine = agnsal.ProbabilisticSVC(random_state=0).fit(X, y)
    perceptron = MLPClassifier((8, 4), solver="lbfgs", alpha=0.01, max_iter=5000, random_state=0).fit(X, y)
    chain = make_pipeline(StandardScaler(), agnsal.ProbabilisticSVC(random_state=0)).fit(X, y)
    for model, n_copies in ((machine, 1), (perceptron, 3), (Network.from_sklearn(perceptron), 3), (chain, 1)):
        before = agnsal.saliency(model, X, "a", "decision").values
        copies = randomized(model)
        assert len(copies) == n_copies
        after = agnsal.saliency(list(copies.values())[-1], X, "a", "decision").values
        assert not np.allclose(before, after)
        np.testing.assert_array_equal(agnsal.saliency(model, X, "a", "decision").values, before)
    assert randomized(object()) == {}


# the labels are noise on purpose
@pytest.mark.filterwarnings("ignore:nothing shows that the machine separates:agnsal.AgnsalWarning")
def test_bootstrap_keeps_the_classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = np.array(["rare"] * 8 + ["common"] * 32)
    model = refitted(agnsal.ProbabilisticSVC(random_state=0), X, y, "bootstrap", 1)
    assert set(model.classes_) == {"rare", "common"}


def test_every_method_can_be_asked_again():
    network, X = linear_case(d=20)
    calls = [
        agnsal.saliency(network, X, None, "decision"),
        agnsal.input_x_gradient(network, X, None, "decision"),
        agnsal.smooth_gradient(network, X, None, "decision", noise=0.1, random_state=0),
        agnsal.integrated_gradients(network, X, None, "decision", baseline="zero", n_steps=7, rule="left"),
        agnsal.occlusion(network, X, None, "decision", baseline="zero", window=4),
        agnsal.shapley(network, X, None, "decision", baseline="zero", random_state=0),
    ]
    for made in calls:
        again = explainer_of(made, np.zeros(len(X), dtype=int))
        np.testing.assert_allclose(again(network, X), made.values, atol=1e-9, err_msg=made.method)


def test_noise_must_be_known_and_noisier_is_less_stable():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 6))
    model = agnsal.ProbabilisticSVC(C=10.0, random_state=0).fit(X, np.where(X[:, 0] * X[:, 1] > 0, "a", "b"))
    made = agnsal.saliency(model, X, "a")
    explain = explainer_of(made, "a")
    little, much = (noise_stability(explain, model, X, made.values, noise=s).mean() for s in (0.05, 1.0))
    assert little > 0.95 > much
    with pytest.raises(AgnsalError, match="noise="):
        noise_stability(explain, model, X, made.values)


def test_methods_agree_on_a_linear_function():
    network, X = linear_case()
    names, matrix = agreement(
        Explanation(network, X, None, "decision", baseline="zero"),
        ["input x gradient", "integrated gradients", "occlusion", "control: random"],
    )
    assert names[-1] == "control: random"
    np.testing.assert_allclose(matrix[:3, :3], 1)
    assert abs(matrix[0, 3]) < 0.2


def test_a_linear_function_has_no_sensitive_gradient_and_agrees_with_itself():
    network, X = linear_case()
    made = agnsal.saliency(network, X, None, "decision")
    explain = explainer_of(made, np.zeros(len(X), dtype=int))
    np.testing.assert_allclose(max_sensitivity(explain, network, X, made.values), 0, atol=1e-12)
    report = check(made, network, X)
    assert report["agreement"].mean == pytest.approx(1)
    contribution = agnsal.input_x_gradient(network, X, None, "decision")
    explain = explainer_of(contribution, np.zeros(len(X), dtype=int))
    assert 0 < max_sensitivity(explain, network, X, contribution.values).mean() < 0.1


def test_pairs_of_classes_and_black_boxes_can_be_checked():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8))
    y = np.array(["a", "b", "c"])[np.digitize(X[:, 2], [-0.4, 0.4])]
    machine = agnsal.ProbabilisticSVC(random_state=0).fit(X, y)
    pairs = agnsal.saliency(machine, X, ("a", "c"), "pairwise")
    assert check(pairs, machine, X, training=(X, y), n_refits=1).passed
    forest = RandomForestClassifier(30, random_state=0).fit(X, y)
    removed = agnsal.occlusion(forest, X, "a", baseline="zero")
    report = check(removed, forest, X, training=(X, y), n_refits=1)
    assert report.passed
    assert report["randomised model"].verdict == "not done"


def test_maps_that_need_wavelengths_or_errors_are_asked_again_with_them(case):
    _, model, _, _, test = case
    by_line = agnsal.occlusion(model, test[:3], output="log_odds", window=["Hbeta", "[O III] 5007"])
    report = check(by_line, model, test[:3], n_refits=0)
    assert report["reproduction"].mean == pytest.approx(1)
    assert report["deletion and insertion"].mean == pytest.approx(1)  # three windows, removed as they were
    smooth = agnsal.smooth_gradient(model, test[:3], noise="flux errors", n_samples=8, random_state=0)
    assert check(smooth, model, test[:3], n_refits=0)["reproduction"].mean == pytest.approx(1)


def test_one_spectrum_will_do(case):
    _, model, _, _, test = case
    assert check(agnsal.saliency(model, test[:1]), model, test[:1]).n == 1


def test_strangers_are_reported(case):
    _, model, _, training, test = case
    assert check(agnsal.saliency(model, test), model, test, training=training, n_refits=0)["familiarity"].mean < 0.3
    strange = agnsal.SpectralSample(2 * test.flux[:, ::-1], test.grid)
    report = check(agnsal.saliency(model, strange), model, strange, training=training, n_refits=0)
    assert report["familiarity"].verdict == "fail"
    assert report.verdict != "faithful to the model"


UNEQUAL = np.repeat([0, 1, 2, 3], [100, 200, 300, 400])


@pytest.mark.parametrize(
    ("method", "options"),
    [
        *[
            (agnsal.occlusion, {"regions": UNEQUAL, "fill": fill, "random_state": 0})
            for fill in ("baseline", "continuum", "noise", "mean", "zero", ("class mean", "weak"))
        ],
        (agnsal.occlusion, {"regions": ["Hbeta", "[O III] 5007"], "fill": "noise", "random_state": 0}),
        *[
            (agnsal.shapley, {"regions": UNEQUAL, "method": way, "random_state": 0})
            for way in ("quadrature", "coalitions", "permutations")
        ],
        (agnsal.shapley, {"regions": ["Hbeta", "[O III] 5007"], "method": "permutations", "n_permutations": 8}),
    ],
)
def test_right_maps_in_unequal_regions_pass_and_their_controls_fail(method, options):
    """Windows were once rebuilt from their names as if they were equal, and fills forgotten."""
    benchmark = SpectralBenchmark(360, random_state=0)
    test = benchmark.training_set()[1][:8]
    model, untrained = benchmark.fit(), benchmark.fit(shuffle_labels=0)
    good = method(model, test, output="log_odds", **options)
    report = check(good, model, test, n_refits=0)
    assert report["reproduction"].mean == pytest.approx(1)
    assert report.verdict == "faithful to the model", str(report)
    controls = {
        "random": np.random.default_rng(0).normal(size=good.values.shape),
        "edges": np.gradient(test.flux, axis=1),
        "untrained": method(untrained, test, good.target, "log_odds", **options).values,
    }
    for name, values in controls.items():
        assert not check(replace(good, values=values, residual=None), model, test, n_refits=0).passed, name


def test_a_variance_is_asked_again_and_not_tried_as_an_effect(case):
    _, model, _, _, test = case
    report = check(agnsal.variance_gradient(model, test[:5], random_state=1), model, test[:5], n_refits=0)
    assert report["deletion and insertion"].verdict == report["infidelity"].verdict == "not done"
    assert report["reproduction"].mean == pytest.approx(1)
    assert report.passed


def test_a_machine_that_has_learnt_from_a_normalised_sample_is_checked_as_one_of_arrays():
    sample = agnsal.simulate_agn(20, 20, 0, seed=1).normalize()
    reports = []
    for learnt in ((sample,), (sample.flux, sample.labels)):
        machine = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(*learnt)
        result = agnsal.saliency(machine, sample[:6], "type 1", output="log_odds")
        report = agnsal.check(result, machine, sample[:6], training=sample, random_state=0)
        reports.append(str(report))
    assert reports[0] == reports[1]


def test_a_map_against_a_background_is_held_to_the_mean_output_of_the_background(tmp_path):
    """Not to the output at the mean spectrum, and not to the residual it says it has."""
    X = np.random.default_rng(0).normal(size=(80, 12))
    y = np.where(X[:, 1] * X[:, 2] > 0, "up", "down")
    model = agnsal.ProbabilisticSVC(C=10.0, random_state=0).fit(X, y)
    made = agnsal.expected_gradients(
        model, X[:12], output="log_odds", background=X[:20], n_samples=4000, random_state=0
    )
    made.write(tmp_path / "map.npz")
    for each in (made, agnsal.Attribution.read(tmp_path / "map.npz")):
        trial = make_trial(each, model, X[:12])
        outputs = agnsal.as_differentiable(model)
        column = [outputs.classes_.tolist().index(label) for label in each.target]
        whole = outputs.outputs(X[:12], "log_odds")[np.arange(12), column]
        whole = whole - outputs.outputs(X[:20], "log_odds").mean(axis=0)[column]
        missing = np.abs(whole - each.values.sum(axis=1)) / np.abs(whole)
        np.testing.assert_allclose(completeness(each, trial), missing, rtol=1e-6, atol=1e-9)
    assert np.median(completeness(made, trial)) < 0.1
    half = replace(made, values=0.5 * made.values)
    assert np.median(completeness(half, trial)) > 0.4
