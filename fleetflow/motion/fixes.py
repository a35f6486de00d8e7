"""A batch of pings as columns of numbers, grouped by vehicle."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from fleetflow.motion.runs import Floats, Integers, ends, groups

TIME_BITS = 43
"""Bits of a time in whole milliseconds since 1970: until the year 2248. What is left of 64 bits numbers the
vehicles of a batch, so that vehicle and time sort as one number."""
TIME_MASK = (1 << TIME_BITS) - 1


class Numbering:
    """Gives each VIN a number, from 0 without gaps, in order of first sight."""

    def __init__(self, vins: Iterable[str] = ()) -> None:
        self._numbers = {vin: number for number, vin in enumerate(vins)}
        self.vins = list(self._numbers)

    def of(self, vins: Sequence[str]) -> Integers:
        """Return the numbers of VINs. Those not seen before get one."""
        numbers, names = self._numbers, self.vins
        found = []
        for vin in vins:
            number = numbers.get(vin)
            if number is None:
                number = numbers[vin] = len(names)
                names.append(vin)
            found.append(number)
        return np.array(found, np.int64)


@dataclass(frozen=True, slots=True)
class Fixes:
    """Pings of one batch: one array each, vehicle after vehicle, each in order of arrival.

    `row` is the row of each in the batch, `time` in whole milliseconds since 1970, `latitude` and `longitude`
    in degrees. `vehicles` has the number of each vehicle (each once), `first` where it begins, and `group`
    for each row which of the vehicles it belongs to.
    """

    row: Integers
    time: Integers
    latitude: Floats
    longitude: Floats
    vehicles: Integers
    first: Integers
    group: Integers


def fixes_of(pings: pl.DataFrame, numbering: Numbering) -> Fixes | None:
    """Return the usable pings of a batch, None when there are none.

    Unusable is what no validation rule lets through unless it is turned off: a ping without a VIN, a time
    before 1970, after 2248 or not a number, a position that is none on earth. Cheapest where the pings of a
    vehicle stand together, and for those who are handed the same batch one after the other: they share the
    arrays, which therefore cannot be written to.
    """
    grouped = _latest.grouped(pings)
    if grouped is None:
        return None
    vehicles = numbering.of(grouped.vins)
    return Fixes(
        grouped.row,
        grouped.time,
        grouped.latitude,
        grouped.longitude,
        vehicles,
        grouped.first,
        grouped.group,
    )


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Fixes before their vehicles have numbers: `vins` has each vehicle once, in order of appearance."""

    row: Integers
    time: Integers
    latitude: Floats
    longitude: Floats
    vins: Sequence[str]
    first: Integers
    group: Integers

    def __post_init__(self) -> None:
        for array in (self.row, self.time, self.latitude, self.longitude, self.first, self.group):
            array.flags.writeable = False


class _Latest(threading.local):
    """The batch that each thread grouped last, while somebody still holds it."""

    def __init__(self) -> None:
        self._pings: weakref.ref[pl.DataFrame] | None = None
        self._grouped: _Grouped | None = None

    def grouped(self, pings: pl.DataFrame) -> _Grouped | None:
        if self._pings is None or self._pings() is not pings:
            self._grouped = _group(pings)
            self._pings = weakref.ref(pings, self._forget)
        return self._grouped

    def _forget(self, pings: weakref.ref[pl.DataFrame]) -> None:
        if self._pings is pings:
            self._pings = self._grouped = None


_latest = _Latest()
"""Grouping is a function of the batch alone, so that it does not matter who asks, when, or how often."""


def _group(pings: pl.DataFrame) -> _Grouped | None:
    vins = pings["vin"]
    if not len(vins):
        return None
    time = pings["time"].to_numpy() * 1000
    np.rint(time, out=time)
    latitude, longitude = pings["latitude"].to_numpy(), pings["longitude"].to_numpy()
    row = np.arange(len(vins))
    # the least and the greatest tell it for all of them: of what is not a number they are not a number
    bounds = ((time, 0, TIME_MASK), (latitude, -90, 90), (longitude, -180, 180))
    if vins.null_count() or not all(c.min() >= low and c.max() <= high for c, low, high in bounds):
        usable = vins.is_not_null().to_numpy()
        for column, low, high in bounds:
            usable = usable & (column >= low) & (column <= high)
        row = np.flatnonzero(usable)
        if not len(row):
            return None
        vins, time, latitude, longitude = vins.gather(row), time[row], latitude[row], longitude[row]
    time_ms = time.astype(np.int64)
    runs = vins.rle().struct.unnest()
    size = runs["len"].to_numpy().astype(np.int64)
    names, which = _distinct(runs["value"])
    if len(names) < len(which):
        which = np.repeat(which, size)
        # numpy sorts 16 bits in time that grows with the rows alone
        order = np.argsort(which.astype(np.uint16) if len(names) <= 1 << 16 else which, kind="stable")
        row, time_ms, latitude, longitude = row[order], time_ms[order], latitude[order], longitude[order]
        size = np.bincount(which)
    first = np.cumsum(size) - size
    group = np.repeat(np.arange(len(names)), size)
    return _Grouped(row, time_ms, latitude, longitude, names, first, group)


def _distinct(vins: pl.Series) -> tuple[Sequence[str], Integers]:
    """Return the distinct VINs in order of appearance, and for each row which of them it is."""
    names = dict.fromkeys(vins.to_list())
    if len(names) == len(vins):
        return list(names), np.arange(len(vins))
    unique = pl.Series(list(names), dtype=pl.String)
    table = pl.DataFrame({"vin": unique, "which": np.arange(len(unique))})
    joined = vins.to_frame("vin").join(table, on="vin", how="left", maintain_order="left")
    return list(names), joined["which"].to_numpy()


def later_ones(fixes: Fixes, newest: Integers, never: int) -> tuple[Fixes | None, Integers]:
    """Return the fixes that are later than all of their vehicle before them (None: there are none).

    Left out are late and repeated pings. `newest` and what is returned beside the fixes: see `newest_before`.
    """
    before, newest = newest_before(fixes, newest, never)
    later = fixes.time > before
    if later.all():
        return fixes, newest
    rows = np.flatnonzero(later)
    if not len(rows):
        return None, newest
    first, group = groups(fixes.group[rows])
    later_fixes = Fixes(
        fixes.row[rows],
        fixes.time[rows],
        fixes.latitude[rows],
        fixes.longitude[rows],
        fixes.vehicles[fixes.group[rows[first]]],
        first,
        group,
    )
    return later_fixes, newest


def newest_before(fixes: Fixes, newest: Integers, never: int) -> tuple[Integers, Integers]:
    """Return for each fix the newest time of its vehicle before it, and for each vehicle the newest of all.

    `newest` has the newest time of each of `fixes.vehicles` before the batch, `never` (less than 0) where
    there was none.
    """
    time, first = fixes.time, fixes.first
    before = np.empty_like(time)
    before[1:] = time[:-1]
    before[first] = newest
    last = ends(first, len(time))
    if (time > before).all():
        return before, time[last]
    # the group in the high bits makes the running maximum start anew with each vehicle
    running = np.maximum.accumulate((fixes.group << TIME_BITS) | time) & TIME_MASK
    before[1:] = running[:-1]
    before[first] = never
    return np.maximum(before, newest[fixes.group]), np.maximum(newest, running[last])
