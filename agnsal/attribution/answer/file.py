"""Attributions on disk: arrays with a JSON header, FITS, or ECSV, chosen by the ending of the file."""

from __future__ import annotations

import json
import os
import warnings
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from agnsal import store
from agnsal.attribution.answer.options import packed, unpacked
from agnsal.errors import AgnsalError
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.regions import Regions

_KIND = "Attribution"
_SPREAD = "uncertainty_"
_OPTION = "option_"
_ENDINGS = (".npz", ".fits", ".ecsv")


def write_result(result: Any, path: str | os.PathLike) -> None:
    """Write an `Attribution`; see `Attribution.write`."""
    path = Path(path)
    arrays, header = _split(result)
    ending = _ending(path)
    if ending == ".npz":
        store.write_arrays(path, _KIND, arrays, header)
    elif ending == ".fits":
        _to_fits(arrays, header, path)
    else:
        _to_ecsv(arrays, header, path)


def read_result(cls: type, path: str | os.PathLike) -> Any:
    """Read an `Attribution`; see `Attribution.read`."""
    path = Path(path)
    ending = _ending(path)
    if not path.is_file():
        raise AgnsalError(f"{path}: there is no such file.")
    try:
        if ending == ".npz":
            arrays, header = store.read_arrays(path, _KIND)
        elif ending == ".fits":
            arrays, header = _from_fits(path)
        else:
            arrays, header = _from_ecsv(path)
        return cls(**_join(arrays, header))
    except AgnsalError:
        raise
    except (OSError, KeyError, TypeError, ValueError, IndexError, AstropyWarning) as error:
        raise AgnsalError(
            f"{path}: not a whole Attribution ({type(error).__name__}: {error}); it may be damaged or come from "
            "another program."
        ) from error


def _ending(path: Path) -> str:
    if path.suffix not in _ENDINGS:
        raise AgnsalError(f"{path}: the ending says how it is written; use one of {', '.join(_ENDINGS)}.")
    return path.suffix


