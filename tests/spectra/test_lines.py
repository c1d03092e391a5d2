"""The table of named lines."""

import astropy.units as u
import numpy as np
import pytest
from specutils.utils.wcs_utils import air_to_vac

from agnsal import (
    PERUZZI2021_GRID,
    AgnsalError,
    Regions,
    SpectralLine,
    WavelengthGrid,
    find_line,
    line_masks,
    line_table,
)
from agnsal.spectra.lines import DEFAULT_LINES, LINES

OPTICAL = WavelengthGrid.log(3300 * u.AA, 7200 * u.AA, velocity_step=50 * u.km / u.s)

# air wavelengths from the literature (Osterbrock & Ferland 2006 and the NIST tables)
AIR = {
    "H8": 3889.05, "Hepsilon": 3970.07, "Hdelta": 4101.74, "Hgamma": 4340.47, "Hbeta": 4861.33, "Halpha": 6562.80,
    "[Ne III] 3869": 3868.76, "[O III] 4363": 4363.21, "[O III] 4959": 4958.91, "[O III] 5007": 5006.84,
    "He II 4686": 4685.71, "He I 5876": 5875.62, "[O I] 6300": 6300.30, "[O I] 6364": 6363.78,
    "[N II] 6548": 6548.05, "[N II] 6583": 6583.45, "[S II] 6716": 6716.44, "[S II] 6731": 6730.82,
    "[Fe VII] 6087": 6086.97, "[Fe VII] 5721": 5720.71, "[Fe X] 6375": 6374.51, "Ca K": 3933.66, "Ca H": 3968.47,
    "[Ne V] 3426": 3425.88, "He I 4471": 4471.48, "[N II] 5755": 5754.59, "He I 7065": 7065.19,
}  # fmt: skip


@pytest.mark.parametrize("name", AIR)
def test_wavelengths_are_in_vacuum(name):
    assert find_line(name).wavelength == pytest.approx(air_to_vac(AIR[name] * u.AA).to_value(u.AA), abs=0.06)


def test_the_pixels_of_the_paper():
    """Vacuum positions on the paper's grid, in pixels."""
    pixel = {"[Ne III] 3869": 91.6, "H8": 104.8, "Hdelta": 243.1, "Hgamma": 398.3, "He II 4686": 622.7, "Hbeta": 736.9}
    pixel |= {"[O III] 4959": 800.3, "[O III] 5007": 831.5}
    for name, expected in pixel.items():
        assert (find_line(name).wavelength - 3728.908) / 1.538586 == pytest.approx(expected, abs=0.06), name


def test_doublet_ratios():
    """[O III] and [N II] doublets come from one upper level: the ratio is fixed by the lower levels' energies."""
    assert 1e8 / LINES["[O III] 4959"].wavelength - 1e8 / LINES["[O III] 5007"].wavelength == pytest.approx(
        193.0, abs=1
    )
    assert 1e8 / LINES["[N II] 6548"].wavelength - 1e8 / LINES["[N II] 6583"].wavelength == pytest.approx(82.1, abs=0.5)


@pytest.mark.parametrize("name", ["Hβ", "hbeta", " H beta ", "HBETA"])
def test_names_are_forgiving(name):
    assert find_line(name) is LINES["Hbeta"]


def test_unknown_names_get_a_suggestion():
    with pytest.raises(AgnsalError, match=r"\[O III\] 5007"):
        find_line("[O III]")
    with pytest.raises(AgnsalError, match="Hbeta"):
        find_line("H-beta")
    with pytest.raises(AgnsalError, match="line_table"):
        find_line("zzzzzz")


def test_no_bin_counts_twice_among_emission_lines():
    emission = [
        name for name, line in LINES.items() if line.kind in ("permitted", "forbidden") and line.wavelength > 3320
    ]
    masks = line_masks(OPTICAL, [name for name in emission if name != "Mg II 2799"])
    total = sum(mask["core"].astype(int) + mask["wings"] for mask in masks.values())
    assert total.max() == 1
    for mask in masks.values():
        assert not (mask["continuum"] & (total > 0)).any()


