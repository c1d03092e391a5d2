"""Every noun that lives on disk: read back bit-equal, and nothing else is believed."""

import json
import multiprocessing
import struct
import time
import tracemalloc
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest

import agnsal
from agnsal import AgnsalError, Network, ProbabilisticPCA, ProbabilisticSVC, SpectralEmbedding, SpectralSample
from agnsal.store import read_arrays, write_arrays
from agnsal.store.contents import digest
from agnsal.store.stored import Stored

GRID = agnsal.WavelengthGrid.linear(
    4900 * agnsal.PERUZZI2021_GRID.edges.unit, 5050 * agnsal.PERUZZI2021_GRID.edges.unit, 12
)


def sample():
    rng = np.random.default_rng(0)
    flux = rng.normal(5, 1, (40, 12))
    table = {"object_id": [f"a{i}" for i in range(40)], "redshift": np.linspace(0, 1, 40), "label": ["x", "y"] * 20}
    return SpectralSample(flux, GRID, ivar=rng.uniform(1, 2, flux.shape), mask=flux > 7, table=table)


def network():
    rng = np.random.default_rng(0)
    return Network.dense(
        [rng.normal(size=(3, 12)), rng.normal(size=(2, 3))], [np.ones(3), np.ones(2)], classes=["x", "y"]
    )


def attribution():
    from agnsal.attribution.answer.attribution import Attribution

    rng = np.random.default_rng(0)
    one = sample()[:5]
    return Attribution(
        values=rng.normal(size=(5, 12)),
        target=one.labels,
        method="occlusion",
        output="probability",
        explained=rng.uniform(size=5),
        inputs=one.flux,
        ids=np.array(["", " ", "two\nlines", "trailing  ", "β"]),
        grid=GRID,
        mask=one.mask,
        regions=agnsal.Regions.from_labels(np.repeat(["blue", "red"], 6), GRID),
        residual=np.zeros(5),
        uncertainty={"flux": rng.normal(size=(3, 5, 12))},
        options={"fill": "mean", "noise": np.full(12, 0.5)},
    )


NOUNS = {
    "attribution": attribution,
    "sample": sample,
    "machine": lambda: ProbabilisticSVC(random_state=0).fit(sample().flux, sample().labels),
    "network": network,
    "embedding": lambda: SpectralEmbedding(5, random_state=0).fit(sample()),
    "imputation": lambda: ProbabilisticPCA(2).fit(sample()),
}


@pytest.fixture(scope="module", params=NOUNS)
def written(request, tmp_path_factory):
    noun = NOUNS[request.param]()
    path = tmp_path_factory.mktemp("noun") / "noun.npz"
    noun.write(path)
    arrays, header = read_arrays(path, type(noun).__name__)
    assert header.pop("digest") == digest(arrays, header)
    return type(noun), path, arrays, header


def forge(path, cls, arrays, header):
    """A file by somebody who knows how it is made, with a digest that is right."""
    write_arrays(path, cls.__name__, arrays, header | {"digest": digest(arrays, header)})


def test_every_noun_with_a_file_is_tried_here():
    def below(cls):
        return {cls, *(each for sub in cls.__subclasses__() for each in below(sub))}

    tried = {type(make()).__name__ for make in NOUNS.values()}
    assert {cls.__name__ for cls in below(Stored) - {Stored} if cls.__module__.startswith("agnsal")} == tried


def wrong_arrays(array):
    """What an array may be replaced by, by name."""
    yield "missing", None
    yield "one axis more", array[None]
    yield "one longer", np.concatenate([array, array[:1]])
    yield "one shorter", array[:-1]
    yield "a number", np.float64(3)
    yield "nothing", np.zeros((0, *array.shape[1:]), array.dtype)
    yield "huge", np.zeros(100_000, array.dtype)
    yield "complex", np.zeros(array.shape, complex)
    yield "bytes", np.full(array.shape, b"x")
    yield "dates", np.full(array.shape, np.datetime64("2026-01-01"))
    if array.dtype.kind != "U":
        yield "text", np.full(array.shape, "x")
        yield "half", np.zeros(array.shape, np.float16)
    if array.dtype.itemsize > 1:
        yield "the other byte order", array.astype(array.dtype.newbyteorder(">"))
    if array.dtype.kind != "f":
        yield "fractions", np.full(array.shape, 0.5)
    else:
        yield "whole numbers", np.ones(array.shape, int)
        yield "single", array.astype(np.float32)
        for value in (np.nan, np.inf):
            spoilt = array.copy()
            spoilt.flat[0] = value
            yield str(value), spoilt


