"""The sink that keeps events, and starts the telling of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from fleetflow.contracts.notifier import Notifier
from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.events.gathering import Gatherer
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
        self._gatherer: Gatherer | None = None

    def open(self, shard: str, state: Any | None) -> EventsShard:
        """Open the store; nothing is buffered beyond a snapshot, so there is no state."""
        with self._lock:
            if self._store is None or self._gatherer is None:
                self._store = EventsStore(self._folder, self._keep)
                try:
                    self._outbox = Outbox(self._folder, self._store, self._notifiers())
                except BaseException:
                    self._store.close()
                    self._store = None
                    raise
                self._gatherer = Gatherer(self._store)
            self._users += 1
            return EventsShard(self._store, self._gatherer, self._release)

    def _release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users or not (self._store and self._gatherer and self._outbox):
                return
            self._gatherer.close()
            self._store.sync()
            self._outbox.close()
            self._store.close()
            self._store = self._outbox = self._gatherer = None


class EventsShard:
    """See `EventsSink`."""

    def __init__(self, store: EventsStore, gatherer: Gatherer, release: Callable[[], None]) -> None:
        self._store = store
        self._gatherer = gatherer
        self._release: Callable[[], None] | None = release

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Keep the batch's events, those of a backlog together with others."""
        if batch.events and batch.backlog:
            self._gatherer.put(batch.events)
        elif batch.events:
            # in order: those that are still gathered came before
            self._gatherer.flush()
            self._store.add(batch.events)
        return {}

    def snapshot(self) -> None:
        """Return when everything written is on disk: positions are never saved ahead of the events."""
        self._gatherer.flush()
        self._store.sync()

    def close(self) -> None:
        """Let go of the store; the last shard waits some seconds for events to be told."""
        if self._release is not None:
            self._release()
            self._release = None
