"""Spectra of a table, fetched from an archive into a folder."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Literal

from astropy.table import QTable, Table
from tqdm import tqdm

from agnsal.archives.archive import Archive, Outcome, Wanted, with_sums
from agnsal.archives.connection import Connection, base_address
from agnsal.archives.desi import DESI
from agnsal.archives.manifest import Manifest
from agnsal.archives.sdss import SDSS
from agnsal.archives.sparcl import SPARCL
from agnsal.errors import AgnsalError, AgnsalWarning, one_of
from agnsal.store import made_folder, replacing

ARCHIVES: dict[str, Archive] = {archive.name: archive for archive in (SDSS(), DESI(), SPARCL())}
_SAVED_EVERY = 10.0  # seconds between two writings of the manifest


def fetch_spectra(
    table: Table,
    folder: str | os.PathLike[str],
    archive: Literal["sdss", "desi", "sparcl"] = "sdss",
    base_url: str | None = None,
    *,
    release: str | None = None,
    columns: Mapping[str, str] | None = None,
    n_jobs: int = 4,
    timeout: float = 60.0,
    attempts: int = 5,
    max_bytes: float = 4e9,
    on_error: Literal["raise", "skip"] = "raise",
    progress: bool = False,
) -> QTable:
    """Fetch the spectra of a table from an archive, one file each.

    What is in the folder already, whole and as the manifest says, is not fetched again: after an interruption call
    it again. A file has its final name only when it is whole, is a spectrum that `read_spectra` reads, and is the one
    that was asked for.

    Parameters
    ----------
    table : Table
        A row for each spectrum. SDSS: plate, mjd, fiber (and run2d where it is known), or field, mjd, catalogid for
        SDSS-V. DESI: targetid, survey, program, healpix, as in the survey's tables of redshifts. SPARCL: sparcl_id.
        With a column sha256 (a manifest has one) only files with those sums are accepted.
    folder : path
        Where the files and ``manifest.ecsv`` go; it is made if it is not there.
    archive : {"sdss", "desi", "sparcl"}
        Whose spectra they are.
    base_url : str, optional
        A mirror of the archive, in place of its own address. An account in it (``https://name:password@...``) is told
        to that server alone, and is in no message and no manifest.
    release : str, optional
        SDSS "dr17" (default) to "dr20"; DESI "dr1" (default) or "edr"; SPARCL "all" or one of its releases.
    columns : mapping of str to str, optional
        Names of the columns by role, where they are not the usual ones: ``{"fiber": "FIB"}``.
    n_jobs : int
        Requests at a time; archives ask for few.
    timeout : float
        Seconds a server may be silent.
    attempts : int
        Of each file, over busy servers, lost connections and files cut off, with growing pauses.
    max_bytes : float
        A file may have at most.
    on_error : {"raise", "skip"}
        Whether spectra that could not be had are an error, once all others are there, or a warning.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    QTable
        The manifest: the columns of `table`, and ``file``, ``status`` ("fetched", "kept" or "failed"), ``address``,
        ``size`` in bytes, ``sha256``, ``time`` (UTC) and ``message``, the cause of a failure.

    Raises
    ------
    AgnsalError
        If the table does not name spectra, or, with ``on_error="raise"``, if some could not be had. What was fetched
        stays, and the manifest says the rest.

    See Also
    --------
    fetch_catalogue : a table of spectra to fetch.
    agnsal.read_spectra : reads them.

    Notes
    -----
    Certificates are checked, nothing is unpickled (SPARCL is asked for JSON), and names of files are made from checked
    numbers and words, so that no row leads out of the folder. Of a DESI coadd only the rows that are needed are
    transferred where the server sends parts of files.

    Examples
    --------
    >>> from astropy.table import Table
    >>> table = Table({"plate": [266], "mjd": [51630], "fiber": [3]})
    >>> manifest = fetch_spectra(table, "spectra")  # doctest: +SKIP
    >>> spectra = agnsal.read_spectra("spectra")  # doctest: +SKIP
    """
    one_of("archive", archive, ARCHIVES)
    one_of("on_error", on_error, ("raise", "skip"))
    source = ARCHIVES[archive]
    address, account = base_address(source.address if base_url is None else base_url)
    table = Table(table)
    wanted = source.wanted(table, source.release if release is None else release, dict(columns or {}))
    wanted = with_sums(wanted, table)
    connection = Connection(timeout=timeout, attempts=attempts, max_bytes=max_bytes, account=account)
    connection.session()  # without requests nothing is touched
    root = made_folder(folder)
    manifest = Manifest(root, table, wanted)
    missing = manifest.missing()
    place = partial(_place, root)
    saved = time.monotonic()
    with ThreadPoolExecutor(max(1, int(n_jobs))) as pool:
        stopped = threading.Event()
        groups = source.together(missing)
        running = [pool.submit(_run, source, connection, address, group, place, stopped) for group in groups]
        try:
            with tqdm(total=len(missing), desc=f"fetching from {archive}", disable=not progress) as bar:
                for done in as_completed(running):
                    for outcome in done.result():
                        manifest.note(*outcome)
                        bar.update()
                    if time.monotonic() - saved > _SAVED_EVERY:
                        manifest.write()
                        saved = time.monotonic()
        finally:  # an interruption too leaves a manifest of what came
            stopped.set()
            for each in running:
                each.cancel()
            manifest.write()
    failed = manifest.failures()
    if failed:
        said = f"{len(failed)} of {len(wanted)} spectra could not be had; the first: {failed[0]}"
        if on_error == "raise":
            raise AgnsalError(
                f"{said} What came is in {folder}, with {manifest.path.name}; calling again goes on, and "
                "on_error='skip' makes this a warning."
            )
        warnings.warn(said, AgnsalWarning, stacklevel=2)
    return manifest.table()


def _run(
    source: Archive,
    connection: Connection,
    address: str,
    group: list[Wanted],
    place: partial[AbstractContextManager[Path]],
    stopped: threading.Event,
) -> list[Outcome]:
    """Fetch what belongs together, until an interruption."""

    def going_on() -> Iterator[Outcome]:
        if stopped.is_set():
            return
        for outcome in source.fetch(connection, address, group, place):
            yield outcome
            if stopped.is_set():
                return

    return list(going_on())


def _place(folder: Path, one: Wanted) -> AbstractContextManager[Path]:
    return replacing(folder / one.file)
