"""The ledger's SQLite store."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from fleetflow import sqlite
from fleetflow.contracts.payload import Notice, Span
from fleetflow.contracts.sink import Counts
from fleetflow.ledger.recent import Key, Recent, key_of

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


KEPT_LAST = 400_000
"""Of so many resources it is remembered which range is the last one, so that it need not be looked up."""


class LedgerStore:
    """Writes the ledger. Several threads and processes may write side by side."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells when spans are written and snapshots made, in seconds."""
        self._connection = sqlite.connect(folder / FILE, LAYOUT, SCRIPT)
        self._recent = Recent(self._connection, clock)
        self._lock = threading.Lock()
        self._last: dict[Key, tuple[int, int]] = {}

    def reset(self, shard: str, counts: Mapping[str, Counts]) -> None:
        """Set the account of a shard to what a snapshot says (nothing: zero), dropping what came after it."""
        with self._lock, sqlite.transaction(self._connection):
            self._connection.execute("delete from counts where shard = ?", [shard])
            self._put_counts(shard, counts, {})

    def snapshot(self, shard: str) -> None:
        """Take note that a snapshot is made of a shard: a replay may begin with what it is written next."""
        with self._lock:
            self._recent.snapshot(shard)

    def write(
        self,
        shard: str,
        counts: Mapping[str, Counts],
        newest: Mapping[str, float],
        spans: Sequence[Span],
        notices: Sequence[Notice],
    ) -> None:
        """Store the new totals of a shard, and the spans and notices of a batch, in one transaction."""
        with self._lock:
            try:
                with sqlite.transaction(self._connection):
                    self._put_counts(shard, counts, newest)
                    self._recent.written_for(shard)
                    self._read(spans)
                    self._note(notices)
            # also an interrupt, and raised again: others may get the numbers of pieces that are not there
            except BaseException:
                self._recent.rolled_back()
                raise

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

    def _read(self, spans: Sequence[Span]) -> None:
        """Note what was read, in order: spans that only go on, or begin a resource, with few statements.

        Nearly all do: in thousands of small files each span begins one.
        """
        # forgotten unless all goes well: what a transaction that failed wrote is not there
        last, self._last = self._last, {}
        onward: list[Span] = []
        begun: dict[Key, Span] = {}
        for span in spans:
            key = key_of(span)
            if key in begun:
                self._begin_all(begun, last)
            number, end = last.get(key, (0, -1))
            if span.start == end:
                self._begin_all(begun, last)
                last[key] = number, span.end
                onward.append(span)
            elif span.start == 0 and key not in last:
                self._extend_all(onward, last)
                begun[key] = span
            else:
                self._extend_all(onward, last)
                self._begin_all(begun, last)
                extended = self._extend(span)
                if extended is None:
                    last.pop(key, None)
                else:
                    last[key] = extended, span.end
        self._extend_all(onward, last)
        self._begin_all(begun, last)
        self._last = last if len(last) <= KEPT_LAST else {}

    def _extend_all(self, spans: list[Span], last: dict[Key, tuple[int, int]]) -> None:
        """Extend the ranges that the spans go on, whose numbers are in `last`; leaves `spans` empty."""
        if not spans:
            return
        onward = spans.copy()
        spans.clear()
        self._connection.execute("savepoint onward")
        rows = [(span.end, span.records, span.digest, last[key_of(span)][0], span.start) for span in onward]
        extended = self._connection.executemany(
            "update ranges set end = ?, records = records + ?, digest = ? where id = ? and end = ?", rows
        ).rowcount
        if extended == len(onward):
            self._connection.execute("release onward")
            self._recent.go_on(onward)
            return
        # somebody else has written meanwhile: one by one, each looked up
        self._connection.execute("rollback to onward")
        self._connection.execute("release onward")
        for span in onward:
            last.pop(key_of(span), None)
            self._extend(span)

    def _begin_all(self, spans: dict[Key, Span], last: dict[Key, tuple[int, int]]) -> None:
        """Begin a range with each span, one per resource, none of them in `last`; leaves `spans` empty."""
        if not spans:
            return
        begun = spans.copy()
        spans.clear()
        (number,) = self._connection.execute("select coalesce(max(id), 0) from ranges").fetchone()
        self._connection.execute("savepoint begun")
        inserted = self._connection.executemany(
            "insert into ranges (id, source, partition, resource, start, end, records, replayed, digest)"
            " select ?, ?, ?, ?, ?, ?, ?, 0, ? where not exists"
            " (select 1 from ranges where source = ? and partition = ? and resource = ?)",
            [
                (number + place, *key, span.start, span.end, span.records, span.digest, *key)
                for place, (key, span) in enumerate(begun.items(), 1)
            ],
        ).rowcount
        if inserted == len(begun):
            self._connection.execute("release begun")
            last.update(
                (key, (number + place, span.end)) for place, (key, span) in enumerate(begun.items(), 1)
            )
            return
        # some were read before this run: one by one, each looked up
        self._connection.execute("rollback to begun")
        self._connection.execute("release begun")
        for key, span in begun.items():
            extended = self._extend(span)
            if extended is not None:
                last[key] = extended, span.end

    def _extend(self, span: Span) -> int | None:
        """Extend the range that ends where the span begins; note a replay; or begin a range after a gap.

        Returns the number of the range that now ends where the span does, None for a replay.
        """
        key = key_of(span)
        self._recent.end_piece(key)
        row = self._connection.execute(
            "select id, start, end, records from ranges where source = ? and partition = ? and resource = ?"
            " order by end desc limit 1",
            key,
        ).fetchone()
        number: int | None = None
        again = False
        if row is not None and span.start == row[2]:
            number = row[0]
            self._connection.execute(
                "update ranges set end = ?, records = records + ?, digest = ? where id = ?",
                (span.end, span.records, span.digest, row[0]),
            )
        elif row is not None and row[1] <= span.start < row[2]:
            again = self._replay(key, span, row)
        elif row is not None and span.end <= row[2]:
            self._connection.execute(
                "update ranges set replayed = replayed + ? where id = ?", (span.records, row[0])
            )
        else:
            number = self._connection.execute(
                "insert into ranges (source, partition, resource, start, end, records, replayed, digest)"
                " values (?, ?, ?, ?, ?, ?, 0, ?)",
                (*key, span.start, span.end, span.records, span.digest),
            ).lastrowid
            return number
        if not again:
            self._recent.add([span], again=False)
        return number

    def _replay(self, key: Key, span: Span, row: tuple[int, int, int, int]) -> bool:
        """Note a span that was read before, at least its beginning; returns whether the replay goes on.

        Once it has come as far as the range, its records take the place of those that it read once more.
        """
        number, begin, end, _ = row
        where = "source = ? and partition = ? and resource = ?"
        under_way = self._connection.execute(
            f"select start, end from recent where {where} and again order by start", key
        ).fetchall()
        if under_way and span.start != under_way[-1][1]:
            # another crash: what is read a third time is forgotten, or all of it if it was cut elsewhere
            seen = any(span.start in piece for piece in under_way)
            self._connection.execute(
                f"delete from recent where {where} and again and (start >= ? or ?)",
                (*key, span.start, not seen),
            )
        self._recent.add([span], again=True)
        if span.end < end:
            self._connection.execute(
                "update ranges set replayed = replayed + ? where id = ?", (span.records, number)
            )
            return True
        first, read = self._connection.execute(
            f"select min(start), sum(records) from recent where {where} and again", key
        ).fetchone()
        boundary, known = self._connection.execute(
            "select min(start), coalesce(sum(records), 0) from recent"
            f" where {where} and not again and start >= ?",
            (*key, first),
        ).fetchone()
        if first == begin:
            known = row[3]
        elif boundary != first:
            # read too long ago to know how its records divide: what goes on further counts as new
            known = read - (span.records if span.end > end else 0)
        self._connection.execute(
            "update ranges set end = ?, records = records + ?, replayed = replayed + ?, digest = ?"
            " where id = ?",
            (span.end, read - known, max(0, known - (read - span.records)), span.digest, number),
        )
        self._connection.execute(
            f"delete from recent where {where} and not again and start >= ?", (*key, first)
        )
        self._connection.execute(f"update recent set again = 0 where {where}", key)
        return True

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
