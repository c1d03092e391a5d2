"""The house rules that a test can hold: floors, cheap import, no unpickling, documents that tell the truth."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
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
    "archives",
    "figures",
    "models",
    "attribution",
    "training",
    "checks",
    "embedding",
    "datasets",
    "explorer",
    "command_line",
)
#: A home folder, or an index of packages other than the public one.
MACHINE = re.compile(r"(?<![\w.~])/(root|home|work|Users)/\w|--(extra-)?index-[u]rl|--trusted-[h]ost")
MODULES = sorted(PACKAGE.rglob("*.py"))


NAMES = {".".join(("agnsal", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in MODULES}
NAMES = {name.removesuffix(".__init__"): path for name, path in NAMES.items()}


def floor_of(module):
    return module.split(".")[1]


def imports_of(module):
    """Every agnsal module that a module names in an import: at its top, inside a function, or for its types only.

    The one exception is the shortcut of a result to its own figure: what a method ``plot`` imports from the figures.
    The face itself, `agnsal`, imports nothing when it is loaded; that a module asks it for the version is no import.
    """
    tree = ast.parse(NAMES[module].read_text(encoding="utf-8"))
    shortcuts = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "plot"]
    skipped = {id(inside) for node in shortcuts for inside in ast.walk(node) if _is_from(inside, "agnsal.figures")}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if _is_from(node, "agnsal"):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in NAMES else node.module for name in found)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("agnsal."))


def _is_from(node, package):
    return isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{package}.")


GRAPH = {module: set(imports_of(module)) - {module, "agnsal"} for module in NAMES if module != "agnsal"}


@pytest.mark.parametrize("module", GRAPH)
def test_a_module_imports_only_from_its_own_floor_or_earlier(module):
    assert floor_of(module) in FLOORS, f"{module} is on no floor"
    for other in GRAPH[module]:
        early = FLOORS.index(floor_of(other)) <= FLOORS.index(floor_of(module))
        assert early, f"{module} imports {other} from a later floor"


@pytest.mark.parametrize("floor", FLOORS)
def test_no_circle_of_imports(floor):
    """Floors are in order, so a circle can only be within one."""
    inside = [module for module in GRAPH if floor_of(module) == floor]
    TopologicalSorter({module: GRAPH[module] & set(inside) for module in inside}).prepare()


@pytest.mark.parametrize("room", ["attribution", "models"])
def test_a_room_shows_at_most_ten_doors(room):
    doors = [path for path in (PACKAGE / room).iterdir() if not path.name.startswith("__")]
    assert len(doors) <= 10, sorted(path.name for path in doors)


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


def test_no_paths_of_a_machine(repository):
    """Nothing in the repository knows where it was written."""
    tracked = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    for name in tracked.stdout.split():
        path = repository / name
        if path.suffix in {".py", ".md", ".toml", ".cff", ".ecsv", ".yml", ".yaml", ""} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not MACHINE.search(text), name
