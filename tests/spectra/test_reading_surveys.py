"""A built file for every layout that is known: the right spectrum, and the names of all that was not used."""

from __future__ import annotations

import importlib
import lzma

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from agnsal import AgnsalError, AgnsalWarning, inspect_spectra, read_spectra
from agnsal.spectra.files.formats import LAYOUTS
from agnsal.spectra.files.raw import bounds
from tests.spectra import survey_files as files
from tests.spectra.survey_files import AIR, FLUX, advised, model, to_vacuum

pytestmark = pytest.mark.filterwarnings("ignore:wavelengths taken as vacuum:agnsal.AgnsalWarning")
N = AIR.size
FLAM17 = u.Unit("1e-17 erg / (s cm2 AA)")
PER_ANGSTROM = u.ct / u.AA


def with_more(writer, path):
    """A file with an extension more than its layout needs."""
    with fits.open(writer(path), mode="append") as hdulist:
        hdulist.append(fits.ImageHDU(np.zeros(5), name="MORE"))
    return path


#: Layout: writer, medium, unit, inverse variance, and names of what is there and not used.
BUILT = {
    "SDSS-V spec": (lambda p: files.write_spec(p, release="V"), "vacuum", FLAM17, 4, {"SKY", "MODEL"}),
    "SDSS-III/IV spec": (files.write_spec, "vacuum", FLAM17, 4, {"sky", "model", "and_mask"}),
    "SDSS-I/II spSpec": (files.write_spspec, "vacuum", FLAM17, 4, {"flux less continuum", "mask"}),
    "OzDES": (files.write_ozdes, "air", PER_ANGSTROM, 4, {"BADPIX", "SINGLE", "SINGLE_VAR"}),
    "WiggleZ": (files.write_wigglez, "air", PER_ANGSTROM, 4, {"SKY"}),
    "GALAH": (files.write_galah, "air", u.ct, 4, {"NORMALISED", "UNREDUCED"}),
    "2SLAQ-LRG": (files.write_twoslaq, "air", u.ct / u.s, None, {"sky"}),
    "GAMA": (files.write_gama, "air", FLAM17, 4, {"row 3", "row 5"}),
    "2dFGRS": (files.write_twodfgrs, "air", u.ct / u.s, 0.04, {"sky", "PRIMARY"}),
    "6dFGS-split": (files.write_sixdfgs_image, "air", u.ct, 0.04, {"sky"}),
    "6dFGS-tabular": (files.write_sixdfgs_table, "air", u.ct / u.s, None, set()),
    "AAOmega and Marz": (files.write_aaomega, "air", u.ct, 4, {"RWSS", "REDUCTION_ARGS"}),
    "DESI coadd": (files.write_desi, "vacuum", FLAM17, 1, {"SCORES", "B_RESOLUTION"}),
    "DEEP2 spec1d": (files.write_deep2, "air", u.ct, 4, {"HORNE-B", "SKYSPEC"}),
    "SDSS spPlate": (files.write_plate, "vacuum", FLAM17, 4, {"ANDMASK", "ORMASK", "SKY"}),
    "APOGEE apStar": (files.write_apogee, "vacuum", FLAM17, 4, {"visits", "MASK"}),
    "SDSS-V mwm": (files.write_mwm, "vacuum", FLAM17, 4, {"snr"}),
    "PypeIt spec1d": (files.write_pypeit, "vacuum", FLAM17, 4, {"OPT_COUNTS"}),
    "wcs1d-fits": (files.write_manga, "vacuum", FLAM17, 4, {"DISP"}),
    "tabular-fits": (files.write_eso, "air", FLAM17 * 1e17, 4e34, {"SNR"}),
}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_reads_a_built_file_and_names_what_it_did_not_use(layout, tmp_path):
    writer, medium, unit, ivar, ignored = BUILT[layout.name]
    spectrum = read_spectra(writer(tmp_path / "a.fits"))[0]
    good = ~spectrum.mask
    assert (spectrum.meta["format"], spectrum.meta["medium_of_file"]) == (layout.name, medium)
    assert spectrum.unit.is_equivalent(unit)
    assert spectrum.unit.to(unit) == pytest.approx(1)
    ratio = (spectrum.flux.value / model(spectrum.spectral_axis.value))[good]
    assert np.ptp(ratio) / np.median(ratio) < 2e-3
    if ivar is None:
        assert spectrum.uncertainty is None
    else:
        assert np.median(spectrum.uncertainty.array[good]) == pytest.approx(ivar, rel=1e-6)
    assert ignored <= set(spectrum.meta["ignored"])
    assert not {"VARIANCE", "SIGMA", "IVAR", "ivar"} & set(spectrum.meta["ignored"])


