"""The seal of a file of answers: a checksum inside it, so that damage is found without unpacking what it holds."""

from __future__ import annotations

import zlib
from pathlib import Path

_MARK = b"crc32:"
#: Metadata of a table to be sealed when it is written.
UNSEALED = {b"seal": _MARK + b"00000000"}


def seal(path: Path) -> None:
    """Put the CRC-32 of a file into the place that `UNSEALED` keeps for it.

    Parameters
    ----------
    path : Path
        Of a parquet file with the metadata `UNSEALED`.
    """
    content = path.read_bytes()
    place = _place(content)
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(_sum(content, place))


def is_whole(path: Path) -> bool:
    """Whether every byte of a file is as it was when it was sealed."""
    content = path.read_bytes()
    place = _place(content)
    return place >= len(_MARK) and content[place : place + 8] == _sum(content, place)


def _place(content: bytes) -> int:
    """Where the checksum stands: metadata are at the end of a parquet file."""
    return content.rfind(_MARK) + len(_MARK)


def _sum(content: bytes, place: int) -> bytes:
    """The checksum of all but itself."""
    view = memoryview(content)
    return b"%08x" % zlib.crc32(view[place + 8 :], zlib.crc32(view[:place]))
