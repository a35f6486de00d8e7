"""The rows of a batch sorted out by vehicle, in C."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from fleetflow.native.library import call, library

STREAM = b"arrow_array_stream"
SEED = int.from_bytes(os.urandom(8), "little")
"""Of a table of VINs that lives for one call."""
LEAST_RUN = 2
"""So long are runs on average, or others look for them."""

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = (ctypes.py_object, ctypes.c_char_p)


def sort_out(pings: pl.DataFrame, shards: int, newest: bool) -> tuple[pl.Series, list[int]] | None:
    """Return the rows (UInt32) of a batch shard after shard, and how many each shard has.

    The shard of a vehicle is CRC-32 of its VIN modulo `shards`. With `newest` only the newest row of each
    vehicle by (time, sequence) is among them, else all, each shard's in their order. None where nothing was
    compiled, or where it takes a closer look: of two rows neither is newer, or something is not known.
    """
    found = library()
    asked = ("vin", "time", "sequence") if newest else ("vin",)
    if found is None or any(pings[name].null_count() for name in asked):
        return None
    rows, counts = np.empty(pings.height, np.uint32), np.zeros(shards, np.int64)
    order: tuple[Any, Any] = (None, None)
    if newest:
        order = (
            np.ascontiguousarray(pings["time"].to_numpy(), np.float64),
            np.ascontiguousarray(pings["sequence"].to_numpy(), np.int64),
        )
    parts = (ctypes.c_uint32(shards), ctypes.c_uint64(SEED))
    many = _of_column(found.fleetflow_sort_out, pings["vin"], *order, *parts, rows, counts)
    return None if many < 0 else (pl.Series(rows[:many]), counts.tolist())


def runs(vins: pl.Series) -> npt.NDArray[np.int64] | None:
    """Return the row where each run of equal VINs begins; None without a library, or where some are null.

    None, too, when hardly any stand together: there are other ways to go through those.
    """
    found = library()
    if found is None or vins.null_count():
        return None
    first = np.empty(len(vins) // LEAST_RUN + 1, np.int64)
    many = _of_column(found.fleetflow_runs, vins, len(first), first)
    return None if many < 0 else first[:many].copy()


def text_sizes(vins: pl.Series) -> tuple[int, int] | None:
    """Return the least and the greatest number of bytes of a VIN.

    None without a library, for no VINs, or where some are null.
    """
    found = library()
    if found is None or vins.null_count():
        return None
    sizes = np.empty(2, np.int64)
    return None if _of_column(found.fleetflow_text_sizes, vins, sizes) < 0 else (int(sizes[0]), int(sizes[1]))


def filled(lists: pl.Series) -> npt.NDArray[np.int64] | None:
    """Return the rows whose list is not empty; None without a library, or where some are null."""
    found = library()
    if found is None or lists.null_count():
        return None
    rows = np.empty(len(lists), np.int64)
    many = _of_column(found.fleetflow_filled, lists, rows)
    return None if many < 0 else rows[:many].copy()


def _of_column(function: Any, column: pl.Series, *arguments: Any) -> int:
    """Call a function of a column, as a stream of arrays."""
    # the capsule must live as long as the call
    stream = column.__arrow_c_stream__()
    return call(function, ctypes.c_void_p(_pointer_of(stream, STREAM)), len(column), *arguments)
