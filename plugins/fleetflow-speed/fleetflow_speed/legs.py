"""Legs that may have been driven faster than a limit, told with few operations."""

from __future__ import annotations

import numpy as np

from fleetflow.motion.runs import Floats, Integers, few_true, sizes
from fleetflow.motion.sphere import EARTH_RADIUS_M
from fleetflow.native import motion as native

MM_PER_DEGREE = EARTH_RADIUS_M * 1000 * np.pi / 180
SLACK = 1.01
ROUNDED_MM2 = 26.0
"""A leg told in whole millimetres is half of one longer at most: (d + 0.5)^2 <= 1.01 d^2 + 25.25."""


def fast_legs(
    time: Integers,
    latitude: Floats,
    longitude: Floats,
    first: Integers,
    before_time: Integers,
    before_latitude: Floats,
    before_longitude: Floats,
    limit_kmh: float,
) -> Integers:
    """Return the rows whose leg, from the row before, may be faster than the limit; all others are not.

    Rows are given vehicle after vehicle in order of time (milliseconds; positions in degrees); `first` tells
    where each vehicle begins, and what begins with `before_` where it was before, not a number for nowhere.
    No way on a sphere is longer than the one that is straight on a map, along the parallel nearest to the
    equator: legs are measured on that map, without a sine of each.
    """
    width = _width(latitude, first, before_latitude)
    reach_per_ms = limit_kmh / 3.6 / MM_PER_DEGREE / SLACK**0.5
    slack = ROUNDED_MM2 / MM_PER_DEGREE**2 / SLACK
    before = (before_time, before_latitude, before_longitude)
    found = native.fast_legs(time, latitude, longitude, first, before, width, reach_per_ms, slack)
    if found is not None:
        return found
    mm2: Floats = _steps(longitude, first, before_longitude)
    mm2 *= mm2
    mm2 *= np.repeat(width, sizes(first, len(time)))
    north = _steps(latitude, first, before_latitude)
    north *= north
    mm2 += north
    reach: Floats = _steps(time, first, before_time)
    reach *= reach_per_ms
    reach *= reach
    reach -= slack
    return few_true(mm2 > reach)


def _steps(column: Integers | Floats, first: Integers, before: Integers | Floats) -> Floats:
    steps = np.empty(len(column))
    np.subtract(column[1:], column[:-1], out=steps[1:])
    steps[first] = column[first] - before
    return steps


def _width(latitude: Floats, first: Integers, before: Floats) -> Floats:
    """Return the squared width of a degree of longitude per vehicle, where it came nearest to the equator."""
    low = np.fmin(np.minimum.reduceat(latitude, first), before)
    high = np.fmax(np.maximum.reduceat(latitude, first), before)
    width: Floats = np.cos(np.radians(np.maximum(np.maximum(low, -high), 0))) ** 2
    return width
