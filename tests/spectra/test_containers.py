"""Containers of many spectra, written by the layouts of their projects."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from agnsal import AgnsalError, read_spectra
from agnsal.spectra.files.tables.containers import blocks, read_container

h5py = pytest.importorskip("h5py")
pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

N, M = 7, 500
WAVE = 3600 + 0.8 * np.arange(M)
FLUX = np.arange(1.0, N + 1)[:, None] + np.sin(WAVE / 40)
LENGTHS = M - 10 * np.arange(N)  # rows are padded to one length
CELLS = {"object_id": [f"id-{i}" for i in range(N)], "ra": np.arange(N) * 1.0, "Z": 0.1 * np.arange(N)}
SDSS = {"VDISP": np.ones(N), "Z_ERR": np.ones(N)}


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("agnsal").setLevel(logging.ERROR)
    yield
    logging.getLogger("agnsal").setLevel(logging.NOTSET)


def write_hdf5(path, padding=-1.0, more=SDSS, leave_out=()):
    lam, flux, ivar = np.tile(WAVE, (N, 1)), FLUX.copy(), np.full(FLUX.shape, 4.0)
    for row, length in enumerate(LENGTHS):
        lam[row, length:], flux[row, length:], ivar[row, length:] = padding, flux[row, length - 1], 0.0
    columns = {"spectrum_lambda": lam, "spectrum_flux": flux, "spectrum_ivar": ivar, "spectrum_mask": ivar == 0}
    columns |= {"spectrum_lsf_sigma": np.ones(flux.shape)} | CELLS | more
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            if name not in leave_out:
                file[name] = [value.encode() for value in values] if name == "object_id" else values
    return path


def struct_of(rows):
    return [
        {"flux": list(FLUX[row][:k]), "ivar": [4.0] * k, "lambda": list(WAVE[:k]), "mask": [False] * k}
        for row, k in enumerate(rows)
    ]


def check(records):
    assert [record.meta["object_id"] for record in records] == CELLS["object_id"]
    for row, record in enumerate(records):
        np.testing.assert_allclose(record.wavelength, WAVE[: LENGTHS[row]])
        np.testing.assert_allclose(record.flux, FLUX[row, : LENGTHS[row]])
        np.testing.assert_array_equal(record.ivar, 4.0)
        assert record.redshift == pytest.approx(0.1 * row)
        assert record.meta["survey"] == "SDSS"


@pytest.mark.parametrize("padding", [-1.0, 99999.0])
def test_hdf5_of_the_multimodal_universe(padding, tmp_path):
    path = write_hdf5(tmp_path / "a.hdf5", padding)
    check(read_container(path))
    assert [(len(block), block.first) for block in blocks(path, 3)] == [(3, 0), (3, 3), (1, 6)]
    spectra = read_spectra(path)
    assert [spectrum.meta["object_id"] for spectrum in spectra] == CELLS["object_id"]
    assert spectra[0].meta["medium_of_file"] == "vacuum"
    assert str(spectra[0].unit) == "1e-17 erg / (Angstrom s cm2)"


@pytest.mark.parametrize("nested", ["struct of lists", "list of structs", "lists"])
def test_parquet_of_structs_and_lists(nested, tmp_path):
    rows = struct_of(LENGTHS)
    if nested == "lists":
        columns = {key: [row[key] for row in rows] for key in ("flux", "ivar", "lambda")}
    elif nested == "struct of lists":
        columns = {"spectrum": rows}
    else:
        columns = {
            "spectrum": [
                [dict(zip(row, cells, strict=True)) for cells in zip(*row.values(), strict=True)] for row in rows
            ]
        }
    parquet.write_table(pa.table({**CELLS, **SDSS, **columns}), tmp_path / "a.parquet")
    check(read_container(tmp_path / "a.parquet"))
    assert [len(block) for block in blocks(tmp_path / "a.parquet", 4)] == [4, 3]
    assert len(read_spectra(tmp_path / "a.parquet")) == N


def test_arms_of_desi_are_joined(tmp_path):
    arms = {"b": (0, 250), "r": (240, 400), "z": (390, M)}
    columns = {
        f"spectra_{arm}": [
            {"wavelength": WAVE[a:b], "flux": FLUX[row, a:b], "ivar": np.full(b - a, 1.0), "mask": np.zeros(b - a, int)}
            for row in range(N)
        ]
        for arm, (a, b) in arms.items()
    }
    cells = {"TARGETID": 39089837499744649 + np.arange(N), "TARGET_RA": np.zeros(N), "Z": CELLS["Z"]}
    parquet.write_table(pa.table(cells | columns), tmp_path / "a.parquet")
    records = read_container(tmp_path / "a.parquet")
    for row, record in enumerate(records):
        np.testing.assert_allclose(record.wavelength, WAVE)
        np.testing.assert_allclose(record.flux, FLUX[row])
        np.testing.assert_array_equal(record.ivar[[0, 245, 395, -1]], [1, 2, 2, 1])
    assert records[3].meta["object_id"] == "39089837499744652"


def test_a_survey_that_is_not_known_is_asked_for_its_unit(tmp_path):
    path = write_hdf5(tmp_path / "a.hdf5", more={})
    with pytest.raises(AgnsalError, match="units="):
        read_container(path)
    assert str(read_container(path, {"flux": "mJy"})[0].unit) == "mJy"


def test_the_unit_that_is_asked_for_is_taken(tmp_path):
    path = write_hdf5(tmp_path / "a.hdf5", more={})
    with pytest.raises(AgnsalError, match=r"units=\{'flux': 'erg/s/cm2/Angstrom'\}"):
        read_spectra(path)
    spectra = read_spectra(path, units={"flux": "erg/s/cm2/Angstrom"}, medium="vacuum")
    assert len(spectra) == N
    assert spectra[0].flux.unit.is_equivalent("erg / (s cm2 AA)")
    np.testing.assert_allclose(spectra[0].flux.to_value("erg / (s cm2 AA)"), FLUX[0, : LENGTHS[0]])


def test_other_containers_are_refused(tmp_path):
    with pytest.raises(AgnsalError, match="spectrum_lambda"):
        read_spectra(write_hdf5(tmp_path / "a.hdf5", leave_out=("spectrum_lambda",)))
    parquet.write_table(pa.table({"a": [1, 2]}), tmp_path / "a.parquet")
    with pytest.raises(AgnsalError, match="without a column of spectra"):
        read_spectra(tmp_path / "a.parquet")
    for name in ("a.hdf5", "a.parquet"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(AgnsalError, match=name):
            read_spectra(tmp_path / name)


@pytest.mark.parametrize(
    "said", [{"columns": {"flux": "spectrum_flux"}}, {"mask": "good"}, {"units": {"wavelength": "nm"}}]
)
def test_what_is_fixed_in_a_container_is_to_be_left_out(said, tmp_path):
    path = write_hdf5(tmp_path / "a.hdf5")
    with pytest.raises(AgnsalError, match="Leave it out"):
        read_spectra(path, **said)
    assert len(read_spectra(path)) == N


@pytest.mark.parametrize(("name", "value"), [("spectrum_std", 0.5), ("spectrum_error", 0.5), ("spectrum_var", 0.25)])
def test_errors_of_every_name_and_what_is_not_used(name, value, tmp_path):
    path = write_hdf5(tmp_path / "a.hdf5", more=SDSS | {name: np.full(FLUX.shape, value)}, leave_out=("spectrum_ivar",))
    record = read_container(path)[0]
    np.testing.assert_allclose(record.ivar, 4.0)
    assert set(record.ignored) == {"spectrum_mask", "spectrum_lsf_sigma"}


def test_errors_and_other_fields_of_structs(tmp_path):
    rows = [{"flux": list(FLUX[0]), "error": [0.5] * M, "lambda": list(WAVE), "lsf_sigma": [1.0] * M}]
    parquet.write_table(pa.table({"VDISP": [1.0], "Z_ERR": [1.0], "spectrum": rows}), tmp_path / "a.parquet")
    (spectrum,) = read_spectra(tmp_path / "a.parquet")
    np.testing.assert_allclose(spectrum.uncertainty.array, 4.0)
    assert spectrum.meta["ignored"] == ["lsf_sigma"]


def test_a_parquet_file_of_numbers_is_told(tmp_path):
    parquet.write_table(pa.table({"wave": list(WAVE), "flux": list(FLUX[0])}), tmp_path / "a.parquet")
    with pytest.raises(AgnsalError, match="pixel by pixel"):
        read_spectra(tmp_path / "a.parquet")
