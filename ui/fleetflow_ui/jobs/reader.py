"""Looks at all jobs for all sessions of this process, as long as somebody wants to know."""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fleetflow.builtin.core import RecoverySettings, RunSettings
from fleetflow.builtin.jobs import JobsSettings
from fleetflow.contracts.sink import Counts
from fleetflow.errors import FleetflowError
from fleetflow.jobs.exports import savepoints_in
from fleetflow.jobs.model import jobs_in
from fleetflow.recovery import holder_of
from fleetflow.savepoints import store
from fleetflow_ui.context import Context
from fleetflow_ui.jobs.views import (
    PLAIN,
    JobDetail,
    JobView,
    SourceView,
    detail,
    snapshot_of,
    view,
    with_account,
)

log = logging.getLogger(__name__)
LOOK_S = 1.0
DETAIL_S = 3.0
FORGOTTEN_S = 10.0
"""Seconds after the last wish until looking ends."""
WINDOW_S = 8.0
"""Rates are over about this long: sources read in bursts."""
HISTORY = 180


@dataclass(frozen=True, slots=True)
class State:
    """One look: replaced as a whole, so that a session never sees half of one. `version` rises."""

    version: int = 0
    jobs: Sequence[JobView] = ()
    details: Mapping[str, JobDetail] = field(default_factory=dict)
    savepoints: Sequence[Mapping[str, Any]] = ()
    problem: str = ""
    hint: str = ""


class Meter:
    """Counts of one job at some moments, and what follows: rates per source, and their history."""

    def __init__(self) -> None:
        self._seen: collections.deque[tuple[float, dict[str, Counts]]] = collections.deque()
        self.history: collections.deque[tuple[float, dict[str, float]]] = collections.deque(maxlen=HISTORY)

    def measure(self, shown: JobView, now: float) -> JobView:
        """Add rates to a job's sources; `now` is seconds of any clock that does not jump."""
        counts = {name: source.counts for name, source in shown.sources.items()}
        while len(self._seen) > 1 and now - self._seen[1][0] >= WINDOW_S:
            self._seen.popleft()
        before_at, before = self._seen[0] if self._seen else (now, counts)
        self._seen.append((now, counts))
        passed = now - before_at
        if passed <= 0:
            return shown
        sources = {
            name: replace(source, **_rates(source, before.get(name, Counts()), passed))
            for name, source in shown.sources.items()
        }
        self.history.append((time.time(), {name: source.rate or 0.0 for name, source in sources.items()}))
        return replace(shown, sources=sources)


def _rates(source: SourceView, before: Counts, passed: float) -> dict[str, Any]:
    # after a crash the account goes back to the last snapshot: no negative rates
    def rate(name: str) -> float:
        more: float = getattr(source.counts, name) - getattr(before, name)
        return max(0.0, more / passed)

    return {
        "rate": rate("read"),
        "settled": {name: rate(name) for name in ("applied", "superseded", "quarantined")},
    }


class JobsReader:
    """Follows the jobs in a thread; `state` is the newest look."""

    def __init__(self, context: Context) -> None:
        self._context = context
        settings = context.configuration.table("jobs", JobsSettings)
        self.jobs = context.configuration.path(settings.dir)
        self.savepoints = context.configuration.path(settings.savepoints)
        self.state = State()
        self._meters: dict[str, Meter] = {}
        self._wanted: dict[str, float] = {}
        self._details: dict[str, tuple[float, JobDetail]] = {}
        self._description: dict[str, Any] | None = None
        self._wake = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def want(self, name: str = "") -> None:
        """Ask to be kept up to date for the next seconds, with the details of one job."""
        with self._lock:
            self._wanted[name] = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._follow, name="jobs-reader", daemon=True)
                self._thread.start()

    def hurry(self) -> None:
        """Look now, and read details anew: something was done."""
        self._details.clear()
        self._wake.set()

    def history(self, name: str) -> list[tuple[float, dict[str, float]]]:
        """Return (time, pings per second per source) of the last minutes."""
        meter = self._meters.get(name)
        return list(meter.history) if meter else []

    def close(self) -> None:
        """End."""
        self._over = True
        self._wake.set()

    def _follow(self) -> None:
        while not self._over:
            now = time.monotonic()
            with self._lock:
                self._wanted = {name: at for name, at in self._wanted.items() if now - at < FORGOTTEN_S}
                if not self._wanted:
                    self._thread = None
                    self._meters.clear()
                    return
            try:
                self.look()
            except FleetflowError as error:
                self.state = replace(
                    self.state, version=self.state.version + 1, problem=error.message, hint=error.hint
                )
            except Exception as error:
                log.exception("the jobs could not be looked at")
                self.state = replace(
                    self.state, version=self.state.version + 1, problem=f"{type(error).__name__}: {error}"
                )
            self._wake.wait(LOOK_S)
            self._wake.clear()

    def look(self) -> None:
        """Look once at everything that is wanted."""
        now = time.monotonic()
        shown = [view(job) for job in jobs_in(self.jobs)]
        plain = self._plain(shown)
        if plain is not None:
            shown.append(plain)
        shown = [self._meters.setdefault(each.name, Meter()).measure(each, now) for each in shown]
        for each in shown:
            at, _ = self._details.get(each.name, (float("-inf"), JobDetail()))
            if each.name in self._wanted and now - at > DETAIL_S:
                self._details[each.name] = (now, detail(each))
        details = {name: found for name, (_, found) in self._details.items()}
        self.state = State(self.state.version + 1, shown, details, savepoints_in(self.savepoints))

    def _plain(self, jobs: Sequence[JobView]) -> JobView | None:
        """Return the job of `fleetflow run`, None when there never was one."""
        configuration = self._context.configuration
        recovery = configuration.table("recovery", RecoverySettings)
        folder = configuration.path(recovery.dir)
        if not (folder / store.FILE).is_file():
            return None
        holder = holder_of(folder)
        at, size = snapshot_of(folder)
        reached = store.progress_of(folder)
        workers, processes = configuration.table("run", RunSettings).size()
        tables = configuration.as_dict()
        ledger, quarantine = (
            configuration.path(tables[name]["dir"]) if name in tables else None
            for name in ("ledger", "quarantine")
        )
        if holder is None and any(each.ledger == ledger for each in jobs):
            # what is in the ledger is the named job's
            ledger = None
        return with_account(
            JobView(
                name=PLAIN,
                state="running" if holder is not None else "stopped",
                since=at,
                healthy=holder is not None,
                workers=workers,
                processes=processes,
                pids=(holder,) if holder else (),
                description=self._described(),
                snapshot_at=at,
                snapshot_bytes=size,
                snapshot_s=recovery.snapshot_s,
                epoch=reached.epoch if reached else 0,
                ledger=ledger,
                quarantine=quarantine,
            )
        )

    def _described(self) -> dict[str, Any]:
        if self._description is None:
            from fleetflow.savepoints.description import describe  # noqa: PLC0415 - imports the whole flow

            try:
                self._description = describe(self._context.plugins, self._context.configuration)
            except FleetflowError as error:
                log.warning("the flow of `fleetflow run` cannot be described: %s", error.message)
                self._description = {}
        return self._description
