"""Answers in a folder: what was changed, damaged, mixed or lost since is done again or refused, never taken."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import agnsal
from agnsal.datasets.fingerprint import fingerprint
from agnsal.datasets.result import DatasetResult
from agnsal.spectra.lines import find_line

GRID = agnsal.PERUZZI2021_GRID
SAMPLE = agnsal.simulate_agn(16, 16, 0, seed=0)
MACHINE = agnsal.ProbabilisticSVC("linear", C=0.07, random_state=0).fit(SAMPLE.normalize())
OTHER = agnsal.ProbabilisticSVC("linear", C=0.01, random_state=0).fit(SAMPLE.normalize())


def explained(folder, source=SAMPLE, model=MACHINE, reading=None, **options):
    dataset = agnsal.open_dataset(source, **(reading or {}))
    return agnsal.explain_dataset(model, dataset, GRID, folder, **{"size": 8, "lines": ["Hbeta"], **options})


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name[0] != "."}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An unbroken run."""
    folder = tmp_path_factory.mktemp("whole")
    explained(folder, maps=True)
    return content(folder)


# ------------------------------------------------------------------------------------------------------- fingerprints


def classifiers():
    X, y = SAMPLE.flux[:, ::50], SAMPLE.labels
    near = X * np.linspace(1, 1.1, X.shape[1])
    yield "forest", lambda X=X: RandomForestClassifier(3, random_state=0).fit(X, y), X, near
    yield "neighbours", lambda X=X: KNeighborsClassifier(3).fit(X, y), X, near
    yield "machine", lambda X=X: agnsal.ProbabilisticSVC("linear", random_state=0).fit(X, y), X, near
    yield (
        "pipeline",
        lambda X=X: make_pipeline(FunctionTransformer(np.arcsinh), KNeighborsClassifier(3)).fit(X, y),
        X,
        near,
    )


@pytest.mark.parametrize(("fit", "X", "near"), [pytest.param(*rest, id=name) for name, *rest in classifiers()])
def test_a_fingerprint_is_of_what_was_learnt_and_not_of_what_was_asked(fit, X, near):
    model = fit()
    first = fingerprint(model)
    model.predict_proba(X)
    assert fingerprint(model) == first == fingerprint(fit())
    assert fingerprint(fit(near)) != first


def test_a_unit_that_was_looked_up_has_the_same_fingerprint():
    """A unit keeps its hash, which is another one in every process, once it was asked for."""
    unit = u.Unit("1e-17 erg / (s cm2 AA)") * u.Unit("1.0")
    first = fingerprint({"unit": unit})
    hash(unit)
    assert fingerprint({"unit": unit}) == first != fingerprint({"unit": u.Jy})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FunctionTransformer(np.log1p), FunctionTransformer(np.sqrt)),
        (lambda x: x + 1, lambda x: x + 2),
        ([1, 2], [12]),
        (np.float32(1) * np.ones(2, np.float32), np.ones(2)),
        ([1] * u.nm, [1] * u.AA),
        (np.zeros(2000), np.eye(2000)[1000]),
        ({1, 2}, {1, 3}),
    ],
)
def test_different_things_have_different_fingerprints(one, other):
    assert fingerprint(one) != fingerprint(other)


# ------------------------------------------------------------------------------------------------ another question


def brighter(sample):
    other = sample[:]
    other.flux[-1, 300:500] += 1.0
    return other


@pytest.mark.parametrize(
    ("first", "then", "differs"),
    [
        ({}, {"source": brighter(SAMPLE)}, "dataset"),
        ({}, {"source": SAMPLE[::-1]}, "dataset"),
        ({}, {"source": SAMPLE.normalize()}, "dataset"),
        ({}, {"reading": {"min_coverage": 0.5}}, "dataset"),
        ({}, {"lines": [replace(find_line("Hbeta"), core=900.0)]}, "bins of regions"),
        ({}, {"familiarity": agnsal.Familiarity().fit(SAMPLE.normalize())}, "familiarity"),
        (
            {"calibration": SAMPLE.normalize(), "level": 0.9},
            {"calibration": SAMPLE.normalize(), "level": 0.8},
            "calibration",
        ),
        (
            {"method": "integrated_gradients", "baseline": np.zeros(1000)},
            {"method": "integrated_gradients", "baseline": np.eye(1000)[500]},
            "options",
        ),
    ],
)
def test_what_makes_another_question(tmp_path, first, then, differs):
    explained(tmp_path, **first)
    explained(tmp_path, **first)
    with pytest.raises(agnsal.AgnsalError, match=f"another question: {differs} differ"):
        explained(tmp_path, **first | then)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_jobs": 0}, "n_jobs is a number of processes"),
        ({"client": "localhost"}, r"must be a distributed\.Client"),
        ({"familiarity": 3}, "must be a fitted Familiarity"),
        ({"calibration": 3}, "must be a SpectralSample"),
        ({"colour": "red"}, "saliency takes no colour; it takes no options"),
        ({"method": "expected_gradients"}, "needs background"),
        ({"method": "smooth_gradient", "random_state": np.random.default_rng(0)}, "must be a whole number"),
        ({"size": 2.5}, "a whole number"),
    ],
)
def test_options_that_mean_nothing(tmp_path, options, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        explained(tmp_path, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [(MACHINE, SAMPLE, GRID), (MACHINE, agnsal.open_dataset(SAMPLE), None)])
def test_what_is_no_data_set_or_no_grid(tmp_path, arguments):
    with pytest.raises(agnsal.AgnsalError, match="must be a"):
        agnsal.explain_dataset(*arguments, tmp_path)


@pytest.mark.parametrize("method", ["smooth_gradient", "variance_gradient"])
def test_methods_that_draw_are_gone_on_with(tmp_path, method):
    for name in ("whole", "broken"):
        explained(tmp_path / name, SAMPLE[:16], method=method)
    (tmp_path / "broken" / "block-000001.parquet").unlink()
    explained(tmp_path / "broken", SAMPLE[:16], method=method)
    assert content(tmp_path / "broken") == content(tmp_path / "whole")


# -------------------------------------------------------------------------------------------------- damage, and repair


def flipped(path):
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 3] ^= 255
    path.write_bytes(changed)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def neighbour(path):
    shutil.copy(path.with_name("block-000000.parquet"), path)


