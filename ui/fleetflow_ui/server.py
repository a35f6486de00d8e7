"""The dashboard's server: pages, tiles and exports on one port, behind one gate."""

from __future__ import annotations

import functools
import gc
import importlib
import ipaddress
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from bokeh.settings import settings as bokeh_settings
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import OutputTransform, RequestHandler

from fleetflow.config import Configuration
from fleetflow.contracts.page import Page
from fleetflow.errors import ConfigurationError, FleetflowError
from fleetflow.memory import keep_loaded
from fleetflow.plugins import Plugins
from fleetflow_ui import basemap, export
from fleetflow_ui.auth import LOGIN, LOGOUT, Gate, Provider
from fleetflow_ui.builtin_pages import PAGES
from fleetflow_ui.context import Context, make
from fleetflow_ui.early import EarlyPage
from fleetflow_ui.settings import UiSettings

log = logging.getLogger(__name__)

OPEN = ("/healthz", "/favicon.ico", LOGIN, LOGOUT)
"""What strangers may ask for, and Bokeh's own scripts under /static/."""
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
TOKEN_S = 24 * 3600
"""How long a page that was loaded may wait until it opens its websocket."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'self'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
}


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


class Refused(RequestHandler):
    """Answers a request that is not let through, with the reason as text."""

    def initialize(self, status: int, reason: str) -> None:
        """Take what to answer."""
        self._status, self._why = status, reason

    def prepare(self) -> None:
        """Answer, whatever the method."""
        self.set_status(self._status)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        if self._status == 401:
            self.set_header("WWW-Authenticate", "Bearer")
        self.finish(f"{self._why}\n")


class SignIn(RequestHandler):
    """Leads a stranger to the page to sign in."""

    def prepare(self) -> None:
        """Redirect."""
        self.redirect(f"{LOGIN}?{urlencode({'next': self.request.uri or '/'})}")


class SecurityHeaders(OutputTransform):
    """Adds `HEADERS` to every answer."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add what is not there."""
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if headers.get("Content-Type", "").startswith("text/html"):
            headers.setdefault("Cache-Control", "no-store")
        return status_code, headers, chunk


class Guarded(BokehTornado):
    """Looks at each request before any handler does: Host, Origin, and who asks.

    The Host is checked so that a foreign site whose name was made to lead to this machine (DNS rebinding)
    cannot read a dashboard that asks for no password.
    """

    def __init__(self, *arguments: Any, gate: Gate, origins: Sequence[str], local: bool, **more: Any) -> None:
        self._gate, self._origins, self._local = gate, frozenset(origins), local
        self._heads: dict[tuple[str, str], str | None] = {}
        super().__init__(*arguments, **more)
        self.add_transform(SecurityHeaders)

    def find_handler(self, request: HTTPServerRequest, **more: Any) -> Any:
        """Return what answers a request."""
        refusal = self._refusal(request)
        if refusal is not None:
            status, reason = refusal
            return self.get_handler_delegate(request, Refused, {"status": status, "reason": reason})
        if self._gate.user(request) is None and not _is_open(request.path):
            upgrade = "websocket" in request.headers.get("Upgrade", "").lower()
            wants_page = "text/html" in request.headers.get("Accept", "")
            if request.method == "GET" and wants_page and not upgrade:
                return self.get_handler_delegate(request, SignIn)
            why = {"status": 401, "reason": f"sign in at {LOGIN}, or send `Authorization: Bearer TOKEN`"}
            return self.get_handler_delegate(request, Refused, why)
        page = self.applications.get(request.path)
        if page is not None:
            known = {"application_context": page, "bokeh_websocket_path": f"{request.path}/ws"}
            return self.get_handler_delegate(request, EarlyPage, {**known, "heads": self._heads})
        return super().find_handler(request, **more)

    def _refusal(self, request: HTTPServerRequest) -> tuple[int, str] | None:
        host = request.headers.get("Host", "").lower()
        if request.path != "/healthz" and _with_port(host, request) not in self._origins:
            return 403, (
                f"This dashboard is not served under the name {host!r:.100}. To serve it under that name, add"
                " it to [ui] origins (FLEETFLOW_UI_ORIGINS)."
            )
        origin = request.headers.get("Origin")
        upgrade = "websocket" in request.headers.get("Upgrade", "").lower()
        changes = request.method not in {"GET", "HEAD", "OPTIONS"}
        if origin is None:
            if changes or (upgrade and not self._local):
                return 403, "A request like this must name its Origin."
        elif (upgrade or changes) and not _same(origin, self._origins):
            return 403, f"The origin {origin!r:.100} is not one of this dashboard's."
        return None


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith("/static/")


