"""What surveys' tables and files are like: ids of every type, redshifts of every name, files of every sort.

The level of the flux of object k is k + 1, so that a spectrum that is taken for another is seen.
"""

import shutil
import warnings

import astropy.units as u
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.table import Column, MaskedColumn, QTable, Table
from numpy.testing import assert_allclose, assert_array_equal
from pyarrow import parquet

import agnsal
from agnsal.datasets.catalogue import texts
from tests.spectra.survey_files import write_desi

GRID = agnsal.PERUZZI2021_GRID
WAVELENGTH = np.arange(3500.0, 9000.0, 4.0)
Z = np.array([0.1, 0.2, 0.05, 0.3])
FLUX = np.array([(k + 1) * np.exp(-0.5 * ((WAVELENGTH - 5008.24 * (1 + z)) / 20) ** 2) for k, z in enumerate(Z)])
FLUX += np.arange(1, 5)[:, None]
IVAR = np.full(FLUX.shape, 25.0)
TARGETS = 39627658462859554 + np.arange(4)
FLAM = u.Unit("1e-17 erg / (s cm2 Angstrom)")


def check(dataset, objects, ids=None, size=2):
    """Only these objects come, each at its level and with its line at rest; the others have causes."""
    found, rows, names = [], [], []
    for sample in dataset.blocks(GRID, size, normalize=False):
        found += (np.median(sample.flux, axis=1).round() - 1).tolist()
        rows += sample.table["row"].tolist()
        names += sample.ids.tolist()
        peaks = GRID.centers.value[np.argmax(sample.flux, axis=1)]
        assert_allclose(peaks, 5008.24, atol=8)
    assert found == list(objects)
    assert sorted([*rows, *dataset.set_aside["row"]]) == list(range(len(dataset)))
    assert all(dataset.set_aside["cause"])
    if ids is not None:
        assert names == list(ids)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "spectra"
    place.mkdir()
    for k in range(3):
        table = QTable({"wavelength": WAVELENGTH * u.AA, "flux": FLUX[k] * FLAM, "ivar": IVAR[k] * FLAM**-2})
        table.meta["VACUUM"] = True
        table.write(place / f"s{k}.ecsv")
    return place


def write_parquet(path, rows=(0, 1, 2), **columns):
    rows = list(rows)
    spectrum = [{"flux": FLUX[k], "ivar": IVAR[k], "lambda": WAVELENGTH} for k in rows]
    made = {"spectrum": pa.array(spectrum), "object_id": [f"o{k}" for k in rows], "Z": Z[rows]}
    made |= {"Z_ERR": np.full(len(rows), 1e-4), "VDISP": np.full(len(rows), 200.0)} | columns
    parquet.write_table(pa.table({name: values for name, values in made.items() if values is not None}), path)
    return path


def write_hdf5(path, **columns):
    made = {"spectrum_flux": FLUX, "spectrum_ivar": IVAR, "spectrum_lambda": np.tile(WAVELENGTH, (4, 1))}
    made |= {"Z": Z, "Z_ERR": Z, "VDISP": Z} | columns
    with h5py.File(path, "w") as file:
        for name, values in made.items():
            file[name] = values
    return path


# ------------------------------------------------------------------------------------------------ a folder and a table


