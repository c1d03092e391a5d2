"""A file on a server that is read in parts, as if it were here."""

from __future__ import annotations

import io

from agnsal.archives.connection import Connection
from agnsal.errors import AgnsalError

_BLOCK = 2**17


class NoPartsError(AgnsalError):
    """The server sends whole files only."""


class RemoteFile(io.RawIOBase):
    """What a server holds, fetched block by block where it is read.

    Parameters
    ----------
    connection : Connection
    address : str
        Of the file.

    Attributes
    ----------
    trouble : AgnsalError or None
        What went wrong on reading; whoever reads the file may take it for its end.

    Raises
    ------
    NoPartsError
        On reading, if the server does not send parts of files, or sends those of another one meanwhile.

    Notes
    -----
    A block of 128 KiB costs one request and is kept: headers of FITS files lie close together, rows of an image far
    apart. Reads longer than a block are one request.
    """

    def __init__(self, connection: Connection, address: str) -> None:
        self._connection, self.name = connection, address
        self._place, self._size, self._etag = 0, -1, ""
        self.trouble: AgnsalError | None = None
        _, self._size, self._etag = self._part(0, 1)
        self._blocks: dict[int, bytes] = {}
        self.mode = "rb"

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def tell(self) -> int:  # noqa: D102
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:  # noqa: D102
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # noqa: D102
        start, stop = self._place, min(self._place + len(buffer), self._size)
        if stop <= start:
            return 0
        if stop - start > _BLOCK:
            content = self._part(start, stop)[0]
        else:
            first, last = start // _BLOCK, (stop - 1) // _BLOCK
            whole = b"".join(self._block(number) for number in range(first, last + 1))
            content = whole[start - first * _BLOCK : stop - first * _BLOCK]
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            self._blocks[number] = self._part(number * _BLOCK, min((number + 1) * _BLOCK, self._size))[0]
        return self._blocks[number]

    def _part(self, start: int, stop: int) -> tuple[bytes, int, str]:
        try:
            part = self._connection.part(self.name, start, stop)
            if part is None:
                raise NoPartsError(f"{self.name}: the server sends no parts of files.")
            if self._size >= 0 and part[1:] != (self._size, self._etag):
                raise NoPartsError(f"{self.name} has changed on the server while it was read.")
        except AgnsalError as error:
            self.trouble = error
            raise
        return part
