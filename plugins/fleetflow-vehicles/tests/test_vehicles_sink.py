"""The job's way in: newest wins, nothing is counted twice or lost, replay changes nothing."""

from __future__ import annotations

import contextlib
import random
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import polars as pl
import pytest
from fleetflow_vehicles.records import FEW, check_fields, prepare, text_of, with_fields
from fleetflow_vehicles.sink import VehiclesSink
from fleetflow_vehicles.store import Store
from fleetflow_vehicles.updates import with_events
from fleetflow_vehicles.vehicles import Vehicles
from hypothesis import given, settings
from hypothesis import strategies as st
from vehicles_kit import SCHEMA, batch, event, frame, ping, put, rank, reference

from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.errors import FleetflowError, StoreError

few = st.sampled_from
pings = st.builds(
    ping,
    few(["A", "B", "Ü", 'quo"te']),
    few([1.0, 2.0, 2.5]),
    few([0, 1]),
    latitude=few([-1.0, 0.5]),
    longitude=few([7.0, 8.0]),
    obd_codes=few([[], ["P0300"], ["P0300", "U0100"]]),
    source=few(["alpha", "beta"]),
    received_at=few([10.0, 20.0]),
)


def in_map(directory: Path) -> dict[str, tuple[Any, ...]]:
    with Vehicles(directory) as vehicles:
        return {record["vin"]: rank(record) for record in vehicles.records()}


