"""The example scripts about networks run as a user would run them."""

import subprocess
import sys

import pytest
from astropy.table import QTable

pytestmark = pytest.mark.slow

FILES = {
    "reality_checks": (
        "contributions.png",
        "interactions.png",
        "hierarchy.png",
        "tree_of_lines.txt",
        "decoy_sky.png",
        "decoy_edge.png",
        "decoys.ecsv",
        "summary.md",
    ),
    "wavelet_distillation": ("recovery.png", "wavelets.png", "recovery.ecsv", "distillation.ecsv", "summary.md"),
}


@pytest.mark.parametrize("script", FILES)
def test_the_script_writes_what_it_says(script, repository, tmp_path):
    command = [sys.executable, str(repository / "examples" / f"{script}.py"), "--quick", "--quiet"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)], capture_output=True, text=True, check=False, cwd=repository
    )
    assert done.returncode == 0, done.stderr
    for name in FILES[script]:
        assert (tmp_path / name).stat().st_size > 0
    if script == "reality_checks":
        table = QTable.read(tmp_path / "decoys.ecsv")
        for decoy in ("sky", "edge"):
            rows = table[table["decoy"] == decoy]
            flipped = dict(zip(rows["name"], rows["flipped"], strict=True))
            assert flipped["occlusion"] > flipped["no penalty"] + 0.1
    else:
        table = QTable.read(tmp_path / "distillation.ecsv")
        assert {"fixed", "gamma = 0"} <= set(table["name"])
        recovery = QTable.read(tmp_path / "recovery.ecsv")
        assert (recovery["gamma 1"] < 0.05).all()
        assert (recovery["gamma 0"] > 0.2).all()
