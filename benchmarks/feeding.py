"""A job that runs, and what feeds it, for the works that measure a running job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestants.base import PROGRAMS, clean_environment
from benchmarks.contestants.ours import environment
from benchmarks.context import Context
from benchmarks.measuring import Failed, start, stop, tail


@dataclass(frozen=True, slots=True)
class Feed:
    """How many pings per second to which source, from how many vehicles each, for how long."""

    alpha_rate: float
    beta_rate: float
    vehicles: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Live:
    """A running job that has read the first ping of every vehicle, and a feed that waits for `go`."""

    folder: Path
    pid: int
    journal: Path

    def go(self) -> None:
        """Let the feed begin."""
        Path(f"{self.journal}.go").touch()

    @property
    def vehicles(self) -> Path:
        """The folder of the vehicles map."""
        return self.folder / "data" / "vehicles"


@contextmanager
def running(context: Context, folder: Path, feed: Feed, **settings: object) -> Iterator[Live]:
    """Start feed and job, wait until the job has caught up, and end both; raises Failed."""
    from fleetflow_vehicles.vehicles import Vehicles  # noqa: PLC0415 - needed here alone

    alpha, port_file, journal = folder / "alpha", folder / "port", folder / "journal"
    alpha.mkdir()
    numbers = (feed.alpha_rate, feed.beta_rate, feed.vehicles, feed.seconds)
    arguments = [str(alpha), str(port_file), str(journal), *map(str, numbers)]
    feeder = start(
        [context.python, str(PROGRAMS / "feed.py"), *arguments],
        clean_environment(),
        folder,
        folder / "feed.log",
    )
    try:
        wait_for(port_file.is_file, 30, "the feed", folder / "feed.log")
        url = f"http://127.0.0.1:{port_file.read_text('ascii')}/pings" if feed.beta_rate else ""
        job_environment = environment(folder, alpha if feed.alpha_rate else "", url, **settings)
        job = start([context.python, "-P", "-m", "fleetflow", "run"], job_environment, folder, folder / "log")
        try:
            wanted = feed.vehicles * sum(1 for rate in (feed.alpha_rate, feed.beta_rate) if rate)
            with Vehicles(folder / "data" / "vehicles") as vehicles:
                wait_for(lambda: vehicles.count() >= wanted, 60, "the job", folder / "log")
            yield Live(folder, job.pid, journal)
            if job.poll() is not None:
                raise Failed(f"the job ended by itself: {tail(folder / 'log')}")
        finally:
            code = stop(job)
        if code:
            raise Failed(f"the job ended with code {code}: {tail(folder / 'log')}")
    finally:
        stop(feeder)


def wait_for(condition: Callable[[], bool], seconds: float, what: str, log: Path) -> None:
    """Wait until `condition` holds; raises Failed after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what} was not ready in {seconds:.0f} s: {tail(log)}")
        time.sleep(0.02)
