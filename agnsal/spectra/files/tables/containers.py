"""Containers of many spectra: HDF5 and parquet of the Multimodal Universe, and HATS with nested columns (LSDB's DESI).

They are read in blocks of rows, so that files larger than the memory can be gone through. The layouts do not state the
unit of their flux: it is known of SDSS and DESI, which are told by the columns beside the spectra, and else asked for.
Needs the extra ``datasets`` (h5py, pyarrow).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import call
from agnsal.spectra.files.meaning.arms import join_arms
from agnsal.spectra.files.meaning.roles import UNCERTAINTIES, Role, understand
from agnsal.spectra.files.meaning.statements import known_redshift
from agnsal.spectra.files.meaning.uncertainties import inverse_variance
from agnsal.spectra.files.meaning.units import FLAM17, flux_unit, wavelength_unit
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, clean

_NO_WAVELENGTH = 90000.0  # rows are padded with wavelengths of -1, or of 99999 (AION)
_AXES = ("lambda", "wavelength", "wave", "loglam")
_ARMS = ("spectra_b", "spectra_r", "spectra_z")
_IDS = ("object_id", "TARGETID", "targetid", "specobjid", "SPECOBJID")
_SURVEYS = {"SDSS": {"VDISP", "Z_ERR"}, "DESI": {"ZERR", "EBV"}}  # columns that the Multimodal Universe keeps of each
HDF5, PARQUET = b"\x89HDF\r\n\x1a\n", b"PAR1"
#: Wavelengths, flux and inverse variance of a row.
Pixels: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]


@dataclass(frozen=True)
class Block:
    """Rows of a container: wavelengths, flux and inverse variance (or None) of each, and the columns beside them."""

    spectra: list[Pixels | AgnsalError]  # of a row that cannot be put together, the cause
    table: dict[str, NDArray[Any]]
    first: int  # the number of the first row in the file
    units: Mapping[str, str]  # that the file states of wavelengths and flux
    ignored: tuple[str, ...] = ()  # what stands beside the spectra, pixel by pixel, and is not used

    def __len__(self) -> int:
        return len(self.spectra)


def read_container(path: Path, units: Mapping[str, Any] | None = None) -> list[FileSpectrum]:
    """Every spectrum of an HDF5 or parquet file.

    Parameters
    ----------
    path : Path
    units : mapping, optional
        The unit of ``"flux"`` where the survey is none of those known.

    Raises
    ------
    AgnsalError
        If its layout is not known, its flux has no unit, or h5py or pyarrow is lacking.
    """
    found = []
    for block in blocks(path):
        for record in records(block, units):
            if isinstance(record, AgnsalError):
                raise record
            found.append(record)
    return found


def blocks(path: Path, size: int = 2048, first: int = 0) -> Iterator[Block]:
    """The rows of an HDF5 or parquet file from a row on, `size` at a time."""
    with path.open("rb") as stream:
        start = stream.read(8)
    return _hdf5_blocks(path, size, first) if start == HDF5 else _parquet_blocks(path, size, first)


def container_table(path: Path) -> dict[str, NDArray[Any]]:
    """The columns beside the spectra of a container, without reading these; at least ``"row"``."""
    with path.open("rb") as stream:
        start = stream.read(8)
    return _hdf5_table(path) if start == HDF5 else _parquet_table(path)


def records(block: Block, units: Mapping[str, Any] | None = None) -> Iterator[FileSpectrum | AgnsalError]:
    """The spectra of a block, with name, redshift and position, without padding; of one that cannot be read, why."""
    try:
        survey, unit = _survey(block, units)
        stretch = _stretch(block, units)
    except AgnsalError as error:
        yield from (error for _ in block.spectra)
        return
    for number in range(len(block)):
        try:
            yield _record(block, number, survey, unit, stretch)
        except AgnsalError as error:
            yield error


def _record(block: Block, number: int, survey: str | None, unit: u.UnitBase, stretch: float) -> FileSpectrum:
    """One spectrum of a block; of one that cannot be put together, the cause is raised."""
    pixels = block.spectra[number]
    if isinstance(pixels, AgnsalError):
        raise pixels
    wavelength, flux, ivar = pixels
    cells = {name: values[number] for name, values in block.table.items()}
    meta: dict[str, Any] = {"row": block.first + number}
    if survey:
        meta["survey"] = survey
    name = next((cells[name] for name in _IDS if name in cells), None)
    if name is not None and not np.ma.is_masked(name):
        meta["object_id"] = clean(name.decode("utf-8", "replace") if isinstance(name, bytes) else name)
    for key, names in (("ra", ("ra", "TARGET_RA")), ("dec", ("dec", "TARGET_DEC")), ("ebv", ("EBV",))):
        value = next((cells[name] for name in names if name in cells), None)
        if value is not None and np.isreal(value):
            meta[key] = float(value)
    if not wavelength.shape == flux.shape == (flux.shape if ivar is None else ivar.shape):
        raise AgnsalError(f"row {block.first + number} of it has {wavelength.size} wavelengths and {flux.size} fluxes.")
    there = _placed(wavelength)
    return FileSpectrum(
        wavelength=wavelength[there] * stretch,
        flux=flux[there],
        unit=unit,
        ivar=None if ivar is None else ivar[there],
        medium="vacuum" if survey else None,
        redshift=known_redshift(next((cells[key] for key in ("redshift", "Z", "z") if key in cells), None)),
        meta=meta,
        ignored=block.ignored,
    )


def _survey(block: Block, units: Mapping[str, Any] | None) -> tuple[str | None, u.UnitBase]:
    """The survey that the columns give away, and the unit of its flux; the user's word wins."""
    survey = next((name for name, columns in _SURVEYS.items() if columns <= set(block.table)), None)
    if survey is None and {"TARGETID", "arms"} <= set(block.table):
        survey = "DESI"
    said = flux_unit((units or {}).get("flux")) or flux_unit(block.units.get("flux"))
    if said is None and survey is None:
        advice = call(None, units={"flux": "erg/s/cm2/Angstrom"})
        raise AgnsalError(
            "neither a unit of its flux nor the columns of SDSS (VDISP, Z_ERR) or DESI (ZERR, EBV) are in it. Found: "
            f"{clean(', '.join(block.table), 200)}. {advice}"
        )
    return survey, FLAM17 if said is None else said


