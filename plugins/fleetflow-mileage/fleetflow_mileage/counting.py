"""Which legs between the fixes of a vehicle count: the rule itself, on columns.

The rule, fix after fix in rising time (what is not later than the fix before it never gets here):

1. The first fix of a vehicle counts as a place, without a distance.
2. A fix that can be reached from the last good fix at the highest speed is good. When it is `noise` or more
   from the last counted fix, the leg between these two counts, and it is the last counted fix from then on.
3. A fix that cannot be reached is a jump, and is set aside. When the next fix cannot be reached from the
   last good fix either, but from the one set aside, the vehicle is there: that fix counts as a place,
   without a distance.

Rule 2 needs the fix before it, which looks like a loop over all pings. It is not one: a leg of at least
twice the noise always counts (the last counted fix is less than the noise away from the fix before), and
after a fix that counts each leg of at least the noise does too. What is between such fixes is compared with
the one before all at once; most of it never leaves it (a parked vehicle). Only fixes of a vehicle that
creeps, and vehicles with a jump in the batch, are looked at one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleetflow_mileage.geometry import RADIUS_M, Floats, Ints, chord2

Bools = npt.NDArray[np.bool_]
MARGIN = 1e-3 / RADIUS_M
"""One millimetre: far more than what rounding can make of a chord."""
NOTHING = -1


@dataclass(frozen=True, slots=True)
class Rule:
    """The two thresholds, in earth radii and earth radii per second, as chords."""

    noise: float
    speed: float

    @classmethod
    def of(cls, noise_m: float, max_kmh: float) -> Rule:
        """Return the rule for metres and kilometres per hour."""
        return cls(2 * float(np.sin(noise_m / 2 / RADIUS_M)), max_kmh / 3.6 / RADIUS_M)


@dataclass(slots=True)
class Fixes:
    """Fixes of some vehicles, one vehicle after the other, each led by what is remembered of it (its head).

    `points` (3, n) and `time` (n,): at a head the last good fix, NaN and -inf for a new vehicle. `heads`:
    their places, rising. `good`, `counted` and `aside` (3, vehicles): the last good fix, the last counted
    one, and the one set aside, whose `aside_time` is NaN when there is none.
    """

    points: Floats
    time: Floats
    heads: Ints
    good: Floats
    counted: Floats
    aside: Floats
    aside_time: Floats


@dataclass(frozen=True, slots=True)
class Counted:
    """What counts: leg i leads to place `end[i]`, rising, and is `squared[i]` long (as a squared chord); and
    per vehicle the places of its last counted, last good and set-aside fix, a head being the remembered one.

    `aside` is NOTHING where there is none.
    """

    end: Ints
    squared: Floats
    counted: Ints
    good: Ints
    aside: Ints


def count(fixes: Fixes, rule: Rule) -> Counted:
    """Apply the rule."""
    points, time, heads = fixes.points, fixes.time, fixes.heads
    size = time.shape[0]
    places = np.arange(size)
    ends = np.append(heads[1:], size) - 1
    leg = np.empty(size)
    leg[0] = np.nan
    leg[1:] = chord2(points[:, 1:], points[:, :-1])
    leg[heads] = np.nan
    with np.errstate(invalid="ignore"):
        reach = np.diff(time, prepend=np.nan) * rule.speed
        jump = leg > reach * reach
    jump[heads] = False
    is_head = np.zeros(size, np.bool_)
    is_head[heads] = True
    fresh = np.isnan(leg) & ~is_head
    # from here on a head stands for the last counted fix; where that is the last good one, nothing moves
    settled = np.all(points[:, heads] == fixes.counted, axis=0)
    points[:, heads] = fixes.counted

    odd = ~np.isnan(fixes.aside_time)
    if jump.any():
        odd[np.searchsorted(heads, np.flatnonzero(jump), "right") - 1] = True
    odd_row = np.repeat(odd, ends - heads + 1) if odd.any() else None

    sure = _sure(leg, is_head, fresh, heads[~settled], rule)
    if odd_row is not None:
        sure |= odd_row
    before = np.maximum.accumulate(np.where(sure, places, 0))
    last = places.copy()
    source = np.full(size, NOTHING)
    _creep(points, sure, before, last, source, rule)
    counts = sure & ~is_head & ~fresh
    if odd_row is not None:
        counts &= ~odd_row
    sure_rows = np.flatnonzero(counts)
    source[sure_rows] = last[before[sure_rows - 1]]

    counted, good, aside = last[before[ends]], ends.copy(), np.full(heads.shape[0], NOTHING)
    if odd_row is not None:
        for vehicle in np.flatnonzero(odd).tolist():
            outcome = _one_by_one(fixes, vehicle, int(ends[vehicle]), source, rule)
            counted[vehicle], good[vehicle], aside[vehicle] = outcome
    end = np.flatnonzero(source != NOTHING)
    start = source[end]
    squared = leg[end]
    longer = np.flatnonzero((start != end - 1) | is_head[start])
    squared[longer] = chord2(points[:, end[longer]], points[:, start[longer]])
    return Counted(end, squared, counted, good, aside)


def _sure(leg: Floats, is_head: Bools, fresh: Bools, unsettled: Ints, rule: Rule) -> Bools:
    """Return where a fix is known to be a counted one whatever was before it; heads among them."""
    places = np.arange(leg.shape[0])
    with np.errstate(invalid="ignore"):
        moved = leg >= rule.noise * rule.noise
        far = leg >= (2 * rule.noise + MARGIN) ** 2
    known = far | fresh | is_head
    stop = ~(moved | known)
    known[unsettled] = False
    stop[unsettled] = True
    since = np.maximum.accumulate(np.where(known, places, NOTHING))
    stopped = np.maximum.accumulate(np.where(stop, places, NOTHING))
    sure: Bools = known | is_head | (moved & (since > stopped))
    return sure


def _creep(points: Floats, sure: Bools, before: Ints, last: Ints, source: Ints, rule: Rule) -> None:
    """Fill `source` and `last` for fixes between the sure ones that left the one before them."""
    limit = rule.noise * rule.noise
    unsure = np.flatnonzero(~sure)
    if not unsure.size:
        return
    with np.errstate(invalid="ignore"):
        left = chord2(points[:, unsure], points[:, before[unsure]]) >= limit
    if not left.any():
        return
    creeping = np.zeros(sure.shape[0], np.bool_)
    creeping[before[unsure[left]]] = True
    rows = np.flatnonzero(creeping[before])
    segment = anchor = NOTHING
    ax = ay = az = 0.0
    columns = (rows.tolist(), sure[rows].tolist(), *points[:, rows].tolist())
    for place, is_sure, x, y, z in zip(*columns, strict=True):
        if is_sure:
            segment = anchor = place
            ax, ay, az = x, y, z
            continue
        dx, dy, dz = x - ax, y - ay, z - az
        if dx * dx + dy * dy + dz * dz >= limit:
            source[place] = anchor
            last[segment] = anchor = place
            ax, ay, az = x, y, z


def _one_by_one(fixes: Fixes, vehicle: int, end: int, source: Ints, rule: Rule) -> tuple[int, int, int]:
    """Apply the rule to one vehicle, fix after fix; returns its counted, good and set-aside places."""
    head = int(fixes.heads[vehicle])
    limit = rule.noise * rule.noise
    good_at, counted_at, aside_at = (
        tuple(column[:, vehicle].tolist()) for column in (fixes.good, fixes.counted, fixes.aside)
    )
    good_time, aside_time = float(fixes.time[head]), float(fixes.aside_time[vehicle])
    good = counted = head
    aside = NOTHING if math.isnan(aside_time) else head
    times = fixes.time[head + 1 : end + 1].tolist()
    points = zip(*fixes.points[:, head + 1 : end + 1].tolist(), strict=True)
    for place, time, at in zip(range(head + 1, end + 1), times, points, strict=True):
        if good_time == -math.inf:
            good = counted = place
            good_at, counted_at, good_time = at, at, time
        elif _within(good_at, at, (time - good_time) * rule.speed):
            good, aside = place, NOTHING
            good_at, good_time = at, time
            if _chord2(counted_at, at) >= limit:
                source[place] = counted
                counted, counted_at = place, at
        elif aside != NOTHING and _within(aside_at, at, (time - aside_time) * rule.speed):
            good = counted = place
            good_at, counted_at, good_time, aside = at, at, time, NOTHING
        else:
            aside, aside_at, aside_time = place, at, time
    return counted, good, aside


Point = tuple[float, ...]


def _chord2(a: Point, b: Point) -> float:
    x, y, z = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    return x * x + y * y + z * z


def _within(a: Point, b: Point, reach: float) -> bool:
    return _chord2(a, b) <= reach * reach
