"""A batch of pings as columns of numbers, grouped by vehicle."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from fleetflow.motion.runs import Floats, Integers, ends, few_true, groups, sizes
from fleetflow.native import motion as native
from fleetflow.native.vehicles import filled, runs

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
class Vehicles:
    """The rows of one batch, vehicle after vehicle, each in order of arrival.

    `row` is the row of each in the batch. `vins` has each vehicle once, in order of appearance, `first` where
    it begins, and `group` for each row which of the vehicles it belongs to. `in_place` tells that these are
    all rows of the batch as they stand.
    """

    row: Integers
    vins: Sequence[str]
    first: Integers
    group: Integers
    in_place: bool


@dataclass(frozen=True, slots=True)
class Fixes:
    """Pings of one batch: one array each, vehicle after vehicle, each in order of arrival.

    `row` is the row of each in the batch, `time` in whole milliseconds since 1970, `latitude` and `longitude`
    in degrees. `vehicles` has the number of each vehicle (each once), `first` where it begins, and `group`
    for each row which of the vehicles it belongs to. `rising` tells whether each ping is later than the one
    of its vehicle before it.
    """

    row: Integers
    time: Integers
    latitude: Floats
    longitude: Floats
    vehicles: Integers
    first: Integers
    group: Integers
    rising: bool


def vehicles_of(pings: pl.DataFrame) -> Vehicles | None:
    """Return the pings of a batch that have a VIN, None when there are none; shared as in `fixes_of`."""
    return _latest.of(pings).vehicles(pings)


def filled_rows(pings: pl.DataFrame, column: str) -> Integers:
    """Return the rows whose list in a column has something in it, rising; shared as in `fixes_of`."""
    return _latest.of(pings).filled(pings, column)


def fixes_of(pings: pl.DataFrame, numbering: Numbering) -> Fixes | None:
    """Return the usable pings of a batch, None when there are none.

    Unusable is what no validation rule lets through unless it is turned off: a ping without a VIN, a time
    before 1970, after 2248 or not a number, a position that is none on earth. Cheapest where the pings of a
    vehicle stand together, and for those who are handed the same batch one after the other: they share the
    arrays, which therefore cannot be written to.
    """
    grouped = _latest.of(pings).fixes(pings)
    if grouped is None:
        return None
    return Fixes(
        grouped.by.row,
        grouped.time,
        grouped.latitude,
        grouped.longitude,
        numbering.of(grouped.by.vins),
        grouped.by.first,
        grouped.by.group,
        grouped.rising,
    )


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Fixes before their vehicles have numbers."""

    by: Vehicles
    time: Integers
    latitude: Floats
    longitude: Floats
    rising: bool


class _Batch:
    """What was found out about a batch, which is not kept itself."""

    def __init__(self) -> None:
        self._vehicles: Vehicles | None = None
        self._fixes: _Grouped | None = None
        self._asked: set[str] = set()
        self._filled: dict[str, Integers] = {}

    def vehicles(self, pings: pl.DataFrame) -> Vehicles | None:
        if "vehicles" not in self._asked:
            self._asked.add("vehicles")
            self._vehicles = _by_vin(pings["vin"])
        return self._vehicles

    def fixes(self, pings: pl.DataFrame) -> _Grouped | None:
        if "fixes" not in self._asked:
            self._asked.add("fixes")
            self._fixes = _group(pings, self.vehicles(pings))
        return self._fixes

    def filled(self, pings: pl.DataFrame, column: str) -> Integers:
        if column not in self._filled:
            rows = filled(pings[column])
            if rows is None:
                rows = few_true((pings[column].list.len() > 0).fill_null(False).to_numpy())
            _share(rows)
            self._filled[column] = rows
        return self._filled[column]


class _Latest(threading.local):
    """The batch that each thread looked at last, while somebody still holds it."""

    def __init__(self) -> None:
        self._pings: weakref.ref[pl.DataFrame] | None = None
        self._batch = _Batch()

    def of(self, pings: pl.DataFrame) -> _Batch:
        if self._pings is None or self._pings() is not pings:
            self._batch = _Batch()
            self._pings = weakref.ref(pings, self._forget)
        return self._batch

    def _forget(self, pings: weakref.ref[pl.DataFrame]) -> None:
        if self._pings is pings:
            self._pings, self._batch = None, _Batch()


