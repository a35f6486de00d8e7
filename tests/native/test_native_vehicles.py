"""Rows sorted out in C are those that columns choose, and in the shards of a hash of one VIN at a time."""

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.dataflow import conflation
from fleetflow.dataflow.sharding import shard_of
from fleetflow.native.library import library
from fleetflow.native.vehicles import filled, sort_out, text_sizes

pytestmark = pytest.mark.skipif(library() is None, reason="nothing was compiled: there is no C compiler")

VINS = st.one_of(
    st.sampled_from(
        ["A", "B", "", "5FL00000000000902", "5FL00000000000903", "twelve bytes", "thirteen byte"]
    ),
    st.text(max_size=20),
)
TIMES = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 1.5, -1.0, float("inf"), 1e300]), st.floats(allow_nan=False)
)
ROWS = st.lists(st.tuples(VINS, TIMES, st.integers(-3, 3)), max_size=60)


def frame(rows):
    vins, times, sequences = zip(*rows, strict=True) if rows else ((), (), ())
    return pl.DataFrame(
        {
            "vin": pl.Series(vins, dtype=pl.String),
            "latitude": pl.Series(range(len(rows)), dtype=pl.Float64),
            "longitude": pl.Series(range(len(rows)), dtype=pl.Float64),
            "time": pl.Series(times, dtype=pl.Float64),
            "sequence": pl.Series(sequences, dtype=pl.Int64),
        }
    )


def pieces(rows, cuts):
    """The same rows in several chunks, each with other rows around it in memory."""
    borders = [0, *sorted({cut % (len(rows) + 1) for cut in cuts}), len(rows)]
    around = [("before it all", 9.0, 9)]
    parts = [frame(around + rows[a:b] + around).slice(1, b - a) for a, b in pairwise(borders)]
    return pl.concat(parts, rechunk=False)


@given(ROWS, st.lists(st.integers(0, 60), max_size=3), st.integers(1, 9))
def test_newest_rows_are_those_that_columns_find(rows, cuts, shards):
    pings = pieces(rows, cuts)
    wanted = conflation.newest(pings)
    found = sort_out(pings, shards, newest=True)
    newest = {}
    for vin, *order in rows:
        newest.setdefault(vin, []).append(order)
    ties = any(max(orders) == order for orders in newest.values() for order in sorted(orders)[:-1])
    if found is None:
        # some of one vehicle are equally new, perhaps none of them the newest
        assert any(len({tuple(order) for order in orders}) < len(orders) for orders in newest.values())
        return
    assert not ties
    chosen, counts = found
    assert sorted(pings[chosen].rows()) == sorted(wanted.rows())
    assert [shard_of(vin, shards) for vin in pings[chosen]["vin"]] == [
        shard for shard, count in enumerate(counts) for _ in range(count)
    ]


@given(ROWS, st.lists(st.integers(0, 60), max_size=3), st.integers(1, 9))
def test_all_rows_are_parted_in_their_order(rows, cuts, shards):
    pings = pieces(rows, cuts)
    chosen, counts = sort_out(pings, shards, newest=False)
    wanted = sorted(range(len(rows)), key=lambda row: shard_of(rows[row][0], shards))
    assert chosen.to_list() == wanted
    assert sum(counts) == len(rows)


def test_many_vehicles_in_any_order():
    rows = [(f"5FL{(n * 7919) % 5000:014d}", float(n % 997), n) for n in range(40_000)]
    pings = frame(rows)
    chosen, counts = sort_out(pings, 8, newest=True)
    newest = {}
    for vin, *order in rows:
        newest[vin] = max(newest.get(vin, order), order)
    assert {vin: [time, sequence] for vin, _, _, time, sequence in pings[chosen].rows()} == newest
    assert (len(chosen), sum(counts)) == (5000, 5000)


@pytest.mark.parametrize(
    "pings",
    [
        frame([("A", 1.0, 1), ("A", 1.0, 1)]),
        frame([("A", float("nan"), 1), ("A", 1.0, 2)]),
        frame([("A", 1.0, 1)]).with_columns(vin=pl.lit(None, pl.String)),
        frame([("A", 1.0, 1)]).with_columns(time=pl.lit(None, pl.Float64)),
    ],
)
def test_what_time_and_sequence_do_not_decide_is_left_to_others(pings):
    assert sort_out(pings, 8, newest=True) is None


@given(st.lists(st.lists(st.sampled_from(["", "P0171"]), max_size=3), max_size=20), st.integers(0, 20))
def test_lists_that_are_not_empty(lists, cut):
    column = pl.Series(lists, dtype=pl.List(pl.String))
    pieces = pl.concat([column[:cut], column[cut:]], rechunk=False)
    assert filled(pieces).tolist() == [row for row, found in enumerate(lists) if found]


def test_lists_that_are_not_known_are_left_to_others():
    assert filled(pl.Series([["P0171"], None], dtype=pl.List(pl.String))) is None


@given(st.lists(VINS))
def test_sizes_of_texts_are_in_bytes(vins):
    column = pl.Series(vins, dtype=pl.String)
    sizes = [len(vin.encode()) for vin in vins]
    assert text_sizes(column) == ((min(sizes), max(sizes)) if vins else None)
    assert text_sizes(pl.Series([None, *vins], dtype=pl.String)) is None
