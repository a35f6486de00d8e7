"""Events that were just stored are told without reading them back; what is not at hand is read."""

import pytest
from events_kit import Recorder, event

from fleetflow.events.outbox import Outbox
from fleetflow.events.recent import Recent
from fleetflow.events.store import EventsStore


def test_what_follows_a_row_is_returned_up_to_a_gap():
    recent = Recent()
    # two threads may tell in another order than they stored in
    recent.put(4, [event(4), event(5)])
    recent.put(1, [event(1), event(2), event(3)])
    recent.put(7, [event(7)])
    assert [each.id for each in recent.after(0, 100)] == ["e1", "e2", "e3", "e4", "e5"]
    assert [each.id for each in recent.after(1, 2)] == ["e2", "e3"]
    assert recent.after(5, 100) == []
    assert recent.after(7, 100) == []


def test_the_oldest_are_let_go():
    recent = Recent(most=3)
    recent.put(1, [event(1), event(2)])
    recent.put(3, [event(3), event(4)])
    assert recent.after(0, 100) == []
    assert [each.id for each in recent.after(1, 100)] == ["e2", "e3", "e4"]


def test_the_store_tells_which_rows_the_new_ones_are_in(tmp_path):
    store = EventsStore(tmp_path)
    store.add([event(1), event(2)])
    told = []
    store.tell(lambda row, events: told.append((row, [each.id for each in events])))
    # more than fits into one statement, some of which are known
    store.add([event(number) for number in range(1, 204)])
    store.add([event(1)])
    store.add([event(300)])
    store.close()
    assert told == [(3, [f"e{number}" for number in range(3, 204)]), (204, ["e300"])]


@pytest.mark.parametrize("held", [2, 10_000])
def test_all_is_told_in_order_whether_it_is_at_hand_or_must_be_read(tmp_path, monkeypatch, held):
    monkeypatch.setattr("fleetflow.events.outbox.Recent", lambda: Recent(held))
    store, other = EventsStore(tmp_path), EventsStore(tmp_path)
    recorder = Recorder()
    outbox = Outbox(tmp_path, store, [recorder])
    for number in range(0, 300, 3):
        store.add([event(number), event(number + 1)])
        # as another process does
        other.add([event(number + 2)])
        outbox.wake()
    outbox.close()
    other.close()
    store.close()
    assert recorder.told == [f"e{number}" for number in range(300)]


def test_what_this_process_stored_is_not_read_back(tmp_path, monkeypatch):
    store, recorder = EventsStore(tmp_path), Recorder()
    found = []
    since = "fleetflow.events.reader.Events.since"
    monkeypatch.setattr(since, lambda reader, row, limit: found.append(row) or [])
    outbox = Outbox(tmp_path, store, [recorder])
    for number in range(250):
        store.add([event(number)])
    outbox.wake()
    outbox.close()
    store.close()
    # it was asked, for what others may have stored, and had nothing to say
    assert recorder.told == [f"e{number}" for number in range(250)]
    assert found