def foreign(path):
    explained(path.parent / "other", model=OTHER, maps=True)
    shutil.copy(path.parent / "other" / path.name, path)
    shutil.rmtree(path.parent / "other")


@pytest.mark.parametrize("damage", [flipped, cut, neighbour, foreign, lambda path: path.write_bytes(b"")])
def test_a_block_that_is_not_what_was_written_is_told_and_done_again(tmp_path, whole, damage):
    result = explained(tmp_path, maps=True)
    damage(tmp_path / "block-000002.parquet")
    with pytest.raises(agnsal.AgnsalError, match="explain again"):
        list(result.samples())
    explained(tmp_path, maps=True)
    assert content(tmp_path) == whole


def test_whatever_byte_of_a_block_changes_is_found(tmp_path):
    result = explained(tmp_path)
    path = tmp_path / "block-000001.parquet"
    written = path.read_bytes()
    assert result.about(1, verify=True)
    for place in np.linspace(0, len(written) - 1, 200).astype(int):
        path.write_bytes(written[:place] + bytes([written[place] ^ 4]) + written[place + 1 :])
        assert result.about(1, verify=True) is None, f"byte {place} of {len(written)}"


def test_a_manifest_that_was_edited_is_not_that_of_its_blocks(tmp_path):
    explained(tmp_path)
    path = tmp_path / "manifest.json"
    for name, value in (("size", 4), ("classes", ["a", "b"]), ("method", "shapley")):
        edited = json.loads(path.read_text()) | {name: value}
        path.write_text(json.dumps(edited))
        with pytest.raises(agnsal.AgnsalError, match="no block of this run"):
            DatasetResult(tmp_path).maps([0])
        with pytest.raises(agnsal.AgnsalError, match="another question"):
            explained(tmp_path)


def test_files_that_do_not_belong_to_the_answers_are_no_blocks(tmp_path):
    result = explained(tmp_path)
    shutil.copy(tmp_path / "block-000000.parquet", tmp_path / "block-000099.parquet")
    assert len(result.table()) == len(SAMPLE)
    assert result.complete


def test_answers_of_which_some_are_lacking_say_so(tmp_path):
    result = explained(tmp_path, maps=True)
    (tmp_path / "block-000001.parquet").unlink()
    for ask in (result.table, result.mean_maps, result.summary):
        with pytest.warns(agnsal.AgnsalWarning, match="3 of 4 blocks"):
            ask()
    shutil.rmtree(tmp_path)
    with pytest.raises(agnsal.AgnsalError, match="cannot be read any more"):
        result.table()


@pytest.mark.parametrize(("rows", "shape"), [([], (0, 1000)), ([0, 0, 31], (3, 1000)), (3, (1, 1000))])
def test_shapes_of_maps(tmp_path, rows, shape):
    assert explained(tmp_path, maps=True).maps(rows).shape == shape


@pytest.mark.parametrize("rows", [[0.5], "a", [[1]], [-1], [32], None])
def test_rows_that_are_none(tmp_path, rows):
    with pytest.raises(agnsal.AgnsalError, match="rows"):
        explained(tmp_path, maps=True).maps(rows)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "spectra"
    folder.mkdir()
    for k, spectrum in enumerate(SAMPLE[:6].to_spectrum(row) for row in range(6)):
        table = QTable({"wavelength": u.Quantity(spectrum.spectral_axis), "flux": spectrum.flux})
        table["flux_error"] = np.full(len(table), 0.1) * spectrum.flux.unit
        table.meta["VACUUM"] = True
        table.write(folder / f"s{k}.ecsv")
    return folder


