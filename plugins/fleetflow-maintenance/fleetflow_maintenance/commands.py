"""`fleetflow maintenance run|import|done`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleetflow.cli.output import AS_JSON, print_json, print_table
from fleetflow.config import Configuration
from fleetflow.errors import FleetflowError
from fleetflow.events.form import printable
from fleetflow.plugins import Plugins

if TYPE_CHECKING:
    from fleetflow.contracts.vehicles import VehiclesMap

SHOWN = ("number", "vin", "year", "make", "model", "note")
CSV_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group("maintenance")
def maintenance_group() -> None:
    """Find the vehicles that maintenance notices are about."""


@maintenance_group.command("run")
@click.option("--notices", type=CSV_FILE, help="CSV file number,year,make,model,note  [default: of settings]")
@AS_JSON
@click.pass_obj
def run_command(configuration: Configuration, notices: Path | None, as_json: bool) -> None:
    """Join notices with the register, and keep one event per notice and affected vehicle.

    A pair that is among the events already, from here or from a job, is listed but not kept again.
    """
    # only this command needs the database and Polars
    from fleetflow.events.settings import EventsSettings, folder_of  # noqa: PLC0415
    from fleetflow.events.store import EventsStore  # noqa: PLC0415
    from fleetflow_maintenance.matching import match, notice_event  # noqa: PLC0415
    from fleetflow_maintenance.notices import read_notices  # noqa: PLC0415
    from fleetflow_maintenance.register import Register  # noqa: PLC0415
    from fleetflow_maintenance.rows import refuse  # noqa: PLC0415
    from fleetflow_maintenance.settings import settings_of  # noqa: PLC0415

    file = notices or configuration.path(settings_of(configuration).notices)
    if not file.exists():
        raise FleetflowError(f"there are no notices: {file} does not exist", "give --notices FILE")
    announced, problems = read_notices(file)
    refuse(file, problems)
    found = match(announced, Register.of(configuration).read())
    now = time.time()
    new: list[bool] = []
    store = EventsStore(folder_of(configuration), configuration.table("events", EventsSettings).keep)
    try:
        new = [bool(store.add([notice_event(due, now)])) for due in found.iter_rows(named=True)]
        store.sync()
    finally:
        store.close()
    rows = zip(found.iter_rows(named=True), new, strict=True)
    if as_json:
        for due, is_new in rows:
            print_json({**due, "new": is_new})
        return
    print_table(
        "",
        ["notice", "vehicle", "year", "make", "model", "note", "new"],
        [(*(printable(str(due[name] or "")) for name in SHOWN), "yes" if n else "") for due, n in rows],
    )
    click.echo(
        f"{announced['number'].n_unique()} notices affect {found['vin'].n_unique()} vehicles,"
        f" {sum(new)} of {found.height} pairs are new"
    )


@maintenance_group.command("import")
@click.argument("file", type=CSV_FILE)
@click.pass_obj
def import_command(configuration: Configuration, file: Path) -> None:
    """Put the vehicles of a CSV file vin,year,make,model into the register, or replace them there."""
    from fleetflow_maintenance.register import Register, read_vehicles  # noqa: PLC0415

    vehicles = read_vehicles(file)
    Register.of(configuration).put(vehicles)
    click.echo(f"{len({vehicle[0] for vehicle in vehicles})} vehicles are in the register")


@maintenance_group.command("done")
@click.argument("vins", nargs=-1, required=True, metavar="VIN...")
@click.pass_context
def done_command(ctx: click.Context, vins: tuple[str, ...]) -> None:
    """Take the field `maintenance` off vehicles, and status and note when the status is MAINTENANCE."""
    from fleetflow_maintenance.matching import STATUS  # noqa: PLC0415

    plugins: Plugins = ctx.meta["plugins"]
    vehicles: VehiclesMap = plugins.only(
        "fleetflow_vehicles_map", "the vehicles map", "pip install fleetflow-vehicles", ctx.obj
    )
    try:
        for vin in vins:
            record = vehicles.get(vin)
            if record is None:
                raise FleetflowError(
                    f"there is no vehicle {printable(vin)}", "`fleetflow vehicles list` shows all"
                )
            own = ("status", "note") if record.get("status") == STATUS else ()
            vehicles.update(vin, dict.fromkeys(("maintenance", *own)))
            what = "is done" if "maintenance" in record else "had nothing to do"
            click.echo(f"{printable(vin)} {what}")
    finally:
        vehicles.close()