#: Layouts that take a file apart by its number of extensions, or of which an added one is no part.
_BY_NUMBER = {"GALAH", "OzDES", "6dFGS-tabular", "6dFGS-split", "WiggleZ"}


@pytest.mark.parametrize("name", sorted(set(BUILT) - _BY_NUMBER))
def test_an_extension_of_which_nothing_is_known_is_named(name, tmp_path):
    path = with_more(BUILT[name][0], tmp_path / "a.fits")
    try:
        ignored = read_spectra(path)[0].meta["ignored"]
    except AgnsalError:  # an image beside a spectrum may be asked about
        assert name == "wcs1d-fits"
        return
    spec = name.startswith("SDSS") and name.endswith("spec")  # its headers are not walked through, for speed
    assert "MORE" in ignored or spec


def test_only_fibers_on_targets_are_spectra(tmp_path):
    (spectrum,) = read_spectra(files.write_aaomega(tmp_path / "a.fits"))
    meta = spectrum.meta
    assert (meta["object_id"], meta["row"], meta["object_type"]) == ("J0001", 1, "P")
    assert (meta["ra"], meta["dec"]) == (pytest.approx(150), pytest.approx(-30))
    np.testing.assert_allclose(spectrum.spectral_axis.value, to_vacuum(AIR), atol=1e-4)
    only_sky = files.write_aaomega(tmp_path / "b.fits")
    with fits.open(only_sky, mode="update") as hdulist:
        hdulist["FIBRES"].data["TYPE"] = "S"
    with pytest.raises(AgnsalError, match="no target"):
        read_spectra(only_sky)


@pytest.mark.parametrize("vacuum", [None, True, False])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_files_for_marz_follow_its_rules(vacuum, logarithmic, tmp_path):
    path = files.write_marz(tmp_path / "a.fits")
    with fits.open(path, mode="update") as hdulist:
        if vacuum is not None:
            hdulist[0].header["VACUUM"] = vacuum
        if logarithmic:
            hdulist[0].header["LOGSCALE"] = True
            hdulist["WAVELENGTH"].data = np.log10(AIR)
    (spectrum,) = read_spectra(path)
    assert spectrum.meta["medium_of_file"] == ("vacuum" if vacuum else "air")
    np.testing.assert_allclose(spectrum.spectral_axis.value, AIR if vacuum else to_vacuum(AIR), atol=1e-4)
    np.testing.assert_allclose(spectrum.uncertainty.array, 4)


def test_files_for_marz_are_asked_for_their_unit(tmp_path):
    path = files.write_marz(tmp_path / "a.fits")
    fits.delval(path, "BUNIT")
    with pytest.raises(AgnsalError, match="no unit that is understood") as caught:
        read_spectra(path)
    assert read_spectra(path, **advised(caught.value))[0].unit == u.ct


@pytest.mark.parametrize("survey", ["2QZ", "2SLAQ-QSO", "WiggleZ"])
def test_what_gama_has_collected(survey, tmp_path):
    (spectrum,) = read_spectra(files.write_gama_collected(tmp_path / "a.fits", survey))
    assert (spectrum.meta["survey"], spectrum.meta["medium_of_file"]) == (f"GAMA-{survey}", "air")
    np.testing.assert_allclose(spectrum.spectral_axis.value, to_vacuum(AIR), atol=1e-4)
    np.testing.assert_allclose(spectrum.uncertainty.array, 4)
    assert "SKY" in spectrum.meta["ignored"]


@pytest.mark.parametrize(
    "writer",
    [
        files.write_ozdes,
        files.write_wigglez,
        files.write_galah,
        files.write_twoslaq,
        files.write_aaomega,
        files.write_gama_collected,
        files.write_gama,
    ],
)
def test_a_reference_pixel_that_is_lost_is_not_taken_to_be_another(writer, tmp_path):
    path = writer(tmp_path / "a.fits")
    fits.delval(path, "CRPIX1")
    with pytest.raises(AgnsalError):
        read_spectra(path)


def test_rows_of_a_manga_bundle(tmp_path):
    first, second = read_spectra(files.write_manga(tmp_path / "a.fits"))
    np.testing.assert_allclose(first.spectral_axis.value, 10 ** (3.6 + 1e-4 * np.arange(2000)), rtol=1e-6)
    np.testing.assert_allclose(second.flux.value, 2 * first.flux.value, rtol=1e-6)


