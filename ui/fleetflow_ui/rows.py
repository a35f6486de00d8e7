"""A vehicle's record as the fleet keeps it: a tuple of half the memory, which no collection need look at."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fleetflow.contracts.vehicles import Record

Row = tuple[Any, ...]
"""The names of the fields, as one tuple, then their values; lists are tuples."""
REPEATED = ("source", "status")
"""Fields whose words many vehicles share."""
MOST_SHAPES = 10_000
"""Of more sets of fields than that none is remembered: they are hardly shared."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """The names of some records' fields, and at which index of a row VIN and repeated words stand."""

    names: tuple[str, ...]
    vin: int
    repeated: tuple[int, ...]


class Rows:
    """Makes rows of records; those of the same fields in the same order share their names.

    Python's collector looks at whatever holds a list or a dict, in 0.08 s for 100,000 records, at the end of
    each session (Bokeh asks for it) and every few seconds, while all sessions wait. Tuples that hold plain
    values, or such tuples, it soon forgets.
    """

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def of(self, record: Record, vin: str) -> Row:
        """Return a record as a row; `vin` is its VIN as others hold it already."""
        shape = self._shape(tuple(record))
        row = [shape.names, *record.values()]
        for at, each in enumerate(row):
            if type(each) is list:
                row[at] = tuple(each)
        if row[shape.vin] == vin:
            row[shape.vin] = vin
        for at in shape.repeated:
            if type(row[at]) is str:
                row[at] = sys.intern(row[at])
        return tuple(row)

    def _shape(self, given: tuple[str, ...]) -> _Shape:
        shape = self._shapes.get(given)
        if shape is None:
            if len(self._shapes) >= MOST_SHAPES:
                self._shapes = {}
            names = tuple(map(sys.intern, given))
            repeated = tuple(1 + names.index(name) for name in REPEATED if name in names)
            shape = self._shapes[given] = _Shape(names, 1 + names.index("vin"), repeated)
        return shape


def value(row: Row, name: str) -> Any:
    """Return a field's value, None when the record has no such field."""
    names: tuple[str, ...] = row[0]
    return row[1 + names.index(name)] if name in names else None


def column(rows: Iterable[Row], name: str) -> Iterator[Any]:
    """Yield a field's value of each row, as `value` does, quicker."""
    names: tuple[str, ...] | None = None
    place = None
    for row in rows:
        if row[0] is not names:
            names = row[0]
            place = 1 + names.index(name) if name in names else None
        yield None if place is None else row[place]


def record_of(row: Row) -> Record:
    """Return a row as a record: as the map holds it, but with tuples for lists."""
    return dict(zip(row[0], row[1:], strict=True))
