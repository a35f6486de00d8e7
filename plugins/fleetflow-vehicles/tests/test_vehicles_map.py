"""Reading the map: snapshots, the change feed, updates by others, migrations."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fleetflow_vehicles import layout
from fleetflow_vehicles.records import Migrations
from fleetflow_vehicles.store import Store
from fleetflow_vehicles.vehicles import Vehicles
from hypothesis import given, settings
from hypothesis import strategies as st
from vehicles_kit import ping, put

from fleetflow.contracts.schema import Migration
from fleetflow.contracts.vehicles import VehiclesMap
from fleetflow.errors import FleetflowError


def vins(records: Any) -> list[str]:
    return [record["vin"] for record in records]


def test_a_missing_folder_is_an_empty_map_that_appears_by_itself(tmp_path: Path) -> None:
    vehicles: VehiclesMap = Vehicles(tmp_path / "later")
    assert vehicles.count() == 0
    assert vehicles.get("A") is None
    assert list(vehicles.records()) == []
    assert vehicles.update("A", {"note": "x"}) is None
    first = vehicles.changed_since(0)
    assert (first.revision, first.records) == (0, [])
    assert not (tmp_path / "later").exists()
    store = Store(tmp_path / "later")
    put(store, ping("A"))
    assert vehicles.count() == 1
    assert vins(vehicles.changed_since(first.revision).records) == ["A"]
    store.close()
    vehicles.close()


def test_a_store_made_anew_is_noticed_and_all_of_it_is_change(tmp_path: Path) -> None:
    folder = tmp_path / "map"
    with Vehicles(folder) as vehicles:
        store = Store(folder)
        put(store, ping("A"), ping("B"))
        revision = vehicles.changed_since(0).revision
        assert vins(vehicles.records()) == ["A", "B"]
        store.close()
        shutil.rmtree(folder)
        assert vehicles.count() == 0
        store = Store(folder)
        put(store, ping("C"))
        changes = vehicles.changed_since(revision)
        assert vins(changes.records) == ["C"]
        assert changes.revision > revision
        store.close()


def test_a_revision_from_the_future_gets_everything(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A"))
    with Vehicles(tmp_path) as vehicles:
        now = vehicles.revision()
        changes = vehicles.changed_since(now + 1000)
        assert (changes.revision, vins(changes.records)) == (now, ["A"])
    store.close()


def test_changes_are_told_once_each_with_the_latest_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Vehicles(tmp_path) as vehicles:
        put(store, ping("A"), ping("B"), ping("C"))
        first = vehicles.changed_since(0)
        assert sorted(vins(first.records)) == ["A", "B", "C"]
        assert vehicles.changed_since(first.revision) == type(first)(first.revision, [])
        put(store, ping("B", 2.0))
        put(store, ping("A", 2.0), ping("B", 3.0))
        vehicles.update("C", {"status": "ok"})
        put(store, ping("B", 1.5))
        second = vehicles.changed_since(first.revision)
        assert {record["vin"]: (record["time"], record.get("status")) for record in second.records} == {
            "A": (2.0, None),
            "B": (3.0, None),
            "C": (1.0, "ok"),
        }
        assert len(second.records) == 3
        assert second.revision > first.revision
        assert vehicles.changed_since(second.revision).records == []
        assert [vin for vin, _ in vehicles.latest(1)] == ["C"]
    store.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("pus"), st.integers(0, 4)), max_size=25))
def test_a_follower_has_the_same_map_at_every_stop(steps: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        with Vehicles(Path(folder)) as vehicles:
            revision, followed = 0, {}
            for vin, what, number in steps:
                if what == "p":
                    put(store, ping(vin, float(number)))
                elif what == "u":
                    vehicles.update(vin, {"note": number or None})
                else:
                    changes = vehicles.changed_since(revision)
                    revision = changes.revision
                    assert len({record["vin"] for record in changes.records}) == len(changes.records)
                    followed |= {record["vin"]: record for record in changes.records}
                    assert followed == {record["vin"]: record for record in vehicles.records()}
        store.close()


def test_the_change_feed_reads_by_its_index_and_costs_what_changed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, *(ping(f"VIN{number:06d}") for number in range(20_000)))
    with Vehicles(tmp_path) as vehicles:
        revision = vehicles.revision()
        put(store, ping("VIN000007", 2.0))
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        assert vehicles.count() == 20_000
        con = vehicles._connection()
        assert con is not None
        con.set_progress_handler(count, 10)
        assert vins(vehicles.changed_since(revision).records) == ["VIN000007"]
        con.set_progress_handler(None, 0)
        # in tens of instructions of SQLite's machine: some dozens, not the 20,000 of a scan
        assert steps < 20
    store.close()


def test_records_are_those_of_one_moment_while_the_job_writes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    names = [f"VIN{number:05d}" for number in range(3000)]
    put(store, *(ping(name, 1.0) for name in names))
    with Vehicles(tmp_path) as vehicles:
        records = vehicles.records()
        put(store, *(ping(name, 2.0) for name in names), ping("NEW"))
        seen = [next(records)]
        put(store, *(ping(name, 3.0) for name in names))
        assert vehicles.get(names[-1]) == {**seen[0], "vin": names[-1], "time": 3.0}
        seen.extend(records)
        assert vins(seen) == names
        assert {record["time"] for record in seen} == {1.0}
        assert vehicles.count() == 3001
        # one that is dropped on the way lets go of the file
        some = vehicles.records()
        next(some)
        del some
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["cache.db"]


def test_readers_cannot_write(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A"))
    with Vehicles(tmp_path) as vehicles:
        con = vehicles._connection()
        assert con is not None
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            con.execute("DELETE FROM Cache")
    store.close()


def test_an_open_reader_can_be_closed_and_used_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A"))
    vehicles = Vehicles(tmp_path)
    assert vehicles.count() == 1
    vehicles.close()
    vehicles.close()
    assert vehicles.count() == 1
    vehicles.close()
    store.close()


def test_update_sets_and_removes_fields_and_leaves_the_rest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A", 2.0))
    with Vehicles(tmp_path) as vehicles:
        before = vehicles.get("A")
        assert before is not None
        assert vehicles.update("A", {"status": "ok", "note": {"deep": [1, None, 2.5, "ü"]}}) == {
            **before,
            "note": {"deep": [1, None, 2.5, "ü"]},
            "status": "ok",
        }
        assert vehicles.update("A", {"note": None, "never": None}) == {**before, "status": "ok"}
        assert vehicles.get("A") == {**before, "status": "ok"}
        revision = vehicles.revision()
        vehicles.update("A", {"status": "ok"})
        assert vehicles.revision() == revision, "nothing changed, nothing was written"
        assert vehicles.update("B", {"status": "ok"}) is None
        assert vehicles.update("\udcff", {"status": "ok"}) is None
        assert vehicles.get("\udcff") is None
    store.close()


@pytest.mark.parametrize(
    "field",
    [
        "vin",
        "latitude",
        "time",
        "sequence",
        "source",
        "schema_version",
        "received_at",
        "obd_codes",
        "event_marks",
    ],
)
def test_update_refuses_what_the_pings_own(tmp_path: Path, field: str) -> None:
    store = Store(tmp_path)
    put(store, ping("A"))
    # the store itself knows which fields its pings have, whatever schema the reader has
    with Vehicles(tmp_path) as vehicles:
        text = vehicles.text("A")
        with pytest.raises(FleetflowError, match=f"{field} cannot be set"):
            vehicles.update("A", {"status": "ok", field: "x"})
        assert vehicles.text("A") == text
    store.close()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "not a finite number"),
        ([{"a": float("inf")}], "not a finite number"),
        (datetime(2026, 1, 1, tzinfo=UTC), "datetime is not a JSON type"),
        ({1: 2}, "names must be text"),
        ((1, 2), "tuple is not a JSON type"),
        (b"x", "bytes is not a JSON type"),
        (2**64, "more than 64 bits"),
        ("\ud800", "not valid Unicode"),
        ({"\ud800": 1}, "not valid Unicode"),
        ([[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]], "nested more than"),
    ],
)
def test_update_refuses_what_json_cannot_hold(tmp_path: Path, value: object, words: str) -> None:
    store = Store(tmp_path)
    put(store, ping("A"))
    with Vehicles(tmp_path) as vehicles:
        text = vehicles.text("A")
        with pytest.raises(FleetflowError, match=words):
            vehicles.update("A", {"note": value})
        assert vehicles.text("A") == text
    store.close()


@pytest.mark.parametrize("name", ["", "x" * 65, "\ud800"])
def test_update_refuses_names_that_are_none(tmp_path: Path, name: str) -> None:
    with Vehicles(tmp_path) as vehicles, pytest.raises(FleetflowError):
        vehicles.update("A", {name: 1})


def test_update_is_bounded_also_by_many_small_ones(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A"))
    with Vehicles(tmp_path, fields_bytes=1024) as vehicles:
        with pytest.raises(FleetflowError, match="at most 1024 may"):
            vehicles.update("A", {"note": "x" * 1024})
        done = 0
        with pytest.raises(FleetflowError, match="fields_bytes"):
            for number in range(100):
                vehicles.update("A", {f"field{number}": "x" * 100})
                done += 1
        assert done == 9
        # the vehicle still moves, and a field can still be removed
        put(store, ping("A", 2.0))
        assert vehicles.update("A", {"field0": None}) is not None
    store.close()


def test_clear_removes_all_and_revisions_go_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A"), ping("B"))
    with Vehicles(tmp_path) as vehicles:
        revision = vehicles.revision()
        assert store.clear() == 2
        assert vehicles.count() == 0
        assert vehicles.changed_since(revision).records == []
        put(store, ping("A", 0.5))
        assert vins(vehicles.changed_since(revision).records) == ["A"]
    store.close()


def rename(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"vin": record["vin"], "codes": record.get("obd_codes", ["none"])}


def test_records_of_an_older_schema_are_migrated_when_read_and_keep_every_field(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A", 1.0), version=1)
    store.update("A", {"note": "keep"})
    put(store, ping("B", 1.0, obd_codes=["P1"]), version=2)
    steps = [
        Migration("ping", 1, lambda record: {**record, "obd_codes": ["migrated"]}),
        Migration("ping", 2, rename),
        Migration("other", 1, lambda record: {"wrong": True}),
    ]
    with Vehicles(tmp_path, Migrations("ping", 3, steps)) as vehicles:
        a, b = vehicles.records()
        assert (a["schema_version"], a["codes"], a["note"], a["time"]) == (3, ["migrated"], "keep", 1.0)
        assert (b["schema_version"], b["codes"], b["latitude"]) == (3, ["P1"], 52.5)
        assert "wrong" not in a
        assert vehicles.get("A") == a
        assert vehicles.changed_since(0).records == [a, b]
        # reading writes nothing, and the text is what is stored
        assert '"schema_version":1' in str(vehicles.text("A"))
        updated = vehicles.update("A", {"note": "new"})
        assert updated == {**a, "note": "new"}
        assert '"schema_version":1' in str(vehicles.text("A"))
    store.close()


def test_a_newer_record_and_one_without_a_step_are_handed_out_as_they_are(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A"), version=2)
    with (
        Vehicles(tmp_path, Migrations("ping", 1)) as older,
        Vehicles(tmp_path, Migrations("ping", 9)) as newer,
    ):
        for vehicles in (older, newer):
            record = vehicles.get("A")
            assert record is not None
            assert (record["schema_version"], record["obd_codes"]) == (2, [])
    store.close()


def test_a_step_that_fails_hides_no_vehicle(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    put(store, ping("A"), ping("B"), version=1)

    def broken(record: Mapping[str, Any]) -> dict[str, Any]:
        raise KeyError("speed")

    with Vehicles(tmp_path, Migrations("ping", 2, [Migration("ping", 1, broken)])) as vehicles:
        assert vins(vehicles.records()) == ["A", "B"]
    assert len([message for message in caplog.messages if "migrating failed" in message]) == 1
    store.close()


def test_near_names_are_found_whatever_their_case(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, *(ping(f"WVWZZZ1JZXW{number:06d}") for number in range(2000)), ping("lower-case"))
    with Vehicles(tmp_path) as vehicles:
        assert vehicles.near("wvwzzz1jzxw000042")[0] == "WVWZZZ1JZXW000042"
        assert vehicles.near("WVWZZZ1JZXW00004")[0].startswith("WVWZZZ1JZXW00004")
        assert vehicles.near("LOWER-CASE")[0] == "lower-case"
        assert vehicles.near("Ω") == []
    store.close()


def test_a_plain_database_without_our_tables_is_an_empty_map(tmp_path: Path) -> None:
    with closing(sqlite3.connect(layout.database(tmp_path))) as con:
        con.execute("CREATE TABLE something(x)")
    with Vehicles(tmp_path) as vehicles:
        assert vehicles.count() == 0


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_changes_come_in_parts_that_split_no_transaction(tmp_path: Path, most: int) -> None:
    store = Store(tmp_path)
    with Vehicles(tmp_path) as vehicles:
        put(store, ping("A"), ping("B"))
        put(store, ping("C"))
        put(store, ping("D"), ping("E"), ping("F"))
        revision, parts = 0, []
        while not parts or len(parts[-1]) >= most:
            changes = vehicles.changed_since(revision, most)
            revision = changes.revision
            parts.append("".join(sorted(vins(changes.records))))
        assert revision == vehicles.revision()
        assert [part for part in parts if part] == {
            1: ["AB", "C", "DEF"],
            2: ["AB", "CDEF"],
            3: ["ABC", "DEF"],
            100: ["ABCDEF"],
        }[most]
    store.close()
