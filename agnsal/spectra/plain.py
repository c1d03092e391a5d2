"""`PlainSpectrum`: what files are read into and samples are made of; users get it as a `specutils.Spectrum`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.meaning.statements import known_redshift
from agnsal.spectra.files.meaning.units import FLAM17

if TYPE_CHECKING:
    from specutils import Spectrum

#: What is the same redshift, of 1 + z; a velocity and back is up to 2e-14.
_SAME = 1e-12


@dataclass(frozen=True, eq=False)
class PlainSpectrum:
    """One spectrum as arrays that share no pixel with another, in vacuum Angstrom of its own frame.

    Attributes
    ----------
    wavelength : ndarray, shape (n,)
        Ascending.
    flux : ndarray, shape (n,)
    unit : Unit
        Of the flux.
    ivar : ndarray, shape (n,), or None
        In ``unit**-2``.
    mask : ndarray of bool, shape (n,)
        True = bad.
    redshift : float or None
        None where it is not known.
    meta : dict
    """

    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]
    unit: u.UnitBase
    ivar: NDArray[np.float64] | None
    mask: NDArray[np.bool_]
    redshift: float | None
    meta: dict[str, Any]

    @classmethod
    def rows_of(cls, spectrum: Spectrum) -> list[PlainSpectrum]:
        """Every row of a `Spectrum`, whatever its axis and its errors are given in.

        Raises
        ------
        AgnsalError
            If its axis is no wavelength, it is a cube, or its errors are not understood.
        """
        axis = spectrum.spectral_axis
        try:
            wavelength = np.asarray(
                axis.value if axis.unit == u.AA else axis.to_value(u.AA, u.spectral()), dtype=np.float64
            )
        except u.UnitConversionError as error:
            raise AgnsalError(f"its spectral axis is in {axis.unit}, not a wavelength.") from error
        if spectrum.flux.ndim > 2:
            raise AgnsalError(f"a cube of shape {spectrum.flux.shape}; give its spectra as rows of one Spectrum.")
        flux = np.atleast_2d(np.asarray(spectrum.flux.value, dtype=np.float64))
        mask = np.zeros(flux.shape, bool) if spectrum.mask is None else np.atleast_2d(np.asarray(spectrum.mask, bool))
        ivar = _inverse_variance(spectrum)
        ivar = None if ivar is None else np.atleast_2d(ivar)
        moved = spectrum.redshift  # worked out from a velocity at every look
        redshift = np.broadcast_to(np.asarray(getattr(moved, "value", moved)), (len(flux),))
        stated = known_redshift(spectrum.meta.get("redshift"))
        up = slice(None, None, -1 if wavelength[0] > wavelength[-1] else 1)
        return [
            cls(
                wavelength=wavelength[up],
                flux=flux[row, up],
                unit=spectrum.flux.unit,
                ivar=None if ivar is None else ivar[row, up],
                mask=mask[row, up],
                redshift=_exact(float(redshift[row]), stated),
                meta=spectrum.meta,
            )
            for row in range(len(flux))
        ]

    def to_spectrum(self) -> Spectrum:
        """The same as a `specutils.Spectrum`, which takes longer than to resample it."""
        from astropy.nddata import InverseVariance
        from specutils import Spectrum

        return Spectrum(
            flux=self.flux << self.unit,
            spectral_axis=self.wavelength << u.AA,
            uncertainty=None if self.ivar is None else InverseVariance(self.ivar, unit=self.unit**-2),
            mask=self.mask,
            redshift=self.redshift,
            meta=self.meta,
        )

    def in_flam(self) -> PlainSpectrum:
        """The same in `FLAM17`, or without a unit where the flux is relative.

        Raises
        ------
        AgnsalError
            If the flux is neither.
        """
        factor = self._factor()
        if factor is None:
            return replace(self, unit=u.dimensionless_unscaled)
        ivar = None if self.ivar is None else self.ivar / np.square(factor)
        return replace(self, flux=self.flux * factor, unit=FLAM17, ivar=ivar)

    def _factor(self) -> float | NDArray[np.float64] | None:
        """What to multiply by to get `FLAM17`, of F_nu for each pixel; None of relative flux."""
        unit = self.unit
        factor = _constant_factor(unit, FLAM17)
        if factor is not None:
            return factor
        kind = unit.physical_type
        if kind in ("dimensionless", "unknown") or unit.is_equivalent(u.ct) or unit.is_equivalent(u.ct / u.s):
            return None
        try:
            ones = np.ones(self.wavelength.size) * unit
            return np.asarray(ones.to_value(FLAM17, u.spectral_density(self.wavelength * u.AA)))
        except u.UnitConversionError as error:
            raise AgnsalError(
                f"flux in {unit} is neither a flux density (F_lambda, F_nu) nor relative; convert it before collecting."
            ) from error


def _exact(redshift: float, stated: float | None) -> float | None:
    """The redshift of a `Spectrum`, which keeps a velocity, as it was `stated` where it is the same but for rounding.

    It says 0 where nobody gave one: that is no redshift, unless 0 was stated.
    """
    if stated is not None and abs(redshift - stated) <= _SAME * (1 + stated):
        return stated
    return redshift or None


@lru_cache(maxsize=64)
def _constant_factor(unit: u.UnitBase, wanted: u.UnitBase) -> float | None:
    """Factor between two units that differ by a number only: the same for all spectra, and worked out once."""
    return float(unit.to(wanted)) if unit.is_equivalent(wanted) else None


def _inverse_variance(spectrum: Spectrum) -> NDArray[np.float64] | None:
    """Inverse variance in the unit of the flux, whatever kind and unit the errors came in."""
    from astropy.nddata import InverseVariance

    errors, flux_unit = spectrum.uncertainty, spectrum.flux.unit
    if errors is None:
        return None
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            if not isinstance(errors, InverseVariance):
                errors = errors.represent_as(InverseVariance)
            factor = (
                1.0 if errors.unit is None else _constant_factor(errors.unit * flux_unit**2, u.dimensionless_unscaled)
            )
    except (TypeError, ValueError, AttributeError, u.UnitsError) as error:
        raise AgnsalError(f"its errors are not understood ({error}); give an InverseVariance.") from error
    if factor is None:
        raise AgnsalError(f"its errors are not understood ({errors.unit} of {flux_unit}); give an InverseVariance.")
    return np.asarray(errors.array, dtype=np.float64) * factor
