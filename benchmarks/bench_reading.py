"""Reading survey files, beside what astropy.io.fits alone takes for the same arrays (the bound is 3 times).

Images of one spectrum take astropy 0.4 ms; building a `specutils.Spectrum` (0.5 ms) and the way from air to vacuum
(0.25 ms) take twice as long by themselves, so that these stay above the bound. A block of a data set (before it is
resampled) does without the first of them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np
from astropy.io import fits

from agnsal import SpectralSample, open_dataset, read_spectra

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.spectra import survey_files as files

N_FILES = 20
WRITERS = {
    "SDSS-III/IV spec": lambda p: files.write_spec(
        p, loglam=files.sdss_axis(3800, 3.58), catalogue=files.specobj(n_columns=110)
    ),
    "DESI coadd": files.write_desi,
    "6dFGS-tabular": files.write_sixdfgs_table,
    "6dFGS-split": files.write_sixdfgs_image,
    "wcs1d-fits": files.write_iraf,
    "GAMA": files.write_gama,
}


class Reading:
    """Time per folder of files, by format."""

    params: ClassVar = list(WRITERS)
    param_names: ClassVar = ["layout"]

    def setup(self, layout):
        self.folder = tempfile.TemporaryDirectory()
        self.paths = [WRITERS[layout](Path(self.folder.name) / f"{i}.fits") for i in range(N_FILES)]
        read_spectra(self.paths[:1])  # import specutils
        source = open_dataset(self.paths, format=layout).rows(0).source
        assert not isinstance(source, SpectralSample)
        self.source = source

    def teardown(self, _layout):
        self.folder.cleanup()

    def time_agnsal(self, layout):
        read_spectra(self.paths, format=layout)

    def time_agnsal_recognising(self, _layout):
        read_spectra(self.paths)

    def time_agnsal_block(self, _layout):
        list(self.source.read())

    def time_astropy_fits(self, layout):
        for path in self.paths:
            with fits.open(path) as hdulist:
                if layout == "DESI coadd":
                    for arm in "BRZ":
                        for part in ("WAVELENGTH", "FLUX", "IVAR"):
                            np.array(hdulist[f"{arm}_{part}"].data)
                elif isinstance(hdulist[-1], fits.PrimaryHDU):
                    np.array(hdulist[0].data)
                else:
                    table = hdulist[1].data
                    for name in table.dtype.names[:3]:
                        np.array(table[name])


def main():
    """Print one line a format: milliseconds a file, and ratios."""
    import timeit
    from functools import partial
    from time import process_time  # of other work on the machine it knows nothing

    print(f"{'format':20s} {'astropy':>8s} {'agnsal':>8s} {'ratio':>6s} {'recognising':>12s} {'block':>6s}")
    for name in WRITERS:
        case = Reading()
        case.setup(name)
        actions = (case.time_astropy_fits, case.time_agnsal, case.time_agnsal_recognising, case.time_agnsal_block)
        plain, named, found, block = (
            1e3 * min(timeit.repeat(partial(action, name), timer=process_time, number=1, repeat=7)) / N_FILES
            for action in actions
        )
        print(f"{name:20s} {plain:8.2f} {named:8.2f} {named / plain:6.2f} {found / plain:12.2f} {block / plain:6.2f}")
        case.teardown(name)


if __name__ == "__main__":
    main()
