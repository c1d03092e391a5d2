from dataclasses import replace

import numpy as np
import pytest
from autograd import grad
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from agnsal import (
    AgnsalError,
    Edit,
    Familiarity,
    ProbabilisticSVC,
    SpectralSample,
    as_differentiable,
    counterfactual,
    simulate_agn,
    spectral_edits,
)
from agnsal.attribution.counterfactual.counterfactual import changed
from agnsal.attribution.counterfactual.search import nearest_crossing
from agnsal.spectra.simulation.agn import compose


@pytest.fixture(scope="module")
def training():
    return simulate_agn(40, 60, 40, seed=1).normalize()


@pytest.fixture(scope="module")
def spectra():
    return simulate_agn(1, 2, 1, seed=2).normalize()


@pytest.fixture(scope="module", params=["linear", "rbf"])
def model(request, training):
    return ProbabilisticSVC(request.param, C=10.0, gamma=0.003, class_weight="balanced", random_state=0).fit(training)


def test_what_others_need_of_an_edit_is_where_their_line_crosses(training, spectra):
    """Of linear machines of two classes: minus the decision over its change along the edit."""
    two = training[training.labels != "intermediate"]
    models = [ProbabilisticSVC("linear", class_weight="balanced", random_state=0).fit(two[k::3]) for k in range(3)]
    result = counterfactual(models[0], spectra[1:3], "type 1", "broad Hbeta flux", population=training, random_state=0)
    assert result.flipped.all()
    assert not result.already.any()
    needed = result.needed_by(models)
    np.testing.assert_allclose(needed[0], 1.0, atol=1e-3)
    for model, multiples in zip(models, needed, strict=True):
        before, after = (model.pairwise_log_odds(each.flux)[:, 0] for each in (result.before, result.spectra))
        np.testing.assert_allclose(multiples, before / (before - after), rtol=1e-4)
    nothing = replace(result, spectra=result.before)
    assert np.isinf(nothing.needed_by(models[:1])).all()
    own = counterfactual(models[0], spectra[:1], "type 1", "broad Hbeta flux", population=training, random_state=0)
    assert own.needed_by(models[:1]) == 0.0
    with pytest.raises(AgnsalError, match="type 1 is no class of ProbabilisticSVC"):
        result.needed_by([ProbabilisticSVC("linear", random_state=0).fit(training[training.labels != "type 1"])])


def test_edits_change_nothing_where_they_are_and_their_slopes_are_exact(spectra):
    edits = spectral_edits(spectra)
    for edit in edits:
        assert ((edit.lower <= edit.present) & (edit.present <= edit.upper)).all()
        for i in range(len(spectra)):
            assert not edit.change(edit.present[i], i).any()
    weights = np.random.default_rng(0).normal(size=spectra.flux.shape[1])
    start = np.concatenate([edit.present[0] for edit in edits])
    step = np.where(start > 100, 1.0, 1e-4)

    def total(values):
        return changed(edits, values, 0) @ weights

    found = grad(total)(start + step)
    for q, unit in enumerate(np.eye(start.size)):
        expected = (total(start + step + step * unit) - total(start + step - step * unit)) / (2 * step[q])
        np.testing.assert_allclose(found[q], expected, rtol=1e-4, atol=1e-8)


def test_quantities_are_those_of_the_simulation():
    sample = simulate_agn(20, 20, 0, seed=3).normalize()
    edits = {edit.names[0]: edit for edit in spectral_edits(sample)}
    truth = sample.truth.table
    broad = edits["broad Hbeta flux"].present[:, 0]
    true = np.asarray(truth["broad_hbeta_width"])
    assert np.corrcoef(broad[:20], true[:20])[0, 1] > 0.8
    assert 0.6 < np.median(broad[:20] / true[:20]) < 1.3
    assert np.median(broad[20:]) < 3  # type 2: none, but for what looks like it
    oxygen = edits["[O III] flux"].present[:, 0] / np.asarray(truth["oxygen_width"])
    assert 0.7 < np.median(oxygen) < 1.2
    # a doublet stays one
    rise = edits["[O III] flux"].change(edits["[O III] flux"].present[0] + 1.0, 0) * sample.grid.widths.value
    near = [np.abs(sample.wavelength.value - at) < 20 for at in (4960.3, 5008.24)]
    np.testing.assert_allclose(rise[near[0]].sum() / rise[near[1]].sum(), 0.335, atol=0.01)


