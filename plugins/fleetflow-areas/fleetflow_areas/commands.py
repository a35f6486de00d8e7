"""`fleetflow areas list|inside`."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import click

from fleetflow_areas.settings import AreasSettings

if TYPE_CHECKING:
    from fleetflow.config import Configuration
    from fleetflow.contracts.vehicles import Record, VehiclesMap
    from fleetflow_areas.area import Area
    from fleetflow_areas.index import Areas

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


@click.group("areas")
def areas_group() -> None:
    """Look at the areas of the map, and at who is in them."""


@areas_group.command("list")
@JSON
@click.pass_obj
def list_command(configuration: Configuration, as_json: bool) -> None:
    """List all areas of the file as it is now."""
    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415 - quick commands

    areas = _areas(configuration).areas
    if as_json:
        for area in areas:
            print_json({"id": area.id, "name": area.name, "kind": area.kind, "bbox": area.bbox})
        return
    print_table(
        "",
        ["id", "name", "kind", "west", "south", "east", "north"],
        [(area.id, area.name, area.kind, *(f"{edge:.5f}" for edge in area.bbox)) for area in areas],
    )


@areas_group.command("inside")
@click.argument("area")
@JSON
@click.pass_context
def inside_command(ctx: click.Context, area: str, as_json: bool) -> None:
    """List the vehicles that are in AREA now, by its id or its name.

    From the latest position of each vehicle and the file as it is now: right also for an area that was
    added a moment ago.
    """
    from datetime import UTC, datetime  # noqa: PLC0415 - quick commands

    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415

    configuration: Configuration = ctx.obj
    chosen = _chosen(_areas(configuration), area)
    vehicles: VehiclesMap = ctx.meta["plugins"].only(
        "fleetflow_vehicles_map", "the vehicles map", "pip install fleetflow-vehicles", configuration
    )
    try:
        found = inside(chosen, list(vehicles.records()))
    finally:
        vehicles.close()
    if as_json:
        for record in found:
            print_json(record)
        return
    print_table(
        chosen.name,
        ["vin", "latitude", "longitude", "time", "status"],
        [
            (
                record["vin"],
                record["latitude"],
                record["longitude"],
                datetime.fromtimestamp(record["time"], UTC).isoformat(" ", "seconds"),
                record.get("status"),
            )
            for record in found
        ],
    )


def inside(area: Area, records: list[Record]) -> list[Record]:
    """Return the records whose position lies in `area`, in their order."""
    import numpy as np  # noqa: PLC0415 - quick commands

    from fleetflow_areas.index import Areas  # noqa: PLC0415

    def column(name: str) -> Any:
        return np.array([record.get(name, np.nan) for record in records], np.float64)

    position, _ = Areas([area]).containing(column("latitude"), column("longitude"))
    return [records[number] for number in position.tolist()]


def _areas(configuration: Configuration) -> Areas:
    from fleetflow_areas.area import AreasError  # noqa: PLC0415 - quick commands
    from fleetflow_areas.file import AreasFile  # noqa: PLC0415

    file = configuration.table("areas", AreasSettings).file
    if not file:
        raise AreasError("there are no areas: [areas] file is empty", "name a GeoJSON file there")
    return AreasFile(configuration.path(file), 0).areas()


def _chosen(areas: Areas, wanted: str) -> Area:
    from fleetflow_areas.area import AreasError  # noqa: PLC0415 - quick commands

    by_id = [area for area in areas.areas if area.id == wanted]
    found = by_id or [area for area in areas.areas if area.name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise AreasError(
            f'{len(found)} areas have the name "{wanted}"',
            f"ask by id: {', '.join(area.id for area in found)}",
        )
    names = [word for area in areas.areas for word in (area.id, area.name)]
    near = difflib.get_close_matches(wanted, names, n=1)
    raise AreasError(
        f'there is no area "{wanted}"',
        f"did you mean {near[0]}?" if near else "`fleetflow areas list` shows all",
    )
