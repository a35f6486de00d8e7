"""Events are told in order, each at least once, by threads that nobody waits for."""

import json
import multiprocessing
import threading
from contextlib import contextmanager

import pytest
from events_kit import Recorder, event, loaded, outbox, until
from fleetflow_ping.plugin import fleetflow_schema

from fleetflow import plugins
from fleetflow.builtin import events as plugin
from fleetflow.contracts.sink import ShardBatch
from fleetflow.errors import PluginError
from fleetflow.events.notifiers import FileNotifier
from fleetflow.events.outbox import Outbox
from fleetflow.events.reader import Events
from fleetflow.events.sink import EventsSink
from fleetflow.events.store import EventsStore
from fleetflow.testing import empty


def test_events_are_told_in_order_and_once(tmp_path, store, quick):
    recorder = Recorder()
    with outbox(tmp_path, store, recorder) as box:
        for number in range(250):
            store.add([event(number), event(number - 1)])
            box.wake()
        until(lambda: len(recorder.told) == 251)
    assert recorder.told == ["e0", "e-1", *(f"e{number}" for number in range(1, 250))]
    assert recorder.closed


def test_what_was_told_is_not_told_again_by_the_next_process(tmp_path, store, quick):
    with outbox(tmp_path, store, Recorder()):
        store.add([event(1)])
    store.add([event(2)])
    again = Recorder()
    with outbox(tmp_path, store, again):
        until(lambda: again.told)
    assert again.told == ["e2"]


def test_in_a_flood_it_is_noted_now_and_then_how_far_it_came_and_in_the_end(
    tmp_path, store, quick, monkeypatch
):
    noted = []
    advance = store.advance
    monkeypatch.setattr("fleetflow.events.outbox.NOTED_S", 3600.0)
    monkeypatch.setattr(store, "advance", lambda name, row: (noted.append(row), advance(name, row)))
    recorder = Recorder()
    store.begin([recorder.name])
    store.add([event(number) for number in range(1000)])
    with outbox(tmp_path, store, recorder):
        until(lambda: noted[-1:] == [1000])
    assert noted == [100, 1000]
    assert len(recorder.told) == 1000


def test_what_was_told_before_a_failure_is_not_told_again_by_the_next_process(
    tmp_path, store, quick, monkeypatch
):
    monkeypatch.setattr("fleetflow.events.outbox.NOTED_S", 3600.0)
    monkeypatch.setattr("fleetflow.events.outbox.BACKOFF_S", 60.0)

    class Breaking(Recorder):
        def notify(self, events):
            if len(self.told) == 300:
                self.failures = 1
            super().notify(events)

    first, second = Breaking(), Recorder()
    store.begin([first.name])
    store.add([event(number) for number in range(500)])
    with outbox(tmp_path, store, first):
        until(lambda: first.attempts == 4)
    with outbox(tmp_path, store, second):
        until(lambda: len(second.told) == 200)
    assert first.told + second.told == [f"e{number}" for number in range(500)]


def test_a_notifier_that_is_new_begins_with_what_is_new(tmp_path, store, quick):
    store.add([event(1)])
    recorder = Recorder()
    with outbox(tmp_path, store, recorder):
        store.add([event(2)])
    assert recorder.told == ["e2"]


def test_a_failing_notifier_is_tried_again_and_delays_no_other(tmp_path, store, quick, caplog):
    failing, working = Recorder("failing", failures=5), Recorder("working")
    with outbox(tmp_path, store, failing, working):
        store.add([event(1)])
        until(lambda: working.told)
        store.add([event(2)])
        until(lambda: failing.told == ["e1", "e2"])
    assert failing.attempts >= 6
    assert working.told == ["e1", "e2"]
    assert "notifier failing failed, attempt 5" in caplog.text


def test_a_notifier_that_hangs_keeps_neither_the_flow_nor_the_end_waiting(tmp_path, quick, monkeypatch):
    monkeypatch.setattr("fleetflow.events.outbox.CLOSE_S", 0.1)
    release = threading.Event()

    class Hanging(Recorder):
        def notify(self, events):
            release.wait(60)

    sink = EventsSink(tmp_path, notifiers=lambda: [Hanging("hanging")])
    shard = sink.open("0000", None)
    for number in range(20):
        shard.write(ShardBatch(empty(fleetflow_schema()), events=(event(number),)), {})
    shard.close()
    reader = Events(tmp_path)
    assert reader.count() == 20
    reader.close()
    release.set()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "notify-hanging"])


