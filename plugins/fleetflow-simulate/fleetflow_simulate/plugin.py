"""The hooks: two commands."""

from collections.abc import Sequence

import click

from fleetflow.plugins import hookimpl
from fleetflow_simulate.commands import simulate


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow simulate`."""
    return [simulate]
