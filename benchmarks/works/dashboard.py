"""Work u: many watch a large fleet in the dashboard; what does it take, and how soon do they see what is?"""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import dashboard
from benchmarks.contestants.base import PROGRAMS
from benchmarks.contestants.ours import environment
from benchmarks.context import Context
from benchmarks.dashboard import Browser, Server, Viewers
from benchmarks.feeding import wait_for
from benchmarks.inputs import vin
from benchmarks.measuring import Failed, run, start, stop
from benchmarks.results import Aim, Outcome

VEHICLES = 100_000
MOVING = 5_000
"""Vehicles that report each second."""
FEW = 1_000
SESSIONS = 20
OPENINGS = 200
FIRST_OPENINGS = 50
"""Before memory counts: what is made at first use is there after these."""
GIVEN_UP_S = 2.0
"""After it sessions that have ended are given up, see `programs/dashboard.py`."""
FLAT = 0.03
"""Memory that grows by less counts as flat."""
WARM_S, HOUR_S, STEP_S = 300, 3600, 600
"""Memory over an hour is looked at from then on, for so long, and so often."""
SETTLE_S = 1.5
"""What opening sessions takes must be over."""
VIEWS = (
    "/dashboard",
    *(f"/dashboard?at={at}" for at in ("37.0,-95.0,4.4", "41.0,-104.0,4.7", "33.0,-88.0,5.0")),
)
"""What the sessions show: the fleet from afar, as hexagons, not all of them the same."""
CLOSE_UP = "/dashboard?at=37.0,-95.0,8.0"
"""Some 1,000 to 2,500 vehicles in view: drawn as dots, which are the most that is ever sent."""
WARMED = 3
"""Openings before those that are measured."""
STAY_S = 5.0
"""How long each of them lasts: meanwhile the tiles around the view and of the next zoom are drawn."""
PAGES = ("dashboard", "vehicles", "jobs", "quality")
NO_BROWSER = "not measured: no Chromium, or no Playwright for Python"


