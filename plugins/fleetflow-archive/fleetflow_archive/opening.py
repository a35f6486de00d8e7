"""From the configuration to the archive."""

from __future__ import annotations

from fleetflow import plugins
from fleetflow.builtin.core import PluginsSettings
from fleetflow.config import Configuration
from fleetflow.contracts.schema import PingSchema
from fleetflow.plugins import Plugins
from fleetflow_archive.archive import Archive
from fleetflow_archive.settings import ArchiveSettings


def open_archive(configuration: Configuration, active: Plugins | None = None) -> Archive:
    """Open the archive of a configuration for reading; `active` None: the installed plugins."""
    if active is None:
        active = plugins.load(configuration.table("plugins", PluginsSettings).disabled)
    schema: PingSchema = active.only(
        "fleetflow_schema", "the ping schema", "pip install fleetflow-ping", configuration
    )
    settings = configuration.table("archive", ArchiveSettings)
    return Archive(configuration.path(settings.dir), schema.columns, schema.version)
