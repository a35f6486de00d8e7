"""The hooks: the sink that keeps the pings, the map for readers, and the commands."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleetflow.config import Configuration
from fleetflow.plugins import hookimpl
from fleetflow_vehicles.commands import vehicles_group
from fleetflow_vehicles.opening import active_plugins, open_map, schema_of
from fleetflow_vehicles.settings import VehiclesSettings
from fleetflow_vehicles.sink import VehiclesSink
from fleetflow_vehicles.store import Store
from fleetflow_vehicles.vehicles import Vehicles

if TYPE_CHECKING:
    import click
    from pydantic import BaseModel

log = logging.getLogger(__name__)


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [vehicles]."""
    return {"vehicles": VehiclesSettings}


@hookimpl
def fleetflow_sinks(configuration: Configuration) -> Sequence[VehiclesSink]:
    """Return the sink that keeps the pings. Nothing is opened yet."""
    settings = configuration.table("vehicles", VehiclesSettings)
    directory = configuration.path(settings.dir)
    schema = schema_of(active_plugins(configuration), configuration)
    if schema is None:
        log.warning("no ping schema is installed: records are stored without a schema version")
    return [
        VehiclesSink(
            lambda: Store(directory, settings.busy_timeout_s, settings.cache_mb, settings.fields_bytes),
            None if schema is None else schema.version,
        )
    ]


@hookimpl
def fleetflow_vehicles_map(configuration: Configuration) -> Vehicles:
    """Open the map for reading; it need not exist yet."""
    return open_map(configuration)


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow vehicles`."""
    return [vehicles_group]