def test_the_class_changes_within_the_bounds(model, training, spectra):
    target = np.where(spectra.labels == "type 1", "type 2", "type 1")
    familiarity = Familiarity().fit(training)
    result = counterfactual(
        model, spectra, target, population=training[::7], familiarity=familiarity, n_starts=0, random_state=0
    )
    assert result.flipped.mean() >= 0.8
    np.testing.assert_array_equal(model.predict(result.spectra)[result.flipped], target[result.flipped])
    table = result.edits
    fluxes = np.array([name.endswith("flux") for name in table["quantity"]])
    assert (np.asarray(table["after"])[fluxes] >= 0).all()
    shares = np.asarray(table["after"])[np.asarray(table["quantity"]) == "host fraction"]
    assert ((shares >= 0) & (shares <= 1)).all()
    sizes = np.asarray(table["size"]).reshape(len(spectra), -1)
    np.testing.assert_allclose(np.linalg.norm(sizes, axis=1), result.size)
    # at the border the log-odds are even, whatever P is on the way
    log_odds = as_differentiable(model).outputs(result.spectra, "log_odds")
    chosen = log_odds[np.arange(len(spectra)), [model.classes_.tolist().index(name) for name in target]]
    assert (chosen[result.flipped] > 0).all()
    moved = result.flipped & (result.size > 0)
    np.testing.assert_allclose(result.path[moved, -1], 0.5, atol=0.01)
    assert (result.path[moved, 0] < 0.5).all()
    assert ((result.familiarity > 0) & (result.familiarity <= 1)).all()
    assert "can be made another class" in str(result)
    ax = result.plot(0)
    assert len(ax.lines) >= 3


def test_one_knob_is_a_root_and_all_knobs_need_no_more(model, training, spectra):
    part = spectra[1:4]
    options = {"population": training[::7], "random_state": 0}
    one = counterfactual(model, part, "type 1", "broad Hbeta flux", **options)
    every = counterfactual(model, part, "type 1", n_starts=0, **options)
    assert one.flipped.any()
    assert set(one.edits["quantity"]) == {"broad Hbeta flux"}
    both = one.flipped & every.flipped
    assert (every.size[both] <= one.size[both] * (1 + 1e-6)).all()


def test_a_linear_machine_gives_the_distance_to_its_plane():
    random = np.random.default_rng(0)
    sample = simulate_agn(20, 20, 0, seed=1).normalize()
    weights, offset = random.normal(size=3), -2.0
    end = nearest_crossing(
        lambda Z: Z @ weights + offset, lambda z: weights, -np.full(3, 50.0), np.full(3, 50.0),
        np.random.RandomState(0), 1,
    )  # fmt: skip
    np.testing.assert_allclose(np.linalg.norm(end.z), 2.0 / np.linalg.norm(weights), rtol=1e-2)
    # a user's own quantity, for a model without probabilities
    line = np.abs(sample.wavelength.value - 4862.68) < 40
    machine = SVC(kernel="linear").fit(sample.flux, sample.labels)
    own = Edit.of_template("bump", line.astype(float), n=20, lower=0.0, upper=100.0, scale=1.0)
    result = counterfactual(machine, sample[20:], "type 1", [own], output="decision")
    slope = -(machine.coef_[0] @ line)
    expected = machine.decision_function(sample.flux[20:]) / slope
    assert slope > 0
    np.testing.assert_allclose(result.size[result.flipped], expected[result.flipped], rtol=1e-2)


