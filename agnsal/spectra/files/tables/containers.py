"""Containers of many spectra: HDF5 and parquet of the Multimodal Universe, and HATS with nested columns (LSDB's DESI).

They are read in blocks of rows, so that files larger than the memory can be gone through. The layouts do not state the
unit of their flux: it is known of SDSS and DESI, which are told by the columns beside the spectra, and else asked for.
Needs the extra ``datasets`` (h5py, pyarrow).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.layout import call
from agnsal.spectra.files.meaning.arms import join_arms
from agnsal.spectra.files.meaning.roles import UNCERTAINTIES, Role, understand
from agnsal.spectra.files.meaning.statements import known_redshift
from agnsal.spectra.files.meaning.uncertainties import inverse_variance
from agnsal.spectra.files.meaning.units import FLAM17, flux_unit
from agnsal.spectra.files.record import FileSpectrum, UnknownLayout, clean

_NO_WAVELENGTH = 90000.0  # rows are padded with wavelengths of -1, or of 99999 (AION)
_AXES = ("lambda", "wavelength", "wave", "loglam")
_ARMS = ("spectra_b", "spectra_r", "spectra_z")
_IDS = ("object_id", "TARGETID", "targetid", "specobjid", "SPECOBJID")
_SURVEYS = {"SDSS": {"VDISP", "Z_ERR"}, "DESI": {"ZERR", "EBV"}}  # columns that the Multimodal Universe keeps of each
HDF5, PARQUET = b"\x89HDF\r\n\x1a\n", b"PAR1"


@dataclass(frozen=True)
class Block:
    """Rows of a container: wavelengths, flux and inverse variance (or None) of each, and the columns beside them."""

    spectra: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]]
    table: dict[str, NDArray[Any]]
    first: int  # the number of the first row in the file
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
    return [record for block in blocks(path) for record in records(block, units)]


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


def records(block: Block, units: Mapping[str, Any] | None = None) -> Iterator[FileSpectrum]:
    """The spectra of a block, with name, redshift and position; padding is left out."""
    survey, unit = _survey(block, units)
    ids = next((block.table[name] for name in _IDS if name in block.table), None)
    for number, (wavelength, flux, ivar) in enumerate(block.spectra):
        cells = {name: values[number] for name, values in block.table.items()}
        meta: dict[str, Any] = {"row": block.first + number}
        if survey:
            meta["survey"] = survey
        if ids is not None:
            name = ids[number]
            meta["object_id"] = clean(name.decode("utf-8", "replace") if isinstance(name, bytes) else name)
        for key, names in (("ra", ("ra", "TARGET_RA")), ("dec", ("dec", "TARGET_DEC")), ("ebv", ("EBV",))):
            value = next((cells[name] for name in names if name in cells), None)
            if value is not None and np.isreal(value):
                meta[key] = float(value)
        if not wavelength.shape == flux.shape == (flux.shape if ivar is None else ivar.shape):
            raise AgnsalError(
                f"row {block.first + number} of it has {wavelength.size} wavelengths and {flux.size} fluxes."
            )
        there = np.isfinite(wavelength) & (wavelength > 0) & (wavelength < _NO_WAVELENGTH)
        yield FileSpectrum(
            wavelength=wavelength[there],
            flux=flux[there],
            unit=unit,
            ivar=None if ivar is None else ivar[there],
            medium="vacuum" if survey else None,
            redshift=known_redshift(next((cells[key] for key in ("Z", "z", "redshift") if key in cells), None)),
            meta=meta,
            ignored=block.ignored,
        )


def _survey(block: Block, units: Mapping[str, Any] | None) -> tuple[str | None, u.UnitBase]:
    """The survey that the columns give away, and the unit of its flux; the user's word wins."""
    survey = next((name for name, columns in _SURVEYS.items() if columns <= set(block.table)), None)
    if survey is None and {"TARGETID", "arms"} <= set(block.table):
        survey = "DESI"
    said = flux_unit((units or {}).get("flux"))
    if said is None and survey is None:
        advice = call(None, units={"flux": "erg/s/cm2/Angstrom"})
        raise AgnsalError(
            "neither a unit of its flux nor the columns of SDSS (VDISP, Z_ERR) or DESI (ZERR, EBV) are in it. Found: "
            f"{clean(', '.join(block.table), 200)}. {advice}"
        )
    return survey, FLAM17 if said is None else said


def _hdf5_table(path: Path) -> dict[str, NDArray[Any]]:
    import h5py

    with h5py.File(path, "r") as file:
        plain = {name: file[name] for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)}
        count = len(plain["spectrum_flux"]) if "spectrum_flux" in plain else 0
        table = {
            name: np.asarray(data[:])
            for name, data in plain.items()
            if isinstance(data, h5py.Dataset) and data.ndim == 1 and len(data) == count and data.dtype.kind in "iufSOb"
        }
    return {"row": np.arange(count)} | table


