"""The line dictionary on spectra of SDSS."""

import warnings

import numpy as np
import pytest
from astropy.table import Table

from agnsal import PERUZZI2021_GRID, AgnsalWarning, LineDictionary, SpectralSample, read_spectra


@pytest.fixture(scope="module")
def sdss(real_spectra):
    index = Table.read(real_spectra / "index.csv")
    kinds = ("type1", "passive", "SF")
    wanted = [
        row
        for row in index
        if "spec-" in row["file"]
        and row["file"].endswith(".fits")
        and str(row["type_coarse"]) in kinds
        and row["wave_min"] < 3700 * (1 + row["z"])
        and row["wave_max"] > 5300 * (1 + row["z"])
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AgnsalWarning)  # files left out are not the matter here
        spectra = read_spectra([real_spectra / row["file"] for row in wanted], redshift=[row["z"] for row in wanted])
        labels = [str(row["type_coarse"]) for row in wanted]
        return SpectralSample.from_spectra(spectra, PERUZZI2021_GRID, labels=labels, on_error="skip").normalize()


@pytest.mark.parametrize("nonnegative", [False, True])
def test_broad_hbeta_of_quasars_and_of_galaxies(sdss, nonnegative):
    """Equivalent widths near 5100 A: tens of Angstrom in type 1, little where there is no active nucleus."""
    dictionary = LineDictionary(nonnegative=nonnegative).fit(sdss)
    broad = dictionary.fluxes(sdss)["Hbeta broad"]
    active = sdss.labels == "type1"
    assert 30 < np.median(broad[active]) < 90
    assert np.median(broad[~active]) < 12
    assert np.mean(broad[active] > broad[~active].max()) > 0.9
    miss = (sdss.flux - dictionary.inverse(dictionary.forward(sdss))) * np.sqrt(sdss.ivar)
    assert np.median(np.sqrt((miss**2).sum(axis=1) / (~sdss.mask).sum(axis=1))) < 2.5
