"""Serves a fleet's pings as the web service that source beta reads."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fleetflow.errors import FleetflowError
from fleetflow_simulate.fleet import Ping

log = logging.getLogger(__name__)
HISTORY = 120_000
DEFAULT_LIMIT = 1000
LARGEST_LIMIT = 10_000

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

    `answer_with` lets the next requests be answered by something else: see the functions below.
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
        self._answers: list[Answer] = []
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

    def start(self) -> BetaService:
        """Serve until `stop`."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, also while requests are being answered."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def append(self, elements: Iterable[bytes | Mapping[str, Any]]) -> None:
        """Add pings; each gets the next sequence. Bytes are JSON objects without one, and not checked."""
        with self._lock:
            for element in elements:
                raw = element if isinstance(element, bytes) else json.dumps(element).encode()
                sequence = self._first + len(self._elements)
                self._elements.append(raw.rstrip()[:-1] + b',"sequence":%d}' % sequence)
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
            return b"[" + b",".join(self._elements[start : start + limit]) + b"]"

    def next_answer(self) -> Answer:
        """Return how to answer now: as was asked for, by chance, or properly."""
        if self._answers:
            return self._answers.pop(0)
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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/healthz":
            self.send(HTTPStatus.OK, b"ok", "text/plain")
        elif path == "/pings":
            self.server.service.next_answer()(self)
        else:
            self.send(HTTPStatus.NOT_FOUND, b'{"error": "the pings are at /pings"}')

    def send(
        self, status: int, body: bytes, kind: str = "application/json", length: int | None = None
    ) -> None:
        """Answer; a `length` that is not the body's cuts the connection."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
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
