"""The hooks: what answers questions, and the commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleetflow.config import Configuration
from fleetflow.plugins import hookimpl
from fleetflow_query.commands import deselect_command, query_command, select_command
from fleetflow_query.settings import QuerySettings

if TYPE_CHECKING:
    import click
    from pydantic import BaseModel

    from fleetflow_query.asking import DuckQuery


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [query]."""
    return {"query": QuerySettings}


@hookimpl
def fleetflow_query(configuration: Configuration) -> DuckQuery:
    """Open what answers questions. Nothing is read yet."""
    from fleetflow_query.opening import open_query  # noqa: PLC0415 - DuckDB is slow to import

    return open_query(configuration)


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow query`, `fleetflow select` and `fleetflow deselect`."""
    return [query_command, select_command, deselect_command]
