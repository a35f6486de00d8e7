"""The rows of a batch sorted out by vehicle, in C."""

from __future__ import annotations

import ctypes
import os

import numpy as np
import numpy.typing as npt
import polars as pl

from fleetflow.native.library import library

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
    # the capsule and the arrays must live as long as the call
    stream = pings["vin"].__arrow_c_stream__()
    time = np.ascontiguousarray(pings["time"].to_numpy(), np.float64) if newest else None
    sequence = np.ascontiguousarray(pings["sequence"].to_numpy(), np.int64) if newest else None
    function = found.fleetflow_sort_out
    function.restype = ctypes.c_int64
    many = function(
        ctypes.c_void_p(_pointer_of(stream, STREAM)),
        ctypes.c_int64(pings.height),
        None if time is None else ctypes.c_void_p(time.ctypes.data),
        None if sequence is None else ctypes.c_void_p(sequence.ctypes.data),
        ctypes.c_uint32(shards),
        ctypes.c_uint64(SEED),
        ctypes.c_void_p(rows.ctypes.data),
        ctypes.c_void_p(counts.ctypes.data),
    )
    return None if many < 0 else (pl.Series(rows[:many]), counts.tolist())


def runs(vins: pl.Series) -> npt.NDArray[np.int64] | None:
    """Return the row where each run of equal VINs begins; None without a library, or where some are null.

    None, too, when hardly any stand together: there are other ways to go through those.
    """
    found = library()
    if found is None or vins.null_count():
        return None
    stream = vins.__arrow_c_stream__()
    first = np.empty(len(vins) // LEAST_RUN + 1, np.int64)
    function = found.fleetflow_runs
    function.restype = ctypes.c_int64
    many = function(
        ctypes.c_void_p(_pointer_of(stream, STREAM)),
        ctypes.c_int64(len(vins)),
        ctypes.c_int64(len(first)),
        ctypes.c_void_p(first.ctypes.data),
    )
    return None if many < 0 else first[:many].copy()
