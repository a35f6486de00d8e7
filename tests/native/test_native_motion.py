"""What is done with fixes in C has the same result, to the last bit, as on columns in Python."""

from contextlib import contextmanager
from unittest import mock

import numpy as np
import polars as pl
import pytest
from fleetflow_areas.grid import Grid
from fleetflow_speed.legs import fast_legs
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.motion import fixes as fixing
from fleetflow.motion.fixes import Fixes, Numbering, fixes_of
from fleetflow.motion.runs import sizes
from fleetflow.motion.sphere import millimetres
from fleetflow.motion.travel import Rule, travel
from fleetflow.native import motion as native
from fleetflow.native.library import library
from fleetflow.native.vehicles import runs

pytestmark = pytest.mark.skipif(library() is None, reason="nothing was compiled: there is no C compiler")

NODES = st.integers(-1440, 1440).map(lambda n: n / 16)
LATITUDES = st.floats(-90, 90) | NODES
LONGITUDES = st.floats(-180, 180) | NODES.map(lambda n: n * 2)
STEPS = st.floats(-1e-3, 1e-3) | st.just(0.0)
ODD = st.sampled_from([float("nan"), float("inf"), -float("inf"), -0.0, 1e300, 90.0, -180.0, 181.0])


@contextmanager
def in_python():
    with (
        mock.patch.object(native, "library", return_value=None),
        mock.patch.object(fixing, "runs", return_value=None),
    ):
        yield


def same(one, other):
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        # -0.0 is 0.0: a chord knows no sign
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    else:
        assert one == other


@st.composite
def tracks(draw):
    """Fixes of some vehicles: places, the steps from there, and how long each takes."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.tuples(LATITUDES, LONGITUDES))
        time = draw(st.integers(0, 10**12))
        rows = []
        for _ in range(draw(st.integers(1, 6))):
            if draw(st.booleans()):
                place = draw(st.tuples(LATITUDES, LONGITUDES))
            for _ in range(draw(st.sampled_from([1, 2, 300]))):
                north, east = draw(st.tuples(STEPS, STEPS)) if len(rows) < 20 else (1e-4, -2e-4)
                place = (
                    float(np.clip(place[0] + north, -90, 90)),
                    float(np.clip(place[1] + east, -180, 180)),
                )
                time += draw(st.sampled_from([1, 1000, 20_000])) if len(rows) < 20 else 5000
                rows.append((time, *place))
        found.append(rows)
    return found


def fixes(vehicles):
    time, latitude, longitude = map(np.array, zip(*(row for rows in vehicles for row in rows), strict=True))
    size = np.array([len(rows) for rows in vehicles])
    first = np.cumsum(size) - size
    numbers = np.arange(len(vehicles))
    group = np.repeat(numbers, size)
    rows = np.arange(len(time))
    return Fixes(rows, time, latitude.astype(float), longitude.astype(float), numbers, first, group, True)


@given(tracks(), st.sampled_from([5.0, 20.0, 100.0]), st.sampled_from([50.0, 250.0]), st.data())
def test_the_same_legs_count(vehicles, noise_m, max_kmh, data):
    rule = Rule.of(noise_m, max_kmh)
    every = []
    for cut in (False, True):
        latest, counted = (np.full((len(vehicles), 3), np.nan) for _ in range(2))
        latest_ms = np.full(len(vehicles), -1)
        place = data.draw(st.integers(1, 5)) if cut else 1
        parts = [[rows[:place] for rows in vehicles], [rows[place:] for rows in vehicles]]
        for part in parts:
            there = np.array([bool(rows) for rows in part])
            if not there.any():
                continue
            given_fixes = fixes([rows for rows in part if rows])
            known = (latest[there], counted[there], latest_ms[there])
            found = travel(given_fixes, rule, *known)
            with in_python():
                wanted = travel(given_fixes, rule, *known)
            for name in ("end", "squared", "latest", "counted"):
                same(getattr(found, name), getattr(wanted, name))
            latest[there], counted[there] = found.latest, found.counted
            latest_ms[there] = [rows[-1][0] for rows in part if rows]
        every.append((latest, counted))
    same(every[0][1], every[1][1])


@given(st.lists(st.floats(0, 4) | st.floats(0, 1e-5) | ODD, max_size=30))
def test_the_same_millimetres(squared):
    chords = np.abs(np.minimum(np.array(squared, np.float64), 4))
    found = millimetres(chords)
    with in_python():
        same(found, millimetres(chords))


@given(tracks(), st.sampled_from([0.5, 50.0, 900.0]))
def test_the_same_legs_may_be_fast(vehicles, limit_kmh):
    some = fixes(vehicles)
    before = [some.time[some.first] - 1000, some.latitude[some.first] + 1e-4, some.longitude[some.first]]
    before[1][0] = np.nan
    arguments = (some.time, some.latitude, some.longitude, some.first, *before, limit_kmh)
    found = fast_legs(*arguments)
    with in_python():
        same(found, fast_legs(*arguments))


boxes = st.lists(
    st.tuples(LONGITUDES, LATITUDES, st.floats(0, 5), st.floats(0, 5)).map(
        lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
    ),
    max_size=6,
)


@given(boxes, st.lists(st.tuples(LATITUDES | ODD, LONGITUDES | ODD), max_size=20))
def test_the_same_boxes_are_near(boxes, places):
    grid = Grid(np.array(boxes, np.float64).reshape(-1, 4))
    latitude, longitude = np.array(places, np.float64).reshape(-1, 2).T
    found = grid.near(latitude, longitude)
    with in_python(), np.errstate(over="ignore", invalid="ignore"):
        for one, other in zip(found, grid.near(latitude, longitude), strict=True):
            same(one, other)


PINGS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "a name of many letters", None]),
        LATITUDES | ODD,
        LONGITUDES | ODD,
        st.floats(0, 1e9) | st.integers(0, 50).map(lambda n: n / 4) | ODD | st.just(2.0**43 / 1000),
        st.integers(1, 40),
    ),
    max_size=6,
)


@given(st.lists(PINGS, min_size=1, max_size=3))
def test_the_same_fixes_are_usable(batches):
    numberings = Numbering(), Numbering()
    for batch in batches:
        rows = [(vin, lat, lon, time + i) for vin, lat, lon, time, many in batch for i in range(many)]
        schema = {"vin": pl.String, "latitude": pl.Float64, "longitude": pl.Float64, "time": pl.Float64}
        pings = pl.DataFrame(rows, schema, orient="row")
        found = fixes_of(pings, numberings[0])
        with in_python(), np.errstate(over="ignore", invalid="ignore"):
            # another frame: what is known of the first one is shared
            wanted = fixes_of(pings.clone(), numberings[1])
        assert (found is None) == (wanted is None)
        assert numberings[0].vins == numberings[1].vins
        for name in Fixes.__slots__ if found is not None else ():
            same(getattr(found, name), getattr(wanted, name))


@given(st.lists(st.tuples(st.sampled_from(["", "A", "B", "a name of many letters"]), st.integers(1, 9))))
def test_runs_begin_where_another_vehicle_does(vehicles):
    vins = [vin for vin, many in vehicles for _ in range(many)]
    begins = [row for row in range(len(vins)) if row == 0 or vins[row] != vins[row - 1]]
    found = runs(pl.Series(vins, dtype=pl.String))
    if found is None:
        assert len(begins) > len(vins) / 2
    else:
        assert found.tolist() == begins
        assert sizes(found, len(vins)).sum() == len(vins)


def test_who_has_no_vin_is_left_to_others():
    assert runs(pl.Series(["A", None])) is None
