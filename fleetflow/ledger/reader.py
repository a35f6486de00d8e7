"""Reading the ledger from any process."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetflow.config import Configuration
from fleetflow.contracts.payload import Notice
from fleetflow.contracts.sink import Counts
from fleetflow.ledger.settings import folder_of
from fleetflow.ledger.store import connect_to_read


@dataclass(frozen=True, slots=True)
class Range:
    """A contiguous part of a resource that was read; `replayed` records were read once more after a crash."""

    source: str
    partition: str
    resource: str
    start: int
    end: int
    records: int
    replayed: int
    digest: int


class Ledger:
    """The account as other processes see it. One that does not exist yet is empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection: sqlite3.Connection | None = None

    @classmethod
    def of(cls, configuration: Configuration) -> Ledger:
        """Return the ledger that the configuration names."""
        return cls(folder_of(configuration))

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = connect_to_read(self._folder)
        return [] if self._connection is None else self._connection.execute(query, values).fetchall()

    @contextmanager
    def as_of_one_moment(self) -> Iterator[None]:
        """Let everything that is read inside be as of one moment, while the job goes on writing."""
        self._rows("begin")
        try:
            yield
        finally:
            # a ledger that came into being meanwhile is open, and in no transaction
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("commit")

    def counts(self) -> dict[str, Counts]:
        """Return the account per source, as of one moment: read == settled for each."""
        query = (
            "select source, sum(read), sum(applied), sum(superseded), sum(quarantined) from counts"
            " group by source order by source"
        )
        return {source: Counts(*numbers) for source, *numbers in self._rows(query)}

    def newest(self) -> dict[str, tuple[float | None, float]]:
        """Return per source the newest ping's time and when something was last settled (since 1970)."""
        query = "select source, max(newest_time), max(updated_at) from counts group by source"
        return {source: (newest, updated) for source, newest, updated in self._rows(query)}

    def lag_s(self) -> float | None:
        """Return how old the newest ping of all is, in seconds; None without pings."""
        times = [newest for newest, _ in self.newest().values() if newest is not None]
        return max(0.0, time.time() - max(times)) if times else None

    def ranges(self, source: str | None = None) -> list[Range]:
        """Return what was read, in order of source, partition, resource and start."""
        query = (
            "select source, partition, resource, start, end, records, replayed, digest from ranges"
            " where source = coalesce(?, source) order by source, partition, resource, start"
        )
        return [Range(*row) for row in self._rows(query, [source])]

    def notices(self, limit: int = 100) -> list[Notice]:
        """Return what the sources noticed, newest first."""
        query = (
            "select source, partition, kind, message, time, data from notices"
            " order by time desc, id desc limit ?"
        )
        return [
            Notice(source, partition, kind, message, at, json.loads(data))
            for source, partition, kind, message, at, data in self._rows(query, [limit])
        ]

    def progress(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return what each partition of each source said last of how far behind it is."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for source, partition, data in self._rows("select source, partition, data from progress"):
            found.setdefault(source, {})[partition] = json.loads(data)
        return found

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
