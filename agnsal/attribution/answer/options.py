"""The options a result was made with: as they were given, of some of the spectra, and as a file holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample

#: Options that may have a row for every spectrum.
_BY_SPECTRUM = ("target", "baseline", "fill", "noise")


def remembered(options: Mapping[str, object]) -> dict[str, object]:
    """Options as a result keeps them: plain values, arrays, quantities and regions.

    Parameters
    ----------
    options : mapping of str to object
        As given to a method.

    Returns
    -------
    dict of str to object
        Sequences of numbers as arrays, other sequences as lists, samples as their flux; the rest as it was.

    Examples
    --------
    >>> remembered({"baseline": ("class mean", "type 2"), "n_steps": np.int64(32), "noise": [0.1, 0.2]})
    {'baseline': ['class mean', 'type 2'], 'n_steps': 32, 'noise': array([0.1, 0.2])}
    """
    return {name: _remembered(value) for name, value in options.items()}


def _remembered(value: Any) -> Any:
    if isinstance(value, SpectralSample):
        return value.flux
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple) and any(isinstance(each, str) for each in value):
        return [_remembered(each) for each in value]
    kept = isinstance(value, u.Quantity | Regions | np.ndarray)
    if kept or not (hasattr(value, "__array__") or isinstance(value, list | tuple)):
        return value
    array = np.asarray(value)
    return array.astype(str) if array.dtype.hasobject else array


def of_rows(options: Mapping[str, Any], rows: NDArray[np.intp], n: int) -> dict[str, Any]:
    """Options for some of the spectra: those with a row for every spectrum keep the rows of these.

    Parameters
    ----------
    options : mapping
        As `remembered` gives them.
    rows : ndarray of int
        Which spectra.
    n : int
        Number of spectra before.

    Returns
    -------
    dict
    """

    def each(name: str, value: Any) -> bool:
        by_spectrum = name in _BY_SPECTRUM and isinstance(value, np.ndarray) and len(value.shape) > 0
        return by_spectrum and len(value) == n and (value.ndim == 2 or name == "target")

    return {name: value[rows] if each(name, value) else value for name, value in options.items()}


def packed(options: Mapping[str, Any]) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Options as arrays of numbers and what JSON can hold.

    Parameters
    ----------
    options : mapping
        As `remembered` gives them.

    Returns
    -------
    arrays : dict of str to ndarray
    plain : dict of str to object
        Says of every option what it is.
    """
    arrays: dict[str, NDArray] = {}
    plain: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, u.Quantity):
            plain[name] = {"value": value.value.tolist(), "unit": value.unit.to_string()}
        elif isinstance(value, Regions):
            parts, names = value.pack()
            plain[name] = {"regions": names, **{part: array.tolist() for part, array in parts.items()}}
        elif isinstance(value, np.ndarray) and value.dtype.kind in "fib" and value.ndim:
            arrays[name], plain[name] = value, {"array": name}
        elif isinstance(value, np.ndarray):
            plain[name] = {"list": value.tolist(), "dtype": value.dtype.str}
        elif value is None or isinstance(value, str | bool | int | float | list):
            plain[name] = value
        else:
            plain[name] = {"described": repr(value)}
    return arrays, plain


def unpacked(
    arrays: Mapping[str, NDArray], plain: Mapping[str, Any], grid: WavelengthGrid | None = None
) -> dict[str, Any]:
    """Options from what `packed` made of them.

    Parameters
    ----------
    arrays, plain
        As `packed` gives them.
    grid : WavelengthGrid, optional
        Of the spectra.

    Returns
    -------
    dict of str to object

    Examples
    --------
    >>> unpacked(*packed({"rule": "left", "noise": np.array([0.5])}))
    {'rule': 'left', 'noise': array([0.5])}
    """
    found: dict[str, Any] = {}
    for name, value in plain.items():
        if not isinstance(value, dict):
            found[name] = value
        elif "array" in value:
            found[name] = arrays[name]
        elif "unit" in value:
            found[name] = u.Quantity(value["value"], value["unit"])
        elif "regions" in value:
            parts = {part: np.asarray(numbers) for part, numbers in value.items() if part != "regions"}
            found[name] = Regions.unpack(parts, value["regions"], grid)
        elif "list" in value:
            found[name] = np.asarray(value["list"], dtype=value["dtype"])
        else:
            found[name] = value["described"]
    return found
