"""Bases: there and back, adjoint, orthonormal, names that fit."""

import warnings

import astropy.units as u
import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from agnsal import (
    PERUZZI2021_GRID,
    AgnsalError,
    AgnsalWarning,
    FourierBands,
    FunctionBasis,
    LineDictionary,
    MatrixBasis,
    NMFBasis,
    PCABasis,
    SpectralSample,
    WavelengthGrid,
    Wavelet,
    simulate_agn,
    transformed,
)


def spectra(d, n=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def assert_adjoint(basis):
    """<inverse(S) - inverse(0), X> = <S, pullback(X)>, the way back being linear up to a constant."""
    rng = np.random.default_rng(1)
    S = rng.normal(size=(4, len(basis.names)))
    G = rng.normal(size=(4, basis.n_features))
    there = ((basis.inverse(S) - basis.inverse(0 * S)) * G).sum()
    assert there == pytest.approx((S * basis.pullback(S, G)).sum(), rel=1e-10, abs=1e-10)


ORTHONORMAL = st.one_of(
    st.builds(FourierBands, st.just(2), spacing=st.sampled_from(["linear", "log"])),
    st.builds(Wavelet, st.sampled_from(["haar", "db2", "db4", "sym5", "coif2"])),
)


@settings(deadline=None, max_examples=60)
@given(basis=ORTHONORMAL, d=st.integers(2, 300))
def test_orthonormal_bases_are_exact_for_any_length(basis, d):
    X = spectra(d)
    S = basis.fit(X).forward(X)
    assert S.shape == X.shape == (len(S), len(basis.names))
    np.testing.assert_allclose(basis.inverse(S), X, atol=1e-10)
    np.testing.assert_allclose((S**2).sum(axis=1), (X**2).sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(basis.pullback(S, X), S, atol=1e-12)
    assert_adjoint(basis)


def test_fourier_coordinates_are_those_of_numpy():
    X = spectra(9)
    bands = FourierBands(n_bands=5).fit(X)
    found, expected = bands.forward(X), np.fft.rfft(X, norm="ortho")
    np.testing.assert_allclose(found[:, 0], expected[:, 0].real, atol=1e-13)
    for k in range(1, 5):
        pair = found[:, bands.names == f"re {k}"][:, 0] + 1j * found[:, bands.names == f"im {k}"][:, 0]
        np.testing.assert_allclose(pair, np.sqrt(2) * expected[:, k], atol=1e-13)


@settings(deadline=None)
@given(d=st.integers(2, 120), share=st.floats(0, 1), spacing=st.sampled_from(["linear", "log"]))
def test_bands_cover_every_frequency_once(d, share, spacing):
    n_bands = 1 + int(share * (d // 2))
    bands = FourierBands(n_bands, spacing=spacing).fit(np.zeros((1, d)))
    assert len(bands.group_names) == n_bands
    number = np.array([int(name.split()[1]) for name in bands.names])
    covered = []
    for name in bands.group_names:
        first, _, last = name.partition("-")
        members = np.unique(number[bands.groups == name])
        np.testing.assert_array_equal(members, np.arange(int(first), int(last or first) + 1))
        covered += members.tolist()
    assert covered == list(range(d // 2 + 1))


def test_bands_by_their_edges():
    bands = FourierBands(edges=[0, 0.1, 0.25, 0.5]).fit(np.zeros((1, 20)))
    assert bands.group_names.tolist() == ["0-1", "2-4", "5-10"]
    for edges in ([0.1, 0.5], [0, 0.4], [0, 0.5, 0.2], [0.0]):
        with pytest.raises(AgnsalError, match=r"0 to 0\.5"):
            FourierBands(edges=edges).fit(np.zeros((1, 20)))
    with pytest.raises(AgnsalError, match="no frequency"):
        FourierBands(edges=[0, 0.01, 0.02, 0.5]).fit(np.zeros((1, 20)))
    with pytest.raises(AgnsalError, match="n_bands"):
        FourierBands(n_bands=12).fit(np.zeros((1, 20)))
    with pytest.raises(AgnsalError, match="spacing"):
        FourierBands(n_bands=3, spacing="square").fit(np.zeros((1, 20)))


def test_a_wavelet_sees_scales():
    """A narrow feature lives on fine scales, a broad one on coarse scales."""
    x = np.arange(512)
    narrow, broad = (np.exp(-0.5 * ((x - 250) / width) ** 2) for width in (1.0, 40.0))
    wavelet = Wavelet("db4").fit(narrow[None])
    power = {}
    for name, line in (("narrow", narrow), ("broad", broad)):
        S = wavelet.forward(line[None])[0] ** 2
        power[name] = sum(S[wavelet.groups == scale].sum() for scale in ("2 bins", "4 bins")) / S.sum()
    assert power["narrow"] > 0.25
    assert power["broad"] < 1e-4


def test_wavelets_that_are_refused():
    X = np.zeros((1, 16))
    with pytest.raises(AgnsalError, match="no wavelet"):
        Wavelet("daubechies").fit(X)
    with pytest.raises(AgnsalError, match="not orthogonal"):
        Wavelet("bior2.2").fit(X)
    with pytest.raises(AgnsalError, match="from 1 to 4"):
        Wavelet("db4", level=9).fit(X)


@settings(deadline=None, max_examples=20)
@given(n=st.integers(3, 12), d=st.integers(2, 15), seed=st.integers(0, 99))
def test_all_components_are_exact(n, d, seed):
    X = spectra(d, n, seed)
    basis = PCABasis(n_components=min(n - 1, d)).fit(X)
    np.testing.assert_allclose(basis.inverse(basis.forward(X)), X, atol=1e-10)
    np.testing.assert_allclose(basis.directions @ basis.directions.T, np.eye(len(basis.names)), atol=1e-12)
    assert (np.diff(basis.variance_share) <= 1e-12).all()
    assert basis.variance_share.sum() == pytest.approx(1)
    assert_adjoint(basis)


def test_the_mean_belongs_to_no_component():
    X = spectra(8, 30) + 100
    basis = PCABasis(n_components=3).fit(X)
    np.testing.assert_allclose(basis.forward(X.mean(axis=0)[None]), 0, atol=1e-12)
    np.testing.assert_allclose(basis.inverse(np.zeros((1, 3)))[0], X.mean(axis=0))
    assert sum(np.abs(part).max() for part in basis.components(basis.forward(X)).values()) < 50


def test_a_matrix_gives_its_coordinates_back():
    D = spectra(12, 5).T
    basis = MatrixBasis(D)
    S = spectra(5, 4, seed=3)
    np.testing.assert_allclose(basis.forward(basis.inverse(S)), S, atol=1e-12)
    np.testing.assert_allclose(sum(basis.components(S).values()), basis.inverse(S), atol=1e-12)
    assert_adjoint(basis)
    X = spectra(12, 4, seed=5)
    residual = X - basis.inverse(basis.forward(X))
    np.testing.assert_allclose(residual @ D, 0, atol=1e-12)


def test_bins_without_weight_do_not_count():
    grid = WavelengthGrid.linear(5000 * u.AA, 5010 * u.AA, 6)
    flux = np.ones((1, 6))
    flux[0, 2] = 1000.0
    ivar = np.ones((1, 6))
    ivar[0, 2] = 0.0
    sample = SpectralSample(flux, grid, ivar=ivar)
    sample.flux = flux
    assert MatrixBasis(np.ones((6, 1))).forward(sample)[0, 0] == pytest.approx(1)
    assert MatrixBasis(np.ones((6, 1))).forward(flux)[0, 0] > 100


def test_parts_that_only_add():
    parts = np.random.default_rng(0).uniform(size=(3, 20))
    X = np.random.default_rng(1).uniform(size=(40, 3)) @ parts
    basis = NMFBasis(n_components=3, random_state=0).fit(X)
    S = basis.forward(X)
    assert S.min() >= 0
    np.testing.assert_allclose(basis.inverse(S), X, atol=0.02)
    assert basis.forward(-X).max() == 0
    assert_adjoint(basis)
    with pytest.warns(AgnsalWarning, match="max_iter"):
        NMFBasis(n_components=3, max_iter=3, random_state=0).fit(X)


def test_any_smooth_function():
    import autograd.numpy as anp

    basis = FunctionBasis(np.log, anp.exp, names=["a", "b"], groups=["all", "all"])
    X = np.array([[1.0, 2.0], [3.0, 4.0]])
    S = basis.fit(X).forward(X)
    np.testing.assert_allclose(basis.inverse(S), X)
    np.testing.assert_allclose(basis.pullback(S, np.ones((2, 2))), X)
    assert basis.by == "group"
    with pytest.raises(AgnsalError, match="not linear"):
        basis.components(S)
    with pytest.raises(AgnsalError, match="must give"):
        FunctionBasis(lambda X: X[0], lambda S: S).fit(X)


def test_the_dictionary_finds_what_was_put_in():
    """Broad and narrow Hbeta of known flux, on a continuum, come back exactly without noise."""
    empty = SpectralSample(np.zeros((1, 1000)), PERUZZI2021_GRID)
    dictionary = LineDictionary(["Hbeta", "[O III] 5007"]).fit(empty)
    S = np.zeros((1, len(dictionary.names)))
    S[0, dictionary.names == "continuum 0"] = 1.0
    S[0, dictionary.names == "Hbeta narrow 300 km/s"] = 2.0
    S[0, dictionary.names == "Hbeta broad 4500 km/s"] = 50.0
    found = dictionary.fluxes(dictionary.inverse(S))
    assert found["Hbeta narrow"][0] == pytest.approx(2, rel=1e-6)
    assert found["Hbeta broad"][0] == pytest.approx(50, rel=1e-6)
    assert found["[O III] 5007 narrow"][0] == pytest.approx(0, abs=1e-6)
    widths = PERUZZI2021_GRID.widths.value
    assert dictionary.components(S)["Hbeta broad"][0] @ widths == pytest.approx(50, rel=1e-6)
    assert_adjoint(dictionary)


@pytest.fixture(scope="module")
def sample():
    return simulate_agn(30, 30, 0, seed=2).normalize()


@pytest.mark.parametrize("nonnegative", [False, True])
def test_the_dictionary_measures_simulated_spectra(sample, nonnegative):
    dictionary = LineDictionary(nonnegative=nonnegative).fit(sample)
    flux = dictionary.fluxes(sample)["Hbeta broad"]
    near = np.abs(sample.wavelength.value - 4862.68) < 200
    true = (sample.truth.components["broad Balmer lines"] * sample.grid.widths.value)[:, near].sum(axis=1)
    assert np.corrcoef(flux, true)[0, 1] > 0.9
    broad, none = flux[sample.labels == "type 1"], flux[sample.labels == "type 2"]
    assert (broad[:, None] > none).mean() > 0.98  # the chance to tell a pair apart; one noisy type 2 may be fooled
    S = dictionary.forward(sample)
    if nonnegative:
        assert S[:, dictionary.groups != "continuum"].min() >= -1e-10
        assert dictionary.forward(sample.flux[:2])[:, dictionary.groups != "continuum"].min() >= -1e-10
    chi = (sample.flux - dictionary.inverse(S)) * np.sqrt(sample.ivar)
    assert np.median(np.sqrt((chi**2).sum(axis=1) / (~sample.mask).sum(axis=1))) < 1.5


def test_dictionaries_that_are_refused(sample):
    with pytest.raises(AgnsalError, match="needs wavelengths"):
        LineDictionary().fit(sample.flux)
    assert LineDictionary(grid=sample.grid).fit(sample.flux).fitted
    for line, message in (("Halpha", "off the grid"), ("Ca K", "no emission line"), ("Hbetta", "Hbeta")):
        with pytest.raises(AgnsalError, match=message):
            LineDictionary([line]).fit(sample)
    air = WavelengthGrid.linear(4800 * u.AA, 5100 * u.AA, 50, medium="air")
    with pytest.raises(AgnsalError, match="vacuum"):
        LineDictionary(grid=air).fit(np.ones((1, 50)))


@pytest.mark.parametrize(
    "basis", [FourierBands(), Wavelet(), PCABasis(2), NMFBasis(2), LineDictionary()], ids=lambda b: type(b).__name__
)
def test_bases_that_are_not_fitted_say_so(basis):
    assert repr(basis).endswith("not fitted>")
    with pytest.raises(AgnsalError, match="not fitted"):
        basis.forward(np.ones((2, 40)))


def test_bad_input_is_refused():
    bands = FourierBands(2).fit(np.zeros((1, 8)))
    with pytest.raises(AgnsalError, match="same grid"):
        bands.forward(np.zeros((1, 9)))
    with pytest.raises(AgnsalError, match=r"x\[None, :\]"):
        bands.forward(np.zeros(8))
    with pytest.raises(AgnsalError, match="NaN"):
        bands.forward(np.full((1, 8), np.nan))
    with pytest.raises(AgnsalError, match="coordinates"):
        bands.inverse(np.zeros((1, 9)))
    with pytest.raises(AgnsalError, match="components"):
        PCABasis(5).fit(np.zeros((3, 8)))
    with pytest.raises(AgnsalError, match="parts"):
        NMFBasis(5).fit(np.zeros((3, 8)))
    with pytest.raises(AgnsalError, match="2 names"):
        MatrixBasis(np.ones((4, 3)), names=["a", "b"])
    with pytest.raises(AgnsalError, match="finite"):
        MatrixBasis(np.ones(4))


def test_given_eigenspectra_are_those_of_scikit_learn():
    """`components_` and `mean_` of a PCA make the basis that would have been learnt, also in a copy."""
    X = np.random.default_rng(0).normal(size=(40, 12))
    pca = PCA(4, svd_solver="full").fit(X)
    learnt = PCABasis(4).fit(X)
    known = PCABasis(eigenspectra=pca.components_, origin=pca.mean_)
    for basis in (known.fit(X), clone(known).fit(X[:3])):
        np.testing.assert_allclose(basis.forward(X), pca.transform(X), atol=1e-12)
        np.testing.assert_allclose(basis.inverse(basis.forward(X)), learnt.inverse(learnt.forward(X)), atol=1e-12)
        assert basis.names.tolist() == learnt.names.tolist()
    model = LogisticRegression().fit(X, X[:, 0] > 0)
    values = [transformed(model, X[:3], basis, "saliency", True).values for basis in (clone(known), learnt)]
    np.testing.assert_allclose(*values, atol=1e-12)
    assert np.isnan(known.variance_share).all()
    centred = PCABasis(eigenspectra=pca.components_).fit(X)
    np.testing.assert_allclose(centred.forward(X), X @ pca.components_.T, atol=1e-12)


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("not orthonormal; MatrixBasis", {"eigenspectra": 2 * np.eye(3)[:2]}),
        ("finite, got shape", {"eigenspectra": np.ones(3)}),
        ("one finite spectrum of 3 bins", {"eigenspectra": np.eye(3)[:2], "origin": np.zeros(2)}),
    ],
)
def test_what_are_no_eigenspectra_is_refused(message, options):
    with pytest.raises(AgnsalError, match=message):
        PCABasis(**options).fit(np.zeros((2, 3)))
    with pytest.raises(AgnsalError, match="the spectra have 5 bins"):
        PCABasis(eigenspectra=np.eye(3)[:2]).fit(np.zeros((2, 5)))
    # as the message says
    assert MatrixBasis((2 * np.eye(3)[:2]).T).forward(np.ones((1, 3))).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("n_bins", [16, 37, 100, 101])
@pytest.mark.parametrize("name", ["haar", "db4", "sym5"])
def test_mirrored_ends(n_bins, name):
    """PyWavelets' coefficients; exact there and back; the pullback is the transpose of the way back."""
    X = np.random.default_rng(0).normal(size=(3, n_bins))
    basis = Wavelet(name, 3, border="symmetric").fit(X)
    S = basis.forward(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # three levels are many for few bins
        trend, *details = pywt.wavedec(X, name, mode="symmetric", level=3)
    np.testing.assert_allclose(S, np.concatenate([*details[::-1], trend], axis=1), atol=1e-12)
    np.testing.assert_allclose(basis.inverse(S), X, atol=1e-11)
    assert basis.groups.size == S.shape[1] >= n_bins
    synthesis = basis.inverse(np.eye(S.shape[1]))
    np.testing.assert_allclose(basis.pullback(S, X), X @ synthesis.T, atol=1e-12)
    assert sorted(set(basis.group_names)) == ["2 bins", "4 bins", "8 bins", "trend"]


def test_a_slope_makes_no_step_at_mirrored_ends():
    X = np.linspace(0, 1, 128)[None]
    finest = {}
    for border in ("periodic", "symmetric"):
        basis = Wavelet("db2", 2, border=border).fit(X)
        finest[border] = np.abs(basis.forward(X)[0, basis.groups == "2 bins"]).max()
    assert finest["symmetric"] < 0.05 * finest["periodic"]
    with pytest.raises(AgnsalError, match="border must be one of"):
        Wavelet(border="zero").fit(X)


def test_a_machine_is_explained_behind_mirrored_ends():
    X = np.random.default_rng(0).normal(size=(60, 33))
    model = LogisticRegression().fit(X, X[:, 0] + X[:, 20] > 0)
    basis = Wavelet("db3", 2, border="symmetric")
    made = transformed(model, X[:3], basis, "integrated_gradients", True, "log_odds", baseline="zero")
    assert np.abs(made.residual).max() < 1e-9
    np.testing.assert_allclose(made.values.sum(axis=1), X[:3] @ model.coef_[0], atol=1e-9)