def test_two_processes_tell_nothing_twice(tmp_path, store, quick):
    first, second = Recorder(), Recorder()
    with outbox(tmp_path, store, first), another_store(tmp_path) as other, outbox(tmp_path, other, second):
        for number in range(40):
            (store if number % 2 else other).add([event(number)])
        until(lambda: len(first.told) + len(second.told) == 40)
    assert sorted(first.told + second.told) == sorted(f"e{number}" for number in range(40))
    assert not (first.told and second.told)


def _tell(folder, path):
    """Deliver to a file one by one, and hang in the middle of the second delivery."""

    class Hanging(FileNotifier):
        def notify(self, events):
            for each in events:
                if each.id == "e150":
                    threading.Event().wait()
                super().notify([each])

    Outbox(folder, EventsStore(folder), [Hanging(path)])
    threading.Event().wait()


def test_after_a_kill_in_the_middle_each_event_is_told_and_in_order(tmp_path, quick):
    told = tmp_path / "told.jsonl"
    store = EventsStore(tmp_path / "data/events")
    store.begin(["file"])
    store.add([event(number) for number in range(1000)])
    process = multiprocessing.get_context("spawn").Process(
        target=_tell, args=(tmp_path / "data/events", told)
    )
    process.start()
    try:
        until(lambda: told.exists() and told.read_bytes().count(b"\n") == 150)
    finally:
        process.kill()
        process.join(20)
        process.close()
    with outbox(tmp_path, store, FileNotifier(told)):
        until(lambda: b'"e999"' in told.read_bytes())
    store.close()
    ids = [json.loads(line)["id"] for line in told.read_text().splitlines()]
    assert ids == [f"e{number}" for number in [*range(150), *range(100, 1000)]]


def test_when_the_process_that_tells_ends_another_one_goes_on(tmp_path, store, quick):
    first, second = Recorder(), Recorder()
    with outbox(tmp_path, store, first):
        store.add([event(1)])
        until(lambda: first.told)
        box = Outbox(tmp_path / "data/events", store, [second])
    store.add([event(2)])
    until(lambda: second.told == ["e2"])
    box.close()
    assert first.told == ["e1"]


@contextmanager
def another_store(tmp_path):
    """A second connection, as another process has one."""
    opened = EventsStore(tmp_path / "data/events")
    yield opened
    opened.close()


def test_events_deleted_before_they_were_told_are_mentioned(tmp_path, quick, caplog):
    store = EventsStore(tmp_path / "data/events", keep=2)
    store.begin(["recorder"])
    store.add([event(number) for number in range(5)])
    recorder = Recorder()
    with outbox(tmp_path, store, recorder):
        until(lambda: recorder.told)
    store.close()
    assert recorder.told == ["e3", "e4"]
    assert "3 events were deleted before they could be delivered" in caplog.text


def test_a_notifier_whose_name_cannot_be_a_file_is_refused(tmp_path, store):
    with pytest.raises(PluginError, match="cannot be used"):
        Outbox(tmp_path, store, [Recorder("../up")])


def test_a_replayed_batch_is_told_once_and_all_shards_share_one_store(tmp_path, quick):
    recorder = Recorder()
    sink = EventsSink(tmp_path, notifiers=lambda: [recorder])
    shards = [sink.open(name, None) for name in ("0000", "0001")]
    batch = ShardBatch(empty(fleetflow_schema()), events=(event(1),))
    for shard in (*shards, *shards):
        assert shard.write(batch, {}) == {}
        assert shard.snapshot() is None
    for shard in (*shards, *shards):
        shard.close()
    assert recorder.told == ["e1"]


def test_notifiers_of_all_plugins_are_asked_for_and_two_of_one_name_are_refused(tmp_path):
    class Given:
        @plugins.hookimpl
        def fleetflow_notifiers(self, configuration):
            return [Recorder("log")]

    def gathered(*given):
        active = plugins.only_these(given)
        found = active.gather("fleetflow_notifiers", "notifier", lambda each: each.name, settings_)
        return [each.name for each in found]

    settings_ = loaded(tmp_path, file="events.jsonl", webhook_url="http://localhost:1/x")
    assert gathered(("events", plugin)) == ["log", "file", "webhook"]
    with pytest.raises(PluginError, match='notifier "log" is claimed'):
        gathered(("events", plugin), ("given", Given()))
    (sink,) = plugin.fleetflow_sinks(loaded(tmp_path, log="false"))
    sink.open("0000", None).close()
    assert Events.of(settings_).count() == 0
