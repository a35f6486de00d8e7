"""Where the tables come from: the vehicles map, the events and the quarantine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

import msgspec
import polars as pl

from fleetflow.config import Configuration
from fleetflow.contracts.vehicles import Record, VehiclesMap
from fleetflow.events.reader import Events
from fleetflow.quarantine.settings import folder_of
from fleetflow.quarantine.store import QuarantineReader
from fleetflow_query.tables import table

EXTRA: Mapping[str, pl.DataType] = {
    "source": pl.String(),
    "received_at": pl.Float64(),
    "schema_version": pl.Int64(),
    "status": pl.String(),
    "note": pl.String(),
}
"""Columns of `vehicles` that are there whether any vehicle has them or not, after those of the schema."""
EVENTS: Mapping[str, pl.DataType] = {
    "row": pl.Int64(),
    "id": pl.String(),
    "vin": pl.String(),
    "time": pl.Float64(),
    "kind": pl.String(),
    "severity": pl.String(),
    "message": pl.String(),
    "data": pl.String(),
    "ping": pl.String(),
    "changes": pl.String(),
    "stored_at": pl.Float64(),
}
"""Columns of `events`; `data`, `ping` and `changes` are JSON."""
REJECTS: Mapping[str, pl.DataType] = {
    "id": pl.Int64(),
    "source": pl.String(),
    "partition": pl.String(),
    "resource": pl.String(),
    "start": pl.Int64(),
    "end": pl.Int64(),
    "rule": pl.String(),
    "reason": pl.String(),
    "media_type": pl.String(),
    "raw": pl.String(),
    "received_at": pl.Float64(),
    "quarantined_at": pl.Float64(),
    "state": pl.String(),
}
"""Columns of `rejects`; bytes of `raw` that are not UTF-8 are shown as `\\xff`."""
EVERYTHING = 2**62


class Stores(Protocol):
    """What can be asked about."""

    columns: Mapping[str, pl.DataType]
    """The columns of the ping schema."""

    def records(self) -> list[Record]:
        """Return all records of the vehicles map, in order of VIN."""
        ...

    def table(self, name: str) -> pl.DataFrame:
        """Return the table `events` or `rejects`."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class ConfiguredStores:
    """The stores of a configuration. Those that do not exist yet are empty."""

    def __init__(
        self,
        configuration: Configuration,
        open_map: Callable[[], VehiclesMap],
        columns: Mapping[str, pl.DataType],
    ) -> None:
        self.columns = columns
        self._configuration = configuration
        self._open_map = open_map
        self._vehicles: VehiclesMap | None = None

    def records(self) -> list[Record]:
        """Return all records of the vehicles map, in order of VIN, as of one moment."""
        if self._vehicles is None:
            self._vehicles = self._open_map()
        return list(self._vehicles.records())

    def table(self, name: str) -> pl.DataFrame:
        """Return the table `events` or `rejects`."""
        return self._events() if name == "events" else self._rejects()

    def _events(self) -> pl.DataFrame:
        reader = Events.of(self._configuration)
        try:
            rows = [
                {
                    "row": stored.row,
                    "stored_at": stored.stored_at,
                    **{name: getattr(stored.event, name) for name in list(EVENTS)[1:7]},
                    "data": _json(stored.event.data),
                    "ping": _json(stored.event.ping),
                    "changes": _json(stored.event.update),
                }
                for stored in reader.list(limit=EVERYTHING)
            ]
        finally:
            reader.close()
        return table(rows, EVENTS)

    def _rejects(self) -> pl.DataFrame:
        reader = QuarantineReader(folder_of(self._configuration))
        try:
            rows = [
                {**asdict(reject), "raw": reject.raw.decode("utf-8", "backslashreplace")}
                for reject in reader.rejects()
            ]
        finally:
            reader.close()
        return table(rows, REJECTS)

    def close(self) -> None:
        """Let go of the vehicles map."""
        if self._vehicles is not None:
            self._vehicles.close()
            self._vehicles = None


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(dict(value)).decode()
