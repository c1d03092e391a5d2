"""Remake the simulated spectra of this folder: `python data/make_data.py` (the same files, bit for bit).

Each file has the layout of an SDSS spec file: HDU 1 COADD holds the spectrum on the observed logarithmic axis of SDSS,
HDU 2 SPECOBJ the redshift and class. The objects come from `agnsal.simulate_agn`; every header says that they do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from agnsal import SpectralSample, WavelengthGrid, simulate_agn

SEED = 2021
N_EACH = 9
#: The logarithmic axis: log10 of the first wavelength in Angstrom, step, number of pixels (3800 to 9000 A).
FIRST, STEP, PIXELS = 3.5798, 1e-4, 3745
PLATE, MJD = 9901, 59000
#: SPPIXMASK bit of a pixel rejected in all exposures.
FULLREJECT = 1 << 18
#: What the SDSS pipeline would call them.
CLASSES = {"type 1": ("QSO", "BROADLINE"), "type 2": ("GALAXY", "AGN"), "intermediate": ("GALAXY", "AGN BROADLINE")}


def observed_objects() -> list[SpectralSample]:
    """One sample of one spectrum per object, each on the rest-frame axis that SDSS pixels have at its redshift."""
    edges = 10 ** (FIRST + STEP * (np.arange(PIXELS + 1) - 0.5))
    centers = 10 ** (FIRST + STEP * np.arange(PIXELS))
    known = simulate_agn(N_EACH, N_EACH, N_EACH, seed=SEED, noise=False)
    objects = []
    for row, redshift in enumerate(known.table["redshift"]):
        grid = WavelengthGrid(edges / (1 + redshift) * u.AA, centers / (1 + redshift) * u.AA)
        objects.append(simulate_agn(N_EACH, N_EACH, N_EACH, grid, seed=SEED)[row])
    return objects


def write_spec(path: Path, sample: SpectralSample, fiber: int) -> None:
    """Write one simulated object as an SDSS spec file."""
    label, redshift = str(sample.labels[0]), float(sample.table["redshift"][0])
    bad = np.where(sample.mask[0], FULLREJECT, 0)
    noise = np.sqrt(1 / sample.ivar[0][~sample.mask[0]]).mean()
    columns = (
        ("flux", "E", sample.flux[0]),
        ("loglam", "E", FIRST + STEP * np.arange(PIXELS)),
        ("ivar", "E", sample.ivar[0]),
        ("and_mask", "J", bad),
        ("or_mask", "J", bad),
        ("wdisp", "E", np.ones(PIXELS)),  # dispersion of the line spread function in pixels: 69 km/s
        ("sky", "E", np.full(PIXELS, noise)),
        ("model", "E", sample.truth.noiseless[0]),
    )
    primary = fits.PrimaryHDU()
    for key, value, comment in (
        ("TELESCOP", "SDSS 2.5-M", "layout only: SIMULATED, never observed"),
        ("ORIGIN", "SIMULATED", "made by agnsal.simulate_agn"),
        ("OBJECT", f"SIMULATED {label}", "class in the simulation"),
        ("FLAVOR", "science", ""),
        ("PLATEID", PLATE, "invented"),
        ("PLATE", PLATE, "invented"),
        ("MJD", MJD, "invented"),
        ("FIBERID", fiber, "number of the object"),
        ("VERS2D", "v5_simulated", "the layout; no pipeline has seen these data"),
        ("VERSCOMB", "simulated", ""),
        ("RUN2D", "simulated", ""),
        ("COEFF0", FIRST, "log10 of the first wavelength"),
        ("COEFF1", STEP, "log10 step of the wavelength"),
        ("DC-FLAG", 1, "logarithmic axis"),
        ("VACUUM", True, "wavelengths are in vacuum"),
        ("BUNIT", "1E-17 erg/cm^2/s/Ang", "flux unit"),
        ("SIMSEED", SEED, "seed of the simulation"),
    ):
        primary.header[key] = (value, comment)
    primary.header.add_comment("SIMULATED spectrum, made by data/make_data.py of agnsal. Not an observation.")
    coadd = fits.BinTableHDU.from_columns([fits.Column(name, form, array=array) for name, form, array in columns])
    coadd.name = "COADD"
    kind, sub = CLASSES[label]
    ratio = float(np.median((sample.flux * np.sqrt(sample.ivar))[~sample.mask]))
    entries = (
        ("SURVEY", "9A", "simulated"),
        ("PLATE", "J", PLATE),
        ("MJD", "J", MJD),
        ("FIBERID", "J", fiber),
        ("CLASS", "6A", kind),
        ("SUBCLASS", "21A", sub),
        ("Z", "E", redshift),
        ("Z_ERR", "E", 3e-5),
        ("ZWARNING", "J", 0),
        ("SN_MEDIAN_ALL", "E", ratio),
    )
    specobj = fits.BinTableHDU.from_columns([fits.Column(name, form, array=[value]) for name, form, value in entries])
    specobj.name = "SPECOBJ"
    for table in (coadd, specobj):
        table.header["ORIGIN"] = ("SIMULATED", "made by agnsal.simulate_agn")
    fits.HDUList([primary, coadd, specobj]).writeto(path, overwrite=True)


def main(folder: Path) -> None:
    """Write all files and the catalogue into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for fiber, sample in enumerate(observed_objects(), start=1):
        name = f"spec-{PLATE}-{MJD}-{fiber:04d}.fits"
        write_spec(folder / name, sample, fiber)
        identity = f"{PLATE}-{MJD}-{fiber:04d}"
        rows.append((name, identity, str(sample.labels[0]), round(float(sample.table["redshift"][0]), 6)))
    catalogue = QTable(rows=rows, names=("file", "object_id", "label", "redshift"))
    catalogue.meta["comments"] = ["SIMULATED spectra, made by data/make_data.py of agnsal. Not observations."]
    catalogue.write(folder / "catalogue.ecsv", overwrite=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).resolve().parent)
    main(parser.parse_args().folder)