def _parquet_table(path: Path) -> dict[str, NDArray[Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        flat = [field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)]
        columns = file.read(columns=flat)
        count = file.metadata.num_rows
        table = {name: columns[name].to_numpy(zero_copy_only=False) for name in flat}
    return {"row": np.arange(count)} | table


def _hdf5_blocks(path: Path, size: int, begin: int = 0) -> Iterator[Block]:
    try:
        import h5py
    except ImportError as error:
        raise AgnsalError("it is an HDF5 file, which needs h5py: pip install 'agnsal[datasets]'.") from error
    with h5py.File(path, "r") as file:
        inside = {
            name: file[name]
            for name in file
            if isinstance(file.get(name, getlink=True), h5py.HardLink) and isinstance(file[name], h5py.Dataset)
        }
        plain = {
            name: data for name, data in inside.items() if not (data.external or data.is_virtual) and data.ndim > 0
        }
        lacking = {"spectrum_flux", "spectrum_lambda"} - set(plain)
        if lacking:
            raise UnknownLayout(
                f"it is an HDF5 file without {' and '.join(sorted(lacking))}, of no layout known here (it holds: "
                f"{clean(', '.join(file), 200) or 'nothing'})."
            )
        count = len(plain["spectrum_flux"])
        if any(len(data) != count for data in plain.values()):
            raise AgnsalError(f"its columns are of different lengths; {count} rows were expected in each.")
        tables = {name: data for name, data in plain.items() if data.ndim == 1 and data.dtype.kind in "iufSOb"}
        role, errors_in = _errors(name for name in plain if name.startswith("spectrum_"))
        used = {"spectrum_lambda", "spectrum_flux", errors_in, *tables}
        ignored = tuple(clean(name, 40) for name in file if name not in used)
        for first in range(begin, count, size):
            rows = slice(first, first + size)
            wavelength, flux, errors = (
                None if name is None else np.asarray(plain[name][rows], dtype=np.float64)
                for name in ("spectrum_lambda", "spectrum_flux", errors_in)
            )
            if wavelength is None or flux is None or flux.ndim != 2 or wavelength.shape != flux.shape:
                raise AgnsalError("its spectrum_lambda and spectrum_flux were expected to be matrices of one shape.")
            ivar = None if errors is None or role is None else inverse_variance(errors, role)
            spectra = [(wavelength[i], flux[i], None if ivar is None else ivar[i]) for i in range(len(flux))]
            yield Block(spectra, {name: data[rows] for name, data in tables.items()}, first, ignored)


def _parquet_blocks(path: Path, size: int, begin: int = 0) -> Iterator[Block]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise AgnsalError("it is a parquet file, which needs pyarrow: pip install 'agnsal[datasets]'.") from error
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            names = file.schema_arrow.names
            arms = [name for name in _ARMS if name in names]
            sources = ["spectrum"] if "spectrum" in names else arms
            flat = [name for name in names if not pa.types.is_nested(file.schema_arrow.field(name).type)]
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
            first = begin
            for batch in _batches(file, size, begin):
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                table = {
                    name: column.to_numpy(zero_copy_only=False)
                    for name, column in columns.items()
                    if not pa.types.is_nested(column.type)
                }
                parts = [_lists(columns[name]) for name in sources] or [
                    {name: _rows(column) for name, column in columns.items() if pa.types.is_list(column.type)}
                ]
                arrays = [_named(part, len(batch)) for part in parts]
                if arms and sources == arms:
                    table["arms"] = np.full(len(batch), "".join(name[-1] for name in arms))
                spectra = [
                    arrays[0][row] if len(arrays) == 1 else _joined([arm[row] for arm in arrays])
                    for row in range(len(batch))
                ]
                used = {"lambda", "wavelength", "wave", "loglam", "flux"}
                beside = {name: _errors(part)[1] for part in parts for name in part}
                ignored = tuple(clean(name, 40) for name, error in beside.items() if name not in {*used, error})
                yield Block(spectra, table, first, ignored)
                first += len(batch)
    except pa.ArrowException as error:
        raise AgnsalError(f"it is a damaged parquet file ({clean(error, 120)}).") from error


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
    if pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type):
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


def _named(
    fields: Mapping[str, list[NDArray[np.float64]]], count: int
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]]:
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


def _joined(
    arms: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """The arms of one target on one axis; their overlap is the weighted mean."""
    measured = [(axis, flux[None], ivar[None]) for axis, flux, ivar in arms if axis.size and ivar is not None]
    if len(measured) < sum(axis.size > 0 for axis, _, _ in arms):
        raise AgnsalError("its arms overlap and have no inverse variances, so that they cannot be joined.")
    if not measured:
        return np.empty(0), np.empty(0), np.empty(0)
    wavelength, flux, ivar = join_arms(measured)
    return wavelength, flux[0], ivar[0]
