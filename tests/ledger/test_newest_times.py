"""The newest time per source, of few pings and of many."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.ledger.sink import FEW, newest_times


def told(pings):
    # + 0.0: zero has one sign; nan is not equal to itself
    newest = newest_times(pings["source"], pings["time"])
    return {source: time if time is None else repr(time + 0.0) for source, time in newest.items()}


@given(st.lists(st.tuples(st.sampled_from(["alpha", "beta"]), st.none() | st.floats()), max_size=5))
def test_few_pings_have_the_newest_times_that_many_have(rows):
    few = pl.DataFrame(rows, schema={"source": pl.String, "time": pl.Float64}, orient="row")
    # repetition changes no greatest time
    assert told(few) == told(pl.concat([few] * (FEW + 1)))
