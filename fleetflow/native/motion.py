"""What `fleetflow.motion` does row by row, in C: the same results to the last bit, or None without a library.

Arrays are one row per fix, vehicle after vehicle, unless said otherwise; `first` tells where each begins.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from fleetflow.native.library import call, library

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class _Axis(ctypes.Structure):
    _fields_ = (("scale", ctypes.c_float), ("offset", ctypes.c_float))


def _given(array: npt.NDArray[Any], dtype: Any = np.float64) -> npt.NDArray[Any]:
    """Return an array as C reads it."""
    return np.ascontiguousarray(array, dtype)


def _rows(time_ms: Integers, latitude: Floats, longitude: Floats, first: Integers) -> tuple[Any, ...]:
    """Return the arguments that tell of the rows: how many, their columns, where vehicles begin, how many."""
    columns = (_given(time_ms, np.int64), _given(latitude), _given(longitude), _given(first, np.int64))
    return len(time_ms), *columns, len(first)


def fixes(
    time: Floats, latitude: Floats, longitude: Floats, first: Integers, most_ms: int
) -> tuple[Integers | None, bool] | None:
    """Return times in milliseconds, and whether each row is later than the one of its vehicle before it.

    No times when a time is not from 0 to `most_ms`, or a position is none on earth.
    """
    found = library()
    if found is None:
        return None
    time_ms = np.empty(len(time), np.int64)
    columns = (_given(time), _given(latitude), _given(longitude), _given(first, np.int64))
    rising = call(found.fleetflow_fixes, len(time), *columns, len(first), most_ms, time_ms)
    return (None, False) if rising < 0 else (time_ms, bool(rising))


def travel(
    fixes: tuple[Integers, Floats, Floats, Integers],
    nodes: tuple[Floats, Floats, int],
    rule: tuple[float, float],
    known: tuple[Floats, Floats, Integers],
) -> tuple[Integers, Floats, Floats, Floats] | None:
    """Return `end`, `squared`, `latest` and `counted` of `fleetflow.motion.travel`.

    `fixes`: time (ms), latitude, longitude, `first`; `rule`: the squared chord of noise, and the chord per
    millisecond of the highest speed; `known`: what is remembered, `latest`, `counted` and the time of the
    former.
    """
    found = library()
    if found is None:
        return None
    latest, counted = (np.array(points, np.float64, order="C") for points in known[:2])
    latest_ms = np.array(known[2], np.int64)
    end, squared = np.empty(len(fixes[0]), np.int64), np.empty(len(fixes[0]))
    count = call(
        found.fleetflow_travel,
        *_rows(*fixes),
        *nodes[:2],
        ctypes.c_int32(nodes[2]),
        *rule,
        latest,
        counted,
        latest_ms,
        end,
        squared,
    )
    return end[:count], squared[:count], latest, counted


def millimetres(squared: Floats, largest: float, diameter_m: float) -> tuple[Integers, bool] | None:
    """Return whole millimetres, and whether there are squared half chords of `largest` or more.

    Of these the millimetres are any.
    """
    found = library()
    if found is None:
        return None
    whole = np.empty(len(squared), np.int64)
    large = call(found.fleetflow_millimetres, len(squared), _given(squared), largest, diameter_m, whole)
    return whole, large > 0


def fast_legs(
    time_ms: Integers,
    latitude: Floats,
    longitude: Floats,
    first: Integers,
    before: tuple[Integers, Floats, Floats],
    width: Floats,
    reach_per_ms: float,
    slack: float,
) -> Integers | None:
    """Return the rows whose leg may be too fast; see `fleetflow_speed.legs`.

    `before` has time, latitude and longitude of each vehicle before these rows.
    """
    found = library()
    if found is None:
        return None
    rows = np.empty(len(time_ms), np.int64)
    count = call(
        found.fleetflow_fast_legs,
        *_rows(time_ms, latitude, longitude, first),
        _given(before[0], np.int64),
        _given(before[1]),
        _given(before[2]),
        _given(width),
        reach_per_ms,
        slack,
        rows,
    )
    return rows[:count]


def look_up(
    latitude: Floats,
    longitude: Floats,
    south_north: tuple[float, float],
    west_east: tuple[float, float],
    cells: npt.NDArray[np.int32],
) -> tuple[Integers, npt.NDArray[np.int32]] | None:
    """Return the rows whose cell of a square grid is not 0, and what it is.

    Each axis is a scale and an offset, of which degrees make the number of a cell; what is outside of the
    grid is in its rim.
    """
    found = library()
    if found is None:
        return None
    rows, held = np.empty(len(latitude), np.int64), np.empty(len(latitude), np.int32)
    count = call(
        found.fleetflow_look_up,
        len(latitude),
        _given(latitude),
        _given(longitude),
        _Axis(*south_north),
        _Axis(*west_east),
        cells,
        ctypes.c_int32(len(cells)),
        rows,
        held,
    )
    return rows[:count], held[:count]
