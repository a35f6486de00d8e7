"""Events: stored once however often they come, bounded, readable by everyone."""

import multiprocessing
import sqlite3
import threading

from events_kit import event, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow.events.reader import Events
from fleetflow.events.store import FILE, REMEMBERED, EventsStore


def test_a_replay_adds_nothing(store, reader):
    assert store.add([event(1), event(2)]) == 2
    twice = event(3)
    assert store.add([event(2), twice, event(3), twice]) == 1
    assert numbers(reader.list()) == ["e3", "e2", "e1"]
    assert reader.count() == 3


def test_an_event_reads_back_as_it_was(store, reader):
    told = event(
        1, data={"city": "Dallas", "km": 1.5}, ping={"codes": ["B0001"], "x": None}, update={"note": None}
    )
    store.add([told])
    (found,) = reader.list()
    assert found.event == told
    assert found.row == 1


def test_a_number_that_json_cannot_hold_becomes_null(store, reader):
    store.add([event(1, ping={"latitude": float("nan")})])
    assert reader.list()[0].event.ping == {"latitude": None}


def test_the_oldest_go_and_do_not_come_back_as_new(tmp_path, reader):
    store = EventsStore(tmp_path / "data/events", keep=3)
    for number in range(10):
        store.add([event(number)])
    assert numbers(reader.list()) == ["e9", "e8", "e7"]
    assert store.add([event(number) for number in range(10)]) == 0
    assert numbers(reader.list()) == ["e9", "e8", "e7"]
    store.close()


def test_ids_of_deleted_events_are_bounded_too(tmp_path):
    store = EventsStore(tmp_path, keep=2)
    for number in range(100):
        store.add([event(number)])
    last_remembered = 100 - REMEMBERED * 2
    assert store.add([event(last_remembered)]) == 0
    assert store.add([event(last_remembered - 1)]) == 1
    store.close()


def test_a_flood_is_numbered_without_gaps_whatever_of_it_was_there(store, reader):
    assert store.add([event(number) for number in range(0, 350, 3)]) == 117
    assert store.add([event(number) for number in range(350)]) == 233
    found = reader.since(0)
    assert [stored.row for stored in found] == list(range(1, 351))
    new = [number for number in range(350) if number % 3]
    assert numbers(found) == [f"e{number}" for number in [*range(0, 350, 3), *new]]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=12), st.integers(4, 9))
def test_any_portions_store_each_id_once_in_the_order_of_first_coming(tmp_path_factory, portions, keep):
    folder = tmp_path_factory.mktemp("events")
    store, first = EventsStore(folder, keep), []
    for portion in portions:
        store.add([event(number) for number in portion])
        first += [number for number in dict.fromkeys(portion) if number not in first]
    store.close()
    reader = Events(folder)
    assert numbers(reader.since(0)) == [f"e{number}" for number in first[-keep:]]
    reader.close()


def test_what_is_listed_can_be_chosen(store, reader):
    store.add([event(1), event(2, vin="B"), event(3, kind="left"), event(4, severity="info")])
    assert numbers(reader.list(vin="B")) == ["e2"]
    assert numbers(reader.list(kind="left")) == ["e3"]
    assert numbers(reader.list(severity="info")) == ["e4"]
    assert numbers(reader.list(since=3)) == ["e4", "e3"]
    assert numbers(reader.list(2)) == ["e4", "e3"]
    assert numbers(reader.since(2)) == ["e3", "e4"]
    assert reader.last_row() == 4


def test_a_store_that_is_not_there_is_empty(reader):
    assert (reader.list(), reader.since(0), reader.count(), reader.last_row()) == ([], [], 0, 0)


def test_the_store_is_its_users_alone(tmp_path, store):
    assert (tmp_path / "data/events" / FILE).stat().st_mode & 0o77 == 0
    assert (tmp_path / "data/events").stat().st_mode & 0o77 == 0


def _add(folder, start):
    store = EventsStore(folder)
    for number in range(start, start + 50):
        store.add([event(number), event(number + 1)])
    store.close()


def test_processes_and_threads_write_side_by_side(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_add, args=(tmp_path, start)) for start in (0, 25)]
    threads = [threading.Thread(target=_add, args=(tmp_path, start)) for start in (50, 75)]
    for each in (*processes, *threads):
        each.start()
    for each in (*processes, *threads):
        each.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    reader = Events(tmp_path)
    assert sorted(numbers(reader.list(1000))) == sorted(f"e{number}" for number in range(126))
    reader.close()


def test_conditions_are_kept_also_in_a_store_of_before_there_were_any(tmp_path):
    store = EventsStore(tmp_path)
    store.add([event(1, update={"status": "X"})])
    store.close()
    connection = sqlite3.connect(tmp_path / FILE)
    # what an older version made
    connection.execute("alter table events drop column only_if")
    connection.close()
    reader = Events(tmp_path)
    assert [stored.event.only_if for stored in reader.list()] == [{}]
    reader.close()
    store = EventsStore(tmp_path)
    conditional = event(2, update={"status": None}, only_if={"status": ["X", None], "note": []})
    store.add([conditional])
    store.close()
    assert [stored.event for stored in reader.list()] == [conditional, event(1, update={"status": "X"})]
    reader.close()
