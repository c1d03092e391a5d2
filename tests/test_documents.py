"""The documents say what is true: their code runs and their links lead somewhere."""

import contextlib
import importlib
import io
import re
import warnings
from pathlib import Path

import pytest

import agnsal

ROOT = Path(__file__).resolve().parent.parent
FLOORS = [path.name for path in (ROOT / "agnsal").iterdir() if path.is_dir() and not path.name.startswith("_")]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").glob("*.md")])


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), flags=re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_tests_that_are_named_are_there(page):
    """As `agnsal/...`, `tests/...` and `tests/...py::test_name`."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for name, _, test in re.findall(r"`((?:agnsal|tests|examples|benchmarks)/[\w./-]+)(::(\w+))?`", text):
        assert (ROOT / name).exists(), f"{page.name} names {name}"
        if test:
            source = (ROOT / name).read_text(encoding="utf-8")
            assert f"def {test}(" in source, f"{page.name} names {test} of {name}"


def leads_somewhere(dotted):
    """Whether a dotted name is a module or something in one."""
    parts = dotted.split(".")
    for k in range(len(parts), 0, -1):
        with contextlib.suppress(ImportError):
            found = importlib.import_module(".".join(parts[:k]))
            return all((found := getattr(found, part, None)) is not None for part in parts[k:])
    return False


def test_names_in_documents_and_docstrings_lead_somewhere():
    """As `agnsal.module.name`; and modules as `spectra/grid.py`."""
    lost = []
    for path in [*PAGES, *(ROOT / "agnsal").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        dotted = re.findall(r"`~?(agnsal(?:\.\w+)+)", text)
        lost += [f"{path.name}: {name}" for name in sorted(set(dotted)) if not leads_somewhere(name)]
        modules = re.findall(rf"`((?:{'|'.join(FLOORS)})/[\w/]+\.py)`", text)
        lost += [f"{path.name}: {name}" for name in sorted(set(modules)) if not (ROOT / "agnsal" / name).exists()]
    assert not lost


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: str(page.relative_to(ROOT))
)
def test_code_in_documents_runs(page, tmp_path, monkeypatch):
    """The Python blocks of a page run one after the other, as a reader would type them, and print what follows them."""
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    for name in ("data", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    code = blocks(page, "python")
    for peer in ("torch", "captum", "shap", "distributed"):
        if re.search(rf"^(?:import|from) {peer}\b", "\n".join(code), flags=re.M):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what they use of others may be deprecated; that is theirs
                pytest.importorskip(peer)
    space = {"__name__": "__document__"}
    shown = dict(
        re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", page.read_text("utf-8"), flags=re.M | re.S)
    )
    for number, block in enumerate(code):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(block, f"{page.name} block {number + 1}", "exec"), space)
        if block in shown:
            expected = [
                pytest.approx(word, rel=0.05, abs=0.02, nan_ok=True) if isinstance(word, float) else word
                for word in words(shown[block])
            ]  # other versions of others differ by less
            assert words(printed.getvalue()) == expected
    plt.close("all")


def words(text):
    """Words and numbers of a table, without its rules."""
    number = re.compile(r"[+-]?(\d+\.?\d*(e[+-]?\d+)?|nan)")
    return [float(word) if number.fullmatch(word) else word for word in re.findall(r"(?!-+\s)\S+", text)]


def test_every_page_is_in_a_table_of_contents_of_the_site():
    tables = "\n".join(table.read_text(encoding="utf-8") for table in (ROOT / "docs" / "site").glob("*.md"))
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"README"}
    assert pages == set(re.findall(r"^pages/([\w-]+)$", tables, flags=re.M))


def test_a_page_as_a_notebook_has_the_same_code(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "site"))
    from gallery import write_notebook

    page = ROOT / "docs" / "tutorial.md"
    write_notebook(page, tmp_path / "tutorial.ipynb", "https://example.org/docs")
    cells = nbformat.read(tmp_path / "tutorial.ipynb", as_version=4).cells
    assert [cell.source for cell in cells if cell.cell_type == "code"] == [
        code.rstrip() for code in blocks(page, "python")
    ]
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert "](https://example.org/docs/how-to-pipelines.md)" in text
    assert not re.search(r"\]\((?!https?:)", text)


def test_every_script_of_the_gallery_has_a_quick_form(monkeypatch):
    pytest.importorskip("nbformat")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "site"))
    from gallery import ARGUMENTS, NOT_RUN, examples

    names = [script.stem for script in examples()]
    assert {"paper_figures", *ARGUMENTS} <= set(names)
    assert set(NOT_RUN).isdisjoint(names)
    for script in examples():
        assert all(f'"{option}"' in script.read_text(encoding="utf-8") for option in ("--quick", "--output")), script


def test_every_figure_is_drawn_and_shown():
    """By the code of a page, which runs, with a picture of its own."""
    page = ROOT / "docs" / "all-figures.md"
    for name in (name for name in agnsal.figures.__all__ if name.startswith("plot_")):
        (drawn,) = (block for block in blocks(page, "python") if f"figures.{name}(" in block)
        picture = re.search(r"savefig\(\"(.+\.png)\"\)", drawn)[1]
        assert f"](figures/{picture})" in page.read_text(encoding="utf-8"), f"{name} is drawn but not shown"


def test_the_version_is_that_of_the_changelog():
    """The tag says it; where a released version is installed, it is the one to cite."""
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), flags=re.M)[1]
    assert cited == re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)[1]
    if re.fullmatch(r"\d+\.\d+\.\d+", agnsal.__version__):
        assert agnsal.__version__ == cited


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_workflows_are_yaml_with_jobs(workflow):
    yaml = pytest.importorskip("yaml")  # comes with bokeh
    read = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert all(job["steps"] and job["runs-on"] for job in read["jobs"].values())


def test_the_readme_has_its_two_commands_first():
    """The first two fenced shell blocks set everything up and run the main job, and the tests."""
    commands = blocks(ROOT / "README.md", "sh")
    assert "examples/paper_figures.py" in commands[0]
    assert "pytest" in commands[1]
    for command in commands[:2]:
        assert "-m venv" in command
        assert "pip install" in command
