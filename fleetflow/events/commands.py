"""`fleetflow events list|watch`."""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime

import click

from fleetflow.cli.output import AS_JSON, print_json, print_table
from fleetflow.config import Configuration
from fleetflow.events.form import printable, utc
from fleetflow.events.reader import Events, StoredEvent

SEVERITIES = ("info", "warning", "critical")
WATCH_S = 0.5


def _moment(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Return seconds since 1970 of a number of them, or of ISO 8601 (UTC unless it says otherwise)."""
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither seconds since 1970 nor like 2026-01-31T08:00Z"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@click.group("events")
def events_group() -> None:
    """Look at what happened to vehicles."""


@events_group.command("list")
@click.option("--vin", help="Only of this vehicle.")
@click.option("--kind", help="Only of this kind, such as crash.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only of this severity.")
@click.option(
    "--since",
    callback=_moment,
    metavar="TIME",
    help="Only from this time of the event on: ISO 8601 or seconds.",
)
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, newest first."
)
@AS_JSON
@click.pass_obj
def list_command(
    configuration: Configuration,
    vin: str | None,
    kind: str | None,
    severity: str | None,
    since: float | None,
    limit: int,
    as_json: bool,
) -> None:
    """List events, those stored last first. In a table times are UTC."""
    found = Events.of(configuration).list(limit, vin, kind, since, severity)
    if as_json:
        for stored in found:
            print_json(stored.as_dict())
        return
    print_table("", ["time", "severity", "kind", "vin", "message"], [_cells(stored) for stored in found])


@events_group.command("watch")
@AS_JSON
@click.pass_obj
def watch_command(configuration: Configuration, as_json: bool) -> None:
    """Print events as they come, from now on, until Ctrl-C."""
    # KeyboardInterrupt is how this ends, in whatever line it strikes
    try:
        _watch(Events.of(configuration), as_json)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        # nobody reads any more; what Python flushes at exit must not fail either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _watch(events: Events, as_json: bool) -> None:
    pause = threading.Event()
    row = events.last_row()
    while True:
        for stored in events.since(row):
            row = stored.row
            if as_json:
                print_json(stored.as_dict())
            else:
                click.echo("  ".join(_cells(stored)))
        pause.wait(WATCH_S)


def _cells(stored: StoredEvent) -> tuple[str, ...]:
    event = stored.event
    return (
        utc(event.time),
        *(printable(text) for text in (event.severity, event.kind, event.vin, event.message)),
    )
