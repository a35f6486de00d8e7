"""The job's way into the vehicles map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.sharing import Lease, Shared
from fleetflow_vehicles.records import Prepared, prepare
from fleetflow_vehicles.store import Store

NOTHING = Prepared((), [], [], [], [], [])


class VehiclesSink:
    """Keeps the pings: upserts those that are newer than what the map has, and sets events' updates.

    All shards of a process share one connection. A batch is one transaction, so that a killed process
    leaves all of it or nothing; writing it again changes nothing. A snapshot returns when everything is
    on disk: positions that are saved with it are never ahead of the map.
    """

    name = "vehicles"
    role: Literal["pings"] = "pings"

    def __init__(self, open_store: Callable[[], Store], schema_version: int | None) -> None:
        """`schema_version` is stored with every record; None when the schema is not known."""
        self._store = Shared(open_store, Store.close)
        self._schema_version = schema_version

    @classmethod
    def at(cls, directory: Path, schema_version: int | None) -> VehiclesSink:
        """Return the sink for a directory, with default settings."""
        return cls(lambda: Store(directory), schema_version)

    def open(self, shard: str, state: Any | None) -> _Shard:
        """Open for one shard; there is no state beside the map itself."""
        return _Shard(self._store.lease(), self._schema_version)


class _Shard:
    def __init__(self, store: Lease[Store], schema_version: int | None) -> None:
        self._lease = store
        self._store = store.value
        self._schema_version = schema_version

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Write a batch; returns per source how many pings were applied and superseded."""
        events = [event for event in batch.events if event.update]
        if not batch.pings.height and not events:
            return {}
        # outside of the store's lock: another shard writes meanwhile
        pings = prepare(batch.pings, self._schema_version) if batch.pings.height else NOTHING
        return self._store.upsert(pings, self._schema_version, events)

    def snapshot(self) -> None:
        """Return when everything written is on disk."""
        self._store.sync()

    def close(self) -> None:
        """Let go of the store; the last shard closes it."""
        self._lease.release()
