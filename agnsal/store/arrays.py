"""Arrays with a JSON header on disk, never pickle; tables and labels as such arrays."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.store.replacing import checked_path, replacing

_HEADER = "header.json"
_FORMAT_VERSION = 3
#: A file may unpack to this many times its size, or to so many bytes; what compresses better is stored as it is.
_MOST_UNPACKED, _UNPACKED_AT_WILL = 20, 2**26
_LARGEST_HEADER = 2**24
_MOST_ARRAYS = 10_000


def write_arrays(
    path: str | os.PathLike, kind: str, arrays: Mapping[str, NDArray], header: Mapping[str, Any] | None = None
) -> None:
    """Write named arrays and a JSON header to one ``.npz`` file, replacing it only once it is whole.

    Parameters
    ----------
    path : path
        The file; written exactly under this name.
    kind : str
        What is stored, for instance ``"SpectralSample"``; `read_arrays` insists on it.
    arrays : mapping of str to ndarray
        Any numeric, boolean or fixed-width text arrays (no objects).
    header : mapping, optional
        What JSON can hold.

    Raises
    ------
    AgnsalError
        If an array holds Python objects, the header is not JSON, or the file cannot be written.

    Examples
    --------
    >>> import numpy as np, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "a.npz")
    >>> write_arrays(path, "example", {"x": np.arange(3.0)}, {"unit": "Angstrom"})
    >>> arrays, header = read_arrays(path, "example")
    >>> arrays["x"], header["unit"]
    (array([0., 1., 2.]), 'Angstrom')
    """
    import agnsal

    solid = {}
    for name, array in arrays.items():
        solid[name] = np.asarray(array)
        if solid[name].dtype.hasobject:
            raise AgnsalError(
                f"array {name!r} of the {kind} holds Python objects; only plain numbers and text are stored."
            )
    try:
        text = json.dumps(
            {
                "agnsal": agnsal.__version__,
                "format_version": _FORMAT_VERSION,
                "kind": kind,
                "arrays": sorted(solid),
                "header": dict(header or {}),
            }
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise AgnsalError(f"the header of the {kind} is not JSON: {error}.") from error
    size = sum(array.nbytes for array in solid.values())
    with replacing(path) as side:
        for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            with zipfile.ZipFile(side, "w", compression, compresslevel=1) as archive:
                archive.writestr(_HEADER, text)
                for name, array in solid.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                        np.lib.format.write_array(stream, array, allow_pickle=False)
            if size <= _most_unpacked(side) // 2:
                break


def read_arrays(path: str | os.PathLike, kind: str) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Read what `write_arrays` wrote.

    Nothing is allocated before the sizes that the file claims have been compared with the size it has.

    Parameters
    ----------
    path : path
        The file.
    kind : str
        What is expected in it.

    Returns
    -------
    arrays : dict of str to ndarray
        Bit-equal to what was written.
    header : dict

    Raises
    ------
    AgnsalError
        If the file is missing, damaged, from elsewhere, of another kind or of another format, or would unpack to far
        more than it should.
    """
    path = existing(path)
    try:
        with zipfile.ZipFile(path) as archive:
            document = _document(archive, _most_unpacked(path))
            for name, wanted in (("kind", str), ("format_version", int), ("header", dict)):
                if not isinstance(document.get(name), wanted):
                    raise AgnsalError(f"its {name} is {document.get(name)!r:.80}")
            if document["kind"] != kind:
                raise AgnsalError(f"{path}: holds a {document['kind']:.80}, a {kind} was expected.")
            if document["format_version"] != _FORMAT_VERSION:
                raise AgnsalError(
                    f"{path}: written by agnsal {document.get('agnsal')!s:.20} in format {document['format_version']}, "
                    f"this agnsal reads format {_FORMAT_VERSION}; "
                    + ("update it." if document["format_version"] > _FORMAT_VERSION else "write the file again.")
                )
            return {name: _array(archive, f"{name}.npy") for name in document["arrays"]}, document["header"]
    except Exception as error:  # whatever zip, zlib, json and numpy make of bytes that they were not made for
        if isinstance(error, AgnsalError) and str(error).startswith(f"{path}: "):
            raise
        raise not_whole(path, "agnsal file", error) from error


def existing(path: str | os.PathLike) -> Path:
    """The path of a regular file that exists, or an `AgnsalError`."""
    place = checked_path(path)
    try:
        there = place.is_file()
    except OSError as error:
        raise AgnsalError(f"{place}: cannot be read ({error.strerror}).") from error
    if not there:
        raise AgnsalError(f"{place}: there is no such file.")
    return place


def not_whole(path: Path, what: str, error: Exception) -> AgnsalError:
    """The refusal of a file that is not what was written: damaged, changed or from elsewhere."""
    reason = str(error) if isinstance(error, AgnsalError) else f"{type(error).__name__}: {error}"
    return AgnsalError(
        f"{path}: not a whole {what} ({reason[:500].rstrip('.')}). The file is damaged, incomplete or was changed by "
        "hand, or it comes from another program; write it again."
    )


