"""The ledger's SQLite store."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fleetflow import sqlite
from fleetflow.contracts.payload import Notice, Span
from fleetflow.contracts.sink import Counts

FILE = "ledger.sqlite3"
LAYOUT = 1
KEPT_NOTICES = 10_000
SCRIPT = """
create table counts (
    shard text not null, source text not null, read integer not null, applied integer not null,
    superseded integer not null, quarantined integer not null, newest_time real, updated_at real not null,
    primary key (shard, source)
) strict;
create table ranges (
    id integer primary key, source text not null, partition text not null, resource text not null,
    start integer not null, end integer not null, records integer not null, replayed integer not null,
    digest integer not null
) strict;
create index ranges_by_resource on ranges (source, partition, resource, end);
create table notices (
    id integer primary key, source text not null, partition text not null, kind text not null,
    message text not null, time real not null, data text not null,
    unique (source, partition, kind, time, message)
) strict;
create table progress (
    source text not null, partition text not null, time real not null, data text not null,
    primary key (source, partition)
) strict
"""


class LedgerStore:
    """Writes the ledger. Several threads and processes may write side by side."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite.connect(folder / FILE, LAYOUT, SCRIPT)
        self._lock = threading.Lock()

    def reset(self, shard: str, counts: Mapping[str, Counts]) -> None:
        """Set the account of a shard to what a snapshot says (nothing: zero), dropping what came after it."""
        with self._lock, sqlite.transaction(self._connection):
            self._connection.execute("delete from counts where shard = ?", [shard])
            self._put_counts(shard, counts, {})

    def write(
        self,
        shard: str,
        counts: Mapping[str, Counts],
        newest: Mapping[str, float],
        spans: Sequence[Span],
        notices: Sequence[Notice],
    ) -> None:
        """Store the new totals of a shard, and the spans and notices of a batch, in one transaction."""
        with self._lock, sqlite.transaction(self._connection):
            self._put_counts(shard, counts, newest)
            for span in spans:
                self._extend(span)
            self._note(notices)

    def _put_counts(self, shard: str, counts: Mapping[str, Counts], newest: Mapping[str, float]) -> None:
        now = time.time()
        self._connection.executemany(
            "insert into counts values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set"
            " read = excluded.read, applied = excluded.applied, superseded = excluded.superseded,"
            " quarantined = excluded.quarantined, updated_at = excluded.updated_at, newest_time ="
            " coalesce(max(newest_time, excluded.newest_time), excluded.newest_time, newest_time)",
            [
                (shard, source, c.read, c.applied, c.superseded, c.quarantined, newest.get(source), now)
                for source, c in counts.items()
            ],
        )

    def _extend(self, span: Span) -> None:
        """Extend the range that ends where the span begins; note a replay; or begin a range after a gap."""
        key = (span.source, span.partition, span.resource)
        row = self._connection.execute(
            "select id, start, end from ranges where source = ? and partition = ? and resource = ?"
            " order by end desc limit 1",
            key,
        ).fetchone()
        if row is not None and span.start == row[2]:
            self._connection.execute(
                "update ranges set end = ?, records = records + ?, digest = ? where id = ?",
                (span.end, span.records, span.digest, row[0]),
            )
        elif row is not None and span.end <= row[2]:
            self._connection.execute(
                "update ranges set replayed = replayed + ? where id = ?", (span.records, row[0])
            )
        elif row is not None and row[1] <= span.start < row[2]:
            # a replay that goes on further: how its records divide is not known, all count as new
            self._connection.execute(
                "update ranges set end = ?, records = records + ?, digest = ? where id = ?",
                (span.end, span.records, span.digest, row[0]),
            )
        else:
            self._connection.execute(
                "insert into ranges (source, partition, resource, start, end, records, replayed, digest)"
                " values (?, ?, ?, ?, ?, ?, 0, ?)",
                (*key, span.start, span.end, span.records, span.digest),
            )

    def _note(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            data = json.dumps(dict(notice.data), default=str)
            if notice.kind == "progress":
                self._connection.execute(
                    "insert or replace into progress values (?, ?, ?, ?)",
                    (notice.source, notice.partition, notice.time, data),
                )
            else:
                added = self._connection.execute(
                    "insert or ignore into notices (source, partition, kind, message, time, data)"
                    " values (?, ?, ?, ?, ?, ?)",
                    (notice.source, notice.partition, notice.kind, notice.message, notice.time, data),
                )
                if added.lastrowid:
                    self._connection.execute(
                        "delete from notices where id <= ?", (added.lastrowid - KEPT_NOTICES,)
                    )

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def connect_to_read(folder: Path) -> sqlite3.Connection | None:
    """Open the ledger for reading; None when it does not exist yet."""
    return sqlite.connect_to_read(folder / FILE, LAYOUT)
