"""The tree of a spectrum."""

import numpy as np
import pytest

from agnsal import PERUZZI2021_GRID, AgnsalError, Network, agglomerate
from agnsal.figures import plot_hierarchy


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    network = Network.dense(
        [rng.normal(size=(8, 1000)), rng.normal(size=(2, 8))], [rng.normal(size=8), np.zeros(2)], classes=["a$_1$", "b"]
    )
    flux = rng.normal(size=1000)
    return agglomerate(network, flux, "a$_1$", units=np.arange(1000) // 25), flux


def test_every_component_is_a_bar(case):
    hierarchy, flux = case
    ax = plot_hierarchy(hierarchy, flux, PERUZZI2021_GRID)
    bars = ax.collections[1]
    assert len(bars.get_paths()) == sum(len(scores) for scores in hierarchy.component_scores[1:])
    low, high = bars.get_clim()
    assert low == -high == pytest.approx(-np.abs(bars.get_array()).max())
    assert ax.get_xlim() == pytest.approx(PERUZZI2021_GRID.edges.value[[0, -1]])
    assert ax.get_title(loc="left") == r"Hierarchy of a\$_1\$"
    ax.figure.draw_without_rendering()


def test_it_draws_where_it_is_told(case):
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots()
    assert plot_hierarchy(case[0], ax=ax, colorbar=False, title="") is ax
    assert len(figure.axes) == 1
    assert ax.get_xlabel() == "Feature"


def test_what_does_not_fit_is_refused(case):
    with pytest.raises(AgnsalError, match="spectrum has 3 bins"):
        plot_hierarchy(case[0], np.ones(3))
