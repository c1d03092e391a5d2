"""Tables of archives and pipelines, built to their descriptions: flags, senses of masks, empty tables."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from agnsal import AgnsalError, read_spectra
from tests.spectra.survey_files import advised

N = 400
WAVE = 4000.0 + 2.5 * np.arange(N)
FLUX = 2 + np.sin(WAVE / 50)
FLAGS = np.zeros(N, np.int32)
FLAGS[[3, 4]] = 1, 4


def table(name="", rows=None, **columns):
    """A table of columns (format, values, unit); with `rows` the values are arrays in so many cells."""
    made = []
    for column, (kind, values, unit) in columns.items():
        array = values if rows is None else np.tile(values, (rows, 1))
        made.append(fits.Column(column, kind if rows is None else f"{len(values)}{kind}", array=array, unit=unit))
    return fits.BinTableHDU.from_columns(made, name=name)


def write(path, cards, *hdus):
    primary = fits.PrimaryHDU()
    primary.header.update(cards)
    fits.HDUList([primary, *hdus]).writeto(path)
    return path


def masked(spectrum):
    return np.flatnonzero(spectrum.mask).tolist()


@pytest.mark.parametrize(("serious", "bad"), [(1, [3]), (4, [4]), (5, [3, 4])])
def test_hst_masks_the_flags_that_it_calls_serious(serious, bad, tmp_path):
    hdu = table(
        "SCI", 1, WAVELENGTH=("D", WAVE, "Angstroms"), FLUX=("E", FLUX, "erg/s/cm**2/Angstrom"),
        ERROR=("E", FLUX * 0 + 0.1, "erg/s/cm**2/Angstrom"), DQ=("I", FLAGS, None),
    )  # fmt: skip
    hdu.header["SDQFLAGS"] = serious
    (spectrum,) = read_spectra(write(tmp_path / "a.fits", {"TELESCOP": "HST", "INSTRUME": "STIS"}, hdu))
    assert masked(spectrum) == bad
    assert spectrum.meta["medium_of_file"] == "vacuum"
    np.testing.assert_allclose(spectrum.spectral_axis.value, WAVE)


def test_jwst_masks_do_not_use_only(tmp_path):
    hdu = table(
        "EXTRACT1D", WAVELENGTH=("D", WAVE / 1e4, "um"), FLUX=("D", FLUX, "Jy"), FLUX_ERROR=("D", FLUX * 0 + 0.1, "Jy"),
        DQ=("J", FLAGS, None), BACKGROUND=("D", FLUX * 0, "MJy/sr"),
    )  # fmt: skip
    (spectrum,) = read_spectra(write(tmp_path / "a.fits", {"TELESCOP": "JWST", "INSTRUME": "NIRSPEC"}, hdu))
    assert masked(spectrum) == [3]
    assert (spectrum.flux.unit, spectrum.meta["medium_of_file"]) == (u.Jy, "vacuum")
    np.testing.assert_allclose(spectrum.spectral_axis.value, WAVE)


def test_one_spec_of_pypeit_masks_where_its_mask_is_zero(tmp_path):
    good = (FLAGS == 0).astype(np.int32)
    hdu = table(
        "SPECTRUM",
        wave=("D", WAVE, None),
        flux=("D", FLUX, None),
        ivar=("D", FLUX * 0 + 4, None),
        mask=("J", good, None),
    )
    hdu.header.update(DMODCLS="OneSpec", FLUXED=True)
    (spectrum,) = read_spectra(write(tmp_path / "a.fits", {}, hdu))
    assert masked(spectrum) == [3, 4]
    assert spectrum.flux.unit == u.Unit("1e-17 erg / (s cm2 AA)")


@pytest.mark.parametrize(
    ("columns", "flux", "unit"),
    [
        (("OPT_COUNTS", "OPT_FLAM", "BOX_FLAM"), "OPT_FLAM", u.Unit("1e-17 erg / (s cm2 AA)")),
        (("BOX_COUNTS", "OPT_COUNTS"), "OPT_COUNTS", u.ct),
        (("BOX_COUNTS", "BOX_FLAM"), "BOX_FLAM", u.Unit("1e-17 erg / (s cm2 AA)")),
    ],
)
def test_spec1d_of_pypeit_prefers_the_optimal_extraction(columns, flux, unit, tmp_path):
    cells = {name: ("D", FLUX + number, None) for number, name in enumerate(columns)}
    for kind in {name[:3] for name in columns}:
        cells |= {f"{kind}_WAVE": ("D", WAVE, None), f"{kind}_MASK": ("L", FLAGS == 0, None)}
    hdus = [table(f"SPAT{number:04d}-SLIT0001-DET01", **cells) for number in (100, 200)]
    spectra = read_spectra(write(tmp_path / "a.fits", {}, *hdus))
    assert [spectrum.meta["object_id"] for spectrum in spectra] == [hdu.name for hdu in hdus]
    for spectrum in spectra:
        assert (masked(spectrum), spectrum.flux.unit) == ([3, 4], unit)
        np.testing.assert_allclose(spectrum.flux.value, FLUX + columns.index(flux))


def mwm(name, rows):
    cells = {"flux": ("E", FLUX, None), "ivar": ("E", FLUX * 0 + 4, None), "pixel_flags": ("J", FLAGS, None)}
    hdu = table(name, rows, **cells)
    hdu.header.update(CRVAL=3.5523, CDELT=1e-4, NPIXELS=N)
    return hdu


@pytest.mark.parametrize("visits", [1, 3])
def test_empty_tables_of_mwm_files_are_passed_over(visits, tmp_path):
    hdus = [mwm("BOSS/APO", 0), mwm("BOSS/LCO", visits)]
    spectra = read_spectra(write(tmp_path / "a.fits", {"V_ASTRA": "0.6.0", "SDSS_ID": 114}, *hdus))
    assert len(spectra) == visits
    for spectrum in spectra:
        assert (masked(spectrum), spectrum.meta["survey"]) == ([3, 4], "SDSS-V")
        np.testing.assert_allclose(spectrum.spectral_axis.value, 10 ** (3.5523 + 1e-4 * np.arange(N)))


def test_mwm_files_without_a_spectrum_are_refused(tmp_path):
    with pytest.raises(AgnsalError, match="empty"):
        read_spectra(write(tmp_path / "a.fits", {"V_ASTRA": "0.6.0", "SDSS_ID": 114}, mwm("BOSS/APO", 0)))


def arms(names, axis, apart=1100):
    shifted = {name: WAVE + apart * number for number, name in enumerate(names)}
    written = {name: np.log10(wave) if axis == "LOGLAM" else wave for name, wave in shifted.items()}
    flux = "FLUX" if axis == "LOGLAM" else "SPEC"
    cells = {flux: ("E", FLUX, None), "IVAR": ("E", FLUX * 0 + 4, None)}
    return shifted, [table(name, 1, **cells, **{axis: ("D", wave, None)}) for name, wave in written.items()]


@pytest.mark.parametrize(
    ("cards", "names", "axis"),
    [
        ({}, ("BLUE", "RED"), "LAMBDA"),
        ({"TELESCOP": "LAMOST"}, ("COADD_B", "COADD_R", "B-84420148"), "LOGLAM"),  # its medium resolution
    ],
)
def test_arms_are_named_and_each_is_read_by_the_call_that_the_refusal_shows(cards, names, axis, tmp_path):
    waves, hdus = arms(names, axis)
    path = write(tmp_path / "a.fits", cards, *hdus)
    role, flux = ("log10_wavelength", "FLUX") if axis == "LOGLAM" else ("wavelength", "SPEC")
    with pytest.raises(AgnsalError, match="arms are not joined") as caught:
        read_spectra(path)
    assert f"'{role}': '{names[-1].upper()}:{axis}'" in str(caught.value)
    units = {} if cards else {"wavelength": "Angstrom", "flux": "1e-17 erg/s/cm2/A"}
    for name in names:
        columns = {role: f"{name}:{axis}", "flux": f"{name}:{flux}", "ivar": f"{name}:IVAR"}
        (spectrum,) = read_spectra(path, columns=columns, units=units, medium="vacuum")
        np.testing.assert_allclose(spectrum.spectral_axis.value, waves[name])


def test_the_two_detectors_of_deep2_stand_side_by_side(tmp_path):
    waves, hdus = arms(("Bxspf-B", "Bxspf-R", "Horne-B", "Horne-R"), "LAMBDA")
    hdus[0].header["OBJNO"] = 12012345
    (spectrum,) = read_spectra(write(tmp_path / "a.fits", {}, *hdus), medium="vacuum")
    expected = np.concatenate([waves["Bxspf-B"], waves["Bxspf-R"]])
    np.testing.assert_allclose(spectrum.spectral_axis.value, expected)
    np.testing.assert_allclose(spectrum.flux.value, np.tile(FLUX, 2), rtol=1e-6)
    np.testing.assert_allclose(spectrum.uncertainty.array, 4)
    assert (spectrum.flux.unit, spectrum.meta["object_id"]) == (u.ct, "12012345")
    assert {"HORNE-B", "HORNE-R"} <= set(spectrum.meta["ignored"])
    assert read_spectra(tmp_path / "a.fits")[0].meta["medium_of_file"] == "air"


def test_detectors_that_overlap_are_not_put_side_by_side(tmp_path):
    waves, hdus = arms(("Bxspf-B", "Bxspf-R"), "LAMBDA", apart=900)
    path = write(tmp_path / "a.fits", {}, *hdus)
    with pytest.raises(AgnsalError, match="overlap") as caught:
        read_spectra(path)
    (spectrum,) = read_spectra(path, **advised(caught.value) | {"medium": "vacuum"})
    np.testing.assert_allclose(spectrum.spectral_axis.value, waves["Bxspf-R"])