def _stretch(block: Block, units: Mapping[str, Any] | None) -> float:
    """What wavelengths are multiplied by to be in Angstrom, which they are where nobody says otherwise."""
    said = (units or {}).get("wavelength") or block.units.get("wavelength")
    if said is None:
        return 1.0
    unit = wavelength_unit(said)
    if unit is None or not unit.is_equivalent(u.AA):
        raise AgnsalError(f"{clean(said, 40)!r} is no unit of wavelength.")
    return float(unit.to(u.AA))


def _hdf5_table(path: Path) -> dict[str, NDArray[Any]]:
    with _opened_hdf5(path) as file:
        columns, count = _columns_of(file)
        return {"row": np.arange(count)} | {
            name: np.asarray(data[:])
            for name, data in columns.items()
            if data.ndim == 1 and data.dtype.kind in "iufSOb"
        }


def _parquet_table(path: Path) -> dict[str, NDArray[Any]]:
    import pyarrow as pa

    with _opened_parquet(path) as file:
        _sources(file.schema_arrow)
        flat = [field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)]
        columns, count = file.read(columns=flat), file.metadata.num_rows
        return {"row": np.arange(count)} | {name: _flat(columns[name]) for name in flat}


@contextmanager
def _opened_hdf5(path: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError as error:
        raise AgnsalError("it is an HDF5 file, which needs h5py: pip install 'agnsal[datasets]'.") from error
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:  # h5py's own
        if isinstance(error, AgnsalError):
            raise
        raise AgnsalError(f"it is a damaged HDF5 file, or cut off ({clean(error, 120)}).") from error


@contextmanager
def _opened_parquet(path: Path) -> Iterator[Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise AgnsalError("it is a parquet file, which needs pyarrow: pip install 'agnsal[datasets]'.") from error
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, AgnsalError):
            raise
        raise AgnsalError(f"it is a damaged parquet file, or cut off ({clean(error, 120)}).") from error


def _columns_of(file: Any) -> tuple[dict[str, Any], int]:
    """The columns of an HDF5 file, which lie in it and nowhere else, and the number of its rows."""
    import h5py

    inside = {
        name: file[name]
        for name in file
        if isinstance(file.get(name, getlink=True), h5py.HardLink) and isinstance(file[name], h5py.Dataset)
    }
    plain = {name: data for name, data in inside.items() if not (data.external or data.is_virtual) and data.ndim > 0}
    lacking = {"spectrum_flux", "spectrum_lambda"} - set(plain)
    if lacking:
        raise UnknownLayout(
            f"it is an HDF5 file without {' and '.join(sorted(lacking))}, of no layout known here (it holds: "
            f"{clean(', '.join(file), 200) or 'nothing'})."
        )
    count = len(plain["spectrum_flux"])
    others = [name for name, data in plain.items() if len(data) != count]
    if others:
        raise AgnsalError(
            f"its columns are of different lengths ({clean(', '.join(others), 120)}); {count} rows were expected in "
            "each."
        )
    return plain, count


def _hdf5_blocks(path: Path, size: int, begin: int = 0) -> Iterator[Block]:
    with _opened_hdf5(path) as file:
        plain, count = _columns_of(file)
        tables = {name: data for name, data in plain.items() if data.ndim == 1 and data.dtype.kind in "iufSOb"}
        role, errors_in = _errors(name for name in plain if name.startswith("spectrum_"))
        used = {"spectrum_lambda", "spectrum_flux", errors_in, *tables}
        ignored = tuple(clean(name, 40) for name in file if name not in used)
        units = _stated_units(
            {role: plain[name].attrs for role, name in (("wavelength", "spectrum_lambda"), ("flux", "spectrum_flux"))}
        )
        for first in range(begin, count, size):
            rows = slice(first, first + size)
            wavelength, flux, errors = (
                None if name is None else np.asarray(plain[name][rows], dtype=np.float64)
                for name in ("spectrum_lambda", "spectrum_flux", errors_in)
            )
            if wavelength is None or flux is None or flux.ndim != 2 or wavelength.shape != flux.shape:
                raise AgnsalError("its spectrum_lambda and spectrum_flux were expected to be matrices of one shape.")
            ivar = None if errors is None or role is None else inverse_variance(errors, role)
            spectra: list[Pixels | AgnsalError] = [
                (wavelength[i], flux[i], None if ivar is None else ivar[i]) for i in range(len(flux))
            ]
            yield Block(spectra, {name: data[rows] for name, data in tables.items()}, first, units, ignored)


def _parquet_blocks(path: Path, size: int, begin: int = 0) -> Iterator[Block]:
    import pyarrow as pa

    with _opened_parquet(path) as file:
        sources, units = _sources(file.schema_arrow), _units_of(file.schema_arrow)
        first = begin
        for batch in _batches(file, size, begin):
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            table = {name: _flat(column) for name, column in columns.items() if not pa.types.is_nested(column.type)}
            parts = [_lists(columns[name]) for name in sources] or [
                {name: _rows(column) for name, column in columns.items() if _is_list(column.type)}
            ]
            arrays = [_named(part, len(batch)) for part in parts]
            if sources and sources != ["spectrum"]:
                table["arms"] = np.full(len(batch), "".join(name[-1] for name in sources))
            spectra = [
                arrays[0][row] if len(arrays) == 1 else _joined([arm[row] for arm in arrays])
                for row in range(len(batch))
            ]
            used = {"lambda", "wavelength", "wave", "loglam", "flux"}
            beside = {name: _errors(part)[1] for part in parts for name in part}
            ignored = tuple(clean(name, 40) for name, error in beside.items() if name not in {*used, error})
            yield Block(spectra, table, first, units, ignored)
            first += len(batch)


def _sources(schema: Any) -> list[str]:
    """The columns of spectra; none where the arrays are columns themselves."""
    import pyarrow as pa

    names = schema.names
    arms = [name for name in _ARMS if name in names]
    sources = ["spectrum"] if "spectrum" in names else arms
    flat = [name for name in names if not pa.types.is_nested(schema.field(name).type)]
    if not sources and "flux" in flat and set(_AXES) & set(flat):
        raise UnknownLayout(
            f"it is a parquet file of numbers ({clean(', '.join(names), 200)}): one spectrum, pixel by pixel, "
            "of which no unit is said. Write it as text with units, or as lists, one spectrum a row."
        )
    if not sources and not ("flux" in names and set(_AXES) & set(names)):
        raise UnknownLayout(
            "it is a parquet file without a column of spectra (`spectrum`, `spectra_b`, or lists `flux` and "
            f"`wavelength`; it holds: {clean(', '.join(names), 200)})."
        )
    return sources


def _units_of(schema: Any) -> dict[str, str]:
    """Units that the metadata of fields state, also of those inside others."""
    import pyarrow as pa

    found: dict[str, Mapping[Any, Any]] = {}
    kinds = [schema.field(name) for name in schema.names]
    while kinds:
        field = kinds.pop()
        role = "wavelength" if field.name in _AXES[:3] else field.name
        if field.metadata and role in ("wavelength", "flux"):
            found[role] = {key.decode("utf-8", "replace"): value for key, value in field.metadata.items()}
        inner = field.type.value_type if _is_list(field.type) else field.type
        if pa.types.is_struct(inner):
            kinds += [inner.field(number) for number in range(inner.num_fields)]
    return _stated_units(found)


def _stated_units(attributes: Mapping[str, Mapping[Any, Any]]) -> dict[str, str]:
    """Units by role, from what stands beside arrays."""
    found = {}
    for role, known in attributes.items():
        said = next((known[key] for key in ("unit", "units", "UNIT", "UNITS") if key in known), "")
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        if text.strip():
            found[role] = text
    return found


def _is_list(kind: Any) -> bool:
    """Whether a column holds a list a row, of whatever sort."""
    import pyarrow as pa

    return any(check(kind) for check in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _flat(column: Any) -> NDArray[Any]:
    """A column of single values; whole numbers of which some are lacking stay whole, and are masked."""
    import pyarrow as pa

    if column.null_count and pa.types.is_integer(column.type):
        hidden = column.is_null().to_numpy(zero_copy_only=False)
        return np.ma.array(column.fill_null(0).to_numpy(zero_copy_only=False), mask=hidden)
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _batches(file: Any, size: int, begin: int) -> Iterator[Any]:
    """Record batches of `size` rows from a row on, however the file is cut into groups of rows."""
    import pyarrow as pa

    ends = np.cumsum([file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)])
    groups = [k for k, end in enumerate(ends) if end > begin]
    if not groups:
        return
    skip = begin - (int(ends[groups[0] - 1]) if groups[0] else 0)
    held: list[Any] = []
    for batch in file.iter_batches(batch_size=size, row_groups=groups):
        if skip >= len(batch):
            skip -= len(batch)
            continue
        held.append(batch.slice(skip))
        skip = 0
        while sum(map(len, held)) >= size:
            table = pa.Table.from_batches(held)
            yield table.slice(0, size).combine_chunks().to_batches()[0]
            held = table.slice(size).to_batches()
    if held and sum(map(len, held)):
        yield pa.Table.from_batches(held).combine_chunks().to_batches()[0]


def _lists(column: Any) -> dict[str, list[NDArray[np.float64]]]:
    """The fields of a struct of lists, or of a list of structs, each as one array a row."""
    import pyarrow as pa

    if pa.types.is_struct(column.type):
        return {field.name: _rows(column.field(field.name)) for field in column.type}
    if _is_list(column.type) and pa.types.is_struct(column.type.value_type):
        column = column.cast(pa.large_list(column.type.value_type))
        inner, offsets = column.values, column.offsets.to_numpy()
        fields = {
            field.name: inner.field(field.name).to_numpy(zero_copy_only=False) for field in column.type.value_type
        }
        return {
            name: [np.asarray(values[a:b], np.float64) for a, b in pairwise(offsets)] for name, values in fields.items()
        }
    raise UnknownLayout(
        f"its column of spectra is of the type {clean(column.type, 60)}; a struct of lists was expected."
    )


def _errors(names: Iterable[str]) -> tuple[Role | None, str | None]:
    """Which of the names are errors, and of which kind: as in any table, the most direct first."""
    roles = {understand(name.removeprefix("spectrum_")).role: name for name in names}
    return next(((role, roles[role]) for role in UNCERTAINTIES if role in roles), (None, None))


def _rows(column: Any) -> list[NDArray[np.float64]]:
    """One array for each row of a column of lists; an empty one where there is none."""
    return [
        np.asarray(row.values.to_numpy(zero_copy_only=False), np.float64) if row.is_valid else np.empty(0)
        for row in column
    ]


def _named(fields: Mapping[str, list[NDArray[np.float64]]], count: int) -> list[Pixels]:
    """Wavelengths, flux and inverse variance of every row."""
    axis = next((name for name in _AXES if name in fields), None)
    if axis is None or "flux" not in fields:
        raise UnknownLayout(f"its spectra have no wavelength or no flux (they have: {clean(', '.join(fields), 120)}).")
    waves = fields[axis] if axis != "loglam" else [10.0**values for values in fields[axis]]
    role, error = _errors(fields)
    ivars: list[Any] = [None] * count
    if error is not None and role is not None:
        ivars = [inverse_variance(values, role) for values in fields[error]]
    return list(zip(waves, fields["flux"], ivars, strict=True))


def _joined(arms: list[Pixels]) -> Pixels | AgnsalError:
    """The arms of one target on one axis, their overlap being the weighted mean; or why they cannot be joined."""
    measured = []
    for axis, flux, ivar in arms:
        if ivar is not None and axis.shape == flux.shape == ivar.shape:
            there = _placed(axis)
            measured += [(axis[there], flux[None, there], ivar[None, there])] if there.any() else []
        elif axis.size:
            return AgnsalError("its arms have no inverse variances of their length, so that they cannot be joined.")
    if not measured:
        return np.empty(0), np.empty(0), np.empty(0)
    try:
        wavelength, flux, ivar = join_arms(measured)
    except AgnsalError as error:
        return error
    return wavelength, flux[0], ivar[0]


def _placed(wavelength: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels that are no padding."""
    found: NDArray[np.bool_] = np.isfinite(wavelength) & (wavelength > 0) & (wavelength < _NO_WAVELENGTH)
    return found
