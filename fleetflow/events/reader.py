"""Reading events from any process, while jobs write."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fleetflow import sqlite
from fleetflow.config import Configuration
from fleetflow.contracts.detector import Event
from fleetflow.events.form import as_dict
from fleetflow.events.settings import folder_of
from fleetflow.events.store import FILE, LAYOUT, has_conditions

COLUMNS = "row, stored_at, id, vin, time, kind, severity, message, data, ping, changes"
WITHOUT_CONDITIONS = "'{}' as only_if"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event, the number of its row (rising in the order of storing), and when that was (since 1970)."""

    row: int
    stored_at: float
    event: Event

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"row": self.row, "stored_at": self.stored_at, **as_dict(self.event)}


class Events:
    """The events as other processes see them. A store that does not exist yet is empty."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._connection: sqlite3.Connection | None = None
        self._conditions = False

    @classmethod
    def of(cls, configuration: Configuration) -> Events:
        """Return the events of the store that the configuration names."""
        return cls(folder_of(configuration))

    def _rows(self, query: str, values: Sequence[object] = ()) -> Sequence[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = sqlite.connect_to_read(self._path, LAYOUT)
        if self._connection is None:
            return []
        if "{columns}" in query:
            # once there, the column stays
            self._conditions = self._conditions or has_conditions(self._connection)
            conditions = "only_if" if self._conditions else WITHOUT_CONDITIONS
            query = query.replace("{columns}", f"{COLUMNS}, {conditions}")
        return self._connection.execute(query, values).fetchall()

    def list(
        self,
        limit: int = 100,
        vin: str | None = None,
        kind: str | None = None,
        since: float | None = None,
        severity: str | None = None,
    ) -> Sequence[StoredEvent]:
        """Return at most `limit` events, those stored last first.

        What is None does not matter; `since` is event time in seconds since 1970, inclusive.
        """
        conditions: dict[str, object] = {
            "vin = ?": vin,
            "kind = ?": kind,
            "severity = ?": severity,
            "time >= ?": since,
        }
        given = {condition: value for condition, value in conditions.items() if value is not None}
        where = " and ".join(given) or "true"
        query = f"select {{columns}} from events where {where} order by row desc limit ?"
        return [_event(row) for row in self._rows(query, [*given.values(), limit])]

    def since(self, row: int, limit: int = 1000) -> Sequence[StoredEvent]:
        """Return at most `limit` events that were stored after `row`, in the order of storing."""
        query = "select {columns} from events where row > ? order by row limit ?"
        return [_event(found) for found in self._rows(query, [row, limit])]

    def last_row(self) -> int:
        """Return the number of the row stored last, 0 when there is none."""
        return next((int(last or 0) for (last,) in self._rows("select max(row) from events")), 0)

    def count(self) -> int:
        """Return the number of events that are there."""
        return next((int(count) for (count,) in self._rows("select count(*) from events")), 0)

    def close(self) -> None:
        """Let go of the file; a later read opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection, self._conditions = None, False


def _event(row: tuple[Any, ...]) -> StoredEvent:
    number, stored_at, *fields, data, ping, changes, only_if = row
    parts = (msgspec.json.decode(part) for part in (data, ping, changes, only_if))
    return StoredEvent(number, stored_at, Event(*fields, *parts))
