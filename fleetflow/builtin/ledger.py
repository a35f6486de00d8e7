"""The built-in ledger: a sink and commands."""

from collections.abc import Sequence

import click
from pydantic import BaseModel

from fleetflow.config import Configuration
from fleetflow.ledger.commands import ledger_group, status_command
from fleetflow.ledger.settings import LedgerSettings, folder_of
from fleetflow.ledger.sink import LedgerSink
from fleetflow.plugins import hookimpl


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
