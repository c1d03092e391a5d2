"""Corrections made once, in the observed frame: from air to vacuum, and for dust of the Milky Way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import to_angstrom

if TYPE_CHECKING:
    from specutils import Spectrum


def air_to_vacuum(wavelength: u.Quantity) -> u.Quantity:
    """Vacuum wavelengths of wavelengths measured in air.

    Parameters
    ----------
    wavelength : Quantity, shape (n,)
        In air, in the observed frame.

    Returns
    -------
    Quantity, shape (n,)
        In vacuum, in Angstrom.

    Raises
    ------
    AgnsalError
        If the wavelengths have no unit of length.

    Notes
    -----
    The refractive index is that of Morton (2000, ApJS 130, 403), inverted by iteration, through `specutils`. Below
    2000 Angstrom wavelengths are given in vacuum by convention, so that they do not change.

    Examples
    --------
    >>> import astropy.units as u
    >>> air_to_vacuum([5006.843, 1215.67] * u.AA).round(2)
    <Quantity [5008.24, 1215.67] Angstrom>
    """
    from specutils.utils.wcs_utils import air_to_vac

    air = to_angstrom(wavelength, "wavelength")
    # the precision is in Angstrom; the default, 1e-12, is finer than float64 at 10000 Angstrom
    vacuum = air_to_vac(np.maximum(air, 2000.0) * u.AA, scheme="iteration", method="Morton2000", precision=1e-9)
    return np.where(air < 2000.0, air, vacuum.value) * u.AA


def deredden(spectrum: Spectrum, ebv: float | None = None, model: Any = "G23", r_v: float = 3.1) -> Spectrum:
    """Undo the reddening by dust of the Milky Way.

    Parameters
    ----------
    spectrum : specutils.Spectrum
        In the observed frame, as `read_spectra` gives it: the dust is ours.
    ebv : float, optional
        E(B-V) in magnitudes, not negative; by default ``spectrum.meta["ebv"]`` (DESI files carry it).
    model : str or dust_extinction model
        Name of a class of ``dust_extinction.parameter_averages`` (``"G23"``: Gordon et al. 2023, ApJ 950, 86;
        ``"F99"``, ``"CCM89"``, ...), or an extinction model of one's own with a method ``extinguish(wave, Ebv=)``.
    r_v : float
        R(V), for models given by name.

    Returns
    -------
    specutils.Spectrum
        Flux divided by the transmission, inverse variance multiplied by its square; mask, redshift and meta are kept,
        and ``meta["dereddened"]`` tells what was done.

    Raises
    ------
    AgnsalError
        If dust_extinction is not installed, the model is unknown or does not cover the wavelengths, or E(B-V) is
        missing, negative or not finite, or the spectrum has been dereddened before.

    Examples
    --------
    >>> import astropy.units as u, numpy as np
    >>> from specutils import Spectrum
    >>> spectrum = Spectrum(flux=np.ones(3) * u.mJy, spectral_axis=[4000, 5000, 6000] * u.AA)
    >>> deredden(spectrum, 0.1).flux.round(2)
    <Quantity [1.5 , 1.38, 1.29] mJy>
    """
    from astropy.nddata import InverseVariance
    from specutils import Spectrum

    name = spectrum.meta.get("object_id", "the spectrum")
    if "dereddened" in spectrum.meta:
        raise AgnsalError(f"{name} has been dereddened before: {spectrum.meta['dereddened']}.")
    value = spectrum.meta.get("ebv") if ebv is None else ebv
    if value is None or not np.isfinite(value) or value < 0:
        raise AgnsalError(f"{name}: E(B-V) must be given, finite and not negative, got {value!r}.")
    law = _extinction_law(model, r_v)
    wavelength = spectrum.spectral_axis.to(u.AA, u.spectral())
    try:
        transmission = np.asarray(law.extinguish(u.Quantity(wavelength), Ebv=float(value)), dtype=np.float64)
    except ValueError as error:
        raise AgnsalError(f"{name}: {type(law).__name__} does not cover its wavelengths ({error}).") from error
    ivar = None
    if spectrum.uncertainty is not None:
        with np.errstate(divide="ignore"):
            ivar = spectrum.uncertainty.represent_as(InverseVariance)
        ivar = InverseVariance(ivar.array * transmission**2, unit=spectrum.flux.unit**-2)
    return Spectrum(
        flux=spectrum.flux / transmission,
        spectral_axis=spectrum.spectral_axis,  # it carries the redshift
        uncertainty=ivar,
        mask=spectrum.mask,
        meta=spectrum.meta | {"dereddened": f"E(B-V) = {float(value):g}, {type(law).__name__}, R(V) = {r_v:g}"},
    )


def _extinction_law(model: Any, r_v: float) -> Any:
    """The model itself, or the class of dust_extinction of that name."""
    if not isinstance(model, str):
        if not hasattr(model, "extinguish"):
            raise AgnsalError(f"model must be a name or have a method extinguish(wave, Ebv=), got {model!r}.")
        return model
    try:
        from dust_extinction import parameter_averages
    except ImportError as error:
        raise AgnsalError(
            "dereddening needs the package dust_extinction: pip install 'agnsal[dust]' (or dust_extinction)."
        ) from error
    if model not in parameter_averages.__all__:
        raise AgnsalError(f"model={model!r} is not one of {', '.join(parameter_averages.__all__)}.")
    try:
        return getattr(parameter_averages, model)(Rv=r_v)
    except ValueError as error:
        raise AgnsalError(f"model {model} does not take R(V) = {r_v} ({error}).") from error
