"""The dashboard as its readers use it: its server, sessions by websocket, a real browser if there is one."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import re
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.feeding import wait_for
from benchmarks.inputs import vin
from benchmarks.measuring import Failed, Tree, start, stop, tail

PATIENCE_S = 60.0
TOKEN = re.compile(r'"token":"([^"]+)"')
IDLE = "window.Bokeh?.documents?.length && Bokeh.documents[0].is_idle"
DRAWN = """() => {
  const rows = (name) => Bokeh.documents[0].get_model_by_name(name)?.data_source.get_length() ?? 0
  return window.Bokeh?.documents?.length && Bokeh.documents[0].is_idle && rows("vehicles") + rows("hexagons")
}"""
# two frames after the column changed, what changed is on the screen
WATCH = """([name, row]) => {
  const source = Bokeh.documents[0].get_model_by_name(name).data_source
  let last = source.data.y[row]
  window.seen = []
  const look = () => {
    const now = source.data.y[row]
    if (now !== last) {
      last = now
      requestAnimationFrame(() => requestAnimationFrame(() => window.seen.push(Date.now() / 1000)))
    }
    setTimeout(look, 10)
  }
  look()
}"""


@dataclass
class Server:
    """`fleetflow ui`, or a program that does the same, as a process of its own."""

    argv: list[str]
    variables: Mapping[str, str]
    folder: Path
    port: int
    process: Any = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Start it and wait until it answers; raises Failed."""
        log = self.folder / f"ui-{self.port}.log"
        self.process = start(self.argv, self.variables, self.folder, log)

        def answers() -> bool:
            if self.process.poll() is not None:
                raise Failed(f"the dashboard ended: {tail(log)}")
            with contextlib.suppress(OSError):
                return self.get("/healthz") == b"ok"
            return False

        wait_for(answers, PATIENCE_S, "the dashboard", log)

    def end(self) -> None:
        """End it."""
        if self.process is not None:
            stop(self.process)
            self.process = None

    def get(self, path: str) -> bytes:
        """Return what an address answers."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE_S) as answer:
            content: bytes = answer.read()
        return content

    def knows(self, vehicles: int) -> bool:
        """Whether it has read the vehicle that was written last."""
        return vin(vehicles - 1).encode() in self.get(f"/export/vehicles.csv?q={vin(vehicles - 1)}")

    def cpu_s(self) -> float:
        """Return the CPU time it has taken so far."""
        return self._sampled().cpu_s

    def memory_bytes(self) -> int:
        """Return its resident memory now."""
        return self._sampled().resident_bytes

    def peak_bytes(self) -> int:
        """Return the most memory that it has had resident so far."""
        return self._sampled().peak_bytes

    def _sampled(self) -> Tree:
        tree = Tree(self.process.pid)
        tree.sample()
        return tree


@dataclass
class Viewers:
    """Sessions of the map by websocket, as browsers open them, in a thread; counts what they are sent."""

    server: Server
    paths: Sequence[str] = ("/dashboard",)
    """What the sessions show, in turn."""
    _seconds: dict[tuple[int, int], int] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _connections: list[Any] = field(default_factory=list)
    _tasks: list[asyncio.Future[None]] = field(default_factory=list)

    @contextmanager
    def watching(self, count: int) -> Iterator[Viewers]:
        """Keep `count` sessions open."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            for number in range(count):
                asyncio.run_coroutine_threadsafe(self._open(number), self._loop).result(PATIENCE_S)
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def forget(self) -> None:
        """Count from now on."""
        self._seconds = {}

    def sums(self) -> tuple[int, int]:
        """Return the bytes of all sessions together, and the most of one session in one second."""
        counted = list(self._seconds.values())
        return sum(counted), max(counted, default=0)

    async def _open(self, number: int) -> None:
        connection = await connected(self.server, self.paths[number % len(self.paths)])
        self._connections.append(connection)
        self._tasks.append(asyncio.ensure_future(self._count(connection, number)))

    async def _count(self, connection: Any, number: int) -> None:
        while (fragment := await connection.read_message()) is not None:
            second = (number, int(time.monotonic()))
            self._seconds[second] = self._seconds.get(second, 0) + len(fragment)

    async def _close(self) -> None:
        for connection in self._connections:
            connection.close()
        await asyncio.gather(*self._tasks)