def _split(result: Any) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Everything in a result as arrays and as what JSON can hold."""
    arrays: dict[str, NDArray] = {}
    header: dict[str, Any] = {"unit": result.unit.to_string(), "provenance": dict(result.provenance)}
    if result.flux_unit is not None:
        header["flux_unit"] = result.flux_unit.to_string()
    given, header["options"] = packed(result.options)
    if result.regions is not None:
        of_regions, header["regions"] = result.regions.pack()
        arrays.update(of_regions)
    arrays.update({f"{_OPTION}{name}": array for name, array in given.items()})
    for entry in fields(result):
        value = getattr(result, entry.name)
        if isinstance(value, np.ndarray):
            arrays[entry.name] = value.astype(str) if value.dtype.hasobject else value
        elif isinstance(value, str):
            header[entry.name] = value
    for source, spread in (result.uncertainty or {}).items():
        arrays[f"{_SPREAD}{source}"] = spread
    if result.grid is not None:
        arrays.update(edges=result.grid.edges.value, centers=result.grid.centers.value)
        header.update(medium=result.grid.medium, frame=result.grid.frame)
    return arrays, header


def _join(arrays: dict[str, NDArray], header: dict[str, Any]) -> dict[str, Any]:
    """The fields of a result."""
    stored: dict[str, Any] = {**arrays, **header, "unit": u.Unit(header["unit"])}
    if "edges" in stored:
        edges, centers = stored.pop("edges") * u.AA, stored.pop("centers") * u.AA
        stored["grid"] = WavelengthGrid(edges, centers, medium=stored.pop("medium"), frame=stored.pop("frame"))
    if "flux_unit" in stored:
        stored["flux_unit"] = u.Unit(stored["flux_unit"])
    given = {name.removeprefix(_OPTION): stored.pop(name) for name in list(stored) if name.startswith(_OPTION)}
    stored["options"] = unpacked(given, stored["options"], stored.get("grid"))
    if "regions" in stored:
        parts = {name: stored.pop(name) for name in list(stored) if name.startswith("region_")}
        stored["regions"] = Regions.unpack(parts, stored["regions"], stored.get("grid"))
    spreads = [name for name in stored if name.startswith(_SPREAD)]
    if spreads:
        stored["uncertainty"] = {name.removeprefix(_SPREAD): stored.pop(name) for name in spreads}
    return stored


def _to_fits(arrays: dict[str, NDArray], header: dict[str, Any], path: Path) -> None:
    """One image per matrix, a table of what there is one of per spectrum, and the header as one JSON card."""
    n = len(arrays["values"])
    primary = fits.PrimaryHDU()
    primary.header["KIND"] = _KIND
    primary.header["METHOD"], primary.header["OUTPUT"] = header["method"], header["output"]
    # numpy's dtypes, since FITS has neither booleans in images nor text beyond ASCII
    types = {name: array.dtype.str for name, array in arrays.items()}
    primary.header["AGNSAL"] = json.dumps({**header, "types": types})
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
    with store.replacing(path) as side:
        fits.HDUList(hdus).writeto(side, checksum=True)


_AXIS = ("edges", "centers")


def _fits_format(array: NDArray) -> str:
    if array.dtype.kind == "S":
        return f"{max(array.dtype.itemsize, 1)}A"
    return {"f": "D", "i": "K", "u": "B"}[array.dtype.kind]


def _from_fits(path: Path) -> tuple[dict[str, NDArray], dict[str, Any]]:
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error", AstropyWarning)  # astropy only warns of a truncated file
        stream = stack.enter_context(path.open("rb"))  # astropy leaves a damaged file open
        hdus = stack.enter_context(fits.open(stream, memmap=False, checksum=True))
        if hdus[0].header.get("KIND") != _KIND:
            raise AgnsalError(f"{path}: a FITS file, but not one of an Attribution.")
        header = json.loads(hdus[0].header["AGNSAL"])
        found: dict[str, NDArray] = {}
        for hdu in hdus[1:]:
            if isinstance(hdu, fits.BinTableHDU):
                found.update({name: hdu.data[name] for name in hdu.columns.names})
            else:
                found[hdu.name.lower()] = hdu.data
        types = header.pop("types")
        return {name: _as_type(np.asarray(found[name]), kind) for name, kind in types.items()}, header


def _as_type(array: NDArray, kind: str) -> NDArray:
    if np.dtype(kind).kind == "U":
        text = array if array.dtype.kind == "U" else np.char.decode(array.astype("S"), "utf-8")
        return text.astype(kind)
    return np.ascontiguousarray(array, dtype=kind)


def _to_ecsv(arrays: dict[str, NDArray], header: dict[str, Any], path: Path) -> None:
    """A row per spectrum; what there is one of for all spectra goes into the header."""
    n = len(arrays["values"])
    table = QTable({name: array for name, array in arrays.items() if len(array) == n and array.ndim > 0})
    whole = {name: array.tolist() for name, array in arrays.items() if name not in table.colnames}
    types = {name: array.dtype.str for name, array in arrays.items()}
    table.meta["agnsal"] = {**header, "kind": _KIND, "types": types, "whole": whole}
    with store.replacing(path) as side:
        table.write(side, format="ascii.ecsv")


def _from_ecsv(path: Path) -> tuple[dict[str, NDArray], dict[str, Any]]:
    table = QTable.read(path, format="ascii.ecsv")
    header = table.meta.get("agnsal")
    if not isinstance(header, dict) or header.pop("kind", None) != _KIND:
        raise AgnsalError(f"{path}: an ECSV table, but not one of an Attribution.")
    whole, types = header.pop("whole"), header.pop("types")
    found = {**{name: np.asarray(table[name]) for name in table.colnames}, **whole}
    return {name: _as_type(np.asarray(found[name]), kind) for name, kind in types.items()}, header
