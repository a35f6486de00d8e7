"""The sink that keeps events, and starts the telling of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from fleetflow.contracts.notifier import Notifier
from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.events.gathering import Gatherer
from fleetflow.events.outbox import Outbox
from fleetflow.events.store import EventsStore
from fleetflow.sharing import Lease, Shared


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
        self._keeping = Shared(lambda: _Keeping(folder, keep, notifiers), _Keeping.close)

    def open(self, shard: str, state: Any | None) -> EventsShard:
        """Open the store; nothing is buffered beyond a snapshot, so there is no state."""
        return EventsShard(self._keeping.lease())


class _Keeping:
    """What all shards of a process share."""

    def __init__(self, folder: Path, keep: int, notifiers: Callable[[], Sequence[Notifier]]) -> None:
        self.store = EventsStore(folder, keep)
        try:
            self._outbox = Outbox(folder, self.store, notifiers())
        # whatever a notifier's plugin raises, also an interrupt: raised again, without a store left open
        except BaseException:
            self.store.close()
            raise
        self.gatherer = Gatherer(self.store)

    def close(self) -> None:
        """Store what is left, wait some seconds for events to be told, and let go of the store."""
        with ExitStack() as last:
            # in the end the store, whatever those before it raise
            last.callback(self.store.close)
            last.callback(self._outbox.close)
            last.callback(self.store.sync)
            last.callback(self.gatherer.close)


class EventsShard:
    """See `EventsSink`."""

    def __init__(self, keeping: Lease[_Keeping]) -> None:
        self._lease = keeping
        self._store, self._gatherer = keeping.value.store, keeping.value.gatherer

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
        self._lease.release()
