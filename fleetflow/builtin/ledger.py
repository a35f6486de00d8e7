"""The built-in ledger: a sink and commands."""

from collections.abc import Sequence
from pathlib import Path

import click
from pydantic import BaseModel, Field

from fleetflow.config import Configuration, Settings
from fleetflow.ledger.commands import ledger_group, status_command
from fleetflow.ledger.sink import LedgerSink
from fleetflow.plugins import hookimpl


class LedgerSettings(Settings):
    """The table [ledger]."""

    dir: Path = Field(Path("data/ledger"), description="folder of the ledger's store")


def folder_of(configuration: Configuration) -> Path:
    """Return the folder of the ledger's store."""
    return configuration.path(configuration.table("ledger", LedgerSettings).dir)


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [ledger]."""
    return {"ledger": LedgerSettings}


@hookimpl
def fleetflow_sinks(configuration: Configuration) -> Sequence[LedgerSink]:
    """Return the observer that keeps the account."""
    return [LedgerSink(folder_of(configuration))]


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow status` and `fleetflow ledger`."""
    return [status_command, ledger_group]
