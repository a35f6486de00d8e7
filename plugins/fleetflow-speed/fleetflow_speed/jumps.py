"""The rule position_jump: a vehicle cannot be that far from where it was.

Of each vehicle the last good fix is kept: the newest ping by time that was not turned down. A ping that is
newer jumps if it is more than 100 m from there and could only have come at more than `jump_kmh`. Older ones
are not judged: they move nothing. So many jumps in a row (`confirm`), each with a plausible way from the one
before, were no jumps: the last of them becomes the last good fix. Otherwise a vehicle whose first fix was
wrong would be turned down for hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from fleetflow.motion.fixes import Fixes, Numbering, fixes_of, newest_before
from fleetflow.motion.runs import Booleans, Floats, Integers, ends, groups, grown
from fleetflow.motion.sphere import haversine, legs, millimetres
from fleetflow.motion.tables import packed, unpacked

STATE_VERSION = 1
NOISE_MM = 100_000
"""Positions of one place differ by some metres, at any speed that these come to within a second."""
NEVER = -1
Fix = tuple[int, float, float]


class JumpJudge:
    """Turns down jumps. See `fleetflow.contracts.judge`."""

    name = "position_jump"

    def __init__(self, jump_kmh: float, confirm: int) -> None:
        self.reason = f"the position must be within reach of the last good fix at {jump_kmh:g} km/h"
        self._jump_kmh = jump_kmh
        self._confirm = confirm

    def open(self, state: Any | None) -> JumpShard:
        """Open one shard; from the empty state the first fix of a vehicle is good."""
        return JumpShard(self._jump_kmh, self._confirm, state)


class JumpShard:
    """The last good fix of each vehicle, and what was last turned down since."""

    def __init__(self, jump_kmh: float, confirm: int, state: Mapping[str, Any] | None) -> None:
        self._jump_kmh = jump_kmh
        self._confirm = confirm
        self._numbering = Numbering()
        self._time: Integers = np.zeros(0, np.int64)
        self._latitude: Floats = np.zeros(0, np.float64)
        self._longitude: Floats = np.zeros(0, np.float64)
        # per vehicle the last jump, and how many there were in a row that fit together
        self._seen: dict[int, tuple[Fix, int]] = {}
        if state is not None:
            self._load(state)

    def on_pings(self, pings: pl.DataFrame) -> pl.Series | None:
        """Return which pings are good. Vehicles without a jump in the batch cost no Python of their own."""
        fixes = fixes_of(pings, self._numbering)
        if fixes is None:
            return None
        self._fit()
        vehicles = fixes.vehicles
        before, _ = newest_before(fixes, self._time[vehicles], NEVER)
        fresh = np.flatnonzero(fixes.time > before)
        group = fixes.group[fresh]
        first, _ = groups(group)
        jumping = np.unique(group[self._jumps(fixes, fresh, group, first)])
        clean = ~np.isin(group, jumping)
        # the last of rows that share a vehicle stays
        rows, whose = fresh[clean], vehicles[group[clean]]
        self._time[whose] = fixes.time[rows]
        self._latitude[whose], self._longitude[whose] = fixes.latitude[rows], fixes.longitude[rows]
        for vehicle in self._seen.keys() & set(whose.tolist()) if self._seen else ():
            del self._seen[vehicle]
        if not len(jumping):
            return None
        good = np.ones(pings.height, np.bool_)
        last = ends(fixes.first, len(fixes.row))
        for one in jumping.tolist():
            self._one_by_one(int(vehicles[one]), fixes, range(fixes.first[one], last[one] + 1), good)
        return None if good.all() else pl.Series(good)

    def _fit(self) -> None:
        vehicles = len(self._numbering.vins)
        self._time = grown(self._time, vehicles, NEVER)
        self._latitude = grown(self._latitude, vehicles, np.nan)
        self._longitude = grown(self._longitude, vehicles, np.nan)

    def _jumps(self, fixes: Fixes, fresh: Integers, group: Integers, first: Integers) -> Booleans:
        """Return which of the fresh rows jump, if all before them were good."""
        time, latitude, longitude = fixes.time[fresh], fixes.latitude[fresh], fixes.longitude[fresh]
        since = np.empty_like(time)
        since[1:] = time[:-1]
        each = fixes.vehicles[group[first]]
        since[first] = self._time[each]
        squared = legs(latitude, longitude, first, self._latitude[each], self._longitude[each])
        return jumps(millimetres(squared), time - since, self._jump_kmh)

    def _one_by_one(self, vehicle: int, fixes: Fixes, rows: range, good: Booleans) -> None:
        """Judge all rows of a vehicle that jumps somewhere, one after the other."""
        last: Fix = (
            int(self._time[vehicle]),
            float(self._latitude[vehicle]),
            float(self._longitude[vehicle]),
        )
        seen = self._seen.pop(vehicle, None)
        for row in rows:
            fix: Fix = (int(fixes.time[row]), float(fixes.latitude[row]), float(fixes.longitude[row]))
            if fix[0] <= last[0]:
                continue
            if last[0] == NEVER or not self._far(last, fix):
                last, seen = fix, None
                continue
            if seen is None or (fix[0] > seen[0][0] and self._far(seen[0], fix)):
                seen = (fix, 1)
            elif fix[0] > seen[0][0]:
                seen = (fix, seen[1] + 1)
            if seen[1] >= self._confirm:
                last, seen = fix, None
                continue
            good[fixes.row[row]] = False
        self._time[vehicle], self._latitude[vehicle], self._longitude[vehicle] = last
        if seen is not None:
            self._seen[vehicle] = seen

    def _far(self, start: Fix, end: Fix) -> bool:
        mm = millimetres(haversine(*(np.array([value]) for value in (*start[1:], *end[1:]))))
        return bool(jumps(mm, np.array([end[0] - start[0]]), self._jump_kmh)[0])

    def snapshot(self) -> dict[str, Any]:
        """Return the last good fixes as an Arrow IPC stream, and the jumps since as tuples."""
        count = len(self._numbering.vins)
        self._fit()
        fixes = pl.DataFrame(
            {
                "vin": pl.Series(self._numbering.vins, dtype=pl.String),
                "time": self._time[:count],
                "latitude": self._latitude[:count],
                "longitude": self._longitude[:count],
            }
        )
        return {"v": STATE_VERSION, "fixes": packed(fixes), "seen": dict(self._seen)}

    def _load(self, state: Mapping[str, Any]) -> None:
        fixes = unpacked(state["fixes"])
        self._numbering = Numbering(fixes["vin"].to_list())
        self._time = fixes["time"].to_numpy().copy()
        self._latitude, self._longitude = (fixes[n].to_numpy().copy() for n in ("latitude", "longitude"))
        self._seen = dict(state["seen"])


def jumps(mm: Integers, ms: Integers, jump_kmh: float) -> Booleans:
    """Return which ways are jumps: more than 100 m, and faster than `jump_kmh`."""
    jump: Booleans = (mm > NOISE_MM) & (mm * 3.6 > jump_kmh * ms)
    return jump