@pytest.mark.parametrize("kind", ["csv", "ecsv", "fits", "parquet", "vot", "pandas", "bytes"])
def test_ids_are_what_the_table_says(folder, tmp_path, kind):
    ids = ["007", "08", "1e5"]
    table = Table({"object_id": ids, "file": ["s2.ecsv", "s0.ecsv", "s1.ecsv"], "redshift": Z[[2, 0, 1]]})
    if kind == "pandas":
        given = pd.DataFrame({name: list(table[name]) for name in table.colnames})
    elif kind == "bytes":
        given = table
        given.convert_unicode_to_bytestring()
    else:
        given = tmp_path / f"catalogue.{kind}"
        table.write(given, **({"format": "votable"} if kind == "vot" else {}))
    check(agnsal.open_dataset(folder, given), [2, 0, 1], ids)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["b'a", " x ", "007"], ["b'a", "x", "007"]),
        (np.array([b"a ", b"\xc3\xa9"]), ["a", "é"]),
        ([1.0, 39627658.0], ["1", "39627658"]),
        ([1.5, np.nan], ["1.5", ""]),
        (MaskedColumn([39627658462859554, 2], mask=[False, True]), ["39627658462859554", ""]),
        (MaskedColumn(["a", "b"], mask=[True, False]), ["", "b"]),
        (Column([None, 3, b"c"], dtype=object), ["", "3", "c"]),
        (np.array([2**63 + 5], np.uint64), ["9223372036854775813"]),
        (np.array([], dtype=str), []),
    ],
)
def test_a_column_as_text(column, expected):
    assert texts(column).tolist() == expected


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"redshift": [3e4, 6e4] * u.km / u.s}, "km / s, and a redshift has no unit"),
        ({"redshift": ["0.1", "high"]}, "text that is no redshift"),
        ({"redshift": [[0.1, 0.2], [0.1, 0.2]]}, "2 numbers a row"),
        ({"Z": [0.1, 0.2], "z": [0.1, 0.3]}, "Z and z may both be redshifts; say which"),
        ({"object_id": TARGETS[:2].astype(float), "redshift": [0.1, 0.2]}, "too large to be exact"),
    ],
)
def test_columns_that_would_be_taken_for_what_they_are_not(folder, columns, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        agnsal.open_dataset(folder, QTable({"file": ["s0.ecsv", "s1.ecsv"], **columns}))


@pytest.mark.parametrize(
    "columns",
    [
        {"Redshift": Z[:2]},
        {"z": Z[:2]},
        {"redshift": ["0.1", " 0.2"]},
        {"redshift": 100 * Z[:2] * u.percent},
        {"redshift": Column([0.1, 0.2], dtype=object)},
        {"redshift": Z[:2], "z": [18.0, 19.0], "g": [18.0, 19.0], "r": [18.0, 19.0]},
    ],
)
def test_redshifts_of_every_form(folder, columns):
    check(agnsal.open_dataset(folder, QTable({"file": ["s0.ecsv", "s1.ecsv"], **columns})), [0, 1])


@pytest.mark.parametrize(
    "columns",
    [
        {"g": [18.0, 19.0], "r": [17.0, 18.0], "z": [0.5, 0.6]},
        {"z": [0.5, 0.6] * u.mag},
        {"redshift": [-999.0, -9.999]},
        {"redshift": MaskedColumn([0.5, 0.6], mask=True)},
        {"redshift": ["--", "N/A"]},
        {"redshift": [np.nan, np.inf]},
        {},
    ],
)
def test_what_is_no_redshift_is_none(folder, columns):
    """A block in which no spectrum can be used is no reason to stop."""
    dataset = agnsal.open_dataset(folder, QTable({"file": ["s0.ecsv", "s1.ecsv"], **columns}))
    check(dataset, [])
    assert len(dataset.set_aside) == 2


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("S1.ECSV", "no such file"),
        ("", "names no file"),
        (".", "names no file"),
        ("a\0b", "a path was expected"),
        ("../nothing.fits", "no such file"),
        (None, "names no file"),
    ],
)
def test_a_row_without_a_file_is_set_aside(folder, name, match):
    files = MaskedColumn(["s0.ecsv ", name or "", " s2.ecsv"], mask=[False, name is None, False])
    dataset = agnsal.open_dataset(folder, QTable({"file": files, "redshift": Z[:3]}))
    check(dataset, [0, 2])
    assert match in dataset.set_aside["cause"][0]


@pytest.mark.parametrize("index", [["0", "first"], [0.0, 7.0], [0, -1]])
def test_an_index_that_is_no_row(folder, index):
    dataset = agnsal.open_dataset(folder, QTable({"file": ["s0.ecsv", "s1.ecsv"], "redshift": Z[:2], "index": index}))
    check(dataset, [0])


