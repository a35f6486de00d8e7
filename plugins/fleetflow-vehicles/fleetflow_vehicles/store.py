"""Writing the vehicles map."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson

from fleetflow.contracts.detector import Event
from fleetflow.contracts.sink import Counts
from fleetflow.contracts.vehicles import Record
from fleetflow_vehicles import layout
from fleetflow_vehicles.disk import checked_text
from fleetflow_vehicles.records import (
    EXTRA,
    Prepared,
    check_fields,
    order_of,
    over,
    parse,
    text_of,
    tie,
    with_fields,
)
from fleetflow_vehicles.updates import with_events

log = logging.getLogger(__name__)

# access_count -1: counted by us, once per transaction (see layout)
INSERT = (
    "INSERT INTO Cache(key, raw, store_time, access_time, access_count, tag, mode, value)"
    " SELECT column1, 1, ?, ?, -1, ?, 1, column2 FROM (VALUES {})"
)
ROWS = 400
"""Rows of one statement: a third quicker than one statement each, and other threads may run meanwhile. Any
SQLite takes their 803 values."""
INSERT_ROWS = INSERT.format(",".join(["(?, ?)"] * ROWS))
UPDATE = "UPDATE Cache SET store_time = ?, access_time = ?, tag = ?, value = ? WHERE rowid = ?"
# a JSON array of keys instead of one parameter per key: as quick, and without a limit
SELECT = (
    "SELECT c.rowid, c.key, c.mode, c.filename, c.value FROM json_each(?) AS wanted"
    " CROSS JOIN Cache AS c ON c.key = wanted.value AND c.raw = 1"
)

SELECT_ONE = "SELECT rowid, key, mode, filename, value FROM Cache WHERE key = ? AND raw = 1"
RECEIVED = ',"received_at":'
"""Follows the ping's fields and the source in a record's text (quotes within strings are escaped)."""


class Store:
    """The writing side of a vehicles map: one connection per process, shared by its threads.

    One transaction per call: all of it or nothing, whatever happens to the process. After `sync` what was
    written before it also survives a power failure. Other processes may write at the same time; each
    waits for the others up to `timeout_s` seconds, then StoreError. Threads of one process wait for each
    other here, without polling the file.
    """

    def __init__(
        self, directory: Path, timeout_s: float = 60.0, cache_mb: int = 64, fields_bytes: int = 65_536
    ) -> None:
        """Open the store in `directory`, which is made when it is missing."""
        self.directory = directory
        self._timeout_s = timeout_s
        self._fields_bytes = fields_bytes
        self._lock = threading.Lock()
        self._unsynced = False
        self._known: dict[tuple[int | None, tuple[str, ...]], bool] = {}
        layout.create(directory, timeout_s)
        with layout.told(directory, timeout_s):
            self._con = sqlite3.connect(
                layout.database(directory), timeout=timeout_s, isolation_level=None, check_same_thread=False
            )
            self._con.execute("PRAGMA synchronous = NORMAL")
            self._con.execute(f"PRAGMA cache_size = {-1024 * cache_mb}")
            self._con.execute(f"PRAGMA wal_autocheckpoint = {layout.WAL_PAGES}")
            self._con.execute(f"PRAGMA journal_size_limit = {2 * 4096 * layout.WAL_PAGES}")

    def upsert(
        self, pings: Prepared, schema_version: int | None, events: Sequence[Event] = ()
    ) -> dict[str, Counts]:
        """Write pings that are newer than what is stored, then the events' updates; count per source.

        Newer is greater by (time, sequence), then by position, source, schema version and text
        (`records.tie`), so that neither order of arrival nor repetition matters. Fields that the ping does
        not have are kept.
        """
        superseded = Counter(pings.dropped)
        with self._transaction() as transaction:
            if pings.vins:
                superseded += self._upsert(transaction, pings, schema_version)
            if events:
                self._events(transaction, events, pings.columns)
        total = Counter(pings.sources) + Counter(pings.dropped)
        return {
            source: Counts(applied=count - superseded[source], superseded=superseded[source])
            for source, count in total.items()
        }

    def _upsert(self, transaction: _Transaction, pings: Prepared, schema_version: int | None) -> Counter[str]:
        own = {*pings.columns, *EXTRA}
        uniform = self._columns(transaction, pings.columns, schema_version)
        # a record that ends so was written with these very columns, and nobody has set a field on it
        bare = f',"schema_version":{schema_version}}}' if uniform else None
        superseded: Counter[str] = Counter()
        there = transaction.rows(pings.vins)
        if not there:
            transaction.insert(pings.vins, pings.texts)
            return superseded
        row_of = dict(zip(pings.vins, range(len(pings.vins)), strict=True))
        updates: list[tuple[str, int]] = []
        for rowid, vin, old_text in there:
            row = row_of.pop(vin)
            old_order = order_of(vin, old_text)
            order = (pings.times[row], pings.sequences[row])
            text = pings.texts[row]
            newer = order > old_order
            if order == old_order and not old_text.startswith(text[: text.rfind(RECEIVED)] + RECEIVED):
                # not the common case, the very ping written again: everything before received_at decides
                newer = tie(parse(vin, text), pings.columns) > tie(parse(vin, old_text), pings.columns)
            if not newer:
                superseded[pings.sources[row]] += 1
            elif bare is not None and old_text.endswith(bare):
                updates.append((text, rowid))
            else:
                updates.append((over(text, parse(vin, old_text), own), rowid))
        transaction.update(updates)
        if row_of:
            transaction.insert(list(row_of), [pings.texts[row] for row in row_of.values()])
        return superseded

    def _columns(
        self, transaction: _Transaction, columns: tuple[str, ...], schema_version: int | None
    ) -> bool:
        """Note the ping's fields of this schema version; whether they have always been these."""
        if schema_version is None:
            return False
        key = (schema_version, columns)
        if key not in self._known:
            name = f"columns:{schema_version}"
            stored = transaction.mark(name)
            known = orjson.loads(stored) if stored else []
            if set(columns) - set(known):
                merged = [*known, *(column for column in columns if column not in known)]
                transaction.set_mark(name, orjson.dumps(merged).decode())
            if stored:
                self._known[key] = set(known) == set(columns)
            else:
                # remembered from the next batch on: this transaction may still be rolled back
                return True
        return self._known[key]

    def _events(self, transaction: _Transaction, events: Sequence[Event], columns: Collection[str]) -> None:
        own = {*columns, *transaction.columns(), *EXTRA}
        by_vin: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            if event.update:
                by_vin[event.vin].append(event)
        updates = []
        for rowid, vin, text in transaction.rows(sorted(by_vin)):
            record = parse(vin, text)
            changed = with_events(record, by_vin.pop(vin), own, self._fields_bytes)
            if changed is not record:
                updates.append((text_of(changed, own, self._fields_bytes), rowid))
        transaction.update(updates)
        for vin in by_vin:
            log.warning("an event is to update vehicle %s, which is not in the map", vin)

    def update(self, vin: str, fields: Mapping[str, Any], own: Iterable[str] = ()) -> Record | None:
        """Set fields on a vehicle (None removes one) and return its record; None when it is unknown.

        `own` are further fields that must not be set. A record that would not change is not written.
        """
        with self._transaction() as transaction:
            owned = {*own, *transaction.columns(), *EXTRA}
            check_fields(fields, owned)
            rows = transaction.rows([vin])
            if not rows:
                return None
            ((rowid, _, text),) = rows
            record = with_fields(parse(vin, text), fields, owned)
            new = text_of(record, owned, self._fields_bytes)
            if new != text:
                transaction.update([(new, rowid)])
            return record

    def clear(self) -> int:
        """Delete all vehicles and return how many there were. Revisions go on from where they were.

        The change feed does not tell of it: readers notice by `count`.
        """
        with self._transaction() as transaction:
            return transaction.clear()

    def sync(self) -> None:
        """Return when everything written so far would survive a power failure."""
        with self._lock:
            if not self._unsynced:
                return
            # WAL with synchronous=NORMAL is safe against a killed process but does not wait for the disk.
            # What is in the log, or was moved from it into the database, is on disk when the log is. SQLite
            # holds no lock on this file, so that closing it drops none.
            wal = layout.log_file(self.directory)
            with layout.told(self.directory, self._timeout_s):
                for path in (wal, self.directory):
                    with contextlib.suppress(FileNotFoundError):
                        file = os.open(path, os.O_RDONLY)
                        try:
                            os.fsync(file)
                        finally:
                            os.close(file)
            self._unsynced = False

    def close(self) -> None:
        """Let go of the file. Calling it twice does nothing."""
        with self._lock:
            self._con.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[_Transaction]:
        with self._lock, layout.told(self.directory, self._timeout_s):
            # at once for writing: a transaction that began with reading could not wait for another writer
            self._con.execute("BEGIN IMMEDIATE")
            try:
                transaction = _Transaction(self._con, self.directory)
                yield transaction
                transaction.finish()
                self._con.execute("COMMIT")
            except BaseException:
                if self._con.in_transaction:
                    self._con.execute("ROLLBACK")
                raise
            self._unsynced = self._unsynced or transaction.written


