"""What looks like an estimator is one: it can be cloned, asked for its parameters and given others."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

import agnsal

X = np.abs(np.random.default_rng(0).normal(size=(60, 16)))
y = np.where(X[:, 3] > X[:, 4], "up", "down")
SAMPLE = agnsal.simulate_agn(20, 20, 0, seed=0).normalize()


def square_root(X):
    return np.sqrt(X)


def square(S):
    return S**2


BASES = {
    "FourierBands": agnsal.FourierBands(3),
    "Wavelet": agnsal.Wavelet("haar"),
    "PCABasis": agnsal.PCABasis(2),
    "NMFBasis": agnsal.NMFBasis(2, random_state=0),
    "MatrixBasis": agnsal.MatrixBasis(X[:2].T),
    "MatrixBasis with groups": agnsal.MatrixBasis(X[:3].T, names=["a", "b", "c"], groups=["one", "one", "two"]),
    "FunctionBasis": agnsal.FunctionBasis(square_root, square),
    "LineDictionary": agnsal.LineDictionary(["Hbeta"], grid=SAMPLE.grid),
}
ESTIMATORS = {
    **BASES,
    "ProbabilisticSVC": agnsal.ProbabilisticSVC(C=3.0),
    "ExplanationRegularizedMLP": agnsal.ExplanationRegularizedMLP((4,), max_epochs=1, random_state=0),
    "SpectralEmbedding": agnsal.SpectralEmbedding(perplexity=5, random_state=0),
    "Familiarity": agnsal.Familiarity(n_neighbors=3),
    "WaveletDistillation": agnsal.WaveletDistillation("haar", level=1, gammas=[0.1], max_epochs=1, random_state=0),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_clone_has_the_same_parameters(name):
    original = ESTIMATORS[name]
    copy = clone(original)
    assert type(copy) is type(original)
    for key, value in original.get_params().items():
        np.testing.assert_equal(copy.get_params()[key], value)


@pytest.mark.parametrize("name", BASES)
def test_a_cloned_basis_answers_alike(name):
    spectra = SAMPLE.flux if name == "LineDictionary" else X
    original, copy = BASES[name], clone(BASES[name])
    assert_array_equal(copy.fit(spectra).forward(spectra), original.fit(spectra).forward(spectra))
    assert copy.by == original.by
    assert copy.groups.tolist() == original.groups.tolist()


def test_parameters_are_set():
    assert agnsal.PCABasis().set_params(n_components=3).fit(X).forward(X).shape == (60, 3)
    other = agnsal.FunctionBasis(square_root, square).set_params(names=list("abcdefghijklmnop"))
    assert other.fit(X).names[0] == "a"
    assert agnsal.Familiarity().set_params(n_neighbors=2).n_neighbors == 2


def test_a_cloned_distillation_is_the_same():
    model = LogisticRegression().fit(X, y)
    first, second = (clone(ESTIMATORS["WaveletDistillation"]).fit(model, X, y) for _ in range(2))
    assert_array_equal(first.table_["accuracy"], second.table_["accuracy"])


def test_what_is_trained_takes_a_sample():
    labels = SAMPLE.labels
    mlp = clone(ESTIMATORS["ExplanationRegularizedMLP"])
    assert_array_equal(
        mlp.fit(SAMPLE, labels).predict_proba(SAMPLE), clone(mlp).fit(SAMPLE.flux, labels).predict_proba(SAMPLE.flux)
    )
    distilled = clone(ESTIMATORS["WaveletDistillation"]).fit(mlp, SAMPLE, labels)
    assert_array_equal(distilled.predict(SAMPLE), distilled.predict(SAMPLE.flux))
