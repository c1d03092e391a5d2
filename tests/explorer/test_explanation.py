"""The page for one spectrum is about this spectrum: its shares, its experiments, what was not observed."""

import csv
import re
import shutil
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

import agnsal
from agnsal.attribution.answer.line_sums import ELSEWHERE
from agnsal.attribution.counterfactual.line_strength import without_lines
from agnsal.explorer import classifier as classifiers
from agnsal.explorer.page import safe_name
from agnsal.explorer.sentences import CARE, DOUBTFUL
from agnsal.explorer.shares import ClassPair, line_regions, region_table
from agnsal.spectra.lines import with_labels
from tests.test_architecture import GRAPH


@pytest.fixture(scope="module")
def classifier():
    training = agnsal.simulate_agn(150, 250, 150, seed=0).normalize()
    machine = agnsal.ProbabilisticSVC(kernel="linear", C=0.07, class_weight="balanced", random_state=0)
    return agnsal.TrainedClassifier.train(
        training, machine, n_refits=3, embed=False, description="trained on 550 simulated spectra", random_state=0
    )


@pytest.fixture(scope="module")
def sample():
    return agnsal.simulate_agn(2, 2, 2, seed=77).normalize()


@pytest.fixture(scope="module")
def explained(classifier, sample):
    return [agnsal.explain_spectrum(sample, classifier, i=i, n_draws=16, random_state=0) for i in range(len(sample))]


def test_shares_add_up_to_the_difference_from_the_rival(explained):
    for one in explained:
        total = one.log_odds - one.log_odds_rival
        assert np.nansum(one.lines["share"]) == pytest.approx(total, abs=1e-8)
        assert one.lines["region"][-1] == ELSEWHERE


def test_each_spectrum_has_an_explanation_of_its_own_that_agrees_with_its_experiments(explained):
    for one in explained:
        assert one.agreement > 0.95
    shares = [np.asarray(one.lines["share"]) for one in explained if one.predicted == "type 1"]
    for first, second in combinations(shares, 2):
        assert not np.allclose(first, second, rtol=0.02)
    gradients = [one.gradient.values[0] for one in explained if one.predicted == "type 1"]
    for first, second in combinations(gradients, 2):  # the gradient is not: it is a property of the classifier
        assert np.corrcoef(first, second)[0, 1] > 0.9


def regions_over_type_2(classifier, sample):
    """What each region of a spectrum adds to type 1 over the mean type 2."""
    pair = ClassPair("type 1", "type 2", agnsal.class_mean(classifier.training, "type 2"))
    return region_table(pair, classifier.machine, [], sample, None, without_lines(sample))[0]


@pytest.fixture(scope="module")
def mean_type_2(classifier):
    return classifier.training[:1].with_flux(agnsal.class_mean(classifier.training, "type 2")[None])


def test_what_a_slope_does_is_called_continuum(classifier, mean_type_2):
    """No line differs from those of the rival, so none may be named."""
    tilt = (mean_type_2.wavelength.value / 5100.0) ** -2.0
    table = regions_over_type_2(classifier, mean_type_2.with_flux(mean_type_2.flux + tilt - 1.0))
    strong = table[np.abs(table["share"]) > 0.2 * np.abs(table["share"]).max()]
    assert len(strong) > 3
    assert all(name == ELSEWHERE or name.startswith("continuum at ") for name in strong["called"])


def test_what_a_broad_line_does_is_called_by_the_line(classifier, mean_type_2):
    velocity = 299792.458 * (mean_type_2.wavelength.value / 4862.68 - 1.0)
    broad = mean_type_2.with_flux(mean_type_2.flux + 0.5 * np.exp(-0.5 * (velocity / 1200.0) ** 2))
    table = regions_over_type_2(classifier, broad)
    strongest = table[np.argmax(np.abs(table["share"]))]
    assert strongest["region"] == strongest["called"] == "Hbeta wings"
    assert strongest["line_alone"] == pytest.approx(strongest["experiment"], rel=0.1)