def _with_port(host: str, request: HTTPServerRequest) -> str:
    if host.rpartition(":")[2].isdigit() and not host.endswith("]"):
        return host
    return f"{host}:{443 if request.protocol == 'https' else 80}"


def _same(origin: str, origins: frozenset[str]) -> bool:
    scheme, _, host = origin.lower().partition("://")
    if scheme not in {"http", "https"}:
        return False
    if host.rpartition(":")[2].isdigit() and not host.endswith("]"):
        return host in origins
    return f"{host}:{443 if scheme == 'https' else 80}" in origins


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def origins_of(settings: UiSettings, host: str, port: int) -> list[str]:
    """Return each name:port under which browsers may reach the dashboard; exact, no wildcards.

    A name without a port stands for the standard ports of http and https.
    """
    shown = f"[{host}]" if ":" in host else host.lower()
    own = [f"{name}:{port}" for name in dict.fromkeys((*LOOPBACK, shown))]
    for origin in settings.origins:
        has_port = origin.rpartition(":")[2].isdigit() and not origin.endswith("]")
        own += [origin] if has_port else [f"{origin}:80", f"{origin}:443"]
    return own


def listen(
    context: Context,
    host: str,
    port: int,
    routes: Sequence[Any] = (),
    bokeh: Mapping[str, Any] | None = None,
) -> BaseServer:
    """Return a server that listens, on the current event loop; `bokeh` are further options of BokehTornado.

    Raises ConfigurationError for an address beyond loopback without password or token, and FleetflowError
    when the port cannot be used.
    """
    settings = context.settings
    local = is_loopback(host)
    password, token = settings.password.get_secret_value(), settings.token.get_secret_value()
    if not local and not (password or token):
        raise ConfigurationError(
            f"the dashboard would be open to everybody who reaches {host}: it has neither password nor token",
            "set FLEETFLOW_UI_PASSWORD (for people) or FLEETFLOW_UI_TOKEN (for programs), or no --host",
        )
    try:
        sockets = bind_sockets(port, host)
    except OSError as error:
        raise FleetflowError(
            f"port {port} on {host}, which the dashboard needs, cannot be used: {error.strerror}",
            "stop the program that uses it, or choose another one: --port, FLEETFLOW_UI_PORT",
        ) from error
    number = sockets[0].getsockname()[1]
    # cookies are shared by all ports of a host
    gate = Gate(password, token, f"fleetflow-{number}")
    origins = origins_of(settings, host, number)
    applications = {
        f"/{page.url}": Application(FunctionHandler(functools.partial(_fill, page, context)))
        for page in context.pages
    }
    closed: dict[str, Any] = (
        {"auth_provider": Provider(gate), "sign_sessions": True, "secret_key": gate.session_key}
        if gate.closed
        else {}
    )
    application = Guarded(
        applications,
        gate=gate,
        origins=origins,
        local=local,
        extra_websocket_origins=origins,
        extra_patterns=[*export.routes(context), *routes, (r"/healthz", Health), (r"/", Home)],
        use_index=False,
        session_token_expiration=TOKEN_S,
        # a page carries what its token holds: never what signs its reader in
        exclude_headers=["Cookie", "Authorization"],
        exclude_cookies=[gate.cookie],
        **{**closed, **(bokeh or {})},
    )
    http = HTTPServer(application, xheaders=settings.behind_proxy)
    http.add_sockets(sockets)
    return BaseServer(IOLoop.current(), application, http)


def _fill(page: Page, context: Context, document: Document) -> None:
    page.build(document, context)


def prepare() -> None:
    """Do beforehand what would cost each session time, in a process that does nothing but serve.

    Bokeh collects garbage at the end of each session, while all others wait: a tenth of a second for what is
    imported alone, which never becomes garbage. It also looks through each new document for mistakes that
    only a developer could mend.
    """
    for _, _, module, _ in PAGES:
        importlib.import_module(module)
    bokeh_settings.perform_document_validation = False  # type: ignore[assignment] # as its documentation says
    gc.collect()
    gc.freeze()


def serve(
    plugins: Plugins,
    configuration: Configuration,
    host: str,
    port: int,
    read_only: bool = False,
    say: Callable[[str], None] = log.info,
) -> None:
    """Serve all pages until SIGTERM or SIGINT; `say` is told the address.

    Raises FleetflowError when it cannot listen there.
    """
    context = make(plugins, configuration, tiles=True)
    if read_only:
        context = replace(context, settings=context.settings.model_copy(update={"read_only": True}))
    try:
        server = listen(context, host, port, basemap.routes())
        shown = f"[{host}]" if ":" in host else host
        prepare()
        say(f"dashboard: http://{shown}:{server.port}/dashboard")
        keep_loaded()
        server.run_until_shutdown()
    finally:
        context.reader.stop()
        context.shared.close()
