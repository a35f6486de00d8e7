"""The store's files and tables: what of diskcache we depend on, what is refused, who may read it."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
import subprocess
import threading
import warnings
from contextlib import closing
from pathlib import Path

import diskcache
import pytest
from fleetflow_vehicles import layout
from fleetflow_vehicles.store import Store
from fleetflow_vehicles.vehicles import Vehicles
from vehicles_kit import ping, put, python

from fleetflow.errors import StoreError

COLUMNS = [
    ("rowid", "INTEGER", 0, None),
    ("key", "BLOB", 0, None),
    ("raw", "INTEGER", 0, None),
    ("store_time", "REAL", 0, None),
    ("expire_time", "REAL", 0, None),
    ("access_time", "REAL", 0, None),
    ("access_count", "INTEGER", 0, "0"),
    ("tag", "BLOB", 0, None),
    ("size", "INTEGER", 0, "0"),
    ("mode", "INTEGER", 0, "0"),
    ("filename", "TEXT", 0, None),
    ("value", "BLOB", 0, None),
]
PICKLE_MODE = 4


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def sql(directory: Path, statement: str, *parameters: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(layout.database(directory), isolation_level=None)) as con:
        return con.execute(statement, parameters).fetchall()


def test_diskcache_has_the_tables_that_the_bulk_statements_are_written_for(tmp_path: Path) -> None:
    diskcache.Cache(str(tmp_path / "plain"), tag_index=1).close()
    found = sql(
        tmp_path / "plain", "SELECT name, type, \"notnull\", dflt_value FROM pragma_table_info('Cache')"
    )
    assert found == COLUMNS
    things = sql(tmp_path / "plain", "SELECT name FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
    assert [name for (name,) in things] == [
        "Cache",
        "Cache_expire_time",
        "Cache_key_raw",
        "Cache_store_time",
        "Cache_tag_rowid",
        "Settings",
        "Settings_count_delete",
        "Settings_count_insert",
        "Settings_size_delete",
        "Settings_size_insert",
        "Settings_size_update",
    ]
    assert diskcache.core.MODE_RAW == 1
    assert diskcache.core.MODE_PICKLE == PICKLE_MODE


def test_diskcache_reads_and_checks_what_the_bulk_statements_wrote(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A"), ping("B", 2.5))
    put(store, ping("B", 3.5), ping("C"))
    store.close()
    with layout.open_cache(tmp_path) as cache, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.check() == []
        assert len(cache) == 3
        assert list(cache.iterkeys()) == ["A", "B", "C"]
        assert '"time":3.5' in cache["B"]
        # a method that writes one row keeps the total as well
        cache["D"] = cache["C"].replace('"C"', '"D"')
        del cache["A"]
        assert len(cache) == 3
        assert cache.check() == []
    with Vehicles(tmp_path) as vehicles:
        assert [record["vin"] for record in vehicles.records()] == ["B", "C", "D"]
        assert vehicles.count() == 3


def test_opening_with_diskcache_keeps_our_triggers_and_index(tmp_path: Path) -> None:
    Store(tmp_path).close()
    query = "SELECT name, sql FROM sqlite_schema ORDER BY name"
    before = sql(tmp_path, query)
    diskcache.Cache(str(tmp_path)).close()
    layout.open_cache(tmp_path).close()
    assert sql(tmp_path, query) == before
    bodies = dict(before)
    assert all(body in str(bodies[name]) for name, body in layout.TRIGGERS.items())
    assert bodies["Cache_expire_time"] == layout.EXPIRE_INDEX


def test_nothing_is_evicted_and_nothing_leaves_the_database(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with layout.open_cache(tmp_path) as cache:
        cache["LONG"] = '{"note":"' + "x" * 200_000 + '"}'
        assert cache.eviction_policy == "none"
        assert cache.cull_limit == 0
        assert cache.cull() == 0
        assert len(cache["LONG"]) > 200_000
    assert {path.name for path in tmp_path.iterdir()} <= {"cache.db", "cache.db-wal", "cache.db-shm"}


def test_a_pickled_row_is_refused_by_name_and_never_unpickled(tmp_path: Path) -> None:
    store = Store(tmp_path / "map")
    put(store, ping("GOOD"), ping("EVIL"))
    canary = tmp_path / "unpickled"
    evil = pickle.dumps(Canary(canary))
    sql(tmp_path / "map", "UPDATE Cache SET mode = 4, value = ? WHERE key = 'EVIL'", evil)
    with Vehicles(tmp_path / "map") as vehicles, layout.open_cache(tmp_path / "map") as cache:
        for read in (
            lambda: vehicles.get("EVIL"),
            lambda: list(vehicles.records()),
            lambda: vehicles.changed_since(0),
            lambda: vehicles.update("EVIL", {"note": "x"}),
            lambda: put(store, ping("EVIL", 2.0)),
            lambda: cache["EVIL"],
            lambda: cache.get("EVIL"),
        ):
            with pytest.raises(StoreError, match="EVIL"):
                read()
        assert vehicles.get("GOOD") is not None
    store.close()
    assert not canary.exists()
    pickle.loads(evil)
    assert canary.exists(), "the canary would have told"


def test_a_pickled_key_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "map")
    put(store, ping("GOOD"))
    canary = tmp_path / "unpickled"
    key = pickle.dumps(Canary(canary))
    sql(tmp_path / "map", "INSERT INTO Cache(key, raw, mode, value) VALUES (?, 0, 1, '{}')", key)
    with Vehicles(tmp_path / "map") as vehicles, layout.open_cache(tmp_path / "map") as cache:
        with pytest.raises(StoreError, match="a key that is not text"):
            list(vehicles.records())
        with pytest.raises(StoreError, match="a key that is not text"):
            list(cache)
    store.close()
    assert not canary.exists()


@pytest.mark.parametrize("value", [1, 1.5, b"bytes", None, {"a": 1}])
def test_the_disk_refuses_to_write_what_is_not_text(tmp_path: Path, value: object) -> None:
    with layout.open_cache(tmp_path) as cache:
        with pytest.raises(StoreError, match="VIN1"):
            cache["VIN1"] = value
        with pytest.raises(StoreError, match="a key of type"):
            cache[value] = "{}"
        assert len(cache) == 0


def test_a_value_in_a_file_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A"))
    sql(tmp_path, "UPDATE Cache SET mode = 3, filename = 'x.val', value = NULL")
    with Vehicles(tmp_path) as vehicles, pytest.raises(StoreError, match=r"'A'.*in a file"):
        vehicles.get("A")
    store.close()


@pytest.mark.parametrize("text", ["no json", "[1]", '"x"', "{", '{"time": "late"}'])
def test_a_row_that_is_not_a_record_is_refused_by_name(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    put(store, ping("A"))
    sql(tmp_path, "UPDATE Cache SET value = ?", text)
    with pytest.raises(StoreError, match="'A'"):
        put(store, ping("A", 2.0))
    if text != '{"time": "late"}':
        with Vehicles(tmp_path) as vehicles, pytest.raises(StoreError, match="'A'"):
            vehicles.get("A")
    store.close()


def test_a_store_of_a_newer_layout_is_refused_in_words(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A"))
    sql(tmp_path, "UPDATE fleetflow_vehicles SET value = 2 WHERE name = 'layout'")
    for attempt in (
        lambda: Store(tmp_path),
        lambda: Vehicles(tmp_path).get("A"),
        # also by a program that had opened it before it was upgraded
        lambda: put(store, ping("A", 2.0)),
    ):
        with pytest.raises(StoreError, match=r"layout version 2, .* up to 1") as caught:
            attempt()
        assert "pip install -U fleetflow-vehicles" in caught.value.hint
    store.close()


def test_somebody_elses_cache_is_refused_and_left_alone(tmp_path: Path) -> None:
    with diskcache.Cache(str(tmp_path)) as cache:
        cache["theirs"] = "text"
    before = sql(tmp_path, "SELECT name, sql FROM sqlite_schema")
    for attempt in (lambda: Store(tmp_path), lambda: Vehicles(tmp_path).count()):
        with pytest.raises(StoreError, match="not a vehicles map"):
            attempt()
    assert sql(tmp_path, "SELECT name, sql FROM sqlite_schema") == before


def test_a_file_that_is_no_database_is_told_as_damaged(tmp_path: Path) -> None:
    layout.database(tmp_path).write_bytes(b"not a database, whatever its name says" * 100)
    for attempt in (lambda: Store(tmp_path), lambda: Vehicles(tmp_path).count()):
        with pytest.raises(StoreError, match="is damaged"):
            attempt()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "file" / "map")
    with Vehicles(tmp_path / "file" / "map") as vehicles:
        assert vehicles.count() == 0


def test_folder_and_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        store = Store(tmp_path / "a" / "map")
        put(store, ping("A"))
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (tmp_path / "a" / "map", *(tmp_path / "a" / "map").iterdir())
        }
        store.close()
    finally:
        os.umask(previous)
    assert modes == {"map": 0o700, "cache.db": 0o600, "cache.db-wal": 0o600, "cache.db-shm": 0o600}


def test_a_store_that_became_readable_for_others_is_made_private_again(tmp_path: Path) -> None:
    Store(tmp_path / "map").close()
    (tmp_path / "map").chmod(0o755)
    layout.database(tmp_path / "map").chmod(0o644)
    Store(tmp_path / "map").close()
    assert stat.S_IMODE((tmp_path / "map").stat().st_mode) == 0o700
    assert stat.S_IMODE(layout.database(tmp_path / "map").stat().st_mode) == 0o600


def test_a_folder_with_other_things_keeps_its_rights(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(0o755)
    folder.chmod(0o755)
    (folder / "theirs.txt").write_text("x")
    Store(folder).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE(layout.database(folder).stat().st_mode) == 0o600


def test_a_store_whose_making_was_interrupted_is_finished(tmp_path: Path) -> None:
    layout.open_cache(tmp_path).close()
    with Vehicles(tmp_path) as vehicles:
        assert vehicles.count() == 0
        store = Store(tmp_path)
        put(store, ping("A"))
        store.close()
        assert vehicles.count() == 1


def test_several_processes_make_the_store_at_once(tmp_path: Path) -> None:
    code = """
