"""What the ledger says at one moment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleetflow.contracts.payload import Notice
from fleetflow.contracts.sink import Counts
from fleetflow.ledger.reader import Ledger, Range

NOTICES = 10_000

Key = tuple[str, str, str]
"""Source, partition and resource."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Ranges, account and notices of a ledger, all as of `time` (seconds since 1970)."""

    time: float
    ranges: Mapping[Key, tuple[Range, ...]] = field(default_factory=dict)
    counts: Mapping[str, Counts] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()

    def records(self, source: str) -> int:
        """Return the records of a source in all its ranges."""
        return sum(each.records for key, some in self.ranges.items() if key[0] == source for each in some)

    def end(self, key: Key) -> int | None:
        """Return how far a resource was read, None when it was not."""
        some = self.ranges.get(key)
        return some[-1].end if some else None


def take(ledger: Ledger) -> Moment:
    """Read the whole ledger in one transaction."""
    ranges: dict[Key, list[Range]] = {}
    with ledger.as_of_one_moment():
        for each in ledger.ranges():
            ranges.setdefault((each.source, each.partition, each.resource), []).append(each)
        return Moment(
            time.time(),
            {key: tuple(some) for key, some in ranges.items()},
            ledger.counts(),
            tuple(ledger.notices(NOTICES)),
        )


def ledger_folder(description: Mapping[str, Any], home: str) -> Path | None:
    """Return the folder of a job's own ledger, as its configuration has it; None when it keeps none."""
    if "ledger" not in description.get("sinks", ()):
        return None
    folder = description.get("configuration", {}).get("ledger", {}).get("dir")
    return Path(home) / Path(folder).expanduser() if folder else None