def _most_unpacked(path: Path) -> int:
    return max(_UNPACKED_AT_WILL, _MOST_UNPACKED * path.stat().st_size)


def _document(archive: zipfile.ZipFile, most: int) -> dict[str, Any]:
    """The JSON header of an archive whose members are those it names, packed as `write_arrays` packs."""
    members = archive.infolist()
    if len(members) > _MOST_ARRAYS or len({member.filename for member in members}) < len(members):
        raise AgnsalError(f"its {len(members)} members are too many or not all of different names")
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise AgnsalError("it is packed in a way that agnsal does not write")
    if archive.getinfo(_HEADER).file_size > _LARGEST_HEADER or sum(member.file_size for member in members) > most:
        raise AgnsalError(f"it would unpack to more than {most // 2**20} MiB, far more than its size")
    document = json.loads(archive.read(_HEADER))
    if not isinstance(document, dict) or not isinstance(document.get("arrays"), list):
        raise AgnsalError("its header is none of agnsal's")
    if sorted(member.filename for member in members) != sorted([_HEADER, *(f"{n}.npy" for n in document["arrays"])]):
        raise AgnsalError("its members are not those that its header names")
    return document


def _array(archive: zipfile.ZipFile, member: str) -> NDArray:
    """One array, after its shape has been compared with the size of the member."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = readers[version](stream)
        size = dtype.itemsize
        for length in shape:
            size *= length
        if dtype.hasobject or dtype.names or min(shape, default=0) < 0 or dtype.itemsize == 0:
            raise AgnsalError(f"{member} holds {dtype} of shape {shape}, no plain numbers or text")
        if stream.tell() + size != archive.getinfo(member).file_size:
            raise AgnsalError(f"{member} claims {size} bytes of data that it does not have")
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def pack_labels(labels: Any, what: str = "class labels") -> tuple[NDArray, bool]:
    """Labels as an array without objects, and whether they were text in an array of objects.

    Parameters
    ----------
    labels : array_like
        Numbers or text; from a data frame text comes as objects.
    what : str
        What they are, for the message.

    Returns
    -------
    array : ndarray
    objects : bool
        For `unpack_labels`.

    Raises
    ------
    AgnsalError
        If they are neither numbers nor text.

    Examples
    --------
    >>> pack_labels(np.array(["a", "b"], dtype=object))
    (array(['a', 'b'], dtype='<U1'), True)
    """
    array = np.asarray(labels)
    if not array.dtype.hasobject:
        return array, False
    if not all(isinstance(label, str) for label in array.flat):
        raise AgnsalError(f"{what} {array.tolist()!r:.200} are neither numbers nor text and cannot be stored.")
    return array.astype(str), True


def unpack_labels(array: NDArray, objects: bool) -> NDArray:
    """Put together what `pack_labels` took apart.

    Examples
    --------
    >>> unpack_labels(np.array(["a", "b"]), True)
    array(['a', 'b'], dtype=object)
    """
    return array.astype(object) if objects else array


def pack_table(table: QTable) -> tuple[dict[str, NDArray], list[dict[str, str]]]:
    """Split a table into plain arrays and what JSON must remember of them.

    Parameters
    ----------
    table : QTable
        Columns of numbers, booleans, quantities or text.

    Returns
    -------
    arrays : dict of str to ndarray
    header : list of dict
        Name, unit and dtype of each column.
    """
    arrays, header = {}, []
    for number, name in enumerate(table.colnames):
        column = table[name]
        unit = getattr(column, "unit", None)
        values = np.asarray(column.value if isinstance(column, u.Quantity) else column)
        if values.dtype.hasobject:
            values = values.astype(str)
        if isinstance(column, np.ma.MaskedArray):
            arrays[f"column_{number}_mask"] = np.ma.getmaskarray(column)
        arrays[f"column_{number}"] = values
        text = "" if unit is None else unit.to_string()
        header.append({"name": name, "unit": text, "dtype": values.dtype.str})
    return arrays, header


def unpack_table(arrays: Mapping[str, NDArray], header: list[dict[str, str]]) -> QTable:
    """Put together what `pack_table` split.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        At least those that `pack_table` made.
    header : list of dict
        Name, unit and dtype of each column.

    Returns
    -------
    QTable

    Raises
    ------
    AgnsalError
        If a column is missing, left over, occurs twice or is not of its dtype.
    """
    table = QTable()
    expected = {f"column_{number}" for number in range(len(header))}
    left_over = {name.removesuffix("_mask") for name in arrays if name.startswith("column_")} - expected
    if left_over:
        raise AgnsalError(f"{', '.join(sorted(left_over))} belongs to no column of the table")
    for number, column in enumerate(header):
        values, name = arrays[f"column_{number}"], column["name"]
        if values.dtype.str != column["dtype"] or name in table.colnames:
            raise AgnsalError(f"column {name!r} occurs twice, or holds {values.dtype} instead of {column['dtype']}")
        if f"column_{number}_mask" in arrays:
            values = np.ma.MaskedArray(values, arrays[f"column_{number}_mask"])
        table[name] = u.Quantity(values, column["unit"]) if column["unit"] else values
    return table
