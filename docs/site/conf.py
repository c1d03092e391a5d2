"""The pages of docs/ and the reference of every public name as a site: `sphinx-build -W docs/site site`."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import agnsal

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gallery import write_gallery, write_notebook

REPOSITORY = "https://github.com/agnsal/agnsal/blob/main"
#: Pages that are notebooks too.
NOTEBOOKS = ("tutorial", "mislabelled", "class-maps", "regression", "torch", "exchange", "paper-tables", "all-figures")
HERE = Path(__file__).resolve().parent
DOCS = HERE.parent

project = "agnsal"
author = "The agnsal developers"
release = version = agnsal.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx_design"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
html_static_path = ["static"]
html_css_files = ["site.css"]
smartquotes = False  # options keep their two dashes
html_theme = "pydata_sphinx_theme"
html_title = "agnsal"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_depth": 3,
    "header_links_before_dropdown": 7,
    "github_url": "https://github.com/agnsal/agnsal",
}
exclude_patterns = ["_templates", "pages/gallery/*/**"]
autosummary_generate = True
default_role = "py:obj"
autodoc_typehints = "none"  # the docstrings say types, shapes and units
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
python_use_unqualified_type_names = True
suppress_warnings = ["ref.ref"]  # labels of scikit-learn's own guide, in methods that come from there


def collect() -> None:
    """Put pages, their figures and a reference page beside this file, for sphinx reads one folder."""
    pages = HERE / "pages"
    (pages / "figures").mkdir(parents=True, exist_ok=True)
    for page in sorted(
        set(DOCS.glob("*.md")) - {DOCS / "README.md"}
    ):  # links that leave the documents lead to the repository
        text = page.read_text(encoding="utf-8").replace("](../", f"]({REPOSITORY}/")
        text = re.sub(r"\]\((\w+\.py|figures/\w+\.py)\)", rf"]({REPOSITORY}/docs/\1)", text)
        if page.stem in NOTEBOOKS:
            write_notebook(page, pages / f"{page.stem}.ipynb", f"{REPOSITORY}/docs")
            title, _, rest = text.partition("\n")
            text = f"{title}\n\n{{download}}`This page as a notebook <{page.stem}.ipynb>`\n{rest}"
        (pages / page.name).write_text(text, encoding="utf-8")
    for figure in sorted((DOCS / "figures").glob("*.png")):
        shutil.copy(figure, pages / "figures" / figure.name)
    (pages / "gallery").mkdir(exist_ok=True)
    write_gallery(pages / "gallery", run=not tags.has("without_examples"))  # type: ignore[name-defined]  # noqa: F821 - sphinx gives it
    from agnsal import figures as drawing

    drawn = sorted(drawing.__all__)
    lines = ["# Reference", ""]
    for room in dict.fromkeys(home.split(".")[0] for home in agnsal._HOMES):
        homes = [home for home in agnsal._HOMES if home.split(".")[0] == room]
        lines += _table(room, "agnsal", [name for home in homes for name in agnsal._HOMES[home]])
    lines += _table("figures", "agnsal.figures", drawn)
    (HERE / "reference.md").write_text("\n".join(lines), encoding="utf-8")


def _table(title: str, module: str, names: list[str]) -> list[str]:
    """A heading and the names below it, with a page for each."""
    start = [f"## {title.capitalize()}", "", "```{eval-rst}", f".. currentmodule:: {module}", ""]
    return [
        *start,
        ".. autosummary::",
        "   :toctree: api",
        "   :nosignatures:",
        "",
        *(f"   {name}" for name in names),
        "```",
        "",
    ]


collect()
