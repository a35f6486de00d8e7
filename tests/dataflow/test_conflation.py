"""Of many pings of one vehicle the newest, whatever the order and the portions."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.dataflow.conflation import Conflator, merge, newest
from fleetflow.dataflow.plain import from_plain, to_plain

SCHEMA = {
    "vin": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "time": pl.Float64(),
    "sequence": pl.Int64(),
    "source": pl.String(),
    "received_at": pl.Float64(),
}
rows = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.sampled_from([1.0, 2.0]),
        st.just(3.0),
        st.sampled_from([10.0, 11.0]),
        st.integers(0, 2),
        st.sampled_from(["alpha", "beta"]),
        st.just(0.0),
    ),
    max_size=12,
)


def frame(rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def key(row):
    return (row["time"], row["sequence"], row["latitude"], row["longitude"], row["source"])


@given(rows)
def test_newest_is_the_greatest_of_each_vehicle(rows):
    expected = {}
    for row in frame(rows).iter_rows(named=True):
        if row["vin"] not in expected or key(row) > key(expected[row["vin"]]):
            expected[row["vin"]] = row
    assert {row["vin"]: row for row in newest(frame(rows)).iter_rows(named=True)} == expected


@given(st.permutations([["P0171"], [], ["P0300", "P0171"], ["P0171"]]))
def test_pings_that_differ_in_codes_alone_have_one_newest_whatever_the_order(codes):
    same = frame([("A", 1.0, 3.0, 10.0, 0, "alpha", 0.0)] * len(codes))
    found = newest(same.with_columns(pl.Series("obd_codes", codes, pl.List(pl.String))))
    # the greatest by JSON text: `]` comes after `"`
    assert found["obd_codes"].to_list() == [[]]


def batch(rows):
    counts = {}
    for row in rows:
        counts[row[5]] = counts.get(row[5], Counts()) + Counts(read=1)
    return ShardBatch(frame(rows), counts=counts)


@given(st.lists(rows, min_size=1, max_size=5))
def test_merging_in_any_portions_keeps_the_account(portions):
    merged = merge([merge([batch(portion)]) for portion in portions])
    assert {r["vin"]: r for r in merged.pings.iter_rows(named=True)} == {
        r["vin"]: r
        for r in newest(frame([row for portion in portions for row in portion])).iter_rows(named=True)
    }
    for source, counts in merged.counts.items():
        left = merged.pings.filter(pl.col("source") == source).height
        assert counts.read == counts.superseded + left


@given(rows)
def test_a_snapshot_of_what_is_pending_is_whole(rows):
    pending = batch(rows)
    restored = from_plain(to_plain(pending), SCHEMA)
    assert restored.pings.equals(pending.pings)
    assert restored.counts == pending.counts


def test_pending_of_another_schema_is_conformed():
    older = from_plain(
        to_plain(batch([("A", 1.0, 2.0, 3.0, 4, "alpha", 5.0)])),
        {**SCHEMA, "obd_codes": pl.List(pl.String())},
    )
    assert older.pings["obd_codes"].to_list() == [[]]
    newer = from_plain(to_plain(older), SCHEMA)
    assert newer.pings.columns == list(SCHEMA)


def test_few_vehicles_wait_little_and_many_wait_longer():
    conflator = Conflator(shards=8, least_s=0.05)
    assert conflator.due_at() is None
    conflator.add(batch([("A", 1.0, 2.0, 3.0, 4, "alpha", 5.0)]), now=100.0)
    assert conflator.due_at() == 100.05
    many = frame([(f"V{n}", 1.0, 2.0, 3.0, 4, "alpha", 5.0) for n in range(5000)])
    conflator.add(ShardBatch(many, counts={}), now=100.01)
    # three times what writing them takes
    assert conflator.due_at() == pytest.approx(100 + 3 * 8 * 8e-6 * 5001)
    assert conflator.take().pings.height == 5001
    assert conflator.take() is None


def test_pings_wait_longer_while_more_are_to_be_read():
    conflator = Conflator(shards=8, least_s=0.05)
    row = ("A", 1.0, 2.0, 3.0, 4, "alpha", 5.0)
    conflator.add(ShardBatch(frame([row]), counts={}, backlog=True), now=100.0)
    assert conflator.due_at() == 100.5
    conflator.add(ShardBatch(frame([row]), counts={}), now=100.1)
    assert conflator.due_at() == 100.05


@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_what_has_just_been_sent_does_not_wait_for_a_history(order):
    conflator = Conflator(shards=8, least_s=0.05)
    row = ("A", 1.0, 2.0, 3.0, 4, "alpha", 5.0)
    for backlog in order:
        conflator.add(ShardBatch(frame([row]), counts={}, backlog=backlog), now=100.0)
    assert conflator.due_at() == 100.05
    assert conflator.take().backlog is False
    conflator.add(ShardBatch(frame([row]), counts={}, backlog=True), now=200.0)
    assert conflator.due_at() == 200.5


@pytest.mark.parametrize(("vehicles", "wait_s"), [(100, 0.5), (5_000, 3.84), (50_000, 10), (100_000, 19.2)])
def test_while_more_is_to_be_read_many_vehicles_wait_longer_but_only_some_seconds(vehicles, wait_s):
    conflator = Conflator(shards=8, least_s=0.05)
    many = frame([(f"V{n}", 1.0, 2.0, 3.0, 4, "alpha", 5.0) for n in range(vehicles)])
    conflator.add(ShardBatch(many, counts={}, backlog=True), now=100.0)
    assert conflator.due_at() == pytest.approx(100 + wait_s)
