"""Whatever is given in place of spectra, samples and maps: a refusal of ours, never an exception of somebody else."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from scipy.sparse import csr_array

import agnsal
from agnsal import AgnsalError, figures

# a bootstrap sample of six spectra has few different ones
pytestmark = pytest.mark.filterwarnings("ignore:class .* has . members:agnsal.AgnsalWarning")

N, D = 12, 20
GRID = agnsal.WavelengthGrid.linear(4800 * u.AA, 5050 * u.AA, D)
RANDOM = np.random.default_rng(0)
LABELS = np.repeat(["a", "b"], N // 2)
FLUX = RANDOM.normal(size=(N, D)) + (LABELS == "a")[:, None]
SAMPLE = agnsal.SpectralSample(FLUX, GRID)

ODD = {
    "zero spectra": FLUX[:0],
    "complex": FLUX + 1j,
    "sparse": csr_array(FLUX),
    "ragged": [[1, 2], [3]],
    "words": np.full((N, D), "flux"),
    "a word": "flux",
    "a number": 3.5,
    "nothing": None,
    "a list of nothing": [None],
    "a cube": FLUX[None],
    "too few bins": FLUX[:, :3],
}


@pytest.fixture(scope="module")
def machine():
    return agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(FLUX, LABELS)


@pytest.fixture(scope="module")
def network():
    weights = [RANDOM.normal(size=(4, D)), RANDOM.normal(size=(2, 4))]
    return agnsal.Network.dense(weights, [np.zeros(4), np.zeros(2)], classes=["a", "b"])


#: What takes spectra, what a sample, what maps; and options that are arrays.
CALLS = {
    "explain_change": lambda X, machine, _: agnsal.explain_change(machine, X, X),
    "line_importance": lambda X, machine, _: agnsal.line_importance(machine, X, "a"),
    "bootstrap_posterior": lambda X, machine, _: agnsal.bootstrap_posterior(machine, X, LABELS, "a", n_refits=2),
    "suspicious_labels": lambda X, machine, _: agnsal.suspicious_labels(machine, X, LABELS),
    "check_confounds": lambda X, *_: agnsal.check_confounds(X, LABELS),
    "rate": lambda X, *_: agnsal.rate(X, np.eye(3)),
    "mean_maps": lambda X, *_: agnsal.mean_maps(X),
    "cluster_maps": lambda X, *_: agnsal.cluster_maps(X),
    "outputs": lambda X, machine, _: agnsal.as_differentiable(machine).outputs(X),
    "network.forward": lambda X, _, network: network.forward(X),
    "network.gradient": lambda X, _, network: network.gradient(X, "a"),
    "SpectralSample": lambda X, *_: agnsal.SpectralSample(X, GRID),
    "from_spectra": lambda X, *_: agnsal.SpectralSample.from_spectra(X, GRID),
    "with_flux": lambda X, *_: SAMPLE.with_flux(X),
    "plot_embedding": lambda X, *_: figures.plot_embedding(X),
    "noise": lambda X, machine, _: agnsal.smooth_gradient(machine, FLUX[:2], noise=X, n_samples=2),
    "background": lambda X, machine, _: agnsal.expected_gradients(machine, FLUX[:2], background=X, n_samples=2),
    "baseline": lambda X, machine, _: agnsal.integrated_gradients(machine, FLUX[:2], baseline=X, n_steps=2),
}
#: What these may be: no spectra give no answers, a single number of noise, no noise of one's own.
FINE = {
    *(("outputs", "zero spectra"), ("network.forward", "zero spectra"), ("network.gradient", "zero spectra")),
    *(
        ("bootstrap_posterior", "too few bins"),
        ("noise", "a number"),
        ("noise", "nothing"),
        ("baseline", "nothing"),
        ("SpectralSample", "zero spectra"),
    ),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("call", CALLS)
def test_odd_input_is_refused_by_us(call, what, machine, network):
    if (call, what) in FINE:
        CALLS[call](ODD[what], machine, network)
    else:
        with pytest.raises(AgnsalError):
            CALLS[call](ODD[what], machine, network)


ODD_PATHS = {
    "nothing": None,
    "an empty name": "",
    "a number": 3,
    "a list": [],
    "a zero byte": "a\0b",
    "too long a name": "n" * 300,
    "too long a path": "/".join(["n" * 200] * 30),
    "half a letter": "\ud800.fits",
    "below a file": "file/a",
}
TAKERS = {
    "read_spectra": agnsal.read_spectra,
    "read": agnsal.SpectralSample.read,
    "write": SAMPLE.write,
    "fetch_spectra": lambda path: agnsal.fetch_spectra(
        QTable({"plate": [1], "mjd": [2], "fiberid": [3]}), path, "sdss", base_url="http://127.0.0.1:9"
    ),
    "fetch_catalogue": lambda path: agnsal.fetch_catalogue("vaona2012", path, base_url="http://127.0.0.1:9"),
}


@pytest.mark.parametrize("what", ODD_PATHS)
@pytest.mark.parametrize("taker", TAKERS)
def test_odd_paths_are_refused_by_us(taker, what, tmp_path, monkeypatch):
    if taker.startswith("fetch"):
        pytest.importorskip("requests")
    if (taker, what) in {("fetch_catalogue", "nothing"), ("read_spectra", "a list")}:
        pytest.skip("a catalogue need not be kept, and of no files there are no spectra")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(AgnsalError):
        TAKERS[taker](ODD_PATHS[what])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_messages_give_no_orders_to_a_terminal(tmp_path):
    for name in ("\x1b[31mred.fits", "\x07bell\r.fits", "\udce9.fits", "\u202eright to left.fits"):
        with pytest.raises(AgnsalError) as caught:
            agnsal.read_spectra(tmp_path / name)
        assert str(caught.value).replace("\n", "").isprintable()
    assert str(agnsal.AgnsalWarning("a\x1b[31m\nb")) == "a [31m\nb"
