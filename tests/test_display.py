"""Results fit a terminal, and nothing from outside acts in a terminal or a notebook."""

from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agnsal
from agnsal.display import WIDTH, Displayed, Table

TEXT = st.text(max_size=60)


class Tags(HTMLParser):
    """Names of all tags, and the text between them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, attrs))

    def handle_data(self, data):
        self.text.append(data)


@given(TEXT, st.lists(st.tuples(TEXT, st.floats(), TEXT), max_size=4), st.booleans())
def test_any_text_fits_and_is_harmless(title, rows, with_header):
    table = Table(title, rows, ["name", "value", "words"] if with_header else ())
    lines = str(table).split("\n")
    assert all(len(line) <= WIDTH and (line.isprintable() or not line) for line in lines)
    shown = Tags(table._repr_html_())
    assert {tag for tag, _ in shown.tags} <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert not any(attributes for _, attributes in shown.tags)
    assert sum(tag == "td" for tag, _ in shown.tags) == 3 * len(rows)


def test_long_words_are_folded_and_numbers_stand_right():
    lines = str(Table("t", [["a", 1, "word " * 40], ["bc", 1234.5678, "x"]])).split("\n")
    assert lines[1].startswith("  a          1  word word")
    assert lines[2].startswith(" " * 16 + "word")
    assert lines[-1] == "  bc  1.23e+03  x"


def test_numpy_numbers_are_numbers():
    assert str(Table("t", [[np.float64(0.123456), np.int64(1234567)]])).split("\n")[1] == "  0.123  1234567"


def test_what_is_displayed_says_how():
    class Thing(Displayed):
        def _display(self):
            return Table("a <b>thing</b>", [["is", True]])

    assert str(Thing()) == "a <b>thing</b>\n  is  True"
    assert "&lt;b&gt;" in Thing()._repr_html_()
    with pytest.raises(NotImplementedError, match="Displayed does not say"):
        str(Displayed())


@pytest.fixture(scope="module")
def results():
    sample = agnsal.simulate_agn(25, 25, 0, seed=1).normalize()
    sample.table["object_id"] = [f"<b>{i}\x1b" for i in range(50)]
    model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    maps = agnsal.saliency(model, sample[:8], "type 1")
    return {
        "tuning": agnsal.tune(sample.flux, sample.labels, C=(0.1, 1.0), cv=2, random_state=0),
        "mean maps": agnsal.mean_maps(maps, ["<i>a</i>"] * 7 + ["b"]),
        "unfitted": agnsal.Familiarity(),
        "familiarity": agnsal.Familiarity().fit(sample),
        "confounds": agnsal.check_confounds(sample, n_shuffles=5),
        "report": agnsal.check(maps, model, sample[:8], random_state=0),
        "grid": sample.grid,
        "regions": agnsal.Regions.from_masks(
            {f"<b>{i}\x1b" * 9: [i] for i in range(30)}, len(sample.grid), sample.grid
        ),
    }


@pytest.mark.parametrize(
    "name", ["tuning", "mean maps", "unfitted", "familiarity", "confounds", "report", "grid", "regions"]
)
def test_results_fit_a_terminal_and_are_harmless(results, name):
    text = str(results[name])
    assert len(text.splitlines()) > 1
    assert all(len(line) <= WIDTH and line.isprintable() for line in text.splitlines())
    shown = Tags(results[name]._repr_html_())
    assert {tag for tag, _ in shown.tags} <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}


def test_the_best_point_is_shown_first(results):
    tuning = results["tuning"]
    first = str(tuning).splitlines()[2].split()
    assert first[0] == tuning.best_parameters["kernel"]
    assert float(first[1]) == tuning.best_parameters["C"]


def test_regions_and_grid_say_where_they_lie():
    grid = agnsal.PERUZZI2021_GRID
    assert "3728.908 to 5265.955 Angstrom" in str(grid)
    regions = agnsal.Regions.from_lines(grid, "Hbeta")
    start, stop = regions.to_table()[0]["start", "stop"]
    assert str(regions).splitlines()[-1].split() == ["Hbeta", "103", f"{start.value:.1f}", "to", f"{stop.value:.1f}"]
    many = str(agnsal.Regions.single(100)).splitlines()
    assert many[-1].split() == ["..."]
    assert len(many) < 30


def test_a_table_of_lines_shows_a_notebook_what_it_prints():
    sample = agnsal.simulate_agn(20, 20, 0, seed=1).normalize()
    model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample)
    table = agnsal.saliency(model, sample[:1], "type 1").by_line(["Hbeta"])
    table["line"] = ["<b>Hbeta", "elsewhere"]
    page = table._repr_html_()
    assert "<th>core</th>" in page
    assert "<th>n_core</th>" not in page
    assert "n_core" in page  # among the names of more columns
    assert "&lt;b&gt;Hbeta" in page