def test_coadds_among_files(folder):
    """A coadd gives a row for each target wherever it stands among the files, and the files keep theirs."""
    write_desi(folder / "spectra-main-dark-1.fits")
    dataset = agnsal.open_dataset(folder, min_coverage=0.1, redshifts=Table({"object_id": ["s0.ecsv"], "Z": [0.1]}))
    targets = [one.meta["object_id"] for one in agnsal.read_spectra(folder / "spectra-main-dark-1.fits")]
    assert dataset.ids.tolist() == ["s0.ecsv", "s1.ecsv", "s2.ecsv", *targets]
    (sample,) = dataset.blocks(GRID, normalize=False)
    assert "s0.ecsv" in sample.ids.tolist()
    assert not any("holds" in cause for cause in dataset.set_aside["cause"])


def test_files_at_rest_take_the_redshift_of_the_table(folder):
    for k in range(2):
        table = QTable.read(folder / f"s{k}.ecsv")
        table["wavelength"] /= 1 + Z[k]
        table.rename_column("wavelength", "wavelength_rest")
        table.write(folder / f"s{k}.ecsv", overwrite=True)
    check(agnsal.open_dataset(folder, QTable({"file": ["s0.ecsv", "s1.ecsv"], "redshift": Z[:2]})), [0, 1])


def test_what_files_do_not_say_is_told_once(folder):
    for k in range(3):
        table = QTable.read(folder / f"s{k}.ecsv")
        del table.meta["VACUUM"]
        table.write(folder / f"s{k}.ecsv", overwrite=True)
    with pytest.warns(agnsal.AgnsalWarning, match="taken as vacuum in 3 files") as told:
        list(agnsal.open_dataset(folder).blocks(GRID))
    assert len(told) == 1


def test_spectra_without_a_label_are_explained_and_not_learnt_from(folder):
    labels = MaskedColumn(["type 1", "type 2", "type 2"], mask=[False, True, False])
    table = QTable({"file": [f"s{k}.ecsv" for k in range(3)], "redshift": Z[:3], "label": labels})
    (sample,) = agnsal.open_dataset(folder, table).blocks(GRID)
    assert_array_equal(sample.labels, ["type 1", "", "type 2"])
    with pytest.raises(agnsal.AgnsalError, match="not every spectrum of the sample has a label"):
        agnsal.ProbabilisticSVC("linear").fit(sample)


def test_a_file_that_says_it_is_of_another_object(folder):
    table = QTable.read(folder / "s1.ecsv")
    table.meta["OBJECT"] = "0406-51869-0374"
    table.write(folder / "s1.ecsv", overwrite=True)
    (spectrum,) = agnsal.read_spectra(folder / "s1.ecsv")
    spectrum.meta["object_id"] = "0406-51869-0374"
    from agnsal.datasets.sources import Reading, _chosen

    for wanted, good in (("406-51869-374", True), ("406-51869-375", False), ("my favourite", True)):
        chosen = _chosen(folder / "s1.ecsv", "", wanted, Reading([spectrum], 1, [], [], [], []), {})
        assert isinstance(chosen, agnsal.AgnsalError) != good


@pytest.mark.parametrize("kind", ["files", "parquet"])
def test_the_rest_frame_is_not_moved(folder, tmp_path, kind):
    """Wavelengths that the user says are at rest stay, redshifts or none."""
    if kind == "files":
        for k in range(2):
            table = QTable.read(folder / f"s{k}.ecsv")
            table["wavelength"] /= 1 + Z[k]
            table.write(folder / f"s{k}.ecsv", overwrite=True)
        dataset = agnsal.open_dataset(folder, QTable({"file": ["s0.ecsv", "s1.ecsv"]}), frame="rest")
    else:
        spectra = [{"flux": FLUX[k], "ivar": IVAR[k], "lambda": WAVELENGTH / (1 + Z[k])} for k in range(2)]
        dataset = agnsal.open_dataset(
            write_parquet(tmp_path / "a.parquet", range(2), spectrum=pa.array(spectra)), frame="rest"
        )
    check(dataset, [0, 1])


