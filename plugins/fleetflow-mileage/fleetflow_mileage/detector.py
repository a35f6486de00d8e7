"""The detector `mileage`: pings to distances per vehicle and day, and events when a limit is reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from fleetflow.contracts.detector import Event
from fleetflow_mileage.counting import Counted, Fixes, Rule, count
from fleetflow_mileage.days import Days, iso
from fleetflow_mileage.fleet import Fleet
from fleetflow_mileage.geometry import Floats, Ints, millimetres, on_sphere
from fleetflow_mileage.limits import Limits
from fleetflow_mileage.table import MileageTable

LATEST = 60_000_000_000.0
"""The year 3871: a fix later than this has no usable time, nor has one before 1970."""
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


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Usable fixes, vehicle by vehicle in order of arrival: fix i is row `index[i]` of the batch."""

    vins: list[str]
    sizes: Ints
    index: Ints
    points: Floats
    time: Floats


class MileageShard:
    """Counts legs between fixes of rising time (see `fleetflow_mileage.counting`), for one shard.

    A ping that is not later than the latest one of its vehicle before it (late, or repeated) is passed over,
    whatever batch it is in: the outcome depends on the order in which a vehicle's pings arrive, on nothing
    else. A leg belongs to the day of the fix that ends it. Distances reach the table at every snapshot,
    before the state does; after a crash the same rows are written again.
    """

    def __init__(self, detector: MileageDetector, fleet: Fleet) -> None:
        self._detector = detector
        self._fleet = fleet
        self._days = Days(detector.time_zone)
        self._limits: Ints = np.empty(0, np.int64)
        self._pending: list[tuple[Ints, Ints, Ints]] = []
        self._pending_rows = 0
        self._compact_rows = PENDING_ROWS

    def on_pings(self, pings: pl.DataFrame) -> Sequence[Event]:
        """Count, and return an event for each vehicle and day that reached its limit."""
        batch = _sorted(pings)
        if batch is None:
            return ()
        fleet = self._fleet
        vehicles = fleet.rows(batch.vins)
        batch, heads = _without_late(batch, fleet.time[vehicles])
        if not batch.index.size:
            return ()
        size = batch.index.size + heads.size
        row = np.ones(size, np.bool_)
        row[heads] = False
        points, time = np.empty((3, size)), np.empty(size)
        points[:, heads], points[:, row] = fleet.latest[:, vehicles], batch.points
        time[heads], time[row] = fleet.time[vehicles], batch.time
        ends = np.append(heads[1:], size) - 1
        fleet.latest[:, vehicles], fleet.time[vehicles] = points[:, ends], time[ends]
        fixes = Fixes(points, time, heads, fleet.counted[:, vehicles])
        found = count(fixes, self._detector.rule)
        fleet.counted[:, vehicles] = found.counted
        if not found.end.size:
            return ()
        place = np.full(size, -1)
        place[row] = batch.index
        return list(self._add(pings, found, fixes, vehicles, place))

    def _add(
        self, pings: pl.DataFrame, found: Counted, fixes: Fixes, vehicles: Ints, place: Ints
    ) -> Iterator[Event]:
        """Add the legs to the days, and yield the events."""
        fleet = self._fleet
        mm = millimetres(found.squared)
        sizes = np.diff(fixes.heads, append=fixes.time.size)
        vehicle = np.repeat(vehicles, sizes)[found.end]
        day = self._days.of(fixes.time[found.end])
        first = np.ones(mm.size, np.bool_)
        first[1:] = (vehicle[1:] != vehicle[:-1]) | (day[1:] != day[:-1])
        firsts = np.flatnonzero(first)
        lasts = np.append(firsts[1:], mm.size) - 1
        total = np.cumsum(mm)
        already = np.where(fleet.day[vehicle[firsts]] == day[firsts], fleet.mm[vehicle[firsts]], 0)
        total += np.repeat(already - total[firsts] + mm[firsts], lasts - firsts + 1)
        # of several days of a vehicle the last one stays: assignment goes in order
        fleet.day[vehicle[lasts]] = day[lasts]
        fleet.mm[vehicle[lasts]] = total[lasts]
        self._keep(vehicle[lasts], day[lasts], total[lasts])
        limit = self._limit_column()[vehicle]
        for i in np.flatnonzero((total >= limit) & (total - mm < limit)).tolist():
            ping = pings.row(int(place[found.end[i]]), named=True)
            yield self._event(ping, int(day[i]), int(total[i]), int(limit[i]))

    def _limit_column(self) -> Ints:
        known = self._limits.shape[0]
        if known < len(self._fleet.vins):
            new = [self._detector.limits.of(vin) for vin in self._fleet.vins[known:]]
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

    def _keep(self, vehicle: Ints, day: Ints, mm: Ints) -> None:
        self._pending.append((vehicle, day, mm))
        self._pending_rows += vehicle.size
        if self._pending_rows > self._compact_rows:
            self._pending = [self._latest()]
            self._pending_rows = self._pending[0][0].size
            self._compact_rows = max(PENDING_ROWS, 2 * self._pending_rows)

    def _latest(self) -> tuple[Ints, Ints, Ints]:
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
            names = [self._fleet.vins[row] for row in vehicle.tolist()]
            self._detector.table.put(zip(names, map(iso, day.tolist()), mm.tolist(), strict=True))
            self._pending, self._pending_rows = [], 0
        return self._fleet.to_plain()


def _sorted(pings: pl.DataFrame) -> _Sorted | None:
    """Return the usable fixes of a batch, sorted by vehicle; None when there are none."""
    latitude, longitude, time = (pings[name].to_numpy() for name in ("latitude", "longitude", "time"))
    usable = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180) & (time >= 0) & (time <= LATEST)
    vins = pings.select("vin", i=pl.int_range(pl.len(), dtype=pl.Int64))
    if not usable.all():
        vins = vins.filter(pl.Series(usable))
    if not vins.height:
        return None
    groups = vins.group_by("vin", maintain_order=True).agg("i")
    index = groups["i"].explode().to_numpy()
    sizes = groups["i"].list.len().to_numpy().astype(np.int64)
    return _Sorted(
        groups["vin"].to_list(), sizes, index, on_sphere(latitude[index], longitude[index]), time[index]
    )


def _without_late(batch: _Sorted, newest: Floats) -> tuple[_Sorted, Ints]:
    """Leave out every fix that is not later than all before it of its vehicle; also return the heads' places.

    `newest`: the time of each vehicle's latest fix before the batch.
    """
    before = np.empty(batch.time.shape[0])
    before[1:] = batch.time[:-1]
    starts = np.cumsum(batch.sizes) - batch.sizes
    before[starts] = newest
    if not (batch.time > before).all():
        vehicle = np.repeat(np.arange(batch.sizes.shape[0]), batch.sizes)
        latest = (
            pl.DataFrame({"vehicle": vehicle, "time": np.maximum(batch.time, np.repeat(newest, batch.sizes))})
            .select(pl.col("time").cum_max().over("vehicle"))
            .to_series()
            .to_numpy()
        )
        before[1:] = latest[:-1]
        before[starts] = newest
        kept = batch.time > before
        sizes = np.add.reduceat(kept.astype(np.int64), starts)
        batch = _Sorted(batch.vins, sizes, batch.index[kept], batch.points[:, kept], batch.time[kept])
        starts = np.cumsum(sizes) - sizes
    return batch, starts + np.arange(starts.shape[0])
