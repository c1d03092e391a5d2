"""Images of spectra: which image is the flux, what its rows are, where its wavelengths, errors and masks stand."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from agnsal import AgnsalError, read_spectra
from agnsal.spectra.files.images.images import read_image

#: Axes that do not say their medium are taken in vacuum, with a warning that is tested in test_reading.
pytestmark = pytest.mark.filterwarnings("ignore:wavelengths taken as vacuum:agnsal.AgnsalWarning")

N = 600
WAVE = 4000.0 + 2.0 * np.arange(N)
FLUX = 10.0 + np.sin(WAVE / 50)
UNIT = "1e-17 erg/s/cm2/Angstrom"
AXIS = {"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0}


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("agnsal").setLevel(logging.ERROR)
    yield
    logging.getLogger("agnsal").setLevel(logging.NOTSET)


def image(data, name="", **cards):
    hdu = fits.ImageHDU(np.asarray(data, np.float64), name=name)
    hdu.header.update({key.replace("__", "-"): value for key, value in cards.items()})
    return hdu


def flux(data=FLUX, name="FLUX", **cards):
    return image(data, name, **AXIS | {"BUNIT": UNIT} | cards)


def write(path, *hdus):
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def check(spectrum, error=None, wavelength=WAVE, level=FLUX):
    np.testing.assert_allclose(spectrum.spectral_axis.value, wavelength, rtol=1e-6)
    np.testing.assert_allclose(spectrum.flux.value, level)
    if error is not None:
        np.testing.assert_allclose(spectrum.uncertainty.array, error**-2.0)


ERRORS = {
    **dict.fromkeys(("STD", "ERR", "ERROR", "ERRS", "ERRORS", "SIGMA", "NOISE", "UNCERT", "UNCERTAINTY", "STDEV"), 0.1),
    **dict.fromkeys(("VAR", "VARIANCE", "STAT"), 0.01),
    **dict.fromkeys(("IVAR", "INVVAR"), 100.0),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("kind", ["WAVE", "LINEAR", "WAVE-LOG", "given"])
def test_errors_in_extensions_of_every_name(name, kind, tmp_path):
    extra = [image(WAVE, "WAVELENGTH", BUNIT="Angstrom")] if kind == "given" else []
    main = flux(CTYPE1=kind) if kind != "given" else image(FLUX, "FLUX", BUNIT=UNIT)
    (spectrum,) = read_spectra(write(tmp_path / "a.fits", main, image(np.full(N, ERRORS[name]), name), *extra))
    np.testing.assert_allclose(spectrum.uncertainty.array, 100.0)


@pytest.mark.parametrize("name", ["DQ", "MASK", "QUAL", "QUALITY", "FLAGS"])
def test_masks_in_extensions_of_every_name(name, tmp_path):
    (spectrum,) = read_spectra(write(tmp_path / "a.fits", flux(), image(np.arange(N) == 7, name)))
    assert list(np.flatnonzero(spectrum.mask)) == [7]


@pytest.mark.parametrize("name", ["WAVELENGTH", "WAVE", "LAMBDA", "LOGLAM"])
def test_wavelengths_in_an_extension_win_over_the_header(name, tmp_path):
    curved = np.geomspace(3500.0, 9500.0, N)
    values = np.log10(curved) if name == "LOGLAM" else curved
    for main in (flux(), image(FLUX, "FLUX", BUNIT=UNIT)):
        path = tmp_path / f"{len(main.header)}.fits"
        (spectrum,) = read_spectra(write(path, main, image(values, name, BUNIT="Angstrom")))
        check(spectrum, wavelength=curved)
    without = write(tmp_path / "b.fits", image(FLUX, "FLUX", BUNIT=UNIT), image(values, name))
    with pytest.raises(AgnsalError, match=name):
        read_spectra(without)
    role = "log10_wavelength" if name == "LOGLAM" else "wavelength"
    with fits.open(without) as hdulist:  # as advised
        (record,) = read_image(hdulist, units={role: "Angstrom"})
    np.testing.assert_allclose(record.wavelength, curved)


@pytest.mark.parametrize("other", ["SKY", "MODEL", "BACKGROUND", "CONTINUUM", "TELLURIC"])
def test_what_is_no_flux_is_never_taken_for_it(other, tmp_path):
    (spectrum,) = read_spectra(write(tmp_path / "a.fits", flux(FLUX * 9, other), flux(name="OBJECT")))
    check(spectrum)
    assert other in spectrum.meta["ignored"]
    with pytest.raises(AgnsalError):
        read_spectra(write(tmp_path / "b.fits", flux(FLUX * 9, other)))


def test_two_images_that_could_be_the_flux_are_refused_with_advice_that_works(tmp_path):
    path = write(tmp_path / "a.fits", flux(name="EPOCH1"), flux(FLUX * 2, "EPOCH2"))
    with pytest.raises(AgnsalError, match="EPOCH2") as caught:
        read_spectra(path)
    assert "columns={'flux': 'EPOCH2'}" in str(caught.value)
    with fits.open(path) as hdulist:
        (record,) = read_image(hdulist, columns={"flux": "EPOCH2"})
    np.testing.assert_allclose(record.flux, FLUX * 2)


def test_versions_of_one_name_are_spectra_with_errors_of_their_own(tmp_path):
    hdus = []
    for version in (1, 2):
        for hdu in (flux(FLUX * version, "SCI"), image(np.full(N, 0.01 * version**2), "VAR")):
            hdu.ver = version
            hdus.append(hdu)
    first, second = read_spectra(write(tmp_path / "a.fits", *hdus))
    check(first, error=0.1)
    check(second, error=0.2, level=FLUX * 2)


@pytest.mark.parametrize("shape", [(N,), (1, N), (1, 1, N), (N, 1), (N, 1, 1)])
def test_one_spectrum_in_every_shape(shape, tmp_path):
    axis = len(shape) - shape.index(N)
    cards = {key.replace("1", str(axis)): value for key, value in AXIS.items()}
    if shape == (N, 1, 1):
        cards |= {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"}
    hdus = image(FLUX.reshape(shape), "DATA", BUNIT=UNIT, **cards), image(np.full(shape, 0.01), "STAT")
    (spectrum,) = read_spectra(write(tmp_path / "a.fits", *hdus))
    check(spectrum, error=0.1)


def test_cubes_are_refused_with_advice(tmp_path):
    cards = {key.replace("1", "3"): value for key, value in AXIS.items()} | {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
    with pytest.raises(AgnsalError, match=r"2 x 3 spaxels.*extract"):
        read_spectra(write(tmp_path / "a.fits", image(np.ones((N, 2, 3)), "DATA", BUNIT=UNIT, **cards)))


def test_stacks_of_spectra(tmp_path):
    rows = np.array([FLUX, FLUX * 2, FLUX * 3])
    for name, hdus in {
        "a": (flux(rows, DISPAXIS=1),),
        "b": (flux(rows), image(np.full(rows.shape, 0.1), "ERR")),
        "c": (flux(rows, APNUM1="1 1"),),
        "d": (image(rows.T, "FLUX", BUNIT=UNIT, **{k.replace("1", "2"): v for k, v in AXIS.items()}, DISPAXIS=2),),
    }.items():
        spectra = read_spectra(write(tmp_path / f"{name}.fits", *hdus))
        for number, spectrum in enumerate(spectra, 1):
            check(spectrum, level=FLUX * number, error=0.1 if name == "b" else None)
        assert len(spectra) == 3


def test_rows_of_which_nothing_is_said_are_refused_with_advice_that_works(tmp_path):
    path = write(tmp_path / "a.fits", flux([FLUX, FLUX * 0 + 0.1]))
    with pytest.raises(AgnsalError, match=r"2 rows.*ARRAY1"):
        read_spectra(path)
    fits.setval(path, "ARRAY1", value="flux", ext=1)
    fits.setval(path, "ARRAY2", value="error", ext=1)
    (spectrum,) = read_spectra(path)
    check(spectrum, error=0.1)
    with pytest.raises(AgnsalError, match="rises like wavelengths"):
        read_spectra(write(tmp_path / "b.fits", flux([FLUX, WAVE], DISPAXIS=1)))


def test_lamost_before_its_eighth_release(tmp_path):
    wave = 10 ** (3.5682 + 1e-4 * np.arange(N))
    rows = np.array([FLUX, np.full(N, 0.04), wave, np.arange(N) == 5, np.ones(N)])
    primary = fits.PrimaryHDU(rows)
    primary.header.update({"TELESCOP": "LAMOST", "COEFF0": 3.5682, "COEFF1": 1e-4, "CRVAL1": 3.5682, "CD1_1": 1e-4})
    primary.header.update({"CRPIX1": 1, "CTYPE1": "LINEAR", "DC-FLAG": 1, "VACUUM": True})
    fits.HDUList([primary]).writeto(tmp_path / "a.fits")
    (spectrum,) = read_spectra(tmp_path / "a.fits")
    np.testing.assert_allclose(spectrum.spectral_axis.value, wave)
    assert list(np.flatnonzero(spectrum.mask)) == [5]
    assert spectrum.uncertainty.array[0] == 0.04
    assert spectrum.meta["medium_of_file"] == "vacuum"


def test_uves_popler(tmp_path):
    rows = np.array([FLUX / 10, FLUX * 0 + 0.05, FLUX * 0 + 0.06, FLUX * 0 + 1, np.where(np.arange(N) == 3, -2, 1)])
    names = ("Normalized flux spectrum", "Normalized error", "Normalized expected fluctuation", "Continuum", "Status")
    primary = fits.PrimaryHDU(rows)
    primary.header.update({"CTYPE1": "LOGLIN", "CRPIX1": 1, "CRVAL1": 3.6, "CD1_1": 1e-5, "CDELT1": 1e-5, "DC-FLAG": 1})
    primary.header.update({f"ARRAY{number}": name for number, name in enumerate(names, 1)})
    fits.HDUList([primary]).writeto(tmp_path / "a.fits")
    (spectrum,) = read_spectra(tmp_path / "a.fits", medium="vacuum")
    check(spectrum, wavelength=10 ** (3.6 + 1e-5 * np.arange(N)), level=FLUX / 10)
    assert spectrum.uncertainty.array[0] == pytest.approx(400.0)
    assert list(np.flatnonzero(spectrum.mask)) == [3]
    assert "Continuum" in spectrum.meta["ignored"]


@pytest.mark.parametrize(
    ("name", "value", "unit", "right"),
    [
        ("ERR", 0.1, UNIT, True),
        ("ERR", 1e-18, "erg/s/cm2/Angstrom", True),
        ("STAT", 1e-36, "(erg/s/cm2/Angstrom)**2", True),
        ("ERR", 0.1, "mJy", False),
        ("ERR", 0.1, "percent", False),
        ("VAR", 0.01, UNIT, False),
    ],
)
def test_units_of_errors_fit_the_flux_or_are_refused(name, value, unit, right, tmp_path):
    path = write(tmp_path / "a.fits", flux(), image(np.full(N, value), name, BUNIT=unit))
    if right:
        check(read_spectra(path)[0], error=0.1)
    else:
        with pytest.raises(AgnsalError, match="does not fit the unit of its flux"):
            read_spectra(path)


def test_shapes_must_agree(tmp_path):
    for name in ("ERR", "MASK", "WAVELENGTH"):
        path = write(tmp_path / f"{name}.fits", flux(), image(np.ones(N - 1), name, BUNIT=""))
        with pytest.raises(AgnsalError, match=name):
            read_spectra(path)


@pytest.mark.parametrize("kind", ["StdDevUncertainty", "VarianceUncertainty", "InverseVariance"])
def test_what_nddata_writes(kind, tmp_path):
    value = {"StdDevUncertainty": 0.1, "VarianceUncertainty": 0.01, "InverseVariance": 100.0}[kind]
    check(
        read_spectra(write(tmp_path / "a.fits", flux(), image(np.full(N, value), "UNCERT", UTYPE=kind)))[0], error=0.1
    )


def test_fibers_of_a_plate_without_those_on_the_sky(tmp_path):
    rows = np.array([FLUX, FLUX * 9, FLUX * 2])
    primary = fits.PrimaryHDU(rows)
    primary.header.update({"COEFF0": 3.6, "COEFF1": 1e-4, "PLATEID": 406, "MJD": 51869, "TELESCOP": "SDSS 2.5-M"})
    cells = {"FIBERID": [1, 2, 3], "OBJTYPE": ["QSO", "SKY", "GALAXY"], "RA": [1.0, 2.0, 3.0], "DEC": [4.0, 5.0, 6.0]}
    hdus = [
        primary,
        *(fits.ImageHDU(np.full(rows.shape, value)) for value in (4.0, 0, 0, 1)),
        fits.BinTableHDU(Table(cells)),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    first, second = read_spectra(tmp_path / "a.fits")
    check(first, error=0.5, wavelength=10 ** (3.6 + 1e-4 * np.arange(N)))
    np.testing.assert_allclose(second.flux.value, FLUX * 2)
    assert [s.meta["object_id"] for s in (first, second)] == ["0406-51869-0001", "0406-51869-0003"]
    assert second.meta["ra"] == 3.0


@pytest.mark.parametrize("visits", [2, 0])
def test_apogee_gives_the_combined_spectrum(visits, tmp_path):
    primary = fits.PrimaryHDU()
    primary.header["HISTORY"] = "APOGEE Reduction Pipeline"
    if visits:
        primary.header["SFILE1"] = "apVisit-r12-1.fits"
    shape = (N,) if not visits else (2 + visits, N)
    cards = {"CTYPE1": "LOG-LINEAR", "CRVAL1": 4.179, "CDELT1": 6e-6, "CRPIX1": 1}
    hdus = [primary, image(np.broadcast_to(FLUX, shape), **cards), image(np.full(shape, 0.1), **cards)]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    (spectrum,) = read_spectra(tmp_path / "a.fits")
    check(spectrum, error=0.1, wavelength=10 ** (4.179 + 6e-6 * np.arange(N)))


def test_advice_of_refusals_works_as_calls_of_read_spectra(tmp_path):
    epochs = write(tmp_path / "a.fits", flux(name="EPOCH1"), flux(FLUX * 2, "EPOCH2"))
    check(read_spectra(epochs, columns={"flux": "EPOCH2"})[0], level=FLUX * 2)
    bare = write(tmp_path / "b.fits", image(FLUX, "FLUX", BUNIT=UNIT), image(WAVE / 10, "WAVELENGTH"))
    check(read_spectra(bare, units={"wavelength": "nm"})[0])
    logarithm = write(tmp_path / "c.fits", flux(CTYPE1="LINEAR", CRVAL1=3.6, CDELT1=1e-4))
    with pytest.raises(AgnsalError, match="log10_wavelength"):
        read_spectra(logarithm)
    found = read_spectra(logarithm, units={"log10_wavelength": "Angstrom"})[0]
    check(found, wavelength=10 ** (3.6 + 1e-4 * np.arange(N)))
    unknown = write(tmp_path / "d.fits", flux(BUNIT="furlong"))
    with pytest.raises(AgnsalError, match="units="):
        read_spectra(unknown)
    check(read_spectra(unknown, units={"flux": "erg/s/cm2/Angstrom"})[0])
    errors = write(tmp_path / "e.fits", flux(), image(np.full(N, 0.1), "ERR", BUNIT="mJy"))
    check(read_spectra(errors, units={"error": UNIT})[0], error=0.1)
    good = write(tmp_path / "f.fits", flux(), image(np.arange(N) != 4, "MASK"))
    assert list(np.flatnonzero(read_spectra(good, mask="good")[0].mask)) == [4]


def test_naming_the_loader_of_iraf_keeps_its_custom_of_air(tmp_path):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(
        FLUX, fits.Header({"CTYPE1": "LINEAR", "DC-FLAG": 0} | {k: AXIS[k] for k in list(AXIS)[2:]})
    ).writeto(path)
    assert read_spectra(path, format="iraf")[0].meta["medium_of_file"] == "air"


def test_images_without_a_name_are_called_by_their_number(tmp_path):
    path = write(tmp_path / "a.fits", flux(name=""), flux(FLUX * 2, ""))
    with pytest.raises(AgnsalError, match=r"which of its images.*columns=\{'flux': 'extension 2'\}"):
        read_spectra(path)
    (spectrum,) = read_spectra(path, columns={"flux": "extension 2"})
    check(spectrum, level=FLUX * 2)
    assert spectrum.meta["ignored"] == ["extension 1"]


def test_a_file_of_which_nothing_is_known_is_listed(tmp_path):
    with pytest.raises(AgnsalError, match=r"no layout known.*SKY .*600 \(not used\)"):
        read_spectra(write(tmp_path / "a.fits", flux(name="SKY")))
