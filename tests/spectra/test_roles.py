"""What columns, units and headers say, and that what they do not say is asked for with a call that works."""

import re

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from agnsal import AgnsalError, inspect_spectra, read_spectra
from agnsal.spectra.files.meaning.roles import understand
from agnsal.spectra.files.meaning.units import FLAM17, axis_unit, flux_unit

pytestmark = pytest.mark.filterwarnings("ignore:wavelengths taken as vacuum:agnsal.AgnsalWarning")
FLAM = "erg/s/cm2/Angstrom"
WAVE = np.linspace(4000.0, 6000.0, 800)


@pytest.mark.parametrize(
    "text",
    [
        "1E-17 erg/cm^2/s/Ang", "10^-17 ergs/s/cm^2/A", "10-17 erg/cm2/s/A", "1.0E-17 erg/cm/s/Ang",
        "10**-17 erg/(s cm2 Angstrom)", "10^{-17} erg s^{-1} cm^{-2} \\AA^{-1}", "10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹",
        "1 x 10^-17 erg/s/cm2/A", "10(-17) erg/s/cm2/A", "Flux in 1e-17 erg/s/cm2/A", "1e-17erg/s/cm2/A",
    ],
)  # fmt: skip
def test_every_way_of_writing_the_factor(text):
    assert flux_unit(text).to(FLAM17) == pytest.approx(1)


@pytest.mark.parametrize(
    "text",
    ["km/s", "mag", "deg", "10e-17 erg/s/cm2/A", "K", "", "flambda", "1e-17", "10^17 erg/s/cm2/A", "1e17ergs-1cm-2A-1"],
)
def test_what_is_no_unit_of_flux_or_could_be_two(text):
    assert flux_unit(text) is None


def test_units_of_axes():
    assert axis_unit("millimicrons").unit == u.nm
    assert [axis_unit(text).scale for text in ("log10(Angstrom)", "ln(Angstrom)", "log(nm)")] == ["log10", "ln", "log"]
    assert all(axis_unit(text) is None for text in ("km/s", "pixel", "deg", ""))


@pytest.mark.parametrize(
    ("names", "role"),
    [
        ("wavelength WAVE lam_obs wave_air LAMBDA spectral_axis wlen obswave", "wavelength"),
        ("loglam LOGLAM log10_wavelength log_lambda", "log10_wavelength"),
        ("flux FLUX_LAMBDA f_lambda obj_flux FluxDensity intensity FLUX_REDUCED counts", "flux"),
        ("err FLUX_ERR fluxerr e_flux SIGMA flux_unc uncertainty std_dev", "error"),
        ("ivar inverse_variance FLUX_IVAR invvar", "ivar"),
        ("mask DQ QUAL pixel_flags bad_pixels gpm", "mask"),
        ("sky_flux SkyFlux BestFit model_flux fwhm_lsf wave_err SNR continuum telluric and_mask BKGD_ERROR", "other"),
    ],
)
def test_roles_by_name(names, role):
    assert {name: understand(name).role for name in names.split()} == dict.fromkeys(names.split(), role)


@pytest.mark.parametrize("name", ["flux_b", "epoch1", "signal", "x", "lnlam"])
def test_names_with_an_unknown_word_say_nothing(name):
    assert understand(name).role is None


def test_ucds_of_eso_say_medium_and_which_flux_is_meant(tmp_path):
    names = (
        ("WAVE", "em.wl;obs.atmos", "nm"),
        ("FLUX_REDUCED", "phot.flux.density;em.wl;stat.uncalib", "adu"),
        ("FLUX", "phot.flux.density;em.wl;src.net;meta.main", FLAM),
        ("QUAL", "meta.code.qual;meta.main", None),
    )
    values = (WAVE / 10, WAVE * 9, WAVE * 0 + 1, (np.arange(800) < 5).astype(int))
    columns = [fits.Column(n, "800D", unit=unit, array=[v]) for (n, _, unit), v in zip(names, values, strict=True)]
    hdu = fits.BinTableHDU.from_columns(columns, name="SPECTRUM")
    for number, (_, ucd, _) in enumerate(names, 1):
        hdu.header[f"TUCD{number}"] = ucd
    hdu.writeto(tmp_path / "a.fits")
    (spectrum,) = read_spectra(tmp_path / "a.fits")
    assert spectrum.meta["medium_of_file"] == "air"
    assert spectrum.mask.sum() == 5
    assert np.median(spectrum.flux.value) == 1
    assert spectrum.meta["ignored"] == ["FLUX_REDUCED"]


