"""The figure of importance on the axis of a transform: what is drawn is what is in the attribution."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from agnsal import AgnsalError, Attribution
from agnsal.figures import plot_transform_importance

FEATURES = ["continuum", "Hbeta narrow", "Hbeta broad", "[O III] 5007 narrow", "price in $ or narrow"]


@pytest.fixture
def result():
    values = np.arange(20.0).reshape(4, 5) - 8
    return Attribution(
        values=values,
        target=np.array(["type 1"] * 4),
        method="integrated_gradients",
        output="log_odds",
        explained=np.zeros(4),
        inputs=np.ones((4, 5)),
        ids=np.array(list("abcd")),
        features=np.array(FEATURES),
        unexplained=np.full(4, 0.5),
        uncertainty={"flux": np.full((4, 5), 3.0), "training": np.full((4, 5), 4.0)},
    )


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def widths(ax):
    return sorted(bar.get_width() for bar in ax.patches)


def test_bars_are_the_values_of_one_spectrum(result):
    ax = plot_transform_importance(result, i=1)
    np.testing.assert_allclose(widths(ax), sorted([*result.values[1], 0.5]))
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["continuum", "Hβ", "[O III] 5007", r"price in \$ or narrow", "unexplained"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["narrow", "broad"]
    low, high = ax.get_xlim()
    assert low == pytest.approx(-high)
    spans = [np.ptp(segment[:, 0]) for lines in ax.collections for segment in lines.get_segments()]
    np.testing.assert_allclose(spans, 10.0)  # 3 and 4 make 5, on both sides


def test_bars_are_means_over_spectra(result):
    ax = plot_transform_importance(result)
    np.testing.assert_allclose(widths(ax), sorted([*result.values.mean(axis=0), 0.5]))
    assert "4 spectra" in ax.get_xlabel()
    assert plot_transform_importance(result, ax=ax) is ax


def test_small_rows_are_summed(result):
    plain = replace(result, features=np.array(list("vwxyz")), unexplained=np.zeros(4))
    ax = plot_transform_importance(plain[[0]], most=3)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["v", "w", "3 others, summed"]
    assert ax.patches[2].get_width() == plain.values[0, 2:].sum()


def test_what_is_refused(result):
    with pytest.raises(AgnsalError, match="not on the axis of a transform"):
        plot_transform_importance(replace(result, features=None))
    with pytest.raises(AgnsalError, match="4 spectra"):
        plot_transform_importance(result, i=4)
    with pytest.raises(AgnsalError, match="means little"):
        plot_transform_importance(replace(result, target=np.array(["a", "b", "a", "b"])))