# ------------------------------------------------------------------------------------------------------- what is opened


def test_hidden_folders_and_links_that_go_round(folder):
    (folder / ".ipynb_checkpoints").mkdir()
    shutil.copy(folder / "s0.ecsv", folder / ".ipynb_checkpoints" / "s0-checkpoint.ecsv")
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    (folder / "dangling.ecsv").symlink_to(folder / "gone")
    assert agnsal.open_dataset(folder).ids.tolist() == ["s0.ecsv", "s1.ecsv", "s2.ecsv"]


@pytest.mark.parametrize("source", [None, 3, "", "a\0b", b"", [3], [None]])
def test_what_is_no_source(source):
    with pytest.raises(agnsal.AgnsalError, match="expected"):
        agnsal.open_dataset(source)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"frame": "moving"}, "frame must be one of"),
        ({"medium": "water"}, "medium must be one of"),
        ({"min_coverage": 80}, "fraction between 0 and 1"),
        ({"columns": "redshift"}, "a mapping such as"),
        ({"columns": {"name": "file"}}, "a role of columns must be one of"),
    ],
)
def test_options_are_refused_at_once(folder, options, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        agnsal.open_dataset(folder, **options)


def test_what_does_not_go_together(folder, tmp_path):
    other = write_parquet(tmp_path / "a.parquet")
    for source, match in (
        ([folder / "s0.ecsv", folder], "is a folder"),
        ([folder / "s0.ecsv", other], "open them apart"),
    ):
        with pytest.raises(agnsal.AgnsalError, match=match):
            agnsal.open_dataset(source)
    for options in ({"mask": "good"}, {"format": "Gemini"}):
        with pytest.raises(agnsal.AgnsalError, match="cannot be said of HDF5 and parquet"):
            agnsal.open_dataset(other, **options)
    sample = agnsal.simulate_agn(2, 2, 0, seed=0)
    for options in ({"medium": "air"}, {"catalogue": QTable({"file": ["a"]})}, {"frame": "rest"}):
        with pytest.raises(agnsal.AgnsalError, match="would change nothing"):
            agnsal.open_dataset(sample, **options)


def test_files_beside_tables_are_named(folder):
    write_parquet(folder / "more.parquet")
    (folder / "README.txt").write_text("known to lie there")
    with pytest.warns(agnsal.AgnsalWarning, match=r"3 files beside .* are not read: s0\.ecsv, s1\.ecsv, s2\.ecsv\."):
        dataset = agnsal.open_dataset(folder)
    check(dataset, [0, 1, 2])


def test_samples_in_several_files(tmp_path):
    sample = agnsal.simulate_agn(3, 3, 0, seed=0)
    sample[:2].write(tmp_path / "a.npz")
    sample[2:].write(tmp_path / "b.npz")
    for source in (tmp_path, [tmp_path / "a.npz", tmp_path / "b.npz"]):
        (block,) = agnsal.open_dataset(source).blocks(GRID, normalize=False)
        assert_array_equal(block.flux, sample.flux)


def test_what_is_said_of_a_sample_is_in_its_blocks():
    sample = agnsal.simulate_agn(2, 2, 0, seed=0)
    sample.table["kind"] = list("abcd")
    known = Table({"object_id": sample.ids[:1], "Z": [0.9]})
    dataset = agnsal.open_dataset(sample, columns={"label": "kind"}, redshifts=known)
    (block,) = dataset.blocks(GRID)
    assert_array_equal(block.labels, list("abcd"))
    assert_allclose(block.redshift, dataset.redshift)
    assert block.redshift[0] == 0.9
    assert sample.labels[0] == "type 1"


# ------------------------------------------------------------------------------------------ redshifts of a second table


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (TARGETS[:3], TARGETS),
        (TARGETS[:3], [f" {each} " for each in TARGETS]),
        ([str(each) for each in TARGETS[:3]], TARGETS),
        (["a", "b", "c"], np.array([b"a", b"b", b"c", b"d"])),
        ([10, 20, 30], [10.0, 20.0, 30.0, 40.0]),
        ([10, 20, 30], MaskedColumn([10, 20, 30, 999999], mask=[False, False, False, True])),
    ],
)
@pytest.mark.parametrize(
    ("name", "other"), [("TARGETID", "TARGETID"), ("targetid", "TARGETID"), ("object_id", "TARGETID")]
)
def test_objects_are_found_whatever_the_type_of_their_ids(tmp_path, ours, theirs, name, other):
    path = write_parquet(tmp_path / "a.parquet", Z=None, **({"object_id": None} | {name: pa.array(ours)}))
    order = [3, 1, 0, 2]
    known = QTable({other: theirs, "Z": Z})[order]
    check(agnsal.open_dataset(path, redshifts=known), [0, 1, 2])


