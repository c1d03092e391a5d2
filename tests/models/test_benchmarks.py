"""The benchmarks of the models still run (small)."""

import importlib

import numpy as np
import pytest

from agnsal import as_differentiable


@pytest.fixture
def load(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return importlib.import_module


# the labels are noise on purpose
@pytest.mark.filterwarnings("ignore:nothing shows that the machine separates:agnsal.AgnsalWarning")
def test_suites_run(load):
    bench = load("bench_models")
    parts = bench.Parts()
    parts.setup(3)
    for name in (name for name in dir(parts) if name.startswith("time_")):
        getattr(parts, name)(3)
    X, y = bench.spectra(60, 40)
    assert X.shape == (60, 40)
    assert set(y) == {"type 1", "type 2", "intermediate"}
    machine, spectra = bench.large_machine(20, 30, 4)
    assert as_differentiable(machine).gradient(spectra, "a").shape == (4, 30)


def test_table_names_what_is_missing(load, capsys):
    peers = load("peers")
    table = peers.Table()
    assert not table.has("no_such_peer", "numpy")
    table.add("fit", "a peer", 12.345, "note")
    text = table.markdown()
    assert "| fit | a peer | 12.3 | note |" in text
    assert "left out: no_such_peer" in text
    assert "12.3" in capsys.readouterr().out


def test_largest_jump_sees_a_step(load):
    peers = load("peers")
    X = np.random.default_rng(0).normal(size=(30, 2))
    assert peers.largest_jump(lambda X: (X[:, :1] > 0) * 1.0, X) == 1.0
    assert peers.largest_jump(lambda X: X[:, :1], X) < 0.01
