"""The dashboard's hooks: settings, the command `fleetflow ui`, and its own pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from pydantic import BaseModel

from fleetflow.config import Configuration
from fleetflow.contracts.page import Page
from fleetflow.plugins import hookimpl
from fleetflow_ui.settings import UiSettings


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [ui]."""
    return {"ui": UiSettings}


@hookimpl
def fleetflow_pages() -> Sequence[Page]:
    """Return the map, the same way as any plugin adds a page."""
    return [Page("dashboard", "Map", _map, order=10)]


def _map(document: Any, context: Any) -> None:
    from fleetflow_ui.map_page import build  # noqa: PLC0415 - Bokeh is slow to import

    build(document, context)


@click.command("ui")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.  [default: [ui] port, 5006]")
@click.pass_context
def ui_command(ctx: click.Context, port: int | None) -> None:
    """Serve the dashboard at http://localhost:5006/dashboard, on loopback only."""
    from fleetflow_ui.server import serve  # noqa: PLC0415 - Bokeh is slow to import

    configuration: Configuration = ctx.obj
    settings = configuration.table("ui", UiSettings)
    serve(ctx.meta["plugins"], configuration, settings.host, settings.port if port is None else port)


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow ui`."""
    return [ui_command]