def test_the_primary_row_of_an_object_counts(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", Z=None, object_id=None, TARGETID=TARGETS[:3])
    known = Table({"TARGETID": TARGETS[[0, 0, 1, 2, 2]], "Z": [3.0, Z[0], Z[1], Z[2], 3.0]})
    known["ZWARN"], known["ZCAT_PRIMARY"] = 0, [False, True, True, True, False]
    check(agnsal.open_dataset(path, redshifts=known), [0, 1, 2])
    check(agnsal.open_dataset(path, redshifts=known[1:]), [0, 1, 2])


def test_redshifts_that_are_lacking_leave_those_of_the_source(tmp_path):
    path = write_parquet(tmp_path / "a.parquet")
    known = Table({"object_id": ["o0", "o1"], "Z_BEST": MaskedColumn([3.0, Z[1]], mask=[True, False])})
    check(agnsal.open_dataset(path, redshifts=known, columns={"redshift": "Z_BEST"}), [0, 1, 2])


def test_a_table_of_other_objects_is_refused(tmp_path):
    path = write_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        agnsal.AgnsalError, match="none of the objects is in the catalogue of redshifts: object_id is 'o0'"
    ):
        agnsal.open_dataset(path, redshifts=Table({"object_id": ["0"], "Z": [0.1]}))


# ------------------------------------------------------------------------------------------------- HDF5, parquet, HATS


@pytest.mark.parametrize("kind", ["list", "large_list", "fixed", "struct of large", "nested large", "float32"])
def test_lists_of_every_sort(tmp_path, kind):
    lists = {"fixed": pa.list_(pa.float64(), WAVELENGTH.size), "float32": pa.list_(pa.float32())}
    list_type = lists.get(kind, pa.list_(pa.float64()) if kind == "list" else pa.large_list(pa.float64()))
    arrays = {"flux": FLUX[:3], "ivar": IVAR[:3], "wavelength": np.tile(WAVELENGTH, (3, 1))}
    columns = {name: pa.array(list(values), list_type) for name, values in arrays.items()}
    if kind == "struct of large":
        columns = {"spectrum": pa.StructArray.from_arrays(list(columns.values()), list(columns))}
    elif kind == "nested large":
        pixels = [
            [dict(zip(arrays, pixel, strict=True)) for pixel in zip(*rows, strict=True)]
            for rows in zip(*arrays.values(), strict=True)
        ]
        columns = {"spectrum": pa.array(pixels, pa.large_list(pa.struct([(name, pa.float64()) for name in arrays])))}
    path = write_parquet(tmp_path / "a.parquet", **({"spectrum": None} | columns))
    check(agnsal.open_dataset(path), [0, 1, 2])


