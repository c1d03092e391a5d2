"""Attribution: the one result type."""

import astropy.units as u
import numpy as np
import pytest

from agnsal import PERUZZI2021_GRID, AgnsalError, Attribution, SpectralLine, WavelengthGrid, line_masks
from agnsal.attribution.answer.attribution import versions

N = len(PERUZZI2021_GRID)


@pytest.fixture
def result():
    rng = np.random.default_rng(0)
    return Attribution(
        values=rng.normal(size=(3, N)),
        target=np.array(["type 1", "type 2", "type 1"]),
        method="saliency",
        output="probability",
        explained=np.array([0.9, 0.8, 0.7]),
        inputs=rng.uniform(1, 2, (3, N)),
        ids=np.array(["a", "b", "c"]),
        unit=u.Unit("1e17 erg-1 s cm2 Angstrom"),
        grid=PERUZZI2021_GRID,
        mask=rng.random((3, N)) < 0.1,
        baseline=rng.uniform(1, 2, (3, N)),
        uncertainty={"flux": rng.uniform(0, 1, (3, N)), "training": rng.normal(size=(2, 3, N))},
        provenance={"versions": versions(), "seed": 3},
    )


def test_by_line_sums_what_the_masks_say(result):
    table = result.by_line(["Hbeta", "[O III] 5007"])
    assert table["line"].tolist() == 3 * ["Hbeta", "[O III] 5007", "elsewhere"]
    row = table[(table["object_id"] == "b") & (table["line"] == "Hbeta")]
    masks = line_masks(PERUZZI2021_GRID, ["Hbeta"])["Hbeta"]
    masks["continuum"] &= PERUZZI2021_GRID.centers.value < 4975  # beyond, [O III] 5007 is nearer
    for part in ("core", "wings", "continuum"):
        np.testing.assert_allclose(row[part].value, np.nansum(result.observed_values[1, masks[part]]), rtol=1e-12)
        assert row[part].unit == result.unit
        assert row[f"n_{part}"] == masks[part].sum()
    assert row["target"] == "type 2"
    assert row["wavelength"].to_value(u.AA) == pytest.approx(4862.68)


def test_default_lines_add_up_to_no_more_than_the_whole(result):
    from dataclasses import replace

    table = replace(result, values=np.ones((3, N)), mask=None).by_line()
    first = table[table["object_id"] == "a"]
    emission = [name not in ("Ca K", "Mg b", "elsewhere") for name in first["line"]]
    assert (first["core"] + first["wings"])[emission].value.sum() <= N


def test_by_line_sums_to_the_whole(result):
    from dataclasses import replace

    complete = replace(result, mask=None)
    for lines in (None, ["Hbeta"], ["Fe II 4570", "He II 4686", "Ca K", "H8", "4000 A break"], ["Mg b", "Fe II 5250"]):
        table = complete.by_line(lines)
        sums = table["core"] + table["wings"] + table["continuum"]
        np.testing.assert_allclose(sums.value.reshape(3, -1).sum(axis=1), result.values.sum(axis=1), rtol=1e-9)
        assert (table["n_core"] + table["n_wings"] + table["n_continuum"]).sum() == 3 * N
        assert not table["bad_fraction"].any()


def test_rows_are_named_for_what_they_hold(result):
    table = result[0].by_line()
    blends = dict(zip(table["line"].tolist(), table["blends"].tolist(), strict=True))
    assert {"Ca H", "[Ne III] 3967"} <= set(blends["Hepsilon"].split(", "))
    helium, iron = (table[table["line"] == name] for name in ("He II 4686", "Fe II 4570"))
    assert helium["start"].value > 4680  # no wings in the Fe II complex
    assert helium["start"] >= iron["stop"]


def test_lines_of_your_own(result):
    argon = SpectralLine("[Ar IV] 4740", "[Ar IV] 4740", 4741.45, "forbidden", 300.0, 1200.0)
    table = result[0].by_line([argon, "Hbeta"])
    assert table["line"].tolist() == ["[Ar IV] 4740", "Hbeta", "elsewhere"]
    assert table["wavelength"][0].value == 4741.45
    assert table["n_core"][0] == 6


def test_the_table_prints_its_answer_first(result):
    text = str(result.by_line(["Hbeta", "[O III] 5007"]))
    assert max(map(len, text.splitlines())) <= 80
    assert text.split()[:6] == ["object_id", "line", "core", "wings", "continuum", "bad_fraction"]
    assert "in 1e+17 cm2 Angstrom s / erg" in text
    assert "more columns: " in text
    odd = str(replace_ids(result, "long\n" * 40).by_line(["Hbeta"]))
    assert max(map(len, odd.splitlines())) <= 80
    assert "continuum" in odd.splitlines()[0]


