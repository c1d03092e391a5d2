"""Few targets of a coadd of DESI, chosen by a catalogue: the same bits and the same causes as if all had been read."""

import gzip
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from numpy.testing import assert_array_equal

import agnsal
from agnsal.spectra.files.meaning.arms import join_arms
from agnsal.spectra.plain import PlainSpectrum
from tests.spectra.survey_files import write_desi

TARGET = 39089837499744649  # of row 0


@pytest.fixture(scope="module")
def coadd(tmp_path_factory):
    """30 targets that differ in every pixel, with sums as real ones have: row 4 is dead, 7 and 21 are one object."""
    path = write_desi(tmp_path_factory.mktemp("coadd") / "a.fits", n_targets=30)
    rng = np.random.default_rng(0)
    with fits.open(path) as hdulist:
        for arm in "BRZ":
            del hdulist[f"{arm}_RESOLUTION"]
            hdulist[f"{arm}_FLUX"].data *= rng.uniform(0.5, 2, hdulist[f"{arm}_FLUX"].shape)
            hdulist[f"{arm}_IVAR"].data *= rng.uniform(0.5, 2, hdulist[f"{arm}_IVAR"].shape)
            hdulist[f"{arm}_IVAR"].data[4] = 0
        hdulist["FIBERMAP"].data["TARGETID"][21] = TARGET + 7
        hdulist.writeto(path, overwrite=True, checksum=True)
    return path


def read_twice(folder, monkeypatch, **columns):
    """Whatever comes of the rows of a catalogue: as it is read, and as it was chosen from all; and what was joined."""
    rows = QTable({"file": ["a.fits"] * len(next(iter(columns.values()))), **columns})
    source, joined = agnsal.open_dataset(folder, rows).rows(0).source, []

    def counted(arms):
        joined.append(len(arms[0][1]))
        return join_arms(arms)

    def read():
        return [one if isinstance(one, PlainSpectrum) else str(one) for one in source.read()]

    with monkeypatch.context() as patch:
        patch.setattr("agnsal.spectra.files.surveys.desi.join_arms", counted)
        found = read()
        patch.setattr("agnsal.spectra.files.surveys.desi._few", lambda *_: [])
        return found, read(), joined[:-1]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, str):
            assert one == other
            continue
        for name in ("wavelength", "flux", "ivar", "mask"):
            assert_array_equal(getattr(one, name), getattr(other, name), strict=True)
        assert (one.unit, one.redshift) == (other.unit, other.redshift)
        assert str(one.meta["header"]) == str(other.meta["header"])
        assert one.meta | {"header": None} == other.meta | {"header": None}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("columns", "rows", "n_joined"),
    [
        ({"TARGETID": TARGET + np.array([20, 3, 11])}, [20, 3, 11], 3),
        ({"index": [20, 3, 11]}, [20, 3, 11], 3),
        ({"TARGETID": TARGET + np.array([3, 20]), "index": [3, 20]}, [3, 20], 2),
        ({"TARGETID": TARGET + np.array([20, 3, 20])}, [20, 3, 20], 2),
        ({"TARGETID": [TARGET + 7]}, [7], 2),
        ({"index": [21]}, [21], 1),
        ({"TARGETID": TARGET + np.arange(5, 20)}, list(range(5, 20)), 30),
    ],
)
def test_few_targets_of_a_coadd_are_taken_alone_and_the_same(
    coadd, tmp_path, monkeypatch, columns, rows, n_joined, packed
):
    content = coadd.read_bytes()
    (tmp_path / "a.fits").write_bytes(gzip.compress(content, 1) if packed else content)
    found, expected, joined = read_twice(tmp_path, monkeypatch, **columns)
    assert joined == [n_joined]
    assert [one.meta["row"] for one in found] == rows
    assert_same(found, expected)


@pytest.mark.parametrize(
    "columns",
    [
        {"TARGETID": TARGET + np.array([4, 3])},  # dead
        {"index": [3, 4]},
        {"index": [4]},
        {"TARGETID": TARGET + np.array([3, 29])},  # sky
        {"index": [29]},
        {"index": [3, 30, -1]},
        {"TARGETID": [TARGET + 3, 7]},
        {"object_id": ["", str(TARGET + 3)]},
    ],
)
def test_a_target_that_is_not_there_or_dead_has_the_cause_that_it_has_among_all(coadd, monkeypatch, columns):
    found, expected, _ = read_twice(coadd.parent, monkeypatch, **columns)
    assert any(isinstance(one, str) for one in found)
    assert_same(found, expected)


def test_what_is_wrong_in_a_target_that_was_not_chosen_is_no_cause(coadd, monkeypatch):
    found, _, joined = read_twice(coadd.parent, monkeypatch, TARGETID=TARGET + np.array([5, 3]))
    assert joined == [2]
    assert [one.meta["row"] for one in found] == [5, 3]


def _one_byte(path):
    with fits.open(path) as hdulist:
        place = hdulist["R_FLUX"].fileinfo()["datLoc"]
    content = bytearray(path.read_bytes())
    content[place + 17 * 4 * 2326] ^= 1
    path.write_bytes(content)


def _edited(path, change):
    with fits.open(path) as hdulist:
        change(hdulist)
        hdulist.writeto(path, overwrite=True, checksum=True)


def _fewer_errors(hdulist):
    hdulist["B_IVAR"].data = hdulist["B_IVAR"].data[:20]


def _no_grid(hdulist):
    hdulist["Z_WAVELENGTH"].data = hdulist["Z_WAVELENGTH"].data + 0.3


def _fewer_targets(hdulist):
    hdulist["FIBERMAP"].data = hdulist["FIBERMAP"].data[:20]


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (_one_byte, "R_FLUX is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100000]), "cut off"),
        (lambda path: _edited(path, _fewer_errors), "damaged or of another layout"),
        (lambda path: _edited(path, _no_grid), "do not share one wavelength grid"),
        (lambda path: _edited(path, _fewer_targets), "a row for each of the 30 spectra"),
    ],
)
def test_a_damaged_coadd_is_refused_whatever_was_chosen(coadd, tmp_path, monkeypatch, damage, cause):
    damage(shutil.copy(coadd, tmp_path / "a.fits"))
    found, expected, _ = read_twice(tmp_path, monkeypatch, TARGETID=TARGET + np.array([5, 3]))
    assert found == expected
    assert all(cause in one for one in found)
