import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

import agnsal
from agnsal import AgnsalError, check_coverage


def _sample(seed, share=1.0):
    """Type 2 more often without its blue end, others more often without their red end."""
    rng = np.random.default_rng(seed)
    sample = agnsal.simulate_agn(0, 120, 120, seed=seed, redshift_confound=False)[:, 600:720].normalize(by="median")
    late = (sample.labels == "type 2") == (rng.uniform(size=240) < share)
    cut = rng.integers(20, 50, 240)
    place = np.arange(120)
    return sample.with_mask(np.where(late[:, None], place < cut[:, None], place >= 120 - cut[:, None]))


class MaskReader(ClassifierMixin, BaseEstimator):
    """A classifier that looks at nothing but which end of a spectrum is a straight line."""

    def predict(self, X):
        return np.where(np.diff(X[:, :4], axis=1).std(axis=1) < 1e-6, "type 2", "intermediate")


class Blind(ClassifierMixin, BaseEstimator):
    """A classifier that looks at a bin which all spectra have."""

    def predict(self, X):
        return np.where(X[:, 60] > np.median(X[:, 60]), "type 2", "intermediate")


def _accuracy(report):
    return list(report.table["accuracy"])


def test_a_classifier_that_reads_the_mask_is_found_out():
    report = check_coverage(MaskReader(), _sample(0, 0.8), random_state=0)
    assert report.uses_mask
    assert "goes by which bins" in str(report)
    observed, mask, spectrum, owner = _accuracy(report)
    assert owner > 0.6  # less than observed: of a bridged spectrum with another mask two ends are straight
    assert mask == pytest.approx(observed, abs=0.08)
    assert spectrum < observed


def test_a_classifier_that_reads_flux_is_not():
    report = check_coverage(Blind(), _sample(0), random_state=0)
    assert not report.uses_mask
    observed, mask, spectrum, owner = _accuracy(report)
    assert observed == spectrum  # all spectra have the bin it looks at
    assert mask == 1
    assert owner == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_found_where_masks_say_nothing(seed):
    report = check_coverage(MaskReader(), _sample(seed, 0.5), random_state=0)
    assert report.table["accuracy"][1] == pytest.approx(0.5, abs=0.1)
    assert abs(report.table["accuracy"][3] - 0.5) < 4 * report.table["error"][3]


def test_filling_takes_away_what_bridges_tell():
    sample = _sample(3)
    pca = agnsal.ProbabilisticPCA(4, max_iter=20).fit(_sample(4, 0.5))
    assert _accuracy(check_coverage(MaskReader(), sample, random_state=0))[3] > 0.7
    assert _accuracy(check_coverage(MaskReader(), sample, pca, random_state=0))[3] == 0.5


def test_what_cannot_be_asked_is_refused():
    sample = _sample(0)
    with pytest.raises(AgnsalError, match="labels"):
        check_coverage(Blind(), agnsal.SpectralSample(sample.flux, sample.grid, mask=sample.mask))
    with pytest.raises(AgnsalError, match="two classes"):
        check_coverage(Blind(), sample[sample.labels == "type 2"])
    with pytest.raises(AgnsalError, match="same bins"):
        check_coverage(Blind(), agnsal.SpectralSample(sample.flux, sample.grid, table=sample.table))