@dataclass
class Fleet:
    """A file that a running job reads: every vehicle once, then some of them each second."""

    file: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _second: int = 0

    def begin(self, vehicles: int = VEHICLES) -> None:
        """Write every vehicle once."""
        self._write(range(vehicles))

    def write(self, number: int, latitude: float) -> float:
        """Move one vehicle; returns when, by the clock."""
        moment = time.time()
        self._append(f"{vin(number)},{latitude:.5f},-95.0,{moment:.3f}\n")
        return moment

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Let vehicles report meanwhile."""
        over = threading.Event()

        def move() -> None:
            while not over.wait(1.0):
                self._second += 1
                first = 1 + self._second * MOVING % (VEHICLES - MOVING)
                self._write(range(first, first + MOVING))

        thread = threading.Thread(target=move, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _write(self, numbers: range) -> None:
        now = time.time()
        # the first vehicle is moved alone, in the middle of the close-up
        self._append(
            "".join(
                f"{vin(n)},{26 + n * 7919 % 22_000 / 1000 + self._second * 0.002:.5f},"
                f"{-120 + n * 104_729 % 50_000 / 1000:.5f},{now:.3f}\n"
                for n in numbers
            )
        )

    def _append(self, text: str) -> None:
        with self._lock, self.file.open("a", encoding="ascii") as file:
            file.write(text)


def measure(context: Context) -> Outcome:
    """Measure work u."""
    description = (
        f"{VEHICLES:,} vehicles of which {MOVING:,} report each second, read by a running job; {SESSIONS} "
        "sessions that show most of the fleet, then some that show a part; a real browser if there is one"
    )
    outcome = Outcome("u", "Dashboard", description, columns=["what", "found"])
    rows: list[tuple[str, str]] = []
    aims: list[Aim] = []
    try:
        with context.folder() as folder, _running(context, folder) as (fleet, server):
            _load(context, fleet, server, rows, aims)
            executable = dashboard.chromium()
            if executable is None:
                aims += [Aim(text, NO_BROWSER, None) for text in SEEN]
            else:
                with dashboard.browsing(executable) as browser:
                    _look(context, fleet, server, browser, aims)
            _stay(context, fleet, server, rows, aims)
            server.end()
            _open(context, folder, rows, aims)
    except Failed as failed:
        rows.append(("failed", str(failed)))
    outcome.rows, outcome.aims = rows, aims
    return outcome


@contextmanager
def _running(context: Context, folder: Path) -> Iterator[tuple[Fleet, Server]]:
    from fleetflow_vehicles.vehicles import Vehicles  # noqa: PLC0415 - needed here alone

    alpha = folder / "alpha"
    alpha.mkdir()
    fleet = Fleet(alpha / "fleet.csv")
    fleet.begin()
    variables = environment(folder, alpha)
    command = [context.python, "-P", "-m", "fleetflow"]
    job = start([*command, "run"], variables, folder, folder / "log")
    server = _server(folder, [*command, "ui", "--port", "{port}"], variables)
    try:
        context.say(f"dashboard: a job reads {VEHICLES:,} vehicles")
        with Vehicles(folder / "data" / "vehicles") as vehicles:
            wait_for(lambda: vehicles.count() >= VEHICLES, 60, "the job", folder / "log")
        server.begin()
        wait_for(lambda: server.knows(VEHICLES), 60, "the fleet", folder / "log")
        yield fleet, server
    finally:
        server.end()
        stop(job)


def _server(folder: Path, argv: list[str], variables: dict[str, str]) -> Server:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return Server([each.format(port=port) for each in argv], variables, folder, port)


def _load(
    context: Context, fleet: Fleet, server: Server, rows: list[tuple[str, str]], aims: list[Aim]
) -> None:
    """Measure what sessions cost: the server's CPU with and without them, and what they are sent."""
    seconds = 30.0 if context.long else 10.0

    def share() -> float:
        before, began = server.cpu_s(), time.monotonic()
        # this is a measurement over time: there is no condition to wait for
        time.sleep(seconds)
        return (server.cpu_s() - before) / (time.monotonic() - began)

    with fleet.moving():
        context.say("dashboard: nobody looks")
        # it still catches up with what moved while it began
        time.sleep(SETTLE_S)
        alone = share()
        context.say(f"dashboard: {SESSIONS} sessions")
        with Viewers(server, VIEWS).watching(SESSIONS) as viewers:
            time.sleep(SETTLE_S)
            viewers.forget()
            watched = share()
            whole, whole_most = viewers.sums()
        context.say("dashboard: nobody looks any more")
        # sessions that ended are taken down first: a measurement over time, as above
        time.sleep(SETTLE_S)
        # the lesser of the two: what the reader does by itself must not make its sessions look cheap
        alone = min(alone, share())
        context.say("dashboard: close-up")
        with Viewers(server, (CLOSE_UP,)).watching(2) as viewers:
            time.sleep(SETTLE_S)
            viewers.forget()
            close_seconds = min(seconds, 5.0)
            time.sleep(close_seconds)
            close, close_most = viewers.sums()
    if not whole_most or not close_most:
        raise Failed("sessions were sent nothing, though vehicles moved")
    sessions = max(0.0, watched - alone)
    each_ms = sessions / SESSIONS * 1000
    whole_kb, close_kb = whole / SESSIONS / seconds / 1000, close / 2 / close_seconds / 1000
    most_kb = max(whole_most, close_most) / 1000
    rows += [
        ("the reader that all sessions share, nobody looking", f"{alone:.1%} of a core"),
        (f"{SESSIONS} sessions beside it", f"{sessions:.1%} of a core"),
        ("sent to a session that shows most, as hexagons", f"{whole_kb:.1f} kB per update"),
        ("sent to a session that shows a part, as dots", f"{close_kb:.1f} kB per update"),
        ("the most that one session was sent in one second", f"{most_kb:.1f} kB"),
    ]
    aims += [
        Aim("server CPU per session and update at most 3 ms", f"{each_ms:.1f} ms", each_ms <= 3),
        Aim("at most 50 kB per update", f"{most_kb:.1f} kB", most_kb <= 50),
        Aim(f"{SESSIONS} sessions under 10 % of a core", f"{sessions:.1%}", sessions < 0.1),
    ]


SEEN = (
    "usable in 1.5 s, warm",
    "from ping to screen at most 2 s (95 %)",
    "all functions without internet",
    "back within 10 s after a restart",
)


