"""`fleetflow status` and `fleetflow ledger`."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from fleetflow.cli.output import plain, print_json, print_table
from fleetflow.config import Configuration
from fleetflow.contracts.sink import Counts
from fleetflow.errors import PluginError
from fleetflow.ledger.reader import Ledger
from fleetflow.plugins import Plugins

AS_JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")


def status(ledger: Ledger, vehicles: int | None) -> dict[str, Any]:
    """Return the whole account as JSON data.

    Per source: records read, applied, superseded, quarantined, and `unaccounted` (read minus the others: 0,
    or something is wrong); how far each resource was read; bytes or pings behind; seconds since the newest
    ping and since something was settled.
    """
    now = time.time()
    counts = ledger.counts()
    newest = ledger.newest()
    progress = ledger.progress()
    resources: dict[str, dict[str, int]] = {}
    for each in ledger.ranges():
        resources.setdefault(each.source, {})[each.resource] = each.end
    sources: dict[str, Any] = {}
    for source in sorted({*counts, *progress}):
        count = counts.get(source, Counts())
        ping_time, updated = newest.get(source, (None, None))
        behind = [part for part in progress.get(source, {}).values() if "behind" in part]
        sources[source] = {
            **asdict(count),
            "unaccounted": count.read - count.settled,
            "positions": resources.get(source, {}),
            "behind": sum(part["behind"] or 0 for part in behind),
            "behind_unit": behind[0].get("unit", "") if behind else "",
            "lag_s": None if ping_time is None else round(now - ping_time, 3),
            "idle_s": None if updated is None else round(now - updated, 3),
        }
    total = sum(counts.values(), Counts())
    return {
        "sources": sources,
        "total": {**asdict(total), "unaccounted": total.read - total.settled},
        "vehicles": vehicles,
        "notices": [asdict(notice) for notice in ledger.notices(10)],
    }


@click.command("status")
@AS_JSON
@click.pass_context
def status_command(ctx: click.Context, as_json: bool) -> None:
    """Show what was read and what became of it, per source.

    Exit code 1 when something is unaccounted for.
    """
    configuration: Configuration = ctx.obj
    plugins: Plugins = ctx.meta["plugins"]
    try:
        vehicles = plugins.only("fleetflow_vehicles_map", "the vehicles map", "", configuration).count()
    except PluginError:
        # the account does not need the map; without one its size is simply not known
        vehicles = None
    state = status(Ledger.of(configuration), vehicles)
    if as_json:
        print_json(state)
    else:
        columns = ["source", "read", "applied", "superseded", "quarantined", "unaccounted", "behind", "lag"]
        rows = [
            (
                name,
                *(f"{source[column]:,}" for column in columns[1:6]),
                f"{source['behind']:,} {source['behind_unit']}",
                "-" if source["lag_s"] is None else f"{source['lag_s']:,.1f} s",
            )
            for name, source in state["sources"].items()
        ]
        print_table("", columns, rows)
        click.echo(f"vehicles: {'unknown' if vehicles is None else f'{vehicles:,}'}")
        for notice in state["notices"]:
            when = datetime.fromtimestamp(notice["time"], UTC).isoformat(timespec="seconds")
            click.echo(plain(f"{when} {notice['source']}: {notice['kind']}: {notice['message']}"))
    if state["total"]["unaccounted"]:
        ctx.exit(1)


@click.group("ledger")
def ledger_group() -> None:
    """Look into the ledger."""


@ledger_group.command("ranges")
@click.option("--source", help="Only of this source.")
@AS_JSON
@click.pass_obj
def ranges_command(configuration: Configuration, source: str | None, as_json: bool) -> None:
    """List the contiguous ranges that were read of each resource."""
    found = Ledger.of(configuration).ranges(source)
    if as_json:
        for each in found:
            print_json(asdict(each))
    else:
        columns = ["source", "partition", "resource", "start", "end", "records", "replayed"]
        print_table("", columns, [[getattr(each, column) for column in columns] for each in found])


@ledger_group.command("notices")
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, newest first."
)
@AS_JSON
@click.pass_obj
def notices_command(configuration: Configuration, limit: int, as_json: bool) -> None:
    """List what the sources noticed: gaps, restarts, replaced files, errors."""
    found = Ledger.of(configuration).notices(limit)
    if as_json:
        for each in found:
            print_json(asdict(each))
    else:
        rows = [
            (datetime.fromtimestamp(n.time, UTC).isoformat(timespec="seconds"), n.source, n.kind, n.message)
            for n in found
        ]
        print_table("", ["time", "source", "kind", "message"], rows)
