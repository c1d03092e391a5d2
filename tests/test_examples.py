"""The example scripts run as a user would run them, and write what they say."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import signal
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

import agnsal
from agnsal.command_line.options import in_options, reading_options
from tests.figures.test_hostile_names import HOSTILE

FLAM = u.Unit("1e-17 erg / (s cm2 Angstrom)")
CLASSES = ("type 1", "type 2", "intermediate")


@pytest.fixture
def paper_data(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "examples"))
    import paper_data

    return paper_data


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of simulated spectra in the observed frame with a catalogue, in the layout of a user."""
    folder = tmp_path_factory.mktemp("spectra")
    grid = agnsal.WavelengthGrid.linear(3600 * u.AA, 5500 * u.AA, 1100)
    sample = agnsal.simulate_agn(3, 3, 3, grid=grid, seed=5)
    rows = []
    for i in range(len(sample)):
        z = sample.redshift[i]
        table = QTable({"wavelength": sample.wavelength * (1 + z), "flux": sample.flux[i] * sample.unit})
        table["ivar"] = sample.ivar[i] * sample.unit**-2
        table.write(folder / f"{i}.ecsv")
        rows.append({"file": f"{i}.ecsv", "label": sample.labels[i], "redshift": z, "object_id": f"object {i}"})
    rows += [
        {"file": "missing.ecsv", "label": "Type_1", "redshift": 0.5, "object_id": "missing"},
        {"file": "0.ecsv", "label": "star", "redshift": 0.0, "object_id": "star"},
        {"file": "1.ecsv", "label": "type1", "redshift": 3.0, "object_id": "too far"},
    ]
    QTable(rows=rows).write(folder / "catalogue.ecsv")
    return folder


def options_for(folder, output, **changes):
    options = {
        "spectra": [folder],
        "catalogue": [folder / "catalogue.ecsv"],
        "output": output,
        "least_per_class": 75,
        "file_column": "file",
        "label_column": ["label"],
        "redshift_column": "redshift",
        "id_column": "object_id",
        "quick": True,
        "quiet": True,
    }
    return argparse.Namespace(**{**options, **changes})


