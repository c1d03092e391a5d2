import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from agnsal import AgnsalError
from agnsal.checks.scoring import row_correlation, summary


def test_rows_correlate_as_in_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 30))
    a[0] = np.round(a[0])  # ties
    np.testing.assert_allclose(row_correlation(a, b), [pearsonr(x, y)[0] for x, y in zip(a, b, strict=True)])
    expected = [spearmanr(x, y)[0] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(row_correlation(a, b, "spearman"), expected)


def test_constant_rows_have_no_correlation():
    assert np.isnan(row_correlation(np.full((1, 4), 0.1), [[1.0, 2.0, 3.0, 4.0]]))[0]


def test_summary_covers_the_mean():
    rng = np.random.default_rng(1)
    covered = [found["low"] < 0.3 < found["high"] for found in (summary(rng.normal(0.3, 1.0, 80)) for _ in range(200))]
    assert 0.88 < np.mean(covered) < 0.99
    assert summary([np.nan])["n"] == 0


def test_bad_arguments():
    with pytest.raises(AgnsalError, match="statistic"):
        row_correlation([[1.0]], [[1.0]], "kendall")
    with pytest.raises(AgnsalError, match="compared"):
        row_correlation([[1.0]], [[1.0, 2.0]])
