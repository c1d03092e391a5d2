"""Arrays with a JSON header on disk, never pickle."""

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

_HEADER = "header.json"
_FORMAT_VERSION = 1


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
        If an array holds Python objects, or the header is not JSON.

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
    except (TypeError, ValueError) as error:
        raise AgnsalError(f"the header of the {kind} is not JSON: {error}.") from error
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(_HEADER, text)
            for name, array in solid.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, array, allow_pickle=False)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_arrays(path: str | os.PathLike, kind: str) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Read what `write_arrays` wrote.

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
        If the file is missing, damaged, from elsewhere, of another kind or of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        raise AgnsalError(f"{path}: there is no such file.")
    try:
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read(_HEADER))
            names = list(document["arrays"])
            if document["format_version"] > _FORMAT_VERSION:
                raise AgnsalError(
                    f"{path}: written by agnsal {document['agnsal']} in a newer format "
                    f"({document['format_version']} > {_FORMAT_VERSION}); update agnsal to read it."
                )
            if document["kind"] != kind:
                raise AgnsalError(f"{path}: holds a {document['kind']}, a {kind} was expected.")
            arrays = {}
            for name in names:
                with archive.open(f"{name}.npy") as stream:
                    arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    except AgnsalError:
        raise
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError, EOFError) as error:
        raise AgnsalError(
            f"{path}: not a whole agnsal file ({type(error).__name__}: {error}). "
            f"It may be damaged or come from another program; write it again with the {kind}'s write()."
        ) from error
    return arrays, document["header"]


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
        Name and unit of each column.
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
        header.append({"name": name, "unit": "" if unit is None else unit.to_string()})
    return arrays, header


def unpack_table(arrays: dict[str, NDArray], header: list[dict[str, str]]) -> QTable:
    """Put together what `pack_table` split.

    Parameters
    ----------
    arrays : dict of str to ndarray
        At least those that `pack_table` made.
    header : list of dict
        Name and unit of each column.

    Returns
    -------
    QTable
    """
    table = QTable()
    for number, column in enumerate(header):
        values = arrays[f"column_{number}"]
        if f"column_{number}_mask" in arrays:
            values = np.ma.MaskedArray(values, arrays[f"column_{number}_mask"])
        table[column["name"]] = u.Quantity(values, column["unit"]) if column["unit"] else values
    return table
