import re

import numpy as np
import pytest
from astropy.table import QTable

import agnsal

pytestmark = pytest.mark.slow


@pytest.fixture
def examples(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "examples"))


def test_benchmark_tables_and_figures(examples, tmp_path):
    import attribution_benchmark

    linear = agnsal.PiecewiseLinearBenchmark(8, n_samples=400)
    piecewise = linear.score(linear.fit((8,), epochs=(2, 1)), n_explained=10)
    spectral = agnsal.SpectralBenchmark(48)
    scores = spectral.score(spectral.fit(), n_explained=4)
    lines = attribution_benchmark.piecewise_table([piecewise], tmp_path)
    assert len({line.count("|") for line in lines}) == 1
    assert any(line.startswith("| deep Taylor | absolute contribution |") for line in lines)
    lines = attribution_benchmark.spectral_table([scores, scores], tmp_path)
    assert len(lines) == 4 + len(scores.maps)
    attribution_benchmark.draw(scores, "spectral", tmp_path)
    assert (tmp_path / "spectral_maps.png").stat().st_size > 5000
    assert len(QTable.read(tmp_path / "spectral.ecsv")) == 2 * len(scores.maps)


# two spectra of a class teach nothing
@pytest.mark.filterwarnings("ignore:nothing shows that the machine separates:agnsal.AgnsalWarning")
def test_can_i_trust_this_map_on_files(examples, tmp_path):
    import can_i_trust_this_map

    folder = tmp_path / "files"
    folder.mkdir()
    grid = agnsal.WavelengthGrid.linear(
        3600 * agnsal.PERUZZI2021_GRID.centers.unit, 5500 * agnsal.PERUZZI2021_GRID.centers.unit, 1100
    )
    sample = agnsal.simulate_agn(2, 2, 2, grid=grid, seed=4)
    rows = []
    for i in range(len(sample)):
        z = float(sample.table["redshift"][i])
        table = QTable({"wavelength": sample.wavelength * (1 + z), "flux": sample.flux[i] * sample.unit})
        table["ivar"] = sample.ivar[i] * sample.unit**-2
        table.write(folder / f"{i}.ecsv")
        rows.append((f"{i}.ecsv", z))
    QTable(rows=[*rows, ("missing.ecsv", 0.1)], names=("file", "z")).write(folder / "catalogue.ecsv")
    output = tmp_path / "output"
    can_i_trust_this_map.main(
        ["--quick", "--quiet", "--spectra", str(folder), "--catalogue", str(folder / "catalogue.ecsv"),
         "--output", str(output)]
    )  # fmt: skip
    report = (output / "report.md").read_text(encoding="utf-8")
    assert "control: random" in report
    for control in ("random", "edges_of_the_input", "shuffled_labels"):
        assert QTable.read(output / f"control_{control}.ecsv").meta["verdict"] == "not faithful to the model", control
    assert re.search(r"redshift +confounded", report)
    assert "missing.ecsv" in (output / "left_out.txt").read_text(encoding="utf-8")
    assert len(QTable.read(output / "familiarity.ecsv")) == 6
    assert (output / "removal.png").exists()


def test_global_importance(examples, tmp_path):
    import global_importance

    global_importance.main(["--quick", "--output", str(tmp_path)])
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "Broad bins by RATE" in summary
    table = QTable.read(tmp_path / "type_1_machine.ecsv")
    assert set(table["line"]) == set(global_importance.LINES)
    assert np.isfinite(table["effect_error"]).all()
    assert (tmp_path / "type_1_network.png").exists()
