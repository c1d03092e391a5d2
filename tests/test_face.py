"""The face of the package: every public name is there, at run time and for a type checker."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import agnsal
from agnsal import _HOMES


def test_every_public_name_is_there():
    for name in agnsal.__all__:
        assert getattr(agnsal, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        agnsal.nonsense  # noqa: B018
    assert set(agnsal.__all__) <= set(dir(agnsal))


def test_figures_are_an_attribute():
    code = "import agnsal; print(agnsal.figures.plot_spectra.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "plot_spectra"


def test_a_type_checker_is_told_of_the_same_names():
    """What stands under TYPE_CHECKING is the table of homes; the message is the line to write."""
    tree = ast.parse(Path(agnsal.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    told = {ast.unparse(node) for node in block.body}
    homes = {
        f"from agnsal.{home} import " + ", ".join(f"{name} as {name}" for name in names)
        for home, names in _HOMES.items()
    }
    assert told == homes | {"from agnsal import figures as figures"}


@pytest.mark.slow
def test_a_type_checker_finds_mistakes(repository, tmp_path):
    """With the settings and the cache of the project, as an editor would."""
    script = tmp_path / "script.py"
    script.write_text("""import agnsal
agnsal.nonsense(1)
agnsal.simulate_agn(n_type1="many")
ax = agnsal.figures.plot_spectra(agnsal.simulate_agn(2, 2, 0))
ax.set_title(agnsal.PERUZZI2021_GRID)
agnsal.saliency(None, agnsal.simulate_agn(2, 2, 0)).by_line(["Hbeta"])
# mypy: enable-error-code="arg-type"
""")  # which is off for scripts of the project, with their options from dictionaries
    command = [sys.executable, "-m", "mypy", "--no-error-summary", str(script)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    # a warm cache gives the answer with the folder that the script had last time
    found = [line.partition("script.py:")[2].split(":", 1) for line in done.stdout.splitlines()]
    assert [int(line) for line, _ in found] == [2, 3, 5], done.stdout + done.stderr
    assert 'no attribute "nonsense"' in found[0][1]
