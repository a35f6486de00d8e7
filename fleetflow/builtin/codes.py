"""The built-in titles of codes: settings and commands."""

from collections.abc import Sequence

import click
from pydantic import BaseModel

from fleetflow.codes.codes import CodesSettings
from fleetflow.codes.commands import codes_group
from fleetflow.plugins import hookimpl


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [codes]."""
    return {"codes": CodesSettings}


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow codes`."""
    return [codes_group]
