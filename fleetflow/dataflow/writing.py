"""The sinks as one Bytewax sink, with the account of every record.

All sinks of a shard are written one after the other: first the pings (which tells how many of them were
applied), then the rejects, then the observers with the account. One Bytewax step whatever sinks are
installed: a sink can come and go without changing the step ids of a job.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from fleetflow.contracts.sink import Counts, ShardBatch, Sink
from fleetflow.dataflow.conflation import merge
from fleetflow.dataflow.shaping import shard_name
from fleetflow.errors import PluginError

ROLES = ("pings", "rejects", "observer")
STATE_VERSION = 1


def in_order(sinks: Sequence[Sink]) -> list[Sink]:
    """Return the sinks in the order in which they are written, the ledger last.

    Raises PluginError unless exactly one keeps pings and exactly one keeps rejects.
    """
    for role in ("pings", "rejects"):
        names = [sink.name for sink in sinks if sink.role == role]
        if len(names) != 1:
            found = "none is installed" if not names else f"found {', '.join(sorted(names))}"
            raise PluginError(
                f"exactly one sink must keep the {role}, {found}",
                "pip install fleetflow-vehicles"
                if role == "pings" and not names
                else "see `fleetflow plugins`",
            )
    return sorted(sinks, key=lambda sink: (ROLES.index(sink.role), sink.name == "ledger", sink.name))


class Writing(FixedPartitionedSink[ShardBatch, Any]):
    """Writes each shard to all sinks."""

    def __init__(self, sinks: Sequence[Sink], shards: int) -> None:
        self._sinks = in_order(sinks)
        self._shards = shards

    def list_parts(self) -> list[str]:
        """Return the names of all shards."""
        return [shard_name(shard) for shard in range(self._shards)]

    def part_fn(self, item_key: str) -> int:
        """Return the number of the shard: the key is its name."""
        return int(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: Any | None) -> _Shard:
        """Open all sinks for one shard, each with its own part of the state."""
        return _Shard(self._sinks, for_part, resume_state)


class _Shard(StatefulSinkPartition[ShardBatch, Any]):
    def __init__(self, sinks: Sequence[Sink], shard: str, state: dict[str, Any] | None) -> None:
        stored = (state or {}).get("sinks", {})
        self._sinks = [(sink.name, sink.open(shard, stored.get(sink.name))) for sink in sinks]

    def write_batch(self, values: list[ShardBatch]) -> None:
        batch = merge(values)
        settled = dict(batch.counts or {})
        for _, sink in self._sinks:
            for source, counts in sink.write(batch, settled).items():
                settled[source] = settled.get(source, Counts()) + counts

    def snapshot(self) -> dict[str, Any]:
        return {"v": STATE_VERSION, "sinks": {name: sink.snapshot() for name, sink in self._sinks}}

    def close(self) -> None:
        for _, sink in self._sinks:
            sink.close()
