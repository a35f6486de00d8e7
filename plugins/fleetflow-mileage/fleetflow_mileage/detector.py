"""The detector `mileage`: pings to distances per vehicle and day, and events when a limit is reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from fleetflow.contracts.detector import Event
from fleetflow.frames import taken
from fleetflow.motion.fixes import Fixes, fixes_of, later_ones
from fleetflow.motion.runs import Integers, ends
from fleetflow.motion.sphere import millimetres
from fleetflow.motion.travel import Rule, Travelled, travel
from fleetflow_mileage.days import Days, iso
from fleetflow_mileage.fleet import NEVER, Fleet
from fleetflow_mileage.limits import Limits
from fleetflow_mileage.table import MileageTable

PENDING_ROWS = 500_000


@dataclass(frozen=True, slots=True)
class MileageDetector:
    """See `MileageShard`. Added to a running job it begins with the next ping of each vehicle."""

    rule: Rule
    time_zone: str
    limits: Limits
    table: MileageTable
    name: str = "mileage"

    def open(self, state: Any | None) -> MileageShard:
        """Open one shard."""
        return MileageShard(self, Fleet.from_plain(state))


class MileageShard:
    """Counts legs between fixes of rising time (see `fleetflow.motion.travel`), for one shard.

    A ping that is not later than the latest one of its vehicle before it (late, or repeated) is passed over,
    whatever batch it is in: the outcome depends on the order in which a vehicle's pings arrive, on nothing
    else. A leg belongs to the day of the fix that ends it. Distances reach the table at every snapshot,
    before the state does; after a crash the same rows are written again.
    """

    def __init__(self, detector: MileageDetector, fleet: Fleet) -> None:
        self._detector = detector
        self._fleet = fleet
        self._days = Days(detector.time_zone)
        self._limits: Integers = np.empty(0, np.int64)
        self._pending: list[tuple[Integers, Integers, Integers]] = []
        self._pending_rows = 0
        self._compact_rows = PENDING_ROWS

    def on_pings(self, pings: pl.DataFrame) -> Sequence[Event]:
        """Count, and return an event for each vehicle and day that reached its limit."""
        fleet = self._fleet
        usable = fixes_of(pings, fleet.numbering)
        if usable is None:
            return ()
        fleet.fit()
        fixes, newest = later_ones(usable, fleet.time[usable.vehicles], NEVER)
        if fixes is None:
            return ()
        vehicles = fixes.vehicles
        rule, latest, counted = self._detector.rule, fleet.latest[vehicles], fleet.counted[vehicles]
        found = travel(fixes, rule, latest, counted, fleet.time[vehicles])
        fleet.latest[vehicles], fleet.counted[vehicles] = found.latest, found.counted
        fleet.time[usable.vehicles] = newest
        return list(self._add(pings, fixes, found)) if len(found.end) else ()

    def _add(self, pings: pl.DataFrame, fixes: Fixes, found: Travelled) -> Iterator[Event]:
        """Add the legs to the days, and yield the events."""
        fleet, end = self._fleet, found.end
        mm = millimetres(found.squared)
        firsts, day = self._stretches(fixes, end)
        vehicle = fixes.vehicles[fixes.group[end[firsts]]]
        # of several days of a vehicle the first may go on
        already = np.where(fleet.day[vehicle] == day, fleet.mm[vehicle], 0)
        total = already + np.add.reduceat(mm, firsts)
        # and the last one stays: assignment goes in order
        fleet.day[vehicle], fleet.mm[vehicle] = day, total
        self._keep(vehicle, day, total)
        limit = self._limit_column()[vehicle]
        reaches = (already < limit) & (total >= limit)
        if not reaches.any():
            return
        running = np.cumsum(mm)
        # how far all had come when the day began, less what was in it already
        before = (running[firsts] - mm[firsts] - already)[reaches]
        limit = limit[reaches]
        at = np.searchsorted(running, before + limit)
        columns = (day[reaches], running[at] - before, limit)
        rows = taken(pings, pl.Series(fixes.row[end[at]], dtype=pl.UInt32)).iter_rows(named=True)
        for ping, *numbers in zip(rows, *(column.tolist() for column in columns), strict=True):
            yield self._event(ping, *numbers)

    def _stretches(self, fixes: Fixes, end: Integers) -> tuple[Integers, Integers]:
        """Return where in `end`, some rows of fixes, another vehicle or day begins, and the day of each."""
        starts = np.searchsorted(end, fixes.first)
        # of a vehicle without such a row the next one's stretch begins there, too
        starts = np.unique(starts[starts < len(end)])
        days = self._days.of(fixes.time[end[np.append(starts, ends(starts, len(end)))]] / 1000)
        day, last_day = days[: len(starts)], days[len(starts) :]
        if (day == last_day).all():
            return starts, day
        # where midnight is in between it is looked for, rather than each leg's day
        stop = np.append(starts[1:], len(end))
        begins, begin_day = [starts], [day]
        for i in np.flatnonzero(day != last_day).tolist():
            legs = end[starts[i] : stop[i]]
            midnights = self._days.starts(int(day[i]) + 1, int(last_day[i])) * 1000
            rows = legs[0] + np.searchsorted(fixes.time[legs[0] : legs[-1] + 1], midnights)
            at = np.searchsorted(legs, rows)
            # of days without a leg only the last one's midnight begins something
            begin = np.append(at[1:] != at[:-1], True)
            begins.append(starts[i] + at[begin])
            begin_day.append(np.arange(day[i] + 1, last_day[i] + 1)[begin])
        found, of = np.concatenate(begins), np.concatenate(begin_day)
        order = np.argsort(found)
        return found[order], of[order]

    def _limit_column(self) -> Integers:
        known = self._limits.shape[0]
        if known < len(self._fleet.numbering.vins):
            new = [self._detector.limits.of(vin) for vin in self._fleet.numbering.vins[known:]]
            self._limits = np.concatenate((self._limits, np.array(new, np.int64)))
        return self._limits

    def _event(self, ping: dict[str, Any], day: int, mm: int, limit: int) -> Event:
        vin, date, km = ping["vin"], iso(day), round(mm / 1e6, 3)
        return Event(
            id=f"mileage:{vin}:{date}",
            vin=vin,
            time=ping["time"],
            kind="mileage",
            severity="warning",
            message=f"{vin} reached its daily limit of {limit / 1e6:g} km on {date}",
            data={
                "day": date,
                "km": km,
                "limit_km": limit / 1e6,
                "group": self._detector.limits.group(vin),
            },
            ping=ping,
            update={"mileage_day": date, "mileage_km": km},
        )

    def _keep(self, vehicle: Integers, day: Integers, mm: Integers) -> None:
        self._pending.append((vehicle, day, mm))
        self._pending_rows += vehicle.size
        if self._pending_rows > self._compact_rows:
            self._pending = [self._latest()]
            self._pending_rows = self._pending[0][0].size
            self._compact_rows = max(PENDING_ROWS, 2 * self._pending_rows)

    def _latest(self) -> tuple[Integers, Integers, Integers]:
        """Return the newest total per vehicle and day of what was not written yet."""
        vehicle, day, mm = (np.concatenate(column) for column in zip(*self._pending, strict=True))
        order = np.lexsort((day, vehicle))
        vehicle, day, mm = vehicle[order], day[order], mm[order]
        last = np.ones(vehicle.size, np.bool_)
        last[:-1] = (vehicle[1:] != vehicle[:-1]) | (day[1:] != day[:-1])
        return vehicle[last], day[last], mm[last]

    def snapshot(self) -> dict[str, Any]:
        """Write the distances that changed to the table, then return the state."""
        if self._pending:
            vehicle, day, mm = self._latest()
            names = [self._fleet.numbering.vins[row] for row in vehicle.tolist()]
            self._detector.table.put(zip(names, map(iso, day.tolist()), mm.tolist(), strict=True))
            self._pending, self._pending_rows = [], 0
        return self._fleet.to_plain()
