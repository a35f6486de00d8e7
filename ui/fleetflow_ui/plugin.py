"""The dashboard's hooks: settings, the command `fleetflow ui`, and its own pages."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

import click
from pydantic import BaseModel

from fleetflow.config import Configuration
from fleetflow.contracts.page import Page
from fleetflow.plugins import hookimpl
from fleetflow_ui.builtin_pages import PAGES
from fleetflow_ui.settings import UiSettings


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [ui]."""
    return {"ui": UiSettings}


@hookimpl
def fleetflow_pages() -> Sequence[Page]:
    """Return the built-in pages, the same way as any plugin adds one."""
    return [Page(url, title, functools.partial(_build, module), order) for url, title, module, order in PAGES]


def _build(module: str, document: Any, context: Any) -> None:
    # Bokeh is slow to import, and the command line asks for this hook too
    importlib.import_module(module).build(document, context)


@click.command("ui")
@click.option("--host", help="Address to listen on; beyond loopback only with [ui] password or token.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, 0 for any free one.")
@click.option("--read-only", is_flag=True, help="Refuse everything that would change a job or a store.")
@click.pass_context
def ui_command(ctx: click.Context, host: str | None, port: int | None, read_only: bool) -> None:
    """Serve the dashboard: by default at http://localhost:5006/dashboard, on loopback only."""
    from fleetflow_ui.server import serve  # noqa: PLC0415 - Bokeh is slow to import

    configuration: Configuration = ctx.obj
    settings = configuration.table("ui", UiSettings)
    serve(
        ctx.meta["plugins"],
        configuration,
        host or settings.host,
        settings.port if port is None else port,
        read_only,
        click.echo,
    )


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow ui`."""
    return [ui_command]