@pytest.mark.slow
def test_the_main_job_remakes_every_item(repository, tmp_path):
    command = [sys.executable, "examples/paper_figures.py", "--quick", "--quiet", "--output", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    drawn = {path.name for path in (tmp_path / "figures").glob("*.png")}
    assert {"1_example_spectra.png", "2_tsne_two_classes.png", "3_tsne_three_classes.png"} <= drawn
    for task in ("two_classes", "three_classes"):
        assert f"4_tsne_explained_{task}.png" in drawn
        for scaling in ("unscaled", "scaled"):
            for item in (f"{5 + (task == 'three_classes')}_saliency", "8_class_gradients", "9_confusion"):
                assert f"{item}_{task}_{scaling}.png" in drawn
    assert any(name.startswith("7_saliency_misclassified") for name in drawn)
    metrics = QTable.read(tmp_path / "tables" / "metrics.ecsv")
    weighted = metrics[metrics["average or class"] == "weighted"]
    assert len(weighted) == 4
    assert (weighted["F"][weighted["task"] == "two classes"] > 0.9).all()
    assert (weighted["F"][weighted["task"] == "three classes"] > 0.7).all()
    kernels = QTable.read(tmp_path / "tables" / "kernels.ecsv")
    assert len(kernels) == 16
    samples = QTable.read(tmp_path / "tables" / "samples.ecsv")
    assert samples["N"].sum() == 330
    for table in (tmp_path / "tables").glob("*.ecsv"):
        assert table.with_suffix(".md").read_text(encoding="utf-8").startswith("| ")
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "**simulated**" in summary
    assert "0.942" in summary


@pytest.mark.slow
def test_what_a_referee_asks_is_answered(repository, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(repository / "examples"))
    import beyond_maps

    beyond_maps.main(["--quick", "--quiet", "--output", str(tmp_path)])
    figures = {path.name for path in tmp_path.glob("*.png")}
    assert {"training_influence.png", "broad_hbeta.png", "least_change.png"} <= figures
    assert {"unfamiliar.png", "prediction_sets.png", "ambiguity.png", "conditional.png", "concepts.png"} <= figures
    words = (tmp_path / "beyond_maps.md").read_text(encoding="utf-8")
    assert words.count("## ") == 5
    assert "broad Hbeta flux" in words
    quantities = QTable.read(tmp_path / "least_change.ecsv")["quantity"]
    assert "continuum slope" in quantities


def test_files_of_a_catalogue_are_tested_and_explained(paper_data, files, tmp_path):
    data = paper_data.load(options_for(files, tmp_path))
    assert list(data.tested) == ["simulated test set", "files"]
    assert data.rows is None
    assert "**files**" in data.story
    assert "Of 12 files in the catalogue 11 have one of the three labels; 9 of those" in data.story
    explained = data.explained
    assert sorted(explained.ids) == [f"object {i}" for i in range(9)]
    assert sorted(set(explained.labels)) == sorted(CLASSES)
    at = np.abs(explained.wavelength.value - 5100).argmin()
    np.testing.assert_allclose(explained.flux[:, at], 1.0)
    left_out = (tmp_path / "left_out.txt").read_text(encoding="utf-8")
    assert "missing.ecsv" in left_out
    assert "too far" in left_out
    assert not set(data.training.ids) & set(explained.ids)


def test_enough_files_are_learnt_from(paper_data, files, tmp_path):
    data = paper_data.load(options_for(files, tmp_path, least_per_class=3))
    assert list(data.tested) == ["test set"]
    assert len(data.training) + len(data.validation) + len(data.explained) == len(data.mapped) == 9
    np.testing.assert_array_equal(data.mapped.ids[data.rows], data.explained.ids)


def test_catalogues_of_several_folders_are_merged(paper_data, files, tmp_path):
    """The second catalogue lists two files of another folder, and another convention of labels for all."""
    other, more = tmp_path / "other", tmp_path / "more.csv"
    other.mkdir()
    for name in ("0.ecsv", "3.ecsv"):
        (other / f"moved {name}").write_bytes((files / name).read_bytes())
    known = QTable.read(files / "catalogue.ecsv")[:9]
    rows = [{**dict(row), "label": "type 1", "second": "intermediate"} for row in known]
    rows += [{**dict(known[int(i)]), "file": f"moved {i}.ecsv", "second": "type 2"} for i in "03"]
    QTable(rows=rows).write(more)
    changes = {"spectra": [files, other], "catalogue": [files / "catalogue.ecsv", more], "least_per_class": 3}
    data = paper_data.load(options_for(files, tmp_path, label_column=["label", "second"], **changes))
    first, second = data.conventions["label"], data.conventions["second"]
    assert len(first) == len(second) == 11
    np.testing.assert_array_equal(first.labels[:9], known["label"])  # what the first catalogue says counts
    np.testing.assert_array_equal(first.ids[9:], ["object 0", "object 3"])
    np.testing.assert_array_equal(second.labels, ["intermediate"] * 9 + ["type 2"] * 2)
    np.testing.assert_array_equal(data.mapped.flux, first.flux)


def test_subsets_are_matched_in_redshift(paper_data):
    from repeated_splits import STRATA, as_many_at_random, matched_rows

    sample = agnsal.simulate_agn(60, 60, 60, seed=0, redshift_confound=False)
    rows = matched_rows(sample, 1)
    stratum = np.searchsorted(STRATA, sample.redshift[rows])
    counts = [np.bincount(stratum[sample.labels[rows] == name], minlength=7) for name in CLASSES]
    np.testing.assert_array_equal(counts, [counts[0]] * 3)
    assert len(rows) > 30
    random = as_many_at_random(sample, rows, 1)
    assert len(set(random)) == len(random)
    for name in CLASSES:
        assert (sample.labels[random] == name).sum() == (sample.labels[rows] == name).sum()


def test_scores_of_repeated_splits_know_a_class_that_redshift_tells(paper_data):
    from repeated_splits import machine, redshift_alone, repeated

    sample = agnsal.simulate_agn(40, 40, 0, seed=0)  # as in the paper the classes do not overlap in redshift
    flat = sample.with_flux(np.ones(sample.flux.shape) + 0.01 * np.random.default_rng(0).normal(size=sample.flux.shape))
    by_spectra, by_redshift = (repeated(flat, 2, make)[:, 3].mean() for make in (machine, redshift_alone))
    assert by_spectra < 0.75
    assert by_redshift > 0.95


def test_a_catalogue_of_other_columns_says_what_it_has(paper_data, files, tmp_path):
    with pytest.raises(SystemExit, match="no column 'class'; it has file, label"):
        paper_data.load(options_for(files, tmp_path, label_column=["class"]))


FLAM = u.Unit("1e-17 erg s-1 cm-2 AA-1")
TAKE_FILES = {
    "paper_figures.py": ("--catalogue", "nowhere.csv", "--spectra", "nowhere"),
    "can_i_trust_this_map.py": ("--spectra", "nowhere"),
    "changing_look.py": ("--catalogue", "nowhere.csv", "--spectra", "nowhere"),
    "compare_methods.py": ("--file", "nowhere.fits"),
    "explain_my_spectrum.py": ("nowhere.fits",),
}


@pytest.mark.slow
@pytest.mark.parametrize("script", TAKE_FILES)
@pytest.mark.parametrize("wrong", ["no such file", "no redshift", "no column"])
def test_wrong_input_ends_in_one_sentence(script, wrong, repository, tmp_path):
    given = list(TAKE_FILES[script])
    if wrong != "no such file":
        table = QTable({"wavelength": np.linspace(3600, 5500, 2000) * u.AA, "flux": np.ones(2000) * FLAM})
        table.write(tmp_path / "alone.ecsv")
        QTable({"file": ["alone.ecsv"], "other": [1]}).write(tmp_path / "catalogue.ecsv")
        given[-1] = str(tmp_path) if "--spectra" in given else str(tmp_path / "alone.ecsv")
        if "--spectra" in given and (wrong == "no column" or script != "can_i_trust_this_map.py"):
            given += ["--catalogue", str(tmp_path / "catalogue.ecsv")]
    command = [sys.executable, f"examples/{script}", *given, "--quick", "--quiet", "--output", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    said = done.stderr.strip().splitlines()[-1]  # after warnings, if any
    assert not re.search(r"\b(redshift|frame|medium|columns|units|mask|format)=", said)  # of Python, no options


@pytest.mark.parametrize("script", TAKE_FILES)
def test_scripts_advise_only_options_that_they_have(script, repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "examples"))
    given = importlib.import_module(script.removesuffix(".py")).parse([*TAKE_FILES[script]])
    whole = agnsal.simulate_agn(0, 2, 0, seed=0)
    hidden = agnsal.SpectralSample(whole.flux, whole.grid, mask=whole.mask | (whole.grid.centers.value > 4900))
    with pytest.raises(agnsal.AgnsalError, match='by="median"') as unobserved:
        hidden.normalize()
    with pytest.raises(agnsal.AgnsalError, match="min_coverage") as short:
        agnsal.SpectralSample.from_spectra([hidden.to_spectrum(0)], agnsal.PERUZZI2021_GRID, redshift=0.0)
    other = "read as vacuum (medium='air'); give redshift= or frame='rest'."
    advice = in_options(f"{unobserved.value}\n{short.value}\n{other}", given)
    assert not re.search(r"\w_\w|\b\w+=", advice)
    options = re.findall(r"--([a-z-]+)", advice)
    assert "medium" in options
    assert {name.replace("-", "_") for name in options} <= set(vars(given))


@pytest.mark.parametrize("script", TAKE_FILES)
def test_scripts_that_read_files_take_the_same_reading_options(script, repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "examples"))
    parse = importlib.import_module(script.removesuffix(".py")).parse
    given = parse(
        [*TAKE_FILES[script], "--frame", "rest", "--medium", "air", "--units", "flux=Jy", "--columns", "flux=F"]
    )
    expected = {"frame": "rest", "medium": "air", "units": {"flux": "Jy"}, "columns": {"flux": "F"}}
    assert reading_options(given) == expected


