"""The hooks: the sink that records, history for readers, and the commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleetflow.builtin.core import FlowSettings
from fleetflow.config import Configuration
from fleetflow.plugins import hookimpl
from fleetflow_archive.commands import archive_group, replay_command, trail_command
from fleetflow_archive.settings import ArchiveSettings

if TYPE_CHECKING:
    import click
    from pydantic import BaseModel

    from fleetflow_archive.archive import Archive
    from fleetflow_archive.sink import ArchiveSink


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [archive]."""
    return {"archive": ArchiveSettings}


@hookimpl
def fleetflow_sinks(configuration: Configuration) -> Sequence[ArchiveSink]:
    """Return the sink of role `recorder`. Nothing is opened yet."""
    from fleetflow_archive.sink import ArchiveSink  # noqa: PLC0415 - Polars is slow to import

    settings = configuration.table("archive", ArchiveSettings)
    shards = configuration.table("flow", FlowSettings).shards
    return [ArchiveSink(configuration.path(settings.dir), shards, settings)]


@hookimpl
def fleetflow_history(configuration: Configuration) -> Archive:
    """Open the archive for reading; it need not exist yet."""
    from fleetflow_archive.opening import open_archive  # noqa: PLC0415 - Polars is slow to import

    return open_archive(configuration)


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow trail`, `fleetflow replay` and `fleetflow archive`."""
    return [trail_command, replay_command, archive_group]