@settings(max_examples=60, deadline=None)
@given(st.lists(pings, max_size=25), st.randoms(use_true_random=False), st.integers(1, 8))
def test_any_order_split_and_replay_gives_the_newest_and_counts_add_up(
    stream: list[dict[str, Any]], rnd: random.Random, size: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shard = VehiclesSink.at(Path(folder), 2).open("0000", None)
        again = rnd.sample(stream, len(stream) // 2)
        shuffled = rnd.sample([*stream, *again], len(stream) + len(again))
        for start in range(0, len(shuffled), size):
            part = shuffled[start : start + size]
            counts = shard.write(batch(*part), {})
            for source in ("alpha", "beta"):
                found = counts.get(source, Counts())
                assert found.applied + found.superseded == sum(one["source"] == source for one in part)
        assert in_map(Path(folder)) == reference(stream)
        # any stretch once more
        first = rnd.randrange(len(shuffled) + 1)
        with Vehicles(Path(folder)) as vehicles:
            before, revision = list(vehicles.texts()), vehicles.revision()
            total = shard.write(batch(*shuffled[first:]), {})
            assert sum(counts.applied for counts in total.values()) == 0
            assert (list(vehicles.texts()), vehicles.revision()) == (before, revision)
        shard.close()


def test_late_ping_does_not_move_a_vehicle_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert put(store, ping("A", 10.0, latitude=1.0)) == {"alpha": Counts(applied=1)}
    assert put(store, ping("A", 9.0, 99, latitude=2.0)) == {"alpha": Counts(superseded=1)}
    assert put(store, ping("A", 10.0, -1, latitude=3.0)) == {"alpha": Counts(superseded=1)}
    with Vehicles(tmp_path) as vehicles:
        record = vehicles.get("A")
        assert record is not None
        assert record["latitude"] == 1.0
        assert put(store, ping("A", 10.0, 1, latitude=4.0)) == {"alpha": Counts(applied=1)}
        record = vehicles.get("A")
        assert record is not None
        assert record["latitude"] == 4.0
    store.close()


def test_a_record_is_the_ping_with_source_schema_version_and_time_of_arrival(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A", 1.7e9 + 0.1, 7, latitude=1e-7, obd_codes=["P0300"]))
    store.close()
    with Vehicles(tmp_path) as vehicles:
        assert vehicles.text("A") == (
            '{"vin":"A","latitude":1e-7,"longitude":13.25,"time":1700000000.1,"sequence":7,'
            '"obd_codes":["P0300"],"source":"alpha","received_at":1000.0,"schema_version":2}'
        )


@settings(max_examples=200, deadline=None)
@given(
    st.text(min_size=1, max_size=8),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.text(max_size=5), max_size=3),
)
def test_texts_are_those_that_orjson_writes_and_numbers_come_back_exactly(
    vin: str, number: float, sequence: int, codes: list[str]
) -> None:
    one = ping(vin, number, sequence, latitude=number, obd_codes=codes)
    (text,) = prepare(frame([one]), 2).texts
    record = orjson.loads(text)
    assert orjson.dumps(record).decode() == text
    expected = {name: one[name] for name in SCHEMA} | {"schema_version": 2}
    assert record == expected
    assert repr(record["latitude"]) == repr(number)


@settings(max_examples=200, deadline=None)
@given(
    st.text(min_size=1, max_size=8),
    st.floats(),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.lists(st.text(max_size=5), max_size=3),
)
def test_a_ping_is_prepared_alike_alone_and_among_many(
    vin: str, number: float, sequence: int | None, codes: list[str]
) -> None:
    one = {**ping(vin, number, latitude=number, obd_codes=codes), "sequence": sequence}
    others = [ping(f"another {place}") for place in range(FEW)]
    alone, among = prepare(frame([one]), 2), prepare(frame([one, *others]), 2)
    row = among.vins.index(vin)
    assert (alone.vins, alone.texts) == ([vin], [among.texts[row]])
    assert (alone.times, alone.sequences, alone.sources) == (
        [among.times[row]],
        [among.sequences[row]],
        [among.sources[row]],
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_hold_becomes_null_and_such_a_time_is_the_oldest(
    tmp_path: Path, number: float
) -> None:
    store = Store(tmp_path)
    put(store, ping("A", number, latitude=number))
    with Vehicles(tmp_path) as vehicles:
        record = vehicles.get("A")
        assert record is not None
        assert (record["time"], record["latitude"], record["longitude"]) == (None, None, 13.25)
        assert put(store, ping("A", number, latitude=number))["alpha"].superseded == 1
        assert put(store, ping("A", 0.0))["alpha"].applied == 1
        assert put(store, ping("A", number, 5))["alpha"].superseded == 1
        assert "null" not in str(vehicles.text("A"))
    store.close()


def test_a_ping_without_a_vin_is_refused_in_words(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(StoreError, match="without a VIN"):
        store.upsert(prepare(frame([{**ping("A"), "vin": None}]), 2), 2)
    store.close()


def test_any_text_may_be_a_vin(tmp_path: Path) -> None:
    names = [
        "A",
        "a",
        " ",
        "1",
        "1.0",
        "null",
        "Ä€😀",
        'a"b',
        "a\\b",
        "a\nb",
        "%",
        "NUL",
        "NUL\0L",
        "NUL\0M",
        "\\u0000",
        "'; DROP",
    ]
    store = Store(tmp_path)
    put(store, *(ping(name) for name in names))
    put(store, *(ping(name, 2.0) for name in names))
    store.close()
    with Vehicles(tmp_path) as vehicles:
        assert [record["vin"] for record in vehicles.records()] == sorted(names)
        assert all(vehicles.get(name) is not None for name in names)
        assert all(record["time"] == 2.0 for record in vehicles.records())


def test_a_name_cut_by_sqlite_does_not_touch_another_vehicle(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("NUL", 5.0))
    assert put(store, ping("NUL\0L", 6.0)) == {"alpha": Counts(applied=1)}
    assert put(store, ping("NUL\0L", 5.5)) == {"alpha": Counts(superseded=1)}
    store.close()
    with Vehicles(tmp_path) as vehicles:
        times = {record["vin"]: record["time"] for record in vehicles.records()}
    assert times == {"NUL": 5.0, "NUL\0L": 6.0}


def test_equal_time_and_sequence_are_decided_by_position_source_and_fields(tmp_path: Path) -> None:
    rising = [
        ping("A", latitude=1.0, longitude=9.0, source="z"),
        ping("A", latitude=2.0, longitude=1.0, source="z"),
        ping("A", latitude=2.0, longitude=2.0, source="a"),
        ping("A", latitude=2.0, longitude=2.0, source="b", obd_codes=["P1"]),
        ping("A", latitude=2.0, longitude=2.0, source="b", obd_codes=["P2"]),
    ]
    for index, order in enumerate((rising, rising[::-1])):
        store = Store(tmp_path / str(index))
        applied = [sum(counts.applied for counts in put(store, one).values()) for one in order]
        assert applied == ([1] * 5 if order is rising else [1, 0, 0, 0, 0])
        store.close()
        assert in_map(tmp_path / str(index)) == {"A": rank(rising[-1])}


def test_fields_of_others_and_of_a_newer_schema_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A", obd_codes=["P0300"]), version=2)
    store.update("A", {"status": "ok", "note": {"b": [1], "a": 2.5}})
    put(store, ping("A", 2.0), version=1)
    with Vehicles(tmp_path) as vehicles:
        record = vehicles.get("A")
        assert record is not None
        assert (record["time"], record["schema_version"]) == (2.0, 1)
        assert record["obd_codes"] == ["P0300"]
        assert record["note"] == {"b": [1], "a": 2.5}
        put(store, ping("A", 3.0, obd_codes=["P0420"]), version=2)
        assert vehicles.text("A") == (
            '{"vin":"A","latitude":52.5,"longitude":13.25,"time":3.0,"sequence":0,"obd_codes":["P0420"],'
            '"source":"alpha","received_at":1000.0,"schema_version":2,"note":{"a":2.5,"b":[1]},"status":"ok"}'
        )
    store.close()


def test_a_rollback_keeps_the_codes_of_vehicles_nobody_set_a_field_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A", 1.0), version=1)
    put(store, ping("A", 2.0, obd_codes=["P0300"]), version=2)
    put(store, ping("A", 3.0), version=1)
    put(store, ping("A", 4.0), version=1)
    store.close()
    with Vehicles(tmp_path) as vehicles:
        record = vehicles.get("A")
    assert record is not None
    assert (record["time"], record["obd_codes"], record["schema_version"]) == (4.0, ["P0300"], 1)


def test_a_schema_that_changed_its_fields_without_its_version_loses_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A", 1.0, obd_codes=["P0300"]), version=2)
    store.upsert(prepare(frame([ping("A", 2.0)]).drop("obd_codes"), 2), 2)
    store.upsert(prepare(frame([ping("A", 3.0)]).drop("obd_codes"), 2), 2)
    store.close()
    with Vehicles(tmp_path) as vehicles:
        record = vehicles.get("A")
    assert record is not None
    assert (record["time"], record["obd_codes"]) == (3.0, ["P0300"])


def test_the_same_ping_as_a_newer_schema_read_it_replaces_the_record_of_the_older_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A", 4.0, 7), version=1)
    store.update("A", {"note": "kept"})
    assert put(store, ping("A", 4.0, 7, obd_codes=["P0300"]))["alpha"] == Counts(applied=1)
    # read again by the older schema, as after a rollback, it stays
    assert put(store, ping("A", 4.0, 7), version=1)["alpha"] == Counts(superseded=1)
    # an older ping of the newer schema moves nothing back
    assert put(store, ping("A", 3.0, 9, obd_codes=["U0100"]))["alpha"] == Counts(superseded=1)
    store.close()
    with Vehicles(tmp_path) as vehicles:
        record = vehicles.get("A")
    assert record is not None
    assert (record["time"], record["obd_codes"], record["schema_version"]) == (4.0, ["P0300"], 2)
    assert record["note"] == "kept"


def test_without_a_known_schema_version_fields_are_kept_as_well(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A", 1.0, obd_codes=["P0300"]), version=None)
    store.upsert(prepare(frame([ping("A", 2.0)]).drop("obd_codes"), None), None)
    store.close()
    with Vehicles(tmp_path) as vehicles:
        record = vehicles.get("A")
    assert record is not None
    assert (record["time"], record["obd_codes"], record["schema_version"]) == (2.0, ["P0300"], None)


def test_an_events_update_is_set_with_its_ping_and_once(tmp_path: Path) -> None:
    sink = VehiclesSink.at(tmp_path, 2)
    shard = sink.open("0000", None)
    crash = batch(ping("A", 5.0), events=[event("A", 5.0, {"status": "crash", "note": "hit"})])
    shard.write(crash, {})
    with Vehicles(tmp_path) as vehicles:
        record = vehicles.get("A")
        assert record is not None
        assert (record["status"], record["note"]) == ("crash", "hit")
        assert record["event_marks"] == {"note": [5.0, "A-5.0"], "status": [5.0, "A-5.0"]}
        # by hand, then the batch again after a crash of the job
        assert vehicles.update("A", {"status": "repaired"}) is not None
        revision = vehicles.revision()
        shard.write(crash, {})
        assert vehicles.revision() == revision
        record = vehicles.get("A")
        assert record is not None
        assert record["status"] == "repaired"
        # a newer one counts
        shard.write(batch(events=[event("A", 6.0, {"status": "crash"})]), {})
        record = vehicles.get("A")
        assert record is not None
        assert (record["status"], record["note"]) == ("crash", "hit")
    shard.close()


updates = st.lists(
    st.builds(
        event,
        few(["A", "B"]),
        few([1.0, 2.0, 3.0]),
        st.dictionaries(few(["status", "note"]), few([None, "x", "y", 3])),
        few(["e1", "e2"]),
    ),
    max_size=8,
    unique_by=lambda one: (one.vin, one.time, one.id),
)


@settings(max_examples=60, deadline=None)
@given(updates, st.randoms(use_true_random=False))
def test_events_in_any_order_and_again_leave_the_newest_per_field(events: Any, rnd: random.Random) -> None:
    expected: dict[str, dict[str, Any]] = {"A": {}, "B": {}}
    for one in sorted(events, key=lambda one: (one.time, one.id)):
        expected[one.vin].update(one.update)
    with tempfile.TemporaryDirectory() as folder:
        shard = VehiclesSink.at(Path(folder), 2).open("0000", None)
        shard.write(batch(ping("A"), ping("B")), {})
        many = rnd.sample([*events, *events], 2 * len(events))
        cut = rnd.randrange(len(many) + 1)
        shard.write(batch(events=many[:cut]), {})
        shard.write(batch(ping("A", 2.0), events=many[cut:]), {})
        shard.close()
        with Vehicles(Path(folder)) as vehicles:
            found = {
                record["vin"]: {name: record[name] for name in ("status", "note") if name in record}
                for record in vehicles.records()
            }
    assert found == {
        vin: {name: value for name, value in fields.items() if value is not None}
        for vin, fields in expected.items()
    }


STATUSES = few([None, "CRASHED", "SPEEDING", "MAINTENANCE"])
conditional = st.lists(
    st.builds(
        lambda time_s, name, status, own, values: event(
            "A",
            time_s,
            {"status": status, "note": status and f"{status} at {time_s}", name: time_s},
            f"{name}-{time_s}",
            {"status": values, "note": []} if own else {},
        ),
        few([1.0, 2.0, 3.0, 4.0]),
        few(["crash", "speed", "maintenance"]),
        STATUSES,
        st.booleans(),
        st.lists(STATUSES, min_size=1, max_size=2),
    ),
    max_size=10,
    unique_by=lambda one: one.id,
)


def folded(events: Any) -> dict[str, Any]:
    """Return what the fields of one vehicle are after events in order, by the words of the contract."""
    fields: dict[str, Any] = {}
    for one in sorted(events, key=lambda one: (one.time, one.id)):
        holds = all(not values or fields.get(name) in values for name, values in one.only_if.items())
        fields.update({n: v for n, v in one.update.items() if holds or n not in one.only_if})
        fields = {name: value for name, value in fields.items() if value is not None}
    return fields


@settings(max_examples=100, deadline=None)
@given(conditional, st.integers(0, 10), st.integers(0, 10), st.randoms(use_true_random=False))
def test_conditional_updates_are_those_of_the_order_of_time_and_a_replay_changes_nothing(
    events: Any, cut: int, back: int, rnd: random.Random
) -> None:
    """In any order within a batch; batches in order of time, some of it twice, as after a kill."""
    in_order = sorted(events, key=lambda one: (one.time, one.id))
    first, again = in_order[:cut], in_order[max(0, cut - back) :]
    with tempfile.TemporaryDirectory() as folder:
        shard = VehiclesSink.at(Path(folder), 2).open("0000", None)
        shard.write(batch(ping("A")), {})
        for part in (first, again):
            shard.write(batch(events=rnd.sample(part, len(part))), {})
        with Vehicles(Path(folder)) as vehicles:
            record = vehicles.get("A")
            assert record is not None
            names = {name for one in events for name in one.update}
            assert {name: record[name] for name in names if name in record} == folded(events)
            # whatever somebody writes there now, no replay of anything undoes it
            vehicles.update("A", {"status": None, "note": "by hand"})
            revision = vehicles.revision()
            for one in rnd.sample(in_order, len(in_order)):
                shard.write(batch(events=[one]), {})
            assert vehicles.revision() == revision or not events
        shard.close()


odd = st.lists(
    st.builds(
        lambda time_s, name, update, values, kind: event("A", time_s, kind(update), name, {"status": values}),
        few([1.0, 2.0, 3.0]),
        few(["a", "b", "ü"]),
        st.dictionaries(
            few(["status", "note", "areas", "latitude", "", "n" * 65, "ü", 7]),
            few(
                [
                    None,
                    "x",
                    "ü",
                    "\ud800",
                    "x" * 300,
                    7,
                    2**70,
                    1.5,
                    float("nan"),
                    ["x"],
                    [["x"]],
                    {"a": 1},
                    True,
                ]
            ),
            min_size=1,
            max_size=3,
        ),
        st.lists(few([None, "x"]), max_size=1),
        few([dict, MappingProxyType]),
    ),
    max_size=8,
    unique_by=lambda one: (one.time, one.id),
)


def one_by_one(record: Any, events: Any, own: Any, limit: int) -> Any:
    """Return the record after events in order, each checked and written before the next, as by hand."""
    for one in sorted(events, key=lambda one: (one.time, one.id)):
        marks, mark = record.get("event_marks", {}), [one.time, one.id]
        newer = {name: value for name, value in one.update.items() if marks.get(name, [-1]) < mark}
        holds = all(not values or record.get(name) in values for name, values in one.only_if.items())
        values = {name: value for name, value in newer.items() if holds or name not in one.only_if}
        with contextlib.suppress(FleetflowError):
            check_fields(newer, own)
            marked = {**values, "event_marks": {**marks, **dict.fromkeys(newer, mark)}}
            changed = with_fields(record, marked, own)
            text_of(changed, own, limit)
            record = changed if newer else record
    return record


@settings(max_examples=300, deadline=None)
@given(odd, st.sampled_from([200, 700, 65_536]), st.randoms(use_true_random=False))
def test_many_events_do_to_a_record_what_they_do_one_by_one(
    events: Any, limit: int, rnd: random.Random
) -> None:
    own = ["vin", "latitude", "time"]
    record = {"vin": "A", "latitude": 1.0, "time": 1.0, "kept": "by hand"}
    found = with_events(record, rnd.sample(events, len(events)), own, limit)
    expected = one_by_one(record, events, own, limit)
    assert list(found.items()) == list(expected.items())
    assert text_of(found, own, limit) == text_of(expected, own, limit)


def test_of_many_events_in_a_batch_one_that_may_be_set_decides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shard = VehiclesSink(lambda: Store(tmp_path, fields_bytes=1000), 2).open("0000", None)
    events = [event("A", float(number), {"areas": [number]}) for number in range(100)]
    # too long, and not JSON: the newest of the others is on show
    events += [event("A", 200.0, {"areas": ["x" * 2000]}), event("A", 201.0, {"areas": float("nan")})]
    shard.write(batch(ping("A"), events=events), {})
    shard.close()
    with Vehicles(tmp_path) as vehicles:
        record = vehicles.get("A")
    assert record is not None
    assert (record["areas"], record["event_marks"]) == ([99], {"areas": [99.0, "A-99.0"]})
    assert sum("does not update" in message for message in caplog.messages) == 2


def test_an_end_takes_away_what_its_own_begin_set_and_nothing_else(tmp_path: Path) -> None:
    shard = VehiclesSink.at(tmp_path, 2).open("0000", None)
    free, own = {"status": [None, "SPEEDING"], "note": []}, {"status": ["SPEEDING"], "note": []}
    begin = event("A", 1.0, {"speeding": True, "status": "SPEEDING", "note": "130"}, only_if=free)
    crash = event("A", 2.0, {"status": "CRASHED", "note": "help"})
    end = event("A", 3.0, {"speeding": None, "status": None, "note": None}, only_if=own)
    over = event("A", 4.0, {"status": None, "note": None}, only_if={"status": ["CRASHED"], "note": []})
    found = []
    with Vehicles(tmp_path) as vehicles:
        for one in (begin, crash, end, over):
            shard.write(batch(ping("A", one.time), events=[one]), {})
            record = vehicles.get("A")
            assert record is not None
            found.append([record.get(name) for name in ("status", "note", "speeding")])
    shard.close()
    assert found == [
        ["SPEEDING", "130", True],
        ["CRASHED", "help", True],
        ["CRASHED", "help", None],
        [None, None, None],
    ]


def test_an_update_that_must_not_be_set_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shard = VehiclesSink.at(tmp_path, 2).open("0000", None)
    events = [
        event("A", 1.0, {"latitude": 0.0}, "moves"),
        event("A", 2.0, {"score": float("nan")}, "holds nan"),
        event("A", 3.0, {"status": "fine"}, "good"),
        event("GONE", 3.0, {"status": "fine"}, "unknown vehicle"),
    ]
    assert shard.write(batch(ping("A"), events=events), {}) == {"alpha": Counts(applied=1)}
    shard.close()
    with Vehicles(tmp_path) as vehicles:
        (record,) = vehicles.records()
    assert (record["latitude"], record["status"]) == (52.5, "fine")
    assert "score" not in record
    told = [message for message in caplog.messages if "update" in message]
    assert len(told) == 3


def test_an_empty_batch_writes_nothing(tmp_path: Path) -> None:
    shard = VehiclesSink.at(tmp_path, 2).open("0000", None)
    with Vehicles(tmp_path) as vehicles:
        revision = vehicles.revision()
        assert shard.write(ShardBatch(pl.DataFrame(schema=SCHEMA)), {}) == {}
        assert shard.write(batch(events=[event("A", 1.0, {})]), {}) == {}
        assert vehicles.revision() == revision
    shard.close()


def test_shards_write_side_by_side_and_the_last_one_closes(tmp_path: Path) -> None:
    sink = VehiclesSink.at(tmp_path, 2)

    def run(number: int) -> int:
        shard = sink.open(f"{number:04d}", None)
        applied = 0
        for step in range(5):
            rows = [ping(f"{number}-{vehicle}", float(step)) for vehicle in range(50)]
            applied += shard.write(batch(*rows), {})["alpha"].applied
            assert shard.snapshot() is None
        shard.close()
        shard.close()
        return applied

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(8))) == [250] * 8
    # a closed store has moved its log into the database
    assert [path.name for path in tmp_path.iterdir()] == ["cache.db"]
    with Vehicles(tmp_path) as vehicles:
        assert vehicles.count() == 400
        assert {record["time"] for record in vehicles.records()} == {4.0}


def test_the_sink_can_be_opened_again_after_all_shards_were_closed(tmp_path: Path) -> None:
    sink = VehiclesSink.at(tmp_path, 2)
    for time_s in (1.0, 2.0):
        shard = sink.open("0000", None)
        assert shard.write(batch(ping("A", time_s)), {}) == {"alpha": Counts(applied=1)}
        shard.close()
    assert sink.name == "vehicles"
    assert sink.role == "pings"
