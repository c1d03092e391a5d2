"""The page in a browser: what it shows, computes and keeps to itself. Needs playwright and Chromium."""

import csv
import io
import shutil

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression

import agnsal
from agnsal.explorer.packing import Rounded, rounded_flux, shared_errors
from agnsal.explorer.portable import PortableMachine
from agnsal.figures.style import class_color, class_places

SAMPLE = agnsal.simulate_agn(30, 40, 30, seed=0).normalize()
EMBEDDING = agnsal.SpectralEmbedding(20, random_state=0).fit(SAMPLE)
HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    "<img src=x onerror='window.hacked = 3'>",
    "{{ 7 * 7 }}",
    '"quoted", and = "a formula"',
    "=1+1",
    "$x^$",
    "line\nbreak",
    "名前",
]


def machine(kernel="linear", sample=SAMPLE, **options):
    C = 5.0 if kernel == "poly" else 1.0  # with less it separates nothing, and says so
    return agnsal.ProbabilisticSVC(kernel, C=C, gamma=0.003, random_state=0, **options).fit(sample)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Write a page and open it; nothing may be asked of a network, and nothing be complained about."""
    contexts = []

    def call(sample=SAMPLE, model=None, *, fragment="", **options):
        path = tmp_path / "explorer.html"
        places = EMBEDDING if len(sample) == len(SAMPLE) else None
        agnsal.write_explorer(path, sample, machine() if model is None else model, places, **options)
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.asked = [], []
        page.on(
            "console", lambda said: page.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(f"{path.as_uri()}{fragment}")
        page.wait_for_selector("body[data-ready=yes]", timeout=20000)
        return page

    yield call
    for context in contexts:
        for page in context.pages:
            assert page.complaints == []
            assert all(address.startswith(("file:", "blob:")) for address in page.asked), page.asked
        context.close()


def shown(page, name):
    return page.inner_text(f"[data-test={name}]")


# --------------------------------------------------------------------------------------------------------- packing


def test_rounding_keeps_to_half_a_step():
    values = np.random.default_rng(0).normal(size=(5, 300)) * 10.0 ** np.arange(-3, 2)[:, None]
    for step in (0.0, 0.01):
        rounded = Rounded.of(values, step)
        assert (np.abs(rounded.values - values) <= rounded.scale[:, None] / 2 + 1e-15).all()
    assert Rounded.of(np.zeros((1, 3))).values.tolist() == [[0, 0, 0]]


def test_flux_is_rounded_to_a_part_of_its_error_and_errors_are_shared():
    rounded = rounded_flux(SAMPLE.flux, SAMPLE.ivar)
    sigma = 1 / np.sqrt(np.nanmedian(np.where(SAMPLE.ivar > 0, SAMPLE.ivar, np.nan), axis=1))
    assert_allclose(rounded.scale, np.maximum(sigma / 32, np.abs(SAMPLE.flux).max(axis=1) / 32000))
    errors = shared_errors(np.full((2, 20), 4.0)).values
    assert_allclose(errors, 0.5, rtol=0.01)
    assert errors.shape == (2, 3)


@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly"])
def test_the_rounded_machine_says_how_far_it_is_off(kernel):
    model = machine(kernel)
    portable = PortableMachine.of(model)
    errors = portable.errors(model, SAMPLE.flux, SAMPLE.flux)
    assert errors["probability"] < 0.005
    assert errors["gradient"] > 0.99
    assert PortableMachine.of(machine(coupling="libsvm")) is None
    assert PortableMachine.of(LogisticRegression()) is None


# ------------------------------------------------------------------------------------------------------ the machine


def labelled(labels, *, ids=None, ivar=SAMPLE.ivar, mask=None):
    table = QTable({"object_id": SAMPLE.ids if ids is None else ids, "label": labels})
    return agnsal.SpectralSample(SAMPLE.flux, SAMPLE.grid, ivar=ivar, mask=mask, table=table)


def four_classes():
    """Spectra with a bump at a place for each class."""
    classes = np.arange(len(SAMPLE)) % 4
    flux = SAMPLE.flux + 0.5 * (np.arange(1000) // 100 == classes[:, None])
    return agnsal.SpectralSample(flux, SAMPLE.grid, table=QTable({"label": [f"class {k}" for k in classes]}))


@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly"])
@pytest.mark.parametrize("sample", [SAMPLE[:70], SAMPLE, four_classes()], ids=["two", "three", "four"])
def test_probability_and_gradient_in_the_page_are_those_of_the_classifier(opened, kernel, sample):
    model = machine(kernel, sample)
    page = opened(sample, model)
    error = page.evaluate("explorer.page.machine.error.probability")
    rows = [0, 45, len(sample) - 1]
    for row in rows:
        inside = page.evaluate(f"explorer.probabilities(explorer.observed({row}))")
        assert_allclose(inside, model.predict_proba(sample[row])[0], atol=error + 1e-9)
        target = int(model.predict_proba(sample[row])[0].argmax())
        gradient = page.evaluate(f"[...explorer.gradient(explorer.observed({row}), {target})]")
        true = agnsal.saliency(model, sample[row], target=model.classes_[target], output="log_odds").values[0]
        assert np.corrcoef(gradient, true)[0, 1] > 0.999
        assert_allclose(np.linalg.norm(gradient), np.linalg.norm(true), rtol=0.01)


def test_an_edited_line_changes_p_as_the_classifier_says(opened):
    model = machine("rbf")
    page = opened(SAMPLE, model)
    page.select_option("[data-test=edit-line]", label="Hβ")
    page.click("[data-test=remove]")
    edited = np.array(page.evaluate("[...explorer.edited()]"))
    p = model.predict_proba(edited[None])[0]
    row = page.evaluate("explorer.state.row")
    assert np.abs(edited - SAMPLE.flux[row]).max() > 0.1
    inside = page.evaluate("explorer.probabilities(explorer.edited())")
    assert_allclose(inside, p, atol=page.evaluate("explorer.page.machine.error.probability") + 1e-9)
    assert "as edited" in shown(page, "changed")
    page.click("[data-test=reset]")
    assert shown(page, "changed") == ""


def test_widening_a_line_keeps_its_flux_and_adding_one_adds_it(opened):
    page = opened()
    line = "explorer.page.lines.find((line) => line.name === 'Hbeta')"
    wide = np.array(page.evaluate(f"[...explorer.withLine(explorer.observed(0), {line}, 1, 2)]"))
    seen = np.array(page.evaluate("[...explorer.observed(0)]"))
    removed = np.array(page.evaluate(f"[...explorer.withLine(explorer.observed(0), {line}, 0, 1)]"))
    assert_allclose((wide - removed).sum(), (seen - removed).sum(), rtol=0.1)
    page.fill("[data-test=add-at]", "4500")
    page.fill("[data-test=add-ew]", "20")
    page.click("[data-test=add]")
    added = np.array(page.evaluate("[...explorer.edited()]")) - seen
    at = np.argmin(np.abs(SAMPLE.wavelength.value - 4500))
    assert_allclose(added.sum() * np.diff(SAMPLE.wavelength.value).mean(), 20 * seen[at], rtol=0.02)


def test_flux_is_dragged(opened):
    page = opened()
    page.check("[data-test=drag]")
    box = page.locator("[data-test=spectra]").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100, steps=4)
    page.mouse.up()
    lifted = np.array(page.evaluate("[...explorer.edited()]")) - np.array(page.evaluate("[...explorer.observed(0)]"))
    assert lifted.max() > 0.1
    assert (lifted > lifted.max() / 2).sum() < 60


# ----------------------------------------------------------------------------------------------------- looking through


def test_a_click_on_a_point_shows_its_spectrum(opened):
    page = opened()
    before = page.evaluate("Bokeh.documents.map((d) => d.get_model_by_name('spectrum')).find(Boolean).data.y")
    place = page.evaluate(
        """() => { const view = explorer.state.views.map, box = view.canvas_view.el.getBoundingClientRect();
        const [x, y] = explorer.page.map[50];
        return [box.left + view.frame.x_scale.compute(x), box.top + view.frame.y_scale.compute(y)]; }"""
    )
    page.mouse.click(*place)
    page.wait_for_function("explorer.state.row !== 0")
    row = page.evaluate("explorer.state.row")
    near = np.linalg.norm(np.array(page.evaluate("explorer.page.map")) - page.evaluate("explorer.page.map[50]"), axis=1)
    assert near[row] < 1, "one of the points under the pointer"
    assert shown(page, "name") == SAMPLE.ids[row]
    after = page.evaluate("Bokeh.documents.map((d) => d.get_model_by_name('spectrum')).find(Boolean).data.y")
    assert_allclose(after, rounded_flux(SAMPLE.flux, SAMPLE.ivar).values[row])
    assert not np.allclose(before, after)


def test_keys_search_and_address(opened):
    page = opened(fragment=f"#id={SAMPLE.ids[7]}")
    assert shown(page, "name") == SAMPLE.ids[7]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    assert shown(page, "name") == SAMPLE.ids[9]
    page.keyboard.press("p")
    page.keyboard.press("ArrowLeft")
    assert page.url.endswith(f"#id={SAMPLE.ids[7]}")
    page.fill("[data-test=search]", str(SAMPLE.ids[33]))
    page.press("[data-test=search]", "Enter")
    assert shown(page, "name") == SAMPLE.ids[33]
    assert f"z = {SAMPLE.redshift[33]:.6g}" in shown(page, "about")
    page.press("[data-test=note]", "n")
    assert shown(page, "name") == SAMPLE.ids[33], "keys that are typed into a note do not turn the page"


def test_colours_axes_and_smoothing(opened):
    page = opened()
    assert {"type 1 (30)", "type 2 (40)", "intermediate (30)"} <= set(
        page.locator("[data-test=legend] .entry").all_inner_texts()
    )
    points = page.evaluate("Bokeh.documents.map((d) => d.get_model_by_name('points')).find(Boolean).data.color")
    colors = dict(zip(SAMPLE.labels.tolist(), points, strict=True))
    assert colors == {name: class_color(place) for name, place in class_places(colors).items()}  # as in figures
    for name in ("redshift", "median S/N a bin", "P(type 1)", "predicted class"):
        page.select_option("[data-test=color-by]", label=name)
        assert page.inner_text("[data-test=legend]")
    page.select_option("[data-test=frame]", "observed")
    axis = page.evaluate("Bokeh.documents.map((d) => d.get_model_by_name('spectrum')).find(Boolean).data.x")
    assert_allclose(axis, SAMPLE.wavelength.value * (1 + SAMPLE.redshift[0]), rtol=1e-5)
    page.evaluate("document.getElementById('smooth').value = 9; document.getElementById('smooth').oninput()")
    smooth = page.evaluate("Bokeh.documents.map((d) => d.get_model_by_name('spectrum')).find(Boolean).data.y")
    assert_allclose(smooth[500], page.evaluate("[...explorer.observed(0)]")[496:505] @ np.full(9, 1 / 9), rtol=1e-9)


def test_the_lasso_shows_the_mean_of_what_it_holds(opened):
    page = opened()
    page.evaluate(
        "Bokeh.documents.map((d) => d.get_model_by_name('points')).find(Boolean).selected.indices = [30, 31, 32]"
    )
    assert "Lasso: 3 spectra" in shown(page, "group")
    mean = page.evaluate("[...explorer.state.mean]")
    assert_allclose(mean, rounded_flux(SAMPLE.flux, SAMPLE.ivar).values[30:33].mean(axis=0), rtol=1e-9)


def test_what_was_not_observed_is_hatched_and_gets_nothing(opened):
    mask = np.zeros(SAMPLE.flux.shape, bool)
    mask[:, 700:760] = True
    sample = labelled(SAMPLE.labels, ivar=np.where(mask, 0.0, SAMPLE.ivar), mask=mask)
    page = opened(sample, machine("linear", labelled(SAMPLE.labels)))
    strips = page.evaluate("Bokeh.documents.map((d) => d.get_model_by_name('bad')).find(Boolean).data")
    edges = sample.grid.edges.value
    assert_allclose([strips["left"][-1], strips["right"][-1]], [edges[700], edges[760]], atol=1.0)
    value = page.evaluate("Bokeh.documents.map((d) => d.get_model_by_name('for')).find(Boolean).data.value")
    assert not np.any(value[700:760])
    assert np.any(value[:700])


def test_verdicts_are_kept_and_exported(opened):
    page = opened()
    page.check("[data-test=disagree]")
    page.fill("[data-test=note]", '=HYPERLINK("x"), no')
    page.press("[data-test=note]", "Tab")
    page.click("[data-test=next]")
    assert not page.is_checked("[data-test=disagree]")
    page.check("[data-test=unsure]")
    page.reload()
    page.wait_for_selector("body[data-ready=yes]")
    assert shown(page, "count") == f"2 of {len(SAMPLE)} judged"
    with page.expect_download() as waiting:
        page.click("[data-test=export]")
    text = waiting.value.path().read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["verdict"] for row in rows] == ["disagree", "unsure"]
    assert rows[0]["object_id"] == SAMPLE.ids[0]
    assert rows[0]["note"] == '\'=HYPERLINK("x"), no', "no spreadsheet takes a note for a formula"


def test_hostile_names_are_text(opened):
    n = len(HOSTILE)
    labels = np.array(HOSTILE[:3])[np.unique(SAMPLE.labels, return_inverse=True)[1]]
    ids = [f"{HOSTILE[k]} {k}" if k < n else f"object {k}" for k in range(len(SAMPLE))]
    sample = labelled(labels, ids=ids)
    sample.table[HOSTILE[0]] = np.arange(len(sample))
    page = opened(sample, machine("linear", sample), title=HOSTILE[1])
    for row in range(n):
        page.evaluate(f"explorer.choose({row})")
        assert shown(page, "name") == ids[row].replace("\n", " ")
    page.select_option("[data-test=color-by]", label=HOSTILE[0])
    page.mouse.move(300, 300)
    assert page.evaluate("window.hacked") is None
    assert page.title() == HOSTILE[1]


# ------------------------------------------------------------------------------------------- other classifiers, limits


def test_a_classifier_that_cannot_travel_leaves_what_it_said(opened):
    model = LogisticRegression(max_iter=5000).fit(SAMPLE.flux, SAMPLE.labels)
    page = opened(SAMPLE, model)
    assert not page.is_visible("[data-test=edit]")
    assert "cannot travel" in shown(page, "small")
    row = page.locator("[data-test=probabilities] tr").nth(1).inner_text().split("\t")
    assert_allclose(float(row[-1]), model.predict_proba(SAMPLE.flux[:1])[0, 0], atol=2e-4)


def test_a_given_attribution_is_shown(opened):
    model = machine()
    given = agnsal.input_x_gradient(model, SAMPLE, output="log_odds")
    page = opened(SAMPLE, model, attribution=given)
    value = np.array(page.evaluate("Bokeh.documents.map((d) => d.get_model_by_name('for')).find(Boolean).data.value"))
    expected = np.nan_to_num(given.values[0]).clip(0)
    assert_allclose(value, expected, atol=np.abs(given.values[0]).max() / 900)
    with pytest.raises(agnsal.AgnsalError, match="must be of this sample"):
        agnsal.write_explorer("x.html", SAMPLE[:50], model, attribution=given)


def test_what_is_unlike_the_training_sample_is_said(opened):
    flux = SAMPLE.flux.copy()
    flux[0] = np.linspace(0.1, 2, 1000)
    sample = labelled(SAMPLE.labels)
    odd = sample.with_flux(flux)
    page = opened(odd, machine("linear", sample), familiarity=agnsal.Familiarity().fit(sample))
    assert "doubt the class" in shown(page, "about")
    page.click("[data-test=next]")
    assert "doubt the class" not in shown(page, "about")
    page.select_option("[data-test=color-by]", label="familiarity p")


def test_a_map_of_other_spectra_places_these(tmp_path):
    embedding = agnsal.SpectralEmbedding(10, random_state=0).fit(SAMPLE)
    path = agnsal.write_explorer(tmp_path / "a.html", SAMPLE[:5], machine(), embedding)
    assert path.read_text(encoding="utf-8").count("<html") == 1


def test_equal_input_makes_equal_pages_but_for_their_keys(tmp_path):
    """What the page knows is the same; bokeh numbers its roots anew each time."""
    model = machine()
    first, second = (
        agnsal.write_explorer(tmp_path / name, SAMPLE, model).read_text(encoding="utf-8")
        for name in ("a.html", "b.html")
    )
    start, stop = '<script type="application/json" id="document">', "</script>"
    assert first.split(start)[1].split(stop)[0] == second.split(start)[1].split(stop)[0]


def test_a_band_is_named_where_there_is_one(tmp_path):
    bare = agnsal.SpectralSample(SAMPLE.flux, SAMPLE.grid, table=SAMPLE.table)
    for sample in (SAMPLE, bare):
        text = agnsal.write_explorer(tmp_path / "a.html", sample, machine(sample=sample)).read_text(encoding="utf-8")
        assert ("band: standard error" in text) == (sample.ivar is not None)


def test_a_spectrum_takes_less_than_three_kilobytes(tmp_path):
    """So that 3,346 spectra of 1,000 bins stay below 12 MB."""
    model = machine()
    one = agnsal.write_explorer(tmp_path / "a.html", SAMPLE[:4], model).stat().st_size
    all_ = agnsal.write_explorer(tmp_path / "b.html", SAMPLE, model).stat().st_size
    assert (all_ - one) / (len(SAMPLE) - 4) < 3000


def test_limits(tmp_path, monkeypatch):
    with pytest.raises(agnsal.AgnsalError, match="1 to 50000 spectra, the sample has 0"):
        agnsal.write_explorer(tmp_path / "a.html", SAMPLE[:0], machine())
    monkeypatch.setitem(__import__("sys").modules, "bokeh.resources", None)
    with pytest.raises(agnsal.AgnsalError, match=r"agnsal\[explorer\]"):
        agnsal.write_explorer(tmp_path / "a.html", SAMPLE, machine())
    assert not (tmp_path / "a.html").exists()


def test_in_nanometres_the_page_still_speaks_of_angstrom(tmp_path):
    grid = agnsal.WavelengthGrid.linear(400 * u.nm, 500 * u.nm, 200)
    flux = np.random.default_rng(0).normal(1, 0.1, (20, 200))
    sample = agnsal.SpectralSample(flux, grid, table=QTable({"label": np.repeat(["a", "b"], 10)}))
    text = agnsal.write_explorer(tmp_path / "a.html", sample, machine(sample=sample)).read_text(encoding="utf-8")
    assert '"wavelength": [4000.0, 4005' in text
