"""SDSS: one small file a spectrum, by plate-mjd-fibre before SDSS-V, by field-mjd-catalogid since.

The rules of the addresses are those of the survey's own ``tree`` of paths (dr17.cfg to dr20.cfg).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from astropy.table import Table
from specutils import Spectrum

from agnsal.archives.archive import Outcome, Place, Wanted, check_whole, column, whole, word
from agnsal.archives.connection import Connection, NotThereError, Received
from agnsal.errors import AgnsalError, one_of
from agnsal.spectra.files.reading import read_spectra

#: Plates from here on were observed with the BOSS spectrographs.
_FIRST_BOSS_PLATE = 3510
_LEGACY, _BOSS = ("26", "103", "104"), ("v5_13_2",)
#: The reduction of SDSS-V that a release is of.
_FIELDS = {"dr18": "v6_0_4", "dr19": "v6_1_3", "dr20": "v6_2_1"}
_NAMES = {
    "plate": ("plate", "plateid"),
    "field": ("field", "fieldid"),
    "mjd": ("mjd",),
    "fiber": ("fiber", "fiberid", "fiber_id", "fibre", "fibreid"),
    "catalogid": ("catalogid", "catalog_id", "sdss_catalogid"),
    "run2d": ("run2d",),
}


class SDSS:
    """The science archive server, releases 17 to 20."""

    name = "sdss"
    address = "https://data.sdss.org/sas"
    release = "dr17"

    def wanted(self, table: Table, release: str, columns: Mapping[str, str]) -> list[Wanted]:
        """Spectra by plate, mjd and fiber, or by field, mjd and catalogid; run2d where it is known."""
        one_of("release", release, ("dr17", *_FIELDS))
        names = {name.lower() for name in table.colnames}
        by_plate = "plate" in columns or bool(names & set(_NAMES["plate"]))
        roles = ("plate", "mjd", "fiber") if by_plate else ("field", "mjd", "catalogid")
        if not by_plate and "field" not in columns and not names & set(_NAMES["field"]):
            raise AgnsalError(
                "sdss names a spectrum by plate, mjd and fiber, or by field, mjd and catalogid (SDSS-V); the table has "
                f"{', '.join(table.colnames)[:300]}. Say which columns they are: columns={{'plate': ...}}."
            )
        values = [column(table, role, columns, _NAMES[role], self.name) for role in roles]
        runs = [None] * len(table)
        if "run2d" in columns or names & set(_NAMES["run2d"]):
            runs = list(column(table, "run2d", columns, _NAMES["run2d"], self.name))
        found = []
        for row, (cells, run) in enumerate(zip(zip(*values, strict=True), runs, strict=True)):
            numbers = [whole(cell, role, row) for cell, role in zip(cells, roles, strict=True)]
            known = None if run is None or not str(run).strip() else word(run, "run2d", row)
            found.append(Wanted(row, *(_by_plate if by_plate else _by_field)(release, numbers, known)))
        return found

    def together(self, wanted: Sequence[Wanted]) -> Iterator[list[Wanted]]:
        """Each by itself."""
        for one in wanted:
            yield [one]

    def fetch(self, connection: Connection, address: str, wanted: Sequence[Wanted], place: Place) -> Iterator[Outcome]:
        """Take the first place where the file is; it must hold the spectrum that was asked for."""
        for one in wanted:
            try:
                with place(one) as path:
                    received = _first(connection, address, one, path)
                    check_whole(path, received.address)
                    spectra = _read(path, received.address)
                    if len(spectra) != 1:
                        raise AgnsalError(f"{received.address} holds {len(spectra)} spectra, one was expected.")
                    _check_identity(str(spectra[0].meta.get("object_id", "")), one, received.address)
                yield one, received.address, received.sha256
            except AgnsalError as error:
                yield one, "", error


def _by_plate(release: str, numbers: Sequence[int], run2d: str | None) -> tuple[str, tuple[str, ...]]:
    plate, mjd, fiber = numbers
    file = f"spec-{plate:04d}-{mjd}-{fiber:04d}.fits"
    root = f"{release}/sdss/spectro/redux" if release == "dr17" else f"{release}/spectro/sdss/redux"
    runs = (run2d,) if run2d else _BOSS if plate >= _FIRST_BOSS_PLATE else _LEGACY
    return file, tuple(f"{root}/{run}/spectra/lite/{plate:04d}/{file}" for run in runs)


def _by_field(release: str, numbers: Sequence[int], run2d: str | None) -> tuple[str, tuple[str, ...]]:
    field, mjd, catalogid = numbers
    if release not in _FIELDS:
        raise AgnsalError(f"{release} has no spectra of SDSS-V (field, mjd, catalogid); say release='dr19' or later.")
    run = run2d or _FIELDS[release]
    root = f"{release}/spectro/boss/redux/{run}/spectra"
    shown = f"{field:04d}" if release == "dr18" else f"{field:06d}"
    file = f"spec-{shown}-{mjd}-{catalogid:011d}.fits"
    version = re.match(r"v(\d+)_(\d+)", run)
    if release == "dr18":
        places = (f"{root}/lite/{shown}p/{mjd}/{file}",)
    elif version and (int(version[1]), int(version[2])) >= (6, 2):
        places = (f"{root}/daily/lite/{field // 1000:03d}XXX/{shown}/{mjd}/{file}",)
    else:
        places = (f"{root}/lite/{shown}/{mjd}/{file}",)
    return file, places


def _first(connection: Connection, address: str, one: Wanted, path: Path) -> Received:
    for place in one.places[:-1]:
        try:
            return connection.download(f"{address}/{place}", path, one.sha256)
        except NotThereError:
            continue
    return connection.download(f"{address}/{one.places[-1]}", path, one.sha256)


def _read(path: Path, address: str) -> list[Spectrum]:
    try:
        return read_spectra(path)
    except AgnsalError as error:  # the path is one for now
        raise AgnsalError(str(error).replace(str(path), address)) from None


def _check_identity(object_id: str, one: Wanted, address: str) -> None:
    """Refuse a file that says itself that it is of another spectrum."""
    if re.fullmatch(r"\d+-\d+-\d+", object_id) and _numbers(object_id) != _numbers(one.file):
        raise AgnsalError(f"{address} holds the spectrum {object_id}, not that of {one.file}.")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]
