"""The quarantine's SQLite store."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetflow import sqlite
from fleetflow.contracts.payload import Reject

FILE = "quarantine.sqlite3"
LAYOUT = 1
SCRIPT = """
create table rejects (
    id integer primary key, source text not null, partition text not null, resource text not null,
    start integer not null, end integer not null, rule text not null, reason text not null,
    media_type text not null, raw blob not null, received_at real not null, quarantined_at real not null,
    state text not null default 'quarantined', unique (source, partition, resource, start, end)
) strict;
create table requeued (
    row integer primary key autoincrement, reject integer not null, source text not null,
    resource text not null, start integer not null, end integer not null, media_type text not null,
    raw blob not null
) strict
"""
COLUMNS = (
    "id, source, partition, resource, start, end, rule, reason, media_type, raw, received_at,"
    " quarantined_at, state"
)
GROUPS = ("rule", "source", "resource", "state")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One reject as it is stored; `state` is `quarantined` or `requeued`. Times in seconds since 1970."""

    id: int
    source: str
    partition: str
    resource: str
    start: int
    end: int
    rule: str
    reason: str
    media_type: str
    raw: bytes
    received_at: float
    quarantined_at: float
    state: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rejects are meant; what is None does not matter."""

    ids: tuple[int, ...] = ()
    source: str | None = None
    rule: str | None = None
    state: str | None = None

    def where(self) -> tuple[str, list[object]]:
        """Return the SQL condition and its parameters."""
        parts: list[str] = []
        values: list[object] = []
        if self.ids:
            parts.append(f"id in ({', '.join('?' * len(self.ids))})")
            values.extend(self.ids)
        for column, value in (("source", self.source), ("rule", self.rule), ("state", self.state)):
            if value is not None:
                parts.append(f"{column} = ?")
                values.append(value)
        return " and ".join(parts) or "true", values


class QuarantineStore:
    """Writes the quarantine. Several threads and processes may write side by side."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite.connect(folder / FILE, LAYOUT, SCRIPT)
        self._lock = threading.Lock()

    def add(self, rejects: Sequence[Reject]) -> None:
        """Keep rejects; one whose place is already known is left as it is, so a replay adds nothing."""
        now = time.time()
        rows = [
            (
                p.source,
                p.partition,
                p.resource,
                p.start,
                p.end,
                r.rule,
                r.reason,
                p.media_type,
                p.raw,
                r.received_at,
                now,
            )
            for r in rejects
            for p in (r.place,)
        ]
        with self._lock, sqlite.transaction(self._connection):
            self._connection.executemany(
                "insert or ignore into rejects (source, partition, resource, start, end, rule, reason,"
                " media_type, raw, received_at, quarantined_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def requeue(self, selection: Selection) -> int:
        """Put the selected rejects back through; returns how many there were."""
        where, values = selection.where()
        with self._lock, sqlite.transaction(self._connection):
            self._connection.execute(
                "insert into requeued (reject, source, resource, start, end, media_type, raw)"
                f" select id, source, resource, start, end, media_type, raw from rejects where {where}"
                " and state = 'quarantined' order by id",
                values,
            )
            changed = self._connection.execute(
                f"update rejects set state = 'requeued' where {where} and state = 'quarantined'", values
            )
            return changed.rowcount

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class QuarantineReader:
    """Reads the quarantine from any process; one that does not exist yet is empty."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._connection: sqlite3.Connection | None = None

    def _rows(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[object, ...]]:
        if self._connection is None:
            self._connection = sqlite.connect_to_read(self._path, LAYOUT)
        return iter(()) if self._connection is None else self._connection.execute(query, values)

    def rejects(self, selection: Selection | None = None, limit: int = -1) -> Iterator[Quarantined]:
        """Yield rejects, newest first."""
        where, values = (selection or Selection()).where()
        query = f"select {COLUMNS} from rejects where {where} order by id desc limit ?"
        for row in self._rows(query, [*values, limit]):
            yield Quarantined(*row)  # type: ignore[arg-type] # the columns are those of the class

    def counts(self, by: str) -> dict[str, int]:
        """Return the number of rejects per rule, source, resource or state, largest first."""
        if by not in GROUPS:
            raise ValueError(f"by must be one of {GROUPS}, not {by}")
        query = f"select {by}, count(*) from rejects group by 1 order by 2 desc, 1"
        return {str(name): int(str(count)) for name, count in self._rows(query)}

    def count(self, selection: Selection) -> int:
        """Return the number of selected rejects."""
        where, values = selection.where()
        return int(str(next(self._rows(f"select count(*) from rejects where {where}", values), (0,))[0]))

    def revision(self) -> tuple[int, int]:
        """Return two numbers of which one rises with each change; costs the same however much is kept."""
        query = (
            "select coalesce((select max(id) from rejects), 0), coalesce((select max(row) from requeued), 0)"
        )
        last, requeued = next(self._rows(query), (0, 0))
        return int(str(last)), int(str(requeued))

    def begin(self) -> float | None:
        """Return when the first reject was quarantined, in seconds since 1970; None when there is none."""
        first = next(self._rows("select quarantined_at from rejects order by id limit 1"), None)
        return None if first is None else float(str(first[0]))

    def over_time(
        self, by: str, selection: Selection, since: float, width_s: float
    ) -> dict[str, dict[int, int]]:
        """Return per rule, source, resource or state how many were quarantined in each stretch of time.

        Stretches are `width_s` seconds long and numbered from `since` (seconds since 1970) on.
        """
        if by not in GROUPS:
            raise ValueError(f"by must be one of {GROUPS}, not {by}")
        where, values = selection.where()
        query = (
            f"select {by}, cast((quarantined_at - ?) / ? as integer), count(*) from rejects"
            f" where {where} and quarantined_at >= ? group by 1, 2"
        )
        found: dict[str, dict[int, int]] = {}
        for name, number, count in self._rows(query, [since, width_s, *values, since]):
            found.setdefault(str(name), {})[int(str(number))] = int(str(count))
        return found

    def requeued_after(self, row: int, limit: int) -> list[tuple[int, str, int, int, str, bytes]]:
        """Return (row, resource, start, end, media_type, raw) of what was requeued after `row`."""
        query = (
            "select row, resource, start, end, media_type, raw from requeued"
            " where row > ? order by row limit ?"
        )
        return list(self._rows(query, [row, limit]))  # type: ignore[arg-type] # as the table declares

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