def _look(context: Context, fleet: Fleet, server: Server, browser: Browser, aims: list[Aim]) -> None:
    """Measure what a reader sees."""
    context.say("dashboard: a browser opens the map")
    whole = f"{server.url}/dashboard"
    # Chromium keeps scripts compiled from the second time on that it sees them
    for _ in range(WARMED):
        browser.usable_s(whole, STAY_S)
    before = server.cpu_s()
    usable = statistics.median(browser.usable_s(whole) for _ in range(5))
    served = (server.cpu_s() - before) / 5
    found = f"{usable:.2f} s, of which the server works {served:.2f} s"
    aims.append(Aim(SEEN[0], found, usable <= 1.5))
    count = 60 if context.long else 10
    context.say(f"dashboard: {count} pings to the screen")
    close_up = f"{server.url}{CLOSE_UP}&vin={vin(0)}"
    fleet.write(0, 37.0)
    with fleet.moving():
        late = sorted(browser.to_screen(close_up, lambda n: fleet.write(0, 37.01 + n / 100), count))
    p95 = late[min(len(late) - 1, round(0.95 * len(late)))]
    middle = statistics.median(late)
    aims.append(Aim(SEEN[1], f"{p95:.2f} s (median {middle:.2f} s, {count} pings)", p95 <= 2))
    context.say("dashboard: all pages")
    opened = sum(browser.opens(f"{server.url}/{page}") for page in PAGES)
    foreign = len(browser.foreign)
    aims.append(
        Aim(SEEN[2], f"{opened} pages, {foreign} requests elsewhere", opened == len(PAGES) and not foreign)
    )
    context.say("dashboard: a restart")

    def restart() -> None:
        server.end()
        server.begin()

    back = browser.back_s(whole, restart)
    aims.append(Aim(SEEN[3], f"{back:.1f} s", back <= 10))


def _stay(
    context: Context, fleet: Fleet, server: Server, rows: list[tuple[str, str]], aims: list[Aim]
) -> None:
    """Measure what an hour with moving vehicles and all sessions leaves behind."""
    aim = f"memory flat over an hour (within {FLAT:.0%})"
    if not context.long:
        aims.append(Aim(aim, "not measured: in the long form alone", None))
        return
    context.say("dashboard: an hour")
    found: list[int] = []
    peaks: list[int] = []
    with fleet.moving(), Viewers(server, VIEWS).watching(SESSIONS):
        # measurements over time: there is no condition to wait for
        time.sleep(WARM_S)
        found.append(server.memory_bytes())
        peaks.append(server.peak_bytes())
        for _ in range(HOUR_S // STEP_S):
            time.sleep(STEP_S)
            found.append(server.memory_bytes())
            peaks.append(server.peak_bytes())
            context.say(f"dashboard: {found[-1] / 2**20:.0f} MiB, at most {peaks[-1] / 2**20:.0f}")
    for what, some in (("memory", found), ("the most memory until then,", peaks)):
        curve = ", ".join(f"{each / 2**20:.0f}" for each in some)
        rows.append((f"{what} after {WARM_S // 60} minutes, then every {STEP_S // 60}", f"{curve} MiB"))
    grown = (found[-1] - found[0]) / found[0]
    aims.append(Aim(aim, f"{grown:+.1%} of {found[0] / 2**20:.0f} MiB", grown < FLAT))


def _open(context: Context, folder: Path, rows: list[tuple[str, str]], aims: list[Aim]) -> None:
    """Measure what sessions leave behind, in a server that gives up ended ones soon.

    With a small fleet: it is the sessions that cost memory, and the time for each grows with the fleet.
    """
    context.say(f"dashboard: {OPENINGS} openings")
    small = folder / "small"
    (small / "alpha").mkdir(parents=True)
    Fleet(small / "alpha" / "fleet.csv").begin(FEW)
    variables = environment(small, small / "alpha")
    command = [context.python, "-P", "-m", "fleetflow", "run", "--once"]
    run(command, variables, small, small / "log", context.effort.timeout_s)
    server = _server(small, [context.python, "-P", str(PROGRAMS / "dashboard.py"), "{port}"], variables)
    try:
        server.begin()
        wait_for(lambda: server.knows(FEW), 60, "the fleet", small / "log")
        dashboard.visit(server, "/dashboard", FIRST_OPENINGS)
        time.sleep(GIVEN_UP_S)
        before = server.memory_bytes()
        dashboard.visit(server, "/dashboard", OPENINGS)
        time.sleep(GIVEN_UP_S)
        after = server.memory_bytes()
    finally:
        server.end()
    grown = (after - before) / before
    rows.append((f"memory of a server with {FEW:,} vehicles", f"{after / 2**20:.0f} MiB"))
    text = f"memory flat over {OPENINGS} openings (within {FLAT:.0%})"
    aims.append(Aim(text, f"{grown:+.1%}", grown < FLAT))