class _Transaction:
    """Statements of one transaction, all under one new revision."""

    def __init__(self, con: sqlite3.Connection, directory: Path) -> None:
        self._con = con
        self._marks: dict[str, Any] = dict(con.execute("SELECT name, value FROM fleetflow_vehicles"))
        # a newer program may have upgraded the store while this one was running
        layout.check_layout(self._marks.get("layout"), directory)
        self._revision = int(self._marks["revision"]) + 1
        self._now = time.time()
        self._inserted = 0
        self.written = False

    def mark(self, name: str) -> Any:
        return self._marks.get(name)

    def columns(self) -> set[str]:
        """Return the ping's fields of all schema versions that have ever been written."""
        return {
            column
            for name, value in self._marks.items()
            if name.startswith("columns:")
            for column in orjson.loads(value)
        }

    def set_mark(self, name: str, value: Any) -> None:
        self._con.execute("INSERT OR REPLACE INTO fleetflow_vehicles VALUES (?, ?)", (name, value))
        self._marks[name] = value

    def rows(self, vins: Sequence[str]) -> list[tuple[int, str, str]]:
        """Return (rowid, VIN, text) of those that exist."""
        wanted = orjson.dumps(vins).decode()
        cut: list[str] = []
        if "\\u0000" in wanted:
            # SQLite's JSON functions end a text at its first NUL
            cut = [vin for vin in vins if "\0" in vin]
            wanted = orjson.dumps([vin for vin in vins if "\0" not in vin]).decode()
        found = self._con.execute(SELECT, (wanted,)).fetchall()
        for vin in cut:
            found += self._con.execute(SELECT_ONE, (vin,)).fetchall()
        return [
            (rowid, vin, checked_text(vin, mode, filename, value))
            for rowid, vin, mode, filename, value in found
        ]

    def insert(self, vins: Sequence[str], texts: Sequence[str]) -> None:
        rows = zip(vins, texts, strict=True)
        while some := list(islice(rows, ROWS)):
            statement = INSERT_ROWS if len(some) == ROWS else INSERT.format(",".join(["(?, ?)"] * len(some)))
            self._con.execute(statement, [self._now, self._now, self._revision, *chain.from_iterable(some)])
        self._inserted += len(vins)
        self.written = True

    def update(self, updates: Sequence[tuple[str, int]]) -> None:
        """Write (text, rowid)."""
        if updates:
            now, revision = self._now, self._revision
            self._con.executemany(UPDATE, [(now, now, revision, text, rowid) for text, rowid in updates])
            self.written = True

    def clear(self) -> int:
        deleted = self._con.execute("DELETE FROM Cache").rowcount
        self.written = deleted > 0
        return deleted

    def finish(self) -> None:
        if self._inserted:
            self._con.execute("UPDATE Settings SET value = value + ? WHERE key = 'count'", (self._inserted,))
        if self.written:
            self.set_mark("revision", self._revision)
