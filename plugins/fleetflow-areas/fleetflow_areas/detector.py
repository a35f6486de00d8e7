"""Tells when a vehicle enters or leaves an area.

A ping counts if its time is later than that of every ping of the vehicle before it: late and repeated pings
cross nothing. What the vehicle is in at a ping is compared with what it was in at the one before that
counted; at its first ping it was in none. So a vehicle enters a new area, and leaves one that was removed,
with its next ping.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from fleetflow.contracts.detector import Event
from fleetflow.motion.fixes import Fixes, Numbering, fixes_of, later_ones
from fleetflow.motion.runs import Booleans, Integers, ends, grown, spread
from fleetflow.motion.tables import packed, unpacked
from fleetflow_areas.file import AreasFile
from fleetflow_areas.index import Areas

STATE_VERSION = 1
CODE_BITS = 31
"""Bits of an area's code: what is left of 63 numbers the vehicles, so that (vehicle, area) is one number."""
CODE_MASK = (1 << CODE_BITS) - 1
NEXT = 1 << CODE_BITS
NEVER = -1


class AreasDetector:
    """Makes `entered` and `left` events. See `fleetflow.contracts.detector`."""

    name = "areas"

    def __init__(self, file: AreasFile) -> None:
        """`file` is read at once, so that a broken one is told before the job starts."""
        self._file = file
        file.areas()

    def open(self, state: Any | None) -> AreasShard:
        """Open one shard; from the empty state no vehicle is in any area."""
        return AreasShard(self._file, state)


class Steps:
    """Numbers the fixes of a batch, vehicle after vehicle, with one more step before those of each."""

    def __init__(self, fixes: Fixes) -> None:
        self._group = fixes.group
        self.start = fixes.first + np.arange(len(fixes.first))
        self._end = ends(fixes.first, len(fixes.group)) + np.arange(1, len(fixes.first) + 1)

    def of(self, rows: Integers) -> Integers:
        """Return the steps of rows."""
        return rows + self._group[rows] + 1

    def group(self, steps: Integers) -> Integers:
        """Return which of the vehicles steps belong to."""
        return np.searchsorted(self.start, steps, "right") - 1

    def row(self, steps: Integers) -> Integers:
        """Return the rows of steps, none of which is the first of its vehicle."""
        return steps - self.group(steps) - 1

    def are_last(self, steps: Integers) -> Booleans:
        """Return which steps are the last of their vehicle."""
        last: Booleans = steps == self._end[self.group(steps)]
        return last


def _missing(some: Integers, others: Integers) -> Integers:
    """Return what is in `some` and not in `others`; both rise."""
    found = np.append(others, NEVER)[np.searchsorted(others, some)]
    return some[found != some]


