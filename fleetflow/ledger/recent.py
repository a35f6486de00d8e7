"""What was read lately, piece by piece, for replays."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence

from fleetflow.contracts.payload import Span

SCRIPT = """
create table if not exists recent (
    id integer primary key, source text not null, partition text not null, resource text not null,
    start integer not null, end integer not null, records integer not null, again integer not null,
    time real not null
) strict;
create index if not exists recent_by_resource on recent (source, partition, resource, start)
"""
"""What was read lately, what a replay under way has read with `again`. It tells how many records a replay has
read once more, however it cuts the input. What began a range is not among it: what a replay from there has
read once more is all that the range holds. Spans between two snapshots are one piece, since no replay begins
between them: those of a batch are of as many resources, each of which would be another page of the index."""
KEPT_RECENT_S = 900.0
"""How far back from the newest they are kept, and those of runs before this one from its beginning: more than
a crash can make a job read again, and what a service or a file that cannot be read meanwhile has to bring."""
FORGET_EVERY_S = 1.0
"""Rather few at a time: meanwhile nobody writes."""

KEPT_PIECES = 400_000
"""Of so many resources it is remembered which piece is the last one."""

Key = tuple[str, str, str]
"""Source, partition and resource."""
Epoch = tuple[str, int]
"""A shard, and how many snapshots were made of it."""


def key_of(span: Span) -> Key:
    """Return what a span is a part of."""
    return span.source, span.partition, span.resource


class Recent:
    """Writes the table `recent`, in transactions of whoever owns the connection, one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        """`clock` tells when spans are written, in seconds."""
        self._connection = connection
        for statement in SCRIPT.split(";"):
            connection.execute(statement)
        self._clock = clock
        self._opened_at = self._forgot_at = clock()
        (self._former,) = connection.execute("select coalesce(max(id), 0) from recent").fetchone()
        self._epochs: dict[str, int] = {}
        self._epoch: Epoch = ("", 0)
        self._pieces: dict[Key, tuple[int, Epoch]] = {}

    def snapshot(self, shard: str) -> None:
        """Take note that a snapshot is made of a shard: a replay may begin with what it is written next."""
        self._epochs[shard] = self._epochs.get(shard, 0) + 1

    def written_for(self, shard: str) -> None:
        """Take note that what follows is written for a shard."""
        self._epoch = shard, self._epochs.get(shard, 0)

    def rolled_back(self) -> None:
        """Take note that a transaction was taken back: others may get the numbers of its pieces."""
        self._pieces.clear()

    def end_piece(self, key: Key) -> None:
        """Let what is read of a resource next be a piece of its own."""
        self._pieces.pop(key, None)

    def go_on(self, spans: Sequence[Span]) -> None:
        """Remember spans that go on a range: in the piece of this interval, or as the beginning of one."""
        # forgotten unless all goes well: what a transaction that failed wrote is not there
        pieces, self._pieces = self._pieces, {}
        begun: list[Span] = []
        longer: list[Span] = []
        numbers: dict[Key, int] = {}
        number = self._newest()
        for span in spans:
            key = key_of(span)
            known, epoch = pieces.get(key, (0, None))
            if epoch == self._epoch:
                numbers[key] = known
                longer.append(span)
            else:
                begun.append(span)
                numbers[key] = number + len(begun)
                pieces[key] = numbers[key], self._epoch
        self.add(begun, again=False, first=number + 1)
        at = self._clock()
        rows = [(span.end, span.records, at, numbers[key_of(span)], span.start) for span in longer]
        self._connection.execute("savepoint pieces")
        changed = self._connection.executemany(
            "update recent set end = ?, records = records + ?, time = ? where id = ? and end = ?", rows
        ).rowcount
        if longer and changed != len(longer):
            # somebody else has written meanwhile: pieces of their own
            self._connection.execute("rollback to pieces")
            self.add(longer, again=False)
            pieces = {}
        self._connection.execute("release pieces")
        self._pieces = pieces if len(pieces) <= KEPT_PIECES else {}

    def add(self, spans: Iterable[Span], again: bool, first: int | None = None) -> None:
        """Remember each span as a piece of its own, numbered from `first`, else from where the last ended."""
        at = self._clock()
        if not 0 <= at - self._forgot_at < FORGET_EVERY_S:
            self._forgot_at = at
            self._forget(at)
        first = self._newest() + 1 if first is None else first
        self._connection.executemany(
            "insert into recent (id, source, partition, resource, start, end, records, again, time)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (number, *key_of(span), span.start, span.end, span.records, again, at)
                for number, span in enumerate(spans, first)
            ],
        )

    def _newest(self) -> int:
        """Return the number of the newest piece."""
        (found,) = self._connection.execute("select coalesce(max(id), 0) from recent").fetchone()
        number: int = found
        return number

    def _forget(self, now: float) -> None:
        """Drop pieces that nothing makes a job read again."""
        newest = self._connection.execute("select time from recent order by id desc limit 1").fetchone()
        if newest is None:
            return
        # what runs before this one have read may not have been replayed yet, however long ago they ended
        former = 0 if not 0 <= now - self._opened_at < KEPT_RECENT_S else self._former
        # numbers rise with time: only what is dropped is looked at
        self._connection.execute(
            "delete from recent where id > ? and id <"
            " (select id from recent where id > ? and time >= ? order by id limit 1)",
            (former, former, newest[0] - KEPT_RECENT_S),
        )
