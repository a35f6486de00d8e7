"""How far vehicles came: which legs between fixes count, without noise and without jumps.

The rule, fix after fix in rising time (what is not later than the fix before it never gets here):

1. The first fix of a vehicle counts as a place, without a distance.
2. A fix that cannot be reached from the fix before it at the highest speed is a jump: it counts as a place,
   without a distance. After a wrong fix the way back is a jump, too.
3. Any other fix counts when it is `noise` or more from the last fix that counts, with the distance between
   the two.

In C that is a loop. On columns, where nothing was compiled, rule 3 needs none either: a leg of at
least twice the noise always counts (the last fix that counts is less than the noise away from the fix
before), and after a fix that counts each leg of at least the noise does too. What is between such fixes is
compared with the one before all at once; most of it never leaves it (a parked vehicle). Only fixes of a
vehicle that creeps are looked at one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetflow.motion.fixes import Fixes
from fleetflow.motion.runs import Booleans, Floats, Integers, ends, spread
from fleetflow.motion.sphere import EARTH_RADIUS_M, NODES, chords, on_sphere
from fleetflow.native import motion as native

MARGIN = 1e-3 / EARTH_RADIUS_M
"""One millimetre: far more than what rounding can make of a chord."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The two thresholds, in earth radii and earth radii per second, as chords."""

    noise: float
    speed: float

    @classmethod
    def of(cls, noise_m: float, max_kmh: float) -> Rule:
        """Return the rule for metres and kilometres per hour."""
        return cls(2 * float(np.sin(noise_m / 2 / EARTH_RADIUS_M)), max_kmh / 3.6 / EARTH_RADIUS_M)


@dataclass(frozen=True, slots=True)
class Travelled:
    """What counts: leg i leads to row `end[i]` of the fixes, rising, and is `squared[i]` long (as a squared
    chord, for `millimetres`).

    `latest` and `counted`: what is to be remembered of each vehicle, see `travel`.
    """

    end: Integers
    squared: Floats
    latest: Floats
    counted: Floats


def travel(fixes: Fixes, rule: Rule, latest: Floats, counted: Floats, latest_ms: Integers) -> Travelled:
    """Return which legs count of fixes that are each later than all of their vehicle before (`later_ones`).

    What is remembered of each of `fixes.vehicles`: `latest` (vehicles, 3), the latest fix as a point on the
    unit sphere, `latest_ms` its time, and `counted` (vehicles, 3), the last fix that counted; points that are
    not a number for a new vehicle, with any time. The outcome does not depend on how fixes were batched.
    """
    found = native.travel(
        (fixes.time, fixes.latitude, fixes.longitude, fixes.first),
        NODES,
        (rule.noise * rule.noise, rule.speed / 1000),
        (latest, counted, latest_ms),
    )
    if found is not None:
        return Travelled(*found)
    points = on_sphere(fixes.latitude, fixes.longitude)
    return _on_columns(_Tracks(points, fixes.time, fixes.first, latest.T, latest_ms, counted.T), rule)


@dataclass(frozen=True, slots=True)
class _Tracks:
    """Fixes of some vehicles, one vehicle after the other, each in rising time: `points` (3, n), `time_ms`
    (n,), `first` where each vehicle begins. Of each vehicle `latest`, `counted` (3, vehicles), `latest_ms`.
    """

    points: Floats
    time_ms: Integers
    first: Integers
    latest: Floats
    latest_ms: Integers
    counted: Floats


@dataclass(frozen=True, slots=True)
class _Stays:
    """Runs of rows of one vehicle that may not count: rows `first[i]` to `last[i]`.

    `start` (3, runs) is the last fix that counted before a run, and `counted` (3, runs) at its end.
    """

    first: Integers
    last: Integers
    start: Floats
    counted: Floats