async def connected(server: Server, path: str) -> Any:
    """Return an open websocket of a session: the page is asked for, then its session is joined."""
    from tornado.httpclient import AsyncHTTPClient, HTTPRequest  # noqa: PLC0415 - the dashboard brings it
    from tornado.websocket import websocket_connect  # noqa: PLC0415

    page = await AsyncHTTPClient().fetch(f"{server.url}{path}", request_timeout=PATIENCE_S)
    found = TOKEN.search(page.body.decode())
    if found is None:
        raise Failed(f"{path} is no page of a session")
    plain = path.partition("?")[0]
    request = HTTPRequest(f"ws://127.0.0.1:{server.port}{plain}/ws")
    connection = await websocket_connect(request, subprotocols=["bokeh", found[1]])
    while b"ACK" not in _bytes(await connection.read_message()):
        pass
    return connection


def visit(server: Server, path: str, count: int) -> None:
    """Open and close `count` sessions, one after the other."""

    async def all_of_them() -> None:
        for _ in range(count):
            connection = await connected(server, path)
            connection.close()
            while await connection.read_message() is not None:
                pass

    asyncio.run(all_of_them())


def _bytes(message: str | bytes | None) -> bytes:
    if message is None:
        raise Failed("the dashboard closed a session")
    return message.encode() if isinstance(message, str) else message


def chromium() -> str | None:
    """Return the browser to use, None without one or without Playwright for Python."""
    from fleetflow_ui.chromium import executable  # noqa: PLC0415 - needed here alone

    return None if importlib.util.find_spec("playwright") is None else executable()


@contextmanager
def browsing(executable: str) -> Iterator[Browser]:
    """Start a browser; raises Failed for whatever it does not do in time.

    It has a profile on disk, as its readers' browsers have: without one, it keeps no compiled scripts.
    """
    from fleetflow_ui.chromium import FLAGS  # noqa: PLC0415 - needed here alone
    from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415

    try:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
            sync_playwright() as playwright,
        ):
            context = playwright.chromium.launch_persistent_context(
                profile,
                executable_path=executable,
                args=list(FLAGS),
                viewport={"width": 1440, "height": 900},
            )
            with contextlib.closing(context):
                yield Browser(context)
    except Error as error:
        raise Failed(f"the browser: {error.message.splitlines()[0]}") from error


class Browser:
    """A real browser, which tells when something can be seen and what it asked for elsewhere."""

    def __init__(self, context: Any) -> None:
        self._context = context
        context.set_default_timeout(PATIENCE_S * 1000)
        self.foreign: set[str] = set()
        context.on("request", self._note)

    def _note(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.foreign.add(request.url)

    def usable_s(self, url: str, stay_s: float = 0.0) -> float:
        """Open a page of the map and return how long until its vehicles are drawn; close it later."""
        page = self._context.new_page()
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_function(DRAWN, polling=20)
        seconds = time.perf_counter() - began
        page.wait_for_timeout(stay_s * 1000)
        page.close()
        return seconds

    def opens(self, url: str) -> bool:
        """Whether a page comes to rest."""
        page = self._context.new_page()
        page.goto(url)
        page.wait_for_function(IDLE)
        page.close()
        return True

    def to_screen(self, url: str, write: Callable[[int], float], count: int) -> list[float]:
        """Return how long until each of `count` moves of the vehicle in the address was on the screen.

        `write` moves it and returns when; the vehicle is the selected one.
        """
        page = self._context.new_page()
        page.goto(url)
        page.wait_for_function(DRAWN)
        page.wait_for_function("Bokeh.documents[0].get_model_by_name('selected').data_source.get_length()")
        page.evaluate(WATCH, ["selected", 0])
        found = []
        for number in range(count):
            # at other moments of the second each time
            page.wait_for_timeout(37 * (number % 10))
            written = write(number)
            page.wait_for_function(f"seen.length > {number}", polling=20)
            found.append(page.evaluate(f"seen[{number}]") - written)
        page.close()
        return found

    def back_s(self, url: str, restart: Callable[[], None]) -> float:
        """Return how long after the beginning of a restart an open page shows its vehicles again."""
        page = self._context.new_page()
        page.goto(url)
        page.wait_for_function(DRAWN)
        page.evaluate("window.old = true")
        began = time.perf_counter()
        restart()
        page.wait_for_function(f"!window.old && ({DRAWN})()", polling=50)
        seconds = time.perf_counter() - began
        page.close()
        return seconds
