"""The tables of the vehicles map, and how a store is made and checked.

A store is one diskcache directory. Vehicles are read and written by SQL on diskcache's own table rather
than by its methods, because these take about 20 µs per vehicle (a SELECT, an INSERT and Python around
them for each) and bulk statements 6. That is a dependency on the table layout of **diskcache 5.6**:

    Cache(rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename,
          value), unique index Cache_key_raw(key, raw), index Cache_tag_rowid(tag, rowid) by `tag_index=1`
    Settings(key, value), where triggers on Cache keep `count` and `size`

which has not changed since 2019; `tests/test_vehicles_layout.py` holds it, and pyproject.toml admits
nothing from 6 on. `diskcache.Cache(directory, disk=TextDisk)` opens the same store and sees the same.
What is ours in it:

- `key` is the VIN (raw 1), `value` the record's JSON text (mode 1: as it is), `tag` the revision of the
  transaction that wrote it. There is no expiry and no eviction.
- Table `fleetflow_vehicles(name, value)`: `layout` (the version of all this), `revision` (the last one
  given out) and `columns:<schema version>` (JSON array: the ping's fields).
- Triggers of diskcache under their own names: those for `size` do nothing where the size does not change
  (values in the database have size 0), the one for `count` leaves out rows with `access_count` -1, which
  our bulk INSERT adds up in one statement. Both totals are the same as ever; it saves 2 µs per vehicle.
- The index `Cache_expire_time` under its own name, but only over rows that expire: there are none.

The first revision of a store is the microseconds since 1970 at its creation, so that a reader which
remembers a revision of a store that was deleted meanwhile is given everything of the new one.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diskcache  # type: ignore[import-untyped] # it has no type hints
from diskcache.core import DBNAME  # type: ignore[import-untyped]

from fleetflow.errors import StoreError
from fleetflow_vehicles.disk import TextDisk

LAYOUT = 1
"""The version of the layout; rises when an older fleetflow-vehicles could no longer read or write."""
WAL_PAGES = 16_000
"""Pages in the write-ahead log before they are moved into the database: 64 MB. More than SQLite's 1000,
because pages of vehicles that move all the time are then moved once instead of many times."""

CACHE_SETTINGS = {
    "statistics": 0,
    "tag_index": 1,
    "eviction_policy": "none",
    "size_limit": 2**62,
    "cull_limit": 0,
    "sqlite_auto_vacuum": 0,
    "sqlite_journal_mode": "wal",
    "sqlite_synchronous": 1,
    "disk_min_file_size": 2**62,
}
"""Nothing is ever evicted, nothing leaves the database for a file."""

TRIGGERS = {
    "Settings_count_insert": "AFTER INSERT ON Cache FOR EACH ROW WHEN NEW.access_count >= 0 BEGIN"
    " UPDATE Settings SET value = value + 1 WHERE key = 'count'; END",
    "Settings_size_insert": "AFTER INSERT ON Cache FOR EACH ROW WHEN NEW.size != 0 BEGIN"
    " UPDATE Settings SET value = value + NEW.size WHERE key = 'size'; END",
    "Settings_size_update": "AFTER UPDATE ON Cache FOR EACH ROW WHEN NEW.size != OLD.size BEGIN"
    " UPDATE Settings SET value = value + NEW.size - OLD.size WHERE key = 'size'; END",
    "Settings_size_delete": "AFTER DELETE ON Cache FOR EACH ROW WHEN OLD.size != 0 BEGIN"
    " UPDATE Settings SET value = value - OLD.size WHERE key = 'size'; END",
}
EXPIRE_INDEX = "CREATE INDEX Cache_expire_time ON Cache(expire_time) WHERE expire_time IS NOT NULL"


def database(directory: Path) -> Path:
    """Return the path of the database file of a store."""
    return directory / str(DBNAME)


def log_file(directory: Path) -> Path:
    """Return the path of the write-ahead log of a store."""
    return directory / f"{DBNAME}-wal"


def open_cache(directory: Path, timeout_s: float = 60.0) -> Any:
    """Return the store as a `diskcache.Cache` of JSON texts; made when it is missing."""
    return diskcache.Cache(str(directory), timeout=timeout_s, disk=TextDisk, **CACHE_SETTINGS)


def create(directory: Path, timeout_s: float) -> None:
    """Make a store in `directory`, or finish one whose making was interrupted.

    Several processes may do so at once. The directory is private to its user, and so are the files.
    """
    with told(directory, timeout_s):
        _make_private(directory)
        path = database(directory)
        with contextlib.closing(sqlite3.connect(path, timeout=timeout_s, isolation_level=None)) as con:
            if check(con, directory) is not None:
                return
        open_cache(directory, timeout_s).close()
        with contextlib.closing(sqlite3.connect(path, timeout=timeout_s, isolation_level=None)) as con:
            con.execute("BEGIN IMMEDIATE")
            if check(con, directory) is None:
                for name, body in TRIGGERS.items():
                    con.execute(f"DROP TRIGGER IF EXISTS {name}")
                    con.execute(f"CREATE TRIGGER {name} {body}")
                con.execute("DROP INDEX IF EXISTS Cache_expire_time")
                con.execute(EXPIRE_INDEX)
                con.execute("CREATE TABLE fleetflow_vehicles(name TEXT PRIMARY KEY, value) WITHOUT ROWID")
                con.executemany(
                    "INSERT INTO fleetflow_vehicles VALUES (?, ?)",
                    [("layout", LAYOUT), ("revision", time.time_ns() // 1000)],
                )
            con.execute("COMMIT")


def check(con: sqlite3.Connection, directory: Path) -> dict[str, Any] | None:
    """Return the table `fleetflow_vehicles`, None when the store is not made yet.

    Raises StoreError for a store of a newer layout, and for a diskcache directory of somebody else.
    """
    tables = {name for (name,) in con.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "fleetflow_vehicles" in tables:
        marks = dict(con.execute("SELECT name, value FROM fleetflow_vehicles"))
        check_layout(marks.get("layout"), directory)
        return marks
    if "Cache" in tables and con.execute("SELECT 1 FROM Cache LIMIT 1").fetchone():
        raise StoreError(
            f"{directory} is a diskcache directory with content, but not a vehicles map",
            "choose another folder: [vehicles] dir, or FLEETFLOW_VEHICLES_DIR",
        )
    return None


def check_layout(found: object, directory: Path) -> None:
    """Raise StoreError unless layout version `found` is one that we know."""
    if not isinstance(found, int) or found > LAYOUT:
        raise StoreError(
            f"the vehicles map {directory} has layout version {found}, "
            f"this fleetflow-vehicles knows up to {LAYOUT}",
            "pip install -U fleetflow-vehicles, or choose another folder: [vehicles] dir",
        )


@contextlib.contextmanager
def told(directory: Path, timeout_s: float) -> Iterator[None]:
    """Turn what SQLite, diskcache and the file system say into a StoreError."""
    try:
        yield
    except (sqlite3.Error, diskcache.Timeout) as error:
        raise _told(error, directory, timeout_s) from error
    except OSError as error:
        raise StoreError(
            f"the vehicles map {directory} cannot be used: {error}",
            "correct its owner and rights, or choose another folder: [vehicles] dir",
        ) from error


def _told(error: Exception, directory: Path, timeout_s: float) -> StoreError:
    # the extended code's low byte is the primary one
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if isinstance(error, diskcache.Timeout) or code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"the vehicles map {directory} has been locked by another writer for {timeout_s:g} s",
            "find the process that holds it (a copy or backup that is stuck?), "
            "or wait longer: [vehicles] busy_timeout_s",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreError(
            f"the vehicles map {directory} is damaged: {error}",
            "move the folder away and start the job fresh: the sources are read again from the beginning",
        )
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"no space left for the vehicles map {directory}", "free some space on that disk")
    return StoreError(
        f"the vehicles map {directory} cannot be used: {error}",
        "correct its owner and rights, or choose another folder: [vehicles] dir",
    )


def _make_private(directory: Path) -> None:
    path = database(directory)
    try:
        directory.mkdir(mode=0o700, parents=True)
        ours = True
    except FileExistsError:
        # somebody's folder that holds other things keeps its rights; the files are private in any case
        ours = path.exists() or all(entry.name.startswith(".") for entry in directory.iterdir())
    if ours and directory.stat().st_mode & 0o077:
        directory.chmod(0o700)
    # SQLite gives its -wal and -shm the rights of the database. An existing database is never opened here:
    # closing any descriptor of it would drop the locks that SQLite holds in this process.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)
