"""Scripts that no other test runs: their names, and the benchmarks whose short form takes seconds."""

import importlib
import sys
from importlib.metadata import packages_distributions

import pytest

FOLDERS = ("benchmarks", "data", "docs", "examples")
#: Name of a benchmark, its options, and the beginning of a line that it prints.
SHORT = [
    ("costs", ["data", "--spectra", "27"], "| explaining one alone |"),
    ("dr1_costs", ["--targets", "20"], "maps=True:"),
    ("prediction_sets", ["--quick"], "| 0.95 | simulated | all | 1200 |"),
]


def test_no_script_hides_a_package(repository):
    """Its folder comes first on its path: a `coverage.py` was what numba found, so that shap could not be loaded."""
    scripts = {path.stem for folder in FOLDERS for path in (repository / folder).rglob("*.py")}
    assert scripts.isdisjoint({*sys.stdlib_module_names, *packages_distributions(), "coverage"})


@pytest.mark.parametrize(("name", "options", "line"), SHORT, ids=[name for name, *_ in SHORT])
def test_short_forms_of_benchmarks_run(name, options, line, repository, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    monkeypatch.chdir(repository)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *options])
    importlib.import_module(name).main()
    assert any(printed.startswith(line) for printed in capsys.readouterr().out.splitlines())