def test_the_least_change_is_asked_of_the_refits(explained, classifier):
    said = [one for one in explained if one.least_change is not None and one.least_change.flipped[0]]
    assert said
    for one in said:
        needed = one.least_change.needed_by(classifier.refits)[:, 0]
        (sentence,) = (
            sentence for sentence in one.sentences if "of the classifier" in sentence and "least" in sentence
        )
        numbers = [int(each) for each in re.findall(r"(\d+) (?:have|need|more)", sentence)]
        assert sum(numbers) == len(classifier.refits)
        assert ("already" in sentence) == (needed == 0).any()
        assert ("more than 4 times" in sentence) == np.isinf(needed).any()


def test_what_was_not_observed_gets_nothing(classifier, sample):
    mask = np.zeros((1, len(sample.grid)), dtype=bool)
    mask[0, :120] = True
    hidden = agnsal.SpectralSample(
        sample.flux[:1], sample.grid, ivar=np.where(mask, 0.0, sample.ivar[:1]), mask=mask, unit=sample.unit
    )
    one = agnsal.explain_spectrum(hidden, classifier, n_draws=4, random_state=0)
    assert (one.shares.values[0, :120] == 0).all()
    gone = one.lines["bad_fraction"] == 1.0
    assert gone.any()
    for column in ("share", "error_flux", "error_refits", "experiment", "without", "line_alone"):
        assert np.isnan(one.lines[column][gone]).all(), column
    assert not set(one.changes["line"]) & {"[Ne III] 3869", "H8"}  # they cannot be turned
    assert one.filled is not None
    assert any("was not observed" in sentence for sentence in one.sentences)
    assert np.nansum(one.lines["share"]) == pytest.approx(one.log_odds - one.log_odds_rival, abs=1e-8)


def test_a_line_at_the_factor_said_changes_the_class(explained, classifier):
    found = [one for one in explained if len(one.changes)]
    assert found
    for one in found:
        row = one.changes[0]
        bare = agnsal.remove_lines(one.sample, [str(row["line"])], part=str(row["part"])).flux
        bare = np.where(one.sample.mask, one.sample.flux, bare)  # what was not observed stays
        turned = bare + row["factor"] * (one.sample.flux - bare)
        assert classifier.machine.predict(turned)[0] == row["becomes"]
        short = bare + (row["factor"] + 1e-8 * np.sign(1 - row["factor"])) * (one.sample.flux - bare)
        assert classifier.machine.predict(short)[0] == one.predicted  # it is where the class changes, not a step beyond


def test_gaps_are_filled_as_the_rest_of_the_spectrum_has_it(classifier, sample):
    """Without its blue end a spectrum is explained as with it, which straight lines would not do."""
    blind = sample.with_mask(np.arange(len(sample.grid)) < 150)
    for i in range(len(sample)):
        explained = agnsal.explain_spectrum(blind, classifier, i=i, n_draws=2, random_state=0)
        np.testing.assert_allclose(explained.sample.flux, classifier.imputation.impute(blind[[i]]).flux)
        assert explained.sample.mask[0, :150].all()
    many = agnsal.simulate_agn(40, 40, 40, seed=78).normalize()
    blind = many.with_mask(np.arange(len(many.grid)) < 150)
    whole, filled, bridged = (
        classifier.machine.predict_log_proba(each.flux) for each in (many, classifier.imputation.impute(blind), blind)
    )
    assert np.square(filled - whole).mean() < 0.7 * np.square(bridged - whole).mean()
    assert "filled from what was observed" in str(classifier)


def test_errors_know_what_a_gap_may_have_held(classifier, sample):
    blind = sample[:1].with_mask(np.arange(len(sample.grid)) < 300)
    errors = [
        agnsal.explain_spectrum(blind, one, n_draws=200, random_state=0).probabilities["error_flux"].max()
        for one in (classifier, replace(classifier, imputation=None))
    ]
    assert errors[0] > errors[1]


def test_they_are_named_on_one_line(explained, classifier):
    for thing in (classifier, *explained):
        assert "\n" not in repr(thing)
        assert len(repr(thing)) < 100
        assert max(map(len, str(thing).splitlines())) <= 80


