"""One spectrum as its file states it, before any convention of agnsal is applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.meaning.roles import UNCERTAINTIES, Role
from agnsal.spectra.files.meaning.statements import known_redshift, stated_frame, stated_medium, stated_redshift
from agnsal.spectra.files.meaning.uncertainties import inverse_variance
from agnsal.spectra.files.meaning.units import not_ampere


class UnknownLayout(AgnsalError):  # noqa: N818 - an AgnsalError by birth; told apart when a whole folder is read
    """The file does not say what it holds; `found` is what there is. It may well be no spectrum at all."""

    def __init__(self, message: str, found: Sequence[tuple[str, Sequence[Any]]] = ()) -> None:
        super().__init__(message)
        self.found = found


@dataclass
class FileSpectrum:
    """Wavelengths in Angstrom, flux, inverse variance, extra bad pixels, and what the file says about itself."""

    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]
    unit: u.UnitBase
    ivar: NDArray[np.float64] | None = None
    bad: NDArray[np.bool_] | None = None
    medium: str | None = None
    frame: str | None = None  # "rest" or "observed" where the file says so in as many words
    rest: str | None = None  # how its header betrays that its axis has been moved to the rest frame
    doubt: str | None = None  # why its medium has to be asked for, though the file speaks of it
    redshift: float | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()  # extensions and columns that were not used
    columns: tuple[Any, ...] = ()  # of text: every column as a `Part`
    known: bool = False  # of a layout that is known: what the user can say of it is little
    edited: tuple[str, ...] = ()  # extensions whose header is not the one that was written, by CHECKSUM
    partial: bool = False  # its file holds others, which were not chosen
    mask_name: str | None = None  # what the mask is called, where its sense is by custom only

    def __post_init__(self) -> None:
        self.wavelength = native(self.wavelength, "wavelength")
        self.flux = native(self.flux, "flux")
        if self.ivar is not None:
            self.ivar = native(self.ivar, "inverse variance")
        for name in ("flux", "ivar", "bad"):
            values = getattr(self, name)
            if values is not None and values.shape != self.wavelength.shape:
                raise AgnsalError(
                    f"its {name} has {values.size} pixels and its wavelength axis {self.wavelength.size}; "
                    "they must be as many."
                )

    def describe(self, header: Mapping[str, Any] | fits.Header) -> None:
        """Add redshift, name, medium, frame and position where a header or table knows them and we do not yet."""
        facts = header if isinstance(header, fits.Header) else {str(key).upper(): header[key] for key in header}
        self.redshift = stated_redshift(facts) if self.redshift is None else self.redshift
        self.medium = self.medium or stated_medium(facts)
        self.frame = self.frame or stated_frame(facts)
        plate = [facts.get(key) for key in ("PLATEID", "MJD", "FIBERID")]
        if "SDSS" in str(facts.get("TELESCOP", "")) and None not in plate:
            self.meta.setdefault("survey", "SDSS")
            self.meta.setdefault("object_id", object_id(*plate))
        names = (
            clean(facts.get(key) or "") for key in ("OBJECT_ID", "SPECID", "TARGET", "OBJECT", "OBJNAME", "NAME_V")
        )
        name = next((text for text in names if text), None)
        if name and "object_id" not in self.meta:
            self.meta["object_id"] = name
        for key, cards in (("ra", ("OBSRA", "RA")), ("dec", ("OBSDEC", "DEC"))):
            value = next((facts[card] for card in cards if card in facts), None)
            if isinstance(value, (int, float)):
                self.meta.setdefault(key, float(value))


def native(values: Any, what: str) -> NDArray[np.float64]:
    """One row of native float64, copied out of the file's own byte order; masked cells become NaN."""
    try:
        row = np.array(np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan) if np.ma.isMA(values) else values)
        row = row.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise AgnsalError(f"its {what} does not hold numbers ({error}).") from error
    if row.ndim != 1:
        raise AgnsalError(f"its {what} has shape {row.shape}, one row was expected.")
    return row


def from_specutils(loaded: Any) -> Iterator[FileSpectrum]:
    """Every spectrum in what a specutils loader returned (Spectrum, SpectrumList or SpectrumCollection)."""
    for spectrum in loaded if isinstance(loaded, list) or not hasattr(loaded, "spectral_axis") else [loaded]:
        axis = np.asarray(spectrum.spectral_axis.to_value(u.AA, u.spectral()), dtype=np.float64)
        flux = np.asarray(spectrum.flux.value)
        if flux.shape[-1:] != axis.shape[-1:] and flux.shape[:1] == axis.shape[-1:]:
            flux = np.moveaxis(flux, 0, -1)
        rows = flux.reshape(-1, flux.shape[-1])
        ivar, bad = _ivar(spectrum), spectrum.mask
        axes = np.broadcast_to(axis, rows.shape) if axis.ndim == 1 else axis.reshape(rows.shape)
        redshift = np.broadcast_to(np.ravel(getattr(spectrum.redshift, "value", spectrum.redshift)), (len(rows),))
        header = spectrum.meta.get("header", {})
        for number, row in enumerate(rows):
            record = FileSpectrum(
                wavelength=axes[number],
                flux=row,
                unit=not_ampere(spectrum.flux.unit),
                ivar=None if ivar is None else ivar.reshape(rows.shape)[number],
                bad=None if bad is None else np.asarray(bad, bool).reshape(rows.shape)[number],
                redshift=known_redshift(redshift[number]) or None,  # specutils says 0 where nobody gave one
                meta={"header": header, "row": number} if len(rows) > 1 else {"header": header},
            )
            record.describe(header)
            yield record


_OF_SPECUTILS: dict[str, Role] = {"std": "error", "var": "variance", "ivar": "ivar"}


def _ivar(spectrum: Any) -> NDArray[np.float64] | None:
    """The inverse variance behind a specutils uncertainty."""
    uncertainty = spectrum.uncertainty
    role = None if uncertainty is None else _OF_SPECUTILS.get(uncertainty.uncertainty_type)
    if role is None:
        return None
    values = uncertainty.array
    if uncertainty.unit is not None:
        values = (values * uncertainty.unit).to_value(spectrum.flux.unit ** UNCERTAINTIES[role])
    return inverse_variance(values, role)


def names_of_rest(hdulist: fits.HDUList, *used: Any) -> tuple[str, ...]:
    """The names of the extensions with data that are none of those used."""
    rest = ((number, hdu) for number, hdu in enumerate(hdulist) if not any(hdu is other for other in used))
    return tuple(clean(hdu.name) or f"extension {number}" for number, hdu in rest if hdu.header.get("NAXIS"))


def object_id(plate: Any, mjd: Any, fiber: Any) -> str:
    """Name a spectrum as SDSS names its file: plate, MJD and fibre.

    Examples
    --------
    >>> object_id(406, 51869, 374)
    '0406-51869-0374'
    """
    return f"{int(plate):04d}-{int(mjd):05d}-{int(fiber):04d}"


def clean(text: Any, length: int = 120) -> str:
    """Text from a file, printable and short, fit for a message, a table or a page."""
    if isinstance(text, bytes):  # how astropy gives cells of which one is damaged
        text = text.decode("ascii", "replace")
    return "".join(c for c in str(text) if c.isprintable()).strip()[:length]
