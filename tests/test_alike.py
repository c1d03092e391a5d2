"""Spectra prepared otherwise than those a model, a map or a check knows are refused, whoever is asked."""

from dataclasses import replace

import numpy as np
import pytest

import agnsal
from agnsal import AgnsalError

pytestmark = pytest.mark.filterwarnings("ignore::agnsal.errors.AgnsalWarning")


class Known:
    """What has learnt from a normalised sample."""

    def __init__(self):
        self.raw = agnsal.simulate_agn(20, 20, 0, seed=3)
        self.sample = self.raw.normalize()
        self.machine = agnsal.ProbabilisticSVC("rbf", cv=2, random_state=0).fit(self.sample)
        linear = agnsal.ProbabilisticSVC("linear", cv=2, random_state=0)
        self.classifier = agnsal.TrainedClassifier.train(self.sample, linear, n_refits=1, embed=False, random_state=0)
        self.familiarity = agnsal.Familiarity().fit(self.sample)
        self.map = agnsal.SpectralEmbedding(5, random_state=0).fit(self.sample)
        self.imputation = agnsal.ProbabilisticPCA(2, max_iter=3).fit(self.sample)
        self.attribution = agnsal.saliency(self.machine, self.sample[:4])


@pytest.fixture(scope="module")
def known():
    return Known()


CALLS = {
    "predict_proba": lambda k, x, _: k.machine.predict_proba(x),
    "saliency": lambda k, x, _: agnsal.saliency(k.machine, x[:2]),
    "shapley": lambda k, x, _: agnsal.shapley(k.machine, x[:2]),
    "occlusion": lambda k, x, _: agnsal.occlusion(k.machine, x[:2]),
    "line_ablation": lambda k, x, _: agnsal.line_ablation(k.machine, x[:2]),
    "line_importance": lambda k, x, _: agnsal.line_importance(k.machine, x, "type 1"),
    "suspicious_labels": lambda k, x, _: agnsal.suspicious_labels(k.machine, x),
    "explain_change, first": lambda k, x, _: agnsal.explain_change(k.machine, x[:2], k.sample[2:4]),
    "explain_change, second": lambda k, x, _: agnsal.explain_change(k.machine, k.sample[:2], x[2:4]),
    "effect_sizes": lambda k, x, _: agnsal.effect_sizes(k.machine, x),
    "training_influence": lambda k, x, _: agnsal.training_influence(k.machine, x[:2]),
    "counterfactual": lambda k, x, _: agnsal.counterfactual(k.machine, x[:1], "type 1", population=k.sample),
    "counterfactual, population": lambda k, x, _: agnsal.counterfactual(
        k.machine, k.sample[:1], "type 1", population=x
    ),
    "concept_sensitivity": lambda k, x, _: agnsal.concept_sensitivity(
        k.machine, x, {"z": np.asarray(k.raw.redshift)}, n_shuffles=9
    ),
    "prediction_sets, calibration": lambda k, x, _: agnsal.prediction_sets(k.machine, x, None, k.sample),
    "prediction_sets, spectra": lambda k, x, _: agnsal.prediction_sets(k.machine, k.sample, None, x),
    "check": lambda k, x, _: agnsal.check(k.attribution, k.machine, x[:4], random_state=0),
    "check, training": lambda k, x, _: agnsal.check(
        k.attribution, k.machine, k.sample[:4], training=x, n_refits=1, random_state=0
    ),
    "Familiarity.p_value": lambda k, x, _: k.familiarity.p_value(x),
    "Familiarity.explain": lambda k, x, _: k.familiarity.explain(x),
    "ProbabilisticPCA.impute": lambda k, x, _: k.imputation.impute(x),
    "SpectralEmbedding": lambda k, x, _: k.map.transform(x),
    "explain_spectrum": lambda k, x, _: agnsal.explain_spectrum(x, k.classifier),
    "write_explorer": lambda k, x, folder: agnsal.write_explorer(folder / "explorer.html", x, k.machine),
    "explain_dataset": lambda k, x, folder: agnsal.explain_dataset(
        k.machine, agnsal.open_dataset(x), x.grid, folder / "run", normalize=False
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_spectra_that_are_not_normalised_are_refused(call, known, tmp_path):
    with pytest.raises(AgnsalError, match=r"unit is .*1e-17 erg"):
        call(known, known.raw, tmp_path)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_spectra_that_are_normalised_otherwise_are_refused(call, known, tmp_path):
    with pytest.raises(AgnsalError, match=r"normalization is .*by='median'"):
        call(known, known.raw.normalize(by="median"), tmp_path)


def test_a_map_remembers_it_in_its_file(known, tmp_path):
    known.map.write(tmp_path / "map.npz")
    back = agnsal.SpectralEmbedding.read(tmp_path / "map.npz")
    np.testing.assert_array_equal(back.transform(known.sample[:3]), known.map.transform(known.sample[:3]))
    with pytest.raises(AgnsalError, match="unit is"):
        back.transform(known.raw)


def test_a_page_wants_a_trained_classifier(known):
    with pytest.raises(AgnsalError, match=r"got ProbabilisticSVC; agnsal.TrainedClassifier.train\(sample, machine\)"):
        agnsal.explain_spectrum(known.sample, known.machine)


def test_a_sample_that_does_not_say_how_it_was_normalised_is_taken_as_it_is(known, tmp_path):
    mine = agnsal.SpectralSample(known.sample.flux, known.sample.grid, mask=known.sample.mask)
    # equal but for the order in which a matrix product adds, which depends on where the numbers lie in memory
    np.testing.assert_allclose(known.familiarity.distance(mine), known.familiarity.distance(known.sample), rtol=1e-14)
    assert known.imputation.impute(mine).flux.shape == mine.flux.shape
    classifier = replace(known.classifier, embedding=known.map)
    explanation = agnsal.explain_spectrum(mine, classifier, random_state=0)
    assert explanation.predicted
    assert agnsal.write_spectrum_page(explanation, tmp_path)["png"].exists()