def test_tables_for_papers_have_sensible_digits(result):
    table = replace_ids(result, "a_1 & b|c").by_line(["Hbeta"])
    latex, markdown = table.text("latex").splitlines(), table.text().splitlines()
    assert r"a\_1 \& b|c & H$\beta$ & " in latex[4]
    assert markdown[2].startswith(r"| a\_1 & b\|c | Hβ | ")
    assert all(len(cell.strip()) < 10 for cell in markdown[2].split(" | ")[2:])
    with pytest.raises(AgnsalError, match="format"):
        table.text("html")


def replace_ids(result, name):
    from dataclasses import replace

    return replace(result[0], ids=np.array([name]))


def test_to_table_gives_densities_that_do_not_depend_on_binning(result):
    table = result.to_table(1)
    assert table["density"].unit == result.unit / u.AA
    np.testing.assert_allclose((table["density"] * table["width"]).value, result.observed_values[1], rtol=1e-12)
    assert table.meta["target"] == "type 2"
    assert table.meta["object_id"] == "b"
    assert table["wavelength"].unit == u.AA


def test_indexing_keeps_everything_together(result):
    one = result[1]
    assert len(one) == 1
    np.testing.assert_array_equal(one.baseline, result.baseline[[1]])
    np.testing.assert_array_equal(one.mask, result.mask[[1]])
    assert result[result.target == "type 1"].ids.tolist() == ["a", "c"]
    assert result[-1].ids.tolist() == ["c"]
    with pytest.raises(IndexError):
        result[3]


@pytest.mark.parametrize("ending", ["npz", "fits", "ecsv"])
def test_round_trip_on_disk_is_bit_equal(result, tmp_path, ending):
    result.ids[1] = "β"
    result.inputs[0, 0] = np.nextafter(1, 2)
    result.write(tmp_path / f"a.{ending}")
    back = Attribution.read(tmp_path / f"a.{ending}")
    for name in ("values", "target", "explained", "inputs", "ids", "mask", "baseline"):
        assert getattr(back, name).dtype == getattr(result, name).dtype
        assert getattr(back, name).tobytes() == getattr(result, name).tobytes()
    for source, spread in result.uncertainty.items():
        assert back.uncertainty[source].tobytes() == spread.tobytes()
    assert back.residual is None
    assert back.grid == result.grid
    assert back.unit == result.unit
    assert (back.method, back.output) == (result.method, result.output)
    assert back.provenance == dict(result.provenance)


def test_what_is_refused(result, tmp_path):
    from dataclasses import replace

    with pytest.raises(AgnsalError, match="no wavelengths"):
        replace(result, grid=None).by_line()
    with pytest.raises(AgnsalError, match="Hbeta"):
        result.by_line(["H-beta"])
    with pytest.raises(AgnsalError, match="off the grid"):
        result.by_line(["Halpha"])
    far = WavelengthGrid.linear(8000 * u.AA, 9000 * u.AA, N)
    with pytest.raises(AgnsalError, match="no named line"):
        replace(result, grid=far).by_line()


@pytest.mark.parametrize("ending", ["npz", "fits", "ecsv"])
def test_damaged_and_foreign_files_are_refused(result, tmp_path, ending):
    path = tmp_path / f"b.{ending}"
    with pytest.raises(AgnsalError, match="no such file"):
        Attribution.read(path)
    result.write(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(AgnsalError, match=r"not a whole|not one of"):
        Attribution.read(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(AgnsalError, match=r"not a whole|not one of"):
        Attribution.read(path)


def test_other_tables_are_not_attributions(result, tmp_path):
    result.to_table(0).write(tmp_path / "a.ecsv")
    result.by_line().write(tmp_path / "b.fits")
    for name in ("a.ecsv", "b.fits"):
        with pytest.raises(AgnsalError, match="not one of an Attribution"):
            Attribution.read(tmp_path / name)
    with pytest.raises(AgnsalError, match="ending"):
        result.write(tmp_path / "a.pkl")


def test_tables_keep_units_and_provenance(result, tmp_path):
    from astropy.table import QTable

    result.to_table(0).write(tmp_path / "a.ecsv")
    back = QTable.read(tmp_path / "a.ecsv")
    assert back["density"].unit == result.unit / u.AA
    assert back.meta["versions"] == versions()