def test_the_split_keeps_objects_whole_and_rows_in_place(paper_data):
    sample = agnsal.simulate_agn(40, 40, 20, seed=0)
    sample.table["object_id"] = [f"object {i // 2}" for i in range(100)]
    data = paper_data.split(sample, "")
    parts = [set(part.ids) for part in (data.training, data.validation, data.explained)]
    assert sum(map(len, parts)) == 50
    assert len(set.union(*parts)) == 50
    for classes in (CLASSES, CLASSES[:2], CLASSES[1:]):
        some = data.only(classes)
        np.testing.assert_array_equal(some.mapped.flux[some.rows], some.explained.flux)
        assert set(some.training.labels) <= set(classes)


@pytest.mark.slow
def test_an_interrupted_example_leaves_nothing_half_done(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    from interrupted_examples import interrupted, whole_run

    expected, seconds = whole_run("compare_methods")
    for number in (signal.SIGINT, signal.SIGTERM):
        found = interrupted("compare_methods", number, 0.5 * seconds, writing=True)
        assert found.items() <= expected.items()


@pytest.fixture
def hostile(tmp_path):
    """A folder with a catalogue in which every name is hostile; as far as the system allows, those of files too."""
    folder = tmp_path / "spectra"
    folder.mkdir()
    grid = agnsal.WavelengthGrid.linear(3600 * u.AA, 5500 * u.AA, 1100)
    sample = agnsal.simulate_agn(3, 3, 3, grid=grid, seed=5)
    rows = []
    for number, text in enumerate(HOSTILE):
        i, text = number % len(sample), text.encode(errors="replace").decode()  # noqa: PLW2901
        allowed = re.sub(r"[/\x00\r]", "_", text[:40])  # ECSV makes one line break of two
        name = f"{number}{allowed}.ecsv"
        table = QTable({"wavelength": sample.wavelength * (1 + sample.redshift[i]), "flux": sample.flux[i] * FLAM})
        table.write(folder / name)
        known = {"label": sample.labels[i], "redshift": sample.redshift[i]}
        rows.append({"file": name, "object_id": f"{text}{number}", **known})
        rows.append({"file": f"missing {text}", "object_id": text, **known})
    QTable(rows=rows).write(folder / "catalogue.ecsv")
    (folder / os.fsdecode(b"caf\xe9.ecsv")).write_bytes((folder / name).read_bytes())
    return folder


@pytest.mark.slow
def test_hostile_names_go_through_the_main_job_as_text(paper_data, hostile, tmp_path):
    from paper_figures import save_table

    output = tmp_path / "output"
    (output / "tables").mkdir(parents=True)
    options = options_for(hostile, output, catalogue=[hostile / "catalogue.ecsv"])
    conventions, story = paper_data.read_files(options)
    sample = conventions["label"]
    assert len(sample) == len(HOSTILE)
    assert len((output / "left_out.txt").read_text(encoding="utf-8").splitlines()) == len(HOSTILE)
    assert len([line for line in story.splitlines() if line]) == 1 + paper_data.SHOWN + 1
    assert "<" not in story.replace("\\<", "")
    save_table(options, "ids", QTable({"id": sample.ids}))
    rows = (output / "tables" / "ids.md").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 2 + len(HOSTILE)
    assert all(row.startswith("| ") and row.replace(r"\|", "").count("|") == 2 for row in rows)


def test_files_without_errors_leave_others_theirs(paper_data, files, tmp_path):
    import can_i_trust_this_map

    for name in ("0.ecsv", "1.ecsv"):
        (tmp_path / name).write_bytes((files / name).read_bytes())
    bare = QTable.read(tmp_path / "1.ecsv")
    bare.remove_column("ivar")
    bare.write(tmp_path / "1.ecsv", overwrite=True)
    QTable.read(files / "catalogue.ecsv")[:2].write(tmp_path / "catalogue.ecsv")
    given = ["--spectra", str(tmp_path), "--catalogue", str(tmp_path / "catalogue.ecsv"), "--output", str(tmp_path)]
    sample = can_i_trust_this_map.read(can_i_trust_this_map.parse([*given, "--normalize-by", "median", "--quiet"]))
    assert sample.has_errors.tolist() == [True, False]
    assert sample.normalization.by == "median"


def test_hostile_names_of_files_go_through_a_folder(paper_data, hostile, tmp_path):
    import can_i_trust_this_map

    (hostile / "catalogue.ecsv").unlink()
    options = can_i_trust_this_map.parse(["--spectra", str(hostile), "--output", str(tmp_path), "--quiet"])
    with pytest.raises(SystemExit, match="none of"):  # they do not say their redshift
        can_i_trust_this_map.read(options)
    lines = (tmp_path / "left_out.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(list(hostile.iterdir()))
    named = agnsal.read_spectra(hostile / os.fsdecode(b"caf\xe9.ecsv"), redshift=0.1, medium="vacuum")
    assert named[0].meta["object_id"] == "caf\N{REPLACEMENT CHARACTER}.ecsv"


def test_shares_of_the_real_page_have_their_errors(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    import real_page
    import real_results

    assert real_results.share(0, 0) == "–"
    assert real_results.share(0, 10).startswith("0.00 (0.00 – 0.17")  # 1 - 0.16 ** (1 / 10)
    assert real_results.share(10, 10).startswith("1.00 (0.83 – 1.00")
    assert "a\\_b" in real_page.markdown(QTable({"name": ["a_b"]}))
