"""Batches as columns grouped by vehicle: whatever the order, as a slow computation says."""

import math
import pickle

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.motion.fixes import Numbering, fixes_of, in_order, later_ones, newest_before, vehicles_of
from fleetflow.motion.runs import LONG, ends, few_true, groups, grown, sizes, spread, woven
from fleetflow.motion.tables import packed, unpacked

NEVER = -1
SCHEMA = {"vin": pl.String, "latitude": pl.Float64, "longitude": pl.Float64, "time": pl.Float64}

odd = st.sampled_from([math.nan, math.inf, -math.inf, None, -181.0, 1e300])
pings = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C", "D", None]),
        st.one_of(st.integers(-3, 3).map(float), odd),
        st.one_of(st.integers(-3, 3).map(float), odd),
        st.one_of(st.integers(0, 40).map(lambda step: step / 4), odd),
    ),
    max_size=40,
)


def usable(vin, latitude, longitude, time):
    return (
        vin is not None
        and None not in (latitude, longitude, time)
        and abs(latitude) <= 90
        and abs(longitude) <= 180
        and 0 <= time < 1e9
    )


def frame(rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@given(st.lists(pings, max_size=4), st.booleans())
def test_usable_pings_come_vehicle_by_vehicle_in_order_of_arrival(batches, sorted_by_vehicle):
    numbering, seen = Numbering(), []
    for batch in batches:
        rows = sorted(batch, key=lambda row: row[0] or "") if sorted_by_vehicle else batch
        expected = {}
        for number, ping in enumerate(rows):
            if usable(*ping):
                expected.setdefault(ping[0], []).append((number, round(ping[3] * 1000), *ping[1:3]))
        fixes = fixes_of(frame(rows), numbering)
        seen += [vin for vin in expected if vin not in seen]
        assert numbering.vins == seen
        if fixes is None:
            assert not expected
            continue
        columns = (fixes.row, fixes.time, fixes.latitude, fixes.longitude)
        found = {}
        for whose, *values in zip(fixes.group.tolist(), *(c.tolist() for c in columns), strict=True):
            found.setdefault(numbering.vins[fixes.vehicles[whose]], []).append(tuple(values))
        assert found == expected
        assert list(found) == list(expected), "vehicles in order of appearance"
        assert fixes.first.tolist() == groups(fixes.group)[0].tolist()


@given(pings, st.booleans())
def test_rows_with_a_vin_come_vehicle_by_vehicle_whatever_else_they_hold(batch, sorted_by_vehicle):
    rows = sorted(batch, key=lambda row: row[0] or "") if sorted_by_vehicle else batch
    expected = {}
    for number, (vin, *_) in enumerate(rows):
        if vin is not None:
            expected.setdefault(vin, []).append(number)
    found = vehicles_of(frame(rows))
    if found is None:
        assert not expected
        return
    assert list(found.vins) == list(expected)
    assert found.row.tolist() == [number for numbers in expected.values() for number in numbers]
    assert found.group.tolist() == [i for i, n in enumerate(expected.values()) for _ in n]
    assert found.first.tolist() == groups(found.group)[0].tolist()
    if found.in_place:
        assert found.row.tolist() == list(range(len(rows)))


def test_several_that_look_at_one_batch_share_its_arrays_but_not_their_numbers():
    one = frame([("A", 1.0, 2.0, 3.0), ("B", 1.0, 2.0, 4.0)])
    first, second = (fixes_of(one, Numbering(vins)) for vins in ([], ["B"]))
    assert first.time is second.time
    assert (first.vehicles.tolist(), second.vehicles.tolist()) == ([0, 1], [1, 0])
    with pytest.raises(ValueError, match="read-only"):
        first.time[0] = 0
    assert fixes_of(frame([("A", 1.0, 2.0, 5.0)]), Numbering()).time.tolist() == [5000]
    assert fixes_of(one, Numbering()).time.tolist() == [3000, 4000]


@given(st.lists(pings, min_size=1, max_size=4))
def test_newest_before_is_the_running_maximum_of_each_vehicle(batches):
    numbering, stored = Numbering(), np.zeros(0, np.int64)
    newest = {}
    for rows in batches:
        fixes = fixes_of(frame(rows), numbering)
        if fixes is None:
            continue
        stored = grown(stored, len(numbering.vins), NEVER)
        before, last = newest_before(fixes, stored[fixes.vehicles], NEVER)
        expected = []
        for whose, time in zip(fixes.vehicles[fixes.group].tolist(), fixes.time.tolist(), strict=True):
            expected.append(newest.get(whose, NEVER))
            newest[whose] = max(newest.get(whose, NEVER), time)
        assert before.tolist() == expected
        assert in_order(fixes, stored[fixes.vehicles]) == bool((fixes.time > before).all())
        later, _ = later_ones(fixes, stored[fixes.vehicles], NEVER)
        found = [] if later is None else later.row.tolist()
        assert found == fixes.row[fixes.time > before].tolist()
        if later is not None:
            assert later.vehicles[later.group].tolist() == [
                vehicle
                for vehicle, is_later in zip(
                    fixes.vehicles[fixes.group].tolist(), fixes.time > before, strict=True
                )
                if is_later
            ]
        stored[fixes.vehicles] = last
        assert {whose: int(stored[whose]) for whose in newest} == newest


@given(st.lists(st.integers(0, 5), max_size=20))
def test_runs_are_spread_out_and_measured(lengths):
    size = np.array(lengths, np.int64)
    start = 10 * np.arange(len(size))
    assert spread(start, size).tolist() == [10 * i + j for i, n in enumerate(lengths) for j in range(n)]
    keys = np.repeat(np.arange(len(size)), size)
    first, group = groups(keys)
    filled = [n for n in lengths if n]
    assert sizes(first, len(keys)).tolist() == filled
    assert (ends(first, len(keys)) - first + 1).tolist() == filled
    assert np.bincount(group).tolist() == filled


@given(st.lists(st.booleans(), max_size=40))
def test_few_that_are_true_are_found(values):
    mask = np.array(values, np.bool_)
    assert few_true(mask).tolist() == np.flatnonzero(mask).tolist()
    assert few_true(mask[3:]).tolist() == np.flatnonzero(mask[3:]).tolist()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8), st.booleans())
def test_old_and_new_rows_are_woven_run_by_run(lengths, long):
    held, came = (np.array(column) for column in zip(*lengths, strict=True))
    came = came * 2 * LONG if long else came
    old, new = np.arange(held.sum()), 1000 + np.arange(came.sum())
    olds, news, expected = iter(old.tolist()), iter(new.tolist()), []
    for some, more in zip(held, came, strict=True):
        expected += [next(olds) for _ in range(some)] + [next(news) for _ in range(more)]
    first, second = woven([old, old * 2.0], [new, new * 2.0], held, came)
    assert first.tolist() == expected
    assert (second == first * 2.0).all()


def test_columns_grow_by_doubling_and_keep_what_they_hold():
    column = grown(np.zeros(0, np.int64), 1, NEVER)
    assert column.tolist() == [NEVER] * 64
    column[3] = 7
    assert grown(column, 64, NEVER) is column
    assert len(grown(column, 65, NEVER)) == 128
    assert grown(column, 65, NEVER)[3] == 7
    assert grown(np.zeros((2, 5)), 3, 0.0).shape == (64, 5)


def test_tables_go_through_state_unchanged():
    table = frame([("A", 1.0, 2.0, math.inf), ("B", None, math.nan, 0.0)])
    data = pickle.loads(pickle.dumps(packed(table)))
    assert type(data) is bytes
    assert unpacked(data).equals(table)