def test_errors_of_the_shares_are_those_of_the_linear_function(classifier, sample):
    one = agnsal.explain_spectrum(sample, classifier, n_draws=400, random_state=0)
    slope = one.shares.values[0] / (one.sample.flux[0] - one.shares.baseline)
    sigma = np.where(one.sample.ivar[0] > 0, one.sample.ivar[0], np.inf) ** -0.5
    expected = np.sqrt(line_regions(one.sample).sums((slope * sigma)[None] ** 2)[0])
    np.testing.assert_allclose(one.lines["error_flux"], expected, rtol=0.2)


def test_no_errors_are_said_to_be_missing(classifier, sample):
    bare = agnsal.SpectralSample(sample.flux[:1], sample.grid)
    one = agnsal.explain_spectrum(bare, classifier, random_state=0)
    assert np.isnan(one.probabilities["error_flux"]).all()
    assert any("no flux errors" in sentence for sentence in one.sentences)


def test_a_stranger_is_told_first(classifier, sample):
    """Narrow lines of an H II galaxy on a weak continuum."""
    lines = ((4, 3728.5), (1.5, 3869.9), (2, 4341.7), (4.5, 4862.7), (9, 4960.3), (27, 5008.2))
    wavelength = sample.wavelength.value
    flux = 0.2 + sum(a * np.exp(-0.5 * ((wavelength - c) / (c * 60 / 299792.458)) ** 2) for a, c in lines)
    one = agnsal.explain_spectrum(agnsal.SpectralSample(flux[None], sample.grid).normalize(), classifier)
    assert one.stranger
    assert one.sentences[0].startswith(CARE)