@pytest.mark.parametrize(
    ("columns", "ids"),
    [
        (
            {"object_id": None, "TARGETID": pa.array([int(TARGETS[0]), None, int(TARGETS[2])])},
            [str(TARGETS[0]), "row 1", str(TARGETS[2])],
        ),
        ({"object_id": pa.array(["a", None, "c"])}, ["a", "row 1", "c"]),
        ({"object_id": pa.array(["a", "b", "a"]).dictionary_encode()}, ["a", "b", "a"]),
        ({"object_id": pa.array([b"a", b"b", b"c"])}, ["a", "b", "c"]),
        ({"object_id": pa.array(["a", None, None]), "targetid": pa.array([1, 2, None])}, ["a", "2", "row 2"]),
    ],
)
def test_ids_that_are_lacking_cost_the_others_no_digit(tmp_path, columns, ids):
    dataset = agnsal.open_dataset(write_parquet(tmp_path / "a.parquet", **columns))
    assert dataset.ids.tolist() == ids
    check(dataset, [0, 1, 2], ids)


def test_parts_of_other_types(tmp_path):
    write_parquet(tmp_path / "a.parquet", [0, 1], object_id=TARGETS[:2])
    write_parquet(tmp_path / "b.parquet", [2])
    write_parquet(tmp_path / "c.parquet", [3], object_id=None, TARGETID=TARGETS[3:])
    write_parquet(tmp_path / "d.parquet", [])
    ids = [*map(str, TARGETS[:2]), "o2", str(TARGETS[3])]
    check(agnsal.open_dataset(tmp_path), [0, 1, 2, 3], ids)


def three_arms(path, null=None, padded=False, shifted=False, dropped=None):
    rows, columns = range(3), {"TARGETID": pa.array(TARGETS[:3]), "Z": pa.array(Z[:3]), "ZERR": pa.array([1e-4] * 3)}
    kind = pa.struct([(name, pa.list_(pa.float64())) for name in ("wavelength", "flux", "ivar")])
    for arm, low, high in (("b", 3500, 5800), ("r", 5700, 7600), ("z", 7500, 9000)):
        inside = np.clip(WAVELENGTH, low, high) == WAVELENGTH
        values = [{"wavelength": WAVELENGTH[inside], "flux": FLUX[k][inside], "ivar": IVAR[k][inside]} for k in rows]
        if padded:
            values = [
                {name: np.r_[each[name], [-1.0 if name == "wavelength" else 0.0] * 9] for name in each}
                for each in values
            ]
        if arm == null:
            values[1] = None
        if shifted and arm == "r":
            values[1]["wavelength"] = values[1]["wavelength"] + 1.3
        if arm != dropped:
            columns[f"spectra_{arm}"] = pa.array(values, kind)
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("options", "objects"),
    [
        ({}, [0, 1, 2]),
        ({"padded": True}, [0, 1, 2]),
        ({"dropped": "z"}, [0, 1, 2]),
        ({"null": "z"}, [0, 1, 2]),
        ({"null": "b"}, [0, 2]),
        ({"shifted": True}, [0, 2]),
    ],
)
def test_arms_that_are_lacking_or_unlike_concern_one_object(tmp_path, options, objects):
    check(
        agnsal.open_dataset(three_arms(tmp_path / "a.parquet", **options)), objects, [str(TARGETS[k]) for k in objects]
    )


@pytest.mark.parametrize("kind", ["said", "attribute", "metadata"])
def test_units_of_wavelengths(tmp_path, kind):
    if kind == "metadata":
        fields = [
            pa.field("wavelength", pa.list_(pa.float64()), metadata={"unit": "nm"}),
            pa.field("flux", pa.list_(pa.float64())),
        ]
        values = [pa.array([WAVELENGTH / 10] * 3, fields[0].type), pa.array(list(FLUX[:3]), fields[1].type)]
        spectrum = pa.StructArray.from_arrays(values, fields=fields)
        dataset = agnsal.open_dataset(write_parquet(tmp_path / "a.parquet", spectrum=spectrum))
        check(dataset, [0, 1, 2])
        return
    path = write_hdf5(tmp_path / "a.hdf5", spectrum_lambda=np.tile(WAVELENGTH / 10, (4, 1)))
    if kind == "attribute":
        with h5py.File(path, "a") as file:
            file["spectrum_lambda"].attrs["units"] = "nm"
    check(agnsal.open_dataset(path, **({"units": {"wavelength": "nm"}} if kind == "said" else {})), [0, 1, 2, 3])


