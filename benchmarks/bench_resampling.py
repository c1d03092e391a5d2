"""Resampling 3800 SDSS pixels to 3000 bins with errors; `python benchmarks/bench_resampling.py` prints the ratios."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from agnsal.spectra.grid import edges_from_centers
from agnsal.spectra.resampling import interpolate, resample

PIXELS = 3600.0 * 10 ** (1e-4 * np.arange(3800))
BINS = np.linspace(3650.0, 8550.0, 3000)


class Resampling:
    """One spectrum, a stack on one axis, and the peer."""

    def setup(self) -> None:
        import astropy.units as u
        import specutils
        from astropy.nddata import InverseVariance

        random = np.random.default_rng(0)
        self.flux, self.ivar = random.normal(5, 1, 3800), random.uniform(0.5, 2, 3800)
        self.mask = random.random(3800) < 0.02
        self.stack, self.stack_ivar = np.tile(self.flux, (100, 1)), np.tile(self.ivar, (100, 1))
        self.edges_in, self.edges_out = edges_from_centers(PIXELS), edges_from_centers(BINS)
        self.spectrum = specutils.Spectrum(
            flux=self.flux * u.Jy, spectral_axis=PIXELS * u.AA, uncertainty=InverseVariance(self.ivar / u.Jy**2)
        )
        self.bins = BINS * u.AA

    def time_resample(self):
        return resample(self.edges_in, self.flux, self.edges_out, ivar=self.ivar)

    def time_resample_masked(self):
        return resample(self.edges_in, self.flux, self.edges_out, ivar=self.ivar, mask=self.mask)

    def time_resample_100(self):
        return resample(self.edges_in, self.stack, self.edges_out, ivar=self.stack_ivar)

    def time_interpolate(self):
        return interpolate(PIXELS, self.flux, BINS, ivar=self.ivar)

    def time_specutils(self):
        from specutils.manipulation import FluxConservingResampler

        return FluxConservingResampler()(self.spectrum, self.bins)


def best_time(work: Callable[[], object], repeats: int) -> float:
    """Shortest of several runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    bench = Resampling()
    bench.setup()
    ours, theirs = bench.time_resample(), bench.time_specutils()
    full = ours.coverage > 1 - 1e-12
    flux = np.abs(ours.flux / theirs.flux.value - 1)[full].max()
    ivar = np.abs(ours.ivar / theirs.uncertainty.array - 1)[full].max()
    peer = best_time(bench.time_specutils, 5)
    print(f"largest relative difference on {full.sum()} bins: flux {flux:.1e}, inverse variance {ivar:.1e}\n")
    print(f"{'3800 pixels to 3000 bins, with errors':44}{'ms/spectrum':>12}{'specutils / this':>18}")
    print(f"{'specutils FluxConservingResampler':44}{1e3 * peer:12.3f}{1:18.0f}")
    for label, work, n_spectra in (
        ("agnsal resample", bench.time_resample, 1),
        ("agnsal resample, 2 % of the pixels masked", bench.time_resample_masked, 1),
        ("agnsal resample, 100 spectra on one axis", bench.time_resample_100, 100),
        ("agnsal interpolate", bench.time_interpolate, 1),
    ):
        seconds = best_time(work, 200 if n_spectra == 1 else 20) / n_spectra
        print(f"{label:44}{1e3 * seconds:12.3f}{peer / seconds:18.0f}")


if __name__ == "__main__":
    main()
