"""The status SELECTED, which the map shows in green; the status that a vehicle had is kept beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fleetflow.contracts.vehicles import Record, VehiclesMap

SELECTED = "SELECTED"
BEFORE = "status_before_selected"
"""The field with the status that a selected vehicle had; it is not there when it had none."""


def select(vehicles: VehiclesMap, records: Iterable[Record]) -> int:
    """Select vehicles; returns how many were not selected before. Only `status` and `BEFORE` are touched."""
    count = 0
    for given in records:
        # as it is now: an event may have set a status since the question was answered
        record = vehicles.get(given["vin"])
        if record is None or record.get("status") == SELECTED:
            continue
        fields = {"status": SELECTED, BEFORE: record.get("status")}
        count += vehicles.update(record["vin"], fields) is not None
    return count


def deselect(vehicles: VehiclesMap, records: Iterable[Record]) -> int:
    """Give selected vehicles the status back that they had; returns how many were selected.

    A status that was set while a vehicle was selected, by an event or by hand, stays.
    """
    count = 0
    for given in records:
        record = vehicles.get(given["vin"])
        if record is None:
            continue
        fields: dict[str, Any] = {BEFORE: None} if BEFORE in record else {}
        if record.get("status") == SELECTED:
            fields |= {"status": record.get(BEFORE), BEFORE: None}
            count += 1
        if fields:
            vehicles.update(record["vin"], fields)
    return count
