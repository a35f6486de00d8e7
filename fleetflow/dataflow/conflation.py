"""Of many pings of one vehicle the newest. Knows no Bytewax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.frames import taken
from fleetflow.native.vehicles import sort_out

ORDER = ("time", "sequence", "latitude", "longitude")
"""Newest is the greatest by time and sequence. Between two pings of one time and sequence (two files, two
services) the position decides, then the source, then the JSON text of the other fields: as in the vehicles
map, so that the result does not depend on the order of arrival."""


FEW = 4096
"""Up to so many pings, asking first whether there is anything to do is cheaper than doing it."""
WRITE_S = 8e-6
"""What it takes to write a vehicle's record."""
SHARE, BACKLOG_SHARE = 3, 12
"""How many times as long as writing takes is waited for newer pings."""
BACKLOG_S = 0.5
"""How long a ping waits, at least, for a newer one while there are more to be read: it is old news anyway."""
BACKLOG_MOST_S = 10.0
"""How long it waits, at most, for writing to take less than a share of the time, unless there is no way."""


def newest(pings: pl.DataFrame) -> pl.DataFrame:
    """Return the newest row per VIN, in no particular order. Associative and idempotent."""
    if _are_few_different(pings):
        return pings
    found = sort_out(pings, 1, newest=True)
    if found is not None:
        return taken(pings, found[0])
    pings = unfollowed(pings)
    # almost always this leaves one row per vehicle, so the exact order is decided on few rows
    latest = pings.filter(pl.col("time") == pl.col("time").max().over("vin"))
    if latest["vin"].n_unique() == latest.height:
        return latest
    others = [name for name in latest.columns if name not in {*ORDER, "vin", "source", "received_at"}]
    order: list[pl.Expr] = [pl.col(name) for name in (*ORDER, "source") if name in latest.columns]
    if others:
        order.append(pl.struct(others).struct.json_encode())
    return latest.sort(order, maintain_order=True).unique("vin", keep="last")


def unfollowed(pings: pl.DataFrame) -> pl.DataFrame:
    """Return pings without those that are followed at once by a later one of their vehicle.

    Cheap, and most of the work of `newest` where the lines of a vehicle stand together.
    """
    followed = (pl.col("vin") == pl.col("vin").shift(-1)) & (pl.col("time") < pl.col("time").shift(-1))
    return pings.filter(~followed.fill_null(False))


def _are_few_different(pings: pl.DataFrame) -> bool:
    return pings.height < 2 or (pings.height <= FEW and pings["vin"].n_unique() == pings.height)


def joined(batches: Sequence[ShardBatch]) -> ShardBatch:
    """Return one batch with everything that these have, in their order. None of them has `locate`."""
    if len(batches) == 1:
        return batches[0]
    counts: dict[str, Counts] = {}
    for batch in batches:
        for source, count in (batch.counts or {}).items():
            counts[source] = counts.get(source, Counts()) + count
    frames = [batch.pings for batch in batches if batch.pings.height]
    return ShardBatch(
        pings=pl.concat(frames) if frames else batches[0].pings,
        rejects=tuple(reject for batch in batches for reject in batch.rejects),
        spans=tuple(span for batch in batches for span in batch.spans),
        notices=tuple(notice for batch in batches for notice in batch.notices),
        events=tuple(event for batch in batches for event in batch.events),
        counts=counts,
        backlog=all(batch.backlog for batch in batches),
    )


def merge(batches: Sequence[ShardBatch]) -> ShardBatch:
    """Return one batch that stands for all: the newest pings, and everything else added up.

    A ping that is not the newest is counted as superseded for its own source.
    """
    every = joined(batches)
    pings = newest(every.pings)
    counts = dict(every.counts or {})
    if pings.height < every.pings.height:
        for source, dropped in _dropped(every.pings, pings, list(counts)):
            counts[source] = counts.get(source, Counts()) + Counts(superseded=dropped)
    return replace(every, pings=pings, counts=counts, backlog=False)


def conflated(batch: ShardBatch) -> ShardBatch:
    """Return a batch without the pings that are not the newest, unless there are too few to matter."""
    if batch.pings.height <= FEW:
        return batch
    return replace(merge([batch]), backlog=batch.backlog)


def _dropped(before: pl.DataFrame, after: pl.DataFrame, sources: Sequence[str]) -> list[tuple[str, int]]:
    """Return how many pings of each source are not in `after`; `sources` are those of the account."""
    if len(sources) == 1:
        # nothing to look for: all pings are accounted for
        return [(sources[0], before.height - after.height)]
    kept = dict(after["source"].value_counts().rows())
    return [(source, rows - kept.get(source, 0)) for source, rows in before["source"].value_counts().rows()]


class Conflator:
    """Gathers the batches of one shard and decides when to hand them on.

    Waiting saves writes: each vehicle is written once per wait instead of once per batch. The wait is
    `least_s`, or longer when so many vehicles are due that writing them, at `WRITE_S` per row of all
    `shards`, would take more than a quarter of the time. As long as there is a backlog it is `BACKLOG_S`, or
    longer until writing takes no more than a thirteenth of the time, but then at most `BACKLOG_MOST_S`.
    """

    def __init__(self, shards: int, least_s: float) -> None:
        self._least_s = least_s
        self._backlog = False
        self._write_s = WRITE_S * shards
        self._pending: list[ShardBatch] = []
        self._rows = 0
        self._compact_rows = 20_000
        self._since: float | None = None

    def add(self, batch: ShardBatch, now: float) -> None:
        """Take a batch; `now` is a monotonic clock in seconds."""
        if self._since is None:
            self._since = now
        # what somebody else has just sent must not wait for a history
        self._backlog = batch.backlog and (self._backlog or not self._pending)
        self._pending.append(batch)
        self._rows += batch.pings.height
        if self._rows > self._compact_rows:
            merged = merge(self._pending)
            self._pending = [merged]
            self._rows = merged.pings.height
            self._compact_rows = max(20_000, 3 * self._rows)

    def due_at(self) -> float | None:
        """Return when (monotonic seconds) what was gathered is due, None when there is nothing."""
        if self._since is None:
            return None
        writing_s = self._rows * self._write_s
        wait_s = max(self._least_s, SHARE * writing_s)
        if self._backlog:
            wait_s = max(wait_s, BACKLOG_S, min(BACKLOG_SHARE * writing_s, BACKLOG_MOST_S))
        return self._since + wait_s

    def take(self) -> ShardBatch | None:
        """Return everything gathered, as one batch, and start anew."""
        if not self._pending:
            return None
        merged = replace(merge(self._pending), backlog=self._backlog)
        self._pending, self._rows, self._since = [], 0, None
        return merged

    def peek(self) -> ShardBatch | None:
        """Return everything gathered without starting anew, for a snapshot."""
        if not self._pending:
            return None
        merged = merge(self._pending)
        self._pending, self._rows = [merged], merged.pings.height
        return merged