_latest = _Latest()
"""Grouping is a function of the batch alone, so that it does not matter who asks, when, or how often."""


def _group(pings: pl.DataFrame, by: Vehicles | None) -> _Grouped | None:
    if by is None:
        return None
    seconds = pings["time"].to_numpy()
    latitude, longitude = pings["latitude"].to_numpy(), pings["longitude"].to_numpy()
    if by.in_place:
        found = native.fixes(seconds, latitude, longitude, by.first, TIME_MASK)
        if found is not None and found[0] is not None:
            _share(found[0], latitude, longitude)
            return _Grouped(by, found[0], latitude, longitude, found[1])
    time = seconds * 1000
    np.rint(time, out=time)
    # the least and the greatest tell it for all of them: of what is not a number they are not a number
    bounds = ((time, 0, TIME_MASK), (latitude, -90, 90), (longitude, -180, 180))
    if not all(c.min() >= low and c.max() <= high for c, low, high in bounds):
        vins = pings["vin"]
        usable = vins.is_not_null().to_numpy()
        for column, low, high in bounds:
            usable = usable & (column >= low) & (column <= high)
        by = _by_vin(vins, np.flatnonzero(usable))
        if by is None:
            return None
    if not by.in_place:
        time, latitude, longitude = (column.take(by.row) for column in (time, latitude, longitude))
    time_ms = time.astype(np.int64)
    stays = time_ms[1:] <= time_ms[:-1]
    stays[by.first[1:] - 1] = False
    _share(time_ms, latitude, longitude)
    return _Grouped(by, time_ms, latitude, longitude, not stays.any())


def _share(*arrays: Integers | Floats) -> None:
    """Let nobody write to arrays."""
    for array in arrays:
        array.flags.writeable = False


def _by_vin(vins: pl.Series, row: Integers | None = None) -> Vehicles | None:
    """Group some rows of a batch (None: all), those without a VIN left out."""
    if row is None and vins.null_count():
        row = np.flatnonzero(vins.is_not_null().to_numpy())
    if row is not None:
        vins = vins.gather(row)
    if not len(vins):
        return None
    first = runs(vins)
    if first is None:
        changes = (vins.slice(1) != vins.slice(0, len(vins) - 1)).to_numpy()
        first = np.append(0, few_true(changes) + 1)
    size = sizes(first, len(vins))
    names, which = _distinct(vins[first])
    order, in_place = np.arange(len(vins)), row is None
    if len(names) < len(which):
        in_place = False
        which = np.repeat(which, size)
        # numpy sorts 16 bits in time that grows with the rows alone
        order = np.argsort(which.astype(np.uint16) if len(names) <= 1 << 16 else which, kind="stable")
        size = np.bincount(which)
        first = np.cumsum(size) - size
    if row is not None:
        order = row[order]
    group = np.repeat(np.arange(len(names)), size)
    _share(order, first, group)
    return Vehicles(order, names, first, group, in_place)


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
    if in_order(fixes, newest):
        return fixes, fixes.time[ends(fixes.first, len(fixes.time))]
    before, newest = newest_before(fixes, newest, never)
    later = fixes.time > before
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
        True,
    )
    return later_fixes, newest


def in_order(fixes: Fixes, newest: Integers) -> bool:
    """Return whether each fix is later than all of its vehicle before it; `newest` as in `newest_before`."""
    return fixes.rising and bool((fixes.time[fixes.first] > newest).all())


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
    if in_order(fixes, newest):
        return before, time[last]
    # the group in the high bits makes the running maximum start anew with each vehicle
    running = np.maximum.accumulate((fixes.group << TIME_BITS) | time) & TIME_MASK
    before[1:] = running[:-1]
    before[first] = never
    return np.maximum(before, newest[fixes.group]), np.maximum(newest, running[last])
