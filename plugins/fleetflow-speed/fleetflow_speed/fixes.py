"""A batch of pings as columns of numbers, grouped by vehicle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from fleetflow_speed.geodesy import Floats, Integers

TIME_BITS = 43
"""Bits of a time in whole milliseconds since 1970: until the year 2248. What is left of 64 bits numbers the
vehicles of a batch, so that vehicle and time sort as one number."""
TIME_MASK = (1 << TIME_BITS) - 1


class Numbering:
    """Gives each VIN a number, from 0 without gaps, in order of first sight."""

    def __init__(self, vins: Iterable[str] = ()) -> None:
        self._numbers = {vin: number for number, vin in enumerate(vins)}
        self.vins = list(self._numbers)

    def of(self, vins: pl.Series) -> Integers:
        """Return the number of each VIN; those not seen before get one."""
        unique = vins.unique(maintain_order=True)
        numbers = self._numbers
        known = len(numbers)
        # the length is taken before the VIN is added
        found = [numbers.setdefault(vin, len(numbers)) for vin in unique.to_list()]
        if len(numbers) > known:
            self.vins.extend(unique.filter(pl.Series(found) >= known).to_list())
        if len(found) == len(vins):
            return np.array(found, np.int64)
        table = pl.DataFrame({"vin": unique, "number": pl.Series(found, dtype=pl.Int64)})
        joined = vins.to_frame("vin").join(table, on="vin", how="left", maintain_order="left")
        return joined["number"].to_numpy()


@dataclass(frozen=True, slots=True)
class Fixes:
    """Pings of one batch: one array each, vehicle after vehicle, each in order of arrival.

    `time` is in whole milliseconds, `row` is the row of each in the batch. `first` tells where each vehicle
    begins, `vehicles` its number, and `group` for each row which of the vehicles it belongs to.
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

    Unusable is what no validation rule lets through unless it is turned off: a time before 1970, after 2248
    or not a number, a position that is not a number.
    """
    time = (pl.col("time") * 1000).round()
    place = pl.col("latitude").is_finite() & pl.col("longitude").is_finite()
    usable = pings.select(
        "vin", "latitude", "longitude", time=time, good=time.is_between(0, TIME_MASK) & place
    )
    row = np.arange(usable.height)
    if not usable["good"].all(ignore_nulls=False):
        row = np.flatnonzero(usable["good"].fill_null(False).to_numpy())
        usable = usable.filter("good")
    if not usable.height:
        return None
    numbers = numbering.of(usable["vin"])
    time_ms = usable["time"].cast(pl.Int64).to_numpy()
    latitude, longitude = usable["latitude"].to_numpy(), usable["longitude"].to_numpy()
    if (numbers[1:] < numbers[:-1]).any():
        order = np.argsort(numbers, kind="stable")
        numbers, row, time_ms = numbers[order], row[order], time_ms[order]
        latitude, longitude = latitude[order], longitude[order]
    first, group = groups(numbers)
    return Fixes(row, time_ms, latitude, longitude, numbers[first], first, group)


def newest_before(fixes: Fixes, newest: Integers, never: int) -> tuple[Integers, Integers]:
    """Return for each fix the newest time of its vehicle before it, and for each vehicle the newest of all.

    `newest` has the newest time of each of `fixes.vehicles` before the batch, `never` where there was none.
    """
    # the group in the high bits makes the running maximum start anew with each vehicle
    running = np.maximum.accumulate((fixes.group << TIME_BITS) | fixes.time) & TIME_MASK
    before = np.empty_like(running)
    before[1:] = running[:-1]
    before[fixes.first] = never
    ends = fixes.first + sizes(fixes.first, len(running)) - 1
    return np.maximum(before, newest[fixes.group]), np.maximum(newest, running[ends])


def groups(keys: Integers) -> tuple[Integers, Integers]:
    """Return where each run of equal keys begins, and for each row the number of its run."""
    begins = np.empty(len(keys), np.bool_)
    begins[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=begins[1:])
    return np.flatnonzero(begins), np.cumsum(begins) - 1


def sizes(first: Integers, total: int) -> Integers:
    """Return the lengths of runs that begin at `first`."""
    return np.diff(first, append=total)


def spread(start: Integers, size: Integers) -> Integers:
    """Return start, start + 1, ... for each run, one after the other."""
    before = np.cumsum(size) - size
    return np.repeat(start - before, size) + np.arange(size.sum())


Number = TypeVar("Number", bound=np.generic)


def grown(array: npt.NDArray[Number], rows: int, fill: float | bool) -> npt.NDArray[Number]:
    """Return `array` with room for `rows` (doubled when it grows), new ones filled with `fill`."""
    if rows <= len(array):
        return array
    new: npt.NDArray[Any] = np.full((max(rows, 2 * len(array), 64), *array.shape[1:]), fill, array.dtype)
    new[: len(array)] = array
    return new
