"""Survey files to `specutils.Spectrum`: observed frame, vacuum, ascending Angstrom, True in the mask = bad."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.spectra.editing.corrections import air_to_vacuum
from agnsal.spectra.files.formats import load
from agnsal.spectra.files.layout import Request
from agnsal.spectra.files.meaning.wavelengths import check_axis
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout
from agnsal.spectra.files.surveys.sdss import pixel_bits
from agnsal.spectra.grid import Frame, Medium
from agnsal.spectra.pixels import bad_pixels, checked_redshift
from agnsal.spectra.plain import PlainSpectrum

if TYPE_CHECKING:
    from specutils import Spectrum

PathLike = str | os.PathLike[str]

log = logging.getLogger(__name__)


def read_spectra(
    paths: PathLike | Iterable[PathLike],
    format: str | None = None,  # noqa: A002 - the name every astropy reader uses
    redshift: float | Sequence[float] | Mapping[str, float] | None = None,
    frame: Frame | None = None,
    medium: Medium | None = None,
    columns: Mapping[str, str | int] | None = None,
    units: Mapping[str, str | u.UnitBase] | None = None,
    mask: Literal["bad", "good"] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    *,
    bad_bits: Iterable[str | int] = (),
) -> list[Spectrum]:
    """Read the spectra of survey files.

    Whatever the file, what comes back is in the observed frame and in vacuum, on an ascending axis in Angstrom
    (float64; the logarithmic axis of SDSS is rebuilt from its header), with `InverseVariance` where the file has
    errors. Known by their content: spec files of SDSS-III to V, mwmStar and mwmVisit, spSpec and spPlate, apStar, DESI
    coadds (arms joined, all targets), DEEP2, 6dFGS, 2dFGRS, GAMA and what GAMA has collected, OzDES, WiggleZ, GALAH,
    2SLAQ, frames of AAOmega and for Marz, spec1d of PypeIt; HDF5 and parquet of the Multimodal Universe; images (IRAF,
    Gemini, specutils' wcs1d-fits), FITS tables, ECSV, IPAC, VOTable, the text export of NED, CSV and plain columns, by
    what they say they hold; and whatever else a specutils loader, also one of your own, recognises.

    Parameters
    ----------
    paths : path, or sequence of paths
        Files; or one folder, which stands for all regular files in it and below, in the order of their names, except
        hidden files and those that are evidently no spectra.
    format : str, optional
        The name of a specutils loader; by default the format is recognised by the content of the file.
    redshift : float, sequence of float (one per path), or dict by file name, optional
        Wins over what the file says. 0 and small negative ones are redshifts; below -0.1 is refused.
    frame : {"observed", "rest"}, optional
        Frame of the wavelengths in the files; by default what the file says, else observed. Wavelengths at rest are
        moved to the observed frame by the redshift, which must be known; flux density is not rescaled.
    medium : {"air", "vacuum"}, optional
        What the wavelengths in the files are measured in; by default what the survey is known to use (SDSS, DESI:
        vacuum; 6dFGS, 2dFGRS, GAMA, NED, IRAF: air), and vacuum where that is not known: an `AgnsalWarning` says so
        once a call, and ``meta["assumed"]``.
    columns : dict, optional
        Role (``"wavelength"``, ``"log10_wavelength"``, ``"flux"``, ``"error"``, ``"variance"``, ``"ivar"``, ``"mask"``)
        to the name of a column or an extension, or the number of a column of text, from 1; ``"COADD_B:flux"`` names
        the table too. The file is then read by these, not as the file of a survey.
    units : dict, optional
        Role to unit, ``{"wavelength": "nm", "flux": "1e-17 erg/s/cm2/A"}``; wins over what the file says.
    mask : {"bad", "good"}, optional
        What a non-zero mask means; by default bad, unless the file says otherwise or most pixels would be lost.
    on_error : {"raise", "skip"}
        What to do with a file that cannot be used: raise, or leave it out with one `AgnsalWarning` that names each
        file left out and the cause.
    bad_bits : sequence of str, optional
        SDSS pixel bits, by name (``"BADSKYCHI"``) or number, that make a pixel bad where they are set in every
        exposure (``and_mask``). By default none does: many are informational.

    Returns
    -------
    list of specutils.Spectrum
        In the order of the files. ``mask`` is True where the flux or its inverse variance is not finite or the inverse
        variance is not positive. ``redshift`` is 0 where it is not known, ``meta["redshift"]`` then None.
        ``meta`` also has ``source`` (the path as given), ``format``, ``object_id`` (plate-mjd-fiber for SDSS),
        ``survey`` where known, ``medium_of_file``, ``header``, and for SDSS ``class``, ``subclass``, ``sn_median``.
        Flux that is not calibrated is in counts, or dimensionless where the file knows no unit.

    Raises
    ------
    AgnsalError
        If a file is missing, a folder among files, empty, cut off, of no known layout, without units, without a
        single good pixel, zero everywhere or without signal; if wavelengths repeat or go to and fro; if redshifts
        do not match the files. The message names the file and the cause.

    Examples
    --------
    >>> import astropy.units as u, tempfile, pathlib
    >>> from astropy.table import QTable
    >>> table = QTable({"wavelength": [400, 401, 402] * u.nm, "flux": [1.0, 2.0, 3.0] * u.mJy})
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "object.ecsv"
    >>> table.write(path)
    >>> (spectrum,) = read_spectra(path, redshift=0.1, medium="vacuum")
    >>> spectrum.spectral_axis.to_value(), spectrum.meta["redshift"]
    (array([4000., 4010., 4020.]), 0.1)
    """
    check_options(frame, medium, on_error)
    request = Request(columns or {}, units or {}, mask, pixel_bits(bad_bits))
    found = read_plain(paths, request, format, redshift, frame, medium, on_error)
    tell_guessed(found.guessed, stacklevel=3)
    tell_edited(found.edited, stacklevel=3)
    if found.refused:
        head = f"{len(found.refused)} spectra in {found.n_files} files were not read:"
        warnings.warn("\n  ".join([head, *found.refused]), AgnsalWarning, stacklevel=2)
    return [spectrum.to_spectrum() for spectrum in found.spectra]


class Reading(NamedTuple):
    """What was read of some files, and what is to be said of it."""

    spectra: list[PlainSpectrum]
    n_files: int
    refused: list[str]  # what was left out, with its cause
    guessed: list[str]  # files whose wavelengths were taken as vacuum
    edited: list[str]  # files of which a header is not the one that was written
    partial: list[str]  # files of which what was chosen was read alone


def read_plain(
    paths: PathLike | Iterable[PathLike],
    request: Request,
    format: str | None = None,  # noqa: A002
    redshift: Any = None,
    frame: Frame | None = None,
    medium: Medium | None = None,
    on_error: str = "raise",
) -> Reading:
    """Do the work of `read_spectra`, which documents it and puts a `Spectrum` around each."""
    files, whole_folder = _files(paths)
    given = _redshifts(redshift, files)
    found = Reading([], len(files), [], [], [], [])
    for file, z in zip(files, given, strict=True):
        records: list[FileSpectrum] = []
        try:
            z = None if z is None else checked_redshift(z, "leave it out (None) where it is unknown")  # noqa: PLW2901
            records, name = load(file, format, request)
            found.partial.extend([file] if any(record.partial for record in records) else [])
        except UnknownLayout as error:
            named = {part.role for _, parts in error.found for part in parts}
            spectral = "flux" in named and bool(named & {"wavelength", "log10_wavelength"})
            if whole_folder and not spectral and not file.lower().endswith((".fits", ".fit", ".fits.gz")):
                log.info("passed over %s: %s", file, error)
                continue
            found.refused.append(_refused(file, error, on_error))
        except AgnsalError as error:
            found.refused.append(_refused(file, error, on_error))
        for record in records:
            try:
                spectrum = standard(record, file, name, z, frame, medium, request)
            except AgnsalError as error:
                found.refused.append(_refused(file, error, on_error, record if len(records) > 1 else None))
                continue
            found.spectra.append(spectrum)
            if record.edited and file not in found.edited[-1:]:
                found.edited.append(file)
            if spectrum.meta["assumed"] and file not in found.guessed[-1:]:
                found.guessed.append(file)
    if whole_folder and not found.spectra and not found.refused:
        raise AgnsalError(
            f"{os.fsdecode(paths)}: none of the {len(files)} files in this folder is a spectrum; "  # type: ignore[arg-type]
            "inspect_spectra(file) tells what is in one."
        )
    return found


def tell_guessed(files: Sequence[str], stacklevel: int) -> None:
    """Say of which files it was not known what their wavelengths are measured in."""
    if files:
        message = f"wavelengths taken as vacuum in {len(files)} files that do not say (pass medium='air' if not): "
        warnings.warn(message + _some(files), AgnsalWarning, stacklevel=stacklevel)


def tell_edited(files: Sequence[str], stacklevel: int) -> None:
    """Say of which files a header was changed after it was written."""
    if files:
        message = f"headers in {len(files)} files are not those that were written (CHECKSUM), edited or damaged: "
        warnings.warn(message + _some(files), AgnsalWarning, stacklevel=stacklevel)


def _some(files: Sequence[str]) -> str:
    return ", ".join(files[:5]) + (", ..." if len(files) > 5 else "")


def _refused(file: str, error: AgnsalError, on_error: str, record: FileSpectrum | None = None) -> str:
    """The file and the cause: raised, or returned for the report of what was skipped."""
    where = "" if record is None else f" (object {record.meta.get('object_id', record.meta.get('row'))})"
    message = f"{file}{where}: {error}"
    if on_error == "raise":
        raise AgnsalError(message) from error
    return message


def check_options(frame: Any, medium: Any, on_error: Any = "raise") -> None:
    """Refuse options of `read_spectra` that mean nothing."""
    for name, value, allowed in (
        ("frame", frame, ("observed", "rest", None)),
        ("medium", medium, ("air", "vacuum", None)),
        ("on_error", on_error, ("raise", "skip")),
    ):
        if value not in allowed:
            raise AgnsalError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}.")


def _files(paths: PathLike | Iterable[PathLike]) -> tuple[list[str], bool]:
    """The files as given, and whether they are all there is in a folder."""
    try:
        if not isinstance(paths, (str, bytes, os.PathLike)):
            files = [checked_name(path) for path in paths]
            if not files:
                raise AgnsalError("no path was given; read_spectra takes a file, a folder or several files.")
            return files, False
        folder = Path(checked_name(paths))
        if not folder.is_dir():
            return [str(folder)], False
        visible = [str(path) for path in files_inside(folder)]
    except TypeError as error:
        raise AgnsalError(f"a path, a folder or several paths were expected, got {paths!r}.") from error
    except OSError as error:
        raise AgnsalError(f"{paths}: it cannot be opened ({error.strerror}).") from error
    if not visible:
        raise AgnsalError(f"{folder}: there is no file in this folder.")
    return visible, True


def files_inside(folder: Path) -> list[Path]:
    """The regular files in a folder and below, in the order of their names, without those that are hidden."""
    inside = sorted(path for path in _inside(folder) if path.is_file())
    return [path for path in inside if not any(part[0] == "." for part in path.relative_to(folder).parts)]


def _inside(folder: Path) -> Iterator[Path]:
    """Whatever lies in a folder and below; a locked folder is an error, not an empty one."""

    def refuse(error: OSError) -> None:
        raise AgnsalError(f"{error.filename}: the folder cannot be opened ({error.strerror}).")

    for parent, _, names in os.walk(folder, onerror=refuse):
        yield from (Path(parent) / name for name in names)


def checked_name(path: PathLike | bytes) -> str:
    """A path as text; an empty one is refused."""
    text = os.fsdecode(path)
    if not text.strip() or "\0" in text:
        raise AgnsalError(f"a path was expected, got {path!r}.")
    return text


def _redshifts(redshift: Any, files: list[str]) -> list[Any]:
    """What was given as the redshift of each file, or None."""
    if redshift is None:
        return [None] * len(files)
    if isinstance(redshift, Mapping):
        values = [redshift.get(file, redshift.get(Path(file).name)) for file in files]
        unused = [key for key in redshift if key not in files and key not in {Path(file).name for file in files}]
        if unused:
            raise AgnsalError(f"redshifts came for files that are not read: {', '.join(map(str, unused[:5]))}.")
    else:
        plain = redshift.to_value(u.dimensionless_unscaled) if isinstance(redshift, u.Quantity) else redshift
        values = [plain] * len(files) if np.ndim(plain) == 0 else list(plain)
    if len(values) != len(files):
        raise AgnsalError(f"{len(values)} redshifts came for {len(files)} files; one for each is needed.")
    return values


def standard(
    record: FileSpectrum,
    file: str,
    name: str,
    redshift: float | None,
    frame: Frame | None,
    medium: Medium | None,
    request: Request,
) -> PlainSpectrum:
    """The record in agnsal's conventions."""
    z = record.redshift if redshift is None else redshift
    bad = _bad_pixels(record, request.mask is not None)
    wavelength, flux = record.wavelength, record.flux
    ivar = None if record.ivar is None else np.where(bad, 0.0, record.ivar)
    placed = np.isfinite(wavelength) & (wavelength > 0)
    if not placed.all() and bad[~placed].all():  # pixels without a wavelength, and without weight
        wavelength, flux, bad = wavelength[placed], flux[placed], bad[placed]
        ivar = None if ivar is None else ivar[placed]
    if wavelength.size and wavelength[0] > wavelength[-1]:
        wavelength, flux, bad = wavelength[::-1], flux[::-1], bad[::-1]
        ivar = None if ivar is None else ivar[::-1]
    check_axis(wavelength, record.known)
    if (frame or record.frame) == "rest":
        if z is None:
            raise AgnsalError("it is in the rest frame and its redshift is not known; pass redshift=.")
        wavelength = wavelength * (1.0 + z)
    elif record.rest is not None and frame is None:
        raise AgnsalError(f"it is in the rest frame already: {record.rest}. Pass frame='rest', or frame='observed'.")
    if record.doubt and medium is None:
        raise AgnsalError(f"{record.doubt}. Pass medium='air', or medium='vacuum'.")
    of_file = medium or record.medium or "vacuum"
    if of_file == "air":
        wavelength = air_to_vacuum(wavelength * u.AA).to_value(u.AA)
    meta: dict[str, Any] = {
        "source": file,
        "format": name,
        "object_id": os.fsencode(Path(file).name).decode("utf-8", "replace"),  # a name may be of any bytes
        "redshift": z,
        "medium_of_file": of_file,
    }
    meta["ignored"] = list(record.ignored)
    meta["assumed"] = [] if medium or record.medium else ["vacuum"]
    return PlainSpectrum(wavelength, flux, record.unit, ivar, bad, z, meta | record.meta)


def _bad_pixels(record: FileSpectrum, sense_is_given: bool) -> NDArray[np.bool_]:
    """True where a pixel is no measurement; a spectrum without any is refused."""
    flux, ivar = record.flux, record.ivar
    bad = bad_pixels(flux, ivar)
    if ivar is None:  # without errors, zeros at the ends are padding
        there = np.flatnonzero(~bad & (flux != 0))
        if there.size:
            bad[: there[0]] = bad[there[-1] + 1 :] = True
    if record.bad is not None:
        lost = record.bad[~bad].mean() if not bad.all() else 0.0
        if record.mask_name and not sense_is_given and lost > 0.5:
            raise AgnsalError(
                f"its mask {record.mask_name!r} is set in {lost:.0%} of the pixels: does it mean good or bad? "
                "Say so: read_spectra(path, mask='good'), or mask='bad'."
            )
        bad |= record.bad
    if bad.all():
        raise AgnsalError(
            "it has no good pixel: flux or inverse variance is nowhere finite and positive, or all is masked."
        )
    good = flux[~bad]
    if not good.any():
        raise AgnsalError("its flux is zero in every good pixel.")
    if ivar is not None and 2 * np.count_nonzero(good < 0) >= good.size:
        noise = good * np.sqrt(ivar[~bad])
        if np.median(noise) < 0 and np.mean(noise > 5) < 0.01:
            raise AgnsalError(
                f"it holds no signal: the median signal-to-noise of its pixels is {np.median(noise):.2f}."
            )
    return bad
