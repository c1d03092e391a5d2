"""Catalogues: tables of VizieR, asked for by TAP, and the AGN catalogue of DESI, one file."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table

from agnsal.archives.archive import check_whole
from agnsal.archives.connection import Connection, base_address
from agnsal.display import printable
from agnsal.errors import AgnsalError
from agnsal.store import made_folder, replacing

VIZIER = "https://tapvizier.cds.unistra.fr/TAPVizieR/tap"
DESI_PUBLIC = "https://data.desi.lbl.gov/public"
#: Catalogues with names of their own. The first two hold the AGN of Peruzzi et al. 2021.
NAMED = {"vaona2012": "J/MNRAS/427/1266", "marziani2013": "J/A+A/555/A89"}
_DESI_AGN = "dr1/vac/dr1/agngal/v1.0/agngal_desi.fits"
#: Of the 8.7 GB file these columns are read, unless others are named.
_DESI_COLUMNS = (
    *("TARGETID", "SURVEY", "PROGRAM", "HEALPIX", "TARGET_RA", "TARGET_DEC", "Z", "ZERR", "ZWARN", "SPECTYPE"),
    *("AGN_MASKBITS", "OPT_UV_TYPE", "IR_TYPE"),
)
#: A catalogue or table of VizieR: its own names hold no quotes.
_VIZIER_NAME = re.compile(r"[A-Z]+/[A-Za-z0-9+&./_-]{1,80}")


def fetch_catalogue(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    table: str | None = None,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    max_rows: int = 1_000_000,
    base_url: str | None = None,
    timeout: float = 60.0,
    attempts: int = 5,
    max_bytes: float = 4e9,
) -> QTable:
    """Fetch a catalogue of objects.

    Parameters
    ----------
    name : str
        "vaona2012" (type 2 and intermediate AGN) or "marziani2013" (type 1), the catalogues of Peruzzi et al. 2021;
        "desi-agn", the AGN and galaxy classification of DESI DR1; or any catalogue of VizieR, such as
        "J/MNRAS/427/1266", or a table of one.
    folder : path, optional
        Where to keep it; a later call reads it there and asks nobody. Needed for "desi-agn", a file of 8.7 GB, which
        is fetched on from where it was interrupted.
    table : str, optional
        The table, where the catalogue has several.
    columns : mapping of str to str, or sequence of str, optional
        The columns to take: names, or ``{new name: its name}``. All by default; of "desi-agn" those that name a
        spectrum and classify it.
    max_rows : int
        A table of VizieR may have at most.
    base_url : str, optional
        A mirror, in place of VizieR's TAP service or DESI's public folder.
    timeout, attempts, max_bytes
        As in `fetch_spectra`.

    Returns
    -------
    QTable
        The catalogue; where it came from is in its ``meta``.

    Raises
    ------
    AgnsalError
        If the service cannot be reached, refuses, or answers with no rows; if the catalogue has several tables and
        none was chosen (they are listed), or lacks a column that was named (those it has are listed).

    See Also
    --------
    fetch_spectra : the spectra of its objects.

    Notes
    -----
    VizieR is asked through TAP (IVOA Recommendation 1.1), a synchronous query of its tables; an answer cut off at
    `max_rows` is refused, not returned.

    Examples
    --------
    >>> fetch_catalogue("vaona2012", "catalogues")  # doctest: +SKIP
    """
    address, account = base_address(base_url or (DESI_PUBLIC if name == "desi-agn" else VIZIER))
    connection = Connection(timeout=timeout, attempts=attempts, max_bytes=max_bytes, account=account)
    if not isinstance(max_rows, (int, np.integer)) or max_rows < 1:
        raise AgnsalError(f"max_rows must be a whole number, at least 1, got {max_rows!r:.40}.")
    place = None if folder is None else made_folder(folder)
    chosen = _chosen(columns)
    if name == "desi-agn":
        if place is None:
            raise AgnsalError(
                "'desi-agn' is a file of 8.7 GB: say folder=, where it is to be kept, and max_bytes=1e10."
            )
        path = _kept_file(connection, f"{address}/{_DESI_AGN}", place)
        return _part_of_fits(path, chosen or {column: column for column in _DESI_COLUMNS})
    catalogue = NAMED.get(name, name)
    if not isinstance(catalogue, str) or not _VIZIER_NAME.fullmatch(catalogue):
        known = ", ".join(map(repr, [*NAMED, "desi-agn"]))
        raise AgnsalError(f"{name!r:.80} is no catalogue: {known}, or one of VizieR such as 'J/MNRAS/427/1266'.")
    wanted = f"{catalogue}/{table}" if table is not None and not table.startswith(f"{catalogue}/") else table
    kept = None if place is None else place / f"{re.sub(r'[^A-Za-z0-9]+', '_', wanted or catalogue)}.ecsv"
    if kept is not None and kept.is_file():
        return _renamed(_read_kept(kept), chosen)
    found = _vizier(connection, address, catalogue, wanted, max_rows)
    if kept is not None:
        found.meta["rows"] = len(found)
        with replacing(kept) as side:
            found.write(side, format="ascii.ecsv", overwrite=True)
    return _renamed(found, chosen)


def _vizier(connection: Connection, address: str, catalogue: str, table: str | None, max_rows: int) -> QTable:
    """All of a table of VizieR."""
    inside = f"table_name LIKE '{catalogue}/%' OR table_name = '{catalogue}'"
    listed = _query(
        connection, address, f"SELECT table_name, description FROM tap_schema.tables WHERE {inside}", 10_000
    )
    lacking = {"table_name", "description"} - set(listed.colnames)
    if lacking:
        raise AgnsalError(f"{address} lists its tables without {' and '.join(sorted(lacking))}; is it a TAP service?")
    tables = {str(row["table_name"]).strip('"'): printable(row["description"])[:60] for row in listed}
    if not tables:
        raise AgnsalError(f"{address} has no catalogue {catalogue!r}.")
    if table is None and len(tables) == 1:
        (table,) = tables
    if table not in tables:
        lines = "\n".join(f"  table={each!r}: {said}" for each, said in list(tables.items())[:20])
        problem = f"has no table {table!r:.80}" if table else "has several tables; choose one"
        raise AgnsalError(f"{catalogue} {problem}:\n{lines}")
    query = f'SELECT * FROM "{table}"'
    found = _query(connection, address, query, max_rows)
    if not len(found):
        raise AgnsalError(f"{address} answered {query!r} without an error and without a row; try again later.")
    found.meta = {"source": address, "query": query, "time": datetime.now(UTC).isoformat(timespec="seconds")}
    return found


def _query(connection: Connection, address: str, query: str, max_rows: int) -> QTable:
    """The answer to a synchronous TAP query."""
    form = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "votable", "MAXREC": str(int(max_rows)), "QUERY": query}
    content = connection.post(f"{address}/sync", form=form)
    from astropy.io.votable import parse

    try:
        resources = parse(io.BytesIO(content), verify="ignore").resources
        resource = next((each for each in resources if each.type == "results"), None) or resources[0]
        status = {info.name: info for info in resource.infos}.get("QUERY_STATUS")
        said = "" if status is None else str(status.value).upper()
        last = [info for info in resource.infos if info.name == "QUERY_STATUS"][-1:]
    except Exception as error:  # astropy raises many kinds
        raise AgnsalError(f"{address} answered with no VOTable ({printable(error)[:120]}).") from None
    if said == "ERROR" and status is not None:
        raise AgnsalError(f"{address} refuses {query!r}: {printable(status.content or '')[:200]}")
    if last and str(last[0].value).upper() == "OVERFLOW":
        raise AgnsalError(f"{query!r} has more than max_rows={max_rows} rows; give a larger max_rows.")
    if not resource.tables:
        raise AgnsalError(f"{address} answered {query!r} with no table.")
    return QTable(resource.tables[0].to_table(use_names_over_ids=True))


def _kept_file(connection: Connection, address: str, folder: Path) -> Path:
    """A large file in its folder; what an interruption has left is gone on with."""
    path = folder / address.rsplit("/", 1)[1]
    if not path.is_file():
        partial, validator = folder / f".{path.name}.partial", folder / f".{path.name}.etag"
        connection.download(address, partial, validator=validator)
        try:
            check_whole(partial, address)
        except AgnsalError:
            partial.unlink()
            raise
        partial.replace(path)
        validator.unlink(missing_ok=True)
    return path


def _part_of_fits(path: Path, columns: Mapping[str, str]) -> QTable:
    """Some columns of the first table of a file, of which no more is held in memory."""
    try:
        with fits.open(path, memmap=True) as hdulist:
            hdu = next(each for each in hdulist if isinstance(each, fits.BinTableHDU))
            _check_columns(columns, hdu.columns.names)
            data = {new: np.array(hdu.data[name]) for new, name in columns.items()}
            units = {new: hdu.columns[name].unit for new, name in columns.items()}
    except (OSError, StopIteration, TypeError) as error:
        raise AgnsalError(f"{path} cannot be read as a FITS table ({printable(error)[:120]}).") from None
    table = Table(data, meta={"source": path.name})
    for name, unit in units.items():
        if unit:
            table[name].unit = unit
    return QTable(table)


def _chosen(columns: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    if columns is None:
        return {}
    if isinstance(columns, str):
        raise AgnsalError(f"columns must be names or {{new name: name}}, got the text {columns!r:.60}.")
    return (
        {str(new): str(name) for new, name in columns.items()}
        if isinstance(columns, Mapping)
        else {str(name): str(name) for name in columns}
    )


def _renamed(table: QTable, columns: Mapping[str, str]) -> QTable:
    if not columns:
        return table
    _check_columns(columns, table.colnames)
    return QTable({new: table[name] for new, name in columns.items()}, meta=dict(table.meta))


def _check_columns(columns: Mapping[str, str], names: Sequence[str]) -> None:
    for name in columns.values():
        if name not in names:
            raise AgnsalError(f"the catalogue has no column {name!r}; it has {', '.join(names)[:400]}.")


def _read_kept(path: Path) -> QTable:
    try:
        table = QTable.read(path, format="ascii.ecsv")
        if len(table) != table.meta.get("rows", len(table)) or not path.read_bytes().endswith(b"\n"):
            raise AgnsalError(f"cut off, of {table.meta.get('rows')} rows {len(table)} are there")
        return table
    except Exception as error:  # astropy raises many kinds
        raise AgnsalError(f"{path} cannot be read ({printable(error)[:120]}); remove it to fetch it again.") from None
