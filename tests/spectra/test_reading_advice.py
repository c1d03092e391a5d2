"""Following the advice of a refusal works: for every place in the code that gives some, a file is mended by it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import astropy.io.fits
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import agnsal
from agnsal import AgnsalError, read_spectra
from tests.spectra import survey_files as files
from tests.spectra.survey_files import model

pytestmark = pytest.mark.filterwarnings("ignore:wavelengths taken as vacuum:agnsal.AgnsalWarning")
N = 800
WAVE = 4000.0 + 2.0 * np.arange(N)
FLUX = model(WAVE)
UNIT = "1e-17 erg/s/cm2/Angstrom"
AXIS = {"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0, "BUNIT": UNIT}


def image(*hdus, data=FLUX, primary=False, **cards):
    """A file with an image of flux and whatever else; a card None is left out."""

    def write(path):
        hdu = (fits.PrimaryHDU if primary else fits.ImageHDU)(np.asarray(data, float))
        if not primary:
            hdu.name = "FLUX"
        hdu.header.update({key: value for key, value in (AXIS | cards).items() if value is not None})
        fits.HDUList([*([] if primary else [fits.PrimaryHDU()]), hdu, *hdus]).writeto(path)

    return write


def extension(name, values, **cards):
    hdu = fits.ImageHDU(np.asarray(values, float), name=name)
    hdu.header.update(cards)
    return hdu


def table(*columns, name="", more=(), **cards):
    """A file with a table of columns (name, values, unit)."""

    def write(path):
        made = [fits.Column(name, "D", array=values, unit=unit) for name, values, unit in columns]
        hdu = fits.BinTableHDU.from_columns(made, name=name)
        head = fits.PrimaryHDU()
        head.header.update(cards)
        fits.HDUList([head, hdu, *(fits.BinTableHDU(hdu.data, name=other) for other in more)]).writeto(path)

    return write


def text(head, *columns):
    rows = [" ".join(f"{cell:.7g}" for cell in row) for row in zip(*columns, strict=True)]
    return lambda path: files.write_text(path, [*head, *rows])


def renamed(path):
    """A table of 6dFGS whose column of wavelengths has lost its name."""
    files.write_sixdfgs_table(path)
    with fits.open(path, mode="update") as hdulist:
        hdulist[1].columns.change_name("WAVE", "X7")


def marz(path):
    cells = Table({"NAME": ["a", "b"], "TYPE": ["P", "S"]})
    hdu = fits.PrimaryHDU(np.array([FLUX, FLUX]))
    hdu.header.update({key: value for key, value in AXIS.items() if key != "BUNIT"})
    fits.HDUList([hdu, fits.BinTableHDU(cells, name="FIBRES")]).writeto(path)


def ozdes(path):
    fits.delval(files.write_ozdes(path), "BUNIT")


def hdf5(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, values in {"lambda": WAVE, "flux": FLUX, "ivar": 0 * WAVE + 4}.items():
            file[f"spectrum_{name}"] = values[None]


def epochs(path):
    fits.HDUList([fits.PrimaryHDU(), *(extension(f"EPOCH{i}", FLUX, **AXIS) for i in (1, 2))]).writeto(path)


def detectors(path):
    cells = Table({"SPEC": [FLUX], "LAMBDA": [WAVE], "IVAR": [FLUX]})
    fits.HDUList([fits.PrimaryHDU(), *(fits.BinTableHDU(cells, name=f"Bxspf-{i}") for i in "BR")]).writeto(path)


def multispec(path):
    spec = 'wtype=multispec spec1 = "1 1 0 400. 0.2 800 0. 10. 20." spec2 = "2 2 0 400. 0.2 800 0. 30. 40."'
    cards = {"CTYPE1": "MULTISPE", "WAT2_001": spec[:68], "WAT2_002": spec[68:]}
    files.write_iraf(path, np.array([FLUX, FLUX]), **cards)


WAVES, FLUXES = ("wave", WAVE, "Angstrom"), ("flux", FLUX, UNIT)
CALL = re.compile(r"read_spectra\(path, .*?\)(?= |$|, or|;|\.)")
CARD = re.compile(r"astropy\.io\.fits\.(?:set|del)val\(path, .*?\)(?=[ ,.;]|$)")
#: What is refused: writer, words of the message, and how its advice is followed where it is more than one call.
CASES = {
    "two fluxes": (table(WAVES, ("epoch1", FLUX, UNIT), ("epoch2", FLUX, UNIT)), "may be|nothing in it says"),
    "no unit of the axis": (table(("wave", WAVE, None), FLUXES), "wavelength column"),
    "no unit of the flux": (table(WAVES, ("flux", FLUX, None)), "F_lambda"),
    "a factor without a unit": (table(WAVES, ("flux", FLUX, "1e-17")), "F_lambda"),
    "two tables": (table(WAVES, FLUXES, name="BLUE", more=["RED"]), "arms are not joined"),
    "error in another unit": (table(WAVES, FLUXES, ("err", FLUX, "mJy")), "does not fit the unit"),
    "sense of a mask": (table(WAVES, FLUXES, ("mask", 1.0 * (WAVE > 4100), None)), "good or bad"),
    "sense of a mask image": (image(extension("MASK", WAVE > 4100)), "good or bad"),
    "mask of shares": (table(WAVES, FLUXES, ("mask", FLUX / 100, None)), "holds no whole numbers"),
    "text without units": (text(["# wave flux"], WAVE, FLUX), "wavelength column"),
    "names that do not fit": (text(["# wavelength flux error"], WAVE, FLUX), "is not understood"),
    "text not understood": (text(["# lambda in Angstroms against flux"], WAVE, FLUX), "is not understood"),
    "text in nm": (text([], WAVE / 10, FLUX), "does not look like Angstrom"),
    "text of four columns": (text([], WAVE, FLUX, FLUX, FLUX), "may be anything"),
    "third column": (text([], WAVE, FLUX, 9 * FLUX), "look like the error"),
    "rows with more cells than names": (text(["wave flux err"], WAVE, FLUX, FLUX, FLUX), "line above them names"),
    "image without a unit of flux": (image(BUNIT=None), "flux has no unit"),
    "image without a unit of the axis": (image(CUNIT1=None), "axis has no unit"),
    "image in velocities by unit": (image(CTYPE1="LINEAR", CUNIT1="km/s"), "no unit of wavelength"),
    "image of nanometres": (image(CRVAL1=400.0, CDELT1=0.2), "no ultraviolet to infrared"),
    "image of a logarithm": (image(CTYPE1="LINEAR", CRVAL1=3.6, CDELT1=1e-4), "no ultraviolet to infrared"),
    "unit does not fit the type": (image(CUNIT1="Hz"), "does not fit its type"),
    "two units of the axis": (image(CTYPE1="LINEAR", WAT1_001="wtype=linear units=nm"), "two units"),
    "wavelengths without a unit": (image(extension("WAVELENGTH", WAVE), CUNIT1=None), "no unit"),
    "two wavelengths": (image(*(extension(name, WAVE, BUNIT="Angstrom") for name in ("WAVE", "LAMBDA"))), "two of its"),
    "two errors": (image(*(extension(name, FLUX) for name in ("ERR", "SIGMA"))), "two of its"),
    "errors of an image": (image(extension("ERR", FLUX, BUNIT="mJy")), "does not fit the unit"),
    "two images": (epochs, "which of its images"),
    "reference pixel": (image(CRPIX1=None), "which pixel"),
    "reference pixel of a first image": (image(CRPIX1=None, primary=True), "which pixel"),
    "two steps": (image(CD1_1=2.5), "two steps"),
    "two axes": (image(COEFF0=3.58, COEFF1=1e-4, primary=True, CTYPE1="LINEAR"), "two axes"),
    "rows": (image(data=[FLUX, 0 * FLUX + 0.1]), "different quantities"),
    "rows, none called flux": (image(data=[FLUX, FLUX], ARRAY1="signal", ARRAY2="error"), "which of the rows"),
    "planes": (image(data=[[FLUX] * 2, [0 * FLUX + 0.1] * 2]), "what its planes are"),
    "velocity without a line": (image(CTYPE1="VOPT", CUNIT1="km/s", CRVAL1=0.0), "line it is about"),
    "velocity without a unit": (image(CTYPE1="VOPT", CUNIT1=None, CRVAL1=0.0, RESTWAV=6.5e-7), "no unit"),
    "velocity of no standard": (image(CTYPE1="VELO-LSR", CUNIT1="km/s", CRVAL1=0.0, RESTWAV=6.5e-7), "does not define"),
    "which axis disperses": (image(data=np.tile(FLUX, (3, 1)), CTYPE2="WAVE"), "which axis"),
    "decimal or natural": (image(CTYPE1="LOGLAM", CUNIT1="nm", CRVAL1=4.2, CDELT1=1e-4), "decimal or natural"),
    "detectors that overlap": (detectors, "overlap"),
    "marks of a survey": (renamed, "cards of 6dFGS"),
    "frame of no unit": (marz, "no unit that is understood"),
    "format that does not fit": (table(WAVES, FLUXES), "table of a spec file", {"format": "SDSS-III/IV spec"}),
    "survey of no unit": (ozdes, "no unit that is understood"),
    "container of no unit": (hdf5, "neither a unit of its flux"),
    "multispec of nanometres": (multispec, "its multispec axis would be"),
    "impossible axis": (table(("wave", WAVE / 10, "Angstrom"), FLUXES), "is not ultraviolet"),
}  # fmt: skip


def follow(message, path, options):
    """What the advice in a refusal makes of the file: its call, or the cards it writes."""
    call = CALL.search(message)
    if call:
        return eval(call[0], {"read_spectra": read_spectra, "path": path})
    exec(CARD.search(message)[0], {"astropy": astropy, "path": path})
    if "ARRAY2" in message or "BANDID2" in message:
        stem = "ARRAY2" if "ARRAY2" in message else "BANDID2"
        fits.setval(path, stem, value="error", ext=1)
    return read_spectra(path, **options)


def refused(case, path):
    """The refusal of a case, and the place in the code that worded it."""
    writer, match, *options = CASES[case]
    writer(path)
    with pytest.raises(AgnsalError, match=match) as caught:
        read_spectra(path, **(options[0] if options else {}))
    return caught.value, options[0] if options else {}


@pytest.mark.parametrize("case", CASES)
def test_following_the_advice_works(case, tmp_path):
    error, options = refused(case, tmp_path / "a")
    assert read_spectra is agnsal.read_spectra
    found = follow(str(error).replace(str(tmp_path / "a"), "it"), tmp_path / "a", options)
    assert len(found) >= 1


#: How a place in the code words advice that can be carried out.
_ADVICE = re.compile(r"read_spectra\(|\b(writing|deleting|call|asked|refusal|_unsaid|_two)\(|\{(example|advice)\}")
#: Places that pass on what others word.
_PASSED_ON = {"layout.refusal", "layout.asked", "layout.call", "images._two", "axes._unsaid", "cards.writing"}


def advising():
    """Every function of reading that gives advice, as module and name."""
    found = set()
    for path in sorted((Path(agnsal.__file__).parent / "spectra" / "files").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for function in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)):
            raised = [
                ast.get_source_segment(source, node) for node in ast.walk(function) if isinstance(node, ast.Raise)
            ]
            if any(_ADVICE.search(text) for text in raised):
                found.add(f"{path.stem}.{function.name}")
    return found - _PASSED_ON


def places_of(error):
    """The functions that an error has gone through, as module and name."""
    found = set()
    while error is not None:
        frame = error.__traceback__
        while frame is not None:
            code = frame.tb_frame.f_code
            found.add(f"{Path(code.co_filename).stem}.{code.co_name}")
            frame = frame.tb_next
        error = error.__cause__ or error.__context__
    return found


def test_no_place_that_gives_advice_is_left_out(tmp_path):
    covered = set()
    for number, case in enumerate(CASES):
        error, _ = refused(case, tmp_path / str(number))
        covered |= places_of(error)
    assert advising() <= covered, advising() - covered


def test_what_is_known_of_a_survey_can_be_left_out_or_said_by_columns(tmp_path):
    path = files.write_spec(tmp_path / "a.fits")
    for said in ({"mask": "good"}, {"units": {"wavelength": "nm"}}):
        with pytest.raises(AgnsalError, match="Leave it out; or read the file by columns="):
            read_spectra(path, **said)
    assert len(read_spectra(path)) == 1
    columns = {"log10_wavelength": "COADD:loglam", "flux": "COADD:flux", "ivar": "COADD:ivar"}
    assert len(read_spectra(path, columns=columns, units={"flux": UNIT})) == 1
    with pytest.raises(AgnsalError, match="Leave it out"):
        read_spectra(path, format="SDSS-III/IV spec", columns=columns)


def test_frames_and_redshifts_that_are_asked_for(tmp_path):
    table(("lam_rest", WAVE, "Angstrom"), FLUXES)(tmp_path / "a.fits")
    with pytest.raises(AgnsalError, match="pass redshift="):
        read_spectra(tmp_path / "a.fits")
    assert read_spectra(tmp_path / "a.fits", redshift=0.5)[0].spectral_axis.value[0] == 6000
    image(primary=True, DOPCOR01="0.1 7")(tmp_path / "b.fits")
    with pytest.raises(AgnsalError, match="Pass frame='rest', or frame='observed'"):
        read_spectra(tmp_path / "b.fits")
    assert read_spectra(tmp_path / "b.fits", frame="rest")[0].spectral_axis.value[0] == pytest.approx(4400)
    assert read_spectra(tmp_path / "b.fits", frame="observed")[0].spectral_axis.value[0] == 4000


def test_data_changed_on_purpose_are_written_with_their_sum(tmp_path):
    path = tmp_path / "a.fits"
    image(primary=True)(path)
    with fits.open(path) as hdulist:
        hdulist.writeto(path, overwrite=True, checksum=True)
    content = bytearray(path.read_bytes())
    content[-2880 * 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(AgnsalError, match="write it with checksum=True"):
        read_spectra(path)
    with fits.open(path) as hdulist:
        hdulist.writeto(path, overwrite=True, checksum=True)
    assert len(read_spectra(path)) == 1


@pytest.mark.parametrize("lost", ["TUCD1", "card"])
def test_a_medium_in_doubt_is_asked_for(lost, tmp_path):
    path = tmp_path / "a.fits"
    if lost == "TUCD1":
        fits.delval(files.write_eso(path), "TUCD1", ext=1)
    else:
        image(primary=True, CTYPE1="AWAV", AIRORVAC="vac")(path)
    with pytest.raises(AgnsalError, match="Pass medium='air', or medium='vacuum'"):
        read_spectra(path)
    assert read_spectra(path, medium="air")[0].meta["medium_of_file"] == "air"
    assert read_spectra(path, medium="vacuum")[0].meta["medium_of_file"] == "vacuum"