def test_core_and_wings_of_an_isolated_line():
    mask = line_masks(OPTICAL, ["Hbeta"])["Hbeta"]
    velocity = (OPTICAL.centers.value / LINES["Hbeta"].wavelength - 1) * 299792.458
    np.testing.assert_array_equal(mask["core"], np.abs(velocity) <= 300)
    assert np.abs(velocity[mask["wings"]]).min() > 300
    assert np.abs(velocity[mask["wings"]]).max() <= 5000
    inner = (np.abs(velocity) > 300) & (np.abs(velocity) < 4000)  # further red [O III] 4959 begins
    assert mask["wings"][inner].all()


def test_halpha_core_keeps_clear_of_nitrogen():
    masks = line_masks(OPTICAL, ["Halpha", "[N II] 6583", "[N II] 6548"])
    center = OPTICAL.centers.value
    assert center[masks["Halpha"]["core"]].max() < 6575
    assert center[masks["[N II] 6583"]["core"]].min() > 6575


def test_default_lines_are_those_on_the_grid():
    assert set(DEFAULT_LINES) <= set(LINES)
    names = list(line_masks(PERUZZI2021_GRID))
    assert "Hbeta" in names
    assert "Halpha" not in names


def test_what_is_refused():
    with pytest.raises(AgnsalError, match="off the grid"):
        line_masks(PERUZZI2021_GRID, ["Halpha"])
    with pytest.raises(AgnsalError, match="vacuum and rest"):
        line_masks(WavelengthGrid.linear(4000 * u.AA, 5000 * u.AA, 10, medium="air"))


def test_the_table_has_units():
    table = line_table()
    assert len(table) == len(LINES)
    assert table["wavelength"].unit == u.AA
    assert table["core"].unit == u.km / u.s
    assert (table["stop"] > table["start"]).all()


def test_lines_of_the_ultraviolet():
    """NIST, vacuum; doublets at the mean of their members."""
    assert find_line("Lyα").wavelength == pytest.approx(1215.67, abs=0.01)
    assert find_line("C IV 1549").wavelength == pytest.approx((1548.187 + 1550.772) / 2, abs=0.01)
    assert find_line("CIII]1909").wavelength == pytest.approx(1908.734, abs=0.01)
    grid = WavelengthGrid.log(1150 * u.AA, 3000 * u.AA, velocity_step=100 * u.km / u.s)
    assert list(line_masks(grid)) == ["Lyalpha", "C IV 1549", "C III] 1909", "Mg II 2799"]


def test_a_line_of_your_own_shares_bins_out_like_any_other():
    argon = SpectralLine("[Ar IV] 4740", "[Ar IV] 4740", 4741.45, "forbidden", 300.0, 1200.0)
    masks = line_masks(OPTICAL, [argon, "He II 4686"])
    own = masks["[Ar IV] 4740"]["core"] | masks["[Ar IV] 4740"]["wings"]
    assert own.any()
    assert not (own & masks["He II 4686"]["wings"]).any()
    assert list(line_masks(OPTICAL, argon)) == ["[Ar IV] 4740"]
    regions = Regions.from_lines(OPTICAL, [argon, "Hbeta"], rest=True)
    assert regions.names == ("[Ar IV] 4740", "Hbeta", "rest")
    assert Regions.of([argon], len(OPTICAL), OPTICAL).names == ("[Ar IV] 4740", "rest")


def test_helium_has_no_wings_in_iron():
    mask = line_masks(OPTICAL, ["He II 4686"])["He II 4686"]
    center = OPTICAL.centers.value
    iron = (center > LINES["Fe II 4570"].ends[0]) & (center < LINES["Fe II 4570"].ends[1])
    assert not (iron & (mask["wings"] | mask["continuum"])).any()
    assert mask["core"].any()
