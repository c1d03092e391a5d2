from dataclasses import replace

import numpy as np
import pytest

import agnsal
from agnsal import AgnsalError, ProbabilisticSVC, check_confounds, matched_pairs, simulate_agn
from agnsal.checks.nuisances.confounds import _band_shares, edge_excess, sky_excess


@pytest.fixture(scope="module")
def explained():
    sample = simulate_agn(60, 60, 60, seed=2, redshift_confound=False).normalize()
    model = ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    return sample, agnsal.input_x_gradient(model, sample, "type 1", "log_odds")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_redshift_confound_is_found_and_vanishes_when_switched_off(seed):
    on = check_confounds(simulate_agn(80, 100, 80, seed=seed))
    off = check_confounds(simulate_agn(80, 100, 80, seed=seed, redshift_confound=False))
    assert on.confounds == ["redshift"]
    assert off.confounds == []
    assert on.table["auc"][0] > 0.95
    assert off.table["auc"][0] < 0.65
    assert "redshift alone tells type 1" in " ".join(str(on).split())


def test_matching_cures_a_confound():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 300)
    nuisance = rng.normal(size=600) + (labels == "b")
    pairs = matched_pairs(nuisance, labels)
    assert len(pairs) > 100
    assert (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()
    assert len(np.unique(pairs)) == pairs.size
    assert np.abs(nuisance[pairs[:, 0]] - nuisance[pairs[:, 1]]).max() <= 0.1 * nuisance.std()


def test_a_map_that_follows_a_nuisance_is_caught(explained):
    sample, map_ = explained
    rng = np.random.default_rng(0)
    planted = rng.uniform(size=len(sample))
    innocent = rng.uniform(size=len(sample))
    noisy = 1 + 0.2 * rng.standard_normal(map_.values.shape)
    values = noisy * (1 + np.linspace(0, 1, map_.values.shape[1]) * 5 * planted[:, None])
    report = check_confounds(sample, replace(map_, values=values), nuisances={"seeing": planted, "fibre": innocent})
    verdict = dict(zip(report.table["nuisance"], report.table["verdict"], strict=True))
    assert verdict["seeing"] == "followed"
    assert verdict["fibre"] == "clean"


def test_attribution_on_observed_sky_lines_is_caught(explained):
    sample, map_ = explained
    redshift = np.asarray(sample.table["redshift"])
    observed = sample.grid.centers.value * (1 + redshift[:, None])
    rng = np.random.default_rng(1)
    flat = rng.uniform(0.5, 1.5, map_.values.shape)
    clean = sky_excess(replace(map_, values=flat), redshift)
    assert clean["low"] < 1 < clean["high"]
    cheating = np.where(np.abs(observed - 5578.89) < 10, 8 * flat, flat)
    assert sky_excess(replace(map_, values=cheating), redshift)["low"] > 1.5
    assert "sky" in str(check_confounds(sample, replace(map_, values=cheating)))


def test_edges():
    flat = np.ones((3, 200))
    assert edge_excess(flat) == pytest.approx(1)
    flat[:, :2] = 50
    assert edge_excess(flat) > 10
    flat[:, :2] = np.nan
    assert edge_excess(flat) == pytest.approx(1)
    flat[:, -2:] = np.nan
    assert np.isnan(edge_excess(flat))


def with_gaps(sample, seed):
    """The same spectra, of each a stretch at the blue end and a few bins elsewhere not observed."""
    random = np.random.default_rng(seed)
    start = random.integers(0, 450, len(sample))
    mask = (np.arange(1000) < start[:, None]) | (random.uniform(size=sample.flux.shape) < 0.05)
    return agnsal.SpectralSample(sample.flux, sample.grid, mask=mask, table=sample.table, unit=sample.unit), mask


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_a_map_says_of_unobserved_bins_does_not_count(explained, seed):
    gappy, mask = with_gaps(explained[0], seed)
    map_ = explained[1]
    profile = {label: np.random.default_rng(7 + k).uniform(0.2, 2, 1000) for k, label in enumerate(set(gappy.labels))}
    values = np.array([profile[label] for label in gappy.labels])
    values *= np.random.default_rng(seed).lognormal(0, 0.3, values.shape)
    reports = [
        check_confounds(gappy, replace(map_, values=np.where(mask, fill, values)), random_state=0)
        for fill in (0.0, 50 * np.arange(1000.0))
    ]
    for name in ("explained", "p_value"):
        np.testing.assert_array_equal(reports[0].table[name], reports[1].table[name])
    assert reports[0].edges == reports[1].edges
    assert reports[0].sky == reports[1].sky
    verdict = dict(zip(reports[0].table["nuisance"], reports[0].table["verdict"], strict=True))
    assert verdict["observed fraction"] == "clean"  # a gap moves nothing from one band to another
    assert reports[0].sky["low"] < 1.1


def test_bands_of_complete_maps_are_plain_shares(explained):
    sample, map_ = explained
    sums = np.abs(map_.values).reshape(len(sample), 20, 50).sum(axis=2)
    expected = np.log(sums / sums.sum(axis=1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(_band_shares(map_.values, sample.labels), expected, rtol=1e-12)


def test_coverage_that_tells_the_class_is_found_and_vanishes_when_masks_are_exchanged():
    rng = np.random.default_rng(0)
    sample = simulate_agn(0, 80, 80, seed=3, redshift_confound=False).normalize()[:, 400:500]
    start = rng.integers(0, 40, 160) + 20 * (sample.labels == "type 2")
    windows = np.abs(np.arange(100) - 20 - start[:, None]) > 20  # as many bins for each, but elsewhere

    def found(mask):
        gappy = agnsal.SpectralSample(sample.flux, sample.grid, mask=mask, table=sample.table)
        return check_confounds(gappy)

    assert found(windows).confounds == ["which bins were observed"]
    assert found(windows[rng.permutation(160)]).confounds == []
    fewer = rng.uniform(size=windows.shape) < np.where(sample.labels == "type 2", 0.3, 0.1)[:, None]
    assert "observed fraction" in found(fewer).confounds
    assert "observed" not in str(found(np.repeat(fewer[:1], 160, axis=0)))


def test_what_cannot_be_examined_is_refused(explained):
    sample, map_ = explained
    with pytest.raises(AgnsalError, match="two classes"):
        check_confounds(sample[:60])
    with pytest.raises(AgnsalError, match="maps have shape"):
        check_confounds(sample[:100], map_)
    with pytest.raises(AgnsalError, match="'airmass'"):
        check_confounds(sample, nuisances={"airmass": np.ones(3)})
    bare = agnsal.SpectralSample(sample.flux, sample.grid)
    with pytest.raises(AgnsalError, match="labels"):
        check_confounds(bare)
    with pytest.raises(AgnsalError, match="no nuisance"):
        check_confounds(bare, labels=sample.labels)


def test_a_model_that_learnt_the_nuisance_fails_on_matched_pairs():
    sample = simulate_agn(60, 60, 60, seed=4)
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 90)
    seeing = rng.normal(size=180) + 1.5 * (labels == "b")
    cheat = np.where(seeing > 0.75, "b", "a")
    row = check_confounds(sample, nuisances={"seeing": seeing}, labels=labels, predicted=cheat).table[-1]
    assert row["verdict"] == "confounded"
    assert row["accuracy"] > 0.7
    assert row["matched_accuracy"] == pytest.approx(0.5, abs=0.1)
    honest = check_confounds(sample, nuisances={"seeing": seeing}, labels=labels, predicted=labels).table[-1]
    assert honest["matched_accuracy"] == 1
