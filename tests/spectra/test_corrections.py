"""Air to vacuum against published pairs and its own inverse; dereddening against the definition of E(B-V)."""

from __future__ import annotations

import builtins
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import InverseVariance, StdDevUncertainty
from hypothesis import given, settings
from hypothesis import strategies as st
from specutils import Spectrum

from agnsal import AgnsalError
from agnsal.spectra.editing.corrections import air_to_vacuum, deredden
from tests.spectra.survey_files import to_air

pytest.importorskip("dust_extinction")


@pytest.mark.parametrize(("air", "vacuum"), [(4861.325, 4862.683), (5006.843, 5008.240), (6562.801, 6564.614)])
def test_published_pairs_of_lines(air, vacuum):
    assert air_to_vacuum(air * u.AA).value == pytest.approx(vacuum, abs=2e-3)


@settings(deadline=None)
@given(st.floats(2100, 30000))
def test_vacuum_is_the_inverse_of_air(vacuum):
    assert air_to_vacuum(to_air(vacuum) * u.AA).value == pytest.approx(vacuum, rel=1e-12)


def test_units_and_the_ultraviolet():
    assert air_to_vacuum(500.6843 * u.nm).to_value(u.nm) == pytest.approx(500.824, abs=1e-4)
    assert air_to_vacuum([1215.67, 1999.9] * u.AA).value.tolist() == [1215.67, 1999.9]
    with pytest.raises(AgnsalError, match="unit"):
        air_to_vacuum(np.array([5000.0]))


@pytest.fixture
def spectrum():
    wavelength = np.linspace(3500, 9500, 600)
    unit = u.Unit("1e-17 erg / (s cm2 Angstrom)")
    return Spectrum(
        flux=np.full(600, 2.0) * unit,
        spectral_axis=wavelength * u.AA,
        uncertainty=InverseVariance(np.full(600, 4.0), unit=unit**-2),
        mask=np.arange(600) == 5,
        redshift=0.1,
        meta={"object_id": "J0001", "redshift": 0.1},
    )


@pytest.mark.parametrize("model", ["G23", "F99", "CCM89", "O94", "F19"])
def test_extinction_is_what_the_law_says(spectrum, model):
    ebv = 0.3
    out = deredden(spectrum, ebv, model)
    magnitudes = 2.5 * np.log10(out.flux.value / spectrum.flux.value)
    at = {
        band: np.interp(wavelength, spectrum.spectral_axis.value, magnitudes)
        for band, wavelength in (("B", 4400), ("V", 5500))
    }
    assert at["V"] == pytest.approx(3.1 * ebv, rel=0.03)
    assert at["B"] - at["V"] == pytest.approx(ebv, rel=0.08)
    assert (np.diff(magnitudes) < 0).all()


@settings(max_examples=25, deadline=None)
@given(ebv=st.floats(0, 3))
def test_signal_to_noise_does_not_change(ebv):
    spectrum = Spectrum(
        flux=[1.0, 2.0] * u.mJy,
        spectral_axis=[4000, 6000] * u.AA,
        uncertainty=StdDevUncertainty([0.1, 0.4], unit=u.mJy),
    )
    out = deredden(spectrum, ebv)
    np.testing.assert_allclose(out.flux.value * np.sqrt(out.uncertainty.array), [10, 5])


def test_everything_else_is_kept(spectrum):
    out = deredden(spectrum, 0.1)
    np.testing.assert_array_equal(out.spectral_axis.value, spectrum.spectral_axis.value)
    np.testing.assert_array_equal(out.mask, spectrum.mask)
    assert out.redshift.value == pytest.approx(0.1)
    assert out.meta["object_id"] == "J0001"
    assert out.unit == spectrum.unit
    np.testing.assert_array_equal(deredden(spectrum, 0.0).flux.value, spectrum.flux.value)


def test_ebv_of_the_file_is_the_default(spectrum):
    with pytest.raises(AgnsalError, match="J0001"):
        deredden(spectrum)
    spectrum.meta["ebv"] = 0.1
    np.testing.assert_allclose(deredden(spectrum).flux.value, deredden(spectrum, 0.1).flux.value)


def test_twice_is_refused(spectrum):
    with pytest.raises(AgnsalError, match="before"):
        deredden(deredden(spectrum, 0.1), 0.1)


@pytest.mark.parametrize("ebv", [-0.1, float("nan"), float("inf")])
def test_impossible_reddening_is_refused(spectrum, ebv):
    with pytest.raises(AgnsalError, match="E\\(B-V\\)"):
        deredden(spectrum, ebv)


def test_laws_of_ones_own_and_unknown_ones(spectrum):
    class Grey:
        @staticmethod
        def extinguish(wavelength, Ebv):
            return np.full(wavelength.size, 10 ** (-0.4 * Ebv))

    np.testing.assert_allclose(deredden(spectrum, 2.5, Grey()).flux.value, 20)
    for model in ("Nobody2030", 3.1):
        with pytest.raises(AgnsalError, match="model"):
            deredden(spectrum, 0.1, model)
    with pytest.raises(AgnsalError, match="9"):
        deredden(spectrum, 0.1, r_v=9)
    infrared = Spectrum(flux=[1.0, 1.0] * u.mJy, spectral_axis=[50, 60] * u.um)
    with pytest.raises(AgnsalError, match="cover"):
        deredden(infrared, 0.1)


def test_absent_package_is_told_with_the_cure(spectrum, monkeypatch):
    importer = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("dust_extinction"):
            raise ImportError(name)
        return importer(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for name in [name for name in sys.modules if name.startswith("dust_extinction")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(AgnsalError, match=r"pip install 'agnsal\[dust\]'"):
        deredden(spectrum, 0.1)
