"""A shard's batch as plain data, for the recovery store.

State that is pickled must not name classes of ours: a class that changed loads wrongly or not at all.
"""

from __future__ import annotations

import io
from dataclasses import astuple
from typing import Any

import polars as pl

from fleetflow.contracts.detector import Event
from fleetflow.contracts.payload import Notice, Place, Reject, Span
from fleetflow.contracts.sink import Counts, ShardBatch


def to_plain(batch: ShardBatch) -> dict[str, Any]:
    """Return `batch` as dicts, tuples and bytes (the pings as an Arrow IPC stream)."""
    pings = io.BytesIO()
    batch.pings.write_ipc_stream(pings)
    return {
        "pings": pings.getvalue(),
        "rejects": [
            (astuple(reject.place), reject.rule, reject.reason, reject.received_at)
            for reject in batch.rejects
        ],
        "spans": [astuple(span) for span in batch.spans],
        "notices": [(n.source, n.partition, n.kind, n.message, n.time, dict(n.data)) for n in batch.notices],
        "events": [
            (e.id, e.vin, e.time, e.kind, e.severity, e.message, dict(e.data), dict(e.ping), dict(e.update))
            for e in batch.events
        ],
        # beside the events, so that an older version can read them
        "only_if": [{name: list(values) for name, values in e.only_if.items()} for e in batch.events],
        "counts": {source: astuple(counts) for source, counts in (batch.counts or {}).items()},
    }


def from_plain(plain: dict[str, Any], columns: dict[str, pl.DataType]) -> ShardBatch:
    """Return the batch that `to_plain` was given, its pings with exactly `columns`.

    A column that an older schema did not have is filled with null (a list: empty), one that the active
    schema does not have is left out.
    """
    pings = pl.read_ipc_stream(io.BytesIO(plain["pings"]))
    missing = [
        pl.lit([] if isinstance(dtype, pl.List) else None, dtype=dtype).alias(name)
        for name, dtype in columns.items()
        if name not in pings.columns
    ]
    events = plain["events"]
    conditions = plain.get("only_if") or [{}] * len(events)
    return ShardBatch(
        pings=pings.with_columns(missing).select(list(columns)),
        rejects=tuple(
            Reject(Place(*place), rule, reason, at) for place, rule, reason, at in plain["rejects"]
        ),
        spans=tuple(Span(*span) for span in plain["spans"]),
        notices=tuple(Notice(*notice) for notice in plain["notices"]),
        events=tuple(Event(*(*event, only)) for event, only in zip(events, conditions, strict=True)),
        counts={source: Counts(*counts) for source, counts in plain["counts"].items()},
    )