def _on_columns(tracks: _Tracks, rule: Rule) -> Travelled:
    points, first = tracks.points, tracks.first
    size = len(tracks.time_ms)
    leg = np.empty(size)
    leg[1:] = chords(points[:, 1:], points[:, :-1])
    leg[first] = chords(points[:, first], tracks.latest)
    # not `leg > reach`: nothing is known of how to get to the first fix of a vehicle
    fresh = leg <= _reach(tracks, rule)
    np.logical_not(fresh, out=fresh)
    sure = _sure(leg, fresh, tracks, rule)
    # legs lead from the fix before, which counts if it is sure; other ones are set right from here on
    leg[first] = chords(points[:, first], tracks.counted)
    stays = _stays(sure, tracks)
    counts = sure > fresh
    _creep(stays, points, counts, leg, rule)
    after = stays.last + 1
    follows = np.flatnonzero(~np.isin(after, first) & (after < size))
    leg[after[follows]] = chords(points[:, after[follows]], stays.counted[:, follows])
    counted = points[:, ends(first, size)]
    # a stay that ends where its vehicle does
    open_ = np.delete(np.arange(len(after)), follows)
    counted[:, np.searchsorted(first, after[open_]) - 1] = stays.counted[:, open_]
    end = np.flatnonzero(counts)
    return Travelled(end, leg[end], points[:, ends(first, size)].T, counted.T)


def _reach(tracks: _Tracks, rule: Rule) -> Floats:
    """Return the squared chords that a vehicle can be away from its fix before, at the highest speed."""
    time = tracks.time_ms
    reach = np.empty(len(time))
    np.subtract(time[1:], time[:-1], out=reach[1:])
    reach[tracks.first] = time[tracks.first] - tracks.latest_ms
    reach *= rule.speed / 1000
    reach *= reach
    return reach


def _sure(leg: Floats, fresh: Booleans, tracks: _Tracks, rule: Rule) -> Booleans:
    """Return where a fix is known to be a counted one whatever was before it."""
    sure = leg >= (2 * rule.noise + MARGIN) ** 2
    sure |= fresh
    # of the rest these count if the fix before them does
    rows = np.flatnonzero((leg >= rule.noise * rule.noise) > sure)
    if not len(rows):
        return sure
    is_first = np.zeros(len(leg), np.bool_)
    is_first[tracks.first] = True
    begins = np.append(True, np.diff(rows) != 1) | is_first[rows]
    begin = rows[begins]
    before = sure[begin - 1]
    # before its first fix of a batch a vehicle's latest fix may be the last one that counts
    settled = np.all(tracks.latest == tracks.counted, axis=0)
    heads = np.flatnonzero(is_first[begin])
    before[heads] = settled[np.searchsorted(tracks.first, begin[heads])]
    sure[rows] = before[np.cumsum(begins) - 1]
    return sure


def _stays(sure: Booleans, tracks: _Tracks) -> _Stays:
    """Return the runs of fixes that are not sure."""
    unsure = ~sure
    begins = unsure.copy()
    begins[1:] &= sure[:-1]
    begins[tracks.first] = unsure[tracks.first]
    finishes = unsure
    finishes[:-1] &= sure[1:] | begins[1:]
    first, last = np.flatnonzero(begins), np.flatnonzero(finishes)
    start = tracks.points[:, first - 1]
    vehicle = np.minimum(np.searchsorted(tracks.first, first), len(tracks.first) - 1)
    heads = np.flatnonzero(tracks.first[vehicle] == first)
    start[:, heads] = tracks.counted[:, vehicle[heads]]
    return _Stays(first, last, start, start.copy())


def _creep(stays: _Stays, points: Floats, counts: Booleans, leg: Floats, rule: Rule) -> None:
    """Look at the stays that a fix left: set `counts` and `leg` of their fixes, and what counted last."""
    if not len(stays.first):
        return
    limit = rule.noise * rule.noise
    size = stays.last - stays.first + 1
    rows = spread(stays.first, size)
    left = chords(points[:, rows], np.repeat(stays.start, size, axis=1)) >= limit
    begin = np.cumsum(size) - size
    for i in np.flatnonzero(np.logical_or.reduceat(left, begin)).tolist():
        x, y, z = stays.start[:, i].tolist()
        place = int(stays.first[i])
        for px, py, pz in points[:, place : int(stays.last[i]) + 1].T.tolist():
            dx, dy, dz = px - x, py - y, pz - z
            away = dx * dx + dy * dy + dz * dz
            if away >= limit:
                counts[place], leg[place] = True, away
                x, y, z = px, py, pz
            place += 1
        stays.counted[:, i] = x, y, z
