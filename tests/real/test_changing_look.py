"""Changing-look AGN: what changed between the epochs must be found where physics says it is."""

import csv

import numpy as np
import pytest

from agnsal import (
    PERUZZI2021_GRID,
    ProbabilisticSVC,
    SpectralSample,
    explain_change,
    line_masks,
    read_spectra,
    simulate_agn,
)

BALMER = ("Hbeta", "Hgamma", "Hdelta", "Hepsilon", "H8")


@pytest.fixture(scope="module")
def pairs(real_spectra):
    """Every pair of the index: the SDSS epoch, then the last one."""
    with (real_spectra / "index.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["pair"]]
    found = {}
    for row in rows:
        found.setdefault(row["pair"], []).append(row)
    epochs = [sorted(rows, key=lambda row: float(row["mjd"] or np.inf)) for rows in found.values()]
    files = [[real_spectra / rows[k]["file"] for rows in epochs] for k in (0, -1)]
    redshifts = [[float(rows[k]["z"]) for rows in epochs] for k in (0, -1)]
    samples = [
        SpectralSample.from_spectra(read_spectra(names, redshift=z), PERUZZI2021_GRID).normalize()
        for names, z in zip(files, redshifts, strict=True)
    ]
    published = np.array([1 if "turn-on" in name else -1 if "turn-off" in name else 0 for name in found])
    return *samples, published


def test_the_change_is_in_the_broad_lines_and_the_continuum(pairs, record_property):
    first, second, _published = pairs
    assert len(first) >= 8
    training = simulate_agn(300, 600, 250, seed=0).normalize()
    model = ProbabilisticSVC(kernel="rbf", C=34.0, gamma=0.003, class_weight="balanced", random_state=0)
    model.fit(training.flux, training.labels)
    change = explain_change(model, first, second, "type 1")
    total = change.values.sum(axis=1)
    large = np.abs(total) > 1
    assert large.sum() >= 6
    masks = line_masks(change.grid)
    other = np.any(
        [each["core"] | each["wings"] for name, each in masks.items() if name not in (*BALMER, "Ca K", "Mg b")], axis=0
    )
    share = 1 - change.values[:, other].sum(axis=1) / total
    record_property("share of Balmer lines and continuum", np.round(share, 3).tolist())
    assert np.median(share[large]) > 0.7
    assert (share[large] > 0.5).mean() >= 0.8


def test_the_direction_is_the_published_one(pairs):
    """Guo et al. 2023 (Table 4) say which objects turned on and which off; the log-odds of type 1 must follow."""
    first, second, published = pairs
    training = simulate_agn(300, 600, 250, seed=1).normalize()
    model = ProbabilisticSVC(kernel="linear", C=0.07, class_weight="balanced", random_state=0)
    change = explain_change(model.fit(training.flux, training.labels), first, second, "type 1").values.sum(axis=1)
    told = (published != 0) & (np.abs(change) > 1)
    assert told.sum() >= 6
    np.testing.assert_array_equal(np.sign(change[told]), published[told])
