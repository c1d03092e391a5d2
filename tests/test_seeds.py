"""A random state is a whole number, a RandomState or a Generator, everywhere; equal ones give equal bits."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.svm import LinearSVC

import agnsal
from agnsal import AgnsalError
from agnsal.attribution.populations.posterior import bootstrap_posterior
from agnsal.checks.stability import max_sensitivity
from agnsal.seeds import seed_of
from agnsal.spectra.editing.line_removal import remove_lines
from agnsal.training.learned_wavelet import learn_wavelet
from agnsal.training.reliance import reliance

X = np.random.default_rng(0).normal(size=(60, 12))
y = np.where(X[:, 1] > 0, "up", "down")
MACHINE = agnsal.ProbabilisticSVC(random_state=0).fit(X, y)
SAMPLE = agnsal.simulate_agn(15, 15, 0, seed=0).normalize()
OF_SAMPLE = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(SAMPLE.flux, SAMPLE.labels)
ESTIMATORS = {
    "ProbabilisticSVC": agnsal.ProbabilisticSVC(),
    "ExplanationRegularizedMLP": agnsal.ExplanationRegularizedMLP((3,), max_epochs=2),
    "SpectralEmbedding": agnsal.SpectralEmbedding(perplexity=5),
}


def fitted(name, r):
    model = clone(ESTIMATORS[name]).set_params(random_state=r).fit(X, y)
    return model.coordinates if name == "SpectralEmbedding" else model.predict_proba(X)


def explain(model, spectra):
    return agnsal.saliency(model, spectra).values


ASKED = {
    "smooth_gradient": lambda r: agnsal.smooth_gradient(MACHINE, X[:2], n_samples=4, random_state=r).values,
    "expected_gradients": lambda r: (
        agnsal.expected_gradients(MACHINE, X[:2], background=X, n_samples=600, random_state=r).values
    ),
    "occlusion": lambda r: (
        agnsal.occlusion(OF_SAMPLE, SAMPLE[:1], window=50, fill="noise", n_draws=2, random_state=r).values
    ),
    "shapley": lambda r: agnsal.shapley(MACHINE, X[:2], method="permutations", n_permutations=8, random_state=r).values,
    "attribution_uncertainty": lambda r: (
        agnsal.attribution_uncertainty(agnsal.saliency, OF_SAMPLE, SAMPLE[:2], n_draws=3, random_state=r).standard_error
    ),
    "remove_lines": lambda r: remove_lines(SAMPLE[:2], ["Hbeta"], fill="noise", random_state=r).flux,
    "tune": lambda r: np.asarray(agnsal.tune(X, y, kernels="linear", C=[0.1, 1.0], random_state=r).table["log_loss"]),
    "NMFBasis": lambda r: agnsal.NMFBasis(2, random_state=r).fit(np.abs(X)).forward(np.abs(X)),
    "line_importance": lambda r: agnsal.line_importance(
        OF_SAMPLE, SAMPLE, "type 1", lines=["Hbeta"], n_permutations=2, random_state=r
    )["permutation"],
    "bootstrap_posterior": lambda r: bootstrap_posterior(LinearSVC(), X, y, n_refits=3, random_state=r).mean,
    "cluster_maps": lambda r: agnsal.cluster_maps(agnsal.saliency(MACHINE, X), 3, random_state=r),
    "check_confounds": lambda r: agnsal.check_confounds(
        SAMPLE, agnsal.saliency(OF_SAMPLE, SAMPLE), n_shuffles=9, random_state=r
    ).table["p_value"],
    "max_sensitivity": lambda r: max_sensitivity(
        explain, MACHINE, X[:3], explain(MACHINE, X[:3]), n_draws=2, random_state=r
    ),
    "learn_wavelet": lambda r: (
        learn_wavelet(X, X, wavelet="db2", level=1, max_epochs=1, batch_size=20, random_state=r).filter
    ),
    "reliance": lambda r: reliance({"svm": MACHINE}, X, y, np.arange(12) == 1, random_state=r)["shuffled"],
    **{name: lambda r, name=name: fitted(name, r) for name in ESTIMATORS},
}


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng], ids=["RandomState", "Generator"])
@pytest.mark.parametrize("name", ASKED)
def test_every_random_state_is_welcome(name, make):
    found, number = ASKED[name](make(3)), seed_of(make(3))
    assert_array_equal(found, ASKED[name](number))


def test_a_generator_given_twice_gives_two_seeds_and_a_number_itself():
    generator = np.random.default_rng(0)
    assert seed_of(generator) != seed_of(generator)
    assert seed_of(np.int64(7)) == 7


def test_none_follows_the_global_state_of_numpy():
    np.random.seed(1)  # noqa: NPY002
    first = seed_of(None)
    second = seed_of(None)
    np.random.seed(1)  # noqa: NPY002
    assert (seed_of(None), seed_of(None)) == (first, second)
    assert first != second


@pytest.mark.parametrize("wrong", [-1, 2**32, 0.5, "0", [1, 2]])
def test_what_is_no_random_state_is_refused_with_what_is(wrong):
    with pytest.raises(AgnsalError, match=r"random_state must be a whole number from 0 .* Generator or None"):
        agnsal.smooth_gradient(MACHINE, X[:1], random_state=wrong)


def test_a_result_keeps_the_seed_it_was_drawn_with():
    result = agnsal.smooth_gradient(MACHINE, X[:2], n_samples=4, random_state=np.random.default_rng(5))
    again = agnsal.smooth_gradient(MACHINE, X[:2], n_samples=4, random_state=result.options["random_state"])
    assert_array_equal(again.values, result.values)
