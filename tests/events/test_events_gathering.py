"""Events of a backlog are stored together: in order, before a position is, and soon."""

import threading

import pytest
from events_kit import event, numbers, until
from fleetflow_ping.plugin import fleetflow_schema

from fleetflow.contracts.sink import ShardBatch
from fleetflow.events import gathering
from fleetflow.events.gathering import Gatherer
from fleetflow.events.reader import Events
from fleetflow.events.sink import EventsSink
from fleetflow.testing import empty


@pytest.fixture
def patient(monkeypatch):
    """Events wait for others as long as it takes."""
    monkeypatch.setattr(gathering, "TOGETHER_S", 3600.0)


@pytest.fixture
def gatherer(store):
    gatherer = Gatherer(store)
    yield gatherer
    gatherer.close()


def test_events_wait_for_others_and_are_stored_in_order(patient, gatherer, store, reader):
    gatherer.put([event(1), event(2)])
    gatherer.put([event(2), event(3)])
    assert reader.count() == 0
    gatherer.flush()
    assert numbers(reader.since(0)) == ["e1", "e2", "e3"]
    gatherer.flush()
    assert reader.count() == 3


def test_many_are_stored_without_anybody_asking(patient, gatherer, reader, monkeypatch):
    monkeypatch.setattr(gathering, "TOGETHER", 3)
    gatherer.put([event(1), event(2)])
    gatherer.put([event(3)])
    until(lambda: reader.count() == 3)


def test_few_are_stored_soon_though_no_others_come(gatherer, reader, monkeypatch):
    monkeypatch.setattr(gathering, "TOGETHER_S", 0.01)
    gatherer.put([event(1)])
    until(lambda: reader.count() == 1)


def test_whoever_brings_too_many_waits(patient, gatherer, reader, monkeypatch):
    monkeypatch.setattr(gathering, "MOST", 2)
    gatherer.put([event(1), event(2)])
    assert reader.count() == 2


def test_the_end_stores_what_is_left(patient, store, reader):
    gatherer = Gatherer(store)
    gatherer.put([event(1)])
    gatherer.close()
    assert reader.count() == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "store-events"]


def test_what_could_not_be_stored_is_told_and_stored_later(store, reader, monkeypatch, caplog):
    monkeypatch.setattr(gathering, "TOGETHER_S", 0.01)
    add, full = store.add, [True]

    def may_fail(events):
        if full:
            raise OSError("no space left")
        return add(events)

    monkeypatch.setattr(store, "add", may_fail)
    gatherer = Gatherer(store)
    gatherer.put([event(1)])
    until(lambda: "events are stored later: OSError: no space left" in caplog.text)
    with pytest.raises(OSError, match="no space left"):
        gatherer.flush()
    gatherer.put([event(2)])
    full.clear()
    gatherer.close()
    assert numbers(reader.since(0)) == ["e1", "e2"]


def test_a_store_that_fails_is_left_alone_for_a_while(patient, store, monkeypatch):
    monkeypatch.setattr(gathering, "TOGETHER", 1)
    tried, told = [], threading.Event()
    add = store.add

    def fails(events):
        tried.append(events)
        told.set()
        raise OSError("no space left")

    monkeypatch.setattr(store, "add", fails)
    gatherer = Gatherer(store)
    gatherer.put([event(1)])
    assert told.wait(10)
    for _ in range(20):
        gatherer.put([event(2)])
    assert len(tried) == 1
    with pytest.raises(OSError, match="no space left"):
        gatherer.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "store-events"]
    monkeypatch.setattr(store, "add", add)


def batch(*events, backlog):
    return ShardBatch(pings=empty(fleetflow_schema()), events=events, backlog=backlog)


def test_a_shard_keeps_their_order_and_stores_them_before_its_snapshot(patient, tmp_path):
    shard = EventsSink(tmp_path).open("shard-0", None)
    reader = Events(tmp_path)
    shard.write(batch(event(1), backlog=True), {})
    assert reader.count() == 0
    shard.write(batch(event(2), backlog=False), {})
    assert numbers(reader.since(0)) == ["e1", "e2"]
    shard.write(batch(event(3), backlog=True), {})
    shard.snapshot()
    assert reader.count() == 3
    shard.write(batch(event(4), backlog=True), {})
    shard.close()
    assert reader.count() == 4
    reader.close()
