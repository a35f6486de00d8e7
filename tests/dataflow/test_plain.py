"""A shard's batch goes through the recovery store unchanged, also between versions."""

import pickle

import polars as pl

from fleetflow.contracts.detector import Event
from fleetflow.contracts.payload import Notice, Place, Reject, Span
from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.dataflow.plain import from_plain, to_plain

COLUMNS = {"vin": pl.String(), "time": pl.Float64()}
EVENT = Event("e", "A", 1.0, "kind", "info", "words", update={"status": None}, only_if={"status": ["X"]})
BATCH = ShardBatch(
    pings=pl.DataFrame({"vin": ["A"], "time": [1.0]}),
    rejects=(Reject(Place("s", "p", "r", 0, 1, b"x", "text/csv"), "rule", "reason", 2.0),),
    spans=(Span("s", "p", "r", 0, 1, 1, 7),),
    notices=(Notice("s", "p", "gap", "words", 1.0, {"lost": 1}),),
    events=(EVENT,),
    counts={"s": Counts(2, 1, 0, 1)},
)


def test_a_batch_comes_back_as_it_was():
    back = from_plain(pickle.loads(pickle.dumps(to_plain(BATCH))), COLUMNS)
    assert back.pings.equals(BATCH.pings)
    for name in ("rejects", "spans", "notices", "events", "counts"):
        assert getattr(back, name) == getattr(BATCH, name), name


def test_a_batch_of_before_there_were_conditions_comes_back_without_them():
    plain = to_plain(BATCH)
    del plain["only_if"]
    (event,) = from_plain(plain, COLUMNS).events
    assert (event.update, event.only_if) == ({"status": None}, {})
