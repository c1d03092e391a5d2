"""The wavelengths of a spectrum: brought to Angstrom from whatever a file states, and refused where they are none."""

from __future__ import annotations

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.meaning.units import AxisUnit

#: Angstrom; what an axis from the ultraviolet to the far infrared can hold.
PLAUSIBLE = (500.0, 1e6)


def in_angstrom(values: ArrayLike, unit: AxisUnit) -> NDArray[np.float64]:
    """Wavelengths in Angstrom from numbers in `unit`, which may be logarithms, frequencies or energies.

    A ``log`` that does not say its base is told by the numbers: log10 and natural logarithms of possible wavelengths
    do not overlap in Angstrom.
    """
    numbers = np.asarray(values, dtype=np.float64)
    scale = unit.scale
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if scale == "log":
            low, high = np.log(np.array(PLAUSIBLE))
            finite = numbers[np.isfinite(numbers)]
            natural = finite.size and unit.unit == u.AA and low <= finite.min() and finite.max() <= high
            scale = "ln" if natural else "log10"
        numbers = np.power(10.0, numbers) if scale == "log10" else np.exp(numbers) if scale == "ln" else numbers
        if unit.unit.is_equivalent(u.AA):
            return numbers * unit.unit.to(u.AA)
        return (numbers * unit.unit).to_value(u.AA, u.spectral())


def check_axis(wavelength: NDArray[np.float64], known: bool = False) -> None:
    """Refuse an ascending axis in Angstrom that is too short, not finite, repeats, goes to and fro, or is no light.

    Of a `known` layout the unit is known as well, so that the file must be at fault.
    """
    if wavelength.size < 2:
        raise AgnsalError(f"it has {wavelength.size} pixels; a spectrum needs at least 2.")
    if not np.isfinite(wavelength).all() or (wavelength <= 0).any():
        raise AgnsalError(
            "its wavelengths are not all finite and positive. Pixels without one are left out where they carry no "
            "weight; these carry some."
        )
    step = np.diff(wavelength)
    if (step == 0).any():
        at = wavelength[np.flatnonzero(step == 0)[0]]
        raise AgnsalError(
            f"{int((step == 0).sum())} of its wavelengths occur twice (the first at {at:.2f} A); join them."
        )
    if (step < 0).any():
        at = wavelength[np.flatnonzero(step < 0)[0]]
        raise AgnsalError(
            f"its wavelengths go to and fro (after {at:.2f} A): orders or arms that overlap? Join or sort them."
        )
    low, high = PLAUSIBLE
    if wavelength[0] < low or wavelength[-1] > high:
        advice = (
            "Its layout is known to be in another: it is damaged, or was changed. Fetch it again."
            if known
            else "Say what its numbers are in: read_spectra(path, units={'wavelength': 'nm'}), or 'log10(Angstrom)'."
        )
        raise AgnsalError(
            f"its axis would run from {wavelength[0]:g} to {wavelength[-1]:g} A, which is not ultraviolet, optical or "
            f"infrared light ({low:g} to {high:g} A): pixel numbers, a logarithm, another unit than is stated? {advice}"
        )


def survey_grid(wavelength: NDArray[np.float64]) -> tuple[str, NDArray[np.float64]] | None:
    """The survey whose pixels these are (in vacuum), and where exactly they lie; None where they are of neither.

    SDSS has whole steps of 1e-4 in log10, DESI of 0.8 Angstrom from 3600. Nothing follows for the flux.
    """
    if wavelength.size < 100 or not np.isfinite(wavelength).all() or wavelength[0] < 2500 or wavelength[-1] > 12000:
        return None
    for survey, place in (("SDSS", 1e4 * np.log10(wavelength)), ("DESI", (wavelength - 3600.0) / 0.8)):
        whole = np.round(place)
        step = np.diff(whole)
        if np.abs(place - whole).max() < 0.01 and (step >= 1).all() and np.mean(step == 1) > 0.9:
            return survey, 10.0 ** (1e-4 * whole) if survey == "SDSS" else 3600.0 + 0.8 * whole
    return None
