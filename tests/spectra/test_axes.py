"""Wavelengths of image headers: every way of stating them, and refusals where they are not stated."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import constants
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from agnsal import AgnsalError
from agnsal.spectra.files.images.axes import dispersion_axis, multispec_axes, spectral_axis

#: Axes that do not say their medium are taken in vacuum, with a warning that is tested in test_reading.
pytestmark = pytest.mark.filterwarnings("ignore:wavelengths taken as vacuum:agnsal.AgnsalWarning")

N = 1000
LINEAR = {"CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0}
LOG10 = {"CRVAL1": 3.58, "CDELT1": 1e-4, "CRPIX1": 1.0}
LN = {"CRVAL1": 8.2, "CDELT1": 1e-4, "CRPIX1": 1.0}
START = 3621.596
PIXEL = np.arange(N)


def header(**cards):
    return fits.Header({key.replace("__", "-"): value for key, value in cards.items()})


def test_linear_axes_in_every_unit():
    for unit, factor in (("Angstrom", 1), ("Angstroms", 1), ("A", 1), ("nm", 10), ("millimicrons", 10), ("um", 1e4)):
        cards = LINEAR | {"CRVAL1": 4000.0 / factor, "CDELT1": 2.0 / factor}
        axis = spectral_axis(header(CTYPE1="LINEAR", CUNIT1=unit, **cards), N)
        np.testing.assert_allclose(axis.wavelength, 4000 + 2.0 * PIXEL, rtol=1e-12, err_msg=unit)


@pytest.mark.parametrize(
    ("kind", "unit", "first", "step", "expected"),
    [
        ("FREQ", "GHz", 7e5, -200.0, lambda x: constants.c.value / (x * 1e9) * 1e10),
        ("FREQ", "Hz", 7e14, -2e11, lambda x: constants.c.value / x * 1e10),
        ("WAVN", "cm-1", 2e4, -5.0, lambda x: 1e8 / x),
        ("ENER", "eV", 2.0, 1e-3, lambda x: (constants.h * constants.c).value / (x * constants.e.value) * 1e10),
    ],
)
def test_frequencies_energies_and_wave_numbers_are_converted(kind, unit, first, step, expected):
    axis = spectral_axis(header(CTYPE1=kind, CUNIT1=unit, CRVAL1=first, CDELT1=step, CRPIX1=1.0), N)
    np.testing.assert_allclose(axis.wavelength, expected(first + step * PIXEL), rtol=1e-9)
    assert axis.medium == "vacuum"


@pytest.mark.parametrize("more", [{}, {"DC__FLAG": 0}, {"DC__FLAG": 1}])
def test_the_logarithm_of_the_fits_standard_is_a_natural_one(more):
    step = START * 1e-4 * np.log(10)
    cards = {"CUNIT1": "Angstrom", "CRVAL1": START, "CDELT1": step, "CRPIX1": 1.0}
    axis = spectral_axis(header(CTYPE1="WAVE-LOG", **cards, **more), N)
    np.testing.assert_allclose(axis.wavelength, START * 10 ** (1e-4 * PIXEL), rtol=1e-10)
    assert spectral_axis(header(CTYPE1="AWAV-LOG", **cards), N).medium == "air"


def test_other_algorithms_are_those_of_wcslib():
    cards = {"CTYPE1": "WAVE-F2W", "CUNIT1": "Angstrom", **LINEAR}
    expected = WCS(header(**cards, WCSAXES=1)).all_pix2world(PIXEL, 0)[0] * 1e10
    np.testing.assert_allclose(spectral_axis(header(**cards), N).wavelength, expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["LOGLAM", "LOGLIN", "LOG-LINEAR", "log(wavelength)", "log10(lambda)"])
def test_decimal_logarithms(kind):
    axis = spectral_axis(header(CTYPE1=kind, CUNIT1="Angstrom", **LOG10), N)
    np.testing.assert_allclose(axis.wavelength, 10 ** (3.58 + 1e-4 * PIXEL))


@pytest.mark.parametrize("kind", ["LOGLAM", "LN(LAMBDA)", "LNLAM", "natural log wavelength"])
def test_natural_logarithms(kind):
    axis = spectral_axis(header(CTYPE1=kind, CUNIT1="Angstrom", **LN), N)
    np.testing.assert_allclose(axis.wavelength, np.exp(8.2 + 1e-4 * PIXEL))


def test_a_stated_unit_wins_over_numbers_that_look_like_logarithms():
    axis = spectral_axis(header(CTYPE1="LINEAR", CUNIT1="um", CRVAL1=3.5, CDELT1=1e-3, CRPIX1=1.0), N)
    assert axis.wavelength[0] == pytest.approx(35000.0)
    with pytest.raises(AgnsalError, match="log10_wavelength") as caught:
        spectral_axis(header(CTYPE1="LINEAR", CUNIT1="Angstrom", **LOG10), N)
    assert "units=" in str(caught.value)
    for units in ({"log10_wavelength": "Angstrom"}, {"wavelength": "log10(Angstrom)"}):  # as advised
        axis = spectral_axis(header(CTYPE1="LINEAR", CUNIT1="Angstrom", **LOG10), N, units=units)
        np.testing.assert_allclose(axis.wavelength, 10 ** (3.58 + 1e-4 * PIXEL))


def test_sdss_and_iraf_say_decimal_logarithm_by_a_card():
    expected = 10 ** (3.58 + 1e-4 * PIXEL)
    for cards in ({"COEFF0": 3.58, "COEFF1": 1e-4}, {"DC__FLAG": 1, **LOG10}):
        np.testing.assert_allclose(spectral_axis(header(**cards), N).wavelength, expected)
    with pytest.raises(AgnsalError, match="two axes") as caught:
        spectral_axis(header(COEFF0=3.58, COEFF1=1e-4, DC__FLAG=0, **LINEAR), N)
    assert "delval(path, 'COEFF0')" in str(caught.value)
    spectral_axis(header(COEFF1=1e-4, DC__FLAG=0, **LINEAR), N)  # as advised


REFUSED = {
    "no unit of wavelength": {"CTYPE1": "LINEAR", "CUNIT1": "km/s", **LINEAR},
    "no unit of wavelength ": {"CTYPE1": "LINEAR", "CUNIT1": "deg", **LINEAR},
    "no unit of wavelength  ": {"CTYPE1": "LINEAR", "CUNIT1": "pixel", **LINEAR},
    "velocity": {"CTYPE1": "VELO-LSR", "CUNIT1": "m/s", **LINEAR},
    "no wavelength": {"CTYPE1": "PIXEL", "CRVAL1": 1.0, "CDELT1": 1.0, "CRPIX1": 1.0},
    "not wavelength calibrated": {"CTYPE1": "LINEAR", "CUNIT1": "Angstrom", "DC__FLAG": -1, **LINEAR},
    "has no unit": {"CTYPE1": "LINEAR", **LINEAR},
    "has no unit ": {"CTYPE1": "LOGLAM", **LOG10},
    "which pixel CRVAL1": {"CTYPE1": "LINEAR", "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0},
    "which pixel CRVAL1 ": {"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0},
    "two steps": {"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CD1_1": 1.5, **LINEAR},
    "does not fit its type": {"CTYPE1": "WAVE", "CUNIT1": "Hz", **LINEAR},
    "in a table": {"CTYPE1": "WAVE-TAB", "CUNIT1": "Angstrom", **LINEAR},
    "two units": {"CTYPE1": "LINEAR", "CUNIT1": "nm", "WAT1_001": "wtype=linear units=Angstroms", **LINEAR},
    "natural logarithm": {"CTYPE1": "LNLAM", "CUNIT1": "Angstrom", "DC__FLAG": 1, **LN},
    "no ultraviolet to infrared": {"CTYPE1": "LINEAR", "CUNIT1": "Angstrom", "CRVAL1": 1.0, "CDELT1": 1.0, "CRPIX1": 1},
    "is no number": {"CTYPE1": "WAVE", "CUNIT1": "Angstrom", **LINEAR, "CRVAL1": "oops"},
}


@pytest.mark.parametrize("cause", REFUSED)
def test_axes_that_are_not_known_are_refused(cause):
    with pytest.raises(AgnsalError, match=cause.strip()):
        spectral_axis(header(**REFUSED[cause]), N)


def test_media():
    unit = {"CUNIT1": "Angstrom", **LINEAR}
    for cards, medium in (
        ({"CTYPE1": "AWAV"}, "air"),
        ({"CTYPE1": "WAVE"}, "vacuum"),
        ({"CTYPE1": "WAVE", "AIRORVAC": "air"}, "air"),
        ({"CTYPE1": "LINEAR", "DC__FLAG": 0}, "air"),  # IRAF
        ({"CTYPE1": "LINEAR", "DC__FLAG": 0, "VACUUM": True}, "vacuum"),
        ({"CTYPE1": "LINEAR"}, None),
    ):
        assert spectral_axis(header(**unit | cards), N).medium == medium, cards


def multispec(*specs, **cards):
    text = "wtype=multispec " + " ".join(f'spec{number} = "{spec}"' for number, spec in specs)
    head = header(CTYPE1="MULTISPE", CTYPE2="MULTISPE", NAXIS=2, WAT0_001="system=multispec", **cards)
    head["WAT1_001"] = "wtype=multispec label=Wavelength units=angstroms"
    for place in range(0, len(text), 68):
        head[f"WAT2_{place // 68 + 1:03d}"] = text[place : place + 68]
    return head


def _b_spline(x, coefficients, pieces, degree):
    """The spline by SciPy: uniform knots that go on beyond both ends."""
    from scipy.interpolate import BSpline

    knots = np.arange(-degree, pieces + degree + 1.0)
    return BSpline(knots, coefficients, degree)((x - 1) / 999 * pieces)


X = (2 * np.arange(1.0, N + 1) - 1001) / 999
FUNCTIONS = {
    "Chebyshev": ("1 3 1. 1000. 6000. 2500. 10.", lambda p: 6000 + 2500 * X + 10 * (2 * X**2 - 1)),
    "Legendre": ("2 3 1. 1000. 6000. 2500. 10.", lambda p: 6000 + 2500 * X + 10 * (1.5 * X**2 - 0.5)),
    # IRAF's cubic basis functions are six times those of the textbook
    "cubic spline": (
        "3 2 1. 1000. 500. 700. 900. 1150. 1400.",
        lambda p: 6 * _b_spline(p, np.array([500.0, 700, 900, 1150, 1400]), 2, 3),
    ),
    "linear spline": ("4 2 1. 1000. 4000. 5000. 7000.", lambda p: np.interp(p, [1, 500.5, 1000], [4000, 5000, 7000])),
    "samples": ("6 3 1. 4000. 400. 5000. 1000. 7000.", lambda p: np.interp(p, [1, 400, 1000], [4000, 5000, 7000])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("trimmed", [0, 100])
def test_non_linear_dispersions_of_iraf(name, trimmed):
    text, expected = FUNCTIONS[name]
    head = multispec((1, f"1 1 2 4000. 2. 1000 0. 1. 2. 1. 0. {text}"), LTV1=-float(trimmed))
    (axis,) = multispec_axes(head, 1, N - trimmed)
    np.testing.assert_allclose(axis.wavelength, expected(np.arange(1.0, N + 1))[trimmed:], rtol=1e-12)
    assert axis.medium == "air"


def test_functions_are_weighted_and_shifted():
    text = "1 1 2 4000. 2. 1000 0. 1. 2. 0.5 3. 1 2 1. 1000. 6000. 2500. 0.5 3. 2 2 1. 1000. 6000. 2500."
    (axis,) = multispec_axes(multispec((1, text)), 1, N)
    np.testing.assert_allclose(axis.wavelength, 6003 + 2500 * X, rtol=1e-12)


def test_doppler_factor_of_iraf():
    head = multispec((1, "1 1 0 4000. 2. 1000 0.1 1. 2."), (2, "2 1 1 3.6 1e-4 1000 0.0001 1. 2."))
    moved, heliocentric = multispec_axes(head, 2, N)
    np.testing.assert_allclose(moved.wavelength, (4000 + 2 * PIXEL) / 1.1)
    assert (moved.redshift, heliocentric.rest) == (0.1, None)
    assert "WAT2" in (moved.rest or "")
    np.testing.assert_allclose(heliocentric.wavelength, 10 ** (3.6 + 1e-4 * PIXEL) / 1.0001)


def test_lines_take_their_own_axis_whatever_the_order():
    first, second = "1 1 0 4000. 2. 1000 0. 1. 2.", "2 1 0 5000. 2. 800 0. 1. 2."
    for order in (((1, first), (2, second)), ((2, second), (1, first)), ((1, first), (2, second), (1, first))):
        found = multispec_axes(multispec(*order), 2, N)
        assert [axis.wavelength[0] for axis in found] == [4000, 5000]
    assert np.isnan(found[1].wavelength[800:]).all()  # it has 800 valid pixels
    with pytest.raises(AgnsalError, match="no axis for line 3"):
        multispec_axes(multispec((1, first), (2, second)), 3, N)
    with pytest.raises(AgnsalError, match="two axes"):
        multispec_axes(multispec((1, first), (1, second)), 1, N)
    with pytest.raises(AgnsalError, match="not wavelength calibrated"):
        multispec_axes(multispec((1, first.replace("1 1 0", "1 1 -1"))), 1, N)


def test_the_axis_that_disperses():
    wave = {"CTYPE2": "WAVE", "CUNIT2": "Angstrom"}
    assert dispersion_axis(header(**wave), (N, 3)) == 2
    assert dispersion_axis(header(CTYPE1="LINEAR", CTYPE2="LINEAR", DISPAXIS=2), (N, 3)) == 2
    assert dispersion_axis(header(CTYPE3="AWAV", CTYPE1="RA---TAN", CUNIT1="deg", CTYPE2="DEC--TAN"), (N, 1, 1)) == 3
    assert dispersion_axis(header(DISPAXIS=2), (N,)) == 1  # left from the image it was extracted from
    with pytest.raises(AgnsalError, match="which axis"):
        dispersion_axis(header(), (N, 3))


CARDS = st.sampled_from(
    ["CTYPE1", "CUNIT1", "CRVAL1", "CDELT1", "CRPIX1", "CD1_1", "DC-FLAG", "COEFF0", "COEFF1", "WAT1_001", "LTV1"]
)
VALUES = st.one_of(
    st.sampled_from(["WAVE", "AWAV-LOG", "LOGLAM", "nm", "Angstrom", "GHz", "wtype=linear units=nm", "", "MULTISPE"]),
    st.floats(-1e6, 1e6),
    st.integers(-2, 2),
)


@settings(max_examples=150, deadline=None)
@given(cards=st.dictionaries(CARDS, VALUES, max_size=8))
def test_any_header_gives_possible_wavelengths_or_a_refusal(cards):
    head = fits.Header({"CTYPE1": "WAVE", "CUNIT1": "Angstrom"} | LINEAR | cards)
    try:
        axis = spectral_axis(head, 50)
    except AgnsalError:
        return
    assert axis.wavelength.shape == (50,)
    assert np.isfinite(axis.wavelength).all()
    assert 500 <= axis.wavelength.min() <= axis.wavelength.max() <= 1e6


# Look-up tables, velocities, and the user's word


def in_table(index=None, column="COORDS", **cards):
    """An image whose wavelengths are cells of a table, as paper III defines them."""
    curved = np.geomspace(4000.0, 7000.0, N)
    cells = [fits.Column("COORDS", f"{N}D", dim=f"(1,{N})", array=curved[None, :, None])]
    if index is not None:
        cells.append(fits.Column("INDEX", f"{N}D", array=index[None]))
    table = fits.BinTableHDU.from_columns(cells, name="WCS-TABLE")
    image = fits.PrimaryHDU(np.ones(N))
    image.header.update({"CTYPE1": "WAVE-TAB", "CUNIT1": "Angstrom", "CRPIX1": 1.0, "CRVAL1": 1.0, "CDELT1": 1.0})
    image.header.update({"PS1_0": "WCS-TABLE", "PS1_1": column} | ({"PS1_2": "INDEX"} if index is not None else {}))
    image.header.update(cards)
    return fits.HDUList([image, table]), curved


@pytest.mark.parametrize("indexed", [False, True])
def test_wavelengths_in_a_table_are_those_of_wcslib(indexed):
    index = np.linspace(0.0, 99.0, N) if indexed else None
    cards = {"CRVAL1": 0.0, "CDELT1": 99.0 / (N - 1)} if indexed else {}
    hdulist, curved = in_table(index, **cards)
    axis = spectral_axis(hdulist[0].header, N, hdulist=hdulist)
    np.testing.assert_allclose(axis.wavelength, curved)
    (of_wcslib,) = WCS(hdulist[0].header, hdulist).all_pix2world(np.arange(N), 0)
    np.testing.assert_allclose(axis.wavelength, of_wcslib)
    assert axis.medium == "vacuum"


def test_a_table_that_is_not_there_is_named():
    hdulist, _ = in_table(column="OTHER")
    with pytest.raises(AgnsalError, match=r"'OTHER' of extension 'WCS-TABLE'"):
        spectral_axis(hdulist[0].header, N, hdulist=hdulist)


VELOCITY = np.linspace(-3e5, 9e5, N)  # m/s
C = 299792458.0
RATIOS = {
    "VOPT": 1 + VELOCITY / C,
    "VRAD": 1 / (1 - VELOCITY / C),
    "VELO": np.sqrt((1 + VELOCITY / C) / (1 - VELOCITY / C)),
    "ZOPT": 1 + VELOCITY / C,
    "BETA": np.sqrt((1 + VELOCITY / C) / (1 - VELOCITY / C)),
}


@pytest.mark.parametrize("kind", RATIOS)
@pytest.mark.parametrize("line", [{"RESTWAV": 6564.61e-10}, {"RESTFRQ": C / 6564.61e-10}])
def test_velocities_about_a_stated_line(kind, line):
    """Speeds of light are those of the FITS standard: a velocity of zero is the line itself."""
    scale, unit = (C, None) if kind in ("ZOPT", "BETA") else (1e3, "km/s")
    step = VELOCITY[1] - VELOCITY[0]
    cards = {"CTYPE1": kind, "CRVAL1": VELOCITY[0] / scale, "CDELT1": step / scale, "CRPIX1": 1.0} | line
    axis = spectral_axis(header(**cards | ({"CUNIT1": unit} if unit else {})), N)
    np.testing.assert_allclose(axis.wavelength, 6564.61 * RATIOS[kind], rtol=1e-9)
    assert axis.medium == "vacuum"


def test_velocities_that_are_not_linear_are_those_of_wcslib():
    """An axis even in frequency, described by its optical velocity, is an even axis of frequencies."""
    frequency = C / 6564.61e-10 - 1e9 * np.arange(N)
    first = C * (C / 6564.61e-10 / frequency[0] - 1)
    slope = C * (C / 6564.61e-10) / frequency[0] ** 2 * 1e9
    cards = {"CTYPE1": "VOPT-F2W", "CUNIT1": "m/s", "CRVAL1": first, "CDELT1": slope, "CRPIX1": 1.0}
    axis = spectral_axis(header(**cards, RESTWAV=6564.61e-10), N)
    np.testing.assert_allclose(axis.wavelength, 1e10 * C / frequency, rtol=1e-9)


@pytest.mark.parametrize(
    ("lost", "match", "mend"),
    [
        ("RESTWAV", "the line it is about is not stated", {"RESTWAV": 6.56461e-07}),
        ("CUNIT1", "has no unit", {"CUNIT1": "km/s"}),
        ("CTYPE1", "does not define", {"CTYPE1": "VOPT"}),
    ],
)
def test_velocities_that_do_not_say_are_refused_with_the_card_that_helps(lost, match, mend):
    cards = {"CTYPE1": "VOPT", "CUNIT1": "km/s", "CRVAL1": 0.0, "CDELT1": 10.0, "CRPIX1": 1.0, "RESTWAV": 6.56461e-07}
    damaged = header(**cards)
    damaged.pop(lost)
    if lost == "CTYPE1":
        damaged[lost] = "VELO-LSR"
    with pytest.raises(AgnsalError, match=match) as caught:
        spectral_axis(damaged, N)
    ((card, value),) = mend.items()
    assert f"setval(path, '{card}', value={value!r})" in str(caught.value)
    damaged[card] = value
    assert spectral_axis(damaged, N).wavelength[0] == pytest.approx(6564.61)


@pytest.mark.parametrize("kind", ["WAVE-LOG", "AWAV-LOG"])
def test_the_unit_that_is_asked_for_does_not_make_a_logarithm_linear(kind):
    step = 4000 * 1e-4 * np.log(10)
    cards = {"CTYPE1": kind, "CRVAL1": 4000.0, "CDELT1": step, "CRPIX1": 1.0}
    with pytest.raises(AgnsalError, match=r"units=\{'wavelength': 'Angstrom'\}"):
        spectral_axis(header(**cards), N)
    axis = spectral_axis(header(**cards), N, units={"wavelength": "Angstrom"})
    np.testing.assert_allclose(axis.wavelength, 4000 * 10 ** (1e-4 * np.arange(N)))


@pytest.mark.parametrize("kind", ["WAVE", "AWAV", "WAVE-LOG", "FREQ", "LINEAR", "LAMBDA", "VOPT", "log10(lambda)"])
def test_a_lacking_reference_pixel_is_asked_for_whatever_the_type(kind):
    """By the standard it is 0, and most who leave it out mean 1."""
    cards = {"CTYPE1": kind, "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0, "RESTWAV": 6.5e-7}
    cards |= {"FREQ": {"CUNIT1": "Hz", "CRVAL1": 6e14, "CDELT1": -1e10}, "VOPT": {"CUNIT1": "km/s"}}.get(kind, {})
    cards |= {"CRVAL1": 3.6, "CDELT1": 1e-4} if "log" in kind else {}
    with pytest.raises(AgnsalError, match=r"setval\(path, 'CRPIX1', value=1\.0\)"):
        spectral_axis(header(**cards), N)
