"""SPARCL, the spectra of NOIRLab's Astro Data Lab, through the JSON form of its interface."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from agnsal.archives.archive import Outcome, Place, Wanted, column, write_checked
from agnsal.archives.connection import Connection
from agnsal.display import printable
from agnsal.errors import AgnsalError, one_of
from agnsal.spectra.files.meaning.statements import known_redshift

#: Releases whose flux is in 1e-17 erg/s/cm2/Angstrom on vacuum wavelengths, as the server's catalogue of fields says.
_RELEASES = ("SDSS-DR16", "BOSS-DR16", "SDSS-DR17", "BOSS-DR17", "DESI-EDR", "DESI-DR1")
_FIELDS = ("sparcl_id", "wavelength", "flux", "ivar", "redshift", "ra", "dec", "data_release", "specid")
_TOGETHER = 200  # about 20 MB of JSON; the server takes 24,000 at most
_DIGITS = 19  # of whole numbers that are exact in 64 bits
_FLUX = u.Unit("1e-17 erg / (s cm2 Angstrom)")


class SPARCL:
    """NOIRLab's library of SDSS, BOSS and DESI spectra."""

    name = "sparcl"
    address = "https://astrosparcl.datalab.noirlab.edu"
    release = "all"

    def wanted(self, table: Table, release: str, columns: Mapping[str, str]) -> list[Wanted]:
        """Spectra by their sparcl_id, a UUID."""
        one_of("release", release, ("all", *_RELEASES))
        found = []
        for row, cell in enumerate(column(table, "sparcl_id", columns, ("sparcl_id", "uuid"), self.name)):
            try:
                name = str(uuid.UUID(str(cell)))
            except ValueError:
                raise AgnsalError(f"row {row}: {printable(cell)[:60]!r} is no sparcl_id, which is a UUID.") from None
            found.append(Wanted(row, f"sparcl-{name}.fits", (release,), name))
        return found

    def together(self, wanted: Sequence[Wanted]) -> Iterator[list[Wanted]]:
        """Spectra of one request."""
        for start in range(0, len(wanted), _TOGETHER):
            yield list(wanted[start : start + _TOGETHER])

    def fetch(self, connection: Connection, address: str, wanted: Sequence[Wanted], place: Place) -> Iterator[Outcome]:
        """Ask for spectra by their ids, and write each as a FITS table."""
        release = wanted[0].places[0]
        releases = _RELEASES if release == "all" else (release,)
        parameters = {"include": ",".join(_FIELDS), "format": "json", "dataset_list": ",".join(releases)}
        where = f"{address}/sparc/spectra/"
        try:
            records = _records(
                connection.post(where, document=[one.key for one in wanted], parameters=parameters), where
            )
        except AgnsalError as error:
            yield from ((one, "", error) for one in wanted)
            return
        for one in wanted:
            try:
                if one.key not in records:
                    raise AgnsalError(f"{where} holds no spectrum {one.key} in {', '.join(releases)}.")
                hdulist = _table(records[str(one.key)])
                with place(one) as path:
                    digest = write_checked(hdulist, path, one)
                yield one, where, digest
            except AgnsalError as error:
                yield one, "", error


def _records(answer: bytes, where: str) -> dict[str, Mapping[str, object]]:
    """The spectra of an answer, by their ids; its first element is a header."""
    try:
        listed = json.loads(answer, parse_int=_whole)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise AgnsalError(f"{where} did not answer with a list of spectra: {printable(answer[:160])}.")
    found: dict[str, Mapping[str, object]] = {}
    for each in listed[1:]:
        name = str(each.get("sparcl_id", "")).lower()
        if found.setdefault(name, each) != each:
            found[name] = {**each, "again": True}
    return found


def _whole(text: str) -> int | float:
    """A whole number of JSON, which may have any number of digits."""
    return int(text) if len(text) < _DIGITS else float(text)


def _table(record: Mapping[str, object]) -> fits.HDUList:
    if "again" in record:
        raise AgnsalError(f"the spectrum {record['sparcl_id']} came twice, and not the same.")
    wavelength, flux, ivar = (_numbers(record, name) for name in ("wavelength", "flux", "ivar"))
    if not wavelength.size == flux.size == ivar.size > 0:
        sizes = f"{wavelength.size} wavelengths, {flux.size} fluxes and {ivar.size} inverse variances"
        raise AgnsalError(f"the spectrum {record['sparcl_id']} came with {sizes}.")
    columns = [
        fits.Column("wavelength", "D", unit="Angstrom", array=wavelength),
        fits.Column("flux", "D", unit=_FLUX.to_string("fits"), array=flux),
        fits.Column("ivar", "D", unit=(_FLUX**-2).to_string("fits"), array=ivar),
    ]
    header = fits.Header([("VACUUM", True, "wavelengths are in vacuum")])
    redshift = known_redshift(record.get("redshift"))
    if redshift is not None:
        header["REDSHIFT"] = redshift
    for card, field in (("OBJECT", "sparcl_id"), ("RELEASE", "data_release"), ("SPECID", "specid")):
        header[card] = printable(record.get(field, "")).encode("ascii", "replace").decode()[:60]
    for card in ("ra", "dec"):
        place = record.get(card)
        if _is_number(place) and np.isfinite(place):
            header[card.upper()] = float(place)
    return fits.HDUList([fits.PrimaryHDU(header=header), fits.BinTableHDU.from_columns(columns, name="SPECTRUM")])


def _numbers(record: Mapping[str, object], name: str) -> NDArray[np.float64]:
    """An array of the record; what is missing in it is NaN."""
    values = record.get(name)
    if not isinstance(values, list) or not all(value is None or _is_number(value) for value in values):
        raise AgnsalError(f"the spectrum {printable(record['sparcl_id'])} came without an array {name} of numbers.")
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