#: What makes another file of its kind, if the digest is made anew: an array that may be absent, an unknown redshift.
ALLOWED = {
    *(("ivar", "missing"), ("training_mean_", "missing"), ("classes", "missing")),
    *(("column_1", "nan"), ("column_1", "inf")),
    *((name, "missing") for name in ("mask", "residual", "uncertainty_flux")),
    *((name, what) for name in ("residual", "uncertainty_flux", "option_noise") for what in ("nan", "inf")),
    *(("ids", what) for what in ("fractions",)),
    ("log_likelihood", "one shorter"),
    *(("target", what) for what in ("fractions",)),
    *(("uncertainty_flux", what) for what in ("one longer", "one shorter")),
}
#: Arrays that may be of many shapes and kinds, since options may.
FREE_ARRAYS = {
    "option_noise",
}


def test_no_wrong_array_is_believed(written, tmp_path):
    cls, _, arrays, header = written
    path = tmp_path / "wrong.npz"
    believed = []
    for name, array in arrays.items():
        for what, wrong in wrong_arrays(array):
            if (
                (name, what) in ALLOWED
                or (name in FREE_ARRAYS and what != "missing")
                or (name.startswith("classes") and what == "fractions")
            ):
                continue
            changed = {key: value for key, value in arrays.items() if key != name}
            forge(path, cls, changed if wrong is None else changed | {name: wrong}, header)
            if not refused(cls, path):
                believed.append((name, what))
    assert believed == []
    forge(path, cls, arrays | {"more": np.zeros(3)}, header)
    with pytest.raises(AgnsalError, match=r"wrong\.npz.*'more' is not known"):
        cls.read(path)


def refused(cls, path):
    """Whether a file is refused by its name; any other exception is a failure."""
    try:
        cls.read(path)
    except AgnsalError as error:
        return path.name in str(error)
    return False


def fields_of(header, where=()):
    """Every place in a header, nested ones too."""
    entries = header.items() if isinstance(header, dict) else enumerate(header) if isinstance(header, list) else ()
    for key, value in entries:
        yield (*where, key), value
        yield from fields_of(value, (*where, key))


def with_field(header, where, value):
    changed = json.loads(json.dumps(header))
    place = changed
    for key in where[:-1]:
        place = place[key]
    if value is KeyError:
        del place[where[-1]]
    else:
        place[where[-1]] = value
    return changed


WRONG_FIELDS = [KeyError, "nonsense", "", 3.5, -7, 10**30, float("nan"), float("inf"), True, [], [[[[]]]], {}, {"a": 1}]
#: Parameters that may be more than one thing, and what need not be there.
FREE = {"class_weight", "n_jobs", "cv", "random_state", "nu", "n_features", "gamma"}
FREE |= {"options", "provenance", "fill", "flux_unit", "unit"}


def test_no_wrong_field_is_believed(written, tmp_path):
    cls, _, arrays, header = written
    path = tmp_path / "wrong.npz"
    believed = []
    for where, value in fields_of(header):
        for wrong in WRONG_FIELDS:
            other_number = isinstance(value, float | int) and type(wrong) in (int, float) and np.isfinite(float(wrong))
            may_be_absent = wrong is KeyError and ("parameters" in where or isinstance(where[-1], int))
            if type(wrong) is type(value) or other_number or may_be_absent or FREE & set(where):
                continue
            forge(path, cls, arrays, with_field(header, where, wrong))
            if not refused(cls, path):
                believed.append((where, wrong))
    assert believed == []


