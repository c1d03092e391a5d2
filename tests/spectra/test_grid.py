"""WavelengthGrid."""

import copy

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agnsal import PERUZZI2021_GRID, AgnsalError, WavelengthGrid


def test_the_grid_of_the_paper():
    assert len(PERUZZI2021_GRID) == 1000
    np.testing.assert_allclose(
        PERUZZI2021_GRID.centers[[0, -1]].to_value(u.AA), [3728.908, 5265.955], rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(np.diff(PERUZZI2021_GRID.centers.value), 1.538586, atol=1e-6)
    assert (PERUZZI2021_GRID.frame, PERUZZI2021_GRID.medium) == ("rest", "vacuum")


@given(st.floats(1000, 5000), st.floats(10, 1500), st.integers(2, 300))
def test_linear_centres_are_the_middles_of_equal_bins(start, span, n):
    grid = WavelengthGrid.linear(start * u.AA, (start + span) * u.AA, n)
    edges = grid.edges.value
    np.testing.assert_allclose(grid.centers.value, 0.5 * (edges[1:] + edges[:-1]), rtol=1e-12)
    np.testing.assert_allclose(np.diff(edges), span / (n - 1), rtol=1e-8)


@given(st.floats(1000, 5000), st.floats(20, 500))
def test_log_bins_have_equal_velocity_widths(start, step):
    grid = WavelengthGrid.log(start * u.AA, 2 * start * u.AA, velocity_step=step * u.km / u.s)
    np.testing.assert_allclose(np.diff(np.log(grid.edges.value)) * 299792.458, step, rtol=1e-7)
    assert grid.centers.value[-1] <= 2 * start * (1 + 1e-9)


def test_equality_is_of_values_medium_and_frame():
    nanometre = WavelengthGrid.linear(400 * u.nm, 500 * u.nm, 11)
    angstrom = WavelengthGrid.linear(4000 * u.AA, 5000 * u.AA, 11)
    assert nanometre == angstrom
    assert hash(nanometre) == hash(angstrom)
    assert angstrom != WavelengthGrid.linear(4000 * u.AA, 5000 * u.AA, 11, medium="air")
    assert angstrom != WavelengthGrid.linear(4000 * u.AA, 5000 * u.AA, 11, frame="observed")
    assert angstrom != "grid"
    assert copy.deepcopy(angstrom) == angstrom


def test_it_does_not_change():
    with pytest.raises(AttributeError, match="does not change"):
        PERUZZI2021_GRID.medium = "air"
    with pytest.raises(AttributeError):
        PERUZZI2021_GRID._medium = "air"
    PERUZZI2021_GRID.centers[:] = 0 * u.AA
    assert PERUZZI2021_GRID.centers[0].value > 3000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WavelengthGrid.linear(4000, 5000, 10), "without a unit.*u.AA"),
        (lambda: WavelengthGrid.linear(4000 * u.Hz, 5000 * u.Hz, 10), "a length was expected"),
        (lambda: WavelengthGrid.linear(5000 * u.AA, 4000 * u.AA, 10), "redder"),
        (lambda: WavelengthGrid.linear(4000 * u.AA, 5000 * u.AA, 1), "at least 2"),
        (lambda: WavelengthGrid.log(4000 * u.AA, 5000 * u.AA, velocity_step=69), "velocity"),
        (lambda: WavelengthGrid.log(4000 * u.AA, 4000.1 * u.AA, velocity_step=69 * u.km / u.s), "too wide"),
        (lambda: WavelengthGrid.from_centers([3.0, 2.0, 1.0] * u.AA), "strictly increasing"),
        (lambda: WavelengthGrid.from_centers([1.0, 1.0, 2.0] * u.AA), "strictly increasing"),
        (lambda: WavelengthGrid([1.0, 2.0, np.nan] * u.AA), "finite"),
        (lambda: WavelengthGrid([1.0, 2.0, 3.0] * u.AA, [1.5, 3.5] * u.AA), "inside its bin"),
        (lambda: WavelengthGrid([1.0, 2.0, 3.0] * u.AA, medium="water"), "vacuum"),
    ],
)
def test_bad_grids_are_refused(make, message):
    with pytest.raises(AgnsalError, match=message):
        make()
