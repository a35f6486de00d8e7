"""Codes that appear on a vehicle, and codes that appear again and again: the rule itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from fleetflow.motion.fixes import Vehicles, filled_rows
from fleetflow.motion.runs import Booleans, Floats, Integers, ends, few_true, spread

VERSION = 1
Moment = tuple[float, int]
"""Time and sequence of a ping: what makes one later than another."""
Memory = tuple[float, int, tuple[str, ...], Mapping[str, tuple[float, ...]]]
"""Of one vehicle: time and sequence of its latest ping, its codes, and per code when it appeared."""


@dataclass(frozen=True, slots=True)
class Appeared:
    """A code that a vehicle's ping before did not have; `row` is the ping's row in the batch.

    `repeated` holds the times of the appearances when this one makes them too many, and is empty otherwise.
    """

    vin: str
    code: str
    time: float
    row: int
    repeated: tuple[float, ...] = ()


class Faults:
    """What is remembered of the vehicles of one shard that ever had a code.

    Of each vehicle, pings are looked at in order of arrival; one that is not later, by (time, sequence), than
    all before it is passed over. The first ping with a code begins a vehicle's memory. A code appears when
    the ping before, of those not passed over, does not have it. When a code appears for the `count`-th time
    within `window_s`, it is repeated, and counting begins anew.
    """

    def __init__(self, count: int, window_s: float, state: Mapping[str, Any] | None = None) -> None:
        self._count = count
        self._window_s = window_s
        self._vehicles: dict[str, Memory] = dict((state or {}).get("vehicles", {}))

    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {"v": VERSION, "vehicles": dict(self._vehicles)}

    def take(self, pings: pl.DataFrame, vehicles: Vehicles) -> Iterator[Appeared]:
        """Look at a batch; `vehicles` are its rows by VIN. Yields what appeared, vehicle by vehicle."""
        codes = pings["obd_codes"]
        time, sequence = pings["time"].to_numpy(), pings["sequence"].to_numpy()
        filled = filled_rows(pings, "obd_codes")
        if not vehicles.in_place:
            time, sequence = time[vehicles.row], sequence[vehicles.row]
            is_filled = np.zeros(pings.height, np.bool_)
            is_filled[filled] = True
            filled = np.flatnonzero(is_filled[vehicles.row])
        concerned = np.array([vin in self._vehicles for vin in vehicles.vins], np.bool_)
        concerned[vehicles.group[filled]] = True
        if not concerned.any():
            return
        # a run: pings of one vehicle, each later than the one before, with the same codes
        same = _same_as_before(codes[vehicles.row[filled]], filled)
        # where codes change, where none follow, and where time does not go on
        after = filled[np.append(filled[1:] != filled[:-1] + 1, True)[: len(filled)]] + 1
        changes = np.concatenate([filled[~same], after, _earlier(time, sequence)])
        changes = changes[changes < len(time)]
        first = vehicles.first[concerned]
        starts = np.union1d(first, changes[concerned[vehicles.group[changes]]])
        whose = vehicles.group[starts]
        stops = np.minimum(np.append(starts[1:], len(time)) - 1, ends(vehicles.first, len(time))[whose])
        lists = codes[vehicles.row[starts]].to_list()
        columns = (starts, stops, whose, time[stops], sequence[stops])
        for start, stop, who, *last, listed in zip(*(c.tolist() for c in columns), lists, strict=True):
            vin, present, latest = vehicles.vins[who], _plain(listed), (last[0], last[1])
            memory = self._vehicles.get(vin)
            if (latest <= memory[:2]) if memory else not present:
                continue
            appears = start
            if memory and (time[start], sequence[start]) <= memory[:2]:
                moments = zip(time[start:stop].tolist(), sequence[start:stop].tolist(), strict=True)
                later = (place for place, moment in enumerate(moments, start) if moment > memory[:2])
                appears = next(later, stop)
            begin = (float(time[appears]), int(vehicles.row[appears]))
            yield from self._ping(vin, present, begin, latest, memory)

    def _ping(
        self,
        vin: str,
        codes: tuple[str, ...],
        begin: tuple[float, int],
        latest: Moment,
        memory: Memory | None,
    ) -> Iterator[Appeared]:
        before, times = (memory[2], dict(memory[3])) if memory else ((), {})
        time, row = begin
        for code in dict.fromkeys(codes):
            if code in before:
                continue
            seen = tuple(at for at in times.get(code, ()) if at > time - self._window_s)
            times[code] = (*seen, time)
            repeated: tuple[float, ...] = ()
            if len(times[code]) >= self._count:
                repeated = times.pop(code)
            yield Appeared(vin, code, time, row, repeated)
        recent = {code: at for code, at in times.items() if at[-1] > time - self._window_s}
        self._vehicles[vin] = (*latest, codes, recent)


def _plain(listed: Sequence[str | None] | None) -> tuple[str, ...]:
    """Return codes without blanks and what is not known."""
    return tuple(" ".join(code for code in listed or () if code).split())


def _earlier(time: Floats, sequence: Integers) -> Integers:
    """Return the rows that are not later, by (time, sequence), than the row before them."""
    rows = few_true(~(time[1:] > time[:-1])) + 1
    later = (time[rows] == time[rows - 1]) & (sequence[rows] > sequence[rows - 1])
    return rows[~later]


def _same_as_before(codes: pl.Series, rows: Integers) -> Booleans:
    """Return which lists of codes are as that of the row before; `rows` has their rows.

    No list is empty: what follows a row that is not here is not the same.
    """
    same = np.zeros(len(rows), np.bool_)
    if not len(rows):
        return same
    size = codes.list.len().to_numpy().astype(np.int64)
    same[1:] = (rows[1:] == rows[:-1] + 1) & (size[1:] == size[:-1])
    compared = np.flatnonzero(same)
    if len(compared):
        begin, many = np.cumsum(size) - size, size[compared]
        flat = codes.explode()
        ours, theirs = (flat[spread(begin[which], many)] for which in (compared, compared - 1))
        # ne_missing takes ten times as long
        differ = ours.ne_missing(theirs) if flat.null_count() else ours != theirs
        same[np.repeat(compared, many)[differ.to_numpy()]] = False
    return same
