"""Each shard gets its vehicles' pings in their order, however they stand."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
