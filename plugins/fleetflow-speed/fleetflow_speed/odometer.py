"""How far each vehicle had come when, and the speed over a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetflow.motion.fixes import TIME_BITS
from fleetflow.motion.runs import Booleans, Floats, Integers, ends, groups, grown, sizes, spread
from fleetflow.motion.sphere import legs, millimetres
from fleetflow_speed.legs import fast_legs

NEVER = -(1 << TIME_BITS)
FAR = 1 << 62


@dataclass(frozen=True, slots=True)
class Track:
    """Fixes in order of vehicle and time, no two of a vehicle at one time.

    `vehicles` has each vehicle once, `first` where it begins, and `closed` the row up to which its fixes are
    to be driven. Others that are known to follow may come after. `key` is `vehicle_key` of each row.
    """

    vehicles: Integers
    first: Integers
    closed: Integers
    key: Integers
    time: Integers
    latitude: Floats
    longitude: Floats


def vehicle_key(order: Integers, time: Integers) -> Integers:
    """Return numbers that sort as (place of the vehicle in the track, time) do; times from -1 on."""
    return (order << TIME_BITS) + time


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
    and the odometer there are kept, for as many slots as a window has. The odometer says how far a vehicle
    came within a window; stretches over which nobody asks for a speed count as if they were straight.
    """

    def __init__(self, slots: int, slide_ms: int, min_span_ms: int, limit_kmh: float) -> None:
        self._slots = slots
        self._slide_ms = slide_ms
        self._min_span_ms = min_span_ms
        self._limit_kmh = limit_kmh
        self.latitude: Floats = np.zeros(0, np.float64)
        self.longitude: Floats = np.zeros(0, np.float64)
        self.distance_mm: Integers = np.zeros(0, np.int64)
        self.last_slot: Integers = np.zeros(0, np.int64)
        # neither is stored: after a resume both are as late as they can have been
        self._last_time: Integers = np.zeros(0, np.int64)
        self._fast_slot: Integers = np.zeros(0, np.int64)
        self.first_time: Integers = np.zeros((0, slots), np.int64)
        self.first_mm: Integers = np.zeros((0, slots), np.int64)

    def fit(self, vehicles: int) -> None:
        """Make room for so many vehicles."""
        self.latitude = grown(self.latitude, vehicles, np.nan)
        self.longitude = grown(self.longitude, vehicles, np.nan)
        self.distance_mm = grown(self.distance_mm, vehicles, 0)
        self.last_slot = grown(self.last_slot, vehicles, NEVER)
        self._last_time = grown(self._last_time, vehicles, NEVER)
        self._fast_slot = grown(self._fast_slot, vehicles, NEVER)
        self.first_time = grown(self.first_time, vehicles, NEVER)
        self.first_mm = grown(self.first_mm, vehicles, 0)

    def drive(self, track: Track, asked: Booleans) -> Windows:
        """Take the closed fixes of a track, newer than all before; return the windows they end.

        Left out are windows that cannot be above the limit, unless `asked` says of their vehicle that all
        windows are wanted: a mean over legs is not above a limit that none of the legs is above. Some of
        those before the first that can be are told with too little speed.
        """
        fast_slot = self._first_fast(track)
        last_slot = slots_of(track.time[track.closed - 1], self._slide_ms)
        wanted = asked | (fast_slot <= last_slot)
        # what windows from there on, or the ones after these fixes, reach
        oldest = (np.minimum(fast_slot, last_slot) - self._slots) * self._slide_ms
        key = vehicle_key(np.arange(len(oldest)), np.maximum(oldest, -1))
        reached = np.maximum(track.first, np.searchsorted(track.key, key, side="right"))
        begin = np.where(asked, track.first, reached)
        drives = track.closed > track.first
        each, wanted, begin = track.vehicles[drives], wanted[drives], begin[drives]
        count = track.closed[drives] - begin
        rows = spread(begin, count)
        time, latitude, longitude = (c.take(rows) for c in (track.time, track.latitude, track.longitude))
        first, group = np.cumsum(count) - count, np.repeat(np.arange(len(count)), count)

        mm = millimetres(legs(latitude, longitude, first, self.latitude[each], self.longitude[each]))
        total = np.cumsum(mm)
        total += (self.distance_mm[each] - total[first] + mm[first])[group]
        slot = slots_of(time, self._slide_ms)
        opens, _ = groups(vehicle_key(group, slot))
        windows = self._windows(each, wanted, group[opens], slot[opens], opens, time, total)
        newest = ends(first, len(time))
        self.latitude[each], self.longitude[each] = latitude[newest], longitude[newest]
        self.distance_mm[each], self.last_slot[each] = total[newest], slot[newest]
        self._last_time[each] = time[newest]
        # no window reaches further back than so many slots; of two that share a place the later one stays
        of = np.searchsorted(opens, first)
        held = np.minimum(sizes(of, len(opens)), self._slots)
        recent = opens[spread(ends(of, len(opens)) + 1 - held, held)]
        vehicle, place = each[group[recent]], slot[recent] % self._slots
        self.first_time[vehicle, place] = time[recent]
        self.first_mm[vehicle, place] = total[recent]
        return Windows(windows.vehicle, windows.slot, rows[windows.last], windows.speed_kmh)

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
        self._last_time = self.last_slot * self._slide_ms
        self._fast_slot = self.last_slot.copy()
        fits = slot > self.last_slot[vehicles] - self._slots
        vehicles, time, mm, place = vehicles[fits], time[fits], mm[fits], slot[fits] % self._slots
        self.first_time[vehicles, place] = time
        self.first_mm[vehicles, place] = mm

    def _first_fast(self, track: Track) -> Integers:
        """Return per vehicle the slot of the first window that may hold a leg above the limit, or `FAR`."""
        each, first = track.vehicles, track.first
        rows = fast_legs(
            track.time,
            track.latitude,
            track.longitude,
            first,
            self._last_time[each],
            self.latitude[each],
            self.longitude[each],
            self._limit_kmh,
        )
        slot, whose = slots_of(track.time[rows], self._slide_ms), np.searchsorted(first, rows, "right") - 1
        found = np.full(len(each), FAR)
        # the last of what is set at one place stays
        found[whose[::-1]] = slot[::-1]
        first_slot = slots_of(track.time[first], self._slide_ms)
        still = self._fast_slot[each] > first_slot - self._slots
        found[still] = first_slot[still]
        self._fast_slot[each[whose]] = slot
        return found

    def _windows(
        self,
        each: Integers,
        wanted: Booleans,
        group: Integers,
        slot: Integers,
        opens: Integers,
        time: Integers,
        total: Integers,
    ) -> Windows:
        """Return the windows of those of `each` that are wanted; `opens` has the first row of each slot."""
        last = ends(opens, len(time))
        if not wanted.all():
            some = wanted[group]
            group, slot, opens, last = group[some], slot[some], opens[some], last[some]
        vehicle = each[group]
        begin = slot - self._slots
        earliest = opens[self._earliest(vehicle_key(group, slot))]
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