from pathlib import Path
from vehicles_kit import ping, put
from fleetflow_vehicles.store import Store
sys.stdin.readline()
store = Store(Path(sys.argv[1]))
put(store, ping(sys.argv[2]))
store.close()
"""
    processes = [python(code, tmp_path / "map", f"VIN{n}", stdin=subprocess.PIPE) for n in range(3)]
    with Vehicles(tmp_path / "map") as vehicles:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            _, errors = process.communicate(timeout=60)
            assert (process.returncode, errors) == (0, "")
        assert [record["vin"] for record in vehicles.records()] == ["VIN0", "VIN1", "VIN2"]
        assert vehicles.count() == 3


def test_a_store_that_stays_locked_is_told_and_nothing_is_half_written(tmp_path: Path) -> None:
    store = Store(tmp_path, timeout_s=0.2)
    put(store, ping("A"))
    with closing(sqlite3.connect(layout.database(tmp_path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"locked by another writer for 0\.2 s"):
            put(store, ping("A", 2.0), ping("B"))
        other.execute("ROLLBACK")
    with Vehicles(tmp_path) as vehicles:
        assert vehicles.count() == 1
    assert put(store, ping("A", 2.0))["alpha"].applied == 1
    store.close()


def test_a_writer_waits_for_another_one(tmp_path: Path) -> None:
    store = Store(tmp_path, timeout_s=30)
    put(store, ping("A"))
    with closing(sqlite3.connect(layout.database(tmp_path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer = threading.Thread(target=put, args=(store, ping("A", 2.0)))
        writer.start()
        other.execute("COMMIT")
        writer.join(30)
    with Vehicles(tmp_path) as vehicles:
        record = vehicles.get("A")
    assert record is not None
    assert record["time"] == 2.0
    store.close()
