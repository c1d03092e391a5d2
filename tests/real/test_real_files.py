"""Every real survey file is read into a sensible spectrum, or refused with its name and the cause."""

from __future__ import annotations

import collections
import csv
import logging

import astropy.units as u
import numpy as np
import pytest

from agnsal import AgnsalError, AgnsalWarning, read_spectra

#: Some texts do not say their medium; that vacuum is assumed then is told.
pytestmark = pytest.mark.filterwarnings("ignore:wavelengths taken as vacuum:agnsal.AgnsalWarning")

#: (format, survey, medium of the file) and how many of the files there are in it.
EXPECTED = {
    ("SDSS-III/IV spec", "SDSS", "vacuum"): 113,
    ("6dFGS-split", "6dFGS", "air"): 60,
    ("6dFGS-tabular", "6dFGS", "air"): 11,
    ("wcs1d-fits", None, "air"): 11,
    ("wcs1d-fits", "SDSS", "vacuum"): 1,
    ("GAMA", "GAMA", "air"): 1,
    ("tabular-fits", "SDSS", "vacuum"): 1,
    ("DESI coadd", "DESI", "vacuum"): 2,
    ("text", "DESI", "vacuum"): 9,
    ("text", "NED", "air"): 7,
    ("text", "SDSS", "vacuum"): 1,
    ("text", None, "vacuum"): 4,
}
#: File and cause.
REFUSED = {
    "g0206104-603635.ir.fits": "no signal",  # 6dFGS, no redshift could be measured either (QUALITY 1)
    "spec-0269-51581-0003.fits": "no good pixel",  # a fibre without data (ZWARNING 6)
}
REST_FRAME = {"cg922.fits", "sample_sdss.txt"}