def test_phase_3_in_vacuum(tmp_path):
    (spectrum,) = read_spectra(files.write_eso(tmp_path / "a.fits", "vacuum"))
    assert spectrum.meta["medium_of_file"] == "vacuum"
    np.testing.assert_allclose(spectrum.spectral_axis.value, to_vacuum(AIR))


@pytest.mark.parametrize("visits", [1, 3])
def test_mwm_files_of_stars_and_of_visits(visits, tmp_path):
    spectra = read_spectra(files.write_mwm(tmp_path / "a.fits", visits))
    assert len(spectra) == visits
    np.testing.assert_allclose(spectra[-1].spectral_axis.value, 10 ** (3.6 + 1e-4 * np.arange(2000)))


# What has the marks of a survey and lost its layout


def _renamed(path, column):
    with fits.open(path, mode="update") as hdulist:
        hdulist[1].columns.change_name(column, "X7")
    return path


@pytest.mark.parametrize("column", ["WAVE", "FLUX"])
def test_a_survey_that_lost_a_name_is_not_taken_for_another(column, tmp_path):
    """Its medium (air) and its null value (-999) would be lost with the name."""
    path = _renamed(files.write_sixdfgs_table(tmp_path / "a.fits"), column)
    with pytest.raises(AgnsalError, match="cards of 6dFGS") as caught:
        read_spectra(path)
    assert "cards of 6dFGS" in inspect_spectra(path).refusal
    said = advised(caught.value)
    (spectrum,) = read_spectra(path, **said)
    assert spectrum.meta["medium_of_file"] == "air"
    del said["medium"]
    assert read_spectra(path, **said)[0].meta["medium_of_file"] == "air"  # known of the survey


def test_a_gama_file_of_unknown_origin_is_asked_about(tmp_path):
    path = files.write_gama(tmp_path / "a.fits")
    fits.delval(path, "ORIGIN")
    with pytest.raises(AgnsalError, match="cards of GAMA"):
        read_spectra(path)


# Masks, sums, and files that are packed


@pytest.mark.parametrize("column", ["ANDMASK", "andmask", "PIXMASK"])
def test_lamost_masks_by_its_own_column(column, tmp_path):
    cells = {"WAVELENGTH": [AIR], "FLUX": [FLUX], "IVAR": [0 * AIR + 4], column: [(np.arange(N) == 7).astype(int)]}
    head, table = fits.PrimaryHDU(), fits.BinTableHDU(Table(cells | {"ORMASK": [np.ones(N, int)]}), name="COADD")
    head.header["TELESCOP"] = "LAMOST"
    (spectrum,) = read_spectra(files.written(tmp_path / "a.fits", head, table))
    assert list(np.flatnonzero(spectrum.mask)) == [7]
    assert (spectrum.meta["survey"], spectrum.meta["ignored"]) == ("LAMOST", ["ORMASK"])


def test_a_header_that_was_changed_is_told(tmp_path):
    path = files.write_wcs1d(tmp_path / "a.fits", OBJECT="NGC 2")
    with fits.open(path) as hdulist:
        hdulist.writeto(path, overwrite=True, checksum=True)
    assert len(read_spectra(path)) == 1
    path.write_bytes(path.read_bytes().replace(b"NGC 2", b"NGC 1"))
    with pytest.warns(AgnsalWarning, match=r"CHECKSUM.*a\.fits") as told:
        (spectrum,) = read_spectra([path, path])[:1]
    assert spectrum.meta["object_id"] == "NGC 1"
    assert len([each for each in told if "CHECKSUM" in str(each.message)]) == 1


def test_a_header_that_iraf_took_along_is_none_that_was_changed(tmp_path):
    path = files.write_iraf(tmp_path / "a.fits", CHECKSUM="0000000000000000", DATASUM="17")
    assert len(read_spectra(path)) == 1


@pytest.mark.parametrize("loader", [None, "wcs1d-fits", "JWST x1d"])
@pytest.mark.parametrize("way", ["gzip", "bz2"])
def test_what_unpacks_to_more_than_memory_should_hold_is_refused(loader, way, tmp_path, monkeypatch):
    """Also where a loader of specutils opens the file by itself."""
    packer = importlib.import_module(way)
    path = tmp_path / "a.fits"
    path.write_bytes(packer.compress(files.write_wcs1d(tmp_path / "b.fits").read_bytes()))
    if loader != "JWST x1d":
        assert len(read_spectra(path, format=loader)) == 1
    monkeypatch.setattr(bounds, "MOST_UNPACKED", 10_000)
    with pytest.raises(AgnsalError, match="unpack it"):
        read_spectra(path, format=loader)