def write(path, *columns):
    hdu = fits.BinTableHDU.from_columns([fits.Column(name, "D", array=v, unit=unit) for name, v, unit in columns])
    hdu.writeto(path, overwrite=True)
    return path


def _call(message):
    """What the call in a refusal passes."""
    given = re.search(r"read_spectra\(path, (.*?)\)(?: |$|, or)", message)
    return eval(f"dict({given[1]})")


ASKED = {
    "two fluxes": [("wave", WAVE, "Angstrom"), ("epoch1", WAVE, FLAM), ("epoch2", WAVE, FLAM)],
    "two names": [("wave", WAVE, "Angstrom"), ("obj_flux", WAVE, FLAM), ("flux", WAVE, FLAM)],
    "no unit": [("wave", WAVE, None), ("flux", WAVE, None)],
    "no names": [("a", WAVE, None), ("b", WAVE, None)],
    "error in another unit": [("wave", WAVE, "Angstrom"), ("flux", WAVE, FLAM), ("err", WAVE, "mag")],
    "sense of the mask": [("wave", WAVE, "Angstrom"), ("flux", WAVE, FLAM), ("mask", WAVE * 0 + (WAVE > 4500), None)],
    "logarithm": [("wave", np.log10(WAVE), "Angstrom"), ("flux", WAVE, FLAM)],
}


@pytest.mark.parametrize("case", ASKED)
def test_the_call_that_a_refusal_names_reads_the_file(case, tmp_path):
    path = write(tmp_path / "a.fits", *ASKED[case])
    with pytest.raises(AgnsalError, match="read_spectra") as caught:
        read_spectra(path)
    said = _call(str(caught.value)) if case != "logarithm" else {"units": {"wavelength": "log10(Angstrom)"}}
    (spectrum,) = read_spectra(path, **said)
    assert len(spectrum.flux) == 800
    np.testing.assert_allclose(spectrum.spectral_axis.value, WAVE)


TEXTS = {
    "# wavelength [nm] flux [erg/s/cm2/A]": ("erg/s/cm2/Angstrom", 0.1),
    "wavelength [um], flux [relative]": ("", 1e-4),
    "# wave_air  flux  novel\n# (A)  (erg/s/cm2/A)  ()": ("erg/s/cm2/Angstrom", 1.0),
    "# units_wave: nm\n# units_flux: mJy\n# wave flux": ("mJy", 0.1),
    "# 1: wavelength [nm]\n# 2: flux [Jy]": ("Jy", 0.1),
}


