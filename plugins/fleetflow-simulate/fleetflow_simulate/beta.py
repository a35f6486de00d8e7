"""Serves a fleet's pings as the web service that source beta reads."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import socket
import socketserver
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from fleetflow.errors import FleetflowError
from fleetflow_simulate.fleet import Ping

log = logging.getLogger(__name__)
HISTORY = 120_000
DEFAULT_LIMIT = 1000
LARGEST_LIMIT = 10_000
"""A larger limit is taken for this one."""
STOP_S = 5.0

Answer = Callable[["_Handler"], None]


def encode(ping: Ping) -> bytes:
    """Return a ping as a JSON object without its sequence, which the service adds."""
    return json.dumps(
        {
            "vin": ping.vin,
            "latitude": ping.latitude,
            "longitude": ping.longitude,
            "time": ping.time,
            "obd_codes": list(ping.obd_codes),
        },
        separators=(",", ":"),
    ).encode()


def garble(element: bytes) -> bytes:
    """Return an element with a text where a number should be."""
    return element.replace(b'"latitude":', b'"latitude":"north","was":', 1)


class BetaService:
    """`GET /pings?since=N&limit=M` over a bounded history, on loopback.

    `answer_with` lets the next requests be answered by something else: see the functions below. `asked`
    holds the last thousand requests' paths with their queries. Usable in `with`, from any thread; raises
    FleetflowError when the port cannot be had.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        history: int = HISTORY,
        cut: float = 0.0,
        errors: float = 0.0,
    ) -> None:
        self._history = history
        self._first = 0
        self._elements: list[bytes] = []
        self._lock = threading.Lock()
        self._answers: deque[Answer] = deque()
        self.asked: deque[str] = deque(maxlen=1000)
        self.stopping = threading.Event()
        self.chances = {"cut": cut, "errors": errors}
        self.rng = random.Random(0)
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise FleetflowError(
                f"port {port} on {host} cannot be used: {error.strerror}",
                "stop the program that uses it, or choose another one with --port",
            ) from error
        self._server.service = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where to ask."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/pings"

    @property
    def highest(self) -> int:
        """The highest sequence given so far, -1 before the first one."""
        with self._lock:
            return self._first + len(self._elements) - 1

    def start(self) -> Self:
        """Serve until `stop`."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, also while requests are being answered; connections that are kept open are closed."""
        self.stopping.set()
        # shutting down a server that never served would wait for ever
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.close_connections(STOP_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def append(self, elements: Iterable[bytes | Mapping[str, Any]]) -> None:
        """Add pings; each gets the next sequence.

        Bytes are JSON objects with at least one field and without a sequence; they are not checked.
        """
        with self._lock:
            for element in elements:
                raw = element if isinstance(element, bytes) else json.dumps(element).encode()
                sequence = self._first + len(self._elements)
                self._elements.append(raw.rstrip()[:-1] + b',"sequence":%d}' % sequence)
            self._forget()

    def append_raw(self, elements: Iterable[bytes]) -> None:
        """Add elements that are served exactly as they are, each in the place of the next sequence."""
        with self._lock:
            self._elements += elements
            self._forget()

    def _forget(self) -> None:
        # cut rarely: a list shrinks from its front in time proportional to what is left
        if len(self._elements) > self._history * 5 // 4:
            lost = len(self._elements) - self._history
            del self._elements[:lost]
            self._first += lost

    def restart(self) -> None:
        """Forget everything, as a service that keeps its history in memory does; sequences start at 0."""
        with self._lock:
            self._first = 0
            self._elements.clear()

    def answer_with(self, *answers: Answer) -> None:
        """Answer the next requests in these ways, one each."""
        self._answers.extend(answers)

    def page(self, since: int, limit: int) -> bytes:
        """Return the JSON array of at most `limit` pings with a sequence above `since`."""
        with self._lock:
            oldest = max(0, len(self._elements) - self._history)
            start = max(since + 1 - self._first, oldest)
            elements = self._elements[start : start + limit]
        return b"[" + b",".join(elements) + b"]"

    def next_answer(self) -> Answer:
        """Return how to answer now: as was asked for, by chance, or properly."""
        with self._lock:
            if self._answers:
                return self._answers.popleft()
            if self.rng.random() < self.chances["errors"]:
                return server_error
            if self.rng.random() < self.chances["cut"]:
                return cut_page
        return proper


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # a restarted simulator takes its port again; a port that is listened on is still refused
    allow_reuse_address = True
    service: BetaService

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks a name server for the host's full name, which can take seconds
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if isinstance(error, ConnectionError):
            log.debug("%s went away: %s", client_address, error)
        else:
            log.error("answering %s failed", client_address, exc_info=error)

    def opened(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()

    def close_connections(self, within_s: float) -> None:
        with self._changed:
            for connection in self._connections:
                # one that the other side has just closed cannot be shut down any more
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, within_s)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # head and body leave in one piece: in two, each page would wait for a delayed acknowledgement
    wbufsize = 65_536
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.closed(self.connection)

    def do_GET(self) -> None:
        self.server.service.asked.append(self.path)
        path = urlsplit(self.path).path
        if path == "/healthz":
            self.send(HTTPStatus.OK, b'{"status": "ok"}')
        elif path == "/pings":
            self.server.service.next_answer()(self)
        else:
            self.send(HTTPStatus.NOT_FOUND, b'{"error": "the pings are at /pings"}')

    def send(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        length: int | None = None,
        location: str | None = None,
    ) -> None:
        """Answer; a `length` that is not the body's cuts the connection."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if location is not None:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)
        if length is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("%s %s", self.address_string(), format % args)


def proper(handler: _Handler) -> None:
    """The page that was asked for, or 400 with the reason."""
    query = parse_qs(urlsplit(handler.path).query)
    try:
        since = int(query.get("since", ["-1"])[0])
        limit = int(query.get("limit", [str(DEFAULT_LIMIT)])[0])
    except ValueError as error:
        handler.send(HTTPStatus.BAD_REQUEST, json.dumps({"error": str(error)}).encode())
        return
    if limit < 1:
        handler.send(HTTPStatus.BAD_REQUEST, b'{"error": "limit must be at least 1"}')
        return
    handler.send(HTTPStatus.OK, handler.server.service.page(since, min(limit, LARGEST_LIMIT)))


def server_error(handler: _Handler) -> None:
    """500."""
    handler.send(HTTPStatus.INTERNAL_SERVER_ERROR, b'{"error": "simulated"}')


def cut_page(handler: _Handler) -> None:
    """Half a page, then the connection ends."""
    page = handler.server.service.page(-1, 10)
    handler.send(HTTPStatus.OK, page[: len(page) // 2], length=len(page) + 10)


def wrong_type(handler: _Handler) -> None:
    """A page that calls itself HTML."""
    handler.send(HTTPStatus.OK, handler.server.service.page(-1, 10), "text/html")


def no_json(handler: _Handler) -> None:
    """A page that is not JSON."""
    handler.send(HTTPStatus.OK, b"<html>maintenance</html>")


def an_object(handler: _Handler) -> None:
    """An object where an array was promised."""
    handler.send(HTTPStatus.OK, b'{"pings": []}')


def silent(handler: _Handler) -> None:
    """Nothing at all, until the service stops: the reader has to give up by itself."""
    handler.server.service.stopping.wait()
    handler.close_connection = True


def huge(handler: _Handler) -> None:
    """A page that is far larger than any honest one: a gibibyte of blanks in an array."""
    block = b" " * (1 << 20)
    blocks = 1024
    handler.send(HTTPStatus.OK, b"[", length=2 + blocks * len(block))
    for _ in range(blocks):
        if handler.server.service.stopping.is_set():
            return
        handler.wfile.write(block)
    handler.wfile.write(b"]")


def redirect(to: str) -> Answer:
    """Return an answer that sends the reader to another URL."""

    def redirected(handler: _Handler) -> None:
        handler.send(HTTPStatus.TEMPORARY_REDIRECT, b"{}", location=to)

    return redirected