@pytest.mark.parametrize("loader", [None, "JWST x1d"])
def test_files_packed_in_other_ways_are_named(loader, tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(lzma.compress(files.write_wcs1d(tmp_path / "b.fits").read_bytes()))
    with pytest.raises(AgnsalError, match="it is packed"):
        read_spectra(path, format=loader)


@pytest.mark.parametrize("survey", ["MGC", "2dFGRS"])
def test_rows_that_gama_has_collected_are_told_by_their_cards(survey, tmp_path):
    cards = {"GAMANAME": "GAMAJ1", "SURVEY": survey, "ROW1": "Sky", "ROW2": "Spectrum", "ROW3": "Sigma"}
    hdu = files.primary_of(files.rows_of(9, FLUX, 0.5), **cards)
    (spectrum,) = read_spectra(files.written(tmp_path / "a.fits", hdu))
    assert (spectrum.meta["survey"], spectrum.meta["ignored"], spectrum.unit) == (f"GAMA-{survey}", ["Sky"], u.ct)
    np.testing.assert_allclose(spectrum.flux.value, FLUX, rtol=1e-6)
    np.testing.assert_allclose(spectrum.uncertainty.array, 4)
    fits.setval(tmp_path / "a.fits", "ROW2", value="Sky")
    with pytest.raises(AgnsalError, match="one row of flux"):
        read_spectra(tmp_path / "a.fits")


def test_cards_of_the_liverpool_telescope_have_no_number(tmp_path):
    hdu = fits.PrimaryHDU(FLUX)
    hdu.header.update(GAMANAME="GAMAJ1", ORIGIN="Liverpool JMU", CRVAL=4000.0, CDELT=2.0, CRPIX=1.0)
    (spectrum,) = read_spectra(files.written(tmp_path / "a.fits", hdu))
    np.testing.assert_allclose(spectrum.spectral_axis.value, to_vacuum(AIR), atol=1e-4)


def test_a_known_layout_whose_axis_is_no_light_is_at_fault(tmp_path):
    path = files.write_deep2(tmp_path / "a.fits")
    with fits.open(path, mode="update") as hdulist:
        for hdu in hdulist[1:]:
            hdu.data["LAMBDA"] /= 10
    with pytest.raises(AgnsalError, match="it is damaged, or was changed"):
        read_spectra(path)


def test_pypeit_without_the_flux_of_its_errors_gives_no_counts(tmp_path):
    path = files.write_pypeit(tmp_path / "a.fits")
    with fits.open(path, mode="update") as hdulist:
        hdulist[1].columns.change_name("OPT_FLAM", "X7")
    with pytest.raises(AgnsalError, match="OPT_FLAM is lacking"):
        read_spectra(path)


@pytest.mark.parametrize("lost", ["R_FLUX", "Z_IVAR", "B_WAVELENGTH"])
def test_an_arm_of_desi_that_lost_a_part_is_not_left_out(lost, tmp_path):
    path = files.write_desi(tmp_path / "a.fits")
    with fits.open(path, mode="update") as hdulist:
        hdulist[lost].name = "X7"
    with pytest.raises(AgnsalError, match=f"{lost} is lacking"):
        read_spectra(path)


@pytest.mark.parametrize("writer", [files.write_plate, files.write_aaomega])
def test_a_damaged_name_makes_no_target_of_the_sky(writer, tmp_path):
    """With one byte that is no ASCII astropy gives all cells of a column as bytes."""
    path = writer(tmp_path / "a.fits")
    with fits.open(path) as hdulist:
        place = next(hdu.fileinfo() for hdu in hdulist if hdu.name in ("PLUGMAP", "FIBRES"))
    content = bytearray(path.read_bytes())
    at = content.index(b"QSO" if writer is files.write_plate else b"J0001", place["datLoc"])
    content[at + 2] = 0xD1
    path.write_bytes(content)
    assert len(read_spectra(path)) == 1


@pytest.mark.parametrize(
    ("writer", "table", "column"),
    [
        (files.write_deep2, 1, "LAMBDA"),
        (files.write_mwm, 2, "ivar"),
        (files.write_aaomega, 2, "TYPE"),
        (files.write_plate, "PLUGMAP", "OBJTYPE"),
        (files.write_spec, 1, "ivar"),
    ],
)
def test_a_column_that_lost_its_name_costs_the_file_and_nothing_in_silence(writer, table, column, tmp_path):
    path = writer(tmp_path / "a.fits")
    with fits.open(path, mode="update") as hdulist:
        hdulist[table].columns.change_name(column, "X7")
    with pytest.raises(AgnsalError):
        read_spectra(path)
