"""Survey files to `specutils.Spectrum`: observed frame, vacuum, ascending Angstrom, True in the mask = bad."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import astropy.units as u
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.spectra.corrections import air_to_vacuum
from agnsal.spectra.formats import recognise
from agnsal.spectra.grid import Frame, Medium
from agnsal.spectra.loaders.record import FileSpectrum
from agnsal.spectra.loaders.sdss import pixel_bits

if TYPE_CHECKING:
    from specutils import Spectrum

PathLike = str | os.PathLike[str]


def read_spectra(
    paths: PathLike | Iterable[PathLike],
    format: str | None = None,  # noqa: A002 - the name every astropy reader uses
    *,
    redshift: float | Sequence[float] | Mapping[str, float] | None = None,
    frame: Frame = "observed",
    medium: Medium | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    bad_bits: Iterable[str | int] = (),
) -> list[Spectrum]:
    """Read spectra from survey files."""
    files = _files(paths)
    given = _redshifts(redshift, files)
    bits = pixel_bits(bad_bits)
    spectra: list[Spectrum] = []
    refused: list[str] = []
    for file, z in zip(files, given, strict=True):
        try:
            for record in _load(file, format, bits):
                spectra.append(_standard(record, file, z, frame, medium))
        except AgnsalError as error:
            message = f"{file}: {error}"
            if on_error == "raise":
                raise AgnsalError(message) from error
            refused.append(message)
    if refused:
        warnings.warn(
            f"{len(refused)} of {len(files)} files were not read:\n  " + "\n  ".join(refused),
            AgnsalWarning,
            stacklevel=2,
        )
    return spectra


def _files(paths: PathLike | Iterable[PathLike]) -> list[str]:
    """The files as given; a folder stands for its regular files, sorted."""
    if isinstance(paths, (str, os.PathLike)):
        folder = Path(paths)
        if folder.is_dir():
            return [str(path) for path in sorted(folder.iterdir()) if path.is_file()]
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]


def _redshifts(redshift: Any, files: list[str]) -> list[float | None]:
    """One redshift, or None, for each file."""
    if redshift is None:
        return [None] * len(files)
    if isinstance(redshift, Mapping):
        return [redshift.get(file, redshift.get(Path(file).name)) for file in files]
    if np.ndim(redshift) == 0:
        return [float(redshift)] * len(files)
    values = list(redshift)
    if len(values) != len(files):
        raise AgnsalError(f"{len(values)} redshifts came for {len(files)} files; one each is needed.")
    return values


def _load(file: str, format: str | None, bits: int) -> list[FileSpectrum]:  # noqa: A002
    with fits.open(file) as hdulist:
        return recognise(hdulist).read(hdulist, bits)


def _standard(record: FileSpectrum, file: str, redshift: float | None, frame: Frame, medium: Medium | None) -> Spectrum:
    """The record in agnsal's conventions, as a Spectrum."""
    from astropy.nddata import InverseVariance
    from specutils import Spectrum

    z = record.redshift if redshift is None else redshift
    bad = _bad_pixels(record)
    ivar = None if record.ivar is None else np.where(bad, 0.0, record.ivar)
    wavelength, flux = record.wavelength, record.flux
    if (np.diff(wavelength) < 0).all():
        wavelength, flux, bad = wavelength[::-1], flux[::-1], bad[::-1]
        ivar = None if ivar is None else ivar[::-1]
    if frame == "rest":
        if z is None:
            raise AgnsalError("it is in the rest frame and its redshift is unknown; pass redshift=.")
        wavelength = wavelength * (1 + z)
    if (medium or record.medium) == "air":
        wavelength = air_to_vacuum(wavelength * u.AA).to_value(u.AA)
    meta = {"source": file, "redshift": z, "medium_of_file": medium or record.medium, **record.meta}
    return Spectrum(
        flux=flux * record.unit,
        spectral_axis=wavelength * u.AA,
        uncertainty=None if ivar is None else InverseVariance(ivar, unit=record.unit**-2),
        mask=bad,
        redshift=z,
        meta=meta,
    )


def _bad_pixels(record: FileSpectrum) -> NDArray[np.bool_]:
    """True where a pixel is no measurement: not finite, no inverse variance, or marked so on request."""
    bad = ~np.isfinite(record.flux)
    if record.ivar is not None:
        bad |= ~(np.isfinite(record.ivar) & (record.ivar > 0))
    if record.bad is not None:
        bad |= record.bad
    if bad.all():
        raise AgnsalError("it has no good pixel (all masked, without inverse variance, or not finite).")
    if not record.flux[~bad].any():
        raise AgnsalError("its flux is zero everywhere.")
    return bad
