"""The matches of notices and vehicles as they are now, read again when a file or the database changes."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleetflow.errors import FleetflowError

log = logging.getLogger(__name__)
FIRST_S = 5.0
"""How long a job's start waits for the first reading."""

Due = Mapping[str, Any]
"""A row of `fleetflow_maintenance.matching.match`."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What affects each vehicle; `version` rises with every reading that changed something."""

    version: int = 0
    by_vin: Mapping[str, Sequence[Due]] = field(default_factory=dict)


class Watch:
    """Keeps `matches` current in a thread of its own: whoever looks at it never waits for a file.

    `stamp()` is asked every `check_s`; when its answer is another one than before, `read()` makes the new
    matches. When either raises a FleetflowError the last good matches stay, the error is logged once, and it
    is tried again. The thread ends when the watch is no longer used.
    """

    def __init__(
        self, stamp: Callable[[], object], read: Callable[[], Mapping[str, Sequence[Due]]], check_s: float
    ) -> None:
        self.matches = Matches()
        self._stamp = stamp
        self._read = read
        self._check_s = check_s
        self._seen: object = None
        self._problem = ""
        self._lock = threading.Lock()
        self._started = False

    def start(self) -> None:
        """Start, once, and wait a moment for the first reading, so that a replay meets the same matches."""
        with self._lock:
            if self._started:
                return
            self._started = True
            end, first = threading.Event(), threading.Event()
            weakref.finalize(self, end.set)
            threading.Thread(
                target=_run,
                args=(weakref.ref(self), end, first, self._check_s),
                name="maintenance",
                daemon=True,
            ).start()
            if not first.wait(FIRST_S):
                log.warning("notices and register are not read yet after %g s, the job starts", FIRST_S)

    def look(self) -> None:
        """Read again if something changed."""
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return
            matches = self._read()
        except FleetflowError as error:
            if error.message != self._problem:
                self._problem = error.message
                log.error("notices stay as they were: %s", error.message)  # noqa: TRY400 - told in words
            return
        self._problem = ""
        self._seen = stamp
        if matches != self.matches.by_vin:
            self.matches = Matches(self.matches.version + 1, matches)
            log.info("notices affect %d vehicles", len(matches))


def _run(reference: weakref.ref[Watch], end: threading.Event, first: threading.Event, check_s: float) -> None:
    while True:
        watch = reference()
        if watch is None:
            return
        try:
            watch.look()
        except Exception:
            # a defect must not end the watching without a word
            log.exception("looking at notices and register failed")
        del watch
        first.set()
        if end.wait(check_s):
            return


def stamp_of(files: Sequence[Path | None], poll_s: float) -> tuple[object, ...]:
    """Return what changes when a file does; in place of None what changes every `poll_s` seconds."""
    return tuple(int(time.monotonic() / poll_s) if file is None else _file_stamp(file) for file in files)


def _file_stamp(file: Path) -> tuple[object, ...]:
    # a SQLite database in WAL mode changes beside its file first
    stamps: list[object] = []
    for path in (file, file.with_name(f"{file.name}-wal")):
        try:
            status = path.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(stamps)
