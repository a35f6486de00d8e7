"""The SQLite store of events."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fleetflow import sqlite
from fleetflow.contracts.detector import Event
from fleetflow.events.form import to_json

FILE = "events.sqlite3"
LAYOUT = 1
CACHE_KIB = 16_384
WAL_PAGES = 16_000
"""Pages in the write-ahead log before they are moved into the database: 64 MB. Moving waits for the disk, and
whoever wants to store events meanwhile waits, too."""
REMEMBERED = 10
"""Ids of deleted events are remembered for this many times as many events as are kept."""
SCRIPT = """
create table events (
    row integer primary key autoincrement, id text not null unique, vin text not null, time real not null,
    kind text not null, severity text not null, message text not null, data text not null,
    ping text not null, changes text not null, stored_at real not null
) strict;
create index events_by_vin on events (vin, row);
create table past (id text primary key, row integer not null) strict, without rowid;
create index past_by_row on past (row);
create table notifiers (name text primary key, row integer not null, updated_at real not null) strict
"""
ROWS = 90
"""So many events are stored by one statement: fewer ones wait less often for the interpreter. Any SQLite
takes their 990 values."""
KNOWN = "select id from {table} where id in ({ids})"
INSERT = (
    # unlike a plain insert this needs no journal of its own; the ids are known to be new
    "insert or fail into events"
    " (id, vin, time, kind, severity, message, data, ping, changes, only_if, stored_at) values {rows}"
)
ROW = f"({', '.join('?' * 11)})"

ADD_CONDITIONS = "alter table events add column only_if text not null default '{}'"
"""Not a layout of its own: versions from before it read and write a store that has the column."""


def has_conditions(connection: sqlite3.Connection) -> bool:
    """Return whether the table of events has the column `only_if`, which older versions do not make."""
    return any(name == "only_if" for _, name, *_ in connection.execute("pragma table_info(events)"))


class EventsStore:
    """Writes events. Several threads and processes may write side by side.

    An id is stored once: an event that comes again, in a replay or a backfill, changes nothing. At most
    `keep` events are there; the oldest go. Their ids are remembered until ten times `keep` newer events
    have come, so that a replay does not make deleted events new again. Rows are numbered without gaps in the
    order in which they become visible. After `sync` what was added also survives a power failure.
    """

    def __init__(self, folder: Path, keep: int = 100_000) -> None:
        self._keep = keep
        self._log = folder / f"{FILE}-wal"
        self._connection = sqlite.connect(folder / FILE, LAYOUT, SCRIPT)
        # ids are spread all over their index: in a flood the same pages change again and again
        self._connection.execute(f"pragma cache_size = -{CACHE_KIB}")
        self._connection.execute(f"pragma wal_autocheckpoint = {WAL_PAGES}")
        with sqlite.transaction(self._connection):
            if not has_conditions(self._connection):
                self._connection.execute(ADD_CONDITIONS)
        self._lock = threading.Lock()
        self._unsynced = False
        self._told: list[Callable[[int, Sequence[Event]], None]] = []

    def tell(self, listener: Callable[[int, Sequence[Event]], None]) -> None:
        """Let `listener` know of what is added from now on: the first row, and the events that were new.

        Called when they are visible to everybody, by the thread that added them.
        """
        self._told.append(listener)

    def add(self, events: Sequence[Event]) -> int:
        """Keep the events whose ids are new, in one transaction; returns how many they were."""
        added: list[Event] = []
        last, now = 0, time.time()
        with self._lock, sqlite.transaction(self._connection):
            first: dict[str, Event] = {}
            for event in events:
                first.setdefault(event.id, event)
            every = list(first.values())
            tables = ["events"]
            if self._connection.execute("select exists (select 1 from past)").fetchone()[0]:
                tables.append("past")
            for start in range(0, len(every), ROWS):
                some = every[start : start + ROWS]
                known = self._known(tables, [event.id for event in some])
                new = [event for event in some if event.id not in known] if known else some
                if new:
                    query = INSERT.format(rows=", ".join([ROW] * len(new)))
                    values = [value for event in new for value in _row(event, now)]
                    last = self._connection.execute(query, values).lastrowid or 0
                    added += new
            if added:
                self._forget()
                self._unsynced = True
        if added:
            for listener in self._told:
                listener(last + 1 - len(added), added)
        return len(added)

    def _known(self, tables: Sequence[str], ids: Sequence[str]) -> set[str]:
        marks = ", ".join("?" * len(ids))
        queries = [KNOWN.format(table=table, ids=marks) for table in tables]
        return {name for query in queries for (name,) in self._connection.execute(query, ids)}

    def sync(self) -> None:
        """Return when everything added is on disk."""
        with self._lock:
            if not self._unsynced:
                return
            # what SQLite has moved from the log into the database, it has synced itself
            with contextlib.suppress(FileNotFoundError):
                file = os.open(self._log, os.O_RDONLY)
                try:
                    os.fsync(file)
                finally:
                    os.close(file)
            self._unsynced = False

    def _forget(self) -> None:
        (last,) = self._connection.execute("select max(row) from events").fetchone()
        oldest = last - self._keep
        if oldest <= 0:
            return
        self._connection.execute(
            "insert or ignore into past select id, row from events where row <= ?", [oldest]
        )
        self._connection.execute("delete from events where row <= ?", [oldest])
        self._connection.execute("delete from past where row <= ?", [last - REMEMBERED * self._keep])

    def begin(self, notifiers: Iterable[str]) -> None:
        """Let notifiers that were never here before begin with the next event that is stored."""
        with self._lock, sqlite.transaction(self._connection):
            self._connection.executemany(
                "insert or ignore into notifiers select ?, coalesce((select max(row) from events), 0), ?",
                [(name, time.time()) for name in notifiers],
            )

    def position(self, notifier: str) -> int:
        """Return the row of the last event that was delivered to a notifier."""
        with self._lock:
            row = self._connection.execute("select row from notifiers where name = ?", [notifier]).fetchone()
        return 0 if row is None else int(row[0])

    def advance(self, notifier: str, row: int) -> None:
        """Remember that every event up to `row` was delivered to a notifier."""
        with self._lock, sqlite.transaction(self._connection):
            self._connection.execute(
                "update notifiers set row = ?, updated_at = ? where name = ?", [row, time.time(), notifier]
            )

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()


def _row(event: Event, now: float) -> tuple[Any, ...]:
    """Return an event in the order of the columns that `INSERT` names."""
    return (
        event.id,
        event.vin,
        event.time,
        event.kind,
        event.severity,
        event.message,
        _text(event.data),
        _text(event.ping),
        _text(event.update),
        _text(event.only_if),
        now,
    )


def _text(value: Mapping[str, Any]) -> str:
    """Return an object as JSON; many events have some that are empty."""
    return to_json(value if isinstance(value, dict) else dict(value)).decode() if value else "{}"
