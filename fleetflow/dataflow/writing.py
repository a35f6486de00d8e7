"""The sinks as one Bytewax sink, with the account of every record.

All sinks of a shard are written one after the other: first the pings (which tells how many of them were
applied), then the rejects, then the observers with the account. One Bytewax step whatever sinks are
installed: a sink can come and go without changing the step ids of a job.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from fleetflow.contracts.sink import Counts, ShardBatch, Sink, SinkShard
from fleetflow.dataflow.conflation import merge
from fleetflow.dataflow.routing import shard_of_key
from fleetflow.dataflow.sharding import shard_name
from fleetflow.errors import PluginError
from fleetflow.timers import own_pace

ROLES = ("pings", "rejects", "observer", "recorder")
STATE_VERSION = 1


def in_order(sinks: Sequence[Sink]) -> list[Sink]:
    """Return all sinks but the recorders in the order in which they are written, the ledger last.

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
    writers = [sink for sink in sinks if sink.role != "recorder"]
    return sorted(writers, key=lambda sink: (ROLES.index(sink.role), sink.name == "ledger", sink.name))


def recorders(sinks: Sequence[Sink]) -> list[Sink]:
    """Return the sinks that want every valid ping, by name."""
    return sorted((sink for sink in sinks if sink.role == "recorder"), key=lambda sink: sink.name)


class Writing(FixedPartitionedSink[ShardBatch, Any]):
    """Writes each shard to all of `sinks`, in their order, conflated."""

    def __init__(self, sinks: Sequence[Sink], shards: int) -> None:
        self._sinks = sinks
        self._shards = shards

    def list_parts(self) -> list[str]:
        """Return the names of all shards."""
        return [shard_name(shard) for shard in range(self._shards)]

    def part_fn(self, item_key: str) -> int:
        """Return the number of the shard that travels under a key."""
        return shard_of_key(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: Any | None) -> _Shard:
        """Open all sinks for one shard, each with its own part of the state."""
        own_pace()
        return _Shard(self._sinks, for_part, resume_state)


class _Shard(StatefulSinkPartition[ShardBatch, Any]):
    def __init__(self, sinks: Sequence[Sink], shard: str, state: dict[str, Any] | None) -> None:
        stored = (state or {}).get("sinks", {})
        self._sinks: list[tuple[str, SinkShard]] = []
        try:
            for sink in sinks:
                self._sinks.append((sink.name, sink.open(shard, stored.get(sink.name))))
        # also an interrupt: sinks that were opened hold what others wait for, and it is raised again
        except BaseException:
            self.close()
            raise

    def write_batch(self, values: list[ShardBatch]) -> None:
        # what comes from conflation is conflated
        batch = values[0] if len(values) == 1 else merge(values)
        settled = dict(batch.counts or {})
        for _, sink in self._sinks:
            for source, counts in sink.write(batch, settled).items():
                settled[source] = settled.get(source, Counts()) + counts

    def snapshot(self) -> dict[str, Any]:
        return {"v": STATE_VERSION, "sinks": {name: sink.snapshot() for name, sink in self._sinks}}

    def close(self) -> None:
        for _, sink in self._sinks:
            sink.close()


class _RecordedShard(_Shard):
    def write_batch(self, values: list[ShardBatch]) -> None:
        for batch in values:
            for _, sink in self._sinks:
                sink.write(batch, {})


class Recording(Writing):
    """Writes each shard to all recorders: every valid ping, in order of arrival."""

    def build_part(self, step_id: str, for_part: str, resume_state: Any | None) -> _Shard:
        """Open all recorders for one shard, each with its own part of the state."""
        return _RecordedShard(self._sinks, for_part, resume_state)
