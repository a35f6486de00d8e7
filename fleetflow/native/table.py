"""Columns that were made in C, as Polars takes them over without a copy."""

from __future__ import annotations

import ctypes
from typing import Any

import polars as pl

KINDS = {pl.String(): 0, pl.Float64(): 1, pl.Int64(): 2, pl.List(pl.String()): 3}
"""The types of columns, with their numbers in C."""
MOST_COLUMNS = 32
LARGEST = 1 << 30
"""More bytes at once are not read in C: texts are found by 32 bits."""


class _ArrowSchema(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _ArrowArray(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.c_void_p),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class CTable(ctypes.Structure):
    """`Table` of columns.h."""

    _fields_ = (
        ("columns", ctypes.c_int64),
        ("strange", ctypes.c_int64),
        ("strange_places", ctypes.POINTER(ctypes.c_int64)),
        ("schemas", _ArrowSchema * MOST_COLUMNS),
        ("arrays", _ArrowArray * MOST_COLUMNS),
    )


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


class _Column:
    """One column on its way, by the Arrow PyCapsule interface."""

    def __init__(self, table: Any, index: int) -> None:
        self._table, self._index = table, index

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        # no destructor: what is not taken over is freed with the table
        return (
            _new_capsule(ctypes.addressof(self._table.schemas[self._index]), b"arrow_schema", None),
            _new_capsule(ctypes.addressof(self._table.arrays[self._index]), b"arrow_array", None),
        )


def take(library: ctypes.CDLL, pointer: Any) -> tuple[list[pl.Series], list[int]]:
    """Return the columns of a table and the places of what is strange; frees the table.

    Of each strange record there are four numbers: payload, start and end in it, and number of the record
    among all.
    """
    table = pointer.contents
    try:
        columns = [pl.Series(_Column(table, index)) for index in range(table.columns)]
        return columns, table.strange_places[: 4 * table.strange]
    finally:
        library.fleetflow_table_free(pointer)
