"""From the configuration to what answers questions."""

from __future__ import annotations

from fleetflow import plugins
from fleetflow.builtin.core import PluginsSettings
from fleetflow.config import Configuration
from fleetflow.contracts.schema import PingSchema
from fleetflow.contracts.vehicles import VehiclesMap
from fleetflow.plugins import Plugins
from fleetflow_query.asking import DuckQuery
from fleetflow_query.settings import QuerySettings
from fleetflow_query.stores import ConfiguredStores


def active_plugins(configuration: Configuration) -> Plugins:
    """Return the installed plugins that are not turned off; hooks are handed the configuration alone."""
    return plugins.load(configuration.table("plugins", PluginsSettings).disabled)


def open_map(configuration: Configuration, active: Plugins) -> VehiclesMap:
    """Open the vehicles map."""
    vehicles: VehiclesMap = active.only(
        "fleetflow_vehicles_map", "the vehicles map", "pip install fleetflow-vehicles", configuration
    )
    return vehicles


def open_query(configuration: Configuration, active: Plugins | None = None) -> DuckQuery:
    """Open what answers questions; `active` None: with the installed plugins."""
    found = active or active_plugins(configuration)
    schema: PingSchema = found.only(
        "fleetflow_schema", "the ping schema", "pip install fleetflow-ping", configuration
    )
    stores = ConfiguredStores(configuration, lambda: open_map(configuration, found), schema.columns)
    return DuckQuery(stores, configuration.table("query", QuerySettings))