@pytest.fixture(scope="module")
def index(real_spectra):
    with (real_spectra / "index.csv").open(encoding="utf-8") as stream:
        return {row["file"]: row for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def read(real_spectra, index):
    """Every file apart, as spectrum or as error; frame and redshift from the index where the frame is rest."""
    logging.getLogger("agnsal").setLevel(logging.ERROR)
    results = {}
    for name, row in index.items():
        given = {"frame": "rest", "redshift": float(row["z"])} if row["frame"] == "rest" else {}
        try:
            results[name] = read_spectra(real_spectra / name, **given)
        except AgnsalError as error:
            results[name] = error
    logging.getLogger("agnsal").setLevel(logging.NOTSET)
    return results


def spectra_of(read):
    return {name: result[0] for name, result in read.items() if not isinstance(result, AgnsalError)}


def test_what_is_read_format_by_format(read):
    counts = collections.Counter(
        (s.meta["format"], s.meta.get("survey"), s.meta["medium_of_file"]) for s in spectra_of(read).values()
    )
    assert counts == EXPECTED
    assert len(read) == sum(counts.values()) + len(REFUSED)


def test_what_is_refused_and_why(read):
    refused = {name: str(result) for name, result in read.items() if isinstance(result, AgnsalError)}
    assert {name.split("/")[-1] for name in refused} == set(REFUSED)
    for name, message in refused.items():
        assert name in message
        assert REFUSED[name.split("/")[-1]] in message


def test_skipping_reads_all_the_others_of_the_folder(real_spectra, index):
    with pytest.warns(AgnsalWarning) as warned:
        spectra = read_spectra(real_spectra, on_error="skip")
    # cg922 says itself that it is in the rest frame; sample_sdss.txt does not, and is believed
    assert len(spectra) == len(index) - len(REFUSED) - 1
    assert len(warned) == 2  # the other says which media were assumed
    message = str(warned[-1].message)
    for name, cause in {**REFUSED, "cg922.fits": "frame='rest'"}.items():
        line = next(line for line in message.splitlines() if name in line)
        assert cause in line


def test_spectra_are_sensible(read):
    for name, spectrum in spectra_of(read).items():
        wavelength, flux = spectrum.spectral_axis.value, spectrum.flux.value
        assert spectrum.spectral_axis.unit == u.AA, name
        assert (np.diff(wavelength) > 0).all(), name
        assert 3000 < wavelength[0] < wavelength[-1] < 11000, name
        assert wavelength.dtype == flux.dtype == np.dtype("=f8"), name
        assert np.isfinite(flux[~spectrum.mask]).all(), name
        assert spectrum.mask.mean() < 0.7, name
        if spectrum.uncertainty is not None:
            ivar = spectrum.uncertainty.array
            assert (ivar[spectrum.mask] == 0).all(), name
            assert (np.isfinite(ivar) & (ivar > 0))[~spectrum.mask].all(), name


def test_wavelengths_agree_with_the_index(read, index):
    for name, spectrum in spectra_of(read).items():
        row = index[name]
        stretch = 1 + float(row["z"]) if row["frame"] == "rest" else 1.0
        shift = 1.00028 if spectrum.meta["medium_of_file"] == "air" else 1.0
        ends = spectrum.spectral_axis.value[[0, -1]] / stretch / shift
        np.testing.assert_allclose(ends, [float(row["wave_min"]), float(row["wave_max"])], atol=1.0, err_msg=name)


def test_redshifts_and_classes_agree_with_the_index(read, index):
    known = 0
    for name, spectrum in spectra_of(read).items():
        row, meta = index[name], spectrum.meta
        if meta["redshift"] is not None:
            known += 1
            assert meta["redshift"] == pytest.approx(float(row["z"]), abs=2e-4), name
        if meta["format"] == "SDSS-III/IV spec":
            assert meta["redshift"] is not None, name
            assert meta["object_id"] == f"{int(row['plate']):04d}-{row['mjd']}-{int(row['fiber']):04d}", name
            assert (meta["class"], meta["subclass"]) == (row["class"], row["subclass"]), name
            assert meta["sn_median"] == pytest.approx(float(row["sn_median"]), abs=0.051), name
    assert known >= 188  # all but plain tables and images that hold none


def test_errors_agree_with_the_index(read, index):
    for name, spectrum in spectra_of(read).items():
        if "_LJT" not in name:  # the index overlooked the err column of this one
            assert (spectrum.uncertainty is not None) == (index[name]["has_errors"] == "yes"), name


def test_lines_fall_on_vacuum_wavelengths(read, index):
    """[O III] and H alpha at the catalogue redshift: reading air for vacuum would show as 85 km/s."""
    offsets = collections.defaultdict(list)
    for name, spectrum in spectra_of(read).items():
        wavelength = spectrum.spectral_axis.value / (1 + float(index[name]["z"]))
        for line in (4960.295, 5008.240, 6585.27):
            near = (np.abs(wavelength - line) < 10) & ~spectrum.mask
            around = (np.abs(wavelength - line) > 12) & (np.abs(wavelength - line) < 40) & ~spectrum.mask
            if near.sum() < 5 or around.sum() < 10:
                continue
            continuum = np.median(spectrum.flux.value[around])
            noise = 1.48 * np.median(np.abs(spectrum.flux.value[around] - continuum))
            excess = spectrum.flux.value[near] - continuum
            top = excess.argmax()
            if excess[top] < 10 * noise or top in (0, near.sum() - 1):
                continue
            core = (excess > 0.5 * excess[top]) & (np.abs(wavelength[near] - wavelength[near][top]) < 5)
            center = np.average(wavelength[near][core], weights=excess[core])
            offsets[spectrum.meta["medium_of_file"], spectrum.meta.get("survey")].append(3e5 * (center / line - 1))
    for key, least in ((("vacuum", "SDSS"), 60), (("vacuum", "DESI"), 8), (("air", "6dFGS"), 20)):
        assert len(offsets[key]) >= least
        assert abs(np.median(offsets[key])) < 40, key


def test_files_in_the_rest_frame_need_to_be_asked_for(real_spectra, index):
    name = next(name for name in index if name.endswith("cg922.fits"))
    with pytest.raises(AgnsalError, match="rest frame already"):
        read_spectra(real_spectra / name)
    spectrum = read_spectra(real_spectra / name, frame="rest")[0]  # the redshift is in its header
    assert spectrum.spectral_axis.value[0] == pytest.approx(
        float(index[name]["wave_min"]) * (1 + float(index[name]["z"])), abs=1.5
    )
    assert {name.split("/")[-1] for name, row in index.items() if row["frame"] == "rest"} == REST_FRAME
