"""Each shard gets its vehicles' pings in their order, however they stand."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.contracts.payload import Notice, Place, Reject, Span
from fleetflow.contracts.schema import Decoded
from fleetflow.dataflow.routing import shard_key
from fleetflow.dataflow.shaping import FEW, Shaped, Splitter
from fleetflow.dataflow.sharding import shard_of


def split(vins, shards):
    pings = pl.DataFrame(
        {"vin": vins, "time": range(len(vins))}, schema={"vin": pl.String, "time": pl.Float64}
    )
    decoded = Decoded(pings, (), (), lambda rows: ())
    return {
        name: batch.pings.select("vin", "time").rows()
        for name, batch in Splitter(shards, conflate=False)(Shaped("alpha", decoded, (), (), 0.0))
        if batch.pings.height
    }


def expected(vins, shards):
    found = {}
    for time, vin in enumerate(vins):
        found.setdefault(shard_key(shard_of(vin, shards)), []).append((vin, float(time)))
    return found


@given(
    st.lists(st.tuples(st.sampled_from("ABCDEF"), st.integers(1, 3)), max_size=12),
    st.sampled_from([1, 2, 8]),
    st.sampled_from([1, FEW]),
)
def test_each_shard_gets_its_own_in_order(runs, shards, times):
    vins = [vin for vin, length in runs for _ in range(length)] * times
    assert split(vins, shards) == expected(vins, shards)


@pytest.mark.parametrize("order", ["ABC", "ABCA", "AAB", "D"])
def test_vehicles_that_stand_together_are_cut_out(order):
    vins = [vin for vin in order for _ in range(FEW + 1)]
    assert split(vins, 8) == expected(vins, 8)


PARTITIONS = [f"alpha-{number:02d}" for number in range(8)]


@given(st.lists(st.sampled_from(PARTITIONS), max_size=6), st.sampled_from([1, 2, 8]), st.booleans())
def test_what_belongs_to_a_partition_goes_to_its_shard_whatever_comes_with_it(partitions, shards, conflate):
    places = [
        Place("alpha", partition, "a.csv", start, start + 1, b"\n", "text/csv")
        for start, partition in enumerate(partitions)
    ]
    spans = tuple(Span("alpha", each.partition, "a.csv", each.start, each.end, 1, 0) for each in places)
    notices = tuple(Notice("alpha", each.partition, "gap", "", 0.0, {}) for each in places)
    rejects = [Reject(place, "malformed", "", 0.0) for place in places]
    # two vehicles, each with a ping that is followed by a newer one
    pings = pl.DataFrame(
        {"vin": ["A", "A", "B", "B"], "time": [1.0, 2.0, 1.0, 2.0], "sequence": [1, 2, 1, 2]}
    ).with_columns(latitude=0.0, longitude=0.0)
    shaped = Shaped("alpha", Decoded(pings, rejects, (), lambda rows: ()), spans, notices, 0.0)
    batches = dict(Splitter(shards, conflate=conflate)(shaped))
    for found in ("rejects", "spans", "notices"):
        told = {key: list(getattr(batch, found)) for key, batch in batches.items() if getattr(batch, found)}
        wanted = {}
        for each in {"rejects": rejects, "spans": spans, "notices": notices}[found]:
            partition = each.place.partition if found == "rejects" else each.partition
            wanted.setdefault(shard_key(shard_of(partition, shards)), []).append(each)
        assert told == wanted
    counts = [batch.counts["alpha"] for batch in batches.values()]
    assert sum(each.read for each in counts) == 4 + len(partitions)
    kept = sum(batch.pings.height for batch in batches.values())
    assert kept == (2 if conflate else 4)
    assert sum(each.superseded for each in counts) == 4 - kept
