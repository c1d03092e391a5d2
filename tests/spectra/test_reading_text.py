"""Texts: read by what the lines above the numbers say, else refused with the call that reads them."""

import ast
import re

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table

from agnsal import AgnsalError, read_spectra

WAVE = np.linspace(4000.0, 6000.0, 60)
FLUX = 5.0 + np.sin(WAVE / 100)
ERROR = np.full(60, 0.5)
FLAM = u.Unit("erg / (s cm2 Angstrom)")


def written(folder, *head, columns=(WAVE, FLUX, ERROR), delimiter=" ", name="s.txt", digits=6):
    rows = [delimiter.join(f"{value:.{digits}g}" for value in row) for row in zip(*columns, strict=True)]
    path = folder / name
    path.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
    return path


def read(path, **options):
    (spectrum,) = read_spectra(path, **{"medium": "vacuum"} | options)
    return spectrum


def as_advised(error, path):
    """What the call that a message gives reads."""
    call = re.search(r"read_spectra\(path, (.*?\}|mask='\w+')\)", str(error))
    options = {word.arg: ast.literal_eval(word.value) for word in ast.parse(f"f({call[1]})", mode="eval").body.keywords}
    return read(path, **options)


def assert_right(spectrum, *, scale=1.0, unit=None, error=0.5):
    np.testing.assert_allclose(spectrum.spectral_axis.to_value(u.AA), WAVE * scale, rtol=1e-5)
    np.testing.assert_allclose(spectrum.flux.value, FLUX, rtol=1e-5)
    if unit is not None:
        assert spectrum.flux.unit.is_equivalent(unit)
        assert spectrum.flux.unit.to(unit) == pytest.approx(1)
    assert spectrum.uncertainty is not None if error else spectrum.uncertainty is None
    if error:
        np.testing.assert_allclose(spectrum.uncertainty.array, error**-2)


@pytest.mark.parametrize(
    "head",
    [
        ["# wavelength [nm] flux [erg/s/cm2/A] error [erg/s/cm2/A]"],
        ["# Wavelength (nm)   Flux (erg/s/cm2/A)   Flux error (erg/s/cm2/A)"],
        ["wavelength [nm], flux [erg s^-1 cm^-2 A^-1], sigma"],
        ["# wave flux err", "# nm erg/s/cm2/A erg/s/cm2/A"],
        ["# wave flux err", "# (nm) (erg/s/cm2/A) (erg/s/cm2/A)"],
        ["wave flux err", "nm erg/s/cm2/A erg/s/cm2/A", "---- ---- ----"],
        ["#wave/nm flux/(erg/s/cm2/A) err"],
        ["wave_nm flux_flam[erg/s/cm2/A] err"],
        ["# 1 wavelength [nm]", "# 2 flux [erg/s/cm2/A]", "# 3 error"],
        ["# column 1: wavelength (nm)", "# column 2: flux (erg/s/cm2/A)", "# column 3: sigma"],
        ["# col1 = wave nm", "# col2 = flux erg/s/cm2/A", "# col3 = err"],
        ["# units_wave: nm", "# units_flux: erg/s/cm2/A", "# wave flux err"],
        ["# wavelength unit = nm", "# flux unit = erg/s/cm2/A", "# wave flux err"],
        ["# wavelength: nm", "# flux: erg/s/cm2/A", "# wavelength flux error"],
        ["# units: nm, erg/s/cm2/A, erg/s/cm2/A", "# wave flux err"],
        ["Object: NGC 1", "Observed with care", "wave[nm] flux[erg/s/cm2/A] err"],
    ],
)
def test_units_wherever_they_stand(tmp_path, head):
    path = written(tmp_path, *head, columns=(WAVE / 10, FLUX, ERROR))
    assert_right(read(path), unit=FLAM)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        ("flux[Jy] err wave[um]", (1, 2, 0)),
        ("sigma wave[um] flux[Jy]", (2, 0, 1)),
        ("wave[um] sky_flux[Jy] obj_flux[Jy] err", (0, 3, 1, 2)),
        ("wave[um] continuum[Jy] flux[Jy] err quality_note", (0, 3, 1, 2, 4)),
        ("wave[um] flux[Jy] flux_model[Jy] err airmass", (0, 1, 3, 2, 4)),
        ("id wave[um] flux[Jy] err", (4, 0, 1, 2)),
    ],
)
def test_columns_by_name_in_any_order(tmp_path, names, order):
    known = (WAVE / 1e4, FLUX, ERROR, 9 * FLUX, np.arange(60.0) + 1)
    spectrum = read(written(tmp_path, "# " + names, columns=[known[k] for k in order], digits=8))
    assert_right(spectrum, unit=u.Jy)
    unused = {re.sub(r"\[.*", "", name) for name in names.split()} - {"wave", "flux", "obj_flux", "err", "sigma"}
    assert set(spectrum.meta["ignored"]) == unused


