"""A fleetflow source as a Bytewax source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from fleetflow.contracts.source import Emission, Source, SourcePartition
from fleetflow.dataflow.stop import StopFlag

LONGEST_SLEEP_S = 0.25
"""Bytewax looks for the end of a source only when it is awake: this bounds how long a clean stop takes."""


class Reading(FixedPartitionedSource[Emission, Any]):
    """Reads all partitions of a source until the stop flag is set, or with `once` until caught up."""

    def __init__(self, source: Source, batch_bytes: int, stop: StopFlag, once: bool) -> None:
        self._source = source
        self._batch_bytes = batch_bytes
        self._stop = stop
        self._once = once

    def list_parts(self) -> list[str]:
        """Return the partitions' names."""
        return list(self._source.partitions())

    def build_part(self, step_id: str, for_part: str, resume_state: Any | None) -> _Partition:
        """Open a partition where the last snapshot left it."""
        partition = self._source.open(for_part, resume_state)
        return _Partition(partition, self._batch_bytes, self._stop, self._once)


class _Partition(StatefulSourcePartition[Emission, Any]):
    def __init__(self, partition: SourcePartition, batch_bytes: int, stop: StopFlag, once: bool) -> None:
        self._partition = partition
        self._batch_bytes = batch_bytes
        self._stop = stop
        self._once = once
        self._awake: datetime | None = None

    def next_batch(self) -> list[Emission]:
        if self._stop.is_set():
            raise StopIteration
        batch = list(self._partition.poll(self._batch_bytes))
        if not batch and self._once and self._partition.caught_up():
            raise StopIteration
        # an answer with something in it is followed by another question at once
        pause = 0.0 if batch else min(self._partition.next_poll_s(), LONGEST_SLEEP_S)
        self._awake = datetime.now(UTC) + timedelta(seconds=pause) if pause > 0 else None
        return batch

    def next_awake(self) -> datetime | None:
        return self._awake

    def snapshot(self) -> Any:
        return self._partition.position()

    def close(self) -> None:
        self._partition.close()
