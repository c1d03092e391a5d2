"""Wavelets learned from attributions: the transform, the loss, and the recovery of a known wavelet."""

import warnings

import numpy as np
import pytest
import pywt
from autograd import grad
from hypothesis import given, settings
from hypothesis import strategies as st

from agnsal import AgnsalError, Network
from agnsal.training.learned_wavelet import LearnedWavelet, compression, distillation_loss, learn_wavelet
from agnsal.training.wavelet_distillation import WaveletDistillation
from agnsal.training.wavelet_transform import (
    analyse,
    decompose,
    filter_of,
    high_pass,
    orthogonality_losses,
    reconstruct,
    synthesise,
    wavelet_distance,
)

NAMES = ["haar", "db5", "sym5", "coif2"]


@pytest.mark.parametrize("name", NAMES)
def test_known_wavelets_are_orthogonal(name):
    losses = orthogonality_losses(filter_of(name))
    assert set(losses) == {"sum", "high_sum", "norm", "conjugate", "shift"}
    assert max(losses.values()) < 1e-12


def test_other_filters_are_not():
    losses = orthogonality_losses(filter_of("db5") + np.linspace(0.1, 0.2, 10) ** 2)
    assert min(losses.values()) > 1e-4


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(length=st.integers(20, 90), level=st.integers(1, 4), seed=st.integers(0, 100))
def test_as_pywavelets_and_back(name, length, level, seed):
    x = np.random.default_rng(seed).normal(size=(3, length))
    h = filter_of(name)
    ours = decompose(x, h, level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # more levels than PyWavelets recommends
        theirs = pywt.wavedec(x, name, mode="zero", level=level, axis=1)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(reconstruct(ours, h, length), x, rtol=0, atol=1e-10)


def test_97_coefficients_of_64_points():
    parts = decompose(np.zeros((1, 64)), filter_of("db5"), 4)
    assert [part.shape[1] for part in parts] == [12, 12, 15, 22, 36]


@settings(max_examples=20, deadline=None)
@given(length=st.integers(4, 40), taps=st.sampled_from([2, 4, 10]), seed=st.integers(0, 100))
def test_adjoint(length, taps, seed):
    rng = np.random.default_rng(seed)
    x, f = rng.normal(size=(2, length)), rng.normal(size=taps)
    y = analyse(x, f)
    c = rng.normal(size=y.shape)
    assert np.vdot(y, c) == pytest.approx(np.vdot(x, synthesise(c, f, length)), abs=1e-11)


def test_gradients_of_a_network_over_the_coefficients():
    """The gradient of f(inverse(s) + residual) over s is the transform of the gradient over wavelength."""
    rng = np.random.default_rng(0)
    network = Network.dense(
        [rng.normal(size=(6, 32)), rng.normal(size=(1, 6))], [rng.normal(size=6), None], activation="tanh"
    )
    h, x = filter_of("db3") + 0.05 * rng.normal(size=6), rng.normal(size=(1, 32))  # not even orthogonal
    parts = decompose(x, h, 2)
    residual = x - reconstruct(parts, h, 32)
    ours = decompose(network.gradient(x), h, 2)
    for k, part in enumerate(parts):
        for j in range(0, part.shape[1], 3):
            values = []
            for step in (1e-6, -1e-6):
                moved = [p.copy() for p in parts]
                moved[k][0, j] += step
                values.append(network.forward(reconstruct(moved, h, 32) + residual)[0, 0])
            assert ours[k][0, j] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-7)


@pytest.mark.parametrize("attribution", ["saliency", "input_x_gradient"])
def test_gradient_of_the_loss_is_the_central_difference(attribution):
    rng = np.random.default_rng(0)
    X, G = rng.normal(size=(2, 5, 33))
    h = filter_of("db4") + 0.1 * rng.normal(size=8)

    def loss(h):
        return distillation_loss(h, X, G, level=3, sparsity=0.1, gamma=0.7, attribution=attribution)

    numeric = np.array([(loss(h + step) - loss(h - step)) / 2e-6 for step in 1e-6 * np.eye(8)])
    np.testing.assert_allclose(grad(loss)(h), numeric, rtol=1e-6, atol=1e-6)


