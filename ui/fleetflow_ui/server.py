"""The dashboard's server."""

from __future__ import annotations

import functools
import logging

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.server.server import Server
from tornado.web import RequestHandler

from fleetflow.config import Configuration
from fleetflow.errors import FleetflowError
from fleetflow.plugins import Plugins
from fleetflow_ui import basemap
from fleetflow_ui.context import make
from fleetflow_ui.settings import UiSettings

log = logging.getLogger(__name__)


class Health(RequestHandler):
    """Answers `ok` while the server answers at all."""

    def get(self) -> None:
        """Say ok."""
        self.write("ok")


class Home(RequestHandler):
    """Leads to the map."""

    def get(self) -> None:
        """Redirect."""
        self.redirect("/dashboard")


def serve(plugins: Plugins, configuration: Configuration, host: str, port: int) -> None:
    """Serve all pages until SIGTERM or SIGINT.

    Raises FleetflowError when the port is taken.
    """
    context = make(plugins, configuration, tiles=True)
    applications = {
        f"/{page.url}": Application(FunctionHandler(functools.partial(page.build, context=context)))
        for page in context.pages
    }
    try:
        server = Server(
            applications,
            address=host,
            port=port,
            allow_websocket_origin=[f"{name}:{port}" for name in ("localhost", "127.0.0.1")],
            extra_patterns=[*basemap.routes(), (r"/healthz", Health), (r"/", Home)],
            index=None,
            use_index=False,
        )
    except OSError as error:
        context.reader.stop()
        raise FleetflowError(
            f"port {port} on {host}, which the dashboard needs, cannot be used: {error.strerror}",
            "stop the program that uses it, or choose another one: --port, FLEETFLOW_UI_PORT",
        ) from error
    log.info("dashboard: http://%s:%d/dashboard", host, server.port)
    try:
        server.run_until_shutdown()
    finally:
        context.reader.stop()


def settings_of(configuration: Configuration) -> UiSettings:
    """Return the table [ui]."""
    return configuration.table("ui", UiSettings)
