"""What holds for everything that is fitted: odd input is refused, and scikit-learn's rules are kept."""

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.table import MaskedColumn
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

import agnsal

SAMPLE = agnsal.simulate_agn(10, 10, 0, seed=0).normalize()
X, Y = SAMPLE.flux[:, :40].copy(), np.asarray(SAMPLE.labels)
GRID = agnsal.WavelengthGrid(SAMPLE.grid.edges[:41])
X_SAMPLE = agnsal.SpectralSample(X[:2], GRID)
MODEL = agnsal.ProbabilisticSVC(kernel="linear", random_state=0)


def distil(X, y):
    return agnsal.WaveletDistillation(max_epochs=1, level=2).fit(MODEL.fit(SAMPLE.flux[:, :40], Y), X, y)


#: How each is fitted to spectra and labels, and which methods then take spectra.
ESTIMATORS = {
    "ProbabilisticSVC": (MODEL.fit, ("predict", "predict_proba", "decision_function")),
    "ExplanationRegularizedMLP": (
        agnsal.ExplanationRegularizedMLP(max_epochs=1, random_state=0).fit,
        ("predict", "predict_proba", "decision_function"),
    ),
    "WaveletDistillation": (distil, ("predict",)),
    "SpectralEmbedding": (agnsal.SpectralEmbedding(perplexity=5, random_state=0).fit, ("transform",)),
    "FluxNormalizer": (agnsal.FluxNormalizer(GRID, at=GRID.centers[20]).fit, ("transform",)),
    "PCABasis": (lambda X, y: agnsal.PCABasis(3).fit(X), ("forward",)),
    "NMFBasis": (lambda X, y: agnsal.NMFBasis(3, random_state=0).fit(X), ("forward",)),
    "Wavelet": (lambda X, y: agnsal.Wavelet().fit(X), ("forward",)),
    "FourierBands": (lambda X, y: agnsal.FourierBands().fit(X), ("forward",)),
}


@pytest.mark.filterwarnings("ignore::agnsal.errors.AgnsalWarning")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_is_no_matrix_of_spectra_is_refused(name):
    fit, methods = ESTIMATORS[name]
    fitted = fit(X, Y)
    odd = {
        "[Cc]omplex": X + 1j,
        "dense": csr_array(X),
        r"feature|bins|, 0\)": X[:, :0],
        "mask would be lost": np.ma.masked_less(X, 0.1),
    }
    if not name.endswith(("Wavelet", "Bands")):  # which learn nothing but the grid
        odd["0 (sample|spectra)"] = X[:0]
    for message, spectra in odd.items():
        with pytest.raises((ValueError, TypeError), match=message):
            fit(spectra, Y[: spectra.shape[0]])
        for method in methods:
            if spectra.shape[0] == 0 and method == "forward":
                assert fitted.forward(spectra).shape == (0, len(fitted.names))
                continue
            with pytest.raises((ValueError, TypeError), match=message):
                getattr(fitted, method)(spectra)


@pytest.mark.parametrize("masked", [np.ma.array, MaskedColumn])
def test_a_label_that_is_not_known_is_no_label(masked):
    labels = masked(Y, mask=np.arange(len(Y)) < 3)
    known = masked(Y, mask=np.zeros(len(Y), bool))
    for name in ("ProbabilisticSVC", "ExplanationRegularizedMLP", "WaveletDistillation"):
        with pytest.raises(agnsal.AgnsalError, match="3 of the labels in y are masked"):
            ESTIMATORS[name][0](X, labels)
    with pytest.raises(agnsal.AgnsalError, match="3 of the labels in y are masked"):
        agnsal.tune(X, labels)
    with pytest.raises(agnsal.AgnsalError, match="3 of the labels in y are masked"):
        agnsal.attribution_uncertainty("saliency", MODEL, X_SAMPLE, n_draws=0, n_refits=2, training=(X, labels))
    assert MODEL.fit(X, known).classes_.tolist() == ["type 1", "type 2"]
    keep = ~labels.mask
    assert MODEL.fit(X[keep], Y[keep]).n_features_in_ == 40  # as the message says


class Distilled(agnsal.WaveletDistillation):
    """What scikit-learn can check: `fit` of the distillation takes the classifier first."""

    def fit(self, X, y=None):
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        return super().fit(LogisticRegression().fit(X, y), X, y)


class OnAnyGrid(agnsal.FluxNormalizer):
    """What scikit-learn can check: a normaliser belongs to a grid, and with it to a number of bins."""

    window = None
    at = 5100 * u.AA
    by = "window"

    def __init__(self):
        pass

    @property
    def grid(self):
        return agnsal.WavelengthGrid.linear(5000 * u.AA, 5200 * u.AA, self.n_features_in_)

    def transform(self, X):
        return super().transform(X if hasattr(X, "toarray") else np.exp(np.asarray(X, float)))  # flux is positive


