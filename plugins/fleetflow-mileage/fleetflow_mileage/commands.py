"""`fleetflow mileage list`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from fleetflow.cli.output import AS_JSON, print_json, print_table
from fleetflow.config import Configuration
from fleetflow.events.form import printable
from fleetflow_mileage.settings import MileageSettings


@click.group("mileage")
def mileage_group() -> None:
    """Look at distances per vehicle and day."""


@mileage_group.command("list")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only this day.")
@click.option("--vin", help="Only this vehicle.")
@AS_JSON
@click.pass_obj
def list_command(configuration: Configuration, day: datetime | None, vin: str | None, as_json: bool) -> None:
    """List how far each vehicle went on each day, newest day first.

    A running job writes them at every snapshot; a vehicle that did not move on a day is not listed.
    """
    from fleetflow_mileage.table import MileageReader  # noqa: PLC0415

    folder = configuration.path(configuration.table("mileage", MileageSettings).dir)
    found = MileageReader(folder).rows(None if day is None else day.date().isoformat(), vin)
    if as_json:
        for row in found:
            print_json(asdict(row))
    else:
        print_table(
            "", ["day", "vehicle", "km"], [(row.day, printable(row.vin), f"{row.km:.1f}") for row in found]
        )