def test_a_perturbed_wavelet_is_recovered():
    """Ha et al. 2021: a function of three db5 coefficients teaches db5, and the signals alone (gamma = 0) do not."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    rng = np.random.default_rng(0)
    truth, X = filter_of("db5"), rng.normal(size=(4000, 64))
    y = 2 * decompose(X, truth, 4)[2][:, 7:10].sum(axis=1) + 0.1 * rng.normal(size=4000)
    teacher = MLPRegressor(
        hidden_layer_sizes=(32, 32), max_iter=20, learning_rate_init=3e-3, batch_size=100, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # twenty epochs are enough for this
        teacher.fit(X, y)
    assert teacher.score(X, y) > 0.99
    gradients = Network.from_sklearn(teacher).gradient(X)
    start = truth + 0.2 * rng.normal(size=10)
    ablation = learn_wavelet(X, gradients, wavelet=start, gamma=0.0, learning_rate=1e-2, max_epochs=8, random_state=0)
    learned = learn_wavelet(
        X, gradients, wavelet=ablation.filter, gamma=1.0, learning_rate=5e-3, max_epochs=6, random_state=0
    )
    assert wavelet_distance(truth, start) > 0.9
    assert wavelet_distance(truth, ablation.filter) > 0.3
    assert wavelet_distance(truth, learned.filter) < 0.03
    assert sum(orthogonality_losses(learned.filter).values()) < 1e-3


def test_distance_knows_shift_sign_and_reversal():
    h = filter_of("db5")
    assert wavelet_distance(h, h) < 1e-7
    assert wavelet_distance(h, h[::-1]) < 1e-7
    assert wavelet_distance("db5", "sym5") > 0.1
    assert wavelet_distance(h, np.concatenate([[0.0, 0.0], h])) < 1e-6


def test_compression_counts_coefficients():
    wavelet = LearnedWavelet(filter_of("haar"), 2, np.nan)
    G = reconstruct([np.zeros((1, 2)), np.zeros((1, 2)), np.array([[0.0, 3.0, 0.0, 0.0]])], wavelet.filter, 8)
    assert compression(wavelet, G) == pytest.approx(1 / 8)
    assert compression(wavelet, G, energy=1.0) >= 1 / 8


def test_top_coefficients():
    wavelet = LearnedWavelet(filter_of("haar"), 2, np.nan)
    X = np.random.default_rng(0).normal(size=(3, 16))
    features = wavelet.top_coefficients(X, m=2)
    assert features.shape == (3, 6)
    fine = wavelet.transform(X)[-1]
    np.testing.assert_array_equal(features[:, -2], fine.max(axis=1))


def test_the_ablation_is_always_reported():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 40))
    y = np.where(rng.random(150) < 0.5, "a", "b")
    X[y == "b", 18:22] += 1.5
    model = LogisticRegression().fit(X, y)
    distilled = WaveletDistillation("db3", level=3, gammas=[0.5], max_epochs=2, random_state=0, cv=3).fit(model, X, y)
    assert distilled.table_["name"].tolist() == ["fixed", "gamma = 0", "gamma = 0.5"]
    assert distilled.best_ in {"gamma = 0", "gamma = 0.5"}
    assert distilled.table_["distance"][0] == pytest.approx(0, abs=1e-7)
    assert distilled.table_["reconstruction"][0] == pytest.approx(0, abs=1e-15)
    assert np.mean(distilled.predict(X) == y) > 0.6
    again = WaveletDistillation("db3", level=3, gammas=[0.5], max_epochs=2, random_state=0, cv=3).fit(model, X, y)
    np.testing.assert_array_equal(again.table_["attribution"], distilled.table_["attribution"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wavelet": "bior2.2"}, "no orthogonal wavelet"),
        ({"wavelet": "db"}, "no orthogonal wavelet"),
        ({"wavelet": np.ones(3)}, "even number"),
        ({"gamma": -1.0}, "gamma"),
        ({"level": 0}, "level"),
        ({"attribution": "lime"}, "'lime'"),
        ({"gradients": np.ones((4, 31))}, "shape of the spectra"),
    ],
)
def test_refusals(options, message):
    X = np.ones((4, 32))
    with pytest.raises(AgnsalError, match=message):
        learn_wavelet(X, **{"gradients": X, **options})


def test_high_pass_is_orthogonal_to_low_pass():
    h = filter_of("db5")
    assert np.dot(h, high_pass(h)) == pytest.approx(0, abs=1e-14)