@pytest.mark.parametrize(
    "name", ["$x^$", "<script>alert(1)</script>", "a\n\x1b[31mb", "星" * 120, "../../etc/passwd", ""]
)
def test_hostile_names_are_shown_as_text(explained, tmp_path, name):
    from dataclasses import replace

    hostile = explained[0].sample[:]
    hostile.table["object_id"] = [name or "spectrum"]
    paths = agnsal.write_spectrum_page(replace(explained[0], sample=hostile), tmp_path / "page")
    assert all(path.parent == tmp_path / "page" for path in paths.values())
    page = paths["html"].read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=(?![\"']data:)", page)  # nothing is loaded
    assert paths["pdf"].read_bytes().startswith(b"%PDF")


def test_names_of_files():
    assert safe_name("..") == safe_name("") == "spectrum"
    assert len(safe_name("x" * 300)) == 80


def test_a_classifier_is_read_as_it_was_written_and_trained_once(classifier, tmp_path, monkeypatch):
    classifier.write(tmp_path / "kept")
    again = agnsal.TrainedClassifier.read(tmp_path / "kept")
    X = classifier.training.flux[:5]
    np.testing.assert_array_equal(again.machine.predict_proba(X), classifier.machine.predict_proba(X))
    assert (len(again.refits), again.description) == (3, classifier.description)
    with pytest.raises(agnsal.AgnsalError, match="there already"):
        classifier.write(tmp_path / "kept")
    monkeypatch.setattr(classifiers.TrainedClassifier, "train", lambda *_args, **_options: classifier)
    agnsal.default_classifier(size="small", folder=tmp_path / "cache")
    monkeypatch.setattr(classifiers.TrainedClassifier, "train", None)  # a second training would fail
    agnsal.default_classifier(size="small", folder=tmp_path / "cache")
    (folder,) = (tmp_path / "cache").iterdir()
    assert f"agnsal{agnsal.__version__}" in folder.name


def test_another_commit_of_the_same_version_trains_anew(classifier, tmp_path, monkeypatch):
    """What it has left goes with it; what another size or another version has left stays, and so does what is begun."""
    train = Mock(return_value=classifier)
    monkeypatch.setattr(classifiers.TrainedClassifier, "train", train)
    agnsal.default_classifier(size="small", folder=tmp_path)
    (before,) = tmp_path.iterdir()
    others = [before.name.replace("small", "paper"), before.name.replace("agnsal", "agnsal0"), f"{before.name}.begun"]
    for name in others:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(classifiers, "_sources", lambda: "0123456789ab")
    for _ in range(2):
        agnsal.default_classifier(size="small", folder=tmp_path)
    assert train.call_count == 2
    (after,) = {path.name for path in tmp_path.iterdir()} - set(others)
    assert after.endswith("-0123456789ab")


def test_the_sum_over_sources_sees_every_module_that_decides_a_classifier(tmp_path, monkeypatch):
    reached, waiting = set(), ["agnsal.explorer.classifier"]
    while waiting:
        module = waiting.pop()
        waiting += GRAPH[module] - reached
        reached.add(module)
    summed = [f"agnsal.{name.removesuffix('.py').replace('/', '.')}" for name in classifiers.DECIDING]
    others = {name for name in reached if not any(f"{name}.".startswith(f"{place}.") for place in summed)}
    # what is stored, shown or refused, records of results, and the familiarity, which is worked out anew
    floors = ("attribution", "checks", "display", "errors", "figures", "store")
    assert {name for name in others if name.split(".")[1] not in floors} == set()
    assert {name for name in others if ".checks." in name} == {"agnsal.checks.familiarity", "agnsal.checks.scoring"}

    package = tmp_path / "agnsal"
    shutil.copytree(Path(agnsal.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(classifiers, "__file__", str(package / "explorer" / "classifier.py"))
    known = {classifiers._sources()}
    for changed in ("spectra/simulation/population.py", "models/machine/training.py", "explorer/classifier.py"):
        with (package / changed).open("a") as stream:
            stream.write("SOMETHING = 1\n")
        known.add(classifiers._sources())
    (package / "figures" / "style.py").write_text("")
    known.add(classifiers._sources())
    assert len(known) == 4


def test_refusals(classifier, sample):
    with pytest.raises(agnsal.AgnsalError, match="there are 6 spectra"):
        agnsal.explain_spectrum(sample, classifier, i=6)
    with pytest.raises(agnsal.AgnsalError, match="SpectralSample is needed"):
        agnsal.explain_spectrum(sample.flux, classifier)
    with pytest.raises(agnsal.AgnsalError, match="the classifier was trained on"):
        agnsal.explain_spectrum(sample[:, 10:], classifier)


@pytest.fixture(scope="module")
def paper_classifier():
    training = agnsal.simulate_agn(seed=0).normalize()
    machine = agnsal.ProbabilisticSVC(kernel="linear", C=0.07, class_weight="balanced", random_state=0)
    return agnsal.TrainedClassifier.train(training, machine, n_refits=2, embed=False, random_state=0)


def read_real(path, redshift):
    spectra = agnsal.read_spectra(path, redshift=redshift)[:1]
    return agnsal.SpectralSample.from_spectra(spectra, agnsal.PERUZZI2021_GRID, ids=[path.name]).normalize()


def real(folder, *wanted):
    """The spectra of the index that are of the kinds wanted and cover the grid."""
    with (folder / "index.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["type_coarse"] in wanted]
    for row in rows:
        try:
            yield read_real(folder / row["file"], float(row["z"]))
        except agnsal.AgnsalError:
            continue


#: Type 1 objects of four instruments, and their redshifts.
FIVE = {
    "NGC 3783": ("kmshariat__AGNMass/ngc3783.csv", 0.00973),
    "3C 273": ("avialxee__agn-spectra/3C_273_spectra.txt", 0.15834),
    "a quasar of SDSS": ("lmatrecito__PyQSOFit-Fitting-Scripts/spec-10247-58162-0218.fits", 0.44706),
    "a Seyfert of 6dFGS": ("JackHon55__PyQSOFit_SBL/0023945_1d.fits", 0.33666),
}


@pytest.mark.filterwarnings("ignore::agnsal.AgnsalWarning")  # two of the files do not say air or vacuum
def test_five_objects_have_five_explanations(paper_classifier, real_spectra):
    samples = {name: read_real(real_spectra / file, z) for name, (file, z) in FIVE.items()}
    samples["a simulated one"] = agnsal.simulate_agn(1, 0, 0, seed=5).normalize()
    explained = {}
    for name, sample in samples.items():
        one = agnsal.explain_spectrum(sample, paper_classifier, n_draws=4, random_state=0)
        assert one.predicted == "type 1", name
        assert one.agreement > 0.95, name  # with the exchange of each region for that of the mean rival
        # without it the strongest line in emission speaks less, whatever stands in its place
        emission = [name.startswith(("Hbeta", "Hgamma", "[O III]")) for name in one.lines["region"]]
        of_lines = np.where(emission, one.lines["share"], 0.0)
        strongest = str(one.lines["region"][np.nanargmax(of_lines)])
        line, _, part = strongest.rpartition(" ")
        ablation = agnsal.line_ablation(
            paper_classifier.machine, one.sample, "type 1", "log_odds", lines=[line], part=part
        )
        assert ablation["change"][0] > 0, (name, strongest)
        explained[name] = np.asarray(one.lines["share"])
    for first, second in combinations(explained, 2):
        a, b = explained[first], explained[second]
        both = np.isfinite(a) & np.isfinite(b)
        assert np.abs(a - b)[both].sum() > 0.1 * np.abs(a[both]).sum(), (first, second)


def test_m_87_is_a_stranger(paper_classifier, real_spectra):
    sample = read_real(real_spectra / "kmshariat__AGNMass/ngc4486.csv", 0.00428)
    assert agnsal.explain_spectrum(sample, paper_classifier, n_draws=4, random_state=0).stranger


def test_real_galaxies_are_doubted_or_called_galaxies(paper_classifier, real_spectra):
    """Passive and star-forming ones, by a machine that knows galaxies; of one that does not the page says so."""
    training = agnsal.simulate_agn(seed=0, n_galaxy=900).normalize()
    machine = agnsal.ProbabilisticSVC(kernel="linear", C=0.07, class_weight="balanced", random_state=0)
    known = agnsal.TrainedClassifier.train(training, machine, n_refits=0, embed=False, random_state=0)
    right = []
    for sample in real(real_spectra, "passive", "SF"):
        one = agnsal.explain_spectrum(sample, known, n_draws=4, random_state=0)
        right.append(one.p_value <= DOUBTFUL or one.predicted == "galaxy")  # from there on the page warns
        if len(right) % 10 == 0:
            one = agnsal.explain_spectrum(sample, paper_classifier, n_draws=4, random_state=0)
            assert any("nothing else" in sentence for sentence in one.sentences)
    assert len(right) > 50
    assert np.mean(right) >= 0.85


def test_the_least_change_and_who_decided_are_said_and_true(explained, classifier):
    for one in explained[:2]:
        least = one.least_change
        assert least.flipped.all()
        assert classifier.machine.predict(least.spectra.flux)[0] == one.rival
        assert any(with_labels(least.words(0, 3)) in sentence for sentence in one.sentences)
        assert {"training_id", "label", "influence", "left_out"} <= set(one.decided.colnames)
        assert any(str(one.decided["training_id"][0]) in sentence for sentence in one.sentences)


def test_a_galaxy_without_a_nucleus_is_called_one(tmp_path):
    training = agnsal.simulate_agn(60, 80, 60, seed=0, n_galaxy=80).normalize()
    machine = agnsal.ProbabilisticSVC(kernel="linear", C=0.07, class_weight="balanced", random_state=0)
    known = agnsal.TrainedClassifier.train(training, machine, n_refits=0, embed=False)
    galaxies = agnsal.simulate_agn(0, 0, 0, seed=1, n_galaxy=20).normalize()
    passive = galaxies[np.asarray(galaxies.truth.table["kind"]) == "passive"]
    said = [agnsal.explain_spectrum(passive, known, i=i, random_state=0).sentences for i in range(3)]
    assert sum(lines[0].startswith("Classified as galaxy (without an active nucleus)") for lines in said) >= 2
    (knows,) = [line for line in said[0] if line.startswith("The classifier")]
    assert "galaxy, intermediate, type 1, type 2 and nothing else: a composite" in knows