REFUSED = {
    "two epochs": (["# wave[AA] epoch1 epoch2"], "flux", 1),
    "two fluxes": (["# wave[AA] flux_a[Jy] flux_b[Jy]"], "flux", 1),
    "no units": (["# lam_obs flux_unc FLUX_LAMBDA"], "no unit that is understood", 1),
    "magnitudes": (["# wave [AA] flux [mag] err"], "no unit that is understood", 1),
    "a sky alone": (["# wave[A] sky[Jy] err"], "says that it is the flux", 1),
    "a factor in a name": (["# wave[A] flux_1e-17[erg/s/cm2/A] err"], "says that it is the flux", 1),
    "two units": (["# wave unit: nm", "# wave[A] flux[Jy] err"], "'A or nm'", 1),
    "prose about units": (["# the wavelengths are in nm"], "not understood", 10),
    "more names than columns": (["# wavelength [nm], flux [Jy], flux error [Jy], sky"], "not understood", 10),
}


@pytest.mark.parametrize("cause", REFUSED)
def test_what_is_not_said_is_asked_and_the_answer_works(tmp_path, cause):
    head, match, scale = REFUSED[cause]
    path = written(tmp_path, *head, columns=(WAVE / scale, FLUX, ERROR))
    with pytest.raises(AgnsalError, match=match) as caught:
        read(path)
    assert "Say what it is" in str(caught.value)
    np.testing.assert_allclose(as_advised(caught.value, path).spectral_axis.value, WAVE, rtol=1e-5)


@pytest.mark.parametrize(("scale", "unit"), [(10, "nm"), (4, "nm"), (1e4, "um"), (1e10, "m")])
def test_bare_numbers_that_may_not_be_angstrom_are_asked_for(tmp_path, scale, unit):
    path = written(tmp_path, columns=(WAVE / scale, FLUX), digits=9)
    with pytest.raises(AgnsalError, match="does not look like Angstrom") as caught:
        read(path)
    assert as_advised(caught.value, path).spectral_axis.unit == u.AA
    said = read(path, units={"wavelength": unit})
    factor = u.Unit(unit).to(u.AA) / scale
    assert_right(said, scale=factor, unit=u.dimensionless_unscaled, error=None)


def test_bare_columns_by_number(tmp_path):
    path = written(tmp_path, columns=(ERROR, WAVE, 9 * FLUX, FLUX))
    with pytest.raises(AgnsalError, match="4 columns without names"):
        read(path)
    said = read(path, columns={"wavelength": 2, "flux": 4, "error": 1}, units={"flux": "mJy"})
    assert_right(said, unit=u.mJy)
    named = written(tmp_path, "wave[AA] flux[Jy] err", columns=(WAVE, ERROR, FLUX))
    assert_right(read(named, columns={"flux": 3, "error": "flux"}, units={"flux": "Jy"}), unit=u.Jy)
    with pytest.raises(AgnsalError, match="no such column"):
        read(named, columns={"flux": 7})


