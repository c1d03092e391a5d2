"""Data sets: every source, blocks, answers on disk; stopped and gone on with, they are the same bits."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings

import astropy.units as u
import h5py
import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
from numpy.testing import assert_allclose, assert_array_equal
from pyarrow import parquet
from threadpoolctl import threadpool_info, threadpool_limits

import agnsal
from agnsal.datasets.explaining import fingerprint
from agnsal.datasets.result import DatasetResult
from agnsal.datasets.threads import one_thread
from tests.spectra.survey_files import write_desi, write_spec

GRID = agnsal.PERUZZI2021_GRID
FLAM = u.Unit("1e-17 erg / (s cm2 AA)")
SAMPLE = agnsal.simulate_agn(45, 35, 0, seed=0)


def machine(C=10.0, **options):
    return agnsal.ProbabilisticSVC("rbf", C=C, gamma=0.003, random_state=0, **options)


MACHINE = machine().fit(SAMPLE.normalize())


# -------------------------------------------------------------------------------------------------------- sources


def spectra(n=10, seed=3):
    """Flux and inverse variance on SDSS-like pixels, with redshifts."""
    random = np.random.default_rng(seed)
    wavelength = 10.0 ** np.arange(3.58, 3.96, 1e-4 * 4)
    redshift = random.uniform(0.02, 0.5, n).round(4)
    flux = 5 + random.normal(0, 0.2, (n, wavelength.size))
    flux += 20 * np.exp(-0.5 * ((wavelength - 5008.24 * (1 + redshift[:, None])) / 5) ** 2)
    return wavelength, flux, np.full(flux.shape, 25.0), redshift


def write_hdf5(path, n=10, bad=()):
    wavelength, flux, ivar, redshift = spectra(n)
    flux[list(bad)], ivar[list(bad)] = 0.0, 0.0
    with h5py.File(path, "w") as file:
        file["spectrum_lambda"] = np.tile(wavelength, (n, 1))
        file["spectrum_flux"], file["spectrum_ivar"] = flux, ivar
        file["object_id"] = np.array([f"object {k}".encode() for k in range(n)])
        file["Z"], file["Z_ERR"], file["VDISP"] = redshift, np.full(n, 1e-4), np.full(n, 200.0)
    return path


def write_parquet(path, n=10, rows=None, groups=4, nested=False):
    wavelength, flux, ivar, redshift = spectra(n)
    rows = range(n) if rows is None else rows
    if nested:
        names = ("wavelength", "flux", "ivar")
        pixels = [zip(wavelength, flux[k], ivar[k], strict=True) for k in rows]
        values = [[dict(zip(names, pixel, strict=True)) for pixel in row] for row in pixels]
        kind = pa.list_(pa.struct([pa.field(name, pa.float64()) for name in names]))
        columns = {"spectrum": pa.array(values, kind)}
    else:
        values = [{"flux": flux[k], "ivar": ivar[k], "lambda": wavelength} for k in rows]
        columns = {"spectrum": pa.array(values)}
    columns |= {"object_id": [f"object {k}" for k in rows], "Z": redshift[list(rows)]}
    columns |= {"Z_ERR": np.full(len(rows), 1e-4), "VDISP": np.full(len(rows), 200.0)}
    parquet.write_table(pa.table(columns), path, row_group_size=groups)
    return path


HALVES = (range(4), range(4, 10))


@pytest.fixture
def expected(tmp_path):
    """The same spectra through the ordinary road."""
    found = agnsal.read_spectra(write_hdf5(tmp_path / "expected.hdf5"))
    return agnsal.SpectralSample.from_spectra(found, GRID, min_coverage=0.3).normalize()


def every_kind(tmp_path):
    hats = tmp_path / "hats" / "Norder=0" / "Dir=0"
    hats.mkdir(parents=True)
    write_parquet(hats / "Npix=0.parquet", rows=range(3))
    write_parquet(hats / "Npix=1.parquet", rows=range(3, 10), nested=True)
    (tmp_path / "hats" / "_metadata").write_bytes(b"PAR1")
    return {
        "HDF5": write_hdf5(tmp_path / "a.hdf5"),
        "parquet": write_parquet(tmp_path / "a.parquet"),
        "nested": write_parquet(tmp_path / "b.parquet", nested=True),
        "HATS": tmp_path / "hats",
        "list": [
            write_parquet(tmp_path / f"{k}.parquet", rows=rows) for k, rows in enumerate((range(4), range(4, 10)))
        ],
    }


@pytest.mark.parametrize("kind", ["HDF5", "parquet", "nested", "HATS", "list"])
@pytest.mark.parametrize("size", [3, 4, 2048])
def test_containers_give_the_spectra_of_the_ordinary_road(tmp_path, expected, kind, size):
    dataset = agnsal.open_dataset(every_kind(tmp_path)[kind], min_coverage=0.3)
    assert len(dataset) == 10
    assert_allclose(dataset.redshift, spectra()[3])
    joined = agnsal.concatenate(list(dataset.blocks(GRID, size)))
    assert_array_equal(joined.ids, expected.ids)
    assert_allclose(joined.flux, expected.flux, rtol=1e-12)
    assert_allclose(joined.ivar, expected.ivar, rtol=1e-10)
    assert_array_equal(joined.mask, expected.mask)
    assert_array_equal(joined.table["row"], np.arange(10))


def test_blocks_are_bit_for_bit_those_of_read_spectra(tmp_path, monkeypatch):
    """One road: with redshifts of the table or of the files, and no `Spectrum` is built where none is asked for."""
    desi, sdss, hdf5 = write_desi(tmp_path / "coadd.fits"), tmp_path / "spec.fits", write_hdf5(tmp_path / "a.hdf5")
    write_spec(sdss, flux=np.linspace(4, 5, 4600), loglam=3.58 + 1e-4 * np.arange(4600))
    sources = [sdss, desi, hdf5]
    spectra = [agnsal.read_spectra(source) for source in sources]
    monkeypatch.setattr("specutils.Spectrum.__init__", None)
    for source, found in zip(sources, spectra, strict=True):
        dataset = agnsal.open_dataset(source, min_coverage=0.05)
        (block,) = dataset.blocks(GRID, normalize=False)
        sample = agnsal.SpectralSample.from_spectra(found, GRID, dataset.redshift, min_coverage=0.05)
        for name in ("flux", "ivar", "mask", "redshift"):
            assert_array_equal(getattr(block, name), getattr(sample, name), err_msg=f"{name} of {source}")


def test_files_with_a_catalogue(repository):
    dataset = agnsal.open_dataset(repository / "data", repository / "data" / "catalogue.ecsv")
    catalogue = QTable.read(repository / "data" / "catalogue.ecsv")
    assert len(dataset) == len(catalogue)
    blocks = list(dataset.blocks(GRID, size=10))
    assert [len(block) for block in blocks] == [10, 10, 7]
    joined = agnsal.concatenate(blocks)
    assert_array_equal(joined.labels, catalogue["label"])


def test_every_target_of_coadds_is_a_row(tmp_path):
    """Of DESI all targets without a catalogue; with one those it lists, by name or by row; each file is read once."""
    paths = [write_desi(tmp_path / f"{name}.fits", n_targets=n, red=red) for name, n, red in (("a", 4, 1), ("b", 3, 2))]
    targets = 39089837499744649 + np.arange(3)
    dataset = agnsal.open_dataset(paths, min_coverage=0.3)
    assert dataset.table["TARGETID"].tolist() == [*targets, *targets[:2]], "without sky fibres"
    assert {"index", "file", "ra"} <= set(dataset.table.colnames)
    whole = agnsal.SpectralSample.from_spectra(agnsal.read_spectra(paths), GRID, min_coverage=0.3).normalize()
    joined = agnsal.concatenate(list(dataset.blocks(GRID, size=2)))
    assert_array_equal(joined.flux, whole.flux)
    assert_array_equal(joined.redshift, whole.redshift)
    by_name = QTable({"file": ["b.fits", "a.fits", "a.fits"], "TARGETID": targets[[1, 2, 0]]})
    by_row = QTable({"file": by_name["file"], "index": [1, 2, 0]})
    for catalogue in (by_name, by_row):
        (block,) = agnsal.open_dataset(tmp_path, catalogue, min_coverage=0.3).blocks(GRID)
        assert_array_equal(block.flux, whole.flux[[4, 2, 0]])
    nameless = agnsal.open_dataset(tmp_path, QTable({"file": ["a.fits"]}))
    stranger = agnsal.open_dataset(tmp_path, QTable({"file": ["a.fits"], "TARGETID": [7]}))
    for dataset in (nameless, stranger):
        assert not list(dataset.blocks(GRID))
        assert "holds 3 spectra and none of" in dataset.set_aside["cause"][0]


def test_a_bad_target_is_set_aside_and_the_others_of_its_file_are_not(tmp_path):
    path = write_desi(tmp_path / "a.fits", n_targets=4)
    with fits.open(path, mode="update") as hdulist:
        for arm in "BRZ":
            hdulist[f"{arm}_IVAR"].data[1] = 0
    dataset = agnsal.open_dataset(path, min_coverage=0.3)
    (block,) = dataset.blocks(GRID)
    assert block.table["row"].tolist() == [0, 2]
    assert dataset.set_aside["object_id"].tolist() == ["39089837499744650"]
    assert "no good pixel" in dataset.set_aside["cause"][0]


def test_a_sample_and_its_file(tmp_path):
    SAMPLE.write(tmp_path / "sample.npz")
    for source in (SAMPLE, tmp_path / "sample.npz"):
        joined = agnsal.concatenate(list(agnsal.open_dataset(source).blocks(GRID, size=33)))
        assert_array_equal(joined.flux, SAMPLE.normalize().flux)


def test_the_table_is_there_before_any_spectrum_is_read(tmp_path, monkeypatch):
    path = write_hdf5(tmp_path / "a.hdf5")
    monkeypatch.setattr("agnsal.datasets.sources.blocks", None)
    table = agnsal.open_dataset(path).table
    assert {"object_id", "Z", "redshift", "file", "row"} <= set(table.colnames)


def test_bad_spectra_are_set_aside_by_name(tmp_path):
    dataset = agnsal.open_dataset(write_hdf5(tmp_path / "a.hdf5", bad=(2, 5)), min_coverage=0.3)
    joined = agnsal.concatenate(list(dataset.blocks(GRID, size=4)))
    assert joined.table["row"].tolist() == [0, 1, 3, 4, 6, 7, 8, 9]
    assert dataset.set_aside["row"].tolist() == [2, 5]
    assert dataset.set_aside["object_id"].tolist() == ["object 2", "object 5"]
    assert all("no good pixel" in cause or "zero" in cause for cause in dataset.set_aside["cause"])
    assert "2 set aside" in str(dataset)


def test_files_that_cannot_be_read_are_set_aside(tmp_path, repository):
    files = sorted((repository / "data").glob("*.fits"))[:2]
    (tmp_path / "broken.fits").write_bytes(files[0].read_bytes()[:5000])
    dataset = agnsal.open_dataset([files[0], tmp_path / "broken.fits", tmp_path / "broken.fits", files[1]])
    (block,) = dataset.blocks(GRID)
    assert block.table["row"].tolist() == [0, 3]
    assert dataset.set_aside["row"].tolist() == [1, 2]


def test_a_block_of_which_nothing_can_be_used_is_passed_over(tmp_path):
    dataset = agnsal.open_dataset(write_hdf5(tmp_path / "a.hdf5", bad=range(4)), min_coverage=0.3)
    assert [len(block) for block in dataset.blocks(GRID, size=4)] == [4, 2]
    assert len(dataset.set_aside) == 4


def test_redshifts_of_a_second_catalogue(tmp_path):
    """As DESI's zcatalog: the first row of an object counts, objects it lacks keep what the source says."""
    zcatalog = Table({"object_id": ["object 3", "object 3", "object 1"], "Z": [0.3, 0.9, 0.1]})
    dataset = agnsal.open_dataset(write_hdf5(tmp_path / "a.hdf5"), redshifts=zcatalog, min_coverage=0.1)
    own = spectra()[3]
    assert_allclose(dataset.redshift[[0, 1, 2, 3]], [own[0], 0.1, own[2], 0.3])
    (block,) = dataset.blocks(GRID)
    assert_allclose(block.redshift, dataset.redshift)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda path: agnsal.open_dataset(path / "nothing"), "no file or folder"),
        (lambda path: agnsal.open_dataset([]), "empty list"),
        (agnsal.open_dataset, "holds no files"),
        (lambda path: agnsal.open_dataset(path, Table({"name": ["a"]})), "no column 'file'; it has name"),
        (lambda path: agnsal.open_dataset(SAMPLE, colour="red"), "takes no colour"),
        (lambda path: agnsal.open_dataset(SAMPLE, columns={"label": "kind"}), "no column 'kind' for label"),
        (lambda path: agnsal.open_dataset(SAMPLE, redshifts=Table({"name": ["a"]})), "needs a column of ids"),
        (lambda path: next(agnsal.open_dataset(SAMPLE).blocks(GRID, size=0)), "at least 1 spectrum"),
        (lambda path: next(agnsal.open_dataset(SAMPLE).blocks(GRID[:9])), "the sample is on"),
    ],
)
def test_refusals(tmp_path, call, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        call(tmp_path)


# -------------------------------------------------------------------------------------------------------- answers


def explained(folder, source=SAMPLE, model=MACHINE, **options):
    return agnsal.explain_dataset(model, agnsal.open_dataset(source), GRID, folder, **{"size": 17, **options})


def test_answers_are_those_of_the_functions(tmp_path):
    familiarity = agnsal.Familiarity().fit(SAMPLE.normalize())
    result = explained(tmp_path, maps=True, lines=["Hbeta", "[O III] 5007"], familiarity=familiarity)
    sample = SAMPLE.normalize()
    table = result.table()
    assert result.complete
    assert table["object_id"].tolist() == sample.ids.tolist()
    assert_array_equal(table["predicted"], MACHINE.predict(sample))
    assert_allclose(table["P(type 1)"], MACHINE.predict_proba(sample)[:, 0], atol=1e-12)
    assert_allclose(table["familiarity p"], familiarity.p_value(sample), atol=1e-12)
    attribution = agnsal.saliency(MACHINE, sample, output="log_odds")
    values = np.where(sample.mask, 0, attribution.values)
    regions = agnsal.Regions.from_lines(GRID, ["Hbeta", "[O III] 5007"], split_wings=True, overlap=True)
    assert_allclose(table["Hbeta wings"], values @ regions["Hbeta wings"], rtol=1e-9, atol=1e-12)
    assert_allclose(table["Hbeta wings bad"], sample.mask[:, regions["Hbeta wings"]].mean(axis=1))
    assert_allclose(result.maps([70, 3]), np.where(sample.mask, np.nan, attribution.values)[[70, 3]], rtol=1e-6)
    assert_allclose(result.flux([5]), sample.flux[[5]], rtol=1e-6)
    assert (table["cause"] == "").all()


def test_sets_and_distances_are_those_of_the_functions(tmp_path):
    calibration, familiarity = agnsal.simulate_agn(40, 40, 0, seed=7).normalize(), agnsal.Familiarity()
    familiarity.fit(SAMPLE.normalize())
    result = explained(tmp_path, calibration=calibration, level=0.95, familiarity=familiarity)
    table, sets = result.table(), agnsal.prediction_sets(MACHINE, calibration, None, SAMPLE.normalize(), level=0.95)
    assert_array_equal(table["set"], sets.to_table()["set"])
    assert_array_equal(table["set size"], sets.sets.sum(axis=1))
    assert_allclose(table["familiarity distance"], familiarity.distance(SAMPLE.normalize()), rtol=1e-9)
    for changed in ({"level": 0.9}, {"calibration": calibration[:70]}):
        asked = {"calibration": calibration, "level": 0.95, "familiarity": familiarity} | changed
        with pytest.raises(agnsal.AgnsalError, match="calibration differ"):
            explained(tmp_path, **asked)


def test_probabilities_and_map_cost_one_evaluation(tmp_path, monkeypatch):
    """A block is brought to the support vectors once, however many columns come of it."""
    from agnsal.models.machine import kernels

    seen, real = [], kernels._squared_distances
    monkeypatch.setattr(kernels, "_squared_distances", lambda X, *rest: seen.append(len(X)) or real(X, *rest))
    explained(tmp_path, maps=True)
    assert sum(seen) == len(SAMPLE)


def test_every_method_without_layers_serves(tmp_path):
    for number, method in enumerate(["input_x_gradient", "occlusion", "shapley", "integrated_gradients"]):
        result = explained(tmp_path / str(number), SAMPLE[:6], method=method, size=4)
        assert np.isfinite(result.table()["Hbeta wings"]).all(), method


def test_summaries_and_mean_maps_are_those_of_all_at_once(tmp_path):
    result = explained(tmp_path, maps=True)
    table, predicted = result.table(), MACHINE.predict(SAMPLE.normalize())
    summary = result.summary()
    row = summary[(summary["predicted"] == "type 1") & (summary["region"] == "Hbeta wings")][0]
    assert_allclose(row["median"], np.median(table["Hbeta wings"][predicted == "type 1"]))
    assert row["n"] == (predicted == "type 1").sum()
    values = np.where(SAMPLE.mask, np.nan, agnsal.saliency(MACHINE, SAMPLE.normalize(), output="log_odds").values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.nanmean(values[predicted == "type 1"], axis=0)
    maps = result.mean_maps()
    assert_allclose(maps.mean.observed_values[maps.groups.tolist().index("type 1")], mean, rtol=1e-5, atol=1e-7)


def test_population_tools_take_answers_as_they_take_a_sample(tmp_path, monkeypatch):
    """A block at a time, and the same numbers as of all at once, to the float32 that is kept."""
    familiarity = agnsal.Familiarity().fit(agnsal.simulate_agn(0, 60, 0, seed=5).normalize())
    result, sample = explained(tmp_path, maps=True, familiarity=familiarity), SAMPLE.normalize()
    monkeypatch.setattr(result, "maps", None)  # nothing reads them all
    whole = agnsal.saliency(MACHINE, sample, output="log_odds")
    for own, groups in ((None, None), ("predicted", MACHINE.predict(sample)), (sample.labels, sample.labels)):
        kept, expected = agnsal.mean_maps(result, own), agnsal.mean_maps(whole, groups)
        assert kept.groups.tolist() == expected.groups.tolist()
        assert_array_equal(kept.count, expected.count)
        for name in ("values", "inputs", "explained"):
            assert_allclose(getattr(kept.mean, name), getattr(expected.mean, name), rtol=1e-5, atol=1e-6)
        assert_allclose(kept.scatter, expected.scatter, rtol=1e-4, atol=1e-6)
        assert kept.mean.unit == expected.mean.unit
    asked = {"lines": ["Hbeta", "[O III] 5007"], "n_permutations": 30, "random_state": 0}
    kept, expected = (agnsal.line_importance(MACHINE, each, "type 1", **asked) for each in (result, sample))
    for column in ("effect", "attribution"):
        assert_allclose(kept[column], expected[column], rtol=1e-4)
    assert_allclose(kept["permutation"], expected["permutation"], rtol=0.1)  # other draws
    strange = result.outliers(5)
    order = np.argsort(-familiarity.distance(sample))[:5]
    assert strange["row"].tolist() == order.tolist()
    assert_array_equal(strange["object_id"], sample.ids[order])
    with pytest.raises(agnsal.AgnsalError, match="of one sample"):
        agnsal.line_importance(MACHINE, result, "type 1", attribution=whole)


def test_spectra_that_cannot_be_used_have_a_row_and_a_cause(tmp_path):
    source = write_hdf5(tmp_path / "a.hdf5", bad=(0, 4, 5, 6, 7))
    dataset = agnsal.open_dataset(source, min_coverage=0.3)
    result = agnsal.explain_dataset(MACHINE, dataset, GRID, tmp_path / "answers", size=4, maps=True)
    table = result.table()
    assert len(table) == 10
    assert (table["cause"] != "").tolist() == [k in (0, 4, 5, 6, 7) for k in range(10)]
    assert np.isnan(table["P(type 1)"][4:8]).all(), "a block of which nothing can be used"
    assert table["predicted"][4] == ""
    assert np.isnan(result.maps([4, 1])[0]).all()


def digest(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_processes_and_what_was_there_do_not_matter(tmp_path):
    whole = explained(tmp_path / "whole")
    explained(tmp_path / "two", n_jobs=2)
    assert digest(tmp_path / "two") == digest(tmp_path / "whole")
    for name in ("block-000001.parquet", "block-000003.parquet"):
        (tmp_path / "two" / name).unlink()
    (tmp_path / "two" / "block-000002.parquet").write_bytes(b"PAR1 damaged")
    assert not DatasetResult(tmp_path / "two").complete
    explained(tmp_path / "two")
    assert digest(tmp_path / "two") == digest(tmp_path / "whole")
    assert whole.n_blocks == 5


CHILD = """
import sys, agnsal
sample = agnsal.SpectralSample.read(sys.argv[1])
machine = agnsal.ProbabilisticSVC.read(sys.argv[2])
print("ready", flush=True)
agnsal.explain_dataset(machine, agnsal.open_dataset(sample), agnsal.PERUZZI2021_GRID, sys.argv[3], size=8, maps=True)
"""


@pytest.mark.slow
def test_killed_at_random_instants_it_goes_on(tmp_path):
    SAMPLE.write(tmp_path / "sample.npz")
    MACHINE.write(tmp_path / "machine.npz")
    arguments = [sys.executable, "-c", CHILD, str(tmp_path / "sample.npz"), str(tmp_path / "machine.npz")]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run([*arguments, str(whole)], check=True, capture_output=True)
    random = np.random.default_rng(0)
    for _ in range(2):
        child = subprocess.Popen([*arguments, str(broken)], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(random.uniform(0.02, 0.4))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    subprocess.run([*arguments, str(broken)], check=True, capture_output=True)
    hidden = {name: content for name, content in digest(broken).items() if not name.startswith(".")}
    assert hidden == digest(whole)


@pytest.mark.parametrize("kind", ["HDF5", "HATS", "files", "sample"])
def test_what_is_sent_of_a_block_does_not_grow_with_the_data_set(tmp_path, kind):
    """Rows know nothing of the others, and what is read of them elsewhere is what is read here."""

    def opened(n):
        folder = tmp_path / f"{n}"
        folder.mkdir()
        if kind == "sample":
            return agnsal.open_dataset(SAMPLE[:n])
        if kind == "HDF5":
            return agnsal.open_dataset(write_hdf5(folder / "a.hdf5", n), min_coverage=0.3)
        if kind == "HATS":
            for start in range(0, n, 4):
                write_parquet(folder / f"{start:02d}.parquet", n=n, rows=range(start, min(start + 4, n)))
            return agnsal.open_dataset(folder, min_coverage=0.3)
        names = [f"{k:02d}.ecsv" for k in range(n)]
        for name in names:
            wavelength, flux, ivar, _ = spectra(1)
            columns = {"wavelength": wavelength * u.AA, "flux": flux[0] * FLAM, "ivar": ivar[0] / FLAM**2}
            QTable(columns).write(folder / name)
        catalogue = Table({"file": names, "redshift": np.zeros(n)})
        return agnsal.open_dataset(folder, catalogue, min_coverage=0.3, medium="vacuum")

    few, many = opened(6), opened(30)
    sent = pickle.dumps(many.rows(1, 5))
    assert len(sent) < len(pickle.dumps(few.rows(0, 5))) + 200
    there, here = pickle.loads(sent).read(GRID), many.block(1, GRID, 5)
    assert there.rows.tolist() == here.rows.tolist() == [5, 6, 7, 8, 9]
    assert_array_equal(there.sample.flux, here.sample.flux)
    assert_array_equal(there.sample.ids, many.ids[5:10])


def test_one_thread_holds_until_the_last_is_out():
    """One block of a worker with several threads must not take the bound off another's."""

    def counts():
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    with threadpool_limits(2):
        first, second = one_thread(), one_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert counts() == {1}
        second.__exit__(None, None, None)
        assert counts() == {2}


def test_answers_to_another_question_are_not_mixed(tmp_path):
    explained(tmp_path)
    other = machine(11.0).fit(SAMPLE.normalize())
    for options in ({"model": other}, {"output": "probability"}, {"size": 16}, {"source": SAMPLE[:79]}, {"maps": True}):
        with pytest.raises(agnsal.AgnsalError, match="another question"):
            explained(tmp_path, **options)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(agnsal.AgnsalError, match="damaged"):
        explained(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(agnsal.AgnsalError, match=r"without manifest\.json"):
        explained(tmp_path)


def test_a_fingerprint_is_of_what_was_learnt(tmp_path):
    MACHINE.write(tmp_path / "machine.npz")
    assert fingerprint(agnsal.ProbabilisticSVC.read(tmp_path / "machine.npz").pair_functions_) == fingerprint(
        MACHINE.pair_functions_
    )
    other = machine(11.0).fit(SAMPLE.normalize())
    assert fingerprint(other) != fingerprint(MACHINE)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"method": "nonsense"}, "method must be one of"),
        ({"source": SAMPLE[:0]}, "holds no spectrum"),
    ],
)
def test_questions_that_mean_nothing(tmp_path, options, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        explained(tmp_path / "x", **options)


def test_what_is_read_back_is_checked(tmp_path):
    result = explained(tmp_path)
    with pytest.raises(agnsal.AgnsalError, match="no column 'nonsense'; they have row"):
        result.table(["nonsense"])
    with pytest.raises(agnsal.AgnsalError, match="maps=True"):
        result.maps([0])
    with pytest.raises(agnsal.AgnsalError, match="rows 0 to 79"):
        result.maps([80])
    with pytest.raises(agnsal.AgnsalError, match="holds no answers"):
        DatasetResult(tmp_path / "nothing")
    path = tmp_path / "block-000000.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(agnsal.AgnsalError, match="damaged"):
        result.table()


def test_learning_from_blocks_of_a_data_set(tmp_path):
    """A data set, gone through again and again, is what fit_blocks reads."""

    class Blocks:
        def __iter__(self):
            return agnsal.open_dataset(SAMPLE).blocks(GRID, size=30)

    blocks, whole = machine(n_landmarks=30).fit_blocks(Blocks()), machine(n_landmarks=30).fit(SAMPLE.normalize())
    sample = SAMPLE.normalize()
    assert_allclose(blocks.predict_proba(sample), whole.predict_proba(sample), atol=1e-7)


# distributed warns of its own sockets and of workers that are gone
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning")
def test_on_a_cluster_of_which_a_worker_is_killed(tmp_path):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        worker = next(iter(client.run(os.getpid).values()))

        def kill_it():
            while not list((tmp_path / "cluster").glob("block-*")):  # in the middle of the work
                time.sleep(0.02)
            os.kill(worker, signal.SIGKILL)

        thread = threading.Thread(target=kill_it)
        thread.start()
        explained(tmp_path / "cluster", client=client, size=2)
        thread.join()
    explained(tmp_path / "here", size=2)
    hidden = {name: content for name, content in digest(tmp_path / "cluster").items() if not name.startswith(".")}
    assert hidden == digest(tmp_path / "here")
