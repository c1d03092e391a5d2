"""Arrays with a JSON header on disk."""

import pickle

import numpy as np
import pytest

from agnsal import AgnsalError
from agnsal.store import read_arrays, write_arrays


@pytest.fixture
def stored(tmp_path):
    arrays = {
        "double": np.random.default_rng(0).normal(size=(5, 3)),
        "odd": np.array([np.nan, np.inf, -0.0, 5e-324]),
        "whole": np.arange(4),
        "yes": np.array([True, False]),
        "text": np.array(["Hβ", "[O III]"]),
        "empty": np.zeros((0, 7)),
    }
    path = tmp_path / "thing.npz"
    write_arrays(path, "Thing", arrays, {"unit": "Å", "n": 3})
    return path, arrays


def test_round_trip_is_bit_equal(stored):
    path, arrays = stored
    back, header = read_arrays(path, "Thing")
    assert header == {"unit": "Å", "n": 3}
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()


def test_numpy_can_read_it_too(stored):
    path, arrays = stored
    with np.load(path, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["double"], arrays["double"])


def test_another_kind_is_refused(stored):
    with pytest.raises(AgnsalError, match="holds a Thing, a Sample was expected"):
        read_arrays(stored[0], "Sample")


@pytest.mark.parametrize("keep", [0, 10, 200, -30])
def test_damaged_files_are_refused(stored, keep):
    path, _ = stored
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(AgnsalError, match=r"thing\.npz: not a whole agnsal file"):
        read_arrays(path, "Thing")


def test_a_flipped_byte_is_noticed(stored):
    path, _ = stored
    content = bytearray(path.read_bytes())
    place = content.find(b"double.npy") + 60
    content[place] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(AgnsalError, match="not a whole"):
        read_arrays(path, "Thing")


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3))
    with pytest.raises(AgnsalError, match="not a whole agnsal file"):
        read_arrays(path, "Thing")
    path.write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(AgnsalError, match="not a whole agnsal file"):
        read_arrays(path, "Thing")
    with pytest.raises(AgnsalError, match="no such file"):
        read_arrays(tmp_path / "nothing.npz", "Thing")


def test_objects_are_never_written_or_read(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(AgnsalError, match="Python objects"):
        write_arrays(path, "Thing", {"x": np.array([{}], dtype=object)})
    with pytest.raises(AgnsalError, match="not JSON"):
        write_arrays(path, "Thing", {}, {"x": object()})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(stored, monkeypatch):
    path, arrays = stored
    monkeypatch.setattr(np.lib.format, "write_array", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_arrays(path, "Thing", arrays)
    monkeypatch.undo()
    read_arrays(path, "Thing")
    assert [entry.name for entry in path.parent.iterdir()] == ["thing.npz"]
