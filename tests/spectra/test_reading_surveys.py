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
from tests.spectra.survey_files import advised, model, to_vacuum

pytestmark = pytest.mark.filterwarnings("ignore:wavelengths taken as vacuum:agnsal.AgnsalWarning")
N = 1500
AIR = 4000.0 + 2.0 * np.arange(N)
AXIS = {"CTYPE1": "Wavelength", "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0}
FLAM17 = u.Unit("1e-17 erg / (s cm2 AA)")
PER_ANGSTROM = u.ct / u.AA


def image(data, name="", kind=fits.ImageHDU, **cards):
    hdu = kind(np.asarray(data, np.float32))
    hdu.header.update(AXIS | cards)
    if name:
        hdu.name = name
    return hdu


def primary(data, **cards):
    return image(data, kind=fits.PrimaryHDU, **cards)


def write(path, *hdus):
    fits.HDUList(list(hdus)).writeto(path, overwrite=True)
    return path


def rows(*values):
    return np.array([np.broadcast_to(value, AIR.size) for value in values])


FLUX = model(to_vacuum(AIR))


def ozdes(path):
    counts = {"BUNIT": "count / Angstrom"}
    hdus = [primary(FLUX, REFERENC="ozdes.org", OBJECT="SVA1", **counts), image(rows(0.25)[0], "VARIANCE", **counts)]
    hdus += [image(rows(0)[0], "BADPIX", **counts), image(9 * FLUX, "SINGLE", **counts)]
    return write(path, *hdus, image(rows(0.25)[0], "SINGLE_VAR", **counts), image(rows(0)[0], "SINGLE_BAD", **counts))


def wigglez(path):
    cards = {"REFCODE": "2018MNRAS.474.4151D", "BUNIT": "count / Angstrom"}
    hdus = primary(FLUX, **cards), image(rows(0.25)[0], "VARIANCE", **cards), image(rows(9)[0], "SKY", **cards)
    return write(path, *hdus)


def galah(path):
    hdus = [primary(FLUX, ORIGIN="GALAH SURVEY"), image(rows(0.5)[0], "SIGMA"), image(9 * FLUX, "UNREDUCED")]
    return write(path, *hdus, image(rows(0.5)[0], "UNREDUCED_SIGMA"), image(FLUX / 10, "NORMALISED"))


def twoslaq(path):
    return write(path, primary(np.array([[FLUX], [9 * FLUX]]), MSTITLE="2dF-SDSS LRG/QSO survey", CD1_1=2.0))


def fibers(kinds, **columns):
    names = [f"J{number:04d}" for number in range(len(kinds))]
    cells = {"NAME": names, "RA": np.radians([150.0] * len(kinds)), "DEC": np.radians([-30.0] * len(kinds))}
    return fits.BinTableHDU(Table(cells | {"TYPE": kinds} | columns), name="FIBRES")


def aaomega(path):
    data = rows(9 * FLUX, FLUX, 0, 9)
    hdus = [primary(data, INSTRUME="AAOMEGA-2dF", CRVAL1=4000.0 + 2 * 99, CRPIX1=100.0)]
    hdus += [image(rows(9, 0.25, 9, 9), "VARIANCE"), fibers(["S", "P", "F", "N"])]
    return write(path, *hdus, image(9 * data, "RWSS"), fits.BinTableHDU(Table({"A": ["x"]}), name="REDUCTION_ARGS"))


def marz(path):
    hdus = [primary(rows(FLUX, 9), name="INTENSITY", BUNIT="count"), image(rows(0.25, 9), "VARIANCE")]
    wavelength = fits.ImageHDU(AIR, name="WAVELENGTH")
    return write(path, *hdus, image(rows(9, 9), "SKY"), wavelength, fibers(["P", "S"]))


def gama_collected(path, survey="2QZ"):
    hdus = [primary(FLUX, GAMANAME="GAMAJ1", SURVEY=survey, CD1_1=2.0), image(rows(0.25)[0], "VARIANCE", CD1_1=2.0)]
    return write(path, *hdus, image(rows(9)[0], "SKY", CD1_1=2.0))


def plate(path):
    loglam = files.sdss_axis()
    flux = model(10**loglam)
    hdu = fits.PrimaryHDU(np.array([9 * flux, flux], np.float32))
    hdu.header.update(COEFF0=3.6, COEFF1=1e-4, PLATEID=406, MJD=51869, TELESCOP="SDSS 2.5-M")
    names = {"IVAR": 4.0, "ANDMASK": 0, "ORMASK": 1, "WAVEDISP": 1, "PLUGMAP": None, "SKY": 9}
    cells = Table({"FIBERID": [1, 2], "OBJTYPE": ["SKY", "QSO"]})
    return write(
        path,
        hdu,
        *(
            fits.BinTableHDU(cells, name=name) if value is None else fits.ImageHDU(np.full((2, 2000), value), name=name)
            for name, value in names.items()
        ),
    )


def apogee(path):
    cards = {"CTYPE1": "LOG-LINEAR", "CRVAL1": 3.6, "CDELT1": 1e-4, "CRPIX1": 1, "CUNIT1": None}
    flux = model(10 ** (3.6 + 1e-4 * np.arange(2000)))
    head = fits.PrimaryHDU()
    head.header.update(HISTORY="APOGEE Reduction Pipeline", SFILE1="apVisit-r12-1.fits")
    stack = np.array([flux, flux, 9 * flux])
    hdus = image(stack, "FLUX", **cards), image(0 * stack + 0.5, "ERROR", **cards), image(stack > 1e9, "MASK", **cards)
    return write(path, head, *hdus)


def deep2(path):
    tables = []
    for name, at in (("Bxspf-B", AIR < 6000), ("Bxspf-R", AIR > 6010), ("Horne-B", AIR < 6000)):
        cells = {"SPEC": [FLUX[at]], "LAMBDA": [AIR[at]], "IVAR": [np.full(at.sum(), 4.0)], "SKYSPEC": [FLUX[at]]}
        tables.append(fits.BinTableHDU(Table(cells), name=name))
    return write(path, fits.PrimaryHDU(), *tables)


def mwm(path, visits=1):
    wave = 10 ** (3.6 + 1e-4 * np.arange(2000))
    cells = {"flux": np.tile(model(wave), (visits, 1)), "ivar": np.full((visits, 2000), 4.0)}
    cells |= {"wavelength": np.tile(wave, (visits, 1))} if visits == 1 else {"mjd": np.arange(visits)}
    cells |= {"pixel_flags": np.zeros((visits, 2000), int), "snr": np.ones(visits)}
    head, table = fits.PrimaryHDU(), fits.BinTableHDU(Table(cells), name="BOSS/APO")
    head.header.update(V_ASTRA="0.6.0", SDSS_ID=114)
    table.header.update(CRVAL=3.6, CDELT=1e-4, NPIXELS=2000)
    empty = fits.BinTableHDU(Table({name: value[:0] for name, value in cells.items()}), name="BOSS/LCO")
    return write(path, head, empty, table)


def pypeit(path):
    cells = {"OPT_WAVE": AIR, "OPT_FLAM": model(AIR), "OPT_FLAM_IVAR": 0 * AIR + 4, "OPT_MASK": AIR > 0}
    return write(path, fits.PrimaryHDU(), fits.BinTableHDU(Table(cells | {"OPT_COUNTS": AIR}), name="SPAT0100"))


def manga(path):
    """The rows of a MaNGA bundle (RSS): log-linear, masks and wavelengths in extensions of their own."""
    wave = 10 ** (3.6 + 1e-4 * np.arange(2000))
    cards = {"CTYPE1": "WAVE-LOG", "CRVAL1": wave[0], "CDELT1": wave[0] * 1e-4 * np.log(10), "INSTRUME": "MaNGA"}
    cards["BUNIT"] = "1E-17 erg/s/cm^2/Ang/fiber"
    stack = np.array([model(wave), 2 * model(wave)])
    hdus = [image(stack, "FLUX", **cards), image(0 * stack + 4, "IVAR"), image(stack < 0, "MASK"), image(stack, "DISP")]
    head = fits.PrimaryHDU()
    head.header["TELESCOP"] = "SDSS 2.5-M"
    return write(path, head, *hdus, fits.ImageHDU(wave, name="WAVE"))


def eso(path, medium="air"):
    """Phase 3 of ESO: one row of arrays, with UCDs that say which flux is meant, and the medium."""
    wave = AIR if medium == "air" else to_vacuum(AIR)
    cells = {"WAVE": [wave / 10], "FLUX": [FLUX * 1e-17], "ERR": [0 * AIR + 0.5e-17], "QUAL": [0 * AIR], "SNR": [AIR]}
    table = fits.BinTableHDU(Table(cells), name="SPECTRUM")
    ucds = ["em.wl;obs.atmos" if medium == "air" else "em.wl", "phot.flux.density;em.wl;src.net;meta.main"]
    ucds += ["stat.error;phot.flux.density;meta.main", "meta.code.qual;meta.main", "stat.snr;meta.main"]
    units = ["nm", *["erg.cm**(-2).s**(-1).angstrom**(-1)"] * 2, "", ""]
    for number, (ucd, unit) in enumerate(zip(ucds, units, strict=True), 1):
        table.header[f"TUCD{number}"], table.header[f"TUNIT{number}"] = ucd, unit
    return write(path, fits.PrimaryHDU(), table)


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
    "OzDES": (ozdes, "air", PER_ANGSTROM, 4, {"reduced", "BADPIX", "SINGLE"}),
    "WiggleZ": (wigglez, "air", PER_ANGSTROM, 4, {"sky", "SKY"}),
    "GALAH": (galah, "air", u.ct, 4, {"normalised", "unreduced"}),
    "2SLAQ-LRG": (twoslaq, "air", u.ct / u.s, None, {"sky"}),
    "GAMA": (files.write_gama, "air", FLAM17, 4, {"row 3", "row 5"}),
    "2dFGRS": (files.write_twodfgrs, "air", u.ct / u.s, 0.04, {"sky", "PRIMARY"}),
    "6dFGS-split": (files.write_sixdfgs_image, "air", u.ct, 0.04, {"sky"}),
    "6dFGS-tabular": (files.write_sixdfgs_table, "air", u.ct / u.s, None, set()),
    "AAOmega and Marz": (aaomega, "air", u.ct, 4, {"RWSS", "REDUCTION_ARGS"}),
    "DESI coadd": (files.write_desi, "vacuum", FLAM17, 1, {"SCORES", "B_RESOLUTION"}),
    "DEEP2 spec1d": (deep2, "air", u.ct, 4, {"HORNE-B", "SKYSPEC"}),
    "SDSS spPlate": (plate, "vacuum", FLAM17, 4, {"ANDMASK", "ORMASK", "SKY"}),
    "APOGEE apStar": (apogee, "vacuum", FLAM17, 4, {"visits", "MASK"}),
    "SDSS-V mwm": (mwm, "vacuum", FLAM17, 4, {"snr"}),
    "PypeIt spec1d": (pypeit, "vacuum", FLAM17, 4, {"OPT_COUNTS"}),
    "wcs1d-fits": (manga, "vacuum", FLAM17, 4, {"DISP"}),
    "tabular-fits": (eso, "air", FLAM17 * 1e17, 4e34, {"SNR"}),
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
    (spectrum,) = read_spectra(aaomega(tmp_path / "a.fits"))
    meta = spectrum.meta
    assert (meta["object_id"], meta["row"], meta["object_type"]) == ("J0001", 1, "P")
    assert (meta["ra"], meta["dec"]) == (pytest.approx(150), pytest.approx(-30))
    np.testing.assert_allclose(spectrum.spectral_axis.value, to_vacuum(AIR), atol=1e-4)
    only_sky = aaomega(tmp_path / "b.fits")
    with fits.open(only_sky, mode="update") as hdulist:
        hdulist["FIBRES"].data["TYPE"] = "S"
    with pytest.raises(AgnsalError, match="no target"):
        read_spectra(only_sky)


@pytest.mark.parametrize("vacuum", [None, True, False])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_files_for_marz_follow_its_rules(vacuum, logarithmic, tmp_path):
    path = marz(tmp_path / "a.fits")
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
    path = marz(tmp_path / "a.fits")
    fits.delval(path, "BUNIT")
    with pytest.raises(AgnsalError, match="no unit that is understood") as caught:
        read_spectra(path)
    assert read_spectra(path, **advised(caught.value))[0].unit == u.ct


@pytest.mark.parametrize("survey", ["2QZ", "2SLAQ-QSO", "WiggleZ"])
def test_what_gama_has_collected(survey, tmp_path):
    (spectrum,) = read_spectra(gama_collected(tmp_path / "a.fits", survey))
    assert (spectrum.meta["survey"], spectrum.meta["medium_of_file"]) == (f"GAMA-{survey}", "air")
    np.testing.assert_allclose(spectrum.spectral_axis.value, to_vacuum(AIR), atol=1e-4)
    np.testing.assert_allclose(spectrum.uncertainty.array, 4)
    assert "SKY" in spectrum.meta["ignored"]


@pytest.mark.parametrize("writer", [ozdes, wigglez, galah, twoslaq, aaomega, gama_collected, files.write_gama])
def test_a_reference_pixel_that_is_lost_is_not_taken_to_be_another(writer, tmp_path):
    path = writer(tmp_path / "a.fits")
    fits.delval(path, "CRPIX1")
    with pytest.raises(AgnsalError):
        read_spectra(path)


def test_rows_of_a_manga_bundle(tmp_path):
    first, second = read_spectra(manga(tmp_path / "a.fits"))
    np.testing.assert_allclose(first.spectral_axis.value, 10 ** (3.6 + 1e-4 * np.arange(2000)), rtol=1e-6)
    np.testing.assert_allclose(second.flux.value, 2 * first.flux.value, rtol=1e-6)


def test_phase_3_in_vacuum(tmp_path):
    (spectrum,) = read_spectra(eso(tmp_path / "a.fits", "vacuum"))
    assert spectrum.meta["medium_of_file"] == "vacuum"
    np.testing.assert_allclose(spectrum.spectral_axis.value, to_vacuum(AIR))


@pytest.mark.parametrize("visits", [1, 3])
def test_mwm_files_of_stars_and_of_visits(visits, tmp_path):
    spectra = read_spectra(mwm(tmp_path / "a.fits", visits))
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
    (spectrum,) = read_spectra(write(tmp_path / "a.fits", head, table))
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
