"""Making the outcome durable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import polars as pl

from fleetflow.contracts.detector import Event
from fleetflow.contracts.payload import Notice, Place, Reject, Span

Role = Literal["pings", "rejects", "observer", "recorder"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records of one source were read, and what became of them."""

    read: int = 0
    applied: int = 0
    superseded: int = 0
    quarantined: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.read + other.read,
            self.applied + other.applied,
            self.superseded + other.superseded,
            self.quarantined + other.quarantined,
        )

    @property
    def settled(self) -> int:
        """Records whose fate is known: equal to `read` whenever nothing is between source and sink."""
        return self.applied + self.superseded + self.quarantined


@dataclass(frozen=True, slots=True)
class ShardBatch:
    """What travels to one shard's sinks: the newest ping per vehicle, rejects, and the account of both.

    `pings`: columns of the schema, then `source` (String) and `received_at` (Float64, seconds since
    1970); at most one row per VIN once conflated, which a recorder's are not. `counts` holds per source the
    records read, and those already superseded by a newer ping of the same vehicle on the way here.
    For every source: `read == superseded + pings of that source + rejects of that source`. `locate` tells the
    place of some rows of `pings`, on the way to a judge only. `backlog` says that more was waiting to be
    read, so that newer pings of the same vehicles are about to come.
    """

    pings: pl.DataFrame
    rejects: tuple[Reject, ...] = ()
    spans: tuple[Span, ...] = ()
    notices: tuple[Notice, ...] = ()
    events: tuple[Event, ...] = ()
    counts: Mapping[str, Counts] | None = None
    locate: Callable[[Sequence[int]], Sequence[Place]] | None = None
    backlog: bool = False


class SinkShard(Protocol):
    """One sink, open for one shard. Used by one thread; several shards write side by side."""

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Make `batch` durable, and return per source what became of its records.

        The sink of role `pings` returns applied and superseded, the one of role `rejects` returns
        quarantined, all others nothing. `settled` is what the sinks before this one returned, added to
        what the batch brought; empty for a recorder, which is given every valid ping in order of arrival.
        After a crash the last interval is written again: writing twice must change nothing.
        """
        ...

    def snapshot(self) -> Any:
        """Flush what is buffered, then return plain state for the recovery store (None if there is none)."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class Sink(Protocol):
    """A plugin's way out of fleetflow."""

    name: str
    """Names its state in the recovery store: never changes."""
    role: Role
    """Exactly one sink applies pings, exactly one keeps rejects; observers come after them, in order of
    name, the ledger last. Recorders are written in a step of their own, before conflation: they see every
    valid ping, late and superseded ones too."""

    def open(self, shard: str, state: Any | None) -> SinkShard:
        """Open for one shard, with the state `snapshot` returned, or None for a fresh start."""
        ...
