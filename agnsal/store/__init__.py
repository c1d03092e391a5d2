"""Nouns on disk: whole or not at all, checked on reading, never pickled."""

from agnsal.store.arrays import pack_labels, pack_table, read_arrays, unpack_labels, unpack_table, write_arrays
from agnsal.store.contents import Array
from agnsal.store.replacing import checked_path, replacing
from agnsal.store.stored import Stored

__all__ = [
    "Array",
    "Stored",
    "checked_path",
    "pack_labels",
    "pack_table",
    "read_arrays",
    "replacing",
    "unpack_labels",
    "unpack_table",
    "write_arrays",
]
