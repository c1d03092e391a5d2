"""Nouns on disk: whole or not at all, checked on reading, never pickled."""

from agnsal.store.arrays import (
    not_whole,
    pack_labels,
    pack_table,
    read_arrays,
    unpack_labels,
    unpack_table,
    write_arrays,
)
from agnsal.store.contents import Array
from agnsal.store.replacing import alone, checked_path, made_folder, replacing
from agnsal.store.stored import NPZ, Format, Stored

__all__ = [
    "NPZ",
    "Array",
    "Format",
    "Stored",
    "alone",
    "checked_path",
    "made_folder",
    "not_whole",
    "pack_labels",
    "pack_table",
    "read_arrays",
    "replacing",
    "unpack_labels",
    "unpack_table",
    "write_arrays",
]
