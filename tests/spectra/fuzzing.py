"""Mutated files: each is read as what it was, within what was mutated, or refused by name; nothing else may happen.

``python -m tests.spectra.fuzzing --count 100 --seed 0`` prints the counts as JSON. Run it in a process of its own: it
bounds the memory of the process (1 GiB more than at its start) and the time of every file (10 s).
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import logging
import re
import resource
import signal
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits

from agnsal import AgnsalError, read_spectra
from tests.spectra import survey_files as files

SECONDS, MEMORY = 10, 2**30
AXIS = {"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0}
WAVE = 4000.0 + 2.0 * np.arange(800)


def _extensions(path):
    hdus = [fits.PrimaryHDU()]
    for name, values in (
        ("SKY", 0 * WAVE + 7),
        ("FLUX", files.model(WAVE)),
        ("ERR", 0 * WAVE + 0.5),
        ("MASK", WAVE < 4010),
    ):
        hdus.append(fits.ImageHDU(values.astype("f4"), name=name))
        hdus[-1].header.update(AXIS if name in ("SKY", "FLUX") else {})
        if name != "MASK":
            hdus[-1].header["BUNIT"] = "1e-17 erg/s/cm2/Angstrom"
    fits.HDUList(hdus).writeto(path, overwrite=True)


def _wave_log(path):
    step = 3600 * 1e-4 * np.log(10)
    files.write_wcs1d(path, CTYPE1="WAVE-LOG", CRVAL1=3600.0, CDELT1=step)


def _multispec(path):
    spec = 'wtype=multispec spec1 = "1 1 0 4000. 2. 800 0. 10. 20." spec2 = "2 2 0 4000. 2. 800 0. 30. 40."'
    cards = {"CTYPE1": "MULTISPE", "WAT2_001": spec[:68], "WAT2_002": spec[68:]}
    files.write_iraf(path, np.array([files.model(WAVE), 2 * files.model(WAVE)]), **cards)


def _lamost(path):
    wave = 10 ** (3.57 + 1e-4 * np.arange(800))
    hdu = fits.PrimaryHDU(np.array([files.model(wave), 0 * wave + 4, wave, 0 * wave, 0 * wave], "f4"))
    hdu.header.update(
        {"TELESCOP": "LAMOST", "COEFF0": 3.57, "COEFF1": 1e-4, "CRVAL1": 3.57, "CD1_1": 1e-4, "CRPIX1": 1}
    )
    hdu.header.update({"DC-FLAG": 1, "CTYPE1": "LINEAR", "VACUUM": True})
    hdu.writeto(path, overwrite=True)


def _tab(path):
    cells = fits.Column("COORDS", "800D", dim="(1,800)", array=np.geomspace(4000, 7000, 800)[None, :, None])
    hdu = fits.PrimaryHDU(files.model(WAVE))
    hdu.header.update(AXIS | {"CTYPE1": "WAVE-TAB", "CRVAL1": 1.0, "CDELT1": 1.0, "PS1_0": "WCS", "PS1_1": "COORDS"})
    hdu.header["BUNIT"] = "1e-17 erg/s/cm2/Angstrom"
    fits.HDUList([hdu, fits.BinTableHDU.from_columns([cells], name="WCS")]).writeto(path, overwrite=True)


def _velocity(path):
    files.write_wcs1d(path, CTYPE1="VOPT", CUNIT1="km/s", CRVAL1=-3000.0, CDELT1=10.0, RESTWAV=6.5646e-7)


def _hdf5(path):
    import h5py

    with h5py.File(path, "w") as file:
        for name, values in {"lambda": WAVE, "flux": files.model(WAVE), "ivar": 0 * WAVE + 4}.items():
            file[f"spectrum_{name}"] = np.tile(values, (3, 1))
        file["object_id"], file["VDISP"], file["Z_ERR"] = np.arange(3), np.ones(3), np.ones(3)


def _parquet(path):
    import pyarrow as pa
    from pyarrow import parquet

    row = {"flux": list(files.model(WAVE)), "ivar": [4.0] * 800, "lambda": list(WAVE)}
    table = pa.table({"object_id": [1, 2, 3], "VDISP": [1.0] * 3, "Z_ERR": [1.0] * 3, "spectrum": [row] * 3})
    parquet.write_table(table, path, use_dictionary=False, compression="none", write_page_checksum=True)


FITS = {
    "spec": files.write_spec, "spec-v": lambda path: files.write_spec(path, release="V"), "spspec": files.write_spspec,
    "desi": files.write_desi, "6df": files.write_sixdfgs_image, "6df-table": files.write_sixdfgs_table,
    "2df": files.write_twodfgrs, "gama": files.write_gama, "wcs": files.write_wcs1d, "iraf": files.write_iraf,
    "table": files.write_fits_table, "extensions": _extensions, "wave-log": _wave_log, "multispec": _multispec,
    "lamost": _lamost, "tab": _tab, "velocity": _velocity, "ozdes": files.write_ozdes, "wigglez": files.write_wigglez,
    "galah": files.write_galah, "2slaq": files.write_twoslaq, "aaomega": files.write_aaomega, "marz": files.write_marz,
    "2qz": files.write_gama_collected, "plate": files.write_plate, "apogee": files.write_apogee,
    "deep2": files.write_deep2, "mwm": files.write_mwm, "pypeit": files.write_pypeit, "manga": files.write_manga,
    "eso": files.write_eso,
}  # fmt: skip
TEXT = {
    "ecsv": files.write_ecsv, "ned": files.write_ned,
    "named": lambda path: files.write_plain(
        path, header=["wavelength [Angstrom],flux [1e-17 erg/s/cm2/A],error [1e-17 erg/s/cm2/A]"], delimiter=","
    ),
}  # fmt: skip
CONTAINERS = {"hdf5": _hdf5, "parquet": _parquet}
#: Cards whose absence means another thing that nobody can tell: medium, frame, scale, a linear axis.
_OTHER_MEANING = re.compile(
    r"VACUUM|DOPCOR|CTYPE|CRPIX|OBSRA|OBSDEC|QUALITY|BZERO|BSCALE|TZERO|TSCAL|Z$|Z_HELIO|BITPIX|TFORM|GROUPS"
)
_NONSENSE = ("oops", "", "furlong", "km/s", 1e30, -1e30, 0, -7, 10**9, True)
_CLAIMS = {"NAXIS": 10**9, "NAXIS1": 10**9, "NAXIS2": 10**9, "TFIELDS": 10**8, "PCOUNT": 10**12, "GCOUNT": 10**9}


def _cards(content):
    """The places of all cards of all headers."""
    with fits.open(io.BytesIO(content)) as hdulist:
        headers = [(hdu.fileinfo()["hdrLoc"], hdu.fileinfo()["datLoc"]) for hdu in hdulist]
    return [at for begin, end in headers for at in range(begin, end, 80) if content[at : at + 8].strip()]


def card_deleted(content, rng):
    at = rng.choice([at for at in _cards(content) if not _OTHER_MEANING.match(content[at : at + 8].decode().strip())])
    return content[:at] + b" " * 80 + content[at + 80 :], 0


def card_nonsense(content, rng):
    places = [at for at in _cards(content) if content[at + 8 : at + 10] == b"= "]
    places = [at for at in places if not _OTHER_MEANING.match(content[at : at + 8].decode().strip())]
    at = rng.choice(places)
    value = _NONSENSE[rng.integers(len(_NONSENSE))]
    card = fits.Card(content[at : at + 8].decode().strip(), value).image.encode()
    return content[:at] + card[:80].ljust(80) + content[at + 80 :], 0


def card_claims(content, rng):
    places = [at for at in _cards(content) if content[at : at + 8].decode().strip() in _CLAIMS]
    at = rng.choice(places)
    key = content[at : at + 8].decode().strip()
    return content[:at] + f"{key:8}= {_CLAIMS[key]:>20}".encode().ljust(80) + content[at + 80 :], 0


def data_bytes(content, rng):
    with fits.open(io.BytesIO(content)) as hdulist:
        # a letter of a table of fibres makes a target of the sky, and nobody can tell
        rows = [h.fileinfo() | {"size": h.size} for h in hdulist if h.size and h.name not in ("PLUGMAP", "FIBRES")]
        spans = [(place["datLoc"], place["datLoc"] + place["size"]) for place in rows]
    begin, end = spans[rng.integers(len(spans))]
    changed = bytearray(content)
    count = int(rng.integers(1, 9))
    for at in rng.integers(begin, end, count):
        changed[at] = rng.integers(256)
    return bytes(changed), count


def any_bytes(content, rng):
    changed = bytearray(content)
    for at in rng.integers(0, len(content), int(rng.integers(1, 9))):
        changed[at] = rng.integers(256)
    return bytes(changed), None  # a digit of a header may be another one now: only exceptions, time and memory count


def truncated(content, rng):
    return content[: int(rng.integers(1, len(content)))], 1  # the last number of a text may be cut short


def with_junk(content, rng):
    return content + rng.bytes(int(rng.integers(1, 5000))), 1


def packed(content, rng):
    whole = gzip.compress(content, 1)
    return whole if rng.random() < 0.5 else whole[: int(rng.integers(1, len(whole)))], 0


def hdus_moved(content, rng):
    with fits.open(io.BytesIO(content)) as hdulist:
        rest = [hdu.copy() for hdu in hdulist[1:]]
        order = rng.permutation(len(rest)) if rng.random() < 0.5 else rng.integers(0, max(len(rest), 1), len(rest))
        out = io.BytesIO()
        fits.HDUList([hdulist[0].copy(), *(rest[i].copy() for i in order)]).writeto(out, output_verify="ignore")
    return out.getvalue(), 0


def cell_lost(content, rng):
    lines = content.decode().splitlines()
    number = int(rng.integers(len(lines) // 2, len(lines)))
    mark = "," if "," in lines[number] else " "
    cells = lines[number].split(mark)
    del cells[int(rng.integers(len(cells)))]
    lines[number] = mark.join(cells)
    return "\n".join(lines).encode(), 1


def cell_nonsense(content, rng):
    lines = content.decode().splitlines()
    number = int(rng.integers(len(lines) // 2, len(lines)))
    words = re.split(r"([ ,]+)", lines[number])
    words[2 * int(rng.integers((len(words) + 1) // 2))] = str(
        rng.choice(["oops", "1e999", "-", "nan", "--", "4,5", "0x10"])
    )
    lines[number] = "".join(words)
    return "\n".join(lines).encode(), 1


def head_lost(content, rng):
    lines = content.decode().splitlines()
    # YAML that lacks one of its keys gives astropy's reader another column under the name of the flux
    del lines[rng.choice([number for number, line in enumerate(lines[:20]) if not line.startswith("#     ")])]
    return "\n".join(lines).encode(), 0


_ANYWHERE = (any_bytes, truncated, with_junk)
MUTATIONS = {
    **dict.fromkeys(FITS, (*_ANYWHERE, card_deleted, card_nonsense, card_claims, data_bytes, packed, hdus_moved)),
    # a velocity may be any number
    "velocity": (*_ANYWHERE, card_deleted, card_claims, data_bytes, packed, hdus_moved),
    **dict.fromkeys(TEXT, (*_ANYWHERE, packed, cell_lost, cell_nonsense, head_lost)),
    **dict.fromkeys(CONTAINERS, _ANYWHERE),
}


class Hang(BaseException):
    """A file took longer than it may."""


def _hang(*_):
    raise Hang


def agrees(spectrum, truths, budget):
    """Whether a spectrum is one of those that were written, but for `budget` pixels."""
    wavelength, flux = spectrum.spectral_axis.value, spectrum.flux.value
    for truth in truths:
        at = np.clip(np.searchsorted(truth.spectral_axis.value, wavelength), 1, len(truth.spectral_axis) - 1)
        at -= wavelength - truth.spectral_axis.value[at - 1] < truth.spectral_axis.value[at] - wavelength
        same = np.isclose(wavelength, truth.spectral_axis.value[at], rtol=1e-6)
        same &= np.isclose(flux, truth.flux.value[at], rtol=1e-5) | spectrum.mask | truth.mask[at]
        if spectrum.uncertainty is not None and truth.uncertainty is not None:
            same &= (
                np.isclose(spectrum.uncertainty.array, truth.uncertainty.array[at], rtol=1e-4)
                | spectrum.mask
                | truth.mask[at]
            )
        unit = spectrum.unit in (truth.unit, u.dimensionless_unscaled)
        if unit and np.count_nonzero(~same) <= budget:
            return True
    return False


def judged(path, truths, budget):
    """What became of a mutated file: read or refused, or what may not be: wrong, a hang, a foreign exception."""
    signal.alarm(SECONDS)
    try:
        spectra = read_spectra(path)
    except AgnsalError:
        return "refused"
    except Hang:
        return "hang"
    except Exception as error:  # what the fuzzer is there to find
        return f"foreign {type(error).__name__}"
    finally:
        signal.alarm(0)
    if budget is None or all(agrees(spectrum, truths, budget) for spectrum in spectra):
        return "read"
    return "wrong"


def run(count, seed, folder, keep=None):
    """Counts of what became of `count` mutated files; those that went wrong are kept in a folder."""
    logging.getLogger("agnsal").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _hang)
    bases = FITS | TEXT | CONTAINERS
    originals, truths = {}, {}
    for name, writer in bases.items():
        path = Path(folder) / f"{name}.{'fits' if name in FITS else 'dat'}"
        try:
            writer(path)
        except ImportError:
            continue  # h5py or pyarrow is not there
        originals[name], truths[name] = path.read_bytes(), read_spectra(path)
    usage = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (pages + MEMORY, usage[1]))
    found: Counter[str] = Counter()
    try:
        for number in range(count):
            rng = np.random.default_rng((seed, number))
            name = list(originals)[rng.integers(len(originals))]
            mutation = MUTATIONS[name][rng.integers(len(MUTATIONS[name]))]
            content, budget = mutation(originals[name], rng)
            path = Path(folder) / f"mutant{'.fits' if name in FITS else '.dat'}"
            path.write_bytes(content)
            result = judged(path, truths[name], budget)
            found[result] += 1
            if result not in ("read", "refused"):
                found[f"{result}: {name} {mutation.__name__} {seed} {number}"] += 1
                if keep:
                    (Path(keep) / f"{name}-{mutation.__name__}-{seed}-{number}").write_bytes(content)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, usage)
    return dict(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.write(json.dumps(run(options.count, options.seed, scratch, options.keep), indent=1) + "\n")
