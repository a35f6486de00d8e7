"""Which legs between the fixes of a vehicle count: the rule itself, on columns.

The rule, fix after fix in rising time (what is not later than the fix before it never gets here):

1. The first fix of a vehicle counts as a place, without a distance.
2. A fix that cannot be reached from the fix before it at the highest speed is a jump: it counts as a place,
   without a distance. After a wrong fix the way back is a jump, too.
3. Any other fix counts when it is `noise` or more from the last fix that counts, with the distance between
   the two.

Rule 3 needs the last fix that counts, which looks like a loop over all pings. It is not one: a leg of at
least twice the noise always counts (the last fix that counts is less than the noise away from the fix
before), and after a fix that counts each leg of at least the noise does too. What is between such fixes is
compared with the one before all at once; most of it never leaves it (a parked vehicle). Only fixes of a
vehicle that creeps are looked at one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetflow.motion.runs import Booleans, Floats, Integers, ends
from fleetflow.motion.sphere import EARTH_RADIUS_M, chords

MARGIN = 1e-3 / EARTH_RADIUS_M
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
        return cls(2 * float(np.sin(noise_m / 2 / EARTH_RADIUS_M)), max_kmh / 3.6 / EARTH_RADIUS_M)


@dataclass(slots=True)
class Tracks:
    """Fixes of some vehicles, one vehicle after the other, each led by what is remembered of it (its head).

    `points` (3, n) and `time` (n,): at a head the latest fix, NaN and -inf for a new vehicle. `heads`: their
    places, rising. `counted` (3, vehicles): the last fix that counted.
    """

    points: Floats
    time: Floats
    heads: Integers
    counted: Floats


@dataclass(frozen=True, slots=True)
class Counted:
    """What counts: leg i leads to place `end[i]`, rising, and is `squared[i]` long (as a squared chord).

    `counted` holds per vehicle its last fix that counts (3, vehicles).
    """

    end: Integers
    squared: Floats
    counted: Floats


def count(tracks: Tracks, rule: Rule) -> Counted:
    """Apply the rule; the points of heads are overwritten."""
    points, time, heads = tracks.points, tracks.time, tracks.heads
    size = time.shape[0]
    places = np.arange(size)
    leg, reach = np.empty(size), np.empty(size)
    leg[0] = reach[0] = np.nan
    leg[1:] = chords(points[:, 1:], points[:, :-1])
    with np.errstate(invalid="ignore"):
        np.subtract(time[1:], time[:-1], out=reach[1:])
        reach *= rule.speed
        reach *= reach
        # not `leg > reach`: nothing is known of how to get to the first fix of a vehicle
        fresh = ~(leg <= reach)
    is_head = np.zeros(size, np.bool_)
    is_head[heads] = True
    fresh[heads] = False
    leg[heads] = np.nan
    # from here on a head stands for the last fix that counted; where that is the latest one, nothing moves
    settled = np.all(points[:, heads] == tracks.counted, axis=0)
    points[:, heads] = tracks.counted

    sure = _sure(leg, is_head, fresh, heads[~settled], rule)
    before = np.maximum.accumulate(np.where(sure, places, 0))
    last = places.copy()
    source = np.full(size, NOTHING)
    _creep(points, sure, before, last, source, rule)
    rows = np.flatnonzero(sure & ~is_head & ~fresh)
    source[rows] = last[before[rows - 1]]

    end = np.flatnonzero(source != NOTHING)
    start = source[end]
    squared = leg[end]
    longer = np.flatnonzero((start != end - 1) | is_head[start])
    squared[longer] = chords(points[:, end[longer]], points[:, start[longer]])
    return Counted(end, squared, points[:, last[before[ends(heads, size)]]])


def _sure(leg: Floats, is_head: Booleans, fresh: Booleans, unsettled: Integers, rule: Rule) -> Booleans:
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
    sure: Booleans = known | is_head | (moved & (since > stopped))
    return sure


def _creep(
    points: Floats, sure: Booleans, before: Integers, last: Integers, source: Integers, rule: Rule
) -> None:
    """Fill `source` and `last` for fixes between the sure ones that left the one before them."""
    limit = rule.noise * rule.noise
    unsure = np.flatnonzero(~sure)
    if not unsure.size:
        return
    with np.errstate(invalid="ignore"):
        left = chords(points[:, unsure], points[:, before[unsure]]) >= limit
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