def test_a_unit_that_is_stated_wins_over_the_survey(tmp_path):
    path = write_hdf5(tmp_path / "a.hdf5")
    with h5py.File(path, "a") as file:
        file["spectrum_flux"].attrs["unit"] = "1e-16 erg / (s cm2 Angstrom)"
    (sample,) = agnsal.open_dataset(path).blocks(GRID, normalize=False)
    assert_allclose(np.median(sample.flux, axis=1), 10.0 * np.arange(1, 5), rtol=0.02)


@pytest.mark.parametrize("padding", [-1.0, 0.0, np.nan, 99999.0])
def test_padding_of_rows(tmp_path, padding):
    wavelength, ivar = np.tile(WAVELENGTH, (4, 1)), IVAR.copy()
    wavelength[:, -40:], ivar[:, -40:] = padding, 0.0
    wavelength[1, :40], ivar[1, :40] = padding, 0.0
    check(
        agnsal.open_dataset(write_hdf5(tmp_path / "a.hdf5", spectrum_lambda=wavelength, spectrum_ivar=ivar)), range(4)
    )


def test_what_survey_they_are_of_is_not_known(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", VDISP=None)
    dataset = agnsal.open_dataset(path, units={"flux": "1e-17 erg/s/cm2/Angstrom"})
    with pytest.warns(agnsal.AgnsalWarning, match=r"taken as vacuum .*a\.parquet"):
        list(dataset.blocks(GRID))


def groups(path):
    with h5py.File(path, "w") as file:
        file.create_group("healpix=1")["spectrum_flux"] = FLUX
    return path


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda path: halved(write_parquet(path / "x.parquet")), r"x\.parquet: it is a damaged parquet file"),
        (lambda path: halved(write_hdf5(path / "x.hdf5")), r"x\.hdf5: it is a damaged HDF5 file"),
        (lambda path: groups(path / "x.hdf5"), "without spectrum_flux and spectrum_lambda"),
        (lambda path: write_hdf5(path / "x.hdf5", Z=Z[:2]), r"different lengths \(Z\)"),
        (lambda path: write_parquet(path / "x.parquet", spectrum=None), "without a column of spectra"),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_a_file_that_cannot_be_opened_is_named(tmp_path, make, match, alone):
    write_parquet(tmp_path / "a.parquet")
    path = make(tmp_path)
    with pytest.raises(agnsal.AgnsalError, match=match):
        agnsal.open_dataset(path if alone else tmp_path)


@pytest.mark.parametrize("late", [halved, lambda path: write_parquet(path, [2]), lambda path: path.unlink()])
def test_a_file_that_is_damaged_later_is_set_aside(tmp_path, late):
    write_parquet(tmp_path / "a.parquet", [0, 1])
    other = write_parquet(tmp_path / "b.parquet", [2, 3])
    dataset = agnsal.open_dataset(tmp_path)
    late(other)
    check(dataset, [0, 1])
    assert all("b.parquet" in cause for cause in dataset.set_aside["cause"])


def test_margins_of_hats_are_no_objects(tmp_path):
    for name, kind, rows in (("main", "object", [0, 1, 2]), ("main_10arcs", "margin", [1, 2]), ("ids", "index", [0])):
        leaf = tmp_path / name / "dataset" / "Norder=0" / "Dir=0"
        leaf.mkdir(parents=True)
        write_parquet(leaf / "Npix=0.parquet", rows)
        (tmp_path / name / "hats.properties").write_text(f"obs_collection=x\ndataproduct_type={kind}\n")
    (tmp_path / "collection.properties").write_text("hats_primary_table_url=main\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(agnsal.open_dataset(tmp_path), [0, 1, 2])
