"""A fleetflow source as a Bytewax source."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from fleetflow.contracts.payload import Payload
from fleetflow.contracts.source import Emission, Source, SourcePartition
from fleetflow.dataflow.epochs import Epochs
from fleetflow.dataflow.stop import StopFlag
from fleetflow.timers import Pace, own_pace

LONGEST_SLEEP_S = 0.25
"""Bytewax looks for the end of a source only when it is awake: this bounds how long a clean stop takes, but
for the end of an epoch (`fleetflow.dataflow.epochs`), when it may take 0.6 s."""
JUST_S = 0.01
"""Bytewax asks for a position right after the last answer, if both belong together."""


class Reading(FixedPartitionedSource[Emission, Any]):
    """Reads all partitions of a source until the stop flag is set, or with `once` until caught up."""

    def __init__(
        self, source: Source, batch_bytes: int, stop: StopFlag, once: bool, epochs: Epochs | None = None
    ) -> None:
        """`epochs` are those of all sources of a flow; without any, partitions end theirs on their own."""
        self._source = source
        self._batch_bytes = batch_bytes
        self._stop = stop
        self._once = once
        self._epochs = epochs or Epochs(0.0)
        self._workers = threading.local()

    def list_parts(self) -> list[str]:
        """Return the partitions' names; asked by each worker when it begins, whatever it will read."""
        self._stop.begin()
        partitions = list(self._source.partitions())
        self._epochs.expect(map(self._epoch_of, partitions))
        return partitions

    def build_part(self, step_id: str, for_part: str, resume_state: Any | None) -> _Partition:
        """Open a partition where the last snapshot left it."""
        # before anything that starts threads: they wake as late as the one that starts them
        pace = own_pace()
        partition = self._source.open(for_part, resume_state)
        # a worker opens and reads its partitions in its own thread
        turns = self._workers.__dict__.setdefault("turns", Turns(self._batch_bytes))
        name = self._epoch_of(for_part)
        self._epochs.opened(name, time.time())
        return _Partition(
            name, partition, turns, pace, self._epochs, self._batch_bytes, self._stop, self._once
        )

    def _epoch_of(self, partition: str) -> str:
        """Return a name that no partition of another source has."""
        return f"{self._source.name}/{partition}"


class Turns:
    """Whose turn it is among the partitions of one worker, while they have more than fits into a batch.

    Bytewax asks all partitions before anything travels on. With a backlog each would hand out a full batch,
    and all of them would lie in memory at once; so a full batch ends the round, and who gave one waits until
    the others had their turn. Does not hold up small batches.
    """

    def __init__(self, batch_bytes: int) -> None:
        self._full = max(1, batch_bytes // 2)
        self._asked: set[str] = set()
        self._served: set[str] = set()
        self._over = False

    def may(self, partition: str) -> bool:
        """Whether a partition that Bytewax asks may be read now; asked a second time, a new round begins."""
        if partition in self._asked:
            if not self._over:
                self._served.clear()
            self._asked.clear()
            self._over = False
        self._asked.add(partition)
        return not self._over and partition not in self._served

    def took(self, partition: str, size: int) -> None:
        """Tell how many bytes were read."""
        if size >= self._full:
            self._served.add(partition)
            self._over = True


class _Partition(StatefulSourcePartition[Emission, Any]):
    def __init__(
        self,
        name: str,
        partition: SourcePartition,
        turns: Turns,
        pace: Pace,
        epochs: Epochs,
        batch_bytes: int,
        stop: StopFlag,
        once: bool,
    ) -> None:
        self._name = name
        self._partition = partition
        self._turns = turns
        self._pace = pace
        self._epochs = epochs
        self._batch_bytes = batch_bytes
        self._stop = stop
        self._once = once
        self._awake_at = self._asked_at = self._answered_at = 0.0
        self._over = False

    def next_batch(self) -> list[Emission]:
        if self._stop.is_set():
            self._over = True
            raise StopIteration
        now = time.time()
        self._epochs.asked(self._name, now, self._awake_at)
        self._awake_at = self._asked_at = now
        if not self._turns.may(self._name):
            return []
        batch = self._partition.poll(self._batch_bytes)
        if batch:
            size = sum(len(item.data) for item in batch if isinstance(item, Payload))
            self._turns.took(self._name, size)
            self._pace.note(size)
            self._answered_at = time.time()
            # it is asked again at once
            return list(batch)
        self._pace.note(0)
        if self._once and self._partition.caught_up():
            self._over = True
            raise StopIteration
        self._answered_at = time.time()
        self._awake_at = self._answered_at + min(self._partition.next_poll_s(), LONGEST_SLEEP_S)
        return []

    def next_awake(self) -> datetime:
        # always a time: without one Bytewax would let a moment pass when there was nothing
        return datetime.fromtimestamp(self._epochs.wake_at(self._name, self._awake_at, time.time()), UTC)

    def snapshot(self) -> Any:
        # with the end of its input a partition ends no epoch of the others
        if not self._over:
            now = time.time()
            # Bytewax counts from before the question, if there was one
            just_asked = now - self._answered_at < JUST_S
            self._epochs.ended(self._name, self._asked_at if just_asked else now)
        return self._partition.position()

    def close(self) -> None:
        self._partition.close()
