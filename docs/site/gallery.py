"""A page for each example, with the figures it wrote when it was run in its quick form; and pages as notebooks."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
#: What a script needs beside --quick --output.
ARGUMENTS = {"explain_my_spectrum": ["data/spec-9901-59000-0001.fits"]}
#: What needs the network.
NOT_RUN = ("paper_sample",)
THUMBNAIL = (600, 400)


def examples() -> list[Path]:
    """The scripts that are shown; what others import is none."""
    scripts = sorted((ROOT / "examples").glob("*.py"))
    return [path for path in scripts if path.stem not in NOT_RUN and "__main__" in path.read_text(encoding="utf-8")]


def write_gallery(folder: Path, *, run: bool) -> None:
    """Run the examples, two at a time, and write their pages and an index; what did not change is not run again."""
    if run:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda script: _run(script, folder / script.stem), examples()))
    cards = []
    for script in examples():
        pictures = sorted((folder / script.stem).rglob("*.png"), key=_number) if run else []
        title, story = _told(script)
        source = f"../../../../examples/{script.name}"
        lines = [f"# {title}", "", story, "", f"{{download}}`{script.name} <{source}>`, run here with `--quick`.", ""]
        for picture in pictures:
            name = picture.relative_to(folder / script.stem)
            words = picture.stem.replace("_", " ")
            lines += [f"![{words}]({script.stem}/{name})", "", f"*{words}*", ""]
        lines += ["## The script", "", f"```{{literalinclude}} {source}", ":language: python"]
        (folder / f"{script.stem}.md").write_text("\n".join([*lines, "```", ""]), encoding="utf-8")
        card = [f":::{{grid-item-card}} {title}", f":link: {script.stem}", ":link-type: doc"]
        if pictures:
            _thumbnail(pictures[0], folder / f"{script.stem}.png")
            card += [f":img-top: {script.stem}.png", f":img-alt: {pictures[0].stem.replace('_', ' ')}"]
        cards += [*card, ":::", ""]
    index = ["# Gallery", "", "Every script of `examples/`, with what it draws. Spectra are simulated.", ""]
    index += ["::::{grid} 1 2 2 3", ":gutter: 3", "", *cards, "::::", "", "```{toctree}", ":hidden:", ""]
    index += [*(script.stem for script in examples()), "```", ""]
    (folder / "index.md").write_text("\n".join(index), encoding="utf-8")


def write_notebook(page: Path, notebook: Path, links: str) -> None:
    """Write a page as a notebook: its Python blocks as cells of code, the text between them as it is."""
    text = re.sub(r"\]\((?!https?:)([^)#\s]+)", rf"]({links}/\1", page.read_text(encoding="utf-8"))
    text = re.sub(r"\.png\)", ".png?raw=true)", text)
    cells = []
    for part in re.split(r"^(```python\n.*?^```\n)", text, flags=re.M | re.S):
        if part.startswith("```python\n"):
            cells.append(nbformat.v4.new_code_cell(part.removeprefix("```python\n").removesuffix("```\n").rstrip()))
        elif part.strip():
            cells.append(nbformat.v4.new_markdown_cell(part.strip()))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # the same each time
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.validate(made)
    nbformat.write(made, notebook)


def _run(script: Path, output: Path) -> None:
    sources = [*sorted((ROOT / "agnsal").rglob("*.py")), *sorted((ROOT / "examples").glob("*.py"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    stamp = output / "stamp"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, str(script), *ARGUMENTS.get(script.stem, []), "--quick", "--output", str(output)]
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | one, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script.name} failed:\n{done.stderr[-2000:]}")
    stamp.write_text(digest, encoding="utf-8")


def _told(script: Path) -> tuple[str, str]:
    """The title and the rest of what a script says of itself."""
    first, _, rest = (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or "").partition("\n")
    found = re.match(r"(.*?(?:\?|(?=:)|(?<!al)(?=\.(?: |$))))[:.]? ?(.*)", first)
    title, more = (found[1], found[2]) if found else (first, "")
    return title.strip(), f"{more[:1].upper()}{more[1:]}\n{rest}".strip()


def _number(picture: Path) -> tuple[int, str]:
    """Figures of a paper in its order."""
    number = re.match(r"\d+", picture.stem)
    return (int(number[0]) if number else 0, picture.stem)


def _thumbnail(picture: Path, path: Path) -> None:
    """The picture in a card, without what makes it much wider or higher than that."""
    with Image.open(picture) as image:
        width, height = min(image.width, int(2.2 * image.height)), min(image.height, int(image.width / 1.1))
        small = image.convert("RGB").crop((0, 0, width, height))
        small.thumbnail(THUMBNAIL)
        card = Image.new("RGB", THUMBNAIL, "white")
        card.paste(small, ((THUMBNAIL[0] - small.width) // 2, (THUMBNAIL[1] - small.height) // 2))
        card.save(path)
