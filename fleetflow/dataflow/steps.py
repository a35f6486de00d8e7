"""The steps with state per shard, as Bytewax logics: detectors and conflation."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from bytewax.operators import StatefulBatchLogic

from fleetflow.contracts.detector import Detector
from fleetflow.contracts.judge import Judge
from fleetflow.contracts.payload import Reject
from fleetflow.contracts.sink import ShardBatch
from fleetflow.dataflow.conflation import Conflator, conflated, joined
from fleetflow.dataflow.plain import from_plain, to_plain
from fleetflow.dataflow.shaping import ROW
from fleetflow.errors import StoreError
from fleetflow.frames import in_one_piece

STATE_VERSION = 2
"""Of the states of both steps; 1 was stored under other keys, see `fleetflow.dataflow.routing`."""


class DetectLogic(StatefulBatchLogic[ShardBatch, ShardBatch, Any]):
    """Shows every batch of a shard to all judges, and what they let through to all detectors.

    The batch goes on with the rejects of the ones and the events of the others; with `conflate`, which is
    right when nobody downstream wants every ping, without most pings that are not the newest.
    """

    def __init__(
        self,
        judges: Sequence[Judge],
        detectors: Sequence[Detector],
        state: dict[str, Any] | None,
        conflate: bool = False,
    ) -> None:
        self._conflate = conflate
        state = _current(state)
        stored = state.get("judges", {})
        self._judges = [(judge, judge.open(stored.get(judge.name))) for judge in judges]
        stored = state.get("detectors", {})
        self._shards = [(detector.name, detector.open(stored.get(detector.name))) for detector in detectors]

    def on_batch(self, values: list[ShardBatch]) -> tuple[Iterable[ShardBatch], bool]:
        """Return the batches with their rejects and events."""
        if not self._shards and not self._judges:
            return values, False
        judged = [self._judge(batch) for batch in values]
        if self._shards:
            # 100,000 pings at once cost the detectors two thirds of what they cost in batches of 30,000
            judged = [joined(judged)]
        return [self._detect(batch) for batch in judged], False

    def _judge(self, batch: ShardBatch) -> ShardBatch:
        if batch.locate is None:
            return batch
        pings, rejects = batch.pings.with_row_index(ROW), list(batch.rejects)
        for judge, shard in self._judges:
            verdict = shard.on_pings(pings.drop(ROW)) if pings.height else None
            if verdict is None:
                continue
            bad = pings.filter(~verdict.fill_null(False))
            rejects += [
                Reject(place, judge.name, judge.reason, received_at)
                for place, received_at in zip(
                    batch.locate(bad[ROW].to_list()), bad["received_at"].to_list(), strict=True
                )
            ]
            pings = pings.filter(verdict)
        # the account stays right: what was a ping of its source is a reject of it now
        return replace(batch, pings=pings.drop(ROW), rejects=tuple(rejects), locate=None)

    def _detect(self, batch: ShardBatch) -> ShardBatch:
        if not batch.pings.height:
            return batch
        # each detector asks for columns as arrays, of which a frame in pieces would make new ones each time
        pings = in_one_piece(batch.pings)
        events = [event for _, shard in self._shards for event in shard.on_pings(pings)]
        batch = replace(batch, pings=pings, events=(*batch.events, *events))
        # at once: what lies about until the next step is memory that other shards of the batch could use
        return conflated(batch) if self._conflate else batch

    def snapshot(self) -> dict[str, Any]:
        """Return the state of each judge and each detector under its name."""
        return {
            "v": STATE_VERSION,
            "judges": {judge.name: shard.snapshot() for judge, shard in self._judges},
            "detectors": {name: shard.snapshot() for name, shard in self._shards},
        }


class ConflateLogic(StatefulBatchLogic[ShardBatch, ShardBatch, Any]):
    """Holds back a shard's batches for a moment, so that each vehicle is written once per moment."""

    def __init__(
        self, conflator: Conflator, columns: dict[str, pl.DataType], state: dict[str, Any] | None
    ) -> None:
        self._conflator = conflator
        pending = _current(state).get("pending")
        if pending is not None:
            conflator.add(from_plain(pending, columns), time.monotonic())

    def on_batch(self, values: list[ShardBatch]) -> tuple[Iterable[ShardBatch], bool]:
        """Gather, and hand on what is due."""
        now = time.monotonic()
        for batch in values:
            self._conflator.add(batch, now)
        due = self._conflator.due_at()
        return (self._take() if due is not None and due <= now else []), False

    def on_notify(self) -> tuple[Iterable[ShardBatch], bool]:
        """Hand on what is due."""
        return self._take(), False

    def on_eof(self) -> tuple[Iterable[ShardBatch], bool]:
        """Hand on everything: writing the newest ping early is right whatever follows after a resume."""
        return self._take(), False

    def notify_at(self) -> datetime | None:
        """Return when something is due."""
        due = self._conflator.due_at()
        if due is None:
            return None
        return datetime.now(UTC) + timedelta(seconds=max(0.0, due - time.monotonic()))

    def snapshot(self) -> dict[str, Any]:
        """Return what was gathered and not handed on."""
        pending = self._conflator.peek()
        return {"v": STATE_VERSION, "pending": None if pending is None else to_plain(pending)}

    def _take(self) -> list[ShardBatch]:
        batch = self._conflator.take()
        return [] if batch is None else [batch]


def _current(state: dict[str, Any] | None) -> dict[str, Any]:
    """Return a stored state, empty when there is none; raises StoreError for one of another version."""
    if state is None:
        return {}
    if state["v"] != STATE_VERSION:
        raise StoreError(
            f"the recovery store has states of version {state['v']}, expected {STATE_VERSION}: "
            "its shards travel under other keys",
            "go on with the version of fleetflow that wrote it, or start fresh with [recovery] dir and "
            "[ledger] dir of their own",
        )
    return state
