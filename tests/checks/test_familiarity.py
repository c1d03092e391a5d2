import csv

import astropy.units as u
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from agnsal import (
    PERUZZI2021_GRID,
    AgnsalError,
    Familiarity,
    SpectralSample,
    WavelengthGrid,
    read_spectra,
    simulate_agn,
)


@pytest.fixture(scope="module")
def training():
    return simulate_agn(100, 300, 80, seed=0).normalize()


def test_siblings_are_familiar_and_strangers_are_not(training):
    familiarity = Familiarity().fit(training)
    siblings = simulate_agn(20, 60, 20, seed=9).normalize()
    assert familiarity.flag(siblings, 0.05).mean() < 0.12
    inverted = SpectralSample(2 * siblings.flux[:, ::-1], siblings.grid)
    assert familiarity.flag(inverted).mean() > 0.9


def test_p_values_of_the_training_population_are_uniform(training):
    familiarity = Familiarity().fit(training)
    p = familiarity.p_value(simulate_agn(80, 250, 70, seed=5).normalize())
    assert 0.35 < np.median(p) < 0.65
    assert p.min() >= 1 / (len(training) + 1)


def test_refusals(training):
    grid = WavelengthGrid.linear(3800 * u.AA, 5200 * u.AA, 900)
    with pytest.raises(AgnsalError, match="fit first"):
        Familiarity().distance(training)
    with pytest.raises(AgnsalError, match="SpectralSample"):
        Familiarity().fit(training.flux)
    with pytest.raises(AgnsalError, match="too few"):
        Familiarity().fit(training[:8])
    with pytest.raises(AgnsalError, match="training set on"):
        Familiarity().fit(training).distance(SpectralSample(np.ones((1, 900)), grid))


def test_real_galaxies_without_an_active_nucleus_are_strangers(real_spectra):
    """Trained on simulated AGN alone, it tells real AGN from star-forming and passive galaxies."""
    with (real_spectra / "index.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["survey"] in ("SDSS", "SDSS-BOSS/eBOSS")]
    agn, strangers = {"type1", "type2", "intermediate"}, {"SF", "passive"}
    flux, strange = [], []
    for row in rows:
        if row["frame"] != "observed" or row["type_coarse"] not in agn | strangers:
            continue
        if not 0.01 < float(row["z"] or 0) < 0.75:
            continue
        try:
            spectra = read_spectra([real_spectra / row["file"]], redshift=[float(row["z"])])
            one = SpectralSample.from_spectra(spectra, PERUZZI2021_GRID, redshift=[float(row["z"])]).normalize()
        except AgnsalError:
            continue  # coverage too small, or no flux at 5100 A
        flux.append(one.flux[0])
        strange.append(row["type_coarse"] in strangers)
    found = Familiarity().fit(simulate_agn(340, 1072, 260, seed=0).normalize())
    sample = SpectralSample(np.array(flux), PERUZZI2021_GRID)
    assert sum(strange) >= 8
    assert roc_auc_score(strange, found.distance(sample)) >= 0.9
    flagged = found.flag(sample)
    assert flagged[~np.array(strange)].mean() < 0.15
    # and it is the narrow-line region that they lack
    why = found.explain(sample[np.array(strange)])
    np.testing.assert_allclose(why.values.sum(axis=1), why.explained, rtol=1e-10)
    table = why.by_line()
    names = np.array(table["line"]).reshape(len(why), -1)[0]
    total = np.sum([np.nan_to_num(table[part].value) for part in ("core", "wings", "continuum")], axis=0)
    first = names[total.reshape(len(why), -1).argmax(axis=1)]
    assert np.isin(first, ["[O III] 5007", "[O III] 4959", "Hbeta"]).mean() > 0.6


def test_the_shares_of_a_distance_sum_to_it(training):
    familiarity = Familiarity().fit(training)
    spectra = simulate_agn(4, 4, 4, seed=9).normalize()
    why = familiarity.explain(spectra)
    np.testing.assert_allclose(why.values.sum(axis=1), why.explained, rtol=1e-10)
    # the mean of squares is above the square of the mean, and not by much
    squared = familiarity.distance(spectra) ** 2
    assert (why.explained >= squared - 1e-9).all()
    assert (why.explained < 1.3 * squared).all()


def test_a_line_made_strange_is_found(training):
    familiarity = Familiarity().fit(training)
    spectra = simulate_agn(0, 6, 0, seed=9).normalize()
    strange = spectra.flux.copy()
    line = np.abs(spectra.wavelength.to_value(u.AA) - 4686.0) < 6  # a strong He II without anything else
    strange[:, line] += 3.0
    table = familiarity.explain(spectra.with_flux(strange)).by_line()
    n_rows = len(table) // len(spectra)
    total = sum(np.nan_to_num(table[part].value) for part in ("core", "wings")).reshape(-1, n_rows)
    assert (np.array(table["line"])[total.argmax(axis=1)] == "He II 4686").all()
