"""The sink that keeps rejects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.quarantine.store import QuarantineStore
from fleetflow.sharing import Lease, Shared


class QuarantineSink:
    """Role `rejects`. At-least-once writes; a replayed reject is stored once."""

    name = "quarantine"
    role: Literal["pings", "rejects", "observer"] = "rejects"

    def __init__(self, folder: Path) -> None:
        self._store = Shared(lambda: QuarantineStore(folder), QuarantineStore.close)

    def open(self, shard: str, state: Any | None) -> QuarantineShard:
        """Open the store; nothing is buffered, so there is no state."""
        return QuarantineShard(self._store.lease())


class QuarantineShard:
    """See `QuarantineSink`."""

    def __init__(self, store: Lease[QuarantineStore]) -> None:
        self._lease = store
        self._store = store.value

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Keep the batch's rejects and count them, also those that were kept before."""
        if not batch.rejects:
            return {}
        self._store.add(batch.rejects)
        per_source = Counter(reject.place.source for reject in batch.rejects)
        return {source: Counts(quarantined=count) for source, count in per_source.items()}

    def snapshot(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Let go of the store; the last shard closes it."""
        self._lease.release()