NAMES = "what a basis has learnt is called names, groups, n_features and so on, without the underscore"
NO_SPECTRA = "it learns the number of bins only, for which no spectra are needed"
NEAR = "t-SNE places a fitted spectrum near its point on the map, not on it"
CHECKED = {
    "WaveletDistillation": (Distilled("haar", level=1, gammas=[0.1], max_epochs=1, cv=2, random_state=0), {}),
    "SpectralEmbedding": (
        agnsal.SpectralEmbedding(perplexity=2, random_state=0),
        {"check_transformer_general": NEAR, "check_transformer_data_not_an_array": NEAR},
    ),
    "FluxNormalizer": (OnAnyGrid(), {"check_fit2d_1feature": "a grid has at least two bins"}),
    "PCABasis": (agnsal.PCABasis(1), {"check_dont_overwrite_parameters": NAMES}),
    "NMFBasis": (agnsal.NMFBasis(1, random_state=0), {"check_dont_overwrite_parameters": NAMES}),
    "Wavelet": (
        agnsal.Wavelet("haar"),
        {"check_dont_overwrite_parameters": NAMES, "check_estimators_empty_data_messages": NO_SPECTRA},
    ),
    "FourierBands": (
        agnsal.FourierBands(1),
        {"check_dont_overwrite_parameters": NAMES, "check_estimators_empty_data_messages": NO_SPECTRA},
    ),
}


@pytest.mark.filterwarnings("ignore::agnsal.errors.AgnsalWarning")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "SpectralEmbedding")) for name in CHECKED]
)
def test_scikit_learn_accepts_it(name):
    """ProbabilisticSVC and ExplanationRegularizedMLP: tests/models/test_svc.py and tests/training/test_perceptron.py.

    A Familiarity takes samples only, and says so in its tags; a LineDictionary and a MatrixBasis have a fixed number
    of bins.
    """
    estimator, expected = CHECKED[name]
    results = check_estimator(estimator, on_skip=None, on_fail=None, expected_failed_checks=expected)
    failed = [(result["check_name"], str(result["exception"])) for result in results if result["status"] == "failed"]
    assert not failed
    assert sum(result["status"] == "passed" for result in results) >= 35
    # no failure is expected that does not come
    assert {result["check_name"] for result in results if result["status"] == "xfail"} == set(expected)


@pytest.mark.parametrize("name", ["PCABasis", "Familiarity", "WaveletDistillation"])
def test_nothing_is_said_before_the_fit(name):
    estimator = getattr(agnsal, name)()
    ask = {"PCABasis": "forward", "Familiarity": "p_value", "WaveletDistillation": "predict"}[name]
    for kind in (agnsal.AgnsalError, NotFittedError):
        with pytest.raises(kind, match=f"{name} is not fitted yet"):
            getattr(estimator, ask)(X_SAMPLE)


def test_transformers_give_data_frames():
    table = pd.DataFrame(X, columns=[f"bin {k}" for k in range(40)], index=np.arange(100, 120))
    normalizer = agnsal.FluxNormalizer(GRID, at=GRID.centers[20], window=None).set_output(transform="pandas")
    found = normalizer.fit_transform(table)
    assert list(found.columns) == list(table.columns)
    assert list(found.index) == list(table.index)
    assert (found["bin 20"] == 1).all()
    where = agnsal.SpectralEmbedding(perplexity=5, random_state=0).set_output(transform="pandas").fit_transform(table)
    assert list(where.columns) == ["spectralembedding0", "spectralembedding1"]
    assert list(where.index) == list(table.index)


@pytest.mark.parametrize("tuned", [False, True])
def test_weights_are_routed_through_a_pipeline(tuned):
    """A weight of zero leaves a spectrum out, also behind a scaler and inside a search."""
    weight = (np.arange(len(Y)) % 4 > 0).astype(float)
    folds = [(np.flatnonzero(weight)[::2], np.flatnonzero(weight)[1::2])]
    machine = agnsal.ProbabilisticSVC(kernel="linear", cv=2, random_state=0)
    with config_context(enable_metadata_routing=True):
        asked = clone(machine).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        model = make_pipeline(FunctionTransformer(), asked)
        if tuned:
            model = GridSearchCV(model, {"probabilisticsvc__C": [2.0]}, cv=folds, error_score="raise")
        model.fit(X, Y, sample_weight=weight)
    if tuned:
        model = model.best_estimator_
    alone = clone(machine).set_params(C=2.0 if tuned else 1.0).fit(X, Y, sample_weight=weight)
    assert_array_equal(model.predict_proba(X), alone.predict_proba(X))
    everything = clone(machine).set_params(C=2.0 if tuned else 1.0).fit(X, Y)
    assert np.abs(alone.predict_proba(X) - everything.predict_proba(X)).max() > 1e-3
