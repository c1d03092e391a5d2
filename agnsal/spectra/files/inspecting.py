"""What agnsal sees in a file, and what it would do with it: to be read before it is trusted."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import astropy.units as u
from astropy.io import fits

from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError
from agnsal.spectra.files.formats import load
from agnsal.spectra.files.layout import Request
from agnsal.spectra.files.meaning.roles import Part, understand
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout
from agnsal.spectra.files.tables.fits_tables import is_table, parts_of


@dataclass(frozen=True)
class Inspection(Displayed):
    """What is in a file: shown as a table of 80 columns, and in a notebook.

    Attributes
    ----------
    path : str
        The file.
    layout : str or None
        The layout it is read as, None where it is refused.
    parts : list of tuple
        Of every extension and column: where it is, and the `Part` that says its name, unit and role.
    n_spectra : int
        How many spectra `read_spectra` would find.
    unit, medium, frame : str
        Of the first spectrum, as the file says; empty where it does not.
    redshift : float or None
        Of the first spectrum.
    ignored : list of str
        Extensions and columns that are not used.
    refusal : str
        Why it would not be read, and the call that would; empty where it is read.
    """

    path: str
    layout: str | None
    parts: list[tuple[str, Part]]
    n_spectra: int = 0
    unit: str = ""
    medium: str = ""
    frame: str = ""
    redshift: float | None = None
    ignored: Sequence[str] = ()
    refusal: str = ""

    def _display(self) -> Table:
        if self.layout is None:
            title = f"{self.path}: not read. {self.refusal}"
        else:
            title = (
                f"{self.path}: {self.layout}, spectra: {self.n_spectra}, flux in {self.unit or 'relative units'}, "
                f"{self.medium or 'medium not said'}, {self.frame or 'frame not said'}, redshift "
                f"{'not said' if self.redshift is None else self.redshift}; not used: "
                f"{', '.join(self.ignored[:12]) or 'nothing known of'}"
            )
        rows = [
            (where, part.name, part.unit, {None: "not understood", "other": "something else"}.get(part.role, part.role))
            for where, part in self.parts
        ]
        return Table(title, rows or [("-", "-", "-", "-")], ("where", "name", "unit", "by its name"))


def inspect_spectra(
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002 - as in read_spectra
    columns: Mapping[str, str | int] | None = None,
    units: Mapping[str, str | u.UnitBase] | None = None,
    mask: Literal["bad", "good"] | None = None,
) -> Inspection:
    r"""Look at a file as `read_spectra` would, and report instead of reading.

    Parameters
    ----------
    path : path
        One file.
    format, columns, units, mask
        As in `read_spectra`.

    Returns
    -------
    Inspection
        The layout, every extension and column with the role its name, UCD and unit give it, unit, medium, frame, how
        many spectra there are, what is not used; or why it would be refused, and the call that would read it.

    Raises
    ------
    AgnsalError
        If `columns`, `units` or `mask` cannot be meant.

    See Also
    --------
    read_spectra : read what was looked at.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text("wave_air [nm],flux [mJy],sky\n400,1,9\n401,1,9\n")
    >>> report = inspect_spectra(path)
    >>> report.n_spectra, report.unit, report.medium, report.ignored
    (1, 'mJy', 'air', ('sky',))
    """
    request = Request(columns or {}, units or {}, mask)
    try:
        file = os.fsdecode(path)
    except TypeError as error:
        raise AgnsalError(f"one path was expected, got {path!r}.") from error
    try:
        records, layout = load(file, format, request)
    except AgnsalError as error:
        found = error.found if isinstance(error, UnknownLayout) else ()
        parts = _of_fits(file) or [(title, part) for title, listed in found for part in listed]
        return Inspection(file, None, parts, refusal=str(error))
    first = records[0] if records else FileSpectrum([], [], u.dimensionless_unscaled)  # type: ignore[arg-type]
    parts = _of_fits(file) or [("columns", part) for part in first.columns]
    return Inspection(
        file,
        layout,
        parts,
        len(records),
        first.unit.to_string(),
        first.medium or "",
        first.frame or ("rest" if first.rest else ""),
        first.redshift,
        first.ignored,
    )


def _of_fits(file: str) -> list[tuple[str, Part]]:
    """Every extension and every column of a FITS file; empty for other files."""
    found: list[tuple[str, Part]] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open(file, "rb") as stream, fits.open(stream) as hdulist:  # noqa: PTH123 - of any kind of path
                for number, hdu in enumerate(hdulist):
                    if is_table(hdu):
                        found += [(f"{number} {hdu.name}", part) for part in parts_of(hdu)]
                    elif hdu.header.get("NAXIS"):
                        unit = hdu.header.get("BUNIT")
                        found.append((str(number), understand(hdu.name, unit=unit, extension=True, shape=hdu.shape)))
    except Exception:  # no FITS file, or a damaged one: why is told by the refusal
        return []
    return found
