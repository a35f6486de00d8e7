"""Records as columns: fields of the schema with their types, those of other writers with what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

INT64 = range(-(2**63), 2**63)


def table(records: Sequence[Mapping[str, Any]], types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return one row per record. `types` are columns that are always there, in this order, before all others.

    A field that is missing is null, a missing list empty. Fields without a known type become texts,
    numbers, truth values or lists of texts when all their values are; any other is JSON text.
    """
    names = dict.fromkeys(types)
    for keys in {tuple(record): None for record in records}:
        names |= dict.fromkeys(keys)
    columns: dict[str, pl.Series] = {}
    for name in names:
        values = [record.get(name) for record in records]
        series = _typed(values, types[name]) if name in types else _guessed(values)
        columns[name] = series
    return pl.DataFrame(columns).rename(_distinct(list(columns)))


def _typed(values: list[Any], dtype: pl.DataType) -> pl.Series:
    try:
        if isinstance(dtype, pl.List):
            return _lists(values, dtype)
        return pl.Series(values=values, dtype=dtype, strict=False)
    except (TypeError, pl.exceptions.PolarsError):
        # another program may have written anything
        return _guessed(values)


def _lists(values: list[Any], dtype: pl.DataType) -> pl.Series:
    # Polars takes a Python list per row slowly, and few of them differ
    distinct: dict[tuple[Any, ...], int] = {}
    rows = [distinct.setdefault(tuple(value or ()), len(distinct)) for value in values]
    return pl.Series(values=[list(one) for one in distinct], dtype=dtype, strict=False).gather(rows)


def _guessed(values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str}:
        return pl.Series(values=values, dtype=pl.String)
    if kinds == {bool}:
        return pl.Series(values=values, dtype=pl.Boolean)
    if kinds == {int} and all(value is None or value in INT64 for value in values):
        return pl.Series(values=values, dtype=pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(values=values, dtype=pl.Float64, strict=False)
    if kinds == {list} and all(type(item) is str for value in values for item in value or ()):
        return _lists(values, pl.List(pl.String()))
    texts = [
        value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()
        for value in values
    ]
    return pl.Series(values=texts, dtype=pl.String)


def _distinct(names: list[str]) -> dict[str, str]:
    """Return new names for those that differ from an earlier one by case only: SQL's names have none."""
    taken = {name.lower(): name for name in reversed(names)}
    renamed: dict[str, str] = {}
    for name in names:
        if taken[name.lower()] == name:
            continue
        number = 2
        while f"{name}_{number}".lower() in taken:
            number += 1
        renamed[name] = f"{name}_{number}"
        taken[renamed[name].lower()] = renamed[name]
    return renamed
