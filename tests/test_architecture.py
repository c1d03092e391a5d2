"""The house rules that a test can hold: floors, cheap import, no unpickling, documents that tell the truth."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import agnsal

PACKAGE = Path(agnsal.__file__).parent
FLOORS = (
    "errors",
    "seeds",
    "display",
    "store",
    "spectra",
    "figures",
    "models",
    "attribution",
    "training",
    "checks",
    "embedding",
)
MODULES = sorted(PACKAGE.rglob("*.py"))


def floor_of(dotted):
    return dotted.split(".")[1] if dotted.count(".") else None


def imports_of(path):
    """Every agnsal module imported in a file, at its top or inside a function; what only types name is not imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "agnsal":
            yield node.module, node
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names if alias.name.split(".")[0] == "agnsal")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_own_floor_or_earlier(path):
    relative = path.relative_to(PACKAGE).with_suffix("")
    here = relative.parts[0]
    if here == "__init__":
        return
    assert here in FLOORS, f"{relative} is on no floor"
    for module, _node in imports_of(path):
        there = floor_of(module)
        # drawing a result is a shortcut of the result: Attribution.plot and its like call the figures lazily
        if there is None or (there == "figures" and here in ("attribution", "checks", "embedding")):
            continue
        assert FLOORS.index(there) <= FLOORS.index(here), f"{relative} imports {module} from a later floor"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_is_unpickled(path):
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(pickle|joblib|dill|cloudpickle)\.loads?\b|allow_pickle=True", source)


def test_import_is_cheap():
    """Importing agnsal loads no heavy dependency; the names come on first use."""
    heavy = ("numpy", "scipy", "sklearn", "astropy", "specutils", "matplotlib", "openTSNE", "autograd", "torch")
    code = f"import sys, agnsal; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there():
    for name in agnsal.__all__:
        assert getattr(agnsal, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        agnsal.nonsense  # noqa: B018


def test_no_paths_of_a_machine(repository):
    tracked = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    for name in tracked.stdout.split():
        path = repository / name
        if (
            path.suffix in {".py", ".md", ".toml", ".cff", ".ecsv", ".yml", ""}
            and path.is_file()
            and name != "tests/test_architecture.py"
        ):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not re.search(r"/(root|home|work)/\w|pypi-more", text), name