@pytest.mark.parametrize("third", [FLUX - 5, 1.2 * FLUX, 0.8 * FLUX, 9 * FLUX], ids=["negative", "up", "down", "sky"])
def test_a_third_bare_column_that_is_no_error_is_asked_about(tmp_path, third):
    path = written(tmp_path, columns=(WAVE, FLUX, third))
    with pytest.raises(AgnsalError, match="third column"):
        read(path)
    assert_right(read(path, columns={"wavelength": 1, "flux": 2}), error=None)


def test_one_long_row_is_asked_about(tmp_path):
    path = tmp_path / "row.txt"
    path.write_text(" ".join(f"{value:.2f}" for value in WAVE))
    with pytest.raises(AgnsalError, match="one row of 60 numbers"):
        read(path)


@pytest.mark.parametrize("delimiter", [";", "\t", " "])
def test_decimal_commas(tmp_path, delimiter):
    path = written(tmp_path, delimiter.join(("wave[AA]", "flux[Jy]", "err")), delimiter=delimiter)
    path.write_text(path.read_text().replace(".", ","))
    assert_right(read(path), unit=u.Jy)


def test_row_numbers_of_r_are_no_wavelengths(tmp_path):
    path = written(tmp_path, '"wave[AA]" "flux[Jy]" "err"', columns=(1 + np.arange(60.0), WAVE, FLUX, ERROR))
    assert_right(read(path), unit=u.Jy)
    odd = written(tmp_path, '"wave[AA]" "flux[Jy]" "err"', columns=(ERROR, WAVE, FLUX, ERROR))
    with pytest.raises(AgnsalError, match="4 columns and the line above them names 3"):
        read(odd)


def test_index_column_of_pandas_is_left_out(tmp_path):
    head = ",wave [AA],flux [Jy],err"
    path = written(tmp_path, head, columns=(np.arange(60.0), WAVE, FLUX, ERROR), delimiter=",")
    assert_right(read(path), unit=u.Jy)


@pytest.mark.parametrize("null", ["null", "NaN", "--", "", "N/A"])
def test_null_cells_are_bad_pixels(tmp_path, null):
    path = written(tmp_path, "wave [AA],flux [Jy],err", delimiter=",")
    lines = path.read_text().splitlines()
    lines[4] = f"{lines[4].split(',')[0]},{null},0.5"
    path.write_text("\n".join(lines))
    assert list(np.flatnonzero(read(path).mask)) == [3]


@pytest.mark.parametrize(
    ("name", "unit"),
    [("counts", u.ct), ("normalized_flux", u.dimensionless_unscaled), ("relative flux", u.dimensionless_unscaled)],
)
def test_names_that_say_the_unit(tmp_path, name, unit):
    assert_right(read(written(tmp_path, f"Angstrom,{name},err", delimiter=",")), unit=unit)


def test_ab_magnitudes_become_flux_density(tmp_path):
    path = written(tmp_path, "wave[AA] flux[AB mag]", columns=(WAVE, 20 + 0 * WAVE))
    np.testing.assert_allclose(read(path).flux.to_value(u.uJy), 36.3078, rtol=1e-5)
    path = written(tmp_path, "wave[AA] mag[AB]", columns=(WAVE, 20 + 0 * WAVE))
    with pytest.raises(AgnsalError, match="says that it is the flux") as caught:
        read(path)
    np.testing.assert_allclose(as_advised(caught.value, path).flux.to_value(u.uJy), 36.3078, rtol=1e-5)


@pytest.mark.parametrize("cell", ["{} # fine", "{},"], ids=["remark", "trailing comma"])
def test_what_ends_every_row_is_cut_off(tmp_path, cell):
    rows = [cell.format(f"{w:.3f}, {f:.6f}, 0.5") for w, f in zip(WAVE, FLUX, strict=True)]
    path = tmp_path / "s.csv"
    path.write_text("\n".join(["wave[AA],flux[Jy],err" + cell[2:].rstrip("# fine"), *rows]))
    assert_right(read(path), unit=u.Jy)


