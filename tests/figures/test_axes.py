"""Every axis says what it counts, in which unit; every whisker, band and box says what it is."""

import re

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import collections
from matplotlib import pyplot as plt
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.text import Text

import agnsal
from agnsal.attribution.transforms.basis import Basis
from agnsal.figures import plot_concepts
from agnsal.figures.populations.concepts import _needed
from tests.figures.every import every_figure

UNIT = u.Unit("1e-17 erg / (s cm2 Angstrom)")
#: Vertical axes that hold names of lines, methods or quantities, which need no name themselves.
NAMES = {
    "plot_comparison",
    "plot_concepts",
    "plot_line_ablation",
    "plot_line_importance",
    "plot_population_importance",
    "plot_region_shares",
    "plot_scores",
    "plot_truth_and_maps",
}
#: What each figure says of its whiskers, bands and boxes.
WHISKERS = {
    "plot_class_gradients": "bands: standard error (flux)",
    "plot_concepts": "whiskers: 68 % of 2 spectra",
    "plot_counterfactual": "the edit",
    "plot_line_ablation": "whiskers: standard error over draws of noise",
    "plot_line_importance": "whiskers: 16th to 84th percentile",
    "plot_mean_maps": "bands: standard deviation of the spectra of a group",
    "plot_population_importance": "whiskers: standard deviation of the posterior",
    "plot_region_shares": "standard errors: refits (thin), flux (thick)",
    "plot_removal": "standard error of 2 spectra",
    "plot_saliency": "band: standard error of the flux",
    "plot_scores": "whiskers: 5th to 95th percentile",
    "plot_transform_importance": "whiskers: standard error (flux)",
}
#: Those that have them only where errors are known.
IF_KNOWN = {"plot_class_gradients", "plot_line_ablation", "plot_population_importance", "plot_transform_importance"}
IF_KNOWN |= {"plot_saliency", "plot_line_importance"}


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def has_whiskers(ax):
    bars = [each for each in ax.containers if isinstance(each, BarContainer) and each.errorbar is not None]
    bands = [each for each in ax.collections if isinstance(each, collections.FillBetweenPolyCollection)]
    return bool(bars or bands or any(isinstance(each, ErrorbarContainer) for each in ax.containers))


def words(ax):
    return " ".join(" ".join(text.get_text().split()) for text in ax.figure.findobj(Text))


@pytest.mark.parametrize("unit", [UNIT, u.dimensionless_unscaled], ids=["erg", "relative"])
@pytest.mark.parametrize("name", every_figure("x"))
def test_every_axis_says_what_it_counts(name, unit):
    ax = every_figure("saliency", unit)[name](None)
    for panel in ax.figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            ticks = [text.get_text() for text in axis.get_ticklabels()] if len(axis.get_ticklocs()) else []
            label = axis.get_label().get_text()
            if panel is ax and axis is ax.yaxis and name in NAMES:
                assert not any(re.fullmatch(r"[\d.\-\N{MINUS SIGN}]+", tick) for tick in ticks), ticks
            elif any(ticks):
                assert label.strip(), f"{axis} of {name} has ticks and no label"
            if re.match("flux|rest wavelength|(mean )?gradient", label, flags=re.IGNORECASE):
                assert "[" in label or "per unit of relative flux" in label, label


@pytest.mark.parametrize("name", every_figure("x"))
def test_every_whisker_says_what_it_is(name):
    ax = every_figure("x")[name](None)
    assert WHISKERS[name] in words(ax) if name in WHISKERS else not has_whiskers(ax)
    if name in IF_KNOWN:
        ax = every_figure("x", errors=False)[name](None)
        assert not has_whiskers(ax)
        assert not re.search("whiskers|bands?:", words(ax))


@pytest.mark.parametrize("width", [88 / 25.4, 5.6])
@pytest.mark.parametrize("name", WHISKERS)
def test_what_is_said_stays_on_the_figure(name, width):
    """Beside names of methods and quantities, too, which leave the axes a part of the figure."""
    figure, ax = plt.subplots(figsize=(width, 4.0), layout="constrained")
    every_figure("name of some length")[name](ax)
    figure.canvas.draw()
    box = ax.xaxis.label.get_window_extent()
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, (box, figure.bbox)
    assert box.y0 >= figure.bbox.y0


def test_bins_that_are_sure_are_explained():
    assert "line over the strip: exceeds twice its standard error (flux)" in words(
        every_figure("x")["plot_saliency"](None)
    )


def test_every_transform_says_what_its_rows_are():
    """Numbers of periods or of components mean nothing without it."""
    sample = agnsal.simulate_agn(20, 20, 0, seed=1).normalize()
    model = agnsal.ProbabilisticSVC("linear", random_state=0).fit(sample)
    said = {}
    for basis in (agnsal.FourierBands(4), agnsal.Wavelet("haar"), agnsal.PCABasis(3).fit(sample)):
        result = agnsal.transformed(model, sample[:1], basis)
        said[type(basis)] = agnsal.figures.plot_transform_importance(result).get_ylabel()
    assert said[agnsal.FourierBands] == "Frequency [periods over the spectrum]"
    assert len({*said.values(), Basis.axis}) == 4


@given(st.lists(st.integers(0, 50), min_size=1, max_size=120), st.integers(0, 50))
def test_what_leaves_the_grey_box_is_significant(shuffled, mean):
    """The border of the box is where p, as agnsal.concept_sensitivity counts it, becomes 0.05."""
    p = (1 + sum(each >= mean for each in shuffled)) / (1 + len(shuffled))
    assert (mean > _needed(np.array(shuffled, dtype=float))) == (p < 0.05)


def test_whiskers_across_zero_do_not_look_like_insignificance():
    """One quantity with a wide scatter and p = 0.01, one with none and p = 0.5."""
    names, shuffled = ("wide", "narrow"), np.tile(np.linspace(0, 0.1, 99)[:, None], (1, 2))
    values = np.stack([np.linspace(-3, 5, 9), np.full(9, 0.05)], axis=1)
    found = agnsal.ConceptSensitivity(
        names, np.ones(2), np.ones(2, bool), values, shuffled, np.array([0.01, 0.5]), np.ones((2, 2)), "a", "log_odds",
        None,
    )  # fmt: skip
    ax = plot_concepts(found)
    wide, narrow = (ax.containers[number][0] for number in (1, 3))  # each after its grey box
    assert wide.get_facecolor()[3] == 1.0
    assert narrow.get_facecolor()[3] == 0.0
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    assert said == ["p < 0.05 against shuffled", "no more than shuffled"]
