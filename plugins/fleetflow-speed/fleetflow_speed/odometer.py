"""How far each vehicle had come when, and the speed over a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetflow.motion.fixes import TIME_BITS
from fleetflow.motion.runs import Booleans, Floats, Integers, ends, groups, grown, sizes, spread
from fleetflow.motion.sphere import legs, millimetres

NEVER = -(1 << TIME_BITS)
FAR = 1 << 62


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows that were evaluated: one array each, vehicle after vehicle, in order of time.

    `slot` times the slide is the end of a window; `last` is the row of its newest fix among those given;
    `speed_kmh` is not a number where the window holds too little.
    """

    vehicle: Integers
    slot: Integers
    last: Integers
    speed_kmh: Floats


class Odometer:
    """Distance travelled per vehicle, remembered for one window at the pace of the slide.

    Time is cut into slots of one slide, (k - 1, k]; of each slot that had a fix the time of its first one
    and the odometer there are kept, for as many slots as a window has.
    """

    def __init__(self, slots: int, slide_ms: int, min_span_ms: int) -> None:
        self._slots = slots
        self._slide_ms = slide_ms
        self._min_span_ms = min_span_ms
        self.latitude: Floats = np.zeros(0, np.float64)
        self.longitude: Floats = np.zeros(0, np.float64)
        self.distance_mm: Integers = np.zeros(0, np.int64)
        self.last_slot: Integers = np.zeros(0, np.int64)
        self.first_time: Integers = np.zeros((0, slots), np.int64)
        self.first_mm: Integers = np.zeros((0, slots), np.int64)

    def fit(self, vehicles: int) -> None:
        """Make room for so many vehicles."""
        self.latitude = grown(self.latitude, vehicles, np.nan)
        self.longitude = grown(self.longitude, vehicles, np.nan)
        self.distance_mm = grown(self.distance_mm, vehicles, 0)
        self.last_slot = grown(self.last_slot, vehicles, NEVER)
        self.first_time = grown(self.first_time, vehicles, NEVER)
        self.first_mm = grown(self.first_mm, vehicles, 0)

    def drive(self, vehicles: Integers, time: Integers, latitude: Floats, longitude: Floats) -> Windows:
        """Take fixes in order of (vehicle, time), newer than all before; return the windows they end.

        `vehicles` has the vehicle of each row.
        """
        first, group = groups(vehicles)
        each = vehicles[first]
        mm = millimetres(legs(latitude, longitude, first, self.latitude[each], self.longitude[each]))
        total = np.cumsum(mm)
        total += (self.distance_mm[each] - total[first] + mm[first])[group]
        slot = slots_of(time, self._slide_ms)
        key = (group << TIME_BITS) | slot
        begins = np.empty(len(key), np.bool_)
        begins[:1] = True
        np.not_equal(key[1:], key[:-1], out=begins[1:])
        opens = np.flatnonzero(begins)
        windows = self._windows(vehicles[opens], slot[opens], key[opens], opens, time, total)
        newest = ends(first, len(key))
        self.latitude[each], self.longitude[each] = latitude[newest], longitude[newest]
        self.distance_mm[each], self.last_slot[each] = total[newest], slot[newest]
        # no window reaches further back than so many slots; of two that share a place the later one stays
        of = np.searchsorted(opens, first)
        count = np.minimum(sizes(of, len(opens)), self._slots)
        recent = spread(ends(of, len(opens)) + 1 - count, count)
        place = windows.slot[recent] % self._slots
        self.first_time[windows.vehicle[recent], place] = time[opens[recent]]
        self.first_mm[windows.vehicle[recent], place] = total[opens[recent]]
        return windows

    def remembered(self, vehicles: int) -> Booleans:
        """Return which places of the first so many vehicles hold something that a window may reach."""
        oldest = (self.last_slot[:vehicles] - self._slots) * self._slide_ms
        return self.first_time[:vehicles] > np.maximum(oldest, NEVER)[:, None]

    def remember(self, vehicles: Integers, time: Integers, mm: Integers) -> None:
        """Take what an odometer, perhaps of another slide, remembered: the first fix of a slot stays."""
        order = np.argsort(-time, kind="stable")
        vehicles, time, mm = vehicles[order], time[order], mm[order]
        slot = slots_of(time, self._slide_ms)
        np.maximum.at(self.last_slot, vehicles, slot)
        fits = slot > self.last_slot[vehicles] - self._slots
        vehicles, time, mm, place = vehicles[fits], time[fits], mm[fits], slot[fits] % self._slots
        self.first_time[vehicles, place] = time
        self.first_mm[vehicles, place] = mm

    def _windows(
        self,
        vehicle: Integers,
        slot: Integers,
        key: Integers,
        opens: Integers,
        time: Integers,
        total: Integers,
    ) -> Windows:
        begin = slot - self._slots
        last = ends(opens, len(time))
        earliest = opens[self._earliest(key)]
        since, since_mm = time[earliest], total[earliest]
        # windows that reach back to before these fixes
        back = np.flatnonzero(begin < self.last_slot[vehicle])
        stored = self.first_time[vehicle[back]]
        within = stored > (begin[back] * self._slide_ms)[:, None]
        since[back] = np.minimum(since[back], np.where(within, stored, FAR).min(axis=1))
        stored_mm = np.where(within, self.first_mm[vehicle[back]], FAR).min(axis=1)
        since_mm[back] = np.minimum(since_mm[back], stored_mm)
        span = time[last] - since
        speed = (total[last] - since_mm) * 3.6 / np.maximum(span, 1)
        speed[span < self._min_span_ms] = np.nan
        return Windows(vehicle, slot, last, speed)

    def _earliest(self, key: Integers) -> Integers:
        """Return for each window the first of the given slots that lies in it; `key` rises."""
        most = self._slots - 1
        wanted = key - most
        # slots before it that are given: `most` or fewer. So halving takes fewer looks than a search
        before = np.maximum(np.arange(len(key)) - most, 0) - 1
        for power in reversed(range(most.bit_length())):
            ahead = np.minimum(before + (1 << power), len(key) - 1)
            before += (key[ahead] < wanted) * (1 << power)
        return before + 1


def slots_of(time: Integers, slide_ms: int) -> Integers:
    """Return in which slot a time lies: k for ((k - 1) * slide, k * slide]."""
    return -(-time // slide_ms)
