"""Legs that may be too fast: none is overlooked, and few others are taken for one."""

import math

import numpy as np
from fleetflow_speed.legs import fast_legs
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fleetflow.motion.sphere import legs, millimetres

position = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
near = st.tuples(st.floats(-0.01, 0.01), st.floats(-0.01, 0.01))
pace_ms = st.integers(1, 10_000_000)
vehicles = st.lists(
    st.tuples(position, st.lists(st.tuples(st.one_of(position, near), pace_ms), min_size=1, max_size=6)),
    min_size=1,
    max_size=4,
)


def columns(vehicles):
    time, latitude, longitude, first, before = [], [], [], [], []
    for (lat, lon), steps in vehicles:
        first.append(len(time))
        before.append((0, lat, lon))
        at = 0
        here = (lat, lon)
        for (to_lat, to_lon), pace in steps:
            if abs(to_lat) <= 0.01 and abs(to_lon) <= 0.01:
                here = (min(90.0, max(-90.0, here[0] + to_lat)), min(180.0, max(-180.0, here[1] + to_lon)))
            else:
                here = (to_lat, to_lon)
            at += pace
            time.append(at)
            latitude.append(here[0])
            longitude.append(here[1])
    arrays = [np.array(column) for column in (time, latitude, longitude, first)]
    return (*arrays, *(np.array(column) for column in zip(*before, strict=True)))


@hypothesis_settings(max_examples=300, deadline=None)
@given(vehicles, st.sampled_from([0.5, 50.0, 113.0, 900.0]))
@example([((0.01, 0.0), [((-0.01, 0.01), 60_000)])], 113.0)
def test_no_leg_above_the_limit_is_overlooked(vehicles, limit_kmh):
    time, latitude, longitude, first, before_time, before_latitude, before_longitude = columns(vehicles)
    mm = millimetres(legs(latitude, longitude, first, before_latitude, before_longitude))
    ms = np.diff(time, prepend=0)
    ms[first] = time[first] - before_time
    found = fast_legs(
        time, latitude, longitude, first, before_time, before_latitude, before_longitude, limit_kmh
    )
    assert set(np.flatnonzero(mm * 3.6 > limit_kmh * ms)) <= set(found.tolist())


def test_a_leg_a_little_below_the_limit_is_none_whatever_its_direction():
    degree_m = 6_371_008.8 * math.pi / 180
    for kmh, expected in ((105.0, []), (120.0, [0])):
        for direction in range(0, 360, 15):
            north = kmh / 3.6 * 10 * math.cos(math.radians(direction)) / degree_m
            east = kmh / 3.6 * 10 * math.sin(math.radians(direction)) / degree_m
            east /= math.cos(math.radians(60))
            arrays = ([10_000], [60 + north], [7 + east], [0], [0], [60.0], [7.0])
            assert fast_legs(*(np.array(array) for array in arrays), 113.0).tolist() == expected


def test_there_is_no_leg_to_the_first_place():
    arrays = ([10_000], [60.0], [7.0], [0], [-1 << 43], [math.nan], [math.nan])
    assert fast_legs(*(np.array(array) for array in arrays), 1.0).tolist() == []
