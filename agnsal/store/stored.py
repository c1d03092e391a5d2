"""`Stored`: what every noun that lives on disk has in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.store.arrays import existing, not_whole, read_arrays, write_arrays
from agnsal.store.contents import Array, check_arrays, check_header, digest
from agnsal.store.replacing import checked_path

Parts = tuple[dict[str, NDArray], dict[str, Any]]


class Format(NamedTuple):
    """How arrays and a header are written to a path, and read from one."""

    write: Callable[[Path, str, Mapping[str, NDArray], Mapping[str, Any]], None]
    read: Callable[[Path, str], Parts]


NPZ = Format(write_arrays, read_arrays)

#: Endings that promise another format than npz.
_FOREIGN = (".csv", ".dat", ".ecsv", ".fits", ".fit", ".h5", ".hdf5", ".json", ".parquet", ".pkl", ".txt", ".xml")


class Stored:
    """A noun that is written to one file and read back bit-equal.

    A class says what its file holds in `_arrays` and `_header`, takes itself apart in `_packed` and is put together by
    `_unpacked`. What is written has been checked as what is read will be, so that every file can be read again.
    """

    #: Each array of the file; see `agnsal.store.contents.check_arrays`.
    _arrays: ClassVar[Mapping[str, Array]]
    #: Each field of the header; see `agnsal.store.contents.check_header`.
    _header: ClassVar[Mapping[str, Any]]
    #: Formats by the ending of the file; without any, every file is an npz.
    _formats: ClassVar[Mapping[str, Format]] = {}

    def _packed(self) -> Parts:
        """Arrays and JSON header."""
        raise NotImplementedError

    @classmethod
    def _unpacked(cls, arrays: dict[str, NDArray], header: dict[str, Any]) -> Self:
        """From arrays and header that are what `_arrays` and `_header` say."""
        raise NotImplementedError

    def write(self, path: str | os.PathLike) -> None:
        """Write to one file, which is replaced only once the new one is whole.

        Parameters
        ----------
        path : path
            Usually ``*.npz``: arrays with a JSON header.

        Raises
        ------
        AgnsalError
            If something in it cannot be stored, or the file cannot be written.

        See Also
        --------
        read
        """
        place, kind = checked_path(path), type(self).__name__
        form = self._format(place)
        arrays, header = self._packed()
        arrays = {
            name: self._arrays[name].cast(array) if name in self._arrays else array for name, array in arrays.items()
        }
        try:
            check_arrays(arrays, self._arrays)
            check_header(header, self._header)
            header = {**header, "digest": digest(arrays, header)}
        except AgnsalError as error:
            raise AgnsalError(f"this {kind} cannot be stored: {error}.") from error
        form.write(place, kind, arrays, header)

    @classmethod
    def read(cls, path: str | os.PathLike) -> Self:
        """Read what `write` wrote, bit-equal.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        object
            Of this class.

        Raises
        ------
        AgnsalError
            If the file is missing, damaged, changed by hand, or holds something else.

        See Also
        --------
        write
        """
        form = cls._format(checked_path(path))
        place = existing(path)
        arrays, header = form.read(place, cls.__name__)
        try:
            written = header.pop("digest", None)
            found = digest(arrays, header)
            check_arrays(arrays, cls._arrays)
            check_header(header, cls._header)
            noun = cls._unpacked(arrays, header)
            if found != written:
                raise AgnsalError("something in it is not what was written")
            return noun
        except Exception as error:  # what passes the checks of form may still be refused, by whoever notices
            raise not_whole(place, cls.__name__, error) from error

    @classmethod
    def _format(cls, path: Path) -> Format:
        if not cls._formats:
            if path.suffix.lower() in _FOREIGN:
                raise AgnsalError(f"{path}: a {cls.__name__} is written as npz; give the file the ending .npz.")
            return NPZ
        if path.suffix not in cls._formats:
            raise AgnsalError(f"{path}: the ending says how it is written; use one of {', '.join(cls._formats)}.")
        return cls._formats[path.suffix]
