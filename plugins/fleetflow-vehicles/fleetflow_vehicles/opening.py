"""From the configuration to the map: which schema is in use, and how old records become its own."""

from __future__ import annotations

import logging

from fleetflow import plugins
from fleetflow.builtin.core import PluginsSettings
from fleetflow.config import Configuration
from fleetflow.contracts.schema import Migration, PingSchema
from fleetflow.errors import PluginError
from fleetflow.plugins import Plugins
from fleetflow_vehicles.records import Migrations
from fleetflow_vehicles.settings import VehiclesSettings
from fleetflow_vehicles.vehicles import Vehicles

log = logging.getLogger(__name__)


def active_plugins(configuration: Configuration) -> Plugins:
    """Return the installed plugins that are not turned off; hooks are handed the configuration alone."""
    try:
        disabled = configuration.table("plugins", PluginsSettings).disabled
    except KeyError:
        disabled = ()
    return plugins.load(disabled)


def schema_of(active: Plugins, configuration: Configuration) -> PingSchema | None:
    """Return the ping schema in use, None when there is none (or more than one)."""
    try:
        schema: PingSchema = active.only(
            "fleetflow_schema", "the ping schema", "pip install fleetflow-ping", configuration
        )
    except PluginError as error:
        log.debug("vehicles are read without a schema: %s", error.message)
        return None
    return schema


def migrations_of(active: Plugins, schema: PingSchema | None) -> Migrations:
    """Return all plugins' steps for records of older versions of `schema`."""
    if schema is None:
        return Migrations()
    steps: list[Migration] = active.gather(
        "fleetflow_migrations", "migration", lambda step: f"{step.schema} {step.from_version}"
    )
    return Migrations(schema.name, schema.version, steps)


def open_map(configuration: Configuration, active: Plugins | None = None) -> Vehicles:
    """Open the vehicles map of a configuration for reading; `active` None: the installed plugins."""
    settings = configuration.table("vehicles", VehiclesSettings)
    active = active or active_plugins(configuration)
    schema = schema_of(active, configuration)
    return Vehicles(
        configuration.path(settings.dir),
        migrations_of(active, schema),
        () if schema is None else tuple(schema.columns),
        settings.busy_timeout_s,
        settings.fields_bytes,
    )
