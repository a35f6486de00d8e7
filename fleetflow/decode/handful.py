"""A handful of CSV lines to pings, in Python: to begin with columns takes longer than to read so few.

Only the most usual form of a line is read here; of all others nothing is said, and the columns decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from fleetflow.decode.field import Field

MOST_BYTES = 8192
"""About 140 lines, up to which this is quicker."""

PLAIN = re.compile(rb"[\n\x20-\x7e]*\n")
"""Whole lines of printable ASCII."""
NUMBERS: dict[pl.DataType, tuple[re.Pattern[str], Callable[[str], float]]] = {
    pl.Float64(): (re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?"), float),
    pl.Int64(): (re.compile(r"-?[0-9]{1,18}"), int),
}
"""What every reader of numbers takes for the same one, per type of a field."""


def read(data: bytes, fields: Sequence[Field], required: int) -> list[pl.Series] | None:
    """Return a column per field that the lines have; None unless all are of the usual form.

    `fields` are those of a line, of which the first `required` must be there. In the usual form all lines
    have equally many columns, none more than there are fields; text may be empty, numbers may not.
    """
    if len(data) > MOST_BYTES or not PLAIN.fullmatch(data):
        return None
    lines = [line.split(",") for line in data[:-1].decode("ascii").split("\n")]
    if len(set(map(len, lines))) != 1 or not required <= len(lines[0]) <= len(fields):
        return None
    found = []
    for field, cells in zip(fields, zip(*lines, strict=True), strict=False):
        values = _values(field, cells)
        if values is None:
            return None
        found.append(_series(field, values))
    return found


def _values(field: Field, cells: Sequence[str]) -> list[Any] | None:
    if field.dtype == pl.String:
        # an empty one that is required is for a rule to judge
        empty = "" if field.required else None
        return [cell or empty for cell in cells]
    if field.dtype == pl.List(pl.String):
        words = [cell.split(" ") if cell else [] for cell in cells]
        # "": spaces around words, or several between them
        return None if any("" in each for each in words) else words
    if field.dtype not in NUMBERS:
        return None
    form, number = NUMBERS[field.dtype]
    return list(map(number, cells)) if all(map(form.fullmatch, cells)) else None


def _series(field: Field, values: list[Any]) -> pl.Series:
    if field.dtype == pl.List(pl.String) and not any(values):
        # Polars takes lists apart in Python
        return pl.Series(field.name, [[]], field.dtype).new_from_index(0, len(values))
    return pl.Series(field.name, values, field.dtype)
