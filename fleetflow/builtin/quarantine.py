"""The built-in quarantine: a sink, a source for what is requeued, and commands."""

from collections.abc import Sequence

import click
from pydantic import BaseModel

from fleetflow.config import Configuration
from fleetflow.plugins import hookimpl
from fleetflow.quarantine.commands import quarantine_group
from fleetflow.quarantine.settings import QuarantineSettings, folder_of
from fleetflow.quarantine.sink import QuarantineSink
from fleetflow.quarantine.source import RequeueSource


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
