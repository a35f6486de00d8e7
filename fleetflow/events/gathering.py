"""Events of a backlog, stored together by a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from fleetflow.contracts.detector import Event
from fleetflow.events.store import EventsStore

log = logging.getLogger(__name__)

TOGETHER, TOGETHER_S = 4000, 1.0
"""So many events are stored together, or what came within so long. Their ids are spread all over the index,
of which each transaction writes every page that it touched."""
MOST = 4 * TOGETHER
"""Whoever hands over more than the thread has stored waits until they are."""


class Gatherer:
    """Takes events at once and stores them a little later, in order. Several threads may put.

    What was put is stored when `flush` returns. A process that is killed before has to be given it again.
    """

    def __init__(self, store: EventsStore) -> None:
        self._store = store
        self._events: list[Event] = []
        self._since = self._not_before = 0.0
        self._changed = threading.Condition()
        self._storing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False

    def put(self, events: Sequence[Event]) -> None:
        """Take events. Raises what the store raises when there are too many to take more."""
        with self._changed:
            if not self._events:
                self._since = time.monotonic()
            self._events += events
            waiting = len(self._events)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="store-events", daemon=True)
                self._thread.start()
            self._changed.notify()
        if waiting >= MOST:
            self.flush()

    def flush(self) -> None:
        """Store everything that was put; raises what the store raises, and keeps it then."""
        with self._storing:
            with self._changed:
                events, self._events = self._events, []
            if not events:
                return
            try:
                self._store.add(events)
            # also an interrupt: what is not stored stays here, and it is raised again
            except BaseException:
                with self._changed:
                    self._events[:0] = events
                raise

    def close(self) -> None:
        """Store everything, and end the thread, whatever storing raises."""
        try:
            self.flush()
        finally:
            with self._changed:
                self._closing = True
                self._changed.notify()
            if self._thread is not None:
                self._thread.join()

    def _run(self) -> None:
        while self._wait():
            try:
                self.flush()
            # nothing is lost by it: the next snapshot stores them, or fails and tells
            except Exception as error:
                log.warning("events are stored later: %s: %s", type(error).__name__, error)
                with self._changed:
                    self._not_before = time.monotonic() + TOGETHER_S

    def _wait(self) -> bool:
        """Return when there is something to store, False when there never will be again."""
        with self._changed:
            while not self._closing:
                due = None
                if self._events:
                    due = self._since + (0.0 if len(self._events) >= TOGETHER else TOGETHER_S)
                    due = max(due, self._not_before) - time.monotonic()
                    if due <= 0:
                        return True
                self._changed.wait(due)
            return False
