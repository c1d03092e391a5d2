"""Figures that a page draws itself: `python docs/figures/pages.py PAGE.md ...` runs its code and keeps what it saved.

The blocks run one after the other in an empty folder, as in `tests/test_documents.py`. Of the pictures they save, those
that the page shows (`![...](figures/NAME.png)`) come here. Without arguments: every page that saves and shows one.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent


def drawn_by(page: Path) -> list[str]:
    """Names of the pictures that a page saves and shows."""
    text = page.read_text(encoding="utf-8")
    saved = set(re.findall(r"savefig\(\"([\w-]+\.png)\"", text))
    return [name for name in re.findall(r"\]\(figures/([\w-]+\.png)\)", text) if name in saved]


def run(page: Path) -> None:
    """Run a page and keep its pictures."""
    folder = Path(tempfile.mkdtemp())
    for name in ("data", "examples"):
        (folder / name).symlink_to(DOCS.parent / name)
    os.chdir(folder)
    space = {"__name__": "__document__"}
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), flags=re.M | re.S)):
        exec(compile(block, f"{page.name} block {number + 1}", "exec"), space)
    plt.close("all")
    for name in drawn_by(page):
        shutil.copy(folder / name, HERE / name)
        print(page.name, name)


if __name__ == "__main__":
    mpl.rcParams["savefig.dpi"] = 110
    for each in [Path(name).resolve() for name in sys.argv[1:]] or sorted(DOCS.glob("*.md")):
        if drawn_by(each):
            run(each)
