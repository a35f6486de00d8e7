"""Whether a version that was just started is as good as the one before it."""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fleetflow.audit import moment
from fleetflow.audit.moment import Moment
from fleetflow.contracts.sink import Counts
from fleetflow.errors import FleetflowError
from fleetflow.jobs.model import DeadlineError, FailedError, Job
from fleetflow.jobs.running import LOOK_S
from fleetflow.ledger.reader import Ledger

log = logging.getLogger(__name__)

FIRST_S = 0.02
FEWEST = 10
"""Of fewer records no share of rejects is told."""
TAIL_BYTES = 1 << 20
BASELINE_S = 60.0
STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
ERROR = re.compile(rb"^\S+Z (ERROR|CRITICAL) |\"level\": \"(ERROR|CRITICAL)\"")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a new version must keep to: healthy `within_s` seconds, then watched for `watch_s` seconds.

    `rejects` is by how many percentage points the share of rejects of a source may rise.
    """

    within_s: float = 30.0
    watch_s: float = 10.0
    rejects: float = 1.0


@dataclass
class Watched:
    """What is known of the version before, and what is seen of the new one.

    `moments` are of the job's ledger: when the old version had ended, when the new one was healthy, and at
    the end of the watch; empty when the job keeps no ledger.
    """

    ledger: Ledger | None
    moments: list[Moment] = field(default_factory=list)
    ended_at: float = field(default_factory=time.time)
    settled_at: float | None = None
    first_at: float | None = None
    errors_before: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the first record is no longer waited for."""

    @property
    def pause_ms(self) -> int | None:
        """Milliseconds from the last record settled by the old version to the first by the new one."""
        if self.settled_at is None or self.first_at is None:
            return None
        return max(0, int((self.first_at - self.settled_at) * 1000))

    def note(self) -> None:
        """Add what the ledger says now."""
        if self.ledger is not None:
            self.moments.append(moment.take(self.ledger))

    def look(self) -> Mapping[str, Counts]:
        """Return the account now."""
        return {} if self.ledger is None else self.ledger.counts()

    def wait_for_first(self, folder: Path) -> None:
        """Look from now on, in a thread of its own, for the first record after the change."""
        read = _read(self.moments[0].counts)

        def look() -> None:
            ledger = Ledger(folder)
            try:
                while not self.over.wait(FIRST_S):
                    if _read(ledger.counts()) > read:
                        self.first_at = time.time()
                        return
            # a figure of the certificate must not end what it is about
            except (FleetflowError, sqlite3.Error):
                log.debug("the first record cannot be waited for", exc_info=True)
            finally:
                ledger.close()

        threading.Thread(target=look, name="fleetflow-first", daemon=True).start()


def before(folder: Path | None, job: Job) -> Watched:
    """Begin to watch a job that has just ended cleanly."""
    ledger = None if folder is None else Ledger(folder)
    watched = Watched(ledger, errors_before=errors(job.log, time.time() - BASELINE_S, time.time()))
    watched.note()
    if ledger is not None and folder is not None:
        watched.settled_at = max((updated for _, updated in ledger.newest().values()), default=None)
        watched.wait_for_first(folder)
    return watched


def watch(job: Job, bounds: Bounds, watched: Watched) -> None:
    """Return when the new version was healthy in time and kept to its bounds.

    Raises FailedError or DeadlineError with what was wrong.
    """
    deadline = time.monotonic() + bounds.within_s
    until: float | None = None
    while True:
        truth = job.truth()
        if truth["state"] == "failed" or truth.get("restarts", 0) > 0:
            raise FailedError(f"it failed: {truth.get('reason', '')}")
        counts = watched.look()
        healthy = truth["state"] == "completed" or (truth["state"] == "running" and truth.get("healthy"))
        if healthy and until is None:
            until = time.monotonic() + bounds.watch_s
            watched.note()
        if until is None and time.monotonic() > deadline:
            raise DeadlineError(f"no snapshot was taken within {bounds.within_s:g} s")
        if watched.moments:
            _judge_rejects(watched.moments[0].counts, counts, bounds.rejects)
        _judge_errors(job.log, watched.ended_at, watched.errors_before)
        if until is not None and (time.monotonic() > until or truth["state"] == "completed"):
            watched.note()
            return
        time.sleep(LOOK_S)


def errors(log: Path, begin: float, end: float) -> int:
    """Count the lines of level ERROR and above between two times, in the last mebibyte of a job's log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return 0
    found = 0
    for line in lines:
        if ERROR.search(line):
            stamp = STAMP.search(line)
            if stamp is not None and begin <= _seconds(stamp.group()) <= end:
                found += 1
    return found


def _judge_rejects(old: Mapping[str, Counts], new: Mapping[str, Counts], bound: float) -> None:
    for source, now in new.items():
        was = old.get(source, Counts())
        read, rejected = now.read - was.read, now.quarantined - was.quarantined
        share = 100 * was.quarantined / was.read if was.read else 0.0
        if read >= FEWEST and 100 * rejected / read > share + bound:
            raise FailedError(
                f"source {source}: {rejected} of {read} records were rejected "
                f"({100 * rejected / read:.1f} %), before it were {share:.1f} %"
            )


def _judge_errors(log: Path, began: float, allowed: int) -> None:
    found = errors(log, began, time.time())
    if found > allowed:
        raise FailedError(f"it logged {found} errors, the version before {allowed} in {BASELINE_S:g} s")


def _read(counts: Mapping[str, Counts]) -> int:
    return sum(each.read for each in counts.values())


def _seconds(stamp: bytes) -> float:
    return datetime.fromisoformat(stamp.decode()).replace(tzinfo=UTC).timestamp()
