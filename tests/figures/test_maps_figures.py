"""Figures of changes, comparisons and mean maps."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from agnsal import (
    AgnsalError,
    ProbabilisticSVC,
    explain_change,
    input_x_gradient,
    line_importance,
    mean_maps,
    saliency,
    simulate_agn,
)
from agnsal.figures import plot_change, plot_comparison, plot_line_importance, plot_mean_maps


@pytest.fixture(scope="module")
def explained():
    sample = simulate_agn(30, 40, 0, seed=3).normalize()
    model = ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    return model, sample


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_a_change_is_drawn_over_the_first_epoch(explained):
    model, sample = explained
    change = explain_change(model, sample[:1], sample[40:41], target="type 1")
    ax = plot_change(change, epochs=("MJD $1", "MJD 2"))
    np.testing.assert_array_equal(
        ax.lines[-1].get_ydata(), np.where(sample.mask[0] | sample.mask[40], np.nan, sample.flux[0])
    )
    assert f"{change.values.sum():+.2f}" in ax.get_title(loc="left")
    assert ax.get_legend().get_texts()[0].get_text() == r"MJD \$1"
    ax.figure.canvas.draw()
    with pytest.raises(AgnsalError, match="no baseline"):
        plot_change(saliency(model, sample[:1]))


def test_every_method_has_its_strip(explained):
    model, sample = explained
    maps = {"gradient": saliency(model, sample[:2]), "$x$ gradient": input_x_gradient(model, sample[:2])}
    ax = plot_comparison(maps, 1)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["gradient", r"\$x\$ gradient"]
    strips = [each for each in ax.collections if each.get_array() is not None]
    for strip, each in zip(strips, maps.values(), strict=True):
        low, high = strip.get_clim()
        assert low == -high
        np.testing.assert_array_equal(np.ravel(strip.get_array()), each.values[1])
    with pytest.raises(AgnsalError, match="not of the same spectra"):
        plot_comparison([maps["gradient"], input_x_gradient(model, sample[5:7])])
    with pytest.raises(AgnsalError, match="no attribution"):
        plot_comparison([])


def test_mean_maps_have_a_band_each(explained):
    model, sample = explained
    maps = mean_maps(saliency(model, sample, "type 1"), sample.labels)
    ax = plot_mean_maps(maps)
    assert "P(type 1)" in ax.get_ylabel()
    assert len(ax.collections) == 2
    assert len(plot_mean_maps(maps, ["type 2"]).collections) == 1
    with pytest.raises(AgnsalError, match="no group type 3"):
        plot_mean_maps(maps, ["type 3"])
    nothing = replace(maps, count=np.zeros_like(maps.count))
    plot_mean_maps(nothing).figure.canvas.draw()


def test_line_importance_over_a_sample_is_drawn_too(explained):
    model, sample = explained
    table = line_importance(model, sample, "type 1", lines=["Hbeta", "[O III] 5007"], n_permutations=2)
    ax = plot_line_importance(table)
    assert "Importance for type 1" in ax.get_xlabel()
    with pytest.raises(AgnsalError, match="leave out i="):
        plot_line_importance(table, i=0)


def test_maps_and_embeddings_draw_themselves(attribution):
    maps = mean_maps(attribution, ["a", "a", "b"])
    assert maps.plot().get_legend().get_texts()[0].get_text() == "a (2)"
    assert len(maps.plot(["b"], lines=[]).get_legend().get_texts()) == 1
