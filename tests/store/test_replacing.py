"""Files are replaced whole or not at all: full disks, killed writers, links, devices."""

import errno
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from agnsal import AgnsalError
from agnsal.store import read_arrays, replacing, write_arrays


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    return path


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_the_new_file_takes_the_place_of_the_old(place):
    with replacing(place) as side:
        assert side.parent == place.parent
        assert side.suffix == ".txt"
        side.write_text("new")
        assert place.read_text() == "old"
    assert place.read_text() == "new"
    assert names(place.parent) == ["a.txt"]


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [FULL, ValueError("no"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(place, error):
    def write():
        with replacing(place) as side:
            side.write_text("ha")
            raise error

    with pytest.raises(AgnsalError if isinstance(error, OSError) else type(error)):
        write()
    assert place.read_text() == "old"
    assert names(place.parent) == ["a.txt"]


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    write_arrays(path, "Thing", {"x": np.arange(3)})

    def full(*_, **__):
        raise FULL

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(AgnsalError, match=r"a\.npz: cannot be written \(No space left on device\)"):
        write_arrays(path, "Thing", {"x": np.arange(4)})
    monkeypatch.undo()
    assert read_arrays(path, "Thing")[0]["x"].size == 3
    assert names(tmp_path) == ["a.npz"]


def test_links_are_followed_and_the_mode_is_kept(place):
    link = place.with_name("link.txt")
    link.symlink_to(place.name)
    place.chmod(0o640)
    with replacing(link) as side:
        side.write_text("new")
    assert link.is_symlink()
    assert place.read_text() == "new"
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    dangling = place.with_name("dangling.txt")
    dangling.symlink_to("other.txt")
    with replacing(dangling) as side:
        side.write_text("new")
    assert place.with_name("other.txt").read_text() == "new"


def test_a_new_file_has_the_mode_of_any_other(tmp_path):
    (tmp_path / "a").write_text("")
    with replacing(tmp_path / "b") as side:
        side.write_text("")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_what_is_no_regular_file_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "folder", tmp_path / "pipe", "/dev/null"):
        with pytest.raises(AgnsalError, match="no regular file"), replacing(path) as side:
            side.write_text("new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (None, "name of a file"),
        (3.5, "name of a file"),
        ("", "names no file"),
        ("a\0b", "names no file"),
        ("nowhere/at/all/a.npz", "no folder"),
        ("a" * 300 + ".npz", "cannot be written"),
    ],
)
def test_paths_that_are_none_are_refused(tmp_path, monkeypatch, path, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AgnsalError, match=message):
        write_arrays(path, "Thing", {})
    assert names(tmp_path) == []


def test_bytes_name_a_file(tmp_path):
    write_arrays(os.fsencode(tmp_path / "a.npz"), "Thing", {"x": np.arange(3)})
    assert read_arrays(os.fsencode(tmp_path / "a.npz"), "Thing")[0]["x"].size == 3


def _write_often(path, number):
    for _ in range(20):
        write_arrays(path, "Thing", {"x": np.full(2000, number)})


def test_writers_at_the_same_time_do_not_meet(tmp_path):
    path = tmp_path / "a.npz"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_often, args=(path, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert np.ptp(read_arrays(path, "Thing")[0]["x"]) == 0
    assert names(tmp_path) == ["a.npz"]


KILLED = """
import sys, time
import numpy as np
from agnsal.store import write_arrays
whole = np.lib.format.write_array
def slow(stream, array, **options):
    whole(stream, array, **options)
    stream.flush()
    print("writing", flush=True)
    time.sleep(60)
np.lib.format.write_array = slow
write_arrays(sys.argv[1], "Thing", {"x": np.zeros(1000), "y": np.zeros(1000)})
"""


ANOTHER = """
import sys
import numpy as np
from agnsal.store import write_arrays
write_arrays(sys.argv[1], "Thing", {"x": np.arange(4)})
"""


def test_a_killed_writer_loses_nothing(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, "Thing", {"x": np.arange(3)})
    before = path.read_bytes()
    writer = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "writing\n"
    time.sleep(0.05)
    while_it_writes = names(tmp_path)
    subprocess.run([sys.executable, "-c", ANOTHER, str(tmp_path / "b.npz")], check=True)
    assert names(tmp_path) == sorted([*while_it_writes, "b.npz"])  # nobody takes what a living writer writes
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert path.read_bytes() == before
    assert [name for name in names(tmp_path) if name.startswith(".")]
    subprocess.run([sys.executable, "-c", ANOTHER, str(path)], check=True)
    assert read_arrays(path, "Thing")[0]["x"].size == 4
    assert names(tmp_path) == ["a.npz", "b.npz"]


def test_hidden_files_of_others_are_left_alone(tmp_path):
    foreign = [".hidden", ".x.lock", f".{'a' * 32}", f".{'b' * 31}.lock", f"{'c' * 32}.lock"]
    for name in foreign:
        (tmp_path / name).write_text("mine")
    (tmp_path / f".{'d' * 32}.lock").write_text("")
    (tmp_path / f".{'d' * 32}.npz").write_text("half")
    write_arrays(tmp_path / "a.npz", "Thing", {"x": np.arange(4)})
    assert names(tmp_path) == sorted([*foreign, "a.npz"])


def test_where_there_are_no_locks_nothing_is_removed(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    (tmp_path / f".{'d' * 32}.lock").write_text("")
    write_arrays(tmp_path / "a.npz", "Thing", {"x": np.arange(4)})
    assert names(tmp_path) == [f".{'d' * 32}.lock", "a.npz"]
