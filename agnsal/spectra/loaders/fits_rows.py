"""A few cells of a wide FITS table, without building its hundreds of columns."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from agnsal.errors import AgnsalError

_TFORM = re.compile(r"\s*(\d*)([LBIJKAEDCMX])")
_DTYPES = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}


def first_row(hdu: Any, names: tuple[str, ...], after: bool = False) -> dict[str, Any]:
    """The named cells of the first row of a binary table, those it has; text is stripped.

    A table of 126 columns (SPECOBJ) takes astropy 15 ms to set up, longer than reading the spectrum; its few bytes
    of interest are found from the TTYPE and TFORM cards alone. With `after` the table is the HDU that follows `hdu`.
    """
    place = hdu.fileinfo()
    stream = place["file"]
    start = place["datLoc"] + place["datSpan"] if after else place["hdrLoc"]
    cards, data = _cards(stream, start)
    if cards.get("XTENSION") != "BINTABLE" or int(cards.get("NAXIS2", 0)) < 1:
        return {}
    wanted = {name.upper() for name in names}
    fields, offset = {}, 0
    for number in range(1, int(cards["TFIELDS"]) + 1):
        name, (dtype, size) = cards.get(f"TTYPE{number}", "").upper(), _dtype(cards[f"TFORM{number}"])
        if name in wanted and dtype is not None:
            fields[name] = (dtype, offset)
        offset += size
    stream.seek(data)
    row = stream.read(int(cards["NAXIS1"]))
    if len(row) < int(cards["NAXIS1"]):
        raise AgnsalError(f"the file is cut off: {len(row)} of the {cards['NAXIS1']} bytes of its redshift table.")
    return {name: _cell(row, *field) for name, field in fields.items()}


def _cards(stream: Any, start: int) -> tuple[dict[str, str], int]:
    """The cards that describe the table's layout, and where its data begin."""
    cards: dict[str, str] = {}
    stream.seek(start)
    while True:
        block = stream.read(2880).decode("ascii", "replace")
        start += 2880
        for card in (block[at : at + 80] for at in range(0, len(block), 80)):
            key = card[:8].rstrip()
            if key == "END":
                return cards, start
            if card[8:10] == "= " and key[:5] in ("TTYPE", "TFORM", "NAXIS", "TFIEL", "XTENS"):
                value = card[10:].lstrip()
                cards[key] = (value[1:].partition("'") if value[:1] == "'" else value.partition("/"))[0].strip()
        if len(block) < 2880:
            return {}, start


def _dtype(tform: str) -> tuple[str | None, int]:
    """The NumPy type of a column and the bytes it takes; None for kinds nobody asks for."""
    match = _TFORM.match(tform)
    if match is None:  # P and Q: descriptors of variable-length arrays, 8 and 16 bytes each
        count = int(re.match(r"\s*(\d*)", tform)[1] or 1)  # type: ignore[index]
        return None, count * (16 if "Q" in tform else 8)
    count, letter = int(match[1] or 1), match[2]
    if letter == "A":
        return f"S{count}", count
    if letter == "X":
        return None, (count + 7) // 8
    dtype = np.dtype(_DTYPES[letter])
    return f"{count}{dtype.str}" if count != 1 else dtype.str, count * dtype.itemsize


def _cell(row: bytes, dtype: str, offset: int) -> Any:
    kind = np.dtype(dtype)
    if kind.itemsize == 0:
        return None
    base, shape = kind.subdtype or (kind, ())
    value = np.frombuffer(row, base, count=max(1, int(np.prod(shape))), offset=offset)
    if base.kind == "S":
        return value[0].decode("ascii", "replace").strip(" \0")
    return value.astype(base.newbyteorder("=")) if shape else value[0].item()
