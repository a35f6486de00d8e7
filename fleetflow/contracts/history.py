"""Reading what was, where an archive keeps it."""

from collections.abc import Iterator
from typing import Protocol

import polars as pl

from fleetflow.contracts.vehicles import Record


class History(Protocol):
    """Every valid ping that was archived, readable by many processes while the job writes."""

    def trail(self, vin: str, since: float, until: float, limit: int = 10_000) -> pl.DataFrame:
        """Return the pings of `vin` with `since` <= time <= `until` (seconds since 1970), by time.

        The columns are those of the schema, `source` and `received_at`; each ping once. Of more than
        `limit` rows the newest are returned.
        """
        ...

    def at(self, time: float) -> Iterator[Record]:
        """Yield per VIN, in order, the newest ping with a time up to `time`: the fleet as it was then."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...
