"""A small web service of pings that misbehaves on demand, and what tests of its reader share."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fleetflow_beta.settings import BetaSettings
from fleetflow_beta.source import BetaPartition, BetaSource

from fleetflow.contracts.payload import Notice, Payload
from fleetflow.contracts.source import Emission

DEADLINE_S = 15.0
Fault = Callable[["Handler", int, int], None]


def ping(sequence: int, run: int = 0) -> dict[str, Any]:
    return {
        "vin": f"VIN{sequence % 7:014d}",
        "latitude": 38.0,
        "longitude": -81.5,
        "time": 1_795_491_188.5 + sequence + 1e6 * run,
        "sequence": sequence,
        "obd_codes": [],
    }


class Service:
    """`pings` are raw JSON texts by sequence; `faults` answer the next requests instead of it."""

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.run = 0
        self.next = 0
        self.pings: dict[int, str] = {}
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self.requests: list[tuple[int, int]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        service = self

        class Bound(Handler):
            pass

        Bound.service = service
        self._server = _Server(("127.0.0.1", port), Bound)
        self.port: int = self._server.server_address[1]
        scheme = "http"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://localhost:{self.port}/pings"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def add(self, count: int) -> None:
        with self.lock:
            for _ in range(count):
                self.pings[self.next] = json.dumps(ping(self.next, self.run))
                self.next += 1

    def put(self, text: str) -> None:
        """Let `text` be the next ping, whatever it is."""
        with self.lock:
            self.pings[self.next] = text
            self.next += 1

    def forget(self, upto: int) -> None:
        """Drop the pings below `upto` from the history."""
        with self.lock:
            self.pings = {sequence: text for sequence, text in self.pings.items() if sequence >= upto}

    def restart(self, count: int = 0) -> None:
        """Start again at 0, with `count` new pings."""
        with self.lock:
            self.run += 1
            self.next = 0
            self.pings = {}
        self.add(count)

    def body(self, since: int, limit: int) -> bytes:
        with self.lock:
            chosen = [text for sequence, text in sorted(self.pings.items()) if sequence > since][:limit]
        return ("[" + ",\n".join(chosen) + "]").encode()

    def hang_up(self) -> None:
        """Close the connections that clients keep."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.hang_up()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Readers that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def setup(self) -> None:
        super().setup()
        self.service._connections.add(self.connection)

    def finish(self) -> None:
        self.service._connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        service = self.service
        query = parse_qs(urlsplit(self.path).query)
        since, limit = int(query.get("since", ["-1"])[-1]), int(query.get("limit", ["10"])[-1])
        with service.lock:
            service.requests.append((since, limit))
            service.headers.append(dict(self.headers))
            service.paths.append(self.path)
            fault = service.faults.popleft() if service.faults else service.always
        if fault is None:
            self.answer(service.body(since, limit))
        else:
            fault(self, since, limit)

    def answer(
        self, body: bytes, status: int = 200, media_type: str | None = "application/json", **headers: str
    ) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        lines += [f"Content-Type: {media_type}"] if media_type is not None else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def raw(self, data: bytes) -> None:
        with suppress(OSError):
            self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


def status(code: int, **headers: str) -> Fault:
    return lambda handler, since, limit: handler.answer(b"{}", code, **headers)


def content(body: bytes, media_type: str | None = "application/json", **headers: str) -> Fault:
    return lambda handler, since, limit: handler.answer(body, 200, media_type, **headers)


def hang_up(handler: Handler, since: int, limit: int) -> None:
    handler.close_connection = True
    with suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)


def settings(*urls: str, **changes: Any) -> BetaSettings:
    quick: dict[str, Any] = {
        "url": urls,
        "shards": 1,
        "poll_s": 0.02,
        "backoff_min_s": 0.01,
        "backoff_max_s": 0.05,
        "timeout_s": 5.0,
    }
    return BetaSettings(**(quick | changes))


class Reader:
    """One partition, drained by the test as the dataflow would."""

    def __init__(self, partition: BetaPartition) -> None:
        self.partition = partition
        self.emissions: list[Emission] = []

    def poll(self, max_bytes: int = 1 << 20) -> list[Emission]:
        new = list(self.partition.poll(max_bytes))
        self.emissions += new
        return new

    def until(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while True:
            self.poll()
            if condition():
                return
            assert time.monotonic() < deadline, f"not within {DEADLINE_S} s; emitted: {self.emissions}"
            threading.Event().wait(min(0.01, self.partition.next_poll_s()))

    @property
    def payloads(self) -> list[Payload]:
        return [emission for emission in self.emissions if isinstance(emission, Payload)]

    def notices(self, kind: str | None = None) -> list[Notice]:
        return [
            emission
            for emission in self.emissions
            if isinstance(emission, Notice)
            and (emission.kind == kind if kind else emission.kind != "progress")
        ]

    @property
    def elements(self) -> list[Any]:
        return [element for payload in self.payloads for element in json.loads(payload.data)]

    @property
    def sequences(self) -> list[int]:
        return [element["sequence"] for element in self.elements]

    def entry(self, url: str) -> dict[str, Any]:
        entry: dict[str, Any] = self.partition.position()["urls"][url]
        return entry


@contextmanager
def reading(
    *urls: str, position: Any = None, once: bool = False, ca_file: Any = None, **changes: Any
) -> Iterator[Reader]:
    partition = BetaSource(settings(*urls, **changes), ca_file, once).open("beta-0", position)
    try:
        yield Reader(partition)
    finally:
        partition.close()


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s"
        threading.Event().wait(0.005)