def test_where_there_is_none_it_says_so(model, spectra):
    tiny = np.full(spectra.flux.shape[1], 1e-9)
    own = Edit.of_template("nothing", tiny, n=len(spectra), lower=0.0, upper=1.0, scale=1.0)
    result = counterfactual(model, spectra, np.where(spectra.labels == "type 1", "type 2", "type 1"), [own])
    assert not result.flipped.any()
    assert np.isnan(result.size).all()
    assert "no edit within the bounds" in str(result)


@pytest.mark.slow
def test_the_knob_of_the_simulator_does_the_same(model, training):
    """What broad Hbeta would have to be, and what the simulator needs to put in, agree within a factor of two."""
    sample = simulate_agn(0, 4, 0, seed=2).normalize()
    result = counterfactual(model, sample, "type 1", "broad Hbeta flux", population=training[::7])
    function, column = as_differentiable(model), model.classes_.tolist().index("type 1")

    def log_odds(i, width):
        table = sample.truth.table[[i]]
        parts = []
        for value in (0.0, width):
            table["broad_hbeta_width"] = np.array([value]) * table["broad_hbeta_width"].unit
            parts.append(compose(table, sample.grid.edges.value)["broad Balmer lines"][0])
        flux = sample.flux[i] + (parts[1] - parts[0]) / sample.table["normalization"][i].value
        return function.outputs(flux[None], "log_odds")[0, column]

    ratios = []
    for i in np.flatnonzero(result.flipped):
        after = float(result.of(i)["after"][0])
        assert log_odds(i, after) > log_odds(i, 0.0)
        # an rbf machine falls back where nothing is alike: the first crossing counts
        tried = np.linspace(0.0, 400.0, 41)
        beyond = np.flatnonzero([log_odds(i, width) > 0 for width in tried])
        if beyond.size:
            low, high = tried[beyond[0] - 1], tried[beyond[0]]
            ratios.append(brentq(lambda width, i=i: log_odds(i, width), low, high) / after)
    assert len(ratios) >= 2
    assert 0.5 < np.median(ratios) < 2


def test_noise_is_the_error_of_a_fit_of_one_number(spectra):
    template = np.exp(-0.5 * ((spectra.wavelength.value - 4862.68) / 20) ** 2)
    own = Edit.of_template("line", template, n=len(spectra), lower=-100.0, upper=100.0)
    np.testing.assert_allclose(own.noise(spectra.ivar)[:, 0], (spectra.ivar @ template**2) ** -0.5, rtol=1e-6)


def test_refusals(model, training, spectra):
    with pytest.raises(AgnsalError, match="broad Hbeta flux"):
        counterfactual(model, spectra, "type 1", "broad Hbta flux", population=training[::7])
    with pytest.raises(AgnsalError, match=r'population=.*scale="noise"'):
        counterfactual(model, spectra, "type 1")
    with pytest.raises(AgnsalError, match="SpectralSample"):
        counterfactual(model, spectra.flux, "type 1")
    with pytest.raises(AgnsalError, match="ask for log_odds"):
        counterfactual(model, spectra, "type 1", output="decision", scale="noise")
    with pytest.raises(AgnsalError, match="outside of its bounds"):
        Edit.of_template("line", np.ones(4), n=2, present=-1.0, lower=0.0)
    forest = LogisticRegression(max_iter=1000).fit(training.flux, training.labels)
    assert counterfactual(forest, spectra[1:2], "type 1", scale="noise", n_starts=0).size[0] > 0


@pytest.fixture(scope="module")
def without_hbeta():
    """The window of Hbeta of the second and third of four type 2 was not observed."""
    sample = simulate_agn(0, 4, 0, seed=2).normalize()
    window = (sample.wavelength.value > 4700) & (sample.wavelength.value < 4990)
    mask = np.outer([False, True, True, False], window) | sample.mask
    ivar = np.where(mask, 0.0, sample.ivar)
    flux = np.where(mask, 1.0, sample.flux)
    return SpectralSample(flux, sample.grid, ivar=ivar, mask=mask, table=sample.table["object_id", "label"]).normalize()