def test_nothing_that_was_changed_is_believed(written, tmp_path):
    """By whoever does not make the digest anew: every array by every wrong thing, every field by every wrong one."""
    cls, _, arrays, header = written
    path, right = tmp_path / "wrong.npz", digest(arrays, header)
    believed = []
    for name, array in arrays.items():
        one_more = array.copy()
        if array.size:
            one_more.flat[-1] = not array.flat[-1] if array.dtype == bool else "else" if array.dtype.kind == "U" else 77
        for what, wrong in [("another value", one_more), *wrong_arrays(array)]:
            changed = {key: value for key, value in arrays.items() if key != name}
            changed |= {} if wrong is None else {name: wrong}
            if digest(changed, header) == right:  # as it was
                continue
            write_arrays(path, cls.__name__, changed, header | {"digest": right})
            if not refused(cls, path):
                believed.append((name, what))
    for where, value in fields_of(header):
        for wrong in WRONG_FIELDS:
            if wrong is not KeyError and type(wrong) is type(value) and wrong == value:
                continue
            write_arrays(path, cls.__name__, arrays, with_field(header, where, wrong) | {"digest": right})
            if not refused(cls, path):
                believed.append((where, wrong))
    assert believed == []


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_changes_nothing_in_silence(written, tmp_path, seed):
    cls, good, arrays, _ = written
    path = tmp_path / "flipped.npz"
    content = good.read_bytes()
    rng = np.random.default_rng(seed)
    for place in rng.integers(len(content), size=60):
        flipped = bytearray(content)
        flipped[place] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        if not refused(cls, path):  # in what zip keeps twice or does not use
            again = read_arrays(path, cls.__name__)[0]
            assert all(again[name].tobytes() == array.tobytes() for name, array in arrays.items())


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)


def document(**changed):
    return json.dumps({"agnsal": "0", "format_version": 3, "kind": "Thing", "arrays": [], "header": {}} | changed)


def npy(shape, dtype="<f8", data=b""):
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


BOMBS = {
    "an array larger than the file": {"header.json": document(arrays=["x"]), "x.npy": npy((10**12,))},
    "a length beyond any": {"header.json": document(arrays=["x"]), "x.npy": npy((10**30, 10**30))},
    "a negative length": {"header.json": document(arrays=["x"]), "x.npy": npy((-1,))},
    "text without letters": {"header.json": document(arrays=["x"]), "x.npy": npy((10**12,), "<U0")},
    "objects": {"header.json": document(arrays=["x"]), "x.npy": npy((1,), "|O", b"cos\nsystem\n(S'true'\ntR.")},
    "a record": {"header.json": document(arrays=["x"]), "x.npy": npy((1,), [("a", "<f8")], bytes(8))},
    "a later version of npy": {"header.json": document(arrays=["x"]), "x.npy": b"\x93NUMPY\x03\x00" + bytes(64)},
    "compressed zeros": {"header.json": document(arrays=["x"]), "x.npy": npy((2**25,), data=bytes(2**28))},
    "a name 200,000 times": {"header.json": document(arrays=["x"] * 200_000), "x.npy": npy((1,), data=bytes(8))},
    "a header without bottom": {"header.json": "[" * 200_000},
    "a header of spaces": {"header.json": " " * 2**25},
    "a long number": {"header.json": "1" * 10_000},
    "another thing": {"header.json": "[]"},
    "names that are none": {"header.json": document(arrays=[{}, 3])},
    "a version that is none": {"header.json": document(format_version=[])},
    "an older version": {"header.json": document(format_version=1)},
    "a header that is none": {"header.json": document(header=[])},
    "a member too many": {"header.json": document(), "x.npy": npy((1,), data=bytes(8))},
    "many members": {"header.json": document(), **{f"{i}.npy": "" for i in range(10_001)}},
}


@pytest.mark.parametrize("what", BOMBS)
def test_bombs_are_refused_before_they_go_off(tmp_path, what):
    path = tmp_path / "bomb.npz"
    archive(path, BOMBS[what])
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(AgnsalError, match=r"bomb\.npz"):
        read_arrays(path, "Thing")
    assert time.perf_counter() - start < 5
    assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    tracemalloc.stop()


