"""The pages of docs/ and the reference of every public name as a site: `sphinx-build -W docs/site site`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import agnsal

REPOSITORY = "https://github.com/agnsal/agnsal/blob/main"
HERE = Path(__file__).resolve().parent
DOCS = HERE.parent

project = "agnsal"
author = "The agnsal developers"
release = version = agnsal.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "pydata_sphinx_theme"
html_title = "agnsal"
html_theme_options = {"show_toc_level": 2, "navigation_depth": 2}
exclude_patterns = ["_templates"]
autosummary_generate = True
default_role = "py:obj"
autodoc_typehints = "none"  # the docstrings say types, shapes and units
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
python_use_unqualified_type_names = True
suppress_warnings = ["ref.ref"]  # labels of scikit-learn's own guide, in methods that come from there


def names() -> list[str]:
    """Every public name."""
    return [name for name in agnsal.__all__ if name not in ("__version__", "figures")]


def collect() -> None:
    """Put pages, their figures and a reference page beside this file, for sphinx reads one folder."""
    pages = HERE / "pages"
    (pages / "figures").mkdir(parents=True, exist_ok=True)
    for page in sorted(
        set(DOCS.glob("*.md")) - {DOCS / "README.md"}
    ):  # links that leave the documents lead to the repository
        text = page.read_text(encoding="utf-8").replace("](../", f"]({REPOSITORY}/")
        text = re.sub(r"\]\((\w+\.py|figures/\w+\.py)\)", rf"]({REPOSITORY}/docs/\1)", text)
        (pages / page.name).write_text(text, encoding="utf-8")
    for figure in sorted((DOCS / "figures").glob("*.png")):
        shutil.copy(figure, pages / "figures" / figure.name)
    from agnsal import figures as drawing

    drawn = sorted(name for name in drawing.__all__ if name.startswith("plot_"))
    lines = ["# Reference", "", "```{eval-rst}", ".. currentmodule:: agnsal", ""]
    lines += [".. autosummary::", "   :toctree: api", ""]
    lines += [f"   {name}" for name in names()]
    lines += ["", ".. currentmodule:: agnsal.figures", "", ".. autosummary::", "   :toctree: api", ""]
    lines += [f"   {name}" for name in drawn]
    (HERE / "reference.md").write_text("\n".join([*lines, "```", ""]), encoding="utf-8")


collect()
