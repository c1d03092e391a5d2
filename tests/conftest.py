"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import settings

mpl.use("Agg")

# How long one example takes is the machine's business, not the code's. Under CI every run draws the same examples, so
# that a red run is the change's own.
settings.register_profile("agnsal", deadline=None)
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "agnsal")

REPOSITORY = Path(__file__).resolve().parent.parent


def _shared(variable: str, folder: str) -> Path:
    path = Path(os.environ.get(variable) or REPOSITORY.parent / "shared" / folder)
    if not path.is_dir():
        pytest.skip(f"{folder} not found: set {variable} to the folder to run this test")
    return path


@pytest.fixture(scope="session")
def real_spectra() -> Path:
    """The folder of real survey files, beside the project or where AGNSAL_REAL_SPECTRA points."""
    return _shared("AGNSAL_REAL_SPECTRA", "real-spectra")


@pytest.fixture(scope="session")
def reference_values() -> Path:
    """Independent reference values, beside the project or where AGNSAL_REFERENCE_VALUES points."""
    return _shared("AGNSAL_REFERENCE_VALUES", "reference-values")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY
