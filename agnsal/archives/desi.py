"""DESI: coadds of a pixel of the sky, of which the arms of one object are cut out.

The rules of the addresses are those of the survey's data model: ``coadd-{survey}-{program}-{healpix}.fits`` under
``healpix/{survey}/{program}/{healpix // 100}/{healpix}``.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.io import fits
from astropy.table import Table

from agnsal.archives.archive import Outcome, Place, Wanted, check_whole, column, whole, word, write_checked
from agnsal.archives.connection import Connection
from agnsal.archives.remote import NoPartsError, RemoteFile
from agnsal.errors import AgnsalError, one_of

#: The reduction that a release is of.
_RELEASES = {"edr": "edr/spectro/redux/fuji", "dr1": "dr1/spectro/redux/iron"}
_ARMS = ("B", "R", "Z")
_PARTS = ("FLUX", "IVAR", "MASK")


class DESI:
    """The public data of DESI."""

    name = "desi"
    address = "https://data.desi.lbl.gov/public"
    release = "dr1"

    def wanted(self, table: Table, release: str, columns: Mapping[str, str]) -> list[Wanted]:
        """Objects by targetid, survey, program and healpix, the columns of the survey's own tables of redshifts."""
        one_of("release", release, tuple(_RELEASES))
        roles = ("targetid", "survey", "program", "healpix")
        cells = zip(*(column(table, role, columns, (role,), self.name) for role in roles), strict=True)
        found = []
        for row, (target, survey, program, healpix) in enumerate(cells):
            number, pixel = whole(target, "targetid", row), whole(healpix, "healpix", row)
            names = word(survey, "survey", row), word(program, "program", row)
            place = f"{_RELEASES[release]}/healpix/{'/'.join(names)}/{pixel // 100}/{pixel}"
            coadd = f"coadd-{'-'.join(names)}-{pixel}.fits"
            found.append(Wanted(row, f"desi-{'-'.join(names)}-{number}.fits", (f"{place}/{coadd}",), number))
        return found

    def together(self, wanted: Sequence[Wanted]) -> Iterator[list[Wanted]]:
        """Objects of one coadd."""
        coadds: dict[str, list[Wanted]] = {}
        for one in wanted:
            coadds.setdefault(one.places[0], []).append(one)
        yield from coadds.values()

    def fetch(self, connection: Connection, address: str, wanted: Sequence[Wanted], place: Place) -> Iterator[Outcome]:
        """Cut objects out of their coadd, of which only the rows that are needed are fetched where the server can."""
        whole_address = f"{address}/{wanted[0].places[0]}"
        try:
            try:
                yield from self._cut(RemoteFile(connection, whole_address), whole_address, wanted, place)
                return
            except NoPartsError:
                pass  # what is raised below was not caused by this
            with TemporaryDirectory() as folder:
                path = Path(folder) / "coadd.fits"
                connection.download(whole_address, path)
                try:
                    check_whole(path, whole_address)
                except AgnsalError as error:
                    raise AgnsalError(f"no coadd of DESI, or not all of it: {error}") from None
                with path.open("rb") as file:
                    yield from self._cut(file, whole_address, wanted, place)
        except AgnsalError as error:
            yield from ((one, "", error) for one in wanted)

    def _cut(
        self, file: io.RawIOBase | io.BufferedIOBase, address: str, wanted: Sequence[Wanted], place: Place
    ) -> Iterator[Outcome]:
        try:
            with fits.open(file, memmap=False, lazy_load_hdus=True) as coadd:
                targets = np.asarray(coadd["FIBERMAP"].data["TARGETID"])
                for one in wanted:
                    rows = np.flatnonzero(targets == one.key)
                    if rows.size != 1:
                        said = f"{address} holds {rows.size} rows of the object {one.key}, one was expected."
                        yield one, "", AgnsalError(said)
                        continue
                    try:
                        cut = self._cut_out(coadd, int(rows[0]), address)
                        _raise_trouble(file)  # astropy takes it for the end of the file
                        with place(one) as path:
                            outcome = one, address, write_checked(cut, path, one)
                        yield outcome
                    except NoPartsError:
                        raise
                    except AgnsalError as error:
                        yield one, "", error
        except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
            _raise_trouble(file)
            if isinstance(error, AgnsalError):
                raise
            raise AgnsalError(f"{address} is no coadd of DESI ({str(error)[:160]}).") from None

    def _cut_out(self, coadd: fits.HDUList, row: int, address: str) -> fits.HDUList:
        """A coadd of one row."""
        cut = fits.HDUList([fits.PrimaryHDU(header=_header(coadd[0].header))])
        for arm in _ARMS:
            if f"{arm}_WAVELENGTH" not in coadd:
                continue
            name = f"{arm}_WAVELENGTH"
            cut.append(fits.ImageHDU(coadd[name].data, header=_header(coadd[name].header), name=name))
            for name in (f"{arm}_{part}" for part in _PARTS):
                image = coadd[name]
                cut.append(fits.ImageHDU(image.section[row : row + 1], header=_header(image.header), name=name))
        cut.append(fits.BinTableHDU(coadd["FIBERMAP"].data[row : row + 1], name="FIBERMAP"))
        cut[0].header["ORIGIN_F"] = (address.rsplit("/", 1)[1], "coadd this object was cut out of")
        return cut


def _raise_trouble(file: io.RawIOBase | io.BufferedIOBase) -> None:
    trouble = file.trouble if isinstance(file, RemoteFile) else None
    if trouble is not None:
        raise trouble


def _header(header: fits.Header) -> fits.Header:
    """What a header says about its object, without the cards that say how its data lie, or what they add up to."""
    kept = header.copy(strip=True)
    for key in ("CHECKSUM", "DATASUM", "EXTNAME"):
        kept.remove(key, ignore_missing=True)
    return kept
