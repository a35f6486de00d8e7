"""The built-in quarantine: a sink, a source for what is requeued, and commands."""

from collections.abc import Sequence
from pathlib import Path

import click
from pydantic import BaseModel, Field

from fleetflow.config import Configuration, Settings
from fleetflow.plugins import hookimpl
from fleetflow.quarantine.commands import quarantine_group
from fleetflow.quarantine.sink import QuarantineSink
from fleetflow.quarantine.source import RequeueSource


class QuarantineSettings(Settings):
    """The table [quarantine]."""

    dir: Path = Field(Path("data/quarantine"), description="folder of the quarantine's store")


def folder_of(configuration: Configuration) -> Path:
    """Return the folder of the quarantine's store."""
    return configuration.path(configuration.table("quarantine", QuarantineSettings).dir)


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [quarantine]."""
    return {"quarantine": QuarantineSettings}


@hookimpl
def fleetflow_sinks(configuration: Configuration) -> Sequence[QuarantineSink]:
    """Return the sink of role `rejects`."""
    return [QuarantineSink(folder_of(configuration))]


@hookimpl
def fleetflow_sources(configuration: Configuration) -> Sequence[RequeueSource]:
    """Return the source `requeue`."""
    return [RequeueSource(folder_of(configuration))]


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow quarantine`."""
    return [quarantine_group]
