"""The fleet as all sessions of a process see it: columns with one slot per vehicle."""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fleetflow.contracts.vehicles import Record
from fleetflow_ui.geo import mercator
from fleetflow_ui.rows import Row, Rows, record_of
from fleetflow_ui.status import CRASHED, NORMAL, OTHER, SELECTED, sort_of
from fleetflow_ui.trails import Trails

MOVED_M = 15.0
"""A vehicle that moved less keeps its heading: positions of a standing one waver."""
FIRST_CAPACITY = 256
MOST_FOUND = 64
"""Things that are kept for sessions to come until the next change."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many vehicles there are of each sort; `statuses` by NORMAL, CRASHED, OTHER, SELECTED."""

    vehicles: int
    statuses: tuple[int, int, int, int]
    stale: int
    sources: dict[str, int]
    codes: dict[str, int]


class Fleet:
    """One row per vehicle, in the order of their first appearance: a vehicle's slot never changes.

    `x`, `y`: Web Mercator metres, float32 (a metre or two). `time`: of the last ping, seconds since 1970.
    `heading_rad` clockwise from north and `speed_kmh` come from the last two positions that this process has
    seen, NaN before. `status`: as `status.sort_of` says. `source`: index into `sources`. The arrays are
    longer than the fleet; rows from `len(fleet)` on mean nothing. `version` rises with each change. A look
    costs what changed, not what there is.

    `generation` rises when all is forgotten because the map is another one: slots then are of other vehicles.
    `whole` is False from then, and from the start, until the map was read to its end once.

    Written by one thread under `lock`; readers take the lock as long as they compare columns.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.version = self.generation = 0
        self.changed_at = time.time()
        self.problem = ""
        self._empty()

    def _empty(self) -> None:
        self.whole = False
        self.vins: list[str] = []
        self.rows: list[Row] = []
        self.sources: list[str] = []
        self.x = np.zeros(FIRST_CAPACITY, np.float32)
        self.y = np.zeros(FIRST_CAPACITY, np.float32)
        self.time = np.zeros(FIRST_CAPACITY, np.float64)
        self.heading_rad = np.zeros(FIRST_CAPACITY, np.float32)
        self.speed_kmh = np.zeros(FIRST_CAPACITY, np.float32)
        self.status = np.zeros(FIRST_CAPACITY, np.uint8)
        self.source = np.zeros(FIRST_CAPACITY, np.uint16)
        self.by_code: dict[str, set[int]] = {}
        self._codes: list[tuple[str, ...]] = []
        self._slots: dict[str, int] = {}
        self._source_index: dict[str, int] = {}
        self._trails = Trails(FIRST_CAPACITY)
        self._rows = Rows()
        self._sorted: list[str] = []
        self._found: dict[Any, Any] = {}
        self._found_version = self.version

    def __len__(self) -> int:
        return len(self.vins)

    def slot(self, vin: str) -> int | None:
        """Return a vehicle's row, None when there is no such vehicle."""
        return self._slots.get(vin)

    def record(self, vin: str) -> Record | None:
        """Return a vehicle's record as the map holds it, but with tuples for lists."""
        slot = self._slots.get(vin)
        return None if slot is None else self.record_at(slot)

    def record_at(self, slot: int) -> Record:
        """Return the record of a row."""
        return record_of(self.rows[slot])

    def codes(self, slot: int) -> tuple[str, ...]:
        """Return a vehicle's codes."""
        return self._codes[slot]

    def trail(self, slot: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the last positions of a vehicle that this process has seen, oldest first."""
        with self.lock:
            return self._trails.of(slot)

    def search(self, text: str, limit: int = 8) -> list[str]:
        """Return VINs that begin with `text`, then such as end with it; small letters do not matter."""
        wanted = text.strip().upper()
        if not wanted:
            return []
        with self.lock:
            if len(self._sorted) != len(self.vins):
                self._sorted = sorted(self.vins, key=str.upper)
            ordered = self._sorted
        start = bisect.bisect_left(ordered, wanted, key=str.upper)
        found = []
        for vin in ordered[start : start + limit]:
            if not vin.upper().startswith(wanted):
                break
            found.append(vin)
        if len(found) < limit and len(wanted) > 2:
            ends = (vin for vin in ordered if vin.upper().endswith(wanted) and vin not in found)
            found.extend(vin for vin, _ in zip(ends, range(limit - len(found)), strict=False))
        return found

    def once(self, key: Hashable, find: Callable[[], T]) -> T:
        """Return what `find` finds, for all sessions that ask for the same `key` before the next change."""
        with self.lock:
            if self._found_version != self.version or len(self._found) >= MOST_FOUND:
                self._found, self._found_version = {}, self.version
            if key not in self._found:
                self._found[key] = find()
            found: T = self._found[key]
            return found

    def counts(self, now: float, stale_s: float) -> Counts:
        """Return how many there are of each sort; counted once for all sessions that ask in one second."""
        return self.once(("counts", int(now), stale_s), lambda: self._count(now, stale_s))

    def _count(self, now: float, stale_s: float) -> Counts:
        n = len(self)
        statuses = np.bincount(self.status[:n], minlength=4).tolist()
        sources = np.bincount(self.source[:n], minlength=len(self.sources))
        return Counts(
            n,
            (statuses[NORMAL], statuses[CRASHED], statuses[OTHER], statuses[SELECTED]),
            int(np.count_nonzero(now - self.time[:n] > stale_s)),
            {name: int(sources[i]) for i, name in enumerate(self.sources)},
            {code: len(slots) for code, slots in self.by_code.items() if slots},
        )

    def say(self, problem: str) -> None:
        """Tell readers why the map cannot be read, or with an empty text that it can again."""
        with self.lock:
            if problem != self.problem:
                self.problem = problem
                self.version += 1

    def forget(self) -> None:
        """Begin anew: the map is another one than before."""
        with self.lock:
            self._empty()
            self.generation += 1
            self.version += 1
            self.changed_at = time.time()

    def finish(self) -> None:
        """Tell readers that all there is has been taken over."""
        with self.lock:
            if not self.whole:
                self.whole = True
                self.version += 1

    def take(self, records: Sequence[Record]) -> None:
        """Take over changed records, each vehicle at most once."""
        fresh = {
            name: np.array([_number(r.get(name)) for r in records]) for name in ("latitude", "longitude")
        }
        times = np.array([_number(record.get("time")) for record in records])
        x, y = mercator(fresh["latitude"], fresh["longitude"])
        with self.lock:
            before = len(self.vins)
            slots = np.fromiter((self._row(record) for record in records), np.int64, len(records))
            self._grow()
            new = slots >= before
            self._move(slots, new, x, y, times, np.cos(np.radians(fresh["latitude"])))
            self.status[slots] = [sort_of(record.get("status")) for record in records]
            self.source[slots] = [self._source(str(record.get("source", ""))) for record in records]
            for slot, record in zip(slots.tolist(), records, strict=True):
                self._mark(slot, record)
            self._trails.add(slots, x.astype(np.float32), y.astype(np.float32))
            self.version += 1
            self.changed_at = time.time()
            self.problem = ""

    def _row(self, record: Record) -> int:
        vin = str(record["vin"])
        slot = self._slots.setdefault(vin, len(self.vins))
        if slot == len(self.vins):
            self.vins.append(vin)
            self.rows.append(self._rows.of(record, vin))
            self._codes.append(())
        else:
            self.rows[slot] = self._rows.of(record, self.vins[slot])
        return slot

    def _grow(self) -> None:
        capacity = len(self.x)
        if len(self.vins) <= capacity:
            return
        while capacity < len(self.vins):
            capacity *= 2
        for name in ("x", "y", "time", "heading_rad", "speed_kmh", "status", "source"):
            old = getattr(self, name)
            larger = np.zeros(capacity, old.dtype)
            larger[: len(old)] = old
            setattr(self, name, larger)
        self._trails.grow(capacity)

    def _move(
        self, slots: Any, new: Any, x: Any, y: Any, times: Any, shrink: npt.NDArray[np.float64]
    ) -> None:
        """Set positions, and speed and heading from the last ones; `shrink` is the cosine of the latitude."""
        across, up = x - self.x[slots], y - self.y[slots]
        metres, passed = np.hypot(across, up) * shrink, times - self.time[slots]
        known = ~new & (passed > 0)
        with np.errstate(all="ignore"):
            speed = np.where(known, 3.6 * metres / passed, np.where(new, np.nan, self.speed_kmh[slots]))
        turned = known & (metres > MOVED_M)
        heading = np.where(turned, np.arctan2(across, up), np.where(new, np.nan, self.heading_rad[slots]))
        self.speed_kmh[slots], self.heading_rad[slots] = speed, heading
        self.x[slots], self.y[slots], self.time[slots] = x, y, times

    def _source(self, name: str) -> int:
        index = self._source_index.setdefault(name, len(self.sources))
        if index == len(self.sources):
            self.sources.append(name)
        return index

    def _mark(self, slot: int, record: Record) -> None:
        given = record.get("obd_codes")
        codes = tuple(dict.fromkeys(map(str, given))) if isinstance(given, list | tuple) else ()
        if codes != self._codes[slot]:
            for code in self._codes[slot]:
                self.by_code[code].discard(slot)
            for code in codes:
                self.by_code.setdefault(code, set()).add(slot)
            self._codes[slot] = codes


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
