"""Every layout gives back the one known spectrum; everything that is none is refused by name and cause."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import InverseVariance
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked
from hypothesis import given, settings
from hypothesis import strategies as st
from specutils import Spectrum
from specutils.io.registers import data_loader

from agnsal import AgnsalError, AgnsalWarning, read_spectra
from agnsal.spectra.files.meaning.arms import join_arms
from agnsal.spectra.files.meaning.statements import known_redshift
from agnsal.spectra.files.meaning.units import flux_unit, wavelength_unit
from agnsal.spectra.files.raw.fits_rows import first_row, rows_of
from agnsal.spectra.files.record import object_id
from agnsal.spectra.files.surveys.sdss import log_axis, pixel_bits
from tests.spectra import survey_files as files
from tests.spectra.survey_files import LINE, Z, model

#: Most of the files below do not say their medium; that vacuum is assumed then is told, and tested, once.
pytestmark = pytest.mark.filterwarnings("ignore:wavelengths taken as vacuum:agnsal.AgnsalWarning")

FLAM = u.Unit("1e-17 erg / (s cm2 Angstrom)")

#: writer, name of the format, survey, medium of the file, unit, redshift in the file, errors in the file
LAYOUTS = {
    "spec": (files.write_spec, "SDSS-III/IV spec", "SDSS", "vacuum", FLAM, True, True),
    "spec of SDSS-V": (
        lambda p: files.write_spec(p, release="V"), "SDSS-V spec", "SDSS-V", "vacuum", FLAM, True, True,
    ),
    "spSpec": (files.write_spspec, "SDSS-I/II spSpec", "SDSS", "vacuum", FLAM, True, True),
    "DESI": (files.write_desi, "DESI coadd", "DESI", "vacuum", FLAM, True, True),
    "6dFGS image": (files.write_sixdfgs_image, "6dFGS-split", "6dFGS", "air", u.ct, True, True),
    "6dFGS image without wavelengths": (
        lambda p: files.write_sixdfgs_image(p, rows=3), "6dFGS-split", "6dFGS", "air", u.ct, True, True,
    ),
    "6dFGS combined": (files.write_sixdfgs_combined, "6dFGS-split", "6dFGS", "air", u.ct, True, True),
    "6dFGS table": (files.write_sixdfgs_table, "6dFGS-tabular", "6dFGS", "air", u.ct / u.s, True, False),
    "2dFGRS": (files.write_twodfgrs, "2dFGRS", "2dFGRS", "air", u.ct / u.s, True, True),
    "GAMA": (files.write_gama, "GAMA", "GAMA", "air", FLAM, True, True),
    "wcs1d": (files.write_wcs1d, "wcs1d-fits", None, "vacuum", FLAM, False, False),
    "IRAF": (files.write_iraf, "wcs1d-fits", None, "air", FLAM * 1e17, False, False),
    "FITS table": (files.write_fits_table, "tabular-fits", None, "vacuum", FLAM, False, True),
    "ECSV": (files.write_ecsv, "text", None, "vacuum", FLAM, False, True),
    "columns": (files.write_plain, "text", None, "vacuum", u.dimensionless_unscaled, False, True),
    "CSV": (
        lambda p: files.write_plain(p, header=["wavelength [Angstrom],flux [relative],error"], delimiter=","),
        "text", None, "vacuum", u.dimensionless_unscaled, False, True,
    ),
    "NED": (files.write_ned, "text", "NED", "air", FLAM * 1e17, False, False),
}  # fmt: skip


def line_center(spectrum):
    """Flux-weighted centre of the emission line."""
    wavelength, flux = spectrum.spectral_axis.value, spectrum.flux.value
    near = np.abs(wavelength - LINE * (1 + Z)) < 15
    excess = flux[near] - np.median(flux[np.abs(wavelength - LINE * (1 + Z)) < 100])
    return float((excess * wavelength[near]).sum() / excess.sum())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_back_the_known_spectrum(layout, tmp_path):
    writer, name, survey, medium, unit, has_redshift, has_errors = LAYOUTS[layout]
    path = writer(tmp_path / "file")
    spectrum = read_spectra(path)[0]
    axis = spectrum.spectral_axis
    assert axis.unit == u.AA
    assert (np.diff(axis.value) > 0).all()
    assert axis.value.dtype == spectrum.flux.value.dtype == np.dtype("=f8")
    assert line_center(spectrum) == pytest.approx(LINE * (1 + Z), abs=0.05)
    assert spectrum.unit.is_equivalent(unit)
    assert spectrum.unit.to(unit) == pytest.approx(1)
    assert spectrum.mask.dtype == bool
    assert spectrum.mask.mean() < 0.02
    meta = spectrum.meta
    assert (meta["source"], meta["format"], meta.get("survey")) == (str(path), name, survey)
    assert meta["medium_of_file"] == medium
    assert meta["object_id"]
    assert meta["redshift"] == (pytest.approx(Z) if has_redshift else None)
    assert float(spectrum.redshift.value) == pytest.approx(Z if has_redshift else 0)
    if has_errors:
        assert isinstance(spectrum.uncertainty, InverseVariance)
        assert spectrum.uncertainty.unit.is_equivalent(spectrum.unit**-2)
        assert (spectrum.uncertainty.array[spectrum.mask] == 0).all()
        assert (spectrum.uncertainty.array[~spectrum.mask] > 0).all()
    else:
        assert spectrum.uncertainty is None
    good = ~spectrum.mask
    ratio = spectrum.flux.value[good] / model(axis.value[good])
    assert np.ptp(ratio) / np.median(ratio) < 2e-2  # one factor of calibration, the same in every pixel


@pytest.mark.parametrize("layout", LAYOUTS)
def test_naming_the_format_gives_the_same(layout, tmp_path):
    path = LAYOUTS[layout][0](tmp_path / "file")
    found = read_spectra(path)
    named = read_spectra(path, format="ASCII" if LAYOUTS[layout][1] == "text" else LAYOUTS[layout][1])
    assert len(found) == len(named)
    np.testing.assert_array_equal(found[0].flux.value, named[0].flux.value)
    np.testing.assert_array_equal(found[0].spectral_axis.value, named[0].spectral_axis.value)


@pytest.mark.parametrize("layout", ["spec", "GAMA", "IRAF", "FITS table", "ECSV", "NED"])
def test_layouts_are_told_by_content_also_when_compressed(layout, tmp_path):
    path = LAYOUTS[layout][0](tmp_path / "anything")
    with path.open("rb") as plain, gzip.open(tmp_path / "packed.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    a, b = read_spectra([path, tmp_path / "packed.gz"])
    np.testing.assert_array_equal(a.flux.value, b.flux.value)
    assert a.meta["redshift"] == b.meta["redshift"]


# SDSS


def test_sdss_meta_come_from_specobj(tmp_path):
    meta = read_spectra(files.write_spec(tmp_path / "a.fits"))[0].meta
    assert meta["object_id"] == "0406-51869-0374"
    assert (meta["class"], meta["subclass"], meta["sn_median"]) == ("QSO", "BROADLINE", 23.0)
    assert (meta["ra"], meta["dec"], meta["zwarning"]) == (10.5, -1.5, 0)
    five = read_spectra(files.write_spec(tmp_path / "b.fits", release="V"))[0].meta
    assert five["object_id"] == "112359-60086-27021598108289694"


def test_headers_of_single_exposures_are_not_read(tmp_path, monkeypatch):
    exposures = [fits.BinTableHDU(Table({"flux": np.ones(9)}), name=f"B1-{i:08d}-1") for i in range(8)]
    paths = [files.write_spec(tmp_path / "bare.fits"), files.write_spec(tmp_path / "full.fits", extra=exposures)]
    read_spectra(paths)
    whole, counts = fits.Header.fromstring, []

    def counted(*arguments, **keywords):
        counts[-1] += 1
        return whole(*arguments, **keywords)

    monkeypatch.setattr(fits.Header, "fromstring", counted)
    for path in paths:
        counts.append(0)
        read_spectra([path])
    assert counts[0] == counts[1] > 0


def test_sdss_informational_bits_mask_nothing_and_ivar_does(tmp_path):
    ivar = np.full(2000, 4.0)
    ivar[[3, 4, 5]] = 0.0, -1.0, np.nan
    path = files.write_spec(tmp_path / "a.fits", ivar=ivar)  # every pixel has BRIGHTSKY set
    spectrum = read_spectra(path)[0]
    assert list(np.flatnonzero(spectrum.mask)) == [3, 4, 5]
    with pytest.raises(AgnsalError, match="no good pixel"):
        read_spectra(path, bad_bits=["BRIGHTSKY"])
    assert read_spectra(path, bad_bits=["BADSKYCHI", 5])[0].mask.sum() == 3


def test_pixel_bits_are_known_by_name():
    assert pixel_bits(["nodata", 0]) == (1 << 24) | 1
    for wrong in (["NO_SUCH_BIT"], [99]):
        with pytest.raises(AgnsalError, match="BRIGHTSKY"):
            pixel_bits(wrong)


@pytest.mark.parametrize("coeff", [True, False])
def test_log_axis_is_exact_in_spite_of_float32(tmp_path, coeff):
    spectrum = read_spectra(files.write_spec(tmp_path / "a.fits", coeff=coeff))[0]
    exact = 10 ** files.sdss_axis()
    assert np.abs(10 ** files.sdss_axis().astype(np.float32).astype(float) - exact).max() > 1e-3
    np.testing.assert_allclose(spectrum.spectral_axis.value, exact, rtol=1e-12 if coeff else 3e-8)


@given(
    first=st.integers(35000, 37000),
    n=st.integers(3, 4700),
    step=st.sampled_from([1e-4, 2.17e-5]),
    header=st.booleans(),
)
def test_log_axis_is_within_a_rounding_of_what_was_written(first, n, step, header):
    exact = 1e-4 * first + step * np.arange(n)
    written = exact.astype(np.float32)
    axis = log_axis(written, 1e-4 * first if header else None, step if header else None)
    assert np.abs(np.log10(axis) - exact).max() < (1e-12 if header else 3e-7)


def test_log_axis_takes_what_fits_no_line_as_it_is():
    odd = np.array([3.5, 3.6, 3.75, 3.8])
    np.testing.assert_allclose(log_axis(odd, 3.5, 1e-4), 10**odd)
    np.testing.assert_allclose(log_axis(odd, "text", None), 10**odd)


def test_redshift_table_is_found_where_it_was_moved(tmp_path):
    path = files.write_spec(tmp_path / "a.fits", catalogue=False, extra=[files.specobj(0.3)])
    assert read_spectra(path)[0].meta["redshift"] == pytest.approx(0.3)


def test_spec_without_redshift_table_has_no_redshift(tmp_path):
    spectrum = read_spectra(files.write_spec(tmp_path / "a.fits", catalogue=False))[0]
    assert spectrum.meta["redshift"] is None
    assert spectrum.redshift == 0
    assert spectrum.meta["object_id"] == "0406-51869-0374"


@pytest.mark.parametrize("sentinel", [-9.999, -99.0, float("nan"), 1e6])
def test_sentinels_are_no_redshifts(tmp_path, sentinel):
    assert read_spectra(files.write_spec(tmp_path / "a.fits", z=sentinel))[0].meta["redshift"] is None
    assert known_redshift(sentinel) is None
    assert known_redshift("n/a") is None


def test_small_blueshift_in_a_file_is_kept(tmp_path):
    assert read_spectra(files.write_spec(tmp_path / "a.fits", z=-0.0004))[0].meta["redshift"] == -0.0004


# DESI


def test_desi_gives_all_targets_without_sky(tmp_path):
    spectra = read_spectra(files.write_desi(tmp_path / "a.fits", n_targets=4))
    assert [s.meta["object_id"] for s in spectra] == [str(39089837499744649 + i) for i in range(3)]
    assert [s.meta["redshift"] for s in spectra] == pytest.approx([0.1, 0.2, 0.3])
    assert spectra[0].meta["ebv"] == pytest.approx(0.02)
    assert spectra[0].meta["class"] == "QSO"
    assert len(spectra[0].flux) == 7781
    np.testing.assert_allclose(spectra[0].spectral_axis.value, 3600 + 0.8 * np.arange(7781), rtol=1e-12)


def test_desi_overlap_is_the_weighted_mean(tmp_path):
    spectrum = read_spectra(files.write_desi(tmp_path / "a.fits", red=1.1))[0]
    wavelength = spectrum.spectral_axis.value
    inside = (wavelength > 5765) & (wavelength < 5795)  # b: 1.0 with weight 1, r: 1.1 with weight 3
    np.testing.assert_allclose(spectrum.flux.value[inside] / model(wavelength[inside]), (1 + 3 * 1.1) / 4, rtol=1e-6)
    np.testing.assert_allclose(spectrum.uncertainty.array[inside], 4.0)
    assert spectrum.mask[[100]].all()
    assert spectrum.mask.sum() == 2  # 100 pixels into b and r; there z's is covered by r


def test_arms_that_share_no_grid_are_refused():
    arm = np.arange(3600.0, 3700.0, 0.8)
    flux = np.ones((1, arm.size))
    with pytest.raises(AgnsalError, match="one wavelength grid"):
        join_arms([(arm, flux, flux), (arm + 50.3, flux, flux)])


@given(weights=st.lists(st.floats(0.1, 10), min_size=2, max_size=2))
def test_joining_conserves_what_arms_agree_on(weights):
    first, second = 3600 + 0.8 * np.arange(50), 3600 + 0.8 * np.arange(40, 90)
    arms = [(w, model(w)[None], np.full((1, 50), weight)) for w, weight in zip((first, second), weights, strict=True)]
    wavelength, flux, ivar = join_arms(arms)
    np.testing.assert_allclose(flux[0], model(wavelength), rtol=1e-12)
    np.testing.assert_allclose(ivar[0, 40:50], sum(weights))


# Surveys in air


def test_sixdfgs_takes_the_observed_axis_not_that_of_the_header(tmp_path):
    spectrum = read_spectra(files.write_sixdfgs_image(tmp_path / "a.fits"))[0]
    assert spectrum.spectral_axis.value[0] == pytest.approx(files.to_vacuum(np.array([4000.0]))[0], abs=1e-3)
    assert spectrum.mask[:2].all()


def test_sixdfgs_table_masks_minus_999_and_evens_its_axis(tmp_path):
    spectrum = read_spectra(files.write_sixdfgs_table(tmp_path / "a.fits"))[0]
    assert list(np.flatnonzero(spectrum.mask)) == [0, 1, 2, 3, 4]
    air = files.to_air(spectrum.spectral_axis.value)
    np.testing.assert_allclose(np.diff(air), 1.5, atol=1e-3)


def test_twodfgrs_gives_every_observation(tmp_path):
    assert len(read_spectra(files.write_twodfgrs(tmp_path / "a.fits", n=3))) == 3


def test_gama_is_per_angstrom_not_per_ampere(tmp_path):
    spectrum = read_spectra(files.write_gama(tmp_path / "a.fits"))[0]
    assert u.A not in spectrum.unit.bases
    assert spectrum.mask[:38].all()


# Images


def test_iraf_log_axis_and_bands(tmp_path):
    air = 10 ** (3.6 + 1e-4 * np.arange(1500))
    bands = np.zeros((4, 1, 1500))
    bands[0], bands[3] = model(files.to_vacuum(air)), 0.5
    names = {f"BANDID{i + 1}": f"{name} - background fit" for i, name in enumerate(("spectrum", "raw", "sky", "sigma"))}
    cards = {"CRVAL1": 3.6, "CD1_1": 1e-4, "DC-FLAG": 1}
    spectrum = read_spectra(files.write_iraf(tmp_path / "a.fits", bands, **cards, **names))[0]
    assert line_center(spectrum) == pytest.approx(LINE * (1 + Z), abs=0.05)
    np.testing.assert_allclose(spectrum.uncertainty.array, 4.0)


def test_iraf_multispec_gives_every_aperture(tmp_path):
    data = np.array([model(files.to_vacuum(4000 + 2.0 * np.arange(1500)))] * 2)
    spec = 'wtype=multispec spec1 = "1 1 0 4000. 2. 1500 0. 10. 20." spec2 = "2 2 0 4000. 2. 1500 0. 30. 40."'
    cards = {"CTYPE1": "MULTISPE", "WAT2_001": spec[:68], "WAT2_002": spec[68:]}
    spectra = read_spectra(files.write_iraf(tmp_path / "a.fits", data, **cards))
    assert [s.meta["row"] for s in spectra] == [0, 1]
    assert line_center(spectra[1]) == pytest.approx(LINE * (1 + Z), abs=0.05)
    cards["WAT2_001"] = cards["WAT2_001"].replace("1 1 0", "1 1 2")
    with pytest.raises(AgnsalError, match="linearise"):
        read_spectra(files.write_iraf(tmp_path / "a.fits", data, **cards))


def test_iraf_errors_in_an_extension(tmp_path):
    path = files.write_iraf(tmp_path / "a.fits")
    with fits.open(path, mode="update") as hdulist:
        hdulist.append(fits.ImageHDU(np.full(1500, 0.25), name="VAR"))
        hdulist.append(fits.ImageHDU((np.arange(1500) == 7).astype(np.int16), name="DQ"))
    spectrum = read_spectra(path)[0]
    assert list(np.flatnonzero(spectrum.mask)) == [7]
    assert spectrum.uncertainty.array[0] == 4.0


def test_what_specutils_writes_is_read(tmp_path):
    wavelength = (4000 + 2.0 * np.arange(500)) * u.AA
    written = Spectrum(
        flux=model(wavelength.value) * FLAM,
        spectral_axis=wavelength,
        uncertainty=InverseVariance(np.full(500, 4.0), unit=FLAM**-2),
        mask=np.arange(500) == 9,
    )
    written.write(tmp_path / "a.fits", format="tabular-fits")
    spectrum = read_spectra(tmp_path / "a.fits")[0]
    np.testing.assert_allclose(spectrum.flux.to_value(FLAM), written.flux.value)
    np.testing.assert_allclose(spectrum.uncertainty.array[:9], 4.0)
    assert list(np.flatnonzero(spectrum.mask)) == [9]


def test_axis_in_air_of_the_fits_standard(tmp_path):
    spectrum = read_spectra(files.write_wcs1d(tmp_path / "a.fits", CTYPE1="AWAV"))[0]
    assert spectrum.meta["medium_of_file"] == "air"
    assert spectrum.spectral_axis.value[0] == pytest.approx(4001.13, abs=0.01)


@pytest.mark.parametrize(
    "unit", ["erg/cm2/s/A", "erg/cm**2/s/Angstroms", "1E-17 erg/cm^2/s/Ang", "1.0E-17 erg/cm/s/Ang"]
)
def test_flux_units_as_surveys_spell_them(unit):
    parsed = flux_unit(unit)
    assert parsed.to(FLAM) == pytest.approx(1 if "E-17" in unit else 1e17)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("ergs^-1cm^-2a^-1", FLAM * 1e17),
        ("10^-17 ergs/sec/cm^2/angstroms", FLAM),
        ("1e-17 ergs s-1 cm-2 AA-1", FLAM),
        ("ergs/sec/cm2/hz", u.Unit("erg / (s cm2 Hz)")),
    ],
)
def test_flux_units_typed_by_hand(text, unit):
    assert flux_unit(text).to(unit) == pytest.approx(1)


def test_relative_flux_may_say_so(tmp_path):
    table = files.columns(error=None)
    table["flux"] = table["flux"].value * u.dimensionless_unscaled
    for writer in (files.write_ecsv, files.write_fits_table):
        assert read_spectra(writer(tmp_path / "a", table))[0].unit == u.dimensionless_unscaled
    assert flux_unit("arbitrary") == u.dimensionless_unscaled


def test_units_that_are_none():
    assert flux_unit("what the ADC said") is None
    assert flux_unit("") is None
    assert wavelength_unit("parsec / s") is None
    assert [wavelength_unit(text) for text in ("Angstroms", "A", "angstrom", "nm")] == [u.AA, u.AA, u.AA, u.nm]


# Tables and text


def test_ivar_column_and_units_of_errors(tmp_path):
    by_ivar, by_error = (files.columns(error=error) for error in ("ivar", "flux_error"))
    by_error["flux_error"] = by_error["flux_error"].to("erg s-1 cm-2 Angstrom-1")
    for table in (by_ivar, by_error):
        for writer in (files.write_ecsv, files.write_fits_table):
            spectrum = read_spectra(writer(tmp_path / "a", table))[0]
            np.testing.assert_allclose(spectrum.uncertainty.array, 4.0)


def test_other_units_of_wavelength(tmp_path):
    table = files.columns()
    expected = table["wavelength"].to_value(u.AA)
    for unit in (u.nm, u.um, u.m):
        table["wavelength"] = (expected * u.AA).to(unit)
        spectrum = read_spectra(files.write_ecsv(tmp_path / "a", table))[0]
        np.testing.assert_allclose(spectrum.spectral_axis.value, expected)
    table["wavelength"] = (expected * u.AA).to(u.Hz, u.spectral())
    np.testing.assert_allclose(read_spectra(files.write_ecsv(tmp_path / "a", table))[0].spectral_axis.value, expected)


def test_meta_of_a_table(tmp_path):
    table = files.columns()
    table.meta.update(redshift=0.2, object_id="J0001", medium="air")
    spectrum = read_spectra(files.write_ecsv(tmp_path / "a", table))[0]
    assert (spectrum.meta["redshift"], spectrum.meta["object_id"]) == (0.2, "J0001")
    assert spectrum.meta["medium_of_file"] == "air"


def test_rows_of_vectors_are_spectra(tmp_path):
    wavelength = 4000 + 2.0 * np.arange(300)
    rows = {"wavelength": np.tile(wavelength, (2, 1)), "flux": np.array([model(wavelength), 2 * model(wavelength)])}
    table = QTable({"wavelength": rows["wavelength"] * u.AA, "flux": rows["flux"] * FLAM})
    first, second = read_spectra(files.write_fits_table(tmp_path / "a", table))
    np.testing.assert_allclose(second.flux.value, 2 * first.flux.value)


def test_pixels_of_a_survey_say_no_unit(tmp_path):
    loglam = files.sdss_axis()
    table = Table({"flux": model(10**loglam), "wavelength": 10**loglam, "inverse_variance": np.full(2000, 4.0)})
    path = files.write_fits_table(tmp_path / "a", table)
    with pytest.raises(AgnsalError, match="has no unit"):
        read_spectra(path)
    (spectrum,) = read_spectra(path, units={"wavelength": "Angstrom", "flux": "1e-17 erg/s/cm2/A"}, medium="vacuum")
    assert spectrum.unit == FLAM
    assert spectrum.meta["assumed"] == []


def test_desi_csv_is_known_by_its_pixels(tmp_path):
    wavelength = 3600 + 0.8 * np.arange(7781)
    rows = [f"{w},{f},4.0" for w, f in zip(wavelength, model(wavelength), strict=True)]
    spectrum = read_spectra(files.write_text(tmp_path / "a.csv", ["wave,flux,ivar", *rows]))[0]
    assert (spectrum.meta["survey"], spectrum.meta["medium_of_file"], spectrum.unit) == ("DESI", "vacuum", FLAM)


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        (["\ufeffspectral_axis,intensity,uncertainty"], ","),
        (["lam;flux;err"], ";"),
        (["# lambda flux err", "# angstroms ergs^-1cm^-2a^-1 none"], " "),
        (["# wavelength[nm] is not meant", "# wave[Angstrom] flux[mJy] error[mJy]"], " "),
        (["% made by hand", "! twice"], "\t"),
    ],
)
def test_headers_of_text(tmp_path, header, delimiter):
    spectrum = read_spectra(files.write_plain(tmp_path / "a.txt", header=header, delimiter=delimiter))[0]
    assert len(spectrum.flux) == 1500
    np.testing.assert_allclose(spectrum.uncertainty.array, 4.0, rtol=1e-6)


def test_empty_cells_are_bad_pixels(tmp_path):
    rows = [f"{4000 + i},{'' if i == 3 else 5 + i},1.0" for i in range(50)]
    spectrum = read_spectra(files.write_text(tmp_path / "a.csv", ["wave [AA],flux [mJy],error", *rows]))[0]
    assert list(np.flatnonzero(spectrum.mask)) == [3]


def test_zeros_at_the_ends_without_errors_are_padding(tmp_path):
    rows = [f"{4000 + i} {0 if i in (0, 1, 9, 49) else 5}" for i in range(50)]
    spectrum = read_spectra(files.write_text(tmp_path / "a.txt", rows))[0]
    assert list(np.flatnonzero(spectrum.mask)) == [0, 1, 49]


def test_loader_of_ones_own(tmp_path):
    def load(path, **_):
        return Spectrum(flux=np.array([3.0, 2.0, 1.0]) * FLAM, spectral_axis=[700, 600, 500] * u.nm, meta={})

    data_loader("agnsal test loader", identifier=lambda *_, **__: False, dtype=Spectrum)(load)
    path = files.write_text(tmp_path / "a.own", ["whatever"])
    spectrum = read_spectra(path, format="agnsal test loader", redshift=0.1)[0]
    np.testing.assert_allclose(spectrum.spectral_axis.value, [5000, 6000, 7000])
    np.testing.assert_allclose(spectrum.flux.value, [1, 2, 3])
    with pytest.raises(AgnsalError, match="no loader of specutils"):
        read_spectra(path, format="no such loader")


# Frames, media, redshifts


def test_descending_axes_are_turned_with_everything(tmp_path):
    table = files.columns(error="ivar")[::-1]
    table["ivar"][0] = 0
    spectrum = read_spectra(files.write_ecsv(tmp_path / "a", table))[0]
    assert spectrum.spectral_axis.value[0] == 4000
    np.testing.assert_allclose(spectrum.flux.value, model(spectrum.spectral_axis.value))
    assert list(np.flatnonzero(spectrum.mask)) == [1499]
    assert spectrum.uncertainty.array[-1] == 0


def test_rest_frame_goes_to_the_observed_frame(tmp_path):
    table = files.columns()
    path = files.write_ecsv(tmp_path / "a", table)
    spectrum = read_spectra(path, frame="rest", redshift=0.5)[0]
    np.testing.assert_allclose(spectrum.spectral_axis.value, 1.5 * table["wavelength"].value)
    np.testing.assert_array_equal(spectrum.flux.value, table["flux"].value)
    assert read_spectra(path, frame="rest", redshift=0.0)[0].spectral_axis.value[0] == 4000
    with pytest.raises(AgnsalError, match="redshift is not known"):
        read_spectra(path, frame="rest")


def test_air_is_converted_in_the_observed_frame(tmp_path):
    path = files.write_ecsv(tmp_path / "a")
    spectrum = read_spectra(path, frame="rest", redshift=0.5, medium="air")[0]
    assert spectrum.spectral_axis.value[0] == pytest.approx(files.to_vacuum(np.array([6000.0]))[0])


def test_medium_given_wins(tmp_path):
    path = files.write_iraf(tmp_path / "a.fits")
    assert read_spectra(path, medium="vacuum")[0].spectral_axis.value[0] == pytest.approx(4000)
    assert read_spectra(path)[0].spectral_axis.value[0] == pytest.approx(4001.13, abs=0.01)


def test_assumed_medium_is_told_once_a_call(tmp_path):
    path = files.write_plain(tmp_path / "a.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_spectra(path, medium="air")[0].meta["assumed"] == []
    with pytest.warns(AgnsalWarning, match=r"a\.txt") as warned:
        spectra = read_spectra([path, path])
    assert len(warned) == 1
    assert [s.meta["assumed"] for s in spectra] == [["vacuum"]] * 2


def test_axis_that_iraf_moved_to_rest_needs_to_be_asked_for(tmp_path):
    path = files.write_iraf(tmp_path / "a.fits", DOPCOR01="0.1 1", CRVAL1=4000 / 1.1, CD1_1=2.0 / 1.1)
    with pytest.raises(AgnsalError, match=r"frame='rest'"):
        read_spectra(path)
    spectrum = read_spectra(path, frame="rest")[0]
    assert line_center(spectrum) == pytest.approx(LINE * (1 + Z), abs=0.05)
    assert spectrum.meta["redshift"] == pytest.approx(0.1)
    cards = {"COEFF0": float(np.log10(4000.0)), "CRVAL1": 4000 / 1.1, "CD1_1": 2.0 / 1.1}
    path = files.write_iraf(tmp_path / "b.fits", **cards, Z=0.1, Z_ERR=1e-4)
    with pytest.raises(AgnsalError, match="COEFF0"):
        read_spectra(path)


def test_redshifts_given(tmp_path):
    paths = [files.write_spec(tmp_path / f"{name}.fits") for name in "ab"]
    assert [s.meta["redshift"] for s in read_spectra(paths, redshift=0.7)] == [0.7, 0.7]
    assert [s.meta["redshift"] for s in read_spectra(paths, redshift=np.array([0.7, 0.8]))] == [0.7, 0.8]
    by_name = {"b.fits": 0.9}
    assert [s.meta["redshift"] for s in read_spectra(paths, redshift=by_name)] == [pytest.approx(Z), 0.9]
    assert [s.meta["redshift"] for s in read_spectra(paths, redshift=[None, 0.9])] == [pytest.approx(Z), 0.9]


@pytest.mark.parametrize("redshift", [0.0, -1e-4])
def test_zero_and_small_blueshifts_are_redshifts(tmp_path, redshift):
    assert read_spectra(files.write_spec(tmp_path / "a.fits"), redshift=redshift)[0].meta["redshift"] == redshift


@pytest.mark.parametrize("redshift", [-0.11, float("nan"), float("inf"), 3000.0, "0.1x", [0.1], [0.1, 0.2, 0.3]])
def test_impossible_redshifts_are_refused(tmp_path, redshift):
    paths = [files.write_spec(tmp_path / f"{name}.fits") for name in "ab"]
    with pytest.raises(AgnsalError, match="redshift"):
        read_spectra(paths, redshift=redshift)


def test_redshift_of_a_file_that_is_not_read_is_refused(tmp_path):
    with pytest.raises(AgnsalError, match=r"c\.fits"):
        read_spectra(files.write_spec(tmp_path / "a.fits"), redshift={"c.fits": 0.1})


# Refusals: each names the file and the cause


def _edit(path, change):
    with fits.open(path, mode="update") as hdulist:
        change(hdulist)
    return path


def _cut(path, size):
    path.write_bytes(path.read_bytes()[:size])
    return path


def _table(path, **columns):
    """A table like the usual one with some columns replaced; a column None is left out."""
    table = files.columns()
    for name, values in columns.items():
        if values is None:
            del table[name]
        else:
            table[name] = values
    return files.write_fits_table(path, table)


REFUSED = {
    "no such file": lambda p: p,
    "empty (0 bytes)": lambda p: p.write_bytes(b""),
    "folder": lambda p: p.mkdir(),
    "no FITS file": lambda p: p.write_bytes(b"Not found\n" * 300),
    "cut off": lambda p: _cut(files.write_spec(p), 2880 * 12 + 100),
    "cut off ": lambda p: _cut(files.write_spec(p), 2880 * 12),
    "cut off: ": lambda p: _cut(files.write_iraf(p), 2880 * 2),
    "damaged": lambda p: p.write_bytes(b"SIMPLE  =                    T" + bytes(range(256)) * 20),
    "table of the coadded spectrum is empty": lambda p: files.write_spec(
        p, loglam=np.array([]), flux=np.array([]), coeff=False
    ),
    "table is empty": lambda p: files.write_fits_table(p, files.columns()[:0]),
    "flux is zero": lambda p: files.write_spec(p, flux=np.zeros(2000)),
    "no good pixel": lambda p: files.write_spec(p, flux=np.full(2000, np.nan)),
    "no good pixel: ": lambda p: files.write_spec(p, ivar=np.zeros(2000)),
    "no signal": lambda p: files.write_spec(p, flux=np.random.default_rng(0).normal(-0.2, 0.5, 2000)),
    "no layout known": lambda p: fits.PrimaryHDU().writeto(p),
    "no layout known ": lambda p: fits.PrimaryHDU(np.ones((50, 60))).writeto(p),
    "has no unit": lambda p: _table(p, wavelength=np.linspace(4000, 5000, 1500)),
    "F_lambda cannot be told": lambda p: _table(p, flux=np.ones(1500)),
    "flux has no unit": lambda p: files.write_wcs1d(p, BUNIT=None),
    "axis has no unit": lambda p: files.write_wcs1d(p, CUNIT1=None),
    "axis has no unit ": lambda p: files.write_wcs1d(p, CUNIT1=None, CTYPE1="LINEAR"),
    "no wavelength axis": lambda p: files.write_wcs1d(p, CTYPE1="LINEAR", CRVAL1=None),
    "no layout known: ": lambda p: _table(p, flux=None, flux_error=None),
    "occur twice": lambda p: _table(p, wavelength=np.repeat(4000 + np.arange(750.0), 2) * u.AA),
    "to and fro": lambda p: _table(p, wavelength=np.tile(4000 + np.arange(750.0), 2) * u.AA),
    "finite and positive": lambda p: _table(p, wavelength=np.r_[4000 + np.arange(1499.0), np.nan] * u.AA),
    "finite and positive ": lambda p: _table(p, wavelength=np.arange(1500.0) * u.AA),
    "at least 2": lambda p: files.write_fits_table(p, files.columns()[:1]),
    "only sky": lambda p: files.write_desi(p, n_targets=1),
}


@pytest.mark.parametrize("cause", REFUSED)
def test_refused_files_are_named_with_the_cause(cause, tmp_path):
    path = tmp_path / "bad.fits"
    REFUSED[cause](path)
    with pytest.raises(AgnsalError, match=re.escape(cause.strip(" :"))) as caught:
        read_spectra([path])
    assert str(path) in str(caught.value)
    good = files.write_spec(tmp_path / "good.fits")
    with pytest.warns(AgnsalWarning, match=re.escape(cause.strip(" :"))) as warned:
        spectra = read_spectra([good, path, good], on_error="skip")
    assert len(spectra) == 2
    assert len(warned) == 1
    assert str(path) in str(warned[0].message)


REFUSED_TEXT = {
    "no columns of wavelength and flux": ["number,ra,dec", "1,1,2", "2,3,4"],
    "text without columns of numbers": ["This is not", "a spectrum at all."],
    "page of HTML": ["<html><body>404</body></html>"],
    "F_lambda cannot be told from F_nu": ["wave [AA],flux", *(f"{4000 + i},1" for i in range(9))],
    "is it cut off": ["wave [AA],flux,ivar", *(f"{4000 + i},1.5,1" for i in range(9)), "4010,1.5"],
    "a number was expected": ["wave [AA],flux [Jy]", "4000,1", "4001,oops", "4002,2"],
    "has no unit": ["wavelength,flux", *(f"{4000 + i},1" for i in range(9))],
    "does not look like Angstrom": [f"{400 + i} 1" for i in range(9)],
    "one column": ["1", "2", "3"],
    "names of columns and no row": ["wave,flux"],
    "only comments": ["# wave flux"],
}


@pytest.mark.parametrize("cause", REFUSED_TEXT)
def test_refused_texts_are_named_with_the_cause(cause, tmp_path):
    path = files.write_text(tmp_path / "bad.txt", REFUSED_TEXT[cause])
    with pytest.raises(AgnsalError, match=cause) as caught:
        read_spectra(path)
    assert str(path) in str(caught.value)


def test_wrong_format_is_refused_with_the_cause(tmp_path):
    for name, writer in (
        ("SDSS-III/IV spec", files.write_gama),
        ("GAMA", files.write_spec),
        ("DESI coadd", files.write_iraf),
    ):
        path = writer(tmp_path / "a.fits")
        with pytest.raises(AgnsalError, match=r"a\.fits"):
            read_spectra(path, format=name)


@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=400))
def test_no_bytes_make_it_stumble(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("noise") / "noise"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AgnsalWarning)
        read_spectra([path], on_error="skip")


@settings(max_examples=25, deadline=None)
@given(position=st.integers(0, 2880 * 20), byte=st.integers(0, 255))
def test_no_flipped_byte_makes_it_stumble(position, byte, tmp_path_factory):
    path = files.write_spec(tmp_path_factory.mktemp("flip") / "a.fits")
    content = bytearray(path.read_bytes())
    content[position % len(content)] = byte
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AgnsalWarning)
        read_spectra([path], on_error="skip")


@pytest.mark.parametrize("option", ["frame", "medium", "on_error"])
def test_misspelt_options_are_refused(tmp_path, option):
    with pytest.raises(AgnsalError, match=option):
        read_spectra(files.write_spec(tmp_path / "a.fits"), **{option: "vacum"})


def test_text_from_files_is_made_printable(tmp_path):
    catalogue = files.specobj(CLASS="QS\x07O<b>")
    meta = read_spectra(files.write_spec(tmp_path / "a.fits", catalogue=catalogue))[0].meta
    assert meta["class"] == "QSO<b>"


def test_a_folder_stands_for_its_spectra(tmp_path):
    files.write_spec(tmp_path / "b.fits")
    (tmp_path / "a").mkdir()
    files.write_ecsv(tmp_path / "a" / "z.ecsv")
    files.write_text(tmp_path / "README.md", ["# Read me", "there are two spectra"])
    Table({"file": ["b.fits"], "label": ["type 1"]}).write(tmp_path / "catalogue.ecsv")
    files.write_text(tmp_path / ".hidden.csv", ["1,2"])
    assert [s.meta["source"] for s in read_spectra(tmp_path)] == [
        str(tmp_path / "a" / "z.ecsv"), str(tmp_path / "b.fits"),
    ]  # fmt: skip
    (tmp_path / "c.fits").write_bytes(b"not FITS")
    with pytest.raises(AgnsalError, match=r"c\.fits"):
        read_spectra(tmp_path)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(AgnsalError, match="no file"):
        read_spectra(tmp_path / "nothing")


def test_one_dead_target_does_not_cost_the_others(tmp_path):
    def kill(hdulist):
        for arm in "BRZ":
            hdulist[f"{arm}_IVAR"].data[1] = 0

    path = _edit(files.write_desi(tmp_path / "a.fits", n_targets=4), kill)
    with pytest.raises(AgnsalError, match="39089837499744650"):
        read_spectra(path)
    with pytest.warns(AgnsalWarning, match="39089837499744650"):
        assert len(read_spectra(path, on_error="skip")) == 2


def test_object_id_is_the_name_of_the_survey():
    assert object_id(10247, 58162, 218) == "10247-58162-0218"


@pytest.mark.parametrize("n_columns", [0, 7, 200])
def test_first_row_is_what_astropy_reads(tmp_path, n_columns):
    """SPECOBJ and SPALL have 126 and 236 columns; their few cells of interest are read without astropy."""
    files.write_spec(
        tmp_path / "a.fits", catalogue=files.specobj(n_columns=n_columns, SN_MEDIAN=[1.0, 2.0, 3.0, 4.0, 5.0])
    )
    with fits.open(tmp_path / "a.fits") as hdulist:
        names = ("Z", "PLATE", "CLASS", "SN_MEDIAN", "FILLER4", "ABSENT")
        row, after = first_row(hdulist[2], names), first_row(hdulist[1], names, after=True)
        table = hdulist[2].data
        assert set(row) == set(after) == {"Z", "PLATE", "CLASS", "SN_MEDIAN"}
        assert (row["Z"], row["PLATE"], row["CLASS"]) == (table["Z"][0], table["PLATE"][0], table["CLASS"][0])
        np.testing.assert_array_equal(row["SN_MEDIAN"], table["SN_MEDIAN"][0])
        assert first_row(hdulist[-1], names, after=True) == {}


def test_an_impossible_redshift_costs_only_its_own_file_when_skipping(tmp_path):
    paths = [files.write_spec(tmp_path / name) for name in ("a.fits", "b.fits")]
    with pytest.warns(AgnsalWarning, match=r"a\.fits: redshift -0\.2 is none"):
        spectra = read_spectra(paths, redshift=[-0.2, 0.3], on_error="skip")
    assert [spectrum.meta["redshift"] for spectrum in spectra] == [0.3]


def test_scaled_cells_are_physical_values(tmp_path):
    """Unsigned integers are written as signed ones with TZERO; PLATE 40000 must not come out negative."""
    columns = [
        fits.Column("PLATE", "I", bzero=32768, array=np.array([40000, 3], np.uint16)),
        fits.Column("TARGETID", "K", bzero=2**63, array=np.array([2**63 + 5, 7], np.uint64)),
        fits.Column("Z", "J", array=np.array([2, 8])),
        fits.Column("CLASS", "6A", array=["QSO", "GALAXY"]),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    fits.setval(tmp_path / "a.fits", "TSCAL3", value=0.25, ext=1)
    fits.setval(tmp_path / "a.fits", "TZERO3", value=0.5, ext=1)
    with fits.open(tmp_path / "a.fits") as hdulist:
        table = rows_of(hdulist[1], ("PLATE", "TARGETID", "Z", "CLASS"))
    assert table["PLATE"].tolist() == [40000, 3]
    assert table["TARGETID"].tolist() == [2**63 + 5, 7]
    assert table["Z"].tolist() == [1.0, 2.5]
    assert table["CLASS"].tolist() == [b"QSO", b"GALAXY"]


@pytest.mark.parametrize("damage", ["column", "coadd", "both"])
def test_no_exposure_is_taken_for_a_damaged_coadd(tmp_path, damage):
    path = files.write_spec(tmp_path / "a.fits")
    with fits.open(path) as hdulist:
        exposure = fits.BinTableHDU(hdulist[1].data, name="B1-00001234")
    files.write_spec(path, extra=[exposure])
    assert len(read_spectra(path)) == 1

    def harm(hdulist):
        if damage == "column":
            hdulist[1].columns.change_name("flux", "flu\\x")
        else:
            del hdulist[1]
        if damage == "both":
            del hdulist[1:3]

    with pytest.raises(AgnsalError, match="HDU 1"):
        read_spectra(_edit(path, harm))


def test_a_lost_line_in_the_header_of_ecsv_gives_no_column_under_another_name(tmp_path):
    """Without the line ``flux_error:`` astropy gives the errors as the flux."""
    path = files.write_ecsv(tmp_path / "a.ecsv")
    flux = read_spectra(path)[0].flux.value
    lines = path.read_text().splitlines(keepends=True)
    refused = []
    for number in (number for number, line in enumerate(lines) if line.startswith("#")):
        path.write_text("".join(lines[:number] + lines[number + 1 :]))
        try:
            (spectrum,) = read_spectra(path)
        except AgnsalError:
            refused.append(lines[number].strip("# \n"))
        else:
            np.testing.assert_array_equal(spectrum.flux.value, flux)
    assert {"flux_error:", "wavelength:"} <= set(refused)


def test_columns_of_several_parts_in_ecsv(tmp_path):
    table = QTable(files.columns())
    table["mask"] = MaskedColumn(np.zeros(len(table), bool))
    table["flux"] = Masked(table["flux"], mask=np.arange(len(table)) == 3)
    (spectrum,) = read_spectra(files.write_ecsv(tmp_path / "a.ecsv", table))
    assert np.flatnonzero(spectrum.mask).tolist() == [3]


def test_paths_of_bytes(tmp_path):
    path = files.write_spec(tmp_path / "a.fits")
    (spectrum,) = read_spectra(os.fsencode(path))
    assert spectrum.meta["source"] == str(path)
    assert len(read_spectra([os.fsencode(path)])) == len(read_spectra(os.fsencode(tmp_path))) == 1


def test_a_folder_without_a_spectrum_is_refused(tmp_path):
    files.write_text(tmp_path / "README.md", ["# Read me", "there is nothing here"])
    with pytest.raises(AgnsalError, match="none of the 1 files in this folder is a spectrum"):
        read_spectra(tmp_path)


def test_a_locked_folder_is_no_empty_one(tmp_path, monkeypatch):
    files.write_spec(tmp_path / "a.fits")
    locked = tmp_path / "locked"
    locked.mkdir()
    scandir = os.scandir

    def lock(folder):
        if os.fspath(folder) == str(locked):
            raise PermissionError(13, "Permission denied", str(locked))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", lock)
    with pytest.raises(AgnsalError, match=r"locked: the folder cannot be opened \(Permission denied\)"):
        read_spectra(tmp_path)


@pytest.mark.parametrize("extension", ["COADD", "SPECOBJ"])
def test_a_flipped_bit_is_told_by_the_sum_of_the_data(tmp_path, extension):
    path = files.write_spec(tmp_path / "a.fits")
    with fits.open(path) as hdulist:
        hdulist.writeto(path, overwrite=True, checksum=True)
    (spectrum,) = read_spectra(path)
    with fits.open(path) as hdulist:
        place = hdulist[extension].fileinfo()
    content = bytearray(path.read_bytes())
    content[place["datLoc"] + 30] ^= 4
    path.write_bytes(content)
    with pytest.raises(AgnsalError, match="DATASUM"):
        read_spectra(path)
    with fits.open(path) as hdulist:  # as the message advises
        hdulist.writeto(path, overwrite=True, checksum=True)
    assert read_spectra(path)[0].flux.shape == spectrum.flux.shape


@pytest.mark.parametrize("write", [files.write_wcs1d, files.write_fits_table, files.write_desi, files.write_gama])
def test_sums_of_what_is_whole_are_right(tmp_path, write):
    path = write(tmp_path / "a.fits")
    expected = read_spectra(path)
    with fits.open(path) as hdulist:
        hdulist.writeto(path, overwrite=True, checksum=True)
    for spectrum, before in zip(read_spectra(path), expected, strict=True):
        np.testing.assert_array_equal(spectrum.flux, before.flux)


def test_the_users_unit_wins_over_that_of_a_survey(tmp_path):
    path = files.write_spec(tmp_path / "a.fits")
    (known,), (said,) = read_spectra(path), read_spectra(path, units={"flux": "mJy"})
    np.testing.assert_array_equal(said.flux.value, known.flux.value)
    assert said.flux.unit == u.mJy
    assert said.uncertainty.unit == u.mJy**-2


@pytest.mark.parametrize(
    "said", [{"mask": "good"}, {"units": {"wavelength": "nm"}}, {"columns": {"flux": "x"}, "format": "DESI coadd"}]
)
def test_what_is_known_of_a_survey_is_not_passed_over_in_silence(tmp_path, said):
    with pytest.raises(AgnsalError, match="Leave it out"):
        read_spectra(files.write_desi(tmp_path / "a.fits"), **said)


def test_what_a_survey_holds_beside_the_spectrum_is_named(tmp_path):
    (sdss,) = read_spectra(files.write_spec(tmp_path / "a.fits"))
    assert {"sky", "model", "wdisp", "and_mask"} <= set(sdss.meta["ignored"])
    (by_bits,) = read_spectra(tmp_path / "a.fits", bad_bits=["NODATA"])
    assert "and_mask" not in by_bits.meta["ignored"]
    assert "flux" not in sdss.meta["ignored"]
    desi = read_spectra(files.write_desi(tmp_path / "b.fits"))[0].meta["ignored"]
    assert not {"B_FLUX", "FIBERMAP", "REDSHIFTS"} & set(desi)
    assert "sky" in read_spectra(files.write_sixdfgs_image(tmp_path / "c.fits"))[0].meta["ignored"]


def test_iraf_takes_sums_along_that_no_longer_hold(tmp_path):
    path = files.write_wcs1d(tmp_path / "a.fits")
    fits.setval(path, "DATASUM", value="1")
    with pytest.raises(AgnsalError, match="DATASUM"):
        read_spectra(path)
    fits.setval(path, "IRAF-TLM", value="2016-04-29T18:06:22")
    assert len(read_spectra(path)) == 1


@pytest.mark.parametrize("nothing", [[], (), iter([])], ids=["list", "tuple", "iterator"])
def test_no_path_is_no_empty_answer(nothing):
    with pytest.raises(AgnsalError, match="no path was given"):
        read_spectra(nothing)
