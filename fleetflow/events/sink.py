"""The sink that keeps events, and starts the telling of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from fleetflow.contracts.notifier import Notifier
from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.events.outbox import Outbox
from fleetflow.events.store import EventsStore


class EventsSink:
    """An observer. At-least-once writes; an event that is written again is stored and told once.

    All shards of a process share one store and one outbox.
    """

    name = "events"
    role: Literal["observer"] = "observer"

    def __init__(
        self, folder: Path, keep: int = 100_000, notifiers: Callable[[], Sequence[Notifier]] = tuple
    ) -> None:
        """`notifiers` is called when the first shard is opened."""
        self._folder = folder
        self._keep = keep
        self._notifiers = notifiers
        self._lock = threading.Lock()
        self._users = 0
        self._store: EventsStore | None = None
        self._outbox: Outbox | None = None

    def open(self, shard: str, state: Any | None) -> EventsShard:
        """Open the store; nothing is buffered, so there is no state."""
        with self._lock:
            if self._store is None or self._outbox is None:
                self._store = EventsStore(self._folder, self._keep)
                try:
                    self._outbox = Outbox(self._folder, self._store, self._notifiers())
                except BaseException:
                    self._store.close()
                    self._store = None
                    raise
            self._users += 1
            return EventsShard(self._store, self._outbox, self._release)

    def _release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._store is not None and self._outbox is not None:
                if self._store.sync():
                    self._outbox.wake()
                self._outbox.close()
                self._store.close()
                self._store = self._outbox = None


class EventsShard:
    """See `EventsSink`."""

    def __init__(self, store: EventsStore, outbox: Outbox, release: Callable[[], None]) -> None:
        self._store = store
        self._outbox = outbox
        self._release: Callable[[], None] | None = release

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Keep the batch's events, those of a backlog together with others."""
        if batch.events and not batch.backlog:
            stored = self._store.add(batch.events)
        else:
            stored = self._store.gather(batch.events) if batch.events else self._store.settle()
        if stored:
            self._outbox.wake()
        return {}

    def snapshot(self) -> None:
        """Return when everything written is on disk: positions are never saved ahead of the events."""
        if self._store.sync():
            self._outbox.wake()

    def close(self) -> None:
        """Let go of the store; the last shard waits some seconds for events to be told."""
        if self._release is not None:
            self._release()
            self._release = None