def test_what_was_not_observed_is_not_turned(model, training, without_hbeta):
    """Left out by name where all quantities are asked for, refused where it is named; bad bins stay as they are."""
    options = {"population": training[::7], "n_starts": 0, "random_state": 0}
    result = counterfactual(model, without_hbeta, "type 1", **options)
    lost = {"broad Hbeta flux", "broad Hbeta FWHM", "narrow Hbeta flux"}
    assert not result.unseen(0)
    assert lost <= set(result.unseen(1))
    assert "[O II] flux" not in result.unseen(1)
    assert "observed: broad" in " ".join(str(result).split())
    table = result.edits
    turned = np.asarray(table["observed"]) >= 0.5
    assert not np.asarray(table["size"])[~turned].any()
    assert (result.spectra.flux[without_hbeta.mask] == without_hbeta.flux[without_hbeta.mask]).all()
    with pytest.raises(AgnsalError, match=r"'broad Hbeta flux' cannot be turned in 2 of 4 spectra .* Leave these"):
        counterfactual(model, without_hbeta, "type 1", "broad Hβ flux", **options)
    known = counterfactual(model, without_hbeta[[0, 3]], "type 1", "broad Hβ flux", **options)
    assert set(known.edits["quantity"]) == {"broad Hbeta flux"}


def test_no_bin_falls_below_zero_but_for_noise():
    """The border is at a flux that is not allowed: the spectrum is edited as far as its bound."""
    sample = simulate_agn(0, 12, 0, seed=3).normalize()
    near = np.abs(sample.wavelength.value - 4600) < 20
    fall = Edit.of_template("depth", -near.astype(float), n=12, lower=0.0, upper=50.0, scale=1.0)
    second = Edit.of_template("rise", 1e-6 * near, n=12, lower=0.0, upper=1.0, scale=1.0)
    weights, labels = -near.astype(float) / near.sum(), np.where(np.arange(12) < 6, "up", "down")
    machine = LogisticRegression().fit(sample.flux, labels)
    machine.coef_, machine.intercept_ = weights[None], np.array([-5.0])  # asks for a flux of -5
    sigma = 1 / np.sqrt(sample.ivar[:, near])
    for edits in ([fall], [fall, second]):
        result = counterfactual(machine, sample, machine.classes_[1], edits, random_state=0)
        assert not result.flipped.any()
        after = result.spectra.flux[:, near]
        assert (after >= np.minimum(sample.flux[:, near], 0.0) - 3 * sigma - 1e-4).all()
        assert (after.mean(axis=1) < sample.flux[:, near].mean(axis=1)).all()
    machine.intercept_ = np.array([0.3])  # a flux of 0.3 is allowed
    result = counterfactual(machine, sample, machine.classes_[1], [fall, second], random_state=0)
    assert result.flipped.all()


def test_what_is_the_target_already_is_not_counted(model, training, spectra):
    result = counterfactual(model, spectra, model.predict(spectra), population=training[::7])
    assert result.already.all()
    said = "0 of 0 spectra can be made another class; 4 are what they are to become already"
    assert repr(result) == f"<Counterfactuals: {said}>"
    two = spectra[model.predict(spectra) == "type 2"]
    mixed = counterfactual(model, two, ["type 2", *["type 1"] * (len(two) - 1)], population=training[::7], n_starts=0)
    assert "1 is type 2 already" in repr(mixed)
    assert mixed.words(0) == "nothing, it is already"


def test_words_never_say_that_nothing_changes(model, spectra, training):
    result = counterfactual(model, spectra[:1], "type 1", "broad Hbeta flux", population=training[::7], n_starts=0)
    edits = result.edits.copy()
    for factor, said in ((1.0042, "x 1.004"), (0.96, "x 0.96"), (2.31, "x 2.3"), (1e-14, "to 0 "), (30.0, "to 30 ")):
        edits["before"], edits["after"], edits["factor"], edits["size"] = 1.0, factor, factor, 2.0
        assert said in replace(result, edits=edits).words(0, 1)
