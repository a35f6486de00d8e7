"""Sources and sinks in memory, and a whole flow over them without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl
from bytewax.recovery import RecoveryConfig
from bytewax.testing import run_main

from fleetflow import config, plugins
from fleetflow.builtin import core, rules
from fleetflow.config import Configuration
from fleetflow.contracts.detector import Detector, Event
from fleetflow.contracts.judge import Judge
from fleetflow.contracts.payload import Notice, Payload, Reject, Span
from fleetflow.contracts.rule import Rule
from fleetflow.contracts.schema import PingSchema
from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.contracts.source import Emission
from fleetflow.dataflow.stop import StopFlag
from fleetflow.dataflow.wiring import build


class MemorySource:
    """A source of one partition that emits what it was given, and is then caught up."""

    def __init__(self, emissions: Sequence[Emission], name: str = "memory", at_once: int = 1) -> None:
        self.name = name
        self._emissions = list(emissions)
        self._at_once = at_once

    def partitions(self) -> Sequence[str]:
        """Return the one partition."""
        return (self.name,)

    def open(self, partition: str, position: Any | None) -> MemoryPartition:
        """Open at a position: the number of emissions that were handed on."""
        return MemoryPartition(self._emissions, position or 0, self._at_once)


class MemoryPartition:
    """See `MemorySource`."""

    def __init__(self, emissions: list[Emission], position: int, at_once: int) -> None:
        self._emissions = emissions
        self._position = position
        self._at_once = at_once

    def poll(self, max_bytes: int) -> Sequence[Emission]:
        """Return the next emissions."""
        batch = self._emissions[self._position : self._position + self._at_once]
        self._position += len(batch)
        return batch

    def next_poll_s(self) -> float:
        """Return a short pause."""
        return 0.0 if self._position < len(self._emissions) else 0.05

    def caught_up(self) -> bool:
        """Whether everything was emitted."""
        return self._position >= len(self._emissions)

    def position(self) -> int:
        """Return how many emissions were handed on."""
        return self._position

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass
class MemorySink:
    """A sink of role `pings`: keeps the newest record per VIN in `records`."""

    name: str = "memory"
    role: Literal["pings", "rejects", "observer"] = "pings"
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    moves_back: int = 0

    def open(self, shard: str, state: Any | None) -> MemorySink:
        """All shards share the records."""
        return self

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Keep each ping that is newer by time and sequence."""
        outcome: dict[str, Counts] = {}
        for record in batch.pings.iter_rows(named=True):
            old = self.records.get(record["vin"])
            newer = old is None or _order(record) > _order(old)
            if newer:
                self.records[record["vin"]] = record
            count = Counts(applied=1) if newer else Counts(superseded=1)
            outcome[record["source"]] = outcome.get(record["source"], Counts()) + count
        self.events.extend(batch.events)
        return outcome

    def snapshot(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Nothing to let go of."""


def _order(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record[name] for name in ("time", "sequence", "latitude", "longitude", "source"))


@dataclass
class MemoryQuarantine:
    """A sink of role `rejects`: keeps rejects in `rejects`, each place once."""

    name: str = "memory_quarantine"
    role: Literal["pings", "rejects", "observer"] = "rejects"
    rejects: dict[tuple[str, str, str, int, int], Reject] = field(default_factory=dict)

    def open(self, shard: str, state: Any | None) -> MemoryQuarantine:
        """All shards share the rejects."""
        return self

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Keep every reject."""
        outcome: dict[str, Counts] = {}
        for reject in batch.rejects:
            place = reject.place
            key = (place.source, place.partition, place.resource, place.start, place.end)
            self.rejects.setdefault(key, reject)
            outcome[place.source] = outcome.get(place.source, Counts()) + Counts(quarantined=1)
        return outcome

    def snapshot(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass
class MemoryLedger:
    """An observer that adds up the account, spans and notices."""

    name: str = "ledger"
    role: Literal["pings", "rejects", "observer"] = "observer"
    counts: dict[str, Counts] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def open(self, shard: str, state: Any | None) -> MemoryLedger:
        """All shards share the account."""
        return self

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Add the batch's account."""
        for source, counts in settled.items():
            self.counts[source] = self.counts.get(source, Counts()) + counts
        self.spans.extend(batch.spans)
        self.notices.extend(batch.notices)
        return {}

    def snapshot(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Nothing to let go of."""


def csv_payload(
    text: str | bytes, start: int = 0, resource: str = "test.csv", source: str = "memory"
) -> Payload:
    """Return a payload of CSV lines as the alpha source would emit it."""
    data = text.encode() if isinstance(text, str) else text
    return Payload(source, source, resource, start, start + len(data), data, "text/csv", 1_000_000_000.0)


def configuration(
    tables: Mapping[str, Mapping[str, Any]] | None = None, home: Path | None = None
) -> Configuration:
    """Return the configuration of the core's own tables, untouched by files and environment."""
    models = {**core.fleetflow_settings(), **rules.fleetflow_settings()}
    loaded = config.load(
        models, environment={"FLEETFLOW_ONCE": "1", "FLEETFLOW_HOME": str(home or ".")}, flags=tables
    )
    return loaded


def run_once(
    schema: PingSchema,
    sources: Sequence[Any],
    sinks: Sequence[Any],
    rules: Iterable[Rule] = (),
    detectors: Sequence[Detector] = (),
    judges: Sequence[Judge] = (),
    recovery: RecoveryConfig | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Run the real dataflow over `sources` until all are caught up, in this thread."""

    class Given:
        @plugins.hookimpl
        def fleetflow_schema(self) -> PingSchema:
            return schema

        @plugins.hookimpl
        def fleetflow_sources(self) -> Sequence[Any]:
            return sources

        @plugins.hookimpl
        def fleetflow_sinks(self) -> Sequence[Any]:
            return sinks

        @plugins.hookimpl
        def fleetflow_rules(self) -> Sequence[Rule]:
            return list(rules)

        @plugins.hookimpl
        def fleetflow_detectors(self) -> Sequence[Detector]:
            return detectors

        @plugins.hookimpl
        def fleetflow_judges(self) -> Sequence[Judge]:
            return judges

    flow = build(plugins.only_these([("given", Given())]), configuration(settings), StopFlag())
    run_main(flow, recovery_config=recovery)  # type: ignore[no-untyped-call] # Bytewax ships no types for it


def empty(schema: PingSchema) -> pl.DataFrame:
    """Return no pings, with the columns of `schema`."""
    return pl.DataFrame(schema=dict(schema.columns))
