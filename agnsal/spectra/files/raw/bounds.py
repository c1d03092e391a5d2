"""What a file claims to hold against what it can hold, before any reader believes it.

One card (NAXIS = 1000000000, TFIELDS = 100000000) makes readers count for minutes; a few kilobytes of gzip unpack to
gigabytes. Both are told from the headers and the size of the file alone.
"""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from agnsal.errors import AgnsalError

_BLOCK, _CARD = 2880, 80
_MOST_AXES = _MOST_COLUMNS = 999  # by the FITS standard
_MOST_HEADER = 4000 * _BLOCK  # a header of 144,000 cards is none
#: Bytes that text, and what is packed, may come to; more is for a container read in blocks.
MOST_TEXT = MOST_UNPACKED = 512 * 2**20
_COUNTS = ("NAXIS", "TFIELDS", "PCOUNT", "GCOUNT", "BITPIX")


def check_claims(path: Path) -> None:
    """Refuse a file that claims more than it can hold, or unpacks to more than memory should hold."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(6)
        if start.startswith(b"\x1f\x8b"):
            if size < 18:  # a header and a trailer
                raise AgnsalError(f"it is damaged or cut off: {size} bytes are no packed file.")
            stream.seek(-4, 2)
            (unpacked,) = struct.unpack("<I", stream.read(4))
            if unpacked > MOST_UNPACKED:
                raise AgnsalError(f"it is packed and says to hold {unpacked} bytes; unpack it (gunzip) and read that.")
        elif start == b"SIMPLE":
            _walk(stream, size)
        elif start[:4] not in (b"\x89HDF", b"PAR1", b"BZh9") and size > MOST_TEXT:
            raise AgnsalError(f"it is no FITS file and has {size} bytes, too many for a text of spectra; split it.")


def unpacked(path: Path, start: bytes) -> bytes | None:
    """What a packed file holds, all of it: readers take the first part of one that is cut off for the whole.

    None where the file, by its `start`, is not packed. Only gzip and bzip2 are unpacked.
    """
    if start.startswith((b"PK\3\4", b"\xfd7zXZ", b"\x1f\x9d", b"\x28\xb5\x2f\xfd")):
        raise AgnsalError("it is packed (zip, xz, compress or zstd); unpack it and read what is in it.")
    if not start.startswith((b"\x1f\x8b", b"BZh")):
        return None
    with gzip.open(path) if start.startswith(b"\x1f\x8b") else bz2.open(path) as stream:
        try:
            content = stream.read(MOST_UNPACKED + 1)
        except (EOFError, OSError, zlib.error) as error:
            raise AgnsalError(f"it is damaged or cut off: it does not unpack ({error}).") from error
    if len(content) > MOST_UNPACKED:
        raise AgnsalError(f"it is packed and holds more than {MOST_UNPACKED} bytes; unpack it (gunzip) and read that.")
    if content.startswith(b"SIMPLE"):
        _walk(io.BytesIO(content), len(content))
    return content


def _walk(stream: BinaryIO, size: int) -> None:
    """Go from header to header of a FITS file."""
    place: int | None = 0
    while place is not None and place < size:
        stream.seek(place)
        place = _next_header(stream, place, size)


def _next_header(stream: BinaryIO, place: int, size: int) -> int | None:
    """Where the next header begins; None where this one does not end, or is none."""
    counts: dict[str, int] = {}
    begin = place
    while True:
        block = stream.read(_BLOCK)
        place += _BLOCK
        if len(block) < _BLOCK and (begin < place - _BLOCK or _is_header(block)):
            raise AgnsalError(f"it is damaged or cut off: it ends within a header, after {size} bytes.")
        if len(block) < _BLOCK or place - begin > _MOST_HEADER or (place - begin == _BLOCK and not _is_header(block)):
            return None
        if not block.isascii() or b"\0" in block:
            raise AgnsalError("it is damaged: a header of it has no END, or is no text.")
        for at in range(0, _BLOCK, _CARD):
            key = block[at : at + 8]
            if key == b"END     ":
                return _end_of_data(counts, place, size)
            if key[:5] in (b"NAXIS", b"TFIEL", b"PCOUN", b"GCOUN", b"BITPI") and block[at + 8 : at + 10] == b"= ":
                text = block[at + 10 : at + _CARD].split(b"/")[0].strip()
                try:
                    counts[key.decode("ascii", "replace").strip()] = int(text)
                except ValueError:
                    return None  # whoever reads it, says so


def _is_header(block: bytes) -> bool:
    return block.startswith((b"SIMPLE  =", b"XTENSION="))


def _end_of_data(counts: dict[str, int], place: int, size: int) -> int | None:
    axes, columns = counts.get("NAXIS", 0), counts.get("TFIELDS", 0)
    if not 0 <= axes <= _MOST_AXES or not 0 <= columns <= _MOST_COLUMNS:
        raise AgnsalError(f"it is damaged: its header claims {axes} axes and {columns} columns.")
    lengths = [counts.get(f"NAXIS{axis}", 0) for axis in range(1, axes + 1)]
    if not lengths:
        return place
    if min(lengths) < 0:
        raise AgnsalError(f"it is damaged: its header claims an axis of {min(lengths)} pixels.")
    elements = 1
    for length in lengths[1:] if lengths[0] == 0 and len(lengths) > 1 else lengths:  # random groups begin with 0
        elements *= length
    claimed = abs(counts.get("BITPIX", 8)) // 8 * counts.get("GCOUNT", 1) * (counts.get("PCOUNT", 0) + elements)
    end = place + claimed
    padded = place + -(-claimed // _BLOCK) * _BLOCK
    if claimed < 0 or end > size or end < size < padded:  # some write no padding, none writes a part of it
        raise AgnsalError(f"it is damaged or cut off: {size} bytes are there, {max(end, padded)} were announced.")
    return padded