@pytest.mark.parametrize("change", ["content", "touched", "older", "gone"])
def test_blocks_of_files_that_changed_are_done_again(tmp_path, files, change):
    reading = {"frame": "rest"}
    explained(tmp_path / "answers", files, reading=reading, size=2)
    before = content(tmp_path / "answers")
    place = files / "s2.ecsv"
    if change == "gone":
        place.unlink()
        place.touch()
    elif change != "touched":
        table = QTable.read(place)
        table["flux"][300:500] *= 1.5
        if change == "older":  # as a copy that keeps the time
            table.meta["more"] = "words"
        table.write(place, overwrite=True)
    if change == "older":
        os.utime(place, (1, 1))
    elif change == "touched":
        place.touch()
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "answers").glob("block*")}
    explained(tmp_path / "answers", files, reading=reading, size=2)
    explained(tmp_path / "again", files, reading=reading, size=2)
    after = content(tmp_path / "answers")
    assert after == content(tmp_path / "again")
    done = {name for name, time in times.items() if (tmp_path / "answers" / name).stat().st_mtime_ns != time}
    assert done == {"block-000001.parquet"}
    assert (after == before) == (change == "touched")


# --------------------------------------------------------------------------------------------------------- on the way


CHILD = """
import os, resource, signal, sys, agnsal
from agnsal.datasets import explaining
sample = agnsal.SpectralSample.read(sys.argv[1])
machine = agnsal.ProbabilisticSVC.read(sys.argv[2])
fail = sys.argv[4]
if fail == "disk":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[5]), int(sys.argv[5])))
else:
    number, inside = 0, explaining.replacing
    from contextlib import contextmanager
    @contextmanager
    def killed(path):
        global number
        if path.name.startswith("block"):
            number += 1
        with inside(path) as side:
            yield side
            if number == 2 and fail == "written":
                os.kill(os.getpid(), signal.SIGKILL)
        if number == 2 and fail == "moved":
            os.kill(os.getpid(), signal.SIGKILL)
    explaining.replacing = killed
agnsal.explain_dataset(machine, agnsal.open_dataset(sample), agnsal.PERUZZI2021_GRID, sys.argv[3], size=8,
                       lines=["Hbeta"], maps=True)
"""


@pytest.mark.slow
def test_killed_with_a_block_half_done_and_on_a_full_disk(tmp_path, whole):
    """A block is written and not moved yet; a disk is full in the middle."""
    SAMPLE.write(tmp_path / "sample.npz")
    MACHINE.write(tmp_path / "machine.npz")
    arguments = [sys.executable, "-c", CHILD, str(tmp_path / "sample.npz"), str(tmp_path / "machine.npz")]
    bound = str(len(whole["block-000002.parquet"]) - 1)
    running = [
        subprocess.Popen([*arguments, str(tmp_path / how), how, bound], stderr=subprocess.PIPE, text=True)
        for how in ("written", "disk")
    ]
    told = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [-9, 1], told
    assert "cannot be written" in told[1]
    assert len(list((tmp_path / "written").glob("block-*"))) == 1
    for how in ("written", "disk"):
        explained(tmp_path / how, maps=True)
        assert content(tmp_path / how) == whole


def test_two_at_once_in_one_folder(tmp_path, whole):
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(explained, tmp_path, maps=True) for _ in range(2)]:
            assert done.result().complete
    assert content(tmp_path) == whole


def test_another_question_that_comes_meanwhile_is_noticed(tmp_path, monkeypatch):
    """Whoever began first is told when all is done, and what is read is of one run only."""
    from agnsal.datasets import explaining

    each = explaining._each

    def meanwhile(*arguments):
        yield from each(*arguments)
        monkeypatch.undo()
        for path in tmp_path.iterdir():
            path.unlink()
        explained(tmp_path, model=OTHER)

    monkeypatch.setattr(explaining, "_each", meanwhile)
    with pytest.raises(agnsal.AgnsalError, match="another question: model differ"):
        explained(tmp_path)


def test_blocks_that_went_elsewhere_are_noticed(tmp_path, monkeypatch):
    """As of workers that do not see the folder."""
    from agnsal.datasets import explaining

    monkeypatch.setattr(explaining.Work, "write", lambda _, number, table: number)
    with pytest.raises(agnsal.AgnsalError, match=r"4 blocks are not in .*do all workers see it"):
        explained(tmp_path)


class Closing:
    """A client that ends with an error."""

    def __init__(self, error):
        self.error = error

    def submit(self, *_, **__):
        raise self.error


def test_a_cluster_that_is_lost(tmp_path, whole):
    client = pytest.importorskip("distributed.client")
    for error in (client.ClosedClientError("client is closed"), CancelledError("lost")):
        with pytest.raises(agnsal.AgnsalError, match=r"the cluster did not finish .*the same call goes on"):
            explained(tmp_path, maps=True, client=Closing(error))
    with pytest.raises(ZeroDivisionError):  # a model's own
        explained(tmp_path, maps=True, client=Closing(ZeroDivisionError()))
    explained(tmp_path, maps=True)
    assert content(tmp_path) == whole
