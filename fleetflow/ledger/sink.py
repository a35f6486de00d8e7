"""The sink that keeps the account."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import astuple
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import polars as pl

from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.ledger.store import LedgerStore
from fleetflow.sharing import Lease, Shared

log = logging.getLogger(__name__)

FEW = 256
"""Up to so many pings are looked through one by one."""


class LedgerSink:
    """An observer, written last: it is told what became of every record of a batch.

    Its counters are state of the job: after a crash they go back to the last snapshot together with the
    positions, so that a record that is read again is counted once.
    """

    name = "ledger"
    role: Literal["pings", "rejects", "observer"] = "observer"

    def __init__(self, folder: Path) -> None:
        self._store = Shared(lambda: LedgerStore(folder), LedgerStore.close)

    def open(self, shard: str, state: Any | None) -> LedgerShard:
        """Open a shard and set its stored account to that of the snapshot."""
        counts = {source: Counts(*numbers) for source, numbers in (state or {"counts": {}})["counts"].items()}
        store = self._store.lease()
        try:
            store.value.reset(shard, counts)
        # also an interrupt: raised again, without a user who never leaves
        except BaseException:
            store.release()
            raise
        return LedgerShard(store, shard, counts)


class LedgerShard:
    """See `LedgerSink`."""

    def __init__(self, store: Lease[LedgerStore], shard: str, counts: dict[str, Counts]) -> None:
        self._lease = store
        self._store = store.value
        self._shard = shard
        self._counts = counts

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Add the batch to the account, in one transaction."""
        for source, counts in settled.items():
            if counts.read != counts.settled:
                # shown by `fleetflow status` as unaccounted, never adjusted
                log.error(
                    "shard %s, source %s: read %d but settled %d",
                    self._shard,
                    source,
                    counts.read,
                    counts.settled,
                )
            self._counts[source] = self._counts.get(source, Counts()) + counts
        newest = newest_times(batch.pings["source"], batch.pings["time"]) if batch.pings.height else {}
        self._store.write(self._shard, self._counts, newest, batch.spans, batch.notices)
        return {}

    def snapshot(self) -> dict[str, Any]:
        """Return the account as plain data."""
        self._store.snapshot(self._shard)
        return {"v": 1, "counts": {source: astuple(counts) for source, counts in self._counts.items()}}

    def close(self) -> None:
        """Let go of the store; the last shard closes it."""
        self._lease.release()


def newest_times(sources: pl.Series, times: pl.Series) -> dict[str, float]:
    """Return the greatest time of each source."""
    if len(times) <= FEW:
        # beginning with columns takes longer than this
        rows = list(zip(sources.to_list(), times.to_list(), strict=True))
        if all(time is not None and math.isfinite(time) for _, time in rows):
            # of a source that comes again the last one stays: its greatest
            return dict(sorted(rows, key=itemgetter(1)))
    return {source: times.filter(sources == source).max() for source in sources.unique().to_list()}  # type: ignore[misc] # times are floats
