"""Results as FITS and as ECSV: what has one entry per spectrum in a table, and the rest beside it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.store import Format, not_whole, replacing

_AXIS = ("edges", "centers")


def _write_fits(path: Path, kind: str, arrays: Mapping[str, NDArray], header: Mapping[str, Any]) -> None:
    """One image per matrix, a table of what there is one of per spectrum, and the header as one JSON card."""
    n = len(arrays["values"])
    primary = fits.PrimaryHDU()
    primary.header["KIND"] = kind
    for card in ("METHOD", "OUTPUT"):
        primary.header[card] = json.dumps(header[card.lower()])[1:-1]
    # numpy's dtypes, since FITS has neither booleans in images nor text beyond ASCII
    types = {name: array.dtype.str for name, array in arrays.items()}
    primary.header["AGNSAL"] = json.dumps({**header, "types": types, "text": _fragile(arrays)})
    hdus: list[Any] = [primary]
    columns = []
    for name, array in arrays.items():
        if array.dtype.kind == "U":
            array = np.char.encode(array, "utf-8")  # noqa: PLW2901
        elif array.dtype.kind == "b":
            array = array.astype(np.uint8)  # noqa: PLW2901
        if array.ndim == 1 and len(array) == n:
            columns.append(fits.Column(name, _fits_format(array), array=array))
        elif array.ndim == 1:
            column = fits.Column(name, _fits_format(array), array=array, unit="Angstrom" if name in _AXIS else None)
            hdus.append(fits.BinTableHDU.from_columns([column], name=name.upper()))
        else:
            hdus.append(fits.ImageHDU(array, name=name.upper()))
    hdus.insert(1, fits.BinTableHDU.from_columns(columns, name="SPECTRA"))
    with replacing(path) as side:
        fits.HDUList(hdus).writeto(side, checksum=True)


def _fits_format(array: NDArray) -> str:
    if array.dtype.kind == "S":
        return f"{max(array.dtype.itemsize, 1)}A"
    return {"f": "D", "i": "K", "u": "B"}[array.dtype.kind]


def _fragile(arrays: Mapping[str, NDArray]) -> dict[str, list]:
    """Text that a table does not keep as it is: empty, with blanks at its ends, or not printable."""

    def safe(text: str) -> bool:
        return bool(text) and text == text.strip() and text.isprintable()

    texts = {name: array for name, array in arrays.items() if array.dtype.kind == "U"}
    return {name: text.tolist() for name, text in texts.items() if not all(map(safe, text.flat))}


def _read_fits(path: Path, kind: str) -> tuple[dict[str, NDArray], dict[str, Any]]:
    try:
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("error", AstropyWarning)  # astropy only warns of a truncated file
            stream = stack.enter_context(path.open("rb"))  # astropy leaves a damaged file open
            hdus = stack.enter_context(fits.open(stream, memmap=False, checksum=True))
            if hdus[0].header.get("KIND") != kind:
                raise AgnsalError(f"a FITS file, but not one of an {kind}")
            found: dict[str, NDArray] = {}
            for hdu in hdus:
                if not {"CHECKSUM", "DATASUM"} <= set(hdu.header):
                    raise AgnsalError(f"the extension {hdu.name!r} has lost its checksum")
                if isinstance(hdu, fits.BinTableHDU):
                    found.update({name: hdu.data[name] for name in hdu.columns.names})
                elif hdu.data is not None:
                    found[hdu.name.lower()] = hdu.data
            header = json.loads(hdus[0].header["AGNSAL"])
            types = header.pop("types")
            found.update(header.pop("text"))
            if found.keys() != types.keys():
                raise AgnsalError(f"it holds {sorted(found)} instead of {sorted(types)}")
            return {name: _as_type(np.asarray(found[name]), types[name]) for name in types}, header
    except Exception as error:  # whatever astropy makes of damage
        raise not_whole(path, kind, error) from error


def _as_type(array: NDArray, kind: str) -> NDArray:
    if np.dtype(kind).kind == "U":
        text = array if array.dtype.kind == "U" else np.char.decode(array.astype("S"), "utf-8")
        return text.astype(kind)
    return np.ascontiguousarray(array, dtype=kind)


def _write_ecsv(path: Path, kind: str, arrays: Mapping[str, NDArray], header: Mapping[str, Any]) -> None:
    """A row per spectrum; what there is one of for all spectra goes into the header."""
    n, fragile = len(arrays["values"]), _fragile(arrays)
    chosen = {name: array for name, array in arrays.items() if name not in fragile and array.ndim and len(array) == n}
    table = QTable(chosen)
    whole = {name: array.tolist() for name, array in arrays.items() if name not in chosen}
    types = {name: array.dtype.str for name, array in arrays.items()}
    table.meta["agnsal"] = json.dumps({**header, "kind": kind, "types": types, "whole": whole})
    with replacing(path) as side:
        table.write(side, format="ascii.ecsv")


def _read_ecsv(path: Path, kind: str) -> tuple[dict[str, NDArray], dict[str, Any]]:
    try:
        table = QTable.read(path, format="ascii.ecsv")
        header = table.meta.get("agnsal")
        header = json.loads(header) if isinstance(header, str) else None
        if not isinstance(header, dict) or header.pop("kind", None) != kind:
            raise AgnsalError(f"an ECSV table, but not one of an {kind}")
        whole, types = header.pop("whole"), header.pop("types")
        masked = [name for name in table.colnames if isinstance(table[name], np.ma.MaskedArray)]
        if masked:
            raise AgnsalError(f"cells of {', '.join(masked)} are empty")
        found = {**{name: np.asarray(table[name]) for name in table.colnames}, **whole}
        if found.keys() != types.keys():
            raise AgnsalError(f"it holds {sorted(found)} instead of {sorted(types)}")
        return {name: _as_type(np.asarray(found[name]), types[name]) for name in types}, header
    except Exception as error:  # whatever the parsers of tables and of YAML make of damage
        raise not_whole(path, kind, error) from error


FITS = Format(_write_fits, _read_fits)
ECSV = Format(_write_ecsv, _read_ecsv)
