"""Sinks that keep what a flow makes in files of a folder, or count it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from fleetflow.contracts.sink import Counts, Role, ShardBatch, Sink, SinkShard


class Tap:
    """A sink that hands each batch to a function, and says what became of the batch."""

    def __init__(self, name: str, role: Role, take: Callable[[ShardBatch], Mapping[str, Counts]]) -> None:
        self.name = name
        self.role: Role = role
        self._take = take

    def open(self, shard: str, state: Any | None) -> Tap:
        """All shards share the function."""
        return self

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Hand the batch on."""
        return self._take(batch)

    def snapshot(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Nothing to let go of."""


def nothing(batch: ShardBatch) -> Mapping[str, Counts]:
    """Take a batch and tell nothing of it."""
    return {}


def applied(batch: ShardBatch) -> Mapping[str, Counts]:
    """Say that all pings of a batch were applied."""
    if not batch.pings.height:
        return {}
    rows = batch.pings["source"].value_counts().rows()
    return {source: Counts(applied=pings) for source, pings in rows}


def quarantined(batch: ShardBatch) -> Mapping[str, Counts]:
    """Say that all rejects of a batch were quarantined, and keep none of them."""
    found: dict[str, Counts] = {}
    for reject in batch.rejects:
        source = reject.place.source
        found[source] = found.get(source, Counts()) + Counts(quarantined=1)
    return found


class Record:
    """Keeps every valid ping (Parquet), and rejects and spans (JSON lines), in a folder.

    Once every resource of `goal` was read as far as it says, `reached` is called.
    """

    def __init__(
        self,
        folder: Path,
        goal: Mapping[tuple[str, str], int] | None = None,
        reached: Callable[[], object] = int,
    ) -> None:
        self._folder = folder
        self._left = dict(goal or {})
        self._reached = reached
        folder.mkdir(parents=True, exist_ok=True)
        self._numbers = count()
        self._lock = threading.Lock()

    def sinks(self) -> list[Tap]:
        """Return the sinks that keep all this, and stand in for those of the plugins."""
        return [
            Tap("rehearsal_pings", "pings", applied),
            Tap("rehearsal_rejects", "rejects", quarantined),
            Tap("rehearsal_record", "recorder", self._pings),
            Tap("rehearsal_observer", "observer", self._rest),
        ]

    def _pings(self, batch: ShardBatch) -> Mapping[str, Counts]:
        if batch.pings.height:
            with self._lock:
                number = next(self._numbers)
            batch.pings.write_parquet(self._folder / f"pings-{number:08d}.parquet")
        return {}

    def _rest(self, batch: ShardBatch) -> Mapping[str, Counts]:
        lines = []
        for reject in batch.rejects:
            place = reject.place
            lines.append(
                {
                    "kind": "reject",
                    "source": place.source,
                    "resource": place.resource,
                    "start": place.start,
                    "rule": reject.rule,
                    "reason": reject.reason,
                }
            )
        for span in batch.spans:
            lines.append(
                {
                    "kind": "span",
                    "source": span.source,
                    "partition": span.partition,
                    "resource": span.resource,
                    "start": span.start,
                    "end": span.end,
                    "records": span.records,
                }
            )
        if lines:
            with self._lock, (self._folder / "rest.jsonl").open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
                self._come_nearer(batch)
        return {}

    def _come_nearer(self, batch: ShardBatch) -> None:
        if not self._left:
            return
        for span in batch.spans:
            key = (span.source, span.resource)
            if span.end >= self._left.get(key, span.end + 1):
                del self._left[key]
        if not self._left:
            self._reached()


class Since:
    """A sink of role `pings` that hands on, to another one, only pings of a time or later.

    Older ones count as superseded.
    """

    def __init__(self, sink: Sink, since: float, tell: Callable[[Mapping[str, Counts]], None]) -> None:
        self.name, self.role = sink.name, sink.role
        self._sink, self._since, self._tell = sink, since, tell

    def open(self, shard: str, state: Any | None) -> _SinceShard:
        """Open the other sink for the shard."""
        return _SinceShard(self._sink.open(shard, state), self._since, self._tell)


class _SinceShard:
    def __init__(self, shard: SinkShard, since: float, tell: Callable[[Mapping[str, Counts]], None]) -> None:
        self._shard, self._since, self._tell = shard, since, tell

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        late = batch.pings.filter(pl.col("time") < self._since)
        kept = batch.pings.filter(pl.col("time") >= self._since)
        found = dict(self._shard.write(ShardBatch(pings=kept), settled) if kept.height else {})
        for source, pings in late["source"].value_counts().rows() if late.height else ():
            found[source] = found.get(source, Counts()) + Counts(superseded=pings)
        self._tell(found)
        return found

    def snapshot(self) -> Any:
        return self._shard.snapshot()

    def close(self) -> None:
        self._shard.close()
