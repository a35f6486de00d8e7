"""Tables for people and JSON lines for programs."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from fleetflow.errors import FleetflowError

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What would move the cursor, change colours or turn the direction of writing: data must not."""

AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
"""The option of every command that prints a table; `print_json` keeps what it says."""


def plain(text: object) -> str:
    """Return what a feed brought as text that a terminal shows and does not obey."""
    return CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), str(text))


def print_error(error: FleetflowError | OSError | sqlite3.Error) -> None:
    """Print what went wrong and what to do, to standard error.

    What the system refused is told like an error of ours: a full disk, a folder that cannot be written.
    """
    if not isinstance(error, FleetflowError):
        error = FleetflowError(
            str(error) or type(error).__name__,
            "correct the path or its permissions, or make room; --debug shows where",
        )
    click.echo(f"error: {plain(error.message)}", err=True)
    if error.hint:
        click.echo(f"hint: {plain(error.hint)}", err=True)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        # a terminal of another encoding, or half a surrogate pair in the data: escaped it is JSON, too
        text = json.dumps(value, default=str)
    click.echo(text)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, as wide as the terminal; full width when the output is not a terminal."""
    from rich import box  # noqa: PLC0415 - slow to import, and most commands do not need it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title or None, box=box.SIMPLE, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else plain(cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)
