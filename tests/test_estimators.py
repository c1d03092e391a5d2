"""What holds for everything that is fitted: odd input is refused, and scikit-learn's rules are kept."""

import numpy as np
import pytest
from astropy.table import MaskedColumn
from scipy.sparse import csr_array

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