@pytest.mark.parametrize("bar", ["| ", "\\AA "])
def test_a_bar_or_a_backslash_alone_makes_no_ipac_table(tmp_path, bar):
    path = written(tmp_path, bar + "made by hand", "# wave[AA] flux[Jy] err")
    assert_right(read(path), unit=u.Jy)


def test_names_are_found_below_a_long_log(tmp_path):
    log = [f"# step {number} is done" for number in range(5000)]
    assert_right(read(written(tmp_path, *log, "# wave[nm] flux[Jy] err", columns=(WAVE / 10, FLUX, ERROR))), unit=u.Jy)


def test_prose_with_numbers_is_no_table(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("# Spectra\nTaken\nin 2019\nand with 3 arms\nby two of us\nin the end\n")
    with pytest.raises(AgnsalError, match="without columns of numbers"):
        read(path)


@pytest.mark.parametrize("name", ["velocity[km/s]", "wave[km/s]", "wave[pixel]", "wavelength[deg]"])
def test_what_is_no_light_is_never_suggested_as_wavelengths(tmp_path, name):
    with pytest.raises(AgnsalError, match="convert them") as caught:
        read(written(tmp_path, f"{name} flux[Jy] err"))
    assert "read_spectra(path" not in str(caught.value)


def test_a_stated_null_value_is_a_bad_pixel(tmp_path):
    flux = np.where(np.arange(60) == 7, -999, FLUX)
    path = written(tmp_path, "# nodata = -999", "# wave[AA] flux[Jy] err", columns=(WAVE, flux, ERROR))
    assert list(np.flatnonzero(read(path).mask)) == [7]


@pytest.mark.parametrize("name", ["mask", "dq", "pixel_mask", "bad"])
def test_quality_columns_of_text(tmp_path, name):
    path = written(tmp_path, f"wave[AA] flux[Jy] {name}", columns=(WAVE, FLUX, np.arange(60) % 9 == 3))
    assert list(np.flatnonzero(read(path).mask)) == list(range(3, 60, 9))


@pytest.mark.parametrize(
    ("head", "medium"),
    [
        (["# wave_air[AA] flux[Jy] err"], "air"),
        (["# wave[AA] flux[Jy] err", "# medium: air"], "air"),
        (["# wavelengths in air", "# wave[AA] flux[Jy] err"], "air"),
        (["# lam_vac[AA] flux[Jy] err"], "vacuum"),
        (["# wave[Angstrom, air] flux[Jy] err"], "air"),
    ],
)
def test_medium_of_text(tmp_path, head, medium):
    (spectrum,) = read_spectra(written(tmp_path, *head))
    assert spectrum.meta["medium_of_file"] == medium
    assert spectrum.meta["assumed"] == []


@pytest.mark.parametrize("head", [["# wave_rest[AA] flux[Jy] err"], ["# rest-frame", "# wave[AA] flux[Jy] err"]])
def test_rest_frame_of_text_moves_or_asks(tmp_path, head):
    path = written(tmp_path, *head)
    with pytest.raises(AgnsalError, match="redshift"):
        read(path)
    assert_right(read(path, redshift=0.1), scale=1.1)


def test_wavelengths_said_as_logarithms(tmp_path):
    for name in ("loglam", "log10(lambda)", "log(wavelength)", "log10_wave"):
        path = written(tmp_path, f"{name} flux[Jy] err", columns=(np.log10(WAVE), FLUX, ERROR), digits=12)
        assert_right(read(path), unit=u.Jy)


def test_logarithms_of_other_units(tmp_path):
    for name in ("log10(lambda/nm)", "loglam[log10(nm)]", "log10(wave [nm])"):
        path = written(tmp_path, f"{name} flux[Jy] err", columns=(np.log10(WAVE / 10), FLUX, ERROR), digits=12)
        assert_right(read(path), unit=u.Jy)


def test_votable_by_names_ucds_and_utypes(tmp_path):
    table = Table({"a": WAVE / 10, "b": FLUX, "c": ERROR, "d": 9 * FLUX})
    table["a"].unit, table["b"].unit, table["c"].unit, table["d"].unit = "nm", "Jy", "Jy", "Jy"
    from astropy.io.votable import from_table

    document = from_table(table)
    ucds = ("em.wl", "phot.flux.density;em.wl;meta.main", "stat.error;phot.flux.density", "phot.flux.density;instr.sky")
    for field, ucd in zip(document.get_first_table().fields, ucds, strict=True):
        field.ucd = ucd
    for form in ("tabledata", "binary2"):
        document.to_xml(str(tmp_path / "s.xml"), tabledata_format=form)
        assert_right(read(tmp_path / "s.xml"), unit=u.Jy)
    QTable({"wavelength": WAVE / 10 * u.nm, "flux": FLUX * u.mJy}).write(tmp_path / "t.vot", format="votable")
    assert_right(read(tmp_path / "t.vot"), unit=u.mJy, error=None)


def test_votable_whose_data_are_elsewhere_is_refused(tmp_path):
    path = tmp_path / "s.xml"
    path.write_text(
        '<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="wave" datatype="double"/><DATA><BINARY>'
        '<STREAM href="file:///nowhere"/></BINARY></DATA></TABLE></RESOURCE></VOTABLE>'
    )
    with pytest.raises(AgnsalError, match="elsewhere"):
        read(path)


def test_ecsv_keeps_the_units_of_errors(tmp_path):
    table = QTable({"wavelength": WAVE * u.AA, "flux": FLUX * u.Jy, "error": ERROR * 1e3 * u.mJy})
    table.write(tmp_path / "s.ecsv")
    assert_right(read(tmp_path / "s.ecsv"), unit=u.Jy)


def test_errors_in_a_unit_that_does_not_fit_are_asked_about(tmp_path):
    path = written(tmp_path, "wave[AA] flux[Jy] err[erg/s/cm2/A]")
    with pytest.raises(AgnsalError, match="does not fit"):
        read(path)


def test_a_text_that_lacks_a_unit_is_not_passed_over_in_a_folder(tmp_path):
    written(tmp_path, "wave flux err")
    with pytest.raises(AgnsalError, match="no unit that is understood"):
        read_spectra(tmp_path)


CARDS = ["DC-FLAG =                    0", "CUNIT1  = 'nm      '           / unit of the axis", "BUNIT   = 'mJy'"]


@pytest.mark.parametrize("mark", ["", "# "])
def test_cards_of_fits_above_the_numbers_are_believed(mark, tmp_path):
    """As IRAF's wspectext writes them, and others in comments."""
    rows = [f"{w / 10:.8g} {f:.8g}" for w, f in zip(WAVE, FLUX, strict=True)]
    path = tmp_path / "a.txt"
    path.write_text("\n".join([*(f"{mark}{card}" for card in [*CARDS, "REDSHIFT=  0.05", "END"]), *rows]))
    spectrum = read(path)
    np.testing.assert_allclose(spectrum.spectral_axis.value, WAVE, rtol=1e-6)
    assert (spectrum.unit, spectrum.meta["redshift"]) == (u.mJy, 0.05)


def test_units_of_some_columns_and_dashes(tmp_path):
    path = written(tmp_path, "# wave flux err", "# (AA) (mJy) --")
    assert_right(read(path), unit=u.mJy)


def test_an_error_may_say_how_many_sigma_it_is(tmp_path):
    path = written(tmp_path, "# Wavelength [A], Flux [mJy], 1-sigma error")
    assert_right(read(path), unit=u.mJy)
