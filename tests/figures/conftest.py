"""A small sample and attributions to draw."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from matplotlib import pyplot as plt

from agnsal.attribution.answer.attribution import Attribution
from agnsal.spectra.grid import PERUZZI2021_GRID
from agnsal.spectra.sample import SpectralSample

#: What a file may hold: mathematics that is none, control characters, an odd and an even number of dollars.
NASTY = ("spec$_1$-$\\frac{", "US$ 5", "tab\tand\nnewline \\alpha^2")


@pytest.fixture(autouse=True)
def _close():
    before = dict(plt.rcParams)
    yield
    assert dict(plt.rcParams) == before, "a figure changed the user's settings"
    plt.close("all")


@pytest.fixture
def sample():
    random = np.random.default_rng(0)
    wavelength = PERUZZI2021_GRID.centers.value
    flux = 1 + 0.05 * random.normal(size=(3, wavelength.size))
    for center, height in ((4862.68, 2), (5008.24, 8)):
        flux += height * np.exp(-0.5 * ((wavelength - center) / 4) ** 2)
    mask = np.zeros(flux.shape, bool)
    mask[0, 100:130] = True
    table = QTable({"object_id": NASTY, "redshift": [0.5, 0.05, 0.07], "label": ["type 1", "type 2", "intermediate"]})
    return SpectralSample(flux, PERUZZI2021_GRID, mask=mask, table=table)


@pytest.fixture
def attribution(sample):
    values = np.random.default_rng(1).normal(size=sample.flux.shape) * np.array([[1.0], [2.0], [0.0]])
    return Attribution(
        values=values,
        target=np.asarray(sample.labels),
        method="saliency",
        output="probability",
        explained=np.array([0.9, 0.8, 0.7]),
        inputs=sample.flux,
        ids=sample.ids,
        grid=sample.grid,
        mask=sample.mask,
    )


@pytest.fixture
def featureless():
    return Attribution(
        values=np.array([[1.0, -2.0, 0.5]]),
        target=np.array(["a"]),
        method="input_x_gradient",
        output="log_odds",
        explained=np.array([2.0]),
        inputs=np.ones((1, 3)),
        ids=np.array(["x"]),
        unit=u.Unit("1e17 erg-1 s cm2 Angstrom"),
        flux_unit=u.Unit("1e-17 erg / (s cm2 Angstrom)"),
    )
