"""Answers as a table for people, CSV or JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from fleetflow.cli.output import print_json, print_table
from fleetflow.contracts.vehicles import Record

if TYPE_CHECKING:
    import polars as pl

FORMATS = ("table", "csv", "json")
TIMES = frozenset({"time", "received_at"})


def show_records(records: Sequence[Record], form: str) -> None:
    """Show vehicles: as they are stored when it is JSON, otherwise with a column per field."""
    columns = list(dict.fromkeys(name for record in records for name in record))
    if form == "json":
        for record in records:
            print_json(record)
    elif form == "csv":
        _csv(columns, [[record.get(name) for name in columns] for record in records])
    else:
        # what the map remembers of events is for programs
        shown = [name for name in columns if name != "event_marks"]
        rows = [[_cell(name, record.get(name)) for name in shown] for record in records]
        if rows:
            print_table("", shown, rows)
        click.echo(f"{len(records)} vehicle{'' if len(records) == 1 else 's'}")


def show_rows(answer: pl.DataFrame, form: str) -> None:
    """Show the answer to a SELECT."""
    if form == "json":
        for row in answer.iter_rows(named=True):
            print_json({name: _number(value) for name, value in row.items()})
    elif form == "csv":
        _csv(answer.columns, answer.rows())
    else:
        print_table("", answer.columns, [[_text(value) for value in row] for row in answer.iter_rows()])


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    import csv  # noqa: PLC0415 - only this form needs it
    import io  # noqa: PLC0415

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_text(value) for value in row] for row in rows])
    click.echo(text.getvalue(), nl=False)


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value


def _cell(name: str, value: Any) -> Any:
    if name in TIMES and isinstance(value, int | float):
        try:
            return datetime.fromtimestamp(value, UTC).isoformat(sep=" ", timespec="milliseconds")[:-6]
        except (ValueError, OverflowError, OSError):
            return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return _text(value)
