"""A few cells of a wide FITS table, without building its hundreds of columns."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.raw.checksums import check_data

_TFORM = re.compile(r"\s*(\d*)([LBIJKAEDCMX])")
_DTYPES = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}
_KEYS = {"XTENSION", "NAXIS", "PCOUNT", "TFIELDS", "TTYPE", "TFORM", "TSCAL", "TZERO", "DATASUM"}


def column_numbers(hdu: Any) -> dict[str, int]:
    """The columns of a binary table by their names as written, from its header alone; none of another HDU."""
    header = hdu.header
    if header.get("XTENSION") != "BINTABLE":
        return {}
    return {str(header.get(f"TTYPE{column}", "")).strip(): column for column in range(1, header["TFIELDS"] + 1)}


def first_row(hdu: Any, names: tuple[str, ...], after: bool = False) -> dict[str, Any]:
    """The named cells of the first row of a binary table, those it has, as plain values; text is stripped.

    With `after` the table is the HDU that follows `hdu`, which need not have been looked at.
    """
    table = rows_of(hdu, names, after=after, limit=1)
    return {} if table is None else plain_row(table, 0)


def rows_of(
    hdu: Any,
    names: tuple[str, ...],
    after: bool = False,
    limit: int | None = None,
    check: bool = True,
) -> NDArray | None:
    """The named columns of a binary table, those it has, as a structured array; None where it is no table with rows.

    A table of 126 columns (SPECOBJ) takes astropy 15 ms to set up, longer than reading the spectrum; its few columns
    of interest are found from the TTYPE and TFORM cards alone.
    """
    place = hdu.fileinfo()
    stream = place["file"]
    cards, data = _cards(stream, place["datLoc"] + place["datSpan"] if after else place["hdrLoc"])
    count, size = int(cards.get("NAXIS2", 0)), int(cards.get("NAXIS1", 0))
    if cards.get("XTENSION") != "BINTABLE" or count < 1:
        return None
    count = count if limit is None else min(count, limit)
    wanted = {name.upper() for name in names}
    fields: dict[str, tuple[str, int]] = {}
    scaling: dict[str, tuple[str, str]] = {}
    offset = 0
    for number in range(1, int(cards["TFIELDS"]) + 1):
        name, (dtype, width) = cards.get(f"TTYPE{number}", "").upper(), _dtype(cards[f"TFORM{number}"])
        if name in wanted and dtype is not None:
            fields[name] = (dtype, offset)
            scaling[name] = (cards.get(f"TSCAL{number}", "1"), cards.get(f"TZERO{number}", "0"))
        offset += width
    stream.seek(data)
    content = stream.read(count * size)
    if len(content) < count * size:
        raise AgnsalError(f"the file is cut off: {len(content)} of {count * size} bytes of a table are there.")
    if check and "DATASUM" in cards and count == int(cards["NAXIS2"]) and cards.get("PCOUNT", "0") == "0":
        check_data(content, cards["DATASUM"], "of the catalogue")
    kinds, offsets = [kind for kind, _ in fields.values()], [at for _, at in fields.values()]
    layout = np.dtype({"names": list(fields), "formats": kinds, "offsets": offsets, "itemsize": size})
    table = np.frombuffer(content, layout, count=count)
    scales = {name: (_real(scale), _real(zero)) for name, (scale, zero) in scaling.items()}
    return _physical(table, {name: both for name, both in scales.items() if both != (1.0, 0.0)})


def _physical(table: NDArray, scales: dict[str, tuple[float, float]]) -> NDArray:
    """The table with ``TZERO + TSCAL * value`` in the columns of numbers that have these; whole numbers stay whole."""
    columns = {name: table[name] for name in table.dtype.names or ()}
    for name, (scale, zero) in scales.items():
        column = columns[name]
        if column.dtype.kind in "iu" and scale == 1 and zero.is_integer():
            if zero == 2.0**63:  # how unsigned 64 bits are written: adding it turns the highest bit over
                columns[name] = column.astype(np.int64).view(np.uint64) ^ np.uint64(1 << 63)
            else:
                columns[name] = column.astype(np.int64) + int(zero)
        elif column.dtype.kind in "iuf":
            columns[name] = zero + scale * column.astype(np.float64)
    if not scales:
        return table
    kinds = [(name, column.dtype, column.shape[1:]) for name, column in columns.items()]
    scaled = np.empty(len(table), kinds)
    for name, column in columns.items():
        scaled[name] = column
    return scaled


def plain_row(table: NDArray, row: int) -> dict[str, Any]:
    """One row as plain values: numbers, stripped text, arrays of the machine's byte order."""
    return {name: _plain(table[name][row]) for name in table.dtype.names or ()}


def plain_column(table: NDArray, name: str) -> list[Any]:
    """One column as plain values."""
    return [_plain(cell) for cell in table[name]]


def _plain(cell: Any) -> Any:
    if isinstance(cell, bytes):
        return cell.decode("ascii", "replace").strip(" \0")
    return cell.item() if cell.ndim == 0 else cell.astype(cell.dtype.newbyteorder("="))


def _cards(stream: Any, start: int) -> tuple[dict[str, str], int]:
    """The cards that describe the table's layout, and where its data begin."""
    cards: dict[str, str] = {}
    stream.seek(start)
    while True:
        block = stream.read(2880).decode("ascii", "replace")
        start += 2880
        for at in range(0, len(block), 80):
            key = block[at : at + 8].rstrip()
            if key == "END":
                return cards, start
            if key.rstrip("0123456789") in _KEYS and block[at + 8 : at + 10] == "= ":
                value = block[at + 10 : at + 80].lstrip()
                cards[key] = (value[1:].partition("'") if value[:1] == "'" else value.partition("/"))[0].strip()
        if len(block) < 2880:
            return {}, start


def _real(text: str) -> float:
    return float(text.upper().replace("D", "E"))  # exponents as Fortran writes them


@lru_cache(maxsize=256)
def _dtype(tform: str) -> tuple[str | None, int]:
    """The NumPy type of a column and the bytes it takes; None for kinds nobody asks for."""
    match = _TFORM.match(tform)
    if match is None:  # P and Q: descriptors of variable-length arrays, 8 and 16 bytes each
        count = int(re.match(r"\s*(\d*)", tform)[1] or 1)  # type: ignore[index]
        return None, count * (16 if "Q" in tform else 8)
    count, letter = int(match[1] or 1), match[2]
    if letter == "A":
        return (f"S{count}" if count else None), count
    if letter == "X":
        return None, (count + 7) // 8
    if count == 0:
        return None, 0
    dtype = np.dtype(_DTYPES[letter])
    return f"{count}{dtype.str}" if count != 1 else dtype.str, count * dtype.itemsize