def test_bit_rot_in_a_packed_member_is_told(tmp_path):
    path = tmp_path / "rot.npz"
    write_arrays(path, "Thing", {"x": np.random.default_rng(0).normal(size=1000)})
    content = path.read_bytes()
    from_zlib = 0
    for place in range(200, len(content) - 400, 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        with pytest.raises(AgnsalError, match=r"rot\.npz: not a whole agnsal file") as caught:
            read_arrays(path, "Thing")
        from_zlib += isinstance(caught.value.__cause__, zlib.error)
    assert from_zlib


def test_what_packs_well_can_be_read_again(tmp_path):
    path = tmp_path / "zeros.npz"
    zeros = np.zeros(12 * 2**20)
    write_arrays(path, "Thing", {"x": zeros})
    assert read_arrays(path, "Thing")[0]["x"].size == zeros.size


def test_objects_that_are_text_are_stored_as_text(tmp_path):
    one = sample()
    one.table["label"] = np.array(one.labels, dtype=object)
    one.write(tmp_path / "a.npz")
    assert SpectralSample.read(tmp_path / "a.npz").labels.tolist() == one.labels.tolist()


@pytest.mark.parametrize("ending", ["fits", "ecsv", "npz"])
def test_odd_names_survive_every_format(tmp_path, ending):
    one, path = attribution(), tmp_path / f"a.{ending}"
    one.write(path)
    assert type(one).read(path).ids.tolist() == one.ids.tolist()


def test_a_flipped_bit_of_a_fits_result_is_told(tmp_path):
    one, path = attribution(), tmp_path / "a.fits"
    one.write(path)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(len(content), size=100):
        flipped = bytearray(content)
        flipped[place] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        if not refused(type(one), path):
            again = type(one).read(path)
            assert again.values.tobytes() == one.values.tobytes()
            assert again.ids.tolist() == one.ids.tolist()


def test_a_changed_digit_of_an_ecsv_result_is_told(tmp_path):
    one, path = attribution(), tmp_path / "a.ecsv"
    one.write(path)
    text = path.read_text()
    rng = np.random.default_rng(0)
    digits = [place for place, letter in enumerate(text) if letter.isdigit()]
    for place in rng.choice(digits, size=100):
        changed = str((int(text[place]) + rng.integers(1, 10)) % 10)
        path.write_text(text[:place] + changed + text[place + 1 :])
        if not refused(type(one), path):  # the 17th digit may not matter, nor the version of the format
            again = type(one).read(path)
            assert again.values.tobytes() == one.values.tobytes()
            assert again.ids.tolist() == one.ids.tolist()
            assert again.uncertainty["flux"].tobytes() == one.uncertainty["flux"].tobytes()


def test_the_digest_does_not_depend_on_which_nan_it_is(tmp_path):
    one = replace(attribution(), residual=np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\xff" * 5))
    for ending in ("fits", "ecsv", "npz"):
        one.write(tmp_path / f"a.{ending}")
        assert np.isnan(type(one).read(tmp_path / f"a.{ending}").residual).all()


@pytest.mark.parametrize("ending", ["fits", "ecsv", "npz"])
def test_a_full_disk_leaves_the_old_result(tmp_path, monkeypatch, ending):
    one, path = attribution(), tmp_path / f"a.{ending}"
    one.write(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(AgnsalError, match="No space left"):
        one[:2].write(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("ending", ["fits", "ecsv", "npz"])
def test_of_two_that_write_the_same_result_one_stays_whole(tmp_path, ending):
    path, context = tmp_path / f"a.{ending}", multiprocessing.get_context("fork")
    results = [attribution(), attribution()[:2]]

    def write_often(one):
        for _ in range(10):
            one.write(path)

    writers = [context.Process(target=write_often, args=(one,)) for one in results]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    last = agnsal.Attribution.read(path).values
    assert last.tobytes() in [one.values.tobytes() for one in results]
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ["ecsv", "FITS", "csv", "h5"])
def test_an_ending_that_promises_another_format_is_refused(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    with pytest.raises(AgnsalError, match=r"ending \.npz"):
        sample().write(path)
    assert not path.exists()
    sample().write(tmp_path / "sample of v1.2")  # no ending that means anything
