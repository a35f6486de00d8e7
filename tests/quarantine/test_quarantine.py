"""The quarantine: nothing twice, nothing lost, put back through on request."""

import json

import pytest
from click.testing import CliRunner
from fleetflow_ping.plugin import fleetflow_schema

from fleetflow import config, sqlite
from fleetflow.builtin import core
from fleetflow.builtin import quarantine as plugin
from fleetflow.contracts.payload import Place, Reject
from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.errors import StoreError
from fleetflow.quarantine.commands import quarantine_group
from fleetflow.quarantine.sink import QuarantineSink
from fleetflow.quarantine.source import RequeueSource
from fleetflow.quarantine.store import FILE, QuarantineReader, QuarantineStore, Selection
from fleetflow.testing import MemorySink, MemorySource, csv_payload, empty, run_once


def reject(start=0, raw=b"bad\n", rule="malformed", media_type="text/csv"):
    return Reject(
        Place("alpha", "alpha-0", "a.csv", start, start + len(raw), raw, media_type), rule, "why", 1.0
    )


@pytest.fixture
def store(tmp_path):
    opened = QuarantineStore(tmp_path / "data/quarantine")
    yield opened
    opened.close()


@pytest.fixture
def reader(tmp_path):
    opened = QuarantineReader(tmp_path / "data/quarantine")
    yield opened
    opened.close()


def command(tmp_path, *arguments):
    settings = config.load(
        {**core.fleetflow_settings(), **plugin.fleetflow_settings()},
        environment={"FLEETFLOW_HOME": str(tmp_path)},
    )
    result = CliRunner().invoke(quarantine_group, arguments, obj=settings, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_replay_adds_nothing(store, reader):
    store.add([reject(0), reject(10)])
    store.add([reject(10), reject(20)])
    assert [each.start for each in reader.rejects()] == [20, 10, 0]


def test_sink_counts_what_the_batch_holds_also_in_a_replay(tmp_path):
    shard = QuarantineSink(tmp_path).open("0000", None)
    batch = ShardBatch(empty(fleetflow_schema()), rejects=(reject(0), reject(10)))
    assert shard.write(batch, {}) == {"alpha": Counts(quarantined=2)}
    assert shard.write(batch, {}) == {"alpha": Counts(quarantined=2)}
    shard.close()


def test_a_quarantine_that_is_not_there_is_empty(reader):
    assert list(reader.rejects()) == []
    assert reader.counts("rule") == {}


def test_requeued_records_go_through_the_flow_and_may_fail_again(tmp_path, store, reader):
    store.add([reject(7, b"A,1,2,3\n", "null_island"), reject(15, b"still bad\n")])
    assert store.requeue(Selection(rule="null_island")) == 1
    assert store.requeue(Selection()) == 1
    assert store.requeue(Selection()) == 0
    vehicles = MemorySink()
    sinks = [vehicles, QuarantineSink(tmp_path / "data/quarantine")]
    sources = [RequeueSource(tmp_path / "data/quarantine"), MemorySource([csv_payload("")])]
    run_once(fleetflow_schema(), sources, sinks)
    assert vehicles.records["A"]["sequence"] == 7
    assert vehicles.records["A"]["source"] == "requeue"
    assert [(r.source, r.start, r.state) for r in reader.rejects()] == [
        ("requeue", 15, "quarantined"),
        ("alpha", 15, "requeued"),
        ("alpha", 7, "requeued"),
    ]


def test_elements_of_an_array_are_requeued_as_an_array_of_one(tmp_path, store):
    store.add([reject(4, b'{"sequence": 4}', media_type="application/json")])
    store.requeue(Selection())
    partition = RequeueSource(tmp_path / "data/quarantine").open("requeue", None)
    (payload,) = partition.poll(1000)
    assert json.loads(payload.data) == [{"sequence": 4}]
    position = partition.position()
    partition.close()
    again = RequeueSource(tmp_path / "data/quarantine").open("requeue", position)
    assert list(again.poll(1000)) == []
    assert again.caught_up()
    again.close()


def test_commands_show_and_count(tmp_path, store):
    store.add([reject(0, b"\x1b[31mred\xff\n"), reject(20, b"A,0,0,1\n", "null_island")])
    (second, first) = [json.loads(line) for line in command(tmp_path, "list", "--json").splitlines()]
    assert (first["raw"], second["raw"]) == (None, "A,0,0,1\n")
    assert json.loads(command(tmp_path, "count", "--json")) == {"malformed": 1, "null_island": 1}
    for output in (command(tmp_path, "list"), command(tmp_path, "show", "1")):
        assert "\x1b[31m" not in output
        assert r"\x1b[31mred\xff" in output
    assert command(tmp_path, "requeue", "--rule", "null_island") == "1 requeued\n"
    assert json.loads(command(tmp_path, "count", "--by", "state", "--json")) == {
        "quarantined": 1,
        "requeued": 1,
    }


def test_a_store_of_a_newer_version_is_refused(tmp_path, store, reader):
    newer = sqlite.connect(tmp_path / "data/quarantine" / FILE, 1, "")
    newer.execute("pragma user_version = 2")
    newer.close()
    with pytest.raises(StoreError, match="layout version 2"):
        list(reader.rejects())


def test_what_is_not_a_database_is_refused(tmp_path):
    (tmp_path / FILE).write_text("not a database, but long enough to be taken for one " * 20)
    with pytest.raises(StoreError, match="cannot be used"):
        QuarantineStore(tmp_path)
