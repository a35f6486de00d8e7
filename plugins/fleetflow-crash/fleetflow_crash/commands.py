"""`fleetflow crash list|clear`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fleetflow.cli.output import AS_JSON, print_json, print_table
from fleetflow.errors import FleetflowError
from fleetflow.events.form import printable, utc

if TYPE_CHECKING:
    from fleetflow.contracts.vehicles import VehiclesMap
    from fleetflow.plugins import Plugins

STATUS = "CRASHED"


@click.group("crash")
def crash_group() -> None:
    """Look at vehicles that have crashed, and clear them."""


@crash_group.command("list")
@AS_JSON
@click.pass_context
def list_command(ctx: click.Context, as_json: bool) -> None:
    """List the vehicles whose status is CRASHED now. All crashes: `fleetflow events list --kind crash`."""
    vehicles = _map(ctx)
    try:
        found = [record for record in vehicles.records() if record.get("status") == STATUS]
    finally:
        vehicles.close()
    if as_json:
        for record in found:
            print_json(record)
        return
    print_table(
        "",
        ["vin", "last ping", "latitude", "longitude", "note"],
        [
            (
                printable(record["vin"]),
                utc(record["time"]),
                record["latitude"],
                record["longitude"],
                printable(str(record.get("note") or "")),
            )
            for record in found
        ],
    )


@crash_group.command("clear")
@click.argument("vin")
@click.pass_context
def clear_command(ctx: click.Context, vin: str) -> None:
    """Clear status and note of the vehicle VIN. Its crash stays among the events."""
    vehicles = _map(ctx)
    try:
        record = vehicles.get(vin)
        if record is None:
            raise FleetflowError(
                f'there is no vehicle "{printable(vin)}"', "`fleetflow crash list` shows who is CRASHED"
            )
        if record.get("status") != STATUS:
            raise FleetflowError(
                f'the status of "{printable(vin)}" is {record.get("status") or "not set"}, not {STATUS}: '
                "nothing was changed",
                "`fleetflow crash list` shows who is CRASHED",
            )
        vehicles.update(vin, {"status": None, "note": None})
    finally:
        vehicles.close()
    click.echo(f"{printable(vin)} cleared")


def _map(ctx: click.Context) -> VehiclesMap:
    plugins: Plugins = ctx.meta["plugins"]
    opened: VehiclesMap = plugins.only(
        "fleetflow_vehicles_map", "the vehicles map", "pip install fleetflow-vehicles", ctx.obj
    )
    return opened
