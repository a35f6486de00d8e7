"""Validation rules with state per vehicle: what they turn down is quarantined, and nobody else sees it."""

import pickle
from datetime import timedelta

import polars as pl
import pytest
from bytewax.recovery import RecoveryConfig, init_db_dir
from fleetflow_ping.plugin import fleetflow_schema

from fleetflow import plugins
from fleetflow.builtin.rules import builtin_rules
from fleetflow.contracts.payload import Place
from fleetflow.contracts.sink import Counts
from fleetflow.dataflow.places import Lookup
from fleetflow.dataflow.stop import StopFlag
from fleetflow.dataflow.wiring import build
from fleetflow.errors import PluginError
from fleetflow.plugins import hookimpl
from fleetflow.testing import (
    MemoryLedger,
    MemoryQuarantine,
    MemorySink,
    MemorySource,
    configuration,
    csv_payload,
    run_once,
)

RULES = builtin_rules(86_400)


class EveryThird:
    """Turns down every third ping of a shard."""

    name = "third"
    reason = "expected anything but a third ping"

    def open(self, state):
        self.seen = {"v": 1, "seen": 0} if state is None else dict(state)
        shard = EveryThird()
        shard.seen = self.seen
        return shard

    def on_pings(self, pings):
        numbers = range(self.seen["seen"] + 1, self.seen["seen"] + pings.height + 1)
        self.seen["seen"] += pings.height
        verdict = pl.Series([None if number % 3 == 0 else True for number in numbers], dtype=pl.Boolean)
        return verdict if verdict.has_nulls() else None

    def snapshot(self):
        return dict(self.seen)


class Seeing:
    """Keeps the times of all pings it is shown."""

    name = "seeing"

    def __init__(self):
        self.times = []

    def open(self, state):
        return self

    def on_pings(self, pings):
        self.times += pings["time"].to_list()
        return []

    def snapshot(self):
        return {"v": 1}


def run(emissions, judges, seeing, sinks, recovery=None):
    run_once(
        fleetflow_schema(),
        [MemorySource(emissions)],
        sinks,
        rules=RULES,
        judges=judges,
        detectors=[seeing],
        recovery=recovery,
        settings={"flow": {"shards": "1"}},
    )


def test_what_a_judge_turns_down_is_quarantined_with_place_and_raw_bytes_and_counted():
    sinks = [MemorySink(), MemoryQuarantine(), MemoryLedger()]
    seeing = Seeing()
    text = "A,1,2,1\nA,91,2,2\nA,1,2,3\nnonsense\nA,1,2,5\nA,1,2,6\n"
    run([csv_payload(text)], [EveryThird()], seeing, sinks)
    assert seeing.times == [1, 3, 6]
    rejects = sorted(sinks[1].rejects.values(), key=lambda reject: reject.place.start)
    assert [(reject.rule, reject.place.raw) for reject in rejects] == [
        ("latitude", b"A,91,2,2\n"),
        ("malformed", b"nonsense\n"),
        ("third", b"A,1,2,5\n"),
    ]
    assert rejects[2].reason == EveryThird.reason
    assert rejects[2].received_at == 1_000_000_000
    assert text.encode()[rejects[2].place.start : rejects[2].place.end] == rejects[2].place.raw
    assert sinks[2].counts == {"memory": Counts(read=6, applied=1, superseded=2, quarantined=3)}


def test_vehicles_map_keeps_what_it_had_before_a_ping_that_is_turned_down():
    sinks = [MemorySink(), MemoryQuarantine()]
    run([csv_payload("A,1,2,1\nA,3,2,2\nA,80,2,3\n")], [EveryThird()], Seeing(), sinks)
    assert sinks[0].records["A"]["latitude"] == 3


def test_state_of_a_judge_goes_on_after_a_resume(tmp_path):
    init_db_dir(tmp_path, 1)
    recovery = RecoveryConfig(str(tmp_path), backup_interval=timedelta(0))
    sinks, seeing, emissions = [MemorySink(), MemoryQuarantine()], Seeing(), []
    for start in range(4):
        emissions.append(csv_payload(f"A,1,2,{start}\n", start=start * 10))
        run(emissions, [EveryThird()], seeing, sinks, recovery)
    assert seeing.times == [0, 1, 3]


def test_places_are_looked_up_when_asked_for_or_sent_to_another_process():
    asked = []

    def locate(rows):
        asked.append(list(rows))
        return [Place("s", "p", f"row {row}", row, row + 1, b"", "text/csv") for row in rows]

    lookup = Lookup(locate, pl.Series([4, 5, 9]))
    assert asked == []
    assert [place.start for place in lookup([0, 2])] == [4, 9]
    sent = pickle.loads(pickle.dumps(lookup))
    assert asked == [[4, 9], [4, 5, 9]]
    assert [place.start for place in sent([2, 1])] == [9, 5]
    assert asked == [[4, 9], [4, 5, 9]]


def test_a_judge_with_the_name_of_a_rule_is_refused():
    class Given:
        @hookimpl
        def fleetflow_schema(self):
            return fleetflow_schema()

        @hookimpl
        def fleetflow_sources(self):
            return [MemorySource([])]

        @hookimpl
        def fleetflow_sinks(self):
            return [MemorySink(), MemoryQuarantine()]

        @hookimpl
        def fleetflow_rules(self):
            return RULES

        @hookimpl
        def fleetflow_judges(self):
            judge = EveryThird()
            judge.name = "latitude"
            return [judge]

    loaded = plugins.only_these([("given", Given())])
    with pytest.raises(PluginError, match='"latitude" is the name of a validation rule and of a judge'):
        build(loaded, configuration(), StopFlag())
