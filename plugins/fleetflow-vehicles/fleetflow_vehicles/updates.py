"""What events set on a vehicle's record."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from fleetflow.contracts.detector import Event
from fleetflow.contracts.vehicles import Record
from fleetflow.errors import FleetflowError
from fleetflow_vehicles.records import (
    BASE,
    EXTRA,
    INTEGERS,
    LONGEST_NAME,
    MARKS,
    check_fields,
    text_of,
    with_fields,
)

log = logging.getLogger(__name__)


def _holds(
    only_if: Mapping[str, Sequence[Any]], record: Mapping[str, Any], changed: Mapping[str, Any] | None = None
) -> bool:
    """Return whether the record, of which `changed` is to be set, has what is asked for."""
    for name, wanted in only_if.items():
        found = changed[name] if changed and name in changed else record.get(name)
        if wanted and found not in wanted:
            return False
    return True


def with_events(record: Record, events: Iterable[Event], own: Collection[str], limit: int) -> Record:
    """Return `record` after the updates of its vehicle's events, in whatever order they come.

    Per field the event that is greatest by (time, id) decides; `event_marks` remembers it, also for a
    field that was removed, and for one that `only_if` left as it was. So an event that is replayed, or
    late, changes nothing, and a value that somebody set by hand stays until there is a newer event. An
    update that must not be set is left out, with a warning: the event itself is not lost by it.
    """
    # conditions are asked of the record as it was then: of the events of one batch the older ones come first
    ordered = sorted(events, key=lambda event: (event.time, event.id))
    changed = _quickly(record, ordered, own, limit)
    if changed is not None:
        return changed
    changed, refused = _applied(record, ordered, own, limit)
    for event, why in refused:
        log.warning("event %s (%s) does not update %s: %s", event.id, event.kind, event.vin, why)
    return changed


def _quickly(record: Record, ordered: Sequence[Event], own: Collection[str], limit: int) -> Record | None:
    """Do what `_applied` does where nothing can be refused; None where that takes a closer look.

    The record is written once, in the end: many events of one vehicle cost little more than one.
    """
    taken = {*own, *BASE, *EXTRA, MARKS}
    stored = record.get(MARKS)
    marks: dict[str, Any] = dict(stored) if isinstance(stored, dict) else {}
    values: dict[str, Any] = {}
    names: set[str] = set()
    largest = 0
    for event in _decisive(ordered):
        update, mark = dict(event.update), [event.time, event.id]
        if not (
            (names.issuperset(update) or (taken.isdisjoint(update) and all(map(_plain_name, update))))
            and all(map(_plain, (*mark, *update.values())))
        ):
            return None
        names |= update.keys()
        largest = max(largest, len(orjson.dumps([update, mark])))
        newer = [name for name in update if name not in marks or list(marks[name]) < mark]
        allowed = not event.only_if or _holds(event.only_if, record, values)
        for name in newer:
            marks[name] = mark
            if allowed or name not in event.only_if:
                values[name] = update[name]
    size = len(orjson.dumps({name: value for name, value in record.items() if name not in own}))
    # whichever event set a field last, it takes no more than this, and its mark and both names with it
    if size + len(names) * (largest + 2 * LONGEST_NAME) + LONGEST_NAME > limit:
        return None
    return record if marks == (stored or {}) else with_fields(record, {**values, MARKS: marks}, own)


def _decisive(ordered: Sequence[Event]) -> list[Event]:
    """Return the events without those that leave no trace: the same fields are set again, and nobody asks."""
    asked = {name for event in ordered for name in event.only_if}
    last = {tuple(event.update): event for event in ordered if not event.only_if}
    return [
        event
        for event in ordered
        if event.only_if or last[tuple(event.update)] is event or not asked.isdisjoint(event.update)
    ]


def _plain_name(name: object) -> bool:
    """Return whether a field may have this name, of which that is told at a glance."""
    return type(name) is str and name.isascii() and 0 < len(name) <= LONGEST_NAME


def _plain(value: object) -> bool:
    """Return whether `not_json` is empty for `value`, of which that is told at a glance."""
    kind = type(value)
    if kind is str:
        return str.isascii(value)  # type: ignore[arg-type] # mypy does not follow `kind`
    if kind is float:
        return math.isfinite(value)  # type: ignore[arg-type] # as above
    if kind is list:
        return all(type(item) is str and item.isascii() for item in value)  # type: ignore[attr-defined] # as above
    return value is None or kind is bool or (kind is int and value in INTEGERS)


def _applied(
    record: Record, events: Iterable[Event], own: Collection[str], limit: int
) -> tuple[Record, list[tuple[Event, str]]]:
    """Return the record after events in order, and those whose update must not be set, with why."""
    refused = []
    for event in events:
        stored = record.get(MARKS)
        marks: dict[str, Any] = dict(stored) if isinstance(stored, dict) else {}
        mark = [event.time, event.id]
        newer = {
            name: value
            for name, value in event.update.items()
            if name not in marks or list(marks[name]) < mark
        }
        if not newer:
            continue
        allowed = _holds(event.only_if, record)
        values = {name: value for name, value in newer.items() if allowed or name not in event.only_if}
        try:
            check_fields({**newer, "event": mark}, own)
            changed = with_fields(record, {**values, MARKS: {**marks, **dict.fromkeys(newer, mark)}}, own)
            text_of(changed, own, limit)
        except FleetflowError as error:
            refused.append((event, error.message))
            continue
        record = changed
    return record, refused
