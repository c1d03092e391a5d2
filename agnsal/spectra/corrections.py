"""Corrections made once, in the observed frame: from air to vacuum, and for dust of the Milky Way."""

from __future__ import annotations

import astropy.units as u

from agnsal.spectra.grid import to_angstrom


def air_to_vacuum(wavelength: u.Quantity) -> u.Quantity:
    """Vacuum wavelengths of wavelengths measured in air.

    Parameters
    ----------
    wavelength : Quantity, shape (n,)
        In air, in the observed frame.

    Returns
    -------
    Quantity
        In vacuum, in Angstrom.

    Notes
    -----
    The refractive index of air is that of Morton (2000, ApJS 130, 403), through `specutils`, which inverts it
    by iteration. Below 2000 Angstrom wavelengths are given in vacuum by convention and do not change.

    Examples
    --------
    >>> import astropy.units as u
    >>> air_to_vacuum(5006.843 * u.AA).round(2)
    <Quantity 5008.24 Angstrom>
    """
    import numpy as np
    from specutils.utils.wcs_utils import air_to_vac

    air = to_angstrom(wavelength, "wavelength") * u.AA
    return (
        np.where(air.value < 2000, air.value, air_to_vac(air, scheme="iteration", method="Morton2000").to_value(u.AA))
        * u.AA
    )