@pytest.mark.parametrize("header", TEXTS)
def test_headers_of_text_are_believed(header, tmp_path):
    unit, factor = TEXTS[header]
    extra = " 7.0" if "novel" in header else ""
    path = tmp_path / "a.txt"
    path.write_text(header + "\n" + "\n".join(f"{w * factor:.8g} {w / 100:.8g}{extra}" for w in WAVE))
    (spectrum,) = read_spectra(path, medium="vacuum")
    np.testing.assert_allclose(spectrum.spectral_axis.value, WAVE, rtol=1e-6)
    np.testing.assert_allclose(spectrum.flux.value, WAVE / 100, rtol=1e-6)
    assert spectrum.unit == (flux_unit(unit) or u.dimensionless_unscaled)
    assert spectrum.uncertainty is None


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"{w / 10} 1.0" for w in WAVE),  # could be nm
        "\n".join(f"{w} 1.0 1.2" for w in WAVE),  # a second epoch?
        "# wavelength flux error\n" + "\n".join(f"{w} 1.0" for w in WAVE),  # does not fit
    ],
)
def test_texts_that_do_not_say_are_refused_and_the_call_reads_them(text, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(AgnsalError, match="read_spectra") as caught:
        read_spectra(path)
    (spectrum,) = read_spectra(path, **_call(str(caught.value)))
    np.testing.assert_allclose(spectrum.spectral_axis.value, WAVE)


def test_decimal_commas_and_the_row_numbers_of_r(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("wave [Angstrom];flux [mJy]\n" + "\n".join(f"{w:.3f};1,5".replace(".", ",") for w in WAVE))
    assert read_spectra(path)[0].flux.value[0] == 1.5
    path.write_text('"wave" "flux" "err"\n' + "\n".join(f'"{i}" {w} 2 0.1' for i, w in enumerate(WAVE)))
    (spectrum,) = read_spectra(path, units={"wavelength": "Angstrom", "flux": "relative"})
    assert spectrum.spectral_axis.value[0] == 4000


@pytest.mark.filterwarnings("ignore:The unit .Angstrom. has been deprecated in the VOUnit")  # of the writer
def test_votable(tmp_path):
    QTable({"wavelength": WAVE * u.AA, "flux": WAVE * u.mJy}).write(tmp_path / "a.xml", format="votable")
    assert read_spectra(tmp_path / "a.xml")[0].unit == u.mJy


def test_a_column_at_rest_is_moved_once(tmp_path):
    path = write(tmp_path / "a.fits", ("lam_rest", WAVE, "Angstrom"), ("flux", WAVE, FLAM))
    assert read_spectra(path, redshift=0.5)[0].spectral_axis.value[0] == 6000
    with pytest.raises(AgnsalError, match="redshift is not known"):
        read_spectra(path)


def test_pixels_without_wavelength_and_weight_are_left_out(tmp_path):
    ivar, wave = np.ones(800), WAVE.copy()
    wave[:3], ivar[:3] = 0, 0
    path = write(tmp_path / "a.fits", ("wave", wave, "Angstrom"), ("flux", WAVE, FLAM), ("ivar", ivar, None))
    assert len(read_spectra(path)[0].flux) == 797


def test_a_truth_value_is_no_redshift(tmp_path):
    columns = [fits.Column("wave", "800D", array=[WAVE], unit="Angstrom"), fits.Column("Z", "L", array=[True])]
    columns.append(fits.Column("flux", "800D", array=[WAVE], unit=FLAM))
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    assert read_spectra(tmp_path / "a.fits")[0].meta["redshift"] is None


def test_inspection_is_a_page_of_80_columns_and_harmless(tmp_path):
    path = write(tmp_path / "a.fits", ("wave", WAVE, "Angstrom"), ("flux", WAVE, FLAM), ("sky<b>", WAVE, FLAM))
    report = inspect_spectra(path)
    assert (report.layout, report.n_spectra, list(report.ignored)) == ("tabular-fits", 1, ["sky<b>"])
    assert max(map(len, str(report).splitlines())) <= 80
    assert "<b>" not in report._repr_html_()
    assert "&lt;b&gt;" in report._repr_html_()
    refused = inspect_spectra(write(tmp_path / "b.fits", ("a", WAVE, None), ("b", WAVE, None)))
    assert refused.layout is None
    assert "read_spectra(path" in refused.refusal
    assert "not understood" in str(refused)


@pytest.mark.parametrize("start", [b"\x1f\x8b", b"BZh9", b"SIMPLE", b"PAR1", b"\x89HDF", b"<VOTABLE", b"# %ECSV"])
def test_beginnings_of_files_are_refused(start, tmp_path):
    (tmp_path / "a").write_bytes(start)
    with pytest.raises(AgnsalError):
        read_spectra(tmp_path / "a")


@pytest.mark.parametrize("path", [None, "", 7, [None], [""], "a" * 5000, ["a\0b"]])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(AgnsalError):
        read_spectra(path)


def test_loaders_of_specutils_are_asked_by_signature_and_the_sky_is_left_out(tmp_path):
    hdu = fits.PrimaryHDU(np.array([[WAVE * 0 + 1], [WAVE * 0 + 9]]))
    hdu.header.update(MSTITLE="2dF-SDSS LRG/QSO survey", CRVAL1=4000.0, CD1_1=2.5, CRPIX1=1.0)
    hdu.writeto(tmp_path / "a.fits")
    (spectrum,) = read_spectra(tmp_path / "a.fits")
    assert (spectrum.meta["format"], spectrum.meta["medium_of_file"]) == ("2SLAQ-LRG", "air")
    assert np.median(spectrum.flux.value) == 1


def test_what_is_used_by_the_users_word_or_by_its_unit_is_not_ignored(tmp_path):
    path = write(tmp_path / "a.fits", ("w", WAVE, "Angstrom"), ("a", WAVE, FLAM), ("flux", WAVE, FLAM))
    (spectrum,) = read_spectra(path, columns={"flux": "a"}, medium="vacuum")
    assert spectrum.meta["ignored"] == ["flux"]


@pytest.mark.parametrize("names", [("", ""), ("BLUE", "RED")])
@pytest.mark.parametrize("units", [("Angstrom", FLAM), (None, None)])
def test_one_of_several_tables_is_read_as_advised(tmp_path, names, units):
    hdus = [
        fits.BinTableHDU.from_columns(
            [fits.Column("lam", "D", array=WAVE, unit=units[0]), fits.Column("flux", "D", array=WAVE, unit=units[1])],
            name=name,
        )
        for name in names
    ]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "a.fits")
    with pytest.raises(AgnsalError, match="arms are not joined") as caught:
        read_spectra(tmp_path / "a.fits")
    (spectrum,) = read_spectra(tmp_path / "a.fits", **_call(str(caught.value)), medium="vacuum")
    np.testing.assert_allclose(spectrum.spectral_axis.value, WAVE)


def test_errors_that_are_shares_of_the_flux_are_not_called_errors_of_its_unit(tmp_path):
    """To say that 5 % are 5 mJy would read, and be wrong."""
    rows = "\n".join(f"{4000 + 10 * i} 10 5" for i in range(200))
    path = tmp_path / "a.txt"
    path.write_text("# wavelength [Angstrom] flux [mJy] error [%]\n" + rows)
    with pytest.raises(AgnsalError, match="a share of the flux"):
        read_spectra(path, medium="air")


@pytest.mark.parametrize("text", ["AB", "ABmag", "AB mag", "mag(AB)", "mag AB", "AB magnitude"])
def test_ab_magnitudes_are_said_in_many_ways(text):
    assert flux_unit(text) == u.ABmag


def test_ab_magnitudes_of_an_image_become_flux_density(tmp_path):
    hdu = fits.PrimaryHDU(np.full(WAVE.size, 20.0))
    hdu.header.update({"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0})
    hdu.header["BUNIT"] = "mag"
    error = fits.ImageHDU(np.full(WAVE.size, 0.1), name="ERR")
    fits.HDUList([hdu, error]).writeto(tmp_path / "a.fits")
    with pytest.raises(AgnsalError, match="no unit") as caught:
        read_spectra(tmp_path / "a.fits")
    (spectrum,) = read_spectra(tmp_path / "a.fits", **_call(str(caught.value)))
    np.testing.assert_allclose(spectrum.flux.to_value(u.uJy), 36.307805)
    noise = spectrum.uncertainty.array**-0.5 / spectrum.flux.value
    np.testing.assert_allclose(noise, 0.1 * 0.4 * np.log(10))


@pytest.mark.parametrize("text", ["flux*1e17 [erg/s/cm2/A]", "flux x 10^17 [erg/s/cm2/A]", "flux [10^17 erg/s/cm2/A]"])
def test_a_factor_the_flux_was_multiplied_by_is_asked_about(text, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"wave [Angstrom],{text}\n" + "\n".join(f"{w},2.0" for w in WAVE))
    with pytest.raises(AgnsalError, match="read_spectra"):
        read_spectra(path)


def test_a_factor_without_a_unit_is_kept_in_the_call(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("wave [Angstrom],flux [1e-15]\n" + "\n".join(f"{w},2.0" for w in WAVE))
    with pytest.raises(AgnsalError, match="read_spectra") as caught:
        read_spectra(path)
    (spectrum,) = read_spectra(path, **_call(str(caught.value)))
    assert spectrum.unit == u.Unit("1e-15 erg / (s cm2 AA)")