class AreasShard:
    """The vehicles of one shard, in columns: a vehicle is its number, an area its code."""

    def __init__(self, file: AreasFile, state: Mapping[str, Any] | None) -> None:
        self._file = file
        self._areas: Areas | None = None
        self._code_of: Integers = np.zeros(0, np.int64)
        self._codes: dict[str, int] = {}
        self._named: list[tuple[str, str]] = []
        self._numbering = Numbering()
        self._newest: Integers = np.zeros(0, np.int64)
        # (vehicle, code) of everything that is inside, rising
        self._inside: Integers = np.zeros(0, np.int64)
        if state is not None:
            self._load(state)

    def on_pings(self, pings: pl.DataFrame) -> Sequence[Event]:
        """Take a batch. Events are in order of vehicle and time, `left` before `entered` for one ping."""
        usable = fixes_of(pings, self._numbering)
        if usable is None:
            return []
        self._newest = grown(self._newest, len(self._numbering.vins), NEVER)
        areas = self._now()
        fixes, self._newest[usable.vehicles] = later_ones(usable, self._newest[usable.vehicles], NEVER)
        if fixes is None:
            return []
        position, area = areas.containing(fixes.latitude, fixes.longitude)
        # each vehicle's fixes get one more in front of them, which stands for what it was in before
        steps = Steps(fixes)
        now = np.sort((steps.of(position) << CODE_BITS) | self._code_of[area])
        owner, before = self._stored(fixes.vehicles)
        every = np.concatenate([(steps.start[owner] << CODE_BITS) | (before & CODE_MASK), now])
        due = np.sort(every[~steps.are_last(every >> CODE_BITS)]) + NEXT
        entered, left = _missing(now, due), _missing(due, now)
        if not len(entered) and not len(left):
            return []
        changed = np.unique(steps.group(np.concatenate([entered, left]) >> CODE_BITS))
        self._store(fixes, steps, changed, before[np.isin(owner, changed)], now)
        return list(self._events(fixes, steps, now, entered, left))

    def _now(self) -> Areas:
        """Return the areas of now, each with a code of this shard's."""
        areas = self._file.areas()
        if areas is not self._areas:
            self._areas = areas
            self._code_of = np.array([self._code(area.id, area.name) for area in areas.areas], np.int64)
        return areas

    def _code(self, area: str, name: str) -> int:
        code = self._codes.setdefault(area, len(self._named))
        self._named[code : code + 1] = [(area, name)]
        return code

    def _stored(self, vehicles: Integers) -> tuple[Integers, Integers]:
        """Return what vehicles are in, as keys, and for each the number of its vehicle among those given."""
        begin = np.searchsorted(self._inside, vehicles << CODE_BITS)
        count = np.searchsorted(self._inside, (vehicles + 1) << CODE_BITS) - begin
        owner = np.repeat(np.arange(len(vehicles)), count)
        return owner, self._inside[spread(begin, count)]

    def _store(self, fixes: Fixes, steps: Steps, changed: Integers, old: Integers, now: Integers) -> None:
        """Replace what the changed vehicles are in (`old`) by what they are in at their last ping."""
        final = now[steps.are_last(now >> CODE_BITS)]
        whose = steps.group(final >> CODE_BITS)
        keep = np.isin(whose, changed)
        new = np.sort((fixes.vehicles[whose[keep]] << CODE_BITS) | (final[keep] & CODE_MASK))
        rest = np.delete(self._inside, np.searchsorted(self._inside, old))
        self._inside = np.insert(rest, np.searchsorted(rest, new), new)

    def _events(
        self, fixes: Fixes, steps: Steps, now: Integers, entered: Integers, left: Integers
    ) -> Iterator[Event]:
        step = np.concatenate([left, entered]) >> CODE_BITS
        code = np.concatenate([left, entered]) & CODE_MASK
        into = np.repeat([0, 1], [len(left), len(entered)])
        order = np.lexsort((code, into, step))
        step, code, into = step[order], code[order], into[order]
        group = steps.group(step)
        row = steps.row(step)
        columns = (
            fixes.vehicles[group],
            into,
            code,
            np.searchsorted(now, step << CODE_BITS),
            np.searchsorted(now, (step + 1) << CODE_BITS),
            fixes.time[row],
            fixes.latitude[row],
            fixes.longitude[row],
        )
        inside = (now & CODE_MASK).tolist()
        for vehicle, enters, area, begin, end, *place in zip(*(c.tolist() for c in columns), strict=True):
            yield self._event(
                self._numbering.vins[vehicle],
                "entered" if enters else "left",
                self._named[area],
                sorted(self._named[here][0] for here in inside[begin:end]),
                *place,
            )

    def _event(
        self,
        vin: str,
        kind: str,
        named: tuple[str, str],
        here: list[str],
        time_ms: int,
        latitude: float,
        longitude: float,
    ) -> Event:
        area, name = named
        words = f"areas\n{vin}\n{time_ms}\n{kind}\n{area}"
        return Event(
            id=hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest(),
            vin=vin,
            time=time_ms / 1000,
            kind=kind,
            severity="info",
            message=f"{vin} {kind} {name}",
            data={"area": area, "name": name},
            ping={"vin": vin, "latitude": latitude, "longitude": longitude, "time": time_ms / 1000},
            update={"areas": here or None},
        )

    def snapshot(self) -> dict[str, Any]:
        """Return two tables as Arrow IPC streams (vehicles, what they are in) and the areas these name."""
        vehicles = pl.DataFrame(
            {
                "vin": pl.Series(self._numbering.vins, dtype=pl.String),
                "newest": self._newest[: len(self._numbering.vins)],
            }
        )
        codes, area = np.unique(self._inside & CODE_MASK, return_inverse=True)
        inside = pl.DataFrame({"vehicle": self._inside >> CODE_BITS, "area": area.astype(np.int64)})
        return {
            "v": STATE_VERSION,
            "areas": [self._named[code] for code in codes.tolist()],
            "vehicles": packed(vehicles),
            "inside": packed(inside),
        }

    def _load(self, state: Mapping[str, Any]) -> None:
        vehicles, inside = unpacked(state["vehicles"]), unpacked(state["inside"])
        self._numbering = Numbering(vehicles["vin"].to_list())
        self._newest = vehicles["newest"].to_numpy().copy()
        codes = np.array([self._code(area, name) for area, name in state["areas"]], np.int64)
        self._inside = np.sort((inside["vehicle"].to_numpy() << CODE_BITS) | codes[inside["area"].to_numpy()])
